// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What became of an attention, in words.

#include "tools/attnc/report/AttentionReport.h"

#include "codegen/attention/ScoreProgram.h"
#include "codegen/cpu/attention/Scratch.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tools/attnc/report/Places.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

static std::string counted(size_t count, StringRef one, StringRef several) {
  return formatv("{0} {1}", count, count == 1 ? one : several).str();
}

/// "2 matrix products and 1 loop over the width for each query and key".
static std::string describeTerms(const ScoreProgram &program) {
  size_t products = 0, loops = 0, factored = 0, squares = 0;
  for (const PairTerm &term : program.terms()) {
    products += term.products.size();
    squares += term.squares.has_value();
    loops += term.products.empty();
    factored += term.products.empty() && !term.factored.empty();
  }
  std::string text;
  if (products)
    text = counted(products, "matrix product", "matrix products");
  if (squares)
    text += ", " + counted(squares, "squared distance", "squared distances") +
            " by |x + y|^2 = |x|^2 + |y|^2 + 2 xy where digits do not cancel";
  if (loops) {
    text += (products ? " and " : "") +
            counted(loops, "loop over the width", "loops over the width") +
            " for each query and key";
    if (factored)
      text += ", powers taken of queries and keys apart";
  }
  return text.empty() ? "no product of queries and keys" : text;
}

static std::string describeScore(AttentionOp op, const ScoreProgram &program) {
  std::string text =
      (stringifyNormalizer(op.getNormalizer()) + " of scores from ").str() +
      describeTerms(program);
  if (op.getQueries().size() > 1)
    text += ", " + counted(op.getQueries().size(), "pair", "pairs") +
            " of queries and keys";
  return text;
}

static std::string formOf(const ScoreProgram &program) {
  auto isSquare = [](const PairTerm &term) { return term.squares.has_value(); };
  auto isLoop = [](const PairTerm &term) { return term.products.empty(); };
  auto isProduct = [&](const PairTerm &term) {
    return !isSquare(term) && !isLoop(term);
  };
  SmallVector<StringRef> forms;
  if (any_of(program.terms(), isProduct))
    forms.push_back("matrix product");
  if (any_of(program.terms(), isSquare))
    forms.push_back("squared distance");
  if (any_of(program.terms(), isLoop))
    forms.push_back("pair loop");
  return forms.empty() ? "positions" : join(forms, " and ");
}

/// As people write an operation in an expression.
static std::string written(mlir::Operation *op) {
  StringRef name = op->getName().stripDialect();
  return ("'" +
          StringSwitch<StringRef>(name)
              .Cases({"addf", "addi"}, "+")
              .Cases({"subf", "subi"}, "-")
              .Cases({"mulf", "muli"}, "*")
              .Case("divf", "/")
              .Cases({"maximumf", "maxsi"}, "max")
              .Cases({"minimumf", "minsi"}, "min")
              .Case("absf", "abs")
              .Default(name) +
          "'")
      .str();
}

static std::string withPlace(mlir::Operation *op) {
  SmallVector<std::string> places = placesOf(op->getLoc());
  std::string what =
      isa<mlir::tensor::ExtractOp>(op) ? "the element" : written(op);
  return what + (places.empty() ? "" : " at " + places.front());
}

/// The operations on vectors that a term needs for each pair.
static SetVector<mlir::Operation *> pairOperations(const ScoreProgram &program,
                                                   const PairTerm &term) {
  SetVector<mlir::Operation *> found;
  SmallVector<mlir::Value> work(term.op->getOperands());
  while (!work.empty()) {
    mlir::Value value = program.representative(work.pop_back_val());
    mlir::Operation *op = value.getDefiningOp();
    if (op && program.sideOf(value) == Side::Pair &&
        isa<mlir::RankedTensorType>(value.getType()) && found.insert(op))
      append_range(work, op->getOperands());
  }
  return found;
}

/// What a loop unrolls has one place and one reason.
static void addOnce(std::string reason, std::vector<std::string> &reasons) {
  if (!is_contained(reasons, reason))
    reasons.push_back(std::move(reason));
}

/// Where a query and a key meet before the sum over the width.
static void explainLoops(const ScoreProgram &program,
                         std::vector<std::string> &reasons) {
  for (const PairTerm &term : program.terms()) {
    if (!term.products.empty())
      continue;
    for (mlir::Operation *op : pairOperations(program, term))
      if (none_of(op->getOperands(), [&](mlir::Value operand) {
            return program.sideOf(operand) == Side::Pair;
          }))
        addOnce("no matrix product: " + withPlace(op) +
                    " joins a query and a key inside the sum",
                reasons);
  }
}

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

static bool isElementary(mlir::Operation *op) {
  return isa<mlir::math::MathDialect>(op->getDialect()) &&
         !isa<mlir::math::AbsFOp, mlir::math::FloorOp, mlir::math::FmaOp,
              mlir::math::SqrtOp>(op);
}

static double functionFlopsOf(AttentionOp op, const ScoreProgram &program,
                              const FunctionFlops &each) {
  double flops = op.getNormalizer() == Normalizer::Softmax   ? each.power
                 : op.getNormalizer() == Normalizer::Sigmoid ? each.function
                                                             : 0;
  DenseSet<mlir::Operation *> factored;
  for (const PairTerm &term : program.terms())
    for (const Factored &power : term.factored)
      factored.insert(power.op);
  for (mlir::Operation *inner : program.operations()) {
    mlir::Value result = inner->getResult(0);
    if (!isElementary(inner) || program.sideOf(result) != Side::Pair)
      continue;
    auto vector = dyn_cast<mlir::RankedTensorType>(result.getType());
    flops += (factored.contains(inner) ? each.factored : each.function) *
             (vector ? vector.getNumElements() : 1);
  }
  return flops;
}

//===----------------------------------------------------------------------===//
// Keep
//===----------------------------------------------------------------------===//

static std::string whyUnknown(mlir::Operation *op) {
  if (auto extract = dyn_cast<mlir::tensor::ExtractOp>(op)) {
    if (!extract.getType().isIntOrIndex())
      return "reads f32, and blocks are decided from integers alone";
    return "is read for each query and key at once, which a block of them "
           "cannot search";
  }
  if (isa<DotOp, SumOp>(op))
    return "depends on what queries and keys hold";
  if (getElementTypeOrSelf(op->getResult(0).getType()).isF32())
    return "is f32, and blocks are decided from integers alone";
  return "is arithmetic whose bounds are not followed";
}

static void explainKeep(const LaunchPairs &pairs,
                        std::vector<std::string> &reasons) {
  if (pairs.counts.asked > 0)
    for (mlir::Operation *cause : pairs.obstacles)
      addOnce("keep is asked for pairs: " + withPlace(cause) + " " +
                  whyUnknown(cause),
              reasons);
  if (!pairs.unknownInputs.empty())
    reasons.push_back("what else is left out depends on " +
                      join(pairs.unknownInputs, ", ") + ": --inputs tells");
  if (!pairs.unknownValues.empty())
    reasons.push_back("what else is left out depends on " +
                      join(pairs.unknownValues, ", ") +
                      ", which the model computes");
}

//===----------------------------------------------------------------------===//
// All of it
//===----------------------------------------------------------------------===//

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

static std::string describeRest(AttentionOp op) {
  std::string more;
  auto add = [&](bool has, StringRef what) {
    if (has)
      more += ((more.empty() ? "with " : ", ") + what).str();
  };
  add(!op.getKeep().empty(), "a keep");
  add(!op.getWeight().empty(), "a factor of the weights");
  add(op.getSink() != nullptr, "a sink");
  add(op.getWeights() != nullptr, "weights returned");
  add(op.getLogsumexp() != nullptr, "log-sum-exp returned");
  return more;
}

AttentionReport attn::tool::reportAttention(const LaunchPairs &pairs,
                                            const TargetSpec &target) {
  AttentionOp op = pairs.attention;
  ScoreProgram program(op);
  AttentionReport report;
  report.form = formOf(program);
  report.lines.push_back(describeScore(op, program));
  if (!op.getCaptures().empty())
    report.lines.push_back(describeCaptures(op));
  if (std::string rest = describeRest(op); !rest.empty())
    report.lines.push_back(std::move(rest));
  report.hasKeep = !op.getKeep().empty();
  report.blockQueries = target.attentionRows;
  report.blockKeys = cpu::kBlockKeys;
  report.counts = pairs.counts;
  report.unknownInputs = pairs.unknownInputs;
  report.functionFlops = functionFlopsOf(op, program, target.functionFlops);
  explainLoops(program, report.reasons);
  if (report.hasKeep)
    explainKeep(pairs, report.reasons);
  return report;
}

double AttentionReport::computedShare() const {
  return counts.all() > 0 ? counts.computed() / counts.all() : 1;
}

std::vector<std::string> AttentionReport::text() const {
  std::vector<std::string> all = lines;
  if (hasKeep && counts.all() > 0) {
    auto percent = [&](double part) {
      return formatv("{0:F1}%", 100 * part / counts.all()).str();
    };
    all.push_back(formatv("blocks of {0} queries and {1} keys: {2} left out, "
                          "{3} kept whole, {4} asked pair by pair",
                          blockQueries, blockKeys, percent(counts.skipped),
                          percent(counts.whole), percent(counts.asked)));
  }
  append_range(all, reasons);
  return all;
}

json::Object AttentionReport::toJson() const {
  json::Object object{{"form", form},
                      {"description", json::Array(lines)},
                      {"reasons", json::Array(reasons)},
                      {"pairs", counts.all()},
                      {"computed_pairs", counts.computed()}};
  if (hasKeep)
    object["keep"] =
        json::Object{{"block_queries", blockQueries},
                     {"block_keys", blockKeys},
                     {"left_out_pairs", counts.skipped},
                     {"whole_pairs", counts.whole},
                     {"asked_pairs", counts.asked},
                     {"unknown_inputs", json::Array(unknownInputs)}};
  return object;
}
