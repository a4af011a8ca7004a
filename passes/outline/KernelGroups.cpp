// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Collects what runs together with the root of a kernel.

#include "passes/outline/KernelGroups.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/ModelFunctions.h"
#include "passes/RowCopies.h"

using namespace mlir;
using namespace attn;

llvm::SetVector<Value> attn::usedValues(Operation *op) {
  llvm::SetVector<Value> values(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), values);
  return values;
}

static bool isScalarOrIndex(Type type) { return type.isIntOrIndexOrFloat(); }

static bool isDestination(Operation *user, Value value) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
  return linalgOp && llvm::is_contained(linalgOp.getDpsInits(), value);
}

/// Whether an attention can read through `transpose`, or write: by strides,
/// where the width stays innermost.
static bool keepsWidth(linalg::TransposeOp transpose) {
  ArrayRef<int64_t> permutation = transpose.getPermutation();
  return permutation.size() == 4 && permutation.back() == 3;
}

/// Whether `user` is an attention that reads `transpose` as strides of its
/// queries, keys or value, and nowhere else, or appends it to a cache.
static bool isStrided(linalg::TransposeOp transpose, Operation *user) {
  Value value = transpose->getResult(0);
  if (isa<AppendOp>(user))
    return keepsWidth(transpose);
  auto attention = dyn_cast<AttentionOp>(user);
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

static bool computesTensor(Operation *op) {
  if (isa<GetParameterOp, LaunchOp, ScanOp, tensor::EmptyOp, tensor::DimOp,
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
  // An attention reads through the pages of its keys and values.
  if (isa<ReadPagesOp>(op))
    return llvm::all_of(op->getUsers(), llvm::IsaPred<AttentionOp>);
  if (isa<tensor::ExtractSliceOp, tensor::ConcatOp, linalg::TransposeOp>(op) &&
      findAbsorbingLinear(op))
    return true;
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

bool attn::isKernelRoot(Operation *op) {
  return computesTensor(op) && !isAbsorbed(op);
}

namespace {

class Grouper {
public:
  Grouper(func::FuncOp func, const SymbolicShapes &shapes)
      : func(func), shapes(shapes) {}

  KernelGroup build(Operation *root) {
    KernelGroup group{root, root, {}, {}, {}};
    if (auto attention = dyn_cast<AttentionOp>(root))
      if (Operation *transpose = absorbedTranspose(attention))
        group.last = transpose;
    if (auto linear = dyn_cast<LinearOp>(root))
      absorbed = absorbedRowCopies(linear);
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
  /// Producers that a kernel recomputes: constants, destinations, sizes, what
  /// an attention reads through, transposes and pages, and the copies of rows
  /// that a linear reads through.
  bool isCloned(KernelGroup &group, Operation *user, Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || !isInModel(op, func))
      return false;
    if (isScalarOrIndex(value.getType()) || isa<tensor::EmptyOp>(op))
      return true;
    if (isa<linalg::FillOp>(op))
      return isDestination(user, value);
    if (isa<ReadPagesOp>(op))
      return isa<AttentionOp>(user);
    if (absorbed.operations.contains(op))
      return true;
    auto transpose = dyn_cast<linalg::TransposeOp>(op);
    return transpose && isStrided(transpose, user);
  }

  /// A size that no input of the kernel has, such as the batch that a class
  /// token is repeated for, comes from an argument of the model.
  void addSizeSources(KernelGroup &group) {
    auto has = [&](Value tensor, const DimExpr &size) {
      return llvm::any_of(shapes.shapeOf(tensor), [&](const DimExpr &dim) {
        return size.ratioTo(dim).has_value();
      });
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

  void collect(KernelGroup &group, Operation *op,
               SmallVector<Operation *> &order) {
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
  RowCopies absorbed; ///< of the root
};

} // namespace

KernelGroup attn::groupKernel(Operation *root, func::FuncOp model,
                              const SymbolicShapes &shapes) {
  return Grouper(model, shapes).build(root);
}
