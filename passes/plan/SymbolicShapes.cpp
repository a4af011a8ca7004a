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
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace attn;

//===----------------------------------------------------------------------===//
// DimExpr
//===----------------------------------------------------------------------===//

DimExpr DimExpr::constant(int64_t value) {
  DimExpr result;
  if (value != 0)
    result.coefficients[{}] = value;
  return result;
}

DimExpr DimExpr::symbol(unsigned index) {
  DimExpr result;
  result.coefficients[{index}] = 1;
  return result;
}

std::optional<DimExpr> DimExpr::add(const DimExpr &a, const DimExpr &b) {
  DimExpr result = a;
  for (const auto &[monomial, coefficient] : b.coefficients) {
    int64_t &sum = result.coefficients[monomial];
    if (llvm::AddOverflow(sum, coefficient, sum))
      return std::nullopt;
    if (sum == 0)
      result.coefficients.erase(monomial);
  }
  return result;
}

std::optional<DimExpr> DimExpr::subtract(const DimExpr &a, const DimExpr &b) {
  std::optional<DimExpr> negated = multiply(b, constant(-1));
  return negated ? add(a, *negated) : std::nullopt;
}

// No model's sizes come near; they bound what repeated squaring costs.
static constexpr size_t kMaxTerms = 256, kMaxDegree = 32;

std::optional<DimExpr> DimExpr::multiply(const DimExpr &a, const DimExpr &b) {
  if (a.coefficients.size() * b.coefficients.size() > kMaxTerms)
    return std::nullopt;
  DimExpr result;
  for (const auto &[m1, c1] : a.coefficients)
    for (const auto &[m2, c2] : b.coefficients) {
      if (m1.size() + m2.size() > kMaxDegree)
        return std::nullopt;
      DimExpr term;
      Monomial product(m1);
      product.insert(product.end(), m2.begin(), m2.end());
      std::sort(product.begin(), product.end());
      int64_t coefficient;
      if (llvm::MulOverflow(c1, c2, coefficient))
        return std::nullopt;
      term.coefficients[product] = coefficient;
      std::optional<DimExpr> sum = add(result, term);
      if (!sum)
        return std::nullopt;
      result = *sum;
    }
  return result;
}

std::optional<DimExpr> DimExpr::divideExactly(int64_t divisor) const {
  if (divisor <= 0)
    return std::nullopt;
  DimExpr result;
  for (const auto &[monomial, coefficient] : coefficients) {
    if (coefficient % divisor != 0)
      return std::nullopt;
    result.coefficients[monomial] = coefficient / divisor;
  }
  return result;
}

bool DimExpr::dominates(const DimExpr &other) const {
  std::optional<DimExpr> difference = subtract(*this, other);
  return difference && llvm::all_of(difference->coefficients, [](auto &term) {
           return term.second >= 0;
         });
}

std::optional<int64_t> DimExpr::asConstant() const {
  if (coefficients.empty())
    return 0;
  if (coefficients.size() == 1 && coefficients.begin()->first.empty())
    return coefficients.begin()->second;
  return std::nullopt;
}

AffineExpr DimExpr::toAffine(MLIRContext *context) const {
  AffineExpr sum = getAffineConstantExpr(0, context);
  for (const auto &[monomial, coefficient] : coefficients) {
    AffineExpr product = getAffineConstantExpr(1, context);
    for (unsigned symbol : monomial)
      product = product * getAffineSymbolExpr(symbol, context);
    sum = sum + product * coefficient;
  }
  return sum;
}

std::optional<DimExpr> DimExpr::fromAffine(AffineExpr expr) {
  if (auto value = dyn_cast<AffineConstantExpr>(expr))
    return constant(value.getValue());
  if (auto position = dyn_cast<AffineSymbolExpr>(expr))
    return symbol(position.getPosition());
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  std::optional<DimExpr> a = fromAffine(binary.getLHS());
  std::optional<DimExpr> b = fromAffine(binary.getRHS());
  if (!a || !b)
    return std::nullopt;
  if (binary.getKind() == AffineExprKind::Add)
    return add(*a, *b);
  if (binary.getKind() == AffineExprKind::Mul)
    return multiply(*a, *b);
  return std::nullopt;
}

std::string DimExpr::str(ArrayRef<std::string> symbols) const {
  std::string text;
  llvm::raw_string_ostream out(text);
  llvm::ListSeparator plus(" + ");
  for (const auto &[monomial, coefficient] : llvm::reverse(coefficients)) {
    out << plus;
    if (coefficient != 1 || monomial.empty())
      out << coefficient << (monomial.empty() ? "" : "*");
    llvm::interleave(
        monomial, out, [&](unsigned s) { out << symbols[s]; }, "*");
  }
  return text.empty() ? "0" : text;
}

//===----------------------------------------------------------------------===//
// SymbolicShapes
//===----------------------------------------------------------------------===//

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
  if (isa<scf::ForOp>(op))
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

/// Tensors carried by a loop over layers keep their shape.
LogicalResult SymbolicShapes::visitLoop(Operation *op) {
  auto loop = cast<scf::ForOp>(op);
  for (auto [init, argument, result] : llvm::zip_equal(
           loop.getInitArgs(), loop.getRegionIterArgs(), loop.getResults())) {
    copyShape(init, argument);
    copyShape(init, result);
  }
  if (failed(visitRegion(loop.getRegion())))
    return failure();
  for (auto [i, init, yielded] :
       llvm::enumerate(loop.getInitArgs(), loop.getYieldedValues()))
    if (shapeOf(init) != shapeOf(yielded))
      return loop.emitError("expects carried value ")
             << i << " to keep its sizes";
  return success();
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

FailureOr<SmallVector<DimExpr>> SymbolicShapes::resultShape(Operation *op,
                                                            OpResult result) {
  auto type = cast<RankedTensorType>(result.getType());
  if (type.hasStaticShape())
    return withStatic(type, {});

  auto sizes =
      [&](ArrayRef<OpFoldResult> values) -> FailureOr<SmallVector<DimExpr>> {
    SmallVector<DimExpr> shape;
    for (OpFoldResult value : values) {
      FailureOr<DimExpr> dim = size(op, value);
      if (failed(dim))
        return failure();
      shape.push_back(*dim);
    }
    return shape;
  };
  using Shape = FailureOr<SmallVector<DimExpr>>;
  return llvm::TypeSwitch<Operation *, Shape>(op)
      .Case([&](tensor::EmptyOp empty) { return sizes(empty.getMixedSizes()); })
      .Case([&](tensor::ExtractSliceOp slice) -> Shape {
        Shape full = sizes(slice.getMixedSizes());
        if (failed(full))
          return failure();
        SmallVector<DimExpr> shape;
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        for (auto [i, dim] : llvm::enumerate(*full))
          if (!dropped.test(i))
            shape.push_back(dim);
        return shape;
      })
      .Case([&](tensor::ExpandShapeOp expand) {
        return sizes(expand.getMixedOutputShape());
      })
      .Case([&](tensor::CollapseShapeOp collapse) -> Shape {
        ArrayRef<DimExpr> source = shapeOf(collapse.getSrc());
        SmallVector<DimExpr> shape;
        for (auto &group : collapse.getReassociationIndices()) {
          DimExpr product = DimExpr::constant(1);
          for (int64_t i : group) {
            std::optional<DimExpr> next = DimExpr::multiply(product, source[i]);
            if (!next)
              return op->emitError("has a size beyond 64 bits");
            product = *next;
          }
          shape.push_back(product);
        }
        return shape;
      })
      .Case([&](tensor::ConcatOp concat) -> Shape {
        SmallVector<DimExpr> shape(shapeOf(concat.getInputs().front()));
        for (Value input : concat.getInputs().drop_front()) {
          std::optional<DimExpr> sum = DimExpr::add(
              shape[concat.getDim()], shapeOf(input)[concat.getDim()]);
          if (!sum)
            return op->emitError("has a size beyond 64 bits");
          shape[concat.getDim()] = *sum;
        }
        return shape;
      })
      .Case([&](LinearOp linear) -> Shape {
        return withStatic(type, shapeOf(linear.getInput()));
      })
      .Case([&](MatmulOp matmul) -> Shape {
        SmallVector<DimExpr> shape(shapeOf(matmul.getA()));
        ArrayRef<DimExpr> b = shapeOf(matmul.getB());
        shape.back() = b[b.size() - (matmul.getTransposeB() ? 2 : 1)];
        return shape;
      })
      .Case([&](EmbeddingOp embedding) -> Shape {
        SmallVector<DimExpr> shape(shapeOf(embedding.getIds()));
        shape.push_back(shapeOf(embedding.getTable())[1]);
        return shape;
      })
      .Case([&](AttentionOp attention) -> Shape {
        ArrayRef<DimExpr> query = shapeOf(attention.getQueries().front());
        ArrayRef<DimExpr> value = shapeOf(attention.getValue());
        if (result == attention.getOutput())
          return SmallVector<DimExpr>{query[0], query[1], query[2], value[3]};
        if (result == attention.getLogsumexp())
          return SmallVector<DimExpr>{query[0], query[1], query[2]};
        if (type.getRank() == 3)
          return SmallVector<DimExpr>{query[0], query[2], value[2]};
        return SmallVector<DimExpr>{query[0], query[1], query[2], value[2]};
      })
      .Case([&](linalg::LinalgOp linalg) -> Shape {
        Value init = linalg.getDpsInits()[result.getResultNumber()];
        return SmallVector<DimExpr>(shapeOf(init));
      })
      .Default([&](Operation *) -> Shape {
        // Elementwise operations and norms have the shape of their operand.
        bool keepsShape =
            isa<LayerNormOp, RmsNormOp, SoftmaxOp, tensor::CastOp>(op) ||
            op->hasTrait<OpTrait::Elementwise>();
        for (Value operand : op->getOperands())
          if (keepsShape &&
              shapeOf(operand).size() == static_cast<size_t>(type.getRank()))
            return withStatic(type, shapeOf(operand));
        return op->emitError("has a result whose shape cannot be inferred");
      });
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
