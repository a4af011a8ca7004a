// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tables and JSON of measured generation.

#include "tools/attnc/report/GenerationReport.h"

#include "tools/attnc/report/Table.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace llvm;
using namespace attn::tool;

void GenerationReport::print(raw_ostream &os) const {
  os << formatv("{0}  {1}, {2} {3}, batch={4}, tokens={5}", name, isa, threads,
                threads == 1 ? "thread" : "threads", batch, tokens);
  for (auto &[dim, size] : sourceSizes)
    os << formatv(", {0}={1}", dim, size);
  os << "\n\n";
  if (encodes)
    os << formatv("encoding   {0:F3} ms\n", encodeSeconds * 1e3);
  os << formatv("prompt     {0:F3} ms, {1:F1} tokens/s\n", promptSeconds * 1e3,
                batch * tokens / promptSeconds);
  os << formatv("step       {0:F3} ms median, {1:F3} least of {2}; {3:F1} "
                "tokens/s\n",
                median() * 1e3, seconds.front() * 1e3, seconds.size(),
                batch / median());
  os << formatv("reading    {0} a step, {1:F1} GB/s: {2:F1}% of the {3:F1} "
                "that plain loops read\n",
                withPrefix(static_cast<uint64_t>(bytesPerStep), "B"),
                stepReadRate() / 1e9, 100 * stepReadRate() / readRate(),
                readRate() / 1e9);
  os << formatv("opening    {0:F3} ms\n", openSeconds * 1e3);
  os << formatv("memory     weights {0}, cache {1}\n",
                withPrefix(weightsBytes, "B"), withPrefix(cacheBytes, "B"));
  if (kernels.empty())
    return;
  os << "\n";
  auto cells = [](const KernelTime &kernel) {
    return std::pair(
        withPrefix(static_cast<uint64_t>(kernel.work), "B"),
        formatv("{0:F1}", kernel.work / kernel.seconds / 1e9).str());
  };
  printKernels(os, kernels, median(), {"weights", "GB/s", cells});
}

void GenerationReport::printJson(raw_ostream &os) const {
  json::OStream out(os, 2);
  out.object([&] {
    out.attribute("name", name);
    out.attribute("isa", isa);
    out.attribute("threads", threads);
    out.attributeObject("dims", [&] {
      out.attribute("batch", batch);
      out.attribute("tokens", tokens);
      for (auto &[dim, size] : sourceSizes)
        out.attribute(dim, size);
    });
    if (encodes)
      out.attribute("encode_ms", encodeSeconds * 1e3);
    out.attribute("prompt_ms", promptSeconds * 1e3);
    out.attributeObject("step_ms", [&] {
      out.attribute("min", seconds.front() * 1e3);
      out.attribute("median", median() * 1e3);
    });
    out.attribute("steps", seconds.size());
    out.attribute("bytes_per_step", bytesPerStep);
    out.attribute("gigabytes_per_second", stepReadRate() / 1e9);
    out.attribute("peak_gigabytes_per_second", readRate() / 1e9);
    out.attribute("peak_fraction", stepReadRate() / readRate());
    out.attribute("open_ms", openSeconds * 1e3);
    out.attribute("weights_bytes", weightsBytes);
    out.attribute("cache_bytes", cacheBytes);
    if (!kernels.empty())
      out.attributeArray("kernels", [&] {
        for (const KernelTime &kernel : kernels)
          out.object([&] {
            out.attribute("name", kernel.kernel);
            out.attribute("calls", kernel.calls);
            out.attribute("ms", kernel.seconds * 1e3);
            out.attribute("share", kernel.seconds / median());
            out.attribute("weight_bytes", kernel.work);
          });
      });
  });
  os << "\n";
}
