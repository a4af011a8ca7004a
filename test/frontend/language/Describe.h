// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Short ways to build a description and see its IR or its errors.

#ifndef TEST_FRONTEND_LANGUAGE_DESCRIBE_H
#define TEST_FRONTEND_LANGUAGE_DESCRIBE_H

#include "frontend/language/Language.h"
#include "frontend/zoo/Zoo.h"
#include "mlir/IR/MLIRContext.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace attn::lang {

struct Described {
  std::string ir, errors;
};

/// Builds the model of `source`; `config` is the text of a JSON object.
inline Described describe(const Source &source, llvm::StringRef config = "{}",
                          BuildOptions options = {}) {
  llvm::Expected<llvm::json::Value> json = llvm::json::parse(config);
  if (!json) {
    ADD_FAILURE() << llvm::toString(json.takeError());
    return {};
  }
  options.config = *json->getAsObject();
  options.import = zoo::importDescription;
  mlir::MLIRContext context;
  Described result;
  auto module = buildModel(&context, source, options, result.errors);
  if (module)
    llvm::raw_string_ostream(result.ir) << *module;
  EXPECT_EQ(module.get() != nullptr, result.errors.empty()) << result.errors;
  return result;
}

inline Described describe(llvm::StringRef text, llvm::StringRef config = "{}",
                          BuildOptions options = {}) {
  return describe(Source{"test.attn", text.str()}, config, std::move(options));
}

/// A model whose body is `body`: x is [batch, 3, 4], y is [batch, 3, 4].
inline Described body(const std::string &statements) {
  return describe("model m(x: f32[batch, 3, 4], ids: i64[batch, sequence])"
                  " -> (y: f32[batch, 3, 4]) {\n" +
                  statements + "\n}\n");
}

} // namespace attn::lang

#endif // TEST_FRONTEND_LANGUAGE_DESCRIBE_H
