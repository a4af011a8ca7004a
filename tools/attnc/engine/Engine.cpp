// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads a compiled library and calls it as any other program would.

#include "tools/attnc/engine/Engine.h"

#include "codegen/package/Header.h"
#include "tools/attnc/engine/Clock.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cstdlib>
#include <dlfcn.h>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

static Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

static weights::DataType dataType(int32_t dtype) {
  return dtype == ATTN_F32 ? weights::DataType::F32 : weights::DataType::I64;
}

Expected<std::unique_ptr<Library>> Library::load(StringRef path) {
  std::unique_ptr<Library> library(new Library);
  SmallString<128> absolute(path);
  sys::fs::make_absolute(absolute);
  library->absolutePath = absolute.str();
  library->handle = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle)
    return fail(path + ": cannot be loaded: " + dlerror());
  std::string symbol =
      package::modelIdentifier(sys::path::stem(path)) + "_program";
  using ProgramFunction = const attn_program *(void);
  auto *function = reinterpret_cast<ProgramFunction *>(
      dlsym(library->handle, symbol.c_str()));
  if (!function)
    return fail(path + ": exports no " + symbol +
                "; it was not compiled by attnc, or was renamed");
  library->description = function();
  if (library->description->abi != ATTN_ABI_VERSION)
    return fail(path + ": has ABI version " + Twine(library->description->abi) +
                ", but this attnc has " + Twine(ATTN_ABI_VERSION));
  return std::move(library);
}

Library::~Library() {
  if (handle)
    dlclose(handle);
}

Expected<std::unique_ptr<Engine>> Engine::open(StringRef path, size_t threads) {
  std::unique_ptr<Engine> engine(new Engine);
  auto library = Library::load(path);
  if (!library)
    return library.takeError();
  engine->library = std::move(*library);
  const attn_program &program = engine->program();
  SmallString<128> weightsPath(engine->library->path());
  sys::path::replace_extension(weightsPath, "weights");
  attn_error error;
  double start = secondsNow();
  if (program.functions->open(
          &program, program.weights_bytes ? weightsPath.c_str() : nullptr,
          nullptr, &engine->model, &error) != ATTN_OK)
    return fail(error.message);
  engine->secondsToOpen = secondsNow() - start;
  if (threads > 1) {
    if (attn_pool_create(threads, &engine->threadPool, &error) != ATTN_OK)
      return fail(error.message);
    engine->executor = attn_pool_executor(engine->threadPool);
  }
  return std::move(engine);
}

Engine::~Engine() {
  attn_pool_destroy(threadPool);
  if (model)
    program().functions->close(model);
}

Expected<weights::BoundInputs>
Engine::bindInputs(const weights::TensorTable &table) const {
  std::vector<weights::DynamicDim> dims;
  for (const attn_dim_info &info :
       ArrayRef(program().dims, program().dim_count))
    dims.push_back({info.name, info.min, info.max});
  std::vector<weights::InputSpec> inputs;
  for (const attn_tensor_info &info :
       ArrayRef(program().inputs, program().input_count)) {
    // A program and a specification mark dynamic sizes alike.
    ArrayRef<int64_t> shape(info.shape, info.rank);
    inputs.push_back(
        {info.name, dataType(info.dtype), SmallVector<int64_t, 4>(shape)});
  }
  return weights::bindInputs(inputs, dims, table);
}

std::vector<int64_t> attn::tool::shapeAt(const attn_tensor_info &tensor,
                                         ArrayRef<int64_t> dims) {
  std::vector<int64_t> shape;
  for (int64_t size : ArrayRef(tensor.shape, tensor.rank))
    shape.push_back(size >= 0 ? size : dims[-1 - size]);
  return shape;
}

Expected<size_t> Engine::workspaceBytes(ArrayRef<int64_t> dims,
                                        size_t slots) const {
  size_t bytes;
  attn_error error;
  if (program().functions->workspace_bytes(model, dims.data(), slots, &bytes,
                                           &error) != ATTN_OK)
    return fail(error.message);
  return bytes;
}

Expected<std::vector<weights::NamedTensor>>
Engine::run(const weights::BoundInputs &inputs) {
  auto bound = BoundRun::create(*this, inputs.dims, pool());
  if (!bound)
    return bound.takeError();
  if (Error error = (*bound)->run(inputs.tensors))
    return std::move(error);
  return (*bound)->outputs();
}

void BoundRun::FreeDeleter::operator()(void *memory) const {
  std::free(memory);
}

Expected<std::unique_ptr<BoundRun>>
BoundRun::create(Engine &engine, ArrayRef<int64_t> dims,
                 const attn_executor *executor) {
  std::unique_ptr<BoundRun> bound(new BoundRun(engine));
  bound->dims = dims.vec();
  const attn_program &program = engine.program();
  const attn_functions &functions = *program.functions;
  auto workspaceBytes =
      engine.workspaceBytes(dims, executor ? executor->slots : 1);
  if (!workspaceBytes)
    return workspaceBytes.takeError();
  bound->bytes = *workspaceBytes;
  size_t size = (bound->bytes + ATTN_WORKSPACE_ALIGNMENT - 1) /
                ATTN_WORKSPACE_ALIGNMENT * ATTN_WORKSPACE_ALIGNMENT;
  bound->workspace.reset(
      std::aligned_alloc(ATTN_WORKSPACE_ALIGNMENT, std::max<size_t>(size, 64)));
  if (!bound->workspace)
    return fail("cannot allocate " + Twine(bound->bytes) +
                " bytes of workspace");
  attn_error error;
  if (functions.prepare(engine.model, executor, bound->workspace.get(),
                        bound->bytes, dims.data(), &bound->object,
                        &error) != ATTN_OK)
    return fail(error.message);
  for (const attn_tensor_info &info :
       ArrayRef(program.outputs, program.output_count)) {
    std::optional<uint64_t> bytes =
        weights::byteCount(dataType(info.dtype), shapeAt(info, dims));
    if (!bytes)
      return fail("output '" + Twine(info.name) + "' is too large");
    bound->results.emplace_back(*bytes);
  }
  return std::move(bound);
}

Error BoundRun::run(ArrayRef<weights::Tensor> inputs) {
  std::vector<const void *> in;
  for (const weights::Tensor &input : inputs)
    in.push_back(input.bytes.data());
  std::vector<void *> out;
  for (std::vector<char> &result : results)
    out.push_back(result.data());
  attn_error error;
  if (engine.program().functions->run(object, in.data(), out.data(), &error) !=
      ATTN_OK)
    return fail(error.message);
  return Error::success();
}

std::vector<weights::NamedTensor> BoundRun::outputs() const {
  std::vector<weights::NamedTensor> outputs;
  const attn_program &program = engine.program();
  for (auto [info, bytes] :
       zip_equal(ArrayRef(program.outputs, program.output_count), results)) {
    weights::Tensor tensor;
    tensor.type = dataType(info.dtype);
    std::vector<int64_t> shape = shapeAt(info, dims);
    tensor.shape.assign(shape.begin(), shape.end());
    auto copy = std::make_shared<std::vector<char>>(bytes);
    tensor.bytes = {reinterpret_cast<const uint8_t *>(copy->data()),
                    copy->size()};
    tensor.owner = std::move(copy);
    outputs.push_back({info.name, std::move(tensor)});
  }
  return outputs;
}
