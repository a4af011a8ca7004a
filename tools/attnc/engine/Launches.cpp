// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes and reads the list of launches in a library's description.

#include "tools/attnc/engine/Launches.h"

#include "dialect/AttnOps.h"
#include "passes/Cost.h"

using namespace llvm;
using namespace attn;
using namespace attn::tool;

namespace {

/// A run that launches more often than this is no model of ours.
constexpr size_t kMostLaunches = 1 << 20;

Error fail(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

json::Array writePolynomial(const DimExpr &value,
                            ArrayRef<std::string> symbols) {
  json::Array terms;
  for (const auto &[monomial, coefficient] : value.terms()) {
    json::Array term{coefficient};
    for (unsigned symbol : monomial)
      term.push_back(json::fixUTF8(symbols[symbol]));
    terms.push_back(std::move(term));
  }
  return terms;
}

Expected<json::Array> describeBlock(mlir::Block &block,
                                    const SymbolicShapes &shapes) {
  json::Array array;
  for (mlir::Operation &op : block) {
    if (auto launch = dyn_cast<LaunchOp>(op)) {
      std::optional<Cost> cost = costOf(&op, shapes);
      std::optional<DimExpr> weights = weightBytesOf(launch, shapes);
      if (!cost || !weights)
        return fail("launch of '" + launch.getKernel() +
                    "' costs more than 64 bits count");
      json::Object object{
          {"kernel", launch.getKernel()},
          {"flops", writePolynomial(cost->flops, shapes.symbols())},
          {"weight_bytes", writePolynomial(*weights, shapes.symbols())}};
      if (AttentionOp attention = attentionOf(launch);
          attention && !attention.getKeep().empty())
        object["keep"] = true;
      array.push_back(std::move(object));
    } else if (auto loop = dyn_cast<mlir::LoopLikeOpInterface>(op)) {
      std::optional<DimExpr> count = iterationsOf(loop, shapes);
      if (!count)
        return fail("expects a constant number of layers");
      auto launches =
          describeBlock(loop.getLoopRegions().front()->front(), shapes);
      if (!launches)
        return launches.takeError();
      json::Object repeated{{"launches", std::move(*launches)}};
      if (std::optional<int64_t> times = count->asConstant())
        repeated["repeat"] = *times;
      else
        repeated["repeat"] = writePolynomial(*count, shapes.symbols());
      array.push_back(std::move(repeated));
    }
  }
  return array;
}

/// Reads what describeBlock wrote.
class LaunchReader {
public:
  LaunchReader(const attn_program &program, ArrayRef<int64_t> dims)
      : program(program), dims(dims) {}

  Error readArray(const json::Array &array, std::vector<Launch> &launches) {
    for (const json::Value &value : array) {
      const json::Object *object = value.getAsObject();
      if (!object)
        return fail("expects objects");
      if (Error error = readObject(*object, launches))
        return error;
      if (launches.size() > kMostLaunches)
        return fail("there are more than " + Twine(kMostLaunches));
    }
    return Error::success();
  }

private:
  Error readObject(const json::Object &object, std::vector<Launch> &launches) {
    if (const json::Value *repeat = object.get("repeat")) {
      const json::Array *body = object.getArray("launches");
      auto count = readTimes(*repeat);
      if (!count)
        return count.takeError();
      double times = *count;
      if (!body || times < 0)
        return fail("expects a repeat of launches");
      std::vector<Launch> once;
      if (Error error = readArray(*body, once))
        return error;
      if (once.size() * times > kMostLaunches)
        return fail("there are more than " + Twine(kMostLaunches));
      for (int64_t i = 0; i < times; ++i)
        llvm::append_range(launches, once);
      return Error::success();
    }
    auto kernel = object.getString("kernel");
    const json::Array *flops = object.getArray("flops");
    const json::Array *weights = object.getArray("weight_bytes");
    if (!kernel || !flops || !weights)
      return fail("expects a kernel with its flops and bytes of weights");
    auto work = readPolynomial(*flops);
    auto bytes = readPolynomial(*weights);
    if (!work || !bytes)
      return joinErrors(work.takeError(), bytes.takeError());
    launches.push_back({kernel->str(), *work, *bytes,
                        object.getBoolean("keep").value_or(false)});
    return Error::success();
  }

  Expected<double> readTimes(const json::Value &repeat) {
    if (auto times = repeat.getAsInteger())
      return *times;
    if (dims.size() != program.dim_count || !repeat.getAsArray())
      return fail("expects how often launches are repeated");
    auto polynomial = readPolynomial(*repeat.getAsArray());
    if (!polynomial)
      return polynomial.takeError();
    return evaluate(*polynomial, dims);
  }

  Expected<DimExpr> readPolynomial(const json::Array &terms) {
    std::optional<DimExpr> sum = DimExpr();
    for (const json::Value &value : terms) {
      const json::Array *term = value.getAsArray();
      auto coefficient =
          term && !term->empty() ? (*term)[0].getAsInteger() : std::nullopt;
      if (!coefficient)
        return fail("expects terms of a polynomial");
      std::optional<DimExpr> product = DimExpr::constant(*coefficient);
      for (const json::Value &name :
           ArrayRef(term->data(), term->size()).drop_front()) {
        auto symbol = symbolNamed(name.getAsString().value_or(""));
        if (!symbol)
          return symbol.takeError();
        product = product ? DimExpr::multiply(*product, *symbol) : product;
      }
      sum = sum && product ? DimExpr::add(*sum, *product) : std::nullopt;
    }
    if (!sum)
      return fail("a polynomial exceeds 64 bits");
    return *sum;
  }

  Expected<DimExpr> symbolNamed(StringRef name) {
    for (uint32_t i = 0; i < program.dim_count; ++i)
      if (name == program.dims[i].name)
        return DimExpr::symbol(i);
    return fail("there is no dimension '" + name + "'");
  }

  const attn_program &program;
  ArrayRef<int64_t> dims;
};

} // namespace

AttentionOp attn::tool::attentionOf(LaunchOp launch) {
  auto kernel = mlir::SymbolTable::lookupNearestSymbolFrom<mlir::func::FuncOp>(
      launch, launch.getKernelAttr());
  auto attentions = kernel.getBody().getOps<AttentionOp>();
  return attentions.empty() ? AttentionOp() : *attentions.begin();
}

Expected<json::Array> attn::tool::describeLaunches(mlir::func::FuncOp planned) {
  auto shapes = SymbolicShapes::compute(planned);
  if (mlir::failed(shapes))
    return fail("the launches have no sizes; the reasons are above");
  return describeBlock(planned.getBody().front(), *shapes);
}

Expected<std::vector<Launch>>
attn::tool::readLaunches(const attn_program &program, ArrayRef<int64_t> dims) {
  Expected<json::Value> root = json::parse(program.description);
  if (!root)
    return root.takeError();
  const json::Object *object = root->getAsObject();
  const json::Array *array = object ? object->getArray("launches") : nullptr;
  std::vector<Launch> launches;
  Error error = array ? LaunchReader(program, dims).readArray(*array, launches)
                      : fail("there is no list");
  if (error)
    return fail("the launches in the description of '" + Twine(program.name) +
                "': " + toString(std::move(error)));
  return launches;
}
