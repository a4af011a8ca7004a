// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The attn dialect and its attributes.

#ifndef ATTN_DIALECT_ATTNDIALECT_H
#define ATTN_DIALECT_ATTNDIALECT_H

#include "mlir/IR/Attributes.h"
#include "mlir/IR/Dialect.h"

#include "dialect/AttnDialect.h.inc"
#include "dialect/AttnEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/AttnAttrs.h.inc"

namespace attn {

/// Names of the attributes that functions of a model carry; AttnDialect.td
/// says what each means.
inline constexpr llvm::StringLiteral kNameAttr = "attn.name";
inline constexpr llvm::StringLiteral kDimsAttr = "attn.dims";
inline constexpr llvm::StringLiteral kBoundAttr = "attn.bound";
inline constexpr llvm::StringLiteral kDimMaxAttr = "attn.dim_max";
inline constexpr llvm::StringLiteral kKernelAttr = "attn.kernel";
inline constexpr llvm::StringLiteral kLayoutAttr = "attn.layout";
inline constexpr llvm::StringLiteral kBuffersAttr = "attn.buffers";
inline constexpr llvm::StringLiteral kBufferBytesAttr = "attn.buffer_bytes";
inline constexpr llvm::StringLiteral kShapesAttr = "attn.shapes";
inline constexpr llvm::StringLiteral kSymbolsAttr = "attn.symbols";
inline constexpr llvm::StringLiteral kWorkAttr = "attn.work";
inline constexpr llvm::StringLiteral kOffsetAttr = "attn.offset";
inline constexpr llvm::StringLiteral kWeightsBytesAttr = "attn.weights_bytes";
inline constexpr llvm::StringLiteral kInPlaceAttr = "attn.in_place";
inline constexpr llvm::StringLiteral kMaxPositionsAttr = "attn.max_positions";
inline constexpr llvm::StringLiteral kTapAttr = "attn.tap";
inline constexpr llvm::StringLiteral kIgnoredWeightsAttr =
    "attn.ignored_weights";
inline constexpr llvm::StringLiteral kWeightAliasesAttr = "attn.weight_aliases";

/// Positions of one sequence in a page of a key and value cache, and the lanes
/// of a panel in it; attn.append says how a page is laid out.
inline constexpr int64_t kPageTokens = 64;
inline constexpr int64_t kPanelLanes = 16;

/// The floats that the keys and values of one attention take in a page.
int64_t pageEntryFloats(int64_t heads, int64_t keyWidth, int64_t valueWidth);

/// Registers attn and every dialect that models, passes and kernels use.
void registerAllDialects(mlir::DialectRegistry &registry);

} // namespace attn

#endif // ATTN_DIALECT_ATTNDIALECT_H
