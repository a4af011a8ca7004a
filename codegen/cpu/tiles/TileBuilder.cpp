// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operands, index arithmetic, loops and lanes of tile-level code.

#include "codegen/cpu/tiles/TileBuilder.h"

#include "dialect/AttnDialect.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

TileBuilder::TileBuilder(func::FuncOp kernel, func::FuncOp tiles,
                         const TargetSpec &target)
    : ImplicitLocOpBuilder(kernel.getLoc(), tiles.getContext()), target(target),
      kernel(kernel) {
  Block &body = tiles.getBody().front();
  setInsertionPointToEnd(&body);
  args = body.getArgument(0);
  if (body.getNumArguments() > 1)
    slotIndex = body.getArgument(1);
  int64_t word = kHeaderWords;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes()))
    arguments.push_back(
        operandAt(args, word, type, kernel.getArgAttr(i, kLayoutAttr)));
  for (Type type : kernel.getResultTypes())
    results.push_back(operandAt(args, word, type, {}));
}

Value TileBuilder::operandAt(Value args, int64_t &word, Type type,
                             Attribute layout) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  Type element = tensor.getElementType();
  if (auto panels = dyn_cast_or_null<PanelsAttr>(layout)) {
    int64_t width = panels.getWidth();
    shape = {(shape[0] + width - 1) / width, shape[1], width};
    if (panels.getStored())
      element = getI16Type(); // bf16: the upper half of an f32
  }
  auto buffer = MemRefType::get(shape, element);
  Value operand = OperandOp::create(*this, buffer, args, word);
  word += 1 + buffer.getNumDynamicDims();
  return operand;
}

Value TileBuilder::memory(Value tensor) const {
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return argument.getOwner()->getParentOp() == kernel
               ? arguments[argument.getArgNumber()]
               : Value();
  Operation *terminator =
      const_cast<func::FuncOp &>(kernel).getBody().front().getTerminator();
  for (auto [value, buffer] : llvm::zip(terminator->getOperands(), results))
    if (value == tensor)
      return buffer;
  return {};
}

Value TileBuilder::asRows(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t rank = type.getRank();
  if (rank == 2)
    return buffer;
  if (rank == 1)
    return memref::ExpandShapeOp::create(
        *this, MemRefType::get({1, type.getDimSize(0)}, type.getElementType()),
        buffer, ArrayRef<ReassociationIndices>{{0, 1}});
  ReassociationIndices rows = llvm::to_vector(llvm::seq<int64_t>(0, rank - 1));
  return memref::CollapseShapeOp::create(
      *this, buffer,
      ArrayRef<ReassociationIndices>{rows, ReassociationIndices{rank - 1}});
}

Value TileBuilder::dim(Value buffer, int64_t dimension) {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.isDynamicDim(dimension))
    return idx(type.getDimSize(dimension));
  return memref::DimOp::create(*this, buffer, dimension);
}

Value TileBuilder::size(Value buffer) {
  Value count = idx(1);
  for (int64_t d = 0; d < cast<MemRefType>(buffer.getType()).getRank(); ++d)
    count = mul(count, dim(buffer, d));
  return count;
}

Value TileBuilder::slots() {
  // At least 1, which LLVM has to see: its strength reduction leaves addresses
  // alone that hold a division whose divisor may be 0.
  Value slots = SlotsOp::create(*this, getIndexType(), args);
  return max(slots, idx(1));
}

Value TileBuilder::scratch(Value offset, MemRefType type, ValueRange sizes) {
  return ScratchOp::create(*this, type, args, slotIndex, offset, sizes);
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value TileBuilder::idx(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}
Value TileBuilder::add(Value a, Value b) {
  return createOrFold<arith::AddIOp>(a, b);
}
Value TileBuilder::sub(Value a, Value b) {
  return createOrFold<arith::SubIOp>(a, b);
}
Value TileBuilder::mul(Value a, Value b) {
  return createOrFold<arith::MulIOp>(a, b);
}
Value TileBuilder::div(Value a, Value b) {
  return createOrFold<arith::DivUIOp>(a, b);
}
Value TileBuilder::rem(Value a, Value b) {
  return createOrFold<arith::RemUIOp>(a, b);
}
Value TileBuilder::min(Value a, Value b) {
  return createOrFold<arith::MinUIOp>(a, b);
}
Value TileBuilder::max(Value a, Value b) {
  return createOrFold<arith::MaxUIOp>(a, b);
}
Value TileBuilder::ceilDiv(Value a, Value b) {
  return div(add(a, sub(b, idx(1))), b);
}
Value TileBuilder::less(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, a, b);
}
Value TileBuilder::equal(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, a, b);
}
Value TileBuilder::select(Value condition, Value then, Value otherwise) {
  return createOrFold<arith::SelectOp>(condition, then, otherwise);
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

void TileBuilder::forRange(Value lower, Value upper, Value step,
                           llvm::function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(*this, lower, upper, step);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVar());
}

SmallVector<Value> TileBuilder::forRange(
    Value lower, Value upper, Value step, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, lower, upper, step, inits);
  OpBuilder::InsertionGuard guard(*this);
  // Without carried values the builder has ended the body already.
  if (inits.empty())
    setInsertionPoint(loop.getBody()->getTerminator());
  else
    setInsertionPointToEnd(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(*this, next);
  return SmallVector<Value>(loop.getResults());
}

void TileBuilder::ifThen(Value condition, llvm::function_ref<void()> then) {
  auto op = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPoint(op.thenBlock()->getTerminator());
  then();
}

void TileBuilder::ifElse(Value condition, llvm::function_ref<void()> then,
                         llvm::function_ref<void()> otherwise) {
  auto none = [](llvm::function_ref<void()> branch) {
    branch();
    return SmallVector<Value>();
  };
  ifElse(
      condition, 0, [&] { return none(then); },
      [&] { return none(otherwise); });
}

SmallVector<Value>
TileBuilder::ifElse(Value condition, int count,
                    llvm::function_ref<SmallVector<Value>()> then,
                    llvm::function_ref<SmallVector<Value>()> otherwise) {
  SmallVector<Type> types(count, lanes());
  auto op = scf::IfOp::create(*this, types, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  auto fill = [&](Block *block, llvm::function_ref<SmallVector<Value>()> make) {
    // Without results the builder has ended the block already.
    if (types.empty())
      setInsertionPoint(block->getTerminator());
    else
      setInsertionPointToEnd(block);
    SmallVector<Value> values = make();
    if (!types.empty())
      scf::YieldOp::create(*this, values);
  };
  fill(op.thenBlock(), then);
  fill(op.elseBlock(), otherwise);
  return SmallVector<Value>(op.getResults());
}

std::pair<Value, Value> TileBuilder::share(Value tasks) {
  Value total = slots();
  return {div(mul(tasks, slotIndex), total),
          div(mul(tasks, add(slotIndex, 1)), total)};
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

VectorType TileBuilder::lanes(Type element) {
  return VectorType::get({kPanelWidth}, element);
}

Value TileBuilder::f32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}

Value TileBuilder::splat(double value) {
  return arith::ConstantOp::create(
      *this, DenseElementsAttr::get(lanes(), getF32FloatAttr(value)));
}

Value TileBuilder::splat(Value scalar) {
  if (isa<VectorType>(scalar.getType()))
    return scalar;
  Attribute constant;
  if (matchPattern(scalar, m_Constant(&constant)))
    return arith::ConstantOp::create(
        *this, DenseElementsAttr::get(lanes(scalar.getType()), constant));
  return vector::BroadcastOp::create(*this, lanes(scalar.getType()), scalar);
}

Value TileBuilder::laneIndices(Value base) {
  Value step = vector::StepOp::create(*this, lanes(getIndexType()));
  Value bases = vector::BroadcastOp::create(*this, lanes(getIndexType()), base);
  return arith::AddIOp::create(*this, bases, step);
}

Value TileBuilder::laneBase(Value vector) {
  auto sum = vector.getDefiningOp<arith::AddIOp>();
  if (!sum || !sum.getRhs().getDefiningOp<vector::StepOp>())
    return {};
  auto bases = sum.getLhs().getDefiningOp<vector::BroadcastOp>();
  return bases ? bases.getSource() : Value();
}

Value TileBuilder::laneMask(Value count) {
  return vector::CreateMaskOp::create(*this, lanes(getI1Type()),
                                      ValueRange{count});
}

Value TileBuilder::load(Value buffer, ValueRange indices, Value mask) {
  VectorType type = lanes(cast<MemRefType>(buffer.getType()).getElementType());
  if (!mask)
    return vector::LoadOp::create(*this, type, buffer, indices);
  Value zero = arith::ConstantOp::create(*this, getZeroAttr(type));
  return vector::MaskedLoadOp::create(*this, type, buffer, indices, mask, zero);
}

void TileBuilder::store(Value vector, Value buffer, ValueRange indices,
                        Value mask) {
  if (mask)
    vector::MaskedStoreOp::create(*this, buffer, indices, mask, vector);
  else
    vector::StoreOp::create(*this, vector, buffer, indices);
}

Value TileBuilder::loadScalar(Value buffer, ValueRange indices) {
  return memref::LoadOp::create(*this, buffer, indices);
}

/// bf16 words as f32.
Value TileBuilder::widened(Value words) {
  auto withElement = [&](Type element) -> Type {
    auto vector = dyn_cast<VectorType>(words.getType());
    return vector ? Type(vector.clone(element)) : element;
  };
  Type wide = withElement(getI32Type());
  Attribute half = getI32IntegerAttr(16);
  if (auto vector = dyn_cast<VectorType>(wide))
    half = DenseElementsAttr::get(vector, half);
  Value bits = arith::ExtUIOp::create(*this, wide, words);
  Value shift = arith::ConstantOp::create(*this, cast<TypedAttr>(half));
  bits = arith::ShLIOp::create(*this, bits, shift);
  return arith::BitcastOp::create(*this, withElement(getF32Type()), bits);
}

Value TileBuilder::loadPanel(Value panels, ValueRange indices) {
  Value stored = load(panels, indices);
  return stored.getType() == lanes() ? stored : widened(stored);
}

Value TileBuilder::loadPanelScalar(Value panels, ValueRange indices) {
  Value stored = loadScalar(panels, indices);
  return stored.getType().isF32() ? stored : widened(stored);
}

Value TileBuilder::gather(Value buffer, ValueRange indices, Value mask) {
  auto type = cast<MemRefType>(buffer.getType());
  Value offset = splat(indices.front());
  for (auto [d, index] : llvm::enumerate(indices.drop_front())) {
    Value width = splat(dim(buffer, d + 1));
    offset = arith::MulIOp::create(*this, offset, width);
    offset = arith::AddIOp::create(*this, offset, splat(index));
  }
  VectorType result = lanes(type.getElementType());
  if (!mask)
    mask = arith::ConstantOp::create(
        *this, DenseElementsAttr::get(lanes(getI1Type()), true));
  Value zero = arith::ConstantOp::create(*this, getZeroAttr(result));
  SmallVector<Value> origin(type.getRank(), idx(0));
  return vector::GatherOp::create(*this, result, buffer, origin, offset, mask,
                                  zero);
}

void TileBuilder::forLanes(Value count,
                           llvm::function_ref<void(Value, Value)> body) {
  forLanes(count, {}, [&](Value offset, Value mask, ValueRange) {
    body(offset, mask);
    return SmallVector<Value>();
  });
}

SmallVector<Value> TileBuilder::forLanes(
    Value count, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
  Value full = mul(div(count, kPanelWidth), kPanelWidth);
  SmallVector<Value> carried = forRange(idx(0), full, idx(kPanelWidth), inits,
                                        [&](Value offset, ValueRange values) {
                                          return body(offset, {}, values);
                                        });
  if (getConstantIntValue(OpFoldResult(count)).value_or(1) % kPanelWidth == 0)
    return carried;
  // At most one iteration, so that the partial group needs no branch of its
  // own.
  return forRange(full, count, idx(kPanelWidth), carried,
                  [&](Value offset, ValueRange values) {
                    return body(offset, laneMask(sub(count, offset)), values);
                  });
}

Value TileBuilder::fma(Value a, Value b, Value c) {
  return vector::FMAOp::create(*this, a, b, c);
}

Value TileBuilder::reduce(Value vector, Reduction kind) {
  for (int64_t half = kPanelWidth / 2; half >= 1; half /= 2) {
    auto part = [&](int64_t first) -> Value {
      SmallVector<int64_t> picks =
          llvm::to_vector(llvm::seq<int64_t>(first, first + half));
      return vector::ShuffleOp::create(*this, vector, vector, picks);
    };
    Value low = part(0), high = part(half);
    vector = kind == Reduction::Sum
                 ? Value(arith::AddFOp::create(*this, low, high))
                 : Value(arith::MaximumFOp::create(*this, low, high));
  }
  return vector::ExtractOp::create(*this, vector, ArrayRef<int64_t>{0});
}
