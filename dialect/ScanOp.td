// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A loop over the entries of tensors.

#ifndef ATTN_SCAN_OP_TD
#define ATTN_SCAN_OP_TD

include "AttnBase.td"

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

#endif // ATTN_SCAN_OP_TD
