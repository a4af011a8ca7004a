// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Threads share one opened model, each with a run of its own at sizes of its
// own, all at the same time and with executors that start threads themselves:
// every result has the bits that the same inputs give alone.
//
//     concurrent MODEL.weights
//
// Compiled with -DMODEL=prefix and linked with the model's archive.

#include "attn/abi.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define PROGRAM PASTE(MODEL, _program)
extern "C" const attn_program *PROGRAM();

namespace {

constexpr int threadCount = 6, rounds = 20;

[[noreturn]] void fail(const std::string &what) {
  std::printf("FAILED: %s\n", what.c_str());
  std::exit(1);
}

void runOnThreads(void *, size_t slots, attn_task task, void *arg) {
  std::vector<std::thread> threads;
  for (size_t slot = 1; slot < slots; ++slot)
    threads.emplace_back([=] { task(arg, slot); });
  task(arg, 0);
  for (std::thread &thread : threads)
    thread.join();
}

/// Inputs, outputs, workspace and run object of one thread.
class Worker {
public:
  Worker(const attn_model *model, int number)
      : program(*PROGRAM()),
        executor{nullptr, size_t(1 + number % 3), runOnThreads} {
    for (uint32_t i = 0; i < program.dim_count; ++i)
      dims.push_back(std::string(program.dims[i].name) == "batch"
                         ? 1 + number % 4
                         : 3 + 7 * number % program.dims[i].max);
    for (uint32_t i = 0; i < program.input_count; ++i)
      addInput(program.inputs[i], number);
    for (uint32_t i = 0; i < program.output_count; ++i) {
      results.emplace_back(elements(program.outputs[i]));
      outputs.push_back(results.back().data());
    }
    prepare(model);
  }

  std::vector<std::vector<float>> run() {
    for (auto &values : results)
      std::fill(values.begin(), values.end(), -1.0f);
    attn_error error;
    if (program.functions->run(object, inputs.data(), outputs.data(), &error))
      fail(error.message);
    return results;
  }

private:
  size_t elements(const attn_tensor_info &info) const {
    size_t count = 1;
    for (int32_t i = 0; i < info.rank; ++i)
      count *= size_t(info.shape[i] < 0 ? dims[size_t(-1 - info.shape[i])]
                                        : info.shape[i]);
    return count;
  }

  void addInput(const attn_tensor_info &info, int number) {
    size_t count = elements(info);
    memory.emplace_back(count * 8);
    for (size_t i = 0; i < count; ++i) {
      uint64_t mixed = (i + 1) * 2654435761u * uint64_t(number + 3);
      if (info.dtype == ATTN_F32)
        reinterpret_cast<float *>(memory.back().data())[i] =
            float(int64_t(mixed % 4001) - 2000) / 1000;
      else
        reinterpret_cast<int64_t *>(memory.back().data())[i] =
            int64_t(info.bound > 0 ? mixed % uint64_t(info.bound) : 1);
    }
    inputs.push_back(memory.back().data());
  }

  void prepare(const attn_model *model) {
    size_t bytes;
    attn_error error;
    if (program.functions->workspace_bytes(model, dims.data(), executor.slots,
                                           &bytes, &error))
      fail(error.message);
    size_t padded = (bytes + ATTN_WORKSPACE_ALIGNMENT) /
                    ATTN_WORKSPACE_ALIGNMENT * ATTN_WORKSPACE_ALIGNMENT;
    workspace.reset(std::aligned_alloc(ATTN_WORKSPACE_ALIGNMENT, padded));
    if (program.functions->prepare(model, &executor, workspace.get(), bytes,
                                   dims.data(), &object, &error))
      fail(error.message);
  }

  struct Free {
    void operator()(void *pointer) const { std::free(pointer); }
  };
  const attn_program &program;
  attn_executor executor;
  std::vector<int64_t> dims;
  std::vector<std::vector<char>> memory;
  std::vector<std::vector<float>> results;
  std::vector<const void *> inputs;
  std::vector<void *> outputs;
  std::unique_ptr<void, Free> workspace;
  attn_run *object = nullptr;
};

bool sameBits(const std::vector<std::vector<float>> &a,
              const std::vector<std::vector<float>> &b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].size() != b[i].size() ||
        std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)))
      return false;
  return a.size() == b.size();
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2)
    fail("expects the path of the weights");
  attn_model *model;
  attn_error error;
  if (PROGRAM()->functions->open(PROGRAM(), argv[1], nullptr, &model, &error))
    fail(error.message);
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::vector<std::vector<float>>> alone;
  for (int i = 0; i < threadCount; ++i) {
    workers.push_back(std::make_unique<Worker>(model, i));
    alone.push_back(workers.back()->run());
  }
  if (sameBits(alone[0], alone[4]))
    fail("the threads' inputs are equal");

  std::atomic<int> ready{0}, different{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < threadCount; ++i)
    threads.emplace_back([&, i] {
      for (++ready; ready < threadCount;)
        std::this_thread::yield();
      for (int round = 0; round < rounds; ++round)
        different += !sameBits(workers[i]->run(), alone[i]);
    });
  for (std::thread &thread : threads)
    thread.join();
  workers.clear();
  PROGRAM()->functions->close(model);
  if (different)
    fail(std::to_string(different) + " results differ");
  std::printf("%d results of %d threads are those of one\n",
              threadCount * rounds, threadCount);
}
