#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the damaged safetensors files and, in messages.txt, what each is refused with.

Run it after adding a case: make-damaged.py FOLDER. A message follows `FILE: `.
"""

import json
import pathlib
import struct
import sys

TYPES = "BOOL, U8, I8, U16, I16, F16, BF16, U32, I32, F32, U64, I64 or F64"


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def file(header, data=bytes(8), length=None):
    """A file with this header (text, bytes or an object to write as JSON)."""
    if isinstance(header, dict):
        header = json.dumps(header)
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


A = json.dumps(tensor())

CASES = {
    "empty": (b"", "expects the 8 bytes of a safetensors header length, but the file has 0"),
    "length-cut": (b"\x10\0\0", "expects the 8 bytes of a safetensors header length, but the file has 3"),
    "length-huge": (file("{}", b"", 2**63), "expects a safetensors header of at most 100000000 bytes, but got 9223372036854775808; is it a safetensors file?"),
    "length-beyond-file": (file("{}", b"", 3), "expects a safetensors header of 3 bytes, but the file has only 2 left"),
    "length-zero": (file("", b""), "expects a safetensors header that begins with '{'"),
    "header-is-list": (file("[]", b""), "expects a safetensors header that begins with '{'"),
    "header-not-json": (file('{"a" 1}', b""), "header:1:6: JSON: Expected : after object key"),
    "header-cut": (file('{"a":{"dtype":"F32"', b""), "header:1:19: JSON: Expected , or } after object property"),
    "header-not-utf8": (file(b'{"a\xff":{}}', b""), "header:1:3: JSON: Invalid UTF-8 sequence"),
    "nesting-deep": (file('{"a":' + "[" * 2000, b""), "header:1:69: expects at most 64 levels of nesting"),
    "metadata-not-text": (file('{"__metadata__":{"format":1}}', b""), "expects __metadata__ to map text to text"),
    "tensor-not-object": (file('{"a":[]}', b""), "tensor 'a': expects an object with dtype, shape and data_offsets"),
    "field-unknown": (file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"stride":[1]}}'), "tensor 'a': expects dtype, shape and data_offsets only, but got 'stride'"),
    "dtype-missing": (file('{"a":{"shape":[2],"data_offsets":[0,8]}}'), "tensor 'a': expects a 'dtype' that is text"),
    "dtype-not-text": (file('{"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}'), "tensor 'a': expects a 'dtype' that is text"),
    "dtype-unknown": (file({"a": tensor(dtype="F8_E4M3", offsets=(0, 2))}, bytes(2)), f"tensor 'a': expects dtype {TYPES}, but got 'F8_E4M3'"),
    "shape-missing": (file('{"a":{"dtype":"F32","data_offsets":[0,8]}}'), "tensor 'a': expects a 'shape' that is a list"),
    "shape-negative": (file({"a": tensor(shape=(-2,))}), "tensor 'a': expects dimensions that are whole numbers from 0 to 2^63 - 1"),
    "shape-fraction": (file({"a": tensor(shape=(2.5,))}), "tensor 'a': expects dimensions that are whole numbers from 0 to 2^63 - 1"),
    "shape-beyond-int64": (file({"a": tensor(shape=(2**63,))}), "tensor 'a': expects dimensions that are whole numbers from 0 to 2^63 - 1"),
    "shape-rank": (file({"a": tensor(shape=[1] * 33)}), "tensor 'a': expects at most 32 dimensions, but got 33"),
    "shape-product-overflow": (file({"a": tensor(shape=(2**32, 2**32))}), "tensor 'a': expects a shape of less than 2^63 bytes, but got [4294967296, 4294967296]"),
    "shape-bytes-overflow": (file({"a": tensor(shape=(2**61,))}), "tensor 'a': expects a shape of less than 2^63 bytes, but got [2305843009213693952]"),
    "shape-larger-than-data": (file({"a": tensor(shape=(3,))}), "tensor 'a': expects 12 bytes for F32 [3], but got 8"),
    "shape-smaller-than-data": (file({"a": tensor(shape=(1,))}), "tensor 'a': expects 4 bytes for F32 [1], but got 8"),
    "dtype-smaller-than-data": (file({"a": tensor(dtype="BF16")}), "tensor 'a': expects 4 bytes for BF16 [2], but got 8"),
    "scalar-without-data": (file({"a": tensor(shape=(), offsets=(0, 0))}, b""), "tensor 'a': expects 4 bytes for F32 [], but got 0"),
    "offsets-missing": (file('{"a":{"dtype":"F32","shape":[2]}}'), "tensor 'a': expects 'data_offsets' that are two whole numbers"),
    "offsets-three": (file({"a": tensor(offsets=(0, 4, 8))}), "tensor 'a': expects 'data_offsets' that are two whole numbers"),
    "offsets-negative": (file({"a": tensor(offsets=(-8, 0))}), "tensor 'a': expects 'data_offsets' that are two whole numbers"),
    "offsets-backwards": (file({"a": tensor(offsets=(8, 0))}), "tensor 'a': expects data that begins before it ends, but got [8, 0]"),
    "offsets-beyond-64-bits": (file({"a": tensor(offsets=(0, 2**64))}), "tensor 'a': expects 'data_offsets' that are two whole numbers"),
    "offsets-wrap": (file({"a": tensor(offsets=(2**64 - 8, 2**64 - 1))}), "tensor 'a': expects data up to byte 18446744073709551615, but the file has only 8 bytes of data; is it complete?"),
    "data-cut": (file({"a": tensor()}, bytes(7)), "tensor 'a': expects data up to byte 8, but the file has only 7 bytes of data; is it complete?"),
    "data-left-over": (file({"a": tensor()}, bytes(9)), "expects 8 bytes of data after the header, but got 9"),
    "data-without-tensors": (file("{}", bytes(1)), "expects 0 bytes of data after the header, but got 1"),
    "overlap": (file({"a": tensor(), "b": tensor(offsets=(4, 12))}, bytes(12)), "tensor 'b': expects data that begins at byte 8 or later, but got byte 4, inside tensor 'a'"),
    "overlap-same": (file({"a": tensor(), "b": tensor()}), "tensor 'b': expects data that begins at byte 8 or later, but got byte 0, inside tensor 'a'"),
    "gap": (file({"a": tensor(), "b": tensor(offsets=(12, 20))}, bytes(20)), "tensor 'b': expects data that begins at byte 8, but got byte 12: the bytes between belong to no tensor"),
    "gap-at-begin": (file({"a": tensor(offsets=(4, 12))}, bytes(12)), "tensor 'a': expects data that begins at byte 0, but got byte 4: the bytes between belong to no tensor"),
    "name-twice": (file('{"a":%s,"a":%s}' % (A, A)), "header:1:61: key 'a' appears twice"),
    "name-twice-escaped": (file('{"a":%s,"\\u0061":%s}' % (A, A)), "header:1:61: key 'a' appears twice"),
    "dtype-twice": (file('{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}'), "header:1:21: key 'dtype' appears twice in 'a'"),
    "name-control-characters": (file({"\u001b[31m\n": []}, b""), "tensor '\\x1B[31m\\x0A': expects an object with dtype, shape and data_offsets"),
    "name-long": (file({"x" * 1000: []}, b""), "tensor '" + "x" * 160 + "...': expects an object with dtype, shape and data_offsets"),
}


def main(folder):
    folder = pathlib.Path(folder)
    for name, (content, _) in CASES.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    lines = [f"{name}.safetensors: {message}\n" for name, (_, message) in sorted(CASES.items())]
    (folder / "messages.txt").write_text("".join(lines))


if __name__ == "__main__":
    main(sys.argv[1])
