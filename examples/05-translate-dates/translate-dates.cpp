// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Translates written dates to ISO dates with an encoder-decoder of characters.
//
//   translate-dates dates.weights < lines
//
// Many lines at a time: attn/generate.h keeps the sequences, lets new ones join
// as others end, and shares one cache among them.

#include "dates.h"

#include <attn/attn.hpp>
#include <attn/generate.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

// The model's vocabulary: the id of a character is its place behind the two
// that are none; the last one pads, and begins what the decoder writes.
constexpr char kLetters[] = " ,-./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "abcdefghijklmnopqrstuvwxyz";
constexpr int64_t kEnd = 0, kUnknown = 1, kFirst = 2, kPadding = 69;
constexpr std::size_t kAtATime = 16, kLongest = 64;

std::vector<int64_t> encode(const std::string &line) {
  std::vector<int64_t> ids;
  for (char c : line) {
    const char *place = c ? std::strchr(kLetters, c) : nullptr;
    ids.push_back(place ? kFirst + (place - kLetters) : kUnknown);
  }
  ids.push_back(kEnd);
  return ids;
}

std::string decode(const int64_t *ids, std::size_t count) {
  std::string text;
  for (std::size_t i = 1; i < count && ids[i] != kEnd; ++i)
    text +=
        ids[i] >= kFirst && ids[i] < kPadding ? kLetters[ids[i] - kFirst] : '?';
  return text;
}

void check(attn_status status, const attn_error &error) {
  if (status != ATTN_OK)
    throw attn::Error(error);
}

struct Destroy {
  void operator()(attn_generator *generator) const {
    attn_generator_destroy(generator);
  }
};

class Translator {
public:
  explicit Translator(const char *weights) : model(*dates_program(), weights) {
    attn_generator_options options{};
    options.sequences = kAtATime;
    // Each line has pages for what is read and for what is written.
    std::size_t pages = (kLongest + DATES_PAGE_TOKENS - 1) / DATES_PAGE_TOKENS;
    options.pages = kAtATime * 2 * pages;
    attn_generator *made;
    attn_error error;
    check(attn_generator_create(dates_program(), model.get(), &options, &made,
                                &error),
          error);
    generator.reset(made);
  }

  void translateAll(std::istream &lines) {
    std::string line;
    bool more = true;
    while (more || !going.empty()) {
      while (more && going.size() < kAtATime &&
             (more = bool(std::getline(lines, line))))
        add(line);
      attn_error error;
      check(attn_generator_step(generator.get(), nullptr, &error), error);
      printFinished();
    }
  }

private:
  struct Line {
    int64_t sequence;
    bool done = false;
  };

  void add(const std::string &line) {
    std::vector<int64_t> source = encode(line);
    auto size = int64_t(source.size());
    const void *inputs[] = {source.data()};
    going.push_back(std::make_unique<Line>());
    attn_request request{};
    request.prompt = &kPadding;
    request.prompt_count = 1;
    request.source = inputs;
    request.source_dims = &size;
    request.max_new_tokens = kLongest - 1;
    request.stop = &kEnd;
    request.stop_count = 1;
    request.context = going.back().get();
    request.on_token = [](void *context, int64_t, int64_t, bool last) {
      static_cast<Line *>(context)->done = last;
    };
    attn_error error;
    check(attn_generator_add(generator.get(), &request, &going.back()->sequence,
                             &error),
          error);
  }

  // In the order of the lines.
  void printFinished() {
    while (!going.empty() && going.front()->done) {
      int64_t sequence = going.front()->sequence;
      std::size_t count;
      const int64_t *ids =
          attn_generator_tokens(generator.get(), sequence, &count);
      std::puts(decode(ids, count).c_str());
      attn_generator_drop(generator.get(), sequence);
      going.erase(going.begin());
    }
  }

  attn::Model model;
  std::unique_ptr<attn_generator, Destroy> generator;
  std::vector<std::unique_ptr<Line>> going;
};

} // namespace

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: translate-dates dates.weights < lines\n");
    return 2;
  }
  Translator(argv[1]).translateAll(std::cin);
} catch (const attn::Error &error) {
  std::fprintf(stderr, "translate-dates: %s\n", error.what());
  return 1;
}
