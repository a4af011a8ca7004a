// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What form an attention has, in words.

#include "tools/attnc/report/AttentionReport.h"

#include "codegen/attention/ScoreProgram.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

static std::string counted(size_t count, StringRef one, StringRef several) {
  return formatv("{0} {1}", count, count == 1 ? one : several).str();
}

/// "2 matrix products and 1 loop over the width of 8".
static std::string describeTerms(const ScoreProgram &program) {
  size_t products = 0, loops = 0, factored = 0;
  for (const PairTerm &term : program.terms()) {
    products += term.products.size();
    loops += term.products.empty();
    factored += term.products.empty() && !term.factored.empty();
  }
  std::string text;
  if (products)
    text = counted(products, "matrix product", "matrix products");
  if (loops) {
    text += (products ? " and " : "") +
            counted(loops, "loop over the width", "loops over the width") +
            " for each query and key";
    if (factored)
      text += ", powers taken of queries and keys apart";
  }
  return text.empty() ? "no product of queries and keys" : text;
}

static std::string describeScore(AttentionOp op) {
  std::string text =
      (stringifyNormalizer(op.getNormalizer()) + " of scores from ").str() +
      describeTerms(ScoreProgram(op));
  if (op.getQueries().size() > 1)
    text += ", " + counted(op.getQueries().size(), "pair", "pairs") +
            " of queries and keys";
  return text;
}

/// Which regions read which captures, by type.
static std::string describeCaptures(AttentionOp op) {
  std::string text;
  raw_string_ostream os(text);
  unsigned first = 2 * op.getQueries().size() + 6;
  for (auto [number, capture] : enumerate(op.getCaptures())) {
    os << (number ? "; " : "reads ") << capture.getType() << " in";
    std::pair<StringRef, mlir::Region *> regions[] = {
        {" score", &op.getScore()},
        {" keep", &op.getKeep()},
        {" weight", &op.getWeight()}};
    for (auto [name, region] : regions)
      if (!region->empty() && !region->getArgument(first + number).use_empty())
        os << name;
  }
  return text;
}

std::vector<std::string> attn::tool::describeAttention(AttentionOp op) {
  std::vector<std::string> lines{describeScore(op)};
  if (!op.getCaptures().empty())
    lines.push_back(describeCaptures(op));
  std::string more;
  auto add = [&](bool has, StringRef what) {
    if (has)
      more += ((more.empty() ? "" : ", ") + what).str();
  };
  add(!op.getKeep().empty(), "a keep");
  add(!op.getWeight().empty(), "a factor of the weights");
  add(op.getSink() != nullptr, "a sink");
  add(op.getWeights() != nullptr, "weights returned");
  add(op.getLogsumexp() != nullptr, "log-sum-exp returned");
  if (!more.empty())
    lines.push_back("with " + more);
  return lines;
}
