// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Built-in functions that have a source of their own; Builtins.cpp has the
// table.

#ifndef FRONTEND_LANGUAGE_CHECK_BUILTINFUNCTIONS_H
#define FRONTEND_LANGUAGE_CHECK_BUILTINFUNCTIONS_H

#include "frontend/language/check/CheckerImpl.h"

namespace attn::lang::builtin {

/// The argument `i` as a small number that is not negative.
bool epsilon(Checker &c, Args &a, unsigned i, double &eps);

// BuiltinLayers.cpp
Value weight(Checker &c, Args &a);
Value linear(Checker &c, Args &a);
Value layerNorm(Checker &c, Args &a);
Value rmsNorm(Checker &c, Args &a);
Value softmax(Checker &c, Args &a);
Value matmul(Checker &c, Args &a);
Value embedding(Checker &c, Args &a);

// BuiltinShapes.cpp
Value reshape(Checker &c, Args &a);
Value expand(Checker &c, Args &a);
Value transpose(Checker &c, Args &a);
Value dim(Checker &c, Args &a);
Value splitHeads(Checker &c, Args &a);
Value mergeHeads(Checker &c, Args &a);
Value concat(Checker &c, Args &a);
Value split(Checker &c, Args &a);
Value patchEmbed(Checker &c, Args &a);

} // namespace attn::lang::builtin

#endif // FRONTEND_LANGUAGE_CHECK_BUILTINFUNCTIONS_H
