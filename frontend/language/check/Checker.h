// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs a description's compile-time part and checks every type and shape.

#ifndef FRONTEND_LANGUAGE_CHECK_CHECKER_H
#define FRONTEND_LANGUAGE_CHECK_CHECKER_H

#include "frontend/language/check/Graph.h"
#include "frontend/language/syntax/AST.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"

#include <functional>

namespace attn::lang {

/// Where a key of config.json's top object stands: "config.json:3:5".
using ConfigPlace = std::function<std::string(llvm::StringRef key)>;

struct CheckOptions {
  const llvm::json::Object *config = nullptr; // may be null: no parameters
  std::string model;                          // empty: the only entry
  std::string kernel;                         // instead of a model
  llvm::StringMap<int64_t> dims;              // dynamic dimensions made static
  std::vector<std::string> absent; // optional inputs that take their default
  ConfigPlace configPlace;         // may be empty
};

/// The kernel of that name, or the model or kernel called `model`, or the only
/// one there is. Null after an error that lists what there is.
const ModelDecl *chooseEntry(const Description &description,
                             llvm::StringRef model, llvm::StringRef kernel,
                             Diagnostics &diagnostics);

/// Returns the model as a graph, or null after reporting why not. `config`
/// binds the config parameters, loops are unrolled and blocks inlined; the
/// sizes of all this are bounded, since a description is untrusted input.
std::unique_ptr<Graph> check(const Description &description,
                             const CheckOptions &options,
                             Diagnostics &diagnostics);

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_CHECK_CHECKER_H
