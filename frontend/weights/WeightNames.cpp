// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What checkpoints call the weights of a model.

#include "frontend/weights/WeightNames.h"

#include "llvm/ADT/StringSet.h"

#include <deque>

using namespace llvm;

namespace attn::weights {

/// `name` with the text at the star of `from` at the star of `to`; nothing
/// where it does not match.
static std::optional<std::string> rewrite(StringRef name, StringRef from,
                                          StringRef to) {
  auto [head, tail] = from.split('*');
  bool hasStar = from.contains('*');
  if (!hasStar && name != from)
    return std::nullopt;
  if (!name.consume_front(head) || !name.consume_back(tail))
    return std::nullopt;
  auto [newHead, newTail] = to.split('*');
  return (newHead + name + newTail).str();
}

namespace {
/// A name that aliases made, and those that may still be used.
struct Candidate {
  std::string name;
  std::vector<const NameAlias *> unused;
};
} // namespace

/// The tensor that holds a weight under another name; empty for none.
static std::string findStored(StringRef name, ArrayRef<NameAlias> aliases,
                              const TensorTable &table,
                              function_ref<bool(StringRef)> isFree) {
  constexpr size_t mostCandidates = 64;
  std::vector<const NameAlias *> all;
  for (const NameAlias &alias : aliases)
    all.push_back(&alias);
  std::deque<Candidate> queue = {{name.str(), std::move(all)}};
  for (size_t tried = 0; !queue.empty() && tried < mostCandidates; ++tried) {
    Candidate candidate = std::move(queue.front());
    queue.pop_front();
    if (table.find(candidate.name) && isFree(candidate.name))
      return candidate.name;
    for (const NameAlias *alias : candidate.unused) {
      std::vector<const NameAlias *> others = candidate.unused;
      llvm::erase(others, alias);
      for (auto [from, to] : {std::pair(&alias->one, &alias->other),
                              std::pair(&alias->other, &alias->one)})
        if (auto renamed = rewrite(candidate.name, *from, *to))
          queue.push_back({std::move(*renamed), others});
    }
  }
  return "";
}

void applyAliases(ArrayRef<ExpectedWeight> expected,
                  ArrayRef<NameAlias> aliases, TensorTable &table) {
  if (aliases.empty())
    return;
  StringSet<> names;
  for (const ExpectedWeight &weight : expected)
    names.insert(weight.name);
  auto isFree = [&](StringRef name) { return !names.contains(name); };
  for (const ExpectedWeight &weight : expected)
    if (!table.find(weight.name))
      if (std::string stored = findStored(weight.name, aliases, table, isFree);
          !stored.empty())
        table.rename(stored, weight.name);
}

} // namespace attn::weights
