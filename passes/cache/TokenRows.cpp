// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Follows the dimension of tokens through a model, op by op.

#include "passes/cache/TokenRows.h"

#include "passes/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

static InFlightDiagnostic refuse(Operation *op, const Twine &reason) {
  return op->emitError("cannot be computed for new tokens alone: ") << reason;
}

/// Operands, and what regions use from above.
static llvm::SetVector<Value> usedValues(Operation *op) {
  llvm::SetVector<Value> values(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), values);
  return values;
}

static bool isTensor(Value value) {
  return isa<RankedTensorType>(value.getType());
}

std::optional<int64_t> TokenRows::rowsOf(Value value) const {
  auto found = rows.find(value);
  return found == rows.end() ? std::nullopt : std::optional(found->second);
}

FailureOr<TokenRows> TokenRows::compute(func::FuncOp function,
                                        StringRef dimension) {
  TokenRows result;
  if (failed(result.bindArguments(function, dimension)))
    return failure();
  for (Operation &op : function.getBody().front().without_terminator())
    if (failed(result.visit(&op)))
      return failure();
  return result;
}

LogicalResult TokenRows::bindArguments(func::FuncOp function,
                                       StringRef dimension) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto dims = function.getArgAttrOfType<ArrayAttr>(number, kDimsAttr);
    auto type = cast<RankedTensorType>(argument.getType());
    for (int64_t d = 0; d < type.getRank(); ++d) {
      auto name = dims ? dyn_cast<StringAttr>(dims[d]) : StringAttr();
      if (name && name.getValue() == dimension &&
          !rows.try_emplace(argument, d).second)
        return function.emitError("expects argument ")
               << number << " to have the tokens along one dimension";
    }
    if (!rows.contains(argument))
      others.insert(argument);
  }
  return success();
}

LogicalResult TokenRows::visit(Operation *op) {
  llvm::SetVector<Value> used = usedValues(op);
  auto isIn = [](const llvm::DenseSet<Value> &set) {
    return [&set](Value value) { return set.contains(value); };
  };
  bool computesTensor = llvm::any_of(op->getResults(), isTensor);
  if (!computesTensor)
    return visitScalar(op);
  if (llvm::any_of(used, isIn(derived)))
    return refuse(op, "it depends on the number of tokens");
  bool hasOthers = llvm::any_of(used, isIn(others));
  bool hasTokens = llvm::any_of(used, [&](Value value) {
    return rows.contains(value) || counts.contains(value);
  });
  if (!hasTokens) {
    if (hasOthers)
      others.insert(op->result_begin(), op->result_end());
    return success();
  }
  if (isa<ScanOp>(op))
    return refuse(op, "it carries values from token to token, which are no "
                      "keys of a cache: recurrent models have no steps of "
                      "generation");
  if (auto attention = dyn_cast<AttentionOp>(op))
    return visitAttention(attention);
  if (hasOthers)
    return refuse(op, "it joins tokens with what another input gives, which "
                      "only keys and values of an attention may be");
  Rows found = rowsOfResult(op);
  if (failed(found))
    return failure();
  for (Value result : op->getResults())
    rows[result] = *found;
  return success();
}

/// Sizes and other numbers outside of tensors.
LogicalResult TokenRows::visitScalar(Operation *op) {
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> row = rowsOf(dim.getSource());
    if (row && dim.getConstantIndex() == row)
      counts.insert(dim);
    else if (row && !dim.getConstantIndex())
      derived.insert(dim);
    return success();
  }
  for (Value value : usedValues(op)) {
    if (rows.contains(value))
      return refuse(op, "it takes a number out of a tensor of tokens");
    if (counts.contains(value) || derived.contains(value))
      derived.insert(op->result_begin(), op->result_end());
    else if (others.contains(value))
      others.insert(op->result_begin(), op->result_end());
  }
  return success();
}

/// Masks are inputs that may be left out, as a rule.
static InFlightDiagnostic refuseCapture(AttentionOp attention, Value capture) {
  auto function = attention->getParentOfType<func::FuncOp>();
  auto argument = dyn_cast<BlockArgument>(capture);
  auto name = argument ? function.getArgAttrOfType<StringAttr>(
                             argument.getArgNumber(), kNameAttr)
                       : StringAttr();
  if (!name)
    return refuse(attention, "its score or mask reads a tensor of tokens or of "
                             "another input");
  return refuse(attention, "its score or mask reads the input '" +
                               name.getValue() +
                               "'; leave that out, if it is optional");
}

/// Queries are tokens; keys and values are tokens too, or none of them is.
LogicalResult TokenRows::visitAttention(AttentionOp attention) {
  if (attention.getQueries().size() != 1)
    return refuse(attention, "it has several queries and keys");
  if (attention.getWeights() || attention.getLogsumexp())
    return refuse(attention, "its attention map or log-sum-exp is read");
  Value query = attention.getQueries().front();
  Value key = attention.getKeys().front(), value = attention.getValue();
  std::optional<int64_t> keyRows = rowsOf(key), valueRows = rowsOf(value);
  if (rowsOf(query) != 2 || keyRows.value_or(2) != 2 || keyRows != valueRows)
    return refuse(attention, "its queries, keys and values do not all have "
                             "the tokens along dimension 2");
  for (Value capture : attention.getCaptures())
    if (rows.contains(capture) || others.contains(capture))
      return refuseCapture(attention, capture);
  (keyRows ? selfAttentions : crossAttentions).push_back(attention);
  rows[attention.getOutput()] = 2;
  return success();
}

TokenRows::Rows TokenRows::rowsOfResult(Operation *op) {
  return llvm::TypeSwitch<Operation *, Rows>(op)
      .Case([&](linalg::GenericOp generic) { return rowsOfGeneric(generic); })
      .Case([&](linalg::FillOp fill) -> Rows {
        return *rowsOf(fill.getDpsInits().front());
      })
      .Case([&](linalg::TransposeOp transpose) -> Rows {
        return llvm::find(transpose.getPermutation(),
                          *rowsOf(transpose.getInput())) -
               transpose.getPermutation().begin();
      })
      .Case([&](LinearOp linear) { return rowsOfLinear(linear); })
      .Case([&](MatmulOp matmul) { return rowsOfMatmul(matmul); })
      .Case([&](tensor::EmptyOp empty) { return rowsOfEmpty(empty); })
      .Case([&](tensor::ExtractSliceOp slice) { return rowsOfSlice(slice); })
      .Case([&](tensor::ConcatOp concat) { return rowsOfConcat(concat); })
      .Case([&](EmbeddingOp embedding) -> Rows {
        if (rowsOf(embedding.getTable()))
          return refuse(op, "its table is made of tokens");
        return *rowsOf(embedding.getIds());
      })
      .Case([&](LayerNormOp norm) {
        return rowsOfNorm(op, norm.getInput(), norm.getAxes());
      })
      .Case([&](RmsNormOp norm) {
        return rowsOfNorm(op, norm.getInput(), /*axes=*/1);
      })
      .Case([&](SoftmaxOp softmax) -> Rows {
        int64_t row = *rowsOf(softmax.getInput());
        if (row != static_cast<int64_t>(softmax.getAxis()))
          return row;
        return refuse(op, "it normalises along the tokens");
      })
      .Case([&](tensor::ExpandShapeOp expand) {
        return rowsOfReshape(op, expand.getReassociationIndices(),
                             expand.getResultType());
      })
      .Case([&](tensor::CollapseShapeOp collapse) {
        return rowsOfReshape(op, collapse.getReassociationIndices(),
                             collapse.getSrcType());
      })
      .Case([&](tensor::CastOp cast) -> Rows {
        return *rowsOf(cast.getSource());
      })
      .Default([&](Operation *) -> Rows {
        if (op->hasTrait<OpTrait::Elementwise>())
          return commonRows(op);
        return refuse(op, "it is not known to treat tokens one by one");
      });
}

/// The last `axes` dimensions are normalised.
TokenRows::Rows TokenRows::rowsOfNorm(Operation *op, Value input,
                                      int64_t axes) {
  int64_t row = *rowsOf(input);
  if (row < cast<RankedTensorType>(input.getType()).getRank() - axes)
    return row;
  return refuse(op, "it normalises along the tokens");
}

/// Tokens stay alone in their group of dimensions, but for those of size 1.
/// `wide` is the operand or result with more dimensions.
TokenRows::Rows TokenRows::rowsOfReshape(Operation *op,
                                         ArrayRef<ReassociationIndices> groups,
                                         RankedTensorType wide) {
  int64_t row = *rowsOf(op->getOperand(0));
  bool expands = isa<tensor::ExpandShapeOp>(op);
  const auto *group = llvm::find_if(groups, [&](const auto &candidate) {
    return expands ? &candidate - groups.data() == row
                   : llvm::is_contained(candidate, row);
  });
  std::optional<int64_t> found;
  for (int64_t d : *group) {
    if (wide.getDimSize(d) == 1)
      continue;
    if (found)
      return refuse(op, "it joins the tokens with another dimension or splits "
                        "them");
    found = d;
  }
  return expands ? *found : group - groups.data();
}

/// All tensors that an elementwise operation reads have one shape.
TokenRows::Rows TokenRows::commonRows(Operation *op) {
  std::optional<int64_t> common;
  for (Value operand : op->getOperands()) {
    std::optional<int64_t> row = rowsOf(operand);
    if (isTensor(operand) && (!row || row != common.value_or(*row)))
      return refuse(op, "its operands have tokens along different dimensions");
    common = row;
  }
  return *common;
}

/// Whether a generic is a running sum of ones along the tokens: the loop that
/// it sums over is theirs, up to the coordinate of the result.
static bool isRunningCount(linalg::GenericOp generic) {
  if (generic.getNumDpsInputs() != 1 || generic.getNumReductionLoops() != 1)
    return false;
  Value input = generic.getDpsInputs().front();
  auto ones = input.getDefiningOp<linalg::GenericOp>();
  if (!ones || ones.getNumDpsInputs() != 0 ||
      !matchPattern(ones.getBody()->getTerminator()->getOperand(0), m_One()))
    return false;
  auto fill = generic.getDpsInits().front().getDefiningOp<linalg::FillOp>();
  if (!fill || !matchPattern(fill.getInputs().front(), m_Zero()))
    return false;
  Block *body = generic.getBody();
  auto sum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddIOp>();
  if (!sum)
    return false;
  bool sumsFirst = sum.getLhs() == body->getArgument(1);
  if (!sumsFirst && sum.getRhs() != body->getArgument(1))
    return false;
  auto select = (sumsFirst ? sum.getRhs() : sum.getLhs())
                    .getDefiningOp<arith::SelectOp>();
  if (!select || select.getTrueValue() != body->getArgument(0) ||
      !matchPattern(select.getFalseValue(), m_Zero()))
    return false;
  auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return false;
  auto left = compare.getLhs().getDefiningOp<linalg::IndexOp>();
  auto right = compare.getRhs().getDefiningOp<linalg::IndexOp>();
  if (!left || !right)
    return false;
  auto predicate = compare.getPredicate();
  if (predicate == arith::CmpIPredicate::uge ||
      predicate == arith::CmpIPredicate::sge)
    std::swap(left, right);
  else if (predicate != arith::CmpIPredicate::ule &&
           predicate != arith::CmpIPredicate::sle)
    return false;
  auto iterators = generic.getIteratorTypesArray();
  return iterators[left.getDim()] == utils::IteratorType::reduction &&
         iterators[right.getDim()] == utils::IteratorType::parallel;
}

/// The dimension of `map`'s results that is loop `loop`, if there is one.
static std::optional<int64_t> resultOf(AffineMap map, unsigned loop) {
  for (auto [d, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr);
        dim && dim.getPosition() == loop)
      return d;
  return std::nullopt;
}

TokenRows::Rows TokenRows::rowsOfGeneric(linalg::GenericOp generic) {
  if (isRunningCount(generic)) {
    runningCounts.push_back(generic);
    return *rowsOf(generic.getDpsInits().front());
  }
  llvm::SetVector<Value> outside;
  getUsedValuesDefinedAbove(generic->getRegions(), outside);
  for (Value value : outside) {
    if (rows.contains(value))
      return refuse(generic, "it looks rows of tokens up");
    if (counts.contains(value))
      return refuse(generic, "it depends on the number of tokens");
  }
  std::optional<unsigned> loop;
  for (OpOperand &operand : generic->getOpOperands()) {
    std::optional<int64_t> row = rowsOf(operand.get());
    if (!row)
      continue;
    auto dim = dyn_cast<AffineDimExpr>(
        generic.getMatchingIndexingMap(&operand).getResult(*row));
    if (!dim || dim.getPosition() != loop.value_or(dim.getPosition()))
      return refuse(generic, "it combines different tokens");
    loop = dim.getPosition();
  }
  if (generic.getIteratorTypesArray()[*loop] != utils::IteratorType::parallel)
    return refuse(generic, "it reduces over the tokens, so that each new one "
                           "may change what the cache holds of earlier ones");
  std::optional<int64_t> found;
  for (OpOperand &init : generic.getDpsInitsMutable()) {
    std::optional<int64_t> row =
        resultOf(generic.getMatchingIndexingMap(&init), *loop);
    if (!row || row != found.value_or(*row))
      return refuse(generic, "its results have tokens along different "
                             "dimensions");
    found = row;
  }
  bool usesPosition = false;
  generic.getBody()->walk(
      [&](linalg::IndexOp index) { usesPosition |= index.getDim() == *loop; });
  if (usesPosition)
    ramps.push_back({generic, *loop});
  return *found;
}

TokenRows::Rows TokenRows::rowsOfLinear(LinearOp linear) {
  std::optional<int64_t> row = rowsOf(linear.getInput());
  auto type = cast<RankedTensorType>(linear.getInput().getType());
  if (!row || *row == type.getRank() - 1)
    return refuse(linear, "it multiplies along the tokens");
  auto readsOthers = [&](ValueRange values) {
    return llvm::any_of(values, [&](Value v) { return rows.contains(v); });
  };
  if (readsOthers(linear.getWeights()) ||
      readsOthers(linear.getPrologueCaptures()))
    return refuse(linear, "its weights are made of tokens");
  for (auto [i, capture] : llvm::enumerate(linear.getCaptures())) {
    std::optional<int64_t> captured = rowsOf(capture);
    if (!captured)
      continue;
    AffineMap map =
        cast<AffineMapAttr>((*linear.getCaptureMaps())[i]).getValue();
    if (resultOf(map, *row) != captured)
      return refuse(linear, "it combines different tokens");
  }
  return *row;
}

TokenRows::Rows TokenRows::rowsOfMatmul(MatmulOp matmul) {
  std::optional<int64_t> a = rowsOf(matmul.getA()), b = rowsOf(matmul.getB());
  int64_t rank = cast<RankedTensorType>(matmul.getType()).getRank();
  int64_t rowsOfB = matmul.getTransposeB() ? rank - 2 : rank - 1;
  if (a && a != rank - 1 && (!b || (a == b && *a < rank - 2)))
    return *a;
  if (b && !a && *b < rank - 2)
    return *b;
  if (b && !a && b == rowsOfB)
    return rank - 1;
  return refuse(matmul, "it multiplies tokens with one another");
}

TokenRows::Rows TokenRows::rowsOfEmpty(tensor::EmptyOp empty) {
  std::optional<int64_t> found;
  for (auto [d, size] : llvm::enumerate(empty.getMixedSizes())) {
    auto value = dyn_cast<Value>(size);
    if (!value || !counts.contains(value))
      continue;
    if (found)
      return refuse(empty, "it has the tokens along two dimensions");
    found = d;
  }
  return *found;
}

/// A slice along other dimensions, or the first rows of a constant table: what
/// is added at each position.
TokenRows::Rows TokenRows::rowsOfSlice(tensor::ExtractSliceOp slice) {
  auto isCountAt = [&](int64_t d) {
    auto size = dyn_cast<Value>(slice.getMixedSizes()[d]);
    return size && counts.contains(size) &&
           getConstantIntValue(slice.getMixedStrides()[d]) == 1;
  };
  if (slice.getType().getRank() != slice.getSourceType().getRank())
    return refuse(slice, "it drops dimensions");
  if (std::optional<int64_t> row = rowsOf(slice.getSource())) {
    if (isCountAt(*row) &&
        getConstantIntValue(slice.getMixedOffsets()[*row]) == 0)
      return *row;
    return refuse(slice, "it takes some of the tokens");
  }
  std::optional<int64_t> found;
  RankedTensorType source = slice.getSourceType();
  for (int64_t d = 0; d < source.getRank(); ++d) {
    std::optional<int64_t> offset =
        getConstantIntValue(slice.getMixedOffsets()[d]);
    bool isWhole =
        offset == 0 &&
        getConstantIntValue(slice.getMixedSizes()[d]) == source.getDimSize(d);
    if (isWhole && (found || source.getDimSize(d) == 1))
      continue;
    if (found || !isCountAt(d) || !offset || !source.hasStaticShape() ||
        !source.getElementType().isF32())
      return refuse(slice, "it is not the first rows of a constant table");
    found = d;
  }
  if (!found)
    return refuse(slice, "it is not the first rows of a constant table");
  tables.push_back(slice);
  return *found;
}

TokenRows::Rows TokenRows::rowsOfConcat(tensor::ConcatOp concat) {
  std::optional<int64_t> common;
  for (Value input : concat.getInputs()) {
    std::optional<int64_t> row = rowsOf(input);
    if (!row || row != common.value_or(*row))
      return refuse(concat, "it joins tokens with other rows");
    common = row;
  }
  if (*common == static_cast<int64_t>(concat.getDim()))
    return refuse(concat, "it joins tokens with other rows");
  return *common;
}
