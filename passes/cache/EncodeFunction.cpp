// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cuts a model at the keys and values of its cross-attentions.

#include "passes/cache/EncodeFunction.h"

#include "dialect/ProgramAttributes.h"
#include "passes/ModelFunctions.h"
#include "passes/plan/SymbolicShapes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn;

BlockArgument attn::addModelInput(func::FuncOp function, StringRef name,
                                  RankedTensorType type,
                                  ArrayRef<StringRef> dims) {
  Builder builder(function.getContext());
  unsigned number = function.getNumArguments();
  auto attributes = builder.getDictionaryAttr(
      {builder.getNamedAttr(kNameAttr, builder.getStringAttr(name)),
       builder.getNamedAttr(kDimsAttr, builder.getStrArrayAttr(dims)),
       builder.getNamedAttr(kRoleAttr, builder.getStringAttr(name))});
  if (failed(
          function.insertArgument(number, type, attributes, function.getLoc())))
    llvm_unreachable("arguments of a model function can be added");
  return function.getArgument(number);
}

BlockArgument attn::addCacheInput(func::FuncOp function, int64_t pageFloats) {
  Builder builder(function.getContext());
  auto type = RankedTensorType::get({ShapedType::kDynamic, pageFloats},
                                    builder.getF32Type());
  BlockArgument cache =
      addModelInput(function, "cache", type, {"page_count", ""});
  function.setArgAttr(cache.getArgNumber(), kInPlaceAttr,
                      builder.getUnitAttr());
  return cache;
}

Value attn::pageOffset(OpBuilder &builder, Location loc, int64_t floats) {
  auto type = RankedTensorType::get({}, builder.getI64Type());
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, floats));
}

/// element(linalg.index 0) for each of the rows of `keys`, [1, G, N, D].
static Value perRow(OpBuilder &builder, Location loc, Value keys,
                    function_ref<Value(OpBuilder &, Location)> element) {
  OpFoldResult size = tensor::getMixedSize(builder, loc, keys, 2);
  Value empty = tensor::EmptyOp::create(
      builder, loc, ArrayRef<OpFoldResult>{size}, builder.getI64Type());
  return linalg::GenericOp::create(
             builder, loc, empty.getType(), ValueRange(), empty,
             ArrayRef{builder.getMultiDimIdentityMap(1)},
             ArrayRef{utils::IteratorType::parallel},
             [&](OpBuilder &b, Location l, ValueRange) {
               linalg::YieldOp::create(b, l, element(b, l));
             })
      .getResult(0);
}

/// Writes keys and values of one sequence from position 0 on.
static void append(OpBuilder &builder, Location loc, Value key, Value value,
                   int64_t offset, BlockArgument pages, BlockArgument cache) {
  Value position =
      perRow(builder, loc, key, [](OpBuilder &b, Location l) -> Value {
        Value index = linalg::IndexOp::create(b, l, 0);
        return arith::IndexCastOp::create(b, l, b.getI64Type(), index);
      });
  Value sequence =
      perRow(builder, loc, key, [](OpBuilder &b, Location l) -> Value {
        return arith::ConstantIntOp::create(b, l, b.getI64Type(), 0);
      });
  AppendOp::create(builder, loc, cache.getType(), cache, key, value,
                   pageOffset(builder, loc, offset), sequence, position, pages);
}

static void eraseUnusedInputs(func::FuncOp function) {
  llvm::BitVector unused(function.getNumArguments());
  for (BlockArgument argument : function.getArguments())
    if (argument.use_empty())
      unused.set(argument.getArgNumber());
  if (failed(function.eraseArguments(unused)))
    llvm_unreachable("unused arguments of a model function can be erased");
}

/// Upper bounds of the dimensions that are left.
static void keepLimits(func::FuncOp function) {
  auto limits = function->getAttrOfType<DictionaryAttr>(kDimMaxAttr);
  if (!limits)
    return;
  SmallVector<NamedAttribute> kept;
  for (NamedAttribute limit : limits)
    for (BlockArgument argument : function.getArguments())
      if (auto dims = function.getArgAttrOfType<ArrayAttr>(
              argument.getArgNumber(), kDimsAttr);
          dims && llvm::is_contained(dims, Attribute(limit.getName()))) {
        kept.push_back(limit);
        break;
      }
  if (kept.empty())
    function->removeAttr(kDimMaxAttr);
  else
    function->setAttr(kDimMaxAttr,
                      DictionaryAttr::get(function.getContext(), kept));
}

LogicalResult attn::setMemoryLength(func::FuncOp model, func::FuncOp encode,
                                    ArrayRef<AttentionOp> attentions) {
  FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model);
  if (failed(shapes))
    return failure();
  auto lengthOf = [&](AttentionOp attention) {
    return shapes->shapeOf(attention.getKeys().front())[2];
  };
  AttentionOp first = attentions.front();
  DimExpr length = lengthOf(first);
  for (AttentionOp attention : attentions)
    if (!(lengthOf(attention) == length))
      return attention.emitError("expects ")
             << length.str(shapes->symbols())
             << " keys, as another attention over what is encoded has, but got "
             << lengthOf(attention).str(shapes->symbols());
  Builder builder(encode.getContext());
  if (std::optional<int64_t> constant = length.asConstant()) {
    encode->setAttr(kMemoryLengthAttr, builder.getI64IntegerAttr(*constant));
    return success();
  }
  for (auto [i, symbol] : llvm::enumerate(shapes->symbols())) {
    if (!(length == DimExpr::symbol(i)))
      continue;
    encode->setAttr(kMemoryLengthAttr, builder.getStringAttr(symbol));
    return success();
  }
  return first.emitError(
             "expects keys of a fixed number or of a dynamic dimension of the "
             "model, but got ")
         << length.str(shapes->symbols());
}

func::FuncOp attn::makeEncodeFunction(func::FuncOp model,
                                      ArrayRef<AttentionOp> attentions,
                                      ArrayRef<int64_t> offsets,
                                      int64_t pageFloats) {
  IRMapping mapping;
  auto encode = cast<func::FuncOp>(model->clone(mapping));
  encode->setAttr(kProgramAttr, StringAttr::get(model.getContext(), "encode"));
  auto table = RankedTensorType::get({1, ShapedType::kDynamic},
                                     IntegerType::get(model.getContext(), 64));
  BlockArgument pages =
      addModelInput(encode, "memory_pages", table, {"", "memory_blocks"});
  BlockArgument cache = addCacheInput(encode, pageFloats);
  for (auto [i, offset] : llvm::enumerate(offsets)) {
    AttentionOp attention = attentions[i];
    Value key = mapping.lookup(attention.getKeys().front());
    Value value = mapping.lookup(attention.getValue());
    OpBuilder builder(mapping.lookup(attention.getOperation()));
    append(builder, attention.getLoc(), key, value, offset, pages, cache);
  }
  Block &body = encode.getBody().front();
  body.getTerminator()->setOperands({});
  if (failed(
          encode.eraseResults(llvm::BitVector(encode.getNumResults(), true))))
    llvm_unreachable("results of a model function can be erased");
  eraseDeadOperations(body);
  eraseUnusedInputs(encode);
  keepLimits(encode);
  return encode;
}
