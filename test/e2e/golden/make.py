#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes golden cases with transformers and torch (CPU); attnc has no part in it.

    make.py OUTPUT [NAME...]

Needs transformers 5.23.0. The README beside this file says what a case holds. Each model runs in float64, with what the
library casts to float32 promoted too; its tolerance comes from its own run in float32.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

# Name: class, config, inputs as (name, shape, values below) or (name, shape) of floats, outputs, arguments of forward().
TOKENS = ("input_ids", (2, 11), 100)
PADDED = ("attention_mask", (2, 11), None)
SMALL = dict(vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
FALCON = dict(vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=40)
BART = dict(vocab_size=100, d_model=32, max_position_embeddings=40, encoder_layers=2, encoder_attention_heads=4,
            encoder_ffn_dim=64, decoder_layers=2, decoder_attention_heads=4, decoder_ffn_dim=48)
SMALL_VISION = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=32,
                    patch_size=8)
RESIZED = dict(interpolate_pos_encoding=True)
# Distances up to 3 have rows of their own, the others up to 39 share three.
DISTANCES = dict(relative_attention=True, position_buckets=6, norm_rel_ebd="layer_norm", share_att_key=True,
                 pos_att_type="p2c|c2p", position_biased_input=False, type_vocab_size=0)
CASES = {
    "albert": ("AlbertModel", dict(SMALL, embedding_size=16, max_position_embeddings=40),
               [TOKENS, PADDED], ["last_hidden_state", "pooler_output"]),
    "beit": ("BeitForImageClassification", dict(SMALL_VISION, use_relative_position_bias=True, num_labels=5),
             [("pixel_values", (2, 3, 32, 32))], ["logits"]),
    "beit-shared": ("BeitModel",
                    dict(SMALL_VISION, use_absolute_position_embeddings=True, use_shared_relative_position_bias=True,
                         use_relative_position_bias=True, use_mean_pooling=False, layer_scale_init_value=0.0,
                         use_mask_token=True),
                    [("pixel_values", (2, 3, 48, 40))], ["last_hidden_state", "pooler_output"], RESIZED),
    "bloom": ("BloomForCausalLM", dict(vocab_size=100, hidden_size=36, n_layer=2, n_head=6), [TOKENS, PADDED], ["logits"]),
    "gemma3": ("Gemma3ForCausalLM",
               dict(SMALL, num_hidden_layers=3, num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=12, sliding_window=5,
                    max_position_embeddings=64, layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                    rope_parameters=dict(full_attention=dict(rope_type="linear", factor=4.0, rope_theta=50000.0),
                                         sliding_attention=dict(rope_type="default", rope_theta=200.0))),
               [TOKENS, PADDED], ["logits"]),
    "gptj": ("GPTJForCausalLM", dict(vocab_size=100, n_positions=40, n_embd=32, n_layer=2, n_head=4, rotary_dim=4),
             [TOKENS, PADDED], ["logits"]),
    "gpt-neo": ("GPTNeoForCausalLM",
                dict(vocab_size=100, hidden_size=32, num_layers=3, num_heads=4, max_position_embeddings=40, window_size=5,
                     attention_types=[[["global", "local"], 1], [["local"], 1]]), [TOKENS, PADDED], ["logits"]),
    "clip-resized": ("CLIPModel",
                     dict(text_config=dict(SMALL, max_position_embeddings=11, eos_token_id=2),
                          vision_config=SMALL_VISION, projection_dim=16),
                     [("input_ids", (3, 11), 100), ("pixel_values", (2, 3, 24, 48))],
                     ["logits_per_image", "image_embeds"], RESIZED),
    "deberta-v2": ("DebertaV2Model", dict(SMALL, max_position_embeddings=40, **DISTANCES), [TOKENS, PADDED],
                   ["last_hidden_state"]),
    "deberta-v2-distances": ("DebertaV2ForMaskedLM",
                             dict(SMALL, max_position_embeddings=40, type_vocab_size=5, relative_attention=True,
                                  max_relative_positions=5, pos_att_type=["c2p"]),
                             [TOKENS, PADDED, ("token_type_ids", (2, 11), 5)], ["logits"]),
    "siglip-cut": ("SiglipVisionModel", dict(SMALL_VISION, image_size=30), [("pixel_values", (2, 3, 30, 30))],
                   ["last_hidden_state", "pooler_output"]),
    "deit-resized": ("DeiTForImageClassificationWithTeacher", dict(SMALL_VISION, num_labels=5),
                     [("pixel_values", (2, 3, 48, 48))], ["logits"], RESIZED),
    "detr": ("DetrForObjectDetection",
             dict(backbone_config=dict(model_type="resnet", embedding_size=8, hidden_sizes=[8, 8, 8, 16],
                                       depths=[1, 1, 1, 1], layer_type="basic", out_features=["stage4"]),
                  use_timm_backbone=False, backbone=None, d_model=32, encoder_layers=2, decoder_layers=2,
                  encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64,
                  num_queries=7, num_labels=5),
             [("feature_map", (2, 16, 5, 6)), ("feature_mask", (2, 5, 6), None)],
             ["logits", "pred_boxes", "cross_attention"]),
    "dinov2-resized": ("Dinov2Model",
                       dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=40, patch_size=8),
                       [("pixel_values", (2, 3, 16, 24))], ["last_hidden_state", "pooler_output"]),
    "electra": ("ElectraModel", dict(SMALL, embedding_size=16, max_position_embeddings=40),
                [TOKENS, PADDED], ["last_hidden_state"]),
    "falcon": ("FalconForCausalLM", FALCON, [TOKENS, PADDED], ["logits"]),
    # The eager implementation adds ALiBi twice.
    "falcon-alibi": ("FalconForCausalLM",
                     dict(FALCON, alibi=True, multi_query=False, parallel_attn=False, bias=True,
                          attn_implementation="sdpa"),
                     [TOKENS, PADDED], ["logits"]),
    "falcon-grouped": ("FalconForCausalLM", dict(FALCON, new_decoder_architecture=True, num_kv_heads=2),
                       [TOKENS, PADDED], ["logits"]),
    "gpt-neox": ("GPTNeoXForCausalLM",
                 dict(SMALL, rotary_pct=0.5, max_position_embeddings=40, tie_word_embeddings=False),
                 [TOKENS], ["logits"]),
    "llama-3.1": ("LlamaForCausalLM",
                  dict(SMALL, num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True,
                       rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0,
                                            high_freq_factor=4.0, original_max_position_embeddings=32)),
                  [("input_ids", (1, 40), 100)], ["logits"]),
    **{f"llama-{kind}": ("LlamaForCausalLM",
                         dict(SMALL, num_key_value_heads=2, max_position_embeddings=longest,
                              rope_parameters=dict(rope_type=kind, rope_theta=10000.0, **parameters)),
                         [("input_ids", (1, 40), 100)], ["logits"])
       for kind, longest, parameters in [
           ("linear", 64, dict(factor=2.5)),
           ("dynamic", 16, dict(factor=4.0)),
           ("yarn", 64, dict(factor=4.0, original_max_position_embeddings=16, beta_fast=4.0)),
           ("longrope", 64, dict(original_max_position_embeddings=16, short_factor=[1.0, 1.1, 1.2, 1.5],
                                 long_factor=[1.0, 1.5, 2.5, 6.0])),
       ]},
    "mbart": ("MBartForConditionalGeneration", dict(BART, scale_embedding=True),
              [TOKENS, PADDED, ("decoder_input_ids", (2, 7), 100)], ["logits", "encoder_last_hidden_state"]),
    "mpnet": ("MPNetModel", dict(SMALL, max_position_embeddings=40),
              [TOKENS, PADDED], ["last_hidden_state", "pooler_output"]),
    "cohere": ("CohereForCausalLM",
               dict(SMALL, num_key_value_heads=2, max_position_embeddings=40, use_qk_norm=True, logit_scale=0.25,
                    bos_token_id=1, eos_token_id=2), [TOKENS, PADDED], ["logits"]),
    "gemma": ("GemmaForCausalLM", dict(SMALL, num_key_value_heads=1, head_dim=16, max_position_embeddings=40),
              [TOKENS, PADDED], ["logits"]),
    "gpt-bigcode": ("GPTBigCodeForCausalLM",
                    dict(vocab_size=100, n_positions=40, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2),
                    [TOKENS, PADDED], ["logits"]),
    "gpt-bigcode-heads": ("GPTBigCodeForCausalLM",
                          dict(vocab_size=100, n_positions=40, n_embd=32, n_layer=2, n_head=4, multi_query=False,
                               bos_token_id=1, eos_token_id=2), [TOKENS, PADDED], ["logits"]),
    "granite": ("GraniteForCausalLM",
                dict(SMALL, num_key_value_heads=2, max_position_embeddings=40, embedding_multiplier=3.0,
                     attention_multiplier=0.2, residual_multiplier=0.5, logits_scaling=4.0),
                [TOKENS, PADDED], ["logits"]),
    "modernbert": ("ModernBertForMaskedLM",
                   dict(SMALL, num_hidden_layers=3, max_position_embeddings=40, local_attention=8, pad_token_id=0,
                        bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
                        layer_types=["full_attention", "sliding_attention", "sliding_attention"]),
                   [("input_ids", (2, 21), 100), ("attention_mask", (2, 21), None)], ["logits"]),
    "olmo2": ("Olmo2ForCausalLM", dict(SMALL, num_key_value_heads=2, max_position_embeddings=40, eos_token_id=2),
              [TOKENS, PADDED], ["logits"]),
    "phi3": ("Phi3ForCausalLM",
             dict(SMALL, num_key_value_heads=2, max_position_embeddings=40, sliding_window=6, pad_token_id=0, eos_token_id=2,
                  partial_rotary_factor=0.5), [("input_ids", (2, 11), 100)], ["logits"]),
    "phi3-long": ("Phi3ForCausalLM",
                  dict(SMALL, max_position_embeddings=64, original_max_position_embeddings=16, pad_token_id=0,
                       eos_token_id=2, rope_parameters=dict(rope_type="longrope", rope_theta=10000.0,
                                                            short_factor=[1.0, 1.1, 1.2, 1.5],
                                                            long_factor=[1.0, 1.5, 2.5, 6.0])),
                  [("input_ids", (1, 40), 100)], ["logits"]),
    "stablelm": ("StableLmForCausalLM",
                 dict(SMALL, num_key_value_heads=2, max_position_embeddings=40, partial_rotary_factor=0.5,
                      use_qkv_bias=True), [TOKENS, PADDED], ["logits"]),
    "stablelm-parallel": ("StableLmForCausalLM",
                          dict(SMALL, num_key_value_heads=2, max_position_embeddings=40, partial_rotary_factor=0.5,
                               qk_layernorm=True, use_parallel_residual=True), [TOKENS, PADDED], ["logits"]),
    "starcoder2": ("Starcoder2ForCausalLM",
                   dict(SMALL, num_key_value_heads=2, max_position_embeddings=40, sliding_window=6, bos_token_id=1,
                        eos_token_id=2), [("input_ids", (2, 11), 100)], ["logits"]),
    "opt": ("OPTForCausalLM",
            dict(vocab_size=100, hidden_size=32, num_hidden_layers=2, ffn_dim=64, num_attention_heads=4,
                 max_position_embeddings=40, word_embed_proj_dim=16),
            [TOKENS, PADDED], ["logits"]),
    "phi": ("PhiForCausalLM", dict(SMALL, num_key_value_heads=2, partial_rotary_factor=0.5, max_position_embeddings=40),
            [TOKENS], ["logits"]),
    "qwen2": ("Qwen2ForCausalLM",
              dict(SMALL, num_key_value_heads=2, max_position_embeddings=40, use_sliding_window=True,
                   sliding_window=5, max_window_layers=1),
              [TOKENS], ["logits"]),
    "m2m-100": ("M2M100ForConditionalGeneration", BART, [TOKENS, PADDED, ("decoder_input_ids", (2, 7), 100)],
                ["logits", "encoder_last_hidden_state"]),
    "pegasus": ("PegasusForConditionalGeneration", dict(BART, scale_embedding=True, activation_function="relu"),
                [TOKENS, PADDED, ("decoder_input_ids", (2, 7), 100)], ["logits", "encoder_last_hidden_state"]),
    "siglip": ("SiglipModel",
               dict(text_config=dict(SMALL, max_position_embeddings=11, projection_size=32),
                    vision_config=dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                                       image_size=32, patch_size=8)),
               [("input_ids", (3, 11), 100), ("pixel_values", (2, 3, 32, 32))],
               ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"]),
    "swin-padded": ("SwinModel",
                    dict(image_size=64, patch_size=4, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=5,
                         mlp_ratio=2.0),
                    [("pixel_values", (2, 3, 50, 71))], ["last_hidden_state", "pooler_output"]),
    "vit-resized": ("ViTForImageClassification", dict(SMALL_VISION, num_labels=5),
                    [("pixel_values", (2, 3, 56, 40))], ["logits"], RESIZED),
}

# Task heads and models without one, as small as can be.
TINY = dict(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
            max_position_embeddings=16, num_labels=3)
NARROW = dict(TINY, embedding_size=8)
ENCODERS = {
    "Bert": TINY, "Roberta": TINY, "XLMRoberta": TINY, "MPNet": TINY, "Electra": NARROW, "Albert": NARROW,
    "DebertaV2": dict(TINY, **DISTANCES), "Camembert": TINY,
    "DistilBert": dict(vocab_size=40, dim=16, n_layers=1, n_heads=2, hidden_dim=24, max_position_embeddings=16,
                       num_labels=3),
}
# The padding token is also a word of the text. A window of 6 leaves every query a token that is kept.
GROUPED = dict(TINY, num_key_value_heads=1, pad_token_id=7)
DECODERS = {
    "Llama": GROUPED, "Mistral": dict(GROUPED, sliding_window=6), "Qwen2": GROUPED, "Qwen3": dict(GROUPED, head_dim=8),
    "Gemma2": dict(GROUPED, head_dim=8, sliding_window=6), "Phi": GROUPED, "GPTNeoX": dict(TINY, pad_token_id=7),
    "Falcon": dict(TINY, pad_token_id=7),
    "GPT2": dict(vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2, num_labels=3, pad_token_id=7),
    "OPT": dict(TINY, ffn_dim=24, pad_token_id=7, word_embed_proj_dim=8),
}
T5 = dict(vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, decoder_start_token_id=0)
MT5 = dict(T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
FLAT = dict(encoder_layers=1, decoder_layers=1)
WHISPER = dict(vocab_size=40, d_model=16, num_mel_bins=6, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=24,
               decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=24, max_source_positions=10,
               max_target_positions=12, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=3)
VISION = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, image_size=16, patch_size=8)
TOWERS = dict(text_config=dict(TINY, max_position_embeddings=9, eos_token_id=2), vision_config=VISION, projection_dim=8)
PICTURES = ("pixel_values", (2, 3, 16, 16))
CODE = dict(vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2, num_labels=3, pad_token_id=7, bos_token_id=1,
            eos_token_id=2)
LATER_DECODERS = {
    "Gemma": dict(GROUPED, head_dim=8), "Phi3": GROUPED, "Olmo2": dict(GROUPED, eos_token_id=2), "StableLm": GROUPED,
    "Starcoder2": dict(GROUPED, bos_token_id=1, eos_token_id=2), "GPTBigCode": CODE,
    "Granite": GROUPED, "Cohere": dict(GROUPED, bos_token_id=1, eos_token_id=2),
    "Bloom": dict(vocab_size=40, hidden_size=16, n_layer=1, n_head=2, num_labels=3, pad_token_id=7),
    "Gemma3Text": dict(GROUPED, head_dim=8, sliding_window=6), "GPTJ": dict(CODE, rotary_dim=4),
    "GPTNeo": dict(vocab_size=40, hidden_size=16, num_layers=1, num_heads=2, max_position_embeddings=16, num_labels=3,
                   pad_token_id=7, bos_token_id=1, eos_token_id=2, attention_types=[[["global"], 1]]),
}
MODERN = dict(TINY, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, local_attention=8)
WORDS = ("input_ids", (2, 9), 40)
MASK = ("attention_mask", (2, 9), None)
SPAN = ["start_logits", "end_logits"]
HEADS = {
    **{name + "ForMaskedLM": (config, [WORDS, MASK], ["logits"]) for name, config in ENCODERS.items()},
    **{name + "ForSequenceClassification": (config, [WORDS, MASK], ["logits"]) for name, config in ENCODERS.items()},
    **{name + "ForTokenClassification": (config, [WORDS, MASK], ["logits"])
       for name, config in {**ENCODERS, **DECODERS}.items() if name != "OPT"},
    **{name + "ForQuestionAnswering": (dict(config, num_labels=2), [WORDS, MASK], SPAN)
       for name, config in {**ENCODERS, **DECODERS}.items() if name not in ("Gemma2", "Phi")},
    **{name + "ForSequenceClassification": (config, [("input_ids", (2, 9), 40, 7, [(1, slice(5, 9))]), MASK], ["logits"])
       for name, config in DECODERS.items()},
    "BertForPreTraining": (TINY, [WORDS, MASK], ["prediction_logits", "seq_relationship_logits"]),
    "BertForNextSentencePrediction": (TINY, [WORDS, MASK], ["logits"]),
    "ElectraForPreTraining": (NARROW, [WORDS, MASK], ["logits"]),
    "BartForSequenceClassification": (
        dict(BART, num_labels=3, eos_token_id=5, pad_token_id=1, decoder_start_token_id=2),
        [("input_ids", (2, 9), 40, 5, [(0, 8), (1, 4)]), MASK], ["logits", "encoder_last_hidden_state"]),
    "BartForQuestionAnswering": (BART, [WORDS, MASK], [*SPAN, "encoder_last_hidden_state"]),
    "MBartForSequenceClassification": (
        dict(BART, **FLAT, num_labels=3, eos_token_id=5, pad_token_id=1),
        [("input_ids", (2, 9), 40, 5, [(0, 8), (1, 4)]), MASK], ["logits", "encoder_last_hidden_state"]),
    "MBartForQuestionAnswering": (dict(BART, **FLAT), [WORDS, MASK],
                                  [*SPAN, "encoder_last_hidden_state"]),
    "T5ForSequenceClassification": (
        dict(T5, num_labels=3, eos_token_id=5), [("input_ids", (2, 9), 40, 5, [(0, 8), (1, 4)]), MASK],
        ["logits", "encoder_last_hidden_state"]),
    "T5ForQuestionAnswering": (T5, [WORDS, MASK], [*SPAN, "encoder_last_hidden_state"]),
    "T5ForTokenClassification": (dict(T5, num_labels=3), [WORDS, MASK], ["logits"]),
    "AlbertForPreTraining": (NARROW, [WORDS, MASK], ["prediction_logits", "sop_logits"]),
    **{name + "ForMultipleChoice": (config, [("input_ids", (2, 3, 9), 40), ("attention_mask", (2, 3, 9), None)],
                                    ["logits"]) for name, config in ENCODERS.items()},
    "CLIPForImageClassification": (dict(TOWERS, num_labels=3), [PICTURES], ["logits"]),
    "SiglipForImageClassification": (dict(TOWERS, num_labels=3), [PICTURES], ["logits"]),
    # Models without a head.
    **{name + "Model": (config, [WORDS, MASK], ["last_hidden_state"]) for name, config in DECODERS.items()},
    **{name + "Model": (config, [WORDS, MASK], ["last_hidden_state"]) for name, config in LATER_DECODERS.items()},
    **{name + "ForSequenceClassification": (config, [("input_ids", (2, 9), 40, 7, [(1, slice(5, 9))]), MASK], ["logits"])
       for name, config in LATER_DECODERS.items() if name not in ("Granite", "Cohere")},
    **{name + "ForTokenClassification": (config, [WORDS, MASK], ["logits"])
       for name, config in LATER_DECODERS.items() if name not in ("Granite", "Cohere", "Olmo2", "GPTJ", "Gemma3Text")},
    **{name + "ForQuestionAnswering": (dict(LATER_DECODERS[name], num_labels=2), [WORDS, MASK], SPAN)
       for name in ("Bloom", "GPTJ", "GPTNeo")},
    "ModernBertModel": (MODERN, [WORDS, MASK], ["last_hidden_state"]),
    "ModernBertForSequenceClassification": (dict(MODERN, classifier_pooling="mean"), [WORDS, MASK], ["logits"]),
    "ModernBertForTokenClassification": (MODERN, [WORDS, MASK], ["logits"]),
    "ModernBertForQuestionAnswering": (dict(MODERN, num_labels=2), [WORDS, MASK], SPAN),
    "ModernBertForMultipleChoice": (MODERN, [("input_ids", (2, 3, 9), 40), ("attention_mask", (2, 3, 9), None)],
                                    ["logits"]),
    "XLMRobertaModel": (TINY, [WORDS, MASK], ["last_hidden_state", "pooler_output"]),
    **{name + "Model": (dict(config, **extra),
                        [WORDS, MASK, ("decoder_input_ids", (2, 5), 40)],
                        ["last_hidden_state", "encoder_last_hidden_state"])
       for name, config, extra in [("Bart", BART, FLAT), ("MBart", BART, FLAT), ("T5", T5, {}),
                                   ("Marian", BART, dict(FLAT, pad_token_id=0, decoder_start_token_id=0)),
                                   ("M2M100", BART, FLAT), ("Pegasus", BART, FLAT)]},
    "T5EncoderModel": (T5, [WORDS, MASK], ["last_hidden_state"]),
    "MT5Model": (MT5, [WORDS, MASK, ("decoder_input_ids", (2, 5), 40)], ["last_hidden_state", "encoder_last_hidden_state"]),
    "MT5EncoderModel": (MT5, [WORDS, MASK], ["last_hidden_state"]),
    "MT5ForConditionalGeneration": (MT5, [WORDS, MASK, ("decoder_input_ids", (2, 5), 40)],
                                    ["logits", "encoder_last_hidden_state"]),
    "MT5ForSequenceClassification": (
        dict(MT5, num_labels=3, eos_token_id=5), [("input_ids", (2, 9), 40, 5, [(0, 8), (1, 4)]), MASK],
        ["logits", "encoder_last_hidden_state"]),
    "MT5ForQuestionAnswering": (MT5, [WORDS, MASK], [*SPAN, "encoder_last_hidden_state"]),
    "MT5ForTokenClassification": (dict(MT5, num_labels=3), [WORDS, MASK], ["logits"]),
    "CamembertModel": (TINY, [WORDS, MASK], ["last_hidden_state", "pooler_output"]),
    "WhisperModel": (WHISPER, [("input_features", (2, 6, 20)), ("decoder_input_ids", (2, 5), 40)],
                     ["last_hidden_state", "encoder_last_hidden_state"]),
    "CLIPTextModelWithProjection": (dict(TOWERS["text_config"], projection_dim=8), [WORDS, MASK],
                                    ["text_embeds", "last_hidden_state"]),
    "CLIPVisionModelWithProjection": (dict(TOWERS["vision_config"], projection_dim=8), [PICTURES],
                                      ["image_embeds", "last_hidden_state"]),
    **{name + "TextModel": (TOWERS["text_config"], [WORDS, MASK], ["last_hidden_state", "pooler_output"])
       for name in ("CLIP", "Siglip")},
    **{name + "VisionModel": (TOWERS["vision_config"], [PICTURES], ["last_hidden_state", "pooler_output"])
       for name in ("CLIP", "Siglip")},
    "BeitModel": (VISION, [PICTURES], ["last_hidden_state", "pooler_output"]),
    "DeiTModel": (VISION, [PICTURES], ["last_hidden_state", "pooler_output"]),
    "DeiTForImageClassification": (dict(VISION, num_labels=3), [PICTURES], ["logits"]),
    "Dinov2ForImageClassification": (dict(VISION, num_labels=3), [PICTURES], ["logits"]),
    "SwinModel": (dict(image_size=16, patch_size=2, embed_dim=8, depths=[1, 2], num_heads=[1, 2], window_size=4),
                  [PICTURES], ["last_hidden_state", "pooler_output"]),
}
CASES.update({"heads/" + name: (name, *case) for name, case in HEADS.items()})


def randomize(model, generator):
    """Weights that tell: attention far from uniform, biases and norms that matter."""
    def normal(p, deviation, mean=0.0):
        p.copy_(torch.randn(p.shape, generator=generator) * deviation + mean)

    tables = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    norms = {id(m.weight) for m in model.modules() if "norm" in type(m).__name__.lower() and hasattr(m, "weight")}
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.requires_grad:  # tables of sines
                continue
            if id(p) in norms or "lambda" in name:
                normal(p, 0.1, 1.0)
            elif id(p) in tables or "token" in name or "table" in name or "position" in name:
                normal(p, 0.5)
            elif p.dim() < 2:
                normal(p, 0.1)
            else:
                normal(p, p[0].numel() ** -0.5)


def make_inputs(inputs, generator):
    made = {}
    for name, shape, *below in inputs:
        if len(below) > 1:  # ids with some of the texts' end: the last one counts
            made[name] = torch.randint(8, below[0], shape, generator=generator)
            made[name][:, 3] = below[1]
            for row, column in below[2]:
                made[name][row, column] = below[1]
        elif not below:
            made[name] = torch.randn(shape, generator=generator)
        elif below[0]:
            made[name] = torch.randint(3, below[0], shape, generator=generator)
        else:  # the second one is padded at its end
            made[name] = torch.ones(shape, dtype=torch.int64)
            made[name][1, ..., -4:] = 0
            if name == "feature_mask":
                made[name][1, -2:] = 0
    return made


def detr(model, feature_map, feature_mask):
    """The transformer alone, behind a backbone that gives what it is told; the last attention map, averaged."""
    class Backbone(torch.nn.Module):
        def forward(self, pixel_values, pixel_mask):
            return [(feature_map, feature_mask.bool())]

    model.model.backbone = Backbone()
    pixels = torch.zeros(feature_map.shape[0], 3, 8, 8, dtype=feature_map.dtype)
    found = model(pixel_values=pixels, output_attentions=True)
    shape = feature_map.shape[2:]
    return {"logits": found.logits, "pred_boxes": found.pred_boxes,
            "cross_attention": found.cross_attentions[-1].mean(1).unflatten(-1, shape)}


CALLS = {"detr": detr}


def forward(name, model, inputs, dtype):
    outputs, arguments = CASES[name][3], (CASES[name][4:] or ({},))[0]
    model = model.to(dtype)
    converted = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
    with torch.no_grad():
        result = CALLS[name](model, **converted) if name in CALLS else model(**converted, **arguments)
    return {name: result[name].to(torch.float32 if dtype == torch.float32 else torch.float64) for name in outputs}


class promoted:
    """Casts to float32 inside the library become casts to float64."""

    def __enter__(self):
        self.saved = (torch.Tensor.float, torch.Tensor.bfloat16, torch.Tensor.to, torch.nn.functional.softmax)
        float32, to, softmax = torch.float32, torch.Tensor.to, torch.nn.functional.softmax

        def promote(x):
            return torch.float64 if x is float32 else x

        def wide_to(tensor, *args, **kwargs):
            return to(tensor, *map(promote, args), **{k: promote(v) for k, v in kwargs.items()})

        def wide_softmax(x, dim=None, _stacklevel=3, dtype=None):
            return softmax(x, dim=dim, dtype=promote(dtype))

        torch.Tensor.float = lambda tensor: tensor.double()
        torch.Tensor.bfloat16 = lambda tensor: tensor.double()  # of Falcon's ALiBi
        torch.Tensor.to = wide_to
        torch.nn.functional.softmax = wide_softmax

    def __exit__(self, *_):
        torch.Tensor.float, torch.Tensor.bfloat16, torch.Tensor.to, torch.nn.functional.softmax = self.saved


def save_case(folder, source, seed, inputs, single, exact):
    error = max((single[o].double() - exact[o]).abs().max().item() for o in exact)
    atol = max(2e-5, float(f"{20 * error:.0e}"))
    save_file(inputs, folder / "inputs.safetensors")
    save_file({o: exact[o].float().contiguous() for o in exact}, folder / "outputs.safetensors")
    (folder / "case.json").write_text(json.dumps({
        "source": source,
        "made_by": pathlib.Path(sys.argv[0]).name,
        "seed": seed,
        "tolerance": {"rtol": 1e-4, "atol": atol},
        "torch_float32_max_abs_error": float(f"{error:.3g}"),
        "outputs": {o: {"shape": list(exact[o].shape), "mean_abs": float(f"{exact[o].abs().mean().item():.4g}")}
                    for o in exact},
    }, indent=2) + "\n")
    print(f"{folder.name}: error of float32 {error:.2e}, atol {atol:.0e}")


def make(name, folder):
    cls, config, inputs, outputs = CASES[name][:4]
    seed = sum(map(ord, name))
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model_class = getattr(transformers, cls)
    model = model_class(model_class.config_class(**dict(dict(attn_implementation="eager"), **config))).eval()
    randomize(model, generator)
    tensors = make_inputs(inputs, generator)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    # Rotary tables are made in float32 and promoted, as the library keeps them.
    single = forward(name, model, tensors, torch.float32)
    with promoted():
        exact = forward(name, model, tensors, torch.float64)
    save_case(folder, f"transformers {transformers.__version__} {cls}", seed, tensors, single, exact)


def make_sentence(folder):
    """A directory of sentence-transformers with every way to pool, a layer and a norm."""
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling
    torch.manual_seed(5)
    generator = torch.Generator().manual_seed(5)
    model = transformers.MPNetModel(transformers.MPNetConfig(**TINY, attn_implementation="eager")).eval()
    pooling = Pooling(16, ("cls", "max", "mean", "mean_sqrt_len_tokens"))
    dense = Dense(64, 8, activation_function=torch.nn.Tanh())
    for module in (model, dense):
        randomize(module, generator)
    inputs = make_inputs([WORDS, MASK], generator)
    model.save_pretrained(folder)
    modules = [("", None), ("1_Pooling", pooling), ("2_Dense", dense), ("3_Normalize", Normalize())]
    for path, module in modules[1:]:
        (folder / path).mkdir(exist_ok=True)
        module.save(str(folder / path))
    (folder / "modules.json").write_text(json.dumps(
        [{"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + name}
         for i, ((path, _), name) in enumerate(zip(modules, ["Transformer", "Pooling", "Dense", "Normalize"]))],
        indent=2) + "\n")

    def embed(dtype):
        with torch.no_grad():
            features = {**inputs, "token_embeddings": model.to(dtype)(**inputs).last_hidden_state}
            for _, module in modules[1:]:
                features = module.to(dtype)(features)
        return {"sentence_embedding": features["sentence_embedding"]}

    single = embed(torch.float32)
    with promoted():
        exact = embed(torch.float64)
    save_case(folder, "sentence-transformers MPNetModel, Pooling, Dense, Normalize", 5, inputs, single, exact)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for case in sys.argv[2:] or [*CASES, "sentence"]:
        target = pathlib.Path(sys.argv[1]) / case
        make_sentence(target) if case == "sentence" else make(case, target)
