#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prompts and texts of the trained models, whose vocabularies are characters.

texts.py inputs CASE FILE      writes input_ids and attention_mask of all prompts
texts.py check CASE < JSON     counts the generated texts that the model's author
                               had, and those that are right

Needs the standard library only."""

import array
import json
import pathlib
import struct
import sys


class Case:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.vocabulary = json.loads((self.path / "vocab.json").read_text())
        lines = (self.path / "test.jsonl").read_text().splitlines()
        self.tests = [json.loads(line) for line in lines]
        self.config = json.loads((self.path / "config.json").read_text())
        self.translates = self.config.get("is_encoder_decoder", False)

    def prompt(self, test):
        """What the model reads: a prompt, or a source and its end."""
        text = test["source"] if self.translates else test["prompt"]
        ids = [self.vocabulary[c] for c in text]
        return ids + [self.config["eos_token_id"]] if self.translates else ids

    def text(self, ids, test):
        """What the model wrote, without what it began and ended with."""
        begin = 1 if self.translates else len(self.prompt(test))
        letters = {i: c for c, i in self.vocabulary.items()}
        words = ids[begin:]
        if self.config["eos_token_id"] in words:
            words = words[: words.index(self.config["eos_token_id"])]
        return "".join(letters[i] for i in words)


def write_inputs(case, path):
    prompts = [case.prompt(test) for test in case.tests]
    longest = max(map(len, prompts))
    ids = [p + [0] * (longest - len(p)) for p in prompts]
    mask = [[1] * len(p) + [0] * (longest - len(p)) for p in prompts]
    size = 8 * longest * len(prompts)
    header, data = {}, b""
    for name, rows in ("input_ids", ids), ("attention_mask", mask):
        header[name] = {
            "dtype": "I64",
            "shape": [len(prompts), longest],
            "data_offsets": [len(data), len(data) + size],
        }
        data += array.array("q", sum(rows, [])).tobytes()
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def check(case, rows):
    if len(rows) != len(case.tests):
        sys.exit(f"texts.py: expects {len(case.tests)} rows, but got {len(rows)}")
    texts = [case.text(ids, test) for ids, test in zip(rows, case.tests)]
    same = sum(text == test["greedy"] for text, test in zip(texts, case.tests))
    right = sum(text == test["target"] for text, test in zip(texts, case.tests))
    print(f"{same} of {len(texts)} as the author had them, {right} right")


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "inputs":
        write_inputs(Case(arguments[1]), arguments[2])
    elif len(arguments) == 2 and arguments[0] == "check":
        check(Case(arguments[1]), json.load(sys.stdin)["generated_ids"])
    else:
        sys.exit(__doc__.strip())


if __name__ == "__main__":
    main(sys.argv[1:])
