// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads the element of a tensor of weights as an expression over queries and
// keys.

#include "passes/raise/ScoreReader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "passes/Elementwise.h"
#include "passes/plan/SymbolicShapes.h"
#include "passes/raise/AttentionOperands.h"
#include "passes/raise/ScoreSimplification.h"

using namespace mlir;
using namespace attn;

ScoreBlock::ScoreBlock(Location loc) {
  Builder builder(loc.getContext());
  weight = block.addArgument(builder.getF32Type(), loc);
  for (Value *index : {&outer, &batch, &head, &row, &column, &rows, &columns})
    *index = block.addArgument(builder.getIndexType(), loc);
}

ScoreReader::ScoreReader(OpBuilder &builder, ScoreBlock &scalars, unsigned rank)
    : ElementReader(
          builder, scalars.block,
          {scalars.row, scalars.column, scalars.rows, scalars.columns}),
      scalars(scalars) {
  if (rank > 4)
    frame.push_back(scalars.outer);
  if (rank > 2)
    frame.push_back(scalars.batch);
  if (rank > 3)
    frame.push_back(scalars.head);
  frame.append({row, column});
}

std::optional<FailureOr<Value>> ScoreReader::readRoot(Operation *op,
                                                      Coordinates coordinates) {
  if (auto product = dyn_cast<MatmulOp>(op))
    return readProduct(product, coordinates);
  if (auto softmax = dyn_cast<SoftmaxOp>(op))
    return readSoftmax(softmax, coordinates);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return readSink(slice, coordinates);
  if (auto linear = dyn_cast<LinearOp>(op))
    return readLinear(linear, coordinates);
  if (auto lookup = dyn_cast<EmbeddingOp>(op))
    return readLookup(lookup, coordinates);
  if (auto map = dyn_cast<linalg::LinalgOp>(op);
      map && map.getNumReductionLoops() == 1)
    return readReduction(map, coordinates);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Queries and keys
//===----------------------------------------------------------------------===//

unsigned ScoreReader::addOperand(SmallVector<VectorOperand> &operands,
                                 Value tensor, Coordinates coordinates) {
  SmallVector<Value> numbered(coordinates);
  auto lane = llvm::find_if(numbered, [&](Value at) { return isLane(at); });
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t width = type.getDimSize(lane - numbered.begin());
  *lane = Value();
  for (auto [number, operand] : llvm::enumerate(operands))
    if (operand.tensor == tensor && operand.coordinates == numbered)
      return number;
  Value argument =
      scalars.vectors.addArgument(type.clone({width}), tensor.getLoc());
  addRoot(argument);
  operands.push_back({tensor, numbered, argument});
  return operands.size() - 1;
}

FailureOr<Value> ScoreReader::readVector(Value tensor,
                                         Coordinates coordinates) {
  bool isQuery = llvm::is_contained(coordinates, row);
  if (!isQuery && !llvm::is_contained(coordinates, column))
    return readCapturedVector(tensor, coordinates);
  SmallVector<VectorOperand> &operands = isQuery ? queries : keys;
  return operands[addOperand(operands, tensor, coordinates)].argument;
}

ScoreReader::Root ScoreReader::readProduct(MatmulOp op,
                                           Coordinates coordinates) {
  Value x = coordinates[coordinates.size() - 2], y = coordinates.back();
  bool isTurned = x == column;
  if (coordinates.drop_back(2) != getCoordinates().drop_back(2) ||
      x != (isTurned ? column : row) || y != (isTurned ? row : column))
    return std::nullopt;
  auto type = cast<RankedTensorType>(op.getA().getType());
  int64_t width = type.getShape().back();
  if (ShapedType::isDynamic(width))
    return fail("the number of heads or their width is dynamic");

  unsigned last = type.getRank() - 1;
  Value lane = addLane(width);
  SmallVector<Value> atA(coordinates), atB(coordinates);
  atA[last] = lane;
  atB[last - 1] = op.getTransposeB() ? y : lane;
  atB[last] = op.getTransposeB() ? lane : y;
  defineSize(op.getA(), last - 1, isTurned ? columns : rows);
  defineSize(op.getB(), op.getTransposeB() ? last - 1 : last,
             isTurned ? rows : columns);

  Scaled a = matchScale(op.getA()), b = matchScale(op.getB());
  unsigned first = addOperand(isTurned ? keys : queries, a.value, atA);
  unsigned second = addOperand(isTurned ? queries : keys, b.value, atB);
  DotProduct product{first, second, Value(), a.factor * b.factor};
  if (isTurned)
    std::swap(product.query, product.key);
  product.scalar =
      DotOp::create(builder, getLoc(), queries[product.query].argument,
                    keys[product.key].argument);
  addRoot(product.scalar);
  products.push_back(product);
  return product.scalar;
}

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

FailureOr<Value> ScoreReader::setSoftmax(SoftmaxOp op, Value score) {
  if (softmax && softmax != op)
    return fail("its weights are made of several softmaxes");
  softmax = op;
  softmaxScore = score;
  addRoot(scalars.weight);
  return scalars.weight;
}

ScoreReader::Root ScoreReader::readSoftmax(SoftmaxOp op,
                                           Coordinates coordinates) {
  Root score = tryRead(op.getInput(), coordinates);
  if (!score) {
    hasOtherSoftmax = true;
    return std::nullopt;
  }
  if (failed(*score))
    return *score;
  if (coordinates[op.getAxis()] != column)
    return fail("the softmax is not along the keys");
  return setSoftmax(op, **score);
}

/// True where both tensors have the same sizes whatever the dynamic dimensions
/// of the model are.
static bool haveSameSizes(Value a, Value b) {
  auto type = cast<RankedTensorType>(a.getType());
  if (type.hasStaticShape())
    return type == b.getType();
  auto function = a.getDefiningOp()->getParentOfType<func::FuncOp>();
  // Sizes that are not known are no defect here.
  ScopedDiagnosticHandler quiet(a.getContext(),
                                [](Diagnostic &) { return success(); });
  FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(function);
  return succeeded(shapes) && shapes->shapeOf(a) == shapes->shapeOf(b);
}

/// slice(softmax(concat(scores, sink))) => the scores with that sink: one more
/// score in each row that has no value.
ScoreReader::Root ScoreReader::readSink(tensor::ExtractSliceOp slice,
                                        Coordinates coordinates) {
  auto op = slice.getSource().getDefiningOp<SoftmaxOp>();
  auto concat = op ? op.getInput().getDefiningOp<tensor::ConcatOp>() : nullptr;
  if (!concat || concat.getDim() != op.getAxis() ||
      concat.getInputs().size() != 2 || coordinates[op.getAxis()] != column ||
      slice.getType().getRank() != slice.getSourceType().getRank())
    return std::nullopt;
  uint64_t axis = op.getAxis();
  auto isColumn = [&](Value part) {
    return cast<RankedTensorType>(part.getType()).getDimSize(axis) == 1;
  };
  bool isLast = isColumn(concat.getInputs()[1]);
  Value scores = concat.getInputs()[isLast ? 0 : 1];
  Value column = concat.getInputs()[isLast ? 1 : 0];
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
  if (!isColumn(column) || !haveSameSizes(slice.getResult(), scores) ||
      !isConstantIntValue(offsets[axis], isLast ? 0 : 1))
    return std::nullopt;
  offsets.erase(offsets.begin() + axis);
  if (!llvm::all_of(offsets, isZeroInteger) ||
      !llvm::all_of(slice.getMixedStrides(), isOneInteger))
    return std::nullopt;

  Root score = tryRead(scores, coordinates);
  if (!score || failed(*score))
    return score;
  SmallVector<Value> at(coordinates);
  at[axis] = getIndex(0);
  FailureOr<Value> found = findSink(column, at);
  if (failed(found))
    return failure();
  sink = *found;
  addToChain(concat);
  addToChain(op);
  return setSoftmax(op, **score);
}

/// The tensor of one number for each head that a column of sinks repeats.
FailureOr<Value> ScoreReader::findSink(Value tensor, Coordinates coordinates) {
  computesAll = true;
  FailureOr<Value> scalar = read(tensor, coordinates);
  computesAll = false;
  if (failed(scalar))
    return failure();
  auto extract = scalar->getDefiningOp<tensor::ExtractOp>();
  if (!extract || llvm::count(extract.getIndices(), scalars.head) != 1)
    return fail("its sink is not one number for each head");
  auto argument = cast<BlockArgument>(extract.getTensor());
  auto type = cast<RankedTensorType>(argument.getType());
  for (auto [size, at] : llvm::zip_equal(type.getShape(), extract.getIndices()))
    if (at != scalars.head && size != 1)
      return fail("its sink is not one number for each head");
  unsigned first =
      scalars.block.getNumArguments() - unsigned(getCaptures().size());
  return getCaptures()[argument.getArgNumber() - first];
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

namespace {
enum class Reducer { Sum, Maximum };
}

/// What a reduction from its neutral element does; nothing where it is another.
static std::optional<Reducer> matchReducer(linalg::LinalgOp op) {
  if (op->getNumResults() != 1 || op.getNumDpsInputs() != 1)
    return std::nullopt;
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  std::optional<double> initial =
      fill ? getConstant(fill.getInputs()[0]) : std::nullopt;
  Block &body = *op.getBlock();
  Operation *combine = body.getTerminator()->getOperand(0).getDefiningOp();
  if (!initial || !combine || combine->getBlock() != &body ||
      combine->getNumOperands() != 2 ||
      !llvm::all_of(body.getArguments(), [&](Value argument) {
        return llvm::is_contained(combine->getOperands(), argument);
      }))
    return std::nullopt;
  if (isa<arith::AddFOp>(combine) && *initial == 0)
    return Reducer::Sum;
  // The lowest float does what minus infinity does for every finite score.
  if (isa<arith::MaximumFOp, arith::MaxNumFOp>(combine) && *initial < -3.4e38)
    return Reducer::Maximum;
  return std::nullopt;
}

ScoreReader::Root ScoreReader::readReduction(linalg::LinalgOp op,
                                             Coordinates coordinates) {
  std::optional<Reducer> reducer = matchReducer(op);
  if (!reducer || !llvm::is_contained(coordinates, row) || hasLane(coordinates))
    return std::nullopt;
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  AffineMap input = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  if (!result.isProjectedPermutation() || !input.isPermutation())
    return std::nullopt;
  SmallVector<Value> loops(op.getNumLoops());
  for (auto [axis, at] : llvm::enumerate(coordinates))
    loops[result.getDimPosition(axis)] = at;
  bool overKeys = !llvm::is_contained(coordinates, column);
  auto type = cast<RankedTensorType>(op.getDpsInputs()[0].getType());
  for (unsigned axis = 0; axis < input.getNumResults(); ++axis) {
    Value &loop = loops[input.getDimPosition(axis)];
    if (loop)
      continue;
    if (!overKeys && type.isDynamicDim(axis))
      return std::nullopt;
    loop = overKeys ? column : addLane(type.getDimSize(axis));
  }
  SmallVector<Value> inner = mapCoordinates(input, loops);
  if (overKeys)
    return readOverKeys(op, inner, *reducer == Reducer::Maximum);
  return *reducer == Reducer::Sum ? readOverWidth(op, inner) : std::nullopt;
}

ScoreReader::Root ScoreReader::readOverKeys(linalg::LinalgOp op,
                                            Coordinates inner, bool isMaximum) {
  Root element = tryRead(op.getDpsInputs()[0], inner);
  if (!element || failed(*element))
    return element;
  Value scalar = scalars.sums.addArgument(builder.getF32Type(), op.getLoc());
  addRoot(scalar);
  reductions.push_back({scalar, **element, isMaximum});
  return scalar;
}

ScoreReader::Root ScoreReader::readOverWidth(linalg::LinalgOp op,
                                             Coordinates inner) {
  Root vector = tryRead(op.getDpsInputs()[0], inner);
  if (!vector || failed(*vector))
    return vector;
  return sumVector(**vector);
}

/// The sum over a vector that is made of both queries and keys.
ScoreReader::Root ScoreReader::sumVector(Value vector) {
  if (!isa<RankedTensorType>(vector.getType()))
    return std::nullopt;
  auto isOf = [](ArrayRef<VectorOperand> operands, Value value) {
    return llvm::any_of(operands, [&](const VectorOperand &operand) {
      return operand.argument == value;
    });
  };
  bool ofQuery = false, ofKey = false;
  llvm::SetVector<Value> worklist;
  worklist.insert(vector);
  for (size_t next = 0; next < worklist.size(); ++next) {
    Value value = worklist[next];
    ofQuery |= isOf(queries, value);
    ofKey |= isOf(keys, value);
    if (Operation *op = value.getDefiningOp())
      worklist.insert(op->operand_begin(), op->operand_end());
  }
  if (!ofQuery || !ofKey)
    return std::nullopt;
  Value sum = SumOp::create(builder, getLoc(), builder.getF32Type(), vector);
  addRoot(sum);
  return sum;
}

/// linear(x, w) with one element of its result: the sum of x times a row of w.
ScoreReader::Root ScoreReader::readLinear(LinearOp op,
                                          Coordinates coordinates) {
  Coordinates rowOfInput = coordinates.drop_back();
  auto type = cast<RankedTensorType>(op.getInput().getType());
  if (op.getWeights().size() != 1 || !op.getPrologue().empty() ||
      !readsRowAndColumn(rowOfInput) || hasLane(coordinates))
    return std::nullopt;
  Value lane = addLane(type.getShape().back());
  SmallVector<Value> atInput(rowOfInput), atWeight{coordinates.back(), lane};
  atInput.push_back(lane);
  Root input = tryRead(op.getInput(), atInput);
  if (!input || failed(*input))
    return input;
  FailureOr<Value> weight = readCapturedVector(op.getWeights()[0], atWeight);
  if (failed(weight) || !isa<RankedTensorType>((*input)->getType()))
    return fail("a linear of what is no vector");
  Value product = arith::MulFOp::create(builder, getLoc(), **input, *weight);
  Root sum = sumVector(product);
  if (!sum || op.getEpilogues().empty())
    return sum;

  IRMapping mapping;
  Block &epilogue = op.getEpilogues()[0].front();
  mapping.map(epilogue.getArgument(0), **sum);
  for (auto [number, capture] : llvm::enumerate(op.getCaptures())) {
    AffineMap map =
        cast<AffineMapAttr>((*op.getCaptureMaps())[number]).getValue();
    FailureOr<Value> scalar = read(capture, mapCoordinates(map, coordinates));
    if (failed(scalar))
      return failure();
    mapping.map(epilogue.getArgument(1 + number), *scalar);
  }
  for (Operation &inner : epilogue.without_terminator())
    if (failed(create(inner, mapping)))
      return failure();
  return mapping.lookup(epilogue.getTerminator()->getOperand(0));
}

/// True where a value follows from weights and constants alone: it is computed
/// when compiling.
static bool isKnownWhenCompiling(Value value) {
  llvm::SetVector<Value> worklist;
  worklist.insert(value);
  for (size_t next = 0; next < worklist.size(); ++next) {
    auto type = dyn_cast<RankedTensorType>(worklist[next].getType());
    Operation *op = worklist[next].getDefiningOp();
    if (!op || (type && !type.hasStaticShape()) || worklist.size() > 1000)
      return false;
    worklist.insert(op->operand_begin(), op->operand_end());
  }
  return true;
}

/// A table looked up for each pair of row and column, which then need no tensor
/// of their own.
ScoreReader::Root ScoreReader::readLookup(EmbeddingOp op,
                                          Coordinates coordinates) {
  if (!readsRowAndColumn(coordinates.drop_back()) || hasLane(coordinates) ||
      isKnownWhenCompiling(op.getResult()))
    return std::nullopt;
  FailureOr<Value> id = read(op.getIds(), coordinates.drop_back());
  if (failed(id))
    return failure();
  auto table = cast<RankedTensorType>(op.getTable().getType());
  auto constant = [&](int64_t value) {
    return arith::ConstantIntOp::create(builder, getLoc(), value, 64);
  };
  Value least = arith::MaxSIOp::create(builder, getLoc(), *id, constant(0));
  Value inside = arith::MinSIOp::create(builder, getLoc(), least,
                                        constant(table.getDimSize(0) - 1));
  Value at = arith::IndexCastOp::create(builder, getLoc(),
                                        builder.getIndexType(), inside);
  return FailureOr<Value>(readCapture(op.getTable(), {at, coordinates.back()}));
}
