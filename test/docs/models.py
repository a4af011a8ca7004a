# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares docs/model-files.md's table of classes with the descriptions.

    models.py SOURCE_ROOT
"""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
described = {
    (file.stem, name)
    for file in (root / "frontend/zoo").glob("*.attn")
    for name in re.findall(r"^model (\w+)", file.read_text(), re.MULTILINE)}
section = (root / "docs/model-files.md").read_text().split("## Model types")[1].split("\n## ")[0]
listed = set()
for types, classes in re.findall(r"^\| (`.*?) \| (`.*?) \|", section, re.MULTILINE):
    stem = re.search(r"`([\w-]+)`", types)[1]
    listed |= {(stem, name) for name in re.findall(r"`(\w+)`", classes)}
for stem, name in sorted(described - listed):
    print(f"{stem}.attn describes {name}, which docs/model-files.md does not list")
for stem, name in sorted(listed - described):
    print(f"docs/model-files.md lists {name}, which {stem}.attn does not describe")
sys.exit(described != listed)
