// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prints how similar sentences are: the cosine of each pair of embeddings.
//
//   sentence-similarity sentence.weights < tokens
//
// Each line of the input is a sentence: token ids with spaces between them.

#include "sentence.h"

#include <attn/abi.h>
#include <attn/pool.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Sentence = std::vector<int64_t>;

/// Rows of equal width, one after the other.
struct Matrix {
  size_t rows, columns;
  std::vector<float> values;

  const float *row(size_t i) const { return values.data() + i * columns; }
};

void check(attn_status status, const attn_error &error) {
  if (status != ATTN_OK)
    throw std::runtime_error(error.message);
}

using Model = std::unique_ptr<attn_model, decltype(&sentence_close)>;
using Pool = std::unique_ptr<attn_pool, decltype(&attn_pool_destroy)>;

Model openModel(const char *weights) {
  attn_model *model = nullptr;
  attn_error error = {};
  check(sentence_open(weights, &model, &error), error);
  return Model(model, sentence_close);
}

Pool createPool() {
  attn_pool *pool = nullptr;
  attn_error error = {};
  check(attn_pool_create(0, &pool, &error), error);
  return Pool(pool, attn_pool_destroy);
}

std::vector<Sentence> readSentences(std::istream &in) {
  std::vector<Sentence> sentences;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Sentence ids;
    for (int64_t id; words >> id;)
      ids.push_back(id);
    if (!words.eof())
      throw std::runtime_error("expects token ids with spaces between them, "
                               "but got '" +
                               line + "'");
    if (!ids.empty())
      sentences.push_back(std::move(ids));
  }
  if (sentences.empty())
    throw std::runtime_error("expects at least one sentence");
  return sentences;
}

/// The width of the embeddings, which the library itself tells.
size_t embeddingWidth() {
  const attn_program *program = sentence_program();
  for (uint32_t i = 0; i < program->output_count; ++i)
    if (program->outputs[i].name == std::string("sentence_embedding"))
      return static_cast<size_t>(program->outputs[i].shape[1]);
  throw std::logic_error("the model has no sentence_embedding");
}

/// All sentences in one batch, padded to the longest; the mask tells which
/// tokens count.
Matrix embed(const attn_model *model, const attn_executor &executor,
             const std::vector<Sentence> &sentences) {
  size_t batch = sentences.size(), length = 0, width = embeddingWidth();
  for (const Sentence &ids : sentences)
    length = std::max(length, ids.size());
  std::vector<int64_t> ids(batch * length), mask(batch * length),
      types(batch * length);
  for (size_t i = 0; i < batch; ++i) {
    std::copy(sentences[i].begin(), sentences[i].end(),
              ids.begin() + i * length);
    std::fill_n(mask.begin() + i * length, sentences[i].size(), 1);
  }

  std::vector<float> hidden(batch * length * width), mean(batch * width);
  Matrix embeddings = {batch, width, std::vector<float>(batch * width)};
  sentence_dims dims = {};
  dims.batch = static_cast<int64_t>(batch);
  dims.sequence = static_cast<int64_t>(length);
  sentence_inputs inputs = {};
  inputs.input_ids = ids.data();
  inputs.attention_mask = mask.data();
  inputs.token_type_ids = types.data();
  sentence_outputs outputs = {};
  outputs.last_hidden_state = hidden.data();
  outputs.mean_pooled = mean.data();
  outputs.sentence_embedding = embeddings.values.data();
  attn_error error = {};
  check(sentence_call(model, &executor, &dims, &inputs, &outputs, &error),
        error);
  return embeddings;
}

/// Embeddings have length 1, so their product is the cosine.
float dot(const float *a, const float *b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i)
    sum += static_cast<double>(a[i]) * b[i];
  return static_cast<float>(sum);
}

void printSimilarities(const Matrix &embeddings) {
  for (size_t i = 0; i < embeddings.rows; ++i) {
    for (size_t j = 0; j < embeddings.rows; ++j)
      std::printf(
          j ? " %.4f" : "%.4f",
          dot(embeddings.row(i), embeddings.row(j), embeddings.columns));
    std::printf("\n");
  }
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: sentence-similarity WEIGHTS < TOKENS\n");
    return 2;
  }
  try {
    std::vector<Sentence> sentences = readSentences(std::cin);
    Pool pool = createPool();
    Model model = openModel(argv[1]);
    printSimilarities(
        embed(model.get(), attn_pool_executor(pool.get()), sentences));
  } catch (const std::exception &error) {
    std::fprintf(stderr, "sentence-similarity: %s\n", error.what());
    return 1;
  }
  return 0;
}
