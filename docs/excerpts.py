#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Brings the IR that a page shows up to date with what the compiler prints.

usage: excerpts.py ATTNC SOURCE_ROOT [--check]

A block of IR follows a comment `<!-- IR: attnc compile ARGUMENTS -->`, whose arguments are
relative to the source root. Of its lines,

    ...             stands for any lines of the output
    // comment      at the end of a line, or as a whole one, is the page's own
    ... in a line   stands for any text

and every other line has to be one of the output, in this order, next to its neighbours. Names of
values, maps and parameters are written anew; what else has changed is an edit for a person, and an
error that shows the line. --check writes nothing and lets names differ, which change with every
schedule and tell a reader nothing.
"""

import pathlib
import re
import subprocess
import sys

PAGES = ["architecture.md"]
BLOCK = re.compile(r"^<!-- IR: attnc ([^\n]*) -->\n+```mlir\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What renumbering changes: %18:3, %cst_2, #map5, @p4_1.
NAME = r"(?:%|#map|@p(?=\d))[\w]*"
COMMENT = re.compile(r"\s*(?<!:)// .*$")


def bare(line):
    """A line of the page without its comment; None for one that matches anything."""
    text = COMMENT.sub("", line).strip()
    return None if text in ("", "...") else text


def pattern(text):
    """Text that a line has to hold, and what matches all of it; a group for each name."""
    parts, needle = [], ""
    for piece in re.split(rf"({NAME}|\.\.\.)", text):
        if piece == "...":
            parts.append(".*")
        elif re.fullmatch(NAME, piece):
            parts.append(f"({NAME})")
        else:
            parts.append(re.escape(piece))
            needle = max(needle, piece, key=len)
    return needle, re.compile(r"\s*" + "".join(parts) + r"\s*$")


def renamed(line, match):
    """The line with the names of what it matched."""
    code = COMMENT.sub("", line)
    names = iter(match.groups())
    return re.sub(NAME, lambda _: next(names), code) + line[len(code):]


def chunks(lines):
    """Runs of line numbers that the output has side by side."""
    run = []
    for number, line in enumerate(lines):
        if bare(line) is not None:
            run.append(number)
        elif run:
            yield run
            run = []
    if run:
        yield run


def find(patterns, output, begin):
    """Where the output matches all patterns in a row, and the matches."""
    for start in range(begin, len(output) - len(patterns) + 1):
        matches = []
        for i, (needle, expected) in enumerate(patterns):
            line = output[start + i]
            # Looking for text is fast, and mostly fails.
            if needle not in line or not (match := expected.match(line)):
                break
            matches.append(match)
        else:
            return start, matches
    return None


def update(block, output):
    """The block with the names of the output; raises ValueError with a line that is gone."""
    lines, at = block.splitlines(), 0
    for run in chunks(lines):
        patterns = [pattern(bare(lines[number])) for number in run]
        found = find(patterns, output, at)
        if not found:
            raise ValueError("\n".join(lines[number] for number in run))
        start, matches = found
        at = start + len(run)
        for number, match in zip(run, matches):
            lines[number] = renamed(lines[number], match)
    return "\n".join(lines) + "\n"


def current(text, attnc, root, page):
    """The page's text with every block up to date."""

    def replace(match):
        arguments, block = match.groups()
        output = subprocess.run(
            [attnc, *arguments.split()], cwd=root, check=True, capture_output=True, text=True
        ).stdout.splitlines()
        try:
            new = update(block, output)
        except ValueError as gone:
            sys.exit(f"docs/{page}: attnc {arguments} does not print, in this order:\n{gone}")
        return match.group(0).replace(block, new)

    return BLOCK.sub(replace, text)


def main(attnc, root, *options):
    root = pathlib.Path(root)
    for page in PAGES:
        path = root / "docs" / page
        old = path.read_text(encoding="utf-8")
        if not BLOCK.search(old):
            sys.exit(f"docs/{page}: has no IR")
        new = current(old, attnc, root, page)
        if not options and new != old:
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[3:] not in ([], ["--check"]):
        sys.exit(__doc__)
    main(*sys.argv[1:])
