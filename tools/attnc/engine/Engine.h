// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A compiled library, opened and run by this process.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_ENGINE_H
#define ATTN_TOOLS_ATTNC_ENGINE_ENGINE_H

#include "attn/abi.h"
#include "attn/pool.h"
#include "frontend/weights/Tensor.h"
#include "llvm/Support/Error.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace attn::tool {

using TensorMap = std::map<std::string, weights::Tensor>;

/// A compiled shared library in this process, without its weights.
class Library {
public:
  static llvm::Expected<std::unique_ptr<Library>> load(llvm::StringRef path);
  ~Library();

  const attn_program &program() const { return *description; }
  /// Absolute.
  const std::string &path() const { return absolutePath; }

private:
  Library() = default;

  std::string absolutePath;
  void *handle = nullptr;
  const attn_program *description = nullptr;
};

/// A loaded program with an executor.
class Engine {
public:
  /// Opens a shared library and the weights file beside it (same stem), for
  /// `threads` threads.
  static llvm::Expected<std::unique_ptr<Engine>> open(llvm::StringRef library,
                                                      size_t threads);
  ~Engine();

  const attn_program &program() const { return library->program(); }
  llvm::StringRef isa() const { return program().functions->isa(model); }
  size_t threads() const { return threadPool ? executor.slots : 1; }
  /// Null for one thread: the caller's.
  const attn_executor *pool() const { return threadPool ? &executor : nullptr; }

  /// The size of every dynamic dimension, from the shapes of inputs; a size
  /// that two inputs contradict, a wrong type, and a missing or superfluous
  /// input are errors.
  llvm::Expected<std::vector<int64_t>> dimsOf(const TensorMap &inputs) const;
  /// Exact bytes of workspace at these sizes for `slots` slots.
  llvm::Expected<size_t> workspaceBytes(llvm::ArrayRef<int64_t> dims,
                                        size_t slots) const;
  /// The shape of a tensor at these sizes.
  std::vector<int64_t> shapeOf(const attn_tensor_info &tensor,
                               llvm::ArrayRef<int64_t> dims) const;

  /// Runs once on inputs of the program's types.
  llvm::Expected<TensorMap> run(const TensorMap &inputs);

private:
  Engine() = default;

  std::unique_ptr<Library> library;
  attn_model *model = nullptr;
  attn_pool *threadPool = nullptr;
  attn_executor executor{};

  friend class BoundRun;
};

/// A program bound to sizes and memory: what runs again and again.
class BoundRun {
public:
  static llvm::Expected<std::unique_ptr<BoundRun>>
  create(Engine &engine, llvm::ArrayRef<int64_t> dims,
         const attn_executor *executor);

  /// Inputs must have the program's types and the shapes of the dims.
  llvm::Error run(const TensorMap &inputs);
  /// Valid until the next run.
  TensorMap outputs() const;
  size_t workspaceBytes() const { return bytes; }

private:
  BoundRun(Engine &engine) : engine(engine) {}

  struct FreeDeleter {
    void operator()(void *memory) const;
  };
  Engine &engine;
  std::vector<int64_t> dims;
  std::unique_ptr<void, FreeDeleter> workspace;
  size_t bytes = 0;
  attn_run *object = nullptr;
  std::vector<std::vector<char>> results;
};

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_ENGINE_ENGINE_H
