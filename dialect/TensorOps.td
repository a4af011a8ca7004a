// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear layers, norms, and what else Transformers do to rows.

#ifndef ATTN_TENSOR_OPS_TD
#define ATTN_TENSOR_OPS_TD

include "AttnBase.td"

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

#endif // ATTN_TENSOR_OPS_TD
