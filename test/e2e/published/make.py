#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts the parameters of published models with transformers, from their config.json alone.

    make.py models.json

Writes the file anew: {name: {"parameters": n, "config": {...}}}, where a config is as it was published, by the version of
the library of its day. Parameters are what num_parameters() has, but for tokens of masks that no inference reads and
tables of sinusoids, which files may store and nobody learned; with the bias of logits, which is a buffer there; and with
an output projection of its own where the config says so, which transformers 5 decides from the checkpoint.
"""

import json
import pathlib
import sys

import torch
import transformers


def parameters(config):
    architecture = getattr(transformers, config["architectures"][0])
    with torch.device("meta"):
        model = architecture(architecture.config_class.from_dict(dict(config)))
    sinusoids = ("MarianSinusoidalPositionalEmbedding", "PegasusSinusoidalPositionalEmbedding")
    count = model.num_parameters()
    count -= sum(p.numel() for name, p in model.named_parameters() if name.endswith("mask_token"))
    count -= sum(module.weight.numel() for module in model.modules() if type(module).__name__ in sinusoids)
    count += sum(b.numel() for name, b in model.named_buffers() if name.endswith("final_logits_bias"))
    output = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if config.get("tie_word_embeddings") is False and output is not None:
        if output.weight is model.get_input_embeddings().weight:
            count += output.weight.numel()
    return count


def main(path):
    models = json.loads(path.read_text())
    lines = []
    for name, model in sorted(models.items()):
        entry = {"parameters": parameters(model["config"]), "config": model["config"]}
        lines.append(f"{json.dumps(name)}: {json.dumps(entry)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    transformers.logging.set_verbosity_error()
    main(pathlib.Path(sys.argv[1]))
