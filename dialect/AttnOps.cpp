// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The generated parts of the attn operations; the written ones are in LinearOp,
// AttentionOp, ParameterOps, ScanOp and TensorOps.

#include "dialect/AttnOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

#define GET_OP_CLASSES
#include "dialect/AttnOps.cpp.inc"
