// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Computes parameters and writes them to the weights file.

#ifndef ATTN_CODEGEN_PACKAGE_PACKPARAMETERS_H
#define ATTN_CODEGEN_PACKAGE_PACKPARAMETERS_H

#include "codegen/package/WeightsFile.h"
#include "dialect/AttnOps.h"
#include "frontend/weights/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace attn::package {

/// The entries of the weights file, one for each parameter of the module, at
/// the places that attn-place-parameters gave them.
llvm::Expected<std::vector<WeightsEntry>>
describeParameters(mlir::ModuleOp module);

/// Computes every parameter from `weights` and writes the file. A parameter
/// that is one weight, or a part or a transpose of one, is converted and laid
/// out panel by panel, whatever its size; any other expression is evaluated
/// whole. `onProgress` is told the
/// bytes written so far.
llvm::Error writeParameters(mlir::ModuleOp module,
                            const weights::TensorTable &weights,
                            llvm::StringRef path, const BuildId &buildId,
                            llvm::function_ref<void(uint64_t)> onProgress);

/// The same bytes as the data of that file, for a module that reads no
/// weights; empty for any other and where there are no parameters.
llvm::Expected<std::string> packConstants(mlir::ModuleOp module);

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_PACKPARAMETERS_H
