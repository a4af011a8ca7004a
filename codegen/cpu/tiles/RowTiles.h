// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows split into register tiles: heights are code, how many is arithmetic.

#ifndef ATTN_CODEGEN_CPU_TILES_ROWTILES_H
#define ATTN_CODEGEN_CPU_TILES_ROWTILES_H

#include "codegen/cpu/tiles/TileBuilder.h"

namespace attn::cpu {

/// `count` rows from `first` on as ceil(count / tallest) tiles whose heights
/// differ by one step at most: 128 rows by 6 are 18 tiles of 6 and 4 of 5, with
/// no tile of 1 to 3 rows that would leave registers idle.
///
/// With a `step` of more than one, a divisor of `tallest`, heights are its
/// multiples, which makes less code: the last tile may have rows after the last
/// one, up to a multiple of it. A single row has a tile of its own.
class RowTiles {
public:
  RowTiles(TileBuilder &b, Value first, Value count, int tallest, int step = 1);

  /// body(row, height) for each tile, rows ascending; one copy of the code for
  /// each height.
  void emit(TileBuilder &b, llvm::function_ref<void(Value, int)> body) const;

  Value count() const { return tiles; } ///< at least 1

private:
  struct Run {
    int height;
    Value first, end;
  };
  Value tiles;
  llvm::SmallVector<Run> runs;
};

struct MultiplyOptions {
  /// The first k; null for 0. Where both factors lie at k plus something, a
  /// loop over that sum leaves rows at constant distances in one register.
  Value first = {};
  /// A product whose left factor is 0 is left out, so that it may be NaN.
  bool skipZeros = false;
  /// Steps of k in an iteration: a divisor of the depth.
  int unroll = 1;
  /// Called in every iteration with an index that begins at `walkFrom` and goes
  /// on by `walkStep` for each step of k.
  llvm::function_ref<void(Value)> walk = {};
  Value walkFrom = {}, walkStep = {};
};

/// sums[r][p] + sum_k left(r, k) * right(p, k) on a register tile, `depth`
/// values of k ascending; left is a scalar, right 16 lanes.
llvm::SmallVector<Value> multiplyTile(
    TileBuilder &b, int rows, int panels, Value depth,
    llvm::ArrayRef<Value> sums, llvm::function_ref<Value(int, Value)> left,
    llvm::function_ref<Value(int, Value)> right, MultiplyOptions options = {});

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_TILES_ROWTILES_H
