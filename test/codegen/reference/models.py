#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evaluates the golden models of the zoo and of examples/ with the reference evaluator.

    models.py GOLDEN [PASS...]

GOLDEN is a folder of model directories with inputs, outputs and case.json. With
passes, what they make of each model is evaluated: no pass may change a value.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples" / "descriptions"

# Case, description, model, optional inputs that the case leaves out.
CASES = [
    ("albert", "albert", "AlbertModel", ["token_type_ids"]),
    ("bart", "bart", "BartForConditionalGeneration", ["decoder_attention_mask"]),
    ("beit", "beit", "BeitForImageClassification", []),
    ("bert", "bert", "BertModel", []),
    ("bert-classifier", "bert", "BertForSequenceClassification", ["token_type_ids"]),
    ("clip", "clip", "CLIPModel", []),
    ("deit", "deit", "DeiTForImageClassificationWithTeacher", []),
    ("detr", "detr", "DetrForObjectDetection", []),
    ("dinov2", "dinov2", "Dinov2Model", []),
    ("distilbert", "distilbert", "DistilBertModel", []),
    ("electra", "electra", "ElectraModel", ["token_type_ids"]),
    ("falcon", "falcon", "FalconForCausalLM", []),
    ("falcon-alibi", "falcon", "FalconForCausalLM", []),
    ("falcon-grouped", "falcon", "FalconForCausalLM", []),
    ("gemma2", "gemma2", "Gemma2ForCausalLM", ["attention_mask"]),
    ("gpt-neox", "gpt_neox", "GPTNeoXForCausalLM", ["attention_mask"]),
    ("gpt2", "gpt2", "GPT2LMHeadModel", ["attention_mask"]),
    ("llama", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-3.1", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-dynamic", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-linear", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-longrope", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-yarn", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("marian", "marian", "MarianMTModel", ["decoder_attention_mask"]),
    ("mbart", "mbart", "MBartForConditionalGeneration", ["decoder_attention_mask"]),
    ("minilm-sentence", "bert", "BertForSentenceEmbedding", ["token_type_ids"]),
    ("mistral", "mistral", "MistralForCausalLM", ["attention_mask"]),
    ("mpnet", "mpnet", "MPNetModel", []),
    ("opt", "opt", "OPTForCausalLM", []),
    ("phi", "phi", "PhiForCausalLM", ["attention_mask"]),
    ("qwen2", "qwen2", "Qwen2ForCausalLM", ["attention_mask"]),
    ("qwen3", "qwen3", "Qwen3ForCausalLM", []),
    ("roberta", "roberta", "RobertaModel", ["token_type_ids"]),
    ("series-classifier", EXAMPLES / "series-classifier.attn", "SeriesClassifier", []),
    ("siglip", "siglip", "SiglipModel", ["attention_mask"]),
    ("swin", "swin", "SwinForImageClassification", []),
    ("t5", "t5", "T5ForConditionalGeneration", ["decoder_attention_mask"]),
    ("timm-vit", EXAMPLES / "timm-vit.attn", "VisionTransformer", []),
    ("vit", "vit", "ViTForImageClassification", []),
    ("vit-model", "vit", "ViTModel", []),
    ("vit-pytorch-simple-vit", EXAMPLES / "vit-pytorch-simple-vit.attn", "SimpleViT", []),
    ("vit-pytorch-vit", EXAMPLES / "vit-pytorch-vit.attn", "ViT", []),
    ("whisper", "whisper", "WhisperForConditionalGeneration", ["decoder_attention_mask"]),
]

# Model types whose heads leave out an optional input.
WITH_TOKEN_TYPES = ["albert", "bert", "electra", "roberta", "xlm-roberta"]


def heads(golden):
    """A case for each class in the folder of task heads."""
    for config in sorted(golden.glob("heads/*/config.json")):
        kind = json.loads(config.read_text())["model_type"]
        name = config.parent.name
        yield f"heads/{name}", kind, name, ["token_type_ids"] if kind in WITH_TOKEN_TYPES else []


def torch_modules(golden):
    """A case for each module of torch.nn, which leaves out the inputs that its tensors have none for."""
    zoo = pathlib.Path(__file__).parents[3] / "frontend" / "zoo"
    for config in sorted(golden.glob("torch.nn/*/config.json")):
        model = json.loads(config.read_text())["architectures"][0]
        description = (zoo / "torch.nn.attn").read_text()
        inputs = re.search(rf"^model {model}\((.*?)->", description, re.MULTILINE | re.DOTALL)[1]
        header = (config.parent / "inputs.safetensors").read_bytes()
        given = json.loads(header[8:8 + int.from_bytes(header[:8], "little")])
        yield (f"torch.nn/{config.parent.name}", "torch.nn", model,
               [name for name in re.findall(r"optional (\w+):", inputs) if name not in given])


def run(command, output=None):
    """The command's error text, or None if it succeeded."""
    with open(output or "/dev/null", "w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True)
    return done.stderr or f"{command[0]} failed" if done.returncode else None


def evaluate(golden, case, passes, scratch):
    name, description, model, absent = case
    folder = golden / name
    tolerance = json.loads((folder / "case.json").read_text())["tolerance"]
    described, passed = scratch / "described.mlir", scratch / "passed.mlir"
    return (
        run(["attn-describe", str(description), f"--config={folder / 'config.json'}",
             f"--model={model}"] + [f"--absent={i}" for i in absent], described)
        or run(["attn-opt", str(described)] + passes, passed)
        or run(["attn-evaluate", str(passed), f"--weights={folder}",
                f"--inputs={folder / 'inputs.safetensors'}",
                f"--expected={folder / 'outputs.safetensors'}",
                f"--rtol={tolerance['rtol']}", f"--atol={tolerance['atol']}"]))


def main(golden, *passes):
    agreeing = 0
    golden = pathlib.Path(golden)
    cases = [*CASES, *heads(golden), *torch_modules(golden)]
    with tempfile.TemporaryDirectory() as scratch:
        for case in cases:
            problem = evaluate(golden, case, list(passes), pathlib.Path(scratch))
            agreeing += problem is None
            if problem:
                print(f"{case[0]}: {problem}")
    print(f"{agreeing} of {len(cases)} models agree")
    return agreeing != len(cases)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
