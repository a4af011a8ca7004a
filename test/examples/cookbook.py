#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Verifies every kernel of a cookbook against the f64 reference, on random inputs.

    cookbook.py FOLDER [OPTION...]

FOLDER has a README.md that links each of its .attn files; OPTIONs are passed to attnc verify.
"""

import pathlib
import re
import subprocess
import sys


def problems_of(file, options):
    kernels = re.findall(r"^kernel (\w+)", file.read_text(), re.MULTILINE)
    if not kernels:
        yield f"{file.name}: has no kernel"
    for kernel in kernels:
        done = subprocess.run(["attnc", "verify", str(file), "--kernel", kernel, *options],
                              capture_output=True, text=True)
        if done.returncode:
            yield f"{file.name}: {kernel}: {done.stdout}{done.stderr}"
        else:
            print(f"{kernel}: agrees")


def main(folder, *options):
    files = sorted(pathlib.Path(folder).glob("*.attn"))
    linked = set(re.findall(r"\(([\w-]+\.attn)\)", (pathlib.Path(folder) / "README.md").read_text()))
    problems = [f"README.md does not link {file.name}" for file in files if file.name not in linked]
    for file in files:
        problems += problems_of(file, options)
    print("\n".join(problems), file=sys.stderr)
    return bool(problems) or not files


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
