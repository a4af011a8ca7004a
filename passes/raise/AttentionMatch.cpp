// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads a product's weights back to queries, keys and what their scores take.

#include "passes/raise/AttentionMatch.h"

#include "passes/raise/AttentionOperands.h"
#include "passes/raise/ScoreSimplification.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace attn;

bool attn::isSize(Operation *op) {
  auto dim = dyn_cast<tensor::DimOp>(op);
  return dim && dim.getConstantIndex();
}

bool AttentionMatch::readWeights(Reason &reason) {
  builder.setInsertionPointToStart(&scalars.block);
  unsigned keysAt = output.getTransposeB() ? rank - 1 : rank - 2;
  reader.defineSize(output.getB(), keysAt, scalars.columns);
  FailureOr<Value> weight = reader.read(output.getA(), reader.getCoordinates());
  if (failed(weight)) {
    // Other products fail to be weights in their own ways.
    if (!reader.getChain().empty() || reader.softmax)
      reason = reader.getReason();
    return false;
  }
  if (!reader.isDerived(*weight)) {
    if (reader.hasOtherSoftmax)
      reason = "its scores are not a product of queries and keys";
    return false;
  }
  FailureOr<NormalizedScore> found =
      normalize(builder, reader, scalars, *weight, reason);
  if (failed(found))
    return false;
  parts = *found;
  parts.normalized.append({*weight, scalars.weight});
  return true;
}

/// Whether what `op` gives is the attention map: the weights by which values
/// are multiplied, all of them and in order.
bool AttentionMatch::isReturnedWeight(Operation *op) {
  for (const ElementReader::Element &element : reader.getElements())
    if (element.tensor.getDefiningOp() == op &&
        ArrayRef(element.coordinates) == reader.getCoordinates())
      return element.tensor == output.getA() ||
             (parts.weight == scalars.weight &&
              llvm::is_contained(parts.normalized, element.scalar));
  return false;
}

/// Scores that something else reads are in memory anyway.
bool AttentionMatch::findOtherReaders(Reason &reason) {
  const llvm::SetVector<Operation *> &chain = reader.getChain();
  for (Operation *op : chain) {
    for (Operation *user : op->getUsers()) {
      if (user == output || chain.contains(user) || isSize(user))
        continue;
      if (isReturnedWeight(op)) {
        if (!llvm::is_contained(returned, op->getResult(0)))
          returned.push_back(op->getResult(0));
        continue;
      }
      reason =
          "its scores are also read by " + user->getName().getStringRef().str();
      return false;
    }
  }
  for (Value capture : reader.getCaptures())
    if (chain.contains(capture.getDefiningOp())) {
      reason = "a score depends on scores at other places";
      return false;
    }
  return true;
}

/// Every query has a key and every key a query.
bool AttentionMatch::findPairs(Reason &reason) {
  auto isUsed = [](const VectorOperand &operand) {
    return !operand.argument.use_empty();
  };
  auto addPair = [&](unsigned query, unsigned key) {
    if (!llvm::is_contained(pairs, std::pair(query, key)))
      pairs.push_back({query, key});
  };
  for (const DotProduct &product : reader.products)
    if (isUsed(reader.queries[product.query]) &&
        isUsed(reader.keys[product.key]))
      addPair(product.query, product.key);

  auto findAlone = [&](ArrayRef<VectorOperand> operands, bool isQuery) {
    SmallVector<unsigned> alone;
    for (auto [number, operand] : llvm::enumerate(operands))
      if (isUsed(operand) && llvm::none_of(pairs, [&](auto pair) {
            return number == (isQuery ? pair.first : pair.second);
          }))
        alone.push_back(number);
    return alone;
  };
  SmallVector<unsigned> aloneQueries = findAlone(reader.queries, true);
  SmallVector<unsigned> aloneKeys = findAlone(reader.keys, false);
  auto widthOf = [](const VectorOperand &operand) {
    return operand.argument.getType();
  };
  for (unsigned query : aloneQueries) {
    auto fits = [&](unsigned key) {
      return widthOf(reader.keys[key]) == widthOf(reader.queries[query]);
    };
    auto key = llvm::find_if(aloneKeys, fits);
    if (key == aloneKeys.end()) {
      reason = "its scores use queries and keys of different widths";
      return false;
    }
    addPair(query, *key);
    aloneKeys.erase(key);
  }
  if (!aloneKeys.empty() || pairs.empty()) {
    reason = "its scores do not depend on queries and keys alike";
    return false;
  }
  return true;
}

bool AttentionMatch::layOut(Reason &reason) {
  auto fail = [&](StringRef why) {
    reason = why.str();
    return false;
  };
  SmallVector<Value> row{scalars.batch, scalars.head, scalars.row, Value()};
  if (rank == 5)
    row.insert(row.begin(), scalars.outer);
  SmallVector<Value> column(row);
  llvm::replace(column, scalars.row, scalars.column);
  SmallVector<Value> atValue(reader.getCoordinates().drop_back(2));
  atValue.append({scalars.column, Value()});
  if (output.getTransposeB())
    std::swap(atValue[rank - 2], atValue[rank - 1]);
  value = HeadLayout::find(output.getB(), atValue, column);
  for (auto [query, key] : pairs) {
    std::optional<HeadLayout> q = HeadLayout::find(
        reader.queries[query].tensor, reader.queries[query].coordinates, row);
    std::optional<HeadLayout> k = HeadLayout::find(
        reader.keys[key].tensor, reader.keys[key].coordinates, column);
    if (!q || !k)
      return fail("queries or keys have dimensions other than [batch, head, "
                  "row, width]");
    queries.push_back(*q);
    keys.push_back(*k);
  }
  RankedTensorType values = value->getType(), first = queries[0].getType();
  int64_t headsAt = row.size() - 3, heads = first.getDimSize(headsAt);
  if (ShapedType::isDynamic(heads) ||
      ShapedType::isDynamic(values.getDimSize(headsAt)) ||
      ShapedType::isDynamic(values.getShape().back()))
    return fail("the number of heads or their width is dynamic");
  // A batch or heads that one of them lacks would have to be repeated.
  auto hasBatches = [&](RankedTensorType type) {
    return llvm::equal(
        type.getShape().take_front(headsAt),
        values.getShape().take_front(headsAt),
        [](int64_t a, int64_t b) { return (a == 1) == (b == 1); });
  };
  for (auto [query, key] : llvm::zip_equal(queries, keys))
    for (RankedTensorType type : {query.getType(), key.getType()})
      if (!hasBatches(type) || type.getDimSize(headsAt) != heads)
        return fail("queries, keys and values differ in batch or heads");
  bool dividesBatch =
      rank == 5 && !(scalars.outer.use_empty() && scalars.batch.use_empty());
  if (dividesBatch && first.isDynamicDim(1))
    return fail("its scores depend on one of two dimensions of batches, of "
                "which the second is dynamic");
  return true;
}

//===----------------------------------------------------------------------===//
// Simplification
//===----------------------------------------------------------------------===//

void AttentionMatch::eraseUnused() {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(scalars.block))) {
    bool isResult = llvm::any_of(op.getResults(), [&](Value result) {
      return result == parts.score || result == parts.keep ||
             result == parts.weight;
    });
    if (op.use_empty() && !isResult)
      op.erase();
  }
}

/// Separates the mask from the score and joins its constant factors.
void AttentionMatch::simplify() {
  eraseUnused();
  builder.setInsertionPointToEnd(&scalars.block);
  if (parts.normalizer != Normalizer::Sum) {
    MaskedScore masked = extractKeep(builder, parts.score);
    parts.score = masked.score;
    parts.keep = masked.keep;
  }
  if (parts.keep)
    parts.weight = dropNanGuard(parts.weight, scalars.weight);
  eraseUnused();
  SmallVector<DotOp> dots(scalars.block.getOps<DotOp>());
  for (DotOp dot : dots)
    for (const DotProduct &product : reader.products)
      if (product.scalar == dot.getResult())
        parts.score = foldScale(builder, dot, product.factor, parts.score);
  eraseUnused();
}

void AttentionMatch::dropUnusedCaptures() {
  ArrayRef<Value> all = reader.getCaptures();
  ArrayRef<BlockArgument> arguments =
      scalars.block.getArguments().take_back(all.size());
  for (auto [capture, argument] : llvm::zip_equal(all, arguments))
    if (!argument.use_empty())
      captures.push_back({capture, argument});
}

bool AttentionMatch::match(Reason &reason) {
  if (rank > 5) {
    if (output.getA().getDefiningOp<SoftmaxOp>())
      reason = "its operands have more dimensions than [outer batch, batch, "
               "head, row, width]";
    return false;
  }
  if (!readWeights(reason) || !findOtherReaders(reason))
    return false;
  simplify();
  dropUnusedCaptures();
  return findPairs(reason) && layOut(reason);
}
