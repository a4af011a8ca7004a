// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Facts about the instruction sets attnc generates code for, as data.

#ifndef ATTN_CODEGEN_TARGET_TARGETSPEC_H
#define ATTN_CODEGEN_TARGET_TARGETSPEC_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace attn {

/// Floats in one panel of a packed weight, and lanes of every row reduction.
/// Equal for all targets, so that one weights file serves them all.
inline constexpr int64_t kPanelWidth = 16;

/// A register tile of a matrix product.
struct MatrixTile {
  int rows; ///< accumulator rows of the tallest tile; all smaller heights exist
            ///< too
  int panels; ///< adjacent panels of kPanelWidth columns that a tile spans
};

/// What the kernels' elementary functions take, in the time of so many floating
/// point operations: polynomials of degree 5 to 12 with what is around them.
struct FunctionFlops {
  double power = 16;    ///< 2^x
  double function = 45; ///< any other
  double factored = 7;  ///< one of a sum, from powers of its parts
};

/// One instruction set: the only home of tile sizes and machine facts.
struct TargetSpec {
  llvm::StringLiteral name; ///< what users write: "x86-64-avx2"
  llvm::StringLiteral isa;  ///< short name in attn_variant: "avx2"
  llvm::StringLiteral triple;
  llvm::StringLiteral cpu;      ///< LLVM's scheduling model
  llvm::StringLiteral features; ///< LLVM's feature string: "+avx2,+fma"
  uint64_t featureBits;         ///< ATTN_FEATURE_* a machine must have

  int vectorRegisters;
  int lanes;             ///< floats in one vector register
  bool fusedMultiplyAdd; ///< else fma is a product and a sum, rounded twice
  bool nativeRounding;   ///< floor and ceil are instructions

  MatrixTile linear;
  int linearDepth;      ///< most columns of its input that a linear multiplies
                        ///< before it goes on to other columns of its result
  MatrixTile attention; ///< tile of both products of attention
  int attentionRows;    ///< query rows that share one pass over the keys

  /// Whether prefetching the next weight panel while this one is multiplied
  /// pays; elsewhere the hardware prefetcher already does it.
  bool prefetchNextPanel;
  /// Whether a long epilogue (GELU) is faster in the accumulators than on the
  /// stored tile while it is hot in L1.
  bool longEpilogueInAccumulators;

  int64_t l1Bytes, l2Bytes; ///< caches of one core

  /// Measured constants for cost estimates, one core.
  double gflops;          ///< FMA peak
  double memoryGigabytes; ///< read bandwidth per second
  double forkSeconds;     ///< what handing work to other cores has to save
  FunctionFlops functionFlops = {};
  /// How many cores together read all that their memory gives; more of them
  /// wait for each other.
  int memoryCores = 8;
};

/// All targets, best last within an architecture.
llvm::ArrayRef<TargetSpec> allTargets();

/// The target of that name, or for "native" the best one this machine can run.
llvm::Expected<const TargetSpec *> findTarget(llvm::StringRef name);

/// Whether this machine can run code for `target`: decided by feature bits,
/// never by the name of the CPU, which virtual machines get wrong.
bool runsHere(const TargetSpec &target);

/// LLVM's code generator for `target`: position independent, no fast math.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const TargetSpec &target);

/// LLVM's middle end as generated kernels want it: scalar clean-up and loop
/// invariants, without unrolling or vectorising what is already tiled.
void optimizeForTarget(llvm::Module &module, llvm::TargetMachine &machine);

/// The module as an object file in memory.
llvm::Expected<llvm::SmallVector<char, 0>>
emitObject(llvm::Module &module, llvm::TargetMachine &machine);

} // namespace attn

#endif // ATTN_CODEGEN_TARGET_TARGETSPEC_H
