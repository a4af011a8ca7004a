// RUN: attn-opt %s --split-input-file --attn-cpu-schedule-kernels=target=x86-64-avx2 | FileCheck %s
// Loops over elements: what is joined, what runs on lanes.

// Neighbouring dimensions that every tensor walks in order are one loop, shared
// in pieces of 1024 elements: no division by a size.
// CHECK-LABEL: func.func @whole(
// CHECK-NOT: arith.remui
// CHECK: scf.for
// CHECK: arith.muli %{{.+}}, %c1024
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: vector.load
// CHECK: vector.load
// CHECK: arith.addf {{.*}} : vector<16xf32>
// CHECK: vector.store
// CHECK: scf.for
// CHECK: vector.maskedload
// CHECK: vector.maskedstore
// CHECK-NOT: scf.for
// CHECK: return
func.func private @whole(%x: tensor<?x?x64xf32>, %z: tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
    attributes {attn.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %s = tensor.dim %x, %c1 : tensor<?x?x64xf32>
  %init = tensor.empty(%b, %s) : tensor<?x?x64xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(b, s, d) -> (b, s, d)>, affine_map<(b, s, d) -> (b, s, d)>,
                       affine_map<(b, s, d) -> (b, s, d)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %z : tensor<?x?x64xf32>, tensor<?x?x64xf32>) outs(%init : tensor<?x?x64xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  } -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// A row that all positions share keeps the rows apart; they are one loop. 64 is a
// whole number of vectors: no masks.
// CHECK-LABEL: func.func @row(
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: vector.maskedload
// CHECK-NOT: scf.for
// CHECK: return
func.func private @row(%x: tensor<?x?x64xf32>, %r: tensor<64xf32>) -> tensor<?x?x64xf32>
    attributes {attn.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %s = tensor.dim %x, %c1 : tensor<?x?x64xf32>
  %init = tensor.empty(%b, %s) : tensor<?x?x64xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(b, s, d) -> (b, s, d)>, affine_map<(b, s, d) -> (d)>,
                       affine_map<(b, s, d) -> (b, s, d)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %r : tensor<?x?x64xf32>, tensor<64xf32>) outs(%init : tensor<?x?x64xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  } -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// The result is written side by side; the operand is gathered.
// CHECK-LABEL: func.func @turned(
// CHECK: vector.gather
// CHECK: vector.maskedstore
func.func private @turned(%x: tensor<?x19xf32>) -> tensor<19x?xf32> attributes {attn.kernel} {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x19xf32>
  %init = tensor.empty(%b) : tensor<19x?xf32>
  %y = linalg.transpose ins(%x : tensor<?x19xf32>) outs(%init : tensor<19x?xf32>)
      permutation = [1, 0]
  return %y : tensor<19x?xf32>
}

// -----

// A sum over rows: one vector of accumulators for 16 columns.
// CHECK-LABEL: func.func @columns(
// CHECK: %[[SUM:.+]] = scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>)
// CHECK: vector.store %[[SUM]]
func.func private @columns(%x: tensor<?x32xf32>) -> tensor<32xf32> attributes {attn.kernel} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<32xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<32xf32>) -> tensor<32xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(s, d) -> (s, d)>, affine_map<(s, d) -> (d)>],
      iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<?x32xf32>) outs(%init : tensor<32xf32>) {
  ^bb0(%p: f32, %acc: f32):
    %0 = arith.addf %acc, %p : f32
    linalg.yield %0 : f32
  } -> tensor<32xf32>
  return %y : tensor<32xf32>
}
