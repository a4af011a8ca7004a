// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inputs and outputs of a run, as users name them on a command line.

#include "frontend/weights/TensorFiles.h"

#include "frontend/weights/Message.h"
#include "frontend/weights/Npy.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace attn::weights {

namespace {
/// One item of a command line: a NumPy file where there is a name.
struct Item {
  StringRef name;
  StringRef file;
};
} // namespace

// `NAME=FILE.npy`; anything else is the path of a safetensors file, which may
// hold an equals sign of its own.
static Expected<Item> parseItem(StringRef text) {
  if (!text.ends_with(".npy"))
    return Item{"", text};
  auto [name, file] = text.split('=');
  if (name.empty() || file.empty())
    return createStringError("expects FILE.safetensors or NAME=FILE.npy, but "
                             "got " +
                             quoted(text));
  return Item{name, file};
}

static Error addItem(StringRef text, TensorTable &table) {
  auto item = parseItem(text);
  if (!item)
    return item.takeError();
  auto add = [&](StringRef name, const Tensor &tensor,
                 std::shared_ptr<const MappedFile> file) {
    return table.insert(name, tensor, std::move(file))
               ? Error::success()
               : tensorError(item->file, name, "is given twice");
  };
  if (!item->name.empty()) {
    auto tensor = readNpy(item->file);
    return tensor ? add(item->name, *tensor, nullptr) : tensor.takeError();
  }
  auto file = openSafetensors(item->file);
  if (!file)
    return file.takeError();
  for (StringRef name : file->names())
    if (Error error = add(name, *file->find(name), file->files().front()))
      return error;
  return Error::success();
}

Expected<TensorTable> readTensorFiles(ArrayRef<std::string> items) {
  TensorTable table(items.size() == 1 ? StringRef(items.front()) : "inputs");
  for (StringRef item : items)
    if (Error error = addItem(item, table))
      return std::move(error);
  return table;
}

Error writeTensorFiles(ArrayRef<std::string> items,
                       ArrayRef<NamedTensor> tensors) {
  auto named = [&](StringRef name) {
    return find_if(tensors,
                   [&](const NamedTensor &item) { return item.name == name; });
  };
  std::vector<Item> parsed;
  for (StringRef text : items) {
    auto item = parseItem(text);
    if (!item)
      return item.takeError();
    if (!item->name.empty() && named(item->name) == tensors.end())
      return tensorError(item->file, item->name,
                         "expects the name of an output");
    parsed.push_back(*item);
  }
  for (const Item &item : parsed)
    if (Error error = item.name.empty()
                          ? writeSafetensors(item.file, tensors)
                          : writeNpy(item.file, named(item.name)->tensor))
      return error;
  return Error::success();
}

} // namespace attn::weights
