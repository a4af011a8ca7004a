// RUN: attn-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func @drop_identity_epilogue
// CHECK: attn.linear %{{.*}} weights(%{{.*}} : tensor<8x4xf32>) : tensor<?x4xf32> -> tensor<?x8xf32>
func.func @drop_identity_epilogue(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) -> tensor<?x8xf32> {
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) epilogue {
  ^bb0(%acc: f32):
    attn.yield %acc : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// One of two computes: both stay.
// CHECK-LABEL: func @keep_epilogues
// CHECK: epilogue
// CHECK: arith.negf
func.func @keep_epilogues(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %y:2 = attn.linear %x weights(%w, %w : tensor<8x4xf32>, tensor<8x4xf32>) epilogue {
  ^bb0(%acc: f32):
    attn.yield %acc : f32
  }, {
  ^bb0(%acc: f32):
    %n = arith.negf %acc : f32
    attn.yield %n : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return %y#0, %y#1 : tensor<?x8xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func @drop_identity_prologue
// CHECK-NOT: prologue
func.func @drop_identity_prologue(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %g: tensor<4xf32>) -> tensor<?x8xf32> {
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) prologue_captures(%g : tensor<4xf32>) prologue {
  ^bb0(%row: tensor<4xf32>, %scale: tensor<4xf32>):
    attn.yield %row : tensor<4xf32>
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// The same bias twice and one that is not read: one capture stays.
// CHECK-LABEL: func @simplify_epilogue_captures
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x4xf32>, %[[W:[^:]*]]: tensor<8x4xf32>, %[[B:[^:]*]]: tensor<8xf32>
// CHECK: captures(%[[B]] : tensor<8xf32>) maps [#{{.*}}]
// CHECK: ^bb0(%[[ACC:.*]]: f32, %[[BIAS:.*]]: f32):
// CHECK: %[[SUM:.*]] = arith.addf %[[ACC]], %[[BIAS]]
// CHECK: arith.mulf %[[SUM]], %[[BIAS]]
func.func @simplify_epilogue_captures(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %c: tensor<8xf32>) -> tensor<?x8xf32> {
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%c, %b, %b : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
      maps [affine_map<(r, c) -> (c)>, affine_map<(r, c) -> (c)>, affine_map<(r, c) -> (c)>] epilogue {
  ^bb0(%acc: f32, %unused: f32, %b0: f32, %b1: f32):
    %s = arith.addf %acc, %b0 : f32
    %p = arith.mulf %s, %b1 : f32
    attn.yield %p : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// Read through different maps, one tensor is two captures.
// CHECK-LABEL: func @keep_differently_read_captures
// CHECK: captures(%[[T:.*]], %[[T]] :
func.func @keep_differently_read_captures(%x: tensor<8x4xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>) -> tensor<8x8xf32> {
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%b, %b : tensor<8xf32>, tensor<8xf32>)
      maps [affine_map<(r, c) -> (c)>, affine_map<(r, c) -> (r)>] epilogue {
  ^bb0(%acc: f32, %b0: f32, %b1: f32):
    %s = arith.addf %acc, %b0 : f32
    %p = arith.mulf %s, %b1 : f32
    attn.yield %p : f32
  } : tensor<8x4xf32> -> tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}

// CHECK-LABEL: func @drop_constant_keep
// CHECK: score
// CHECK-NOT: keep
// CHECK-NOT: weights
// CHECK-NOT: weight {
// CHECK: return
!q = tensor<2x4x3x8xf32>
!d = tensor<8xf32>
func.func @drop_constant_keep(%q: !q, %mask: tensor<2x3xi1>) -> !q {
  %o, %w = attn.attention queries(%q : !q) keys(%q : !q) value(%q : !q) captures(%mask : tensor<2x3xi1>) score {
  ^bb0(%qi: !d, %kj: !d, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %c: tensor<2x3xi1>):
    %s = attn.dot %qi, %kj : !d
    attn.yield %s : f32
  } keep {
  ^bb0(%qi: !d, %kj: !d, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %c: tensor<2x3xi1>):
    %s = arith.cmpi sle, %i, %i : index
    attn.yield %s : i1
  } weight {
  ^bb0(%qi: !d, %kj: !d, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %c: tensor<2x3xi1>, %p: f32):
    attn.yield %p : f32
  } -> !q weights tensor<2x4x3x3xf32>
  return %o : !q
}

// CHECK-LABEL: func @simplify_attention_captures
// CHECK-SAME: %{{.*}}: tensor<2x4x3x8xf32>, %[[A:.*]]: tensor<3xf32>, %{{.*}}: tensor<3xi64>
// CHECK: captures(%[[A]] : tensor<3xf32>)
func.func @simplify_attention_captures(%q: !q, %a: tensor<3xf32>, %u: tensor<3xi64>) -> !q {
  %o = attn.attention queries(%q : !q) keys(%q : !q) value(%q : !q) captures(%u, %a : tensor<3xi64>, tensor<3xf32>) score {
  ^bb0(%qi: !d, %kj: !d, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %c: tensor<3xi64>, %e: tensor<3xf32>):
    %s = tensor.extract %e[%j] : tensor<3xf32>
    attn.yield %s : f32
  } -> !q
  return %o : !q
}

// CHECK-LABEL: func @keep_that_masks
// CHECK: keep
func.func @keep_that_masks(%q: !q) -> !q {
  %o = attn.attention queries(%q : !q) keys(%q : !q) value(%q : !q) score {
  ^bb0(%qi: !d, %kj: !d, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
    %s = attn.dot %qi, %kj : !d
    attn.yield %s : f32
  } keep {
  ^bb0(%qi: !d, %kj: !d, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
    %s = arith.cmpi sle, %j, %i : index
    attn.yield %s : i1
  } -> !q
  return %o : !q
}

// CHECK-LABEL: func @sum_of_product_is_dot
// CHECK: attn.dot %{{.*}}, %{{.*}} : tensor<8xf32>
func.func @sum_of_product_is_dot(%a: !d, %b: !d) -> f32 {
  %p = arith.mulf %a, %b : !d
  %s = attn.sum %p : !d
  return %s : f32
}

// CHECK-LABEL: func @fold_transposed_operand
// CHECK-SAME: %[[A:.*]]: tensor<2x?x8xf32>, %[[B:.*]]: tensor<2x?x8xf32>
// CHECK: attn.matmul %[[A]], %[[B]] transpose_b
func.func @fold_transposed_operand(%a: tensor<2x?x8xf32>, %b: tensor<2x?x8xf32>, %e: tensor<2x8x?xf32>) -> tensor<2x?x?xf32> {
  %t = linalg.transpose ins(%b : tensor<2x?x8xf32>) outs(%e : tensor<2x8x?xf32>) permutation = [0, 2, 1]
  %y = attn.matmul %a, %t : tensor<2x?x8xf32>, tensor<2x8x?xf32> -> tensor<2x?x?xf32>
  return %y : tensor<2x?x?xf32>
}

// CHECK-LABEL: func @keep_transposed_batch
// CHECK: linalg.transpose
// CHECK-NOT: transpose_b
func.func @keep_transposed_batch(%a: tensor<2x?x8xf32>, %b: tensor<8x2x?xf32>, %e: tensor<2x8x?xf32>) -> tensor<2x?x?xf32> {
  %t = linalg.transpose ins(%b : tensor<8x2x?xf32>) outs(%e : tensor<2x8x?xf32>) permutation = [1, 0, 2]
  %y = attn.matmul %a, %t : tensor<2x?x8xf32>, tensor<2x8x?xf32> -> tensor<2x?x?xf32>
  return %y : tensor<2x?x?xf32>
}
