"""Checks that every example in the .td files of a folder stands in a test file
that is parsed, line by line but for indentation.

usage: examples.py DIALECT TEST.mlir
"""

import pathlib
import re
import sys


def squeeze(text):
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def main(definitions, tests):
    source = "\n".join(file.read_text(encoding="utf-8") for file in sorted(pathlib.Path(definitions).glob("*.td")))
    with open(tests, encoding="utf-8") as file:
        tested = squeeze(file.read())
    examples = re.findall(r"```mlir\n(.*?)```", source, re.DOTALL)
    missing = [example for example in examples if squeeze(example) not in tested]
    for example in missing:
        print(f"{tests} lacks this example of {definitions}:\n{example}")
    print(f"{len(examples) - len(missing)} of {len(examples)} examples are tested")
    return 1 if missing or not examples else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
