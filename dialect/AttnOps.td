// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the attn dialect. Every op is a contract: a formula as its
// summary, numbered constraints, an example that parses.

#ifndef ATTN_OPS_TD
#define ATTN_OPS_TD

include "AttnAttrs.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/LoopLikeInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"

def Attn_F32Tensor : RankedTensorOf<[F32]>;
def Attn_IntTensor : RankedTensorOf<[I64]>;

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def Attn_WeightOp : Attn_Op<"weight", [Pure]> {
  let summary = "the tensor of that name in the weights file, as float";
  let description = [{
    A leaf of a weight expression. Pure tensor operations on weights
    (concatenation, slices, transposes, arithmetic) make the expression; it is
    evaluated when compiling, never at run time.

    `stored bf16` says that the file has bf16 there, which all elements then are
    values of: what is moved as it is can be stored so, too.

    Constraints:
    - (C1) `name` is not empty.
    - (C2) the result has a static shape.
    - (C3) `stored` is bf16.

    Example:
    ```mlir
    %w = attn.weight "vit.layernorm.weight" : tensor<64xf32>
    %v = attn.weight "lm_head.weight" stored bf16 : tensor<128x64xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, OptionalAttr<TypeAttr>:$stored);
  let results = (outs Attn_F32Tensor:$result);
  let assemblyFormat = "$name (`stored` $stored^)? attr-dict `:` type($result)";
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::llvm::StringRef":$name), [{
    build($_builder, $_state, type, $_builder.getStringAttr(name), ::mlir::TypeAttr());
  }]>];
  let hasVerifier = 1;
}

def Attn_ParameterOp : Attn_Op<"parameter",
    [Symbol, IsolatedFromAbove, SingleBlock]> {
  let summary = "a constant of the compiled model: the value its region yields";
  let description = [{
    One entry of the packed weights file. The region is an expression over
    `attn.weight`s and constants; `layout` says how the value is stored.

    Constraints:
    - (C1) the region yields one value, of type `type`.
    - (C2) `type` has a static shape.
    - (C3) a panels layout belongs to a matrix.
    - (C4) the region is pure.

    Example:
    ```mlir
    attn.parameter @p0 : tensor<64x64xf32> layout(#attn.panels<16>) {
      %w = attn.weight "query.weight" : tensor<64x64xf32>
      attn.yield %w : tensor<64x64xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type,
                       OptionalAttr<AnyAttr>:$layout);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `:` $type (`layout` `(` $layout^ `)`)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Attn_GetParameterOp : Attn_Op<"get_parameter",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a parameter, or of the index-th of several";
  let description = [{
    Several parameters with an index are what a loop over layers reads: one
    parameter for each layer.

    Constraints:
    - (C1) each of `parameters` names an `attn.parameter` of the result's type.
    - (C2) several parameters share one layout.
    - (C3) there is an index exactly when there are several parameters.

    Example:
    ```mlir
    %w = attn.get_parameter [@p0] : tensor<64x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefArrayAttr:$parameters, Optional<Index>:$index);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$parameters (`at` $index^)? attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Transformer operations
//===----------------------------------------------------------------------===//

def Attn_YieldOp : Attn_Op<"yield", [Pure, ReturnLike, Terminator,
     ParentOneOf<["AttentionOp", "LinearOp", "ParameterOp", "ScanOp"]>]> {
  let summary = "ends a region of an attn operation";
  let description = [{
    Constraints:
    - (C1) it stands in an `attn.attention`, `attn.linear`, `attn.parameter` or
      `attn.scan`.

    Example: see `attn.linear`.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

def Attn_LinearOp : Attn_Op<"linear",
    [Pure, AttrSizedOperandSegments, IsolatedFromAbove]> {
  let summary = "y_n[r, c] = epilogue_n(sum_k prologue(x)[r, k] w_n[c, k], captures)";
  let description = [{
    One input, one or more weights in torch's [out, in] order, one result for
    each weight. All leading dimensions of the input are rows.

    Epilogue n maps an accumulator to an element of result n. It receives the
    accumulator and one scalar for each capture, read through its map from the
    coordinates of the result, (row dimensions..., c); only captures that an
    epilogue uses are read. No epilogues at all means the accumulators
    themselves.

    The prologue maps one row of the input to the row that is multiplied, a
    norm for instance. It receives the row as tensor<K> and its own captures
    whole.

    Constraints:
    - (C1) there is at least one weight, and as many results as weights.
    - (C2) weight n has shape [N_n, K], K the last dimension of the input; both
      are static.
    - (C3) result n has the input's shape with N_n for K.
    - (C4) there are no epilogues, or one for each weight, with arguments f32
      and the element type of each capture, yielding f32.
    - (C5) each capture has a map from the result's coordinates to its own,
      made of result coordinates (each at most once) and constants, and
      every capture used by epilogue n fits result n where both are static.
    - (C6) the prologue has arguments tensor<K> and the types of its captures,
      and yields tensor<K>.
    - (C7) epilogues and prologue are pure.

    Example:
    ```mlir
    %y = attn.linear %x weights(%w : tensor<48x64xf32>)
        captures(%b : tensor<48xf32>) maps [affine_map<(b, s, c) -> (c)>]
        epilogue {
        ^bb0(%acc: f32, %bias: f32):
          %0 = arith.addf %acc, %bias : f32
          attn.yield %0 : f32
        } : tensor<?x?x64xf32> -> tensor<?x?x48xf32>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$input,
                       Variadic<Attn_F32Tensor>:$weights,
                       Variadic<AnyRankedTensor>:$captures,
                       Variadic<AnyRankedTensor>:$prologue_captures,
                       OptionalAttr<AffineMapArrayAttr>:$capture_maps);
  let results = (outs Variadic<Attn_F32Tensor>:$outputs);
  let regions = (region AnyRegion:$prologue, VariadicRegion<AnyRegion>:$epilogues);
  let assemblyFormat = [{
    $input `weights` `(` $weights `:` type($weights) `)`
    (`captures` `(` $captures^ `:` type($captures) `)` `maps` $capture_maps)?
    (`prologue_captures` `(` $prologue_captures^ `:` type($prologue_captures) `)`)?
    (`prologue` $prologue^)? (`epilogue` $epilogues^)?
    attr-dict `:` type($input) `->` type($outputs)
  }];
  let builders = [
    // y = x w^T + bias; `bias` may be null.
    OpBuilder<(ins "mlir::Value":$input, "mlir::Value":$weight, "mlir::Value":$bias)>
  ];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Attn_MatmulOp : Attn_Op<"matmul", [Pure]> {
  let summary = "y[..., m, n] = sum_k a[..., m, k] b[..., k, n], or b[..., n, k] when transposed";
  let description = [{
    Product of two activations, over equal leading dimensions.

    Constraints:
    - (C1) operands and result have one rank, at least 2.
    - (C2) leading dimensions agree.
    - (C3) the contracted dimensions agree.
    - (C4) the result's last two dimensions are [m, n].

    Example:
    ```mlir
    %s = attn.matmul %q, %k transpose_b
        : tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x?xf32>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$a, Attn_F32Tensor:$b, UnitAttr:$transpose_b);
  let results = (outs Attn_F32Tensor:$result);
  let assemblyFormat = [{
    $a `,` $b (`transpose_b` $transpose_b^)? attr-dict
    `:` type($a) `,` type($b) `->` type($result)
  }];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

class Attn_NormOp<string mnemonic, list<Trait> traits = []>
    : Attn_Op<mnemonic, traits # [Pure, AllTypesMatch<["input", "result"]>]> {
  let results = (outs Attn_F32Tensor:$result);
  let hasVerifier = 1;
}

def Attn_LayerNormOp : Attn_NormOp<"layer_norm", [AttrSizedOperandSegments]> {
  let summary = "(x - mean(x)) / sqrt(var(x) + eps) * scale + shift over the last `axes` dimensions";
  let description = [{
    Ba, Kiros and Hinton 2016; the variance is divided by n.

    Constraints:
    - (C1) 1 <= axes <= rank of the input, and the normalised dimensions are static.
    - (C2) `scale` and `shift`, where given, have the shape of the normalised dimensions.
    - (C3) eps is finite and not negative.

    Example:
    ```mlir
    %y = attn.layer_norm %x scale(%g : tensor<64xf32>) shift(%b : tensor<64xf32>)
        eps 1.0e-12 : tensor<?x?x64xf32>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$input, Optional<Attn_F32Tensor>:$scale,
                       Optional<Attn_F32Tensor>:$shift, F64Attr:$eps,
                       DefaultValuedAttr<I64Attr, "1">:$axes);
  let assemblyFormat = [{
    $input (`scale` `(` $scale^ `:` type($scale) `)`)? (`shift` `(` $shift^ `:` type($shift) `)`)?
    `eps` $eps (`axes` $axes^)? attr-dict `:` type($input)
  }];
}

def Attn_RmsNormOp : Attn_NormOp<"rms_norm"> {
  let summary = "x / sqrt(mean(x^2) + eps) * scale over the last dimension";
  let description = [{
    Zhang and Sennrich 2019.

    Constraints:
    - (C1) the last dimension is static.
    - (C2) `scale`, where given, has the shape of the last dimension.
    - (C3) eps is finite and not negative.

    Example:
    ```mlir
    %y = attn.rms_norm %x scale(%g : tensor<64xf32>) eps 1.0e-6 : tensor<?x?x64xf32>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$input, Optional<Attn_F32Tensor>:$scale,
                       F64Attr:$eps);
  let assemblyFormat = [{
    $input (`scale` `(` $scale^ `:` type($scale) `)`)?
    `eps` $eps attr-dict `:` type($input)
  }];
}

def Attn_SoftmaxOp : Attn_Op<"softmax", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "exp(x - max(x)) / sum(exp(x - max(x))) along one dimension";
  let description = [{
    Constraints:
    - (C1) `axis` is a dimension of the input.

    Example:
    ```mlir
    %p = attn.softmax %s axis 3 : tensor<?x4x?x?xf32>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$input, I64Attr:$axis);
  let results = (outs Attn_F32Tensor:$result);
  let assemblyFormat = "$input `axis` $axis attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def Attn_EmbeddingOp : Attn_Op<"embedding", [Pure]> {
  let summary = "y[..., :] = table[ids[...], :]";
  let description = [{
    Ids that come from an input are checked against the table before anything
    runs; computed ids are clamped into it.

    Constraints:
    - (C1) `table` has rank 2 and a static width.
    - (C2) the result has the shape of `ids` followed by the table's width.

    Example:
    ```mlir
    %y = attn.embedding %ids, %table
        : tensor<?x?xi64>, tensor<200x64xf32> -> tensor<?x?x64xf32>
    ```
  }];
  let arguments = (ins Attn_IntTensor:$ids, Attn_F32Tensor:$table);
  let results = (outs Attn_F32Tensor:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` type($ids) `,` type($table) `->` type($result)";
  let hasVerifier = 1;
}

def Attn_GeluOp : Attn_Op<"gelu",
    [Pure, SameOperandsAndResultType, Elementwise, Scalarizable, Vectorizable, Tensorizable]> {
  let summary = "x Phi(x), Phi the normal distribution function, or its tanh approximation";
  let description = [{
    Hendrycks and Gimpel 2016. Elementwise on f32, vectors and tensors of it.

    Example:
    ```mlir
    %y = attn.gelu %x : f32
    %z = attn.gelu %v approximate tanh : vector<16xf32>
    ```
  }];
  let arguments = (ins AnyTypeOf<[F32, VectorOfAnyRankOf<[F32]>, Attn_F32Tensor]>:$input,
                       DefaultValuedAttr<Attn_GeluFormAttr, "::attn::GeluForm::None">:$approximate);
  let results = (outs AnyTypeOf<[F32, VectorOfAnyRankOf<[F32]>, Attn_F32Tensor]>:$result);
  let assemblyFormat = "$input (`approximate` `` $approximate^)? attr-dict `:` type($input)";
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def Attn_AttentionOp : Attn_Op<"attention",
    [Pure, AttrSizedOperandSegments, AttrSizedResultSegments, IsolatedFromAbove]> {
  let summary = "o[b, h, i] = sum_j weight(normalize_j(keep(score(q_i, k_j)))) v[b, g(h), j]";
  let description = [{
    Attention with the score, the mask and a factor on the weights as
    expressions (Vaswani et al. 2017 for `score = dot / sqrt(d)`).

    One value [B, G, N, E] and one or more query/key pairs, [B, H, M, D] and
    [B, G, N, D]; head h reads key head g(h) = h / (H / G). The regions `score`
    (f32), `keep` (i1) and `weight` (f32) receive, in this order: for each pair
    its query vector tensor<D> and its key vector tensor<D>; the indices b, h,
    i, j and the sizes M, N; each capture whole; and `weight` also the
    normalised weight as its last argument. An absent `keep` keeps all, an absent `weight` is the
    identity. Where keep is false the weight is exactly 0, and a row that keeps
    nothing gives zeros.

    `normalizer` is softmax over the kept keys, sigmoid of each score, or sum
    (the scores themselves are the weights). `sink` [H] is one more
    score in each row's softmax that has no value. `weights` is the attention map
    [B, H, M, N], or [B, M, N] for its mean over heads; `logsumexp` is [B, H, M].

    With `rows(starts, lengths)` the queries are ragged rows of S sequences,
    packed one after the other, [1, H, T, D]: sequence s has the rows starts[s]
    up to starts[s + 1], the last one up to T, and its keys and values are the
    first lengths[s] of batch s. In the regions b is the sequence, i counts from
    its first row, M is the number of its rows and N = lengths[s]; the first of
    its rows stands at position N - M of the sequence.

    Constraints:
    - (C1) there is at least one pair, and as many keys as queries.
    - (C2) query p has shape [B, H, M, D_p] and key p [B, G, N, D_p], D_p static.
    - (C3) value has shape [B, G, N, E], E static.
    - (C4) G divides H; both are static, or both dynamic and equal.
    - (C5) the output has shape [B, H, M, E].
    - (C6) regions have the arguments above and yield one f32, i1, f32.
    - (C7) regions are pure.
    - (C8) `sink` has shape [H] and goes with softmax.
    - (C9) `weights` has shape [B, H, M, N] or [B, M, N].
    - (C10) `logsumexp` has shape [B, H, M] and goes with softmax.
    - (C11) with `rows`, the queries have batch 1, `starts` and `lengths` have
      shape [S], S the batches of the keys, and the output is the only result.

    Example:
    ```mlir
    %o = attn.attention queries(%q : tensor<?x4x?x16xf32>) keys(%k : tensor<?x4x?x16xf32>)
        value(%v : tensor<?x4x?x16xf32>) captures(%mask : tensor<?x?xi64>)
        score {
        ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index,
             %j: index, %m: index, %n: index, %c: tensor<?x?xi64>):
          %scale = arith.constant 0.25 : f32
          %dot = attn.dot %qi, %kj : tensor<16xf32>
          %s = arith.mulf %dot, %scale : f32
          attn.yield %s : f32
        } keep {
        ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index,
             %j: index, %m: index, %n: index, %c: tensor<?x?xi64>):
          %zero = arith.constant 0 : i64
          %x = tensor.extract %c[%b, %j] : tensor<?x?xi64>
          %t = arith.cmpi ne, %x, %zero : i64
          attn.yield %t : i1
        } -> tensor<?x4x?x16xf32>
    ```
  }];
  let arguments = (ins Variadic<Attn_F32Tensor>:$queries,
                       Variadic<Attn_F32Tensor>:$keys,
                       Attn_F32Tensor:$value,
                       Variadic<AnyRankedTensor>:$captures,
                       Optional<Attn_F32Tensor>:$sink,
                       Optional<Attn_IntTensor>:$starts,
                       Optional<Attn_IntTensor>:$lengths,
                       DefaultValuedAttr<Attn_NormalizerAttr, "::attn::Normalizer::Softmax">:$normalizer);
  let results = (outs Attn_F32Tensor:$output, Optional<Attn_F32Tensor>:$weights,
                      Optional<Attn_F32Tensor>:$logsumexp);
  let regions = (region SizedRegion<1>:$score, AnyRegion:$keep, AnyRegion:$weight);
  let assemblyFormat = [{
    `queries` `(` $queries `:` type($queries) `)` `keys` `(` $keys `:` type($keys) `)`
    `value` `(` $value `:` type($value) `)`
    (`captures` `(` $captures^ `:` type($captures) `)`)?
    (`sink` `(` $sink^ `:` type($sink) `)`)?
    (`rows` `(` $starts^ `,` $lengths `:` type($starts) `,` type($lengths) `)`)?
    (`normalizer` `` $normalizer^)?
    attr-dict `score` $score (`keep` $keep^)? (`weight` $weight^)?
    `->` type($output) (`weights` type($weights)^)? (`logsumexp` type($logsumexp)^)?
  }];
  let extraClassDeclaration = [{
    /// Whether the queries are ragged rows of several sequences.
    bool isRagged() { return static_cast<bool>(getStarts()); }
  }];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Attn_DotOp : Attn_Op<"dot", [Pure, AllTypesMatch<["a", "b"]>]> {
  let summary = "sum_d a[d] b[d]";
  let description = [{
    The dot product inside a score region. A score that uses query and key only
    through their dot product is computed as a matrix product.

    Constraints:
    - (C1) the operands have rank 1 and a static shape.

    Example: see `attn.attention`.
  }];
  let arguments = (ins Attn_F32Tensor:$a, Attn_F32Tensor:$b);
  let results = (outs F32:$result);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a)";
  let hasVerifier = 1;
}

def Attn_SumOp : Attn_Op<"sum", [Pure]> {
  let summary = "sum_d x[d]";
  let description = [{
    Sum over the head width inside a score region.

    Constraints:
    - (C1) the operand has rank 1 and a static shape.

    Example:
    ```mlir
    %s = attn.sum %t : tensor<64xf32>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$input);
  let results = (outs F32:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Key and value cache
//===----------------------------------------------------------------------===//

def Attn_TokenRowsOp : Attn_Op<"token_rows",
    [Pure, AllTypesMatch<["counts", "past", "starts", "lengths"]>,
     AllTypesMatch<["sequence", "position"]>]> {
  let summary = "starts[s] = sum_{r < s} counts[r], lengths = past + counts, position[t] = past[s] + t - starts[s]";
  let description = [{
    Where the rows of T new tokens of S sequences stand, packed one sequence
    after the other: sequence s has `counts[s]` of them, behind the `past[s]`
    tokens that a cache holds. `starts` is the first row of each sequence,
    `lengths` all its tokens, the new ones included; `sequence` is the sequence
    of each row and `position` the row's place in it. Of `like` only the last
    dimension matters, T.

    Constraints:
    - (C1) `counts`, `past`, `starts` and `lengths` have one type, of shape [S].
    - (C2) `sequence` and `position` have shape [T], T the last dimension of
      `like`.

    Example:
    ```mlir
    %starts, %lengths, %sequence, %position = attn.token_rows %counts, %past like %ids
        : tensor<?xi64>, tensor<1x?xi64> -> tensor<?xi64>
    ```
  }];
  let arguments = (ins Attn_IntTensor:$counts, Attn_IntTensor:$past,
                       Attn_IntTensor:$like);
  let results = (outs Attn_IntTensor:$starts, Attn_IntTensor:$lengths,
                      Attn_IntTensor:$sequence, Attn_IntTensor:$position);
  let assemblyFormat = [{
    $counts `,` $past `like` $like attr-dict
    `:` type($counts) `,` type($like) `->` type($sequence)
  }];
  let hasVerifier = 1;
}

def Attn_AppendOp : Attn_Op<"append",
    [MemoryEffects<[MemWrite]>, AllTypesMatch<["cache", "result"]>]> {
  let summary = "cache[page(t), offset...] = key[0, g, t, :], value[0, g, t, :] for every row t";
  let description = [{
    Writes the keys and values of new tokens into the pages of their sequences,
    in place: the result is the memory of `cache`.

    A page holds kPageTokens = 64 positions of one sequence, row t its position
    `position[t]` in page `pages[sequence[t], position[t] / 64]`. From `offset`,
    counted in floats, a page has the entry of one attention:

    - keys [G][64 / 16][D][16], transposed in panels of 16 positions;
    - behind them values [G][ceil(E / 16)][64][16], panels of 16 columns, those
      beyond E zero.

    Constraints:
    - (C1) `key` has shape [1, G, T, D] and `value` [1, G, T, E]; G, D and E are
      static.
    - (C2) `cache` has rank 2 and a static page that is large enough for one
      entry.
    - (C3) `offset` has shape [].
    - (C4) `sequence` and `position` have shape [T].
    - (C5) `pages` has rank 2.

    Example:
    ```mlir
    %c = attn.append %k, %v to %cache at %offset rows(%sequence, %position) pages(%pages)
        : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<?x8192xf32>, tensor<i64>,
          tensor<?xi64>, tensor<?xi64>, tensor<?x?xi64>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$cache, Attn_F32Tensor:$key,
                       Attn_F32Tensor:$value, Attn_IntTensor:$offset,
                       Attn_IntTensor:$sequence, Attn_IntTensor:$position,
                       Attn_IntTensor:$pages);
  let results = (outs Attn_F32Tensor:$result);
  let assemblyFormat = [{
    $key `,` $value `to` $cache `at` $offset `rows` `(` $sequence `,` $position `)`
    `pages` `(` $pages `)` attr-dict
    `:` type($key) `,` type($value) `,` type($cache) `,` type($offset) `,`
    type($sequence) `,` type($position) `,` type($pages)
  }];
  let hasVerifier = 1;
}

def Attn_ReadPagesOp : Attn_Op<"read_pages", [Pure]> {
  let summary = "key[s, g, j, :], value[s, g, j, :] = cache[pages[s, j / 64], offset...]";
  let description = [{
    The keys and values that `attn.append` wrote, as an attention reads them:
    position j of sequence s. The kernel of the attention reads through
    the pages; the result is never in memory as a whole. Positions beyond a sequence's
    length have no meaning, nor have their entries of `pages`.

    Constraints:
    - (C1) `cache` has rank 2 and a static page that is large enough for one
      entry.
    - (C2) `pages` has shape [S, blocks]; `key` has shape [S, G, 64 blocks, D]
      and `value` [S, G, 64 blocks, E]; G, D and E are static.
    - (C3) `offset` has shape [].

    Example:
    ```mlir
    %keys, %values = attn.read_pages %cache at %offset pages(%pages)
        : tensor<?x8192xf32>, tensor<i64>, tensor<?x?xi64>
        -> tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$cache, Attn_IntTensor:$offset,
                       Attn_IntTensor:$pages);
  let results = (outs Attn_F32Tensor:$key, Attn_F32Tensor:$value);
  let assemblyFormat = [{
    $cache `at` $offset `pages` `(` $pages `)` attr-dict
    `:` type($cache) `,` type($offset) `,` type($pages) `->` type($key) `,` type($value)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Recurrence
//===----------------------------------------------------------------------===//

def Attn_ScanOp : Attn_Op<"scan",
    [AttrSizedOperandSegments, RecursiveMemoryEffects, RecursivelySpeculatable,
     DeclareOpInterfaceMethods<LoopLikeOpInterface,
         ["getInitsMutable", "getRegionIterArgs", "getYieldedValuesMutable",
          "getLoopResults", "isDefinedOutsideOfLoop"]>]> {
  let summary = "state[t + 1], y[t] = body(state[t], x[t]) for every step t, in order";
  let description = [{
    A recurrence over the first dimension of its inputs. The body runs once for
    each step: it receives the carried values, and of each input what stands at
    this step. It yields the next carried values, then what the results hold at
    this step. The results are the carried values behind the last step, then
    the outputs of all steps, stacked along a new first dimension. `reversed`
    goes from the last step to the first; what belongs to input t stands at
    output t all the same. No steps leave the initial values as they are.

    The body may use values from above, which are the same for every step:
    weights, the keys of an encoder. Code does not grow with the number of
    steps, which may be dynamic.

    Constraints:
    - (C1) there is at least one input; inputs have rank 1 or more and agree in
      their first dimension.
    - (C2) the body has one block, whose arguments are of the types of the
      initial values, then of each input without its first dimension.
    - (C3) the body yields a value of the type of each initial value, then one
      for each stacked result, of its type without the first dimension.
    - (C4) the results have the types of the initial values; those that are
      stacked have the number of steps in front.
    - (C5) the body is pure.

    Example: a sum that runs along the steps.
    ```mlir
    %last, %sums = attn.scan carry(%zero : tensor<?x8xf32>) over(%x : tensor<?x?x8xf32>) {
    ^bb0(%sum: tensor<?x8xf32>, %xt: tensor<?x8xf32>):
      %0 = arith.addf %sum, %xt : tensor<?x8xf32>
      attn.yield %0, %0 : tensor<?x8xf32>, tensor<?x8xf32>
    } : tensor<?x8xf32>, tensor<?x?x8xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$initials,
                       Variadic<AnyRankedTensor>:$inputs, UnitAttr:$reversed);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`carry` `(` $initials^ `:` type($initials) `)`)?
    `over` `(` $inputs `:` type($inputs) `)` (`reversed` $reversed^)?
    $body attr-dict `:` type($outputs)
  }];
  let extraClassDeclaration = [{
    /// How many values are carried; of the block's arguments, the yielded
    /// values and the results they are the first.
    unsigned getNumCarried() { return getInitials().size(); }
    /// What an input has at this step: the argument of the body for it.
    mlir::BlockArgument getStepArgument(unsigned input) {
      return getBody().getArgument(getNumCarried() + input);
    }
    /// The results that hold one entry for each step.
    mlir::ResultRange getStacked() {
      return getOutputs().drop_front(getNumCarried());
    }
    /// The values that the body yields for them.
    mlir::MutableArrayRef<mlir::OpOperand> getStepOutputs();
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def Attn_LaunchOp : Attn_Op<"launch",
    [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
     DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "results = kernel(operands), over all slots of the executor";
  let description = [{
    Calls an outlined kernel: a function marked `attn.kernel`. With the
    attribute `attn.in_place` its one result is the memory of its first operand.

    Constraints:
    - (C1) `kernel` names such a function, of the operands' and results' types,
      or the task on an argument block that it has been lowered to.

    Example:
    ```mlir
    %y = attn.launch @linear_0(%x, %w) : (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyRankedTensor>:$inputs);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = "$kernel `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)";
}

#endif // ATTN_OPS_TD
