// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pillow's resampling (Resample.c) in Halide: f64 taps rounded to 22 bits,
// 8-bit pixels after each pass.

#include "codegen/halide/ImagePipelines.h"

#include <cmath>

using namespace Halide;

namespace attn::halide {
namespace {

/// Pixels of one step along a row.
constexpr int vectorPixels = 16;

// Literals that f32 holds exactly are written as f32: Halide widens them to the
// f64 beside them.

Expr sinc(Expr x) {
  Expr angle = x * Expr(M_PI);
  return select(x == 0.0f, Expr(1.0), sin(angle) / angle);
}

Expr boxFilter(Expr x) {
  return select(x > -0.5f && x <= 0.5f, Expr(1.0), Expr(0.0));
}

Expr bilinearFilter(Expr x) {
  Expr distance = abs(x);
  return select(distance < 1.0f, 1.0f - distance, Expr(0.0));
}

/// The constants are f32 in Pillow.
Expr hammingFilter(Expr x) {
  Expr distance = abs(x);
  Expr angle = distance * Expr(M_PI);
  Expr window = sin(angle) / angle *
                (Expr(double(0.54f)) + Expr(double(0.46f)) * cos(angle));
  return select(distance == 0.0f, Expr(1.0), distance >= 1.0f, Expr(0.0),
                window);
}

/// Keys' cubic with a = -1/2.
Expr bicubicFilter(Expr x) {
  Expr a(-0.5), d = abs(x);
  Expr near = ((a + 2.0f) * d - (a + 3.0f)) * d * d + 1.0f;
  Expr far = (((d - 5.0f) * d + 8.0f) * d - 4.0f) * a;
  return select(d < 1.0f, near, d < 2.0f, far, Expr(0.0));
}

Expr lanczosFilter(Expr x) {
  return select(x >= -3.0f && x < 3.0f, sinc(x) * sinc(x / Expr(3.0)),
                Expr(0.0));
}

/// Filters bear Pillow's numbers, which preprocessor_config.json uses.
Expr filterValue(Expr filter, Expr x) {
  return select(filter == 1, lanczosFilter(x), filter == 2, bilinearFilter(x),
                filter == 3, bicubicFilter(x), filter == 4, boxFilter(x),
                hammingFilter(x));
}

Expr filterSupport(Expr filter) {
  return select(filter == 1, Expr(3.0), filter == 3, Expr(2.0), filter == 4,
                Expr(0.5), Expr(1.0));
}

/// A fixed-point sum as a pixel.
Expr clipPixel(Expr sum) {
  return cast<uint8_t>(clamp(sum >> weightBits, 0, 255));
}

} // namespace

ImagePipeline resampleWeights() {
  Param<int> filter("filter"), inSize("in_size"), outSize("out_size"),
      taps("taps");
  Var x("x"), k("k");
  Func first("first"), weights("weights"), total("total"), value("value");

  Expr scale = cast<double>(inSize) / cast<double>(outSize);
  Expr filterScale = max(scale, Expr(1.0));
  Expr support = filterSupport(filter) * filterScale;
  Expr centre = (cast<double>(x) + 0.5f) * scale;
  Expr begin = max(cast<int>(centre - support + 0.5f), 0);
  Expr end = min(cast<int>(centre + support + 0.5f), inSize);

  // Windows at the far edge begin earlier, with weights of 0, so that all taps
  // of all windows can be read.
  Expr window = clamp(begin, 0, inSize - taps);
  Expr sample = window + k;
  Expr position =
      (cast<double>(sample) - centre + 0.5f) * (Expr(1.0) / filterScale);
  value(k, x) = select(sample >= begin && sample < end,
                       filterValue(filter, position), Expr(0.0));

  RDom tap(0, taps, "tap");
  total(x) = Expr(0.0);
  total(x) += value(tap, x);

  Expr share = select(total(x) != 0.0f, value(k, x) / total(x), value(k, x));
  Expr fixed = share * Expr(double(1 << weightBits));
  weights(k, x) = cast<int>(select(share < 0.0f, fixed - 0.5f, fixed + 0.5f));
  first(x) = window;

  total.compute_at(weights, x);
  Pipeline pipeline({first, weights});
  return {"weights",
          pipeline,
          {filter, inSize, outSize, taps},
          /*strictFloat=*/true};
}

ImagePipeline resampleRows() {
  ImageParam in(UInt(8), 3, "in"), first(Int(32), 1, "first"),
      weights(Int(32), 2, "weights");
  Var x("x"), y("y"), c("c");
  Func out("out"), sum("sum");

  RDom tap(0, weights.dim(0).extent(), "tap");
  Expr sample =
      unsafe_promise_clamped(first(x) + tap, in.dim(0).min(), in.dim(0).max());
  sum(x, y, c) = 1 << (weightBits - 1);
  sum(x, y, c) += cast<int>(in(sample, y, c)) * weights(tap, x);
  out(x, y, c) = clipPixel(sum(x, y, c));

  in.dim(0).set_stride(in.dim(2).extent());
  in.dim(2).set_min(0).set_stride(1);
  out.reorder(c, x, y);
  sum.compute_at(out, x);
  sum.update().reorder(c, tap);
  for (int channels : {3, 1}) {
    Expr sameChannels = in.dim(2).extent() == channels &&
                        out.output_buffer().dim(2).extent() == channels;
    out.specialize(sameChannels).unroll(c, channels);
    sum.specialize(sameChannels).unroll(c, channels);
    sum.update().specialize(sameChannels).unroll(c, channels);
  }
  out.specialize_fail("one or three channels");
  out.output_buffer().dim(2).set_min(0);
  return {"rows", Pipeline(out), {in, first, weights}};
}

ImagePipeline resampleColumns() {
  ImageParam in(UInt(8), 3, "in"), first(Int(32), 1, "first"),
      weights(Int(32), 2, "weights");
  Var x("x"), y("y"), c("c"), xo("xo"), xi("xi");
  Func out("out"), sum("sum");

  RDom tap(0, weights.dim(0).extent(), "tap");
  Expr sample =
      unsafe_promise_clamped(first(y) + tap, in.dim(1).min(), in.dim(1).max());
  sum(x, y, c) = 1 << (weightBits - 1);
  sum(x, y, c) += cast<int>(in(x, sample, c)) * weights(tap, y);
  out(x, y, c) = clipPixel(sum(x, y, c));

  // The last vector of a row shifts inwards; rows shorter than one go pixel by
  // pixel.
  out.specialize(out.output_buffer().width() >= vectorPixels)
      .split(x, xo, xi, vectorPixels, TailStrategy::ShiftInwards)
      .vectorize(xi);
  out.split(x, xo, xi, 1);
  sum.compute_at(out, xi);
  return {"columns", Pipeline(out), {in, first, weights}};
}

ImagePipeline normalise() {
  ImageParam in(UInt(8), 3, "in"), mean(Float(32), 1, "mean"),
      deviation(Float(32), 1, "std");
  Param<double> rescale("rescale");
  Var x("x"), y("y"), c("c");
  Func out("out");
  // Hugging Face's image processors rescale in f64 and normalise in f32.
  Expr rescaled = cast<float>(cast<double>(in(x, y, c)) * rescale);
  out(x, y, c) = (rescaled - mean(c)) / deviation(c);
  out.vectorize(x, vectorPixels, TailStrategy::GuardWithIf);
  return {"normalise",
          Pipeline(out),
          {in, rescale, mean, deviation},
          /*strictFloat=*/true};
}

} // namespace attn::halide
