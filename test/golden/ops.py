#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes attn IR for golden operator cases and lets a tool evaluate it.

    ops.py CASES TOOL...

CASES is a folder with one folder for each case: inputs.safetensors,
outputs.safetensors, case.json (what it computes and its tolerance). Cases that no
family below writes IR for are left out (operators.py of test/e2e has them). TOOL is
called with FILE.mlir, --inputs, --expected, --rtol and --atol.
"""

import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile


class Case:
    """The shapes and parameters of one case, and the types made of them."""

    def __init__(self, folder):
        self.name = folder.name
        data = json.loads((folder / "case.json").read_text())
        self.params = data["params"]
        self.inputs = {n: i["shape"] for n, i in data["inputs"].items()}
        self.floats = {n for n, i in data["inputs"].items() if i["dtype"] == "float32"}
        self.outputs = {n: o["shape"] for n, o in data["outputs"].items()}
        self.tolerance = data["tolerance"]

    def type(self, name):
        return tensor(self.inputs[name], "f32" if name in self.floats else "i64")

    def function(self, body, results):
        """A function of all inputs; `results` are (output's name, value) pairs."""
        arguments = ", ".join(
            f'%{plain(n)}: {self.type(n)} {{attn.name = "{n}"}}' for n in self.inputs)
        types = [tensor(self.outputs[n]) for n, _ in results]
        named = ", ".join(f'{t} {{attn.name = "{n}"}}' for t, (n, _) in zip(types, results))
        values = ", ".join(v for _, v in results)
        return (f"func.func @main({arguments}) -> ({named}) {{\n{body}\n"
                f"  return {values} : {', '.join(types)}\n}}\n")


def tensor(shape, element="f32"):
    return "tensor<" + "".join(f"{size}x" for size in shape) + element + ">"


def plain(name):
    return name.replace(".", "_")


# Activations: what becomes of the scalar %x.
ACTIVATIONS = {
    "act-elu": """%one = arith.constant 1.0 : f32
      %zero = arith.constant 0.0 : f32
      %e = math.exp %x : f32
      %m = arith.subf %e, %one : f32
      %p = arith.cmpf ogt, %x, %zero : f32
      %y = arith.select %p, %x, %m : f32""",
    "act-erf": "%y = math.erf %x : f32",
    "act-gelu-erf": "%y = attn.gelu %x : f32",
    "act-gelu-tanh": "%y = attn.gelu %x approximate tanh : f32",
    "act-quick-gelu": """%one = arith.constant 1.0 : f32
      %c = arith.constant -1.702 : f32
      %s = arith.mulf %x, %c : f32
      %e = math.exp %s : f32
      %d = arith.addf %e, %one : f32
      %y = arith.divf %x, %d : f32""",
    "act-relu": """%zero = arith.constant 0.0 : f32
      %y = arith.maximumf %x, %zero : f32""",
    "act-relu2": """%zero = arith.constant 0.0 : f32
      %m = arith.maximumf %x, %zero : f32
      %y = arith.mulf %m, %m : f32""",
    "act-sigmoid": """%one = arith.constant 1.0 : f32
      %n = arith.negf %x : f32
      %e = math.exp %n : f32
      %d = arith.addf %e, %one : f32
      %y = arith.divf %one, %d : f32""",
    "act-silu": """%one = arith.constant 1.0 : f32
      %n = arith.negf %x : f32
      %e = math.exp %n : f32
      %d = arith.addf %e, %one : f32
      %y = arith.divf %x, %d : f32""",
    "act-tanh": "%y = math.tanh %x : f32",
}


def activation(case):
    t = case.type("x")
    return case.function(f"""  %init = tensor.empty() : {t}
  %out = linalg.generic {{indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]}} ins(%x : {t}) outs(%init : {t}) {{
    ^bb0(%x_: f32, %o: f32):
      {ACTIVATIONS[case.name].replace("%x", "%x_")}
      linalg.yield %y : f32
  }} -> {t}""", [("out", "%out")])


def layer_norm(case):
    affine = ""
    if "weight" in case.inputs:
        affine = f"scale(%weight : {case.type('weight')}) shift(%bias : {case.type('bias')}) "
    axes = "axes 2" if case.name.endswith("-2d") else ""
    return case.function(
        f"  %out = attn.layer_norm %x {affine}eps {case.params['eps']:e} {axes}"
        f" : {case.type('x')}", [("out", "%out")])


def rms_norm(case):
    eps = case.params.get("eps", 1e-6)
    return case.function(
        f"  %out = attn.rms_norm %x scale(%weight : {case.type('weight')}) eps {eps:e}"
        f" : {case.type('x')}", [("out", "%out")])


def softmax(case):
    axis = case.params.get("axis", len(case.inputs["x"]) - 1)
    return case.function(f"  %out = attn.softmax %x axis {axis} : {case.type('x')}",
                         [("out", "%out")])


def linear(case):
    return case.function(f"""  %out = attn.linear %x weights(%weight : {case.type('weight')})
      captures(%bias : {case.type('bias')}) maps [affine_map<(r, c) -> (c)>]
      epilogue {{
      ^bb0(%acc: f32, %b: f32):
        %0 = arith.addf %acc, %b : f32
        attn.yield %0 : f32
      }} : {case.type('x')} -> {tensor(case.outputs['out'])}""", [("out", "%out")])


def patch_embed(case):
    batch, channels, height, width = case.inputs["x"]
    features, _, ph, pw = case.inputs["weight"]
    rows, columns = height // ph, width // pw
    depth = channels * ph * pw
    cut = tensor([batch, channels, rows, ph, columns, pw])
    turned = tensor([batch, rows, columns, channels, ph, pw])
    patches = tensor([batch, rows * columns, depth])
    flat = tensor([features, depth])
    out = tensor([batch, rows * columns, features])
    return case.function(f"""  %cut = tensor.expand_shape %x [[0], [1], [2, 3], [4, 5]]
      output_shape [{batch}, {channels}, {rows}, {ph}, {columns}, {pw}]
      : {case.type('x')} into {cut}
  %init = tensor.empty() : {turned}
  %turned = linalg.transpose ins(%cut : {cut}) outs(%init : {turned})
      permutation = [0, 2, 4, 1, 3, 5]
  %patches = tensor.collapse_shape %turned [[0], [1, 2], [3, 4, 5]] : {turned} into {patches}
  %flat = tensor.collapse_shape %weight [[0], [1, 2, 3]] : {case.type('weight')} into {flat}
  %out = attn.linear %patches weights(%flat : {flat})
      captures(%bias : {case.type('bias')}) maps [affine_map<(b, r, c) -> (c)>]
      epilogue {{
      ^bb0(%acc: f32, %b: f32):
        %0 = arith.addf %acc, %b : f32
        attn.yield %0 : f32
      }} : {patches} -> {out}""", [("out", "%out")])


# Scaled dot product attention: the score of %dot scaled to %s, and what is kept.
BOTTOM_RIGHT = """%shift = arith.subi %n, %m : index
        %most = arith.addi %i, %shift : index
        %keep = arith.cmpi sle, %j, %most : index"""
KEEPS = {
    "causal": "%keep = arith.cmpi sle, %j, %i : index",
    "bottomright": BOTTOM_RIGHT,
    "document": """%a = tensor.extract %document_ids_[%i] : {document_ids}
        %c = tensor.extract %document_ids_[%j] : {document_ids}
        %keep = arith.cmpi eq, %a, %c : i64""",
    "document-causal": """%a = tensor.extract %document_ids_[%i] : {document_ids}
        %c = tensor.extract %document_ids_[%j] : {document_ids}
        %same = arith.cmpi eq, %a, %c : i64
        %past = arith.cmpi sle, %j, %i : index
        %keep = arith.andi %same, %past : i1""",
    "prefix": """%prefix = arith.constant {prefix} : index
        %first = arith.cmpi slt, %j, %prefix : index
        %past = arith.cmpi sle, %j, %i : index
        %keep = arith.ori %first, %past : i1""",
    "sliding-causal": """%window = arith.constant {window} : index
        %d = arith.subi %i, %j : index
        %near = arith.cmpi slt, %d, %window : index
        %past = arith.cmpi sle, %j, %i : index
        %keep = arith.andi %near, %past : i1""",
    "sliding-symmetric": """%window = arith.constant {window} : index
        %d = arith.subi %i, %j : index
        %e = arith.subi %j, %i : index
        %dist = arith.maxsi %d, %e : index
        %keep = arith.cmpi slt, %dist, %window : index""",
    "key_mask": """%zero = arith.constant 0 : i64
        %value = tensor.extract %key_mask_[%b, %j] : {key_mask}
        %keep = arith.cmpi ne, %value, %zero : i64""",
    "mask": """%zero = arith.constant 0 : i64
        %c0 = arith.constant 0 : index
        %value = tensor.extract %mask_[%b, %c0, %i, %j] : {mask}
        %keep = arith.cmpi ne, %value, %zero : i64""",
}


def keep_of(case):
    if "mask" in case.inputs:
        return KEEPS["mask"]
    if "key_mask" in case.inputs:
        return KEEPS["key_mask"]
    for key in ("bottomright", "document-causal", "document", "prefix", "sliding-causal",
                "sliding-symmetric"):
        if key in case.name:
            return KEEPS[key]
    # causal-row0 is about the first row of a long key sequence without a mask.
    if case.name in ("sdpa-gqa-h8-kv2", "sdpa-alibi-h4") or (
            "causal" in case.name and "row0" not in case.name):
        return KEEPS["causal"]
    return None


def score_of(case):
    if "bias" in case.inputs:
        first = "%b" if case.inputs["bias"][0] > 1 else "%c0"
        head = "%h" if case.inputs["bias"][1] > 1 else "%c0"
        return f"""%c0 = arith.constant 0 : index
        %value = tensor.extract %bias_[{first}, {head}, %i, %j] : {{bias}}
        %score = arith.addf %s, %value : f32"""
    if "softcap" in case.name:
        return f"""%cap = arith.constant {case.params['cap']} : f32
        %part = arith.divf %s, %cap : f32
        %t = math.tanh %part : f32
        %score = arith.mulf %t, %cap : f32"""
    if "alibi" in case.name:
        return f"""%h1 = arith.constant 1 : index
        %hh = arith.addi %h, %h1 : index
        %hi = arith.index_cast %hh : index to i64
        %hf = arith.sitofp %hi : i64 to f32
        %slope = arith.constant {-8 / case.params['heads']:e} : f32
        %exponent = arith.mulf %hf, %slope : f32
        %factor = math.exp2 %exponent : f32
        %d = arith.subi %j, %i : index
        %di = arith.index_cast %d : index to i64
        %df = arith.sitofp %di : i64 to f32
        %bias = arith.mulf %factor, %df : f32
        %score = arith.addf %s, %bias : f32"""
    return "%score = arith.addf %s, %zero_ : f32"


def sdpa(case):
    captures = [n for n in case.inputs if n not in ("q", "k", "v")]
    types = {n: case.type(n) for n in case.inputs} | case.params
    depth = tensor([case.inputs["q"][3]])
    arguments = ", ".join(
        [f"%q_: {depth}", f"%k_: {depth}"] + [f"%{n}: index" for n in "bhijmn"]
        + [f"%{n}_: {types[n]}" for n in captures])
    scale = case.params.get("scale", 1 / math.sqrt(case.inputs["q"][3]))
    score = score_of(case).format_map(types)
    captured = ""
    if captures:
        outer = ", ".join(f"%{n}" for n in captures)
        captured = f"captures({outer} : {', '.join(types[n] for n in captures)})"
    keep = keep_of(case)
    if keep:
        keep = f"""keep {{
      ^bb0({arguments}):
        {keep.format_map(types)}
        attn.yield %keep : i1
      }}"""
    return case.function(f"""  %out = attn.attention
      queries(%q : {types['q']}) keys(%k : {types['k']}) value(%v : {types['v']}) {captured}
      score {{
      ^bb0({arguments}):
        %dot = attn.dot %q_, %k_ : {depth}
        %scale = arith.constant {scale:.17e} : f32
        %zero_ = arith.constant 0.0 : f32
        %s = arith.mulf %dot, %scale : f32
        {score}
        attn.yield %score : f32
      }} {keep or ""} -> {tensor(case.outputs['out'])}""", [("out", "%out")])


def additive(case):
    """Bahdanau attention on projected queries and keys, d2l's layout."""
    (b, m, dq), (_, n, dk) = case.inputs["queries"], case.inputs["keys"]
    hidden, width = case.inputs["W_q"][0], case.inputs["values"][2]
    vector, row = tensor([hidden]), tensor([1, hidden])
    lengths = "valid_lens" in case.inputs
    arguments = f"%q_: {vector}, %k_: {vector}, " + ", ".join(f"%{x}: index" for x in "bhijmn")
    arguments += f", %w: {row}" + (f", %lens: {case.type('valid_lens')}" if lengths else "")
    at = "%b, %i" if lengths and len(case.inputs["valid_lens"]) == 2 else "%b"
    keep = f"""keep {{
      ^bb0({arguments}):
        %valid = tensor.extract %lens[{at}] : {case.type('valid_lens')}
        %jj = arith.index_cast %j : index to i64
        %keep = arith.cmpi slt, %jj, %valid : i64
        attn.yield %keep : i1
      }}""" if lengths else ""
    captures = "%w_v" + (", %valid_lens" if lengths else "")
    capture_types = row + (f", {case.type('valid_lens')}" if lengths else "")

    def project(name, size, depth, weight):
        flat, heads = tensor([b, size, hidden]), tensor([b, 1, size, hidden])
        return f"""  %{name}_p = attn.linear %{name} weights(%{weight} : {tensor([hidden, depth])})
      : {case.type(name)} -> {flat}
  %{name}_h = tensor.expand_shape %{name}_p [[0, 1], [2], [3]]
      output_shape [{b}, 1, {size}, {hidden}] : {flat} into {heads}
"""
    q, k = tensor([b, 1, m, hidden]), tensor([b, 1, n, hidden])
    v, o = tensor([b, 1, n, width]), tensor([b, 1, m, width])
    return case.function(project("queries", m, dq, "W_q") + project("keys", n, dk, "W_k") + f"""
  %v = tensor.expand_shape %values [[0, 1], [2], [3]] output_shape [{b}, 1, {n}, {width}]
      : {case.type('values')} into {v}
  %o, %weights = attn.attention queries(%queries_h : {q}) keys(%keys_h : {k}) value(%v : {v})
      captures({captures} : {capture_types})
      score {{
      ^bb0({arguments}):
        %a = arith.addf %q_, %k_ : {vector}
        %t = math.tanh %a : {vector}
        %flat = tensor.collapse_shape %w [[0, 1]] : {row} into {vector}
        %p = arith.mulf %t, %flat : {vector}
        %score = attn.sum %p : {vector}
        attn.yield %score : f32
      }} {keep} -> {o} weights {tensor([b, m, n])}
  %out = tensor.collapse_shape %o [[0, 1], [2], [3]] : {o} into {tensor([b, m, width])}""",
                         [("out", "%out"), ("weights", "%weights")])


FAMILIES = [
    ("|".join(ACTIVATIONS), activation),
    ("layer-norm-.*", layer_norm),
    ("rms-norm-(?!gemma).*", rms_norm),
    ("softmax-.*", softmax),
    ("linear-.*", linear),
    (r"patch-embed-(14|16|8|4x8.*)", patch_embed),
    ("sdpa-(?!t5).*", sdpa),
    ("d2l-additive-.*", additive),
]


def write_ir(case):
    """The IR of a case that a family knows."""
    return next(family(case) for pattern, family in FAMILIES if re.fullmatch(pattern, case.name))


def run(folder, tool, scratch):
    case = Case(folder)
    text = write_ir(case)
    path = scratch / (case.name + ".mlir")
    path.write_text(text)
    done = subprocess.run(
        tool + [str(path), f"--inputs={folder / 'inputs.safetensors'}",
                f"--expected={folder / 'outputs.safetensors'}",
                f"--rtol={case.tolerance['rtol']}", f"--atol={case.tolerance['atol']}"],
        capture_output=True, text=True)
    return f"{case.name}: {done.stderr or done.stdout}" if done.returncode else None


def main(cases, *tool):
    folders = sorted(path.parent for path in pathlib.Path(cases).glob("*/case.json")
                     if any(re.fullmatch(pattern, path.parent.name) for pattern, _ in FAMILIES))
    with tempfile.TemporaryDirectory() as scratch:
        problems = [run(folder, list(tool), pathlib.Path(scratch)) for folder in folders]
    problems = [problem for problem in problems if problem]
    for problem in problems:
        print(problem)
    print(f"{len(folders) - len(problems)} of {len(folders)} cases agree")
    return bool(problems) or not folders


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
