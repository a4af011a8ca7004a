// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copy kernels, one for each type, and their launches.

#include "passes/plan/Copier.h"

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace attn;

Value Copier::copy(OpBuilder &builder, Value value) {
  func::FuncOp kernel = kernelFor(cast<RankedTensorType>(value.getType()));
  auto launch =
      LaunchOp::create(builder, value.getLoc(), value.getType(),
                       FlatSymbolRefAttr::get(kernel.getSymNameAttr()), value);
  return launch.getOutputs()[0];
}

func::FuncOp Copier::kernelFor(RankedTensorType type) {
  func::FuncOp &kernel = kernels[type];
  if (kernel)
    return kernel;
  OpBuilder builder(type.getContext());
  Location loc = symbols.getOp()->getLoc();
  kernel =
      func::FuncOp::create(loc, "copy_" + std::to_string(kernels.size() - 1),
                           builder.getFunctionType(type, type));
  kernel.setPrivate();
  kernel->setAttr(kKernelAttr, builder.getUnitAttr());
  Block *entry = kernel.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  Value source = entry->getArgument(0);
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, source),
      type.getElementType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  auto copy = linalg::GenericOp::create(
      builder, loc, type, source, empty, ArrayRef{identity, identity},
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [](OpBuilder &b, Location l, ValueRange arguments) {
        linalg::YieldOp::create(b, l, arguments[0]);
      });
  func::ReturnOp::create(builder, loc, copy.getResults());
  symbols.insert(kernel);
  return kernel;
}
