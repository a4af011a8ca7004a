#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what attnc inspect counts with what torch counts.

usage: counts.py GOLDEN

GOLDEN is the folder of golden models, whose counts.json make_counts.py wrote.
"""

import json
import pathlib
import subprocess
import sys

ZOO = pathlib.Path(__file__).parents[3] / "frontend" / "zoo"


def inspect(folder, sizes):
    """The report on a model without its weights, which nothing is compiled for."""
    config = json.loads((folder / "config.json").read_text())
    command = ["attnc", "inspect", ZOO / (config["model_type"] + ".attn"), "--config", folder / "config.json",
               "--entry", config["architectures"][0], "--json"]
    for name, size in sizes.items():
        command += ["--size", f"{name}={size}"]
    return json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout)


def problem_of(folder, expected):
    """What differs, or None."""
    sizes = {}
    for tensor in inspect(folder, {})["inputs"]:
        for dim, size in zip(tensor["shape"], expected["inputs"].get(tensor["name"], [])):
            if isinstance(dim, str):
                sizes[dim] = size
    found = inspect(folder, sizes)
    wrong = [f"{key} {found[key]}, expected {expected[key]}" for key in ("parameters", "flops")
             if found[key] != expected[key]]
    if found["training"]["state_bytes"] != 20 * expected["parameters"]:
        wrong.append(f"training state {found['training']['state_bytes']}")
    return f"{folder.name}: {'; '.join(wrong)}" if wrong else None


def main(golden):
    counts = json.loads((golden / "counts.json").read_text())
    problems = [problem for name, expected in counts.items() if (problem := problem_of(golden / name, expected))]
    for problem in problems:
        print(problem)
    print(f"{len(counts) - len(problems)} of {len(counts)} models agree")
    return bool(problems) or not counts


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
