// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Walks blocks of IR, holds the values of one evaluation and hands each
// operation to its evaluation.

#ifndef ATTN_CODEGEN_REFERENCE_INTERPRETER_H
#define ATTN_CODEGEN_REFERENCE_INTERPRETER_H

#include "codegen/reference/Evaluator.h"

namespace attn::reference {

/// A value of a scalar region. Such a region runs for many lanes at once (a
/// lane is an element of a generic op, a column of a linear, a key of an
/// attention row); a value is either common to all lanes or has one array for
/// each.
struct LaneArray {
  LaneArray() = default;
  LaneArray(Array array, bool perLane = false)
      : array(std::move(array)), perLane(perLane) {}

  /// The shape of one lane's value.
  llvm::ArrayRef<int64_t> shape() const {
    return array.shape().drop_front(perLane ? 1 : 0);
  }

  /// With perLane, the first dimension counts the lanes.
  Array array;
  bool perLane = false;
};

/// Gives the value of `linalg.index d` in each lane.
using LoopIndex = llvm::function_ref<Array(int64_t dimension)>;

/// The values of one run of one block.
struct Frame {
  mlir::Block *block = nullptr;
  /// Where values from above are found; null for isolated regions.
  Frame *parent = nullptr;
  int64_t lanes = 1;
  LoopIndex loopIndex = nullptr;
  llvm::DenseMap<mlir::Value, LaneArray> values =
      llvm::DenseMap<mlir::Value, LaneArray>();
};

/// The arrays of an operation's operands, found by the operand's value.
class OperandArrays {
public:
  OperandArrays(mlir::Operation *op, llvm::ArrayRef<Array> arrays)
      : op(op), arrays(arrays) {}
  const Array &operator[](mlir::Value operand) const {
    for (auto [value, array] : llvm::zip_equal(op->getOperands(), arrays))
      if (value == operand)
        return array;
    llvm_unreachable("asked for a value that is no operand");
  }
  llvm::ArrayRef<Array> all() const { return arrays; }

private:
  mlir::Operation *op;
  llvm::ArrayRef<Array> arrays;
};

using Arrays = mlir::FailureOr<llvm::SmallVector<Array>>;
using LaneArrays = mlir::FailureOr<llvm::SmallVector<LaneArray>>;

class Interpreter {
public:
  Interpreter(WeightLookup weights, TapCallback onTap);

  Arrays runFunction(mlir::func::FuncOp function,
                     llvm::ArrayRef<Array> arguments);

  /// Runs a region once. `parent` gives the values it uses from above.
  Arrays runRegion(mlir::Region &region, llvm::ArrayRef<Array> arguments,
                   Frame *parent = nullptr);

  /// Runs a region for `lanes` lanes at once. An argument without uses may be a
  /// default-constructed LaneArray.
  LaneArrays runLanes(mlir::Region &region, llvm::ArrayRef<LaneArray> arguments,
                      int64_t lanes, Frame *parent = nullptr,
                      LoopIndex loopIndex = nullptr);

  /// For matrix products; does not change results.
  unsigned threads;

private:
  LaneArrays runBlock(Frame &frame);
  mlir::LogicalResult step(mlir::Operation &op, Frame &frame);
  LaneArrays evaluate(mlir::Operation &op, llvm::ArrayRef<LaneArray> operands,
                      Frame &frame);
  LaneArrays evaluateEachLane(mlir::Operation &op,
                              llvm::ArrayRef<mlir::Value> used, Frame &frame);
  Arrays evaluateOnce(mlir::Operation &op, const OperandArrays &operands,
                      Frame &frame);
  Arrays evaluateCall(mlir::Operation &op, mlir::FlatSymbolRefAttr callee,
                      llvm::ArrayRef<Array> arguments);
  Arrays evaluateGetParameter(GetParameterOp op, const OperandArrays &operands);
  Arrays evaluateWeight(WeightOp op);
  mlir::FailureOr<LaneArray> lookup(mlir::Value value, Frame &frame,
                                    mlir::Operation &user);
  using Deaths = std::vector<llvm::SmallVector<mlir::Value, 2>>;
  const Deaths &deathsIn(mlir::Block &block);

  WeightLookup weights;
  TapCallback onTap;
  int64_t callDepth = 0;
  std::map<mlir::Block *, Deaths> deaths;
};

/// The number of elements of `shape`, or an error at `op`.
mlir::FailureOr<int64_t> countElements(mlir::Operation *op,
                                       llvm::ArrayRef<int64_t> shape);

/// Whether `shape` has the rank and the static sizes of `type`.
bool fits(llvm::ArrayRef<int64_t> shape, mlir::RankedTensorType type);

/// The only element of an array, as an index.
inline int64_t indexOf(const Array &array) { return array.integers().front(); }

//===----------------------------------------------------------------------===//
// The evaluations, a group for each source file
//===----------------------------------------------------------------------===//

/// Scalars.cpp: arith, math and gelu on scalars and tensors.
/// Returns no value for an operation of another kind.
std::optional<mlir::FailureOr<LaneArray>>
evaluateElementwise(mlir::Operation &op, llvm::ArrayRef<LaneArray> operands,
                    int64_t lanes);
/// The bits of a type's elements, 64 for an index.
unsigned widthOf(mlir::Type type);

/// Constants.cpp
mlir::FailureOr<Array> evaluateConstant(mlir::Operation &op,
                                        mlir::Attribute value);

/// Lanes.cpp: the other operations of scalar regions.
std::optional<mlir::FailureOr<LaneArray>>
evaluateLaneOp(mlir::Operation &op, llvm::ArrayRef<LaneArray> operands,
               Frame &frame);
/// One lane's part of a value.
Array laneOf(const LaneArray &value, int64_t lane);
/// One value from the parts of all lanes, which have one shape.
mlir::FailureOr<LaneArray> stackLanes(mlir::Operation *op,
                                      llvm::ArrayRef<Array> parts);
/// `value` with one copy for each lane, if it has not already.
LaneArray spreadLanes(const LaneArray &value, int64_t lanes);

/// Tensors.cpp: the tensor dialect. Returns no value for other operations.
std::optional<Arrays> evaluateTensorOp(mlir::Operation &op,
                                       const OperandArrays &operands);

/// Structured.cpp: every linalg operation that has indexing maps.
Arrays evaluateStructured(mlir::linalg::LinalgOp op,
                          const OperandArrays &operands,
                          Interpreter &interpreter, Frame &frame);

/// Linear.cpp
Arrays evaluateLinear(LinearOp op, const OperandArrays &operands,
                      Interpreter &interpreter);
Arrays evaluateMatmul(MatmulOp op, const OperandArrays &operands,
                      Interpreter &interpreter);

/// Rows.cpp
Arrays evaluateLayerNorm(LayerNormOp op, const OperandArrays &operands);
Arrays evaluateRmsNorm(RmsNormOp op, const OperandArrays &operands);
Arrays evaluateSoftmax(SoftmaxOp op, const OperandArrays &operands);
Arrays evaluateEmbedding(EmbeddingOp op, const OperandArrays &operands);

/// Cache.cpp
Arrays evaluateTokenRows(TokenRowsOp op, const OperandArrays &operands);
Arrays evaluateAppend(AppendOp op, const OperandArrays &operands);
Arrays evaluateReadPages(ReadPagesOp op, const OperandArrays &operands);

/// Scan.cpp
Arrays evaluateScan(ScanOp op, const OperandArrays &operands,
                    Interpreter &interpreter, Frame &frame);

/// Attention.cpp
Arrays evaluateAttention(AttentionOp op, const OperandArrays &operands,
                         Interpreter &interpreter);

} // namespace attn::reference

#endif // ATTN_CODEGEN_REFERENCE_INTERPRETER_H
