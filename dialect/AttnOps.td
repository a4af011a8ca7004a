// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the attn dialect. Every op is a contract: a formula as its
// summary, numbered constraints, an example that parses.

#ifndef ATTN_OPS_TD
#define ATTN_OPS_TD

include "ParameterOps.td"
include "TensorOps.td"
include "AttentionOps.td"
include "CacheOps.td"
include "ScanOp.td"

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
