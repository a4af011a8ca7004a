// RUN: attn-opt %s --attn-fuse-projections --remarks-filter=attn-.* --verify-diagnostics | FileCheck %s

#channel = affine_map<(b, s, c) -> (c)>
#same = affine_map<(b, s, c) -> (b, s, c)>

// CHECK-LABEL: func @queries_keys_values
// CHECK-SAME: %[[X:.*]]: tensor<?x?x64xf32>
func.func @queries_keys_values(%x: tensor<?x?x64xf32>)
    -> (tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) {
  // CHECK: %[[WQ:.*]] = attn.weight "q"
  // CHECK: %[[WK:.*]] = attn.weight "k"
  // CHECK: %[[BK:.*]] = attn.weight "k.bias"
  // CHECK: %[[WV:.*]] = attn.weight "v"
  // CHECK: %[[QKV:.*]]:3 = attn.linear %[[X]] weights(%[[WQ]], %[[WK]], %[[WV]]
  // CHECK-SAME: captures(%[[BK]] : tensor<32xf32>)
  // CHECK: ^bb0(%[[Q:.*]]: f32, %{{.*}}: f32)
  // CHECK-NEXT: attn.yield %[[Q]]
  // CHECK: ^bb0(%[[K:.*]]: f32, %[[BIAS:.*]]: f32)
  // CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[K]], %[[BIAS]]
  // CHECK-NEXT: attn.yield %[[SUM]]
  // CHECK: ^bb0(%[[V:.*]]: f32, %{{.*}}: f32)
  // CHECK-NEXT: attn.yield %[[V]]
  // CHECK: return %[[QKV]]#0, %[[QKV]]#1, %[[QKV]]#2
  %wq = attn.weight "q" : tensor<64x64xf32>
  // expected-remark @below {{[Passed] attn.linear | Category:attn-fuse-projections | Remark="3 projections of one input made one"}}
  %q = attn.linear %x weights(%wq : tensor<64x64xf32>) : tensor<?x?x64xf32> -> tensor<?x?x64xf32>
  %wk = attn.weight "k" : tensor<32x64xf32>
  %bk = attn.weight "k.bias" : tensor<32xf32>
  %k = attn.linear %x weights(%wk : tensor<32x64xf32>)
      captures(%bk : tensor<32xf32>) maps [#channel]
      epilogue {
      ^bb0(%acc: f32, %bias: f32):
        %0 = arith.addf %acc, %bias : f32
        attn.yield %0 : f32
      } : tensor<?x?x64xf32> -> tensor<?x?x32xf32>
  %wv = attn.weight "v" : tensor<32x64xf32>
  %v = attn.linear %x weights(%wv : tensor<32x64xf32>) : tensor<?x?x64xf32> -> tensor<?x?x32xf32>
  return %q, %k, %v : tensor<?x?x64xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>
}

// Two decoder layers project their keys from one encoder output: each layer
// reads its own before the next projects.
// CHECK-LABEL: func @one_layer_at_a_time
func.func @one_layer_at_a_time(%x: tensor<2x8x16xf32>, %w1: tensor<16x16xf32>, %w2: tensor<16x16xf32>)
    -> (tensor<2x8x16xf32>, tensor<2x8x16xf32>) {
  // CHECK: attn.linear
  // CHECK: attn.softmax
  // CHECK: attn.linear
  // CHECK: attn.softmax
  %k1 = attn.linear %x weights(%w1 : tensor<16x16xf32>) : tensor<2x8x16xf32> -> tensor<2x8x16xf32>
  %a1 = attn.softmax %k1 axis 2 : tensor<2x8x16xf32>
  // expected-remark @below {{[Missed] attn.linear | Category:attn-fuse-projections | Reason="the other projections of its input are used before it"}}
  %k2 = attn.linear %x weights(%w2 : tensor<16x16xf32>) : tensor<2x8x16xf32> -> tensor<2x8x16xf32>
  %a2 = attn.softmax %k2 axis 2 : tensor<2x8x16xf32>
  return %a1, %a2 : tensor<2x8x16xf32>, tensor<2x8x16xf32>
}

// CHECK-LABEL: func @depends_on_another
// CHECK-COUNT-2: attn.linear
func.func @depends_on_another(%x: tensor<8x16xf32>, %w1: tensor<16x16xf32>, %w2: tensor<16x16xf32>)
    -> tensor<8x16xf32> {
  %a = attn.linear %x weights(%w1 : tensor<16x16xf32>) : tensor<8x16xf32> -> tensor<8x16xf32>
  // expected-remark @below {{[Missed] attn.linear | Category:attn-fuse-projections | Reason="an operand depends on another projection of its input"}}
  %b = attn.linear %x weights(%w2 : tensor<16x16xf32>)
      captures(%a : tensor<8x16xf32>) maps [affine_map<(r, c) -> (r, c)>]
      epilogue {
      ^bb0(%acc: f32, %other: f32):
        %0 = arith.mulf %acc, %other : f32
        attn.yield %0 : f32
      } : tensor<8x16xf32> -> tensor<8x16xf32>
  return %b : tensor<8x16xf32>
}

// CHECK-LABEL: func @has_prologue
// CHECK-COUNT-2: attn.linear
func.func @has_prologue(%x: tensor<8x16xf32>, %w1: tensor<16x16xf32>, %w2: tensor<16x16xf32>)
    -> (tensor<8x16xf32>, tensor<8x16xf32>) {
  // expected-remark @below {{[Missed] attn.linear | Category:attn-fuse-projections | Reason="it has a prologue of its own"}}
  %a = attn.linear %x weights(%w1 : tensor<16x16xf32>) prologue {
      ^bb0(%row: tensor<16xf32>):
        %0 = attn.rms_norm %row eps 1.0e-6 : tensor<16xf32>
        attn.yield %0 : tensor<16xf32>
      } : tensor<8x16xf32> -> tensor<8x16xf32>
  %b = attn.linear %x weights(%w2 : tensor<16x16xf32>) : tensor<8x16xf32> -> tensor<8x16xf32>
  return %a, %b : tensor<8x16xf32>, tensor<8x16xf32>
}
