// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What tile-level code of a kernel needs beyond scf, vector and memref: its
// operands, its scratch, and how many slots share the work.

#ifndef ATTN_CPU_OPS_TD
#define ATTN_CPU_OPS_TD

include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpBase.td"

def AttnCpu_Dialect : Dialect {
  let name = "attn_cpu";
  let cppNamespace = "::attn::cpu";
  let summary = "Tile level of CPU kernels";
  let description = [{
    A kernel is a function of an argument block and a slot. The block is an
    array of 64-bit words: the number of slots, the address of the scratch
    memory (64-byte aligned), the bytes of scratch of one slot; then for each
    argument and each result of the kernel its address, followed by one word for
    each of its dynamic dimensions.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

class AttnCpu_Op<string mnemonic, list<Trait> traits = []>
    : Op<AttnCpu_Dialect, mnemonic, traits>;

def AttnCpu_Args : Type<CPred<"::llvm::isa<::mlir::LLVM::LLVMPointerType>($_self)">,
                        "pointer to an argument block", "::mlir::LLVM::LLVMPointerType">,
    BuildableType<"::mlir::LLVM::LLVMPointerType::get($_builder.getContext())">;

def AttnCpu_OperandOp : AttnCpu_Op<"operand", [Pure]> {
  let summary = "the dense row-major tensor whose address is word `word` of the block";
  let description = [{
    Constraints:
    - (C1) `word` is at least 3, the first word after the header.

    Example:
    ```mlir
    %x = attn_cpu.operand %args[3] : memref<?x768xf32>
    ```
  }];
  let arguments = (ins AttnCpu_Args:$args, I64Attr:$word);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$args `[` $word `]` attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def AttnCpu_SlotsOp : AttnCpu_Op<"slots", [Pure]> {
  let summary = "the number of slots that share this kernel's work";
  let description = [{
    Example:
    ```mlir
    %n = attn_cpu.slots %args
    ```
  }];
  let arguments = (ins AttnCpu_Args:$args);
  let results = (outs Index:$result);
  let assemblyFormat = "$args attr-dict";
}

def AttnCpu_ScratchOp : AttnCpu_Op<"scratch", [Pure]> {
  let summary = "a buffer `offset` bytes into the scratch memory of `slot`";
  let description = [{
    Constraints:
    - (C1) there is one size for each dynamic dimension of the result.

    Example:
    ```mlir
    %s = attn_cpu.scratch %args of %slot at %offset(%rows) : memref<?x64xf32>
    ```
  }];
  let arguments = (ins AttnCpu_Args:$args, Index:$slot, Index:$offset,
                       Variadic<Index>:$sizes);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = [{
    $args `of` $slot `at` $offset `(` $sizes `)` attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

#endif // ATTN_CPU_OPS_TD
