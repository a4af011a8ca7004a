// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weights of a model, in one file or several.

#include "frontend/weights/ModelWeights.h"

#include "frontend/weights/Json.h"
#include "frontend/weights/Message.h"
#include "frontend/weights/Safetensors.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <map>

using namespace llvm;

namespace attn::weights {

static constexpr StringRef singleName = "model.safetensors";
static constexpr StringRef indexName = "model.safetensors.index.json";
static constexpr uint64_t largestIndex = 100'000'000;

static std::string join(StringRef directory, const Twine &name) {
  SmallString<256> path(directory);
  sys::path::append(path, name);
  return path.str().str();
}

//===--- Shards -----------------------------------------------------------===//

// Tensor names by the shard that holds them, in a fixed order.
using ShardMap = std::map<std::string, std::vector<StringRef>>;

// True where `path` lies somewhere below `directory`, both resolved.
static bool isInside(StringRef path, StringRef directory) {
  return path.consume_front(directory) && path.starts_with("/");
}

// The Hugging Face cache keeps files in models--NAME/blobs and links to them
// from models--NAME/snapshots/REVISION.
static std::string blobsOfSnapshot(StringRef directory) {
  StringRef snapshots = sys::path::parent_path(directory);
  if (sys::path::filename(snapshots) != "snapshots")
    return "";
  return join(sys::path::parent_path(snapshots), "blobs");
}

static Expected<std::string> shardPath(StringRef index, StringRef shard) {
  auto outside = [&] {
    return fileError(index,
                     "expects shards inside its own directory, but got " +
                         quoted(shard));
  };
  if (shard.empty() || shard.contains('\0') || sys::path::is_absolute(shard) ||
      is_contained(make_range(sys::path::begin(shard), sys::path::end(shard)),
                   StringRef("..")))
    return outside();

  StringRef parent = sys::path::parent_path(index);
  StringRef directory = parent.empty() ? StringRef(".") : parent;
  std::string path = join(directory, shard);
  SmallString<256> realDirectory, realPath;
  if (std::error_code code = sys::fs::real_path(directory, realDirectory))
    return fileError(directory, code.message());
  if (std::error_code code = sys::fs::real_path(path, realPath))
    return fileError(index, "names shard " + quoted(shard) +
                                ", which cannot be opened: " + code.message());
  std::string blobs = blobsOfSnapshot(realDirectory);
  if (!isInside(realPath, realDirectory) &&
      (blobs.empty() || !isInside(realPath, blobs)))
    return outside();
  return path;
}

static Expected<ShardMap> readShardMap(const JsonDocument &index) {
  const json::Object *root = index.root.getAsObject();
  const json::Object *map = root ? root->getObject("weight_map") : nullptr;
  if (!map)
    return fileError(index.path, "expects an object with a 'weight_map'");
  ShardMap shards;
  for (const auto &[name, value] : *map) {
    auto shard = value.getAsString();
    if (!shard)
      return tensorError(index.path, name, "expects the name of a shard");
    shards[shard->str()].push_back(name);
  }
  for (auto &entry : shards)
    llvm::sort(entry.second);
  return shards;
}

// Adds all tensors of one shard, which must hold at least the promised ones.
static Error addShard(StringRef index, StringRef path,
                      ArrayRef<StringRef> promised, TensorTable &table) {
  auto shard = openSafetensors(path);
  if (!shard)
    return shard.takeError();
  for (StringRef name : promised)
    if (!shard->find(name))
      return tensorError(index, name,
                         "expects it in " + path + ", which does not hold it");
  std::shared_ptr<const MappedFile> file =
      shard->files().empty() ? nullptr : shard->files().front();
  for (StringRef name : shard->names())
    if (!table.insert(name, *shard->find(name), file))
      return tensorError(path, name,
                         "is also in " + table.fileOf(name) +
                             ", but expects one shard for each tensor");
  return Error::success();
}

Expected<TensorTable> openShardedWeights(StringRef indexPath) {
  auto index = readJson(indexPath, largestIndex);
  if (!index)
    return index.takeError();
  auto shards = readShardMap(*index);
  if (!shards)
    return shards.takeError();
  TensorTable table(indexPath);
  for (const auto &[shard, names] : *shards) {
    auto path = shardPath(indexPath, shard);
    if (!path)
      return path.takeError();
    if (Error error = addShard(indexPath, *path, names, table))
      return std::move(error);
  }
  return table;
}

//===--- Directories ------------------------------------------------------===//

// Says what to do where the weights are there in another format.
static Error noWeights(StringRef directory) {
  for (StringRef other : {"pytorch_model.bin", "pytorch_model.bin.index.json",
                          "tf_model.h5", "flax_model.msgpack", "model.onnx"})
    if (sys::fs::exists(join(directory, other)))
      return fileError(
          directory,
          "expects " + singleName + ", but got " + other +
              "; convert it with transformers: AutoModel.from_pretrained(DIR)"
              ".save_pretrained(NEW_DIR), the class being the one that "
              "config.json names");
  return fileError(directory,
                   "expects " + singleName + " or " + indexName + " in it");
}

// A dangling link is reported as what it is, not as a missing file.
static bool isPresent(StringRef path) {
  sys::fs::file_status status;
  return !sys::fs::status(path, status, /*follow=*/false);
}

bool hasModelWeights(StringRef directory) {
  return isPresent(join(directory, singleName)) ||
         isPresent(join(directory, indexName));
}

Expected<TensorTable> openModelWeights(StringRef directory) {
  if (!sys::fs::exists(directory))
    return fileError(directory, "expects a model directory, but there is none");
  if (!sys::fs::is_directory(directory))
    return fileError(directory, "expects a model directory, but got a file");
  if (std::string path = join(directory, singleName); isPresent(path))
    return openSafetensors(path);
  if (std::string path = join(directory, indexName); isPresent(path))
    return openShardedWeights(path);
  return noWeights(directory);
}

Expected<TensorTable> openWeights(StringRef path) {
  if (sys::fs::is_directory(path))
    return openModelWeights(path);
  if (path.ends_with(".index.json"))
    return openShardedWeights(path);
  return openSafetensors(path);
}

} // namespace attn::weights
