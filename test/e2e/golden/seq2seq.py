#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the golden cases of recurrent models with torch (CPU); attnc has no part in it.

    seq2seq.py OUTPUT

The same rules as make.py, whose packages it needs. The classes are those of Dive into Deep Learning (d2l.ai, chapter
11.4), spelt out over torch.nn so that the package itself is not needed; their weights have its names.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch import nn

from make import randomize, save_case

SEQ2SEQ = dict(src_vocab_size=20, tgt_vocab_size=24, embed_size=8, num_hiddens=20, num_layers=2)


class Rnn(nn.Module):
    """d2l.GRU: torch's under the name rnn."""

    def __init__(self, inputs, hiddens, layers):
        super().__init__()
        self.rnn = nn.GRU(inputs, hiddens, layers)

    def forward(self, inputs):
        return self.rnn(inputs)


class Encoder(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, embed_size, num_hiddens, num_layers):
        super().__init__()
        self.embedding = nn.Embedding(src_vocab_size, embed_size)
        self.rnn = Rnn(embed_size, num_hiddens, num_layers)

    def forward(self, src):
        return self.rnn(self.embedding(src.t()))


class AdditiveAttention(nn.Module):
    def __init__(self, hiddens):
        super().__init__()
        self.W_k = nn.Linear(hiddens, hiddens, bias=False)
        self.W_q = nn.Linear(hiddens, hiddens, bias=False)
        self.w_v = nn.Linear(hiddens, 1, bias=False)

    def forward(self, queries, keys, values, valid_lens):
        features = torch.tanh(self.W_q(queries).unsqueeze(2) + self.W_k(keys).unsqueeze(1))
        scores = self.w_v(features).squeeze(-1)
        hidden = torch.arange(keys.shape[1])[None, None, :] >= valid_lens[:, None, None]
        self.weights = torch.softmax(scores.masked_fill(hidden, -1e6), dim=-1)
        return torch.bmm(self.weights, values)


class Decoder(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, embed_size, num_hiddens, num_layers):
        super().__init__()
        self.attention = AdditiveAttention(num_hiddens)
        self.embedding = nn.Embedding(tgt_vocab_size, embed_size)
        self.rnn = nn.GRU(embed_size + num_hiddens, num_hiddens, num_layers)
        self.dense = nn.Linear(num_hiddens, tgt_vocab_size)

    def forward(self, tgt, outputs, state, valid_lens):
        encoded = outputs.permute(1, 0, 2)
        steps, weights = [], []
        for x in self.embedding(tgt).permute(1, 0, 2):
            context = self.attention(state[-1].unsqueeze(1), encoded, encoded, valid_lens)
            x = torch.cat((context, x.unsqueeze(1)), dim=-1)
            out, state = self.rnn(x.permute(1, 0, 2), state)
            steps.append(out)
            weights.append(self.attention.weights)
        return self.dense(torch.cat(steps)).permute(1, 0, 2), torch.cat(weights, dim=1)


class Seq2Seq(nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        self.encoder = Encoder(**sizes)
        self.decoder = Decoder(**sizes)

    def forward(self, src, valid_lens, tgt):
        logits, weights = self.decoder(tgt, *self.encoder(src), valid_lens)
        return {"logits": logits, "attention_weights": weights}


class Layers(nn.Module):
    """Both ways through two layers, on batch-first sequences."""

    def __init__(self, width, hiddens):
        super().__init__()
        options = dict(num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(width, hiddens, **options)
        self.lstm = nn.LSTM(width, hiddens, **options)

    def forward(self, x):
        gru_y, gru_h = self.gru(x)
        lstm_y, (lstm_h, lstm_c) = self.lstm(x)
        return {"gru_y": gru_y, "gru_h": gru_h[3], "lstm_y": lstm_y, "lstm_h": lstm_h[2], "lstm_c": lstm_c[3]}


def make(folder, seed, model, inputs, config, source):
    folder.mkdir(parents=True, exist_ok=True)
    randomize(model, torch.Generator().manual_seed(seed))
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    with torch.no_grad():
        single = model(**inputs)
        exact = model.double()(**{k: v.double() if v.is_floating_point() else v for k, v in inputs.items()})
    save_case(folder, source, seed, inputs, single, exact)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root, generator = pathlib.Path(sys.argv[1]), torch.Generator().manual_seed(6)
    make(root / "d2l-seq2seq", 11, Seq2Seq(**SEQ2SEQ),
         {"src": torch.randint(20, (3, 7), generator=generator), "valid_lens": torch.tensor([7, 3, 5]),
          "tgt": torch.randint(24, (3, 5), generator=generator)},
         {"library": "d2l", "class": "Seq2Seq", "args": SEQ2SEQ}, f"torch {torch.__version__}, the classes of d2l.ai")
    make(root / "recurrent", 12, Layers(10, 12), {"x": torch.randn((2, 6, 10), generator=generator)},
         {"library": "torch", "width": 10, "n": 12}, f"torch {torch.__version__} GRU and LSTM")
