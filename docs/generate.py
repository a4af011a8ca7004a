#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the pages of docs/ that are generated from TableGen definitions.

usage: generate.py MLIR_TBLGEN SOURCE_ROOT [--check]

--check writes nothing and fails, with the difference, where a page is not current.
"""

import difflib
import pathlib
import re
import subprocess
import sys

# Page, definitions, title, what mlir-tblgen is asked for.
PAGES = [
    ("dialect.md", "dialect/AttnOps.td", "The attn dialect",
     ["-gen-dialect-doc", "-dialect=attn"]),
    ("passes.md", "passes/Passes.td", "The passes", ["-gen-pass-doc"]),
]


def generate(tblgen, root, definitions, title, options):
    source = root / definitions
    raw = subprocess.run(
        [tblgen, *options, source, "-I", source.parent,
         "-I", pathlib.Path(tblgen).parents[1] / "include"],
        check=True, capture_output=True, text=True).stdout
    # The generator capitalises summaries, which are formulas.
    summaries = [text for file in source.parent.glob("*.td")
                 for text in re.findall(r'let summary = "(.*)";', file.read_text())]
    spelt = {f"_{text[0].upper()}{text[1:]}_": f"_{text}_" for text in summaries}
    # Left out are its own heading and its place for a table of contents.
    body = [spelt.get(line, line) for line in raw.splitlines()
            if line != "[TOC]" and not line.startswith(("# ", "<!--"))]
    text = "\n".join(body).strip()
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return f"# {title}\n\n<!-- Generated from {definitions} by ./dev docs. -->\n\n{text}\n"


def main(tblgen, root, *options):
    root = pathlib.Path(root)
    stale = 0
    for page, *definition in PAGES:
        path = root / "docs" / page
        text = generate(tblgen, root, *definition)
        if not options:
            path.write_text(text)
            continue
        old = path.read_text() if path.exists() else ""
        difference = list(difflib.unified_diff(
            old.splitlines(), text.splitlines(), f"docs/{page}", "generated", lineterm=""))
        if difference:
            stale += 1
            print(*difference, f"docs/{page} is not current: run ./dev docs", sep="\n")
    return stale


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[3:] not in ([], ["--check"]):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
