// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Workspaces, checks of arguments, and what a run may and may not do.

#include "test/runtime/WeightsOnDisk.h"
#include "gmock/gmock.h"
#include <atomic>
#include <cfloat>
#include <memory>
#include <sys/mman.h>

using namespace attn::test;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

// The linker sends the runtime's calls of the allocator here.
static std::atomic<int> allocations{0};
extern "C" {
void *__real_malloc(size_t);
void *__wrap_malloc(size_t bytes) {
  ++allocations;
  return __real_malloc(bytes);
}
int __real_posix_memalign(void **, size_t, size_t);
int __wrap_posix_memalign(void **pointer, size_t alignment, size_t bytes) {
  ++allocations;
  return __real_posix_memalign(pointer, alignment, bytes);
}
}

namespace {

/// A workspace whose first byte follows, and whose last byte precedes, memory
/// that cannot be touched (but for what alignment leaves before it).
class GuardedWorkspace {
public:
  explicit GuardedWorkspace(size_t bytes) : size(bytes) {
    page = size_t(sysconf(_SC_PAGESIZE));
    mapped = (bytes + page - 1) / page * page + 2 * page;
    base = static_cast<char *>(
        mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base + page, mapped - 2 * page, PROT_READ | PROT_WRITE);
  }
  ~GuardedWorkspace() { munmap(base, mapped); }
  char *data() const { return base + mapped - page - size; }

  size_t size;

private:
  size_t page, mapped;
  char *base;
};

class RunTest : public testing::Test {
protected:
  size_t workspaceBytes(std::vector<int64_t> dims, size_t slots) {
    size_t bytes = 0;
    EXPECT_EQ(attn_workspace_bytes(model, dims.data(), slots, &bytes, &error),
              ATTN_OK)
        << error.message;
    return bytes;
  }
  attn_run *prepare(void *workspace, size_t bytes) {
    attn_run *run = nullptr;
    EXPECT_EQ(
        attn_prepare(model, nullptr, workspace, bytes, dims, &run, &error),
        ATTN_OK)
        << error.message;
    return run;
  }
  attn_status call() {
    const void *inputs[] = {ids, scale};
    void *outputs[] = {y};
    return attn_call(model, nullptr, dims, inputs, outputs, &error);
  }

  OpenedModel model;
  attn_error error = {};
  int64_t dims[2] = {2, 3};
  int64_t ids[6] = {1, 2, 3, 4, 5, 6};
  float scale[2] = {1, 10};
  float y[6] = {-1, -1, -1, -1, -1, -1};
};

TEST_F(RunTest, CallComputes) {
  ASSERT_EQ(call(), ATTN_OK) << error.message;
  EXPECT_THAT(y, ElementsAre(1, 2, 3, 40, 50, 60));
}

TEST_F(RunTest, ExactWorkspaceIsEnoughAndNoByteMoreIsTouched) {
  for (int64_t length : {1, 3, 16, 100}) {
    std::vector<int64_t> many(2 * length, 7);
    std::vector<float> result(2 * length);
    dims[1] = length;
    GuardedWorkspace workspace(workspaceBytes({2, length}, 1));
    attn_run *run = prepare(workspace.data(), workspace.size);
    const void *inputs[] = {many.data(), scale};
    void *outputs[] = {result.data()};
    ASSERT_EQ(attn_run_once(run, inputs, outputs, &error), ATTN_OK);
    EXPECT_EQ(result.front(), 7);
    EXPECT_EQ(result.back(), 70);
  }
}

TEST_F(RunTest, OneByteLessIsAnError) {
  GuardedWorkspace workspace(workspaceBytes({2, 3}, 1));
  attn_run *run = nullptr;
  for (size_t bytes : {size_t(0), size_t(1), workspace.size - 1}) {
    EXPECT_EQ(attn_prepare(model, nullptr, workspace.data(), bytes, dims, &run,
                           &error),
              ATTN_INVALID_ARGUMENT);
    EXPECT_EQ(run, nullptr);
    EXPECT_THAT(error.message, HasSubstr("expects a workspace of at least"));
  }
}

TEST_F(RunTest, RunsAllocateNothing) {
  GuardedWorkspace workspace(workspaceBytes({2, 3}, 1));
  int before = allocations;
  attn_run *run = prepare(workspace.data(), workspace.size);
  const void *inputs[] = {ids, scale};
  void *outputs[] = {y};
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(attn_run_once(run, inputs, outputs, &error), ATTN_OK);
  EXPECT_EQ(allocations, before);
  ASSERT_EQ(call(), ATTN_OK);
  EXPECT_GT(allocations, before) << "the counter does not count";
}

TEST_F(RunTest, WorkspacesGrowWithTheSlots) {
  EXPECT_EQ(workspaceBytes({2, 3}, 5), workspaceBytes({2, 3}, 1) + 4 * 64);
}

TEST_F(RunTest, UnalignedWorkspacesAreErrors) {
  GuardedWorkspace workspace(workspaceBytes({2, 3}, 1) + 64);
  attn_run *run;
  EXPECT_EQ(attn_prepare(model, nullptr, workspace.data() + 32,
                         workspace.size - 32, dims, &run, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("aligned to 64"));
  EXPECT_EQ(attn_prepare(model, nullptr, nullptr, 1 << 20, dims, &run, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("workspace is NULL"));
}

TEST_F(RunTest, DimensionsAreChecked) {
  size_t bytes;
  auto fails = [&](int64_t batch, int64_t length) {
    int64_t sizes[] = {batch, length};
    EXPECT_EQ(attn_workspace_bytes(model, sizes, 1, &bytes, &error),
              ATTN_INVALID_ARGUMENT);
    return std::string(error.message);
  };
  EXPECT_EQ(fails(0, 3), "expects dimension 'batch' in [1, 1000], but got 0");
  EXPECT_EQ(fails(1001, 3),
            "expects dimension 'batch' in [1, 1000], but got 1001");
  EXPECT_THAT(fails(1, -5), HasSubstr("dimension 'length'"));
  EXPECT_THAT(fails(1, INT64_MIN), HasSubstr("dimension 'length'"));
  EXPECT_THAT(fails(1, INT64_MAX), HasSubstr("dimension 'length'"));
}

TEST_F(RunTest, OverflowIsAnError) {
  size_t bytes;
  int64_t huge[] = {1000, INT64_C(1) << 62};
  EXPECT_EQ(attn_workspace_bytes(model, huge, 1, &bytes, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("tensor 'ids' is too large"));
  int64_t large[] = {1, (INT64_C(1) << 60) - 1};
  EXPECT_EQ(attn_workspace_bytes(model, large, 1, &bytes, &error), ATTN_OK);
  EXPECT_EQ(attn_workspace_bytes(model, large, SIZE_MAX / 64, &bytes, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("workspace of 'fake' is too large"));
  EXPECT_EQ(attn_workspace_bytes(model, large, SIZE_MAX, &bytes, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_EQ(attn_workspace_bytes(model, dims, 0, &bytes, &error),
            ATTN_INVALID_ARGUMENT);
}

TEST_F(RunTest, IdsOutOfRangeLeaveOutputsUntouched) {
  for (int64_t id :
       {int64_t(-1), int64_t(FAKE_VOCABULARY), INT64_MIN, INT64_MAX}) {
    ids[4] = id;
    EXPECT_EQ(call(), ATTN_OUT_OF_RANGE);
    EXPECT_EQ(std::string(error.message),
              "expects elements of input 'ids' in [0, 10), but element 4 is " +
                  std::to_string(id));
    EXPECT_THAT(y, Each(-1));
  }
}

TEST_F(RunTest, PointersAreChecked) {
  auto fails = [&](const void *first, const void *second, void *output) {
    const void *inputs[] = {first, second};
    void *outputs[] = {output};
    EXPECT_EQ(attn_call(model, nullptr, dims, inputs, outputs, &error),
              ATTN_INVALID_ARGUMENT);
    return std::string(error.message);
  };
  EXPECT_EQ(fails(nullptr, scale, y), "tensor 'ids' is NULL");
  EXPECT_EQ(fails(ids, scale, nullptr), "tensor 'y' is NULL");
  EXPECT_THAT(fails(reinterpret_cast<char *>(ids) + 4, scale, y),
              HasSubstr("'ids' is not aligned to its elements of 8 bytes"));
  EXPECT_EQ(fails(ids, scale, ids), "output 'y' overlaps tensor 'ids'");
  EXPECT_EQ(fails(ids, scale, scale + 1), "output 'y' overlaps tensor 'scale'");
  EXPECT_THAT(y, Each(-1));
  const void *inputs[] = {ids, scale};
  void *outputs[] = {y};
  EXPECT_EQ(attn_call(model, nullptr, dims, nullptr, outputs, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_EQ(attn_call(model, nullptr, dims, inputs, nullptr, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_EQ(attn_call(model, nullptr, nullptr, inputs, outputs, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_EQ(attn_call(nullptr, nullptr, dims, inputs, outputs, &error),
            ATTN_INVALID_ARGUMENT);
  EXPECT_EQ(attn_run_once(nullptr, inputs, outputs, &error),
            ATTN_INVALID_ARGUMENT);
}

TEST_F(RunTest, TensorsWithoutElementsMayBeNull) {
  dims[1] = 0;
  const void *inputs[] = {nullptr, scale};
  void *outputs[] = {nullptr};
  EXPECT_EQ(attn_call(model, nullptr, dims, inputs, outputs, &error), ATTN_OK)
      << error.message;
}

TEST_F(RunTest, SeveralRunsShareAModel) {
  int64_t shorter[] = {1, 2};
  GuardedWorkspace first(workspaceBytes({2, 3}, 1)),
      second(workspaceBytes({1, 2}, 1));
  attn_run *a = prepare(first.data(), first.size), *b;
  ASSERT_EQ(attn_prepare(model, nullptr, second.data(), second.size, shorter,
                         &b, &error),
            ATTN_OK);
  float z[2];
  const void *inputs[] = {ids, scale};
  void *outputs[] = {y}, *others[] = {z};
  ASSERT_EQ(attn_run_once(b, inputs, others, nullptr), ATTN_OK);
  ASSERT_EQ(attn_run_once(a, inputs, outputs, nullptr), ATTN_OK);
  EXPECT_THAT(z, ElementsAre(1, 2));
  EXPECT_THAT(y, ElementsAre(1, 2, 3, 40, 50, 60));
}

TEST_F(RunTest, DenormalsAreZeroInKernelsAndNowhereElse) {
  ids[0] = FAKE_VOCABULARY - 1;
  ASSERT_EQ(call(), ATTN_OK);
  EXPECT_EQ(y[0], 0);
  volatile float denormal = FLT_MIN;
  denormal = denormal / 4;
  EXPECT_GT(denormal, 0.0f);
}

TEST(KernelTest, ModelsWithoutDimensionsAndBuffersRun) {
  attn_model *model;
  ASSERT_EQ(attn_open(&fake_kernel, nullptr, nullptr, &model, nullptr),
            ATTN_OK);
  float x[2] = {3, 4}, y[2] = {};
  const void *inputs[] = {x};
  void *outputs[] = {y};
  EXPECT_EQ(attn_call(model, nullptr, nullptr, inputs, outputs, nullptr),
            ATTN_OK);
  EXPECT_THAT(y, ElementsAre(3, 4));
  attn_close(model);
}

} // namespace
