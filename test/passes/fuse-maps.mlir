// RUN: attn-opt %s --split-input-file --attn-fuse-maps --remarks-filter=attn-.* --verify-diagnostics | FileCheck %s

#id = affine_map<(b, s, c) -> (b, s, c)>
#table = affine_map<(b, s, c) -> (s, c)>

// CHECK-LABEL: func @embeddings
// CHECK-SAME: %[[A:.*]]: tensor<?x?x16xf32>, %[[B:.*]]: tensor<?x?x16xf32>, %[[T:.*]]: tensor<?x16xf32>, %[[E:.*]]: tensor<?x?x16xf32>
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[A]], %[[B]], %[[T]] :
// CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %[[Y:.*]]: f32, %[[Z:.*]]: f32, %{{.*}}: f32)
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[X]], %[[Y]]
// CHECK-NEXT: %[[U:.*]] = arith.addf %[[S]], %[[Z]]
// CHECK-NEXT: linalg.yield %[[U]]
// CHECK-NOT: linalg.generic
func.func @embeddings(%a: tensor<?x?x16xf32>, %b: tensor<?x?x16xf32>, %t: tensor<?x16xf32>, %e: tensor<?x?x16xf32>)
    -> tensor<?x?x16xf32> {
  // expected-remark @below {{[Passed] linalg.generic | Category:attn-fuse-maps | Remark="computed inside its reader"}}
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a, %b : tensor<?x?x16xf32>, tensor<?x?x16xf32>) outs(%e : tensor<?x?x16xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %s = arith.addf %x, %y : f32
      linalg.yield %s : f32
  } -> tensor<?x?x16xf32>
  %1 = linalg.generic {indexing_maps = [#id, #table, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%0, %t : tensor<?x?x16xf32>, tensor<?x16xf32>) outs(%e : tensor<?x?x16xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %s = arith.addf %x, %y : f32
      linalg.yield %s : f32
  } -> tensor<?x?x16xf32>
  return %1 : tensor<?x?x16xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// CHECK: #[[SWAPPED:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-LABEL: func @transposed
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic {indexing_maps = [#[[SWAPPED]],
// CHECK-SAME: ins(%[[X]] : tensor<4x8xf32>)
func.func @transposed(%x: tensor<4x8xf32>) -> tensor<8x4xf32> {
  %e = tensor.empty() : tensor<8x4xf32>
  // expected-remark @below {{[Passed] linalg.transpose | Category:attn-fuse-maps | Remark="made part of how its reader walks"}}
  %t = linalg.transpose ins(%x : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) permutation = [1, 0]
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%t : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = math.tanh %a : f32
      linalg.yield %s : f32
  } -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#id1 = affine_map<(i) -> (i)>

// CHECK-LABEL: func @broadcast
// CHECK-COUNT-2: linalg.generic
func.func @broadcast(%x: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> {
  %e1 = tensor.empty() : tensor<8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  // expected-remark @below {{[Missed] linalg.generic | Category:attn-fuse-maps | Reason="its reader broadcasts it and would compute it repeatedly"}}
  %0 = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]}
      ins(%b : tensor<8xf32>) outs(%e1 : tensor<8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = math.tanh %a : f32
      linalg.yield %s : f32
  } -> tensor<8xf32>
  %1 = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> (j)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %0 : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %s = arith.addf %a, %c : f32
      linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func @weights_only
// CHECK-COUNT-2: linalg.generic
func.func @weights_only(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = attn.weight "table" : tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  // expected-remark @below {{Reason="it is computed when compiling"}}
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = math.tanh %a : f32
      linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %0 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %s = arith.addf %a, %c : f32
      linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func @second_reader
// CHECK-COUNT-2: linalg.generic
func.func @second_reader(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  // expected-remark @below {{Reason="its result is read more than once"}}
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = math.tanh %a : f32
      linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = math.exp %a : f32
      linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Coordinates of a map are its reader's, in the order in which that reads.
// CHECK-LABEL: func @coordinates
// CHECK: linalg.generic
// CHECK-DAG: %[[I:.*]] = linalg.index 1
// CHECK-DAG: %[[J:.*]] = linalg.index 0
// CHECK-NOT: affine.apply
// CHECK: arith.subi %[[J]], %[[I]]
// CHECK-NOT: linalg.generic
func.func @coordinates(%x: tensor<?x?xf32>, %e: tensor<?x?xf32>) -> tensor<?x?xf32> {
  // expected-remark @below {{[Passed] linalg.generic}}
  %0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<?x?xf32>) {
    ^bb0(%o: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %d = arith.subi %j, %i : index
      %n = arith.index_cast %d : index to i64
      %f = arith.sitofp %n : i64 to f32
      linalg.yield %f : f32
  } -> tensor<?x?xf32>
  %1 = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> (j, i)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %0 : tensor<?x?xf32>, tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %s = arith.addf %a, %c : f32
      linalg.yield %s : f32
  } -> tensor<?x?xf32>
  return %1 : tensor<?x?xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func @into_scan
// CHECK: linalg.generic
// CHECK: linalg.transpose
// CHECK: attn.scan
// CHECK: linalg.generic
func.func @into_scan(%x: tensor<4x8xf32>, %z: tensor<8x4xf32>, %e: tensor<4x8xf32>, %s: tensor<5x4x8xf32>) -> tensor<5x4x8xf32> {
  // expected-remark @below {{[Missed] linalg.generic | Category:attn-fuse-maps | Reason="its reader runs in every step of a scan, it only once"}}
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %t = math.tanh %a : f32
      linalg.yield %t : f32
  } -> tensor<4x8xf32>
  %t = linalg.transpose ins(%z : tensor<8x4xf32>) outs(%e : tensor<4x8xf32>) permutation = [1, 0]
  %y = attn.scan over(%s : tensor<5x4x8xf32>) {
  ^bb0(%st: tensor<4x8xf32>):
    %1 = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%0, %t, %st : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
        %2 = arith.addf %a, %b : f32
        %3 = arith.addf %2, %c : f32
        linalg.yield %3 : f32
    } -> tensor<4x8xf32>
    attn.yield %1 : tensor<4x8xf32>
  } : tensor<5x4x8xf32>
  return %y : tensor<5x4x8xf32>
}
