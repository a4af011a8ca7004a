# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Copies a file with one kind of damage: damage.py FROM KIND TO."""

import sys

DAMAGE = {
    "cut": lambda data: data[:-1],
    "long": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    # Offsets of docs/weights-file.md: magic, version, build_id, the table's first record.
    "text-transfer": lambda data: data.replace(b"\r\n", b"\n", 1) + b"\0",
    "version": lambda data: data[:8] + b"\2" + data[9:],
    "header": lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
    "table": lambda data: data[:72] + bytes([data[72] ^ 64]) + data[73:],
}

source, kind, target = sys.argv[1:]
with open(source, "rb") as file:
    damaged = DAMAGE[kind](file.read())
with open(target, "wb") as file:
    file.write(damaged)
