// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decoders of the zoo, step by step: whatever the calls in which the tokens of
// several sequences come, and wherever their pages lie, the last row of each is
// that of the model over the whole sequence.

#include "frontend/language/Language.h"
#include "frontend/zoo/Zoo.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/ModelFunctions.h"
#include "passes/Passes.h"
#include "test/passes/Evaluation.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <numeric>
#include <random>

using namespace mlir;
using namespace attn::test;
using attn::reference::Array;

namespace {

struct Case {
  const char *folder, *type;
};

/// A sequence: its tokens, how many of them were given, and its pages.
struct Sequence {
  std::vector<int64_t> tokens;
  int64_t past = 0;
  std::vector<int64_t> pages, memoryPages;
  int64_t memoryLength = 0;
  Array encoderInput, expected;
};

constexpr int64_t kPages = 12, kLongest = 80, kLayers = 4;

class CacheKeys : public testing::TestWithParam<Case> {
protected:
  CacheKeys() : context(registry()) { context.loadAllAvailableDialects(); }

  static DialectRegistry registry() {
    DialectRegistry registry;
    attn::registerAllDialects(registry);
    return registry;
  }

  void build() {
    std::string path = std::string(ATTNC_TEST_PASSES) + "/../e2e/golden/" +
                       GetParam().folder + "/config.json";
    auto text = llvm::MemoryBuffer::getFile(path);
    ASSERT_TRUE(static_cast<bool>(text)) << path;
    auto config = llvm::json::parse((*text)->getBuffer());
    ASSERT_TRUE(static_cast<bool>(config));
    attn::lang::BuildOptions options;
    options.config = *config->getAsObject();
    for (const char *limit :
         {"max_position_embeddings", "n_positions", "max_target_positions"})
      if (options.config.get(limit))
        options.config[limit] = kLongest;
    for (const char *depth : {"n_layer", "num_hidden_layers", "decoder_layers",
                              "num_decoder_layers"})
      if (options.config.get(depth) && !options.config.get("layer_types"))
        options.config[depth] = kLayers;
    options.model =
        options.config.getArray("architectures")->front().getAsString()->str();
    hasLayerTypes = options.config.get("layer_types");
    options.import = attn::zoo::importDescription;
    options.dims["batch"] = 1;
    options.absent = {"attention_mask"};
    if (std::string(GetParam().type) != "whisper" && isEncoderDecoder())
      options.absent.push_back("decoder_attention_mask");
    if (std::string(GetParam().type) == "whisper")
      options.absent = {"decoder_attention_mask"};
    std::string diagnostics;
    whole = attn::lang::buildModel(&context,
                                   *attn::zoo::forModelType(GetParam().type),
                                   options, diagnostics);
    ASSERT_TRUE(whole) << diagnostics;
    step = whole->clone();
    PassManager manager(&context);
    attn::buildCachePipeline(manager);
    ASSERT_TRUE(succeeded(manager.run(*step)));
    nameAppends();
  }

  bool isEncoderDecoder() const {
    return llvm::is_contained({"t5", "marian", "bart", "mbart", "whisper"},
                              std::string(GetParam().type));
  }

  /// So that their results can be had from an evaluation.
  void nameAppends() {
    step->walk([&](Operation *op) {
      bool isInModel =
          !op->getParentOfType<func::FuncOp>() ||
          !op->getParentOfType<func::FuncOp>()->hasAttr(attn::kKernelAttr);
      if ((isInModel && isa<attn::AppendOp>(op)) || attn::isInPlace(op))
        op->setAttr("attn.tap", StringAttr::get(&context, "append"));
    });
  }

  func::FuncOp functionEnding(StringRef suffix) {
    for (auto function : step->getOps<func::FuncOp>())
      if (function.getName().ends_with(suffix))
        return function;
    return {};
  }

  static unsigned argumentNamed(func::FuncOp function, StringRef name) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (function.getArgAttrOfType<StringAttr>(i, "attn.name").getValue() ==
          name)
        return i;
    ADD_FAILURE() << "no input " << name.str();
    return 0;
  }

  static int64_t boundOf(func::FuncOp function, unsigned argument) {
    return function.getArgAttrOfType<IntegerAttr>(argument, "attn.bound")
        .getInt();
  }

  /// Evaluates with the cache as it is, and writes what is appended into it.
  llvm::SmallVector<Array> call(func::FuncOp function,
                                llvm::SmallVector<Array> inputs) {
    unsigned argument = argumentNamed(function, "cache");
    inputs[argument] = Array::ofFloats({kPages, pageFloats}, cache);
    std::vector<double> after = cache;
    auto results = attn::reference::evaluateFunction(
        function, inputs, makeWeight, [&](StringRef tap, const Array &written) {
          if (tap != "append")
            return;
          for (auto [i, x] : llvm::enumerate(written.floats()))
            if (!(x == cache[i] || (std::isnan(x) && std::isnan(cache[i]))))
              after[i] = x;
        });
    EXPECT_TRUE(succeeded(results));
    cache = after;
    return succeeded(results) ? *results : llvm::SmallVector<Array>();
  }

  int64_t draw(int64_t from, int64_t to) {
    return std::uniform_int_distribution<int64_t>(from, to)(random);
  }

  void makeSequences() {
    func::FuncOp function = functionEnding("_step");
    auto type = cast<RankedTensorType>(
        function.getArgumentTypes()[argumentNamed(function, "cache")]);
    pageFloats = type.getDimSize(1);
    // What was never written is never read.
    cache.assign(kPages * pageFloats, NAN);
    std::vector<int64_t> free(kPages);
    std::iota(free.begin(), free.end(), 0);
    std::shuffle(free.begin(), free.end(), random);
    auto take = [&](int64_t count) {
      std::vector<int64_t> taken(free.end() - count, free.end());
      free.resize(free.size() - count);
      return taken;
    };
    auto model = *whole->getOps<func::FuncOp>().begin();
    unsigned tokens = model.getNumArguments() - 1;
    for (int64_t length : {70, 9, 2}) {
      Sequence sequence;
      for (int64_t i = 0; i < length; ++i)
        sequence.tokens.push_back(draw(0, boundOf(model, tokens) - 1));
      sequence.pages = take(2);
      if (functionEnding("_encode"))
        makeMemory(sequence, model, take(1), length);
      llvm::SmallVector<Array> inputs;
      if (functionEnding("_encode"))
        inputs.push_back(sequence.encoderInput);
      inputs.push_back(Array::ofIntegers({1, length}, sequence.tokens));
      auto results = attn::reference::evaluateFunction(
          model, inputs, makeWeight, [](StringRef, const Array &) {});
      ASSERT_TRUE(succeeded(results));
      sequence.expected = results->front();
      sequences.push_back(std::move(sequence));
    }
  }

  void makeMemory(Sequence &sequence, func::FuncOp model,
                  std::vector<int64_t> pages, int64_t seed) {
    func::FuncOp encode = functionEnding("_encode");
    auto type = cast<RankedTensorType>(model.getArgumentTypes()[0]);
    int64_t length = draw(3, 20);
    sequence.encoderInput = makeInput(type, seed, {length});
    sequence.memoryPages = std::move(pages);
    sequence.memoryLength =
        std::string(GetParam().type) == "whisper" ? 25 : length;
    llvm::SmallVector<Array> inputs(encode.getNumArguments());
    inputs[0] = sequence.encoderInput;
    inputs[argumentNamed(encode, "memory_pages")] =
        Array::ofIntegers({1, 1}, sequence.memoryPages);
    call(encode, inputs);
  }

  /// One call with these sequences and numbers of new tokens.
  void advance(ArrayRef<std::pair<unsigned, int64_t>> parts) {
    func::FuncOp function = functionEnding("_step");
    std::vector<int64_t> ids, counts, past, pages, memoryPages, memoryLengths;
    for (auto [number, count] : parts) {
      const Sequence &sequence = sequences[number];
      ids.insert(ids.end(), sequence.tokens.begin() + sequence.past,
                 sequence.tokens.begin() + sequence.past + count);
      counts.push_back(count);
      past.push_back(sequence.past);
      llvm::append_range(pages, sequence.pages);
      llvm::append_range(memoryPages, sequence.memoryPages);
      memoryLengths.push_back(sequence.memoryLength);
    }
    int64_t n = parts.size(), rows = ids.size();
    llvm::SmallVector<Array> inputs(function.getNumArguments());
    inputs[0] = Array::ofIntegers({1, rows}, std::move(ids));
    auto give = [&](StringRef name, Array value) {
      inputs[argumentNamed(function, name)] = std::move(value);
    };
    give("counts", Array::ofIntegers(n, std::move(counts)));
    give("past", Array::ofIntegers(n, std::move(past)));
    give("pages", Array::ofIntegers({n, 2}, std::move(pages)));
    if (functionEnding("_encode")) {
      give("memory_pages", Array::ofIntegers({n, 1}, std::move(memoryPages)));
      give("memory_lengths", Array::ofIntegers(n, std::move(memoryLengths)));
    }
    auto results = call(function, inputs);
    ASSERT_EQ(results.size(), 1u);
    int64_t width = results[0].shape().back();
    ASSERT_EQ(results[0].shape(), ArrayRef<int64_t>({1, n, width}));
    for (auto [s, part] : llvm::enumerate(parts)) {
      Sequence &sequence = sequences[part.first];
      sequence.past += part.second;
      for (int64_t c = 0; c < width; ++c) {
        double x = sequence.expected.floats()[(sequence.past - 1) * width + c];
        ASSERT_NEAR(x, results[0].floats()[s * width + c],
                    kTolerance * (1 + std::abs(x)))
            << "sequence " << part.first << " after " << sequence.past
            << " tokens, column " << c;
      }
    }
  }

  /// Calls with any of the sequences, until all tokens were given.
  void generate() {
    for (int call = 0; call < 100; ++call) {
      llvm::SmallVector<std::pair<unsigned, int64_t>> parts;
      for (auto [number, sequence] : llvm::enumerate(sequences)) {
        int64_t left = sequence.tokens.size() - sequence.past;
        if (left > 0 && draw(0, 3) > 0)
          parts.push_back({number, draw(1, std::min<int64_t>(left, 33))});
      }
      std::shuffle(parts.begin(), parts.end(), random);
      if (parts.empty())
        continue;
      advance(parts);
      if (HasFatalFailure())
        return;
    }
    for (const Sequence &sequence : sequences)
      ASSERT_EQ(sequence.past, static_cast<int64_t>(sequence.tokens.size()));
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> whole, step;
  std::mt19937 random{20};
  std::vector<Sequence> sequences;
  std::vector<double> cache;
  int64_t pageFloats = 0;
  bool hasLayerTypes = false;
};

TEST_P(CacheKeys, StepsGiveTheRowsOfTheWhole) {
  ASSERT_NO_FATAL_FAILURE(build());
  ASSERT_NO_FATAL_FAILURE(makeSequences());
  generate();
}

TEST_P(CacheKeys, FusedStepsGiveTheRowsOfTheWhole) {
  ASSERT_NO_FATAL_FAILURE(build());
  PassManager manager(&context);
  attn::buildFusionPipeline(manager);
  ASSERT_TRUE(succeeded(manager.run(*step)));
  ASSERT_NO_FATAL_FAILURE(makeSequences());
  generate();
}

// The last layer stays behind the loop: its rows are picked early.
TEST_P(CacheKeys, OutlinedStepsGiveTheRowsOfTheWhole) {
  ASSERT_NO_FATAL_FAILURE(build());
  PassManager manager(&context);
  attn::buildFusionPipeline(manager);
  attn::buildOutlinePipeline(manager);
  attn::buildPlanPipeline(manager);
  ASSERT_TRUE(succeeded(manager.run(*step)));
  nameAppends();
  unsigned launches = 0, loops = 0;
  functionEnding("_step").walk([&](Operation *op) {
    launches += isa<attn::LaunchOp>(op);
    loops += isa<scf::ForOp>(op);
    EXPECT_FALSE((isa<attn::AppendOp, attn::ReadPagesOp>(op)));
  });
  EXPECT_GT(launches, 0u);
  if (!hasLayerTypes)
    EXPECT_EQ(loops, 1u);
  ASSERT_NO_FATAL_FAILURE(makeSequences());
  generate();
}

INSTANTIATE_TEST_SUITE_P(
    Decoders, CacheKeys,
    testing::Values(Case{"gpt2", "gpt2"}, Case{"llama", "llama"},
                    Case{"llama-3.1", "llama"}, Case{"llama-linear", "llama"},
                    Case{"llama-yarn", "llama"}, Case{"falcon", "falcon"},
                    Case{"falcon-alibi", "falcon"},
                    Case{"falcon-grouped", "falcon"},
                    Case{"mistral", "mistral"}, Case{"gemma2", "gemma2"},
                    Case{"qwen2", "qwen2"}, Case{"qwen3", "qwen3"},
                    Case{"opt", "opt"}, Case{"gpt-neox", "gpt_neox"},
                    Case{"phi", "phi"}, Case{"bloom", "bloom"},
                    Case{"gptj", "gptj"}, Case{"t5", "t5"},
                    Case{"marian", "marian"}, Case{"bart", "bart"},
                    Case{"mbart", "mbart"}, Case{"whisper", "whisper"}),
    [](const testing::TestParamInfo<Case> &info) {
      std::string name = info.param.folder;
      llvm::erase_if(name, [](char c) { return !isalnum(c); });
      return name;
    });

} // namespace
