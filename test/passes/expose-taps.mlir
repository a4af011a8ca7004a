// RUN: attn-opt %s --split-input-file --attn-expose-taps --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @tapped
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>
// CHECK-SAME: -> (tensor<?x4xf32> {attn.name = "y"}, tensor<?x4xf32> {attn.dims = ["n", ""], attn.name = "middle"})
// CHECK: %[[MIDDLE:.*]] = attn.gelu %[[X]]
// CHECK: %[[Y:.*]] = attn.gelu %[[MIDDLE]]
// CHECK: return %[[Y]], %[[MIDDLE]]
func.func @tapped(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> (tensor<?x4xf32> {attn.name = "y"}) {
  %m = attn.gelu %x {attn.tap = "middle"} : tensor<?x4xf32>
  %y = attn.gelu %m : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// 4 n is no dimension that a caller could name.
// CHECK-LABEL: func @unnamed_size
// CHECK-SAME: -> tensor<?xf32> {
// CHECK: tensor.collapse_shape
// CHECK-NEXT: return %{{[^,]*}} : tensor<?xf32>
func.func @unnamed_size(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?xf32> {
  %y = tensor.collapse_shape %x [[0, 1]] {attn.tap = "flat"} : tensor<?x4xf32> into tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// CHECK-LABEL: func @first_result
// CHECK-SAME: tensor<1x2x3x4xf32> {attn.dims = ["", "", "", ""], attn.name = "attention"}
// CHECK: %[[O:.*]], %{{.*}} = attn.attention
// CHECK: return %{{.*}}, %[[O]]
func.func @first_result(%q: tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32> {
  %o, %w = attn.attention queries(%q : tensor<1x2x3x4xf32>) keys(%q : tensor<1x2x3x4xf32>) value(%q : tensor<1x2x3x4xf32>)
      {attn.tap = "attention"} score {
  ^bb0(%qi: tensor<4xf32>, %kj: tensor<4xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
    %dot = attn.dot %qi, %kj : tensor<4xf32>
    attn.yield %dot : f32
  } -> tensor<1x2x3x4xf32> weights tensor<1x2x3x3xf32>
  return %w : tensor<1x2x3x3xf32>
}

// -----

// A kernel has no interface to the outside.
// CHECK-LABEL: func private @kernel
// CHECK-SAME: -> tensor<4xf32> attributes
func.func private @kernel(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %m = attn.gelu %x {attn.tap = "middle"} : tensor<4xf32>
  return %m : tensor<4xf32>
}

// -----

// expected-error @below {{expects 'attn.dims' of argument 0 to name its dynamic dimension 0}}
func.func @unnamed_dimension(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = attn.gelu %x {attn.tap = "y"} : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
