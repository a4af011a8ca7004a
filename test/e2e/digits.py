#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The test split of the digits model: its inputs, and the accuracy of outputs.

digits.py inputs FILE      writes pixel_values of the 360 test images
digits.py pictures FOLDER  writes them as PNG files, named INDEX_labelDIGIT.png
digits.py accuracy FILE    prints how many logits in FILE pick the right label

Needs the standard library only. Equivalent to what preprocessor_config.json asks
for: pixel_values = (image / 255 - 0.5) / 0.5.
"""

import array
import json
import pathlib
import struct
import sys
import zlib

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


def png_chunk(kind, data):
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def grey_png(width, height, pixels):
    """A PNG file of 8-bit grey; every row has filter 0."""
    rows = (pixels[y * width : (y + 1) * width].tobytes() for y in range(height))
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def test_images():
    """Pairs of 8-bit pixels and label, and the size of all images."""
    tensors = read(CASE / "test.safetensors")
    (_, height, width), pixels = tensors["images"]
    _, labels = tensors["labels"]
    size = height * width
    images = [pixels[i * size : (i + 1) * size] for i in range(len(labels))]
    return list(zip(images, labels)), width, height


def write_pictures(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    images, width, height = test_images()
    for index, (pixels, label) in enumerate(images):
        path = folder / f"{index:03}_label{label}.png"
        path.write_bytes(grey_png(width, height, pixels))


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
    verbs = {
        "inputs": write_inputs,
        "pictures": write_pictures,
        "accuracy": print_accuracy,
    }
    if len(arguments) != 2 or arguments[0] not in verbs:
        sys.exit(__doc__.strip())
    verbs[arguments[0]](arguments[1])


if __name__ == "__main__":
    main(sys.argv[1:])
