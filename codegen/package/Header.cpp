// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the C header of a compiled model.

#include "codegen/package/Header.h"
#include "codegen/package/Embedded.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace attn::package {

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
       << "typedef struct " << names.prefix << "_dims " << names.prefix
       << "_dims;\n\n";
    return;
  }
  os << "/* The sizes of one run. */\ntypedef struct " << names.prefix
     << "_dims {\n";
  for (auto [dim, name] : zip_equal(model.dims, names.dims))
    os << "  int64_t " << name << "; /* in [" << dim.min << ", " << dim.max
       << "] */\n";
  os << "} " << names.prefix << "_dims;\n\n";
}

/// What an input of a program with a cache is for, as the rest of its comment.
static StringRef roleText(attn_role role) {
  switch (role) {
  case ATTN_ROLE_NONE:
    return "";
  case ATTN_ROLE_TOKENS:
    return ":\n     the new tokens of all sequences, one sequence after the "
           "other";
  case ATTN_ROLE_COUNTS:
    return ":\n     how many of them each sequence has, at least 1; they add "
           "up to tokens";
  case ATTN_ROLE_PAST:
    return ":\n     tokens of each sequence that earlier calls wrote to its "
           "pages; 0 to begin";
  case ATTN_ROLE_PAGES:
    return ":\n     the page of each block of positions; those behind a "
           "sequence's last token\n     are not read";
  case ATTN_ROLE_CACHE:
    return ": read and written.\n     Aligned to ATTN_WORKSPACE_ALIGNMENT";
  case ATTN_ROLE_MEMORY_PAGES:
    return ":\n     the page of each block of the encoder's positions";
  case ATTN_ROLE_MEMORY_LENGTHS:
    return ":\n     how many positions of the encoder each sequence sees, at "
           "least 1";
  }
  return "";
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
  os << roleText(tensor.role);
  bool isRead = isInput && tensor.role != ATTN_ROLE_CACHE;
  os << " */\n  " << (isRead ? "const " : "")
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

/// '@' stands for the model's name.
static constexpr StringLiteral openText = R"(
/* Every function that returns attn_status is safe to call with any arguments
   except dangling pointers. error may be NULL. */

@OPEN@ Takes
   milliseconds. The model is immutable: threads may share it. On failure *model
   is NULL. */
attn_status @_open(const char *path, attn_model **model, attn_error *error);

/* Frees the model and unmaps its weights; NULL is allowed. Runs that were
   prepared with it may not be used any more. */
void @_close(attn_model *model);

/* What this library holds, as JSON: tensors, dimensions, variants, build id. */
const char *@_describe(void);

/* Code and tables, for programs that handle any model: see attn/abi.h. */
const attn_program *@_program(void);
)";

/// '@' stands for the name of a program of the model.
static constexpr StringLiteral runText = R"(
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
)";

/// Of a model with a cache. '@' stands for the model's name, '%' for the same
/// in capitals.
static constexpr StringLiteral cacheText = R"(
/*
 * Generation. The model keeps, for every token that it has seen, keys and values
 * in a cache: memory of the caller's, `page_count` pages of @_page_bytes() bytes.
 * A page holds %_PAGE_TOKENS consecutive positions of one sequence. Which page holds which
 * block of which sequence is the caller's choice, told with every call.
 *
 * One function does all of it. @_step_run takes the new tokens of one or more
 * sequences, each behind the `past` tokens that are in its pages already, writes
 * their keys and values to the pages, and gives for each sequence the logits of
 * the token that comes next:
 *   - a prompt is one call with all of its tokens, or several with parts of it;
 *   - a decoding step is a call with one token for each sequence;
 *   - sequences join and leave from call to call, and may be at different
 *     lengths; prompts and decoding steps of different ones share a call;
 *   - pages whose tokens are all in the past may be shared by sequences that
 *     begin alike: name them in both rows. A page that is not full is copied first.
 * The logits of a sequence do not depend on what else is in the call, on which
 * pages it has, nor on the executor. Nothing of a page needs to be initialised.
 *
 * Calls that run at the same time may use one cache as long as no page that one
 * writes is used by another. A page that one call would write twice, or write for
 * one sequence and read for another, is an error.
 */
enum { %_PAGE_TOKENS = $TOKENS };

/* Bytes of a page; a cache has a multiple of that. */
size_t @_page_bytes(void);

/* The most pages that a sequence of up to `tokens` tokens needs at a time, where
   no call has more than `at_once` new ones of it$FEWER. */
size_t @_sequence_pages(size_t tokens, size_t at_once);
)";

/// Of a model whose attentions all have a window.
static constexpr StringLiteral windowText = R"(
/* How many positions a token sees, its own included. Pages whose positions all lie
   further behind are not read: they may be given to other sequences, or take new
   positions of the same one. Their places in `pages` then name any page. */
enum { %_WINDOW = $WINDOW };
)";

static constexpr StringLiteral encodeText = R"(
/*
 * The encoder. @_encode_run writes, for one input sequence, what the decoder's
 * steps read of it to pages of the same cache, once for each input: every
 * step of every sequence that decodes it names the same `memory_pages`, and their
 * length: $LENGTH.
 */
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

/// The struct types and the functions of one program.
static void writeEntry(raw_ostream &os, const ModelInterface &model,
                       StringRef prefix) {
  CNames names = makeCNames(model, prefix);
  writeDims(os, model, names);
  writeTensors(os, model, model.inputs, names.inputs, prefix, true);
  writeTensors(os, model, model.outputs, names.outputs, prefix, false);
  os << replaceAll(runText.ltrim(), "@", prefix);
}

static void writeCache(raw_ostream &os, const ModelInterface &model,
                       StringRef name) {
  std::string text = replaceAll(cacheText, "%", name.upper());
  text = replaceAll(text, "$TOKENS", utostr(model.cache->pageTokens));
  text = replaceAll(text, "$FEWER",
                    model.cache->window
                        ? ":\n   no more than the window and what a call adds"
                        : "");
  os << replaceAll(text, "@", name);
  if (model.cache->window)
    os << replaceAll(replaceAll(windowText, "%", name.upper()), "$WINDOW",
                     utostr(model.cache->window));
  if (model.cache->positions)
    os << "\n/* The most tokens that a sequence may have. */\nenum { "
       << name.upper() << "_POSITIONS = " << model.cache->positions << " };\n";
  os << "\n";
}

static void writePart(raw_ostream &os, const ModelInterface &part,
                      StringRef name) {
  int64_t length = part.cache->memoryLength;
  std::string lengthText = length < 0
                               ? part.dims[-1 - length].name + " of the input"
                               : utostr(length);
  os << replaceAll(replaceAll(encodeText, "$LENGTH", commentText(lengthText)),
                   "@", name)
     << "\n";
  writeEntry(os, part, (name + "_" + cIdentifier(part.name)).str());
}

std::string makeHeader(const ModelInterface &model, bool hasWeights,
                       ArrayRef<ModelInterface> parts) {
  std::string name = modelIdentifier(model.name);
  std::string text;
  raw_string_ostream os(text);
  std::string guard = StringRef(name).upper() + "_MODEL_H";
  os << "/* The compiled model '" << commentText(model.name)
     << "': written by attnc, not to be edited. */\n\n#ifndef " << guard
     << "\n#define " << guard << "\n\n"
     << "/* What all models share (attn/attn.h), so that this file needs no "
        "other. */\n"
     << embeddedAttnHeader()
     << "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  std::string open =
      replaceAll(openText.ltrim(), "@OPEN@",
                 hasWeights ? openWithWeights : openWithoutWeights);
  os << replaceAll(open, "@", name) << "\n";
  if (model.cache)
    writeCache(os, model, name);
  writeEntry(os, model, entryPrefix(model));
  for (const ModelInterface &part : parts)
    writePart(os, part, name);
  os << "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << guard << " */\n";
  return text;
}

} // namespace attn::package
