// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Steps of generation: tokens of many sequences, pages of keys and values.

#ifndef ATTN_CACHE_OPS_TD
#define ATTN_CACHE_OPS_TD

include "AttnBase.td"

def Attn_TokenRowsOp : Attn_Op<"token_rows",
    [Pure, AllTypesMatch<["counts", "past", "starts", "lengths"]>,
     AllTypesMatch<["sequence", "position"]>]> {
  let summary = "starts[s] = sum_{r < s} counts[r], lengths = past + counts, position[t] = past[s] + t - starts[s]";
  let description = [{
    Where the rows of T new tokens of S sequences stand, packed one sequence
    after the other: sequence s has `counts[s]` of them, behind the `past[s]`
    tokens that a cache holds. `starts` is the first row of each sequence,
    `lengths` all its tokens, the new ones included; `sequence` is the sequence
    of each row and `position` the row's place in it. Of `like` only the last
    dimension matters, T.

    Constraints:
    - (C1) `counts`, `past`, `starts` and `lengths` have one type, of shape [S].
    - (C2) `sequence` and `position` have shape [T], T the last dimension of
      `like`.

    Example:
    ```mlir
    %starts, %lengths, %sequence, %position = attn.token_rows %counts, %past like %ids
        : tensor<?xi64>, tensor<1x?xi64> -> tensor<?xi64>
    ```
  }];
  let arguments = (ins Attn_IntTensor:$counts, Attn_IntTensor:$past,
                       Attn_IntTensor:$like);
  let results = (outs Attn_IntTensor:$starts, Attn_IntTensor:$lengths,
                      Attn_IntTensor:$sequence, Attn_IntTensor:$position);
  let assemblyFormat = [{
    $counts `,` $past `like` $like attr-dict
    `:` type($counts) `,` type($like) `->` type($sequence)
  }];
  let hasVerifier = 1;
}

def Attn_AppendOp : Attn_Op<"append",
    [MemoryEffects<[MemWrite]>, AllTypesMatch<["cache", "result"]>]> {
  let summary = "cache[page(t), offset...] = key[0, g, t, :], value[0, g, t, :] for every row t";
  let description = [{
    Writes the keys and values of new tokens into the pages of their sequences,
    in place: the result is the memory of `cache`.

    A page holds kPageTokens = 64 positions of one sequence, row t its position
    `position[t]` in page `pages[sequence[t], position[t] / 64]`. From `offset`,
    counted in floats, a page has the entry of one attention:

    - keys [G][64 / 16][D][16], transposed in panels of 16 positions;
    - behind them values [G][ceil(E / 16)][64][16], panels of 16 columns, those
      beyond E zero.

    Constraints:
    - (C1) `key` has shape [1, G, T, D] and `value` [1, G, T, E]; G, D and E are
      static.
    - (C2) `cache` has rank 2 and a static page that is large enough for one
      entry.
    - (C3) `offset` has shape [].
    - (C4) `sequence` and `position` have shape [T].
    - (C5) `pages` has rank 2.

    Example:
    ```mlir
    %c = attn.append %k, %v to %cache at %offset rows(%sequence, %position) pages(%pages)
        : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<?x8192xf32>, tensor<i64>,
          tensor<?xi64>, tensor<?xi64>, tensor<?x?xi64>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$cache, Attn_F32Tensor:$key,
                       Attn_F32Tensor:$value, Attn_IntTensor:$offset,
                       Attn_IntTensor:$sequence, Attn_IntTensor:$position,
                       Attn_IntTensor:$pages);
  let results = (outs Attn_F32Tensor:$result);
  let assemblyFormat = [{
    $key `,` $value `to` $cache `at` $offset `rows` `(` $sequence `,` $position `)`
    `pages` `(` $pages `)` attr-dict
    `:` type($key) `,` type($value) `,` type($cache) `,` type($offset) `,`
    type($sequence) `,` type($position) `,` type($pages)
  }];
  let hasVerifier = 1;
}

def Attn_ReadPagesOp : Attn_Op<"read_pages", [Pure]> {
  let summary = "key[s, g, j, :], value[s, g, j, :] = cache[pages[s, j / 64], offset...]";
  let description = [{
    The keys and values that `attn.append` wrote, as an attention reads them:
    position j of sequence s. The kernel of the attention reads through
    the pages; the result is never in memory as a whole. Positions beyond a sequence's
    length have no meaning, nor have their entries of `pages`.

    Constraints:
    - (C1) `cache` has rank 2 and a static page that is large enough for one
      entry.
    - (C2) `pages` has shape [S, blocks]; `key` has shape [S, G, 64 blocks, D]
      and `value` [S, G, 64 blocks, E]; G, D and E are static.
    - (C3) `offset` has shape [].

    Example:
    ```mlir
    %keys, %values = attn.read_pages %cache at %offset pages(%pages)
        : tensor<?x8192xf32>, tensor<i64>, tensor<?x?xi64>
        -> tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
    ```
  }];
  let arguments = (ins Attn_F32Tensor:$cache, Attn_IntTensor:$offset,
                       Attn_IntTensor:$pages);
  let results = (outs Attn_F32Tensor:$key, Attn_F32Tensor:$value);
  let assemblyFormat = [{
    $cache `at` $offset `pages` `(` $pages `)` attr-dict
    `:` type($cache) `,` type($offset) `,` type($pages) `->` type($key) `,` type($value)
  }];
  let hasVerifier = 1;
}

#endif // ATTN_CACHE_OPS_TD
