// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels on a key and value cache against the formula in double: rows of
// tokens, appending, and attention of ragged rows through shuffled pages.

#include "dialect/AttnDialect.h"
#include "test/codegen/cpu/KernelTest.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>
#include <functional>
#include <map>
#include <numeric>

using namespace attn;
using namespace attn::test;
using llvm::formatv;

namespace {

struct Shape {
  int64_t h, g, d, e; ///< heads, key heads, widths

  int64_t entry() const { return pageEntryFloats(g, d, e); }
  /// Another entry lies before this one, and some floats behind it.
  int64_t offset() const { return 48; }
  int64_t page() const { return offset() + entry() + 16; }
};

/// A whole sequence; queries of all tokens, of which a call takes some.
struct Sequence {
  int64_t tokens;
  std::vector<float> q, k, v; ///< [tokens, heads, width]
};

/// Tokens [past, past + count) of a sequence, new in a call.
struct Piece {
  const Sequence *sequence;
  int64_t past, count;
  int64_t length() const { return past + count; }
};

/// Regions as text and as functions. p is a row's position in its sequence.
struct Program {
  std::string score, keep;
  std::function<double(double dot, int h, int p, int j)> scoreOf;
  std::function<bool(int p, int j)> keepOf;
  int64_t window = 1 << 30; ///< keys that a row may look back on
  std::string normalizer = "softmax";
};

constexpr int64_t kNowhere = int64_t(1) << 40; ///< a page no kernel may touch

/// Memory of a cache, and which pages hold which sequence.
class Cache {
public:
  Cache(const Shape &s, int64_t pageCount, std::mt19937 &random)
      : s(s), memory(std::vector<float>(pageCount * s.page(), NAN)) {
    free.resize(pageCount);
    std::iota(free.begin(), free.end(), 0);
    std::shuffle(free.begin(), free.end(), random);
  }

  int64_t take() {
    int64_t page = free.back();
    free.pop_back();
    return page;
  }
  float &key(int64_t page, int64_t g, int64_t j, int64_t d) {
    int64_t slot = j % kPageTokens;
    return at(page, ((g * (kPageTokens / 16) + slot / 16) * s.d + d) * 16 +
                        slot % 16);
  }
  float &value(int64_t page, int64_t g, int64_t j, int64_t e) {
    int64_t panels = llvm::divideCeil(s.e, 16);
    return at(page,
              s.g * kPageTokens * s.d +
                  ((g * panels + e / 16) * kPageTokens + j % kPageTokens) * 16 +
                  e % 16);
  }
  float &at(int64_t page, int64_t place) {
    return memory.data()[page * s.page() + s.offset() + place];
  }
  const Shape &s;
  GuardedBuffer memory;
  std::vector<int64_t> free;
};

/// One call on a cache: packed rows and a table of pages.
struct Call {
  std::vector<Piece> pieces;
  int64_t tokens = 0, blocks = 0;
  std::vector<int64_t> counts, past, pages;
  std::vector<int64_t> starts, lengths, sequence, position;
};

class CacheKernels : public KernelTest {
protected:
  Sequence makeSequence(const Shape &s, int64_t tokens) {
    return {tokens, normal(tokens * s.h * s.d), normal(tokens * s.g * s.d),
            normal(tokens * s.g * s.e)};
  }
  Call makeCall(const std::vector<Piece> &pieces, int64_t extraBlocks = 1);
  void placePages(Call &call, Cache &cache, int64_t window);
  void writeTokens(const Shape &s, const Call &call, Cache &cache, bool past);
  std::vector<float> attend(const Shape &s, const Program &program,
                            const Call &call, const Cache &cache,
                            bool compare = true);
  void compareRows(const Shape &s, const Program &program, const Call &call,
                   const float *output);
  void checkProgram(const Shape &s, const Program &program,
                    const std::vector<std::pair<int64_t, int64_t>> &sizes);

  std::map<std::string, CompiledKernel> kernels; ///< by their text
};

Call CacheKernels::makeCall(const std::vector<Piece> &pieces,
                            int64_t extraBlocks) {
  Call call;
  call.pieces = pieces;
  for (auto [i, piece] : llvm::enumerate(pieces)) {
    call.counts.push_back(piece.count);
    call.past.push_back(piece.past);
    call.starts.push_back(call.tokens);
    call.lengths.push_back(piece.length());
    for (int64_t t = 0; t < piece.count; ++t) {
      call.sequence.push_back(i);
      call.position.push_back(piece.past + t);
    }
    call.tokens += piece.count;
    call.blocks = std::max<int64_t>(
        call.blocks, llvm::divideCeil(piece.length(), kPageTokens));
  }
  call.blocks += extraBlocks;
  return call;
}

/// Pages for what the rows may look at; all else is no page at all.
void CacheKernels::placePages(Call &call, Cache &cache, int64_t window) {
  call.pages.assign(call.pieces.size() * call.blocks, kNowhere);
  for (auto [i, piece] : llvm::enumerate(call.pieces))
    for (int64_t block = 0; block * kPageTokens < piece.length(); ++block)
      if ((block + 1) * kPageTokens > piece.past - window + 1)
        call.pages[i * call.blocks + block] = cache.take();
}

/// Writes the past tokens of a call, or the new ones.
void CacheKernels::writeTokens(const Shape &s, const Call &call, Cache &cache,
                               bool past) {
  for (auto [i, piece] : llvm::enumerate(call.pieces))
    for (int64_t j = past ? 0 : piece.past;
         j < (past ? piece.past : piece.length()); ++j) {
      int64_t page = call.pages[i * call.blocks + j / kPageTokens];
      if (page == kNowhere)
        continue;
      for (int64_t g = 0; g < s.g; ++g) {
        for (int64_t d = 0; d < s.d; ++d)
          cache.key(page, g, j, d) = piece.sequence->k[(j * s.g + g) * s.d + d];
        for (int64_t e = 0, end = llvm::divideCeil(s.e, 16) * 16; e < end; ++e)
          cache.value(page, g, j, e) =
              e < s.e ? piece.sequence->v[(j * s.g + g) * s.e + e] : 0;
      }
    }
}

std::string attentionText(const Shape &s, const Program &program) {
  std::string block = formatv(
      "^bb0(%q1: tensor<{0}xf32>, %k1: tensor<{0}xf32>, %b: index, %h: index, "
      "%i: index, %j: index, %m: index, %n: index):\n"
      "%before = arith.subi %n, %m : index\n"
      "%p = arith.addi %i, %before : index\n",
      s.d);
  std::string keep =
      program.keep.empty() ? "" : "keep {" + block + program.keep + "}";
  auto type = [](llvm::StringRef shape) {
    return formatv("tensor<{0}xf32>", shape).str();
  };
  std::string rows = type(formatv("1x?x{0}x{1}", s.h, s.d).str());
  std::string out = type(formatv("1x?x{0}x{1}", s.h, s.e).str());
  std::string heads = type(formatv("1x{0}x?x{1}", s.h, s.d).str());
  std::string outHeads = type(formatv("1x{0}x?x{1}", s.h, s.e).str());
  std::string cache = type(formatv("?x{0}", s.page()).str());
  std::string keys = type(formatv("?x{0}x?x{1}", s.g, s.d).str());
  std::string values = type(formatv("?x{0}x?x{1}", s.g, s.e).str());
  return formatv(R"(
    func.func private @kernel(%q: {0}, %cache: {1}, %offset: tensor<i64>,
        %pages: tensor<?x?xi64>, %starts: tensor<?xi64>, %lengths: tensor<?xi64>)
        -> {2} attributes {{attn.kernel} {{
      %c1 = arith.constant 1 : index
      %tokens = tensor.dim %q, %c1 : {0}
      %qe = tensor.empty(%tokens) : {3}
      %qt = linalg.transpose ins(%q : {0}) outs(%qe : {3}) permutation = [0, 2, 1, 3]
      %k, %v = attn.read_pages %cache at %offset pages(%pages)
          : {1}, tensor<i64>, tensor<?x?xi64> -> {4}, {5}
      %o = attn.attention queries(%qt : {3}) keys(%k : {4}) value(%v : {5})
          rows(%starts, %lengths : tensor<?xi64>, tensor<?xi64>) {6}
          score {{ {7}{8} } {9} -> {10}
      %oe = tensor.empty(%tokens) : {2}
      %ot = linalg.transpose ins(%o : {10}) outs(%oe : {2}) permutation = [0, 2, 1, 3]
      return %ot : {2}
    })",
                 rows, cache, out, heads, keys, values,
                 program.normalizer == "softmax"
                     ? ""
                     : "normalizer(" + program.normalizer + ")",
                 block, program.score, keep, outHeads);
}

/// The rows of a call, with any number of slots.
std::vector<float> CacheKernels::attend(const Shape &s, const Program &program,
                                        const Call &call, const Cache &cache,
                                        bool compare) {
  std::vector<float> q;
  for (const Piece &piece : call.pieces) {
    const float *first = piece.sequence->q.data() + piece.past * s.h * s.d;
    q.insert(q.end(), first, first + piece.count * s.h * s.d);
  }
  GuardedBuffer queries(q), output(call.tokens * s.h * s.e);
  int64_t offset = s.offset(), sequences = call.pieces.size();
  std::string text = attentionText(s, program);
  auto found = kernels.find(text);
  if (found == kernels.end())
    found = kernels.emplace(text, compile(text)).first;
  CompiledKernel &kernel = found->second;
  std::vector<float> first;
  for (int64_t slots : {1, 2, 3, 7}) {
    std::fill_n(output.data(), output.size(), NAN);
    kernel.run(
        {{queries.data(), {call.tokens}},
         {cache.memory.data(), {int64_t(cache.memory.size() / s.page())}},
         {&offset, {}},
         {call.pages.data(), {sequences, call.blocks}},
         {call.starts.data(), {sequences}},
         {call.lengths.data(), {sequences}},
         {output.data(), {call.tokens}}},
        slots);
    std::vector<float> rows(output.data(), output.data() + output.size());
    if (first.empty())
      first = rows;
    EXPECT_EQ(std::memcmp(first.data(), rows.data(), rows.size() * 4), 0)
        << slots << " slots";
  }
  if (compare)
    compareRows(s, program, call, first.data());
  return first;
}

void CacheKernels::compareRows(const Shape &s, const Program &program,
                               const Call &call, const float *output) {
  double worst = 0;
  for (const Piece &piece : call.pieces)
    for (int64_t t = 0; t < piece.count; ++t)
      for (int64_t h = 0; h < s.h; ++h, output += s.e) {
        int64_t p = piece.past + t, g = h / (s.h / s.g);
        std::vector<double> row(s.e), weights(piece.length());
        double most = -INFINITY, sum = 0;
        for (int64_t j = 0; j < piece.length(); ++j) {
          double dot = 0;
          for (int64_t d = 0; d < s.d; ++d)
            dot += double(piece.sequence->q[(p * s.h + h) * s.d + d]) *
                   piece.sequence->k[(j * s.g + g) * s.d + d];
          weights[j] =
              program.keepOf(p, j) ? program.scoreOf(dot, h, p, j) : -INFINITY;
          most = std::max(most, weights[j]);
        }
        for (double &weight : weights) {
          weight = program.normalizer == "sigmoid" ? 1 / (1 + std::exp(-weight))
                                                   : std::exp(weight - most);
          sum += weight;
        }
        // Rounding errors of a sum of weights of their own grow like a walk.
        double size = 1;
        if (program.normalizer == "sigmoid") {
          size = std::sqrt(sum);
          sum = 1;
        }
        for (int64_t j = 0; j < piece.length(); ++j)
          for (int64_t e = 0; e < s.e && weights[j] != 0; ++e)
            row[e] +=
                weights[j] / sum * piece.sequence->v[(j * s.g + g) * s.e + e];
        for (int64_t e = 0; e < s.e; ++e)
          worst = std::max(worst, std::abs(row[e] - output[e]) /
                                      (size + std::abs(row[e])));
        ASSERT_TRUE(worst < 4e-6)
            << "row " << t << " of " << piece.past << "+" << piece.count
            << ", head " << h << ": " << worst;
      }
}

/// Sequences of (past, count): against the formula, one by one, elsewhere in
/// the cache, and as the last rows of a call with more rows.
void CacheKernels::checkProgram(
    const Shape &s, const Program &program,
    const std::vector<std::pair<int64_t, int64_t>> &sizes) {
  std::vector<Sequence> sequences;
  std::vector<Piece> pieces;
  int64_t pages = 1;
  for (auto [past, count] : sizes) {
    sequences.push_back(makeSequence(s, past + count));
    pages += llvm::divideCeil(past + count, kPageTokens);
  }
  for (auto [sequence, size] : llvm::zip(sequences, sizes))
    pieces.push_back({&sequence, size.first, size.second});

  auto run = [&](const std::vector<Piece> &some, bool compare) {
    Cache cache(s, pages, random);
    Call call = makeCall(some, 1 + some.size() % 2);
    placePages(call, cache, program.window);
    writeTokens(s, call, cache, true);
    writeTokens(s, call, cache, false);
    return attend(s, program, call, cache, compare);
  };
  std::vector<float> together = run(pieces, true);
  const float *row = together.data();
  for (const Piece &piece : pieces) {
    size_t floats = piece.count * s.h * s.e;
    std::vector<float> alone = run({piece}, false);
    EXPECT_EQ(std::memcmp(alone.data(), row, floats * 4), 0) << "alone";
    // The same rows after some that were past before.
    int64_t more = std::min<int64_t>(piece.past, 37);
    std::vector<float> longer =
        run({{piece.sequence, piece.past - more, piece.count + more}}, false);
    EXPECT_EQ(std::memcmp(longer.data() + more * s.h * s.e, row, floats * 4), 0)
        << "in a longer call";
    row += floats;
  }
}

std::string scaled(int64_t d) {
  return formatv("%dot = attn.dot %q1, %k1 : tensor<{0}xf32>\n"
                 "%scale = arith.constant {1:E8} : f32\n"
                 "%x = arith.mulf %dot, %scale : f32\n",
                 d, 1 / std::sqrt(double(d)));
}

Program causal(int64_t d) {
  Program program;
  program.score = scaled(d) + "attn.yield %x : f32";
  program.keep = "%keep = arith.cmpi sle, %j, %p : index\n"
                 "attn.yield %keep : i1";
  program.scoreOf = [d](double dot, int, int, int) {
    return dot / std::sqrt(double(d));
  };
  program.keepOf = [](int p, int j) { return j <= p; };
  return program;
}

Program windowed(int64_t d, int64_t window) {
  Program program = causal(d);
  program.window = window;
  program.keep = formatv("%w = arith.constant {0} : index\n"
                         "%low = arith.subi %p, %w : index\n"
                         "%past = arith.cmpi sle, %j, %p : index\n"
                         "%near = arith.cmpi sgt, %j, %low : index\n"
                         "%keep = arith.andi %past, %near : i1\n"
                         "attn.yield %keep : i1",
                         window);
  program.keepOf = [window](int p, int j) { return j <= p && j > p - window; };
  return program;
}

/// Gemma 2: 30 tanh(x / 30), in a window.
Program softCapped(int64_t d, int64_t window) {
  Program program = windowed(d, window);
  program.score = scaled(d) + "%cap = arith.constant 3.0 : f32\n"
                              "%y = arith.divf %x, %cap : f32\n"
                              "%z = math.tanh %y : f32\n"
                              "%c = arith.mulf %z, %cap : f32\n"
                              "attn.yield %c : f32";
  program.scoreOf = [d](double dot, int, int, int) {
    return 3 * std::tanh(dot / std::sqrt(double(d)) / 3);
  };
  return program;
}

/// x - (h + 1) / 8 |p - j|: depends on the head in what heads do together.
Program sloped(int64_t d) {
  Program program = causal(d);
  program.score = scaled(d) + "%one = arith.constant 1 : index\n"
                              "%h1 = arith.addi %h, %one : index\n"
                              "%hi = arith.index_cast %h1 : index to i64\n"
                              "%hf = arith.sitofp %hi : i64 to f32\n"
                              "%eighth = arith.constant -0.125 : f32\n"
                              "%slope = arith.mulf %hf, %eighth : f32\n"
                              "%far = arith.subi %p, %j : index\n"
                              "%fi = arith.index_cast %far : index to i64\n"
                              "%ff = arith.sitofp %fi : i64 to f32\n"
                              "%bias = arith.mulf %slope, %ff : f32\n"
                              "%y = arith.addf %x, %bias : f32\n"
                              "attn.yield %y : f32";
  program.scoreOf = [d](double dot, int h, int p, int j) {
    return dot / std::sqrt(double(d)) - (h + 1) / 8.0 * (p - j);
  };
  return program;
}

/// No mask: all keys of the sequence, as of an encoder.
Program sigmoid(int64_t d) {
  Program program = causal(d);
  program.normalizer = "sigmoid";
  return program;
}

TEST_P(CacheKernels, RowsOfTokens) {
  CompiledKernel kernel = compile(R"(
    func.func private @kernel(%counts: tensor<?xi64>, %past: tensor<?xi64>, %ids: tensor<1x?xi64>)
        -> (tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>) attributes {attn.kernel} {
      %0, %1, %2, %3 = attn.token_rows %counts, %past like %ids
          : tensor<?xi64>, tensor<1x?xi64> -> tensor<?xi64>
      return %0, %1, %2, %3 : tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>
    })");
  Shape s{1, 1, 16, 16};
  Sequence sequence = makeSequence(s, 1);
  Call call =
      makeCall({{&sequence, 5, 1}, {&sequence, 0, 7}, {&sequence, 64, 3}});
  int64_t tokens = call.tokens, sequences = call.pieces.size();
  std::vector<int64_t> starts(sequences, -1), lengths(sequences, -1),
      rows(tokens, -1), position(tokens, -1);
  for (int64_t slots : {1, 3}) {
    kernel.run({{call.counts.data(), {sequences}},
                {call.past.data(), {sequences}},
                {nullptr, {tokens}},
                {starts.data(), {sequences}},
                {lengths.data(), {sequences}},
                {rows.data(), {tokens}},
                {position.data(), {tokens}}},
               slots);
    EXPECT_EQ(starts, call.starts);
    EXPECT_EQ(lengths, call.lengths);
    EXPECT_EQ(rows, call.sequence);
    EXPECT_EQ(position, call.position);
  }
}

/// Nothing but the new tokens' entries may change.
TEST_P(CacheKernels, Append) {
  for (Shape s : {Shape{4, 2, 16, 16}, Shape{3, 3, 20, 9}}) {
    std::string keys = formatv("tensor<1x?x{0}x{1}xf32>", s.g, s.d);
    std::string values = formatv("tensor<1x?x{0}x{1}xf32>", s.g, s.e);
    std::string keyHeads = formatv("tensor<1x{0}x?x{1}xf32>", s.g, s.d);
    std::string valueHeads = formatv("tensor<1x{0}x?x{1}xf32>", s.g, s.e);
    CompiledKernel kernel = compile(formatv(
        R"(
      func.func private @kernel(%k: {0}, %v: {1}, %cache: tensor<?x{4}xf32>, %offset: tensor<i64>,
          %sequence: tensor<?xi64>, %position: tensor<?xi64>, %pages: tensor<?x?xi64>)
          -> tensor<?x{4}xf32> attributes {{attn.kernel} {{
        %c1 = arith.constant 1 : index
        %tokens = tensor.dim %k, %c1 : {0}
        %ke = tensor.empty(%tokens) : {2}
        %kt = linalg.transpose ins(%k : {0}) outs(%ke : {2}) permutation = [0, 2, 1, 3]
        %ve = tensor.empty(%tokens) : {3}
        %vt = linalg.transpose ins(%v : {1}) outs(%ve : {3}) permutation = [0, 2, 1, 3]
        %c = attn.append %kt, %vt to %cache at %offset rows(%sequence, %position) pages(%pages)
            : {2}, {3}, tensor<?x{4}xf32>, tensor<i64>, tensor<?xi64>, tensor<?xi64>, tensor<?x?xi64>
        return %c : tensor<?x{4}xf32>
      })",
        keys, values, keyHeads, valueHeads, s.page()));
    Sequence one = makeSequence(s, 200), other = makeSequence(s, 70);
    Call call = makeCall({{&one, 61, 139}, {&other, 69, 1}, {&one, 0, 17}});
    Cache cache(s, 8, random), expected(s, 8, random);
    placePages(call, cache, 1 << 30);
    writeTokens(s, call, expected, false);
    std::vector<float> k, v;
    for (const Piece &piece : call.pieces) {
      auto append = [&](std::vector<float> &to, const std::vector<float> &from,
                        int64_t width) {
        const float *first = from.data() + piece.past * s.g * width;
        to.insert(to.end(), first, first + piece.count * s.g * width);
      };
      append(k, piece.sequence->k, s.d);
      append(v, piece.sequence->v, s.e);
    }
    int64_t offset = s.offset(), sequences = call.pieces.size();
    for (int64_t slots : {1, 3}) {
      std::fill_n(cache.memory.data(), cache.memory.size(), NAN);
      kernel.run({{k.data(), {call.tokens}},
                  {v.data(), {call.tokens}},
                  {cache.memory.data(), {8}},
                  {&offset, {}},
                  {call.sequence.data(), {call.tokens}},
                  {call.position.data(), {call.tokens}},
                  {call.pages.data(), {sequences, call.blocks}},
                  {cache.memory.data(), {8}}},
                 slots);
      EXPECT_EQ(std::memcmp(cache.memory.data(), expected.memory.data(),
                            cache.memory.size() * 4),
                0);
    }
  }
}

TEST_P(CacheKernels, CausalRows) {
  checkProgram({4, 2, 16, 16}, causal(16),
               {{0, 1}, {63, 1}, {64, 1}, {0, 130}});
  checkProgram({6, 1, 20, 9}, causal(20), {{100, 3}, {0, 70}, {190, 40}});
  checkProgram({2, 2, 64, 64}, causal(64), {{1023, 1}, {2100, 1}, {1000, 60}});
}

TEST_P(CacheKernels, WindowsNeverTouchPagesBehindThem) {
  checkProgram({4, 2, 16, 16}, windowed(16, 100),
               {{500, 1}, {3, 1}, {1200, 70}, {99, 2}});
  checkProgram({2, 1, 32, 32}, softCapped(32, 64), {{640, 1}, {300, 64}});
}

TEST_P(CacheKernels, SlopesOfHeadsThatShareKeys) {
  checkProgram({8, 2, 16, 16}, sloped(16), {{77, 1}, {0, 20}, {5, 9}});
}

TEST_P(CacheKernels, Sigmoid) {
  checkProgram({2, 1, 16, 20}, sigmoid(16), {{1100, 1}, {10, 30}});
}

/// Few heads of few rows: several slots share the keys of each.
TEST_P(CacheKernels, SplitKeys) {
  checkProgram({4, 1, 16, 16}, causal(16),
               {{3000, 1}, {10, 1}, {1024, 2}, {2047, 1}});
  checkProgram({1, 1, 20, 9}, causal(20), {{1023, 1}, {1024, 1}, {1030, 8}});
  checkProgram({4, 1, 16, 16}, windowed(16, 100), {{3000, 1}, {1500, 2}});
  checkProgram({3, 1, 16, 16}, sloped(16), {{2500, 4}});
  checkProgram({2, 1, 16, 20}, sigmoid(16), {{1100, 1}, {5, 1}});
}

TEST_P(CacheKernels, RandomBatches) {
  std::uniform_int_distribution<int> coin(0, 1), small(1, 5), past(0, 200),
      count(1, 90);
  for (int round = 0; round < 4; ++round) {
    int64_t g = small(random);
    Shape s{g * small(random), g, 8 * small(random), small(random) * 7};
    std::vector<std::pair<int64_t, int64_t>> sizes;
    for (int i = small(random); i >= 0; --i)
      sizes.push_back({past(random), coin(random) ? 1 : count(random)});
    checkProgram(
        s, coin(random) ? causal(s.d) : windowed(s.d, past(random) + 1), sizes);
  }
}

/// A value that is not finite reaches the rows that keep its key, no others.
TEST_P(CacheKernels, InfiniteValuesReachOnlyRowsThatKeepThem) {
  Shape s{2, 1, 16, 16};
  Sequence sequence = makeSequence(s, 80);
  sequence.v[70 * s.e + 3] = INFINITY;
  Cache cache(s, 4, random);
  Call call = makeCall({{&sequence, 40, 40}});
  placePages(call, cache, 1 << 30);
  writeTokens(s, call, cache, true);
  writeTokens(s, call, cache, false);
  std::vector<float> rows = attend(s, causal(16), call, cache, false);
  for (int64_t row = 0; row < 80; ++row)
    for (int64_t e = 0; e < s.e; ++e)
      EXPECT_EQ(std::isfinite(rows[row * s.e + e]), row / 2 < 30 || e != 3)
          << row << " " << e;
}

INSTANTIATE_TEST_SUITE_P(Targets, CacheKernels,
                         ::testing::ValuesIn(targetsHere()), targetName);

} // namespace
