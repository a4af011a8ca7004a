#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures attnc against ONNX Runtime on the same weights, in one run.

usage: peers.py [options] ATTNC {vit-base,bert-base,minilm}=DIRECTORY ...

DIRECTORY is what make-model.py made. The model is written as an ONNX graph in
the form that torch.onnx exports (opset 17: LayerNormalization, MatMul + Add,
attention as MatMul, Softmax, MatMul, GELU by Erf). Both outputs have to agree;
then rounds of both alternate, so that both meet the same machine. Prints JSON:
`ratio` is the best latency of ONNX Runtime over that of attnc.

An optional tool, no part of any test. It needs packages from PyPI:
  pip install onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6
"""

import argparse
import datetime
import json
import math
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
# Both compute in f32 with sums in different orders; weights are ordinary
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
# ONNX graphs
# ---------------------------------------------------------------------------


class Graph:
    """Builds the nodes of an ONNX graph."""

    def __init__(self, weights, config):
        self.weights, self.config = weights, config
        self.nodes, self.initializers = [], []

    def op(self, kind, *inputs, output=None, **attributes):
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, array, dtype=np.float32):
        name = f"constant_{len(self.initializers)}"
        array = np.array(array, dtype, order="C")
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name):
        return self.constant(self.weights[name])

    def shape(self, *sizes):
        return self.constant(sizes, np.int64)

    def linear(self, x, name):
        product = self.op("MatMul", x, self.constant(self.weights[f"{name}.weight"].T))
        return self.op("Add", self.weight(f"{name}.bias"), product)

    def gemm(self, x, name, **kwargs):
        return self.op("Gemm", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"),
                       transB=1, **kwargs)

    def norm(self, x, name, **kwargs):
        return self.op("LayerNormalization", x, self.weight(f"{name}.weight"),
                       self.weight(f"{name}.bias"), axis=-1,
                       epsilon=self.config["layer_norm_eps"], **kwargs)

    def gelu(self, x):
        erf = self.op("Erf", self.op("Div", x, self.constant(math.sqrt(2))))
        product = self.op("Mul", x, self.op("Add", erf, self.constant(1)))
        return self.op("Mul", product, self.constant(0.5))

    def attention(self, x, name, mask=None):
        """scaled_dot_product_attention of three projections, heads merged."""
        heads = self.config["num_attention_heads"]
        width = self.config["hidden_size"] // heads
        split = self.shape(0, 0, heads, width)

        def head(part, order):
            projection = self.op("Reshape", self.linear(x, f"{name}.{part}"), split)
            return self.op("Transpose", projection, perm=order)

        # The exporter scales both factors by the root of the scale.
        root = self.constant(width ** -0.25)
        query = self.op("Mul", head("query", [0, 2, 1, 3]), root)
        key = self.op("Mul", head("key", [0, 2, 3, 1]), root)
        score = self.op("MatMul", query, key)
        if mask:
            score = self.op("Add", score, mask)
        weights = self.op("Softmax", score, axis=-1)
        out = self.op("MatMul", weights, head("value", [0, 2, 1, 3]))
        out = self.op("Transpose", out, perm=[0, 2, 1, 3])
        return self.op("Reshape", out, self.shape(0, 0, heads * width))

    def model(self, inputs, outputs):
        graph = helper.make_graph(self.nodes, "model", inputs, outputs, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                 ir_version=8)


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def integers(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def vit_graph(weights, config):
    g = Graph(weights, config)
    size, patch, hidden = config["image_size"], config["patch_size"], config["hidden_size"]
    e = "vit.embeddings"
    x = g.op("Conv", "pixel_values", g.weight(f"{e}.patch_embeddings.projection.weight"),
             g.weight(f"{e}.patch_embeddings.projection.bias"),
             kernel_shape=[patch, patch], strides=[patch, patch])
    x = g.op("Transpose", g.op("Reshape", x, g.shape(0, hidden, -1)), perm=[0, 2, 1])
    batch = g.op("Slice", g.op("Shape", "pixel_values"), g.shape(0), g.shape(1))
    sizes = g.op("Concat", batch, g.shape(1), g.shape(hidden), axis=0)
    token = g.op("Expand", g.weight(f"{e}.cls_token"), sizes)
    x = g.op("Concat", token, x, axis=1)
    x = g.op("Add", x, g.weight(f"{e}.position_embeddings"))
    for i in range(config["num_hidden_layers"]):
        layer = f"vit.encoder.layer.{i}"
        h = g.attention(g.norm(x, f"{layer}.layernorm_before"), f"{layer}.attention.attention")
        x = g.op("Add", g.linear(h, f"{layer}.attention.output.dense"), x)
        h = g.gelu(g.linear(g.norm(x, f"{layer}.layernorm_after"), f"{layer}.intermediate.dense"))
        x = g.op("Add", g.linear(h, f"{layer}.output.dense"), x)
    x = g.op("Gather", g.norm(x, "vit.layernorm"), g.constant(0, np.int64), axis=1)
    g.gemm(x, "classifier", output="logits")
    return g.model([floats("pixel_values", "batch", config["num_channels"], size, size)],
                   [floats("logits", "batch", len(config["id2label"]))])


def bert_graph(weights, config):
    g = Graph(weights, config)
    words = g.op("Gather", g.weight("embeddings.word_embeddings.weight"), "input_ids")
    types = g.op("Gather", g.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    length = g.op("Slice", g.op("Shape", "input_ids"), g.shape(1), g.shape(2))
    positions = g.op("Slice", g.weight("embeddings.position_embeddings.weight"), g.shape(0),
                     length, g.shape(0))
    x = g.op("Add", g.op("Add", words, types), positions)
    x = g.norm(x, "embeddings.LayerNorm")
    keep = g.op("Cast", g.op("Unsqueeze", "attention_mask", g.shape(1, 2)), to=TensorProto.FLOAT)
    mask = g.op("Mul", g.op("Sub", g.constant(1), keep),
                g.constant(np.finfo(np.float32).min))
    layers = config["num_hidden_layers"]
    for i in range(layers):
        layer = f"encoder.layer.{i}"
        h = g.linear(g.attention(x, f"{layer}.attention.self", mask),
                     f"{layer}.attention.output.dense")
        x = g.norm(g.op("Add", h, x), f"{layer}.attention.output.LayerNorm")
        h = g.linear(g.gelu(g.linear(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
        last = {"output": "last_hidden_state"} if i + 1 == layers else {}
        x = g.norm(g.op("Add", h, x), f"{layer}.output.LayerNorm", **last)
    first = g.op("Gather", x, g.constant(0, np.int64), axis=1)
    g.op("Tanh", g.gemm(first, "pooler.dense"), output="pooler_output")
    tokens = [integers(name, "batch", "sequence")
              for name in ("input_ids", "attention_mask", "token_type_ids")]
    return g.model(tokens, [floats("last_hidden_state", "batch", "sequence", config["hidden_size"]),
                            floats("pooler_output", "batch", config["hidden_size"])])


# ---------------------------------------------------------------------------
# Inputs, runs, comparison
# ---------------------------------------------------------------------------


def make_inputs(config, batch, sequence):
    source = np.random.default_rng(1)
    if config["model_type"] == "vit":
        size = config["image_size"]
        shape = (batch, config["num_channels"], size, size)
        return {"pixel_values": source.uniform(-1, 1, shape).astype(np.float32)}
    shape = (batch, sequence)
    return {"input_ids": source.integers(0, config["vocab_size"], shape),
            "attention_mask": np.ones(shape, np.int64),
            "token_type_ids": np.zeros(shape, np.int64)}


def open_session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                        providers=["CPUExecutionProvider"])


def time_session(session, inputs, repeat):
    times = []
    session.run(None, inputs)
    for _ in range(repeat):
        begin = time.perf_counter()
        session.run(None, inputs)
        times.append(1e3 * (time.perf_counter() - begin))
    return min(times)


def run_attnc(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def largest_difference(session, inputs, arguments, directory, files):
    """Of any output, relative to the largest value of that output."""
    source, target = os.path.join(files, "in.safetensors"), os.path.join(files, "out.safetensors")
    write_safetensors(source, inputs)
    run_attnc([arguments.attnc, "run", directory, "--inputs", source, "--outputs", target,
               "--threads", str(arguments.threads)])
    found = read_safetensors(target)
    largest = 0.0
    for description, expected in zip(session.get_outputs(), session.run(None, inputs)):
        difference = np.abs(found[description.name] - expected).max()
        largest = max(largest, float(difference / np.abs(expected).max()))
    return largest


def measure(name, directory, arguments):
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    is_vit = config["model_type"] == "vit"
    weights = read_safetensors(os.path.join(directory, "model.safetensors"))
    session = open_session((vit_graph if is_vit else bert_graph)(weights, config),
                           arguments.threads)
    inputs = make_inputs(config, arguments.batch, arguments.sequence)
    dims = {"batch": arguments.batch} | ({} if is_vit else {"sequence": arguments.sequence})
    bench = [arguments.attnc, "bench", directory, "--json", "--threads", str(arguments.threads),
             "--repeat", str(arguments.repeat)]
    for dim, size in dims.items():
        bench += ["--size", f"{dim}={size}"]

    with tempfile.TemporaryDirectory() as files:
        difference = largest_difference(session, inputs, arguments, directory, files)
    if not difference <= TOLERANCE:
        sys.exit(f"{name}: outputs differ by {difference:.2e} of the largest value, "
                 f"more than {TOLERANCE:.0e}")
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        theirs.append(time_session(session, inputs, arguments.repeat))
        ours.append(json.loads(run_attnc(bench))["latency_ms"]["min"])
    return {"model": name, "dims": dims, "attnc_ms": min(ours), "onnxruntime_ms": min(theirs),
            "ratio": min(theirs) / min(ours),
            "attnc_rounds_ms": ours, "onnxruntime_rounds_ms": theirs,
            "largest_difference": difference}


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
    arguments = parser.parse_args()
    results = []
    for model in arguments.models:
        name, _, directory = model.partition("=")
        if not os.path.isdir(directory):
            parser.error(f"expects NAME=DIRECTORY, but got '{model}'")
        results.append(measure(name, directory, arguments))
    json.dump({"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
               "processor": processor(), "logical_processors": os.cpu_count(),
               "threads": arguments.threads, "onnxruntime": onnxruntime.__version__,
               "results": results}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
