// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Many sequences of one model: that each has what it would have alone.

#include "attn/generate.h"
#include "runtime/Internal.h"
#include "test/runtime/FakeStep.h"
#include "gmock/gmock.h"
#include <cmath>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

using testing::ElementsAre;
using testing::HasSubstr;

namespace {

using Ids = std::vector<int64_t>;

/// What the fake models compute: the last digit of the sum of everything.
Ids expected(Ids tokens, size_t more, int64_t source = 0) {
  for (; more; --more)
    tokens.push_back(std::accumulate(tokens.begin(), tokens.end(), source) %
                     FAKE_DIGITS);
  return tokens;
}

class GeneratorTest : public testing::Test {
protected:
  void open(const attn_program &program, size_t pages, size_t sequences,
            size_t tokens = 0) {
    close();
    ASSERT_EQ(attn_open(&program, nullptr, nullptr, &model, &error), ATTN_OK);
    attn_generator_options options{pages, sequences, tokens, nullptr};
    ASSERT_EQ(
        attn_generator_create(&program, model, &options, &generator, &error),
        ATTN_OK)
        << error.message;
  }
  void close() {
    attn_generator_destroy(generator);
    attn_close(model);
    generator = nullptr;
    model = nullptr;
  }
  ~GeneratorTest() override { close(); }

  static attn_request request(const Ids &prompt, size_t more) {
    attn_request made{};
    made.prompt = prompt.data();
    made.prompt_count = prompt.size();
    made.max_new_tokens = more;
    return made;
  }
  int64_t add(const attn_request &what) {
    int64_t number = -1;
    EXPECT_EQ(attn_generator_add(generator, &what, &number, &error), ATTN_OK)
        << error.message;
    return number;
  }
  int64_t add(const Ids &prompt, size_t more) {
    return add(request(prompt, more));
  }
  size_t step() {
    size_t active = 99;
    EXPECT_EQ(attn_generator_step(generator, &active, &error), ATTN_OK)
        << error.message;
    return active;
  }
  Ids tokens(int64_t number) {
    size_t count;
    const int64_t *data = attn_generator_tokens(generator, number, &count);
    return Ids(data, data + count);
  }
  void finish() {
    while (step())
      ;
  }
  std::string refusal(const attn_request &what, attn_status status) {
    int64_t number = -1;
    EXPECT_EQ(attn_generator_add(generator, &what, &number, &error), status);
    EXPECT_EQ(number, -1);
    return error.message;
  }

  attn_model *model = nullptr;
  attn_generator *generator = nullptr;
  attn_error error = {};
};

TEST_F(GeneratorTest, GeneratesUntilTheLimit) {
  open(fake_decoder, 4, 1);
  int64_t one = add({1, 2, 3}, 9);
  finish();
  EXPECT_EQ(tokens(one), expected({1, 2, 3}, 9));
  EXPECT_EQ(step(), 0u);
}

TEST_F(GeneratorTest, StopTokensEndASequenceAndAreKept) {
  open(fake_decoder, 4, 1);
  Ids prompt = {1, 2, 3}, stop = {7, 2};
  attn_request what = request(prompt, 9);
  what.stop = stop.data();
  what.stop_count = stop.size();
  int64_t one = add(what);
  finish();
  // 6, then 12 % 10.
  EXPECT_THAT(tokens(one), ElementsAre(1, 2, 3, 6, 2));
}

TEST_F(GeneratorTest, LongPromptsAreReadInParts) {
  open(fake_decoder, 12, 2, /*tokens=*/5);
  Ids prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8};
  int64_t first = add(prompt, 4), second = add({5}, 6);
  step();
  EXPECT_EQ(tokens(first), prompt) << "its prompt is not read yet";
  EXPECT_EQ(tokens(second), expected({5}, 1)) << "others do not wait";
  finish();
  EXPECT_EQ(tokens(first), expected(prompt, 4));
  EXPECT_EQ(tokens(second), expected({5}, 6));
}

TEST_F(GeneratorTest, SequencesJoinAndLeave) {
  open(fake_decoder, 16, 4, 6);
  std::mt19937 random(1);
  struct Going {
    int64_t number;
    Ids prompt;
    size_t more;
  };
  std::vector<Going> going;
  int finished = 0;
  for (int i = 0; i < 400; ++i) {
    if (going.size() < 4 && random() % 2) {
      Going one{0, Ids(1 + random() % 9), 1 + random() % 8};
      for (int64_t &id : one.prompt)
        id = random() % FAKE_DIGITS;
      one.number = add(one.prompt, one.more);
      going.push_back(one);
    }
    if (going.size() > 1 && random() % 10 == 0) {
      attn_generator_drop(generator, going.front().number);
      EXPECT_EQ(attn_generator_tokens(generator, going.front().number, nullptr),
                nullptr);
      going.erase(going.begin());
    }
    step();
    for (size_t g = 0; g < going.size();) {
      Ids now = tokens(going[g].number);
      Ids all = expected(going[g].prompt, going[g].more);
      EXPECT_EQ(now, Ids(all.begin(), all.begin() + now.size()));
      if (now.size() < all.size()) {
        ++g;
        continue;
      }
      attn_generator_drop(generator, going[g].number);
      going.erase(going.begin() + g);
      ++finished;
    }
  }
  EXPECT_GT(finished, 50);
}

TEST_F(GeneratorTest, PagesComeBack) {
  open(fake_decoder, 3, 3);
  Ids prompt = {1, 2, 3, 4, 5};
  EXPECT_EQ(refusal(request(prompt, 9), ATTN_OUT_OF_MEMORY),
            "the sequence needs 4 pages, but the cache has 3");
  int64_t one = add(prompt, 4);
  EXPECT_EQ(refusal(request(prompt, 4), ATTN_OUT_OF_MEMORY),
            "the sequence needs 2 pages, but 1 are free");
  int64_t two = add({1, 2}, 3);
  EXPECT_EQ(refusal(request({1}, 1), ATTN_OUT_OF_MEMORY),
            "the sequence needs 1 pages, but 0 are free");
  attn_generator_drop(generator, one);
  attn_generator_drop(generator, one);
  attn_generator_drop(generator, -1);
  one = add(prompt, 4);
  finish();
  EXPECT_EQ(tokens(one), expected(prompt, 4));
  EXPECT_EQ(tokens(two), expected({1, 2}, 3));
}

TEST_F(GeneratorTest, EndsWhereTheModelHasNoMorePositions) {
  open(fake_decoder, 8, 1);
  Ids prompt(FAKE_POSITIONS - 2, 1);
  int64_t one = add(prompt, 100);
  finish();
  EXPECT_EQ(tokens(one), expected(prompt, 3));
  attn_generator_drop(generator, one);
  EXPECT_EQ(refusal(request(Ids(FAKE_POSITIONS + 1, 1), 1), ATTN_OUT_OF_RANGE),
            "the prompt has 31 tokens, but 'decoder' has 30 positions");
}

TEST_F(GeneratorTest, ForksShareWhatIsBehindThem) {
  open(fake_decoder, 6, 3);
  Ids prompt = {1, 2, 3, 4, 5, 6};
  int64_t one = add(prompt, 6), two, three;
  step();
  Ids first = expected(prompt, 1), other = first;
  ASSERT_EQ(attn_generator_fork(generator, one, 9, nullptr, &two, &error),
            ATTN_OK)
      << error.message;
  other.back() = 9;
  EXPECT_EQ(tokens(two), other);
  EXPECT_EQ(attn_generator_fork(generator, one, -1, nullptr, &three, &error),
            ATTN_OUT_OF_MEMORY)
      << "one page is shared, two are not: 3 + 2 of 6 are taken";
  finish();
  EXPECT_EQ(tokens(one), expected(first, 5));
  EXPECT_EQ(tokens(two), expected(other, 5));
  // The shared page stays as long as anyone uses it.
  attn_generator_drop(generator, one);
  attn_generator_drop(generator, two);
  EXPECT_EQ(tokens(add(Ids(8, 1), 16)), Ids(8, 1)) << error.message;
}

/// What fake_windowed computes.
Ids expectedOfWindow(Ids tokens, size_t more) {
  for (; more; --more) {
    size_t seen = std::min<size_t>(tokens.size(), FAKE_WINDOW);
    tokens.push_back(
        std::accumulate(tokens.end() - seen, tokens.end(), int64_t(0)) %
        FAKE_DIGITS);
  }
  return tokens;
}

// 5 earlier positions and parts of up to 6 new ones lie in 4 pages of 4.
TEST_F(GeneratorTest, AWindowBoundsThePagesOfASequence) {
  open(fake_windowed, 9, 2);
  Ids prompt(33, 3);
  attn_request what = request(prompt, 150);
  EXPECT_EQ(attn_request_pages(&fake_windowed, &what), 4u);
  what = request(prompt, 1000000);
  EXPECT_EQ(attn_request_pages(&fake_windowed, &what), 4u);
  what = request(Ids{1, 2, 3}, 4);
  EXPECT_EQ(attn_request_pages(&fake_windowed, &what), 2u);
  int64_t one = add(prompt, 150), two = add({1, 2}, 200);
  EXPECT_EQ(refusal(request({1}, 5), ATTN_OUT_OF_MEMORY),
            "all 2 sequences are in use");
  finish();
  EXPECT_EQ(tokens(one), expectedOfWindow(prompt, 150));
  EXPECT_EQ(tokens(two), expectedOfWindow({1, 2}, 200));
}

// Whoever leaves a shared page last writes into it; the others have been kept
// a page each.
TEST_F(GeneratorTest, ForksOfAWindowKeepTheirPages) {
  open(fake_windowed, 12, 4);
  Ids prompt(20, 3);
  std::mt19937 random(5);
  std::vector<std::pair<int64_t, Ids>> going = {{add(prompt, 300), {}}};
  for (int i = 0; i < 4; ++i) // the prompt's parts
    step();
  for (int i = 0; i < 250; ++i) {
    for (auto &[number, all] : going)
      all = expectedOfWindow(tokens(number), 1);
    step();
    for (auto &[number, all] : going)
      ASSERT_EQ(tokens(number), all) << "after " << i << " steps";
    if (going.size() == 3 || (going.size() > 1 && random() % 3 == 0)) {
      size_t left = random() % going.size();
      attn_generator_drop(generator, going[left].first);
      going.erase(going.begin() + left);
    } else {
      int64_t copy = -1;
      ASSERT_EQ(
          attn_generator_fork(generator, going[random() % going.size()].first,
                              random() % FAKE_DIGITS, nullptr, &copy, &error),
          ATTN_OK)
          << error.message;
      going.push_back({copy, {}});
    }
  }
  // Nothing was lost: three sequences fit, and no fourth.
  for (auto &[number, all] : going)
    attn_generator_drop(generator, number);
  for (int i = 0; i < 3; ++i)
    add(prompt, 100);
  EXPECT_EQ(refusal(request(prompt, 100), ATTN_OUT_OF_MEMORY),
            "the sequence needs 4 pages, but 0 are free");
}

/// The score of `tokens` behind `prompt` in fake_decoder, by the same logits.
double scoreOf(const Ids &all, size_t prompt) {
  double score = 0;
  for (size_t i = prompt; i < all.size(); ++i) {
    int64_t best =
        std::accumulate(all.begin(), all.begin() + i, int64_t(0)) % FAKE_DIGITS;
    double sum = 0;
    auto logit = [&](int64_t v) { return 1 - float(std::abs(v - best)) / 10; };
    for (int64_t v = 0; v < FAKE_DIGITS; ++v)
      sum += std::exp(double(logit(v)));
    score += logit(all[i]) - std::log(sum);
  }
  return score;
}

// With a beam for every text of three tokens none is lost.
TEST_F(GeneratorTest, WideSearchesFindTheBestOfAllTexts) {
  constexpr size_t beams = 200;
  open(fake_decoder, 700, beams);
  Ids prompt = {3, 4};
  attn_request what = request(prompt, 3);
  what.beams = beams;
  what.length_penalty = 1;
  EXPECT_EQ(attn_request_pages(&fake_decoder, &what), beams);
  int64_t number = add(what);
  finish();
  std::vector<std::pair<double, Ids>> all;
  for (int64_t i = 0; i < 1000; ++i) {
    Ids text = {3, 4, i / 100, i / 10 % 10, i % 10};
    all.push_back({scoreOf(text, 2) / 3, text});
  }
  std::sort(all.rbegin(), all.rend());
  double score = 0;
  for (size_t i = 0; i < 20; ++i) {
    size_t count;
    const int64_t *text =
        attn_generator_text(generator, number, i, &count, &score);
    ASSERT_NE(text, nullptr);
    EXPECT_NEAR(score, all[i].first, 1e-6) << "text " << i;
    EXPECT_NEAR(scoreOf(Ids(text, text + count), 2) / 3, score, 1e-6);
    if (i == 0)
      EXPECT_EQ(Ids(text, text + count), tokens(number));
  }
  EXPECT_EQ(attn_generator_text(generator, number, beams, nullptr, nullptr),
            nullptr);
  EXPECT_EQ(attn_generator_logits(generator, number), nullptr);
}

TEST_F(GeneratorTest, SearchesGoOnBesideOthersAndGiveTheirPagesBack) {
  for (const attn_program *program : {&fake_decoder, &fake_windowed}) {
    open(*program, 30, 8);
    Ids prompt = {3, 4, 1, 2, 2};
    attn_request what = request(prompt, 20);
    what.beams = 4;
    what.length_penalty = 1;
    int64_t alone = add(what);
    finish();
    Ids best = tokens(alone);
    attn_generator_drop(generator, alone);
    // Others join and leave meanwhile; dropped searches leave nothing behind.
    for (int round = 0; round < 5; ++round) {
      int64_t search = add(what);
      for (int i = 0; i < round; ++i)
        step();
      int64_t other = add({1, 2, 3}, 9);
      for (int i = 0; i < 3 + 2 * round; ++i)
        step();
      if (round % 2 == 0)
        attn_generator_drop(generator, other);
      if (round == 3) {
        attn_generator_drop(generator, search);
      } else {
        finish();
        EXPECT_EQ(tokens(search), best);
      }
      attn_generator_drop(generator, search);
      attn_generator_drop(generator, other);
    }
    size_t most = 0;
    Ids first = {1};
    while (most < 8) {
      attn_request one = request(first, 12);
      int64_t number;
      if (attn_generator_add(generator, &one, &number, &error) != ATTN_OK)
        break;
      ++most;
    }
    EXPECT_EQ(most, 8u) << error.message;
  }
}

TEST_F(GeneratorTest, SearchesTellTheirTokensWhenTheyEnd) {
  open(fake_decoder, 30, 4);
  Ids heard, prompt = {3, 4}, stop = {7};
  attn_request what = request(prompt, 9);
  what.beams = 3;
  what.length_penalty = 1;
  what.stop = stop.data();
  what.stop_count = 1;
  what.context = &heard;
  what.on_token = [](void *context, int64_t, int64_t token, bool) {
    static_cast<Ids *>(context)->push_back(token);
  };
  int64_t number = add(what), copy;
  step();
  EXPECT_TRUE(heard.empty());
  EXPECT_EQ(attn_generator_fork(generator, number, 1, nullptr, &copy, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "sequence 0 is a beam search");
  finish();
  Ids all = prompt;
  all.insert(all.end(), heard.begin(), heard.end());
  EXPECT_EQ(all, tokens(number));
}

TEST_F(GeneratorTest, SearchesThatDoNotFitAreRefusedWhole) {
  open(fake_decoder, 10, 4);
  Ids prompt = {3, 4};
  attn_request what = request(prompt, 9);
  what.beams = 5;
  EXPECT_EQ(refusal(what, ATTN_OUT_OF_MEMORY),
            "5 beams need as many sequences, but there are 4");
  what.beams = 4;
  EXPECT_EQ(refusal(what, ATTN_OUT_OF_MEMORY),
            "the sequence needs 12 pages, but the cache has 10");
  what.beams = 3;
  int64_t other = add({1}, 8);
  EXPECT_EQ(refusal(what, ATTN_OUT_OF_MEMORY),
            "the sequence needs 6 pages, but 5 are free");
  attn_generator_drop(generator, other);
  int64_t two[] = {add({1}, 2), add({1}, 2)};
  EXPECT_EQ(refusal(what, ATTN_OUT_OF_MEMORY),
            "the sequence needs 6 pages, but 5 are free");
  attn_generator_drop(generator, two[0]);
  add(what);
  what.sampling.temperature = 1;
  EXPECT_THAT(refusal(what, ATTN_INVALID_ARGUMENT),
              HasSubstr("a beam search draws no tokens"));
}

TEST_F(GeneratorTest, ForksBeforeTheFirstTokenAreErrors) {
  open(fake_decoder, 6, 3);
  int64_t one = add({1}, 2), copy;
  EXPECT_EQ(attn_generator_fork(generator, one, 1, nullptr, &copy, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "sequence 0 has no new token yet");
  EXPECT_EQ(attn_generator_logits(generator, one), nullptr);
  EXPECT_EQ(attn_generator_fork(generator, 7, 1, nullptr, &copy, &error),
            ATTN_INVALID_ARGUMENT);
  step();
  const float *logits = attn_generator_logits(generator, one);
  ASSERT_NE(logits, nullptr);
  EXPECT_EQ(logits[1], 1);
}

TEST_F(GeneratorTest, EncodersAreAskedOnce) {
  open(fake_step, 8, 2);
  Ids sources[] = {{4, 4, 4, 4, 4}, {7}}, prompt = {0};
  int64_t numbers[2];
  for (int i = 0; i < 2; ++i) {
    const void *inputs[] = {sources[i].data()};
    int64_t size = sources[i].size();
    attn_request what = request(prompt, 5);
    what.source = inputs;
    what.source_dims = &size;
    EXPECT_EQ(attn_request_pages(&fake_step, &what), i == 0 ? 4u : 3u);
    numbers[i] = add(what);
  }
  finish();
  EXPECT_EQ(tokens(numbers[0]), expected(prompt, 5, 20));
  EXPECT_EQ(tokens(numbers[1]), expected(prompt, 5, 7));
  EXPECT_THAT(refusal(request(prompt, 1), ATTN_OUT_OF_MEMORY),
              HasSubstr("all 2 sequences"));
  attn_generator_drop(generator, numbers[0]);
  EXPECT_EQ(refusal(request(prompt, 1), ATTN_INVALID_ARGUMENT),
            "'translator' expects a source to encode, but got NULL");
  const void *inputs[] = {sources[0].data()};
  attn_request what = request(prompt, 5);
  what.source = inputs;
  EXPECT_THAT(refusal(what, ATTN_INVALID_ARGUMENT),
              HasSubstr("at least one position, but got 0"));
  int64_t size = 5;
  what.source_dims = &size;
  Ids wrong = {4, 4, 4, 4, 10};
  inputs[0] = wrong.data();
  EXPECT_THAT(refusal(what, ATTN_OUT_OF_RANGE), HasSubstr("element 4 is 10"));
  // What was refused holds no pages.
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(refusal(what, ATTN_OUT_OF_RANGE), HasSubstr("element 4"));
  inputs[0] = sources[0].data();
  int64_t again = add(what);
  finish();
  EXPECT_EQ(tokens(again), expected(prompt, 5, 20));
}

TEST_F(GeneratorTest, CallbacksTellEachToken) {
  open(fake_decoder, 4, 1);
  struct Heard {
    Ids tokens;
    int lasts = 0;
  } heard;
  Ids prompt = {3};
  attn_request what = request(prompt, 3);
  what.context = &heard;
  what.on_token = [](void *context, int64_t, int64_t token, bool last) {
    auto *to = static_cast<Heard *>(context);
    to->tokens.push_back(token);
    to->lasts += last;
  };
  add(what);
  finish();
  EXPECT_THAT(heard.tokens, ElementsAre(3, 6, 2));
  EXPECT_EQ(heard.lasts, 1);
}

TEST_F(GeneratorTest, PromptsOutOfRangeAreErrorsOfTheirRequest) {
  open(fake_decoder, 4, 2);
  int64_t good = add({3}, 3);
  EXPECT_EQ(refusal(request(Ids{3, 99}, 3), ATTN_OUT_OF_RANGE),
            "expects tokens in [0, 10), but token 1 of the prompt is 99");
  EXPECT_EQ(refusal(request(Ids{-1}, 3), ATTN_OUT_OF_RANGE),
            "expects tokens in [0, 10), but token 0 of the prompt is -1");
  finish();
  EXPECT_EQ(tokens(good), expected({3}, 3));
}

TEST_F(GeneratorTest, OptionsAndRequestsAreChecked) {
  open(fake_decoder, 4, 2);
  EXPECT_EQ(refusal(request({}, 3), ATTN_INVALID_ARGUMENT),
            "expects a prompt of at least one token");
  EXPECT_THAT(refusal(request({1}, 0), ATTN_INVALID_ARGUMENT),
              HasSubstr("at least one new token"));
  attn_generator *made = nullptr;
  for (attn_generator_options options :
       {attn_generator_options{0, 1, 0, nullptr},
        attn_generator_options{1, 0, 0, nullptr},
        attn_generator_options{1, 4, 3, nullptr}}) {
    EXPECT_EQ(
        attn_generator_create(&fake_decoder, model, &options, &made, &error),
        ATTN_INVALID_ARGUMENT);
    EXPECT_EQ(made, nullptr);
  }
  attn_generator_options huge{SIZE_MAX / 2, 1, 0, nullptr};
  EXPECT_EQ(attn_generator_create(&fake_decoder, model, &huge, &made, &error),
            ATTN_OUT_OF_MEMORY);
  EXPECT_EQ(
      attn_generator_create(fake_step.parts[0], model, &huge, &made, &error),
      ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("was not compiled for generation"));
}

} // namespace
