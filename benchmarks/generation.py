#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures generation by attnc against other ways to run the same weights.

usage: generation.py [options] ATTNC DIRECTORY

DIRECTORY is what make-model.py made of gpt2, gpt2-large or llama-1b. A prompt of
--prompt random tokens, then steps of one token, the likeliest, with a key and
value cache: `attnc bench --generate`; ONNX Runtime with GroupQueryAttention over
buffers that past and present share, as onnxruntime-genai runs such models; the
class of transformers that config.json names with PyTorch as it is. All compute in
f32 with --threads threads and have to give the same tokens; of a directory with
BF16 weights transformers makes a model that computes in bf16, and may choose
others (ONNX Runtime has no kernels for it on a CPU). Rounds of attnc and
a peer alternate. Prints JSON: `ratio` is the least time of a peer's step over that
of attnc, `peak_fraction` the rate at which attnc reads weights, keys and values
over that of plain loops in the same run.

An optional tool, no part of any test. It needs packages from PyPI:
  pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1 torch==2.15.0 transformers==5.23.0
"""

import argparse
import datetime
import gc
import json
import os
import sys
import time

import numpy as np
import peers


def likeliest(logits):
    return int(np.argmax(np.asarray(logits).reshape(-1)))


# ---------------------------------------------------------------------------
# Peers: prompt(tokens) and step(token) give the next token
# ---------------------------------------------------------------------------


class OnnxRuntime:
    def __init__(self, directory, positions, threads):
        import decoder_graphs
        import onnxruntime

        path = os.path.join(directory, "decoder.onnx")  # its weights stay where they are
        decoder_graphs.write(directory, path, positions)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        finally:
            os.remove(path)
        self.binding = self.session.io_binding()
        self.length = 0
        for value in self.session.get_inputs():
            if value.name.startswith("past"):
                buffer = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(value.shape, np.float32))
                self.binding.bind_ortvalue_input(value.name, buffer)
                self.binding.bind_ortvalue_output(value.name.replace("past", "present"), buffer)

    def call(self, tokens):
        begin, self.length = self.length, self.length + len(tokens)
        self.binding.bind_cpu_input("input_ids", np.array([tokens], np.int64))
        self.binding.bind_cpu_input("position_ids", np.arange(begin, self.length, dtype=np.int64)[None])
        self.binding.bind_cpu_input("last_position", np.array([self.length - 1], np.int32))
        self.binding.bind_cpu_input("length", np.array(self.length, np.int32))
        self.binding.bind_output("logits")
        self.session.run_with_iobinding(self.binding)
        outputs = zip(self.session.get_outputs(), self.binding.get_outputs())
        return likeliest(next(value.numpy() for output, value in outputs if output.name == "logits"))

    def prompt(self, tokens):
        self.length = 0
        return self.call(tokens)

    def step(self, token):
        return self.call([token])


class Torch:
    def __init__(self, directory, positions, threads):
        import torch
        import transformers

        self.torch = torch
        torch.set_num_threads(threads)
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            name = json.load(file)["architectures"][0]
        self.model = getattr(transformers, name).from_pretrained(directory).eval()
        self.rounds = self.model.dtype != torch.float32
        self.cache = None

    def call(self, tokens):
        with self.torch.inference_mode():
            result = self.model(input_ids=self.torch.tensor([tokens]), past_key_values=self.cache,
                                use_cache=True, logits_to_keep=1)
        self.cache = result.past_key_values
        return likeliest(result.logits[0, -1].float().numpy())

    def prompt(self, tokens):
        self.cache = None
        return self.call(tokens)

    def step(self, token):
        return self.call([token])


PEERS = {"onnxruntime": OnnxRuntime, "torch": Torch}


# ---------------------------------------------------------------------------
# Rounds
# ---------------------------------------------------------------------------


def generate(peer, prompt, new_tokens):
    """New tokens, milliseconds of the prompt, and of each step."""
    times, tokens = [], []
    for i in range(new_tokens):
        begin = time.perf_counter()
        tokens.append(peer.step(tokens[-1]) if i else peer.prompt(prompt))
        times.append(1e3 * (time.perf_counter() - begin))
    return tokens, times[0], times[1:]


def attnc_tokens(arguments, prompt, new_tokens):
    words = [arguments.attnc, "run", arguments.library, "--ids", ",".join(map(str, prompt)), "--generate",
             str(new_tokens), "--stop-ids", "", "--threads", str(arguments.threads), "--json"]
    return json.loads(peers.run_attnc(words))["generated_ids"][0][len(prompt):]


def bench(arguments):
    words = [arguments.attnc, "bench", arguments.library, "--generate", str(arguments.tokens), "--size",
             f"tokens={arguments.prompt}", "--threads", str(arguments.threads), "--json"]
    return json.loads(peers.run_attnc(words))


def measure(name, arguments, prompt, expected):
    peer = PEERS[name](arguments.directory, arguments.prompt + arguments.tokens, arguments.threads)
    found = generate(peer, prompt, len(expected))[0]
    if found != expected and not getattr(peer, "rounds", False):
        sys.exit(f"{name} goes on with {found}, attnc with {expected}")
    own, theirs = [], []
    for _ in range(arguments.rounds):
        theirs.append(generate(peer, prompt, arguments.tokens)[1:])
        own.append(bench(arguments))
    steps = {"attnc_ms": min(run["step_ms"]["min"] for run in own), "ms": min(min(run[1]) for run in theirs)}
    medians = {"attnc_median_ms": min(run["step_ms"]["median"] for run in own),
               "median_ms": min(float(np.median(run[1])) for run in theirs)}
    prompts = {"attnc_prompt_ms": min(run["prompt_ms"] for run in own), "prompt_ms": min(run[0] for run in theirs)}
    return {"peer": name, "version": peers.version_of(name), "ratio": steps["ms"] / steps["attnc_ms"],
            "prompt_ratio": prompts["prompt_ms"] / prompts["attnc_prompt_ms"], **steps, **medians, **prompts}, own


def reading(runs):
    """The fastest step of all runs against the fastest of all loops."""
    rate = max(run["gigabytes_per_second"] for run in runs)
    peak = max(run["peak_gigabytes_per_second"] for run in runs)
    return {"bytes_per_step": runs[0]["bytes_per_step"], "gigabytes_per_second": rate,
            "peak_gigabytes_per_second": peak, "peak_fraction": rate / peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attnc", metavar="ATTNC", help="the attnc tool")
    parser.add_argument("directory", metavar="DIRECTORY")
    parser.add_argument("--library", metavar="FILE",
                        help="what attnc compile --generation --emit shared made of DIRECTORY")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=128, help="tokens of the prompt")
    parser.add_argument("--tokens", type=int, default=32, help="new tokens of a round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--peers", type=lambda text: text.split(","), default=list(PEERS),
                        help=f"of {','.join(PEERS)}; default: all")
    arguments = parser.parse_args()
    arguments.library = arguments.library or arguments.directory
    if unknown := set(arguments.peers) - PEERS.keys():
        parser.error(f"expects peers of {', '.join(PEERS)}, but got {', '.join(unknown)}")
    with open(os.path.join(arguments.directory, "config.json"), encoding="utf-8") as file:
        vocabulary = json.load(file)["vocab_size"]
    prompt = np.random.default_rng(1).integers(0, vocabulary, arguments.prompt).tolist()
    expected = attnc_tokens(arguments, prompt, min(8, arguments.tokens))
    results, own = [], []
    for name in arguments.peers:
        result, runs = measure(name, arguments, prompt, expected)
        results.append(result)
        own += runs
        gc.collect()  # a model at a time
    json.dump({"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
               "processor": peers.processor(), "logical_processors": os.cpu_count(), "threads": arguments.threads,
               "model": own[0]["name"], "prompt": arguments.prompt, "tokens": arguments.tokens,
               **reading(own), "results": results}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
