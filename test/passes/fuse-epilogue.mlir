// RUN: attn-opt %s --split-input-file --attn-fuse-epilogue --remarks-filter=attn-.* --verify-diagnostics | FileCheck %s

#id = affine_map<(b, s, c) -> (b, s, c)>
#channel = affine_map<(b, s, c) -> (c)>

// CHECK-LABEL: func @bias_gelu_residual
// CHECK-SAME: %[[X:.*]]: tensor<?x?x64xf32>, %[[RES:.*]]: tensor<?x?x32xf32>, %[[W:.*]]: tensor<32x64xf32>, %[[B:.*]]: tensor<32xf32>
func.func @bias_gelu_residual(%x: tensor<?x?x64xf32>, %res: tensor<?x?x32xf32>,
                              %w: tensor<32x64xf32>, %b: tensor<32xf32>) -> tensor<?x?x32xf32> {
  // CHECK-NOT: linalg.generic
  // CHECK: %[[Y:.*]] = attn.linear %[[X]] weights(%[[W]] : tensor<32x64xf32>)
  // CHECK-SAME: captures(%[[B]], %[[RES]] : tensor<32xf32>, tensor<?x?x32xf32>) maps [#[[CHANNEL:.*]], #[[ID:.*]]]
  // CHECK: ^bb0(%[[ACC:.*]]: f32, %[[BIAS:.*]]: f32, %[[R:.*]]: f32)
  // CHECK-NEXT: %[[S:.*]] = arith.addf %[[ACC]], %[[BIAS]]
  // CHECK-NEXT: %[[G:.*]] = attn.gelu %[[S]]
  // CHECK-NEXT: %[[HALF:.*]] = arith.constant 5.0
  // CHECK-NEXT: %[[H:.*]] = arith.mulf %[[G]], %[[HALF]]
  // CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[H]], %[[R]]
  // CHECK-NEXT: attn.yield %[[SUM]]
  // CHECK-NOT: linalg.generic
  // CHECK: return %[[Y]]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %half = arith.constant 5.0e-1 : f32
  %d0 = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %d1 = tensor.dim %x, %c1 : tensor<?x?x64xf32>
  %e = tensor.empty(%d0, %d1) : tensor<?x?x32xf32>
  %y = attn.linear %x weights(%w : tensor<32x64xf32>) : tensor<?x?x64xf32> -> tensor<?x?x32xf32>
  // expected-remark @below {{[Passed] linalg.generic | Category:attn-fuse-epilogue | Remark="made the epilogue of the linear before it"}}
  %y1 = linalg.generic {indexing_maps = [#channel, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%b, %y : tensor<32xf32>, tensor<?x?x32xf32>) outs(%e : tensor<?x?x32xf32>) {
    ^bb0(%bias: f32, %acc: f32, %o: f32):
      %0 = arith.addf %acc, %bias : f32
      linalg.yield %0 : f32
  } -> tensor<?x?x32xf32>
  // expected-remark @below {{[Passed] linalg.generic | Category:attn-fuse-epilogue | Remark="made the epilogue of the linear before it"}}
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%y1 : tensor<?x?x32xf32>) outs(%e : tensor<?x?x32xf32>) {
    ^bb0(%acc: f32, %o: f32):
      %0 = attn.gelu %acc : f32
      %1 = arith.mulf %0, %half : f32
      linalg.yield %1 : f32
  } -> tensor<?x?x32xf32>
  // expected-remark @below {{[Passed] linalg.generic | Category:attn-fuse-epilogue | Remark="made the epilogue of the linear before it"}}
  %y3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%y2, %res : tensor<?x?x32xf32>, tensor<?x?x32xf32>) outs(%e : tensor<?x?x32xf32>) {
    ^bb0(%acc: f32, %r: f32, %o: f32):
      %0 = arith.addf %acc, %r : f32
      linalg.yield %0 : f32
  } -> tensor<?x?x32xf32>
  return %y3 : tensor<?x?x32xf32>
}

// -----

#id = affine_map<(b, s, c) -> (b, s, c)>
#table = affine_map<(b, s, c) -> (0, s, c)>

// The table is computed after the linear and captured through a map that
// broadcasts it over the batch.
// CHECK-LABEL: func @position_table
// CHECK: %[[T:.*]] = attn.weight "positions"
// CHECK: attn.linear
// CHECK-SAME: captures(%[[T]] : tensor<1x8x32xf32>) maps [#[[MAP:.*]]]
// CHECK-NOT: linalg.generic
func.func @position_table(%x: tensor<2x8x64xf32>, %w: tensor<32x64xf32>) -> tensor<2x8x32xf32> {
  %y = attn.linear %x weights(%w : tensor<32x64xf32>) : tensor<2x8x64xf32> -> tensor<2x8x32xf32>
  %t = attn.weight "positions" : tensor<1x8x32xf32>
  %e = tensor.empty() : tensor<2x8x32xf32>
  // expected-remark @below {{[Passed] linalg.generic | Category:attn-fuse-epilogue | Remark="made the epilogue of the linear before it"}}
  %z = linalg.generic {indexing_maps = [#id, #table, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%y, %t : tensor<2x8x32xf32>, tensor<1x8x32xf32>) outs(%e : tensor<2x8x32xf32>) {
    ^bb0(%acc: f32, %p: f32, %o: f32):
      %0 = arith.addf %acc, %p : f32
      linalg.yield %0 : f32
  } -> tensor<2x8x32xf32>
  return %z : tensor<2x8x32xf32>
}

// -----

#id = affine_map<(r, c) -> (r, c)>

// Only the first of two results has a reader that fits; the second keeps its
// accumulator.
// CHECK-LABEL: func @one_of_two_results
// CHECK: %[[Y:.*]]:2 = attn.linear
// CHECK: ^bb0(%[[ACC:.*]]: f32)
// CHECK-NEXT: %[[T:.*]] = math.tanh %[[ACC]]
// CHECK-NEXT: attn.yield %[[T]]
// CHECK: ^bb0(%[[ACC2:.*]]: f32)
// CHECK-NEXT: attn.yield %[[ACC2]]
// CHECK: return %[[Y]]#0, %[[Y]]#1
func.func @one_of_two_results(%x: tensor<8x16xf32>, %w: tensor<16x16xf32>)
    -> (tensor<8x16xf32>, tensor<8x16xf32>) {
  %y:2 = attn.linear %x weights(%w, %w : tensor<16x16xf32>, tensor<16x16xf32>)
      : tensor<8x16xf32> -> tensor<8x16xf32>, tensor<8x16xf32>
  %e = tensor.empty() : tensor<8x16xf32>
  // expected-remark @below {{[Passed] linalg.generic | Category:attn-fuse-epilogue | Remark="made the epilogue of the linear before it"}}
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y#0 : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
    ^bb0(%acc: f32, %o: f32):
      %0 = math.tanh %acc : f32
      linalg.yield %0 : f32
  } -> tensor<8x16xf32>
  return %z, %y#1 : tensor<8x16xf32>, tensor<8x16xf32>
}

// -----

#id = affine_map<(r, c) -> (r, c)>

// CHECK-LABEL: func @gate
// CHECK: attn.linear
// CHECK: linalg.generic
func.func @gate(%x: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> tensor<8x16xf32> {
  %y:2 = attn.linear %x weights(%w, %w : tensor<16x16xf32>, tensor<16x16xf32>)
      : tensor<8x16xf32> -> tensor<8x16xf32>, tensor<8x16xf32>
  %e = tensor.empty() : tensor<8x16xf32>
  // expected-remark @below {{[Missed] linalg.generic | Category:attn-fuse-epilogue | Reason="it reads two results of the linear"}}
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y#0, %y#1 : tensor<8x16xf32>, tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %0 = arith.mulf %a, %b : f32
      linalg.yield %0 : f32
  } -> tensor<8x16xf32>
  return %z : tensor<8x16xf32>
}

// -----

#id = affine_map<(r, c) -> (r, c)>

// CHECK-LABEL: func @second_reader
// CHECK: attn.linear
// CHECK: linalg.generic
func.func @second_reader(%x: tensor<8x16xf32>, %w: tensor<16x16xf32>)
    -> (tensor<8x16xf32>, tensor<8x16xf32>) {
  %y = attn.linear %x weights(%w : tensor<16x16xf32>) : tensor<8x16xf32> -> tensor<8x16xf32>
  %e = tensor.empty() : tensor<8x16xf32>
  // expected-remark @below {{[Missed] linalg.generic | Category:attn-fuse-epilogue | Reason="the linear's result is also read by func.return"}}
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
    ^bb0(%acc: f32, %o: f32):
      %0 = math.tanh %acc : f32
      linalg.yield %0 : f32
  } -> tensor<8x16xf32>
  return %y, %z : tensor<8x16xf32>, tensor<8x16xf32>
}

// -----

#id = affine_map<(r, c) -> (r, c)>
#swapped = affine_map<(r, c) -> (c, r)>

// CHECK-LABEL: func @transposed
// CHECK: attn.linear
// CHECK: linalg.generic
func.func @transposed(%x: tensor<16x16xf32>, %w: tensor<16x16xf32>) -> tensor<16x16xf32> {
  %y = attn.linear %x weights(%w : tensor<16x16xf32>) : tensor<16x16xf32> -> tensor<16x16xf32>
  %e = tensor.empty() : tensor<16x16xf32>
  // expected-remark @below {{[Missed] linalg.generic | Category:attn-fuse-epilogue | Reason="it reads the linear's result in another order"}}
  %z = linalg.generic {indexing_maps = [#id, #swapped], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<16x16xf32>) outs(%e : tensor<16x16xf32>) {
    ^bb0(%acc: f32, %o: f32):
      %0 = math.tanh %acc : f32
      linalg.yield %0 : f32
  } -> tensor<16x16xf32>
  return %z : tensor<16x16xf32>
}

// -----

#id3 = affine_map<(r, h, d) -> (r, h, d)>

// CHECK-LABEL: func @reshape_between
// CHECK: attn.linear
// CHECK: linalg.generic
func.func @reshape_between(%x: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> tensor<8x4x4xf32> {
  %y = attn.linear %x weights(%w : tensor<16x16xf32>) : tensor<8x16xf32> -> tensor<8x16xf32>
  %s = tensor.expand_shape %y [[0], [1, 2]] output_shape [8, 4, 4] : tensor<8x16xf32> into tensor<8x4x4xf32>
  %e = tensor.empty() : tensor<8x4x4xf32>
  // expected-remark @below {{[Missed] linalg.generic | Category:attn-fuse-epilogue | Reason="tensor.expand_shape stands between it and the linear"}}
  %z = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<8x4x4xf32>) outs(%e : tensor<8x4x4xf32>) {
    ^bb0(%acc: f32, %o: f32):
      %0 = math.tanh %acc : f32
      linalg.yield %0 : f32
  } -> tensor<8x4x4xf32>
  return %z : tensor<8x4x4xf32>
}

// -----

#id = affine_map<(i, c) -> (i, c)>

// A map in the body of a scan does not take the linear in front of it along into every step.
// CHECK-LABEL: func @into_scan
// CHECK: attn.linear
// CHECK: attn.scan
// CHECK: linalg.generic
func.func @into_scan(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %s: tensor<5x4x16xf32>, %h: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %y = attn.linear %x weights(%w : tensor<16x8xf32>) : tensor<4x8xf32> -> tensor<4x16xf32>
  %e = tensor.empty() : tensor<4x16xf32>
  %last = attn.scan carry(%h : tensor<4x16xf32>) over(%s : tensor<5x4x16xf32>) {
  ^bb0(%a: tensor<4x16xf32>, %st: tensor<4x16xf32>):
    // expected-remark @below {{[Missed] linalg.generic | Category:attn-fuse-epilogue | Reason="it runs in every step of a scan, the linear only once"}}
    %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%y, %st : tensor<4x16xf32>, tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) {
    ^bb0(%p: f32, %q: f32, %o: f32):
      %0 = arith.addf %p, %q : f32
      linalg.yield %0 : f32
    } -> tensor<4x16xf32>
    attn.yield %n : tensor<4x16xf32>
  } : tensor<4x16xf32>
  return %last : tensor<4x16xf32>
}
