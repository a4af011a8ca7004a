// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A planned model run on stamps in place of numbers.

#ifndef ATTN_TEST_PASSES_PLANSIMULATION_H
#define ATTN_TEST_PASSES_PLANSIMULATION_H

#include "dialect/AttnOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Cost.h"
#include "passes/ModelFunctions.h"
#include "passes/plan/SymbolicShapes.h"
#include "gtest/gtest.h"

#include <map>

namespace attn::test {

/// Runs the launches of a planned model in order, loops and scans iteration by
/// iteration. Each write of a buffer gives it a new stamp; a value that is read
/// finds the stamp it was written with. A launch may write over what it reads
/// only where its kernel reads that very element to compute it.
class PlanSimulation {
public:
  PlanSimulation(mlir::func::FuncOp model, llvm::ArrayRef<int64_t> sizes)
      : model(model), shapes(*SymbolicShapes::compute(model)) {
    for (auto map : model->getAttrOfType<mlir::ArrayAttr>(kBufferBytesAttr)
                        .getAsValueRange<mlir::AffineMapAttr>())
      bufferBytes.push_back(evaluatePolynomial(map, sizes).front());
    this->sizes.assign(sizes.begin(), sizes.end());
  }

  void run() { runBlock(model.getBody().front()); }

  /// How many results were written over an operand, and how many in place of
  /// an entry of a stacked result.
  unsigned inPlace = 0, stacked = 0;

private:
  static constexpr int64_t kWhole = -1;

  /// Where a value lies, the whole buffer or one step's entry in it, and when
  /// it was written there. Inputs and parameters lie nowhere that a launch
  /// could write.
  struct Place {
    std::optional<int64_t> buffer;
    int64_t entry = kWhole;
    int64_t stamp = 0;

    bool overlaps(const Place &other) const {
      return buffer == other.buffer &&
             (entry == kWhole || other.entry == kWhole || entry == other.entry);
    }
  };

  static std::vector<int64_t>
  evaluatePolynomial(mlir::AffineMap map, llvm::ArrayRef<int64_t> sizes) {
    std::vector<int64_t> values;
    for (mlir::AffineExpr expr : map.getResults()) {
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

  Place read(mlir::Value value) {
    Place place = places[value];
    if (place.buffer)
      EXPECT_EQ((stamps[{*place.buffer, place.entry}]), place.stamp)
          << "buffer " << *place.buffer << " was overwritten";
    return place;
  }

  /// A write of the whole is one of every entry.
  Place write(int64_t buffer, int64_t entry) {
    if (entry == kWhole)
      for (auto &[place, stamp] : stamps)
        if (place.first == buffer)
          stamp = 0;
    stamps[{buffer, entry}] = ++now;
    return {buffer, entry, now};
  }

  void runBlock(mlir::Block &block) {
    for (mlir::Operation &op : block) {
      if (auto launch = llvm::dyn_cast<LaunchOp>(op))
        runLaunch(launch);
      else if (isView(&op))
        places[op.getResult(0)] = read(op.getOperand(0));
      else if (auto loop = llvm::dyn_cast<mlir::scf::ForOp>(op))
        runLoop(loop);
      else if (auto scan = llvm::dyn_cast<ScanOp>(op))
        runScan(scan);
      else if (llvm::isa<mlir::func::ReturnOp>(op))
        for (auto [i, operand] : llvm::enumerate(op.getOperands()))
          EXPECT_EQ(read(operand).buffer, -1 - static_cast<int64_t>(i));
    }
  }

  /// True where the kernel uses that argument once, for the element at which
  /// it stores result `number`.
  static bool readsWhatItWrites(LaunchOp launch, unsigned argument,
                                unsigned number) {
    auto kernel =
        mlir::SymbolTable::lookupNearestSymbolFrom<mlir::func::FuncOp>(
            launch, launch.getKernelAttr());
    mlir::Operation *op = kernel.getBody()
                              .front()
                              .getTerminator()
                              ->getOperand(number)
                              .getDefiningOp();
    unsigned uses = 0, atSameElement = 0;
    for (mlir::OpOperand &use : kernel.getArgument(argument).getUses()) {
      uses += !llvm::isa<mlir::tensor::DimOp>(use.getOwner());
      if (use.getOwner() != op)
        continue;
      if (auto map = llvm::dyn_cast<mlir::linalg::GenericOp>(op))
        atSameElement +=
            llvm::all_of(map.getIndexingMapsArray(),
                         [](mlir::AffineMap map) { return map.isIdentity(); });
      if (auto linear = llvm::dyn_cast<LinearOp>(op))
        atSameElement +=
            linear.getCaptures().size() == 1 &&
            linear.getCaptures()[0] == use.get() &&
            llvm::cast<mlir::AffineMapAttr>((*linear.getCaptureMaps())[0])
                .getValue()
                .isIdentity();
    }
    return uses == 1 && atSameElement == 1;
  }

  void checkInPlace(LaunchOp launch, unsigned number, const Place &written,
                    llvm::ArrayRef<Place> inputs) {
    unsigned shared = 0;
    for (auto [argument, input] : llvm::enumerate(inputs)) {
      if (!input.overlaps(written))
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
    for (mlir::Value input : launch.getInputs())
      inputs.push_back(read(input));
    auto buffers = launch->getAttrOfType<mlir::DenseI64ArrayAttr>(kBuffersAttr);
    auto planned = launch->getAttrOfType<mlir::ArrayAttr>(kShapesAttr);
    for (auto [i, output] : llvm::enumerate(launch.getOutputs())) {
      int64_t buffer = buffers[i];
      auto entry = entries.find(output);
      int64_t step = entry == entries.end() ? kWhole : entry->second;
      stacked += step != kWhole;
      checkInPlace(launch, i, {buffer, step}, inputs);
      if (buffer >= 0) {
        auto map = llvm::cast<mlir::AffineMapAttr>(planned[i]).getValue();
        int64_t bytes = sizeof(float);
        for (int64_t size : evaluatePolynomial(map, sizes))
          bytes *= size;
        EXPECT_LE(bytes * (step + 1 + (step == kWhole)), bufferBytes[buffer]);
      }
      places[output] = write(buffer, step);
    }
  }

  void runScan(ScanOp scan) {
    auto buffers = scan->getAttrOfType<mlir::DenseI64ArrayAttr>(kBuffersAttr);
    for (auto [result, buffer] :
         llvm::zip_equal(scan.getStacked(), buffers.asArrayRef()))
      places[result] = write(buffer, kWhole);
    std::vector<Place> carried;
    for (mlir::Value initial : scan.getInitials())
      carried.push_back(read(initial));
    int64_t steps = evaluate(shapes.stepsOf(scan), sizes);
    for (int64_t i = 0; i < steps; ++i) {
      for (auto [argument, place] : llvm::zip_equal(
               scan.getBody().getArguments().take_front(carried.size()),
               carried))
        places[argument] = place;
      for (auto [j, input] : llvm::enumerate(scan.getInputs()))
        places[scan.getStepArgument(j)] = read(input);
      for (mlir::OpOperand &entry : scan.getStepOutputs())
        entries[memoryOf(entry.get())] = scan.getReversed() ? steps - 1 - i : i;
      runBlock(scan.getBody().front());
      mlir::Operation *yield = scan.getBody().front().getTerminator();
      for (auto [number, place] : llvm::enumerate(carried))
        place = read(yield->getOperand(number));
      for (auto [result, entry] :
           llvm::zip_equal(scan.getStacked(), scan.getStepOutputs()))
        EXPECT_EQ(read(entry.get()).buffer, places[result].buffer);
    }
    for (auto [result, place] : llvm::zip(scan.getOutputs(), carried))
      places[result] = place;
  }

  void runLoop(mlir::scf::ForOp loop) {
    std::vector<Place> carried;
    for (mlir::Value init : loop.getInitArgs())
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

  mlir::func::FuncOp model;
  std::vector<int64_t> bufferBytes, sizes;
  SymbolicShapes shapes;
  llvm::DenseMap<mlir::Value, Place> places;
  /// The step whose entry of a stacked result a launch writes.
  llvm::DenseMap<mlir::Value, int64_t> entries;
  std::map<std::pair<int64_t, int64_t>, int64_t> stamps;
  int64_t now = 0;
};

} // namespace attn::test

#endif // ATTN_TEST_PASSES_PLANSIMULATION_H
