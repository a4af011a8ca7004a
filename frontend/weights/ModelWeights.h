// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weights of a model, in one file or several.

#ifndef ATTN_FRONTEND_WEIGHTS_MODELWEIGHTS_H
#define ATTN_FRONTEND_WEIGHTS_MODELWEIGHTS_H

#include "frontend/weights/Tensor.h"

namespace attn::weights {

/// Whether a model directory holds weights of either kind.
bool hasModelWeights(llvm::StringRef directory);

/// Opens model.safetensors of a model directory, else the shards that its
/// model.safetensors.index.json names.
///
/// Shards must lie in the directory once symbolic links are resolved, or, for a
/// snapshot of the Hugging Face cache, in the `blobs` folder that belongs to
/// it.
llvm::Expected<TensorTable> openModelWeights(llvm::StringRef directory);

/// Opens the shards that an index names; they stand beside the index.
llvm::Expected<TensorTable> openShardedWeights(llvm::StringRef indexPath);

/// Opens what a user calls weights: a directory, an index (*.index.json) or one
/// safetensors file.
llvm::Expected<TensorTable> openWeights(llvm::StringRef path);

} // namespace attn::weights

#endif
