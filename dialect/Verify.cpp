// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that the verifiers of several attn operations share, and their words.

#include "dialect/Verify.h"

#include "dialect/AttnOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace attn;

NamedTensor::NamedTensor(StringRef name, Value value)
    : name(name), type(cast<RankedTensorType>(value.getType())) {}

NamedTensor::NamedTensor(StringRef name, unsigned index, Value value)
    : name((name + " " + Twine(index)).str()),
      type(cast<RankedTensorType>(value.getType())) {}

NamedDim::NamedDim(const NamedTensor &tensor, int dim)
    : tensor(tensor), dim(dim < 0 ? tensor.type.getRank() + dim : dim) {}

static void spellSize(llvm::raw_ostream &os, int64_t size) {
  if (ShapedType::isDynamic(size))
    os << '?';
  else
    os << size;
}

std::string attn::spellShape(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(shape, os, [&](int64_t size) { spellSize(os, size); });
  os << ']';
  return text;
}

LogicalResult attn::expectRank(Operation *op, const NamedTensor &tensor,
                               int64_t rank) {
  if (tensor.type.getRank() == rank)
    return success();
  return op->emitOpError("expects '") << tensor.name << "' to have rank "
                                      << rank << ", but got " << tensor.type;
}

LogicalResult attn::expectSameSize(Operation *op, NamedDim a, NamedDim b) {
  if (a.size() == b.size() || ShapedType::isDynamic(a.size()) ||
      ShapedType::isDynamic(b.size()))
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError("expects dimension ")
                                  << a.dim << " of '" << a.tensor.name
                                  << "' and ";
  if (a.dim != b.dim)
    diagnostic << "dimension " << b.dim << " of ";
  return diagnostic << "'" << b.tensor.name << "' to match, but got "
                    << a.size() << " and " << b.size();
}

LogicalResult attn::expectStatic(Operation *op, NamedDim dim) {
  if (!ShapedType::isDynamic(dim.size()))
    return success();
  return op->emitOpError("expects dimension ")
         << dim.dim << " of '" << dim.tensor.name << "' to be static, but got "
         << dim.tensor.type;
}

LogicalResult attn::expectStaticShape(Operation *op,
                                      const NamedTensor &tensor) {
  if (tensor.type.hasStaticShape())
    return success();
  return op->emitOpError("expects '")
         << tensor.name << "' to have a static shape, but got " << tensor.type;
}

LogicalResult attn::expectShape(Operation *op, const NamedTensor &tensor,
                                ArrayRef<int64_t> shape) {
  if (succeeded(verifyCompatibleShape(tensor.type.getShape(), shape)))
    return success();
  return op->emitOpError("expects '")
         << tensor.name << "' to have shape " << spellShape(shape)
         << ", but got " << spellShape(tensor.type.getShape());
}

/// Fails unless every operation in the region is free of side effects.
static LogicalResult expectPure(Operation *op, Region &region, StringRef name) {
  for (Operation &inner : region.front()) {
    if (isMemoryEffectFree(&inner))
      continue;
    InFlightDiagnostic diagnostic = op->emitOpError("expects region '")
                                    << name << "' to be pure, but '"
                                    << inner.getName()
                                    << "' may have side effects";
    diagnostic.attachNote(inner.getLoc()) << "the operation is here";
    return diagnostic;
  }
  return success();
}

LogicalResult attn::expectRegion(Operation *op, Region &region, StringRef name,
                                 TypeRange arguments, Type yielded) {
  return expectRegion(op, region, name, arguments, TypeRange(yielded));
}

LogicalResult attn::expectRegion(Operation *op, Region &region, StringRef name,
                                 TypeRange arguments, TypeRange yielded) {
  if (!region.hasOneBlock())
    return op->emitOpError("expects region '")
           << name << "' to have one block, but got "
           << region.getBlocks().size();
  Block &block = region.front();
  if (block.getArgumentTypes() != arguments)
    return op->emitOpError("expects region '")
           << name << "' to have arguments (" << arguments << "), but got ("
           << block.getArgumentTypes() << ")";
  auto yield = block.empty() ? YieldOp() : dyn_cast<YieldOp>(block.back());
  if (!yield)
    return op->emitOpError("expects region '")
           << name << "' to end in 'attn.yield'";
  if (yield.getOperandTypes() != yielded)
    return op->emitOpError("expects region '")
           << name << "' to yield (" << yielded << "), but got ("
           << yield.getOperandTypes() << ")";
  return expectPure(op, region, name);
}
