// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Target-independent passes. The description of each begins with its equation.

#ifndef ATTN_PASSES_TD
#define ATTN_PASSES_TD

include "mlir/Pass/PassBase.td"

def FuseProjections : Pass<"attn-fuse-projections", "::mlir::func::FuncOp"> {
  let summary = "linear(x, w1), linear(x, w2) => linear(x, w1, w2)";
  let description = [{
    `linear(x, w1), ..., linear(x, wn) => linear(x, w1, ..., wn)`

    The input is then read once for all of them; the queries, keys and values
    of a layer become three results of one operation. Epilogues and their
    captures are carried over.

    Projections join only while nothing has yet been made, by a product, a
    norm or another reduction, of those that are already together. The keys and
    values that every decoder layer projects from one encoder output therefore
    stay apart, and memory holds those of one layer at a time.

    Declined, with a remark: a prologue, and operands that depend on a
    projection that the linear would join.
  }];
}

#endif // ATTN_PASSES_TD
