#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a Hugging Face directory with random weights, to measure speed with.

usage: make-model.py {vit-base,bert-base,minilm,gpt2,gpt2-large,llama-1b,swin-tiny} DIRECTORY [BF16]

Values do not matter for speed, their shapes and magnitudes do: weights lie in
+-[1, 2) * 2^-6, so that activations stay ordinary numbers. They are F32, or BF16
where that is said. Needs Python alone.
"""

import json
import os
import random
import struct
import sys

VIT = {
    "model_type": "vit", "architectures": ["ViTForImageClassification"],
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "image_size": 224, "patch_size": 16, "num_channels": 3, "qkv_bias": True,
    "id2label": {str(i): f"LABEL_{i}" for i in range(1000)},
}
BERT = {
    "model_type": "bert", "architectures": ["BertModel"],
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512, "type_vocab_size": 2, "vocab_size": 30522,
    "pad_token_id": 0,
}
SWIN = {
    "model_type": "swin", "architectures": ["SwinForImageClassification"],
    "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24],
    "window_size": 7, "mlp_ratio": 4.0, "hidden_act": "gelu", "layer_norm_eps": 1e-5,
    "image_size": 224, "patch_size": 4, "num_channels": 3, "qkv_bias": True,
    "id2label": {str(i): f"LABEL_{i}" for i in range(1000)},
}
GPT2 = {
    "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"],
    "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257,
    "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
}
LLAMA = {  # the shape of Llama 3.2 1B
    "model_type": "llama", "architectures": ["LlamaForCausalLM"],
    "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
    "head_dim": 64, "intermediate_size": 8192, "max_position_embeddings": 4096, "vocab_size": 128256,
    "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": True,
}
CONFIGS = {
    "vit-base": VIT,
    "bert-base": BERT,
    "gpt2": GPT2,
    "gpt2-large": GPT2 | {"n_embd": 1280, "n_layer": 36, "n_head": 20},
    "llama-1b": LLAMA,
    "minilm": BERT | {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "swin-tiny": SWIN,
}


def linear(name, n, k):
    return {f"{name}.weight": [n, k], f"{name}.bias": [n]}


def norm(name, n):
    return {f"{name}.weight": [n], f"{name}.bias": [n]}


def vit_shapes(c):
    d, m, p = c["hidden_size"], c["intermediate_size"], c["patch_size"]
    tokens = (c["image_size"] // p) ** 2 + 1
    e = "vit.embeddings"
    shapes = {
        f"{e}.cls_token": [1, 1, d],
        f"{e}.position_embeddings": [1, tokens, d],
        f"{e}.patch_embeddings.projection.weight": [d, c["num_channels"], p, p],
        f"{e}.patch_embeddings.projection.bias": [d],
    }
    for i in range(c["num_hidden_layers"]):
        layer = f"vit.encoder.layer.{i}"
        for part in ("query", "key", "value"):
            shapes |= linear(f"{layer}.attention.attention.{part}", d, d)
        shapes |= linear(f"{layer}.attention.output.dense", d, d)
        shapes |= linear(f"{layer}.intermediate.dense", m, d)
        shapes |= linear(f"{layer}.output.dense", d, m)
        shapes |= norm(f"{layer}.layernorm_before", d) | norm(f"{layer}.layernorm_after", d)
    return shapes | norm("vit.layernorm", d) | linear("classifier", len(c["id2label"]), d)


def bert_shapes(c):
    d, m = c["hidden_size"], c["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": [c["vocab_size"], d],
        "embeddings.position_embeddings.weight": [c["max_position_embeddings"], d],
        "embeddings.token_type_embeddings.weight": [c["type_vocab_size"], d],
    } | norm("embeddings.LayerNorm", d)
    for i in range(c["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            shapes |= linear(f"{layer}.attention.self.{part}", d, d)
        shapes |= linear(f"{layer}.attention.output.dense", d, d)
        shapes |= norm(f"{layer}.attention.output.LayerNorm", d)
        shapes |= linear(f"{layer}.intermediate.dense", m, d)
        shapes |= linear(f"{layer}.output.dense", d, m) | norm(f"{layer}.output.LayerNorm", d)
    return shapes | linear("pooler.dense", d, d)


def swin_shapes(c):
    d, p, side = c["embed_dim"], c["patch_size"], 2 * c["window_size"] - 1
    e = "swin.embeddings"
    shapes = {
        f"{e}.patch_embeddings.projection.weight": [d, c["num_channels"], p, p],
        f"{e}.patch_embeddings.projection.bias": [d],
    } | norm(f"{e}.norm", d)
    for s, (depth, heads) in enumerate(zip(c["depths"], c["num_heads"])):
        stage = f"swin.encoder.layers.{s}"
        for i in range(depth):
            layer = f"{stage}.blocks.{i}"
            for part in ("query", "key", "value"):
                shapes |= linear(f"{layer}.attention.self.{part}", d, d)
            shapes[f"{layer}.attention.self.relative_position_bias_table"] = [side**2, heads]
            shapes |= linear(f"{layer}.attention.output.dense", d, d)
            shapes |= linear(f"{layer}.intermediate.dense", 4 * d, d)
            shapes |= linear(f"{layer}.output.dense", d, 4 * d)
            shapes |= norm(f"{layer}.layernorm_before", d) | norm(f"{layer}.layernorm_after", d)
        if s + 1 < len(c["depths"]):
            shapes |= norm(f"{stage}.downsample.norm", 4 * d)
            shapes[f"{stage}.downsample.reduction.weight"] = [2 * d, 4 * d]
            d *= 2
    return shapes | norm("swin.layernorm", d) | linear("classifier", len(c["id2label"]), d)


def gpt2_shapes(c):
    d = c["n_embd"]
    shapes = {"transformer.wte.weight": [c["vocab_size"], d], "transformer.wpe.weight": [c["n_positions"], d]}
    for i in range(c["n_layer"]):
        layer = f"transformer.h.{i}"
        for name, n, k in (("attn.c_attn", 3 * d, d), ("attn.c_proj", d, d), ("mlp.c_fc", 4 * d, d), ("mlp.c_proj", d, 4 * d)):
            shapes |= {f"{layer}.{name}.weight": [k, n], f"{layer}.{name}.bias": [n]}  # transposed
        shapes |= norm(f"{layer}.ln_1", d) | norm(f"{layer}.ln_2", d)
    return shapes | norm("transformer.ln_f", d)


def llama_shapes(c):
    d, m, e = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    shapes = {"model.embed_tokens.weight": [c["vocab_size"], d], "model.norm.weight": [d]}
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        q, kv = c["num_attention_heads"] * e, c["num_key_value_heads"] * e
        for name, n, k in (("self_attn.q_proj", q, d), ("self_attn.k_proj", kv, d), ("self_attn.v_proj", kv, d),
                           ("self_attn.o_proj", d, q), ("mlp.gate_proj", m, d), ("mlp.up_proj", m, d), ("mlp.down_proj", d, m)):
            shapes[f"{layer}.{name}.weight"] = [n, k]
        shapes |= {f"{layer}.input_layernorm.weight": [d], f"{layer}.post_attention_layernorm.weight": [d]}
    return shapes


SHAPES = {"vit": vit_shapes, "bert": bert_shapes, "gpt2": gpt2_shapes, "llama": llama_shapes, "swin": swin_shapes}


# Bytes of an element, its bits of sign and mantissa, and the exponent of 2^-6.
DTYPES = {"F32": (4, 0x807FFFFF, (127 - 6) << 23), "BF16": (2, 0x807F, (127 - 6) << 7)}


def random_floats(count, dtype, source):
    """count floats in +-[1, 2) * 2^-6: random sign and mantissa, one exponent."""
    width, mask, exponent = DTYPES[dtype]
    repeated = lambda word: int.from_bytes(word.to_bytes(width, "little") * count, "little")
    bits = int.from_bytes(source.randbytes(width * count), "little")
    return ((bits & repeated(mask)) | repeated(exponent)).to_bytes(width * count, "little")


def write_safetensors(path, shapes, dtype):
    header, offset, width = {}, 0, DTYPES[dtype][0]
    for name, shape in shapes.items():
        count = width
        for size in shape:
            count *= size
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + count]}
        offset += count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    source = random.Random(1)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for entry in header.values():
            begin, end = entry["data_offsets"]
            for at in range(begin, end, 1 << 24):
                file.write(random_floats(min(end - at, 1 << 24) // width, dtype, source))


def main():
    dtype = sys.argv[3] if len(sys.argv) == 4 else "F32"
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in CONFIGS or dtype not in DTYPES:
        sys.exit(__doc__)
    config = CONFIGS[sys.argv[1]]
    shapes = SHAPES[config["model_type"]](config)
    os.makedirs(sys.argv[2], exist_ok=True)
    with open(os.path.join(sys.argv[2], "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
    write_safetensors(os.path.join(sys.argv[2], "model.safetensors"), shapes, dtype)


main()
