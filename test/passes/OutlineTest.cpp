// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Outlining, rolling and planning keep the values of random models: the
// reference evaluates them before and after, and a simulation of the planned
// buffers finds no value overwritten before its last use.

#include "dialect/AttnOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/Passes.h"
#include "passes/ModelFunctions.h"
#include "passes/plan/SymbolicShapes.h"
#include "test/passes/Evaluation.h"
#include "test/passes/RandomModel.h"

using namespace mlir;
using namespace attn;
using namespace attn::test;

namespace {

/// Runs the launches of a planned model in order, loops iteration by
/// iteration. Each write of a buffer gives it a new stamp; a value that is read
/// finds the stamp it was written with. A launch may write over what it reads
/// only where its kernel reads that very element to compute it.
class PlanSimulation {
public:
  PlanSimulation(func::FuncOp model, ArrayRef<int64_t> sizes) : model(model) {
    for (auto map : model->getAttrOfType<ArrayAttr>(kBufferBytesAttr)
                        .getAsValueRange<AffineMapAttr>())
      bufferBytes.push_back(evaluatePolynomial(map, sizes).front());
    this->sizes.assign(sizes.begin(), sizes.end());
  }

  void run() { runBlock(model.getBody().front()); }

  /// How many results were written over an operand.
  unsigned inPlace = 0;

private:
  /// Where a value lies and when it was written there. Inputs and parameters
  /// lie nowhere that a launch could write.
  struct Place {
    std::optional<int64_t> buffer;
    int64_t stamp = 0;
  };

  static std::vector<int64_t> evaluatePolynomial(AffineMap map,
                                                 ArrayRef<int64_t> sizes) {
    std::vector<int64_t> values;
    for (AffineExpr expr : map.getResults()) {
      DimExpr polynomial = *DimExpr::fromAffine(expr);
      int64_t sum = 0;
      for (const auto &[monomial, coefficient] : polynomial.terms()) {
        int64_t product = coefficient;
        for (unsigned symbol : monomial)
          product *= sizes[symbol];
        sum += product;
      }
      values.push_back(sum);
    }
    return values;
  }

  Place read(Value value) {
    Place place = places[value];
    if (place.buffer)
      EXPECT_EQ(stamps[*place.buffer], place.stamp)
          << "buffer " << *place.buffer << " was overwritten";
    return place;
  }

  void runBlock(Block &block) {
    for (Operation &op : block) {
      if (auto launch = dyn_cast<LaunchOp>(op))
        runLaunch(launch);
      else if (isView(&op))
        places[op.getResult(0)] = read(op.getOperand(0));
      else if (auto loop = dyn_cast<scf::ForOp>(op))
        runLoop(loop);
      else if (isa<func::ReturnOp>(op))
        for (auto [i, operand] : llvm::enumerate(op.getOperands()))
          EXPECT_EQ(read(operand).buffer, -1 - static_cast<int64_t>(i));
    }
  }

  /// True where the kernel uses that argument once, for the element at which
  /// it stores result `number`.
  static bool readsWhatItWrites(LaunchOp launch, unsigned argument,
                                unsigned number) {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        launch, launch.getKernelAttr());
    Operation *op = kernel.getBody()
                        .front()
                        .getTerminator()
                        ->getOperand(number)
                        .getDefiningOp();
    unsigned uses = 0, atSameElement = 0;
    for (OpOperand &use : kernel.getArgument(argument).getUses()) {
      uses += !isa<tensor::DimOp>(use.getOwner());
      if (use.getOwner() != op)
        continue;
      if (auto map = dyn_cast<linalg::GenericOp>(op))
        atSameElement +=
            llvm::all_of(map.getIndexingMapsArray(),
                         [](AffineMap map) { return map.isIdentity(); });
      if (auto linear = dyn_cast<LinearOp>(op))
        atSameElement += linear.getCaptures().size() == 1 &&
                         linear.getCaptures()[0] == use.get() &&
                         cast<AffineMapAttr>((*linear.getCaptureMaps())[0])
                             .getValue()
                             .isIdentity();
    }
    return uses == 1 && atSameElement == 1;
  }

  void checkInPlace(LaunchOp launch, unsigned number, int64_t buffer,
                    ArrayRef<Place> inputs) {
    unsigned shared = 0;
    for (auto [argument, input] : llvm::enumerate(inputs)) {
      if (input.buffer != buffer)
        continue;
      ++shared;
      EXPECT_TRUE(readsWhatItWrites(launch, argument, number))
          << "written while it is read";
      EXPECT_EQ(launch.getInputs()[argument].getType(),
                launch.getOutputs()[number].getType());
    }
    EXPECT_LE(shared, 1u) << "read as several operands";
    inPlace += shared;
  }

  void runLaunch(LaunchOp launch) {
    std::vector<Place> inputs;
    for (Value input : launch.getInputs())
      inputs.push_back(read(input));
    auto buffers = launch->getAttrOfType<DenseI64ArrayAttr>(kBuffersAttr);
    auto shapes = launch->getAttrOfType<ArrayAttr>(kShapesAttr);
    for (auto [i, output] : llvm::enumerate(launch.getOutputs())) {
      int64_t buffer = buffers[i];
      checkInPlace(launch, i, buffer, inputs);
      if (buffer >= 0) {
        auto map = cast<AffineMapAttr>(shapes[i]).getValue();
        int64_t bytes = sizeof(float);
        for (int64_t size : evaluatePolynomial(map, sizes))
          bytes *= size;
        EXPECT_LE(bytes, bufferBytes[buffer]);
      }
      stamps[buffer] = ++now;
      places[output] = {buffer, now};
    }
  }

  void runLoop(scf::ForOp loop) {
    std::vector<Place> carried;
    for (Value init : loop.getInitArgs())
      carried.push_back(read(init));
    int64_t count = loop.getStaticTripCount()->getSExtValue();
    for (int64_t i = 0; i < count; ++i) {
      for (auto [argument, place] :
           llvm::zip_equal(loop.getRegionIterArgs(), carried))
        places[argument] = place;
      runBlock(*loop.getBody());
      for (auto [place, yielded] :
           llvm::zip_equal(carried, loop.getYieldedValues()))
        place = read(yielded);
    }
    for (auto [result, place] : llvm::zip_equal(loop.getResults(), carried))
      places[result] = place;
  }

  func::FuncOp model;
  std::vector<int64_t> bufferBytes, sizes;
  llvm::DenseMap<Value, Place> places;
  std::map<int64_t, int64_t> stamps;
  int64_t now = 0;
};

func::FuncOp modelIn(ModuleOp module) {
  return module.lookupSymbol<func::FuncOp>("model");
}

class RandomModels : public testing::Test {
protected:
  RandomModels() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
  }
  MLIRContext context;
};

TEST_F(RandomModels, OutlineRollAndPlan) {
  unsigned loops = 0, inPlace = 0;
  for (unsigned seed = 0; seed < 300 && !HasFailure(); ++seed) {
    std::string text = RandomModel(seed).write();
    SCOPED_TRACE(text);
    auto module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    SmallVector<reference::Array> expected = evaluate(modelIn(*module));

    PassManager outline(&context);
    outline.addNestedPass<func::FuncOp>(createCSEPass());
    buildOutlinePipeline(outline);
    ASSERT_TRUE(succeeded(outline.run(*module)));
    modelIn(*module).walk([&](scf::ForOp) { ++loops; });
    expectAgreement(expected, evaluate(modelIn(*module)));

    PassManager plan(&context);
    buildPlanPipeline(plan);
    ASSERT_TRUE(succeeded(plan.run(*module)));
    expectAgreement(expected, evaluate(modelIn(*module)));
    PlanSimulation simulation(modelIn(*module), {2, 3});
    simulation.run();
    inPlace += simulation.inPlace;
  }
  // Rolling and writing in place are what this is about.
  EXPECT_GT(loops, 100u);
  EXPECT_GT(inPlace, 100u);
}

} // namespace
