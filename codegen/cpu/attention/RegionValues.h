// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builds values of an attention's regions at one place of its kernel.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_REGIONVALUES_H
#define ATTN_CODEGEN_CPU_ATTENTION_REGIONVALUES_H

#include "codegen/attention/ScoreProgram.h"
#include "codegen/cpu/tiles/TileBuilder.h"
#include "mlir/IR/IRMapping.h"

#include <functional>

namespace attn::cpu {

/// Where regions are evaluated, and what is known there.
struct RegionPoint {
  /// For each argument of the score region its value: an index (of lanes, for
  /// the keys of a panel) or a captured tensor's memory. Vectors have none.
  llvm::SmallVector<Value> arguments;
  /// The normalised weight, in the weight region.
  Value normalized;
  /// The lanes that may be read; null for all.
  Value mask;
  /// Builds a scalar that the kernel has computed already, or returns null.
  std::function<Value(Value)> scalar = [](Value) { return Value(); };
  /// Whether elements of a vector are at hand: readers of vectors get them.
  std::function<bool(Value)> hasVector = [](Value) { return false; };
};

/// Where along the width elements are wanted.
struct ElementPoint {
  Value position;       ///< of the only element, or of lane 0
  bool isLanes = false; ///< 16 consecutive elements
  Value mask = {};      ///< the lanes inside the width; null for all
  /// Builds the elements of a vector that RegionPoint::hasVector names.
  llvm::function_ref<Value(Value)> vector;
};

/// Values of regions, each built once. Expressions are named by any of their
/// values. Where an operation has no form in a kernel an error names it,
/// failed() turns true, and some value stands in so that building can go on.
class RegionValues {
public:
  RegionValues(TileBuilder &b, const ScoreProgram &program, RegionPoint point)
      : b(b), program(program), point(std::move(point)) {}

  /// Builds all scalars that these scalars and vectors need. Sums over vectors
  /// become loops that read elements through `vector`.
  void
  compute(llvm::ArrayRef<Value> roots,
          llvm::function_ref<Value(Value, const ElementPoint &)> vector = {});
  /// A scalar that has been computed.
  Value scalar(Value value);
  /// Elements of `vector`, whose scalars have been computed.
  Value element(Value vector, const ElementPoint &at);
  bool failed() const { return failedOnce; }

private:
  llvm::DenseSet<mlir::Operation *> needed(llvm::ArrayRef<Value> roots);
  Value build(mlir::Operation &op);
  Value
  buildReduction(mlir::Operation &op,
                 llvm::function_ref<Value(Value, const ElementPoint &)> vector);
  Value buildElement(mlir::Operation &op, const ElementPoint &at,
                     mlir::IRMapping &elements);
  Value operandElement(Value operand, const ElementPoint &at,
                       mlir::IRMapping &elements);
  Value readVector(Value memory, llvm::ArrayRef<Value> indices,
                   const ElementPoint &at);
  Value argument(mlir::BlockArgument argument);
  Value index(Value index, Value memory, int64_t dimension);
  Value decline(mlir::Operation &op, llvm::StringRef what = "");

  TileBuilder &b;
  const ScoreProgram &program;
  RegionPoint point;
  mlir::IRMapping values;
  bool failedOnce = false;
};

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_REGIONVALUES_H
