# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles a GPT-2 of 2 layers and one of 32 for FOLDER; what do the other layers cost?

usage: layers.py FOLDER

Prints, for both, the bytes of weights, the peak of memory beyond mapped files,
and the processor seconds.
"""

import json
import os
import resource
import struct
import subprocess
import sys
import time

WIDTH, VOCABULARY, POSITIONS = 256, 64, 64


def shapes(layers):
    d = WIDTH
    yield "transformer.wte.weight", [VOCABULARY, d]
    yield "transformer.wpe.weight", [POSITIONS, d]
    for i in range(layers):
        layer = f"transformer.h.{i}"
        for name, n, k in (("attn.c_attn", 3 * d, d), ("attn.c_proj", d, d), ("mlp.c_fc", 4 * d, d),
                           ("mlp.c_proj", d, 4 * d)):
            yield f"{layer}.{name}.weight", [k, n]
            yield f"{layer}.{name}.bias", [n]
        for name in ("ln_1", "ln_2"):
            yield f"{layer}.{name}.weight", [d]
            yield f"{layer}.{name}.bias", [d]
    yield "transformer.ln_f.weight", [d]
    yield "transformer.ln_f.bias", [d]


def make_model(folder, layers):
    """Weights are zero, and take no space on the disk."""
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": WIDTH, "n_layer": layers,
              "n_head": 4, "n_positions": POSITIONS, "vocab_size": VOCABULARY}
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    header, end = {}, 0
    for name, shape in shapes(layers):
        begin, end = end, end + 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return end


def anonymous_bytes(process):
    try:
        with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


def compile_model(folder):
    """Peak bytes beyond mapped files, and processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(["attnc", "compile", folder, "--generation", "-o", os.path.join(folder, "out")])
    peak = 0
    while process.poll() is None:
        peak = max(peak, anonymous_bytes(process))
        time.sleep(0.002)
    if process.returncode != 0:
        sys.exit(f"attnc compile exited with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return peak, after.ru_utime - before.ru_utime


def main():
    results = {}
    for layers in (2, 32):
        folder = os.path.join(sys.argv[1], str(layers))
        weights = make_model(folder, layers)
        peak, seconds = compile_model(folder)
        results[layers] = weights, peak, seconds
        print(f"{layers} layers: weights {weights >> 20} MiB, beyond mapped files {peak >> 20} MiB, {seconds:.2f} s")
    more_weights, more_memory, _ = (b - a for a, b in zip(results[2], results[32]))
    # Tables of names and sizes grow with layers; weights stay in their files.
    assert more_memory < more_weights / 8, f"{more_memory} bytes more for {more_weights} bytes of weights"
    # Packing is part of it.
    assert results[32][2] < 2 * results[2][2], "time grows with layers"


main()
