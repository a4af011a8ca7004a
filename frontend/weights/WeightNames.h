// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What checkpoints call the weights of a model.

#ifndef ATTN_FRONTEND_WEIGHTS_WEIGHTNAMES_H
#define ATTN_FRONTEND_WEIGHTS_WEIGHTNAMES_H

#include "frontend/weights/WeightCheck.h"

namespace attn::weights {

/// Two patterns of names, each with at most one `*`, of which a checkpoint has
/// one or the other: "bert.*" and "*", "*LayerNorm.weight" and
/// "*LayerNorm.gamma".
struct NameAlias {
  std::string one, other;
};

/// Renames tensors of the table: a weight that the model expects and that is
/// not there under its name takes the first tensor whose name aliases make of
/// it, each used once at most. A tensor that is expected under its own name
/// keeps it.
void applyAliases(llvm::ArrayRef<ExpectedWeight> expected,
                  llvm::ArrayRef<NameAlias> aliases, TensorTable &table);

} // namespace attn::weights

#endif
