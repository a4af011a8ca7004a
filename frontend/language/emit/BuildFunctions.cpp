// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar functions as arith and math operations.

#include "dialect/AttnOps.h"
#include "frontend/language/emit/BuilderImpl.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn::lang;

Value attn::lang::numberLike(OpBuilder &b, Location loc, mlir::Type type,
                             double real) {
  mlir::Type element = getElementTypeOrSelf(type);
  TypedAttr scalar = isa<FloatType>(element)
                         ? TypedAttr(b.getFloatAttr(element, real))
                         : TypedAttr(b.getIntegerAttr(element, int64_t(real)));
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return arith::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(tensor, scalar));
  return arith::ConstantOp::create(b, loc, scalar);
}

Value attn::lang::scalarConstant(OpBuilder &b, Location loc, const Node &node,
                                 Element element) {
  mlir::Type type = element == Element::F32     ? mlir::Type(b.getF32Type())
                    : element == Element::Index ? mlir::Type(b.getIndexType())
                    : element == Element::Bool  ? mlir::Type(b.getI1Type())
                                                : mlir::Type(b.getI64Type());
  TypedAttr value = element == Element::F32
                        ? TypedAttr(b.getFloatAttr(type, node.constantAsReal()))
                        : TypedAttr(b.getIntegerAttr(type, node.integer));
  return arith::ConstantOp::create(b, loc, value);
}

/// The integer part; the nearest of -2^62 and 2^62 beyond them, -2^62 for NaN.
static Value roundToZero(OpBuilder &b, Location loc, Value value) {
  Value low = numberLike(b, loc, value.getType(), -0x1p62);
  Value high = numberLike(b, loc, value.getType(), 0x1p62);
  value = arith::MaxNumFOp::create(b, loc, value, low);
  value = arith::MinNumFOp::create(b, loc, value, high);
  mlir::Type type = b.getI64Type();
  if (auto tensor = dyn_cast<RankedTensorType>(value.getType()))
    type = tensor.clone(type);
  return arith::FPToSIOp::create(b, loc, type, value);
}

Value attn::lang::convertElement(OpBuilder &b, Location loc, Value value,
                                 Element to) {
  mlir::Type from = getElementTypeOrSelf(value.getType());
  mlir::Type wanted = to == Element::F32     ? mlir::Type(b.getF32Type())
                      : to == Element::I64   ? mlir::Type(b.getI64Type())
                      : to == Element::Index ? mlir::Type(b.getIndexType())
                                             : mlir::Type(b.getI1Type());
  if (from == wanted)
    return value;
  if (from.isF32() && wanted.isInteger(64))
    return roundToZero(b, loc, value);
  mlir::Type type = wanted;
  if (auto tensor = dyn_cast<RankedTensorType>(value.getType()))
    type = tensor.clone(wanted);
  // Stored conditions are i64 values that are 0 or 1.
  if (wanted.isInteger(1))
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value,
                                 numberLike(b, loc, value.getType(), 0));
  if (from.isIndex() && wanted.isF32())
    value = convertElement(b, loc, value, Element::I64);
  else if (from.isIndex() || wanted.isIndex())
    return arith::IndexCastOp::create(b, loc, type, value);
  else if (from.isInteger(1))
    return wanted.isF32() ? Value(arith::UIToFPOp::create(b, loc, type, value))
                          : Value(arith::ExtUIOp::create(b, loc, type, value));
  return arith::SIToFPOp::create(b, loc, type, value);
}

namespace {

arith::CmpIPredicate integerPredicate(Function f) {
  switch (f) {
  case Function::Eq:
    return arith::CmpIPredicate::eq;
  case Function::Ne:
    return arith::CmpIPredicate::ne;
  case Function::Lt:
    return arith::CmpIPredicate::slt;
  case Function::Le:
    return arith::CmpIPredicate::sle;
  case Function::Gt:
    return arith::CmpIPredicate::sgt;
  default:
    return arith::CmpIPredicate::sge;
  }
}

// Ordered, as in C; NaN differs from everything.
arith::CmpFPredicate floatPredicate(Function f) {
  switch (f) {
  case Function::Eq:
    return arith::CmpFPredicate::OEQ;
  case Function::Ne:
    return arith::CmpFPredicate::UNE;
  case Function::Lt:
    return arith::CmpFPredicate::OLT;
  case Function::Le:
    return arith::CmpFPredicate::OLE;
  case Function::Gt:
    return arith::CmpFPredicate::OGT;
  default:
    return arith::CmpFPredicate::OGE;
  }
}

Value emitInteger(OpBuilder &b, Location loc, Function f, ValueRange x) {
  switch (f) {
  case Function::Add:
    return arith::AddIOp::create(b, loc, x[0], x[1]);
  case Function::Sub:
    return arith::SubIOp::create(b, loc, x[0], x[1]);
  case Function::Mul:
    return arith::MulIOp::create(b, loc, x[0], x[1]);
  case Function::Min:
    return arith::MinSIOp::create(b, loc, x[0], x[1]);
  case Function::Max:
    return arith::MaxSIOp::create(b, loc, x[0], x[1]);
  case Function::FloorDiv:
    return arith::FloorDivSIOp::create(b, loc, x[0], x[1]);
  case Function::Mod: {
    Value quotient = arith::FloorDivSIOp::create(b, loc, x[0], x[1]);
    Value product = arith::MulIOp::create(b, loc, quotient, x[1]);
    return arith::SubIOp::create(b, loc, x[0], product);
  }
  case Function::Neg:
    return arith::SubIOp::create(b, loc, numberLike(b, loc, x[0].getType(), 0),
                                 x[0]);
  case Function::Abs: {
    Value negated = emitInteger(b, loc, Function::Neg, x);
    return arith::MaxSIOp::create(b, loc, x[0], negated);
  }
  case Function::And:
    return arith::AndIOp::create(b, loc, x[0], x[1]);
  case Function::Or:
    return arith::OrIOp::create(b, loc, x[0], x[1]);
  case Function::Not:
    return arith::XOrIOp::create(b, loc, x[0],
                                 numberLike(b, loc, x[0].getType(), 1));
  default:
    return x[0];
  }
}

/// 1 / (1 + exp(-x))
Value emitSigmoid(OpBuilder &b, Location loc, Value x) {
  Value one = numberLike(b, loc, x.getType(), 1);
  Value negated = arith::NegFOp::create(b, loc, x);
  Value exponential = math::ExpOp::create(b, loc, negated);
  Value sum = arith::AddFOp::create(b, loc, one, exponential);
  return arith::DivFOp::create(b, loc, one, sum);
}

Value emitUnaryFloat(OpBuilder &b, Location loc, Function f, Value x) {
  switch (f) {
  case Function::Neg:
    return arith::NegFOp::create(b, loc, x);
  case Function::Abs:
    return math::AbsFOp::create(b, loc, x);
  case Function::Exp:
    return math::ExpOp::create(b, loc, x);
  case Function::Log:
    return math::LogOp::create(b, loc, x);
  case Function::Sqrt:
    return math::SqrtOp::create(b, loc, x);
  case Function::Rsqrt:
    return math::RsqrtOp::create(b, loc, x);
  case Function::Erf:
    return math::ErfOp::create(b, loc, x);
  case Function::Tanh:
    return math::TanhOp::create(b, loc, x);
  case Function::Sin:
    return math::SinOp::create(b, loc, x);
  case Function::Cos:
    return math::CosOp::create(b, loc, x);
  case Function::Floor:
    return math::FloorOp::create(b, loc, x);
  case Function::Sigmoid:
    return emitSigmoid(b, loc, x);
  case Function::Relu:
    return arith::MaximumFOp::create(b, loc, x,
                                     numberLike(b, loc, x.getType(), 0));
  case Function::Silu:
    return arith::MulFOp::create(b, loc, x, emitSigmoid(b, loc, x));
  case Function::QuickGelu: {
    Value factor = numberLike(b, loc, x.getType(), 1.702);
    Value scaled = arith::MulFOp::create(b, loc, x, factor);
    return arith::MulFOp::create(b, loc, x, emitSigmoid(b, loc, scaled));
  }
  case Function::Gelu:
    return attn::GeluOp::create(b, loc, x.getType(), x, attn::GeluForm::None);
  case Function::GeluTanh:
    return attn::GeluOp::create(b, loc, x.getType(), x, attn::GeluForm::Tanh);
  default:
    return x;
  }
}

Value emitFloat(OpBuilder &b, Location loc, Function f, ValueRange x) {
  switch (f) {
  case Function::Add:
    return arith::AddFOp::create(b, loc, x[0], x[1]);
  case Function::Sub:
    return arith::SubFOp::create(b, loc, x[0], x[1]);
  case Function::Mul:
    return arith::MulFOp::create(b, loc, x[0], x[1]);
  case Function::Div:
    return arith::DivFOp::create(b, loc, x[0], x[1]);
  case Function::Pow:
    return math::PowFOp::create(b, loc, x[0], x[1]);
  // NaN goes through, as it does through every other function.
  case Function::Min:
    return arith::MinimumFOp::create(b, loc, x[0], x[1]);
  case Function::Max:
    return arith::MaximumFOp::create(b, loc, x[0], x[1]);
  default:
    return emitUnaryFloat(b, loc, f, x[0]);
  }
}

} // namespace

Value attn::lang::emitFunction(OpBuilder &b, Location loc, Function f,
                               ValueRange x) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(x.back().getType()));
  if (f == Function::Copy || f == Function::ToF32 || f == Function::ToI64)
    return x[0];
  if (f == Function::Where)
    return arith::SelectOp::create(b, loc, x[0], x[1], x[2]);
  if (f >= Function::Eq && f <= Function::Ge)
    return isFloat ? Value(arith::CmpFOp::create(b, loc, floatPredicate(f),
                                                 x[0], x[1]))
                   : Value(arith::CmpIOp::create(b, loc, integerPredicate(f),
                                                 x[0], x[1]));
  return isFloat ? emitFloat(b, loc, f, x) : emitInteger(b, loc, f, x);
}
