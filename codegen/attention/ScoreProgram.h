// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which parts of an attention's regions depend on one side alone, and which
// sums need a query and a key at once.

#ifndef ATTN_CODEGEN_ATTENTION_SCOREPROGRAM_H
#define ATTN_CODEGEN_ATTENTION_SCOREPROGRAM_H

#include "dialect/AttnOps.h"
#include "llvm/ADT/DenseMap.h"

#include <map>
#include <optional>

namespace attn {

/// What a value of a region varies with. Bits: Pair is Row and Key.
enum class Side : unsigned { Head = 0, Row = 1, Key = 2, Pair = 3 };

/// A vector that is computed once for each head, row or key: the sum of its
/// parts times their factors, or e to the power of that.
struct SidedVector {
  struct Part {
    mlir::Value vector;
    double factor;
    bool operator==(const Part &) const = default;
  };
  llvm::SmallVector<Part, 1> parts;
  bool isExponential = false;
  Side side;
  int64_t width;
  bool operator==(const SidedVector &) const = default;
};

/// A number that is computed once for each head, row or key.
struct SidedScalar {
  enum Kind {
    Expression, ///< a scalar of a region
    Sum,        ///< of a sided vector
    SquareSum,  ///< of its elements' squares
    Range,      ///< the largest magnitude among the exponents of one
  };
  Kind kind;
  mlir::Value expression;
  unsigned vector = 0;
  Side side;
  bool operator==(const SidedScalar &) const = default;
};

/// e^(x + y) = e^x e^y, or tanh by it, inside a sum: both powers are sided.
struct Factored {
  mlir::Operation *op; ///< math.exp or math.tanh
  unsigned rowVector, keyVector;
  /// Where the exponents' ranges together stay below `limit`, no power and no
  /// product of two of them overflows or vanishes.
  unsigned rowRange, keyRange;
  double limit;
};

/// A sum over the width that needs a query and a key: attn.dot or attn.sum.
struct PairTerm {
  mlir::Operation *op;
  /// What may be factored in it; computed directly where a range is too large.
  llvm::SmallVector<Factored, 1> factored;
  /// sum_d w_d / (1 + e^x_d), or sum_d w_d tanh(x_d) = sum_d w_d -
  /// 2 sum_d w_d / (1 + e^2x_d): several fractions go to one division. Errors
  /// are some 1e-7 of a weight, not of what the function gives.
  struct Logistic {
    std::optional<unsigned> weight;    ///< a vector; else all are 1
    std::optional<unsigned> weightSum; ///< a scalar, for tanh with weights
  };
  std::optional<Logistic> logistic;
  /// The product of a vector of each row with one of each key, both kept.
  struct Product {
    unsigned rowVector, keyVector;
  };
  /// What the term is the sum of, where it is a sum of products.
  llvm::SmallVector<Product, 1> products;
  /// sum_d (x_d + y_d)^2 = sum x^2 + sum y^2 + 2 sum x y, of a vector x of the
  /// row and y of the key: the sums of squares, `rowFactor` times the scalar
  /// `rowSum` and the scalar `keySum`, are added to the products. Computed
  /// directly where it is below `least` of both sums: there the digits of the
  /// sums cancel.
  struct Squares {
    unsigned rowSum, keySum;
    double rowFactor = 0.25; ///< the row's vector is 2x
    double least = 0.125;
  };
  std::optional<Squares> squares;
};

/// The plan of an attention's regions. Values of all regions that are equal
/// expressions count as one.
class ScoreProgram {
public:
  explicit ScoreProgram(AttentionOp op);

  llvm::ArrayRef<SidedVector> vectors() const { return sidedVectors; }
  llvm::ArrayRef<SidedScalar> scalars() const { return sidedScalars; }
  /// Operands stand before their users.
  llvm::ArrayRef<PairTerm> terms() const { return pairTerms; }

  /// All distinct operations of the regions, operands before their users.
  llvm::ArrayRef<mlir::Operation *> operations() const { return ordered; }

  Side sideOf(mlir::Value value) const;
  /// The index among vectors(), scalars() or terms() of what `value` is.
  std::optional<unsigned> vectorOf(mlir::Value value) const;
  std::optional<unsigned> scalarOf(mlir::Value value) const;
  std::optional<unsigned> termOf(mlir::Value value) const;
  /// The first value that is the same expression.
  mlir::Value representative(mlir::Value value) const;
  /// Whether `region` reads the sum of term `term`.
  bool reads(mlir::Region &region, unsigned term) const;

  /// Whether what is sided to keys differs between the heads that share a key.
  bool keysVaryWithHead() const;

  /// Makes all terms one, that is `unit` times the score, where the score is
  /// nothing but products times constants and nothing else reads these. The
  /// constants move into the vectors of the rows.
  bool joinProducts(double unit);

private:
  void number(mlir::Region &region);
  void plan(mlir::Region &region);
  void addTerm(mlir::Operation *op);
  void factor(PairTerm &term);
  void findLogistic(PairTerm &term);
  void findSquares(PairTerm &term);
  void dropUnusedVectors();
  unsigned addVector(SidedVector vector);
  unsigned addScalar(SidedScalar scalar);

  AttentionOp op;
  llvm::DenseMap<mlir::Value, mlir::Value> representatives;
  using Key = std::tuple<const void *, const void *, const void *,
                         std::vector<const void *>>;
  std::map<Key, mlir::Value> numbered;
  llvm::SmallVector<mlir::Operation *> ordered;
  llvm::DenseMap<mlir::Value, Side> sides;
  llvm::DenseSet<mlir::Value> reductions; ///< values that depend on one
  llvm::SmallVector<SidedVector> sidedVectors;
  llvm::SmallVector<SidedScalar> sidedScalars;
  llvm::SmallVector<PairTerm> pairTerms;
};

} // namespace attn

#endif // ATTN_CODEGEN_ATTENTION_SCOREPROGRAM_H
