// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Follows what a keep reads back to inputs and to tables of the model.

#include "tools/attnc/engine/LaunchPairs.h"

#include "codegen/reference/Evaluator.h"
#include "dialect/AttnDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Cost.h"
#include "tools/attnc/engine/Launches.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

class LaunchReader {
public:
  LaunchReader(LaunchOp launch, AttentionOp attention,
               const SymbolicShapes &shapes, const KnownRun &run)
      : launch(launch), attention(attention), shapes(shapes), run(run) {}

  std::optional<cpu::AttentionSizes> sizes() {
    auto inside = shapes.insideOf(launch);
    if (failed(inside))
      return std::nullopt;
    std::vector<int64_t> query =
        numbers(inside->shapeOf(attention.getQueries().front()));
    std::vector<int64_t> value = numbers(inside->shapeOf(attention.getValue()));
    return cpu::AttentionSizes{query[0], query[1], query[2], value[2]};
  }

  /// Notes in `pairs` what is not known.
  SmallVector<cpu::CaptureValues> captures(LaunchPairs &pairs) {
    SmallVector<cpu::CaptureValues> all;
    for (auto [number, capture] : enumerate(attention.getCaptures())) {
      // A capture of a kernel is its argument.
      auto argument = cast<mlir::BlockArgument>(capture);
      mlir::Value given = launch.getOperand(argument.getArgNumber());
      std::vector<int64_t> shape = numbers(shapes.shapeOf(given));
      all.push_back({SmallVector<int64_t>(ArrayRef(shape)), std::nullopt});
      if (!decidesBlocks(number, pairs.obstacles))
        continue;
      all.back().integers = valuesOf(given);
      if (!all.back().integers)
        noteUnknown(given, pairs);
    }
    return all;
  }

private:
  /// Whether keep reads a capture where a block may search it.
  bool decidesBlocks(unsigned number, ArrayRef<mlir::Operation *> obstacles) {
    if (attention.getKeep().empty())
      return false;
    unsigned first = 2 * attention.getQueries().size() + 6;
    mlir::BlockArgument argument =
        attention.getKeep().getArgument(first + number);
    return !all_of(argument.getUsers(), [&](mlir::Operation *user) {
      return is_contained(obstacles, user) || isa<mlir::tensor::DimOp>(user);
    });
  }

  std::vector<int64_t> numbers(ArrayRef<DimExpr> shape) {
    std::vector<int64_t> values;
    for (const DimExpr &size : shape)
      values.push_back(static_cast<int64_t>(evaluate(size, run.sizes)));
    return values;
  }

  /// The value that others are only another view of.
  static mlir::Value sourceOf(mlir::Value value) {
    while (mlir::Operation *op = value.getDefiningOp()) {
      if (!isa<mlir::tensor::CastOp, mlir::tensor::CollapseShapeOp,
               mlir::tensor::ExpandShapeOp>(op))
        break;
      value = op->getOperand(0);
    }
    return value;
  }

  std::optional<std::vector<int64_t>> valuesOf(mlir::Value value) {
    value = sourceOf(value);
    if (!mlir::getElementTypeOrSelf(value.getType()).isIntOrIndex())
      return std::nullopt;
    if (auto argument = dyn_cast<mlir::BlockArgument>(value))
      return isInput(argument) ? inputValues(argument.getArgNumber())
                               : std::nullopt;
    if (auto get = value.getDefiningOp<GetParameterOp>())
      return parameterValues(get);
    return std::nullopt;
  }

  static bool isInput(mlir::BlockArgument argument) {
    return isa<mlir::func::FuncOp>(argument.getOwner()->getParentOp());
  }

  std::optional<std::vector<int64_t>> inputValues(unsigned number) {
    if (run.inputs.empty())
      return std::nullopt;
    const weights::Tensor &tensor = run.inputs[number];
    std::vector<int64_t> values(tensor.elements());
    weights::readAsI64(tensor, 0, values);
    return values;
  }

  /// A table that the compiler computes, if it is one for all layers and
  /// depends on no weight.
  std::optional<std::vector<int64_t>> parameterValues(GetParameterOp get) {
    if (get.getParameters().size() != 1)
      return std::nullopt;
    auto parameter = mlir::SymbolTable::lookupNearestSymbolFrom<ParameterOp>(
        get, cast<mlir::FlatSymbolRefAttr>(get.getParameters()[0]));
    bool readsWeights = false;
    parameter.walk([&](WeightOp) { readsWeights = true; });
    if (readsWeights)
      return std::nullopt;
    auto array = reference::evaluateParameter(
        parameter,
        [](StringRef, mlir::RankedTensorType) -> Expected<reference::Array> {
          return createStringError("a table has no weights");
        });
    if (failed(array) || array->isFloat())
      return std::nullopt;
    return array->integers().vec();
  }

  static void noteUnknown(mlir::Value value, LaunchPairs &pairs) {
    value = sourceOf(value);
    std::string text;
    std::vector<std::string> *unknown = &pairs.unknownInputs;
    auto argument = dyn_cast<mlir::BlockArgument>(value);
    if (argument && isInput(argument)) {
      auto function =
          cast<mlir::func::FuncOp>(argument.getOwner()->getParentOp());
      if (auto name = function.getArgAttrOfType<mlir::StringAttr>(
              argument.getArgNumber(), kNameAttr))
        text = name.str();
    }
    if (text.empty()) {
      raw_string_ostream(text) << value.getType();
      unknown = &pairs.unknownValues;
    }
    if (!is_contained(*unknown, text))
      unknown->push_back(text);
  }

  LaunchOp launch;
  AttentionOp attention;
  const SymbolicShapes &shapes;
  const KnownRun &run;
};

void appendShares(mlir::Block &block, const SymbolicShapes &shapes,
                  const KnownRun &run, const TargetSpec &target,
                  std::vector<double> &shares) {
  for (mlir::Operation &op : block) {
    if (auto launch = dyn_cast<LaunchOp>(op)) {
      auto pairs = countLaunchPairs(launch, shapes, run, target);
      bool counts = pairs && pairs->counts.all() > 0;
      shares.push_back(counts ? pairs->counts.computed() / pairs->counts.all()
                              : 1);
    } else if (auto loop = dyn_cast<mlir::LoopLikeOpInterface>(op)) {
      std::vector<double> once;
      appendShares(loop.getLoopRegions().front()->front(), shapes, run, target,
                   once);
      double times = evaluate(*iterationsOf(loop, shapes), run.sizes);
      for (int64_t i = 0; i < times; ++i)
        append_range(shares, once);
    }
  }
}

} // namespace

std::optional<LaunchPairs>
attn::tool::countLaunchPairs(LaunchOp launch, const SymbolicShapes &shapes,
                             const KnownRun &run, const TargetSpec &target) {
  AttentionOp attention = attentionOf(launch);
  if (!attention)
    return std::nullopt;
  LaunchReader reader(launch, attention, shapes, run);
  std::optional<cpu::AttentionSizes> sizes = reader.sizes();
  if (!sizes)
    return std::nullopt;
  LaunchPairs pairs;
  pairs.attention = attention;
  pairs.obstacles = cpu::findKeepObstacles(attention);
  SmallVector<cpu::CaptureValues> captures = reader.captures(pairs);
  pairs.counts = cpu::countPairs(attention, *sizes, captures, target);
  return pairs;
}

std::vector<double> attn::tool::computedShares(mlir::func::FuncOp planned,
                                               const SymbolicShapes &shapes,
                                               const KnownRun &run,
                                               const TargetSpec &target) {
  std::vector<double> shares;
  appendShares(planned.getBody().front(), shapes, run, target, shares);
  return shares;
}
