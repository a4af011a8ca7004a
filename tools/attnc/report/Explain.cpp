// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Joins the passes' remarks with the kernels that came out, by source place.

#include "tools/attnc/report/Explain.h"

#include "dialect/AttnOps.h"
#include "mlir/IR/Remarks.h"
#include "passes/Cost.h"
#include "passes/ModelFunctions.h"
#include "tools/attnc/report/Places.h"
#include "tools/attnc/report/Prediction.h"
#include "tools/attnc/report/Structure.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

using RemarkList = std::vector<RemarkRecord>;

class RemarkCollector : public mlir::remark::detail::MLIRRemarkStreamerBase {
public:
  explicit RemarkCollector(std::shared_ptr<RemarkList> remarks)
      : remarks(std::move(remarks)) {}

  void streamOptimizationRemark(
      const mlir::remark::detail::Remark &remark) override {
    SmallVector<std::string> places = placesOf(remark.getLocation());
    RemarkRecord record;
    record.place = places.empty() ? "" : places.front();
    record.operation = remark.getRemarkName().split('.').second.str();
    record.pass = remark.getCategoryName().str();
    for (const auto &argument : remark.getArgs())
      record.text += argument.val;
    record.isDone = remark.getRemarkType() == remarks::Type::Passed;
    if (!is_contained(*remarks, record))
      remarks->push_back(std::move(record));
  }

private:
  std::shared_ptr<RemarkList> remarks;
};

/// How a kernel is tiled on a target, by its name's stem.
std::string tileOf(StringRef kernel, const TargetSpec &target) {
  auto matrix = [](const MatrixTile &tile) {
    return formatv("{0}x{1}", tile.rows, tile.panels * kPanelWidth).str();
  };
  if (kernel.starts_with("linear"))
    return matrix(target.linear);
  if (kernel.starts_with("attention"))
    return matrix(target.attention) +
           formatv(" of {0} rows", target.attentionRows).str();
  return formatv("{0} lanes", target.lanes);
}

/// A remark names a map as MLIR does.
std::string displayName(StringRef operation) {
  return operation == "generic" ? "map" : operation.str();
}

OperationFate fateOf(const RemarkRecord &remark) {
  return {remark.place, displayName(remark.operation), remark.pass, remark.text,
          remark.isDone};
}

/// Fills an explanation, launch by launch.
class Collector {
public:
  Collector(const TargetSpec &target, const SymbolicShapes &shapes,
            const KnownRun &run, ArrayRef<RemarkRecord> remarks,
            const std::map<std::string, std::vector<std::string>> &operations,
            Explanation &explanation)
      : target(target), shapes(shapes), run(run), remarks(remarks),
        operations(operations), explanation(explanation) {}

  Error add(mlir::Block &block, int64_t times) {
    for (mlir::Operation &op : block) {
      Error error = Error::success();
      if (auto launch = dyn_cast<LaunchOp>(op))
        error = addLaunch(launch, times);
      else if (auto loop = dyn_cast<mlir::LoopLikeOpInterface>(op))
        error = add(loop.getLoopRegions().front()->front(),
                    times * static_cast<int64_t>(evaluate(
                                *iterationsOf(loop, shapes), run.sizes)));
      if (error)
        return error;
    }
    return Error::success();
  }

  void addOthers() {
    for (auto [i, remark] : enumerate(remarks))
      if (!told.contains(i))
        explanation.others.push_back(fateOf(remark));
  }

private:
  Error addLaunch(LaunchOp launch, int64_t times) {
    std::optional<Cost> cost = costOf(launch.getOperation(), shapes);
    if (!cost)
      return createStringError("a launch costs more than 64 bits count");
    KernelExplanation kernel;
    kernel.kernel = launch.getKernel().str();
    kernel.times = times;
    kernel.tile = tileOf(launch.getKernel(), target);
    kernel.flops = evaluate(cost->flops, run.sizes);
    kernel.bytes = evaluate(cost->bytes, run.sizes);
    double work = kernel.flops;
    if (auto pairs = countLaunchPairs(launch, shapes, run, target)) {
      kernel.attention = reportAttention(*pairs, target);
      kernel.flops *= kernel.attention->computedShare();
      work = kernel.flops +
             pairs->counts.computed() * kernel.attention->functionFlops;
    }
    kernel.seconds = predictSeconds(work, kernel.bytes, target);
    for (const std::string &place : placesOf(launch.getLoc()))
      addPlace(place, kernel);
    explanation.kernels.push_back(std::move(kernel));
    return Error::success();
  }

  /// The operations at a place, each with what passes said of it.
  void addPlace(const std::string &place, KernelExplanation &kernel) {
    auto it = operations.find(place);
    SmallVector<std::string> silent;
    if (it != operations.end())
      silent.assign(it->second.begin(), it->second.end());
    for (auto [i, remark] : enumerate(remarks)) {
      if (remark.place != place)
        continue;
      told.insert(i);
      kernel.operations.push_back(fateOf(remark));
      llvm::erase(silent, kernel.operations.back().operation);
    }
    for (const std::string &name : silent)
      kernel.operations.push_back({place, name, "", "", false});
  }

  const TargetSpec &target;
  const SymbolicShapes &shapes;
  const KnownRun &run;
  ArrayRef<RemarkRecord> remarks;
  const std::map<std::string, std::vector<std::string>> &operations;
  Explanation &explanation;
  SmallSet<size_t, 32> told;
};

} // namespace

Explainer::Explainer(mlir::func::FuncOp function)
    : remarks(std::make_shared<RemarkList>()) {
  for (mlir::Operation *op : modelOperations(function)) {
    std::string name = computationName(op);
    if (name.empty())
      continue;
    for (const std::string &place : placesOf(op->getLoc())) {
      std::vector<std::string> &names = operations[place];
      if (!is_contained(names, name))
        names.push_back(name);
    }
  }
  mlir::remark::RemarkCategories categories;
  categories.passed = categories.missed = ".*";
  // Fails only where remarks are collected already.
  (void)mlir::remark::enableOptimizationRemarks(
      *function.getContext(), std::make_unique<RemarkCollector>(remarks),
      std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(), categories);
}

Expected<Explanation> Explainer::explain(mlir::func::FuncOp planned,
                                         const TargetSpec &target,
                                         const ExplainedRun &run) const {
  auto shapes = SymbolicShapes::compute(planned);
  if (mlir::failed(shapes))
    return createStringError("the model's sizes cannot be counted; the reasons "
                             "are above");
  Explanation explanation;
  explanation.name = planned.getName();
  explanation.target = target.name;
  explanation.gflops = target.gflops;
  explanation.memoryGigabytes = target.memoryGigabytes;
  KnownRun known{{}, run.inputs};
  for (const std::string &symbol : shapes->symbols())
    for (const auto &[name, size] : run.sizes)
      if (name == symbol) {
        known.sizes.push_back(size);
        explanation.sizes.emplace_back(name, size);
      }
  Collector collector(target, *shapes, known, *remarks, operations,
                      explanation);
  if (Error error = collector.add(planned.getBody().front(), 1))
    return std::move(error);
  collector.addOthers();
  return explanation;
}
