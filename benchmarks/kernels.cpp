// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Speed of single kernels as a share of the FMA peak timed in the same run.
//
// bench-kernels TARGET [FILTER]

#include "test/codegen/cpu/CompiledKernel.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <random>

using namespace attn;
using namespace attn::test;

static double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

/// Processor time of this thread: a busy machine spoils it less than a clock.
static double threadTime() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

/// Seconds that `run` takes on this thread.
static double timed(llvm::function_ref<void()> run) {
  double start = threadTime();
  run();
  return threadTime() - start;
}

#define ATTN_TWELVE(X)                                                         \
  X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

/// Independent multiply-adds in registers: `rounds` times 12 vectors.
static void multiplyAdds(int lanes, long rounds) {
#define ATTN_FMA(i) "vfmadd231ps %%ymm14,%%ymm15,%%ymm" #i "\n"
#define ATTN_FMA512(i) "vfmadd231ps %%zmm14,%%zmm15,%%zmm" #i "\n"
#define ATTN_MULADD(i) "mulps %%xmm14,%%xmm" #i "\n addps %%xmm15,%%xmm" #i "\n"
#define ATTN_LOOP(X)                                                           \
  asm volatile(".p2align 6\n1:\n" ATTN_TWELVE(X) "dec %0\n jnz 1b\n"           \
               : "+r"(rounds)::"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", \
                 "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "cc")
  if (lanes == 16)
    ATTN_LOOP(ATTN_FMA512);
  else if (lanes == 8)
    ATTN_LOOP(ATTN_FMA);
  else
    ATTN_LOOP(ATTN_MULADD);
}

namespace {

/// Allocates at cache lines.
template <typename T> struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <typename U> LineAllocator(const LineAllocator<U> &) {}
  T *allocate(size_t n) {
    return static_cast<T *>(
        ::operator new(n * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T *p, size_t) { ::operator delete(p, std::align_val_t(64)); }
  bool operator==(const LineAllocator &) const = default;
};
using Floats = std::vector<float, LineAllocator<float>>;

struct Bench {
  const TargetSpec &target;
  llvm::StringRef filter;
  std::mt19937 random{1};

  /// Normal numbers from a cache line on, as the runtime aligns buffers.
  Floats values(int64_t count) {
    Floats out(count);
    std::normal_distribution<float> normal;
    for (float &value : out)
      value = normal(random);
    return out;
  }

  void report(const std::string &name, const std::string &text, double flops,
              llvm::ArrayRef<Operand> operands) {
    if (!llvm::StringRef(name).contains(filter))
      return;
    double start = now();
    auto kernel = CompiledKernel::compile(text, target);
    if (!kernel) {
      llvm::errs() << name << ": " << llvm::toString(kernel.takeError())
                   << "\n";
      return;
    }
    double compile = now() - start;
    kernel->prepare(operands, 1);
    // Kernel and peak take turns for about as long, so that both see the clock
    // rate that such code sustains.
    double peakFlops = 24.0 * target.lanes;
    long rounds = std::max(1L, long(flops / peakFlops));
    double seconds = 1e9, peakSeconds = 1e9;
    for (int i = 0; i < std::max(20, int(50e9 / flops)); ++i) {
      seconds = std::min(seconds, timed([&] { kernel->runSlot(0); }));
      peakSeconds = std::min(
          peakSeconds, timed([&] { multiplyAdds(target.lanes, rounds); }));
    }
    double gflops = flops / seconds / 1e9;
    double limit = rounds * peakFlops / peakSeconds / 1e9;
    llvm::outs() << llvm::formatv(
        "{0,-28} {1,8:F3} ms {2,7:F1} GFLOP/s {3,5:F1}% of {4:F1}, compiled "
        "in {5:F2} s, {6} bytes\n",
        name, seconds * 1e3, gflops, 100 * gflops / limit, limit, compile,
        kernel->objectBytes());
    llvm::outs().flush();
  }

  void linear(int64_t m, int64_t k, int64_t n, llvm::StringRef epilogue) {
    std::string extra = epilogue == "gelu"
                            ? "%2 = attn.gelu %1 : f32\n attn.yield %2 : f32"
                            : "attn.yield %1 : f32";
    std::string text = llvm::formatv(R"(
      func.func private @kernel(%x: tensor<?x{0}xf32>,
          %w: tensor<{1}x{0}xf32> {{attn.layout = #attn.panels<16>},
          %b: tensor<{1}xf32>) -> tensor<?x{1}xf32> attributes {{attn.kernel} {{
        %y = attn.linear %x weights(%w : tensor<{1}x{0}xf32>)
            captures(%b : tensor<{1}xf32>) maps [affine_map<(r, c) -> (c)>]
            epilogue {{
            ^bb0(%0: f32, %bias: f32):
              %1 = arith.addf %0, %bias : f32
              {2}
            } : tensor<?x{0}xf32> -> tensor<?x{1}xf32>
        return %y : tensor<?x{1}xf32>
      })",
                                     k, n, extra);
    auto x = values(m * k), w = values((n + 15) / 16 * 16 * k), b = values(n);
    Floats y(m * n);
    report(llvm::formatv("linear {0}x{1}x{2} {3}", m, k, n, epilogue).str(),
           text, 2.0 * m * n * k,
           {{x.data(), {m}}, {w.data(), {}}, {b.data(), {}}, {y.data(), {m}}});
  }

  void attention(int64_t heads, int64_t n, int64_t d) {
    std::string text = llvm::formatv(R"(
      func.func private @kernel(%q: tensor<?x?x{0}x{1}xf32>,
          %k: tensor<?x?x{0}x{1}xf32>, %v: tensor<?x?x{0}x{1}xf32>)
          -> tensor<?x?x{0}x{1}xf32> attributes {{attn.kernel} {{
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %b = tensor.dim %q, %c0 : tensor<?x?x{0}x{1}xf32>
        %n = tensor.dim %q, %c1 : tensor<?x?x{0}x{1}xf32>
        %e = tensor.empty(%b, %n) : tensor<?x{0}x?x{1}xf32>
        %qt = linalg.transpose ins(%q : tensor<?x?x{0}x{1}xf32>)
            outs(%e : tensor<?x{0}x?x{1}xf32>) permutation = [0, 2, 1, 3]
        %kt = linalg.transpose ins(%k : tensor<?x?x{0}x{1}xf32>)
            outs(%e : tensor<?x{0}x?x{1}xf32>) permutation = [0, 2, 1, 3]
        %vt = linalg.transpose ins(%v : tensor<?x?x{0}x{1}xf32>)
            outs(%e : tensor<?x{0}x?x{1}xf32>) permutation = [0, 2, 1, 3]
        %o = attn.attention queries(%qt : tensor<?x{0}x?x{1}xf32>)
            keys(%kt : tensor<?x{0}x?x{1}xf32>) value(%vt : tensor<?x{0}x?x{1}xf32>)
            score {{
            ^bb0(%qi: tensor<{1}xf32>, %kj: tensor<{1}xf32>, %bb: index,
                 %h: index, %i: index, %j: index, %mm: index, %nn: index):
              %scale = arith.constant 0.125 : f32
              %dot = attn.dot %qi, %kj : tensor<{1}xf32>
              %s = arith.mulf %dot, %scale : f32
              attn.yield %s : f32
            } -> tensor<?x{0}x?x{1}xf32>
        %oe = tensor.empty(%b, %n) : tensor<?x?x{0}x{1}xf32>
        %ot = linalg.transpose ins(%o : tensor<?x{0}x?x{1}xf32>)
            outs(%oe : tensor<?x?x{0}x{1}xf32>) permutation = [0, 2, 1, 3]
        return %ot : tensor<?x?x{0}x{1}xf32>
      })",
                                     heads, d);
    auto q = values(n * heads * d), k = values(n * heads * d),
         v = values(n * heads * d);
    Floats o(n * heads * d);
    report(llvm::formatv("attention {0} heads {1} x {2}", heads, n, d).str(),
           text, 4.0 * heads * n * n * d,
           {{q.data(), {1, n}},
            {k.data(), {1, n}},
            {v.data(), {1, n}},
            {o.data(), {1, n}}});
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
  for (int64_t m : {197, 128, 512}) {
    for (int64_t n : {768, 2304, 3072})
      bench.linear(m, 768, n, "bias");
    bench.linear(m, 768, 3072, "gelu");
    bench.linear(m, 3072, 768, "bias");
  }
  bench.linear(1, 768, 3072, "bias");
  for (int64_t n : {49, 197, 512, 1024})
    bench.attention(12, n, 64);
  return EXIT_SUCCESS;
}
