// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of targets.

#include "codegen/target/TargetSpec.h"

#include "attn/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace attn;

static constexpr TargetSpec kTargets[] = {
    {
        .name = "x86-64",
        .isa = "sse2",
        .triple = "x86_64-unknown-linux-gnu",
        .cpu = "x86-64",
        .features = "+sse2",
        .featureBits = 0,
        .vectorRegisters = 16,
        .lanes = 4,
        .fusedMultiplyAdd = false,
        .nativeRounding = false,
        .linear = {.rows = 2, .panels = 1},
        .linearDepth = 1024,
        .attention = {.rows = 2, .panels = 1},
        .attentionRows = 24,
        .prefetchNextPanel = false,
        .longEpilogueInAccumulators = false,
        .l1Bytes = 32 << 10,
        .l2Bytes = 512 << 10,
        .gflops = 20,
        .memoryGigabytes = 10,
        .forkSeconds = 1e-6,
    },
    {
        .name = "x86-64-avx2",
        .isa = "avx2",
        .triple = "x86_64-unknown-linux-gnu",
        .cpu = "x86-64-v3",
        .features = "+avx2,+fma,+f16c,+bmi2",
        .featureBits = ATTN_FEATURE_AVX2_FMA,
        .vectorRegisters = 16,
        .lanes = 8,
        .fusedMultiplyAdd = true,
        .nativeRounding = true,
        .linear = {.rows = 6, .panels = 1},
        .linearDepth = 1024,
        .attention = {.rows = 6, .panels = 1},
        .attentionRows = 24,
        .prefetchNextPanel = true,
        .longEpilogueInAccumulators = true,
        .l1Bytes = 32 << 10,
        .l2Bytes = 1 << 20,
        .gflops = 90,
        .memoryGigabytes = 30,
        .forkSeconds = 1e-6,
    },
    {
        .name = "x86-64-avx512",
        .isa = "avx512",
        .triple = "x86_64-unknown-linux-gnu",
        .cpu = "x86-64-v4",
        .features = "+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl,+avx2,+"
                    "fma,+f16c,+bmi2",
        .featureBits = ATTN_FEATURE_AVX2_FMA | ATTN_FEATURE_AVX512,
        .vectorRegisters = 32,
        .lanes = 16,
        .fusedMultiplyAdd = true,
        .nativeRounding = true,
        .linear = {.rows = 14, .panels = 2},
        .linearDepth = 1024,
        .attention = {.rows = 12, .panels = 2},
        .attentionRows = 24,
        .prefetchNextPanel = true,
        .longEpilogueInAccumulators = false,
        .l1Bytes = 48 << 10,
        .l2Bytes = 2 << 20,
        .gflops = 190,
        .memoryGigabytes = 33,
        .forkSeconds = 1e-6,
    },
    {
        .name = "aarch64-neon",
        .isa = "neon",
        .triple = "aarch64-unknown-linux-gnu",
        .cpu = "generic",
        .features = "+neon",
        .featureBits = ATTN_FEATURE_NEON,
        .vectorRegisters = 32,
        .lanes = 4,
        .fusedMultiplyAdd = true,
        .nativeRounding = true,
        .linear = {.rows = 6, .panels = 1},
        .linearDepth = 1024,
        .attention = {.rows = 6, .panels = 1},
        .attentionRows = 24,
        .prefetchNextPanel = false,
        .longEpilogueInAccumulators = true,
        .l1Bytes = 64 << 10,
        .l2Bytes = 512 << 10,
        .gflops = 40,
        .memoryGigabytes = 20,
        .forkSeconds = 1e-6,
    },
};

llvm::ArrayRef<TargetSpec> attn::allTargets() { return kTargets; }

llvm::Expected<const TargetSpec *> attn::findTarget(llvm::StringRef name) {
  if (name == "native") {
    for (const TargetSpec &target : llvm::reverse(allTargets()))
      if (runsHere(target))
        return &target;
    return llvm::createStringError("this machine matches no target of attnc");
  }
  for (const TargetSpec &target : allTargets())
    if (target.name == name)
      return &target;
  std::string known = llvm::join(
      llvm::map_range(allTargets(),
                      [](const TargetSpec &t) { return t.name.str(); }),
      ", ");
  return llvm::createStringError("unknown target '" + name +
                                 "', expects native or one of " + known);
}
