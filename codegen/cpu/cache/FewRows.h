// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention of one or few queries of each head, as when tokens are generated.

#ifndef ATTN_CODEGEN_CPU_CACHE_FEWROWS_H
#define ATTN_CODEGEN_CPU_CACHE_FEWROWS_H

#include "codegen/cpu/attention/Form.h"

namespace attn::cpu {

/// What is known of a kernel's rows when compiling.
enum class Rows { Few, Many, Any };
Rows expectedRows(const AttentionForm &form);

/// Whether the heads that go together have few rows: packing all keys of a head
/// would be for nothing.
Value hasFewRows(TileBuilder &b, const AttentionForm &form);

/// Bytes of scratch that a slot needs, where there are few rows.
Value fewRowsScratch(TileBuilder &b, const AttentionForm &form);

/// This slot's share, where there are few rows; their keys may be split.
mlir::LogicalResult emitFewRows(TileBuilder &b, const AttentionForm &form);

/// Adds up what the slots left, where keys were split.
mlir::LogicalResult finishFewRows(TileBuilder &b, const AttentionForm &form);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_FEWROWS_H
