// RUN: attn-opt %s --split-input-file --verify-diagnostics --attn-cpu-schedule-kernels=target=x86-64-avx2

func.func private @parallel_not_stored(%x: tensor<4x32xf32>) -> tensor<32xf32>
    attributes {attn.kernel} {
  %init = tensor.empty() : tensor<32xf32>
  // expected-error@+1 {{expects every parallel loop, and no other, to index the result}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(s, d) -> (s, d)>, affine_map<(s, d) -> (d)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x32xf32>) outs(%init : tensor<32xf32>) {
  ^bb0(%p: f32, %acc: f32):
    linalg.yield %p : f32
  } -> tensor<32xf32>
  return %y : tensor<32xf32>
}

// -----

func.func private @diagonal(%x: tensor<4x4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %init = tensor.empty() : tensor<4xf32>
  // expected-error@+1 {{expects a projected permutation with constants, but operand 0 has map}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(d) -> (d, d)>, affine_map<(d) -> (d)>],
      iterator_types = ["parallel"]}
      ins(%x : tensor<4x4xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%p: f32, %acc: f32):
    linalg.yield %p : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @sum_without_fill(%x: tensor<4x32xf32>) -> tensor<32xf32>
    attributes {attn.kernel} {
  %init = tensor.empty() : tensor<32xf32>
  // expected-error@+1 {{expects a result that is read to be filled with a constant}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(s, d) -> (s, d)>, affine_map<(s, d) -> (d)>],
      iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<4x32xf32>) outs(%init : tensor<32xf32>) {
  ^bb0(%p: f32, %acc: f32):
    %0 = arith.addf %acc, %p : f32
    linalg.yield %0 : f32
  } -> tensor<32xf32>
  return %y : tensor<32xf32>
}
