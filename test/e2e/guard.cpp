// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs a compiled model where every byte around its workspace, inputs, outputs
// and behind its weights faults, at many sizes, on every variant that runs
// here, and requires one result: for any number of slots in any order, for any
// batch a row travels in, for any padding beside it and whatever the memory
// held before.
//
//     guard MODEL.weights|- [SEQUENCE...]
//
// "-" stands for no weights. With sequences, these few and not the usual many.
// Compiled with -DMODEL=prefix and linked with the model's archive by
// -Wl,--wrap=mmap. Batch is dimension 0 of every tensor; a dimension "sequence"
// is the next one.

#include "attn/abi.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define PROGRAM PASTE(MODEL, _program)
extern "C" const attn_program *PROGRAM();

namespace {

[[noreturn]] void fail(const std::string &what) {
  std::printf("FAILED: %s\n", what.c_str());
  std::exit(1);
}

enum class Place { Begin, End };

/// Memory whose first byte follows, or whose last byte precedes, a page that
/// faults. Alignment may leave a gap before the end; check() finds writes to
/// it.
class Guarded {
public:
  Guarded(size_t bytes, size_t alignment, Place place, int fill)
      : page(size_t(sysconf(_SC_PAGESIZE))),
        inner((bytes + page - 1) / page * page) {
    base =
        static_cast<unsigned char *>(mmap(nullptr, inner + 2 * page, PROT_NONE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base == MAP_FAILED ||
        (inner && mprotect(base + page, inner, PROT_READ | PROT_WRITE)))
      fail("cannot map memory");
    size_t offset =
        place == Place::Begin ? 0 : (inner - bytes) / alignment * alignment;
    std::memset(base + page, canary, inner);
    first = base + page + offset;
    last = first + bytes;
    std::memset(first, fill, bytes);
  }
  Guarded(Guarded &&other) { *this = std::move(other); }
  Guarded &operator=(Guarded &&other) {
    std::swap(page, other.page), std::swap(inner, other.inner);
    std::swap(base, other.base);
    std::swap(first, other.first), std::swap(last, other.last);
    return *this;
  }
  ~Guarded() {
    if (base)
      munmap(base, inner + 2 * page);
  }

  void *data() const { return first; }
  /// The rest of the pages between the guards is untouched.
  void check() const {
    auto intact = [](unsigned char byte) { return byte == canary; };
    if (!std::all_of(base + page, first, intact) ||
        !std::all_of(last, base + page + inner, intact))
      fail("memory beside an exact buffer was written");
  }

private:
  static constexpr unsigned char canary = 0xa5;
  size_t page = 0, inner = 0;
  unsigned char *base = nullptr, *first = nullptr, *last = nullptr;
};

size_t guardedMappings = 0;

} // namespace

/// The runtime maps weights with this. A copy of the file ends where a page
/// begins that faults: a mapping of the file itself would hide reads behind the
/// data up to the end of its last page. Data of the file is aligned to 64 bytes
/// and stays so; prefetches never fault.
extern "C" void *__real_mmap(void *, size_t, int, int, int, off_t);
extern "C" void *__wrap_mmap(void *address, size_t bytes, int protection,
                             int flags, int file, off_t offset) {
  if (file < 0)
    return __real_mmap(address, bytes, protection, flags, file, offset);
  ++guardedMappings;
  size_t page = size_t(sysconf(_SC_PAGESIZE)), alignment = 64;
  size_t inner = (bytes + page - 1) / page * page;
  auto *base = static_cast<unsigned char *>(__real_mmap(
      nullptr, inner + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (base == MAP_FAILED || mprotect(base, inner, PROT_READ | PROT_WRITE))
    fail("cannot map memory for the weights");
  unsigned char *first = base + (inner - bytes) / alignment * alignment;
  for (size_t done = 0; done < bytes;) {
    ssize_t count = pread(file, first + done, bytes - done, off_t(done));
    if (count <= 0)
      fail("cannot read the weights");
    done += size_t(count);
  }
  if (mprotect(base, inner, PROT_READ))
    fail("cannot protect the weights");
  return first;
}

namespace {

/// The sizes of a run; tokens from `valid` on are padding.
struct Sizes {
  int64_t batch, sequence, valid;
};

struct Setting {
  size_t slots = 1;
  bool reversed = false;
  Place place = Place::End;
  int fill = 0xff; // as floats, NaN
};

using Outputs = std::vector<std::vector<float>>;

void runInOrder(void *, size_t slots, attn_task task, void *arg) {
  for (size_t slot = 0; slot < slots; ++slot)
    task(arg, slot);
}

void runReversed(void *, size_t slots, attn_task task, void *arg) {
  for (size_t slot = slots; slot-- > 0;)
    task(arg, slot);
}

class Guard {
public:
  Guard(const attn_program &program, const attn_model *model)
      : program(program), functions(*program.functions), model(model) {}

  void checkSizes(Sizes sizes, const std::vector<size_t> &slotCounts) const;
  void checkPadding(Sizes sizes) const;
  /// The largest size of a dimension; 0 where the model has none of that name.
  int64_t maximum(const char *dim) const;

private:
  Outputs run(Sizes sizes, int64_t firstRow, Setting setting) const;
  std::vector<int64_t> dimsOf(Sizes sizes) const;
  std::vector<int64_t> shapeOf(const attn_tensor_info &info, Sizes sizes) const;
  void fillInput(const attn_tensor_info &info, Sizes sizes, int64_t firstRow,
                 void *data) const;

  const attn_program &program;
  const attn_functions &functions;
  const attn_model *model;
};

int64_t Guard::maximum(const char *dim) const {
  for (uint32_t i = 0; i < program.dim_count; ++i)
    if (!std::strcmp(program.dims[i].name, dim))
      return program.dims[i].max;
  return 0;
}

std::vector<int64_t> Guard::dimsOf(Sizes sizes) const {
  std::vector<int64_t> dims;
  for (uint32_t i = 0; i < program.dim_count; ++i)
    dims.push_back(std::strcmp(program.dims[i].name, "batch") ? sizes.sequence
                                                              : sizes.batch);
  return dims;
}

std::vector<int64_t> Guard::shapeOf(const attn_tensor_info &info,
                                    Sizes sizes) const {
  std::vector<int64_t> dims = dimsOf(sizes), shape;
  for (int32_t i = 0; i < info.rank; ++i)
    shape.push_back(info.shape[i] < 0 ? dims[-1 - info.shape[i]]
                                      : info.shape[i]);
  return shape;
}

size_t elementBytes(const attn_tensor_info &info) {
  return info.dtype == ATTN_I64 ? 8 : 4;
}

size_t elementCount(const std::vector<int64_t> &shape) {
  size_t count = 1;
  for (int64_t size : shape)
    count *= size_t(size);
  return count;
}

/// A well mixed number for each input, row and place in the row.
uint64_t mixed(const char *name, uint64_t row, uint64_t place) {
  uint64_t x = row * 1000003 + place;
  for (; *name; ++name)
    x = x * 31 + uint64_t(*name);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Row r of a batch that begins at row `firstRow` holds what row r + firstRow
/// of any other batch does.
void Guard::fillInput(const attn_tensor_info &info, Sizes sizes,
                      int64_t firstRow, void *data) const {
  size_t count = elementCount(shapeOf(info, sizes));
  size_t rowElements = count / size_t(sizes.batch);
  bool isMask = !std::strcmp(info.name, "attention_mask");
  for (size_t i = 0; i < count; ++i) {
    size_t place = i % rowElements;
    uint64_t x = mixed(info.name, uint64_t(firstRow) + i / rowElements, place);
    if (info.dtype == ATTN_F32)
      static_cast<float *>(data)[i] = float(int64_t(x % 4001) - 2000) / 1000;
    else if (isMask)
      static_cast<int64_t *>(data)[i] = int64_t(place) < sizes.valid;
    else
      static_cast<int64_t *>(data)[i] =
          int64_t(x % uint64_t(info.bound > 0 ? info.bound : 2));
  }
}

Outputs Guard::run(Sizes sizes, int64_t firstRow, Setting setting) const {
  attn_error error;
  auto check = [&](attn_status status) {
    if (status != ATTN_OK)
      fail(error.message);
  };
  std::vector<int64_t> dims = dimsOf(sizes);
  size_t bytes = 0;
  check(functions.workspace_bytes(model, dims.data(), setting.slots, &bytes,
                                  &error));
  std::vector<Guarded> memory;
  memory.emplace_back(bytes, ATTN_WORKSPACE_ALIGNMENT, setting.place,
                      setting.fill);
  std::vector<const void *> inputs;
  for (uint32_t i = 0; i < program.input_count; ++i) {
    const attn_tensor_info &info = program.inputs[i];
    memory.emplace_back(elementCount(shapeOf(info, sizes)) * elementBytes(info),
                        elementBytes(info), setting.place, setting.fill);
    fillInput(info, sizes, firstRow, memory.back().data());
    inputs.push_back(memory.back().data());
  }
  std::vector<void *> outputs;
  for (uint32_t i = 0; i < program.output_count; ++i) {
    const attn_tensor_info &info = program.outputs[i];
    memory.emplace_back(elementCount(shapeOf(info, sizes)) * elementBytes(info),
                        elementBytes(info), setting.place, setting.fill);
    outputs.push_back(memory.back().data());
  }

  attn_executor executor{nullptr, setting.slots,
                         setting.reversed ? runReversed : runInOrder};
  attn_run *run = nullptr;
  check(functions.prepare(model, &executor, memory[0].data(), bytes,
                          dims.data(), &run, &error));
  check(functions.run(run, inputs.data(), outputs.data(), &error));
  for (const Guarded &buffer : memory)
    buffer.check();
  Outputs results;
  for (uint32_t i = 0; i < program.output_count; ++i) {
    auto *values = static_cast<const float *>(outputs[i]);
    results.emplace_back(
        values, values + elementCount(shapeOf(program.outputs[i], sizes)));
  }
  return results;
}

bool sameBits(const float *a, const float *b, size_t count) {
  return !std::memcmp(a, b, count * sizeof(float));
}

bool sameBits(const Outputs &a, const Outputs &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](auto &left, auto &right) {
                      return left.size() == right.size() &&
                             sameBits(left.data(), right.data(), left.size());
                    });
}

/// One result for all slots, orders, places and batches.
void Guard::checkSizes(Sizes sizes,
                       const std::vector<size_t> &slotCounts) const {
  Outputs expected = run(sizes, 0, {});
  for (uint32_t i = 0; i < program.output_count; ++i)
    for (float value : expected[i])
      if (!(value - value == 0))
        fail(std::string(program.outputs[i].name) + " is not finite");
  for (size_t slots : slotCounts)
    for (bool reversed : {false, true})
      for (Place place : {Place::Begin, Place::End})
        for (int fill : {0, 0xff})
          if (Outputs actual = run(sizes, 0, {slots, reversed, place, fill});
              !sameBits(actual, expected))
            fail("results depend on slots, their order or old memory: " +
                 std::to_string(slots) + " slots" +
                 (reversed ? ", reversed" : ""));
  for (int64_t row = 0; row < sizes.batch; ++row) {
    Outputs alone = run({1, sizes.sequence, sizes.valid}, row, {});
    for (uint32_t i = 0; i < program.output_count; ++i)
      if (size_t count = alone[i].size(); !sameBits(
              alone[i].data(), expected[i].data() + size_t(row) * count, count))
        fail(std::string(program.outputs[i].name) + ": row " +
             std::to_string(row) + " depends on the batch it travels in");
  }
}

/// The rows of `valid` tokens are those of a batch without padding.
void Guard::checkPadding(Sizes sizes) const {
  Sizes dense{sizes.batch, sizes.valid, sizes.valid};
  Outputs padded = run(sizes, 0, {3}), alone = run(dense, 0, {2});
  for (uint32_t i = 0; i < program.output_count; ++i) {
    const attn_tensor_info &info = program.outputs[i];
    size_t rowElements = alone[i].size() / size_t(sizes.batch);
    size_t paddedElements = padded[i].size() / size_t(sizes.batch);
    for (int64_t row = 0; row < sizes.batch; ++row)
      if (!sameBits(padded[i].data() + size_t(row) * paddedElements,
                    alone[i].data() + size_t(row) * rowElements, rowElements))
        fail(std::string(info.name) + ": row " + std::to_string(row) +
             " depends on the padding beside it");
  }
}

/// With every number of tokens before the padding that `valid` has.
void checkSequence(const Guard &guard, Sizes dense,
                   std::initializer_list<int64_t> valid,
                   const std::vector<size_t> &slotCounts) {
  std::printf("batch %d, sequence %d\n", int(dense.batch), int(dense.sequence));
  guard.checkSizes(dense, slotCounts);
  for (int64_t tokens : valid)
    if (tokens < dense.sequence) {
      Sizes padded{dense.batch, dense.sequence, tokens};
      guard.checkSizes(padded, slotCounts);
      guard.checkPadding(padded);
    }
}

void checkVariant(const Guard &guard, const std::vector<int64_t> &sequences) {
  for (int64_t sequence : sequences)
    checkSequence(guard, {2, sequence, sequence}, {5, 1024, 1030}, {1, 3});
  if (!sequences.empty())
    return;
  for (int64_t batch : {1, 2, 3, 5})
    for (int64_t sequence : {1, 2, 7, 16, 17, 33, 40})
      if (sequence <= std::max<int64_t>(1, guard.maximum("sequence")))
        checkSequence(guard, {batch, sequence, sequence}, {1, 5, 16},
                      {1, 2, 3, 7, 64});
}

} // namespace

int main(int argc, char **argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0); // a fault keeps what was printed
  if (argc < 2)
    fail("expects the path of the weights, or -");
  const char *weights = std::strcmp(argv[1], "-") ? argv[1] : nullptr;
  std::vector<int64_t> sequences;
  for (int i = 2; i < argc; ++i)
    sequences.push_back(std::atoll(argv[i]));
  const attn_program &program = *PROGRAM();
  for (uint32_t i = 0; i < program.variant_count; ++i) {
    const char *isa = program.variants[i].isa;
    attn_model *model;
    attn_error error;
    attn_status status =
        program.functions->open(&program, weights, isa, &model, &error);
    if (status == ATTN_UNSUPPORTED_CPU)
      continue;
    if (status != ATTN_OK)
      fail(error.message);
    if (weights && !guardedMappings)
      fail("the weights are not guarded");
    std::printf("%s\n", isa);
    checkVariant(Guard(program, model), sequences);
    program.functions->close(model);
    std::printf("%s: good\n", isa);
  }
}
