#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds what an encoder-decoder generated to the model over the whole sequence.

recomputed.py inputs FILE 5,17,9 < JSON    writes what was generated as the decoder's tokens; the ids are what its
                                           encoder read
recomputed.py check LOGITS < JSON          each token but the first has the largest logit before it

Needs the standard library only."""

import array
import json
import pathlib
import struct
import sys

# Logits of steps and of the whole differ by rounding: as likely as this is likeliest, too.
MARGIN = 1e-4


def save(path, tensors):
    header, data = {}, b""
    for name, ids in tensors.items():
        raw = array.array("q", ids).tobytes()
        header[name] = {"dtype": "I64", "shape": [1, len(ids)], "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def load_logits(path):
    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    entry = json.loads(raw[8 : 8 + size])["logits"]
    begin, end = (8 + size + offset for offset in entry["data_offsets"])
    values = array.array("f", raw[begin:end])
    width = entry["shape"][-1]
    return [values[i : i + width] for i in range(0, len(values), width)]


def check(ids, logits):
    if len(ids) < 2 or len(logits) != len(ids) - 1:
        sys.exit(f"recomputed.py: expects logits before each of {len(ids) - 1} tokens, but got {len(logits)}")
    for i in range(1, len(ids)):
        row = logits[i - 1]
        if row[ids[i]] < max(row) - MARGIN:
            likeliest = max(range(len(row)), key=row.__getitem__)
            sys.exit(f"token {i} is {ids[i]}, but the whole model has {likeliest}")
    print(f"{len(ids) - 1} tokens as the whole model has them")


def main(arguments):
    if len(arguments) != (2 if arguments[:1] == ["check"] else 3):
        sys.exit(__doc__.strip())
    (ids,) = json.load(sys.stdin)["generated_ids"]
    if arguments[0] == "check":
        check(ids, load_logits(arguments[1]))
    else:
        source = [int(i) for i in arguments[2].split(",")]
        save(arguments[1], {"input_ids": source, "decoder_input_ids": ids[:-1]})


if __name__ == "__main__":
    main(sys.argv[1:])
