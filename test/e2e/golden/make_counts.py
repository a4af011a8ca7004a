#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts parameters and operations of golden models with transformers and torch's flop counter.

    make_counts.py GOLDEN NAME... > counts.json

Of each model of the folder GOLDEN, for the sizes of its inputs. Prints an object: the parameters as num_parameters()
has them, but for tokens of masks that no inference reads and with the bias of logits, which the library has as a buffer;
and the operations of all products of matrices, two for each multiply-add.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode


def count(folder):
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, name).from_pretrained(folder, attn_implementation="eager").eval()
    counter = FlopCounterMode(display=False)
    inputs = load_file(folder / "inputs.safetensors")
    with torch.no_grad(), counter:
        model(**inputs)
    unread = sum(p.numel() for n, p in model.named_parameters() if n.endswith("mask_token"))
    biases = sum(b.numel() for n, b in model.named_buffers() if n.endswith("final_logits_bias"))
    return {"parameters": model.num_parameters() - unread + biases, "flops": counter.get_total_flops(),
            "inputs": {n: list(x.shape) for n, x in inputs.items()}}


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    transformers.logging.set_verbosity_error()
    golden = pathlib.Path(sys.argv[1])
    print("{\n" + ",\n".join(f'"{name}": {json.dumps(count(golden / name))}' for name in sys.argv[2:]) + "\n}")
