// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The builder's state; private to the builder's sources.

#ifndef FRONTEND_LANGUAGE_EMIT_BUILDERIMPL_H
#define FRONTEND_LANGUAGE_EMIT_BUILDERIMPL_H

#include "frontend/language/emit/Builder.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace attn::lang {

/// Emits `function` on values that are scalars, or all tensors of one shape.
mlir::Value emitFunction(mlir::OpBuilder &b, mlir::Location loc,
                         Function function, mlir::ValueRange operands);

/// Converts a scalar or tensor between the element types of the language;
/// conditions are i1, indices are index.
mlir::Value convertElement(mlir::OpBuilder &b, mlir::Location loc,
                           mlir::Value value, Element to);

/// A number as a constant of a scalar or static tensor type.
mlir::Value numberLike(mlir::OpBuilder &b, mlir::Location loc, mlir::Type type,
                       double real);

/// The number of a Constant node as a scalar of the given element type.
mlir::Value scalarConstant(mlir::OpBuilder &b, mlir::Location loc,
                           const Node &node, Element element);

class GraphBuilder {
public:
  GraphBuilder(mlir::MLIRContext *context, const Graph &graph,
               Diagnostics &diagnostics);
  mlir::OwningOpRef<mlir::ModuleOp> run();

private:
  mlir::Location location(Position position);
  /// Conditions are stored as i64, 0 or 1, outside of regions.
  mlir::Type storedElement(Element element);
  mlir::RankedTensorType tensorType(const ValueType &type);

  void declareFunction(mlir::ModuleOp module);
  mlir::ArrayAttr dimNames(const ValueType &type);
  void finishFunction();
  std::vector<const Node *> reachable() const;

  /// The size of a dimension: an attribute, or a value made at its first use.
  mlir::OpFoldResult size(const Dim &dim);
  mlir::SmallVector<mlir::OpFoldResult> sizes(llvm::ArrayRef<Dim> shape);
  mlir::Value symbol(const std::string &name);
  mlir::Value empty(const ValueType &type);

  void tap(mlir::Value value, const std::string &name);
  mlir::Value emit(const Node &node);
  mlir::Value emitMap(const Node &node);
  mlir::Value emitIota(const Node &node);
  mlir::Value emitConstant(const Node &node);
  mlir::Value emitNorm(const Node &node);
  mlir::Value emitEmbedding(const Node &node);
  mlir::Value emitReshape(const Node &node);
  mlir::Value emitTranspose(const Node &node);
  mlir::Value emitSlice(const Node &node);
  mlir::Value emitReduce(const Node &node);
  mlir::Value emitCumulativeSum(const Node &node);
  mlir::Value emitAttention(const Node &node);
  void emitNode(const Node &node);
  void emitScan(const Node &node);
  void emitRegion(const Node &attention, const Node &result,
                  mlir::Region &region, bool isWeight);
  mlir::Value emitInRegion(const Node &node, mlir::Block &block);
  mlir::Value regionOperand(const Node &node, const Node &user);

  mlir::MLIRContext *context;
  const Graph &graph;
  Diagnostics &diagnostics;
  mlir::OpBuilder b;
  mlir::Location loc;
  mlir::Operation *function = nullptr;
  llvm::DenseMap<const Node *, mlir::Value> values;
  llvm::DenseMap<const Node *, mlir::Value> regionValues;
  std::map<std::string, mlir::Value> symbols;
  std::map<std::string, mlir::Value> dims;
  const Node *attention = nullptr;
  /// The nodes of each scan's body, and the operations of the scans.
  llvm::DenseMap<const ScanInfo *, std::vector<const Node *>> bodies;
  llvm::DenseMap<const Node *, mlir::Operation *> scans;
};

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_EMIT_BUILDERIMPL_H
