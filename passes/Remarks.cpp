// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Remarks through MLIR's remark engine.

#include "passes/Remarks.h"

#include "mlir/IR/Remarks.h"

using namespace mlir;

static remark::RemarkOpts optionsFor(StringRef pass, Operation *op) {
  return remark::RemarkOpts::name(op->getName().getStringRef()).category(pass);
}

void attn::remarkDone(StringRef pass, Operation *op, const Twine &what) {
  if (op->getContext()->getRemarkEngine())
    remark::passed(op->getLoc(), optionsFor(pass, op))
        << remark::add("{0}", what.str());
}

void attn::remarkDeclined(StringRef pass, Operation *op, const Twine &reason) {
  if (op->getContext()->getRemarkEngine())
    remark::missed(op->getLoc(), optionsFor(pass, op))
        << remark::reason("{0}", reason.str());
}
