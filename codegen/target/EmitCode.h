// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From optimised LLVM IR to machine code, as generated kernels want it.

#ifndef ATTN_CODEGEN_TARGET_EMITCODE_H
#define ATTN_CODEGEN_TARGET_EMITCODE_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/Error.h"

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace attn {

/// Appends the module to `bytes` as an object file or assembly text.
llvm::Error emitCode(llvm::Module &module, llvm::TargetMachine &machine,
                     llvm::CodeGenFileType type,
                     llvm::SmallVectorImpl<char> &bytes);

} // namespace attn

#endif // ATTN_CODEGEN_TARGET_EMITCODE_H
