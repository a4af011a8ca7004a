// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of a model, read from files, made up, written and printed.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_TENSORS_H
#define ATTN_TOOLS_ATTNC_ENGINE_TENSORS_H

#include "tools/attnc/engine/Engine.h"
#include "llvm/Support/raw_ostream.h"

namespace attn::tool {

/// Reads FILE.safetensors and NAME=FILE.npy arguments; a name given twice is an
/// error.
llvm::Expected<TensorMap> readTensors(llvm::ArrayRef<std::string> arguments);

/// Writes all tensors to FILE.safetensors, or single ones to NAME=FILE.npy.
llvm::Error writeTensors(llvm::ArrayRef<std::string> arguments,
                         const TensorMap &tensors);

/// Converts each input to the type the program declares: floating point of any
/// width to F32, integers and booleans of any width to I64.
llvm::Error convertInputs(const attn_program &program, TensorMap &inputs);

/// Inputs at these sizes: normally distributed numbers, integers spread over
/// their bound. The same seed gives the same values.
llvm::Expected<TensorMap>
randomInputs(const Engine &engine, llvm::ArrayRef<int64_t> dims, uint64_t seed);

/// Shapes and statistics for people, or all values as JSON.
void printTensors(const TensorMap &tensors, bool json, llvm::raw_ostream &os);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_TENSORS_H
