#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds what attnc run --generate writes to what generate() of transformers wrote.

generated.py make                     writes generated.json beside this file; needs torch and transformers
generated.py check FOLDER [FILTER]    runs every case, or those whose name begins with FILTER; models with
                                      other settings go to FOLDER. Needs the standard library only."""

import json
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
DATA = HERE / "generated.json"

GPT2 = [[5, 17, 9], [3], [101, 7, 7, 42, 199, 12, 60]]
SOURCES = [[5, 17, 9, 0], [44, 2, 0], [8, 8, 91, 30, 12, 77, 3, 0]]


def numbers(count):
    return texts("gpt2-numbers", "prompt", count, [])


def dates(count):
    return texts("marian-dates", "source", count, [0])


def texts(model, key, count, end):
    folder = GOLDEN / model
    vocabulary = json.loads((folder / "vocab.json").read_text())
    lines = (folder / "test.jsonl").read_text().splitlines()
    every = [json.loads(line)[key] for line in lines[:: len(lines) // count][:count]]
    return [[vocabulary[c] for c in text] + end for text in every]


def beams(count, penalty=1.0, early=False):
    return {"num_beams": count, "length_penalty": penalty, "early_stopping": early}


def cases():
    """Name, model, prompts, new tokens, settings of the call, settings of generation_config.json."""
    few = {"eos_token_id": [180, 75, 33]}
    yield "beams-gpt2", "gpt2", GPT2, 20, beams(4), {}
    yield "beams-gpt2-wide", "gpt2", GPT2, 12, beams(9), few
    yield "beams-gpt2-ends", "gpt2", GPT2, 20, beams(3, 2.0), few
    yield "beams-gpt2-early", "gpt2", GPT2, 20, beams(3, 0.0, True), few
    yield "beams-gpt2-never", "gpt2", GPT2, 20, beams(4, 1.5, "never"), few
    yield "beams-gpt2-short", "gpt2", GPT2, 20, beams(4, -1.0), few
    yield "beams-gpt2-one", "gpt2", GPT2, 1, beams(4), few
    yield "beams-numbers", "gpt2-numbers", numbers(12), 60, beams(3), {}
    yield "beams-dates", "marian-dates", dates(12), 40, beams(4, 0.6, True), {}
    yield "beams-marian", "marian", SOURCES, 16, beams(5), {"eos_token_id": [40, 7]}
    yield "beams-t5", "t5", [[5, 17, 9, 1], [44, 2, 1]], 16, beams(3, 1.0, "never"), {"eos_token_id": [9, 1, 50]}
    yield "beams-llama", "llama", GPT2[:2] + [[101, 7, 7, 42, 99]], 20, beams(4), {"eos_token_id": [12, 90]}
    yield "beams-mistral", "mistral", GPT2[:2] + [[101, 7, 7, 42, 99]], 40, beams(4), {"eos_token_id": [12, 90]}
    yield "beams-penalties", "gpt2", GPT2, 16, beams(4) | {"repetition_penalty": 1.7}, few
    yield "beams-rules", "gpt2", GPT2, 16, beams(4), few | {"no_repeat_ngram_size": 2, "min_new_tokens": 6}
    yield "rules-ngrams", "gpt2", GPT2, 30, {}, {"no_repeat_ngram_size": 2}
    yield "rules-long-ngrams", "gpt2", GPT2, 40, {}, {"no_repeat_ngram_size": 4}
    yield "rules-single", "gpt2", GPT2, 20, {}, {"no_repeat_ngram_size": 1}
    yield "rules-minimum", "gpt2", GPT2, 20, {}, few | {"min_length": 12}
    yield "rules-new-minimum", "gpt2", GPT2, 20, {}, few | {"min_new_tokens": 9}
    yield "rules-penalty", "gpt2", GPT2, 20, {}, {"repetition_penalty": 1.6}
    yield "rules-words", "marian", SOURCES, 16, {}, {"bad_words_ids": [[119], [40], [7]]}
    yield "rules-suppressed", "t5", [[5, 17, 9, 1]], 16, {}, {"suppress_tokens": [9, 50], "begin_suppress_tokens": [3, 4]}
    yield "rules-end", "marian", SOURCES, 8, {}, {"forced_eos_token_id": 0}
    yield "rules-begin", "mbart", [[5, 17, 9, 2], [44, 2]], 9, {}, {"decoder_start_token_id": 2, "forced_bos_token_id": 11}
    yield "rules-begin-beams", "mbart", [[5, 17, 9, 2]], 9, beams(3), {"decoder_start_token_id": 2, "forced_bos_token_id": 11, "eos_token_id": [2, 44]}
    begin = {"begin_suppress_tokens": [40, 2], "suppress_tokens": [1, 7, 60], "eos_token_id": 2}
    yield "whisper", "whisper", None, 16, {}, {}
    yield "whisper-suppressed", "whisper", None, 16, {}, begin
    yield "whisper-beams", "whisper", None, 16, beams(3), begin


def generate(model, inputs, count, call, settings):
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig
    from transformers import GenerationMixin, WhisperForConditionalGeneration

    folder = GOLDEN / model
    config = json.loads((folder / "config.json").read_text())
    kind = AutoModelForSeq2SeqLM if config.get("is_encoder_decoder") else AutoModelForCausalLM
    if model == "whisper":
        kind = WhisperForConditionalGeneration
    net = kind.from_pretrained(folder, torch_dtype=torch.float64).eval()
    own = json.loads((folder / "generation_config.json").read_text())
    net.generation_config = GenerationConfig(**(own | settings))
    rows = []
    for row in inputs:
        given = {"input_features": row} if model == "whisper" else {"input_ids": torch.tensor([row])}
        with torch.no_grad():
            # Whisper's own generate() is for long recordings; the search is everyone's.
            ids = GenerationMixin.generate(net, **given, max_new_tokens=count, do_sample=False, **call)
        rows.append(ids[0].tolist())
    return rows


def recordings():
    from safetensors.torch import load_file

    features = load_file(GOLDEN / "whisper" / "inputs.safetensors")["input_features"].double()
    return [features[i : i + 1] for i in range(len(features))]


def make():
    made = []
    for name, model, prompts, count, call, settings in cases():
        inputs = recordings() if prompts is None else prompts
        ids = generate(model, inputs, count, call, settings)
        made.append(dict(name=name, model=model, prompts=prompts, count=count, call=call, settings=settings, ids=ids))
        print(name, [len(row) for row in ids], flush=True)
    lines = ",\n".join(json.dumps(case) for case in made)
    DATA.write_text("[\n" + lines + "\n]\n")


def command(case, folder):
    line = ["attnc", "run", str(folder), "--generate", str(case["count"]), "--json"]
    for row in case["prompts"] or []:
        line += ["--ids", ",".join(map(str, row))]
    if case["prompts"] is None:
        line += ["--inputs", str(folder / "inputs.safetensors")]
    call = case["call"]
    if "num_beams" in call:
        line += ["--beams", str(call["num_beams"]), "--length-penalty", str(call["length_penalty"])]
        line += ["--early-stopping", str(call["early_stopping"]).lower()]
    if "repetition_penalty" in call:
        line += ["--repetition-penalty", str(call["repetition_penalty"])]
    return line


def set_up_model(case, into):
    folder = pathlib.Path(into) / case["name"] / case["model"]
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.mkdir(parents=True)
    source = GOLDEN / case["model"]
    # Links: a model is compiled once for all cases.
    for name in "config.json", "model.safetensors", "inputs.safetensors":
        if (source / name).exists():
            (folder / name).symlink_to(source / name)
    settings = json.loads((source / "generation_config.json").read_text()) | case["settings"]
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return folder


def check(into, first):
    chosen = [case for case in json.loads(DATA.read_text()) if case["name"].startswith(first)]
    wrong = 0
    for case in chosen:
        run = subprocess.run(command(case, set_up_model(case, into)), capture_output=True, text=True)
        if run.returncode:
            sys.exit(f"{case['name']}: {run.stderr}")
        ids = json.loads(run.stdout)["generated_ids"]
        same = sum(map(list.__eq__, ids, case["ids"])) if len(ids) == len(case["ids"]) else 0
        if same < len(case["ids"]):
            wrong += 1
            print(f"{case['name']}: {same} of {len(case['ids'])} equal\n  got      {ids}\n  expected {case['ids']}")
    if wrong or not chosen:
        sys.exit(f"{wrong} of {len(chosen)} cases differ")
    print(f"{len(chosen)} cases as transformers has them")


def main(arguments):
    if arguments == ["make"]:
        make()
    elif len(arguments) in (2, 3) and arguments[0] == "check":
        check(arguments[1], (arguments[2:] or [""])[0])
    else:
        sys.exit(__doc__.strip())


if __name__ == "__main__":
    main(sys.argv[1:])
