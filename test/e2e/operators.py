#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs kernels of .attn files as native code on golden operator cases.

    operators.py COOKBOOK OPERATORS CASES SCRATCH [OPTION...]

COOKBOOK and OPERATORS are folders of .attn files, CASES one of golden cases (see
test/golden/README.md). OPTIONs are passed to attnc run. Every case of CASES that a
row of KERNELS names is compared within its own tolerance.
"""

import json
import pathlib
import re
import struct
import subprocess
import sys

SDPA = r"sdpa-(self|cross|dv|large-logits|causal-row0).*"

# Cases, the file of their kernel, the kernel, and parameters: a number, or input.axis, or a
# parameter of the case.
KERNELS = [
    (SDPA, "scaled-dot-product", "scaled_dot_product", "d=q.3 e=v.3"),
    (r"sdpa-causal-(n|topleft).*", "causal", "causal_start", "d=q.3"),
    (r"sdpa-causal-bottomright.*", "causal", "causal_end", "d=q.3"),
    (r"sdpa-alibi.*", "alibi", "alibi", "d=q.3 heads=q.1"),
    (r"sdpa-gqa-h8-kv2", "grouped-query", "grouped_query_causal", "d=q.3 heads=q.1 groups=k.1"),
    (r"sdpa-(gqa-h6|mqa).*", "grouped-query", "grouped_query", "d=q.3 heads=q.1 groups=k.1"),
    (r"sdpa-(bool-mask|fully-masked-rows)", "masks", "boolean_mask", "d=q.3"),
    (r"sdpa-key-padding", "masks", "key_mask", "d=q.3"),
    (r"sdpa-float-mask", "masks", "additive_mask", "d=q.3"),
    (r"sdpa-(float-mask-inf|fully-masked-rows-float)", "sdpa", "shared_bias", "d=q.3"),
    (r"sdpa-scale", "sdpa", "scaled", "d=q.3"),
    (r"sdpa-document", "documents", "documents", "d=q.3"),
    (r"sdpa-document-causal", "documents", "documents_causal", "d=q.3"),
    (r"sdpa-prefix-lm", "prefix-lm", "prefix_lm", "d=q.3 prefix=prefix"),
    (r"sdpa-sliding-causal.*", "sliding-window", "sliding_window_causal", "d=q.3 window=window"),
    (r"sdpa-sliding-symmetric.*", "sliding-window", "sliding_window", "d=q.3 window=window"),
    (r"sdpa-softcap", "soft-cap", "soft_cap", "d=q.3 cap=cap"),
    (r"sdpa-softcap-causal", "soft-cap", "soft_cap_causal", "d=q.3 cap=cap"),
    (r"sdpa-t5-bias-bidirectional", "encodings", "t5", ""),
    (r"sdpa-t5-bias-causal", "encodings", "t5_causal", ""),
    (r"rope-half", "encodings", "half", ""),
    (r"rope-interleaved", "encodings", "pairs", ""),
    (r"rope-partial", "encodings", "partial", ""),
    (r"rope-theta1e6-offset", "encodings", "far", ""),
    (r"rope-attention-gqa", "encodings", "grouped", ""),
    (r"positions-d2l", "encodings", "interleaved_60", ""),
    (r"positions-odd-dim", "encodings", "interleaved_odd", ""),
    (r"positions-vaswani", "encodings", "interleaved_197", ""),
    (r"positions-marian", "encodings", "marian", ""),
    (r"positions-tensor2tensor", "encodings", "tensor2tensor", ""),
    (r"positions-2d-sincos", "encodings", "two_dimensional", ""),
    (r"swin-.*", "swin", "swin", "height=x.1 width=x.2 channels=x.3 heads=heads window=window shift=shift"),
    (r"mha-(self|one-token)", "mha", "self_attention", "width=query.2 heads=num_heads"),
    (r"mha-self-noweights", "mha", "output_alone", "width=query.2 heads=num_heads"),
    (r"mha-cross", "mha", "cross", "width=query.2 heads=num_heads"),
    (r"mha-nobias.*", "mha", "no_bias", "width=query.2 heads=num_heads"),
    (r"mha-kdim-vdim", "mha", "widths", "width=query.2 heads=num_heads key_width=key.2 value_width=value.2"),
    (r"mha-seq-first", "mha", "sequence_first", "width=query.2 heads=num_heads"),
    (r"mha-attn-mask-bool", "mha", "bool_mask", "width=query.2 heads=num_heads"),
    (r"mha-attn-mask-float", "mha", "float_mask", "width=query.2 heads=num_heads"),
    (r"mha-attn-mask-3d", "mha", "mask_3d", "width=query.2 heads=num_heads"),
    (r"mha-key-padding", "mha", "key_padding", "width=query.2 heads=num_heads"),
    (r"mha-both-masks", "mha", "both_masks", "width=query.2 heads=num_heads"),
    (r"mha-per-head-weights", "mha", "weights_of_heads", "width=query.2 heads=num_heads"),
    (r"mha-bias-kv", "mha", "bias_kv", "width=query.2 heads=num_heads N=key.1"),
    (r"mha-zero-attn", "mha", "zero_attention", "width=query.2 heads=num_heads N=key.1"),
    (r"mmcv-mha-cross", "detr", "detr", "width=query.2 heads=num_heads"),
    (r"mmcv-mha-self", "mmcv", "self_attention", "width=query.2 heads=num_heads"),
    (r"lucidrains-attention", "lucidrains", "projected", "width=x.2 heads=heads dim_head=dim_head"),
    (r"lucidrains-no-project-out", "lucidrains", "not_projected", "width=x.2 heads=heads dim_head=dim_head"),
    (r"d2l-dot-1d", "d2l", "dot_1d", "d=queries.2 e=values.2"),
    (r"d2l-dot-2d", "d2l", "dot_2d", "d=queries.2 e=values.2"),
    (r"d2l-additive-1d", "d2l", "additive_1d", "dq=queries.2 dk=keys.2 e=values.2 hidden=W_q.0"),
    (r"d2l-additive-2d", "d2l", "additive_2d", "dq=queries.2 dk=keys.2 e=values.2 hidden=W_q.0"),
    (r"d2l-additive-nomask", "d2l", "additive", "dq=queries.2 dk=keys.2 e=values.2 hidden=W_q.0"),
    (r"d2l-nadaraya-watson-(non)?parametric", "d2l", "nadaraya_watson", ""),
    (r"d2l-nadaraya-watson-batch", "d2l", "nadaraya_watson_batch", ""),
    (r"d2l-average-pooling", "d2l", "average_pooling", ""),
    (r"kernel-gaussian-vector", "d2l", "gaussian", "d=queries.2 e=values.2"),
    (r"bilinear-similarity", "d2l", "bilinear", "dq=q.2 dk=k.2 e=values.2"),
    (r"ffn-similarity", "d2l", "ffn", "dq=q.2 dk=k.2 e=values.2 hidden=W.0"),
    (r"ffn-similarity-mlp3", "d2l", "ffn_mlp3", "dq=q.2 dk=k.2 e=values.2 units=W1.0 second=W2.0"),
]


def row_of(case):
    return next((row for row in KERNELS if re.fullmatch(row[0], case)), None)


def identifier(name):
    """Golden inputs bear the names of a state_dict; those of kernels have no dots."""
    return name.removeprefix("weight.").replace(".", "_")


def copy_inputs(source, target, names):
    """The safetensors file with tensors renamed, and those that no kernel reads left out."""
    raw = source.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    data, kept = b"", {}
    for name, entry in header.items():
        if name in names:
            begin, end = entry["data_offsets"]
            entry["data_offsets"] = [len(data), len(data) + end - begin]
            data += raw[8 + size + begin:8 + size + end]
            kept[identifier(name)] = entry
    text = json.dumps(kept).encode()
    target.write_bytes(struct.pack("<Q", len(text)) + text + data)


def value_of(text, case):
    """A parameter: input.axis, or a parameter of the case."""
    name, _, axis = text.partition(".")
    return case["inputs"][name]["shape"][int(axis)] if axis else int(case["params"][text])


def find(name, folders):
    return next(path for path in (folder / (name + ".attn") for folder in folders) if path.exists())


def run(folder, row, folders, scratch, options):
    """What went wrong with one case, or None."""
    _, file, kernel, parameters = row
    case = json.loads((folder / "case.json").read_text())
    inputs, outputs = scratch / (folder.name + ".in"), scratch / (folder.name + ".out")
    copy_inputs(folder / "inputs.safetensors", inputs, set(case["inputs"]) - {"size"})
    command = ["attnc", "run", str(find(file, folders)), "--kernel", kernel,
               "--inputs", str(inputs), "--outputs", str(outputs), *options]
    for parameter in parameters.split():
        name, text = parameter.split("=")
        command += ["--dim", f"{name}={value_of(text, case)}"]
    names = compared(file, case)
    compare = ["attn-compare", str(outputs), str(folder / "outputs.safetensors"),
               "--case", str(folder / "case.json"), "--only", ",".join(names)]
    for step in (command, compare):
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode:
            return f"{folder.name}: {' '.join(step)}\n{done.stdout}{done.stderr}"
    return None


def compared(file, case):
    """A kernel of the cookbook may give less than the golden case holds."""
    return ["out"] if file in ("swin", "detr") else sorted(case["outputs"])


def main(cookbook, operators, cases, scratch, *options):
    folders = [pathlib.Path(cookbook), pathlib.Path(operators)]
    scratch = pathlib.Path(scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    checked, problems = 0, []
    for folder in sorted(path.parent for path in pathlib.Path(cases).glob("*/case.json")):
        row = row_of(folder.name)
        if not row:
            continue
        checked += 1
        problem = run(folder, row, folders, scratch, options)
        if problem:
            problems.append(problem)
            print(problem, file=sys.stderr)
    print(f"{checked - len(problems)} of {checked} cases agree")
    return bool(problems) or not checked


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
