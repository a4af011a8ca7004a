// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs LLVM's code generator without the pass that kernels do not need.

#include "codegen/target/EmitCode.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <optional>

namespace {
/// Leaves out loop strength reduction: around register tiles with dozens of
/// addresses it would take most of the time of code generation.
class WithoutStrengthReduction : public llvm::OptPassGate {
public:
  explicit WithoutStrengthReduction(llvm::LLVMContext &context)
      : context(context), before(context.getOptPassGate()) {
    context.setOptPassGate(*this);
  }
  ~WithoutStrengthReduction() override { context.setOptPassGate(before); }

  bool isEnabled() const override { return true; }
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef) const override {
    return pass != "Loop Strength Reduction";
  }

private:
  llvm::LLVMContext &context;
  llvm::OptPassGate &before;
};
} // namespace

llvm::Error attn::emitCode(llvm::Module &module, llvm::TargetMachine &machine,
                           llvm::CodeGenFileType type,
                           llvm::SmallVectorImpl<char> &bytes) {
  // An x86 instruction adds base, scaled index and offset by itself.
  std::optional<WithoutStrengthReduction> gate;
  if (machine.getTargetTriple().isX86())
    gate.emplace(module.getContext());
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    return llvm::createStringError("LLVM cannot emit code for " +
                                   machine.getTargetTriple().str());
  passes.run(module);
  return llvm::Error::success();
}
