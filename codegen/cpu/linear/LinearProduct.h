// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One weight of an attn.linear: register tiles over its packed panels.

#ifndef ATTN_CODEGEN_CPU_LINEAR_LINEARPRODUCT_H
#define ATTN_CODEGEN_CPU_LINEAR_LINEARPRODUCT_H

#include "codegen/cpu/linear/LinearForm.h"

namespace attn::cpu {

class LinearProduct {
public:
  /// `tileScratch` holds one tile of floats; null where no epilogue needs it.
  /// `waiting` holds a block's accumulators between slices; null where they
  /// wait in the result.
  LinearProduct(TileBuilder &b, LinearForm &form, unsigned index,
                Value tileScratch, Value waiting);

  /// The code for groups [first, last) of this weight over a block and a slice,
  /// some of them `together` in a tile. Fails after an error where the epilogue
  /// has no form on lanes.
  mlir::LogicalResult emit(const RowBlock &block, const InputSlice &slice,
                           Value first, Value last, int together);

  const int64_t groups; ///< of this weight

private:
  /// A register tile.
  struct Tile {
    Value row;        ///< first row of the result
    Value blockRow;   ///< the same within the block
    Value number;     ///< about how many tiles of the block come before it
    Value panel;      ///< first panel
    Value next;       ///< first panel of the group to be fetched meanwhile
    Value nextColumn; ///< first column of the input multiplied with that
    int rows, panels;
    Value mask; ///< of the last panel, or null
  };

  struct Prefetch;

  void emitGroup(const RowBlock &block, const InputSlice &slice, Tile tile);
  Prefetch planPrefetch(const RowBlock &block, const InputSlice &slice,
                        const Tile &tile);
  llvm::SmallVector<Value> begin(const Tile &tile, const InputSlice &slice);
  llvm::SmallVector<Value> multiply(const RowBlock &block,
                                    const InputSlice &slice, const Tile &tile);
  void end(const Tile &tile, const InputSlice &slice,
           llvm::ArrayRef<Value> sums);
  void finishInScratch(const Tile &tile, llvm::ArrayRef<Value> sums);
  void finish(Value sum, Value row, Value column, Value mask);
  void forWaiting(const Tile &tile,
                  llvm::function_ref<void(int, Value, ValueRange, Value)> body);
  void forElements(const Tile &tile,
                   llvm::function_ref<void(int, Value, Value, Value)> body);
  Value epilogue(Value sum, Value row, Value column, Value mask);
  Value capture(unsigned i, Value row, Value column, Value mask);

  TileBuilder &b;
  LinearForm &form;
  LinearOp op;
  unsigned index;
  Value weight, output; ///< [panels, K, 16], [M, N]
  Value lines;          ///< the weight as [panels, K * 16]
  Value tileScratch;    ///< or null
  Value waiting;        ///< [rows of a block, columns], or null
  int64_t n;
  bool failed = false;
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_LINEAR_LINEARPRODUCT_H
