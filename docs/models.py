#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the table of model types in docs/model-files.md from the zoo and its tests.

usage: models.py SOURCE_ROOT [--check]

A row is a description: its classes, and the paper that the first line of the file names. Classes
that a golden case checks stand first. --check writes nothing and fails where the table is not current.
"""

import importlib.util
import pathlib
import re
import sys

BEGIN, END = "<!-- Generated from frontend/zoo by ./dev docs. -->\n\n", "\n<!-- End of the table. -->"
PAPER = re.compile(r"// .*?\(([^()]* \d{4})\)")


def tested_classes(root):
    """The classes with golden data, as the test of the reference lists them."""
    spec = importlib.util.spec_from_file_location("models", root / "test/codegen/reference/models.py")
    cases = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(cases)
    golden = root / "test/e2e/golden"
    return {model for _, _, model, _ in cases.all_cases(golden)}


def names(classes):
    return ", ".join(f"`{name}`" for name in classes)


def row(path, tested):
    text = path.read_text()
    paper = PAPER.match(text)
    if not paper:
        sys.exit(f"{path}: expects a first line '// Name (Authors Year)'")
    classes = re.findall(r"^model (\w+)\(", text, re.MULTILINE)
    checked = [name for name in classes if name in tested]
    others = [name for name in classes if name not in tested]
    return f"| `{path.stem}` | {names(checked)} | {names(others)} | {paper[1]} |"


def table(root):
    tested = tested_classes(root)
    descriptions = sorted(path for path in (root / "frontend/zoo").glob("*.attn")
                          if re.search(r"^model ", path.read_text(), re.MULTILINE))
    return "\n".join(["| `model_type` | classes with golden data | other classes | of the paper |", "|---|---|---|---|",
                      *(row(path, tested) for path in descriptions)]) + "\n"


def main(root, *options):
    root = pathlib.Path(root)
    page = root / "docs/model-files.md"
    old = page.read_text()
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{page}: has no place for the table")
    new = before + begin + table(root) + end + after
    if new == old:
        return 0
    if not options:
        page.write_text(new)
        return 0
    print("docs/model-files.md is not current: run ./dev docs")
    return 1


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--check"]):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
