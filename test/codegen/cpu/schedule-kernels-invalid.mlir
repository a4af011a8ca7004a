// RUN: attn-opt %s --split-input-file --attn-cpu-schedule-kernels=target=x86-64-avx2 --verify-diagnostics
// RUN: not attn-opt %s --attn-cpu-schedule-kernels=target=vax 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: unknown target 'vax', expects native or one of x86-64, x86-64-avx2, x86-64-avx512, aarch64-neon

// expected-error @below {{kernel holds no operation that has a CPU schedule}}
func.func private @nothing(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  return %x : tensor<4xf32>
}

// -----

// An element of a vector, where only sums over vectors are lowered.
func.func private @element(%q: tensor<1x1x4x8xf32>) -> tensor<1x1x4x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<1x1x4x8xf32>) keys(%q : tensor<1x1x4x8xf32>) value(%q : tensor<1x1x4x8xf32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %ib: index, %h: index, %i: index, %j: index, %rows: index, %keys: index):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        // expected-error @below {{'tensor.extract' of a vector that is no captured tensor has no form in a CPU kernel}}
        %first = tensor.extract %qi[%h] : tensor<8xf32>
        %0 = arith.addf %dot, %first : f32
        attn.yield %0 : f32
      } -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

func.func private @prologue(%x: tensor<4x8xf32>, %w: tensor<16x8xf32> {attn.layout = #attn.panels<16>})
    -> tensor<4x16xf32> attributes {attn.kernel} {
  // expected-error @below {{a prologue other than one norm of the row is not lowered yet}}
  %y = attn.linear %x weights(%w : tensor<16x8xf32>)
      prologue {
      ^bb0(%row: tensor<8xf32>):
        attn.yield %row : tensor<8xf32>
      } : tensor<4x8xf32> -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
