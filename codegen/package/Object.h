// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the LLVM dialect to object code, one object for each instruction set.

#ifndef ATTN_CODEGEN_PACKAGE_OBJECT_H
#define ATTN_CODEGEN_PACKAGE_OBJECT_H

#include "codegen/target/TargetSpec.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>

namespace attn::package {

/// An object file in memory; `name` is its name in archives.
struct ObjectFile {
  std::string name;
  llvm::SmallString<0> bytes;

  llvm::MemoryBufferRef buffer() const { return {bytes, name}; }
};

/// The symbol of a variant's function: "vit_avx2_plan", "vit_avx2_body".
/// `model` is a modelIdentifier.
std::string variantSymbol(llvm::StringRef model, llvm::StringRef isa,
                          llvm::StringRef function);

/// Translates a module of the LLVM dialect that defines plan and body of one
/// variant of each of `models` (named by variantSymbol, as attn_variant in
/// attn/abi.h declares them), and optimises it. All other definitions become
/// private to it.
llvm::Expected<std::unique_ptr<llvm::Module>>
makeVariantModule(mlir::ModuleOp code, llvm::ArrayRef<std::string> models,
                  const TargetSpec &target, llvm::LLVMContext &context);

/// Object code of a module, named `name`. Equal modules give equal bytes.
llvm::Expected<ObjectFile> emitObject(llvm::Module &module,
                                      const TargetSpec &target,
                                      llvm::StringRef name);

/// The same as assembly text.
llvm::Expected<std::string> emitAssembly(llvm::Module &module,
                                         const TargetSpec &target);

/// Generated code may call memcpy, memmove and memset, and nothing else of the
/// platform: any other undefined symbol that is not in `others` is an error.
llvm::Error checkUndefinedSymbols(const ObjectFile &object,
                                  llvm::ArrayRef<std::string> others = {});

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_OBJECT_H
