// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model is made of, read from its IR before any pass.

#ifndef ATTN_TOOLS_ATTNC_REPORT_STRUCTURE_H
#define ATTN_TOOLS_ATTNC_REPORT_STRUCTURE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Cost.h"
#include "tools/attnc/report/AttentionMemory.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <vector>

namespace attn::tool {

/// Operations whose weights share a scope: an embedding, a layer, a head.
struct ModelBlock {
  /// "vit.embeddings"; "vit.encoder.layer.0..11" for equal layers.
  std::string name;
  /// How many equal ones follow one another; the rest is of one of them.
  unsigned count = 1;
  /// How many there are of each operation that computes.
  std::map<std::string, unsigned> operations;
  uint64_t parameters = 0;
  DimExpr flops;
  /// Of its attentions; a cache only in a model that decodes, of causal
  /// attention and of what attends to another sequence.
  AttentionMemory memory;
};

struct ModelStructure {
  std::vector<ModelBlock> blocks;
  /// Names of the dynamic dimensions that the polynomials use.
  std::vector<std::string> symbols;
  uint64_t parameters = 0;
  DimExpr flops;
  AttentionMemory memory;
  /// Whether it generates a sequence: some attention is causal.
  bool isDecoder = false;
};

/// A block is named by its weights: their names up to the first number, or
/// without the last part, at most two. An operation without weights belongs to
/// the block of the operation before it.
llvm::Expected<ModelStructure> readStructure(mlir::func::FuncOp function);

/// The block that a weight belongs to: "encoder.layer.3" for
/// "encoder.layer.3.output.dense.bias".
std::string scopeOf(llvm::StringRef weight);

/// What people call an operation: "linear", "map"; empty for those that compute
/// nothing.
std::string computationName(mlir::Operation *op);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_STRUCTURE_H
