// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels with one or few rows, which wait for memory: the bytes that they must
// read per second, as a share of what plain loops read in the same run.
//
// bench-decode TARGET [FILTER]

#include "dialect/AttnDialect.h"
#include "test/codegen/cpu/CompiledKernel.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <random>
#include <thread>

using namespace attn;
using namespace attn::test;

static double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

/// Runs work(slot) for each slot on a thread of its own.
static void onThreads(int64_t slots, llvm::function_ref<void(int64_t)> work) {
  std::vector<std::thread> threads;
  for (int64_t slot = 1; slot < slots; ++slot)
    threads.emplace_back([=] { work(slot); });
  work(0);
  for (std::thread &thread : threads)
    thread.join();
}

static double timed(llvm::function_ref<void()> run) {
  double start = now();
  run();
  return now() - start;
}

namespace {

struct FreeMemory {
  void operator()(float *memory) const { std::free(memory); }
};
using Floats = std::unique_ptr<float, FreeMemory>;
using Lanes = float __attribute__((vector_size(16)));

/// Memory far larger than any cache, at cache lines.
Floats floats(int64_t count) {
  auto *memory = static_cast<float *>(
      std::aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64));
  std::minstd_rand random(1);
  for (int64_t i = 0; i < count; ++i)
    memory[i] = float(random()) / float(std::minstd_rand::max()) - 0.5f;
  return Floats(memory);
}

/// Reads `count` floats as `Streams` streams side by side.
template <int Streams> float readStreams(const float *memory, int64_t count) {
  int64_t part = count / Streams / 16 * 16;
  Lanes sums[4] = {};
  for (int64_t i = 0; i < part; i += 16)
    for (int s = 0; s < Streams; ++s)
      for (int lane = 0; lane < 16; lane += 4)
        sums[lane / 4] +=
            *reinterpret_cast<const Lanes *>(memory + s * part + i + lane);
  return (sums[0] + sums[1] + sums[2] + sums[3])[0];
}

/// Seconds in which `slots` threads read `count` floats at best.
double readSeconds(const float *memory, int64_t count, int64_t slots) {
  double best = 1e9;
  volatile float keep;
  auto measure = [&](auto read) {
    best = std::min(best, timed([&] {
                      onThreads(slots, [&](int64_t slot) {
                        int64_t part = count / slots / 16 * 16;
                        keep = read(memory + slot * part, part);
                      });
                    }));
  };
  measure(readStreams<1>);
  measure(readStreams<2>);
  measure(readStreams<4>);
  return best;
}

struct Bench {
  const TargetSpec &target;
  llvm::StringRef filter;
  static constexpr int64_t kReadFloats = int64_t(64) << 20;
  Floats readMemory = floats(kReadFloats);

  /// `bytes` is what one run cannot do without reading.
  void report(const std::string &name, const std::string &text, double bytes,
              llvm::ArrayRef<Operand> operands) {
    if (!llvm::StringRef(name).contains(filter))
      return;
    auto kernel = CompiledKernel::compile(text, target);
    if (!kernel) {
      llvm::errs() << name << ": " << llvm::toString(kernel.takeError())
                   << "\n";
      return;
    }
    for (int64_t slots : {1, 2}) {
      kernel->prepare(operands, slots);
      double seconds = 1e9, read = 1e9;
      for (int i = 0; i < 12; ++i) {
        seconds = std::min(
            seconds, timed([&] {
              onThreads(slots, [&](int64_t slot) { kernel->runSlot(slot); });
            }));
        read =
            std::min(read, readSeconds(readMemory.get(), kReadFloats, slots));
      }
      double rate = bytes / seconds / 1e9;
      double limit = kReadFloats * sizeof(float) / read / 1e9;
      llvm::outs() << llvm::formatv(
          "{0,-40} {1} thread{2} {3,8:F3} ms {4,6:F1} GB/s {5,5:F1}% of "
          "{6:F1}\n",
          name, slots, slots == 1 ? " " : "s", seconds * 1e3, rate,
          100 * rate / limit, limit);
      llvm::outs().flush();
    }
  }

  bool wants(llvm::StringRef name) { return name.contains(filter); }

  void linear(int64_t m, int64_t k, int64_t n) {
    std::string name = llvm::formatv("linear {0}x{1}x{2}", m, k, n);
    if (!wants(name))
      return;
    std::string text = llvm::formatv(R"(
      func.func private @kernel(%x: tensor<?x{0}xf32>,
          %w: tensor<{1}x{0}xf32> {{attn.layout = #attn.panels<16>})
          -> tensor<?x{1}xf32> attributes {{attn.kernel} {{
        %y = attn.linear %x weights(%w : tensor<{1}x{0}xf32>)
            : tensor<?x{0}xf32> -> tensor<?x{1}xf32>
        return %y : tensor<?x{1}xf32>
      })",
                                     k, n);
    Floats x = floats(m * k), w = floats(n * k), y = floats(m * n);
    report(name, text, 4.0 * n * k,
           {{x.get(), {m}}, {w.get(), {}}, {y.get(), {m}}});
  }

  /// `m` queries of one sequence against n keys and values.
  void attention(int64_t heads, int64_t keyHeads, int64_t m, int64_t n,
                 int64_t d) {
    std::string name = llvm::formatv("attention {0}/{1} heads, {2} x {3} x {4}",
                                     heads, keyHeads, m, n, d);
    if (!wants(name))
      return;
    std::string text = llvm::formatv(R"(
      func.func private @kernel(%q: tensor<?x{0}x?x{2}xf32>,
          %k: tensor<?x{1}x?x{2}xf32>, %v: tensor<?x{1}x?x{2}xf32>)
          -> tensor<?x{0}x?x{2}xf32> attributes {{attn.kernel} {{
        %o = attn.attention queries(%q : tensor<?x{0}x?x{2}xf32>)
            keys(%k : tensor<?x{1}x?x{2}xf32>) value(%v : tensor<?x{1}x?x{2}xf32>)
            score {{
            ^bb0(%qi: tensor<{2}xf32>, %kj: tensor<{2}xf32>, %bb: index,
                 %h: index, %i: index, %j: index, %mm: index, %nn: index):
              %scale = arith.constant 0.125 : f32
              %dot = attn.dot %qi, %kj : tensor<{2}xf32>
              %s = arith.mulf %dot, %scale : f32
              attn.yield %s : f32
            } -> tensor<?x{0}x?x{2}xf32>
        return %o : tensor<?x{0}x?x{2}xf32>
      })",
                                     heads, keyHeads, d);
    // Enough sequences that no cache holds their keys.
    int64_t batch =
        std::max<int64_t>(1, (int64_t(128) << 20) / (8 * keyHeads * n * d));
    Floats q = floats(batch * heads * m * d), o = floats(batch * heads * m * d);
    Floats k = floats(batch * keyHeads * n * d);
    Floats v = floats(batch * keyHeads * n * d);
    report(name, text, 8.0 * batch * keyHeads * n * d,
           {{q.get(), {batch, m}},
            {k.get(), {batch, n}},
            {v.get(), {batch, n}},
            {o.get(), {batch, m}}});
  }

  /// The last `m` rows of some sequences of n tokens, in pages of a cache that
  /// lie in any order.
  void pagedAttention(int64_t heads, int64_t keyHeads, int64_t m, int64_t n,
                      int64_t d) {
    std::string name = llvm::formatv("paged {0}/{1} heads, {2} x {3} x {4}",
                                     heads, keyHeads, m, n, d);
    if (!wants(name))
      return;
    int64_t page = pageEntryFloats(keyHeads, d, d);
    std::string text = llvm::formatv(R"(
      func.func private @kernel(%q: tensor<1x{0}x?x{2}xf32>, %cache: tensor<?x{3}xf32>,
          %offset: tensor<i64>, %pages: tensor<?x?xi64>, %starts: tensor<?xi64>,
          %lengths: tensor<?xi64>) -> tensor<1x{0}x?x{2}xf32> attributes {{attn.kernel} {{
        %k, %v = attn.read_pages %cache at %offset pages(%pages)
            : tensor<?x{3}xf32>, tensor<i64>, tensor<?x?xi64>
            -> tensor<?x{1}x?x{2}xf32>, tensor<?x{1}x?x{2}xf32>
        %o = attn.attention queries(%q : tensor<1x{0}x?x{2}xf32>)
            keys(%k : tensor<?x{1}x?x{2}xf32>) value(%v : tensor<?x{1}x?x{2}xf32>)
            rows(%starts, %lengths : tensor<?xi64>, tensor<?xi64>)
            score {{
            ^bb0(%qi: tensor<{2}xf32>, %kj: tensor<{2}xf32>, %bb: index,
                 %h: index, %i: index, %j: index, %mm: index, %nn: index):
              %scale = arith.constant 0.125 : f32
              %dot = attn.dot %qi, %kj : tensor<{2}xf32>
              %s = arith.mulf %dot, %scale : f32
              attn.yield %s : f32
            } keep {{
            ^bb0(%qi: tensor<{2}xf32>, %kj: tensor<{2}xf32>, %bb: index,
                 %h: index, %i: index, %j: index, %mm: index, %nn: index):
              %past = arith.subi %nn, %mm : index
              %p = arith.addi %i, %past : index
              %keep = arith.cmpi sle, %j, %p : index
              attn.yield %keep : i1
            } -> tensor<1x{0}x?x{2}xf32>
        return %o : tensor<1x{0}x?x{2}xf32>
      })",
                                     heads, keyHeads, d, page);
    int64_t blocks = n / kPageTokens;
    int64_t sequences =
        std::max<int64_t>(1, (int64_t(128) << 20) / (4 * blocks * page));
    Floats q = floats(sequences * heads * m * d);
    Floats o = floats(sequences * heads * m * d);
    Floats cache = floats(sequences * blocks * page);
    std::vector<int64_t> pages(sequences * blocks), starts,
        lengths(sequences, n);
    std::iota(pages.begin(), pages.end(), 0);
    std::shuffle(pages.begin(), pages.end(), std::minstd_rand(1));
    for (int64_t i = 0; i < sequences; ++i)
      starts.push_back(i * m);
    int64_t offset = 0;
    report(name, text, 4.0 * sequences * blocks * page,
           {{q.get(), {sequences * m}},
            {cache.get(), {sequences * blocks}},
            {&offset, {}},
            {pages.data(), {sequences, blocks}},
            {starts.data(), {sequences}},
            {lengths.data(), {sequences}},
            {o.get(), {sequences * m}}});
  }
};
} // namespace

int main(int argc, char **argv) {
  auto target = findTarget(argc > 1 ? argv[1] : "native");
  if (!target) {
    llvm::errs() << llvm::toString(target.takeError()) << "\n";
    return EXIT_FAILURE;
  }
  Bench bench{**target, argc > 2 ? argv[2] : ""};
  for (int64_t m : {1, 2, 4, 8})
    bench.linear(m, 2048, 16384);
  bench.linear(1, 8192, 4096);
  bench.linear(1, 768, 49152);
  for (int64_t n : {1024, 4096, 16384})
    for (int64_t m : {1, 4}) {
      bench.attention(12, 12, m, n, 64);
      bench.attention(32, 8, m, n, 128);
      bench.pagedAttention(12, 12, m, n, 64);
      bench.pagedAttention(32, 8, m, n, 128);
    }
  return EXIT_SUCCESS;
}
