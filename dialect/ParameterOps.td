// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model reads from its weights file.

#ifndef ATTN_PARAMETER_OPS_TD
#define ATTN_PARAMETER_OPS_TD

include "AttnBase.td"

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

#endif // ATTN_PARAMETER_OPS_TD
