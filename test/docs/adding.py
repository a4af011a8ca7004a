#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that the description in docs/adding.md is the zoo's.

usage: adding.py SOURCE_ROOT
"""

import pathlib
import re
import sys


def main(root):
    page = (root / "docs/adding.md").read_text()
    zoo = (root / "frontend/zoo/granite.attn").read_text()
    excerpts = re.findall(r"^```attn\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    missing = [excerpt for excerpt in excerpts if excerpt not in zoo]
    for excerpt in missing:
        print(f"granite.attn does not have, as docs/adding.md says:\n{excerpt}")
    print(f"{len(excerpts) - len(missing)} of {len(excerpts)} excerpts agree")
    return bool(missing) or not excerpts


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
