// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the schedule of attention needs to know of an attn.attention.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_FORM_H
#define ATTN_CODEGEN_CPU_ATTENTION_FORM_H

#include "codegen/cpu/tiles/TileBuilder.h"
#include "dialect/AttnOps.h"

#include <optional>

namespace attn::cpu {

inline constexpr double kLog2E = 1.44269504088896341;

struct AttentionForm {
  AttentionOp op;
  /// [B, H, M, D], [B, G, N, D], [B, G, N, E], [B, H, M, E], strided where the
  /// kernel transposes.
  Value query, key, value, output;
  llvm::SmallVector<Value> captures;
  int64_t headWidth, valueWidth, headsPerKeyHead;
  /// The score is scale * dot; otherwise its region is inlined.
  std::optional<double> scale;
  mlir::Region *score;
  mlir::Region *keep; ///< or null

  /// What queries are multiplied with before the dot products.
  double queryFactor() const { return scale ? *scale * kLog2E : 1.0; }
};

/// Reads the kernel around `op`. Emits an error that names the form where there
/// is no schedule for it yet.
mlir::FailureOr<AttentionForm> readAttention(TileBuilder &b, AttentionOp op);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_FORM_H
