# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Interrupts a compilation at many moments: its files are all there, or none of them.

interrupt.py MODEL FOLDER
"""

import os
import shutil
import signal
import subprocess
import sys
import time

MOMENTS = 8


def compile_for(seconds, model, folder):
    """The files there are when the process has gone, and whether it was interrupted."""
    shutil.rmtree(folder, ignore_errors=True)
    # Shells start jobs in the background with this signal ignored.
    process = subprocess.Popen(
        ["attnc", "compile", model, "-o", folder, "--name", "m"],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else [], process.returncode


def main(model, folder):
    start = time.monotonic()
    whole, code = compile_for(None, model, folder)
    duration = time.monotonic() - start
    assert code == 0 and whole == ["m.a", "m.h", "m.weights"], (code, whole)
    interrupted = 0
    for moment in range(1, MOMENTS + 1):
        files, code = compile_for(duration * moment / MOMENTS, model, folder)
        assert files in ([], whole), files
        assert code in (0, -signal.SIGINT), code
        interrupted += code != 0
    print(interrupted, "of", MOMENTS, "were interrupted")
    return not interrupted


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
