// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model function's attributes say about the compiled model.

#include "codegen/package/Interface.h"
#include "dialect/AttnDialect.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace attn::package;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class InterfaceTest : public testing::Test {
protected:
  InterfaceTest()
      : handler(&context, [this](mlir::Diagnostic &diagnostic) {
          message = diagnostic.str();
        }) {
    context.loadDialect<attn::AttnDialect, mlir::func::FuncDialect>();
  }

  llvm::FailureOr<ModelInterface> describe(llvm::StringRef source) {
    module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
    if (!module)
      return mlir::failure();
    return describeModel(*module->getOps<mlir::func::FuncOp>().begin());
  }

  /// The diagnostic for one argument of that type and attributes.
  std::string errorOf(llvm::StringRef type, llvm::StringRef attributes,
                      llvm::StringRef functionAttributes = "") {
    message = "no error";
    (void)describe(("func.func private @m(" + type + " {" + attributes + "}) " +
                    functionAttributes)
                       .str());
    return message;
  }

  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler handler;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string message;
};

TEST_F(InterfaceTest, ReadsDimensionsTensorsAndBounds) {
  auto model = describe(R"(
    func.func private @bert(
      tensor<?x?xi64> {attn.name = "input_ids", attn.dims = ["batch", "sequence"],
                       attn.bound = 30522},
      tensor<?x4xf32> {attn.name = "extra", attn.dims = ["batch", ""]})
      -> (tensor<?x?x8xf32> {attn.name = "hidden",
                             attn.dims = ["batch", "sequence", ""]},
          tensor<2xf32> {attn.name = "fixed"})
      attributes {attn.dim_max = {sequence = 512}})");
  ASSERT_TRUE(mlir::succeeded(model)) << message;
  EXPECT_EQ(model->name, "bert");
  ASSERT_EQ(model->dims.size(), 2u);
  EXPECT_EQ(model->dims[0].name, "batch");
  EXPECT_EQ(model->dims[0].max, kDefaultDimMax);
  EXPECT_EQ(model->dims[1].name, "sequence");
  EXPECT_EQ(model->dims[1].min, 1);
  EXPECT_EQ(model->dims[1].max, 512);
  ASSERT_EQ(model->inputs.size(), 2u);
  EXPECT_EQ(model->inputs[0].dtype, ATTN_I64);
  EXPECT_EQ(model->inputs[0].bound, 30522);
  EXPECT_THAT(model->inputs[0].shape, ElementsAre(-1, -2));
  EXPECT_THAT(model->inputs[1].shape, ElementsAre(-1, 4));
  ASSERT_EQ(model->outputs.size(), 2u);
  EXPECT_THAT(model->outputs[0].shape, ElementsAre(-1, -2, 8));
  EXPECT_EQ(shapeText(*model, model->outputs[0]), "[batch, sequence, 8]");
  EXPECT_THAT(model->outputs[1].shape, ElementsAre(2));
}

TEST_F(InterfaceTest, TellsWhatIsMissingOrWrong) {
  EXPECT_THAT(errorOf("tensor<2xf32>", ""),
              HasSubstr("argument #0 expects a name"));
  EXPECT_THAT(errorOf("tensor<2xf16>", "attn.name = \"x\""),
              HasSubstr("expects a ranked tensor of f32 or i64, but got "
                        "'tensor<2xf16>'"));
  EXPECT_THAT(errorOf("tensor<?xf32>", "attn.name = \"x\""),
              HasSubstr("expects attribute 'attn.dims'"));
}

TEST_F(InterfaceTest, ChecksUpperBoundsOfDimensions) {
  const char *batch = "attn.name = \"x\", attn.dims = [\"batch\"]";
  EXPECT_THAT(errorOf("tensor<?xf32>", batch,
                      "attributes {attn.dim_max = {sequence = 2}}"),
              HasSubstr("'sequence', which is no dynamic dimension"));
}

TEST_F(InterfaceTest, NamesAreUniqueAmongArguments) {
  message = "no error";
  (void)describe(R"(func.func private @m(tensor<1xf32> {attn.name = "x"},
                                         tensor<1xf32> {attn.name = "x"}))");
  EXPECT_THAT(message, HasSubstr("has two arguments named 'x'"));
}

constexpr llvm::StringLiteral stepSource = R"(
  func.func private @step(
    tensor<1x?xi64> {attn.name = "input_ids", attn.dims = ["", "tokens"],
                     attn.bound = 200, attn.role = "tokens"},
    tensor<?xi64> {attn.name = "counts", attn.dims = ["sequences"],
                   attn.role = "counts"},
    tensor<?xi64> {attn.name = "past", attn.dims = ["sequences"],
                   attn.role = "past"},
    tensor<?x?xi64> {attn.name = "pages", attn.dims = ["sequences", "blocks"],
                     attn.role = "pages"},
    tensor<?xCACHExf32> {attn.name = "cache", attn.dims = ["page_count", ""],
                         attn.role = "cache", attn.in_place})
    -> (tensor<1x?x200xf32> {attn.name = "logits",
                             attn.dims = ["", "sequences", ""]})
    attributes {attn.program = "step", attn.max_positions = 1024})";

std::string replaced(std::string text, llvm::StringRef from,
                     llvm::StringRef to) {
  size_t at = text.find(from.str());
  EXPECT_NE(at, std::string::npos) << from.str();
  return text.replace(at, from.size(), to.str());
}

TEST_F(InterfaceTest, ReadsRolesAndTheCache) {
  auto model = describe(replaced(stepSource.str(), "CACHE", "4096"));
  ASSERT_TRUE(mlir::succeeded(model)) << message;
  EXPECT_EQ(model->inputs[0].role, ATTN_ROLE_TOKENS);
  EXPECT_EQ(model->inputs[3].role, ATTN_ROLE_PAGES);
  EXPECT_EQ(model->inputs[4].role, ATTN_ROLE_CACHE);
  ASSERT_TRUE(model->cache);
  EXPECT_EQ(model->cache->pageTokens, 64);
  EXPECT_EQ(model->cache->pageBytes, 4096 * 4);
  EXPECT_EQ(model->cache->positions, 1024);
}

TEST_F(InterfaceTest, ChecksWhatAProgramWithACacheNeeds) {
  std::string good = replaced(stepSource.str(), "CACHE", "4096");
  auto errorWithout = [&](llvm::StringRef from, llvm::StringRef to) {
    message = "no error";
    (void)describe(replaced(good, from, to));
    return message;
  };
  EXPECT_THAT(errorWithout("x4096xf32", "x100xf32"),
              HasSubstr("expects pages of a multiple of 16 floats, but got "
                        "[page_count, 100]"));
  EXPECT_THAT(errorWithout("attn.role = \"past\"", "attn.role = \"counts\""),
              HasSubstr("expects one argument of role 'counts', but got 2"));
  EXPECT_THAT(errorWithout("\"past\"}", "\"memory_lengths\"}"),
              HasSubstr("expects one argument of role 'past', but got 0"));
  EXPECT_THAT(errorWithout("attn.program = \"step\", ", ""),
              HasSubstr("has an argument of role 'tokens' and expects "
                        "'attn.program'"));
  EXPECT_THAT(errorWithout("1024}", "1024, attn.memory_length = \"tokens\"}"),
              HasSubstr("of program 'step' expects no 'attn.memory_length'"));
  EXPECT_THAT(errorWithout("tensor<?xi64> {attn.name = \"past\"",
                           "tensor<?xf32> {attn.name = \"past\""),
              HasSubstr("has role 'past' and expects a tensor of rank 1 of "
                        "i64, but got 'tensor<?xf32>'"));
}

TEST_F(InterfaceTest, ReadsHowMuchAnEncoderWrites) {
  std::string source = R"(
    func.func private @encode(
      tensor<1x?xi64> {attn.name = "input_ids", attn.dims = ["", "sequence"]},
      tensor<1x?xi64> {attn.name = "memory_pages",
                       attn.dims = ["", "memory_blocks"],
                       attn.role = "memory_pages"},
      tensor<?x64xf32> {attn.name = "cache", attn.dims = ["page_count", ""],
                        attn.role = "cache"})
      attributes {attn.program = "encode", attn.memory_length = LENGTH})";
  auto named = describe(replaced(source, "LENGTH", "\"sequence\""));
  ASSERT_TRUE(mlir::succeeded(named)) << message;
  EXPECT_EQ(named->cache->memoryLength, -1);
  auto fixed = describe(replaced(source, "LENGTH", "1500"));
  ASSERT_TRUE(mlir::succeeded(fixed)) << message;
  EXPECT_EQ(fixed->cache->memoryLength, 1500);
  (void)describe(replaced(source, "LENGTH", "\"frames\""));
  EXPECT_THAT(message, HasSubstr("expects a dynamic dimension of an argument, "
                                 "but got \"frames\""));
}

} // namespace
