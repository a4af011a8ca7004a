#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares forms of attention with each other, and with PyTorch where that is installed.

usage: attention.py [--target NAME] [--threads N] [--seconds S] [--only TEXT] ATTNC

Each line is a ratio of two times that are measured in turns, so that both meet
the same machine, or a share of the multiply-add peak timed in the same run; with
what it should be at most (or at least). Forms are in attention.attn. Prints a
table on standard error and JSON on standard output. With the torch package
(2.x), its scaled_dot_product_attention joins in, its flex_attention for forms
that it can express (compiled, which takes a C++ compiler), and eager operations
for additive attention.
"""

import argparse
import datetime
import itertools
import json
import math
import os
import platform
import random
import struct
import subprocess
import sys
import tempfile
import time

DESCRIPTION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention.attn")
ROUNDS = 3
HEADS, WIDTH = 12, 64


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def write_npy(path, kind, shape, data):
    """`data`: the bytes of the elements, of numpy's type `kind`."""
    header = repr({"descr": kind, "fortran_order": False, "shape": tuple(shape)})
    header = header.ljust(118 - 1) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(data)


def padded_inputs(folder, n, valid):
    """Queries, keys and values of normal numbers, and valid lengths; as arguments of attnc."""
    shape = (len(valid), HEADS, n, WIDTH)
    random.seed(1)
    some = [random.gauss(0, 1) for _ in range(4093)]  # a prime: no row is like the one before
    count = math.prod(shape)
    floats = struct.pack("<%df" % count, *itertools.islice(itertools.cycle(some), count))
    arguments = []
    for name in "qkv":
        write_npy(os.path.join(folder, name + ".npy"), "<f4", shape, floats)
    write_npy(os.path.join(folder, "valid.npy"), "<i8", (len(valid),), struct.pack("<%dq" % len(valid), *valid))
    for name in ("q", "k", "v", "valid"):
        arguments += ["--inputs", f"{name}={os.path.join(folder, name)}.npy"]
    return arguments


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder

    def time(self, kernel, n, batch=1, valid=None):
        """Runs a kernel as often as fits in --seconds; what attnc bench reports."""
        command = [self.options.attnc, "bench", DESCRIPTION, "--kernel", kernel, "--json",
                   "--threads", str(self.options.threads), "--target", self.options.target]
        if valid:
            command += padded_inputs(self.folder, n, valid)
        else:
            for name, size in {"batch": batch, "M": n, "N": n}.items():
                command += ["--size", f"{name}={size}"]
        flops = 4 * batch * HEADS * n * n * WIDTH
        command += ["--repeat", str(max(5, min(400, int(self.options.seconds * 1e11 / flops))))]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    def ratio(self, left, right):
        """Least time of `left` over that of `right`, in turns."""
        times = [[], []]
        for _ in range(ROUNDS):
            for side, case in zip(times, (left, right)):
                side.append(self.time(**case)["latency_ms"]["min"])
        return min(times[0]) / min(times[1])

    def share_of_peak(self, case):
        runs = [self.time(**case) for _ in range(ROUNDS)]
        best = runs[0]["flops"] / min(run["latency_ms"]["min"] for run in runs) / 1e6
        return best / max(run["peak_gflops"] for run in runs)


def attend_additive(torch, q, k, v):
    """Bahdanau et al. 2014, as it is written down: no fused form exists."""
    w = torch.randn(q.shape[-1])
    weights = torch.softmax((torch.tanh(q[:, :, :, None] + k[:, :, None]) * w).sum(-1), -1)
    return weights @ v


def flex_peer(torch, form, n):
    """torch's flex_attention, compiled, of a form of attention.attn."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    slope = torch.tensor([2 ** (-8 * (h + 1) / HEADS) for h in range(HEADS)])
    table = torch.randn(HEADS, n, n)
    scores = {"alibi": lambda s, b, h, i, j: s - slope[h] * (i - j).abs(),
              "soft_cap": lambda s, b, h, i, j: 30 * torch.tanh(s / 30),
              "bias": lambda s, b, h, i, j: s + table[h, i, j]}
    keeps = {"causal": lambda b, h, i, j: j <= i,
             "sliding_window": lambda b, h, i, j: (j <= i) & (i - j < 256)}
    options = {"score_mod": scores[form]} if form in scores else {
        "block_mask": create_block_mask(keeps[form], None, None, n, n, device="cpu")}
    compiled = torch.compile(flex_attention)
    return lambda q, k, v: compiled(q, k, v, **options)


def torch_peer(torch, form, n):
    """What PyTorch has for a form of attention.attn."""
    if form == "additive":
        return lambda q, k, v: attend_additive(torch, q, k, v)
    if form in ("plain", "causal"):
        return lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=form == "causal")
    return flex_peer(torch, form, n)


def least_time(torch, peer, heads, n, seconds):
    """In milliseconds, of as many runs as fit, but three."""
    q, k, v = (torch.randn(1, heads, n, WIDTH) for _ in range(3))
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        peer(q, k, v)
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best * 1e3


def torch_ratios(bench, report):
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(bench.options.threads)
    torch.set_grad_enabled(False)
    cases = [("plain", 197, 1.8), ("plain", 512, 1.45), ("plain", 1024, 1.3), ("plain", 4096, 1.3),
             ("causal", 197, 1.8), ("causal", 512, 1.8), ("additive", 512, 60)]
    cases += [(form, 1024, 2) for form in ("alibi", "soft_cap", "bias")] + [("sliding_window", 8192, 2)]
    for form, n, limit in cases:
        def measure(form=form, n=n):
            heads = 8 if form == "additive" else HEADS
            theirs, own = [], []
            try:
                peer = torch_peer(torch, form, n)
                least_time(torch, peer, heads, n, 0)  # compiles
            except Exception as error:  # of any kind, from torch's compiler
                return None, f"PyTorch does not compile it: {type(error).__name__}"
            for _ in range(ROUNDS):
                theirs.append(least_time(torch, peer, heads, n, bench.options.seconds))
                own.append(bench.time(form, n)["latency_ms"]["min"])
            return min(theirs) / min(own)
        report(f"PyTorch {torch.__version__} over {form} {n}", measure, at_least=limit)


def case(kernel, n, **more):
    return {"kernel": kernel, "n": n, **more}


def measure_all(bench, report):
    for n in (197, 512, 1024, 4096):
        report(f"plain {n}: share of peak", lambda n=n: bench.share_of_peak(case("plain", n)), at_least=0.8)
    ratios = [
        ("causal 4096 over plain", case("causal", 4096), case("plain", 4096), 0.58),
        ("window 256 of 8192 over plain", case("sliding_window", 8192), case("plain", 8192), 0.1),
        # 8 x 384 tokens, of which 128 are real, against 8 x 128.
        ("padded 8 x 128 of 384 over 8 x 128", case("padded", 384, batch=8, valid=[128] * 8),
         case("plain", 128, batch=8), 1.1),
        ("relu 512 over plain", case("relu", 512), case("plain", 512), 1.15),
        ("gaussian 512 over plain", case("gaussian", 512), case("plain", 512), 1.15),
    ]
    for n in (197, 512, 1024):
        ratios.append((f"weights {n} over plain", case("weights", n), case("plain", n), 1.3))
    ratios.append(("weights 2048 over plain", case("weights", 2048), case("plain", 2048), 1.7))
    ratios.append(("mean weights 512 over plain", case("mean_weights", 512), case("plain", 512), 1.3))
    for kernel in ("alibi", "soft_cap", "bias"):
        for n in (197, 1024):
            ratios.append((f"{kernel} {n} over plain", case(kernel, n), case("plain", n), 1.15))
    ratios.append(("bias 64 x 49 over plain", case("bias", 49, batch=64), case("plain", 49, batch=64), 1.15))
    for name, left, right, limit in ratios:
        report(name, lambda left=left, right=right: bench.ratio(left, right), at_most=limit)
    torch_ratios(bench, report)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="native", help="instruction set to measure")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.3, help="about how long a round of one kernel is")
    parser.add_argument("--only", default="", help="measure only lines with this text")
    parser.add_argument("attnc", metavar="ATTNC")
    options = parser.parse_args()
    results = []

    def report(name, measure, at_most=None, at_least=None):
        """`measure` returns a ratio, or None and why there is none."""
        if options.only not in name:
            return
        value = measure()
        if isinstance(value, tuple):
            print(f"{name:44} {value[1]}", file=sys.stderr, flush=True)
            results.append({"name": name, "value": None, "reason": value[1]})
            return
        missed = value > at_most if at_most else value < at_least
        limit = f"<= {at_most}" if at_most else f">= {at_least}"
        print(f"{name:44} {value:6.3f}   {limit}{'   missed' if missed else ''}", file=sys.stderr, flush=True)
        results.append({"name": name, "value": round(value, 4), "at_most": at_most, "at_least": at_least})

    with tempfile.TemporaryDirectory() as folder:
        measure_all(Bench(options, folder), report)
    json.dump({"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
               "processor": processor(), "logical_processors": os.cpu_count(), "threads": options.threads,
               "target": options.target, "results": results}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
