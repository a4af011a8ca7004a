// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention, and the operations of its regions.

#ifndef ATTN_ATTENTION_OPS_TD
#define ATTN_ATTENTION_OPS_TD

include "AttnBase.td"

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

#endif // ATTN_ATTENTION_OPS_TD
