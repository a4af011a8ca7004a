// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a kernel of attn.linear is cut into blocks of rows, slices of the input's
// columns and groups of the result's columns.

#ifndef ATTN_CODEGEN_CPU_LINEAR_LINEARFORM_H
#define ATTN_CODEGEN_CPU_LINEAR_LINEARFORM_H

#include "codegen/cpu/tiles/RowTiles.h"
#include "dialect/AttnOps.h"

namespace attn::cpu {

/// Facts of the operation and the target, known when compiling.
struct LinearForm {
  LinearForm(LinearOp op, const TargetSpec &target);

  /// Groups of the columns of weight `index`: the panels that a tile spans.
  int64_t groupsOf(unsigned index);
  /// Whether accumulators wait between slices.
  bool isSliced() const { return slice < k; }
  /// Whether those of weight `index` wait in scratch, because the result may
  /// lie over an operand that the epilogue still has to read.
  bool waitsInScratch(unsigned index);
  /// Columns of scratch for the accumulators of weight `index`; 0: none wait
  /// there.
  int64_t waitingColumns(unsigned index);
  /// Whether rows are copied to scratch, slice by slice, before they are
  /// multiplied. A prologue writes them whole.
  bool copiesRows() { return stride != 0 && op.getPrologue().empty(); }
  /// Whether the tiles of weight `index` are stored in scratch and go through
  /// the epilogue there.
  bool finishesInScratch(unsigned index);
  /// Bytes of scratch for such a tile; rows follow, then what waits.
  int64_t tileBytes();
  /// Groups that a tile of one row spans: registers that rows leave idle keep
  /// more of the weights under way.
  int groupsOfRow() const;
  /// Rows of the largest block: its input fits L2 beside the panels being
  /// multiplied and those fetched for the next group.
  int64_t largestBlock();

  LinearOp op;
  const TargetSpec &target;
  int64_t k;      ///< columns of the input
  int64_t slice;  ///< of these multiplied before the next group's; the last
                  ///< slice may have fewer
  int64_t groups; ///< of all weights
  int64_t stride; ///< floats from row to row in scratch; 0: read in place
};

/// A block of rows, and where it is read.
struct RowBlock {
  Value first, count;
  Value input;    ///< [rows, columns], from the slice's first column on
  Value inputRow; ///< of the block's first row
  const RowTiles *tiles;
};

/// A slice of the input's columns.
struct InputSlice {
  Value first, count;
  Value next;            ///< first column of the slice to be fetched after it
  Value isFirst, isLast; ///< null where there is only one
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_LINEAR_LINEARFORM_H
