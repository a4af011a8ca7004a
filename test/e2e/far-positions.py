#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes inputs and expected outputs of rotary positions as far as a million, computed in float64.

    far-positions.py INPUTS OUTPUTS
"""

import json
import math
import random
import struct
import sys

WIDTH, THETA = 32, 500000.0
POSITIONS = [0, 1, 4095, 8191, 32767, 131071, 524287, 999999]


def rotated(row, position):
    """Pairs (k, k + WIDTH / 2) turned by position * THETA^(-2 k / WIDTH)."""
    half, out = WIDTH // 2, list(row)
    for k in range(half):
        angle = position * THETA ** (-2 * k / WIDTH)
        c, s = math.cos(angle), math.sin(angle)
        out[k] = row[k] * c - row[k + half] * s
        out[k + half] = row[k + half] * c + row[k] * s
    return out


def save(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def floats(rows):
    values = [x for row in rows for x in row]
    return ("F32", [1, 1, len(rows), WIDTH], struct.pack(f"<{len(values)}f", *values))


def main(inputs, outputs):
    source = random.Random(1)
    # Halves and quarters: the same number in f32.
    rows = [[source.randint(-8, 8) / 4 for _ in range(WIDTH)] for _ in POSITIONS]
    save(inputs, {"x": floats(rows),
                  "positions": ("I64", [len(POSITIONS)], struct.pack(f"<{len(POSITIONS)}q", *POSITIONS))})
    save(outputs, {"out": floats([rotated(row, p) for row, p in zip(rows, POSITIONS)])})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
