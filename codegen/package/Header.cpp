// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the C header of a compiled model.

#include "codegen/package/Header.h"
#include "codegen/package/Embedded.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace attn::package {

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

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

CNames makeCNames(const ModelInterface &model) {
  return {modelIdentifier(model.name), uniqueNames(model.dims),
          uniqueNames(model.inputs), uniqueNames(model.outputs)};
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// Text that comes from outside, for use within a comment.
static std::string commentText(StringRef text) {
  std::string safe;
  for (char c : text)
    safe += isPrint(c) && !(c == '/' && !safe.empty() && safe.back() == '*')
                ? c
                : '?';
  return safe;
}

static void writeDims(raw_ostream &os, const ModelInterface &model,
                      const CNames &names) {
  if (model.dims.empty()) {
    os << "/* All sizes are fixed: pass NULL for dims. */\n"
       << "typedef struct " << names.model << "_dims " << names.model
       << "_dims;\n\n";
    return;
  }
  os << "/* The sizes of one run. */\ntypedef struct " << names.model
     << "_dims {\n";
  for (auto [dim, name] : zip_equal(model.dims, names.dims))
    os << "  int64_t " << name << "; /* in [" << dim.min << ", " << dim.max
       << "] */\n";
  os << "} " << names.model << "_dims;\n\n";
}

static void writeTensor(raw_ostream &os, const ModelInterface &model,
                        const TensorInterface &tensor, StringRef name,
                        bool isInput) {
  os << "  /* ";
  if (name != tensor.name)
    os << "'" << commentText(tensor.name) << "': ";
  os << commentText(shapeText(model, tensor));
  if (tensor.bound)
    os << ", every element in [0, " << tensor.bound << ")";
  os << " */\n  " << (isInput ? "const " : "")
     << (tensor.dtype == ATTN_I64 ? "int64_t" : "float") << " *" << name
     << ";\n";
}

static void writeTensors(raw_ostream &os, const ModelInterface &model,
                         const std::vector<TensorInterface> &tensors,
                         const std::vector<std::string> &tensorNames,
                         StringRef modelName, bool isInput) {
  StringRef kind = isInput ? "inputs" : "outputs";
  if (tensors.empty()) {
    os << "/* There are none: pass NULL. */\ntypedef struct " << modelName
       << "_" << kind << " " << modelName << "_" << kind << ";\n\n";
    return;
  }
  os << (isInput
             ? "/* Inputs, in the caller's memory, only read. Dense and "
               "row-major, aligned to\n   their element type. */\n"
             : "/* Outputs, in the caller's memory, written as a whole. Dense "
               "and row-major, aligned\n   to their element type; they overlap "
               "neither inputs nor each other. */\n")
     << "typedef struct " << modelName << "_" << kind << " {\n";
  for (auto [tensor, name] : zip_equal(tensors, tensorNames))
    writeTensor(os, model, tensor, name, isInput);
  os << "} " << modelName << "_" << kind << ";\n\n";
}

/// Functions; '@' stands for the model's name.
static constexpr StringLiteral functionsText = R"(
/* Every function that returns attn_status is safe to call with any arguments
   except dangling pointers. error may be NULL. */

@OPEN@ Takes
   milliseconds. The model is immutable: threads may share it. On failure *model
   is NULL. */
attn_status @_open(const char *path, attn_model **model, attn_error *error);

/* Frees the model and unmaps its weights; NULL is allowed. Runs that were
   prepared with it may not be used any more. */
void @_close(attn_model *model);

/* The exact size, in bytes, of the workspace that a run of these sizes needs for
   an executor of `slots` slots (1 without executor). */
attn_status @_workspace_bytes(const attn_model *model, const @_dims *dims,
                              size_t slots, size_t *bytes, attn_error *error);

/* Binds model, executor, memory and sizes once, for any number of runs.
   executor:  copied; its context stays the caller's. NULL runs everything on
              the thread that calls @_run.
   workspace: `bytes` bytes, aligned to ATTN_WORKSPACE_ALIGNMENT, the caller's;
              kept alive and left alone while *run is used. *run lives in it:
              there is nothing else to free.
   dims:      copied. */
attn_status @_prepare(const attn_model *model, const attn_executor *executor,
                      void *workspace, size_t bytes, const @_dims *dims,
                      attn_run **run, attn_error *error);

/* Computes all outputs. Allocates nothing and touches no global state. One run
   object is used by one thread at a time; different ones at the same time.
   Everything is checked before anything runs: with ATTN_INVALID_ARGUMENT or
   ATTN_OUT_OF_RANGE no output was touched. */
attn_status @_run(attn_run *run, const @_inputs *inputs,
                  const @_outputs *outputs, attn_error *error);

/* Equivalent to: allocate @_workspace_bytes, @_prepare, @_run, free. */
attn_status @_call(const attn_model *model, const attn_executor *executor,
                   const @_dims *dims, const @_inputs *inputs,
                   const @_outputs *outputs, attn_error *error);

/* What this library holds, as JSON: tensors, dimensions, variants, build id. */
const char *@_describe(void);

/* Code and tables, for programs that handle any model: see attn/abi.h. */
const attn_program *@_program(void);
)";

static constexpr StringLiteral openWithWeights =
    "/* Opens the model: picks the code for this processor and maps the "
    "weights "
    "file at\n   `path`, the one written with this header, read-only. Its "
    "header, size and build id\n   are checked, the weights themselves are not "
    "(`attnc inspect --check` does).";
static constexpr StringLiteral openWithoutWeights =
    "/* Opens the model: picks the code for this processor. It has no weights: "
    "path is\n   NULL.";

static std::string replaceAll(StringRef text, StringRef from, StringRef to) {
  std::string result;
  while (true) {
    auto [before, after] = text.split(from);
    result += before;
    if (before.size() == text.size())
      return result;
    result += to;
    text = after;
  }
}

std::string makeHeader(const ModelInterface &model, bool hasWeights) {
  CNames names = makeCNames(model);
  std::string text;
  raw_string_ostream os(text);
  std::string guard = StringRef(names.model).upper() + "_MODEL_H";
  os << "/* The compiled model '" << commentText(model.name)
     << "': written by attnc, not to be edited. */\n\n#ifndef " << guard
     << "\n#define " << guard << "\n\n"
     << "/* What all models share (attn/attn.h), so that this file needs no "
        "other. */\n"
     << embeddedAttnHeader()
     << "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  writeDims(os, model, names);
  writeTensors(os, model, model.inputs, names.inputs, names.model, true);
  writeTensors(os, model, model.outputs, names.outputs, names.model, false);
  std::string functions =
      replaceAll(functionsText.ltrim(), "@OPEN@",
                 hasWeights ? openWithWeights : openWithoutWeights);
  os << replaceAll(functions, "@", names.model)
     << "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << guard << " */\n";
  return text;
}

} // namespace attn::package
