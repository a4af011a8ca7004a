"""Prints the sum of lit's results: what failed, what was skipped and why, then
`N passed, N failed`. Fails when a test failed or none ran.

usage: summary.py RESULTS.json...   (written by lit --output)
"""

import json
import sys

PASSED = {"PASS", "XFAIL", "FLAKYPASS"}
SKIPPED = {"UNSUPPORTED", "SKIPPED", "EXCLUDED"}


def reason(test):
    lines = [line.strip() for line in test["output"].splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def main(paths):
    tests = []
    for path in paths:
        with open(path, encoding="utf-8") as results:
            tests += json.load(results)["tests"]
    skipped = [test for test in tests if test["code"] in SKIPPED]
    passed = [test for test in tests if test["code"] in PASSED]
    failed = [test for test in tests if test["code"] not in PASSED | SKIPPED]
    for test in skipped:
        print(f"skipped: {test['name']}: {reason(test)}")
    for test in failed:
        print(f"failed: {test['name']} ({test['code'].lower()})")
    print(f"{len(passed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
