// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives the shared precompiled header a translation unit to belong to.
