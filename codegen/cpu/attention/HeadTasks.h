// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a slot does for a head and for a block of its rows.

#ifndef ATTN_CODEGEN_CPU_ATTENTION_HEADTASKS_H
#define ATTN_CODEGEN_CPU_ATTENTION_HEADTASKS_H

#include "codegen/cpu/attention/State.h"

namespace attn::cpu {

/// What is done once for each key head that a slot meets.
void prepareHead(AttentionState &s, const HeadRows &head);

/// The results of a block of rows, whose head is prepared.
void emitRows(AttentionState &s, const HeadRows &rows);

} // namespace attn::cpu

#endif // ATTN_CODEGEN_CPU_ATTENTION_HEADTASKS_H
