// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Groups a model's operations by the names of their weights.

#include "tools/attnc/report/Structure.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/ModelFunctions.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

std::string attn::tool::scopeOf(StringRef weight) {
  SmallVector<StringRef> parts;
  weight.split(parts, '.');
  size_t kept = std::clamp<size_t>(parts.size() - 1, 1, 2);
  for (auto [i, part] : enumerate(parts))
    if (i && !part.empty() && all_of(part, isDigit)) {
      kept = i + 1;
      break;
    }
  return join(ArrayRef(parts).take_front(kept), ".");
}

std::string attn::tool::computationName(mlir::Operation *op) {
  if (isa<WeightOp, ParameterOp, GetParameterOp, ScanOp, YieldOp>(op))
    return "";
  if (auto generic = dyn_cast<mlir::linalg::GenericOp>(op))
    return generic.getNumReductionLoops() ? "reduction" : "map";
  if (isa<mlir::tensor::ConcatOp>(op))
    return "concat";
  if (isa_and_nonnull<AttnDialect>(op->getDialect()))
    return op->getName().stripDialect().str();
  return "";
}

namespace {

class StructureReader {
public:
  StructureReader(const SymbolicShapes &shapes) : shapes(shapes) {}

  /// Of an operation that runs `times`: the steps of the scans around it.
  Error visit(mlir::Operation *op, const DimExpr &times) {
    if (auto weight = dyn_cast<WeightOp>(op))
      return visitWeight(weight);
    std::string scope = scopeOfOperands(op);
    if (isConstant(op)) {
      if (!scope.empty())
        for (mlir::Value result : op->getResults())
          scopes[result] = scope;
      return Error::success();
    }
    if (!scope.empty())
      current = scope;
    std::string name = computationName(op);
    if (name.empty())
      return Error::success();
    std::optional<Cost> cost = costOf(op, shapes);
    ModelBlock &block = blockNamed(current);
    std::optional<DimExpr> flops =
        cost ? DimExpr::multiply(cost->flops, times) : std::nullopt;
    std::optional<DimExpr> sum =
        flops ? DimExpr::add(block.flops, *flops) : std::nullopt;
    if (!sum)
      return tooLarge();
    block.flops = *sum;
    ++block.operations[name];
    if (auto attention = dyn_cast<AttentionOp>(op))
      return visitAttention(attention, block);
    return Error::success();
  }

  /// The blocks, and whether any attention is causal.
  std::pair<std::vector<ModelBlock>, bool> take() {
    if (!decodes)
      for (ModelBlock &block : blocks)
        block.memory.keyValueBytes = {};
    return {std::move(blocks), decodes};
  }

private:
  static Error tooLarge() {
    return createStringError("the model costs more than 64 bits count");
  }

  Error visitAttention(AttentionOp op, ModelBlock &block) {
    std::optional<AttentionMemory> memory = memoryOf(op, shapes);
    if (!memory)
      return tooLarge();
    bool causal = isCausal(op);
    decodes |= causal;
    // An encoder's own keys are used once.
    bool isCross = shapes.shapeOf(op.getQueries().front())[2] !=
                   shapes.shapeOf(op.getValue())[2];
    if (!causal && !isCross)
      memory->keyValueBytes = {};
    memory = AttentionMemory::add(block.memory, *memory);
    if (!memory)
      return tooLarge();
    block.memory = *memory;
    return Error::success();
  }

  Error visitWeight(WeightOp weight) {
    std::string scope = scopeOf(weight.getName());
    scopes[weight.getResult()] = scope;
    if (counted.insert(weight.getName()).second)
      blockNamed(scope).parameters += weight.getType().getNumElements();
    return Error::success();
  }

  std::string scopeOfOperands(mlir::Operation *op) {
    for (mlir::Value operand : op->getOperands())
      if (auto it = scopes.find(operand); it != scopes.end())
        return it->second;
    return "";
  }

  /// Whether the operation only reads weights and constants.
  bool isConstant(mlir::Operation *op) {
    return op->getNumRegions() == 0 && op->getNumResults() > 0 &&
           all_of(op->getOperands(), [&](mlir::Value operand) {
             mlir::Operation *producer = operand.getDefiningOp();
             return scopes.count(operand) ||
                    (producer &&
                     producer->hasTrait<mlir::OpTrait::ConstantLike>());
           });
  }

  ModelBlock &blockNamed(const std::string &name) {
    auto [it, isNew] = indices.try_emplace(name, blocks.size());
    if (isNew)
      blocks.push_back({name, 1, {}, 0, {}, {}});
    return blocks[it->second];
  }

  const SymbolicShapes &shapes;
  std::vector<ModelBlock> blocks;
  std::map<std::string, size_t> indices;
  DenseMap<mlir::Value, std::string> scopes;
  StringSet<> counted;
  std::string current = "inputs";
  bool decodes = false;
};

/// How often an operation of a model runs.
std::optional<DimExpr> timesOf(mlir::Operation *op,
                               const SymbolicShapes &shapes) {
  std::optional<DimExpr> times = DimExpr::constant(1);
  while (auto scan = dyn_cast<ScanOp>(op->getParentOp())) {
    times = times ? DimExpr::multiply(*times, shapes.stepsOf(scan)) : times;
    op = scan;
  }
  return times;
}

/// The number at the end of a name, and what stands before it.
std::optional<std::pair<StringRef, uint64_t>> splitNumber(StringRef name) {
  auto [prefix, last] = name.rsplit('.');
  uint64_t number;
  if (last.empty() || last.getAsInteger(10, number))
    return std::nullopt;
  return std::make_pair(prefix, number);
}

bool isNextLayer(const ModelBlock &layers, StringRef firstName,
                 const ModelBlock &next) {
  auto first = splitNumber(firstName), second = splitNumber(next.name);
  return first && second && first->first == second->first &&
         second->second == first->second + layers.count &&
         layers.operations == next.operations &&
         layers.parameters == next.parameters && layers.flops == next.flops;
}

/// Equal layers become one block.
std::vector<ModelBlock> joinLayers(ArrayRef<ModelBlock> blocks) {
  std::vector<ModelBlock> joined;
  std::string firstName;
  for (const ModelBlock &block : blocks) {
    if (!joined.empty() && isNextLayer(joined.back(), firstName, block)) {
      ModelBlock &layers = joined.back();
      ++layers.count;
      layers.name =
          firstName + ".." + std::to_string(splitNumber(block.name)->second);
      continue;
    }
    firstName = block.name;
    joined.push_back(block);
  }
  return joined;
}

} // namespace

Expected<ModelStructure>
attn::tool::readStructure(mlir::func::FuncOp function) {
  auto shapes = SymbolicShapes::compute(function);
  auto cost = mlir::failed(shapes) ? mlir::FailureOr<Cost>() : costOf(function);
  if (mlir::failed(cost))
    return createStringError("the model's sizes cannot be counted; the reasons "
                             "are above");
  StructureReader reader(*shapes);
  for (mlir::Operation *op : modelOperations(function)) {
    std::optional<DimExpr> times = timesOf(op, *shapes);
    if (!times)
      return createStringError("the model costs more than 64 bits count");
    if (Error error = reader.visit(op, *times))
      return std::move(error);
  }
  ModelStructure structure;
  auto [blocks, decodes] = reader.take();
  structure.blocks = joinLayers(blocks);
  structure.isDecoder = decodes;
  structure.symbols = shapes->symbols();
  structure.flops = cost->flops;
  for (const ModelBlock &block : structure.blocks)
    structure.parameters += block.parameters * block.count;
  for (const ModelBlock &block : blocks)
    if (auto sum = AttentionMemory::add(structure.memory, block.memory))
      structure.memory = *sum;
    else
      return createStringError("the model costs more than 64 bits count");
  return structure;
}
