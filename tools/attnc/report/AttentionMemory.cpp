// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Counts keys, values and activations of attention, and finds causal ones.

#include "tools/attnc/report/AttentionMemory.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn;
using namespace attn::tool;

static std::optional<DimExpr> sum(std::optional<DimExpr> a,
                                  std::optional<DimExpr> b) {
  return a && b ? DimExpr::add(*a, *b) : std::nullopt;
}

static std::optional<DimExpr> product(int64_t factor,
                                      ArrayRef<DimExpr> factors) {
  std::optional<DimExpr> value = DimExpr::constant(factor);
  for (const DimExpr &next : factors)
    value = value ? DimExpr::multiply(*value, next) : std::nullopt;
  return value;
}

std::optional<AttentionMemory> AttentionMemory::add(const AttentionMemory &a,
                                                    const AttentionMemory &b) {
  std::optional<DimExpr> cached =
      DimExpr::add(a.keyValueBytes, b.keyValueBytes);
  std::optional<DimExpr> kept =
      DimExpr::add(a.activationBytes, b.activationBytes);
  std::optional<DimExpr> fused =
      DimExpr::add(a.fusedActivationBytes, b.fusedActivationBytes);
  if (!cached || !kept || !fused)
    return std::nullopt;
  return AttentionMemory{*cached, *kept, *fused};
}

std::optional<AttentionMemory>
attn::tool::memoryOf(AttentionOp op, const SymbolicShapes &shapes) {
  std::optional<DimExpr> cached =
      product(sizeof(float), shapes.shapeOf(op.getValue()));
  for (Value keys : op.getKeys())
    cached = sum(cached, product(sizeof(float), shapes.shapeOf(keys)));
  ArrayRef<DimExpr> query = shapes.shapeOf(op.getQueries().front());
  std::optional<DimExpr> fused = product(34, query);
  SmallVector<DimExpr> pairs(query.take_front(3));
  pairs.push_back(shapes.shapeOf(op.getValue())[2]);
  std::optional<DimExpr> kept = sum(fused, product(5, pairs));
  if (!cached || !kept)
    return std::nullopt;
  return AttentionMemory{*cached, *kept, *fused};
}

/// Whether query i of 2 sees key j of 2, if folding decides it.
static std::optional<bool> sees(AttentionOp op, int64_t i, int64_t j) {
  OwningOpRef<ModuleOp> scratch = ModuleOp::create(op.getLoc());
  OpBuilder b = OpBuilder::atBlockEnd(scratch->getBody());
  Block &keep = op.getKeep().front();
  IRMapping mapping;
  unsigned first = 2 * op.getQueries().size();
  const int64_t coordinates[] = {0, 0, i, j, 2, 2};
  for (auto [number, value] : llvm::enumerate(coordinates))
    mapping.map(keep.getArgument(first + number),
                arith::ConstantIndexOp::create(b, op.getLoc(), value));
  for (Operation &inner : keep.without_terminator()) {
    Operation *copy = b.clone(inner, mapping);
    SmallVector<Value> folded;
    // The first attempt may only move a constant to the right.
    for (int attempt = 0; attempt < 2 && folded.empty(); ++attempt)
      if (failed(b.tryFold(copy, folded)))
        folded.clear();
    if (!folded.empty())
      mapping.map(inner.getResults(), folded);
  }
  Value result = mapping.lookupOrDefault(keep.getTerminator()->getOperand(0));
  APInt value;
  if (!matchPattern(result, m_ConstantInt(&value)))
    return std::nullopt;
  return !value.isZero();
}

bool attn::tool::isCausal(AttentionOp op) {
  if (op.getKeep().empty())
    return false;
  auto maySee = [&](int64_t i, int64_t j) {
    return sees(op, i, j).value_or(true);
  };
  return !maySee(0, 1) && maySee(1, 0) && maySee(1, 1);
}
