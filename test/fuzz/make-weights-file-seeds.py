# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the seeds of weights_file_fuzz, after docs/weights-file.md."""

import pathlib
import struct
import zlib

PAGE, ALIGNMENT = 4096, 64
SEEDS = pathlib.Path(__file__).parent / "corpus" / "weights_file_fuzz"


def aligned(count, alignment):
    return -count % alignment * b"\0"


def weights_file(entries):
    """entries: (name, layout, dtype, shape, stored bytes)."""
    table, data = b"", b""
    for name, layout, dtype, shape, stored in entries:
        data += aligned(len(data), ALIGNMENT)
        sizes = (len(shape), len(name), len(layout), 0)
        record = struct.pack("<QQII", len(data), len(stored), zlib.crc32(stored), dtype)
        record += struct.pack("<4I", *sizes) + struct.pack(f"<{len(shape)}q", *shape)
        record += name + layout
        table += record + aligned(len(record), 8)
        data += stored
    header = struct.pack("<8sII16s", b"\x89ATNW\r\n\x1a", 1, 1, bytes(range(16)))
    header += struct.pack("<4QI", PAGE + len(data), PAGE, len(data), len(table), len(entries))
    crc = zlib.crc32(header + bytes(4) + table)
    file = header + struct.pack("<I", crc) + table
    return file + aligned(len(file), PAGE) + data


def main():
    panels = (b"linear.weight", b"panels<16>", 0, [3, 2], bytes(range(128)))
    ids = (b"position_ids", b"row-major", 1, [1, 2], bytes(16))
    scalar = (b"scale", b"row-major", 0, [], b"\0\0\x80\x3f")
    nothing = (b"empty", b"row-major", 0, [0, 4], b"")
    good = weights_file([panels, ids, scalar, nothing])
    SEEDS.mkdir(parents=True, exist_ok=True)
    (SEEDS / "four-entries").write_bytes(good)
    (SEEDS / "no-entries").write_bytes(weights_file([]))
    (SEEDS / "cut").write_bytes(good[:80])


main()
