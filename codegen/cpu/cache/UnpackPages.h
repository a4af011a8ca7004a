// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies keys out of the pages of a cache.

#ifndef ATTN_CODEGEN_CPU_CACHE_UNPACKPAGES_H
#define ATTN_CODEGEN_CPU_CACHE_UNPACKPAGES_H

#include "codegen/cpu/cache/Pages.h"

namespace attn::cpu {

/// The 64 keys of a head in the page that begins at `page`, to `rows`,
/// [1, 1, 64, D].
void unpackKeys(TileBuilder &b, const PagedEntry &entry, Value page, Value head,
                Value rows);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_CACHE_UNPACKPAGES_H
