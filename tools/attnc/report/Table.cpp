// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lays out columns.

#include "tools/attnc/report/Table.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;
using namespace attn::tool;

void Table::printRow(raw_ostream &os, ArrayRef<std::string> cells,
                     ArrayRef<size_t> widths) const {
  std::string line;
  raw_string_ostream out(line);
  for (auto [column, cell, width] : zip_equal(columns, cells, widths))
    if (column.align == Left)
      out << "  " << left_justify(cell, width);
    else
      out << "  " << right_justify(cell, width);
  os << StringRef(line).rtrim() << "\n";
}

void Table::print(raw_ostream &os) const {
  std::vector<std::string> titles;
  std::vector<size_t> widths;
  for (const Column &column : columns) {
    titles.push_back(column.title.str());
    widths.push_back(column.title.size());
  }
  for (const std::vector<std::string> &cells : rows)
    if (cells.size() == columns.size())
      for (auto [width, cell] : zip_equal(widths, cells))
        width = std::max(width, cell.size());
  printRow(os, titles, widths);
  for (const std::vector<std::string> &cells : rows)
    if (cells.size() == columns.size())
      printRow(os, cells, widths);
    else
      os << "      " << cells.front() << "\n";
}

std::string attn::tool::withCommas(uint64_t value) {
  std::string digits = std::to_string(value), text;
  for (auto [i, digit] : enumerate(digits)) {
    if (i && (digits.size() - i) % 3 == 0)
      text += ',';
    text += digit;
  }
  return text;
}

std::string attn::tool::withPrefix(double value, StringRef unit) {
  static constexpr StringLiteral prefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < std::size(prefixes)) {
    value /= 1000;
    ++prefix;
  }
  std::string text;
  raw_string_ostream(text) << format(prefix ? "%.3g " : "%.0f ", value)
                           << prefixes[prefix] << unit;
  return text;
}
