// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluates, converts and lays out parameters.

#include "codegen/package/PackParameters.h"

#include "codegen/package/WeightView.h"
#include "codegen/reference/Evaluator.h"
#include "passes/plan/ParameterStorage.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace attn;
using namespace attn::package;

namespace {

/// Far more than tables of positions need.
constexpr uint64_t maxConstants = uint64_t(1) << 28;

llvm::Error fail(const Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Reads rows [begin, begin + rows.size() / K) of a matrix as float.
using RowReader =
    llvm::function_ref<void(uint64_t begin, MutableArrayRef<float>)>;
using Writer = llvm::function_ref<llvm::Error(ArrayRef<char>)>;

ArrayRef<char> bytesOf(ArrayRef<float> values) {
  return {reinterpret_cast<const char *>(values.data()),
          values.size() * sizeof(float)};
}

/// Writes a panel as its layout stores it. bf16 is the upper half of an f32
/// whose lower half is 0.
llvm::Error writePanel(PanelsAttr layout, ArrayRef<float> panel, Writer write) {
  if (!layout.getStored())
    return write(bytesOf(panel));
  std::vector<uint16_t> words(panel.size());
  uint32_t lost = 0;
  for (auto [word, value] : llvm::zip_equal(words, panel)) {
    uint32_t bits = llvm::bit_cast<uint32_t>(value);
    word = bits >> 16;
    lost |= bits & 0xffff;
  }
  if (lost)
    return fail("a value that bf16 does not hold is stored as bf16");
  return write({reinterpret_cast<const char *>(words.data()),
                words.size() * sizeof(uint16_t)});
}

/// Stores [N, K] as [ceil(N / width)][K][width], zeros beyond N.
llvm::Error writePanels(int64_t n, int64_t k, PanelsAttr layout, RowReader read,
                        Writer write) {
  int64_t width = layout.getWidth();
  std::vector<float> rows(width * k), panel(width * k);
  for (int64_t first = 0; first < n; first += width) {
    int64_t count = std::min(width, n - first);
    read(first * k, MutableArrayRef(rows).take_front(count * k));
    std::fill(rows.begin() + count * k, rows.end(), 0.0f);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t r = 0; r < width; ++r)
        panel[i * width + r] = rows[r * k + i];
    if (llvm::Error error = writePanel(layout, panel, write))
      return error;
  }
  return llvm::Error::success();
}

/// The same for a matrix whose columns are rows of the file: several panels at
/// once, so that each visit of a row reads a run of it.
llvm::Error writeTurnedPanels(const WeightView &view, PanelsAttr layout,
                              Writer write) {
  int64_t width = layout.getWidth();
  int64_t n = view.sizes[0], k = view.sizes[1], run = 8 * width;
  std::vector<float> columns(run * k), panel(width * k);
  for (int64_t first = 0; first < n; first += run) {
    int64_t count = std::min(run, n - first);
    std::fill(columns.begin(), columns.end(), 0.0f);
    for (int64_t i = 0; i < k; ++i)
      weights::readAsF32(*view.tensor, view.start + first + i * view.strides[1],
                         MutableArrayRef(columns).slice(i * run, count));
    for (int64_t p = 0; p < count; p += width) {
      for (int64_t i = 0; i < k; ++i)
        std::copy_n(&columns[i * run + p], width, &panel[i * width]);
      if (llvm::Error error = writePanel(layout, panel, write))
        return error;
    }
  }
  return llvm::Error::success();
}

llvm::Error writeRowMajor(uint64_t elements, RowReader read, Writer write) {
  constexpr uint64_t piece = 1 << 16;
  std::vector<float> buffer(std::min(elements, piece));
  for (uint64_t begin = 0; begin < elements; begin += piece) {
    auto part =
        MutableArrayRef(buffer).take_front(std::min(piece, elements - begin));
    read(begin, part);
    if (llvm::Error error = write(bytesOf(part)))
      return error;
  }
  return llvm::Error::success();
}

/// Writes float elements in the parameter's layout.
llvm::Error writeFloats(ParameterOp parameter, RowReader read, Writer write) {
  auto type = cast<RankedTensorType>(parameter.getType());
  if (auto panels = dyn_cast_or_null<PanelsAttr>(parameter.getLayoutAttr()))
    return writePanels(type.getDimSize(0), type.getDimSize(1), panels, read,
                       write);
  return writeRowMajor(type.getNumElements(), read, write);
}

class Packer {
public:
  Packer(const weights::TensorTable &weights, Writer write)
      : weights(weights), write(write) {}

  llvm::Error pack(ParameterOp parameter) {
    Value value = parameter.getBody().front().getTerminator()->getOperand(0);
    auto type = cast<RankedTensorType>(value.getType());
    if (!type.getElementType().isF32())
      return packExpression(parameter);
    auto view = viewOf(value, weights);
    if (!view)
      return view.takeError();
    return *view ? packView(parameter, **view) : packExpression(parameter);
  }

private:
  llvm::Error packView(ParameterOp parameter, const WeightView &view) {
    auto panels = dyn_cast_or_null<PanelsAttr>(parameter.getLayoutAttr());
    if (panels && view.isTurned())
      return writeTurnedPanels(view, panels, write);
    return writeFloats(
        parameter,
        [&](uint64_t begin, MutableArrayRef<float> out) {
          view.read(begin, out);
        },
        write);
  }

  llvm::Error packExpression(ParameterOp parameter) {
    auto lookup = [&](StringRef name, RankedTensorType expected)
        -> llvm::Expected<reference::Array> { return read(name, expected); };
    FailureOr<reference::Array> value =
        reference::evaluateParameter(parameter, lookup);
    if (failed(value))
      return fail("parameter '" + parameter.getSymName() +
                  "' cannot be computed");
    if (!value->isFloat()) {
      ArrayRef<int64_t> integers = value->integers();
      return write({reinterpret_cast<const char *>(integers.data()),
                    integers.size() * sizeof(int64_t)});
    }
    ArrayRef<double> values = value->floats();
    return writeFloats(
        parameter,
        [&](uint64_t begin, MutableArrayRef<float> out) {
          for (size_t i = 0; i < out.size(); ++i)
            out[i] = static_cast<float>(values[begin + i]);
        },
        write);
  }

  llvm::Expected<reference::Array> read(StringRef name,
                                        RankedTensorType expected) {
    const weights::Tensor *tensor = weights.find(name);
    if (!tensor)
      return fail("tensor '" + name + "' is missing");
    if (ArrayRef<int64_t>(tensor->shape) != expected.getShape())
      return fail("tensor '" + name + "' has another shape");
    std::vector<double> values(tensor->elements());
    weights::readAsF64(*tensor, 0, values);
    return reference::Array::ofFloats(expected.getShape(), std::move(values));
  }

  const weights::TensorTable &weights;
  Writer write;
};

} // namespace

llvm::Expected<std::vector<WeightsEntry>>
attn::package::describeParameters(ModuleOp module) {
  std::vector<WeightsEntry> entries;
  for (auto parameter : module.getOps<ParameterOp>()) {
    auto type = cast<RankedTensorType>(parameter.getType());
    FailureOr<int64_t> bytes = storageBytes(parameter);
    auto offset = parameter->getAttrOfType<IntegerAttr>(kOffsetAttr);
    bool isFloat = type.getElementType().isF32();
    if (failed(bytes) || !offset ||
        !(isFloat || type.getElementType().isInteger(64)))
      return fail("parameter '" + parameter.getSymName() +
                  "' has no place or type in a weights file");
    WeightsEntry entry;
    entry.name = parameter.getSymName().str();
    entry.layout = "row-major";
    if (auto panels = dyn_cast_or_null<PanelsAttr>(parameter.getLayoutAttr()))
      entry.layout = "panels<" + std::to_string(panels.getWidth()) +
                     (panels.getStored() ? ", bf16>" : ">");
    entry.dtype = isFloat ? ATTN_F32 : ATTN_I64;
    entry.shape.assign(type.getShape().begin(), type.getShape().end());
    entry.bytes = *bytes;
    entry.offset = offset.getInt();
    entries.push_back(std::move(entry));
  }
  return entries;
}

llvm::Expected<std::string> attn::package::packConstants(ModuleOp module) {
  std::string data;
  bool readsWeights =
      module.walk([](WeightOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  if (readsWeights)
    return data;
  auto entries = describeParameters(module);
  if (!entries)
    return entries.takeError();
  for (const WeightsEntry &entry : *entries)
    if (entry.bytes > maxConstants || entry.offset > maxConstants)
      return fail("constants of more than " + Twine(maxConstants) +
                  " bytes do not fit into a library");
  weights::TensorTable none("");
  auto append = [&](ArrayRef<char> bytes) {
    data.append(bytes.begin(), bytes.end());
    return llvm::Error::success();
  };
  Packer packer(none, append);
  for (auto [parameter, entry] :
       llvm::zip_equal(module.getOps<ParameterOp>(), *entries)) {
    data.resize(entry.offset);
    if (llvm::Error error = packer.pack(parameter))
      return std::move(error);
  }
  return data;
}

llvm::Error attn::package::writeParameters(
    ModuleOp module, const weights::TensorTable &weights, StringRef path,
    const BuildId &buildId, llvm::function_ref<void(uint64_t)> onProgress) {
  auto entries = describeParameters(module);
  if (!entries)
    return entries.takeError();
  auto writer = WeightsFileWriter::create(path, buildId, std::move(*entries));
  if (!writer)
    return writer.takeError();
  uint64_t written = 0;
  auto append = [&](ArrayRef<char> bytes) {
    written += bytes.size();
    onProgress(written);
    return (*writer)->append(bytes);
  };
  Packer packer(weights, append);
  for (auto parameter : module.getOps<ParameterOp>())
    if (llvm::Error error = packer.pack(parameter))
      return error;
  return (*writer)->finish();
}
