#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds random attention kernels to the f64 reference, and damaged ones to an error.

    soak.py COUNT [--seed N] [--jobs N] [--targets NAME,...] [--folder FOLDER]

Kernel number n of a seed is always the same. Each is compiled for one of the targets and compared with the reference on
random inputs. Each is also damaged: then it is refused with an error that names a line, or compiles and runs. What fails
is printed with the command that repeats it, and its text is kept in FOLDER.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import score_programs

USAGE, BAD_INPUT, DRIFT = 2, 1, 3
SECONDS = 300


def run(*words):
    try:
        return subprocess.run(["attnc", *words], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, -1, "", f"takes more than {SECONDS} seconds\n")


def verify(file, kernel, target, seed):
    words = ["verify", str(file), "--target", target, "--threads", str(1 + seed % 3), "--seed", str(seed)]
    for name, size in kernel.sizes().items():
        words += ["--size", f"{name}={size}"]
    return words


def check_whole(file, kernel, target, seed):
    """What is wrong with a kernel; empty if nothing is."""
    words = verify(file, kernel, target, seed)
    done = run(*words)
    return "" if done.returncode == 0 else f"attnc {' '.join(words)}\n{done.stdout}{done.stderr}"


def check_damaged(file, kernel, target, seed):
    words = ["compile", str(file), "--dump-after=frontend"]
    done = run(*words)
    if done.returncode == BAD_INPUT:
        if re.search(re.escape(file.name) + r":\d+:\d+: error: ", done.stderr):
            return ""
        return f"attnc {' '.join(words)}\nis refused without a place in the file\n{done.stderr}"
    if done.returncode == 0:
        # Its values may be anything, so that f32 need not agree with f64.
        words = verify(file, kernel, target, seed)
        done = run(*words)
        if done.returncode in (0, DRIFT):
            return ""
    return f"attnc {' '.join(words)}\nexit code {done.returncode}\n{done.stderr}"


def check(number, options, folder):
    generator = random.Random(f"{options.seed} {number}")
    kernel = score_programs.Kernel(generator)
    target = generator.choice(options.targets.split(","))
    found = []
    for kind, text, check_one in (("whole", kernel.text(), check_whole),
                                  ("damaged", score_programs.damaged(generator, kernel.text()), check_damaged)):
        file = folder / f"{kind}-{options.seed}-{number}.attn"
        file.write_text(text)
        problem = check_one(file, kernel, target, number)
        if problem:
            found.append(problem + file.read_text())
        else:
            file.unlink()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("ATTNC_JOBS", "2")))
    parser.add_argument("--targets", default="native")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/soak"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    failures = 0
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            numbers = range(options.first, options.first + options.count)
            for found in pool.map(lambda number: check(number, options, options.folder), numbers):
                failures += bool(found)
                for problem in found:
                    print(problem, flush=True)
    print(f"{options.count - failures} of {options.count} kernels agree with the reference, or are refused with an error")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
