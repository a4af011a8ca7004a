// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementary functions of f32 as polynomials on scalars and vectors.

#include "codegen/cpu/tiles/ExpandMath.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <cmath>

using namespace mlir;
using namespace attn;

namespace {

/// Builds arithmetic on values of one type, f32 or a vector of it; sums and
/// products also of f64.
struct FloatBuilder : ImplicitLocOpBuilder {
  FloatBuilder(Location loc, PatternRewriter &rewriter, Type type)
      : ImplicitLocOpBuilder(loc, rewriter), type(type) {}
  FloatBuilder(const ImplicitLocOpBuilder &builder, Type type)
      : ImplicitLocOpBuilder(builder), type(type) {}

  Type type;

  /// As many elements of another type.
  Type elementsOf(Type element) {
    auto vector = dyn_cast<VectorType>(type);
    return vector ? Type(vector.clone(element)) : element;
  }
  Type integers() { return elementsOf(getI32Type()); }
  template <typename T> Value splat(Type ofType, T value) {
    if (auto vector = dyn_cast<VectorType>(ofType))
      return arith::ConstantOp::create(
          *this, DenseElementsAttr::get(vector, ArrayRef<T>(value)));
    TypedAttr attribute;
    if constexpr (std::is_floating_point_v<T>)
      attribute = getFloatAttr(ofType, value);
    else
      attribute = getI32IntegerAttr(value);
    return arith::ConstantOp::create(*this, attribute);
  }
  Value constant(double value) {
    return splat(type, static_cast<float>(value));
  }
  Value add(Value a, Value b) { return arith::AddFOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return arith::SubFOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(*this, a, b); }
  Value div(Value a, Value b) { return arith::DivFOp::create(*this, a, b); }
  Value abs(Value a) { return math::AbsFOp::create(*this, a); }
  Value fma(Value a, Value b, Value c) {
    // Fused where the ISA has it, a product and a sum elsewhere; never a call.
    return LLVM::FMulAddOp::create(*this, a, b, c);
  }
  Value select(arith::CmpFPredicate predicate, Value a, Value b, Value then,
               Value otherwise) {
    Value condition = arith::CmpFOp::create(*this, predicate, a, b);
    return arith::SelectOp::create(*this, condition, then, otherwise);
  }
  /// max(bound, x), and x where it is NaN: one instruction on x86.
  Value atLeast(Value bound, Value x) {
    return select(arith::CmpFPredicate::OGT, bound, x, bound, x);
  }
  Value atMost(Value bound, Value x) {
    return select(arith::CmpFPredicate::OLT, bound, x, bound, x);
  }
  Value polynomial(Value x, ArrayRef<double> lowToHigh) {
    Value sum = constant(lowToHigh.back());
    for (double coefficient : llvm::reverse(lowToHigh.drop_back()))
      sum = fma(sum, x, constant(coefficient));
    return sum;
  }

  /// 2^n 2^fraction, for n the integer that adding `kMagic` leaves in the low
  /// bits of `shifted`. The power is made one too small and the polynomial
  /// twice too large, so that all of [2^-125, 2^128) is reached; beyond lie 0
  /// and infinity. |fraction| <= 1/2; error 8e-8 (minimax, fitted by Remez).
  static constexpr double kMagic = 12582912.0 + 126.0;
  Value scaledExp2(Value shifted, Value fraction) {
    Value p = polynomial(fraction, {2.0, 2 * 0.6931472057, 2 * 0.2402264689,
                                    2 * 0.05550328775, 2 * 0.00961848891,
                                    2 * 0.001339993169, 2 * 0.0001534582262});
    Value bits = arith::BitcastOp::create(*this, integers(), shifted);
    bits = arith::ShLIOp::create(*this, bits, splat<int32_t>(integers(), 23));
    return mul(p, arith::BitcastOp::create(*this, type, bits));
  }

  Value exp2(Value x) {
    x = atLeast(constant(-126), atMost(constant(129), x));
    Value magic = constant(kMagic);
    Value shifted = add(x, magic);
    return scaledExp2(shifted, sub(x, sub(shifted, magic)));
  }

  /// Range reduction with ln 2 in two parts (Cody and Waite 1980).
  Value exp(Value x) {
    x = atLeast(constant(-87.3365), atMost(constant(89.4), x));
    Value magic = constant(kMagic);
    Value shifted = fma(x, constant(1.44269504088896341), magic);
    Value n = sub(shifted, magic);
    Value r = fma(n, constant(-0.693359375), x);
    r = fma(n, constant(2.12194440e-4), r);
    return scaledExp2(shifted, mul(r, constant(1.44269504088896341)));
  }

  /// max(x, 0) - |x| 2^q(|x|): |x| 2^q is |x| Phi(-|x|). Error 9e-7; beyond 14
  /// the second term is 0 in f32.
  Value gelu(Value x) {
    Value size = atMost(constant(14), abs(x));
    Value q =
        polynomial(size, {-1.000037633, -1.150787767, -0.4599926521,
                          -0.05182716168, 0.00708445818, -0.0004732935575});
    Value tail = mul(size, exp2(q));
    return sub(atLeast(constant(0), x), tail);
  }

  /// x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3), e^-2u as a power of 2.
  Value geluTanh(Value x) {
    constexpr double kFactor = -2 * 0.79788456080286536 * 1.44269504088896341;
    Value square = mul(x, x);
    Value u = fma(square, constant(kFactor * 0.044715), constant(kFactor));
    return div(x, add(constant(1), exp2(mul(u, x))));
  }

  /// Turns of pi/2 are taken off in f64, exactly enough up to 2^30; beyond,
  /// where neighbours in f32 are turns apart, the result is only some number of
  /// the range. Polynomials of Cephes on [-pi/4, pi/4]; error 9e-8.
  Value sinOrCos(Value x, bool isCos) {
    FloatBuilder wide(*this, elementsOf(getF64Type()));
    Type i64 = elementsOf(getI64Type());
    Value far = arith::ExtFOp::create(*this, wide.type, x);
    Value magic = wide.splat(wide.type, 0x1.8p52); // its low bits count turns
    Value turns = wide.mul(far, wide.splat(wide.type, M_2_PI));
    Value shifted = wide.add(turns, magic);
    Value back =
        wide.mul(wide.sub(shifted, magic), wide.splat(wide.type, M_PI_2));
    Value r = arith::TruncFOp::create(*this, type, wide.sub(far, back));
    r = atLeast(constant(-M_PI_4), atMost(constant(M_PI_4), r));

    Value square = mul(r, r);
    Value sin = fma(mul(square, r),
                    polynomial(square, {-1.6666654611e-1, 8.3321608736e-3,
                                        -1.9515295891e-4}),
                    r);
    Value cos =
        fma(mul(square, square),
            polynomial(square, {4.166664568298827e-2, -1.388731625493765e-3,
                                2.443315711809948e-5}),
            fma(square, constant(-0.5), constant(1)));

    // sin, cos, -sin, -cos; the cosine is a quarter turn ahead.
    Value count = arith::BitcastOp::create(*this, i64, shifted);
    count = arith::TruncIOp::create(*this, integers(), count);
    auto bits = [&](int32_t value) { return splat(integers(), value); };
    if (isCos)
      count = arith::AddIOp::create(*this, count, bits(1));
    Value odd = arith::CmpIOp::create(
        *this, arith::CmpIPredicate::ne,
        arith::AndIOp::create(*this, count, bits(1)), bits(0));
    Value size = arith::SelectOp::create(*this, odd, cos, sin);
    Value sign = arith::ShLIOp::create(
        *this, arith::AndIOp::create(*this, count, bits(2)), bits(30));
    Value result = arith::XOrIOp::create(
        *this, arith::BitcastOp::create(*this, integers(), size), sign);
    return arith::BitcastOp::create(*this, type, result);
  }
  Value sin(Value x) { return sinOrCos(x, /*isCos=*/false); }
  Value cos(Value x) { return sinOrCos(x, /*isCos=*/true); }

  Value roundEven(Value x) {
    Value magic = constant(8388608); // 2^23: larger floats are integers
    Value size = abs(x);
    Value rounded = sub(add(size, magic), magic);
    rounded = math::CopySignOp::create(*this, rounded, x);
    return select(arith::CmpFPredicate::OLT, size, magic, rounded, x);
  }
  Value floor(Value x) {
    Value r = roundEven(x);
    return select(arith::CmpFPredicate::OGT, r, x, sub(r, constant(1)), r);
  }
  Value ceil(Value x) {
    Value r = roundEven(x);
    r = select(arith::CmpFPredicate::OLT, r, x, add(r, constant(1)), r);
    return math::CopySignOp::create(*this, r, x);
  }
  Value trunc(Value x) {
    return math::CopySignOp::create(*this, floor(abs(x)), x);
  }
};

/// Op(x) => build(x).
template <typename Op, Value (FloatBuilder::*build)(Value)>
struct ExpandUnary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    FloatBuilder b(op.getLoc(), rewriter, op.getType());
    rewriter.replaceOp(op, (b.*build)(op->getOperand(0)));
    return success();
  }
};

struct ExpandGelu : OpRewritePattern<GeluOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GeluOp op,
                                PatternRewriter &rewriter) const override {
    FloatBuilder b(op.getLoc(), rewriter, op.getType());
    rewriter.replaceOp(op, op.getApproximate() == GeluForm::Tanh
                               ? b.geluTanh(op.getInput())
                               : b.gelu(op.getInput()));
    return success();
  }
};

struct ExpandFma : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::FMulAddOp>(op, op.getType(),
                                                 op->getOperands());
    return success();
  }
};

/// x / c => x * (1 / c), which a unit in the last place tells apart and which
/// costs a tenth.
struct MultiplyByInverse : OpRewritePattern<arith::DivFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::DivFOp op,
                                PatternRewriter &rewriter) const override {
    FloatAttr scalar;
    DenseElementsAttr vector;
    if (matchPattern(op.getRhs(), m_Constant(&vector)) && vector.isSplat())
      scalar = dyn_cast<FloatAttr>(vector.getSplatValue<Attribute>());
    else if (!matchPattern(op.getRhs(), m_Constant(&scalar)))
      return rewriter.notifyMatchFailure(op, "divided by what varies");
    if (!scalar || !scalar.getType().isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    double inverse = 1.0 / scalar.getValueAsDouble();
    if (!std::isnormal(static_cast<float>(inverse)))
      return rewriter.notifyMatchFailure(op, "no normal inverse");
    FloatBuilder b(op.getLoc(), rewriter, op.getType());
    rewriter.replaceOp(op, b.mul(op.getLhs(), b.constant(inverse)));
    return success();
  }
};

} // namespace

/// Functions with an instruction, or an inline sequence of LLVM, everywhere.
static bool isInstruction(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::SqrtOp, math::CopySignOp,
             math::CountLeadingZerosOp, math::CountTrailingZerosOp,
             math::CtPopOp>(op);
}

static bool isRounding(Operation *op) {
  return isa<math::FloorOp, math::CeilOp, math::RoundEvenOp, math::TruncOp>(op);
}

LogicalResult attn::cpu::expandMath(Operation *root, const TargetSpec &target) {
  RewritePatternSet patterns(root->getContext());
  patterns.add<ExpandGelu, ExpandFma, MultiplyByInverse,
               ExpandUnary<math::ExpOp, &FloatBuilder::exp>,
               ExpandUnary<math::Exp2Op, &FloatBuilder::exp2>,
               ExpandUnary<math::SinOp, &FloatBuilder::sin>,
               ExpandUnary<math::CosOp, &FloatBuilder::cos>>(root->getContext(),
                                                             /*benefit=*/10);
  if (!target.nativeRounding)
    patterns.add<ExpandUnary<math::RoundEvenOp, &FloatBuilder::roundEven>,
                 ExpandUnary<math::FloorOp, &FloatBuilder::floor>,
                 ExpandUnary<math::CeilOp, &FloatBuilder::ceil>,
                 ExpandUnary<math::TruncOp, &FloatBuilder::trunc>>(
        root->getContext(), /*benefit=*/10);
  math::populateExpansionPatterns(patterns, {"acosh", "asinh", "atanh",
                                             "clampf", "cosh", "fpowi", "powf",
                                             "round", "rsqrt", "sinh", "tan"});
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    return name != math::ExpOp::getOperationName() &&
           name != math::CbrtOp::getOperationName();
  });
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
  if (failed(applyPatternsGreedily(root, std::move(patterns))))
    return failure();

  WalkResult walk = root->walk([&](Operation *op) {
    bool known = !isa<math::MathDialect>(op->getDialect()) ||
                 isInstruction(op) || (target.nativeRounding && isRounding(op));
    if (known)
      return WalkResult::advance();
    op->emitError("'") << op->getName() << "' has no form without libm on "
                       << target.name;
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}
