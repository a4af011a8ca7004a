// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives every intermediate tensor of a model a buffer; buffers are shared by
// tensors that are never alive together.

#include "dialect/AttnOps.h"
#include "passes/Passes.h"
#include "passes/SymbolicShapes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExpr.h"

namespace attn {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"
} // namespace attn

using namespace mlir;
using namespace attn;

namespace {

bool isView(Operation *op) {
  return isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                         tensor::CastOp>(op);
}

/// The value whose memory a chain of reshapes shows.
Value memoryOf(Value value) {
  while (isView(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

//===----------------------------------------------------------------------===//
// Copies: where a value cannot be computed in the place it has to be in
//===----------------------------------------------------------------------===//

/// Inserts launches of copy kernels.
class Copier {
public:
  explicit Copier(ModuleOp module) : symbols(module) {}

  Value copy(OpBuilder &builder, Value value) {
    func::FuncOp kernel = kernelFor(cast<RankedTensorType>(value.getType()));
    auto launch = LaunchOp::create(
        builder, value.getLoc(), value.getType(),
        FlatSymbolRefAttr::get(kernel.getSymNameAttr()), value);
    return launch.getOutputs()[0];
  }

private:
  func::FuncOp kernelFor(RankedTensorType type) {
    func::FuncOp &kernel = kernels[type];
    if (kernel)
      return kernel;
    OpBuilder builder(type.getContext());
    Location loc = symbols.getOp()->getLoc();
    kernel = func::FuncOp::create(loc, "copy_" + std::to_string(kernels.size() - 1),
                                  builder.getFunctionType(type, type));
    kernel.setPrivate();
    kernel->setAttr(kKernelAttr, builder.getUnitAttr());
    Block *entry = kernel.addEntryBlock();
    builder.setInsertionPointToEnd(entry);
    Value source = entry->getArgument(0);
    Value empty = tensor::EmptyOp::create(
        builder, loc, tensor::getMixedSizes(builder, loc, source),
        type.getElementType());
    AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
    auto copy = linalg::GenericOp::create(
        builder, loc, type, source, empty, ArrayRef{identity, identity},
        SmallVector<utils::IteratorType>(type.getRank(),
                                         utils::IteratorType::parallel),
        [](OpBuilder &b, Location l, ValueRange arguments) {
          linalg::YieldOp::create(b, l, arguments[0]);
        });
    func::ReturnOp::create(builder, loc, copy.getResults());
    symbols.insert(kernel);
    return kernel;
  }

  SymbolTable symbols;
  llvm::DenseMap<Type, func::FuncOp> kernels;
};

//===----------------------------------------------------------------------===//
// Lifetimes
//===----------------------------------------------------------------------===//

/// Positions [first, last] of the function, both included.
struct Interval {
  int64_t first, last;
  bool overlaps(const Interval &other) const {
    return first <= other.last && other.first <= last;
  }
};

/// When the memory of each launch result holds something still needed.
class Lifetimes {
public:
  explicit Lifetimes(func::FuncOp func) {
    number(func.getBody().front());
  }

  SmallVector<Interval> of(Value result) const {
    SmallVector<Interval> intervals{{positionOf(result.getDefiningOp()),
                                     positionOf(result.getDefiningOp())}};
    extend(result, result.getDefiningOp()->getBlock(), intervals);
    return intervals;
  }

  /// Last position at which a value, or a view of it, is read.
  int64_t lastRead(Value value, int64_t from, Block *home) const {
    SmallVector<Interval> intervals{{from, from}};
    extend(value, home, intervals);
    return intervals.front().last;
  }

  int64_t positionOf(Operation *op) const { return positions.lookup(op); }

private:
  void number(Block &block) {
    for (Operation &op : block) {
      positions[&op] = next++;
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          number(inner);
      ends[&op] = next++;
    }
  }

  void extend(Value value, Block *home, SmallVector<Interval> &out) const {
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      int64_t &last = out.front().last;
      if (isView(user)) {
        extend(user->getResult(0), home, out);
      } else if (auto loop = dyn_cast<scf::ForOp>(user)) {
        // The first iteration reads the initial value where it lies.
        BlockArgument argument = loop.getTiedLoopRegionIterArg(&use);
        last = std::max(last, lastRead(argument, positionOf(loop),
                                       loop.getBody()));
      } else if (auto yield = dyn_cast<scf::YieldOp>(user)) {
        extendCarried(yield, use.getOperandNumber(), out);
      } else {
        // What a loop reads from outside it reads in every iteration.
        Operation *ancestor = home->findAncestorOpInBlock(*user);
        int64_t end = ancestor == user ? positionOf(user)
                                       : ends.lookup(ancestor);
        last = std::max(last, end);
      }
    }
  }

  /// A carried value lives to the end of its iteration, from the start of the
  /// next to its last use there, and behind the loop.
  void extendCarried(scf::YieldOp yield, unsigned number,
                     SmallVector<Interval> &out) const {
    auto loop = cast<scf::ForOp>(yield->getParentOp());
    out.front().last = std::max(out.front().last, ends.lookup(loop));
    int64_t begin = positionOf(loop);
    out.push_back({begin, lastRead(loop.getRegionIterArg(number), begin,
                                   loop.getBody())});
    int64_t end = ends.lookup(loop);
    out.push_back({end, lastRead(loop.getResult(number), end,
                                 loop->getBlock())});
  }

  llvm::DenseMap<Operation *, int64_t> positions, ends;
  int64_t next = 0;
};

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

struct Buffer {
  DimExpr bytes;
  SmallVector<Interval> occupied;

  bool isFree(ArrayRef<Interval> intervals) const {
    return llvm::none_of(intervals, [&](const Interval &interval) {
      return llvm::any_of(occupied, [&](const Interval &other) {
        return interval.overlaps(other);
      });
    });
  }
};

/// Assigns buffers first come, first served, preferring one that is large
/// enough already, then one that can grow.
class BufferTable {
public:
  int64_t assign(const DimExpr &bytes, ArrayRef<Interval> intervals) {
    int64_t chosen = choose(bytes, intervals);
    if (chosen < 0) {
      chosen = buffers.size();
      buffers.push_back({bytes, {}});
    }
    Buffer &buffer = buffers[chosen];
    if (!buffer.bytes.dominates(bytes))
      buffer.bytes = bytes;
    buffer.occupied.append(intervals.begin(), intervals.end());
    return chosen;
  }
  ArrayRef<Buffer> get() const { return buffers; }

private:
  int64_t choose(const DimExpr &bytes, ArrayRef<Interval> intervals) const {
    int64_t best = -1;
    auto isBetter = [&](const Buffer &buffer) {
      if (best < 0)
        return true;
      const Buffer &old = buffers[best];
      bool fits = buffer.bytes.dominates(bytes);
      if (fits != old.bytes.dominates(bytes))
        return fits;
      // The smallest that fits; else the largest, which grows least.
      return fits ? old.bytes.dominates(buffer.bytes)
                  : buffer.bytes.dominates(old.bytes);
    };
    for (auto [i, buffer] : llvm::enumerate(buffers)) {
      bool comparable =
          buffer.bytes.dominates(bytes) || bytes.dominates(buffer.bytes);
      if (comparable && buffer.isFree(intervals) && isBetter(buffer))
        best = i;
    }
    return best;
  }

  SmallVector<Buffer> buffers;
};

class Planner {
public:
  Planner(func::FuncOp func, Copier &copier) : func(func), copier(copier) {}

  LogicalResult run() {
    copyOutputs();
    copyOverlappingCarries();
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(func);
    if (failed(shapes))
      return failure();
    Lifetimes lifetimes(func);
    BufferTable buffers;
    LogicalResult status = success();
    func.walk([&](LaunchOp launch) {
      SmallVector<int64_t> numbers;
      for (Value result : launch.getOutputs()) {
        auto output = outputs.find(result);
        if (output != outputs.end()) {
          numbers.push_back(-1 - output->second);
          continue;
        }
        FailureOr<DimExpr> bytes = bytesOf(result, *shapes);
        if (failed(bytes)) {
          status = failure();
          return;
        }
        numbers.push_back(buffers.assign(*bytes, lifetimes.of(result)));
      }
      annotateShapes(launch, *shapes);
      launch->setAttr(kBuffersAttr,
                      DenseI64ArrayAttr::get(func.getContext(), numbers));
    });
    if (succeeded(status))
      annotate(*shapes, buffers.get());
    return status;
  }

private:
  static FailureOr<DimExpr> bytesOf(Value value, const SymbolicShapes &shapes) {
    FailureOr<DimExpr> elements = shapes.elementsOf(value);
    if (failed(elements))
      return failure();
    unsigned bits =
        cast<RankedTensorType>(value.getType()).getElementTypeBitWidth();
    std::optional<DimExpr> bytes =
        DimExpr::multiply(*elements, DimExpr::constant((bits + 7) / 8));
    if (!bytes)
      return emitError(value.getLoc(), "has more bytes than 64 bits count");
    return *bytes;
  }

  /// A result is computed in the caller's memory if one launch outside every
  /// loop defines it, for one output; otherwise it is copied there.
  void copyOutputs() {
    auto terminator =
        cast<func::ReturnOp>(func.getBody().front().getTerminator());
    OpBuilder builder(terminator);
    for (OpOperand &operand : terminator->getOpOperands()) {
      Value memory = memoryOf(operand.get());
      if (!memory.getDefiningOp<LaunchOp>() || outputs.count(memory)) {
        operand.set(copier.copy(builder, operand.get()));
        memory = operand.get();
      }
      outputs[memory] = operand.getOperandNumber();
    }
  }

  /// A carried value may not be written while its predecessor is still read.
  void copyOverlappingCarries() {
    Lifetimes lifetimes(func);
    SmallVector<OpOperand *> overlapping;
    func.walk([&](scf::YieldOp yield) {
      auto loop = cast<scf::ForOp>(yield->getParentOp());
      for (OpOperand &operand : yield->getOpOperands()) {
        Value memory = memoryOf(operand.get());
        int64_t lastRead = lifetimes.lastRead(
            loop.getRegionIterArg(operand.getOperandNumber()),
            lifetimes.positionOf(loop), loop.getBody());
        Operation *producer = memory.getDefiningOp();
        if (!producer || producer->getBlock() != loop.getBody() ||
            lifetimes.positionOf(producer) <= lastRead)
          overlapping.push_back(&operand);
      }
    });
    for (OpOperand *operand : overlapping) {
      OpBuilder builder(operand->getOwner());
      operand->set(copier.copy(builder, operand->get()));
    }
  }

  /// Kernels are soon no longer functions on tensors that shapes could be
  /// followed through.
  static void annotateShapes(LaunchOp launch, const SymbolicShapes &shapes) {
    MLIRContext *context = launch.getContext();
    SmallVector<Attribute> maps;
    for (Value result : launch.getOutputs()) {
      SmallVector<AffineExpr> dims;
      for (const DimExpr &dim : shapes.shapeOf(result))
        dims.push_back(dim.toAffine(context));
      maps.push_back(AffineMapAttr::get(
          AffineMap::get(0, shapes.symbols().size(), dims, context)));
    }
    launch->setAttr(kShapesAttr, ArrayAttr::get(context, maps));
  }

  void annotate(const SymbolicShapes &shapes, ArrayRef<Buffer> buffers) {
    MLIRContext *context = func.getContext();
    Builder builder(context);
    SmallVector<Attribute> bytes;
    for (const Buffer &buffer : buffers)
      bytes.push_back(AffineMapAttr::get(
          AffineMap::get(0, shapes.symbols().size(),
                         buffer.bytes.toAffine(context))));
    func->setAttr(kBufferBytesAttr, builder.getArrayAttr(bytes));
    SmallVector<StringRef> names(shapes.symbols().begin(),
                                 shapes.symbols().end());
    func->setAttr(kSymbolsAttr, builder.getStrArrayAttr(names));
  }

  func::FuncOp func;
  Copier &copier;
  llvm::DenseMap<Value, int64_t> outputs;
};

struct PlanMemory : attn::impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    Copier copier(getOperation());
    SmallVector<func::FuncOp> models;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isDeclaration() && !func->hasAttr(kKernelAttr))
        models.push_back(func);
    for (func::FuncOp func : models)
      if (failed(Planner(func, copier).run()))
        return signalPassFailure();
  }
};

} // namespace
