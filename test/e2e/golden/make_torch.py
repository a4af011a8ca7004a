#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes golden cases of torch.nn's Transformer modules with torch (CPU); attnc has no part in it.

    make_torch.py OUTPUT [NAME...]

A case, in torch.nn, is a module's state dict, config.json with the arguments of its constructor, and what the module gives in float64.
The README beside this file says what else a case holds.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

from make import randomize, save_case

ATTENTION = dict(embed_dim=16, num_heads=2)
LAYER = dict(d_model=16, nhead=2, dim_feedforward=24)
BATCH, SOURCE, TARGET = 2, 7, 5


def bool_mask(*shape):
    """Some keys are ignored (true), and no query ignores all."""
    mask = torch.rand(shape, generator=GENERATOR) < 0.3
    mask[..., 0] = False
    return mask


def padding(length):
    """The second sequence ends early."""
    mask = torch.zeros(BATCH, length, dtype=torch.bool)
    mask[1, -2:] = True
    return mask


def causal(length):
    return torch.ones(length, length, dtype=torch.bool).triu(1)


# Name: module, arguments of its constructor, masks as {input: value}, arguments of forward() alone. Modules of one
# tensor are called with it three times.
GENERATOR = torch.Generator().manual_seed(7)
CASES = {
    "attention": ("MultiheadAttention", dict(ATTENTION, batch_first=True),
                  dict(key_padding_mask=padding(SOURCE), attn_mask=bool_mask(TARGET, SOURCE)), dict(need_weights=False)),
    "attention-self": ("MultiheadSelfAttention", ATTENTION, dict(key_padding_mask=padding(TARGET)),
                       dict(need_weights=False)),
    "attention-mean": ("MultiheadAttentionWithMeanWeights", dict(ATTENTION, bias=False),
                       dict(attn_bias=torch.randn(TARGET, SOURCE, generator=GENERATOR)), {}),
    "attention-heads": ("MultiheadAttentionWithWeights", dict(ATTENTION, kdim=12, vdim=20, batch_first=True), {},
                        dict(average_attn_weights=False)),
    "attention-extended": ("MultiheadAttention", dict(ATTENTION, add_bias_kv=True, add_zero_attn=True, batch_first=True),
                           dict(key_padding_mask=padding(SOURCE), attn_mask=bool_mask(TARGET, SOURCE)),
                           dict(need_weights=False)),
    "attention-extended-bias": ("MultiheadAttention", dict(ATTENTION, add_bias_kv=True),
                                dict(attn_bias=torch.randn(TARGET, SOURCE, generator=GENERATOR)),
                                dict(need_weights=False)),
    "attention-zero-self": ("MultiheadSelfAttention", dict(ATTENTION, add_zero_attn=True, batch_first=True),
                            dict(attn_mask=bool_mask(TARGET, TARGET)), dict(need_weights=False)),
    "encoder-layer": ("TransformerEncoderLayer", LAYER,
                      dict(src_mask=bool_mask(SOURCE, SOURCE), src_key_padding_mask=padding(SOURCE)), {}),
    "encoder": ("TransformerEncoder",
                dict(LAYER, num_layers=2, norm=True, norm_first=True, activation="gelu", batch_first=True),
                dict(src_key_padding_mask=padding(SOURCE)), {}),
    "encoder-causal": ("TransformerEncoder", dict(LAYER, num_layers=2, batch_first=True, is_causal=True), {}, {}),
    "decoder-layer": ("TransformerDecoderLayer", dict(LAYER, batch_first=True, bias=False),
                      dict(tgt_mask=bool_mask(TARGET, TARGET), memory_mask=bool_mask(TARGET, SOURCE)), {}),
    "decoder": ("TransformerDecoder", dict(LAYER, num_layers=2, norm=True, norm_first=True, tgt_is_causal=True),
                dict(tgt_key_padding_mask=padding(TARGET), memory_key_padding_mask=padding(SOURCE)), {}),
    "transformer": ("Transformer",
                    dict(LAYER, num_encoder_layers=1, num_decoder_layers=2, batch_first=True, tgt_is_causal=True),
                    dict(src_key_padding_mask=padding(SOURCE), memory_key_padding_mask=padding(SOURCE)), {}),
    "transformer-norm-first": ("Transformer",
                               dict(LAYER, num_encoder_layers=2, num_decoder_layers=1, norm_first=True,
                                    activation="gelu", layer_norm_eps=1e-3),
                               dict(src_mask=bool_mask(SOURCE, SOURCE), tgt_mask=causal(TARGET),
                                    memory_mask=bool_mask(TARGET, SOURCE), tgt_key_padding_mask=padding(TARGET)), {}),
}


class SeriesClassifier(torch.nn.Module):
    """Of examples/descriptions/series-classifier.attn."""

    def __init__(self, channels, classes, d_model, nhead, dim_feedforward, num_layers):
        super().__init__()
        self.project = torch.nn.Linear(channels, d_model)
        layer = torch.nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward, batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, num_layers)
        self.head = torch.nn.Linear(d_model, classes)

    def forward(self, series):
        return self.head(self.encoder(self.project(series)).mean(1))


CASES["series-classifier"] = ("SeriesClassifier", dict(LAYER, channels=3, classes=4, num_layers=2), {}, {})
# What config.json says beyond the constructor, and the mask that says it in PyTorch.
CAUSAL = {"is_causal": "mask", "tgt_is_causal": "tgt_mask"}


def build(cls, config):
    if cls == "SeriesClassifier":
        return SeriesClassifier(**config)
    arguments = {k: v for k, v in config.items() if k not in (*CAUSAL, "num_layers", "norm")}
    cls = "MultiheadAttention" if cls.startswith("Multihead") else cls
    if cls not in ("TransformerEncoder", "TransformerDecoder"):
        return getattr(torch.nn, cls)(**arguments)
    layer = getattr(torch.nn, cls + "Layer")(**arguments)
    norm = torch.nn.LayerNorm(config["d_model"]) if config.get("norm") else None
    return getattr(torch.nn, cls)(layer, config["num_layers"], norm=norm)


def make_inputs(cls, config):
    """The tensors by the names of forward()."""
    def sequence(length, width):
        shape = (BATCH, length, width) if config.get("batch_first") else (length, BATCH, width)
        return torch.randn(shape, generator=GENERATOR)

    if cls == "MultiheadSelfAttention":
        return {"query": sequence(TARGET, 16)}
    if cls.startswith("Multihead"):
        return {"query": sequence(TARGET, 16), "key": sequence(SOURCE, config.get("kdim", 16)),
                "value": sequence(SOURCE, config.get("vdim", 16))}
    if cls == "SeriesClassifier":
        return {"series": torch.randn(BATCH, SOURCE, 3, generator=GENERATOR)}
    if cls.startswith("TransformerEncoder"):
        return {"src": sequence(SOURCE, 16)}
    first = "memory" if cls.startswith("TransformerDecoder") else "src"
    return {"tgt": sequence(TARGET, 16), first: sequence(SOURCE, 16)}


def call(cls, module, config, tensors, arguments, dtype):
    module = module.to(dtype)
    given = {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}
    for flag, mask in CAUSAL.items():
        if config.get(flag):
            given[mask] = causal(SOURCE if flag == "is_causal" else TARGET)
    if "attn_bias" in given:
        given["attn_mask"] = given.pop("attn_bias")
    if cls == "MultiheadSelfAttention":
        given["key"] = given["value"] = given["query"]
    with torch.no_grad():
        result = module(**given, **arguments)
    if not cls.startswith("Multihead"):
        return {"logits" if cls == "SeriesClassifier" else "output": result}
    return {name: value for name, value in zip(["attn_output", "attn_output_weights"], result) if value is not None}


def make(name, folder):
    cls, config, masks, arguments = CASES[name]
    seed = sum(map(ord, name))
    GENERATOR.manual_seed(seed)
    torch.manual_seed(seed)
    module = build(cls, config).eval()
    randomize(module, GENERATOR)
    tensors = {**make_inputs(cls, config), **masks}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(module.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(
        json.dumps({"model_type": folder.parent.name, "architectures": [cls], **config}, indent=2) + "\n")
    single = call(cls, module, config, tensors, arguments, torch.float32)
    exact = call(cls, module, config, tensors, arguments, torch.float64)
    save_case(folder, f"torch {torch.__version__.split('+')[0]} {type(module).__name__}", seed,
              {k: v.contiguous() for k, v in tensors.items()}, single, exact)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    # Its fast path gives zeros where padding is.
    torch.backends.mha.set_fastpath_enabled(False)
    for case in sys.argv[2:] or CASES:
        outer = "" if case == "series-classifier" else "torch.nn"
        make(case, pathlib.Path(sys.argv[1]) / outer / case)
