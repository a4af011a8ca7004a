// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles one kernel from text and runs it in this process.

#include "test/codegen/cpu/CompiledKernel.h"

#include "codegen/cpu/Passes.h"
#include "dialect/AttnDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Target/TargetMachine.h"

#include <cstring>

using namespace attn;
using namespace attn::test;

static llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
compileObject(llvm::StringRef text, const TargetSpec &target) {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  cpu::registerCpuDialects(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module || failed(cpu::lowerKernels(*module, target)))
    return llvm::createStringError("the kernel does not lower");

  llvm::LLVMContext llvmContext;
  auto llvmModule = mlir::translateModuleToLLVMIR(*module, llvmContext);
  if (!llvmModule)
    return llvm::createStringError("the kernel does not translate");
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  optimizeForTarget(*llvmModule, **machine);
  auto object = emitObject(*llvmModule, **machine);
  if (!object)
    return object.takeError();
  return llvm::MemoryBuffer::getMemBufferCopy(
      llvm::StringRef(object->data(), object->size()));
}

llvm::Expected<CompiledKernel>
CompiledKernel::compile(llvm::StringRef text, const TargetSpec &target) {
  auto object = compileObject(text, target);
  if (!object)
    return object.takeError();
  CompiledKernel kernel;
  kernel.bytes = (*object)->getBufferSize();
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  kernel.jit = std::move(*jit);
  if (auto error = kernel.jit->addObjectFile(std::move(*object)))
    return error;
  auto task = kernel.jit->lookup("kernel");
  auto scratch = kernel.jit->lookup("kernel_scratch");
  if (!task || !scratch)
    return llvm::joinErrors(task.takeError(), scratch.takeError());
  // Most kernels have none.
  if (auto finish = kernel.jit->lookup("kernel_finish"))
    kernel.finish = finish->toPtr<void (*)(int64_t *, int64_t)>();
  else
    llvm::consumeError(finish.takeError());
  kernel.task = task->toPtr<void (*)(int64_t *, int64_t)>();
  kernel.scratchBytes = scratch->toPtr<int64_t (*)(int64_t *)>();
  return kernel;
}

void CompiledKernel::prepare(llvm::ArrayRef<Operand> operands, int64_t slots) {
  block.assign({slots, 0, 0});
  for (const Operand &operand : operands) {
    block.push_back(reinterpret_cast<intptr_t>(operand.data));
    block.insert(block.end(), operand.dynamicSizes.begin(),
                 operand.dynamicSizes.end());
  }
  block[2] = scratchBytes(block.data());
  // NaN in fresh scratch shows what reads it before writing.
  scratch.assign(block[2] * slots + 64, static_cast<char>(0xff));
  auto base = reinterpret_cast<intptr_t>(scratch.data());
  block[1] = (base + 63) & ~intptr_t(63);
}

void CompiledKernel::run(llvm::ArrayRef<Operand> operands, int64_t slots) {
  prepare(operands, slots);
  for (int64_t slot = slots - 1; slot >= 0; --slot)
    runSlot(slot);
  if (finish)
    finish(block.data(), 0);
}

std::vector<float> attn::test::packPanels(llvm::ArrayRef<float> weight,
                                          int64_t n, int64_t k) {
  int64_t panels = (n + kPanelWidth - 1) / kPanelWidth;
  std::vector<float> packed(panels * k * kPanelWidth, 0.0f);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t i = 0; i < k; ++i)
      packed[(row / kPanelWidth * k + i) * kPanelWidth + row % kPanelWidth] =
          weight[row * k + i];
  return packed;
}
