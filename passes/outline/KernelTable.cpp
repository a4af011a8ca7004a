// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Clones groups of operations into kernel functions and merges equal ones.

#include "passes/outline/KernelTable.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "passes/ModelFunctions.h"
#include "passes/plan/ParameterStorage.h"

using namespace mlir;
using namespace attn;

/// The word that names kernels of this kind.
static StringRef kernelStem(Operation *root) {
  if (isa_and_nonnull<AttnDialect>(root->getDialect()))
    return root->getName().stripDialect();
  if (isa<tensor::ConcatOp>(root))
    return "concat";
  if (isa<tensor::ExtractSliceOp>(root))
    return "slice";
  return isa<linalg::TransposeOp>(root) ? "transpose" : "map";
}

PanelledParameters::PanelledParameters(ModuleOp module) {
  module.walk([&](LinearOp linear) {
    for (Value weight : linear.getWeights())
      if (auto get = weight.getDefiningOp<GetParameterOp>())
        symbols.insert_range(get.getParameters());
  });
}

bool PanelledParameters::contains(Value value) const {
  auto get = value.getDefiningOp<GetParameterOp>();
  return get && llvm::all_of(get.getParameters(), [&](Attribute symbol) {
           return symbols.contains(symbol);
         });
}

/// What the parameters that a value is one of are stored as: all alike, or
/// null.
Type KernelTable::storedTypeOf(Value value) const {
  auto get = value.getDefiningOp<GetParameterOp>();
  if (!get)
    return {};
  Type stored;
  for (auto [i, name] :
       llvm::enumerate(get.getParameters().getAsRange<FlatSymbolRefAttr>())) {
    auto parameter = symbols.lookup<ParameterOp>(name.getAttr());
    Type own = parameter ? storedType(parameter) : Type();
    if (i > 0 && own != stored)
      return {};
    stored = own;
  }
  return stored;
}

/// Weights of a linear are read as panels, and so are tables of embeddings that
/// are stored as panels for a linear anyway, or take half the room as panels: a
/// row is spread over one panel, which costs less than a second copy of a
/// vocabulary.
void KernelTable::markLayouts(func::FuncOp kernel,
                              const KernelGroup &group) const {
  auto mark = [&](Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      kernel.setArgAttr(
          argument.getArgNumber(), kLayoutAttr,
          PanelsAttr::get(kernel.getContext(), 16,
                          storedTypeOf(group.inputs[argument.getArgNumber()])));
  };
  kernel.walk(
      [&](LinearOp linear) { llvm::for_each(linear.getWeights(), mark); });
  kernel.walk([&](EmbeddingOp embedding) {
    auto table = dyn_cast<BlockArgument>(embedding.getTable());
    if (!table || !table.hasOneUse())
      return;
    Value input = group.inputs[table.getArgNumber()];
    if (panelled.contains(input) || storedTypeOf(input))
      mark(table);
  });
}

static bool isEqual(func::FuncOp a, func::FuncOp b) {
  return a.getFunctionType() == b.getFunctionType() &&
         a.getArgAttrsAttr() == b.getArgAttrsAttr() &&
         OperationEquivalence::isRegionEquivalentTo(
             &a.getBody(), &b.getBody(),
             OperationEquivalence::Flags::IgnoreLocations);
}

KernelTable::KernelTable(ModuleOp module, const SymbolicShapes &shapes,
                         const PanelledParameters &panelled)
    : module(module), symbols(module), shapes(shapes), panelled(panelled) {
  for (auto func : module.getOps<func::FuncOp>())
    if (func->hasAttr(kKernelAttr))
      kernels.push_back(func);
}

FailureOr<func::FuncOp> KernelTable::get(const KernelGroup &group) {
  FailureOr<func::FuncOp> kernel = build(group);
  if (failed(kernel))
    return failure();
  markLayouts(*kernel, group);
  for (func::FuncOp other : kernels)
    if (isEqual(*kernel, other)) {
      kernel->erase();
      return other;
    }
  std::string stem = kernelStem(group.root).str();
  kernel->setName(stem + "_" + std::to_string(counts[stem]++));
  symbols.insert(*kernel);
  kernels.push_back(*kernel);
  return *kernel;
}

FailureOr<func::FuncOp> KernelTable::build(const KernelGroup &group) {
  OpBuilder builder(module.getContext());
  SmallVector<Type> inputTypes;
  for (Value input : group.inputs)
    inputTypes.push_back(input.getType());
  auto type = builder.getFunctionType(
      inputTypes, llvm::to_vector(ValueRange(group.results).getTypes()));
  auto kernel = func::FuncOp::create(group.root->getLoc(), "kernel", type);
  kernel.setPrivate();
  kernel->setAttr(kKernelAttr, builder.getUnitAttr());
  Block *entry = kernel.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  IRMapping mapping;
  mapping.map(group.inputs.getArrayRef(), entry->getArguments());

  for (Operation *op : group.members) {
    if (failed(mapSizes(op, group, entry, builder, mapping))) {
      kernel.erase();
      return failure();
    }
    builder.clone(*op, mapping);
  }
  SmallVector<Value> results;
  for (Value result : group.results)
    results.push_back(mapping.lookup(result));
  func::ReturnOp::create(builder, group.root->getLoc(), results);
  return kernel;
}

/// Indices that `op` uses become dimensions of the kernel's arguments.
LogicalResult KernelTable::mapSizes(Operation *op, const KernelGroup &group,
                                    Block *entry, OpBuilder &builder,
                                    IRMapping &mapping) {
  for (Value operand : usedValues(op)) {
    if (!operand.getType().isIndex() || mapping.contains(operand))
      continue;
    std::optional<DimExpr> value = shapes.valueOf(operand);
    Value size =
        value ? sizeFromInputs(*value, op, group, entry, builder) : Value();
    if (!size)
      return op->emitError("uses a size that is not a dimension of any "
                           "operand of its kernel");
    mapping.map(operand, size);
  }
  return success();
}

/// A fraction of a size of a tensor, which it divides.
static Value scaledSize(OpBuilder &builder, Location loc, Value tensor,
                        int64_t dimension, std::pair<int64_t, int64_t> ratio) {
  Value size = tensor::DimOp::create(builder, loc, tensor, dimension);
  auto constant = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  if (ratio.first != 1)
    size = arith::MulIOp::create(builder, loc, size, constant(ratio.first));
  if (ratio.second != 1)
    size = arith::DivUIOp::create(builder, loc, size, constant(ratio.second));
  return size;
}

Value KernelTable::sizeFromInputs(const DimExpr &value, Operation *op,
                                  const KernelGroup &group, Block *entry,
                                  OpBuilder &builder) {
  if (std::optional<int64_t> constant = value.asConstant())
    return arith::ConstantIndexOp::create(builder, op->getLoc(), *constant);
  for (auto [i, input] : llvm::enumerate(group.inputs))
    for (auto [d, dim] : llvm::enumerate(shapes.shapeOf(input)))
      if (dim == value)
        return tensor::DimOp::create(builder, op->getLoc(),
                                     entry->getArgument(i), d);
  for (auto [i, input] : llvm::enumerate(group.inputs))
    for (auto [d, dim] : llvm::enumerate(shapes.shapeOf(input)))
      if (std::optional ratio = value.ratioTo(dim))
        return scaledSize(builder, op->getLoc(), entry->getArgument(i), d,
                          *ratio);
  return {};
}
