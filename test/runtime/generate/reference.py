#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the distributions that SamplerTest.cpp expects.

Written after the processors of transformers (RepetitionPenaltyLogitsProcessor,
TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, in the order in
which generate() applies them), in plain Python, independently of Sampler.c."""

import math

LOGITS = [1.5, -0.25, 3.0, 0.0, 3.0, -2.0, 2.25, 0.5]


def repetition(scores, tokens, penalty):
    scores = list(scores)
    for token in set(tokens):
        score = scores[token]
        scores[token] = score * penalty if score < 0 else score / penalty
    return scores


def softmax(scores):
    top = max(scores)
    powers = [math.exp(s - top) if s > -math.inf else 0.0 for s in scores]
    return [p / math.fsum(powers) for p in powers]


def top_k(scores, k):
    least = sorted(scores, reverse=True)[min(k, len(scores)) - 1]
    return [s if s >= least else -math.inf for s in scores]


def top_p(scores, p):
    # Ascending, as transformers sorts; equal scores: the lower id is likelier.
    order = sorted(range(len(scores)), key=lambda i: (scores[i], -i))
    probabilities = softmax(scores)
    kept, cumulative = list(scores), 0.0
    for i in order[:-1]:
        cumulative += probabilities[i]
        if cumulative <= 1 - p:
            kept[i] = -math.inf
    return kept


def uniform(seed, count):
    """SplitMix64's output function, twice."""

    def mix(x):
        mask = (1 << 64) - 1
        x = (x + 0x9E3779B97F4A7C15) & mask
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & mask
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & mask
        return x ^ (x >> 31)

    return (mix(mix(seed) ^ count) >> 11) / (1 << 53)


def draw(scores, u):
    cumulative = 0.0
    for token, p in enumerate(softmax(scores)):
        cumulative += p
        if u < cumulative:
            return token
    return len(scores) - 1


def show(name, scores):
    print(name, ", ".join(f"{p:.9f}" for p in softmax(scores)))


if __name__ == "__main__":
    show("plain", LOGITS)
    show("temperature 0.5", [s / 0.5 for s in LOGITS])
    show("top_k 3", top_k(LOGITS, 3))
    show("top_k 1 (a tie)", top_k(LOGITS, 1))
    show("top_p 0.7", top_p(LOGITS, 0.7))
    show("top_p 0.1", top_p(LOGITS, 0.1))
    show("top_k 4, top_p 0.8, temperature 2",
         top_p(top_k([s / 2 for s in LOGITS], 4), 0.8))
    show("penalty 1.5 of 2, 5, 2, temperature 1",
         repetition(LOGITS, [2, 5, 2], 1.5))
    print("draws of seed 42", [draw(LOGITS, uniform(42, n)) for n in range(1, 17)])
