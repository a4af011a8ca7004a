# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a safetensors file of one tensor.

make-inputs.py FILE NAME DTYPE SHAPE VALUE...    SHAPE: 1,3,32; values repeat until it is full
"""

import json
import struct
import sys

FORMATS = {"F32": "f", "F64": "d", "I64": "q", "U64": "Q"}


def main(path, name, dtype, shape, *values):
    shape = [int(size) for size in shape.split(",")]
    count = 1
    for size in shape:
        count *= size
    kind = FORMATS[dtype]
    parse = float if kind in "fd" else int
    values = [parse(value) for value in values]
    data = struct.pack(f"<{count}{kind}", *(values[i % len(values)] for i in range(count)))
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({name: entry}).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)


if __name__ == "__main__":
    main(*sys.argv[1:])
