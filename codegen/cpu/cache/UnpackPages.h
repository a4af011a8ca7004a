// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies keys and values out of the pages of a cache.

#ifndef ATTN_CODEGEN_CPU_CACHE_UNPACKPAGES_H
#define ATTN_CODEGEN_CPU_CACHE_UNPACKPAGES_H

#include "codegen/cpu/cache/Pages.h"

namespace attn::cpu {

/// The first `count` keys and values of a head of a sequence, to `keys` and
/// `values`, [1, 1, positions, D] and [1, 1, positions, E].
void unpackPages(TileBuilder &b, const PagedEntry &entry, Value sequence,
                 Value head, Value count, Value keys, Value values);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_UNPACKPAGES_H
