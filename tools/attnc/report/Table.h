// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Columns of text for people.

#ifndef ATTN_TOOLS_ATTNC_REPORT_TABLE_H
#define ATTN_TOOLS_ATTNC_REPORT_TABLE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace attn::tool {

/// Rows whose columns are as wide as their widest cell.
class Table {
public:
  enum Align { Left, Right };
  struct Column {
    llvm::StringRef title;
    Align align;
  };
  explicit Table(llvm::ArrayRef<Column> columns) : columns(columns) {}

  /// One cell for each column.
  void row(std::vector<std::string> cells) { rows.push_back(std::move(cells)); }
  /// A line of its own below the last row, indented.
  void note(std::string text) { rows.push_back({std::move(text)}); }

  void print(llvm::raw_ostream &os) const;

private:
  void printRow(llvm::raw_ostream &os, llvm::ArrayRef<std::string> cells,
                llvm::ArrayRef<size_t> widths) const;

  std::vector<Column> columns;
  /// A row of one cell is a note.
  std::vector<std::vector<std::string>> rows;
};

/// "86,567,656".
std::string withCommas(uint64_t value);
/// A number with a decimal prefix and a unit: "35.1 GFLOP", "346 MB".
std::string withPrefix(double value, llvm::StringRef unit);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_REPORT_TABLE_H
