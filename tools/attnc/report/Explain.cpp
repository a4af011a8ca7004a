// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Joins the passes' remarks with the kernels that came out, by source place.

#include "tools/attnc/report/Explain.h"

#include "codegen/package/Interface.h"
#include "dialect/AttnOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"
#include "passes/Cost.h"
#include "tools/attnc/report/AttentionReport.h"
#include "tools/attnc/report/Prediction.h"
#include "tools/attnc/report/Structure.h"
#include "tools/attnc/report/Table.h"
#include "tools/attnc/report/UsualSize.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

using RemarkList = std::vector<RemarkRecord>;

/// "vit.attn:35:11" of every place in a location, in order, each once.
SmallVector<std::string> placesOf(mlir::Location location) {
  SmallVector<std::string> places;
  location->walk([&](mlir::Location leaf) {
    if (auto place = dyn_cast<mlir::FileLineColLoc>(leaf)) {
      std::string text =
          formatv("{0}:{1}:{2}", sys::path::filename(place.getFilename()),
                  place.getLine(), place.getColumn());
      if (!is_contained(places, text))
        places.push_back(text);
    }
    return mlir::WalkResult::advance();
  });
  return places;
}

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

std::string milliseconds(double seconds) {
  return formatv("{0:F4} ms", seconds * 1e3);
}

/// Sizes for the symbols of a planned function, where bench would take them.
Expected<std::vector<std::pair<std::string, int64_t>>>
sizesOf(mlir::func::FuncOp planned) {
  auto interface = package::describeModel(planned);
  if (failed(interface))
    return createStringError("the model has no interface; the reasons are "
                             "above");
  std::vector<std::pair<std::string, int64_t>> sizes;
  for (const package::DimInterface &dim : interface->dims)
    sizes.emplace_back(dim.name,
                       std::clamp(usualSize(dim.name), dim.min, dim.max));
  return sizes;
}

class Printer {
public:
  Printer(const TargetSpec &target, const SymbolicShapes &shapes,
          std::vector<int64_t> sizes, ArrayRef<RemarkRecord> remarks,
          const std::map<std::string, std::vector<std::string>> &operations)
      : target(target), shapes(shapes), sizes(std::move(sizes)),
        remarks(remarks), operations(operations) {}

  Error add(mlir::Block &block, int64_t times) {
    for (mlir::Operation &op : block) {
      Error error = Error::success();
      if (auto launch = dyn_cast<LaunchOp>(op))
        error = addLaunch(launch, times);
      else if (auto loop = dyn_cast<mlir::scf::ForOp>(op))
        error = add(*loop.getBody(),
                    times * loop.getStaticTripCount()->getSExtValue());
      if (error)
        return error;
    }
    return Error::success();
  }

  void print(raw_ostream &os) {
    table.print(os);
    os << "\n  predicted " << milliseconds(total) << "\n";
    bool isFirst = true;
    for (auto [i, remark] : enumerate(remarks)) {
      if (told.contains(i))
        continue;
      os << (isFirst ? "\n  of operations that are part of no kernel:\n" : "")
         << "      " << describe(remark.place, remark.operation, &remark)
         << "\n";
      isFirst = false;
    }
  }

private:
  Error addLaunch(LaunchOp launch, int64_t times) {
    std::optional<Cost> cost = costOf(launch.getOperation(), shapes);
    if (!cost)
      return createStringError("a launch costs more than 64 bits count");
    double flops = evaluate(cost->flops, sizes);
    double bytes = evaluate(cost->bytes, sizes);
    double seconds = predictSeconds(flops, bytes, target);
    total += times * seconds;
    table.row({launch.getKernel().str(),
               times > 1 ? "x" + std::to_string(times) : "",
               tileOf(launch.getKernel(), target), withPrefix(flops, ""),
               withPrefix(bytes, "B"), milliseconds(seconds)});
    addAttention(launch);
    for (const std::string &place : placesOf(launch.getLoc()))
      addPlace(place);
    return Error::success();
  }

  /// The form of the attention that a kernel is.
  void addAttention(LaunchOp launch) {
    auto kernel =
        mlir::SymbolTable::lookupNearestSymbolFrom<mlir::func::FuncOp>(
            launch, launch.getKernelAttr());
    for (auto attention : kernel.getBody().getOps<AttentionOp>())
      for (const std::string &line : describeAttention(attention))
        table.note(line);
  }

  /// The operations at a place, each with what passes said of it.
  void addPlace(const std::string &place) {
    auto it = operations.find(place);
    SmallVector<std::string> silent;
    if (it != operations.end())
      silent.assign(it->second.begin(), it->second.end());
    for (auto [i, remark] : enumerate(remarks)) {
      if (remark.place != place)
        continue;
      told.insert(i);
      std::string name = displayName(remark.operation);
      llvm::erase(silent, name);
      table.note(describe(place, name, &remark));
    }
    for (const std::string &name : silent)
      table.note(describe(place, name, nullptr));
  }

  /// A remark names a map as MLIR does.
  static std::string displayName(StringRef operation) {
    return operation == "generic" ? "map" : operation.str();
  }

  static std::string describe(const std::string &place, StringRef operation,
                              const RemarkRecord *remark) {
    std::string text = formatv("{0,-18} {1,-11}", place, operation);
    if (!remark)
      return StringRef(text).rtrim().str();
    return text + (remark->isDone ? " fused: " : " not fused: ") +
           remark->text + " (" + remark->pass + ")";
  }

  const TargetSpec &target;
  const SymbolicShapes &shapes;
  std::vector<int64_t> sizes;
  ArrayRef<RemarkRecord> remarks;
  const std::map<std::string, std::vector<std::string>> &operations;
  Table table{{{"kernel", Table::Left},
               {"", Table::Right},
               {"tile", Table::Left},
               {"FLOP", Table::Right},
               {"memory", Table::Right},
               {"predicted", Table::Right}}};
  double total = 0;
  SmallSet<size_t, 32> told;
};

} // namespace

Explainer::Explainer(mlir::func::FuncOp function)
    : remarks(std::make_shared<RemarkList>()) {
  for (mlir::Operation &op : function.getBody().front()) {
    std::string name = computationName(&op);
    if (name.empty())
      continue;
    for (const std::string &place : placesOf(op.getLoc())) {
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

Error Explainer::print(mlir::func::FuncOp planned, const TargetSpec &target,
                       raw_ostream &os) const {
  auto sizes = sizesOf(planned);
  if (!sizes)
    return sizes.takeError();
  auto shapes = SymbolicShapes::compute(planned);
  if (mlir::failed(shapes))
    return createStringError("the model's sizes cannot be counted; the reasons "
                             "are above");
  os << planned.getName() << " for " << target.name
     << formatv(", one core of {0:F0} GFLOP/s and {1:F0} GB/s", target.gflops,
                target.memoryGigabytes);
  std::vector<int64_t> bySymbol;
  for (const std::string &symbol : shapes->symbols())
    for (const auto &[name, size] : *sizes)
      if (name == symbol) {
        bySymbol.push_back(size);
        os << ", " << name << "=" << size;
      }
  os << "\n\n";
  Printer printer(target, *shapes, std::move(bySymbol), *remarks, operations);
  if (Error error = printer.add(planned.getBody().front(), 1))
    return error;
  printer.print(os);
  return Error::success();
}
