// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products in double: small register tiles, so that a whole Vision
// Transformer takes seconds, not minutes.

#include "codegen/reference/Products.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

namespace {

// Two doubles are what every target has; the compiler sees only a + b * c.
using Pair = double __attribute__((vector_size(16)));

Pair load(const double *p) {
  Pair value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

/// y[r, c] for R rows and C columns, even and odd k summed apart.
template <int R, int C>
void multiplyTile(const double *x, const double *w, double *y, int64_t columns,
                  int64_t depth) {
  Pair sums[R][C] = {};
  int64_t k = 0;
  for (; k + 2 <= depth; k += 2) {
    Pair a[R];
    for (int r = 0; r < R; ++r)
      a[r] = load(x + r * depth + k);
    for (int c = 0; c < C; ++c) {
      Pair b = load(w + c * depth + k);
      for (int r = 0; r < R; ++r)
        sums[r][c] += a[r] * b;
    }
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) {
      double sum = sums[r][c][0] + sums[r][c][1];
      if (k < depth)
        sum += x[r * depth + k] * w[c * depth + k];
      y[r * columns + c] = sum;
    }
}

/// Columns [begin, end) of all rows.
void multiplyColumns(const double *x, const double *w, double *y, int64_t rows,
                     int64_t columns, int64_t depth, int64_t begin,
                     int64_t end) {
  // 32 weight rows stay in the second-level cache while all rows of x pass.
  constexpr int64_t block = 32;
  for (int64_t first = begin; first < end; first += block) {
    int64_t last = std::min(first + block, end);
    int64_t r = 0;
    for (; r + 3 <= rows; r += 3) {
      int64_t c = first;
      for (; c + 4 <= last; c += 4)
        multiplyTile<3, 4>(x + r * depth, w + c * depth, y + r * columns + c,
                           columns, depth);
      for (; c < last; ++c)
        multiplyTile<3, 1>(x + r * depth, w + c * depth, y + r * columns + c,
                           columns, depth);
    }
    for (; r < rows; ++r)
      for (int64_t c = first; c < last; ++c)
        multiplyTile<1, 1>(x + r * depth, w + c * depth, y + r * columns + c,
                           columns, depth);
  }
}

} // namespace

void attn::reference::multiplyTransposed(const double *x, const double *w,
                                         double *y, int64_t rows,
                                         int64_t columns, int64_t depth,
                                         unsigned threads) {
  // A thread costs more than a small product.
  constexpr double worthThread = 1e6;
  double work = double(rows) * double(columns) * double(depth);
  int64_t count =
      std::clamp<int64_t>(std::min<double>(threads, work / worthThread), 1,
                          std::max<int64_t>(columns, 1));
  auto part = [&](int64_t i) {
    multiplyColumns(x, w, y, rows, columns, depth, columns * i / count,
                    columns * (i + 1) / count);
  };
  std::vector<std::thread> others;
  for (int64_t i = 1; i < count; ++i)
    others.emplace_back(part, i);
  part(0);
  for (std::thread &other : others)
    other.join();
}

double attn::reference::dot(const double *a, const double *b, int64_t count) {
  double sum;
  multiplyTile<1, 1>(a, b, &sum, 1, count);
  return sum;
}

void attn::reference::addScaled(double a, const double *x, double *y,
                                int64_t count) {
  for (int64_t k = 0; k < count; ++k)
    y[k] += a * x[k];
}
