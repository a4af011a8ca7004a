#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Golden text models as the examples read and write them.

tokens.py lines FILE         prints each sentence of inputs FILE as a line of ids,
                             without padding, '|' before a second segment
tokens.py compare FILE NAME  compares lines of numbers on stdin with the rows of
                             output NAME in FILE
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import digits

# The golden models' own, and half of the last printed digit.
RTOL, ATOL = 1e-4, 3e-5 + 5e-7


def rows_of(tensor):
    (count, *shape), values = tensor
    width = len(values) // count
    return [values[i * width : (i + 1) * width] for i in range(count)]


def print_lines(path):
    tensors = digits.read(path)
    ids, masks = rows_of(tensors["input_ids"]), rows_of(tensors["attention_mask"])
    no_types = [[0] * len(row) for row in ids]
    types = rows_of(tensors["token_type_ids"]) if "token_type_ids" in tensors else no_types
    for row, mask, segments in zip(ids, masks, types):
        words, previous = [], 0
        for token, segment in list(zip(row, segments))[: sum(mask)]:
            if segment != previous:
                words.append("|")
            words.append(str(token))
            previous = segment
        print(" ".join(words))


def compare(path, name):
    expected = rows_of(digits.read(path)[name])
    got = [[float(word) for word in line.split()] for line in sys.stdin]
    if [len(row) for row in got] != [len(row) for row in expected]:
        sys.exit("tokens.py: the number of rows or columns differs")
    for i, (row, wanted) in enumerate(zip(got, expected)):
        for j, (a, b) in enumerate(zip(row, wanted)):
            if not abs(a - b) <= ATOL + RTOL * abs(b):
                sys.exit(f"tokens.py: expects {b} at row {i}, column {j}, but got {a}")
    print(f"{len(got)} rows agree")


def main(arguments):
    verbs = {("lines", 2): print_lines, ("compare", 3): compare}
    verb = verbs.get((arguments[0], len(arguments)) if arguments else None)
    if not verb:
        sys.exit(__doc__.strip())
    verb(*arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
