// RUN: attn-opt %s --split-input-file --attn-hoist-parameters --attn-outline-kernels --attn-place-parameters | FileCheck %s

// A weight that is bf16 in the file and only moved stays bf16, in half the
// bytes: the second parameter lies 16 * 8 * 2 bytes behind the first. A table of
// tokens is stored as panels then.
// CHECK-LABEL: func @moved
// CHECK-DAG: attn.parameter @[[T:.*]] : tensor<16x8xf32> layout(#attn.panels<16, bf16>) attributes {attn.offset = 0 : i64}
// CHECK-DAG: attn.parameter @[[W:.*]] : tensor<32x8xf32> layout(#attn.panels<16, bf16>) attributes {attn.offset = 256 : i64}
// CHECK-DAG: func private @embedding_0({{.*}}#attn.panels<16, bf16>
// CHECK-DAG: func private @linear_0({{.*}}#attn.panels<16, bf16>
func.func @moved(%ids: tensor<?xi64> {attn.dims = ["n"]}) -> tensor<?x32xf32> {
  %t = attn.weight "t" stored bf16 : tensor<16x8xf32>
  %a = attn.weight "a" stored bf16 : tensor<16x8xf32>
  %b = attn.weight "b" stored bf16 : tensor<8x16xf32>
  %e = tensor.empty() : tensor<16x8xf32>
  %turned = linalg.transpose ins(%b : tensor<8x16xf32>) outs(%e : tensor<16x8xf32>) permutation = [1, 0]
  %w = tensor.concat dim(0) %a, %turned : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<32x8xf32>
  %x = attn.embedding %ids, %t : tensor<?xi64>, tensor<16x8xf32> -> tensor<?x8xf32>
  %y = attn.linear %x weights(%w : tensor<32x8xf32>) : tensor<?x8xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

// Joined with f32, or computed, it is f32.
// CHECK-LABEL: func @computed
// CHECK-NOT: panels<16, bf16>
// CHECK-DAG: layout(#attn.panels<16>)
func.func @computed(%x: tensor<?x8xf32> {attn.dims = ["n", ""]}) -> (tensor<?x32xf32>, tensor<?x16xf32>) {
  %a = attn.weight "a" stored bf16 : tensor<16x8xf32>
  %b = attn.weight "b" : tensor<16x8xf32>
  %w = tensor.concat dim(0) %a, %b : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<32x8xf32>
  %e = tensor.empty() : tensor<16x8xf32>
  %v = linalg.add ins(%a, %a : tensor<16x8xf32>, tensor<16x8xf32>) outs(%e : tensor<16x8xf32>) -> tensor<16x8xf32>
  %y = attn.linear %x weights(%w : tensor<32x8xf32>) : tensor<?x8xf32> -> tensor<?x32xf32>
  %z = attn.linear %x weights(%v : tensor<16x8xf32>) : tensor<?x8xf32> -> tensor<?x16xf32>
  return %y, %z : tensor<?x32xf32>, tensor<?x16xf32>
}
