// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tables and JSON of measurements.

#include "tools/attnc/report/BenchReport.h"

#include "tools/attnc/report/Table.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace attn::tool;

static double p90(ArrayRef<double> ascending) {
  return ascending[(ascending.size() - 1) * 9 / 10];
}

void attn::tool::printKernels(raw_ostream &os, ArrayRef<KernelTime> kernels,
                              double seconds, const WorkColumns &work) {
  Table table({{"kernel", Table::Left},
               {"calls", Table::Right},
               {"ms", Table::Right},
               {"share", Table::Right},
               {work.first, Table::Right},
               {work.second, Table::Right}});
  double rest = seconds;
  auto share = [&](double part) {
    return formatv("{0:F1}%", 100 * part / seconds).str();
  };
  for (const KernelTime &kernel : kernels) {
    std::pair<std::string, std::string> cells;
    if (kernel.work > 0)
      cells = work.cells(kernel);
    table.row({kernel.kernel, std::to_string(kernel.calls),
               formatv("{0:F3}", kernel.seconds * 1e3), share(kernel.seconds),
               cells.first, cells.second});
    rest -= kernel.seconds;
  }
  rest = std::max(rest, 0.0);
  table.row({"(between kernels)", "", formatv("{0:F3}", rest * 1e3),
             share(rest), "", ""});
  table.print(os);
}

void BenchReport::print(raw_ostream &os) const {
  os << name << "  " << isa << ", " << threads
     << (threads == 1 ? " thread" : " threads");
  for (const auto &[dim, size] : dims)
    os << ", " << dim << "=" << size;
  os << formatv("\n\nlatency    {0:F3} ms median, {1:F3} least, {2:F3} p90 of "
                "{3} runs\n",
                median() * 1e3, seconds.front() * 1e3, p90(seconds) * 1e3,
                seconds.size());
  os << formatv("speed      {0:F1} GFLOP/s, {1:F1}% of the multiply-add peak "
                "of {2:F1}\n",
                flops / median() / 1e9, 100 * flops / median() / peak(),
                peak() / 1e9);
  if (countsLeftOut)
    os << "           of all keys, those that keep leaves out too; bench the "
          "model to count without them\n";
  os << formatv("opening    {0:F3} ms\n", openSeconds * 1e3);
  os << formatv("memory     {0} at most, {1} before opening; weights {2}, "
                "workspace {3}\n",
                withPrefix(peakResidentBytes, "B"),
                withPrefix(residentBytesBefore, "B"),
                withPrefix(weightsBytes, "B"), withPrefix(workspaceBytes, "B"));
  if (kernels.empty())
    return;
  os << "\n";
  auto cells = [&](const KernelTime &kernel) {
    double speed = kernel.work / kernel.seconds;
    return std::pair(formatv("{0:F1}", speed / 1e9).str(),
                     formatv("{0:F1}%", 100 * speed / peak()).str());
  };
  printKernels(os, kernels, median(), {"GFLOP/s", "of peak", cells});
}

void BenchReport::printJson(raw_ostream &os) const {
  json::OStream out(os, 2);
  out.object([&] {
    out.attribute("name", name);
    out.attributeObject("latency_ms", [&] {
      out.attribute("min", seconds.front() * 1e3);
      out.attribute("median", median() * 1e3);
      out.attribute("p90", p90(seconds) * 1e3);
    });
    out.attribute("runs", seconds.size());
    out.attribute("open_ms", openSeconds * 1e3);
    out.attribute("gflops", flops / median() / 1e9);
    out.attribute("peak_gflops", peak() / 1e9);
    out.attribute("peak_fraction", flops / median() / peak());
    out.attribute("flops", flops);
    out.attribute("counts_left_out_keys", countsLeftOut);
    out.attribute("peak_rss_bytes", peakResidentBytes);
    out.attribute("rss_before_open_bytes", residentBytesBefore);
    out.attribute("weights_bytes", weightsBytes);
    out.attribute("workspace_bytes", workspaceBytes);
    out.attribute("threads", threads);
    out.attribute("isa", isa);
    out.attributeObject("dims", [&] {
      for (const auto &[dim, size] : dims)
        out.attribute(dim, size);
    });
    if (!kernels.empty())
      out.attributeArray("kernels", [&] {
        for (const KernelTime &kernel : kernels)
          out.object([&] {
            out.attribute("name", kernel.kernel);
            out.attribute("calls", kernel.calls);
            out.attribute("ms", kernel.seconds * 1e3);
            out.attribute("share", kernel.seconds / median());
            out.attribute("gflops", kernel.work / kernel.seconds / 1e9);
          });
      });
  });
  os << "\n";
}

std::optional<uint64_t> attn::tool::readMemoryStatus(StringRef field) {
  auto status = MemoryBuffer::getFileAsStream("/proc/self/status");
  if (!status)
    return std::nullopt;
  SmallVector<StringRef> lines;
  (*status)->getBuffer().split(lines, '\n');
  for (StringRef line : lines) {
    uint64_t kibibytes;
    if (line.consume_front(field) && line.consume_front(":") &&
        !line.trim().split(' ').first.getAsInteger(10, kibibytes))
      return kibibytes << 10;
  }
  return std::nullopt;
}
