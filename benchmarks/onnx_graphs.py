# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX graphs of models, in the form that torch.onnx exports them.

Opset 17: LayerNormalization, MatMul + Add, attention as MatMul, Softmax,
MatMul, GELU by Erf or Tanh; windows by Reshape and Transpose, cyclic shifts by
Slice and Concat.
"""

import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class Graph:
    """Builds the nodes of an ONNX graph."""

    def __init__(self, weights, config):
        self.weights = weights
        self.epsilon = config.get("layer_norm_eps", config.get("layer_norm_epsilon"))
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
                       epsilon=self.epsilon, **kwargs)

    def gelu(self, x):
        erf = self.op("Erf", self.op("Div", x, self.constant(math.sqrt(2))))
        product = self.op("Mul", x, self.op("Add", erf, self.constant(1)))
        return self.op("Mul", product, self.constant(0.5))

    def gelu_tanh(self, x):
        cubed = self.op("Mul", self.op("Pow", x, self.constant(3)), self.constant(0.044715))
        inner = self.op("Mul", self.op("Add", x, cubed), self.constant(math.sqrt(2 / math.pi)))
        weight = self.op("Add", self.op("Tanh", inner), self.constant(1))
        return self.op("Mul", self.op("Mul", x, self.constant(0.5)), weight)

    def attention(self, x, name, heads, add_mask=None):
        """scaled_dot_product_attention of three projections, heads merged."""
        projections = (self.linear(x, f"{name}.{part}") for part in ("query", "key", "value"))
        width = self.weights[f"{name}.query.weight"].shape[0]
        return self.attend(*projections, heads, width, add_mask)

    def attend(self, query, key, value, heads, width, add_mask=None):
        split = self.shape(0, 0, heads, width // heads)

        def head(projection, order):
            return self.op("Transpose", self.op("Reshape", projection, split), perm=order)

        # The exporter scales both factors by the root of the scale.
        root = self.constant((width // heads) ** -0.25)
        query = self.op("Mul", head(query, [0, 2, 1, 3]), root)
        key = self.op("Mul", head(key, [0, 2, 3, 1]), root)
        score = self.op("MatMul", query, key)
        if add_mask:
            score = add_mask(score)
        weights = self.op("Softmax", score, axis=-1)
        out = self.op("MatMul", weights, head(value, [0, 2, 1, 3]))
        out = self.op("Transpose", out, perm=[0, 2, 1, 3])
        return self.op("Reshape", out, self.shape(0, 0, width))

    def slice(self, x, begin, end, axis):
        return self.op("Slice", x, self.shape(begin), self.shape(end), self.shape(axis))

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
        h = g.attention(g.norm(x, f"{layer}.layernorm_before"), f"{layer}.attention.attention",
                        config["num_attention_heads"])
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
    layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
    for i in range(layers):
        layer = f"encoder.layer.{i}"
        h = g.attention(x, f"{layer}.attention.self", heads,
                        lambda score: g.op("Add", score, mask))
        h = g.linear(h, f"{layer}.attention.output.dense")
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


def gpt2_graph(weights, config):
    g = Graph(weights, config)
    hidden, heads = config["n_embd"], config["n_head"]

    def linear(x, name):  # its weights are stored the other way round
        return g.op("Add", g.op("MatMul", x, g.weight(f"{name}.weight")), g.weight(f"{name}.bias"))

    length = g.slice(g.op("Shape", "input_ids"), 1, 2, 0)
    words = g.op("Gather", g.weight("transformer.wte.weight"), "input_ids")
    positions = g.op("Slice", g.weight("transformer.wpe.weight"), g.shape(0), length, g.shape(0))
    x = g.op("Add", words, positions)
    ones = g.op("ConstantOfShape", g.op("Concat", length, length, axis=0),
                value=numpy_helper.from_array(np.ones(1, np.float32)))
    lower = g.op("Cast", g.op("Trilu", ones, upper=0), to=TensorProto.BOOL)
    lowest = g.constant(np.finfo(np.float32).min)
    for i in range(config["n_layer"]):
        layer = f"transformer.h.{i}"
        qkv = linear(g.norm(x, f"{layer}.ln_1"), f"{layer}.attn.c_attn")
        parts = [g.slice(qkv, part * hidden, (part + 1) * hidden, 2) for part in range(3)]
        h = g.attend(*parts, heads, hidden, lambda score: g.op("Where", lower, score, lowest))
        x = g.op("Add", linear(h, f"{layer}.attn.c_proj"), x)
        h = g.gelu_tanh(linear(g.norm(x, f"{layer}.ln_2"), f"{layer}.mlp.c_fc"))
        x = g.op("Add", linear(h, f"{layer}.mlp.c_proj"), x)
    table = g.constant(weights["transformer.wte.weight"].T)
    g.op("MatMul", g.norm(x, "transformer.ln_f"), table, output="logits")
    return g.model([integers("input_ids", "batch", "sequence")],
                   [floats("logits", "batch", "sequence", config["vocab_size"])])


class SwinStage:
    """Blocks of one stage: grids of size x size tokens, `width` numbers each."""

    def __init__(self, graph, size, width, heads, window):
        self.g, self.size, self.width, self.heads = graph, size, width, heads
        self.window = min(window, size)
        self.count = (size // self.window) ** 2

    def roll(self, x, by):
        for axis in (1, 2):
            parts = self.g.slice(x, by, self.size, axis), self.g.slice(x, 0, by, axis)
            x = self.g.op("Concat", *parts, axis=axis)
        return x

    def swap(self, x, before, after):
        g = self.g
        x = g.op("Transpose", g.op("Reshape", x, g.shape(*before)), perm=[0, 1, 3, 2, 4, 5])
        return g.op("Reshape", x, g.shape(*after))

    def to_windows(self, x):
        n, w = self.size // self.window, self.window
        return self.swap(x, [-1, n, w, n, w, self.width], [-1, w * w, self.width])

    def from_windows(self, x):
        n, w = self.size // self.window, self.window
        return self.swap(x, [-1, n, n, w, w, self.width], [-1, self.size, self.size, self.width])

    def relative_bias(self, name):
        w = self.window
        y, x = (axis.reshape(-1) for axis in np.mgrid[:w, :w])
        pairs = (y[:, None] - y + w - 1) * (2 * w - 1) + x[:, None] - x + w - 1
        table = self.g.weights[f"{name}.relative_position_bias_table"]
        return self.g.constant(table[pairs].transpose(2, 0, 1)[None])

    def region_mask(self, shift):
        """-100 between positions of a window that are no neighbours in the picture."""
        w, n = self.window, self.size // self.window
        line = np.arange(self.size)
        part = (line >= self.size - w).astype(int) + (line >= self.size - shift)
        region = (part[:, None] * 3 + part).reshape(n, w, n, w).transpose(0, 2, 1, 3).reshape(-1, w * w)
        return np.where(region[:, :, None] == region[:, None, :], 0, -100)

    def add_masks(self, score, name, shift):
        g, w = self.g, self.window
        score = g.op("Add", score, self.relative_bias(name))
        if not shift:
            return score
        parts = g.op("Reshape", score, g.shape(-1, self.count, self.heads, w * w, w * w))
        parts = g.op("Add", parts, g.constant(self.region_mask(shift)[None, :, None]))
        return g.op("Reshape", parts, g.shape(-1, self.heads, w * w, w * w))

    def block(self, x, layer, shifts):
        g = self.g
        shift = self.window // 2 if shifts and self.window < self.size else 0
        grid = g.shape(-1, self.size, self.size, self.width)
        h = g.op("Reshape", g.norm(x, f"{layer}.layernorm_before"), grid)
        if shift:
            h = self.roll(h, shift)
        name = f"{layer}.attention.self"
        h = g.attention(self.to_windows(h), name, self.heads,
                        lambda score: self.add_masks(score, name, shift))
        h = self.from_windows(g.linear(h, f"{layer}.attention.output.dense"))
        if shift:
            h = self.roll(h, self.size - shift)
        x = g.op("Add", x, g.op("Reshape", h, g.shape(-1, self.size**2, self.width)))
        h = g.gelu(g.linear(g.norm(x, f"{layer}.layernorm_after"), f"{layer}.intermediate.dense"))
        return g.op("Add", x, g.linear(h, f"{layer}.output.dense"))

    def downsample(self, x, name):
        """Four neighbours become one token of twice the width."""
        g, half = self.g, self.size // 2
        x = g.op("Reshape", x, g.shape(-1, self.size, self.size, self.width))

        def every_second(row, column):
            begin, end = g.shape(row, column), g.shape(self.size, self.size)
            return g.op("Slice", x, begin, end, g.shape(1, 2), g.shape(2, 2))

        parts = [every_second(row, column) for column in (0, 1) for row in (0, 1)]
        tokens = g.op("Reshape", g.op("Concat", *parts, axis=3), g.shape(-1, half**2, 4 * self.width))
        reduction = g.constant(g.weights[f"{name}.reduction.weight"].T)
        return g.op("MatMul", g.norm(tokens, f"{name}.norm"), reduction)


def swin_graph(weights, config):
    g = Graph(weights, config)
    patch, width = config["patch_size"], config["embed_dim"]
    size = config["image_size"] // patch
    e = "swin.embeddings"
    x = g.op("Conv", "pixel_values", g.weight(f"{e}.patch_embeddings.projection.weight"),
             g.weight(f"{e}.patch_embeddings.projection.bias"),
             kernel_shape=[patch, patch], strides=[patch, patch])
    x = g.op("Transpose", g.op("Reshape", x, g.shape(0, width, -1)), perm=[0, 2, 1])
    x = g.norm(x, f"{e}.norm")
    for s, (depth, heads) in enumerate(zip(config["depths"], config["num_heads"])):
        stage = SwinStage(g, size >> s, width << s, heads, config["window_size"])
        for i in range(depth):
            x = stage.block(x, f"swin.encoder.layers.{s}.blocks.{i}", i % 2 == 1)
        if s + 1 < len(config["depths"]):
            x = stage.downsample(x, f"swin.encoder.layers.{s}.downsample")
    x = g.op("ReduceMean", g.norm(x, "swin.layernorm"), axes=[1], keepdims=0)
    g.gemm(x, "classifier", output="logits")
    pixels = floats("pixel_values", "batch", config["num_channels"], *2 * [config["image_size"]])
    return g.model([pixels], [floats("logits", "batch", len(config["id2label"]))])


GRAPHS = {"vit": vit_graph, "bert": bert_graph, "gpt2": gpt2_graph, "swin": swin_graph}
