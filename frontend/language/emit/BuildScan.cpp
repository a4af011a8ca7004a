// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recurrences as attn.scan.

#include "dialect/AttnOps.h"
#include "frontend/language/emit/BuilderImpl.h"

using namespace mlir;
using namespace attn::lang;

void GraphBuilder::emitScan(const Node &node) {
  const ScanInfo &info = *node.scan;
  Location place = loc;
  SmallVector<Value> operands;
  for (const Node *operand : node.operands)
    operands.push_back(values.lookup(operand));
  SmallVector<mlir::Type> results, arguments;
  Dim steps = node.operands.back()->type.shape.front();
  for (auto [i, yielded] : llvm::enumerate(info.yielded)) {
    ValueType type = yielded->type;
    if (i >= info.carried)
      type.shape.insert(type.shape.begin(), steps);
    results.push_back(tensorType(type));
  }
  SmallVector<Location> places;
  for (const Node *argument : info.arguments) {
    arguments.push_back(tensorType(argument->type));
    places.push_back(location(argument->position));
  }

  auto scan = attn::ScanOp::create(
      b, place, results, ArrayRef(operands).take_front(info.carried),
      ArrayRef(operands).drop_front(info.carried), info.reversed);
  scans[&node] = scan;
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&scan.getBody(), {}, arguments, places);
  for (auto [argument, value] :
       llvm::zip_equal(info.arguments, body->getArguments()))
    values[argument] = value;
  for (const Node *inside : bodies[&info])
    emitNode(*inside);
  SmallVector<Value> yields;
  for (const Node *yielded : info.yielded)
    yields.push_back(values.lookup(yielded));
  attn::YieldOp::create(b, place, yields);
}
