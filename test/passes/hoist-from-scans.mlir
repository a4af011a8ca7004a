// RUN: attn-opt %s --split-input-file --attn-hoist-from-scans --remarks-filter=attn-.* --verify-diagnostics | FileCheck %s

#row = affine_map<(i, c) -> (c)>
#id = affine_map<(i, c) -> (i, c)>

// The projection of the input, with its bias, is one product for all steps, and the bias has the step in front.
// CHECK-DAG: #[[BIAS:.*]] = affine_map<(d0, d1, d2) -> (d2)>
// CHECK-LABEL: func @project
// CHECK-SAME: %[[X:.*]]: tensor<?x?x8xf32>, %[[H:.*]]: tensor<?x16xf32>, %[[W:.*]]: tensor<16x8xf32>, %[[U:.*]]: tensor<16x16xf32>, %[[B:.*]]: tensor<16xf32>
func.func @project(%x: tensor<?x?x8xf32>, %h: tensor<?x16xf32>, %w: tensor<16x8xf32>, %u: tensor<16x16xf32>,
                   %b: tensor<16xf32>) -> tensor<?x?x16xf32> {
  // CHECK: %[[P:.*]] = attn.linear %[[X]] weights(%[[W]] : tensor<16x8xf32>) captures(%[[B]] : tensor<16xf32>) maps [#[[BIAS]]] epilogue
  // CHECK: } : tensor<?x?x8xf32> -> tensor<?x?x16xf32>
  // CHECK: attn.scan carry(%[[H]] : tensor<?x16xf32>) over(%[[P]] : tensor<?x?x16xf32>) {
  // CHECK-NEXT: ^bb0(%[[S:.*]]: tensor<?x16xf32>, %[[PT:.*]]: tensor<?x16xf32>):
  // CHECK-NEXT: %[[Q:.*]] = attn.linear %[[S]] weights(%[[U]] : tensor<16x16xf32>)
  // CHECK-NEXT: arith.addf %[[PT]], %[[Q]]
  %last, %y = attn.scan carry(%h : tensor<?x16xf32>) over(%x : tensor<?x?x8xf32>) {
  ^bb0(%s: tensor<?x16xf32>, %xt: tensor<?x8xf32>):
    // expected-remark @below {{[Passed] attn.linear | Category:attn-hoist-from-scans | Remark="computed for all steps at once, before the scan"}}
    %p = attn.linear %xt weights(%w : tensor<16x8xf32>) captures(%b : tensor<16xf32>) maps [#row] epilogue {
    ^bb0(%acc: f32, %bias: f32):
      %0 = arith.addf %acc, %bias : f32
      attn.yield %0 : f32
    } : tensor<?x8xf32> -> tensor<?x16xf32>
    // expected-remark @below {{[Missed] attn.linear | Category:attn-hoist-from-scans | Reason="it depends on what the scan carries"}}
    %q = attn.linear %s weights(%u : tensor<16x16xf32>) : tensor<?x16xf32> -> tensor<?x16xf32>
    %n = arith.addf %p, %q : tensor<?x16xf32>
    attn.yield %n, %n : tensor<?x16xf32>, tensor<?x16xf32>
  } : tensor<?x16xf32>, tensor<?x?x16xf32>
  return %y : tensor<?x?x16xf32>
}

// -----

#id = affine_map<(i, c) -> (i, c)>

// What stands between the input and a product goes along; what nothing reads any more is no input.
// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-LABEL: func @lookup
// CHECK-SAME: %[[I:.*]]: tensor<?x?xi64>, %[[H:.*]]: tensor<?x8xf32>, %[[T:.*]]: tensor<20x8xf32>, %[[W:.*]]: tensor<8x8xf32>
func.func @lookup(%ids: tensor<?x?xi64>, %h: tensor<?x8xf32>, %table: tensor<20x8xf32>, %w: tensor<8x8xf32>)
    -> tensor<?x8xf32> {
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c1 : tensor<?x?xi64>
  // CHECK: %[[E:.*]] = attn.embedding %[[I]], %[[T]] : tensor<?x?xi64>, tensor<20x8xf32>
  // CHECK: %[[R:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[ID]]], iterator_types = ["parallel", "parallel", "parallel"]} ins(%[[E]] : tensor<?x?x8xf32>)
  // CHECK: %[[L:.*]] = attn.linear %[[R]] weights(%[[W]] : tensor<8x8xf32>) : tensor<?x?x8xf32> -> tensor<?x?x8xf32>
  // CHECK: attn.scan carry(%[[H]] : tensor<?x8xf32>) over(%[[L]] : tensor<?x?x8xf32>) reversed {
  // CHECK-NEXT: ^bb0(%[[S:.*]]: tensor<?x8xf32>, %[[LT:.*]]: tensor<?x8xf32>):
  // CHECK-NEXT: arith.addf %[[S]], %[[LT]]
  %last = attn.scan carry(%h : tensor<?x8xf32>) over(%ids : tensor<?x?xi64>) reversed {
  ^bb0(%s: tensor<?x8xf32>, %id: tensor<?xi64>):
    // expected-remark @below {{[Passed] attn.embedding | Category:attn-hoist-from-scans | Remark="computed for all steps at once, before the scan"}}
    %e = attn.embedding %id, %table : tensor<?xi64>, tensor<20x8xf32> -> tensor<?x8xf32>
    %out = tensor.empty(%b) : tensor<?x8xf32>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%e : tensor<?x8xf32>) outs(%out : tensor<?x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %t = math.tanh %a : f32
      linalg.yield %t : f32
    } -> tensor<?x8xf32>
    // expected-remark @below {{[Passed] attn.linear | Category:attn-hoist-from-scans | Remark="computed for all steps at once, before the scan"}}
    %l = attn.linear %r weights(%w : tensor<8x8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>
    %n = arith.addf %s, %l : tensor<?x8xf32>
    attn.yield %n : tensor<?x8xf32>
  } : tensor<?x8xf32>
  return %last : tensor<?x8xf32>
}

// -----

// What depends on no input moves out as it is. What an operation stands in front of that has no form for all steps stays.
// CHECK-LABEL: func @invariant
// CHECK-SAME: %{{.*}}: tensor<5x4x8xf32>, %{{.*}}: tensor<4x8xf32>, %[[K:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<8x8xf32>
// CHECK: attn.linear %[[K]] weights(%[[W]] : tensor<8x8xf32>)
// CHECK: attn.scan
func.func @invariant(%x: tensor<5x4x8xf32>, %h: tensor<4x8xf32>, %k: tensor<4x8xf32>, %w: tensor<8x8xf32>)
    -> tensor<4x8xf32> {
  %last = attn.scan carry(%h : tensor<4x8xf32>) over(%x : tensor<5x4x8xf32>) {
  ^bb0(%s: tensor<4x8xf32>, %xt: tensor<4x8xf32>):
    %l = attn.linear %k weights(%w : tensor<8x8xf32>) : tensor<4x8xf32> -> tensor<4x8xf32>
    %m = arith.mulf %xt, %l : tensor<4x8xf32>
    // CHECK: attn.linear
    // expected-remark @below {{[Missed] attn.linear | Category:attn-hoist-from-scans | Reason="arith.mulf is not computed for all steps at once"}}
    %q = attn.linear %m weights(%w : tensor<8x8xf32>) : tensor<4x8xf32> -> tensor<4x8xf32>
    %n = arith.addf %s, %q : tensor<4x8xf32>
    attn.yield %n : tensor<4x8xf32>
  } : tensor<4x8xf32>
  return %last : tensor<4x8xf32>
}
