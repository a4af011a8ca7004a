// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rewrites of the tensors that a region of an attn operation captures.

#include "dialect/RegionCaptures.h"

#include "dialect/AttnOps.h"

using namespace mlir;
using namespace attn;

bool attn::yieldsArgument(Region &region, unsigned index) {
  if (!region.hasOneBlock() || index >= region.getNumArguments())
    return false;
  auto yield = dyn_cast<YieldOp>(region.front().getTerminator());
  return yield && yield.getNumOperands() == 1 &&
         yield.getOperand(0) == region.getArgument(index);
}

SmallVector<unsigned>
attn::simplifyCaptures(RewriterBase &rewriter, Operation *op,
                       ValueRange captures, ArrayRef<Region *> regions,
                       unsigned firstArgument,
                       llvm::function_ref<bool(unsigned, unsigned)> same) {
  auto isUsed = [&](unsigned i) {
    return llvm::any_of(regions, [&](Region *region) {
      return !region->getArgument(firstArgument + i).use_empty();
    });
  };
  // Where each capture's uses go: itself, an equal earlier one, or nowhere.
  SmallVector<unsigned> kept;
  SmallVector<std::pair<unsigned, unsigned>> merged;
  for (unsigned i = 0; i < captures.size(); ++i) {
    if (!isUsed(i))
      continue;
    auto *equal = llvm::find_if(kept, [&](unsigned j) {
      return captures[i] == captures[j] && same(i, j);
    });
    if (equal == kept.end())
      kept.push_back(i);
    else
      merged.push_back({i, *equal});
  }
  if (kept.size() == captures.size())
    return kept;

  rewriter.modifyOpInPlace(op, [&] {
    for (Region *region : regions) {
      Block &block = region->front();
      for (auto [from, to] : merged)
        block.getArgument(firstArgument + from)
            .replaceAllUsesWith(block.getArgument(firstArgument + to));
      for (unsigned i = captures.size(); i-- > 0;)
        if (!llvm::is_contained(kept, i))
          block.eraseArgument(firstArgument + i);
    }
  });
  return kept;
}

void attn::keepOperands(MutableOperandRange operands, ArrayRef<unsigned> kept) {
  for (unsigned i = operands.size(); i-- > 0;)
    if (!llvm::is_contained(kept, i))
      operands.erase(i);
}
