// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the operations of the dialect are built from.

#ifndef ATTN_BASE_TD
#define ATTN_BASE_TD

include "AttnAttrs.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/LoopLikeInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"

def Attn_F32Tensor : RankedTensorOf<[F32]>;
def Attn_IntTensor : RankedTensorOf<[I64]>;

#endif // ATTN_BASE_TD
