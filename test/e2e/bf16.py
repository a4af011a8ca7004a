#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a model directory's weights, cut to what bf16 holds, as BF16 and as F32 of the same values.

    bf16.py MODEL BF16_MODEL F32_MODEL

Needs the standard library only."""

import array
import json
import pathlib
import shutil
import struct
import sys


def load(path):
    raw = path.read_bytes()
    (size,) = struct.unpack_from("<Q", raw)
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


def save(path, tensors):
    header, data = {}, bytearray()
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))


def main(model, *outputs):
    header, data = load(pathlib.Path(model) / "model.safetensors")
    header.pop("__metadata__", None)
    half, whole = {}, {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype, shape, raw = entry["dtype"], entry["shape"], data[begin:end]
        half[name] = whole[name] = dtype, shape, raw
        if dtype == "F32":
            words = [word >> 16 for word in array.array("I", raw)]
            half[name] = "BF16", shape, array.array("H", words).tobytes()
            whole[name] = "F32", shape, array.array("I", (word << 16 for word in words)).tobytes()
    for output, tensors in zip(outputs, (half, whole)):
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(model, output)
        save(pathlib.Path(output) / "model.safetensors", tensors)


main(*sys.argv[1:])
