# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts the pairs of the kernel `causal` of sparse.attn block by block and compares with an explanation.

count-pairs.py EXPLANATION.json M N VALID...
"""

import json
import sys


def main(path, m, n, *valid):
    m, n = int(m), int(n)
    attention = json.load(open(path))[0]["kernels"][0]["attention"]
    keep = attention["keep"]
    rows, keys = keep["block_queries"], keep["block_keys"]
    counts = {"left_out_pairs": 0, "whole_pairs": 0, "asked_pairs": 0}
    blocks = -(-m // rows)
    for length in map(int, valid):
        for block in range(blocks):
            first, end = m * block // blocks, m * (block + 1) // blocks
            for key in range(0, n, keys):
                kept = [
                    j <= i + n - m and j < length for i in range(first, end) for j in range(key, min(key + keys, n))
                ]
                kind = "whole_pairs" if all(kept) else "asked_pairs" if any(kept) else "left_out_pairs"
                counts[kind] += 2 * len(kept)  # heads
    found = {kind: keep[kind] for kind in counts}
    assert found == counts, (found, counts)
    assert all(counts.values()), counts
    assert attention["pairs"] == 2 * len(valid) * m * n
    assert attention["computed_pairs"] == attention["pairs"] - counts["left_out_pairs"]


if __name__ == "__main__":
    main(*sys.argv[1:])
