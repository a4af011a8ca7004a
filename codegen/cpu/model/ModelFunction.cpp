// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lowers launches to calls of the executor, and the memory plan to arithmetic.

#include "codegen/cpu/model/ModelFunction.h"

#include "codegen/cpu/KernelAbi.h"
#include "codegen/cpu/TargetPass.h"
#include "dialect/AttnOps.h"
#include "passes/ModelFunctions.h"
#include "passes/plan/SymbolicShapes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

std::string attn::cpu::planFunctionName(StringRef model, StringRef isa) {
  return (model + "_" + isa + "_plan").str();
}
std::string attn::cpu::bodyFunctionName(StringRef model, StringRef isa) {
  return (model + "_" + isa + "_body").str();
}

namespace {

/// Buffers of the workspace start at multiples of a cache line.
constexpr int64_t kBufferAlignment = 64;

/// Words of attn_frame and of attn_executor (attn/abi.h, attn/attn.h).
enum FrameWord { Dims, Offsets, Inputs, Outputs, Weights, Workspace, Executor };
enum ExecutorWord { Context, Slots, Run };

/// Builds 64-bit arithmetic and memory access in an LLVM function.
class WordBuilder {
public:
  WordBuilder(MLIRContext *context, Location loc)
      : builder(context), loc(loc), word(builder.getI64Type()),
        pointer(LLVM::LLVMPointerType::get(context)) {}

  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, word, value);
  }
  Value null() { return LLVM::ZeroOp::create(builder, loc, pointer); }
  Value at(Value base, Value byteOffset) {
    return LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(), base,
                               ArrayRef<LLVM::GEPArg>{byteOffset});
  }
  Value at(Value base, int64_t word) {
    return at(base, constant(word * kWordBytes));
  }
  Value loadWord(Value base, int64_t index) {
    return LLVM::LoadOp::create(builder, loc, word, at(base, index));
  }
  Value loadPointer(Value base, int64_t index) {
    return LLVM::LoadOp::create(builder, loc, pointer, at(base, index));
  }
  void store(Value value, Value base, int64_t index) {
    LLVM::StoreOp::create(builder, loc, value, at(base, index));
  }
  Value add(Value a, Value b) {
    return LLVM::AddOp::create(builder, loc, a, b);
  }
  Value multiply(Value a, Value b) {
    return LLVM::MulOp::create(builder, loc, a, b);
  }
  /// A block of `words` words on the stack.
  Value stackBlock(int64_t words) {
    return LLVM::AllocaOp::create(builder, loc, pointer, word, constant(words),
                                  /*alignment=*/16);
  }

  OpBuilder builder;
  Location loc;
  Type word;
  Type pointer;
};

/// Evaluates polynomials in the dynamic dimensions.
class SizeBuilder {
public:
  SizeBuilder(WordBuilder &words, Value dims) : words(words), dims(dims) {}

  Value get(const DimExpr &value) {
    Value sum = words.constant(0);
    for (const auto &[monomial, coefficient] : value.terms()) {
      Value product = words.constant(coefficient);
      for (unsigned symbol : monomial)
        product = words.multiply(product, words.loadWord(dims, symbol));
      sum = words.add(sum, product);
    }
    return sum;
  }

private:
  WordBuilder &words;
  Value dims;
};

/// The most words that the argument block of any launch has.
int64_t largestBlock(func::FuncOp model) {
  int64_t words = 0;
  model.walk([&](LaunchOp launch) {
    int64_t count = kFirstOperandWord;
    for (Type type : launch->getOperandTypes())
      count += operandWords(cast<RankedTensorType>(type));
    for (Type type : launch->getResultTypes())
      count += operandWords(cast<RankedTensorType>(type));
    words = std::max(words, count);
  });
  return words;
}

/// What both functions share: the model and the sizes of its tensors.
class FunctionBuilder {
public:
  FunctionBuilder(func::FuncOp model, const SymbolicShapes &shapes)
      : model(model), shapes(shapes),
        words(model.getContext(), model.getLoc()) {}

protected:
  LLVM::LLVMFuncOp createFunction(StringRef name, Type result,
                                  ArrayRef<Type> arguments) {
    words.builder.setInsertionPoint(model);
    auto function = LLVM::LLVMFuncOp::create(
        words.builder, model.getLoc(), name,
        LLVM::LLVMFunctionType::get(result, arguments));
    words.builder.setInsertionPointToStart(
        function.addEntryBlock(words.builder));
    return function;
  }

  /// Writes an operand's pointer and dynamic dimensions from `word` on, and
  /// returns the next word.
  int64_t storeOperand(Value block, int64_t word, Value tensor, Value data,
                       SizeBuilder &sizes) {
    words.store(data, block, word++);
    auto type = cast<RankedTensorType>(tensor.getType());
    for (auto [i, dim] : llvm::enumerate(shapes.shapeOf(tensor)))
      if (type.isDynamicDim(i))
        words.store(sizes.get(dim), block, word++);
    return word;
  }

  func::FuncOp model;
  const SymbolicShapes &shapes;
  WordBuilder words;
};

//===----------------------------------------------------------------------===//
// plan
//===----------------------------------------------------------------------===//

/// int64_t plan(const int64_t *dims, int64_t slots, int64_t *offsets)
class PlanBuilder : FunctionBuilder {
public:
  using FunctionBuilder::FunctionBuilder;

  LogicalResult build(StringRef name) {
    auto bytes = model->getAttrOfType<ArrayAttr>(kBufferBytesAttr);
    auto function = createFunction(name, words.word,
                                   {words.pointer, words.word, words.pointer});
    dims = function.getArgument(0);
    Value slots = function.getArgument(1), offsets = function.getArgument(2);
    overflow = LLVM::ConstantOp::create(words.builder, words.loc,
                                        words.builder.getI1Type(), 0);
    Value total = words.constant(0);
    int64_t index = 0;
    for (auto map : bytes.getAsValueRange<AffineMapAttr>()) {
      words.store(total, offsets, index++);
      Value size = evaluate(map.getResult(0));
      rejectNegative(size);
      total = checkedAdd(total, alignUp(size));
    }
    Value scratch = largestScratch();
    words.store(total, offsets, index++);
    words.store(scratch, offsets, index);
    total = checkedAdd(total, checkedMultiply(slots, scratch));
    Value result = LLVM::SelectOp::create(words.builder, words.loc, overflow,
                                          words.constant(-1), total);
    LLVM::ReturnOp::create(words.builder, words.loc, result);
    return success();
  }

private:
  Value checked(StringRef intrinsic, Value a, Value b) {
    auto pair = LLVM::LLVMStructType::getLiteral(
        model.getContext(), {words.word, words.builder.getI1Type()});
    Value both = LLVM::CallIntrinsicOp::create(
                     words.builder, words.loc, pair,
                     words.builder.getStringAttr(intrinsic), ValueRange{a, b})
                     ->getResult(0);
    overflow = LLVM::OrOp::create(
        words.builder, words.loc, overflow,
        LLVM::ExtractValueOp::create(words.builder, words.loc, both, 1));
    return LLVM::ExtractValueOp::create(words.builder, words.loc, both, 0);
  }
  Value checkedAdd(Value a, Value b) {
    return checked("llvm.sadd.with.overflow.i64", a, b);
  }
  Value checkedMultiply(Value a, Value b) {
    return checked("llvm.smul.with.overflow.i64", a, b);
  }
  /// A tensor that is one element too short for what is cut from it has a
  /// negative size.
  void rejectNegative(Value bytes) {
    Value isNegative =
        LLVM::ICmpOp::create(words.builder, words.loc, LLVM::ICmpPredicate::slt,
                             bytes, words.constant(0));
    overflow =
        LLVM::OrOp::create(words.builder, words.loc, overflow, isNegative);
  }
  Value alignUp(Value bytes) {
    Value padded = checkedAdd(bytes, words.constant(kBufferAlignment - 1));
    return LLVM::AndOp::create(words.builder, words.loc, padded,
                               words.constant(-kBufferAlignment));
  }

  Value evaluate(AffineExpr expr) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      return words.constant(constant.getValue());
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
      return words.loadWord(dims, symbol.getPosition());
    auto binary = cast<AffineBinaryOpExpr>(expr);
    Value a = evaluate(binary.getLHS()), b = evaluate(binary.getRHS());
    return binary.getKind() == AffineExprKind::Add ? checkedAdd(a, b)
                                                   : checkedMultiply(a, b);
  }

  /// One slot serves every kernel in turn.
  Value largestScratch() {
    Value block = words.stackBlock(largestBlock(model));
    SizeBuilder sizes(words, dims);
    Value largest = words.constant(0);
    model.walk([&](LaunchOp launch) {
      int64_t word = kFirstOperandWord;
      for (Value input : launch.getInputs())
        word = storeOperand(block, word, input, words.null(), sizes);
      for (Value output : launch.getOutputs())
        word = storeOperand(block, word, output, words.null(), sizes);
      Value bytes =
          LLVM::CallOp::create(words.builder, words.loc, words.word,
                               scratchFunctionName(launch.getKernel()), block)
              .getResult();
      largest = LLVM::SMaxOp::create(words.builder, words.loc, largest, bytes);
    });
    return alignUp(largest);
  }

  Value dims;
  Value overflow;
};

//===----------------------------------------------------------------------===//
// body
//===----------------------------------------------------------------------===//

/// int32_t body(const attn_frame *frame)
class BodyBuilder : FunctionBuilder {
public:
  using FunctionBuilder::FunctionBuilder;

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

  void emitLaunch(LaunchOp launch) {
    words.store(words.loadWord(executor, Slots), block, kSlotsWord);
    words.store(scratch, block, kScratchWord);
    words.store(scratchBytes, block, kScratchBytesWord);
    int64_t word = kFirstOperandWord;
    for (Value input : launch.getInputs())
      word = storeOperand(block, word, input, pointers.lookup(input), *sizes);
    auto buffers = launch->getAttrOfType<DenseI64ArrayAttr>(kBuffersAttr);
    for (auto [output, buffer] :
         llvm::zip_equal(launch.getOutputs(), buffers.asArrayRef())) {
      Value data = buffer < 0
                       ? words.loadPointer(outputs, -1 - buffer)
                       : words.at(workspace, words.loadWord(offsets, buffer));
      pointers[output] = data;
      word = storeOperand(block, word, output, data, *sizes);
    }
    callExecutor(launch);
  }

  /// executor->run(executor->context, executor->slots, kernel, block)
  void callExecutor(LaunchOp launch) {
    Value kernel =
        LLVM::AddressOfOp::create(words.builder, words.loc, words.pointer,
                                  launch.getKernelAttr().getAttr());
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(model.getContext()),
        {words.pointer, words.word, words.pointer, words.pointer});
    LLVM::CallOp::create(words.builder, words.loc, type,
                         ValueRange{words.loadPointer(executor, Run),
                                    words.loadPointer(executor, Context),
                                    words.loadWord(executor, Slots), kernel,
                                    block});
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
    OpBuilder &builder = words.builder;
    Region *region = builder.getBlock()->getParent();
    SmallVector<Type> types{words.word};
    types.append(loop.getInitArgs().size(), words.pointer);
    SmallVector<Location> locations(types.size(), words.loc);

    std::optional<APInt> count = loop.getStaticTripCount();
    if (!count || getConstantIntValue(loop.getLowerBound()) != 0 ||
        getConstantIntValue(loop.getStep()) != 1)
      return loop.emitError("expects layers from 0 to a constant, in steps "
                            "of 1");
    if (!llvm::all_of(loop.getResultTypes(), llvm::IsaPred<RankedTensorType>))
      return loop.emitError("expects layers to carry tensors");
    SmallVector<Value> initial{words.constant(0)};
    for (Value init : loop.getInitArgs())
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
    Value more =
        LLVM::ICmpOp::create(builder, words.loc, LLVM::ICmpPredicate::slt,
                             index, words.constant(count->getSExtValue()));
    LLVM::CondBrOp::create(builder, words.loc, more, body, behind);

    builder.setInsertionPointToEnd(body);
    indices[loop.getInductionVar()] = index;
    for (auto [argument, carried] : llvm::zip_equal(
             loop.getRegionIterArgs(), header->getArguments().drop_front()))
      pointers[argument] = carried;
    if (failed(emit(*loop.getBody())))
      return failure();
    SmallVector<Value> next{words.add(index, words.constant(1))};
    for (Value yielded : loop.getYieldedValues())
      next.push_back(pointers.lookup(yielded));
    LLVM::BrOp::create(builder, words.loc, next, header);

    builder.setInsertionPointToEnd(behind);
    for (auto [result, carried] : llvm::zip_equal(
             loop.getResults(), header->getArguments().drop_front()))
      pointers[result] = carried;
    return success();
  }

  Value dims, offsets, outputs, weights, workspace, executor;
  Value scratch, scratchBytes, block;
  SizeBuilder *sizes = nullptr;
  llvm::DenseMap<Value, Value> pointers;
  llvm::DenseMap<Value, Value> indices;
  unsigned tables = 0;
};

} // namespace

/// Checks what the builders rely on: attributes are text like any other.
static LogicalResult verifyPlan(func::FuncOp model) {
  auto bytes = model->getAttrOfType<ArrayAttr>(kBufferBytesAttr);
  auto symbols = model->getAttrOfType<ArrayAttr>(kSymbolsAttr);
  if (!bytes || !symbols)
    return model.emitError("has no memory plan; run attn-plan-memory");
  for (Attribute entry : bytes) {
    auto map = dyn_cast<AffineMapAttr>(entry);
    if (!map || map.getValue().getNumResults() != 1 ||
        map.getValue().getNumSymbols() != symbols.size() ||
        !DimExpr::fromAffine(map.getValue().getResult(0)))
      return model.emitError("expects '")
             << kBufferBytesAttr << "' to hold one polynomial in "
             << symbols.size() << " symbols for each buffer";
  }
  int64_t buffers = bytes.size(), outputs = model.getNumResults();
  WalkResult result = model.walk([&](LaunchOp launch) -> WalkResult {
    auto numbers = launch->getAttrOfType<DenseI64ArrayAttr>(kBuffersAttr);
    if (numbers && launch->hasAttr(kShapesAttr) &&
        numbers.size() == launch->getNumResults() &&
        llvm::all_of(numbers.asArrayRef(), [&](int64_t number) {
          return number < buffers && number >= -outputs;
        }))
      return WalkResult::advance();
    return launch.emitError("expects '")
           << kShapesAttr << "' and, in '" << kBuffersAttr << "', one of "
           << buffers << " buffers or " << outputs
           << " outputs for each result";
  });
  return failure(result.wasInterrupted());
}

LogicalResult attn::cpu::lowerModelFunction(func::FuncOp model, StringRef isa) {
  if (failed(verifyModelFunction(model)) || failed(verifyPlan(model)))
    return failure();
  FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(model);
  if (failed(shapes))
    return failure();
  StringRef name = model.getName();
  if (failed(PlanBuilder(model, *shapes).build(planFunctionName(name, isa))) ||
      failed(BodyBuilder(model, *shapes).build(bodyFunctionName(name, isa))))
    return failure();
  model.erase();
  return success();
}

namespace {
struct LowerModel : TargetPass<LowerModel> {
  using TargetPass::TargetPass;
  StringRef getArgument() const final { return "attn-cpu-lower-model"; }
  StringRef getDescription() const final {
    return "launches in loops => calls of the executor";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<LLVM::LLVMDialect>();
  }
  void runOnOperation() final {
    if (failed(resolveTarget()))
      return signalPassFailure();
    SmallVector<func::FuncOp> models;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(kBufferBytesAttr))
        models.push_back(function);
    for (func::FuncOp model : models)
      if (failed(lowerModelFunction(model, target->isa)))
        return signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass>
attn::cpu::createLowerModelPass(const TargetSpec &target) {
  return std::make_unique<LowerModel>(target);
}

void attn::cpu::registerLowerModelPass() { PassRegistration<LowerModel>(); }
