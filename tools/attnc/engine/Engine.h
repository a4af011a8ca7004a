// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A compiled library, opened and run by this process.

#ifndef ATTN_TOOLS_ATTNC_ENGINE_ENGINE_H
#define ATTN_TOOLS_ATTNC_ENGINE_ENGINE_H

#include "attn/abi.h"
#include "attn/pool.h"
#include "frontend/weights/InputBinding.h"
#include "frontend/weights/Safetensors.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace attn::tool {

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

/// The shape of a tensor at these sizes of its program's dimensions.
std::vector<int64_t> shapeAt(const attn_tensor_info &tensor,
                             llvm::ArrayRef<int64_t> dims);

/// A loaded program with an executor.
class Engine {
public:
  /// Opens a shared library and the weights file beside it (same stem), for
  /// `threads` threads.
  static llvm::Expected<std::unique_ptr<Engine>> open(llvm::StringRef library,
                                                      size_t threads);
  ~Engine();

  const attn_program &program() const { return library->program(); }
  /// Open as long as the engine.
  const attn_model *handle() const { return model; }
  llvm::StringRef isa() const { return program().functions->isa(model); }
  /// How long the program's own `open` took.
  double openSeconds() const { return secondsToOpen; }
  size_t threads() const { return threadPool ? executor.slots : 1; }
  /// Null for one thread: the caller's.
  const attn_executor *pool() const { return threadPool ? &executor : nullptr; }

  /// Finds the program's inputs in a table, converts them to its types and
  /// derives the size of every dynamic dimension. All faults are in one error.
  llvm::Expected<weights::BoundInputs>
  bindInputs(const weights::TensorTable &table) const;
  /// Exact bytes of workspace at these sizes for `slots` slots.
  llvm::Expected<size_t> workspaceBytes(llvm::ArrayRef<int64_t> dims,
                                        size_t slots) const;
  /// Runs once; gives the outputs in the program's order.
  llvm::Expected<std::vector<weights::NamedTensor>>
  run(const weights::BoundInputs &inputs);

private:
  Engine() = default;

  std::unique_ptr<Library> library;
  attn_model *model = nullptr;
  attn_pool *threadPool = nullptr;
  attn_executor executor{};
  double secondsToOpen = 0;

  friend class BoundRun;
};

/// A program bound to sizes and memory: what runs again and again.
class BoundRun {
public:
  static llvm::Expected<std::unique_ptr<BoundRun>>
  create(Engine &engine, llvm::ArrayRef<int64_t> dims,
         const attn_executor *executor);

  /// One input for each of the program's, of its type and the shape that it has
  /// at these sizes.
  llvm::Error run(llvm::ArrayRef<weights::Tensor> inputs);
  /// Copies of the last run's outputs, in the program's order.
  std::vector<weights::NamedTensor> outputs() const;
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
