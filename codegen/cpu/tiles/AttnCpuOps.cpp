// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration and verifiers of the tile-level dialect.

#include "codegen/cpu/tiles/AttnCpuOps.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace attn::cpu;

#include "codegen/cpu/AttnCpuDialect.cpp.inc"

#define GET_OP_CLASSES
#include "codegen/cpu/AttnCpuOps.cpp.inc"

void AttnCpuDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "codegen/cpu/AttnCpuOps.cpp.inc"
      >();
}

LogicalResult OperandOp::verify() {
  if (static_cast<int64_t>(getWord()) < kHeaderWords)
    return emitOpError("expects 'word' to be at least ")
           << kHeaderWords << ", but got " << getWord();
  return success();
}

LogicalResult ScratchOp::verify() {
  int64_t dynamic = cast<MemRefType>(getType()).getNumDynamicDims();
  if (static_cast<int64_t>(getSizes().size()) != dynamic)
    return emitOpError("expects one size for each of the ")
           << dynamic << " dynamic dimensions, but got " << getSizes().size();
  return success();
}
