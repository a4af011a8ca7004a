// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random attention programs against the reference: any score, keep and weight,
// several pairs, every normalizer and result.

#include "test/codegen/cpu/Agreement.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace attn;
using namespace attn::test;
using llvm::formatv;

namespace {

struct Sizes {
  int64_t b, h, g, m, n, e;
  llvm::SmallVector<int64_t> widths; ///< one for each pair
};

/// Writes one region of random operations. Values stay moderate: what is
/// summed is divided by the width and passed through tanh, so that a sum of
/// magnitude 100 with errors of 1e-6 moves a score by 1e-5 at most.
class RegionWriter {
public:
  RegionWriter(std::mt19937 &random, const Sizes &sizes)
      : random(random), sizes(sizes) {}

  std::string score();
  std::string keep();
  std::string weight();

private:
  int pick(int count) {
    return std::uniform_int_distribution<int>(0, count - 1)(random);
  }
  std::string line(const std::string &operation) {
    std::string name = formatv("%{0}", next++);
    text += name + " = " + operation + "\n";
    return name;
  }
  std::string number(double value) {
    return line(formatv("arith.constant {0:E6} : f32", value));
  }
  std::string vectorType(int pair) {
    return formatv("tensor<{0}xf32>", sizes.widths[pair]);
  }
  std::string vector(int pair, int depth);
  std::string scalar(int depth);
  std::string sum(int pair, int depth);
  std::string position();

  std::mt19937 &random;
  const Sizes &sizes;
  std::string text;
  int next = 0;
};

std::string RegionWriter::vector(int pair, int depth) {
  std::string type = vectorType(pair);
  if (depth == 0) {
    switch (pick(5)) {
    case 0:
    case 1:
      return formatv("%q{0}", pair);
    case 2:
    case 3:
      return formatv("%k{0}", pair);
    default:
      return line(formatv("tensor.extract_slice %table[%h, 0] [1, {0}] [1, 1] "
                          ": tensor<?x8xf32> to {1}",
                          sizes.widths[pair], type));
    }
  }
  std::string x = vector(pair, depth - 1);
  switch (pick(9)) {
  case 0:
  case 1:
    return line(
        formatv("arith.addf {0}, {1} : {2}", x, vector(pair, depth - 1), type));
  case 2:
    return line(
        formatv("arith.subf {0}, {1} : {2}", x, vector(pair, depth - 1), type));
  case 3:
    return line(
        formatv("arith.mulf {0}, {1} : {2}", x, vector(pair, depth - 1), type));
  case 4:
  case 5:
    return line(formatv("math.tanh {0} : {1}", x, type));
  case 6: {
    std::string small = line(formatv("math.tanh {0} : {1}", x, type));
    return line(formatv("math.exp {0} : {1}", pick(2) ? small : x, type));
  }
  case 7:
    return line(formatv("math.absf {0} : {1}", x, type));
  default:
    return line(formatv(
        "arith.mulf {0}, {1} : {2}", x,
        line(formatv("tensor.splat {0} : {1}", scalar(0), type)), type));
  }
}

/// tanh(sum / width) of a random vector, or of a random dot product.
std::string RegionWriter::sum(int pair, int depth) {
  std::string type = vectorType(pair), total;
  if (pick(3))
    total = line(formatv("attn.dot {0}, {1} : {2}", vector(pair, depth),
                         vector(pair, pick(depth + 1)), type));
  else
    total = line(formatv("attn.sum {0} : {1}", vector(pair, depth), type));
  std::string factor = number(1.0 / sizes.widths[pair]);
  total = line(formatv("arith.mulf {0}, {1} : f32", total, factor));
  return line(formatv("math.tanh {0} : f32", total));
}

/// A number made of indices.
std::string RegionWriter::position() {
  std::string distance = line("arith.subi %i, %j : index");
  std::string whole =
      line(formatv("arith.index_cast {0} : index to i64", distance));
  std::string real = line(formatv("arith.sitofp {0} : i64 to f32", whole));
  return line(formatv("arith.mulf {0}, {1} : f32", real, number(0.01)));
}

std::string RegionWriter::scalar(int depth) {
  if (depth == 0) {
    switch (pick(4)) {
    case 0:
      return line("tensor.extract %bias[%h, %i, %j] : tensor<?x?x?xf32>");
    case 1:
      return line("tensor.extract %table[%h, %c1] : tensor<?x8xf32>");
    case 2:
      return position();
    default:
      return number(0.5);
    }
  }
  std::string x = pick(3) ? sum(pick(sizes.widths.size()), 2) : scalar(0);
  const char *names[] = {"arith.addf", "arith.subf", "arith.mulf",
                         "arith.maximumf"};
  return line(
      formatv("{0} {1}, {2} : f32", names[pick(4)], x, scalar(depth - 1)));
}

std::string RegionWriter::score() {
  text = "%c1 = arith.constant 1 : index\n";
  std::string x = sum(pick(sizes.widths.size()), 1 + pick(2));
  x = line(formatv("arith.addf {0}, {1} : f32", x, scalar(1 + pick(2))));
  x = line(formatv("arith.mulf {0}, {1} : f32", x, number(3)));
  return text + "attn.yield " + x + " : f32";
}

std::string RegionWriter::keep() {
  text.clear();
  switch (pick(3)) {
  case 0:
    text = "%keep = arith.cmpi sle, %j, %i : index\n";
    break;
  case 1:
    text = "%two = arith.constant 2 : i64\n"
           "%x = tensor.extract %mask[%b, %j] : tensor<?x?xi64>\n"
           "%keep = arith.cmpi sgt, %x, %two : i64\n";
    break;
  default:
    text = "%zero = arith.constant 0.0 : f32\n"
           "%x = tensor.extract %bias[%h, %i, %j] : tensor<?x?x?xf32>\n"
           "%keep = arith.cmpf ogt, %x, %zero : f32\n";
  }
  return text + "attn.yield %keep : i1";
}

std::string RegionWriter::weight() {
  text = "%c1 = arith.constant 1 : index\n";
  std::string x = line(formatv("arith.mulf %normalized, {0} : f32",
                               pick(2) ? scalar(0) : scalar(1)));
  if (pick(2))
    x = line(formatv("arith.mulf {0}, %normalized : f32", x));
  return text + "attn.yield " + x + " : f32";
}

/// A kernel of one attn.attention.
struct ProgramText {
  Sizes sizes;
  std::string score, keep, weight, normalizer = "softmax", map;
  bool sink = false, logsumexp = false;

  std::string text() const;
  llvm::SmallVector<llvm::SmallVector<int64_t>> shapes() const;

private:
  std::string region(llvm::StringRef name, const std::string &body,
                     bool isWeight = false) const;
};

std::string ProgramText::region(llvm::StringRef name, const std::string &body,
                                bool isWeight) const {
  if (body.empty())
    return "";
  std::string arguments;
  for (auto [p, d] : llvm::enumerate(sizes.widths))
    arguments +=
        formatv("%q{0}: tensor<{1}xf32>, %k{0}: tensor<{1}xf32>, ", p, d);
  return formatv("{0} {{\n^bb0({1}%b: index, %h: index, %i: index, %j: index, "
                 "%m: index, %n: index, %table: tensor<?x8xf32>, %bias: "
                 "tensor<?x?x?xf32>, %mask: tensor<?x?xi64>{2}):\n{3}\n} ",
                 name, arguments, isWeight ? ", %normalized: f32" : "", body);
}

std::string ProgramText::text() const {
  auto tensor = [](int64_t heads, int64_t width) -> std::string {
    return formatv("tensor<?x{0}x?x{1}xf32>", heads, width);
  };
  llvm::SmallVector<std::string> arguments, q, k, qTypes, kTypes;
  for (auto [p, d] : llvm::enumerate(sizes.widths)) {
    q.push_back(formatv("%query{0}", p));
    qTypes.push_back(tensor(sizes.h, d));
    k.push_back(formatv("%key{0}", p));
    kTypes.push_back(tensor(sizes.g, d));
  }
  for (auto [names, types] : {std::pair(&q, &qTypes), std::pair(&k, &kTypes)})
    for (auto [name, type] : llvm::zip(*names, *types))
      arguments.push_back(name + ": " + type);
  std::string value = tensor(sizes.g, sizes.e), out = tensor(sizes.h, sizes.e);
  std::string sinkType = formatv("tensor<{0}xf32>", sizes.h);
  arguments.push_back("%v: " + value);
  arguments.push_back("%tables: tensor<?x8xf32>");
  arguments.push_back("%biases: tensor<?x?x?xf32>");
  arguments.push_back("%masks: tensor<?x?xi64>");
  if (sink)
    arguments.push_back("%sink: " + sinkType);
  llvm::SmallVector<std::string> results{"%o"}, types{out};
  std::string more;
  if (!map.empty()) {
    std::string type = map == "mean"
                           ? std::string("tensor<?x?x?xf32>")
                           : formatv("tensor<?x{0}x?x?xf32>", sizes.h).str();
    results.push_back("%w");
    types.push_back(type);
    more += "weights " + type + " ";
  }
  if (logsumexp) {
    std::string type = formatv("tensor<?x{0}x?xf32>", sizes.h);
    results.push_back("%l");
    types.push_back(type);
    more += "logsumexp " + type;
  }
  std::string body = formatv(
      "{0} = attn.attention queries({1} : {2}) keys({3} : {4}) value(%v : {5}) "
      "captures(%tables, %biases, %masks : tensor<?x8xf32>, tensor<?x?x?xf32>, "
      "tensor<?x?xi64>) {6} normalizer({7})\n",
      llvm::join(results, ", "), llvm::join(q, ", "), llvm::join(qTypes, ", "),
      llvm::join(k, ", "), llvm::join(kTypes, ", "), value,
      sink ? "sink(%sink : " + sinkType + ")" : "", normalizer);
  body += region("score", score) + region("keep", keep) +
          region("weight", weight, true) + "-> " + out + " " + more;
  return formatv("func.func private @kernel({0}) -> ({1}) attributes "
                 "{{attn.kernel} {{\n{2}\nreturn {3} : {1}\n}",
                 llvm::join(arguments, ", "), llvm::join(types, ", "), body,
                 llvm::join(results, ", "));
}

llvm::SmallVector<llvm::SmallVector<int64_t>> ProgramText::shapes() const {
  const Sizes &s = sizes;
  llvm::SmallVector<llvm::SmallVector<int64_t>> all;
  for (int64_t d : s.widths)
    all.push_back({s.b, s.h, s.m, d});
  for (int64_t d : s.widths)
    all.push_back({s.b, s.g, s.n, d});
  all.push_back({s.b, s.g, s.n, s.e});
  all.push_back({s.h, 8});
  all.push_back({s.h, s.m, s.n});
  all.push_back({s.b, s.n});
  if (sink)
    all.push_back({s.h});
  return all;
}

class AttentionProgram : public Agreement {
protected:
  template <typename T, size_t n> T oneOf(const T (&choices)[n]) {
    return choices[std::uniform_int_distribution<size_t>(0, n - 1)(random)];
  }
  Sizes sizes() {
    const int64_t lengths[] = {1, 5, 16, 17, 29, 40};
    const int64_t widths[] = {1, 3, 7, 8};
    Sizes s{
        oneOf({1, 2}),         2, oneOf({1, 2}), oneOf(lengths), oneOf(lengths),
        oneOf({1, 5, 16, 20}), {}};
    for (int pairs = oneOf({1, 1, 2, 3}); pairs > 0; --pairs)
      s.widths.push_back(oneOf(widths));
    return s;
  }
  void checkProgram(const ProgramText &program, double tolerance = 1e-4,
                    Change change = unchanged) {
    SCOPED_TRACE(program.text());
    check(program.text(), program.shapes(), tolerance, change);
  }
};

TEST_P(AttentionProgram, Random) {
  for (int seed = 0; seed < 24 && !HasFailure(); ++seed) {
    random.seed(seed);
    ProgramText program;
    program.sizes = sizes();
    RegionWriter writer(random, program.sizes);
    program.score = writer.score();
    if (oneOf({0, 1}))
      program.keep = RegionWriter(random, program.sizes).keep();
    if (oneOf({0, 0, 1}))
      program.weight = RegionWriter(random, program.sizes).weight();
    program.normalizer =
        oneOf<std::string>({"softmax", "softmax", "sigmoid", "sum"});
    program.map = oneOf<std::string>({"", "heads", "mean"});
    if (program.normalizer == "softmax") {
      program.sink = oneOf({0, 0, 1});
      program.logsumexp = oneOf({0, 0, 1});
    }
    checkProgram(program);
  }
}

constexpr llvm::StringLiteral kDot = R"(
    %0 = attn.dot %q0, %k0 : tensor<8xf32>
    %1 = tensor.extract %bias[%h, %i, %j] : tensor<?x?x?xf32>
    %2 = arith.addf %0, %1 : f32
    attn.yield %2 : f32)";

/// sum(w * tanh(q + k)), w a row of a table.
constexpr llvm::StringLiteral kAdditive = R"(
    %0 = tensor.extract_slice %table[%h, 0] [1, 8] [1, 1] : tensor<?x8xf32> to tensor<8xf32>
    %1 = arith.addf %q0, %k0 : tensor<8xf32>
    %2 = math.tanh %1 : tensor<8xf32>
    %3 = attn.dot %0, %2 : tensor<8xf32>
    attn.yield %3 : f32)";

constexpr llvm::StringLiteral kDistance = R"(
    %c = arith.constant -0.125 : f32
    %0 = arith.subf %q0, %k0 : tensor<8xf32>
    %1 = attn.dot %0, %0 : tensor<8xf32>
    %2 = arith.mulf %1, %c : f32
    attn.yield %2 : f32)";

constexpr llvm::StringLiteral kCausal = R"(
    %0 = arith.cmpi sle, %j, %i : index
    attn.yield %0 : i1)";

/// Nonlinear in the weight, and not 0 where that is.
constexpr llvm::StringLiteral kSquare = R"(
    %c = arith.constant 0.125 : f32
    %0 = arith.mulf %normalized, %normalized : f32
    %1 = arith.addf %0, %c : f32
    attn.yield %1 : f32)";

ProgramText programOf(Sizes sizes, llvm::StringRef score) {
  ProgramText program;
  program.sizes = std::move(sizes);
  program.score = score.str();
  return program;
}

// The second pass recomputes the scores of rows longer than a chunk.
TEST_P(AttentionProgram, LongRowsWithTheirWeights) {
  for (std::string map : {"heads", "mean"})
    for (int64_t n : {1024, 1100, 2100}) {
      ProgramText program = programOf({1, 2, 1, 5, n, 3, {8}}, kDot);
      program.map = map;
      program.sink = program.logsumexp = true;
      if (n == 2100)
        program.weight = kSquare.str();
      checkProgram(program);
    }
}

TEST_P(AttentionProgram, LongRowsOfOtherNormalizers) {
  for (std::string normalizer : {"sigmoid", "sum"}) {
    ProgramText program = programOf({1, 2, 2, 3, 1050, 17, {8}}, kAdditive);
    program.normalizer = normalizer;
    program.map = "mean";
    program.keep = kCausal.str();
    program.weight = kSquare.str();
    checkProgram(program);
  }
}

TEST_P(AttentionProgram, EmptyTensors) {
  const int64_t sizes[][3] = {{0, 3, 5}, {2, 0, 5}, {2, 3, 0}, {0, 0, 0}};
  for (std::string map : {"heads", "mean"})
    for (auto [b, m, n] : sizes)
      for (llvm::StringRef score : {kDot, kAdditive}) {
        ProgramText program = programOf({b, 2, 1, m, n, 4, {8}}, score);
        program.map = map;
        program.logsumexp = true;
        program.sink = map == "mean";
        checkProgram(program);
      }
}

// Zeros and a log-sum-exp of -infinity, whatever the normalizer; with a sink,
// the sink.
TEST_P(AttentionProgram, RowsThatKeepNothing) {
  for (std::string normalizer : {"softmax", "sigmoid", "sum"})
    for (bool sink : {false, true}) {
      ProgramText program = programOf({2, 2, 1, 4, 20, 4, {8}}, kDot);
      program.keep = R"(
          %never = arith.constant 100 : i64
          %x = tensor.extract %mask[%b, %j] : tensor<?x?xi64>
          %0 = arith.cmpi sgt, %x, %never : i64
          attn.yield %0 : i1)";
      program.weight = kSquare.str();
      program.map = "heads";
      program.normalizer = normalizer;
      program.sink = sink && normalizer == "softmax";
      program.logsumexp = normalizer == "softmax";
      checkProgram(program);
    }
}

TEST_P(AttentionProgram, ScoresOfMinusInfinity) {
  ProgramText program = programOf({1, 2, 1, 20, 20, 4, {8}}, R"(
      %none = arith.constant 0xFF800000 : f32
      %0 = attn.dot %q0, %k0 : tensor<8xf32>
      %past = arith.cmpi slt, %j, %i : index
      %1 = arith.select %past, %0, %none : f32
      attn.yield %1 : f32)");
  program.map = "heads";
  program.logsumexp = true;
  checkProgram(program);
  program.logsumexp = false;
  program.normalizer = "sigmoid";
  checkProgram(program);
}

// Scores near 1e4 have errors near 1e-3, and so have their exponentials.
TEST_P(AttentionProgram, LargeScores) {
  ProgramText program = programOf({1, 2, 2, 9, 21, 4, {8}}, R"(
      %c = arith.constant 2000.0 : f32
      %0 = attn.dot %q0, %k0 : tensor<8xf32>
      %1 = arith.mulf %0, %c : f32
      attn.yield %1 : f32)");
  program.logsumexp = program.sink = true;
  program.map = "mean";
  checkProgram(program, 1e-2);
  program.logsumexp = program.sink = false;
  program.normalizer = "sigmoid";
  checkProgram(program, 1e-2);
}

// Powers of one side overflow where those of the other vanish: such pairs take
// the direct form.
TEST_P(AttentionProgram, FactorsOutOfRange) {
  Change larger = [](float x) { return 40 * x; };
  ProgramText program = programOf({1, 2, 1, 13, 37, 4, {8}}, kAdditive);
  program.map = "heads";
  checkProgram(program, 1e-3, larger);
  Change someLarger = [](float x) {
    return std::abs(x) > 1.5f ? std::copysign(1e30f, x) : x;
  };
  program.normalizer = "sigmoid"; // of scores up to 1e30
  checkProgram(program, 1e-4, someLarger);
  Change shifted = [](float x) { return 100 + x; };
  program.score = R"(
      %0 = arith.subf %q0, %k0 : tensor<8xf32>
      %1 = math.exp %0 : tensor<8xf32>
      %2 = attn.sum %1 : tensor<8xf32>
      %3 = arith.negf %2 : f32
      attn.yield %3 : f32)";
  checkProgram(program, 1e-4, shifted);
}

// One product of several widths where a score is nothing but products; apart
// where another region reads one of them.
TEST_P(AttentionProgram, SumsOfProducts) {
  ProgramText program = programOf({1, 4, 2, 9, 40, 5, {8, 3, 5}}, R"(
      %two = arith.constant 2.0 : f32
      %0 = attn.dot %q0, %k0 : tensor<8xf32>
      %1 = attn.dot %q1, %k1 : tensor<3xf32>
      %2 = attn.dot %q2, %k2 : tensor<5xf32>
      %3 = arith.mulf %1, %two : f32
      %4 = arith.subf %0, %3 : f32
      %5 = arith.divf %2, %two : f32
      %6 = arith.addf %5, %4 : f32
      attn.yield %6 : f32)");
  checkProgram(program);
  program.normalizer = "sum";
  checkProgram(program);
  program.weight = R"(
      %0 = attn.dot %q1, %k1 : tensor<3xf32>
      %1 = arith.mulf %normalized, %0 : f32
      attn.yield %1 : f32)";
  checkProgram(program);
  program.weight.clear();
  program.score = R"(
      %0 = attn.dot %q0, %k0 : tensor<8xf32>
      %1 = arith.addf %0, %0 : f32
      attn.yield %1 : f32)";
  program.keep = R"(
      %never = arith.constant -1.0e9 : f32
      %0 = attn.dot %q1, %k1 : tensor<3xf32>
      %1 = arith.cmpf ogt, %0, %never : f32
      attn.yield %1 : i1)";
  checkProgram(program);
}

// Squares of sums become products and sums of squares, where digits do not
// cancel: at 100 from 0 the sums of squares lose those of the distances.
TEST_P(AttentionProgram, SquaredDistances) {
  Change shifted = [](float x) { return 100 + x; };
  ProgramText program = programOf({1, 4, 2, 9, 40, 5, {8}}, kDistance);
  checkProgram(program);
  checkProgram(program, 1e-5, shifted);
  program.normalizer = "sigmoid";
  checkProgram(program);
  program.score = R"(
      %c = arith.constant dense<0.5> : tensor<8xf32>
      %two = arith.constant 8.0 : f32
      %t = tensor.extract_slice %table[%h, 0] [1, 8] [1, 1] : tensor<?x8xf32> to tensor<8xf32>
      %0 = arith.mulf %k0, %c : tensor<8xf32>
      %1 = arith.addf %0, %t : tensor<8xf32>
      %2 = arith.addf %1, %q0 : tensor<8xf32>
      %3 = arith.mulf %2, %2 : tensor<8xf32>
      %4 = attn.sum %3 : tensor<8xf32>
      %5 = attn.dot %q0, %k0 : tensor<8xf32>
      %6 = arith.subf %5, %4 : f32
      %7 = arith.divf %6, %two : f32
      attn.yield %7 : f32)";
  checkProgram(program);
  program.normalizer = "softmax";
  checkProgram(program);
}

// Four fractions to a division, and what is left over of odd widths.
TEST_P(AttentionProgram, SumsOfLogisticFunctions) {
  for (int64_t width : {1, 7})
    for (bool isTanh : {false, true})
      for (bool hasWeights : {false, true}) {
        std::string type = formatv("tensor<{0}xf32>", width);
        std::string function = formatv("%y = math.tanh %x : {0}\n", type);
        if (!isTanh)
          function = formatv("%one = arith.constant dense<1.0> : {0}\n"
                             "%minus = arith.negf %x : {0}\n"
                             "%p = math.exp %minus : {0}\n"
                             "%s = arith.addf %one, %p : {0}\n"
                             "%y = arith.divf %one, %s : {0}\n",
                             type);
        std::string sum = formatv("%z = attn.sum %y : {0}\n", type);
        if (hasWeights)
          sum = formatv("%w = tensor.extract_slice %table[%h, 0] [1, {0}] "
                        "[1, 1] : tensor<?x8xf32> to {1}\n"
                        "%z = attn.dot %y, %w : {1}\n",
                        width, type);
        std::string score =
            formatv("%x = arith.addf %q0, %k0 : {0}\n{1}{2}attn.yield %z : f32",
                    type, function, sum);
        checkProgram(programOf({1, 2, 1, 7, 19, 4, {width}}, score));
      }
}

/// The rule for bits: no other key decides how a pair is computed.
TEST_P(AttentionProgram, PaddingNeverChangesBits) {
  for (llvm::StringRef score : {kAdditive, kDistance}) {
    ProgramText program = programOf({1, 1, 1, 7, 30, 5, {8}}, score);
    program.keep = R"(
      %zero = arith.constant 0 : i64
      %x = tensor.extract %mask[%b, %j] : tensor<?x?xi64>
      %0 = arith.cmpi ne, %x, %zero : i64
      attn.yield %0 : i1)";
    program.weight = kSquare.str();
    program.logsumexp = true;
    CompiledKernel kernel = compile(program.text());
    const Sizes &s = program.sizes;
    auto q = normal(s.m * 8, 3), k = normal(s.n * 8, 3), v = normal(s.n * s.e),
         table = normal(8);
    std::vector<float> first;
    for (int64_t n : {30, 31, 64, 1100}) {
      std::vector<int64_t> mask(n, 0);
      std::fill_n(mask.begin(), s.n, 1);
      k.resize(n * 8, 1e20f);
      v.resize(n * s.e, -3.0f);
      std::vector<float> bias(s.m * n), out(s.m * s.e), lse(s.m);
      kernel.run({{q.data(), {1, s.m}},
                  {k.data(), {1, n}},
                  {v.data(), {1, n}},
                  {table.data(), {1}},
                  {bias.data(), {1, s.m, n}},
                  {mask.data(), {1, n}},
                  {out.data(), {1, s.m}},
                  {lse.data(), {1, s.m}}});
      out.insert(out.end(), lse.begin(), lse.end());
      if (first.empty())
        first = out;
      EXPECT_EQ(first, out) << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentionProgram,
                         ::testing::ValuesIn(targetsHere()), targetName);

} // namespace
