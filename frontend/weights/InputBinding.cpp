// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of files become the inputs of a model.

#include "frontend/weights/InputBinding.h"

#include "frontend/weights/Message.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace attn::weights {

namespace {
/// Binds one input after the other and collects what is wrong with them.
class Binder {
public:
  Binder(ArrayRef<DynamicDim> dims, const TensorTable &table)
      : dims(dims), table(table), setBy(dims.size()) {
    bound.dims.assign(dims.size(), -1);
  }

  void bind(const InputSpec &input);
  void refuseUnused(ArrayRef<InputSpec> inputs);
  Expected<BoundInputs> finish();

private:
  bool bindShape(const InputSpec &input, ArrayRef<int64_t> shape);
  bool bindDim(const InputSpec &input, size_t dim, int64_t size);
  std::string expectedShape(const InputSpec &input) const;
  void fault(StringRef name, const Twine &message) {
    faults += ("\n  tensor " + quoted(name) + ": " + message).str();
  }

  ArrayRef<DynamicDim> dims;
  const TensorTable &table;
  std::vector<StringRef> setBy; ///< The input that fixed each dimension.
  std::string faults;
  BoundInputs bound;
};
} // namespace

static bool converts(DataType from, DataType to) {
  if (to == DataType::F32)
    return isFloatingPoint(from);
  return !isFloatingPoint(from) && from != DataType::U64;
}

// Shares the tensor's memory where it already is what is wanted.
static Tensor convert(const Tensor &tensor, DataType type) {
  bool aligned = reinterpret_cast<uintptr_t>(tensor.bytes.data()) %
                     bytesPerElement(type) ==
                 0;
  if (tensor.type == type && aligned)
    return tensor;
  if (type == DataType::F32) {
    std::vector<float> values(tensor.elements());
    readAsF32(tensor, 0, values);
    return Tensor::fromF32(tensor.shape, values);
  }
  std::vector<int64_t> values(tensor.elements());
  readAsI64(tensor, 0, values);
  return Tensor::fromI64(tensor.shape, values);
}

// `[batch, 3, 32, 32]`
std::string Binder::expectedShape(const InputSpec &input) const {
  std::string text = "[";
  for (auto [i, size] : enumerate(input.shape))
    text += (i ? ", " : "") +
            (size >= 0 ? std::to_string(size) : dims[-1 - size].name);
  return text + "]";
}

bool Binder::bindDim(const InputSpec &input, size_t dim, int64_t size) {
  const DynamicDim &spec = dims[dim];
  if (size < spec.min || size > spec.max) {
    fault(input.name, "expects " + spec.name + " from " + Twine(spec.min) +
                          " to " + Twine(spec.max) + ", but got " +
                          Twine(size));
    return false;
  }
  if (bound.dims[dim] >= 0 && bound.dims[dim] != size) {
    fault(input.name, "expects " + spec.name + " to be " +
                          Twine(bound.dims[dim]) + " as in " +
                          quoted(setBy[dim]) + ", but got " + Twine(size));
    return false;
  }
  bound.dims[dim] = size;
  setBy[dim] = input.name;
  return true;
}

bool Binder::bindShape(const InputSpec &input, ArrayRef<int64_t> shape) {
  bool fits = shape.size() == input.shape.size() &&
              all_of(zip_equal(shape, input.shape), [](auto sizes) {
                auto [got, expected] = sizes;
                return expected < 0 || got == expected;
              });
  if (!fits) {
    fault(input.name,
          "expects " + expectedShape(input) + ", but got " + shapeText(shape));
    return false;
  }
  for (auto [got, expected] : zip_equal(shape, input.shape))
    if (expected < 0 && !bindDim(input, -1 - expected, got))
      return false;
  return true;
}

void Binder::bind(const InputSpec &input) {
  const Tensor *tensor = table.find(input.name);
  if (!tensor)
    return fault(input.name, "expects " + nameOf(input.type) + " " +
                                 expectedShape(input) + ", but it is missing");
  if (!converts(tensor->type, input.type))
    return fault(input.name, "expects " + nameOf(input.type) +
                                 (input.type == DataType::F32
                                      ? " or other floating point numbers"
                                      : " or other integers") +
                                 ", but got " + nameOf(tensor->type));
  if (bindShape(input, tensor->shape))
    bound.tensors.push_back(convert(*tensor, input.type));
}

void Binder::refuseUnused(ArrayRef<InputSpec> inputs) {
  for (StringRef name : table.names())
    if (none_of(inputs, [&](const InputSpec &i) { return i.name == name; }))
      fault(name, "is no input of the model");
}

Expected<BoundInputs> Binder::finish() {
  if (!faults.empty())
    return fileError(table.origin(),
                     "expects the inputs of the model, but some differ" +
                         faults);
  return std::move(bound);
}

Expected<BoundInputs> bindInputs(ArrayRef<InputSpec> inputs,
                                 ArrayRef<DynamicDim> dims,
                                 const TensorTable &table) {
  Binder binder(dims, table);
  for (const InputSpec &input : inputs)
    binder.bind(input);
  binder.refuseUnused(inputs);
  return binder.finish();
}

} // namespace attn::weights
