// RUN: attn-opt %s --attn-plan-memory --attn-estimate-work | FileCheck %s

// Two floating-point operations for each of n rows, 16 columns and 8 products;
// the input and the result, and the weight once. A launch in a loop is noted for
// one iteration.
// CHECK-DAG: #[[LINEAR:.*]] = affine_map<()[s0] -> (s0 * 256, s0 * 96 + 512)>
// CHECK-DAG: #[[NORM:.*]] = affine_map<()[s0] -> (0, s0 * 128)>
// CHECK-LABEL: func @model
// CHECK: attn.launch @linear_0({{.*}}attn.work = #[[LINEAR]]
// CHECK: scf.for
// CHECK: attn.launch @norm_0({{.*}}attn.work = #[[NORM]]
func.func private @linear_0(%x: tensor<?x8xf32>, %w: tensor<16x8xf32> {attn.layout = #attn.panels<16>}) -> tensor<?x16xf32> attributes {attn.kernel} {
  %y = attn.linear %x weights(%w : tensor<16x8xf32>) : tensor<?x8xf32> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
func.func private @norm_0(%x: tensor<?x16xf32>) -> tensor<?x16xf32> attributes {attn.kernel} {
  %y = attn.layer_norm %x eps 1.0e-5 : tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
attn.parameter @w : tensor<16x8xf32> layout(#attn.panels<16>) { %w = attn.weight "w" : tensor<16x8xf32> attn.yield %w : tensor<16x8xf32> }
func.func @model(%x: tensor<?x8xf32> {attn.dims = ["n", ""]}) -> tensor<?x16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %w = attn.get_parameter [@w] : tensor<16x8xf32>
  %y = attn.launch @linear_0(%x, %w) : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
  %z = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %y) -> (tensor<?x16xf32>) {
    %b = attn.launch @norm_0(%a) : (tensor<?x16xf32>) -> tensor<?x16xf32>
    scf.yield %b : tensor<?x16xf32>
  }
  return %z : tensor<?x16xf32>
}
