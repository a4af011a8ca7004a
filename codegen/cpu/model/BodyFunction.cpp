// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches, and loops of them, as calls of the executor.

#include "codegen/cpu/model/FunctionBuilder.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/ModelFunctions.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

/// Words of attn_frame and of attn_executor (attn/abi.h, attn/attn.h).
enum FrameWord { Dims, Offsets, Inputs, Outputs, Weights, Workspace, Executor };
enum ExecutorWord { Context, Slots, Run };

class BodyBuilder : FunctionBuilder {
public:
  BodyBuilder(func::FuncOp model, const SymbolicShapes &shapes,
              const TargetSpec &target)
      : FunctionBuilder(model, shapes), target(target) {}

  LogicalResult build(StringRef name) {
    Type status = words.builder.getI32Type();
    auto function = createFunction(name, status, {words.pointer});
    loadFrame(function.getArgument(0));
    block = words.stackBlock(largestBlock(model));
    SizeBuilder sizeBuilder(words, dims);
    sizes = &sizeBuilder;
    if (failed(emit(model.getBody().front())))
      return failure();
    Value ok = LLVM::ConstantOp::create(words.builder, words.loc, status, 0);
    LLVM::ReturnOp::create(words.builder, words.loc, ok);
    return success();
  }

private:
  void loadFrame(Value frame) {
    dims = words.loadPointer(frame, Dims);
    offsets = words.loadPointer(frame, Offsets);
    outputs = words.loadPointer(frame, Outputs);
    weights = words.loadPointer(frame, Weights);
    workspace = words.loadPointer(frame, Workspace);
    executor = words.loadPointer(frame, Executor);
    Value inputs = words.loadPointer(frame, Inputs);
    for (BlockArgument argument : model.getArguments())
      pointers[argument] = words.loadPointer(inputs, argument.getArgNumber());
    size_t buffers = model->getAttrOfType<ArrayAttr>(kBufferBytesAttr).size();
    scratch = words.at(workspace, words.loadWord(offsets, buffers));
    scratchBytes = words.loadWord(offsets, buffers + 1);
  }

  LogicalResult emit(Block &ops) {
    for (Operation &op : ops) {
      if (auto launch = dyn_cast<LaunchOp>(op)) {
        emitLaunch(launch);
      } else if (auto get = dyn_cast<GetParameterOp>(op)) {
        if (failed(emitParameter(get)))
          return failure();
      } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
        if (failed(emitLoop(loop)))
          return failure();
      } else if (auto scan = dyn_cast<ScanOp>(op)) {
        if (failed(emitScan(scan)))
          return failure();
      } else if (isView(&op)) {
        pointers[op.getResult(0)] = pointers.lookup(op.getOperand(0));
      } else if (!op.hasTrait<OpTrait::IsTerminator>() &&
                 (!isPure(&op) || llvm::any_of(op.getResultTypes(),
                                               llvm::IsaPred<TensorType>))) {
        return op.emitError("is not part of a kernel; run "
                            "attn-outline-kernels");
      }
    }
    return success();
  }

  /// One for a launch that a core finishes before others would have begun.
  Value slotsOf(LaunchOp launch) {
    Value all = words.loadWord(executor, Slots);
    auto work = launch->getAttrOfType<AffineMapAttr>(kWorkAttr);
    if (!work)
      return all;
    auto takesLess = [&](unsigned result, double perSecond) -> Value {
      AffineExpr amount = work.getValue().getResult(result);
      return LLVM::ICmpOp::create(
          words.builder, words.loc, LLVM::ICmpPredicate::slt,
          sizes->get(*DimExpr::fromAffine(amount)),
          words.constant(perSecond * target.forkSeconds));
    };
    Value isShort = LLVM::AndOp::create(
        words.builder, words.loc, takesLess(0, target.gflops * 1e9),
        takesLess(1, target.memoryGigabytes * 1e9));
    return LLVM::SelectOp::create(words.builder, words.loc, isShort,
                                  words.constant(1), all);
  }

  void emitLaunch(LaunchOp launch) {
    Value slots = slotsOf(launch);
    words.store(slots, block, kSlotsWord);
    words.store(scratch, block, kScratchWord);
    words.store(scratchBytes, block, kScratchBytesWord);
    int64_t word = kFirstOperandWord;
    for (Value input : launch.getInputs())
      word = storeOperand(block, word, input, pointers.lookup(input), *sizes);
    auto buffers = launch->getAttrOfType<DenseI64ArrayAttr>(kBuffersAttr);
    for (auto [output, buffer] :
         llvm::zip_equal(launch.getOutputs(), buffers.asArrayRef())) {
      Value entry = entries.lookup(output);
      Value data = entry ? entry : resultMemory(launch, buffer);
      pointers[output] = data;
      word = storeOperand(block, word, output, data, *sizes);
    }
    callExecutor(launch, slots);
  }

  Value resultMemory(LaunchOp launch, int64_t buffer) {
    if (isInPlace(launch))
      return pointers.lookup(launch.getInputs().front());
    return bufferMemory(buffer);
  }

  Value bufferMemory(int64_t buffer) {
    if (buffer < 0)
      return words.loadPointer(outputs, -1 - buffer);
    return words.at(workspace, words.loadWord(offsets, buffer));
  }

  /// The launch, and what is left then: on this thread, but in the kernels'
  /// floating-point mode, as any task.
  void callExecutor(LaunchOp launch, Value slots) {
    runTask(launch.getKernel(), slots);
    std::string finish = finishFunctionName(launch.getKernel());
    if (SymbolTable::lookupNearestSymbolFrom(
            launch, StringAttr::get(model.getContext(), finish)))
      runTask(finish, words.constant(0));
  }

  /// executor->run(executor->context, slots, task, block)
  void runTask(StringRef name, Value slots) {
    Value task = LLVM::AddressOfOp::create(words.builder, words.loc,
                                           words.pointer, name);
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(model.getContext()),
        {words.pointer, words.word, words.pointer, words.pointer});
    LLVM::CallOp::create(words.builder, words.loc, type,
                         ValueRange{words.loadPointer(executor, Run),
                                    words.loadPointer(executor, Context), slots,
                                    task, block});
  }

  LogicalResult emitParameter(GetParameterOp get) {
    SmallVector<int64_t> places;
    for (auto symbol : get.getParameters().getAsRange<FlatSymbolRefAttr>()) {
      auto parameter =
          SymbolTable::lookupNearestSymbolFrom<ParameterOp>(get, symbol);
      auto offset = parameter
                        ? parameter->getAttrOfType<IntegerAttr>(kOffsetAttr)
                        : IntegerAttr();
      if (!offset)
        return get.emitError("reads a parameter without a place; run "
                             "attn-place-parameters");
      places.push_back(offset.getInt());
    }
    Value place = words.constant(places[0]);
    if (get.getIndex()) {
      Value index = indices.lookup(get.getIndex());
      if (!index)
        return get.emitError("expects the number of a loop's layer as index");
      place = placeInLoop(places, index);
    }
    pointers[get.getResult()] = words.at(weights, place);
    return success();
  }

  /// Parameters of equal layers lie at a constant distance; others are looked
  /// up in a table.
  Value placeInLoop(ArrayRef<int64_t> places, Value index) {
    int64_t stride = places.size() > 1 ? places[1] - places[0] : 0;
    bool affine = true;
    for (auto [i, place] : llvm::enumerate(places))
      affine &= place == places[0] + static_cast<int64_t>(i) * stride;
    if (affine)
      return words.add(words.constant(places[0]),
                       words.multiply(index, words.constant(stride)));
    Value table = createTable(places);
    Value entry =
        words.at(table, words.multiply(index, words.constant(kWordBytes)));
    return LLVM::LoadOp::create(words.builder, words.loc, words.word, entry);
  }

  Value createTable(ArrayRef<int64_t> places) {
    auto function = words.builder.getBlock()
                        ->getParent()
                        ->getParentOfType<LLVM::LLVMFuncOp>();
    std::string name =
        (function.getName() + "_places_" + Twine(tables++)).str();
    OpBuilder outside(function);
    LLVM::GlobalOp::create(
        outside, words.loc, LLVM::LLVMArrayType::get(words.word, places.size()),
        /*isConstant=*/true, LLVM::Linkage::Private, name,
        DenseElementsAttr::get(RankedTensorType::get(places.size(), words.word),
                               places));
    return LLVM::AddressOfOp::create(words.builder, words.loc, words.pointer,
                                     name);
  }

  LogicalResult emitLoop(scf::ForOp loop) {
    std::optional<APInt> count = loop.getStaticTripCount();
    if (!count || getConstantIntValue(loop.getLowerBound()) != 0 ||
        getConstantIntValue(loop.getStep()) != 1)
      return loop.emitError("expects layers from 0 to a constant, in steps "
                            "of 1");
    if (!llvm::all_of(loop.getResultTypes(), llvm::IsaPred<RankedTensorType>))
      return loop.emitError("expects layers to carry tensors");
    return emitIterations(
        loop, words.constant(count->getSExtValue()),
        [&](Value index) { indices[loop.getInductionVar()] = index; });
  }

  /// What a scan goes over, and what it stacks, lies step after step.
  LogicalResult emitScan(ScanOp scan) {
    auto buffers = scan->getAttrOfType<DenseI64ArrayAttr>(kBuffersAttr);
    for (auto [result, buffer] :
         llvm::zip_equal(scan.getStacked(), buffers.asArrayRef()))
      pointers[result] = bufferMemory(buffer);
    Value steps = sizes->get(shapes.stepsOf(scan));
    auto enterStep = [&](Value index) {
      Value step = index;
      if (scan.getReversed())
        step = words.subtract(words.subtract(steps, words.constant(1)), index);
      for (auto [i, input] : llvm::enumerate(scan.getInputs()))
        pointers[scan.getStepArgument(i)] = entryAt(input, step);
      for (auto [result, entry] :
           llvm::zip_equal(scan.getStacked(), scan.getStepOutputs()))
        entries[memoryOf(entry.get())] = entryAt(result, step);
    };
    return emitIterations(scan, steps, enterStep);
  }

  /// Where the entry of a step begins in a tensor with the steps in front.
  Value entryAt(Value tensor, Value step) {
    auto type = cast<RankedTensorType>(tensor.getType());
    Value bytes = words.constant((type.getElementTypeBitWidth() + 7) / 8);
    for (const DimExpr &dim : shapes.shapeOf(tensor).drop_front())
      bytes = words.multiply(bytes, sizes->get(dim));
    return words.at(pointers.lookup(tensor), words.multiply(step, bytes));
  }

  /// Runs the body `count` times. `enter` is given the number of the iteration
  /// at the body's start.
  LogicalResult emitIterations(LoopLikeOpInterface loop, Value count,
                               function_ref<void(Value)> enter) {
    OpBuilder &builder = words.builder;
    Region *region = builder.getBlock()->getParent();
    SmallVector<Type> types{words.word};
    types.append(loop.getInits().size(), words.pointer);
    SmallVector<Location> locations(types.size(), words.loc);
    SmallVector<Value> initial{words.constant(0)};
    for (Value init : loop.getInits())
      initial.push_back(pointers.lookup(init));

    Block *before = builder.getBlock();
    Block *header =
        builder.createBlock(region, region->end(), types, locations);
    Block *body = builder.createBlock(region, region->end());
    Block *behind = builder.createBlock(region, region->end());
    builder.setInsertionPointToEnd(before);
    LLVM::BrOp::create(builder, words.loc, initial, header);

    builder.setInsertionPointToEnd(header);
    Value index = header->getArgument(0);
    Value more = LLVM::ICmpOp::create(builder, words.loc,
                                      LLVM::ICmpPredicate::slt, index, count);
    LLVM::CondBrOp::create(builder, words.loc, more, body, behind);

    builder.setInsertionPointToEnd(body);
    for (auto [argument, carried] : llvm::zip_equal(
             loop.getRegionIterArgs(), header->getArguments().drop_front()))
      pointers[argument] = carried;
    enter(index);
    if (failed(emit(loop.getLoopRegions().front()->front())))
      return failure();
    SmallVector<Value> next{words.add(index, words.constant(1))};
    for (Value yielded : loop.getYieldedValues())
      next.push_back(pointers.lookup(yielded));
    LLVM::BrOp::create(builder, words.loc, next, header);

    builder.setInsertionPointToEnd(behind);
    for (auto [result, carried] : llvm::zip_equal(
             *loop.getLoopResults(), header->getArguments().drop_front()))
      pointers[result] = carried;
    return success();
  }

  const TargetSpec &target;
  Value dims, offsets, outputs, weights, workspace, executor;
  Value scratch, scratchBytes, block;
  SizeBuilder *sizes = nullptr;
  llvm::DenseMap<Value, Value> pointers;
  llvm::DenseMap<Value, Value> indices;
  /// What is computed in place of an entry of a stacked result.
  llvm::DenseMap<Value, Value> entries;
  unsigned tables = 0;
};

} // namespace

LogicalResult attn::cpu::buildBody(func::FuncOp model,
                                   const SymbolicShapes &shapes,
                                   const TargetSpec &target, StringRef name) {
  return BodyBuilder(model, shapes, target).build(name);
}
