#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shows what classify-digits makes of scikit-learn's handwritten digits.

demo.py PROGRAM WEIGHTS FOLDER    draws 20 digits with their labels, then counts how
                                  many of the 360 of the test split, written to
                                  FOLDER as PNG files, get the right one

Needs the standard library only.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "e2e"))
import digits

SHADES = " .:-=+*#%@"
SHOWN, IN_A_ROW = 20, 4


def draw(pixels, width, height):
    """Lines of text: a character for every 2 x 4 pixels, twice as high as wide."""
    lines = []
    for y in range(0, height, 4):
        line = ""
        for x in range(0, width, 2):
            cell = [pixels[(y + i) * width + x + j] for i in range(4) for j in range(2)]
            line += SHADES[sum(cell) * (len(SHADES) - 1) // (255 * len(cell))]
        lines.append(line)
    return lines


def classify(program, weights, pictures):
    """What the program says of each picture: digit and confidence."""
    command = [program, weights, *pictures]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answers = re.findall(r": (\d) \((.*)\)$", result.stdout, re.MULTILINE)
    if len(answers) != len(pictures):
        sys.exit(f"demo.py: expects {len(pictures)} answers, but got {len(answers)}")
    return [(int(digit), confidence) for digit, confidence in answers]


def show(images, answers, width, height):
    for first in range(0, len(images), IN_A_ROW):
        row = range(first, min(first + IN_A_ROW, len(images)))
        drawn = [draw(images[i][0], width, height) for i in row]
        captions = ["{}  ({})".format(*answers[i]) for i in row]
        for line in [*zip(*drawn), captions]:
            print("   ".join(text.ljust(width // 2) for text in line).rstrip())
        print()


def main(arguments):
    if len(arguments) != 3:
        sys.exit(__doc__.strip())
    program, weights, folder = map(pathlib.Path, arguments)
    program = program.resolve()
    digits.write_pictures(folder)
    pictures = sorted(folder.glob("*_label?.png"))
    images, width, height = digits.test_images()

    answers = classify(program, weights, pictures)
    show(images[:SHOWN], answers[:SHOWN], width, height)
    right = sum(answer[0] == label for answer, (_, label) in zip(answers, images))
    for picture, answer, (_, label) in zip(pictures, answers, images):
        if answer[0] != label:
            print(f"{picture.name}: {answer[0]} ({answer[1]}), but it is {label}")
    print(f"{right} of {len(images)} right: {100 * right / len(images):.1f} %")


if __name__ == "__main__":
    main(sys.argv[1:])
