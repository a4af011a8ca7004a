#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds the descriptions of the zoo to the configs of published models.

usage: published.py MODELS

MODELS is published/models.json: each config makes a model of as many parameters as the library's.
"""

import json
import pathlib
import subprocess
import sys
import tempfile


def problem_of(model, folder):
    """What differs, or None."""
    (folder / "config.json").write_text(json.dumps(model["config"]))
    done = subprocess.run(["attnc", "inspect", folder, "--json"], capture_output=True, text=True)
    if done.returncode:
        return done.stderr
    found = json.loads(done.stdout)["parameters"]
    return f"{found} parameters, expected {model['parameters']}" if found != model["parameters"] else None


def main(path):
    models = json.loads(path.read_text())
    agreeing = 0
    for name, model in models.items():
        with tempfile.TemporaryDirectory() as folder:
            problem = problem_of(model, pathlib.Path(folder))
        agreeing += problem is None
        if problem:
            print(f"{name}: {problem}")
    print(f"{agreeing} of {len(models)} models have the parameters that they were published with")
    return agreeing != len(models)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
