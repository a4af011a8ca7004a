// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Derives the function that generation calls step by step from a model of one
// whole sequence.

#include "dialect/AttnOps.h"
#include "dialect/ProgramAttributes.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/cache/EncodeFunction.h"
#include "passes/cache/LastRows.h"
#include "passes/cache/Positions.h"
#include "passes/cache/RaggedAttention.h"
#include "passes/cache/TokenRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace attn {
#define GEN_PASS_DEF_CACHEKEYS
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

constexpr StringRef kPass = "attn-cache-keys";

/// The name of the tokens' dimension: the second of the first result.
FailureOr<StringAttr> tokenDimension(func::FuncOp function) {
  if (function.getNumResults() == 0)
    return function.emitError("expects a result with a row for each token");
  auto type = cast<RankedTensorType>(function.getResultTypes()[0]);
  auto dims = function.getResultAttrOfType<ArrayAttr>(0, kDimsAttr);
  if (type.getRank() < 2 || type.getDimSize(0) != 1 || !type.isDynamicDim(1) ||
      !dims)
    return function.emitError("expects the first result to have one sequence "
                              "and a dynamic number of tokens, [1, ?, ...], "
                              "but got ")
           << type;
  return cast<StringAttr>(dims[1]);
}

/// The input whose last dimension is that of tokens: i64[1, tokens].
BlockArgument findTokenIds(func::FuncOp function, const TokenRows &tokens) {
  for (BlockArgument argument : function.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    if (tokens.isTokenInput(argument) && type.getElementType().isInteger(64) &&
        tokens.rowsOf(argument) == type.getRank() - 1)
      return argument;
  }
  return {};
}

/// Inputs of the model bear none of the names that a step has.
LogicalResult verifyInputs(func::FuncOp function, const TokenRows &tokens) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto name = function.getArgAttrOfType<StringAttr>(i, kNameAttr);
    if (name && llvm::is_contained({"counts", "past", "pages", "memory_pages",
                                    "memory_lengths", "cache"},
                                   name.getValue()))
      return function.emitError("expects no input named '")
             << name.getValue() << "', which generation adds; rename it";
  }
  if (findTokenIds(function, tokens))
    return success();
  return function.emitError("expects an input of token ids, i64[1, tokens]");
}

/// One entry for each attention, one after the other.
struct PageLayout {
  SmallVector<int64_t> self, cross;
  int64_t floats = 0;

  PageLayout(const TokenRows &tokens) {
    floats = std::max(place(tokens.selfAttentions, self),
                      place(tokens.crossAttentions, cross));
  }

private:
  static int64_t place(ArrayRef<AttentionOp> attentions,
                       SmallVector<int64_t> &offsets) {
    int64_t next = 0;
    for (AttentionOp attention : attentions) {
      auto key = cast<RankedTensorType>(attention.getKeys().front().getType());
      auto value = cast<RankedTensorType>(attention.getValue().getType());
      offsets.push_back(next);
      next += pageEntryFloats(key.getDimSize(1), key.getDimSize(3),
                              value.getDimSize(3));
    }
    return next;
  }
};

/// Rewrites the model function itself.
class StepFunction {
public:
  StepFunction(func::FuncOp function, TokenRows &tokens,
               const PageLayout &layout, StringRef dimension)
      : function(function), tokens(tokens), layout(layout),
        dimension(dimension), builder(function.getContext()) {}

  LogicalResult derive() {
    dropOtherResults();
    setWindow();
    addInputs();
    addRows();
    readPositions(tokens, position);
    for (auto [attention, offset] :
         llvm::zip_equal(tokens.selfAttentions, layout.self))
      cacheKeys(attention, offset);
    for (auto [attention, offset] :
         llvm::zip_equal(tokens.crossAttentions, layout.cross))
      readMemory(attention, offset);
    pickResultRows(function, tokens, lastRows, sequenceCount);
    eraseDeadOperations(function.getBody().front());
    renameDimensions();
    return eraseOtherInputs();
  }

private:
  Location loc() { return function.getLoc(); }

  void dropOtherResults() {
    auto result = function.getBody().front().getTerminator();
    result->setOperands(result->getOperand(0));
    llvm::BitVector others(function.getNumResults(), true);
    others.reset(0);
    if (failed(function.eraseResults(others)))
      llvm_unreachable("results of a model function can be erased");
  }

  /// What the widest attention sees, where all have a window.
  void setWindow() {
    int64_t widest = 0;
    for (AttentionOp attention : tokens.selfAttentions) {
      std::optional<int64_t> window = windowOf(attention);
      if (!window)
        return;
      widest = std::max(widest, *window);
    }
    function->setAttr(kWindowAttr, builder.getI64IntegerAttr(widest));
  }

  BlockArgument addInput(StringRef name, RankedTensorType type,
                         ArrayRef<StringRef> dims) {
    return addModelInput(function, name, type, dims);
  }

  void addInputs() {
    Type i64 = builder.getI64Type();
    int64_t any = ShapedType::kDynamic;
    auto perSequence = RankedTensorType::get({any}, i64);
    auto table = RankedTensorType::get({any, any}, i64);
    counts = addInput("counts", perSequence, {"sequences"});
    past = addInput("past", perSequence, {"sequences"});
    pages = addInput("pages", table, {"sequences", "blocks"});
    if (!tokens.crossAttentions.empty()) {
      memoryPages =
          addInput("memory_pages", table, {"sequences", "memory_blocks"});
      memoryLengths = addInput("memory_lengths", perSequence, {"sequences"});
    }
    cache = addCacheInput(function, layout.floats);
  }

  void addRows() {
    builder.setInsertionPointToStart(&function.getBody().front());
    Value like = findTokenIds(function, tokens);
    auto rowType =
        RankedTensorType::get({ShapedType::kDynamic}, builder.getI64Type());
    auto rows =
        TokenRowsOp::create(builder, loc(), counts.getType(), counts.getType(),
                            rowType, rowType, counts, past, like);
    starts = rows.getStarts(), lengths = rows.getLengths();
    sequence = rows.getSequence(), position = rows.getPosition();
    sequenceCount = tensor::DimOp::create(builder, loc(), counts, 0);
    lastRows = findLastRows();
  }

  /// starts + counts - 1
  Value findLastRows() {
    Value empty = tensor::EmptyOp::create(builder, loc(),
                                          ArrayRef<OpFoldResult>{sequenceCount},
                                          builder.getI64Type());
    AffineMap identity = builder.getMultiDimIdentityMap(1);
    return linalg::GenericOp::create(
               builder, loc(), empty.getType(), ValueRange{starts, counts},
               empty, ArrayRef{identity, identity, identity},
               ArrayRef{utils::IteratorType::parallel},
               [](OpBuilder &b, Location l, ValueRange arguments) {
                 Value end =
                     arith::AddIOp::create(b, l, arguments[0], arguments[1]);
                 Value one =
                     arith::ConstantIntOp::create(b, l, b.getI64Type(), 1);
                 linalg::YieldOp::create(
                     b, l, arith::SubIOp::create(b, l, end, one).getResult());
               })
        .getResult(0);
  }

  static RankedTensorType paged(Value keys) {
    auto type = cast<RankedTensorType>(keys.getType());
    return type.clone({ShapedType::kDynamic, type.getDimSize(1),
                       ShapedType::kDynamic, type.getDimSize(3)});
  }

  ReadPagesOp readPages(AttentionOp attention, Value from, Value offset,
                        Value table) {
    return ReadPagesOp::create(
        builder, attention.getLoc(), paged(attention.getKeys().front()),
        paged(attention.getValue()), from, offset, table);
  }

  /// attention(q, k, v) => attention(q, read_pages(append(k, v)))
  void cacheKeys(AttentionOp attention, int64_t offset) {
    builder.setInsertionPoint(attention);
    Value at = pageOffset(builder, attention.getLoc(), offset);
    Value written =
        AppendOp::create(builder, attention.getLoc(), cache.getType(), cache,
                         attention.getKeys().front(), attention.getValue(), at,
                         sequence, position, pages);
    ReadPagesOp read = readPages(attention, written, at, pages);
    remarkDone(kPass, attention,
               "keys and values are kept in pages, from float " +
                   Twine(offset));
    replaceAttention(attention,
                     {read.getKey(), read.getValue(), starts, lengths});
  }

  void readMemory(AttentionOp attention, int64_t offset) {
    builder.setInsertionPoint(attention);
    Value at = pageOffset(builder, attention.getLoc(), offset);
    ReadPagesOp read = readPages(attention, cache, at, memoryPages);
    remarkDone(kPass, attention,
               "keys and values of the other input are read from pages, from "
               "float " +
                   Twine(offset));
    replaceAttention(attention,
                     {read.getKey(), read.getValue(), starts, memoryLengths});
  }

  void replaceAttention(AttentionOp attention, const RaggedOperands &operands) {
    AttentionOp ragged = makeRagged(attention, operands);
    tokens.setRows(ragged.getOutput(), 2);
  }

  /// The result has a row for each sequence; inputs have all tokens.
  void renameDimensions() {
    auto rename = [&](ArrayAttr dims, StringRef name) {
      SmallVector<Attribute> names(dims.begin(), dims.end());
      for (Attribute &dim : names)
        if (cast<StringAttr>(dim).getValue() == dimension)
          dim = builder.getStringAttr(name);
      return builder.getArrayAttr(names);
    };
    for (BlockArgument argument : function.getArguments())
      if (tokens.isTokenInput(argument)) {
        if (isa<IntegerType>(getElementTypeOrSelf(argument)))
          function.setArgAttr(argument.getArgNumber(), kRoleAttr,
                              builder.getStringAttr("tokens"));
        function.setArgAttr(argument.getArgNumber(), kDimsAttr,
                            rename(function.getArgAttrOfType<ArrayAttr>(
                                       argument.getArgNumber(), kDimsAttr),
                                   "tokens"));
      }
    function.setResultAttr(
        0, kDimsAttr,
        rename(function.getResultAttrOfType<ArrayAttr>(0, kDimsAttr),
               "sequences"));
    auto limits = function->getAttrOfType<DictionaryAttr>(kDimMaxAttr);
    if (!limits)
      return;
    if (auto limit = limits.getAs<IntegerAttr>(dimension))
      function->setAttr(kMaxPositionsAttr, limit);
    function->removeAttr(kDimMaxAttr);
  }

  /// Inputs that only the encoder reads.
  LogicalResult eraseOtherInputs() {
    llvm::BitVector unused(function.getNumArguments());
    for (BlockArgument argument : function.getArguments())
      if (argument.use_empty() && argument != past && argument != pages)
        unused.set(argument.getArgNumber());
    return function.eraseArguments(unused);
  }

  func::FuncOp function;
  TokenRows &tokens;
  const PageLayout &layout;
  StringRef dimension;
  OpBuilder builder;
  BlockArgument counts, past, pages, memoryPages, memoryLengths, cache;
  Value starts, lengths, sequence, position, sequenceCount, lastRows;
};

struct CacheKeys : attn::impl::CacheKeysBase<CacheKeys> {
  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> models =
        modelFunctions(getOperation());
    if (failed(models))
      return signalPassFailure();
    for (func::FuncOp model : *models)
      if (failed(deriveFrom(model)))
        return signalPassFailure();
  }

  static LogicalResult verifyAttentions(const TokenRows &tokens) {
    for (AttentionOp attention : tokens.selfAttentions)
      if (failed(verifyCausal(attention)))
        return failure();
    for (AttentionOp attention : tokens.crossAttentions)
      if (failed(verifyCross(attention)))
        return failure();
    return success();
  }

  LogicalResult deriveFrom(func::FuncOp model) {
    eraseDeadOperations(model.getBody().front());
    FailureOr<StringAttr> dimension = tokenDimension(model);
    if (failed(dimension))
      return failure();
    FailureOr<TokenRows> tokens = TokenRows::compute(model, *dimension);
    if (failed(tokens) || failed(verifyInputs(model, *tokens)) ||
        failed(verifyAttentions(*tokens)))
      return failure();
    if (tokens->selfAttentions.empty())
      return model.emitError("has no attention whose keys could be kept: the "
                             "first result depends on none over '")
             << dimension->getValue() << "'";
    PageLayout layout(*tokens);
    std::string name = model.getName().str();
    if (!tokens->crossAttentions.empty()) {
      func::FuncOp encode = makeEncodeFunction(model, tokens->crossAttentions,
                                               layout.cross, layout.floats);
      encode.setName(name + "_encode");
      if (failed(setMemoryLength(model, encode, tokens->crossAttentions)))
        return encode.erase(), failure();
      SymbolTable(getOperation())
          .insert(encode, std::next(Block::iterator(model)));
    }
    model.setName(name + "_step");
    model->setAttr(kProgramAttr, StringAttr::get(&getContext(), "step"));
    return StepFunction(model, *tokens, layout, *dimension).derive();
  }
};

} // namespace
