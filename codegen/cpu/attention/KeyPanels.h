// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys as transposed panels, and what else is done once for each key head.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_KEYPANELS_H
#define ATTN_CODEGEN_CPU_ATTENTION_KEYPANELS_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// Packs the keys of a head as panels [D][16].
void packKeys(AttentionState &s, Value batch, Value keyHead);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_KEYPANELS_H
