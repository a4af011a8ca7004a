# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Expects an exit code, which `not` does not tell apart: exit-code.py CODE COMMAND..."""

import subprocess
import sys

actual = subprocess.run(sys.argv[2:], check=False).returncode
if actual != int(sys.argv[1]):
    sys.exit(f"expected exit code {sys.argv[1]}, but got {actual}: {sys.argv[2:]}")
