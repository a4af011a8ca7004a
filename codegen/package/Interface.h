// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a compiled model looks like from outside: its dimensions, inputs and
// outputs, read from the attributes of the model function.

#ifndef ATTN_CODEGEN_PACKAGE_INTERFACE_H
#define ATTN_CODEGEN_PACKAGE_INTERFACE_H

#include "attn/abi.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <optional>
#include <string>
#include <vector>

namespace attn::package {

/// The largest size of a dynamic dimension for which the model states none.
constexpr int64_t kDefaultDimMax = INT32_MAX;

/// A dynamic dimension and the sizes it may have.
struct DimInterface {
  std::string name;
  int64_t min = 1;
  int64_t max = kDefaultDimMax;
};

/// An input or output, dense and row-major.
struct TensorInterface {
  std::string name;
  attn_dtype dtype = ATTN_F32;
  /// A size, or -1 - d for dimension d of the model.
  std::vector<int64_t> shape;
  /// Elements of an integer input lie in [0, bound); 0: no bound.
  int64_t bound = 0;
  attn_role role = ATTN_ROLE_NONE;
};

/// What attn_cache_info says.
struct CacheInterface {
  int64_t pageTokens = 0;
  int64_t pageBytes = 0;
  int64_t positions = 0;
  int64_t memoryLength = 0;
  int64_t window = 0;
};

struct ModelInterface {
  std::string name;
  /// In the order in which inputs, then outputs, mention them first.
  std::vector<DimInterface> dims;
  std::vector<TensorInterface> inputs, outputs;
  /// Of functions that carry attn.program.
  std::optional<CacheInterface> cache;
};

/// Reads the interface of a model function from attn.name, attn.dims,
/// attn.bound, attn.dim_max and, with a cache, attn.role, attn.max_positions,
/// attn.window and attn.memory_length (see the attn dialect). Attributes that
/// are missing or contradict the types are errors at the function.
llvm::FailureOr<ModelInterface> describeModel(mlir::func::FuncOp function);

/// "tokens" for ATTN_ROLE_TOKENS, and so on; "" for none.
llvm::StringRef nameOfRole(attn_role role);

/// The text of a shape for people: "[batch, 3, 224, 224]".
std::string shapeText(const ModelInterface &model,
                      const TensorInterface &tensor);

} // namespace attn::package

#endif // ATTN_CODEGEN_PACKAGE_INTERFACE_H
