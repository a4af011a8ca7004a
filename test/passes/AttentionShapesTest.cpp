// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every way to write a scale, with every way to transpose a key and to mask a
// score: each is raised to attn.attention and keeps its values.

#include "test/passes/Evaluation.h"

using namespace mlir;
using namespace attn::test;

namespace {

constexpr int64_t kBatch = 2, kRows = 5, kColumns = 7;

enum class Scale { None, Query, Key, Both, Multiply, Divide };
enum class Key { TransposeB, Swap, SwapWithHeads, ThroughReshape };
enum class Mask { None, Keys, Pairs, Batch, Full, Infinite, Finite, Causal };

/// One graph, written as a person or an exporter would.
struct Graph {
  Scale scale;
  Key key;
  Mask mask;
  bool maskFirst;
  bool nanGuard;

  std::string text;

  void line(const std::string &code) { text += "  " + code + "\n"; }

  /// `result` = a map over `type` of `inputs`, each "%value : type" with a map.
  void map(const std::string &result, const std::string &type,
           const std::string &empty, const std::string &maps,
           const std::string &inputs, const std::string &body) {
    std::string ins = inputs.empty() ? "" : "ins(" + inputs + ") ";
    line("%" + result + " = linalg.generic {indexing_maps = [" + maps +
         "#id], iterator_types = [\"parallel\", \"parallel\", \"parallel\", "
         "\"parallel\"]} " +
         ins + "outs(%" + empty + " : " + type + ") {");
    text += body;
    line("} -> " + type);
  }

  std::string scaled(const std::string &value, const std::string &type,
                     const std::string &empty, const char *op,
                     const char *constant) {
    std::string result = value + "_scaled";
    map(result, type, empty, "#id, ", "%" + value + " : " + type,
        std::string("  ^bb0(%a: f32, %o: f32):\n    %r = arith.") + op +
            " %a, " + constant + " : f32\n    linalg.yield %r : f32\n");
    return result;
  }

  std::string masked(const std::string &score);
  std::string maskType() const;
  void writeKey();
  std::string write();
};

const std::string kScores = "tensor<?x4x?x?xf32>";
const std::string kHeads = "tensor<?x4x?x8xf32>";
const std::string kSwapped = "tensor<?x4x8x?xf32>";

std::string Graph::maskType() const {
  switch (mask) {
  case Mask::Keys:
    return "tensor<?xf32>";
  case Mask::Pairs:
    return "tensor<?x?xf32>";
  case Mask::Batch:
    return "tensor<?x1x1x?xf32>";
  case Mask::Infinite:
  case Mask::Finite:
    return "tensor<?x?xi64>";
  default:
    return kScores;
  }
}

std::string Graph::masked(const std::string &score) {
  if (mask == Mask::None)
    return score;
  std::string result = score + "_masked";
  std::string inputs = "%" + score + ", %mask : " + kScores + ", " + maskType();
  auto add = [&](const char *where) {
    map(result, kScores, "scores_empty", std::string("#id, ") + where + ", ",
        inputs,
        "  ^bb0(%a: f32, %x: f32, %o: f32):\n    %r = arith.addf %x, %a : f32\n"
        "    linalg.yield %r : f32\n");
  };
  auto fill = [&](const char *with) {
    map(result, kScores, "scores_empty",
        "#id, affine_map<(b, h, i, j) -> (b, j)>, ", inputs,
        std::string("  ^bb0(%a: f32, %x: i64, %o: f32):\n"
                    "    %c = arith.cmpi ne, %x, %zero_int : i64\n"
                    "    %r = arith.select %c, %a, ") +
            with + " : f32\n    linalg.yield %r : f32\n");
  };
  switch (mask) {
  case Mask::None:
    break;
  case Mask::Keys:
    add("affine_map<(b, h, i, j) -> (j)>");
    break;
  case Mask::Pairs:
    add("affine_map<(b, h, i, j) -> (i, j)>");
    break;
  case Mask::Batch:
    add("affine_map<(b, h, i, j) -> (b, 0, 0, j)>");
    break;
  case Mask::Full:
    add("#id");
    break;
  case Mask::Infinite:
    fill("%infinite");
    break;
  case Mask::Finite:
    fill("%finite");
    break;
  case Mask::Causal:
    map(result, kScores, "scores_empty", "#id, ", "%" + score + " : " + kScores,
        "  ^bb0(%a: f32, %o: f32):\n    %i = linalg.index 2 : index\n"
        "    %j = linalg.index 3 : index\n"
        "    %c = arith.cmpi ule, %j, %i : index\n"
        "    %f = arith.select %c, %zero, %infinite : f32\n"
        "    %r = arith.addf %a, %f : f32\n    linalg.yield %r : f32\n");
    break;
  }
  return result;
}

/// Defines %keys, as the second operand of the first product.
void Graph::writeKey() {
  std::string swap = "outs(%keys_empty : " + kSwapped + ") permutation = ";
  switch (key) {
  case Key::TransposeB:
    line("%keys = tensor.cast %k : " + kHeads + " to " + kHeads);
    break;
  case Key::Swap:
    line("%keys = linalg.transpose ins(%k : " + kHeads + ") " + swap +
         "[0, 1, 3, 2]");
    break;
  case Key::SwapWithHeads:
    line("%keys = linalg.transpose ins(%k : tensor<?x?x4x8xf32>) " + swap +
         "[0, 2, 3, 1]");
    break;
  case Key::ThroughReshape:
    line("%joined = tensor.collapse_shape %k [[0, 1], [2], [3]] : " + kHeads +
         " into tensor<?x?x8xf32>");
    line("%four = arith.constant 4 : index");
    line("%all = arith.muli %b, %four : index");
    line("%joined_empty = tensor.empty(%all, %n) : tensor<?x8x?xf32>");
    line("%turned = linalg.transpose ins(%joined : tensor<?x?x8xf32>) "
         "outs(%joined_empty : tensor<?x8x?xf32>) permutation = [0, 2, 1]");
    line("%keys = tensor.expand_shape %turned [[0, 1], [2], [3]] output_shape "
         "[%b, 4, 8, %n] : tensor<?x8x?xf32> into " +
         kSwapped);
    break;
  }
}

std::string Graph::write() {
  std::string keyType =
      key == Key::SwapWithHeads ? "tensor<?x?x4x8xf32>" : kHeads;
  text = "#id = affine_map<(b, h, i, j) -> (b, h, i, j)>\n"
         "func.func @graph(%q: " +
         kHeads + ", %k: " + keyType + ", %v: " + kHeads +
         ", %mask: " + maskType() + ") -> " + kHeads + " {\n";
  line("%c0 = arith.constant 0 : index");
  line("%c2 = arith.constant 2 : index");
  line("%zero_int = arith.constant 0 : i64");
  line("%zero = arith.constant 0.0 : f32");
  line("%infinite = arith.constant 0xFF800000 : f32");
  line("%finite = arith.constant -3.0 : f32");
  line("%root = arith.constant 0.59460355 : f32");
  line("%factor = arith.constant 0.35355338 : f32");
  line("%divisor = arith.constant 2.8284271 : f32");
  line("%b = tensor.dim %q, %c0 : " + kHeads);
  line("%m = tensor.dim %q, %c2 : " + kHeads);
  line("%n = tensor.dim %v, %c2 : " + kHeads);
  line("%scores_empty = tensor.empty(%b, %m, %n) : " + kScores);
  line("%queries_empty = tensor.empty(%b, %m) : " + kHeads);
  bool transposeB = key == Key::TransposeB;
  std::string operandType = transposeB ? kHeads : kSwapped;
  line("%keys_empty = tensor.empty(%b, %n) : " + operandType);

  std::string query = "q", keys = "keys";
  writeKey();
  bool both = scale == Scale::Both;
  if (both || scale == Scale::Query)
    query = scaled(query, kHeads, "queries_empty", "mulf",
                   both ? "%root" : "%factor");
  if (both || scale == Scale::Key)
    keys = scaled(keys, operandType, "keys_empty", "mulf",
                  both ? "%root" : "%factor");
  line("%s = attn.matmul %" + query + ", %" + keys +
       (transposeB ? " transpose_b" : "") + " : " + kHeads + ", " +
       operandType + " -> " + kScores);

  std::string score = "s";
  if (maskFirst)
    score = masked(score);
  if (scale == Scale::Multiply)
    score = scaled(score, kScores, "scores_empty", "mulf", "%factor");
  if (scale == Scale::Divide)
    score = scaled(score, kScores, "scores_empty", "divf", "%divisor");
  if (!maskFirst)
    score = masked(score);
  line("%p = attn.softmax %" + score + " axis 3 : " + kScores);
  std::string weights = "p";
  if (nanGuard) {
    weights = "guarded";
    map(weights, kScores, "scores_empty", "#id, ", "%p : " + kScores,
        "  ^bb0(%a: f32, %o: f32):\n    %c = arith.cmpf uno, %a, %a : f32\n"
        "    %r = arith.select %c, %zero, %a : f32\n"
        "    linalg.yield %r : f32\n");
  }
  line("%y = attn.matmul %" + weights + ", %v : " + kScores + ", " + kHeads +
       " -> " + kHeads);
  line("return %y : " + kHeads);
  return text + "}\n";
}

/// Sizes of the dynamic dimensions of each argument.
SmallVector<SmallVector<int64_t>> sizesOf(const Graph &graph) {
  SmallVector<int64_t> mask;
  switch (graph.mask) {
  case Mask::Keys:
    mask = {kColumns};
    break;
  case Mask::Pairs:
    mask = {kRows, kColumns};
    break;
  case Mask::Batch:
  case Mask::Infinite:
  case Mask::Finite:
    mask = {kBatch, kColumns};
    break;
  default:
    mask = {kBatch, kRows, kColumns};
  }
  return {{kBatch, kRows}, {kBatch, kColumns}, {kBatch, kColumns}, mask};
}

void expectRaised(Graph graph, MLIRContext &context) {
  std::string text = graph.write();
  SCOPED_TRACE(text);
  auto module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  auto function = *module->getOps<func::FuncOp>().begin();
  SmallVector<SmallVector<int64_t>> sizes = sizesOf(graph);
  auto before = evaluate(function, sizes);
  PassManager manager(&context);
  attn::buildFusionPipeline(manager);
  ASSERT_TRUE(succeeded(manager.run(*module)));

  unsigned attentions = 0;
  function.walk([&](Operation *op) {
    attentions += isa<attn::AttentionOp>(op);
    EXPECT_FALSE((isa<attn::SoftmaxOp, attn::MatmulOp, linalg::GenericOp>(op)))
        << "left over: " << op->getName().getStringRef().str();
  });
  EXPECT_EQ(attentions, 1u);
  expectAgreement(before, evaluate(function, sizes));
}

class AttentionShapes : public testing::TestWithParam<Scale> {};

TEST_P(AttentionShapes, AreRaised) {
  DialectRegistry registry;
  attn::registerAllDialects(registry);
  MLIRContext context(registry);
  for (Key key :
       {Key::TransposeB, Key::Swap, Key::SwapWithHeads, Key::ThroughReshape})
    for (Mask mask : {Mask::None, Mask::Keys, Mask::Pairs, Mask::Batch,
                      Mask::Full, Mask::Infinite, Mask::Finite, Mask::Causal})
      for (bool maskFirst : {false, true})
        for (bool nanGuard : {false, true}) {
          expectRaised({GetParam(), key, mask, maskFirst, nanGuard, ""},
                       context);
          if (HasFailure())
            return;
        }
}

std::string nameOf(const testing::TestParamInfo<Scale> &info) {
  const char *names[] = {"None", "Query", "Key", "Both", "Multiply", "Divide"};
  return names[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Scales, AttentionShapes,
                         testing::Values(Scale::None, Scale::Query, Scale::Key,
                                         Scale::Both, Scale::Multiply,
                                         Scale::Divide),
                         nameOf);

} // namespace
