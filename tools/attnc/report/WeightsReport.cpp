// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prints the table of a weights file.

#include "tools/attnc/report/WeightsReport.h"

#include "tools/attnc/report/Table.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

static std::string shapeText(ArrayRef<int64_t> shape) {
  return "[" +
         join(map_range(shape,
                        [](int64_t size) { return std::to_string(size); }),
              ", ") +
         "]";
}

void attn::tool::printWeights(const package::WeightsFile &file,
                              raw_ostream &os) {
  os << "build id    " << toHex(file.buildId(), /*LowerCase=*/true)
     << "\nABI         " << file.abi() << "\ndata        "
     << withPrefix(file.data().size(), "B") << "\n\n";
  Table table({{"entry", Table::Left},
               {"type", Table::Left},
               {"shape", Table::Left},
               {"layout", Table::Left},
               {"offset", Table::Right},
               {"bytes", Table::Right},
               {"CRC-32", Table::Right}});
  for (const package::WeightsEntry &entry : file.entries())
    table.row({entry.name, entry.dtype == ATTN_F32 ? "f32" : "i64",
               shapeText(entry.shape), entry.layout,
               std::to_string(entry.offset), std::to_string(entry.bytes),
               formatv("{0:x-8}", entry.crc)});
  table.print(os);
}

json::Value attn::tool::weightsJson(const package::WeightsFile &file) {
  json::Array entries;
  for (const package::WeightsEntry &entry : file.entries())
    entries.push_back(
        json::Object{{"name", json::fixUTF8(entry.name)},
                     {"dtype", entry.dtype == ATTN_F32 ? "f32" : "i64"},
                     {"shape", json::Array(entry.shape)},
                     {"layout", json::fixUTF8(entry.layout)},
                     {"offset", entry.offset},
                     {"bytes", entry.bytes},
                     {"crc32", entry.crc}});
  return json::Object{{"build_id", toHex(file.buildId(), /*LowerCase=*/true)},
                      {"abi", file.abi()},
                      {"data_bytes", file.data().size()},
                      {"entries", std::move(entries)}};
}
