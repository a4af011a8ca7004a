// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a tensor as a scalar expression.

#include "passes/raise/ElementReader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "passes/Elementwise.h"

using namespace mlir;
using namespace attn;

void ElementReader::define(Value tensor, ArrayRef<Value> coordinates,
                           Value scalar) {
  elements.push_back({tensor, SmallVector<Value>(coordinates), scalar});
}

void ElementReader::defineSize(Value tensor, unsigned dimension, Value scalar) {
  sizes.push_back({tensor, dimension, scalar});
}

void ElementReader::inlineAlways(const llvm::SetVector<Operation *> &ops) {
  computed.insert_range(ops);
}

Value ElementReader::getIndex(int64_t value) {
  Value &index = indices[value];
  if (!index) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&block);
    index = arith::ConstantIndexOp::create(builder, getLoc(), value);
  }
  return index;
}

SmallVector<Value> ElementReader::mapCoordinates(AffineMap map,
                                                 ArrayRef<Value> coordinates) {
  SmallVector<Value> result;
  for (AffineExpr expr : map.getResults()) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      result.push_back(getIndex(constant.getValue()));
    else
      result.push_back(coordinates[cast<AffineDimExpr>(expr).getPosition()]);
  }
  return result;
}

bool ElementReader::readsRowAndColumn(ArrayRef<Value> coordinates) const {
  return llvm::is_contained(coordinates, row) &&
         llvm::is_contained(coordinates, column);
}

static bool usesNegativeInfinity(linalg::GenericOp op) {
  auto isNegativeInfinity = [](Value value) {
    FloatAttr constant;
    return matchPattern(value, m_Constant(&constant)) &&
           constant.getValue().isInfinity() && constant.getValue().isNegative();
  };
  return llvm::any_of(*op.getBody(), [&](Operation &inner) {
    return llvm::any_of(inner.getOperands(), isNegativeInfinity);
  });
}

/// Computed rather than captured: what depends on the score, conditions and
/// masks (they become `keep`), ramps, and a tensor over rows and columns that
/// is made of smaller ones, so that it is never in memory.
bool ElementReader::isComputed(linalg::GenericOp op,
                               ArrayRef<Value> coordinates) const {
  if (computed.contains(op) || usesIndices(op) || usesNegativeInfinity(op) ||
      getElementTypeOrSelf(op.getResult(0)).isInteger(1))
    return true;
  if (!readsRowAndColumn(coordinates))
    return false;
  return llvm::none_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    SmallVector<Value> read;
    for (AffineExpr expr : getReadMap(op, input).getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        read.push_back(coordinates[dim.getPosition()]);
    return readsRowAndColumn(read);
  });
}

FailureOr<Value> ElementReader::read(Value tensor,
                                     ArrayRef<Value> coordinates) {
  bool isDefined = false;
  for (const Element &element : elements) {
    if (element.tensor != tensor)
      continue;
    if (ArrayRef(element.coordinates) == coordinates)
      return element.scalar;
    isDefined |= computed.contains(tensor.getDefiningOp());
  }
  if (isDefined) {
    reason = "a score depends on scores at other places";
    return failure();
  }

  FailureOr<Value> scalar = failure();
  DenseElementsAttr constant;
  if (matchPattern(tensor, m_Constant(&constant)) && constant.isSplat())
    scalar = arith::ConstantOp::create(
                 builder, getLoc(),
                 cast<TypedAttr>(constant.getSplatValue<Attribute>()))
                 .getResult();
  else if (linalg::GenericOp op = getElementwise(tensor);
           op && isComputed(op, coordinates))
    scalar = readGeneric(op, coordinates);
  else
    scalar = readMoved(tensor.getDefiningOp(), coordinates);
  if (failed(scalar) && reason.empty())
    scalar = readCapture(tensor, coordinates);
  if (succeeded(scalar))
    define(tensor, coordinates, *scalar);
  return scalar;
}

/// The scalar that gives a dimension its size where the tensor is made, seen
/// through what frontends put behind a projection; null where none is seen.
static Value findSize(Value tensor, unsigned dimension) {
  Operation *op = tensor.getDefiningOp();
  OpFoldResult size;
  if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op))
    size = expand.getMixedOutputShape()[dimension];
  else if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(op))
    size = empty.getMixedSizes()[dimension];
  else if (auto structured = dyn_cast_or_null<linalg::LinalgOp>(op);
           structured && op->getNumResults() == 1)
    return findSize(structured.getDpsInits()[0], dimension);
  return dyn_cast_if_present<Value>(size);
}

/// Makes what a body uses from outside available: constants, and sizes that
/// have a name here.
LogicalResult ElementReader::bindOutside(Value scalar, IRMapping &mapping) {
  if (mapping.contains(scalar))
    return success();
  Operation *op = scalar.getDefiningOp();
  if (op && op->hasTrait<OpTrait::ConstantLike>()) {
    builder.clone(*op, mapping);
    return success();
  }
  auto dim = dyn_cast_or_null<tensor::DimOp>(op);
  for (const Size &size : sizes)
    if ((dim && dim.getSource() == size.tensor &&
         dim.getConstantIndex() == size.dimension) ||
        findSize(size.tensor, size.dimension) == scalar) {
      mapping.map(scalar, size.scalar);
      return success();
    }
  reason = "it uses a value that is no constant and no size of the score";
  return failure();
}

FailureOr<Value> ElementReader::readGeneric(linalg::GenericOp op,
                                            ArrayRef<Value> coordinates) {
  IRMapping mapping;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!op.payloadUsesValueFromOperand(input))
      continue;
    Value argument = op.getMatchingBlockArgument(input);
    if (!isa<RankedTensorType>(input->get().getType())) {
      if (failed(bindOutside(input->get(), mapping)))
        return failure();
      mapping.map(argument, mapping.lookup(input->get()));
      continue;
    }
    FailureOr<Value> scalar =
        read(input->get(), mapCoordinates(getReadMap(op, input), coordinates));
    if (failed(scalar))
      return failure();
    mapping.map(argument, *scalar);
  }

  AffineMap loops =
      inversePermutation(op.getMatchingIndexingMap(op.getDpsInitOperand(0)));
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      mapping.map(index.getResult(),
                  coordinates[loops.getDimPosition(index.getDim())]);
      continue;
    }
    for (Value operand : inner.getOperands())
      if (operand.getParentBlock() != op.getBody() &&
          failed(bindOutside(operand, mapping)))
        return failure();
    builder.clone(inner, mapping);
  }
  Value result = op.getBody()->getTerminator()->getOperand(0);
  if (result.getParentBlock() != op.getBody() &&
      failed(bindOutside(result, mapping)))
    return failure();
  return mapping.lookup(result);
}

/// The dimensions of `wide` that `group` joins and that are not 1; the group
/// only renames its dimension when there is at most one.
static std::optional<int64_t> findOnlyWide(ArrayRef<int64_t> group,
                                           RankedTensorType wide) {
  int64_t found = -1;
  for (int64_t dim : group) {
    if (wide.getDimSize(dim) == 1)
      continue;
    if (found >= 0)
      return std::nullopt;
    found = dim;
  }
  return found >= 0 ? found : group.front();
}

/// Reads through ops that only move elements; failure without a reason where
/// `op` is none that can be followed.
FailureOr<Value> ElementReader::readMoved(Operation *op,
                                          ArrayRef<Value> coordinates) {
  SmallVector<Value> moved;
  if (auto transpose = dyn_cast_or_null<linalg::TransposeOp>(op)) {
    moved.resize(coordinates.size());
    for (auto [to, from] : llvm::enumerate(transpose.getPermutation()))
      moved[from] = coordinates[to];
    return read(transpose.getInput(), moved);
  }
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op)) {
    auto isOne = [](OpFoldResult stride) {
      return isConstantIntValue(stride, 1);
    };
    if (slice.getSourceType().getRank() != slice.getType().getRank() ||
        ShapedType::isDynamicShape(slice.getStaticOffsets()) ||
        !llvm::all_of(slice.getMixedStrides(), isOne))
      return failure();
    for (auto [offset, at] :
         llvm::zip_equal(slice.getStaticOffsets(), coordinates))
      moved.push_back(offset == 0 ? at
                                  : arith::AddIOp::create(builder, getLoc(), at,
                                                          getIndex(offset))
                                        .getResult());
    return read(slice.getSource(), moved);
  }
  if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op)) {
    for (const ReassociationIndices &group : expand.getReassociationIndices()) {
      std::optional<int64_t> wide = findOnlyWide(group, expand.getResultType());
      if (!wide)
        return failure();
      moved.push_back(coordinates[*wide]);
    }
    return read(expand.getSrc(), moved);
  }
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op)) {
    moved.assign(collapse.getSrcType().getRank(), Value());
    for (auto [group, at] :
         llvm::zip_equal(collapse.getReassociationIndices(), coordinates)) {
      std::optional<int64_t> wide = findOnlyWide(group, collapse.getSrcType());
      if (!wide)
        return failure();
      for (int64_t dim : group)
        moved[dim] = dim == *wide ? at : getIndex(0);
    }
    return read(collapse.getSrc(), moved);
  }
  return failure();
}

Value ElementReader::readCapture(Value tensor, ArrayRef<Value> coordinates) {
  auto known = llvm::find(captures, tensor);
  unsigned position = firstCapture + (known - captures.begin());
  if (known == captures.end()) {
    captures.push_back(tensor);
    block.addArgument(tensor.getType(), tensor.getLoc());
  }
  return tensor::ExtractOp::create(builder, getLoc(),
                                   block.getArgument(position), coordinates);
}
