// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The names that C code sees of a compiled model.

#include "codegen/package/Header.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace attn::package {

/// Keywords of C and C++, and the macros of <stddef.h> and <stdint.h> that are
/// words.
static bool isReserved(StringRef word) {
  static constexpr StringLiteral words[] = {"NULL",         "alignas",
                                            "alignof",      "and",
                                            "and_eq",       "asm",
                                            "auto",         "bitand",
                                            "bitor",        "bool",
                                            "break",        "case",
                                            "catch",        "char",
                                            "char16_t",     "char32_t",
                                            "char8_t",      "class",
                                            "co_await",     "co_return",
                                            "co_yield",     "compl",
                                            "concept",      "const",
                                            "const_cast",   "consteval",
                                            "constexpr",    "constinit",
                                            "continue",     "decltype",
                                            "default",      "delete",
                                            "do",           "double",
                                            "dynamic_cast", "else",
                                            "enum",         "explicit",
                                            "export",       "extern",
                                            "false",        "float",
                                            "for",          "friend",
                                            "goto",         "if",
                                            "inline",       "int",
                                            "linux",        "long",
                                            "mutable",      "namespace",
                                            "new",          "noexcept",
                                            "not",          "not_eq",
                                            "nullptr",      "offsetof",
                                            "operator",     "or",
                                            "or_eq",        "private",
                                            "protected",    "public",
                                            "register",     "reinterpret_cast",
                                            "requires",     "restrict",
                                            "return",       "short",
                                            "signed",       "sizeof",
                                            "static",       "static_assert",
                                            "static_cast",  "struct",
                                            "switch",       "template",
                                            "this",         "thread_local",
                                            "throw",        "true",
                                            "try",          "typedef",
                                            "typeid",       "typename",
                                            "typeof",       "typeof_unqual",
                                            "union",        "unix",
                                            "unsigned",     "using",
                                            "virtual",      "void",
                                            "volatile",     "wchar_t",
                                            "while",        "xor",
                                            "xor_eq"};
  return is_contained(words, word);
}

std::string cIdentifier(StringRef text) {
  std::string name;
  for (char c : text)
    name += isAlnum(c) ? c : '_';
  // Names that begin with '_' belong to the implementation.
  if (name.empty() || !isAlpha(name.front()))
    name.insert(0, "x");
  if (isReserved(name))
    name += '_';
  return name;
}

std::string modelIdentifier(StringRef name) {
  std::string identifier = cIdentifier(name);
  bool taken = StringRef(identifier).starts_with("attn_") ||
               StringSwitch<bool>(identifier)
                   .Cases({"attn", "mq", "sem", "shm"}, true)
                   .Default(false);
  return taken ? "model_" + identifier : identifier;
}

template <typename Named>
static std::vector<std::string> uniqueNames(const std::vector<Named> &items) {
  std::vector<std::string> names;
  StringSet<> seen;
  for (const Named &item : items) {
    std::string name = cIdentifier(item.name), candidate = name;
    for (unsigned i = 2; !seen.insert(candidate).second; ++i)
      candidate = name + "_" + utostr(i);
    names.push_back(candidate);
  }
  return names;
}

std::string entryPrefix(const ModelInterface &model) {
  return modelIdentifier(model.name) + (model.cache ? "_step" : "");
}

CNames makeCNames(const ModelInterface &model, StringRef prefix) {
  return {prefix.str(), uniqueNames(model.dims), uniqueNames(model.inputs),
          uniqueNames(model.outputs)};
}

} // namespace attn::package
