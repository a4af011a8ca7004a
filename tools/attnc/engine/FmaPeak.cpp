// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Generates and times chains of multiply-adds.

#include "tools/attnc/engine/FmaPeak.h"

#include "codegen/package/Library.h"
#include "tools/attnc/engine/Clock.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Target/TargetMachine.h"

#include <dlfcn.h>

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

constexpr StringLiteral kTask = "attn_fma_chains";
constexpr StringLiteral kFlopsPerRound = "attn_fma_flops_per_round";
constexpr int64_t kLineBytes = 64;
/// Long enough for the start of threads and the clock not to matter.
constexpr double kSeconds = 2e-3;

/// void task(void *block, size_t slot): x = x * factor + summand, many times.
class KernelBuilder {
public:
  KernelBuilder(const TargetSpec &target, Module &module)
      : target(target), module(module), builder(module.getContext()),
        vector(FixedVectorType::get(builder.getFloatTy(), target.lanes)),
        chains(target.vectorRegisters - 4) {}

  void build() {
    auto *type = FunctionType::get(
        builder.getVoidTy(), {builder.getPtrTy(), builder.getInt64Ty()}, false);
    function =
        Function::Create(type, GlobalValue::ExternalLinkage, kTask, module);
    function->addFnAttr("target-cpu", target.cpu);
    function->addFnAttr("target-features", target.features);
    auto *entry = BasicBlock::Create(module.getContext(), "", function);
    builder.SetInsertPoint(entry);
    Value *block = function->getArg(0);
    Value *rounds = builder.CreateLoad(builder.getInt64Ty(), block);
    Value *factor = splatAt(block, 8), *summand = splatAt(block, 12);
    storeSum(buildLoop(entry, rounds, factor, summand));
    new GlobalVariable(module, builder.getInt64Ty(), /*isConstant=*/true,
                       GlobalValue::ExternalLinkage,
                       builder.getInt64(2 * chains * target.lanes),
                       kFlopsPerRound);
  }

private:
  Value *splatAt(Value *block, int64_t byte) {
    Value *place = builder.CreateConstGEP1_64(builder.getInt8Ty(), block, byte);
    return builder.CreateVectorSplat(
        target.lanes, builder.CreateLoad(builder.getFloatTy(), place));
  }

  /// The values of all chains after the last round.
  SmallVector<Value *> buildLoop(BasicBlock *entry, Value *rounds,
                                 Value *factor, Value *summand) {
    auto *loop = BasicBlock::Create(module.getContext(), "", function);
    auto *behind = BasicBlock::Create(module.getContext(), "", function);
    builder.CreateBr(loop);
    builder.SetInsertPoint(loop);
    PHINode *left = builder.CreatePHI(builder.getInt64Ty(), 2);
    SmallVector<PHINode *> before;
    for (int i = 0; i < chains; ++i) {
      before.push_back(builder.CreatePHI(vector, 2));
      before.back()->addIncoming(ConstantFP::get(vector, i), entry);
    }
    SmallVector<Value *> after;
    for (PHINode *value : before) {
      after.push_back(multiplyAdd(value, factor, summand));
      value->addIncoming(after.back(), loop);
    }
    Value *next = builder.CreateSub(left, builder.getInt64(1));
    left->addIncoming(rounds, entry);
    left->addIncoming(next, loop);
    builder.CreateCondBr(builder.CreateIsNull(next), behind, loop);
    builder.SetInsertPoint(behind);
    return after;
  }

  Value *multiplyAdd(Value *value, Value *factor, Value *summand) {
    if (target.fusedMultiplyAdd)
      return builder.CreateIntrinsic(Intrinsic::fma, {vector},
                                     {value, factor, summand});
    return builder.CreateFAdd(builder.CreateFMul(value, factor), summand);
  }

  /// Results that nobody stores would not be computed.
  void storeSum(ArrayRef<Value *> values) {
    Value *sum = values.front();
    for (Value *value : values.drop_front())
      sum = builder.CreateFAdd(sum, value);
    Value *offset = builder.CreateMul(
        builder.CreateAdd(function->getArg(1), builder.getInt64(1)),
        builder.getInt64(kLineBytes));
    builder.CreateAlignedStore(
        sum,
        builder.CreateGEP(builder.getInt8Ty(), function->getArg(0), offset),
        Align(4));
    builder.CreateRetVoid();
  }

  const TargetSpec &target;
  Module &module;
  IRBuilder<> builder;
  FixedVectorType *vector;
  int chains;
  Function *function = nullptr;
};

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

} // namespace

Error attn::tool::writeFmaKernel(const TargetSpec &target, StringRef path) {
  LLVMContext context;
  Module module("fma", context);
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  KernelBuilder(target, module).build();
  optimizeForTarget(module, **machine);
  auto object = package::emitObject(module, target, "fma.o");
  if (!object)
    return object.takeError();
  return package::linkSharedLibrary(path, "fma.so", target, {*object});
}

Expected<std::unique_ptr<FmaPeak>>
FmaPeak::open(StringRef library, const attn_executor *executor) {
  std::unique_ptr<FmaPeak> peak(new FmaPeak);
  peak->handle = dlopen(library.str().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!peak->handle)
    return fail(library + ": cannot be loaded: " + dlerror());
  peak->task = reinterpret_cast<attn_task>(dlsym(peak->handle, kTask.data()));
  auto *flops =
      static_cast<const int64_t *>(dlsym(peak->handle, kFlopsPerRound.data()));
  if (!peak->task || !flops)
    return fail(library + ": is no kernel of multiply-adds");
  peak->flopsPerRound = *flops;
  peak->executor = executor;
  size_t slots = executor ? executor->slots : 1;
  peak->block.resize((1 + slots) * kLineBytes / sizeof(int64_t));
  // x = x / 2 + 1 stays near 2, far from the slow numbers near 0.
  const float constants[] = {0.5f, 1.0f};
  std::memcpy(&peak->block[1], constants, sizeof(constants));
  int64_t &rounds = peak->block[0];
  for (rounds = 1024; rounds < (int64_t(1) << 40); rounds *= 2) {
    double work = static_cast<double>(slots) * rounds * peak->flopsPerRound;
    // The best of three: others may hold a processor for a moment.
    double best = peak->measure();
    for (int again = 0; again < 2; ++again)
      best = std::max(best, peak->measure());
    if (work / best >= kSeconds)
      break;
  }
  return std::move(peak);
}

FmaPeak::~FmaPeak() {
  if (handle)
    dlclose(handle);
}

double FmaPeak::measure() {
  size_t slots = executor ? executor->slots : 1;
  double start = secondsNow();
  if (executor)
    executor->run(executor->context, slots, task, block.data());
  else
    task(block.data(), 0);
  return slots * static_cast<double>(block[0]) * flopsPerRound /
         (secondsNow() - start);
}
