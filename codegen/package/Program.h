// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The part of a compiled model that is no kernel: its tables, its description,
// and the functions that its header declares.

#ifndef ATTN_CODEGEN_PACKAGE_PROGRAM_H
#define ATTN_CODEGEN_PACKAGE_PROGRAM_H

#include "codegen/package/Interface.h"
#include "codegen/package/WeightsFile.h"
#include "codegen/target/TargetSpec.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/JSON.h"
#include <memory>

namespace attn::package {

/// What differs between the programs of one library.
struct FunctionSpec {
  ModelInterface interface;
  /// Planned buffers: attn_variant.plan writes two offsets more.
  uint32_t bufferCount = 0;
  /// What a run launches, for the description; may be empty.
  llvm::json::Array launches;
};

/// What attn_program (attn/abi.h) says of a model: its own function and what
/// all parts share.
struct ProgramSpec : FunctionSpec {
  /// Further programs over the same weights, named by what they do: "encode".
  std::vector<FunctionSpec> parts;
  /// One for each variant, best first, all of one architecture.
  std::vector<const TargetSpec *> variants;
  /// As assignOffsets returned; 0 without weights.
  uint64_t weightsBytes = 0;
  /// Parameters of a program without weights; empty where there are none.
  std::string constants;
  BuildId buildId{};
};

/// What variantSymbol names the functions of a part of the library `name` by:
/// "marian_encode"; "marian" for its own program, whose part is "".
std::string partSymbol(llvm::StringRef name, llvm::StringRef part);

/// The symbols of all programs of a library, its own first.
std::vector<std::string> functionSymbols(const ProgramSpec &spec);

/// The description that NAME_describe returns, as JSON.
std::string describeProgram(const ProgramSpec &spec);

/// The module that defines the tables and every function of the header, in
/// terms of the variants' functions (see variantSymbol) and the common object.
std::unique_ptr<llvm::Module> makeProgramModule(const ProgramSpec &spec,
                                                llvm::LLVMContext &context);

/// The symbols that module leaves to the variants and to the common object.
std::vector<std::string> programImports(const ProgramSpec &spec);

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_PROGRAM_H
