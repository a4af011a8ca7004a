// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sequences that are generated among others, which join late and leave early,
// with prompts in parts, pages anywhere and any number of threads, have the
// tokens and the bits of the logits that they have alone.
//
//     generate-alone MODEL.weights
//
// Compiled with -DMODEL=prefix and linked with the model's archive.

#include "attn/abi.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define PROGRAM PASTE(MODEL, _program)
extern "C" const attn_program *PROGRAM();

namespace {

constexpr size_t sequenceCount = 6, pageCount = 64, longestSource = 40;
constexpr int rounds = 4;

using Ids = std::vector<int64_t>;
using Rows = std::vector<std::vector<float>>;

[[noreturn]] void fail(const std::string &what) {
  std::printf("FAILED: %s\n", what.c_str());
  std::exit(1);
}

void runOnThreads(void *, size_t slots, attn_task task, void *arg) {
  std::vector<std::thread> threads;
  for (size_t slot = 1; slot < slots; ++slot)
    threads.emplace_back([=] { task(arg, slot); });
  task(arg, 0);
  for (std::thread &thread : threads)
    thread.join();
}

/// What a sequence is to become: a prompt and a number of further tokens.
struct Text {
  Ids prompt;
  size_t more;
  std::vector<float> source; ///< of an encoder, or its ids
  Ids sourceIds;
};

/// A sequence on its way.
struct Sequence {
  const Text *text;
  Ids tokens, pages, memoryPages;
  int64_t past = 0, memoryLength = 0;
  Rows logits; ///< one row for each new token
  bool ended() const {
    return tokens.size() == text->prompt.size() + text->more;
  }
};

/// A number of new tokens of a sequence.
struct Part {
  Sequence *sequence;
  int64_t count;
};

/// The model, a cache and what is free of it.
class Steps {
public:
  Steps(const attn_model *model, size_t threads, std::mt19937 *random)
      : model(model), executor{nullptr, threads, runOnThreads}, random(random),
        cache(pageCount * size_t(step.cache->page_bytes) / sizeof(float) + 16,
              NAN) {
    free.resize(pageCount);
    std::iota(free.begin(), free.end(), 0);
    std::reverse(free.begin(), free.end());
    if (random)
      std::shuffle(free.begin(), free.end(), *random);
  }

  Sequence join(const Text &text) {
    Sequence sequence{&text, text.prompt, {}, {}, 0, 0, {}};
    sequence.pages = take(int64_t(text.prompt.size() + text.more));
    if (step.part_count)
      encode(sequence);
    return sequence;
  }

  void leave(const Sequence &sequence) {
    for (const Ids *pages : {&sequence.pages, &sequence.memoryPages})
      free.insert(free.end(), pages->begin(), pages->end());
    if (random)
      std::shuffle(free.begin(), free.end(), *random);
  }

  void call(const std::vector<Part> &parts);

private:
  Ids take(int64_t positions) {
    int64_t size = step.cache->page_tokens;
    int64_t count = (positions + size - 1) / size;
    if (size_t(count) > free.size())
      fail("the test's cache is too small");
    Ids taken(free.end() - count, free.end());
    free.resize(free.size() - size_t(count));
    return taken;
  }

  float *pages() {
    auto address = reinterpret_cast<uintptr_t>(cache.data());
    return reinterpret_cast<float *>((address + 63) / 64 * 64);
  }

  void encode(Sequence &sequence);
  void run(const attn_program &program, const attn_model *of,
           const std::vector<const void *> &inputs, const Ids &dims,
           float *output);

  const attn_program &step = *PROGRAM();
  const attn_model *model;
  attn_executor executor;
  std::mt19937 *random;
  std::vector<float> cache;
  Ids free;
};

void setSize(const attn_tensor_info &info, int axis, int64_t size, Ids &dims) {
  if (info.shape[axis] < 0)
    dims[size_t(-1 - info.shape[axis])] = size;
}

void Steps::run(const attn_program &program, const attn_model *of,
                const std::vector<const void *> &inputs, const Ids &dims,
                float *output) {
  void *outputs[] = {output};
  attn_error error;
  if (program.functions->call(of, &executor, dims.data(), inputs.data(),
                              outputs, &error))
    fail(error.message);
}

void Steps::encode(Sequence &sequence) {
  const attn_program &program = *step.parts[0];
  Ids dims(program.dim_count, 1);
  std::vector<const void *> inputs(program.input_count);
  for (uint32_t i = 0; i < program.input_count; ++i) {
    const attn_tensor_info &info = program.inputs[i];
    const Text &text = *sequence.text;
    if (info.role != ATTN_ROLE_NONE)
      continue;
    setSize(info, info.rank - 1, int64_t(text.sourceIds.size()), dims);
    inputs[i] = info.dtype == ATTN_I64 ? (const void *)text.sourceIds.data()
                                       : text.source.data();
  }
  int64_t length = program.cache->memory_length;
  sequence.memoryLength = length < 0 ? dims[size_t(-1 - length)] : length;
  sequence.memoryPages = take(sequence.memoryLength);
  for (uint32_t i = 0; i < program.input_count; ++i) {
    const attn_tensor_info &info = program.inputs[i];
    if (info.role == ATTN_ROLE_CACHE) {
      setSize(info, 0, pageCount, dims);
      inputs[i] = pages();
    } else if (info.role == ATTN_ROLE_MEMORY_PAGES) {
      setSize(info, 1, int64_t(sequence.memoryPages.size()), dims);
      inputs[i] = sequence.memoryPages.data();
    }
  }
  run(program, step.functions->part(model, 0), inputs, dims, nullptr);
}

int64_t likeliest(const std::vector<float> &row) {
  return std::max_element(row.begin(), row.end()) - row.begin();
}

/// A table as wide as its longest row; shorter ones name no page behind it.
Ids tableOf(const std::vector<Part> &parts, Ids Sequence::*pages,
            size_t &columns) {
  columns = 1;
  for (const Part &part : parts)
    columns = std::max(columns, (part.sequence->*pages).size());
  Ids table;
  for (const Part &part : parts) {
    const Ids &row = part.sequence->*pages;
    table.insert(table.end(), row.begin(), row.end());
    table.resize(table.size() + columns - row.size(), -1);
  }
  return table;
}

void Steps::call(const std::vector<Part> &parts) {
  Ids tokens, counts, past, memoryLengths;
  for (const Part &part : parts) {
    const Sequence &sequence = *part.sequence;
    auto first = sequence.tokens.begin() + sequence.past;
    tokens.insert(tokens.end(), first, first + part.count);
    counts.push_back(part.count);
    past.push_back(sequence.past);
    memoryLengths.push_back(sequence.memoryLength);
  }
  size_t blocks, memoryBlocks;
  Ids table = tableOf(parts, &Sequence::pages, blocks);
  Ids memory = tableOf(parts, &Sequence::memoryPages, memoryBlocks);
  Ids dims(step.dim_count, 1);
  std::vector<const void *> inputs(step.input_count);
  for (uint32_t i = 0; i < step.input_count; ++i) {
    const attn_tensor_info &info = step.inputs[i];
    const void *values[] = {nullptr,       tokens.data(),       counts.data(),
                            past.data(),   table.data(),        pages(),
                            memory.data(), memoryLengths.data()};
    inputs[i] = values[info.role];
    if (info.role == ATTN_ROLE_TOKENS)
      setSize(info, 1, int64_t(tokens.size()), dims);
    else if (info.role == ATTN_ROLE_COUNTS)
      setSize(info, 0, int64_t(parts.size()), dims);
    else if (info.role == ATTN_ROLE_PAGES)
      setSize(info, 1, int64_t(blocks), dims);
    else if (info.role == ATTN_ROLE_MEMORY_PAGES)
      setSize(info, 1, int64_t(memoryBlocks), dims);
    else if (info.role == ATTN_ROLE_CACHE)
      setSize(info, 0, pageCount, dims);
  }
  size_t width = size_t(step.outputs[0].shape[2]);
  std::vector<float> logits(parts.size() * width);
  run(step, model, inputs, dims, logits.data());
  for (size_t p = 0; p < parts.size(); ++p) {
    Sequence &sequence = *parts[p].sequence;
    sequence.past += parts[p].count;
    if (size_t(sequence.past) < sequence.tokens.size())
      continue;
    auto row = logits.begin() + ptrdiff_t(p * width);
    sequence.logits.emplace_back(row, row + ptrdiff_t(width));
    sequence.tokens.push_back(likeliest(sequence.logits.back()));
  }
}

/// Prompts and sources of unequal lengths, some beyond a page.
std::vector<Text> makeTexts() {
  std::mt19937 random(3);
  const attn_program &step = *PROGRAM();
  int64_t vocabulary = 0, sourceBound = 0;
  for (uint32_t i = 0; i < step.input_count; ++i)
    if (step.inputs[i].role == ATTN_ROLE_TOKENS)
      vocabulary = step.inputs[i].bound;
  if (step.part_count)
    sourceBound = step.parts[0]->inputs[0].bound;
  size_t longest = step.cache->positions ? size_t(step.cache->positions) : 256;
  std::vector<Text> texts(sequenceCount);
  const size_t lengths[sequenceCount] = {1, 90, 7, 64, 33, 70};
  for (size_t t = 0; t < sequenceCount; ++t) {
    texts[t].more = std::min<size_t>(longest / 4, 20 + t);
    texts[t].prompt.resize(std::min(lengths[t], longest - texts[t].more));
    for (int64_t &id : texts[t].prompt)
      id = int64_t(random() % uint64_t(vocabulary));
    texts[t].sourceIds.resize(1 + random() % longestSource);
    for (int64_t &id : texts[t].sourceIds)
      id = sourceBound ? int64_t(random() % uint64_t(sourceBound)) : 0;
  }
  return texts;
}

Sequence generateAlone(const attn_model *model, const Text &text) {
  Steps steps(model, 1, nullptr);
  Sequence sequence = steps.join(text);
  while (!sequence.ended())
    steps.call({{&sequence, int64_t(sequence.tokens.size()) - sequence.past}});
  return sequence;
}

void expectSame(const Sequence &sequence, const Sequence &alone,
                const std::string &where) {
  for (size_t i = 0; i < sequence.logits.size(); ++i)
    if (std::memcmp(sequence.logits[i].data(), alone.logits[i].data(),
                    alone.logits[i].size() * sizeof(float)))
      fail("new token " + std::to_string(i) + " of a prompt of " +
           std::to_string(sequence.text->prompt.size()) + " differs " + where);
  if (!std::equal(sequence.tokens.begin(), sequence.tokens.end(),
                  alone.tokens.begin()))
    fail("tokens differ " + where);
}

/// All texts, some of them several times; returns how many tokens were
/// compared.
size_t generateTogether(const attn_model *model, const std::vector<Text> &texts,
                        const std::vector<Sequence> &alone, unsigned seed) {
  std::mt19937 random(seed);
  auto draw = [&](size_t count) { return size_t(random() % count); };
  size_t threads = 1 + seed % 2, compared = 0, joined = 0;
  std::string where = "in round " + std::to_string(seed) + " with " +
                      std::to_string(threads) + " threads";
  Steps steps(model, threads, &random);
  std::vector<Sequence> going;
  for (int calls = 0; joined < 2 * sequenceCount || !going.empty(); ++calls) {
    if (calls > 2000)
      fail("sequences do not end " + where);
    if (joined < 2 * sequenceCount && going.size() < 5 && draw(3) == 0)
      going.push_back(steps.join(texts[joined++ % sequenceCount]));
    if (going.size() > 2 && draw(16) == 0) {
      expectSame(going.front(),
                 alone[size_t(going.front().text - texts.data())], where);
      steps.leave(going.front());
      going.erase(going.begin());
    }
    std::vector<Part> parts;
    for (Sequence &sequence : going) {
      size_t left = sequence.tokens.size() - size_t(sequence.past);
      if (draw(4) > 0)
        parts.push_back({&sequence, int64_t(1 + draw(left))});
    }
    std::shuffle(parts.begin(), parts.end(), random);
    if (parts.empty())
      continue;
    steps.call(parts);
    for (size_t s = going.size(); s-- > 0;) {
      if (!going[s].ended())
        continue;
      expectSame(going[s], alone[size_t(going[s].text - texts.data())], where);
      compared += going[s].logits.size();
      steps.leave(going[s]);
      going.erase(going.begin() + ptrdiff_t(s));
    }
  }
  return compared;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2)
    fail("expects the path of the weights");
  attn_model *model;
  attn_error error;
  if (PROGRAM()->functions->open(PROGRAM(), argv[1], nullptr, &model, &error))
    fail(error.message);
  std::vector<Text> texts = makeTexts();
  std::vector<Sequence> alone;
  for (const Text &text : texts)
    alone.push_back(generateAlone(model, text));
  size_t compared = 0;
  for (unsigned seed = 0; seed < rounds; ++seed)
    compared += generateTogether(model, texts, alone, seed);
  PROGRAM()->functions->close(model);
  if (compared < 200)
    fail("only " + std::to_string(compared) + " tokens were compared");
  std::printf("%s: every bit as alone\n", PROGRAM()->name);
}
