#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Takes the complete programs out of a page of the documentation.

snippets.py PAGE FOLDER    writes every code block that begins with a comment naming a
                           file ("/* classify.c: ...", "# classify.py") to that file
"""

import pathlib
import re
import sys

BLOCK = re.compile(r"^```\w+\n((?:/\*|//|#) (\w+\.\w+).*?)^```$", re.MULTILINE | re.DOTALL)


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__.strip())
    page, folder = map(pathlib.Path, arguments)
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    if not blocks:
        sys.exit(f"snippets.py: {page} has no block that names a file")
    for text, name in blocks:
        (folder / name).write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
