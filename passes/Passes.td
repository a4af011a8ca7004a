// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Target-independent passes. The description of each begins with its equation.

#ifndef ATTN_PASSES_TD
#define ATTN_PASSES_TD

include "mlir/Pass/PassBase.td"

def FuseEpilogue : Pass<"attn-fuse-epilogue", "::mlir::func::FuncOp"> {
  let summary = "map(linear(x, w), c) => linear(x, w){epilogue = map(acc, c)}";
  let description = [{
    `map(linear(x, w), c) => linear(x, w){epilogue = map(acc, c)}`

    `map` is an elementwise `linalg.generic`: a bias written apart, an
    activation, a residual, a position table. What else it reads becomes a
    capture, through its own map. It repeats until no reader fits, so that
    `x + gelu(linear(x, w) + b)` ends as one operation.

    Declined, with a remark: a result that something else reads, a reshape or
    transpose in between, another shape, order or element type, and a map that
    uses its coordinates or several results of the linear.
  }];
}

def FusePrologue : Pass<"attn-fuse-prologue", "::mlir::func::FuncOp"> {
  let summary = "linear(norm(x), w) => linear(x, w){prologue = norm}";
  let description = [{
    `linear(norm(x), w) => linear(x, w){prologue = norm}`

    The linear normalises each block of rows into scratch before it multiplies
    it; the normalised tensor is never in memory. `norm` is `attn.layer_norm` or
    `attn.rms_norm` over the last dimension.

    It pays where one linear alone reads the norm (projections of one input are
    one linear by then). A second reader needs the tensor in memory anyway, so
    that is declined, with a remark, as are norms over several dimensions.
  }];
}

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
