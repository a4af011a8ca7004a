// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A module pass for one target, given as a TargetSpec or by name.

#ifndef ATTN_CODEGEN_CPU_TARGETPASS_H
#define ATTN_CODEGEN_CPU_TARGETPASS_H

#include "codegen/target/TargetSpec.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace attn::cpu {

template <typename Derived>
struct TargetPass
    : mlir::PassWrapper<Derived, mlir::OperationPass<mlir::ModuleOp>> {
  using Base = TargetPass;

  TargetPass() = default;
  explicit TargetPass(const TargetSpec &spec) : target(&spec) {
    targetName = spec.name.str();
  }
  TargetPass(const TargetPass &other)
      : mlir::PassWrapper<Derived, mlir::OperationPass<mlir::ModuleOp>>(other),
        target(other.target) {}

  /// Sets `target` from the option, or emits an error.
  mlir::LogicalResult resolveTarget() {
    if (target)
      return mlir::success();
    llvm::Expected<const TargetSpec *> found = findTarget(targetName);
    if (!found)
      return this->getOperation().emitError(llvm::toString(found.takeError()));
    target = *found;
    return mlir::success();
  }

  mlir::Pass::Option<std::string> targetName{
      *this, "target", llvm::cl::desc("the target's name, or native"),
      llvm::cl::init("native")};
  const TargetSpec *target = nullptr;
};

void registerScheduleKernelsPass();
void registerLowerTilesPass();
void registerLowerModelPass();

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_TARGETPASS_H
