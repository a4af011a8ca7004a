# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that every relative link in the repository's pages leads somewhere.

usage: links.py SOURCE_ROOT
"""

import pathlib
import re
import sys


def anchors(page):
    """GitHub's names of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def broken(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists():
            yield f"{page}: '{link}' does not exist"
        elif anchor and anchor not in anchors(target):
            yield f"{page}: '{link}' has no such heading"


def main(root):
    root = pathlib.Path(root)
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md")),
             *sorted((root / "examples").rglob("*.md"))]
    problems = [problem for page in pages for problem in broken(page)]
    print(*problems, sep="\n")
    return bool(problems) or len(pages) < 3


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
