// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Target-independent passes. The description of each begins with its equation.

#ifndef ATTN_PASSES_TD
#define ATTN_PASSES_TD

include "mlir/Pass/PassBase.td"

def CacheKeys : Pass<"attn-cache-keys", "::mlir::ModuleOp"> {
  let summary = "attention(q, k, v) => attention(q, read_pages(append(cache, k, v)))";
  let description = [{
    `attention(q, k, v){keep = j <= i} => attention(q, read_pages(append(cache, k, v))){keep = j <= i + N - M}`

    Derives from a model of one whole sequence, `f`, the function `f_step` that
    generation calls: over new tokens of several sequences, packed one after the
    other, with the keys and values of earlier tokens in the pages of a cache. A
    whole prompt, a part of one and a single token are calls of this function.

    Tokens are the second dimension of the first result. Every operation has to
    treat them one by one, but for attentions with `keep = j <= i`, alone or with
    'and'. What depends on a token's place reads its position instead:
    coordinates, the first rows of constant tables, running counts of tokens. The
    result has the last new token of each sequence; its row is picked in front of
    what no attention needs.

    Attentions whose keys and values depend on no token read them from pages,
    too. A second function `f_encode` computes those, once for each sequence.

    Where every `keep` also holds `i - j < w`, `attn.window` is the largest w: pages
    further behind may be used again.

    Inputs of the step, besides those with the dimension of tokens: `counts`,
    `past`, `pages`, with an encoder `memory_pages` and `memory_lengths`, and
    `cache`, which is written in place.

    An error names the operation that mixes tokens: a sum or norm along them, a
    mask or another tensor of tokens in a score, an attention that sees later
    tokens.
  }];
  let dependentDialects = ["::attn::AttnDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

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

def FuseMaps : Pass<"attn-fuse-maps", "::mlir::func::FuncOp"> {
  let summary = "g(f(x), c) => (g . f)(x, c)";
  let description = [{
    `g(f(x), c) => (g . f)(x, c)`, `g(transpose(x)) => g'(x)`

    f and g are elementwise `linalg.generic`s; one pass over memory remains of a
    chain of them. A transpose that one map reads becomes the order in which it
    reads. Runs behind the fusions into linears and attention: what those take
    costs nothing.

    Declined, with a remark: a result that is read more than once or that its
    reader broadcasts, which would be computed again for each reading, and what is
    computed from weights when compiling.
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

def RaiseAttention : Pass<"attn-raise-attention", "::mlir::func::FuncOp"> {
  let summary = "matmul(softmax(f(matmul(q, k^T), c)), v) => attention(q, k, v){score = f(dot, c)}";
  let description = [{
    `matmul(g(softmax(f(matmul(q, k^T), c)), c), v)`
    `=> attention(q, k, v){score = f(dot, c); keep; weight = g}`

    The element of the weights for one query and one key is read as a scalar
    expression, through whatever elementwise ops, reshapes, transposes, slices and
    lookups stand there, and taken apart:

    - products of queries and keys are `attn.dot`, several of them several pairs;
      sums over the width of a head, of any expression in a query and a key, are
      `attn.sum`: additive scores and distances;
    - the softmax is an operation, or exponentials divided by their sum, with or
      without a maximum taken off; a column joined to the scores and sliced off
      the weights is its sink; a sigmoid, or nothing, may be in its place;
    - constant factors on q, k or the score, any number of them, become one;
    - what else is read becomes captures. Ramps, conditions and tensors over rows
      and columns that are made of smaller ones without functions are computed in
      the region, so that no tensor of that size is in memory.

    Queries, keys and values may have their dimensions in any order, scores may be
    those of keys and queries, and heads of k and v that a broadcast, a reshape or
    copies repeat are grouped queries. Operands of rank 2 and 3 have one head; of
    rank 3 with batch and heads joined by reshapes, the heads. Of rank 5 the first
    two are batches, which are joined, in front of transposes that leave them in
    place; where a score reads one of them, the size of the second is static.
    Weights that
    something else reads too are a result of the attention. Sums, differences and
    multiples of several softmaxes become those of several attentions; what is
    divided by the sum of its weights after the values is divided before.

    Minus infinity put where a condition holds, and the logarithm of a condition,
    become `keep`: such a key has weight 0. The one difference is a row that keeps
    nothing, NaN in the graph and zeros in `attn.attention`; the guard
    `isnan(p) ? 0 : p` that exporters write against it is dropped. A finite fill,
    -1e6 or the lowest float, keeps its own meaning, uniform rows included, and
    stays in the score.

    Declined, with a remark: scores that something else reads, scores of other
    places or sums of a row beside the softmax, products of several softmaxes, a softmax along
    another dimension, a part of the scores, more than five dimensions, a batch or
    heads that not all operands have, dynamic heads or widths.
  }];
}

def ExposeTaps : Pass<"attn-expose-taps", "::mlir::func::FuncOp"> {
  let summary = "return y => return y, taps...";
  let description = [{
    `return y => return y, taps...`

    Every value tapped with `attn.tap`, the first result of its operation,
    becomes one more result of the model, under the name of its tap. Taps with a dimension that is not one of the
    model's named dimensions are left alone.
  }];
}

def HoistFromScans : Pass<"attn-hoist-from-scans", "::mlir::func::FuncOp"> {
  let summary = "scan(x){linear(x_t, w)} => scan(linear(x, w)){y_t}";
  let description = [{
    `scan(x){body(state, linear(x_t, w))} => scan(linear(x, w)){body(state, y_t)}`

    What the body of a scan computes of its inputs alone is computed for all
    steps at once, in front of the scan: linears, whose weights are then read
    once and not in every step, and lookups in tables, with the elementwise
    operations between them and the inputs. What depends on no input at all
    moves in front of the scan as it is.

    Declined, with a remark: what depends on the carried values.
  }];
  let dependentDialects = ["::attn::AttnDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def HoistRowCopies : Pass<"attn-hoist-row-copies", "::mlir::func::FuncOp"> {
  let summary = "copy(linear(x, w)) => linear(copy(x), w), copy(norm(x)) => norm(copy(x))";
  let description = [{
    `copy(linear(x, w)) => linear(copy(x), w)`, `copy(norm(x)) => norm(copy(x))`

    `copy` is any chain of slices, concatenations of slices, transposes and
    reshapes that moves rows as a whole, such as partition into windows and
    cyclic shifts. A linear reads its input through such copies, by an index for
    each row, so that nothing is copied in memory; a residual behind them is
    beside the linear then and becomes its epilogue, and a norm in front of them
    the next linear's prologue.

    Declined, with a remark: a linear whose epilogue depends on the row, and a
    norm whose rows something else than linears reads. Copies that repeat rows
    are left behind.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def HoistParameters : Pass<"attn-hoist-parameters", "::mlir::ModuleOp"> {
  let summary = "f(weights) => get_parameter [@p], @p = f(weights)";
  let description = [{
    `f(weight, constant, ...) => get_parameter [@p]`, `parameter @p { f(weight, constant, ...) }`

    Every largest expression over weights and constants becomes a parameter,
    computed when compiling and stored in the weights file; equal expressions are
    one parameter.
  }];
  let dependentDialects = ["::attn::AttnDialect"];
}

def OutlineKernels : Pass<"attn-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "op(x, w) => launch @op_0(x, w)";
  let description = [{
    `op(x, w) => launch @op_0(x, w)`, `func @op_0(x, w) { return op(x, w) }`

    Each operation becomes a kernel, together with the destinations and
    constants it needs and, for attention, the transposes of its operands and
    of its output, which become strides, and the pages that hold its keys and
    values. What appends to a cache is launched in place. Equal kernels are merged, so that code
    grows with the number of distinct kernels and not with depth. Reshapes stay
    in the model function: they alias their operand.

    A parameter that a kernel reads as weights of a linear gets the layout of
    panels.
  }];
  let dependentDialects = ["::attn::AttnDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def RollLayers : Pass<"attn-roll-layers", "::mlir::ModuleOp"> {
  let summary = "f(f(x, w0), w1) => for i in 0..2: x = f(x, [w0, w1][i])";
  let description = [{
    `f(f(x, w0), w1) => for i in 0..2 { x = f(x, [w0, w1][i]) }`

    Equal layers become one loop over layers. Among the ways to cut a sequence
    into layers, the one that saves most launches and then carries fewest
    values is taken.

    Layers stay unrolled where something behind them reads a value from within
    one of them, and where a value that passes from layer to layer changes its
    size.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def PlanMemory : Pass<"attn-plan-memory", "::mlir::ModuleOp"> {
  let summary = "y = launch(x) => y = launch(x) {buffers = [n]}";
  let description = [{
    `y = launch @k(x) => y = launch @k(x) {attn.buffers = [n]}`

    Gives each result of a launch a buffer: n >= 0 is a buffer of the workspace,
    -1 - k the memory of the model's result k; of a launch in place, the memory
    of its first operand, an argument of the model, whatever n. Results share a buffer when their
    lifetimes are disjoint and one of their sizes dominates the other for all
    sizes of the dynamic dimensions. A result is also written over an operand
    that nothing reads later, if the kernel reads that operand only for the very
    element that it computes, a residual for instance. A stacked result of a
    scan has a buffer, too: `attn.buffers` of the scan; the launch in its body
    that computes a step's entry has the same number and writes it in place. The sizes, in bytes, are in the function's
    attribute `attn.buffer_bytes`, polynomials in its `attn.symbols`;
    `attn.shapes` on a launch gives the sizes of its results.
  }];
  let dependentDialects = ["::attn::AttnDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def EstimateWork : Pass<"attn-estimate-work", "::mlir::ModuleOp"> {
  let summary = "launch @k(x) => launch @k(x) {work = (flops, bytes)}";
  let description = [{
    `launch @k(x) => launch @k(x) {attn.work = #work}`

    Notes the floating-point operations of a launch and the bytes that it reads
    and writes, two polynomials in the model's `attn.symbols`. Models use it when
    they run: a launch that takes less than handing it to other cores would is
    left to the calling thread.
  }];
  let dependentDialects = ["::attn::AttnDialect"];
}

def PlaceParameters : Pass<"attn-place-parameters", "::mlir::ModuleOp"> {
  let summary = "parameter @p => parameter @p {offset}";
  let description = [{
    `parameter @p { ... } => parameter @p { ... } {attn.offset = n}`

    Parameters follow one another in the order of their first use, so that
    those of equal layers lie at a constant distance. The bytes of all are the
    module's attribute `attn.weights_bytes`.
  }];
}

#endif // ATTN_PASSES_TD
