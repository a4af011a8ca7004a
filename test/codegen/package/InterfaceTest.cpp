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

} // namespace
