// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns a checked model into attn IR.

#ifndef FRONTEND_LANGUAGE_EMIT_BUILDER_H
#define FRONTEND_LANGUAGE_EMIT_BUILDER_H

#include "frontend/language/check/Graph.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace attn::lang {

/// A module with one function, the model. Locations point into the sources
/// that `diagnostics` holds. Returns null, after an error, only if the module
/// does not verify: a fault of attnc, not of the description.
mlir::OwningOpRef<mlir::ModuleOp>
build(mlir::MLIRContext *context, const Graph &graph, Diagnostics &diagnostics);

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_EMIT_BUILDER_H
