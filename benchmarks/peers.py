#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures attnc against other ways to run the same weights, in one run.

usage: peers.py [options] ATTNC MODEL=DIRECTORY ...

DIRECTORY is what make-model.py made: of vit-base, bert-base, minilm, gpt2
(a prompt: logits of --sequence tokens) or swin-tiny; MODEL names the result.
ONNX Runtime and OpenVINO run an ONNX graph in the form that torch.onnx exports
(onnx_graphs.py); PyTorch runs the class of transformers that config.json names,
as it is and through torch.compile with frozen weights. All compute in f32 with
--threads threads. Outputs have to agree; then rounds of all alternate, so that
they meet the same machine. Prints JSON: `ratio` is the best latency of a peer
over that of attnc.

An optional tool, no part of any test. It needs packages from PyPI, those of the
peers only where --peers names them:
  pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1 openvino==2026.4.1 \
      torch==2.15.0 transformers==5.23.0
"""

import argparse
import datetime
import json
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np

# All compute in f32 with sums in different orders; weights are ordinary
# numbers, so that differences stay far below this part of the largest output.
TOLERANCE = 1e-4


# ---------------------------------------------------------------------------
# safetensors
# ---------------------------------------------------------------------------

DTYPES = {"F32": np.float32, "I64": np.int64}


def read_safetensors(path):
    data = np.memmap(path, dtype=np.uint8, mode="r")
    (length,) = struct.unpack("<Q", data[:8].tobytes())
    header = json.loads(data[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = data[begin:end].view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    header, offset = {}, 0
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    for name, tensor in tensors.items():
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())


# ---------------------------------------------------------------------------
# Peers
# ---------------------------------------------------------------------------


class OnnxRuntime:
    def __init__(self, directory, onnx_file, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(onnx_file, options, providers=["CPUExecutionProvider"])

    def run(self, inputs):
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, inputs)))


class OpenVino:
    def __init__(self, directory, onnx_file, threads):
        import openvino

        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                   "INFERENCE_PRECISION_HINT": "f32"}
        self.model = openvino.Core().compile_model(onnx_file, "CPU", options)
        self.request = self.model.create_infer_request()

    def run(self, inputs):
        results = self.request.infer(inputs, share_inputs=True, share_outputs=True)
        return {output.get_any_name(): results[output] for output in self.model.outputs}


class Torch:
    def __init__(self, directory, onnx_file, threads):
        import torch
        import transformers

        self.torch = torch
        torch.set_num_threads(threads)
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            name = json.load(file)["architectures"][0]
        self.model = getattr(transformers, name).from_pretrained(directory).eval()
        # A cache that nobody asked for would cost time.
        self.options = {"use_cache": False} if name.startswith("GPT2") else {}

    def run(self, inputs):
        tensors = {name: self.torch.from_numpy(value) for name, value in inputs.items()}
        with self.torch.no_grad():
            outputs = self.model(**tensors, **self.options)
        return {name: value.numpy() for name, value in outputs.items() if value is not None}


class TorchCompiled(Torch):
    def __init__(self, directory, onnx_file, threads):
        super().__init__(directory, onnx_file, threads)
        import torch._inductor.config

        torch._inductor.config.freezing = True
        self.model = self.torch.compile(self.model)


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "torch": Torch, "torch-compiled": TorchCompiled}


def version_of(peer):
    from importlib.metadata import version

    return version(peer.split("-")[0])


# ---------------------------------------------------------------------------
# Inputs, runs, comparison
# ---------------------------------------------------------------------------


def make_inputs(config, batch, sequence):
    source = np.random.default_rng(1)
    if "image_size" in config:
        size = config["image_size"]
        shape = (batch, config["num_channels"], size, size)
        return {"pixel_values": source.uniform(-1, 1, shape).astype(np.float32)}
    shape = (batch, sequence)
    inputs = {"input_ids": source.integers(0, config["vocab_size"], shape)}
    if config["model_type"] == "bert":
        inputs |= {"attention_mask": np.ones(shape, np.int64), "token_type_ids": np.zeros(shape, np.int64)}
    return inputs


def least_time(peer, inputs, repeat):
    times = []
    peer.run(inputs)
    for _ in range(repeat):
        begin = time.perf_counter()
        peer.run(inputs)
        times.append(1e3 * (time.perf_counter() - begin))
    return min(times)


def run_attnc(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def attnc_outputs(inputs, arguments, directory, files):
    source, target = os.path.join(files, "in.safetensors"), os.path.join(files, "out.safetensors")
    write_safetensors(source, inputs)
    run_attnc([arguments.attnc, "run", directory, "--inputs", source, "--outputs", target,
               "--threads", str(arguments.threads)])
    return {name: np.array(value) for name, value in read_safetensors(target).items()}


def largest_difference(found, expected):
    """Of any output that both have, relative to the largest value of that output."""
    both = found.keys() & expected.keys()
    assert both, "the peer gives none of the outputs"
    return max(float(np.abs(found[name] - expected[name]).max() / np.abs(expected[name]).max()) for name in both)


def open_peers(name, directory, inputs, arguments):
    """The peers whose outputs agree, and how far theirs are off."""
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    peers, differences = {}, {}
    with tempfile.TemporaryDirectory() as files:
        own = attnc_outputs(inputs, arguments, directory, files)
        onnx_file = os.path.join(files, "model.onnx")
        if not {"onnxruntime", "openvino"}.isdisjoint(arguments.peers):
            import onnx
            import onnx_graphs

            weights = read_safetensors(os.path.join(directory, "model.safetensors"))
            onnx.save(onnx_graphs.GRAPHS[config["model_type"]](weights, config), onnx_file)
        for peer in arguments.peers:
            peers[peer] = PEERS[peer](directory, onnx_file, arguments.threads)
            difference = differences[peer] = largest_difference(own, peers[peer].run(inputs))
            if not difference <= TOLERANCE:
                sys.exit(f"{name}: outputs of {peer} differ by {difference:.2e} of the largest value, "
                         f"more than {TOLERANCE:.0e}")
    return peers, differences


def measure(name, directory, arguments):
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        inputs = make_inputs(json.load(file), arguments.batch, arguments.sequence)
    dims = {"batch": arguments.batch}
    if "input_ids" in inputs:
        dims["sequence"] = arguments.sequence
    bench = [arguments.attnc, "bench", directory, "--json", "--threads", str(arguments.threads),
             "--repeat", str(arguments.repeat)]
    for dim, size in dims.items():
        bench += ["--size", f"{dim}={size}"]

    peers, differences = open_peers(name, directory, inputs, arguments)
    own, theirs = [], {peer: [] for peer in peers}
    for _ in range(arguments.rounds):
        for peer, times in theirs.items():
            times.append(least_time(peers[peer], inputs, arguments.repeat))
        own.append(json.loads(run_attnc(bench))["latency_ms"]["min"])
    results = {peer: {"ms": min(times), "ratio": min(times) / min(own), "rounds_ms": times,
                      "largest_difference": differences[peer]} for peer, times in theirs.items()}
    return {"model": name, "dims": dims, "attnc_ms": min(own), "attnc_rounds_ms": own, "peers": results}


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attnc", metavar="ATTNC", help="the attnc tool")
    parser.add_argument("models", metavar="NAME=DIRECTORY", nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--sequence", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=10, help="runs of each in a round")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=list(PEERS),
                        help=f"of {','.join(PEERS)}; default: all")
    arguments = parser.parse_args()
    if unknown := set(arguments.peers) - PEERS.keys():
        parser.error(f"expects peers of {', '.join(PEERS)}, but got {', '.join(unknown)}")
    results = []
    for model in arguments.models:
        name, _, directory = model.partition("=")
        if not os.path.isdir(directory):
            parser.error(f"expects NAME=DIRECTORY, but got '{model}'")
        results.append(measure(name, directory, arguments))
    json.dump({"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
               "processor": processor(), "logical_processors": os.cpu_count(),
               "threads": arguments.threads, "versions": {peer: version_of(peer) for peer in arguments.peers},
               "results": results}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
