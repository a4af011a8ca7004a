// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The attn dialect: what attention and Transformers add to MLIR's own dialects.

#ifndef ATTN_DIALECT_TD
#define ATTN_DIALECT_TD

include "mlir/IR/OpBase.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let cppNamespace = "::attn";
  let summary = "Attention and Transformer operations";
  let description = [{
    Upstream dialects (linalg, tensor, arith, math) carry what they already
    carry well. `attn` holds what attention and Transformers add, and what
    earns its place by a rewrite or a kernel that needs it as one operation.

    Functions of a model carry these attributes:

    - on an argument or result: `attn.name`, its public name, and
      `attn.dims`, an array of one string for each dimension, naming the
      dynamic ones (`""` for a static one). Dynamic dimensions of equal name
      are equal.
    - on an integer argument: `attn.bound = n`, every element lies in [0, n).
    - on an argument: `attn.in_place` (unit), the function writes into the
      caller's memory of this argument. On a launch: its result is the memory of
      its first operand.
    - on the function: `attn.dim_max = {sequence = 512}`, upper bounds of
      dynamic dimensions. `attn.max_positions = 512`: the most tokens of one
      sequence, those before the call included. `attn.window = 4096`: the most
      positions, its own included, that a token sees.
    - `attn.kernel` (unit) marks a function that was outlined as one kernel;
      `attn.layout` on its arguments says how a parameter is stored.
    - `attn.buffers`, `attn.shapes`, `attn.buffer_bytes`, `attn.symbols`: the memory plan;
      see the pass `attn-plan-memory`.
    - `attn.offset` on a parameter and `attn.weights_bytes` on the module:
      see the pass `attn-place-parameters`.
    - `attn.tap = "name"` (string) on any operation: its result is worth
      comparing with the reference (`attnc verify`).
    - on the module: `attn.ignored_weights = ["*.position_ids"]`, patterns of
      tensors that a checkpoint may hold unread, and `attn.weight_aliases =
      [["bert.*", "*"]]`, pairs of patterns of names: a weight whose name
      matches one may be stored under the other. `*` stands for any text.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

class Attn_Op<string mnemonic, list<Trait> traits = []>
    : Op<Attn_Dialect, mnemonic, traits>;

#endif // ATTN_DIALECT_TD
