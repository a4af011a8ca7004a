# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command that has to exit with a code, and prints its standard error.

exits.py [--terminal] CODE COMMAND...; --terminal: standard error is one.
"""

import os
import pty
import subprocess
import sys


def run_on_terminal(command):
    """The exit code and what the command wrote to its terminal."""
    ours, theirs = pty.openpty()
    environment = dict(os.environ, TERM="xterm")
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    )
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 4096):
            text += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    return process.wait(), text


def run(command):
    result = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    return result.returncode, result.stderr


def main():
    words = sys.argv[1:]
    terminal = words[0] == "--terminal"
    words = words[terminal:]
    expected, command = int(words[0]), words[1:]
    code, text = (run_on_terminal if terminal else run)(command)
    sys.stdout.buffer.write(text)
    sys.stdout.flush()
    if code != expected:
        sys.exit(f"expected exit code {expected}, but got {code}")


if __name__ == "__main__":
    main()
