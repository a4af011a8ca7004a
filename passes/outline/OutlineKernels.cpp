// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns each group of operations into a kernel function and merges equal ones.

#include "dialect/AttnOps.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"
#include "passes/plan/SymbolicShapes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace attn {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

/// Operands, and what regions use from above.
llvm::SetVector<Value> usedValues(Operation *op) {
  llvm::SetVector<Value> values(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), values);
  return values;
}

bool isScalarOrIndex(Type type) { return type.isIntOrIndexOrFloat(); }

/// The word that names kernels of this kind.
StringRef kernelStem(Operation *root) {
  if (isa_and_nonnull<AttnDialect>(root->getDialect()))
    return root->getName().stripDialect();
  if (isa<tensor::ConcatOp>(root))
    return "concat";
  if (isa<tensor::ExtractSliceOp>(root))
    return "slice";
  return isa<linalg::TransposeOp>(root) ? "transpose" : "map";
}

/// The operations of one kernel: a root, the last operation absorbed behind
/// it, and producers that are cloned into the kernel.
struct Group {
  Operation *root;
  Operation *last;
  /// Producers and group operations, in the order of the function.
  llvm::SetVector<Operation *> members;
  llvm::SetVector<Value> inputs;
  /// What the kernel returns: the results of `last`, then those of the root
  /// that `last` does not stand for.
  SmallVector<Value> results;
};

class Grouper {
public:
  Grouper(func::FuncOp func, const SymbolicShapes &shapes)
      : func(func), shapes(shapes) {}

  static bool isRoot(Operation *op) {
    if (isa<GetParameterOp, LaunchOp, tensor::EmptyOp, tensor::DimOp,
            func::ReturnOp, arith::ConstantOp>(op) ||
        isView(op))
      return false;
    return llvm::any_of(op->getResultTypes(),
                        [](Type type) { return isa<RankedTensorType>(type); });
  }

  /// True for operations that only ever run inside the kernels of others.
  static bool isAbsorbed(Operation *op) {
    if (isa<linalg::FillOp>(op))
      return llvm::all_of(op->getUsers(), [&](Operation *user) {
        return isDestination(user, op->getResult(0));
      });
    auto transpose = dyn_cast<linalg::TransposeOp>(op);
    if (!transpose)
      return false;
    auto attention = transpose.getInput().getDefiningOp<AttentionOp>();
    if (attention && absorbedTranspose(attention) == op)
      return true;
    return llvm::all_of(op->getUsers(), [&](Operation *user) {
      return isStrided(transpose, user);
    });
  }

  Group build(Operation *root) {
    Group group{root, root, {}, {}, {}};
    if (auto attention = dyn_cast<AttentionOp>(root))
      if (Operation *transpose = absorbedTranspose(attention))
        group.last = transpose;
    SmallVector<Operation *> order;
    collect(group, root, order);
    llvm::append_range(group.results, group.last->getResults());
    if (group.last != root) {
      collect(group, group.last, order);
      llvm::append_range(group.results, root->getResults().drop_front());
    }
    for (Operation *op : order)
      group.members.insert(op);
    addSizeSources(group);
    return group;
  }

private:
  /// Whether an attention can read through `transpose`, or write: by strides,
  /// where the width stays innermost.
  static bool keepsWidth(linalg::TransposeOp transpose) {
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    return permutation.size() == 4 && permutation.back() == 3;
  }

  /// Whether `user` is an attention that reads `transpose` as strides of its
  /// queries, keys or value, and nowhere else.
  static bool isStrided(linalg::TransposeOp transpose, Operation *user) {
    auto attention = dyn_cast<AttentionOp>(user);
    Value value = transpose->getResult(0);
    return attention && keepsWidth(transpose) && attention.getSink() != value &&
           !llvm::is_contained(attention.getCaptures(), value);
  }

  /// The transpose back to token-major order, where nothing else reads the
  /// head-major output.
  static Operation *absorbedTranspose(AttentionOp attention) {
    Value output = attention.getOutput();
    if (!output.hasOneUse())
      return nullptr;
    auto transpose = dyn_cast<linalg::TransposeOp>(*output.getUsers().begin());
    if (!transpose || transpose.getInput() != output || !keepsWidth(transpose))
      return nullptr;
    return transpose;
  }

  /// Producers that a kernel recomputes: constants, destinations, sizes, and
  /// the transposes that become strides of an attention.
  bool isCloned(Group &group, Operation *user, Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || op->getParentOp() != func)
      return false;
    if (isScalarOrIndex(value.getType()) || isa<tensor::EmptyOp>(op))
      return true;
    if (isa<linalg::FillOp>(op))
      return isDestination(user, value);
    auto transpose = dyn_cast<linalg::TransposeOp>(op);
    return transpose && isStrided(transpose, user);
  }

  /// A size that no input of the kernel has, such as the batch that a class
  /// token is repeated for, comes from an argument of the model.
  void addSizeSources(Group &group) {
    auto has = [&](Value tensor, const DimExpr &size) {
      return llvm::is_contained(shapes.shapeOf(tensor), size);
    };
    for (Operation *op : group.members)
      for (Value operand : usedValues(op)) {
        if (!operand.getType().isIndex())
          continue;
        std::optional<DimExpr> size = shapes.valueOf(operand);
        if (!size || size->asConstant() ||
            llvm::any_of(group.inputs,
                         [&](Value input) { return has(input, *size); }))
          continue;
        for (BlockArgument argument : func.getArguments())
          if (has(argument, *size)) {
            group.inputs.insert(argument);
            break;
          }
      }
  }

  static bool isDestination(Operation *user, Value value) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
    return linalgOp && llvm::is_contained(linalgOp.getDpsInits(), value);
  }

  void collect(Group &group, Operation *op, SmallVector<Operation *> &order) {
    for (Value value : usedValues(op)) {
      Operation *producer = value.getDefiningOp();
      if (producer == group.root || llvm::is_contained(order, producer))
        continue;
      if (isCloned(group, op, value)) {
        // Sizes are rebuilt from the kernel's own operands.
        if (!value.getType().isIndex())
          collect(group, producer, order);
      } else {
        group.inputs.insert(value);
      }
    }
    order.push_back(op);
  }

  func::FuncOp func;
  const SymbolicShapes &shapes;
};

/// Builds kernel functions from groups and keeps one of each structure.
class KernelTable {
public:
  KernelTable(ModuleOp module, const SymbolicShapes &shapes)
      : module(module), symbols(module), shapes(shapes) {
    for (auto func : module.getOps<func::FuncOp>())
      if (func->hasAttr(kKernelAttr))
        kernels.push_back(func);
  }

  /// The kernel of a group; fails when a size cannot be had from its inputs.
  FailureOr<func::FuncOp> get(const Group &group) {
    FailureOr<func::FuncOp> kernel = build(group);
    if (failed(kernel))
      return failure();
    markLayouts(*kernel);
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

private:
  FailureOr<func::FuncOp> build(const Group &group) {
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
  LogicalResult mapSizes(Operation *op, const Group &group, Block *entry,
                         OpBuilder &builder, IRMapping &mapping) {
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

  Value sizeFromInputs(const DimExpr &value, Operation *op, const Group &group,
                       Block *entry, OpBuilder &builder) {
    if (std::optional<int64_t> constant = value.asConstant())
      return arith::ConstantIndexOp::create(builder, op->getLoc(), *constant);
    for (auto [i, input] : llvm::enumerate(group.inputs))
      for (auto [d, dim] : llvm::enumerate(shapes.shapeOf(input)))
        if (dim == value)
          return tensor::DimOp::create(builder, op->getLoc(),
                                       entry->getArgument(i), d);
    return {};
  }

  /// Weights of a linear are read as panels.
  static void markLayouts(func::FuncOp kernel) {
    kernel.walk([&](LinearOp linear) {
      for (Value weight : linear.getWeights())
        if (auto argument = dyn_cast<BlockArgument>(weight))
          kernel.setArgAttr(argument.getArgNumber(), kLayoutAttr,
                            PanelsAttr::get(kernel.getContext(), 16));
    });
  }

  static bool isEqual(func::FuncOp a, func::FuncOp b) {
    return a.getFunctionType() == b.getFunctionType() &&
           a.getArgAttrsAttr() == b.getArgAttrsAttr() &&
           OperationEquivalence::isRegionEquivalentTo(
               &a.getBody(), &b.getBody(),
               OperationEquivalence::Flags::IgnoreLocations);
  }

  ModuleOp module;
  SymbolTable symbols;
  const SymbolicShapes &shapes;
  SmallVector<func::FuncOp> kernels;
  llvm::StringMap<unsigned> counts;
};

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

  void eraseUnused(ModuleOp module) {
    for (auto parameter :
         llvm::make_early_inc_range(module.getOps<ParameterOp>()))
      if (SymbolTable::symbolKnownUseEmpty(parameter, module))
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
    for (Operation &op : model.getBody().front()) {
      if (!isView(&op))
        continue;
      for (OpOperand &use : op.getOpOperands()) {
        if (!use.get().getType().isIndex())
          continue;
        std::optional<DimExpr> value = shapes.valueOf(use.get());
        if (!value)
          return op.emitError("expects its sizes to be polynomials in the "
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
  for (auto linear : model.getBody().front().getOps<LinearOp>()) {
    SmallVector<Value> others{linear.getInput()};
    llvm::append_range(others, linear.getCaptures());
    llvm::append_range(others, linear.getPrologueCaptures());
    for (OpOperand &weight : linear.getWeightsMutable())
      if (auto get = weight.get().getDefiningOp<GetParameterOp>())
        if (llvm::is_contained(others, weight.get()))
          weight.set(OpBuilder(linear).clone(*get)->getResult(0));
  }
}

struct OutlineKernels : attn::impl::OutlineKernelsBase<OutlineKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<SmallVector<func::FuncOp>> models = modelFunctions(module);
    if (failed(models))
      return signalPassFailure();
    for (func::FuncOp model : *models)
      if (failed(outline(module, model)))
        return signalPassFailure();
  }

  static LogicalResult outline(ModuleOp module, func::FuncOp model) {
    // Taps name layers; without them the layers are equal.
    model.walk([](Operation *op) { op->removeAttr(kTapAttr); });
    separateWeights(model);
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model);
    if (failed(shapes))
      return failure();
    KernelTable kernels(module, *shapes);
    LayoutAssigner layouts(module);
    SmallVector<Operation *> roots;
    for (Operation &op : model.getBody().front())
      if (Grouper::isRoot(&op) && !Grouper::isAbsorbed(&op))
        roots.push_back(&op);

    for (Operation *root : roots) {
      Group group = Grouper(model, *shapes).build(root);
      FailureOr<func::FuncOp> kernel = kernels.get(group);
      if (failed(kernel) || failed(replace(group, *kernel, *shapes, layouts)))
        return failure();
    }
    if (failed(SizeMaterializer(model, *shapes).run()))
      return failure();
    eraseDeadOperations(model.getBody().front());
    layouts.eraseUnused(module);
    return success();
  }

  /// Where all that a launch runs was written, the root first. Equal kernels
  /// are merged, so that only the launch knows.
  static Location placesOf(const Group &group) {
    llvm::SetVector<Location> places;
    places.insert(group.root->getLoc());
    for (Operation *member : group.members)
      member->walk([&](Operation *op) { places.insert(op->getLoc()); });
    return FusedLoc::get(group.root->getContext(), places.getArrayRef());
  }

  /// Puts a launch in place of the group's root. What the group computed is
  /// left without uses.
  static LogicalResult replace(const Group &group, func::FuncOp kernel,
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
    return layouts.assign(launch, kernel);
  }
};

} // namespace
