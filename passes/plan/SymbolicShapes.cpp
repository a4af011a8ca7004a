// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Propagates named dynamic dimensions through a function, op by op.

#include "passes/plan/SymbolicShapes.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

FailureOr<SymbolicShapes> SymbolicShapes::compute(func::FuncOp func) {
  if (!func.getBody().hasOneBlock())
    return func.emitError("expects a function of one block, but got ")
           << func.getBody().getBlocks().size();
  SymbolicShapes result;
  if (failed(result.bindArguments(func)) ||
      failed(result.visitRegion(func.getBody())))
    return failure();
  return result;
}

ArrayRef<DimExpr> SymbolicShapes::shapeOf(Value tensor) const {
  auto it = shapes.find(tensor);
  return it == shapes.end() ? ArrayRef<DimExpr>() : it->second;
}

std::optional<DimExpr> SymbolicShapes::valueOf(Value index) const {
  auto it = indices.find(index);
  return it == indices.end() ? std::nullopt : std::optional(it->second);
}

DimExpr SymbolicShapes::stepsOf(ScanOp scan) const {
  return shapeOf(scan.getInputs().front()).front();
}

FailureOr<DimExpr> SymbolicShapes::elementsOf(Value tensor) const {
  DimExpr product = DimExpr::constant(1);
  for (const DimExpr &dim : shapeOf(tensor)) {
    std::optional<DimExpr> next = DimExpr::multiply(product, dim);
    if (!next)
      return emitError(tensor.getLoc(), "has more elements than 64 bits count");
    product = *next;
  }
  return product;
}

unsigned SymbolicShapes::symbolNamed(StringRef name) {
  auto it = llvm::find(names, name);
  if (it != names.end())
    return it - names.begin();
  names.push_back(name.str());
  return names.size() - 1;
}

LogicalResult SymbolicShapes::bindArguments(func::FuncOp func) {
  for (BlockArgument argument : func.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    unsigned number = argument.getArgNumber();
    auto dims = func.getArgAttrOfType<ArrayAttr>(number, kDimsAttr);
    SmallVector<DimExpr> shape;
    for (auto [i, size] : llvm::enumerate(type.getShape())) {
      if (!ShapedType::isDynamic(size)) {
        shape.push_back(DimExpr::constant(size));
        continue;
      }
      auto name = dims && i < dims.size() ? dyn_cast<StringAttr>(dims[i])
                                          : StringAttr();
      if (!name || name.empty())
        return func.emitError() << "expects 'attn.dims' of argument " << number
                                << " to name its dynamic dimension " << i;
      shape.push_back(DimExpr::symbol(symbolNamed(name)));
    }
    shapes[argument] = shape;
  }
  return success();
}

LogicalResult SymbolicShapes::visitRegion(Region &region) {
  for (Block &block : region)
    for (Operation &op : block)
      if (failed(visit(&op)))
        return failure();
  return success();
}

LogicalResult SymbolicShapes::visit(Operation *op) {
  if (isa<LaunchOp>(op))
    return visitLaunch(op);
  if (isa<scf::ForOp, ScanOp>(op))
    return visitLoop(op);
  if (op->getNumResults() == 1 && op->getResult(0).getType().isIndex())
    return visitIndexOp(op);
  for (OpResult result : op->getResults()) {
    if (!isa<RankedTensorType>(result.getType()))
      continue;
    FailureOr<SmallVector<DimExpr>> shape = resultShape(op, result);
    if (failed(shape))
      return failure();
    shapes[result] = std::move(*shape);
  }
  return success();
}

/// Tensors carried by a loop keep their shape.
LogicalResult SymbolicShapes::visitLoop(Operation *op) {
  auto loop = cast<LoopLikeOpInterface>(op);
  for (auto [init, argument, result] : llvm::zip_equal(
           loop.getInits(), loop.getRegionIterArgs(), *loop.getLoopResults())) {
    copyShape(init, argument);
    copyShape(init, result);
  }
  auto scan = dyn_cast<ScanOp>(op);
  if (scan && failed(visitSteps(scan)))
    return failure();
  if (failed(visitRegion(*loop.getLoopRegions().front())))
    return failure();
  for (auto [i, init, yielded] :
       llvm::enumerate(loop.getInits(), loop.getYieldedValues()))
    if (shapeOf(init) != shapeOf(yielded))
      return op->emitError("expects carried value ")
             << i << " to keep its sizes";
  if (scan)
    stackShapes(scan);
  return success();
}

/// What the body of a scan sees of its inputs, which have equally many steps.
LogicalResult SymbolicShapes::visitSteps(ScanOp scan) {
  DimExpr steps = stepsOf(scan);
  for (auto [i, input] : llvm::enumerate(scan.getInputs())) {
    SmallVector<DimExpr> shape(shapeOf(input));
    if (shape.front() != steps)
      return scan.emitError("expects input ")
             << i << " to have as many steps as input 0";
    shapes[scan.getStepArgument(i)] = llvm::to_vector(llvm::drop_begin(shape));
  }
  return success();
}

void SymbolicShapes::stackShapes(ScanOp scan) {
  DimExpr steps = stepsOf(scan);
  for (auto [result, entry] :
       llvm::zip_equal(scan.getStacked(), scan.getStepOutputs())) {
    SmallVector<DimExpr> shape{steps};
    llvm::append_range(shape, shapeOf(entry.get()));
    shapes[result] = std::move(shape);
  }
}

LogicalResult SymbolicShapes::visitIndexOp(Operation *op) {
  Value result = op->getResult(0);
  IntegerAttr constant;
  if (matchPattern(op, m_Constant(&constant))) {
    indices[result] = DimExpr::constant(constant.getInt());
    return success();
  }
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> i = dim.getConstantIndex();
    ArrayRef<DimExpr> shape = shapeOf(dim.getSource());
    if (i && *i >= 0 && static_cast<size_t>(*i) < shape.size())
      indices[result] = shape[*i];
    return success();
  }
  // Other index arithmetic is only an error once a shape needs it.
  if (op->getNumOperands() != 2 || !indices.count(op->getOperand(0)) ||
      !indices.count(op->getOperand(1)))
    return success();
  DimExpr a = indices[op->getOperand(0)], b = indices[op->getOperand(1)];
  std::optional<DimExpr> value =
      llvm::TypeSwitch<Operation *, std::optional<DimExpr>>(op)
          .Case([&](arith::AddIOp) { return DimExpr::add(a, b); })
          .Case([&](arith::SubIOp) { return DimExpr::subtract(a, b); })
          .Case([&](arith::MulIOp) { return DimExpr::multiply(a, b); })
          .Case<arith::DivSIOp, arith::DivUIOp>([&](auto) {
            std::optional<int64_t> divisor = b.asConstant();
            return divisor ? a.divideExactly(*divisor) : std::nullopt;
          })
          .Default([](Operation *) { return std::nullopt; });
  if (value)
    indices[result] = *value;
  return success();
}

FailureOr<DimExpr> SymbolicShapes::size(Operation *op, OpFoldResult value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return DimExpr::constant(*constant);
  auto it = indices.find(dyn_cast<Value>(value));
  if (it == indices.end())
    return op->emitError("expects its sizes to be polynomials in the dynamic "
                         "dimensions of the model");
  return it->second;
}

/// The shape of `like` with dimensions fixed by the static sizes of `type`.
static SmallVector<DimExpr> withStatic(RankedTensorType type,
                                       ArrayRef<DimExpr> like) {
  SmallVector<DimExpr> shape;
  for (auto [i, size] : llvm::enumerate(type.getShape()))
    shape.push_back(!ShapedType::isDynamic(size) || i >= like.size()
                        ? DimExpr::constant(size)
                        : like[i]);
  return shape;
}

using Shape = FailureOr<SmallVector<DimExpr>>;

Shape SymbolicShapes::sizes(Operation *op, ArrayRef<OpFoldResult> values) {
  SmallVector<DimExpr> shape;
  for (OpFoldResult value : values) {
    FailureOr<DimExpr> dim = size(op, value);
    if (failed(dim))
      return failure();
    shape.push_back(*dim);
  }
  return shape;
}

Shape SymbolicShapes::sliceShape(tensor::ExtractSliceOp slice) {
  Shape full = sizes(slice, slice.getMixedSizes());
  if (failed(full))
    return failure();
  SmallVector<DimExpr> shape;
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  for (auto [i, dim] : llvm::enumerate(*full))
    if (!dropped.test(i))
      shape.push_back(dim);
  return shape;
}

Shape SymbolicShapes::collapsedShape(tensor::CollapseShapeOp collapse) const {
  ArrayRef<DimExpr> source = shapeOf(collapse.getSrc());
  SmallVector<DimExpr> shape;
  for (auto &group : collapse.getReassociationIndices()) {
    DimExpr product = DimExpr::constant(1);
    for (int64_t i : group) {
      std::optional<DimExpr> next = DimExpr::multiply(product, source[i]);
      if (!next)
        return collapse.emitError("has a size beyond 64 bits");
      product = *next;
    }
    shape.push_back(product);
  }
  return shape;
}

Shape SymbolicShapes::concatShape(tensor::ConcatOp concat) const {
  SmallVector<DimExpr> shape(shapeOf(concat.getInputs().front()));
  DimExpr &joined = shape[concat.getDim()];
  for (Value input : concat.getInputs().drop_front()) {
    std::optional<DimExpr> sum =
        DimExpr::add(joined, shapeOf(input)[concat.getDim()]);
    if (!sum)
      return concat.emitError("has a size beyond 64 bits");
    joined = *sum;
  }
  return shape;
}

SmallVector<DimExpr> SymbolicShapes::attentionShape(AttentionOp attention,
                                                    OpResult result) const {
  ArrayRef<DimExpr> query = shapeOf(attention.getQueries().front());
  ArrayRef<DimExpr> value = shapeOf(attention.getValue());
  if (result == attention.getOutput())
    return {query[0], query[1], query[2], value[3]};
  if (result == attention.getLogsumexp())
    return {query[0], query[1], query[2]};
  // The weights: their mean over the heads, or those of every head.
  if (cast<RankedTensorType>(result.getType()).getRank() == 3)
    return {query[0], query[2], value[2]};
  return {query[0], query[1], query[2], value[2]};
}

/// Elementwise operations and norms have the shape of their operand.
Shape SymbolicShapes::operandShape(Operation *op, RankedTensorType type) const {
  bool keepsShape =
      isa<LayerNormOp, RmsNormOp, SoftmaxOp, tensor::CastOp>(op) ||
      op->hasTrait<OpTrait::Elementwise>();
  for (Value operand : op->getOperands())
    if (keepsShape &&
        shapeOf(operand).size() == static_cast<size_t>(type.getRank()))
      return withStatic(type, shapeOf(operand));
  return op->emitError("has a result whose shape cannot be inferred");
}

Shape SymbolicShapes::resultShape(Operation *op, OpResult result) {
  auto type = cast<RankedTensorType>(result.getType());
  if (type.hasStaticShape())
    return withStatic(type, {});
  return llvm::TypeSwitch<Operation *, Shape>(op)
      .Case([&](tensor::EmptyOp empty) {
        return sizes(empty, empty.getMixedSizes());
      })
      .Case([&](tensor::ExpandShapeOp expand) {
        return sizes(expand, expand.getMixedOutputShape());
      })
      .Case([&](tensor::ExtractSliceOp slice) { return sliceShape(slice); })
      .Case([&](tensor::CollapseShapeOp collapse) {
        return collapsedShape(collapse);
      })
      .Case([&](tensor::ConcatOp concat) { return concatShape(concat); })
      .Case([&](LinearOp linear) {
        return withStatic(type, shapeOf(linear.getInput()));
      })
      .Case([&](MatmulOp matmul) {
        SmallVector<DimExpr> shape(shapeOf(matmul.getA()));
        ArrayRef<DimExpr> b = shapeOf(matmul.getB());
        shape.back() = b[b.size() - (matmul.getTransposeB() ? 2 : 1)];
        return shape;
      })
      .Case([&](EmbeddingOp embedding) {
        SmallVector<DimExpr> shape(shapeOf(embedding.getIds()));
        shape.push_back(shapeOf(embedding.getTable())[1]);
        return shape;
      })
      .Case([&](TokenRowsOp rows) -> Shape {
        bool isPerSequence =
            result == rows.getStarts() || result == rows.getLengths();
        if (isPerSequence)
          return SmallVector<DimExpr>(shapeOf(rows.getCounts()));
        return SmallVector<DimExpr>{shapeOf(rows.getLike()).back()};
      })
      .Case([&](AppendOp append) {
        return withStatic(type, shapeOf(append.getCache()));
      })
      .Case([&](ReadPagesOp read) -> Shape {
        ArrayRef<DimExpr> pages = shapeOf(read.getPages());
        std::optional<DimExpr> positions =
            DimExpr::multiply(pages[1], DimExpr::constant(kPageTokens));
        if (!positions)
          return read.emitError("has a size beyond 64 bits");
        return SmallVector<DimExpr>{
            pages[0], DimExpr::constant(type.getDimSize(1)), *positions,
            DimExpr::constant(type.getDimSize(3))};
      })
      .Case([&](AttentionOp attention) {
        return attentionShape(attention, result);
      })
      .Case([&](linalg::LinalgOp linalg) {
        Value init = linalg.getDpsInits()[result.getResultNumber()];
        return SmallVector<DimExpr>(shapeOf(init));
      })
      .Default([&](Operation *) { return operandShape(op, type); });
}

LogicalResult SymbolicShapes::visitLaunch(Operation *op) {
  auto launch = cast<LaunchOp>(op);
  if (auto planned = op->getAttrOfType<ArrayAttr>(kShapesAttr))
    return readPlannedShapes(launch, planned);
  FailureOr<func::FuncOp> kernel = visitKernel(launch, *this);
  if (failed(kernel))
    return failure();
  Operation *terminator = kernel->getBody().front().getTerminator();
  for (auto [result, value] :
       llvm::zip_equal(launch.getOutputs(), terminator->getOperands()))
    shapes[result] = SmallVector<DimExpr>(shapeOf(value));
  return success();
}

FailureOr<func::FuncOp>
SymbolicShapes::visitKernel(LaunchOp launch, const SymbolicShapes &outer) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      launch, launch.getKernelAttr());
  if (!kernel || kernel.getNumArguments() != launch.getInputs().size())
    return launch.emitError("expects a kernel with as many arguments as "
                            "inputs");
  if (launch->getParentOfType<func::FuncOp>()->hasAttr(kKernelAttr))
    return launch.emitError("expects to stand in a model, not in a kernel");
  if (!kernel.getBody().hasOneBlock() ||
      !isa<func::ReturnOp>(kernel.getBody().front().back()))
    return launch.emitError("expects a kernel of one block that returns");
  for (auto [argument, input] :
       llvm::zip_equal(kernel.getArguments(), launch.getInputs()))
    shapes[argument] = SmallVector<DimExpr>(outer.shapeOf(input));
  if (failed(visitRegion(kernel.getBody())))
    return failure();
  return kernel;
}

FailureOr<SymbolicShapes> SymbolicShapes::insideOf(LaunchOp launch) const {
  SymbolicShapes inside;
  inside.names = names;
  if (failed(inside.visitKernel(launch, *this)))
    return failure();
  return inside;
}

LogicalResult SymbolicShapes::readPlannedShapes(Operation *op,
                                                ArrayAttr planned) {
  if (planned.size() != op->getNumResults())
    return op->emitError("expects '")
           << kShapesAttr << "' to have one entry for each result";
  for (auto [result, entry] : llvm::zip_equal(op->getResults(), planned)) {
    auto map = dyn_cast<AffineMapAttr>(entry);
    auto type = cast<RankedTensorType>(result.getType());
    if (!map || map.getValue().getNumResults() != type.getRank() ||
        map.getValue().getNumSymbols() != names.size())
      return op->emitError("expects '")
             << kShapesAttr << "' to give each dimension of its results in "
             << names.size() << " symbols";
    SmallVector<DimExpr> shape;
    for (AffineExpr expr : map.getValue().getResults()) {
      std::optional<DimExpr> dim = DimExpr::fromAffine(expr);
      if (!dim)
        return op->emitError("expects '")
               << kShapesAttr << "' to hold polynomials";
      shape.push_back(*dim);
    }
    shapes[result] = std::move(shape);
  }
  return success();
}
