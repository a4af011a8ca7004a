# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Passes on, of the names on standard input, those that a build compiles; zero bytes between names.

compiled-sources.py COMPILE_COMMANDS < NAMES
"""

import json
import os
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    compiled = {os.path.realpath(entry["file"]) for entry in json.load(file)}
for name in sys.stdin.read().split("\0"):
    if name and os.path.realpath(name) in compiled:
        sys.stdout.write(name + "\0")
