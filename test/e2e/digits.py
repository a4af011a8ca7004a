#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The test split of the digits model: its inputs, and the accuracy of outputs.

digits.py inputs FILE      writes pixel_values of the 360 test images
digits.py accuracy FILE    prints how many logits in FILE pick the right label

Needs the standard library only. Equivalent to what preprocessor_config.json asks
for: pixel_values = (image / 255 - 0.5) / 0.5.
"""

import array
import json
import pathlib
import struct
import sys

CASE = pathlib.Path(__file__).parent / "golden" / "vit-digits"
CODES = {"F32": "f", "I64": "q", "U8": "B"}


def read(path):
    """The tensors of a safetensors file: name -> (shape, values)."""
    content = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = array.array(CODES[entry["dtype"]], content[begin:end])
        tensors[name] = (entry["shape"], values)
    return tensors


def write(path, name, shape, values):
    """A safetensors file of one F32 tensor."""
    data = array.array("f", values).tobytes()
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({name: entry}).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(header)) + header + data)


def write_inputs(path):
    tensors = read(CASE / "test.safetensors")
    (count, height, width), images = tensors["images"]
    values = [(pixel / 255 - 0.5) / 0.5 for pixel in images]
    _, first = tensors["pixel_values_first8"]
    if max(abs(a - b) for a, b in zip(values, first)) > 1e-6:
        sys.exit("digits.py: pixel values differ from the golden ones")
    write(path, "pixel_values", [count, 1, height, width], values)


def print_accuracy(path):
    _, labels = read(CASE / "test.safetensors")["labels"]
    shape, logits = read(path)["logits"]
    if shape[0] != len(labels):
        sys.exit(f"digits.py: expects {len(labels)} rows of logits, but got {shape[0]}")
    classes = shape[1]
    rows = (logits[i * classes : (i + 1) * classes] for i in range(len(labels)))
    right = sum(row.index(max(row)) == label for row, label in zip(rows, labels))
    print(f"{right} of {len(labels)}")


def main(arguments):
    verbs = {"inputs": write_inputs, "accuracy": print_accuracy}
    if len(arguments) != 2 or arguments[0] not in verbs:
        sys.exit(__doc__.strip())
    verbs[arguments[0]](arguments[1])


if __name__ == "__main__":
    main(sys.argv[1:])
