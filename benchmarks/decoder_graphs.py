# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX graphs of decoders with a key and value cache, as onnxruntime-genai has them.

Attention is com.microsoft.GroupQueryAttention, and norms of Llama are
SimplifiedLayerNormalization. Weights are external data: places in the
model.safetensors beside the graph, which ONNX Runtime maps.
"""

import json
import os
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"


class Graph:
    def __init__(self, directory, positions):
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        with open(os.path.join(directory, "model.safetensors"), "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            self.table = json.loads(file.read(length))
        self.data, self.positions = 8 + length, positions
        self.nodes, self.initializers, self.inputs, self.outputs = [], {}, [], []
        self.add_input("input_ids", TensorProto.INT64, [1, "tokens"])
        self.add_input("position_ids", TensorProto.INT64, [1, "tokens"])
        self.add_input("last_position", TensorProto.INT32, [1])
        self.add_input("length", TensorProto.INT32, [])

    def add_input(self, name, kind, shape):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))

    def op(self, kind, *inputs, outputs=None, domain="", **attributes):
        outputs = outputs or [f"{kind}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, domain=domain, **attributes))
        return outputs[0]

    def constant(self, array):
        name = f"constant_{len(self.initializers)}"
        self.initializers[name] = numpy_helper.from_array(np.asarray(array), name)
        return name

    def weight(self, name):
        """A tensor of the safetensors file, where it lies."""
        if name not in self.initializers:
            entry = self.table[name]
            begin, end = entry["data_offsets"]
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=entry["shape"],
                                 data_location=TensorProto.EXTERNAL)
            for key, value in (("location", "model.safetensors"), ("offset", self.data + begin),
                               ("length", end - begin)):
                tensor.external_data.add(key=key, value=str(value))
            self.initializers[name] = tensor
        return name

    def matrix(self, name):
        """A weight that is stored [out, in], as the right side of a product."""
        return self.op("Transpose", self.weight(name), perm=[1, 0])

    def attention(self, layer, query, key, value, heads, key_heads, width, rotary=()):
        shape = [1, key_heads, self.positions, width]
        past, present = ([f"{time}.{layer}.{part}" for part in ("key", "value")] for time in ("past", "present"))
        for name in past:
            self.add_input(name, TensorProto.FLOAT, shape)
        self.outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in present]
        return self.op("GroupQueryAttention", query, key, value, *past, "last_position", "length", *rotary,
                       outputs=[f"attention_{layer}", *present], domain=MICROSOFT, num_heads=heads,
                       kv_num_heads=key_heads, do_rotary=int(bool(rotary)))

    def last_token(self, x):
        return self.op("Gather", x, self.constant(np.array([-1])), axis=1)

    def model(self):
        self.outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, "vocabulary"]))
        graph = helper.make_graph(self.nodes, "decoder", self.inputs, self.outputs, list(self.initializers.values()))
        domains = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=8)


def gpt2(g):
    c = g.config
    hidden, heads = c["n_embd"], c["n_head"]

    def linear(x, name):
        return g.op("Add", g.op("MatMul", x, g.weight(f"{name}.weight")), g.weight(f"{name}.bias"))

    def norm(x, name):
        return g.op("LayerNormalization", x, g.weight(f"{name}.weight"), g.weight(f"{name}.bias"), axis=-1,
                    epsilon=c["layer_norm_epsilon"])

    x = g.op("Add", g.op("Gather", g.weight("transformer.wte.weight"), "input_ids"),
             g.op("Gather", g.weight("transformer.wpe.weight"), "position_ids"))
    for i in range(c["n_layer"]):
        layer = f"transformer.h.{i}"
        qkv = linear(norm(x, f"{layer}.ln_1"), f"{layer}.attn.c_attn")
        parts = [f"{layer}.{part}" for part in "qkv"]
        g.op("Split", qkv, g.constant(np.array([hidden] * 3)), outputs=parts, axis=2)
        h = g.attention(i, *parts, heads, heads, hidden // heads)
        x = g.op("Add", linear(h, f"{layer}.attn.c_proj"), x)
        h = linear(norm(x, f"{layer}.ln_2"), f"{layer}.mlp.c_fc")
        x = g.op("Add", linear(g.op("FastGelu", h, domain=MICROSOFT), f"{layer}.mlp.c_proj"), x)
    x = norm(g.last_token(x), "transformer.ln_f")
    g.op("MatMul", x, g.matrix("transformer.wte.weight"), outputs=["logits"])


def rotary_tables(g):
    width = g.config["head_dim"]
    frequencies = g.config["rope_theta"] ** (-np.arange(0, width, 2) / width)
    angles = np.arange(g.positions)[:, None] * frequencies
    return [g.constant(table(angles).astype(np.float32)) for table in (np.cos, np.sin)]


def llama(g):
    c = g.config
    rotary = rotary_tables(g)

    def linear(x, name):
        return g.op("MatMul", x, g.matrix(f"{name}.weight"))

    def norm(x, name):
        return g.op("SimplifiedLayerNormalization", x, g.weight(f"{name}.weight"), axis=-1,
                    epsilon=c["rms_norm_eps"])

    x = g.op("Gather", g.weight("model.embed_tokens.weight"), "input_ids")
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        h = norm(x, f"{layer}.input_layernorm")
        parts = [linear(h, f"{layer}.self_attn.{part}_proj") for part in "qkv"]
        h = g.attention(i, *parts, c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"], rotary)
        x = g.op("Add", linear(h, f"{layer}.self_attn.o_proj"), x)
        h = norm(x, f"{layer}.post_attention_layernorm")
        gate = linear(h, f"{layer}.mlp.gate_proj")
        h = g.op("Mul", g.op("Mul", gate, g.op("Sigmoid", gate)), linear(h, f"{layer}.mlp.up_proj"))
        x = g.op("Add", linear(h, f"{layer}.mlp.down_proj"), x)
    x = norm(g.last_token(x), "model.norm")
    g.op("MatMul", x, g.matrix("model.embed_tokens.weight"), outputs=["logits"])


def write(directory, path, positions):
    """A decoder for sequences of up to so many positions."""
    graph = Graph(directory, positions)
    {"gpt2": gpt2, "llama": llama}[graph.config["model_type"]](graph)
    onnx.save(graph.model(), path)
