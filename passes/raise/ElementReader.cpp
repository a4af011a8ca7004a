// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a tensor as a scalar expression.

#include "passes/raise/ElementReader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "passes/Elementwise.h"
#include "passes/raise/ScoreSimplification.h"

using namespace mlir;
using namespace attn;

void ElementReader::defineSize(Value tensor, unsigned dimension, Value scalar) {
  sizes.push_back({tensor, dimension, scalar});
}

FailureOr<Value> ElementReader::fail(const Twine &why) {
  if (reason.empty())
    reason = why.str();
  return failure();
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

bool ElementReader::readsRowAndColumn(Coordinates coordinates) const {
  return llvm::is_contained(coordinates, row) &&
         llvm::is_contained(coordinates, column);
}

Value ElementReader::addLane(int64_t width) {
  Value lane = laneBlock.addArgument(builder.getIndexType(), getLoc());
  lanes.insert(lane);
  return lane;
}

bool ElementReader::hasLane(Coordinates coordinates) const {
  return llvm::any_of(coordinates, [&](Value at) { return isLane(at); });
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

/// Computed rather than captured, wherever they are read: conditions and masks
/// (they become `keep`) and ramps.
bool ElementReader::isComputed(linalg::GenericOp op) const {
  return computesAll || usesIndices(op) || usesNegativeInfinity(op) ||
         getElementTypeOrSelf(op.getResult(0)).isInteger(1);
}

/// Deep enough for what people and exporters write between two products.
static constexpr unsigned kMaxDepth = 256;

FailureOr<Value> ElementReader::read(Value tensor, Coordinates coordinates) {
  for (const Element &element : elements) {
    if (element.tensor != tensor)
      continue;
    if (ArrayRef(element.coordinates) == coordinates)
      return element.scalar;
    if (isDerived(element.scalar))
      return fail("a score depends on scores at other places");
  }
  if (depth == kMaxDepth)
    return fail("its scores are made of too many operations");
  ++depth;
  FailureOr<Value> scalar = readNew(tensor, coordinates);
  --depth;
  if (failed(scalar) ||
      (hasLane(coordinates) && !readsRowAndColumn(coordinates)))
    return scalar;
  elements.push_back({tensor, SmallVector<Value>(coordinates), *scalar});
  if (isDerived(*scalar) && tensor.getDefiningOp())
    chain.insert(tensor.getDefiningOp());
  return scalar;
}

FailureOr<Value> ElementReader::readNew(Value tensor, Coordinates coordinates) {
  DenseElementsAttr constant;
  if (matchPattern(tensor, m_Constant(&constant)) && constant.isSplat())
    return arith::ConstantOp::create(
               builder, getLoc(),
               cast<TypedAttr>(constant.getSplatValue<Attribute>()))
        .getResult();
  Operation *op = tensor.getDefiningOp();
  bool isVector = hasLane(coordinates) && !readsRowAndColumn(coordinates);
  FailureOr<Value> scalar = failure();
  if (linalg::GenericOp map = isVector ? nullptr : getElementwise(tensor)) {
    scalar = readMap(map, coordinates);
  } else {
    if (op && !isVector)
      if (std::optional<FailureOr<Value>> root = readRoot(op, coordinates))
        return *root;
    scalar = readMoved(op, coordinates);
  }
  if (succeeded(scalar) || !reason.empty())
    return scalar;
  if (isVector)
    return readVector(tensor, coordinates);
  if (hasLane(coordinates))
    return readCapturedVector(tensor, coordinates);
  return readCapture(tensor, coordinates);
}

std::optional<FailureOr<Value>>
ElementReader::tryRead(Value tensor, Coordinates coordinates) {
  size_t known = chain.size();
  FailureOr<Value> scalar = read(tensor, coordinates);
  if (succeeded(scalar) && isDerived(*scalar))
    return scalar;
  if (succeeded(scalar))
    return std::nullopt;
  if (chain.size() != known)
    return scalar;
  reason.clear();
  return std::nullopt;
}

static bool takesLogarithm(linalg::GenericOp op) {
  return !op.getBody()->getOps<math::LogOp>().empty();
}

/// The logarithm of a condition, which becomes `keep` wherever it is read;
/// failure without a reason where it is that of something else.
FailureOr<Value> ElementReader::readLogarithmicMask(linalg::GenericOp op,
                                                    Coordinates coordinates) {
  std::string before = reason;
  size_t known = elements.size();
  computesAll = true;
  FailureOr<Value> scalar = readGeneric(op, coordinates);
  computesAll = false;
  if (succeeded(scalar))
    if (auto log = scalar->getDefiningOp<math::LogOp>();
        log && matchCondition(log.getOperand()))
      return scalar;
  // What was computed on the way may be captured after all.
  elements.truncate(known);
  reason = before;
  return failure();
}

/// An elementwise op: computed where it leads to a root, and where it makes a
/// tensor over rows and columns out of smaller ones, so that it is never in
/// memory. Failure without a reason where it is better captured.
FailureOr<Value> ElementReader::readMap(linalg::GenericOp op,
                                        Coordinates coordinates) {
  bool isWanted = isComputed(op);
  if (!isWanted && !readsRowAndColumn(coordinates) && takesLogarithm(op))
    if (FailureOr<Value> mask = readLogarithmicMask(op, coordinates);
        succeeded(mask))
      return mask;
  if (!isWanted && !llvm::is_contained(coordinates, row))
    return failure();
  size_t known = chain.size();
  FailureOr<Value> scalar = readGeneric(op, coordinates);
  if (isWanted)
    return scalar;
  if (succeeded(scalar) &&
      (isDerived(*scalar) || (readsRowAndColumn(coordinates) &&
                              !hasLane(coordinates) && !isCostly(*scalar))))
    return scalar;
  // It was only a try, unless it met a root on its way.
  if (chain.size() == known)
    reason.clear();
  return failure();
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
  if (Value size =
          dim && dim.getConstantIndex()
              ? findSizeOfElement(dim.getSource(), *dim.getConstantIndex())
              : Value()) {
    mapping.map(scalar, size);
    return success();
  }
  return fail("it uses a value that is no constant and no size of the score");
}

/// Results of the chain are made after what is read of them here, so that their
/// rows and columns are known from where roots were found.
Value ElementReader::findSizeOfElement(Value tensor, unsigned dimension) const {
  for (const Element &element : elements)
    if (element.tensor == tensor && isDerived(element.scalar))
      return element.coordinates[dimension] == row      ? rows
             : element.coordinates[dimension] == column ? columns
                                                        : Value();
  return {};
}

/// What takes long enough that once for each pair is better than once for each
/// batch and head.
static bool isFunction(Operation *op) {
  // The logarithm of a condition is a mask.
  if (isa<math::LogOp>(op) && matchCondition(op->getOperand(0)))
    return false;
  return isa<math::MathDialect>(op->getDialect()) &&
         !isa<math::AbsFOp, math::FloorOp, math::SqrtOp>(op);
}

FailureOr<Value> ElementReader::create(Operation &op, IRMapping &mapping) {
  RankedTensorType vector;
  for (Value operand : op.getOperands())
    if (auto type = dyn_cast<RankedTensorType>(
            mapping.lookupOrDefault(operand).getType()))
      vector = type;
  Operation *created = nullptr;
  if (!vector) {
    created = builder.clone(op, mapping);
  } else {
    if (!OpTrait::hasElementwiseMappableTraits(&op) || op.getNumResults() != 1)
      return fail(op.getName().getStringRef() +
                  " is not computed along the width of a head");
    SmallVector<Value> operands;
    for (Value operand : op.getOperands()) {
      Value value = mapping.lookupOrDefault(operand);
      if (!isa<RankedTensorType>(value.getType()))
        value = tensor::SplatOp::create(
            builder, getLoc(), value,
            RankedTensorType::get(vector.getShape(), value.getType()));
      operands.push_back(value);
    }
    Type result =
        RankedTensorType::get(vector.getShape(), op.getResult(0).getType());
    OperationState state(getLoc(), op.getName().getIdentifier(), operands,
                         {result}, op.getAttrs());
    created = builder.create(state);
    mapping.map(op.getResult(0), created->getResult(0));
  }
  if (llvm::any_of(created->getOperands(),
                   [&](Value operand) { return isDerived(operand); }))
    derived.insert_range(created->getResults());
  if (isFunction(created) ||
      llvm::any_of(created->getOperands(),
                   [&](Value operand) { return isCostly(operand); }))
    costly.insert_range(created->getResults());
  return created->getNumResults() ? created->getResult(0) : Value();
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
      Value at = coordinates[loops.getDimPosition(index.getDim())];
      if (isLane(at))
        return fail("it uses positions within the width of a head");
      mapping.map(index.getResult(), at);
      continue;
    }
    for (Value operand : inner.getOperands())
      if (operand.getParentBlock() != op.getBody() &&
          failed(bindOutside(operand, mapping)))
        return failure();
    if (failed(create(inner, mapping)))
      return failure();
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
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op))
    return readSlice(slice, coordinates);
  if (auto cast = dyn_cast_or_null<tensor::CastOp>(op))
    return read(cast.getSource(), coordinates);
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

/// Elements of a slice are those of its source, further on. A vector stays
/// whole, and so does the frame of the scores.
FailureOr<Value> ElementReader::readSlice(tensor::ExtractSliceOp slice,
                                          Coordinates coordinates) {
  auto isOne = [](OpFoldResult stride) {
    return isConstantIntValue(stride, 1);
  };
  if (slice.getSourceType().getRank() != slice.getType().getRank() ||
      hasLane(coordinates) ||
      ShapedType::isDynamicShape(slice.getStaticOffsets()) ||
      !llvm::all_of(slice.getMixedStrides(), isOne))
    return failure();
  SmallVector<Value> moved;
  for (auto [offset, at] :
       llvm::zip_equal(slice.getStaticOffsets(), coordinates))
    moved.push_back(offset == 0 ? at
                                : arith::AddIOp::create(builder, getLoc(), at,
                                                        getIndex(offset))
                                      .getResult());
  FailureOr<Value> scalar = read(slice.getSource(), moved);
  bool isWhole = slice.getType() == slice.getSourceType() &&
                 slice.getType().hasStaticShape();
  if (succeeded(scalar) && isDerived(*scalar) && !isWhole)
    return fail("a part of the scores is taken");
  return scalar;
}

Value ElementReader::getCaptureArgument(Value tensor) {
  auto known = llvm::find(captures, tensor);
  unsigned position = firstCapture + (known - captures.begin());
  if (known == captures.end()) {
    captures.push_back(tensor);
    block.addArgument(tensor.getType(), tensor.getLoc());
  }
  return block.getArgument(position);
}

Value ElementReader::readCapture(Value tensor, Coordinates coordinates) {
  Value scalar = tensor::ExtractOp::create(
      builder, getLoc(), getCaptureArgument(tensor), coordinates);
  if (readsRowAndColumn(coordinates))
    costly.insert(scalar);
  return scalar;
}

FailureOr<Value> ElementReader::readCapturedVector(Value tensor,
                                                   Coordinates coordinates) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!isLane(coordinates.back()) || hasLane(coordinates.drop_back()) ||
      !type.getElementType().isF32() || type.isDynamicDim(type.getRank() - 1))
    return fail("it reads a vector that is not along a last, static dimension");
  Value argument = getCaptureArgument(tensor);
  if (type.getRank() == 1)
    return argument;
  SmallVector<OpFoldResult> offsets(coordinates.drop_back()), sizes;
  offsets.push_back(builder.getIndexAttr(0));
  sizes.assign(type.getRank() - 1, builder.getIndexAttr(1));
  sizes.push_back(builder.getIndexAttr(type.getShape().back()));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, getLoc(),
                                        type.clone({type.getShape().back()}),
                                        argument, offsets, sizes, strides)
      .getResult();
}
