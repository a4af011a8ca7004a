// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Failures that are not the user's, and the file that shows them.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_INTERNALERROR_H
#define ATTN_TOOLS_ATTNC_ENGINE_INTERNALERROR_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"

namespace attn::tool {

/// A defect of attnc: exits with ExitInternal.
class InternalError : public llvm::ErrorInfo<InternalError> {
public:
  static char ID;
  explicit InternalError(const llvm::Twine &message) : message(message.str()) {}
  void log(llvm::raw_ostream &os) const override { os << message; }
  std::error_code convertToErrorCode() const override {
    return std::make_error_code(std::errc::state_not_recoverable);
  }

private:
  std::string message;
};

/// Runs passes over a module. A pass that declines the model, and says why, is
/// an error with the text `declined`. One that fails without a word, leaves IR
/// that does not verify, or crashes is an InternalError, which names a file
/// with the IR as it was before and the pipeline: `attn-opt --run-reproducer
/// FILE`.
llvm::Error runPasses(mlir::PassManager &manager, mlir::ModuleOp module,
                      const llvm::Twine &declined);

/// Runs a step behind the passes, whose input is `module`: if it fails or
/// crashes, that is an InternalError with `module` in its file.
llvm::Error runInternalStep(mlir::ModuleOp module,
                            llvm::function_ref<llvm::Error()> step);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_INTERNALERROR_H
