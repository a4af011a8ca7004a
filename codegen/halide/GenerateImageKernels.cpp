// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles the image pipelines ahead of time: attn-image-kernels TARGET SUFFIX
// FOLDER.
//
// TARGET is a full Halide target such as x86-64-linux-avx-avx2-fma-sse41 (never
// "host": Halide's detection can choose instructions that a virtual machine
// lacks). Writes FOLDER/attn_image_*_SUFFIX.o.

#include "codegen/halide/ImagePipelines.h"

#include <cstdio>
#include <cstdlib>

using namespace Halide;

namespace {

/// Halide's exceptions cannot be caught across its library's edge; this reports
/// its errors instead.
class Reporter : public CompileTimeErrorReporter {
public:
  void warning(const char *message) override {
    std::fprintf(stderr, "attn-image-kernels: %s", message);
  }
  void error(const char *message) override {
    std::fprintf(stderr, "attn-image-kernels: %s", message);
    std::exit(1);
  }
};

void compile(attn::halide::ImagePipeline pipeline, Target target,
             const std::string &suffix, const std::string &folder) {
  // The callers own all memory and check all sizes, so that the objects need no
  // Halide runtime.
  for (auto feature :
       {Target::NoRuntime, Target::NoAsserts, Target::NoBoundsQuery})
    target = target.with_feature(feature);
  if (pipeline.strictFloat)
    target = target.with_feature(Target::StrictFloat);
  std::string symbol = "attn_image_" + pipeline.name + "_" + suffix;
  pipeline.pipeline.compile_to(
      {{OutputFileType::object, folder + "/" + symbol + ".o"}},
      pipeline.arguments, symbol, target);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: attn-image-kernels TARGET SUFFIX FOLDER\n");
    return 2;
  }
  Reporter reporter;
  set_custom_compile_time_error_reporter(&reporter);
  using namespace attn::halide;
  for (const ImagePipeline &pipeline :
       {resampleWeights(), resampleRows(), resampleColumns(), normalise()})
    compile(pipeline, Target(argv[1]), argv[2], argv[3]);
  return 0;
}
