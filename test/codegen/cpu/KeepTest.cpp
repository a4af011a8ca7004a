// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention that leaves out keys which its keep expression proves masked:
// against the reference, and bit for bit against a keep that proves nothing.

#include "codegen/reference/Evaluator.h"
#include "dialect/AttnDialect.h"
#include "mlir/Parser/Parser.h"
#include "test/codegen/cpu/KernelTest.h"
#include "llvm/Support/FormatVariadic.h"

#include <cstring>
#include <limits>

using namespace attn;
using namespace attn::test;
using reference::Array;

namespace {

constexpr int64_t kHeads = 2, kWidth = 8, kBatch = 2;

/// Queries, keys and what keep may read: valid[b], mask[b, j], document[i].
struct Problem {
  int64_t m, n;
  std::vector<float> q, k, v;
  std::vector<int64_t> valid, mask, document;

  std::vector<Operand> operands(GuardedBuffer &out) {
    return {{q.data(), {kBatch, m}},    {k.data(), {kBatch, n}},
            {v.data(), {kBatch, n}},    {valid.data(), {kBatch}},
            {mask.data(), {kBatch, n}}, {document.data(), {std::max(m, n)}},
            {out.data(), {kBatch, m}}};
  }
};

/// A kernel with this keep, over %i, %j, %m, %n, %b and the captures %valid,
/// %mask, %document; it ends in %keep. `map` is the type of weights to return;
/// `weight` ends in %weight, over %normalized.
std::string keepText(llvm::StringRef keep, int64_t keyHeads = 1,
                     llvm::StringRef map = {}, llvm::StringRef weight = {}) {
  std::string block = llvm::formatv(
      "^bb0(%q1: tensor<{0}xf32>, %k1: tensor<{0}xf32>, %b: index, %h: index, "
      "%i: index, %j: index, %m: index, %n: index, %valid: tensor<?xi64>, "
      "%mask: tensor<?x?xi64>, %document: tensor<?xi64>):\n",
      kWidth);
  std::string weightRegion;
  if (!weight.empty())
    weightRegion = llvm::formatv(
        "weight {{ {0}, %normalized: f32):\n{1}\nattn.yield %weight : f32 }",
        llvm::StringRef(block).drop_back(3), weight);
  std::string output = llvm::formatv("tensor<?x{0}x?x{1}xf32>", kHeads, kWidth);
  return llvm::formatv(
      R"(
    func.func private @kernel(%q: {0}, %k: {1}, %v: {1}, %c0: tensor<?xi64>,
        %c1: tensor<?x?xi64>, %c2: tensor<?xi64>) -> ({5}) attributes {{attn.kernel} {{
      {6} = attn.attention queries(%q : {0}) keys(%k : {1}) value(%v : {1})
          captures(%c0, %c1, %c2 : tensor<?xi64>, tensor<?x?xi64>, tensor<?xi64>)
          score {{ {2}
            %dot = attn.dot %q1, %k1 : tensor<{3}xf32>
            attn.yield %dot : f32
          } keep {{ {2} {4}
            attn.yield %keep : i1
          } {8} -> {0} {7}
      return {6} : {5}
    })",
      output, llvm::formatv("tensor<?x{0}x?x{1}xf32>", keyHeads, kWidth), block,
      kWidth, keep, map.empty() ? output : output + ", " + map.str(),
      map.empty() ? "%o" : "%o, %w", map.empty() ? "" : "weights " + map.str(),
      weightRegion);
}

/// The same condition, of which intervals prove nothing.
std::string unproved(std::string keep) {
  size_t at = keep.rfind("%keep =");
  keep.replace(at, 7, "%hidden =");
  return keep + R"(
      %j64 = arith.index_cast %j : index to i64
      %jf = arith.sitofp %j64 : i64 to f32
      %below = arith.constant -1.0 : f32
      %never = arith.cmpf olt, %jf, %below : f32
      %keep = arith.xori %hidden, %never : i1)";
}

constexpr llvm::StringLiteral kCausal = R"(
      %o = arith.subi %n, %m : index
      %t = arith.addi %i, %o : index
      %keep = arith.cmpi sle, %j, %t : index)";

constexpr llvm::StringLiteral kWindow = R"(
      %w = arith.constant 40 : index
      %0 = arith.subi %i, %j : index
      %1 = arith.subi %j, %i : index
      %2 = arith.maxsi %0, %1 : index
      %keep = arith.cmpi slt, %2, %w : index)";

/// The first keys, and a window: a gap between two runs.
constexpr llvm::StringLiteral kSinkAndWindow = R"(
      %w = arith.constant 30 : index
      %first = arith.constant 4 : index
      %0 = arith.subi %i, %j : index
      %1 = arith.cmpi slt, %0, %w : index
      %2 = arith.cmpi sle, %j, %i : index
      %3 = arith.andi %1, %2 : i1
      %4 = arith.cmpi slt, %j, %first : index
      %keep = arith.ori %3, %4 : i1)";

constexpr llvm::StringLiteral kPadding = R"(
      %zero = arith.constant 0 : i64
      %0 = tensor.extract %mask[%b, %j] : tensor<?x?xi64>
      %keep = arith.cmpi ne, %0, %zero : i64)";

constexpr llvm::StringLiteral kLengths = R"(
      %0 = tensor.extract %valid[%b] : tensor<?xi64>
      %1 = arith.index_cast %0 : i64 to index
      %keep = arith.cmpi slt, %j, %1 : index)";

/// Rows and keys behind the end are padding.
constexpr llvm::StringLiteral kPadded = R"(
      %0 = tensor.extract %valid[%b] : tensor<?xi64>
      %1 = arith.index_cast %0 : i64 to index
      %2 = arith.cmpi slt, %j, %1 : index
      %3 = arith.cmpi slt, %i, %1 : index
      %keep = arith.andi %2, %3 : i1)";

/// The first head looks back, the second ahead.
constexpr llvm::StringLiteral kByHead = R"(
      %zero = arith.constant 0 : index
      %0 = arith.cmpi eq, %h, %zero : index
      %1 = arith.cmpi sle, %j, %i : index
      %2 = arith.cmpi sge, %j, %i : index
      %keep = arith.select %0, %1, %2 : i1)";

constexpr llvm::StringLiteral kDocuments = R"(
      %0 = tensor.extract %document[%i] : tensor<?xi64>
      %1 = tensor.extract %document[%j] : tensor<?xi64>
      %keep = arith.cmpi eq, %0, %1 : i64)";

/// Blocks of 50, a floor division; 0 - x and select.
constexpr llvm::StringLiteral kBlocks = R"(
      %c = arith.constant 50 : index
      %zero = arith.constant 0 : index
      %shift = arith.constant 70 : index
      %0 = arith.subi %i, %shift : index
      %1 = arith.floordivsi %0, %c : index
      %2 = arith.subi %j, %shift : index
      %3 = arith.floordivsi %2, %c : index
      %4 = arith.cmpi slt, %1, %zero : index
      %5 = arith.select %4, %zero, %1 : index
      %keep = arith.cmpi eq, %5, %3 : index)";

const std::pair<const char *, llvm::StringRef> kKeeps[] = {
    {"causal", kCausal},   {"window", kWindow},   {"two runs", kSinkAndWindow},
    {"padding", kPadding}, {"lengths", kLengths}, {"documents", kDocuments},
    {"blocks", kBlocks},   {"padded", kPadded},   {"by head", kByHead}};

/// Writes conditions on integers of every kind the analysis knows.
class KeepWriter {
public:
  explicit KeepWriter(std::mt19937 &random) : random(random) {
    for (const char *index : {"i", "j", "m", "n"})
      leaf(llvm::formatv("arith.index_cast %{0} : index to i64", index));
    leaf("tensor.extract %valid[%b] : tensor<?xi64>");
    leaf("tensor.extract %mask[%b, %j] : tensor<?x?xi64>");
    leaf("tensor.extract %document[%i] : tensor<?xi64>");
    leaf("tensor.extract %document[%j] : tensor<?xi64>");
    for (int constant : {-60, 1, 7, 64, 130})
      leaf(llvm::formatv("arith.constant {0} : i64", constant));
  }
  std::string write() {
    std::string last = condition(1 + below(2));
    return text + "%true = arith.constant true\n%keep = arith.andi " + last +
           ", %true : i1";
  }

private:
  int below(int count) { return random() % count; }
  std::string line(const std::string &op) {
    std::string name = "%x" + std::to_string(next++);
    text += name + " = " + op + "\n";
    return name;
  }
  void leaf(const std::string &op) { leaves.push_back(line(op)); }
  std::string integer(int depth) {
    if (depth == 0 || below(3) == 0) // i and j as often as all others
      return leaves[below(below(2) ? 2 : leaves.size())];
    std::string x = integer(depth - 1), y = integer(depth - 1);
    const char *ops[] = {"addi", "subi", "minsi", "maxsi", "muli"};
    if (below(5) == 0)
      return line("arith.floordivsi " + x + ", " + leaves[leaves.size() - 3] +
                  " : i64");
    return line(std::string("arith.") + ops[below(5)] + " " + x + ", " + y +
                " : i64");
  }
  std::string condition(int depth) {
    if (depth == 0) {
      const char *predicates[] = {"slt", "sle", "sgt", "sge", "eq", "ne"};
      std::string x = integer(1), y = integer(1);
      return line(std::string("arith.cmpi ") + predicates[below(6)] + ", " + x +
                  ", " + y + " : i64");
    }
    const char *ops[] = {"andi", "ori", "xori"};
    std::string x = condition(depth - 1), y = condition(depth - 1);
    return line(std::string("arith.") + ops[below(3)] + " " + x + ", " + y +
                " : i1");
  }

  std::mt19937 &random;
  std::string text = "\n";
  std::vector<std::string> leaves;
  int next = 0;
};

class Keep : public KernelTest {
protected:
  void SetUp() override {
    KernelTest::SetUp();
    mlir::DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
  }

  Problem problem(int64_t m, int64_t n, int64_t keyHeads = 1) {
    Problem p{m,
              n,
              normal(kBatch * kHeads * m * kWidth),
              normal(kBatch * keyHeads * n * kWidth),
              normal(kBatch * keyHeads * n * kWidth),
              {n / 3, 2 * n / 3},
              std::vector<int64_t>(kBatch * n),
              std::vector<int64_t>(std::max(m, n))};
    for (int64_t j = 0; j < n; ++j) {
      p.mask[j] = j >= n / 2;    // the first batch is padded in front
      p.mask[n + j] = j < n / 4; // the second behind
    }
    for (int64_t i = 0; i < std::max(m, n); ++i)
      p.document[i] = i / 150 - 1;
    return p;
  }

  std::vector<float> run(CompiledKernel &kernel, Problem &p, int64_t slots) {
    GuardedBuffer out(kBatch * kHeads * p.m * kWidth);
    std::fill_n(out.data(), out.size(), NAN);
    kernel.run(p.operands(out), slots);
    return {out.data(), out.data() + out.size()};
  }
  /// With a map of the weights of `heads` heads: the outputs, then the map.
  std::vector<float> runWithMap(CompiledKernel &kernel, Problem &p,
                                int64_t heads, int64_t slots) {
    GuardedBuffer out(kBatch * kHeads * p.m * kWidth);
    GuardedBuffer map(kBatch * heads * p.m * p.n);
    std::fill_n(map.data(), map.size(), NAN);
    std::vector<Operand> operands = p.operands(out);
    operands.push_back({map.data(), {kBatch, p.m, p.n}});
    kernel.run(operands, slots);
    std::vector<float> all(out.data(), out.data() + out.size());
    all.insert(all.end(), map.data(), map.data() + map.size());
    return all;
  }

  std::vector<double> evaluate(const std::string &text, const Problem &p);
  void compare(llvm::ArrayRef<float> found, llvm::ArrayRef<double> expected);

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
};

std::vector<double> Keep::evaluate(const std::string &text, const Problem &p) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return {};
  auto floats = [](llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> x) {
    return Array::ofFloats(shape, std::vector<double>(x.begin(), x.end()));
  };
  llvm::SmallVector<Array> inputs = {
      floats({kBatch, kHeads, p.m, kWidth}, p.q),
      floats({kBatch, 1, p.n, kWidth}, p.k),
      floats({kBatch, 1, p.n, kWidth}, p.v),
      Array::ofIntegers({kBatch}, p.valid),
      Array::ofIntegers({kBatch, p.n}, p.mask),
      Array::ofIntegers({std::max(p.m, p.n)}, p.document)};
  auto results = reference::evaluateFunction(
      module->lookupSymbol<mlir::func::FuncOp>("kernel"), inputs,
      [](llvm::StringRef, mlir::RankedTensorType) -> llvm::Expected<Array> {
        return llvm::createStringError("a kernel has no weights");
      },
      [](llvm::StringRef, const Array &) {});
  return failed(results) ? std::vector<double>()
                         : std::vector<double>((*results)[0].floats());
}

void Keep::compare(llvm::ArrayRef<float> found,
                   llvm::ArrayRef<double> expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i], 5e-6 + 1e-5 * std::abs(expected[i]))
        << "element " << i;
}

// Blocks are left out, run unmasked or masked: no bit tells which.
TEST_P(Keep, WhatIsProvedChangesNoBit) {
  for (auto [name, keep] : kKeeps) {
    SCOPED_TRACE(name);
    CompiledKernel proved = compile(keepText(keep));
    CompiledKernel asked = compile(keepText(unproved(keep.str())));
    for (auto [m, n] : {std::pair<int64_t, int64_t>{70, 200},
                        {1, 65},
                        {200, 70},
                        {40, 1200},
                        {1000, 60}}) {
      Problem p = problem(m, n);
      std::vector<float> first = run(proved, p, 1);
      EXPECT_EQ(first, run(asked, p, 1)) << m << " x " << n;
      for (int64_t slots : {2, 3, 7, 64})
        EXPECT_EQ(first, run(proved, p, slots)) << m << " x " << n;
      if (m * n < 20000)
        compare(first, evaluate(keepText(keep), p));
    }
  }
}

/// Makes something of a weight of 0.
constexpr llvm::StringLiteral kRaised = R"(
      %quarter = arith.constant 0.25 : f32
      %weight = arith.addf %normalized, %quarter : f32)";

// The same where the weights of all keys are a result: what is left out is 0 in
// the map, too, whatever an expression makes of the weights of kept keys.
TEST_P(Keep, MapsHoldZerosForWhatIsLeftOut) {
  for (auto [keep, heads, weight] :
       {std::tuple<llvm::StringRef, int64_t, llvm::StringRef>{kCausal, 2, ""},
        {kSinkAndWindow, 1, ""},
        {kPadded, 2, ""},
        {kPadded, 1, ""},
        {kByHead, 2, ""},
        {kByHead, 1, ""},
        {kCausal, 2, kRaised},
        {kSinkAndWindow, 2, kRaised},
        {kPadded, 1, kRaised}}) {
    SCOPED_TRACE(
        llvm::formatv("{0}, {1} maps, {2}", keep, heads, weight).str());
    std::string map = heads == 1
                          ? std::string("tensor<?x?x?xf32>")
                          : llvm::formatv("tensor<?x{0}x?x?xf32>", heads);
    std::string text = keepText(keep, 1, map, weight);
    CompiledKernel proved = compile(text);
    CompiledKernel asked =
        compile(keepText(unproved(keep.str()), 1, map, weight));
    for (auto [m, n] : {std::pair<int64_t, int64_t>{70, 200}, {40, 1200}}) {
      Problem p = problem(m, n);
      std::vector<float> first = runWithMap(proved, p, heads, 1);
      EXPECT_EQ(first, runWithMap(asked, p, heads, 1)) << m << " x " << n;
      for (int64_t slots : {2, 3, 7})
        EXPECT_EQ(first, runWithMap(proved, p, heads, slots))
            << m << " x " << n;
      first.resize(kBatch * kHeads * m * kWidth);
      if (m * n < 20000)
        compare(first, evaluate(text, p));
    }
  }
}

// A slot packs only what its own rows of a head may keep.
TEST_P(Keep, HeadsOfTheirOwnKeysKeepTheBits) {
  for (auto [name, keep] : kKeeps) {
    SCOPED_TRACE(name);
    CompiledKernel proved = compile(keepText(keep, kHeads));
    CompiledKernel asked = compile(keepText(unproved(keep.str()), kHeads));
    Problem p = problem(130, 300, kHeads);
    std::vector<float> first = run(asked, p, 1);
    for (int64_t slots : {1, 2, 5, 40})
      EXPECT_EQ(first, run(proved, p, slots)) << slots << " slots";
  }
}

// Expressions that nobody chose.
TEST_P(Keep, RandomExpressionsAgreeWithTheReference) {
  for (int round = 0; round < 10; ++round) {
    std::string keep = KeepWriter(random).write();
    SCOPED_TRACE(keep);
    Problem p = problem(50, 300);
    CompiledKernel kernel = compile(keepText(keep));
    std::vector<float> found = run(kernel, p, 2);
    compare(found, evaluate(keepText(keep), p));
  }
}

// Whatever stands at masked keys, inside a block or in one that is left out.
TEST_P(Keep, HiddenKeysAndValuesMayHoldAnything) {
  CompiledKernel kernel = compile(keepText(kLengths));
  Problem p = problem(30, 300);
  std::vector<float> clean = run(kernel, p, 1);
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t j = p.valid[b]; j < p.n; ++j) {
      std::fill_n(&p.k[(b * p.n + j) * kWidth], kWidth, NAN);
      std::fill_n(&p.v[(b * p.n + j) * kWidth], kWidth, j % 2 ? INFINITY : NAN);
    }
  EXPECT_EQ(clean, run(kernel, p, 1));
}

TEST_P(Keep, RowsThatKeepNothingAreZero) {
  CompiledKernel kernel = compile(keepText(kCausal));
  Problem p = problem(90, 40); // the first 50 rows see no key
  std::vector<float> out = run(kernel, p, 1);
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t e = 0; e < kWidth; ++e)
      EXPECT_EQ(out[i * kWidth + e] == 0, i < 50) << "row " << i;
}

// Captures so large that arithmetic on them wraps around.
TEST_P(Keep, ArithmeticThatWrapsIsNotProved) {
  std::string keep = R"(
      %0 = tensor.extract %valid[%b] : tensor<?xi64>
      %1 = arith.index_cast %0 : i64 to index
      %2 = arith.addi %1, %j : index
      %keep = arith.cmpi sgt, %2, %i : index)";
  Problem p = problem(30, 150);
  p.valid = {std::numeric_limits<int64_t>::max() - 100,
             std::numeric_limits<int64_t>::min()};
  CompiledKernel kernel = compile(keepText(keep));
  CompiledKernel asked = compile(keepText(unproved(keep)));
  EXPECT_EQ(run(kernel, p, 1), run(asked, p, 1));
}

INSTANTIATE_TEST_SUITE_P(Targets, Keep, ::testing::ValuesIn(targetsHere()),
                         targetName);

} // namespace
