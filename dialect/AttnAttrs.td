// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attributes and enums of the attn dialect.

#ifndef ATTN_ATTRS_TD
#define ATTN_ATTRS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "AttnDialect.td"

def Attn_NormalizerSoftmax : I32EnumAttrCase<"Softmax", 0, "softmax">;
def Attn_NormalizerSigmoid : I32EnumAttrCase<"Sigmoid", 1, "sigmoid">;
def Attn_NormalizerSum     : I32EnumAttrCase<"Sum", 2, "sum">;
def Attn_Normalizer : I32EnumAttr<"Normalizer",
    "how scores become weights: softmax over the keys, sigmoid of each score, or the score itself",
    [Attn_NormalizerSoftmax, Attn_NormalizerSigmoid, Attn_NormalizerSum]> {
  let cppNamespace = "::attn";
  let genSpecializedAttr = 0;
}
def Attn_NormalizerAttr : EnumAttr<Attn_Dialect, Attn_Normalizer, "normalizer"> {
  let assemblyFormat = "`(` $value `)`";
}

def Attn_GeluNone : I32EnumAttrCase<"None", 0, "none">;
def Attn_GeluTanh : I32EnumAttrCase<"Tanh", 1, "tanh">;
def Attn_GeluForm : I32EnumAttr<"GeluForm",
    "exact (erf) or the tanh approximation, in torch's words",
    [Attn_GeluNone, Attn_GeluTanh]> {
  let cppNamespace = "::attn";
  let genSpecializedAttr = 0;
}
def Attn_GeluFormAttr : EnumAttr<Attn_Dialect, Attn_GeluForm, "gelu_form">;

def Attn_PanelsAttr : AttrDef<Attn_Dialect, "Panels"> {
  let mnemonic = "panels";
  let summary = "weight [N, K] stored as [ceil(N/width)][K][width], zeros beyond N; as bf16, if so said";
  let parameters = (ins "int64_t":$width, OptionalParameter<"::mlir::Type">:$stored);
  let assemblyFormat = "`<` $width (`,` $stored^)? `>`";
  let genVerifyDecl = 1;
}

#endif // ATTN_ATTRS_TD
