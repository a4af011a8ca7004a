#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Copies a model directory with other names of tensors, as other releases of a library write them.

    rename-tensors.py FROM TO PATTERN=REPLACEMENT... [--architecture CLASS] [--more NAME...]

Patterns are regular expressions, used one after the other. --architecture is what config.json then calls the
checkpoint's class. Each NAME is the name of a tensor that is there besides.
"""

import argparse
import json
import pathlib
import re
import shutil


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("renamings", nargs="*")
    parser.add_argument("--architecture")
    parser.add_argument("--more", nargs="*", default=[])
    options = parser.parse_args()

    options.target.mkdir()
    shutil.copy(options.source / "config.json", options.target)
    if options.architecture:
        path = options.target / "config.json"
        config = json.loads(path.read_text())
        config["architectures"] = [options.architecture]
        path.write_text(json.dumps(config, indent=2))

    data = (options.source / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    entries = {}
    for name, entry in header.items():
        for renaming in options.renamings:
            pattern, replacement = renaming.split("=", 1)
            name = name if name == "__metadata__" else re.sub(pattern, replacement, name)
        entries[name] = entry
    for name in options.more:
        entries[name] = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    (options.target / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size:])


if __name__ == "__main__":
    main()
