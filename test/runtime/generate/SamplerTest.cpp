// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The choice of the next token, against values that reference.py computes.

#include "attn/generate.h"
#include "gmock/gmock.h"
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

using testing::ElementsAre;
using testing::HasSubstr;

namespace {

// reference.py has the same.
constexpr std::array<float, 8> kLogits = {1.5, -0.25, 3, 0, 3, -2, 2.25, 0.5};

class SamplerTest : public testing::Test {
protected:
  SamplerTest() {
    attn_sampler *made;
    EXPECT_EQ(attn_sampler_create(kLogits.size(), &made, &error), ATTN_OK);
    sampler.reset(made);
  }

  int64_t next(const attn_sampling &sampling,
               const std::vector<int64_t> &tokens = {1}) {
    int64_t token = -1;
    EXPECT_EQ(attn_sampler_next(sampler.get(), &sampling, logits.data(),
                                tokens.data(), tokens.size(), &token, &error),
              ATTN_OK)
        << error.message;
    return token;
  }
  std::string refusal(const attn_sampling &sampling, attn_status expected) {
    int64_t token = -1;
    EXPECT_EQ(attn_sampler_next(sampler.get(), &sampling, logits.data(),
                                nullptr, 0, &token, &error),
              expected);
    EXPECT_EQ(token, -1);
    return error.message;
  }
  /// How often each token is drawn is within five standard deviations of what
  /// `expected` says; impossible ones never are.
  void expectDraws(attn_sampling sampling,
                   const std::array<double, 8> &expected,
                   const std::vector<int64_t> &tokens = {1}) {
    constexpr int kDraws = 40000;
    std::array<int, 8> counts{};
    for (int i = 0; i < kDraws; ++i) {
      sampling.seed = i;
      ++counts.at(next(sampling, tokens));
    }
    for (size_t v = 0; v < counts.size(); ++v) {
      double p = expected[v];
      EXPECT_NEAR(double(counts[v]) / kDraws, p,
                  5 * std::sqrt(p * (1 - p) / kDraws))
          << "token " << v;
    }
  }

  struct Destroy {
    void operator()(attn_sampler *made) const { attn_sampler_destroy(made); }
  };
  std::unique_ptr<attn_sampler, Destroy> sampler;
  std::array<float, 8> logits = kLogits;
  attn_error error = {};
};

TEST_F(SamplerTest, TakesTheLikeliestAndTheLowestOfEquals) {
  EXPECT_EQ(next({}), 2);
  logits[7] = 3.5;
  EXPECT_EQ(next({}), 7);
  logits[0] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(next({}), 7);
}

TEST_F(SamplerTest, RepetitionDividesOnceAndMultipliesNegatives) {
  attn_sampling sampling{};
  sampling.repetition_penalty = 1.5;
  EXPECT_EQ(next(sampling, {2}), 4);
  EXPECT_EQ(next(sampling, {2, 4, 4, 4}), 6) << "2.25 > 3 / 1.5";
  sampling.repetition_penalty = 1.2;
  EXPECT_EQ(next(sampling, {2, 4, 4, 4}), 2) << "3 / 1.2 > 2.25, but once only";
  logits = {-1, -1.25, -9, -9, -9, -9, -9, -9};
  EXPECT_EQ(next(sampling, {0}), 0) << "-1.2 > -1.25";
  sampling.repetition_penalty = 1.5;
  EXPECT_EQ(next(sampling, {0}), 1);
  EXPECT_EQ(next(sampling, {-1, 8, INT64_MAX}), 0) << "ids of no token";
}

TEST_F(SamplerTest, SuppressedTokensAreNeverChosen) {
  int64_t suppressed[] = {2, 4, 100};
  attn_sampling sampling{};
  sampling.suppressed = suppressed;
  sampling.suppressed_count = 3;
  EXPECT_EQ(next(sampling), 6);
  int64_t all[] = {0, 1, 2, 3, 4, 5, 6, 7};
  sampling.suppressed = all;
  sampling.suppressed_count = 8;
  EXPECT_EQ(refusal(sampling, ATTN_OUT_OF_RANGE),
            "the logits leave no token to choose");
}

TEST_F(SamplerTest, DrawsFromTheSoftmax) {
  attn_sampling sampling{};
  sampling.temperature = 1;
  expectDraws(sampling, {0.077667737, 0.013496629, 0.348082647, 0.017330015,
                         0.348082647, 0.002345362, 0.164422600, 0.028572364});
  sampling.temperature = 0.5;
  expectDraws(sampling, {0.021801219, 0.000658340, 0.437889191, 0.001085419,
                         0.437889191, 0.000019880, 0.097706285, 0.002950474});
}

TEST_F(SamplerTest, TopKKeepsTheLikeliestAndTheirEquals) {
  attn_sampling sampling{};
  sampling.temperature = 1;
  sampling.top_k = 3;
  expectDraws(sampling, {0, 0, 0.404470769, 0, 0.404470769, 0, 0.191058463, 0});
  sampling.top_k = 1;
  expectDraws(sampling, {0, 0, 0.5, 0, 0.5, 0, 0, 0});
}

TEST_F(SamplerTest, TopPKeepsTheLeastSetThatReachesIt) {
  attn_sampling sampling{};
  sampling.temperature = 1;
  sampling.top_p = 0.7;
  expectDraws(sampling, {0, 0, 0.404470769, 0, 0.404470769, 0, 0.191058463, 0});
  sampling.top_p = 0.1;
  expectDraws(sampling, {0, 0, 1, 0, 0, 0, 0, 0});
}

TEST_F(SamplerTest, ProcessorsApplyInOrder) {
  attn_sampling sampling{};
  sampling.temperature = 2;
  sampling.top_k = 4;
  sampling.top_p = 0.8;
  expectDraws(sampling, {0, 0, 0.372122201, 0, 0.372122201, 0, 0.255755599, 0});
  attn_sampling penalized{};
  penalized.temperature = 1;
  penalized.repetition_penalty = 1.5;
  expectDraws(penalized,
              {0.099767513, 0.017336994, 0.164488820, 0.022261141, 0.447126972,
               0.001108317, 0.211207826, 0.036702417},
              {2, 5, 2});
}

TEST_F(SamplerTest, DrawsDependOnSeedAndLengthOnly) {
  attn_sampling sampling{};
  sampling.temperature = 1;
  sampling.seed = 42;
  std::vector<int64_t> drawn;
  for (size_t count = 1; count <= 16; ++count)
    drawn.push_back(next(sampling, std::vector<int64_t>(count, 3)));
  EXPECT_THAT(drawn,
              ElementsAre(6, 3, 7, 2, 6, 4, 1, 6, 7, 4, 4, 4, 2, 6, 6, 2));
}

TEST_F(SamplerTest, ColdTemperaturesDrawTheLikeliest) {
  attn_sampling sampling{};
  logits[4] = 2.999f;
  for (double temperature : {1e-5, 1e-30, 1e-300, 5e-324})
    for (uint64_t seed : {0, 1, 2, 3}) {
      sampling.temperature = temperature;
      sampling.seed = seed;
      sampling.top_k = 0;
      EXPECT_EQ(next(sampling), 2);
      sampling.top_k = 5;
      EXPECT_EQ(next(sampling), 2);
    }
}

TEST_F(SamplerTest, ExtremeLogitsStayFinite) {
  attn_sampling sampling{};
  sampling.temperature = 1;
  logits = {3e38f, -3e38f, -3e38f, -3e38f, -3e38f, -3e38f, -3e38f, -3e38f};
  EXPECT_EQ(next(sampling), 0);
  logits.fill(-3e38f);
  EXPECT_GE(next(sampling), 0);
}

TEST_F(SamplerTest, BadLogitsAndOptionsAreErrors) {
  logits[3] = std::nanf("");
  EXPECT_EQ(refusal({}, ATTN_OUT_OF_RANGE), "the logit of token 3 is NaN");
  logits[3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(refusal({}, ATTN_OUT_OF_RANGE), "the logit of token 3 is infinite");
  logits.fill(-std::numeric_limits<float>::infinity());
  EXPECT_EQ(refusal({}, ATTN_OUT_OF_RANGE),
            "the logits leave no token to choose");
  attn_sampling sampling{};
  for (double bad : {-1.0, double(NAN), double(INFINITY)}) {
    sampling = {};
    sampling.temperature = bad;
    EXPECT_THAT(refusal(sampling, ATTN_INVALID_ARGUMENT),
                HasSubstr("expects a temperature of at least 0"));
    sampling = {};
    sampling.top_p = bad;
    EXPECT_THAT(refusal(sampling, ATTN_INVALID_ARGUMENT),
                HasSubstr("expects top_p in [0, 1]"));
    sampling = {};
    sampling.repetition_penalty = bad;
    EXPECT_THAT(refusal(sampling, ATTN_INVALID_ARGUMENT),
                HasSubstr("expects a repetition penalty of at least 0"));
  }
}

TEST_F(SamplerTest, VocabulariesAreChecked) {
  attn_sampler *made = sampler.get();
  for (size_t size : {size_t(0), SIZE_MAX, SIZE_MAX / 25}) {
    EXPECT_EQ(attn_sampler_create(size, &made, &error), ATTN_INVALID_ARGUMENT);
    EXPECT_EQ(made, nullptr);
  }
  attn_sampler_destroy(nullptr);
}

} // namespace
