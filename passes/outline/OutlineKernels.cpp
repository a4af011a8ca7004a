// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns each group of operations into a kernel function and merges equal ones.

#include "dialect/AttnOps.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"
#include "passes/outline/KernelTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace attn {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

/// Gives every use of a parameter the layout its kernel reads.
class LayoutAssigner {
public:
  explicit LayoutAssigner(ModuleOp module) : symbols(module) {}

  LogicalResult assign(LaunchOp launch, func::FuncOp kernel) {
    for (OpOperand &use : launch.getInputsMutable()) {
      auto layout = kernel.getArgAttr(use.getOperandNumber(), kLayoutAttr);
      if (!layout)
        continue;
      auto get = use.get().getDefiningOp<GetParameterOp>();
      if (!get)
        return launch.emitError("expects the weights of a linear to be "
                                "constants; a product of two activations is "
                                "attn.matmul");
      OpBuilder builder(launch);
      SmallVector<Attribute> copies;
      for (auto name : get.getParameters().getAsRange<FlatSymbolRefAttr>())
        copies.push_back(withLayout(name, layout));
      use.set(GetParameterOp::create(builder, get.getLoc(), get.getType(),
                                     builder.getArrayAttr(copies),
                                     get.getIndex()));
    }
    return success();
  }

  /// One walk for all: asking for each parameter whether it is used would cost
  /// the square of the model's depth.
  void eraseUnused(ModuleOp module) {
    llvm::DenseSet<Attribute> used;
    module.walk([&](GetParameterOp get) {
      for (auto name : get.getParameters().getAsRange<FlatSymbolRefAttr>())
        used.insert(name.getAttr());
    });
    for (auto parameter :
         llvm::make_early_inc_range(module.getOps<ParameterOp>()))
      if (!used.contains(parameter.getSymNameAttr()))
        parameter.erase();
  }

private:
  FlatSymbolRefAttr withLayout(FlatSymbolRefAttr symbol, Attribute layout) {
    auto [it, isNew] = copies.try_emplace({symbol, layout});
    if (isNew) {
      auto source = symbols.lookup<ParameterOp>(symbol.getValue());
      auto copy = source.clone();
      copy.setLayoutAttr(layout);
      symbols.insert(copy, std::next(Block::iterator(source)));
      it->second = FlatSymbolRefAttr::get(copy.getSymNameAttr());
    }
    return it->second;
  }

  SymbolTable symbols;
  llvm::DenseMap<std::pair<Attribute, Attribute>, FlatSymbolRefAttr> copies;
};

/// Recomputes the sizes that reshapes need from the model's arguments, at its
/// start, so that they are equal for every layer.
class SizeMaterializer {
public:
  SizeMaterializer(func::FuncOp model, const SymbolicShapes &shapes)
      : model(model), shapes(shapes), builder(model.getContext()) {
    builder.setInsertionPointToStart(&model.getBody().front());
  }

  LogicalResult run() {
    for (Operation *op : modelOperations(model)) {
      if (!isView(op))
        continue;
      for (OpOperand &use : op->getOpOperands()) {
        if (!use.get().getType().isIndex())
          continue;
        std::optional<DimExpr> value = shapes.valueOf(use.get());
        if (!value)
          return op->emitError("expects its sizes to be polynomials in the "
                               "dynamic dimensions of the model");
        use.set(materialize(*value));
      }
    }
    return success();
  }

private:
  Value materialize(const DimExpr &value) {
    for (auto &[known, size] : sizes)
      if (known == value)
        return size;
    Location loc = model.getLoc();
    Value sum;
    for (const auto &[monomial, coefficient] : value.terms()) {
      Value product;
      if (coefficient != 1 || monomial.empty())
        product = arith::ConstantIndexOp::create(builder, loc, coefficient);
      for (unsigned symbol : monomial) {
        Value size = symbolSize(symbol);
        product =
            product ? arith::MulIOp::create(builder, loc, product, size) : size;
      }
      sum = sum ? arith::AddIOp::create(builder, loc, sum, product) : product;
    }
    if (!sum)
      sum = arith::ConstantIndexOp::create(builder, loc, 0);
    sizes.emplace_back(value, sum);
    return sum;
  }

  Value symbolSize(unsigned symbol) {
    for (BlockArgument argument : model.getArguments())
      for (auto [d, dim] : llvm::enumerate(shapes.shapeOf(argument)))
        if (dim == DimExpr::symbol(symbol))
          return tensor::DimOp::create(builder, model.getLoc(), argument, d);
    llvm_unreachable("symbols come from the dimensions of arguments");
  }

  func::FuncOp model;
  const SymbolicShapes &shapes;
  OpBuilder builder;
  SmallVector<std::pair<DimExpr, Value>> sizes;
};

/// A weight that its linear reads also as something else, its input or a
/// capture, has to be two arguments: only one of them is stored as panels.
void separateWeights(func::FuncOp model) {
  model.walk([](LinearOp linear) {
    SmallVector<Value> others{linear.getInput()};
    llvm::append_range(others, linear.getCaptures());
    llvm::append_range(others, linear.getPrologueCaptures());
    for (OpOperand &weight : linear.getWeightsMutable())
      if (auto get = weight.get().getDefiningOp<GetParameterOp>())
        if (llvm::is_contained(others, weight.get()))
          weight.set(OpBuilder(linear).clone(*get)->getResult(0));
  });
}

struct OutlineKernels : attn::impl::OutlineKernelsBase<OutlineKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<SmallVector<func::FuncOp>> models = modelFunctions(module);
    if (failed(models))
      return signalPassFailure();
    PanelledParameters panelled(module);
    // Of the whole module: its functions share what is stored as panels.
    LayoutAssigner layouts(module);
    for (func::FuncOp model : *models)
      if (failed(outline(module, model, panelled, layouts)))
        return signalPassFailure();
    layouts.eraseUnused(module);
  }

  static LogicalResult outline(ModuleOp module, func::FuncOp model,
                               const PanelledParameters &panelled,
                               LayoutAssigner &layouts) {
    // Taps name layers; without them the layers are equal.
    model.walk([](Operation *op) { op->removeAttr(kTapAttr); });
    separateWeights(model);
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model);
    if (failed(shapes))
      return failure();
    KernelTable kernels(module, *shapes, panelled);
    SmallVector<Operation *> roots;
    for (Operation *op : modelOperations(model))
      if (isKernelRoot(op))
        roots.push_back(op);

    for (Operation *root : roots) {
      KernelGroup group = groupKernel(root, model, *shapes);
      FailureOr<func::FuncOp> kernel = kernels.get(group);
      if (failed(kernel) || failed(replace(group, *kernel, *shapes, layouts)))
        return failure();
    }
    if (failed(SizeMaterializer(model, *shapes).run()))
      return failure();
    eraseDeadOperations(model.getBody().front());
    return success();
  }

  /// Where all that a launch runs was written, the root first. Equal kernels
  /// are merged, so that only the launch knows.
  static Location placesOf(const KernelGroup &group) {
    llvm::SetVector<Location> places;
    places.insert(group.root->getLoc());
    for (Operation *member : group.members)
      member->walk([&](Operation *op) { places.insert(op->getLoc()); });
    return FusedLoc::get(group.root->getContext(), places.getArrayRef());
  }

  /// Puts a launch in place of the group's root. What the group computed is
  /// left without uses.
  static LogicalResult replace(const KernelGroup &group, func::FuncOp kernel,
                               SymbolicShapes &shapes,
                               LayoutAssigner &layouts) {
    OpBuilder builder(group.root);
    auto launch =
        LaunchOp::create(builder, placesOf(group),
                         llvm::to_vector(ValueRange(group.results).getTypes()),
                         FlatSymbolRefAttr::get(kernel.getSymNameAttr()),
                         group.inputs.getArrayRef());
    for (auto [old, output] :
         llvm::zip_equal(group.results, launch.getOutputs())) {
      shapes.copyShape(old, output);
      Value(old).replaceAllUsesWith(output);
    }
    // The cache is the first operand of attn.append, and so of its launch. An
    // operation that writes is not erased for having no uses.
    if (isa<AppendOp>(group.root)) {
      launch->setAttr(kInPlaceAttr, builder.getUnitAttr());
      group.root->erase();
    }
    return layouts.assign(launch, kernel);
  }
};

} // namespace
