#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs golden cases of operators as models, whose parameters are weights.

    operator-models.py CASES DESCRIPTIONS SCRATCH

CASES is a folder of golden cases (see test/golden/README.md). Those of torch.nn.MultiheadAttention become model
directories with the constructor's arguments as config.json, those of kernel regression weights of the description in
DESCRIPTIONS. attnc runs each, and what it gives is compared within the case's own tolerance.
"""

import json
import pathlib
import struct
import subprocess
import sys

# Masks of numbers for padding, or for each head, are a line of one's own in the score.
NOT_SUPPORTED = {"mha-both-masks", "mha-attn-mask-3d"}


def read_tensors(path):
    """Each tensor's entry of the header, and its bytes."""
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    for name, entry in json.loads(raw[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield name, entry, raw[8 + size + begin:8 + size + end]


def write_tensors(path, tensors):
    header, data = {}, b""
    for name, entry, content in tensors:
        header[name] = {**entry, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def model_of(case, tensors):
    """The class, and how what it returns is called in the golden case."""
    if case["params"].get("add_bias_kv") or case["params"].get("add_zero_attn"):
        return "MultiheadAttention", {"out": "attn_output"}
    names = {"out": "attn_output", "weights": "attn_output_weights"}
    if "weights" not in case["outputs"]:
        return ("MultiheadAttention" if "key" in tensors else "MultiheadSelfAttention"), {"out": "attn_output"}
    averaged = case["params"]["average_attn_weights"]
    return ("MultiheadAttentionWithMeanWeights" if averaged else "MultiheadAttentionWithWeights"), names


def make_attention(case, tensors, model):
    """A model directory; what goes in, and how what comes out is called in the golden case."""
    inputs = {name: value for name, value in tensors.items() if not name.startswith("weight.")}
    architecture, outputs = model_of(case, inputs)
    if architecture != "MultiheadSelfAttention":
        inputs = {"key": inputs["query"], "value": inputs["query"], **inputs}
    if "attn_mask" in inputs and inputs["attn_mask"][0]["dtype"] == "F32":
        inputs["attn_bias"] = inputs.pop("attn_mask")
    write_tensors(model / "model.safetensors", [
        (name.removeprefix("weight."), *value) for name, value in tensors.items() if name.startswith("weight.")])
    config = {**case["params"], "bias": "weight.out_proj.bias" in tensors}
    (model / "config.json").write_text(json.dumps(
        {**config, "model_type": "torch.nn", "architectures": [architecture]}))
    return [model], inputs, outputs


def make_regression(tensors, model, description):
    entry, data = tensors.pop("w")
    write_tensors(model / "model.safetensors", [("w", {**entry, "shape": [1]}, data)])
    entry = "KernelRegression" if len(tensors["keys"][0]["shape"]) == 1 else "NWKernelRegression"
    arguments = [description, "--entry", entry, "--weights", model / "model.safetensors"]
    return arguments, tensors, {"out": "out", "weights": "weights"}


def run(folder, descriptions, model):
    """What went wrong with one case, or None."""
    case = json.loads((folder / "case.json").read_text())
    tensors = {name: (entry, data) for name, entry, data in read_tensors(folder / "inputs.safetensors")}
    model.mkdir(parents=True, exist_ok=True)
    arguments, inputs, outputs = (make_attention(case, tensors, model) if folder.name.startswith("mha-") else
                                  make_regression(tensors, model, descriptions / "nadaraya-watson.attn"))
    write_tensors(model / "inputs.safetensors", [(name, *value) for name, value in inputs.items()])
    write_tensors(model / "expected.safetensors", [
        (outputs[name], entry, data) for name, entry, data in read_tensors(folder / "outputs.safetensors")
        if name in outputs])
    given = ["attnc", "run", *arguments, "--inputs", model / "inputs.safetensors",
             "--outputs", model / "outputs.safetensors"]
    compare = ["attn-compare", model / "outputs.safetensors", model / "expected.safetensors",
               "--case", folder / "case.json"]
    for step in (given, compare):
        done = subprocess.run([str(word) for word in step], capture_output=True, text=True)
        if done.returncode:
            return f"{folder.name}: {done.stdout}{done.stderr}"
    return None


def main(cases, descriptions, scratch):
    folders = [path for pattern in ("mha-*", "d2l-nadaraya-watson-*") for path in sorted(pathlib.Path(cases).glob(pattern))
               if path.name not in NOT_SUPPORTED]
    problems = [problem for folder in folders
                if (problem := run(folder, pathlib.Path(descriptions), pathlib.Path(scratch) / folder.name))]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(folders) - len(problems)} of {len(folders)} models agree")
    return bool(problems) or not folders


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
