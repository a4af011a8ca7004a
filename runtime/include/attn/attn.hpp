// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
/// \file
/// Compiled models for C++17 programs: models, runs and workspaces that free
/// themselves, and tensors that know their size. Header-only, over attn/abi.h;
/// it serves any model that attnc compiled:
///
///     extern "C" const attn_program *bert_program(void); // or "bert.h"
///
///     attn::Model model(*bert_program(), "bert.weights");
///     attn::Run run(model, {batch, sequence}, &executor);
///     run({ids, mask, types}, {hidden, pooled});          // std::vectors
///
/// Dimensions, inputs and outputs come in the order of the model's own header.
/// Whatever can fail has two forms. The one shown throws attn::Error; the one
/// whose name begins with `try` is noexcept and returns an attn_status. With
/// ATTN_NO_EXCEPTIONS defined there is the second only, and the header needs no
/// support for exceptions.

#ifndef ATTN_ATTN_HPP
#define ATTN_ATTN_HPP

#include "attn/abi.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#ifndef ATTN_NO_EXCEPTIONS
#include <stdexcept>
#endif

namespace attn {
// One program may hold parts that were compiled with another version of this
// header, or with other support for exceptions.
#ifdef ATTN_NO_EXCEPTIONS
inline namespace abi4_status {
#else
inline namespace abi4 {
#endif
static_assert(ATTN_ABI_VERSION == 4, "the namespace bears the ABI's version");

/// Elements in somebody else's memory, as std::span of C++20.
template <typename T> class Span {
public:
  constexpr Span() = default;
  constexpr Span(T *data, std::size_t size) : first(data), count(size) {}
  template <std::size_t N>
  constexpr Span(T (&array)[N]) : first(array), count(N) {}
  /// Of std::vector, std::array, std::span and their like.
  template <typename Container,
            typename = std::enable_if_t<std::is_convertible_v<
                decltype(std::declval<Container &>().data()), T *>>>
  constexpr Span(Container &container)
      : first(container.data()), count(container.size()) {}
  /// Valid as long as the list: within the expression it stands in.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winit-list-lifetime"
#endif
  template <typename U = T, typename = std::enable_if_t<std::is_const_v<U>>>
  constexpr Span(std::initializer_list<std::remove_const_t<T>> list)
      : first(list.begin()), count(list.size()) {}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

  constexpr T *data() const { return first; }
  constexpr std::size_t size() const { return count; }
  constexpr T *begin() const { return first; }
  constexpr T *end() const { return first + count; }
  constexpr T &operator[](std::size_t i) const { return first[i]; }

private:
  T *first = nullptr;
  std::size_t count = 0;
};

#ifndef ATTN_NO_EXCEPTIONS
/// A call that failed, with the message of its attn_error.
class Error : public std::runtime_error {
public:
  explicit Error(const attn_error &error)
      : std::runtime_error(error.message), code(error.status) {}
  attn_status status() const noexcept { return code; }

private:
  attn_status code;
};
#endif

namespace detail {

template <typename... Values>
attn_status fail(attn_error *error, attn_status status, const char *format,
                 Values... values) noexcept {
  if (error) {
    error->status = status;
    std::snprintf(error->message, sizeof(error->message), format, values...);
  }
  return status;
}

#ifndef ATTN_NO_EXCEPTIONS
inline void check(attn_status status, const attn_error &error) {
  if (status != ATTN_OK)
    throw Error(error);
}
#endif

inline int64_t elements(const attn_tensor_info &info, const int64_t *dims) {
  int64_t count = 1;
  for (int32_t i = 0; i < info.rank; ++i)
    count *= info.shape[i] >= 0 ? info.shape[i] : dims[-1 - info.shape[i]];
  return count;
}

} // namespace detail

/// An input: elements of a type that models have, and how many there are.
class Input {
public:
  Input(Span<const float> values)
      : pointer(values.data()), count(values.size()), type(ATTN_F32) {}
  Input(Span<const int64_t> values)
      : pointer(values.data()), count(values.size()), type(ATTN_I64) {}
  /// Of std::vector, std::array, std::span and their like.
  template <typename Container,
            typename T = std::remove_cv_t<std::remove_pointer_t<
                decltype(std::declval<const Container &>().data())>>>
  Input(const Container &container) : Input(Span<const T>(container)) {}

  /// A cache: an input that is written, too.
  static Input inPlace(Span<float> cache) {
    Input input(Span<const float>(cache.data(), cache.size()));
    input.isWritten = true;
    return input;
  }

  const void *data() const { return pointer; }
  std::size_t size() const { return count; }
  attn_dtype dtype() const { return type; }
  bool written() const { return isWritten; }

private:
  const void *pointer;
  std::size_t count;
  attn_dtype type;
  bool isWritten = false;
};

/// An output: as an input, but written.
class Output {
public:
  Output(Span<float> values)
      : pointer(values.data()), count(values.size()), type(ATTN_F32) {}
  Output(Span<int64_t> values)
      : pointer(values.data()), count(values.size()), type(ATTN_I64) {}
  /// Of std::vector, std::array, std::span and their like.
  template <typename Container,
            typename T = std::remove_pointer_t<
                decltype(std::declval<Container &>().data())>>
  Output(Container &container) : Output(Span<T>(container)) {}

  void *data() const { return pointer; }
  std::size_t size() const { return count; }
  attn_dtype dtype() const { return type; }
  bool written() const { return true; }

private:
  void *pointer;
  std::size_t count;
  attn_dtype type;
};

/// An executor over any parallel loop: `loop(slots, body)` calls body(slot)
/// once for each slot in [0, slots) and returns when all are done; it does not
/// throw. `loop` is used, not copied: it outlives every run of the executor.
template <typename ParallelLoop>
attn_executor makeExecutor(ParallelLoop &loop, std::size_t slots) {
  auto run = [](void *context, std::size_t count, attn_task task,
                void *arg) noexcept {
    (*static_cast<ParallelLoop *>(context))(
        count, [=](std::size_t slot) { task(arg, slot); });
  };
  return {const_cast<void *>(static_cast<const void *>(&loop)), slots, run};
}

/// An opened model. Immutable: any number of threads may use one.
class Model {
public:
  /// No model; tryOpen fills it.
  Model() = default;

  /// Maps the weights (nullptr for a program without) and picks the best
  /// variant for this processor, or the one named `isa`. `program` outlives the
  /// model.
  static attn_status tryOpen(Model &model, const attn_program &program,
                             const char *weights, attn_error *error = nullptr,
                             const char *isa = nullptr) noexcept {
    attn_model *opened = nullptr;
    attn_status status =
        program.functions->open(&program, weights, isa, &opened, error);
    if (status == ATTN_OK) {
      model.handle = Handle(opened, Close{program.functions});
      model.description = &program;
    }
    return status;
  }

#ifndef ATTN_NO_EXCEPTIONS
  explicit Model(const attn_program &program, const char *weights = nullptr,
                 const char *isa = nullptr) {
    attn_error error;
    detail::check(tryOpen(*this, program, weights, &error, isa), error);
  }
#endif

  explicit operator bool() const noexcept { return handle != nullptr; }
  const attn_model *get() const noexcept { return handle.get(); }

  /// Names, types and shapes of everything; of an opened model only, as the
  /// two below.
  const attn_program &program() const noexcept { return *description; }
  const attn_functions &functions() const noexcept {
    return *description->functions;
  }
  /// The instruction set that was picked.
  const char *isa() const noexcept { return functions().isa(handle.get()); }

  /// A further program over the same weights, such as "encode" of an
  /// encoder-decoder; no model where there is none of that name. This model
  /// outlives it.
  Model part(const char *name) const noexcept {
    Model found;
    for (std::uint32_t i = 0; handle && i < description->part_count; ++i)
      if (std::strcmp(description->parts[i]->name, name) == 0) {
        found.handle =
            Handle(const_cast<attn_model *>(functions().part(handle.get(), i)),
                   Close{nullptr});
        found.description = description->parts[i];
      }
    return found;
  }

  /// Exact bytes of workspace for a run at `dims` with `slots` slots.
  attn_status tryWorkspaceBytes(Span<const int64_t> dims, std::size_t slots,
                                std::size_t &bytes,
                                attn_error *error = nullptr) const noexcept {
    attn_status status = checkDims(dims, error);
    return status != ATTN_OK
               ? status
               : functions().workspace_bytes(handle.get(), dims.data(), slots,
                                             &bytes, error);
  }

#ifndef ATTN_NO_EXCEPTIONS
  std::size_t workspaceBytes(Span<const int64_t> dims,
                             std::size_t slots = 1) const {
    attn_error error;
    std::size_t bytes = 0;
    detail::check(tryWorkspaceBytes(dims, slots, bytes, &error), error);
    return bytes;
  }
#endif

private:
  friend class Run;
  struct Close {
    const attn_functions *functions;
    void operator()(attn_model *model) const noexcept {
      if (functions) // a part is its whole's
        functions->close(model);
    }
  };
  using Handle = std::unique_ptr<attn_model, Close>;

  attn_status checkDims(Span<const int64_t> dims,
                        attn_error *error) const noexcept {
    if (!handle)
      return detail::fail(error, ATTN_INVALID_ARGUMENT, "%s",
                          "no model is opened");
    if (dims.size() == description->dim_count)
      return ATTN_OK;
    return detail::fail(
        error, ATTN_INVALID_ARGUMENT, "'%s' expects %u dimensions, but got %zu",
        description->name, unsigned(description->dim_count), dims.size());
  }

  Handle handle{nullptr, Close{nullptr}};
  const attn_program *description = nullptr;
};

/// Aligned memory for runs. The bytes are not initialised.
class Workspace {
public:
  Workspace() = default;
  /// data() is null where there is no memory.
  explicit Workspace(std::size_t bytes) noexcept
      : memory(static_cast<unsigned char *>(
            ::operator new(bytes, alignment, std::nothrow))),
        bytes(memory ? bytes : 0) {}

  void *data() const noexcept { return memory.get(); }
  std::size_t size() const noexcept { return bytes; }

private:
  static constexpr std::align_val_t alignment{ATTN_WORKSPACE_ALIGNMENT};
  struct Free {
    void operator()(unsigned char *memory) const noexcept {
      ::operator delete(memory, alignment);
    }
  };
  std::unique_ptr<unsigned char, Free> memory;
  std::size_t bytes = 0;
};

/// A model bound to sizes, an executor and a workspace of its own, for any
/// number of calls, one at a time. The model outlives it.
class Run {
public:
  /// Bound to nothing; tryPrepare fills it.
  Run() = default;

  /// `executor` is copied; nullptr runs on the calling thread. `dims` is
  /// copied.
  static attn_status tryPrepare(Run &run, const Model &model,
                                Span<const int64_t> dims,
                                const attn_executor *executor = nullptr,
                                attn_error *error = nullptr) noexcept {
    std::size_t bytes = 0;
    attn_status status = model.tryWorkspaceBytes(
        dims, executor ? executor->slots : 1, bytes, error);
    if (status != ATTN_OK)
      return status;
    Run made;
    made.workspace = Workspace(bytes);
    if (!made.workspace.data() || !made.allocateTables(model.program()))
      return detail::fail(error, ATTN_OUT_OF_MEMORY,
                          "cannot allocate %zu bytes", bytes);
    status =
        model.functions().prepare(model.get(), executor, made.workspace.data(),
                                  bytes, dims.data(), &made.object, error);
    if (status != ATTN_OK)
      return status;
    made.program = &model.program();
    for (std::size_t i = 0; i < dims.size(); ++i)
      made.dims[i] = dims[i];
    run = std::move(made);
    return ATTN_OK;
  }

  /// Computes the outputs; allocates nothing. With ATTN_INVALID_ARGUMENT or
  /// ATTN_OUT_OF_RANGE no output was touched.
  attn_status tryRun(Span<const Input> inputs, Span<const Output> outputs,
                     attn_error *error = nullptr) noexcept {
    if (!workspace.data())
      return detail::fail(error, ATTN_INVALID_ARGUMENT, "%s",
                          "no run is prepared");
    attn_status status = bind("inputs", program->inputs, program->input_count,
                              inputs, this->inputs.get(), error);
    if (status == ATTN_OK)
      status = bind("outputs", program->outputs, program->output_count, outputs,
                    this->outputs.get(), error);
    return status != ATTN_OK
               ? status
               : program->functions->run(object, this->inputs.get(),
                                         this->outputs.get(), error);
  }

#ifndef ATTN_NO_EXCEPTIONS
  Run(const Model &model, Span<const int64_t> dims,
      const attn_executor *executor = nullptr) {
    attn_error error;
    detail::check(tryPrepare(*this, model, dims, executor, &error), error);
  }

  void operator()(Span<const Input> inputs, Span<const Output> outputs) {
    attn_error error;
    detail::check(tryRun(inputs, outputs, &error), error);
  }
#endif

private:
  bool allocateTables(const attn_program &of) noexcept {
    dims.reset(new (std::nothrow) int64_t[of.dim_count]);
    inputs.reset(new (std::nothrow) const void *[of.input_count]);
    outputs.reset(new (std::nothrow) void *[of.output_count]);
    return dims && inputs && outputs;
  }

  /// Types and sizes are the model's; the rest is checked by the model.
  template <typename Tensor, typename Pointer>
  attn_status bind(const char *kind, const attn_tensor_info *infos,
                   uint32_t count, Span<const Tensor> tensors,
                   Pointer *pointers, attn_error *error) const noexcept {
    if (tensors.size() != count)
      return detail::fail(error, ATTN_INVALID_ARGUMENT,
                          "'%s' expects %u %s, but got %zu", program->name,
                          unsigned(count), kind, tensors.size());
    for (uint32_t i = 0; i < count; ++i) {
      const Tensor &tensor = tensors[i];
      if (tensor.dtype() != infos[i].dtype)
        return detail::fail(error, ATTN_INVALID_ARGUMENT,
                            "tensor '%s' expects elements of type %s",
                            infos[i].name,
                            infos[i].dtype == ATTN_I64 ? "i64" : "f32");
      auto expected = std::size_t(detail::elements(infos[i], dims.get()));
      if (tensor.size() != expected)
        return detail::fail(error, ATTN_INVALID_ARGUMENT,
                            "tensor '%s' expects %zu elements, but got %zu",
                            infos[i].name, expected, tensor.size());
      if (infos[i].role == ATTN_ROLE_CACHE && !tensor.written())
        return detail::fail(error, ATTN_INVALID_ARGUMENT,
                            "tensor '%s' is written: expects Input::inPlace",
                            infos[i].name);
      pointers[i] = tensor.data();
    }
    return ATTN_OK;
  }

  const attn_program *program = nullptr;
  attn_run *object = nullptr;
  Workspace workspace;
  std::unique_ptr<int64_t[]> dims;
  std::unique_ptr<const void *[]> inputs;
  std::unique_ptr<void *[]> outputs;
};

} // inline namespace
} // namespace attn

#endif // ATTN_ATTN_HPP
