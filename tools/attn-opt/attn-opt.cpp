// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs passes over attn IR, alone or in pipelines.

#include "codegen/attention/SplitScores.h"
#include "codegen/cpu/Passes.h"
#include "dialect/AttnDialect.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Pipelines.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  attn::registerAllDialects(registry);
  attn::cpu::registerCpuDialects(registry);
  attn::cpu::registerCpuPasses();
  mlir::registerTransformsPasses();
  attn::registerAllPasses();
  attn::registerSplitScoresPass();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "attn optimizer driver\n", registry));
}
