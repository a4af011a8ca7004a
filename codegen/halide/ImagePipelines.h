// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The Halide pipelines of the image library: Pillow's resampling, then rescale
// and normalise.

#pragma once

#include <Halide.h>

#include <string>
#include <vector>

namespace attn::halide {

/// A function to compile ahead of time: its name in C, its results and its
/// arguments in order. Results follow the arguments in the C signature.
struct ImagePipeline {
  std::string name;
  Halide::Pipeline pipeline;
  std::vector<Halide::Argument> arguments;
  /// Keeps IEEE arithmetic to the letter where Pillow's results depend on it.
  bool strictFloat = false;
};

/// Bits after the binary point of a resampling weight, as in Pillow.
inline constexpr int weightBits = 22;

/// The taps of a resampling from `in_size` to `out_size` samples with one of
/// Pillow's filters:
///   int weights(int32 filter, int32 in_size, int32 out_size, int32 taps,
///   first[x], weights[k, x])
/// first[x] is the first of the taps samples that output x reads, weights[k, x]
/// what they are multiplied with; taps <= in_size, and no window leaves the
/// picture. The buffers' range of x says which outputs are wanted.
ImagePipeline resampleWeights();

/// Resamples along rows, from interleaved to planar pixels:
///   int rows(u8 in[x, y, c], first[x], weights[k, x], u8 out[x, y, c])
ImagePipeline resampleRows();

/// Resamples along columns. Interleaved pixels may be passed as one channel of
/// wider rows:
///   int columns(u8 in[x, y, c], first[y], weights[k, y], u8 out[x, y, c])
ImagePipeline resampleColumns();

/// Rescales and normalises planar pixels:
///   int normalise(u8 in[x, y, c], f64 rescale, mean[c], std[c], f32 out[x, y,
///   c])
ImagePipeline normalise();

} // namespace attn::halide
