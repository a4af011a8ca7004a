// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model function: its signature, its dimensions and the order of its nodes.

#include "frontend/language/emit/BuilderImpl.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace attn::lang;

OwningOpRef<ModuleOp> attn::lang::build(MLIRContext *context,
                                        const Graph &graph,
                                        Diagnostics &diagnostics) {
  context->loadDialect<attn::AttnDialect, arith::ArithDialect,
                       func::FuncDialect, linalg::LinalgDialect,
                       math::MathDialect, tensor::TensorDialect>();
  return GraphBuilder(context, graph, diagnostics).run();
}

GraphBuilder::GraphBuilder(MLIRContext *context, const Graph &graph,
                           Diagnostics &diagnostics)
    : context(context), graph(graph), diagnostics(diagnostics), b(context),
      loc(UnknownLoc::get(context)) {}

Location GraphBuilder::location(Position position) {
  auto [line, column] = diagnostics.lineColumn(position);
  return FileLineColLoc::get(context, diagnostics.source(position.file).name,
                             line, column);
}

mlir::Type GraphBuilder::storedElement(Element element) {
  return element == Element::F32 ? mlir::Type(b.getF32Type())
                                 : mlir::Type(b.getI64Type());
}

RankedTensorType GraphBuilder::tensorType(const ValueType &type) {
  SmallVector<int64_t> shape;
  for (const Dim &dim : type.shape)
    shape.push_back(dim.constant().value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, storedElement(type.element));
}

OwningOpRef<ModuleOp> GraphBuilder::run() {
  loc = location(graph.position);
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  if (!graph.ignored.empty()) {
    SmallVector<StringRef> patterns(graph.ignored.begin(), graph.ignored.end());
    (*module)->setAttr(kIgnoredWeightsAttr, b.getStrArrayAttr(patterns));
  }
  if (!graph.aliases.empty()) {
    SmallVector<Attribute> aliases;
    for (const Alias &alias : graph.aliases)
      aliases.push_back(b.getStrArrayAttr({alias.one, alias.other}));
    (*module)->setAttr(kWeightAliasesAttr, b.getArrayAttr(aliases));
  }
  declareFunction(*module);
  std::vector<const Node *> top;
  for (const Node *node : reachable())
    (node->home ? bodies[node->home] : top).push_back(node);
  for (const Node *node : top)
    emitNode(*node);
  finishFunction();

  std::string text;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    llvm::raw_string_ostream(text)
        << diagnostic.getLocation() << ": " << diagnostic << "\n";
  });
  if (succeeded(verify(*module)))
    return module;
  diagnostics.error("internal error: the built IR does not verify: " + text);
  return nullptr;
}

void GraphBuilder::emitNode(const Node &node) {
  loc = location(node.position);
  Value value = emit(node);
  if (!value)
    return;
  values[&node] = value;
  for (const std::string &name : node.taps)
    tap(value, name);
}

/// Marks what a scope assigned. A value that has no operation to mark, as an
/// input that is reshaped to its own shape, or one that is marked already gets
/// an operation for it that does nothing. Outputs have names of their own.
void GraphBuilder::tap(Value value, const std::string &name) {
  Operation *op = value.getDefiningOp();
  if (!op || op->hasAttr(kTapAttr) || value != op->getResult(0))
    op = tensor::CastOp::create(b, loc, value.getType(), value);
  bool isOutput = llvm::any_of(graph.outputs, [&](const GraphOutput &output) {
    return output.name == name;
  });
  op->setAttr(kTapAttr, b.getStringAttr(isOutput ? name + " (scope)" : name));
}

/// Nodes that the outputs need, operands first; inputs always belong.
std::vector<const Node *> GraphBuilder::reachable() const {
  std::vector<bool> needed(graph.nodes.size() + 1);
  for (const GraphOutput &output : graph.outputs)
    needed[output.node->id] = true;
  std::vector<const Node *> order;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!needed[node->id] || node->inProgram)
      continue;
    // Maps and lookups take their constants in, without a tensor of them.
    bool inlines =
        node->kind == NodeKind::Map || node->kind == NodeKind::Embedding;
    for (const Node *operand : node->operands)
      needed[operand->id] =
          needed[operand->id] || !(inlines && operand->isConstant());
    if (node->scan)
      for (const Node *yielded : node->scan->yielded)
        needed[yielded->id] = true;
    order.push_back(&*node);
  }
  std::reverse(order.begin(), order.end());
  return order;
}

//===----------------------------------------------------------------------===//
// The signature
//===----------------------------------------------------------------------===//

ArrayAttr GraphBuilder::dimNames(const ValueType &type) {
  SmallVector<std::string> names;
  for (const Dim &dim : type.shape)
    names.push_back(dim.isConstant() ? "" : dim.str());
  SmallVector<StringRef> refs(names.begin(), names.end());
  return b.getStrArrayAttr(refs);
}

void GraphBuilder::declareFunction(ModuleOp module) {
  SmallVector<mlir::Type> inputs, outputs;
  for (const GraphInput &input : graph.inputs)
    inputs.push_back(tensorType(input.node->type));
  for (const GraphOutput &output : graph.outputs)
    outputs.push_back(tensorType(output.node->type));
  b.setInsertionPointToEnd(module.getBody());
  auto func = func::FuncOp::create(b, loc, graph.name,
                                   b.getFunctionType(inputs, outputs));
  function = func;
  Block *entry = func.addEntryBlock();
  for (auto [i, input] : llvm::enumerate(graph.inputs)) {
    entry->getArgument(i).setLoc(location(input.node->position));
    values[input.node] = entry->getArgument(i);
    func.setArgAttr(i, kNameAttr, b.getStringAttr(input.name));
    func.setArgAttr(i, kDimsAttr, dimNames(input.node->type));
    if (input.bound)
      func.setArgAttr(i, kBoundAttr, b.getI64IntegerAttr(*input.bound));
  }
  for (auto [i, output] : llvm::enumerate(graph.outputs)) {
    func.setResultAttr(i, kNameAttr, b.getStringAttr(output.name));
    func.setResultAttr(i, kDimsAttr, dimNames(output.node->type));
  }
  SmallVector<NamedAttribute> limits;
  for (const auto &[name, limit] : graph.dimMax)
    limits.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(limit)));
  if (!limits.empty())
    func->setAttr(kDimMaxAttr, b.getDictionaryAttr(limits));
  b.setInsertionPointToEnd(entry);
}

void GraphBuilder::finishFunction() {
  loc = location(graph.position);
  SmallVector<Value> results;
  for (const GraphOutput &output : graph.outputs)
    results.push_back(values.lookup(output.node));
  func::ReturnOp::create(b, loc, results);
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// A dynamic dimension is read from the first input that has it.
Value GraphBuilder::symbol(const std::string &name) {
  Value &value = symbols[name];
  if (value)
    return value;
  for (const GraphInput &input : graph.inputs)
    for (auto [axis, dim] : llvm::enumerate(input.node->type.shape))
      if (dim.symbolName() == name) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(
            &cast<func::FuncOp>(function).getBody().front());
        return value = tensor::DimOp::create(b, loc, values[input.node], axis);
      }
  llvm_unreachable("the checker declares dimensions from inputs");
}

OpFoldResult GraphBuilder::size(const Dim &dim) {
  if (std::optional<int64_t> number = dim.constant())
    return b.getIndexAttr(*number);
  std::string name = dim.symbolName();
  if (!name.empty())
    return symbol(name);
  Value &cached = dims[dim.str()];
  if (cached)
    return cached;
  // What a body of a scan asks for first may be asked for behind it.
  OpBuilder::InsertionGuard guard(b);
  Block *top = &cast<func::FuncOp>(function).getBody().front();
  if (b.getInsertionBlock() != top)
    b.setInsertionPoint(
        top->findAncestorOpInBlock(*b.getInsertionBlock()->getParentOp()));
  Value total;
  for (const auto &[monomial, coefficient] : dim.terms) {
    Value term;
    for (const std::string &factor : monomial)
      term = term ? Value(arith::MulIOp::create(b, loc, term, symbol(factor)))
                  : symbol(factor);
    Value number = arith::ConstantIndexOp::create(b, loc, coefficient);
    if (!term)
      term = number;
    else if (coefficient != 1)
      term = arith::MulIOp::create(b, loc, term, number);
    total = total ? Value(arith::AddIOp::create(b, loc, total, term)) : term;
  }
  return cached = total;
}

SmallVector<OpFoldResult> GraphBuilder::sizes(ArrayRef<Dim> shape) {
  SmallVector<OpFoldResult> result;
  for (const Dim &dim : shape)
    result.push_back(size(dim));
  return result;
}

Value GraphBuilder::empty(const ValueType &type) {
  return tensor::EmptyOp::create(b, loc, sizes(type.shape),
                                 storedElement(type.element));
}
