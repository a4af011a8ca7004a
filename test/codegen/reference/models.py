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
    ("bloom", "bloom", "BloomForCausalLM", []),
    ("clip", "clip", "CLIPModel", []),
    ("cohere", "cohere", "CohereForCausalLM", []),
    ("d2l-seq2seq", EXAMPLES / "d2l-seq2seq.attn", "seq2seq", []),
    ("deberta-v2", "deberta-v2", "DebertaV2Model", ["token_type_ids"]),
    ("deberta-v2-distances", "deberta-v2", "DebertaV2ForMaskedLM", []),
    ("deit", "deit", "DeiTForImageClassificationWithTeacher", []),
    ("detr", "detr", "DetrForObjectDetection", []),
    ("dinov2", "dinov2", "Dinov2Model", []),
    ("distilbert", "distilbert", "DistilBertModel", []),
    ("electra", "electra", "ElectraModel", ["token_type_ids"]),
    ("falcon", "falcon", "FalconForCausalLM", []),
    ("falcon-alibi", "falcon", "FalconForCausalLM", []),
    ("falcon-grouped", "falcon", "FalconForCausalLM", []),
    ("gemma", "gemma", "GemmaForCausalLM", []),
    ("gemma2", "gemma2", "Gemma2ForCausalLM", ["attention_mask"]),
    ("gemma3", "gemma3_text", "Gemma3ForCausalLM", []),
    ("gpt-bigcode", "gpt_bigcode", "GPTBigCodeForCausalLM", []),
    ("gpt-bigcode-heads", "gpt_bigcode", "GPTBigCodeForCausalLM", []),
    ("gpt-neo", "gpt_neo", "GPTNeoForCausalLM", []),
    ("gpt-neox", "gpt_neox", "GPTNeoXForCausalLM", ["attention_mask"]),
    ("gpt2", "gpt2", "GPT2LMHeadModel", ["attention_mask"]),
    ("gptj", "gptj", "GPTJForCausalLM", []),
    ("granite", "granite", "GraniteForCausalLM", []),
    ("llama", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-3.1", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-dynamic", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-linear", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-longrope", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("llama-yarn", "llama", "LlamaForCausalLM", ["attention_mask"]),
    ("m2m-100", "m2m_100", "M2M100ForConditionalGeneration", ["decoder_attention_mask"]),
    ("marian", "marian", "MarianMTModel", ["decoder_attention_mask"]),
    ("mbart", "mbart", "MBartForConditionalGeneration", ["decoder_attention_mask"]),
    ("minilm-sentence", "bert", "BertForSentenceEmbedding", ["token_type_ids"]),
    ("mistral", "mistral", "MistralForCausalLM", ["attention_mask"]),
    ("modernbert", "modernbert", "ModernBertForMaskedLM", []),
    ("mpnet", "mpnet", "MPNetModel", []),
    ("olmo2", "olmo2", "Olmo2ForCausalLM", []),
    ("opt", "opt", "OPTForCausalLM", []),
    ("pegasus", "pegasus", "PegasusForConditionalGeneration", ["decoder_attention_mask"]),
    ("phi", "phi", "PhiForCausalLM", ["attention_mask"]),
    ("phi3", "phi3", "Phi3ForCausalLM", ["attention_mask"]),
    ("phi3-long", "phi3", "Phi3ForCausalLM", ["attention_mask"]),
    ("qwen2", "qwen2", "Qwen2ForCausalLM", ["attention_mask"]),
    ("qwen3", "qwen3", "Qwen3ForCausalLM", []),
    ("roberta", "roberta", "RobertaModel", ["token_type_ids"]),
    ("series-classifier", EXAMPLES / "series-classifier.attn", "SeriesClassifier", []),
    ("siglip", "siglip", "SiglipModel", ["attention_mask"]),
    ("siglip-cut", "siglip_vision_model", "SiglipVisionModel", []),
    ("stablelm", "stablelm", "StableLmForCausalLM", []),
    ("stablelm-parallel", "stablelm", "StableLmForCausalLM", []),
    ("starcoder2", "starcoder2", "Starcoder2ForCausalLM", ["attention_mask"]),
    ("swin", "swin", "SwinForImageClassification", []),
    ("t5", "t5", "T5ForConditionalGeneration", ["decoder_attention_mask"]),
    ("timm-vit", EXAMPLES / "timm-vit.attn", "VisionTransformer", []),
    ("vit", "vit", "ViTForImageClassification", []),
    ("vit-model", "vit", "ViTModel", []),
    ("vit-pytorch-simple-vit", EXAMPLES / "vit-pytorch-simple-vit.attn", "SimpleViT", []),
    ("vit-pytorch-vit", EXAMPLES / "vit-pytorch-vit.attn", "ViT", []),
    ("whisper", "whisper", "WhisperForConditionalGeneration", ["decoder_attention_mask"]),
]

ZOO = pathlib.Path(__file__).parents[3] / "frontend" / "zoo"


def folders(golden, folder):
    """A case for each class in a folder, which leaves out the optional inputs that its tensors have none for."""
    for config in sorted(golden.glob(folder + "/*/config.json")):
        described = json.loads(config.read_text())
        kind, model = described["model_type"], described["architectures"][0]
        description = (ZOO / (kind + ".attn")).read_text()
        inputs = re.search(rf"^model {model}\((.*?)->", description, re.MULTILINE | re.DOTALL)[1]
        header = (config.parent / "inputs.safetensors").read_bytes()
        given = json.loads(header[8:8 + int.from_bytes(header[:8], "little")])
        yield (f"{folder}/{config.parent.name}", kind, model,
               [name for name in re.findall(r"optional (\w+):", inputs) if name not in given])


def all_cases(golden):
    return [*CASES, *folders(golden, "heads"), *folders(golden, "torch.nn")]


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
    cases = all_cases(golden)
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
