// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weights file: what is written is read again, damage is told.

#include "codegen/package/WeightsFile.h"
#include "runtime/WeightsFormat.h"
#include "test/codegen/package/Temporary.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CRC.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cstring>

using namespace attn::package;
using attn::test::TemporaryFolder;
using testing::HasSubstr;

namespace {

const BuildId kBuildId = {1, 2,  3,  4,  5,  6,  7,  8,
                          9, 10, 11, 12, 13, 14, 15, 16};

std::vector<WeightsEntry> twoEntries() {
  std::vector<WeightsEntry> entries(2);
  entries[0] = {"query.weight", "panels<16>", ATTN_F32, {3, 2}, 128};
  entries[1] = {"ids", "row-major", ATTN_I64, {5}, 40};
  return entries;
}

std::string pattern(size_t count, char first) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i)
    bytes[i] = char(first + i * 7);
  return bytes;
}

llvm::ArrayRef<char> chars(llvm::StringRef text) {
  return {text.data(), text.size()};
}

void writeTwoEntries(llvm::StringRef path, size_t pieceBytes) {
  auto entries = twoEntries();
  ASSERT_TRUE(bool(assignOffsets(entries)));
  auto writer = WeightsFileWriter::create(path, kBuildId, entries);
  ASSERT_TRUE(bool(writer)) << llvm::toString(writer.takeError());
  for (std::string bytes : {pattern(128, 1), pattern(40, 99)})
    for (size_t i = 0; i < bytes.size(); i += pieceBytes)
      ASSERT_FALSE(bool((*writer)->append(
          chars(llvm::StringRef(bytes).substr(i, pieceBytes)))));
  ASSERT_FALSE(bool((*writer)->finish()));
}

/// The bytes of a good file.
std::string goodFile() {
  TemporaryFolder folder;
  writeTwoEntries(folder.path("w"), 1000);
  return attn::test::readFile(folder.path("w"));
}

/// Makes header and table agree with their checksum again.
void seal(std::string &file) {
  attn_weights_header header;
  std::memcpy(&header, file.data(), sizeof(header));
  header.header_crc = 0;
  std::memcpy(file.data(), &header, sizeof(header));
  header.header_crc = llvm::crc32(llvm::arrayRefFromStringRef(
      llvm::StringRef(file).take_front(sizeof(header) + header.table_bytes)));
  std::memcpy(file.data(), &header, sizeof(header));
}

std::string parseError(llvm::StringRef bytes) {
  auto file = WeightsFile::parse(llvm::MemoryBufferRef(bytes, "w"));
  return file ? "no error" : llvm::toString(file.takeError());
}

/// The good file after `change` of its first table record, sealed.
std::string
errorOfRecord(llvm::function_ref<void(attn_weights_entry &)> change) {
  std::string file = goodFile();
  attn_weights_entry record;
  char *place = file.data() + sizeof(attn_weights_header);
  std::memcpy(&record, place, sizeof(record));
  change(record);
  std::memcpy(place, &record, sizeof(record));
  seal(file);
  return parseError(file);
}

TEST(WeightsFile, ReadsWhatWasWritten) {
  TemporaryFolder folder;
  writeTwoEntries(folder.path("w"), 1000);
  auto file = WeightsFile::open(folder.path("w"));
  ASSERT_TRUE(bool(file)) << llvm::toString(file.takeError());
  EXPECT_EQ(file->buildId(), kBuildId);
  EXPECT_EQ(file->abi(), unsigned(ATTN_ABI_VERSION));
  ASSERT_EQ(file->entries().size(), 2u);
  const WeightsEntry &query = file->entries()[0], &ids = file->entries()[1];
  EXPECT_EQ(query.name, "query.weight");
  EXPECT_EQ(query.layout, "panels<16>");
  EXPECT_EQ(query.shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(ids.dtype, ATTN_I64);
  EXPECT_EQ(ids.offset, 128u);
  EXPECT_EQ(file->data().substr(0, 128), pattern(128, 1));
  EXPECT_EQ(file->data().substr(128, 40), pattern(40, 99));
  EXPECT_EQ(file->data().substr(168), std::string(24, '\0'));
  EXPECT_FALSE(bool(file->check()));
}

TEST(WeightsFile, DataBeginsAtAPageAndEntriesAtAlignedOffsets) {
  std::string bytes = goodFile();
  attn_weights_header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  EXPECT_EQ(header.data_offset % ATTN_WEIGHTS_PAGE, 0u);
  EXPECT_EQ(header.data_offset + header.data_bytes, bytes.size());
  auto file = WeightsFile::parse(llvm::MemoryBufferRef(bytes, "w"));
  ASSERT_TRUE(bool(file));
  for (const WeightsEntry &entry : file->entries())
    EXPECT_EQ(entry.offset % ATTN_WEIGHTS_ALIGNMENT, 0u);
}

TEST(WeightsFile, BytesDoNotDependOnThePieces) {
  TemporaryFolder folder;
  writeTwoEntries(folder.path("a"), 1);
  writeTwoEntries(folder.path("b"), 33);
  EXPECT_EQ(attn::test::readFile(folder.path("a")),
            attn::test::readFile(folder.path("b")));
  EXPECT_EQ(attn::test::readFile(folder.path("a")), goodFile());
}

TEST(WeightsFile, EmptyEntriesTakeNoSpace) {
  TemporaryFolder folder;
  std::vector<WeightsEntry> entries(3);
  entries[0] = {"none", "row-major", ATTN_F32, {0}, 0};
  entries[1] = {"one", "row-major", ATTN_F32, {}, 4};
  entries[2] = {"none too", "row-major", ATTN_F32, {0}, 0};
  ASSERT_EQ(llvm::cantFail(assignOffsets(entries)), 64u);
  auto writer = llvm::cantFail(
      WeightsFileWriter::create(folder.path("w"), kBuildId, entries));
  ASSERT_FALSE(bool(writer->append(chars("abcd"))));
  ASSERT_FALSE(bool(writer->finish()));
  auto file = llvm::cantFail(WeightsFile::open(folder.path("w")));
  EXPECT_EQ(file.entries()[1].bytes, 4u);
  EXPECT_FALSE(bool(file.check()));
}

TEST(WeightsFile, AFileThatIsNotFinishedNeverAppears) {
  TemporaryFolder folder;
  {
    auto entries = twoEntries();
    llvm::cantFail(assignOffsets(entries));
    auto writer = llvm::cantFail(
        WeightsFileWriter::create(folder.path("w"), kBuildId, entries));
    ASSERT_FALSE(bool(writer->append(chars(pattern(100, 1)))));
    EXPECT_THAT(llvm::toString(writer->finish()),
                HasSubstr("entry 'query.weight': 28 of 128 bytes are missing"));
  }
  EXPECT_EQ(folder.fileCount(), 0u);
}

TEST(WeightsFile, PiecesMayNotCrossEntries) {
  TemporaryFolder folder;
  auto entries = twoEntries();
  llvm::cantFail(assignOffsets(entries));
  auto writer = llvm::cantFail(
      WeightsFileWriter::create(folder.path("w"), kBuildId, entries));
  EXPECT_THAT(llvm::toString(writer->append(chars(pattern(129, 1)))),
              HasSubstr("expects 128 more bytes, but got 129"));
}

TEST(WeightsFile, AFolderThatIsMissingIsAnError) {
  auto writer = WeightsFileWriter::create("/nonexistent/w", kBuildId, {});
  ASSERT_FALSE(bool(writer));
  EXPECT_THAT(llvm::toString(writer.takeError()),
              HasSubstr("/nonexistent/w: cannot create"));
}

TEST(WeightsFile, TooManyBytesAreAnError) {
  std::vector<WeightsEntry> entries(2);
  entries[0].bytes = UINT64_MAX - 10;
  entries[1].bytes = 100;
  auto bytes = assignOffsets(entries);
  ASSERT_FALSE(bool(bytes));
  EXPECT_THAT(llvm::toString(bytes.takeError()), HasSubstr("exceed"));
}

TEST(WeightsFile, EveryTruncationIsTold) {
  std::string file = goodFile();
  for (size_t size = 0; size < file.size(); ++size)
    ASSERT_NE(parseError(llvm::StringRef(file).take_front(size)), "no error")
        << size;
}

TEST(WeightsFile, EveryDamagedBitOfHeaderAndTableIsTold) {
  std::string file = goodFile();
  attn_weights_header header;
  std::memcpy(&header, file.data(), sizeof(header));
  for (size_t bit = 0; bit < 8 * (sizeof(header) + header.table_bytes); ++bit) {
    file[bit / 8] ^= char(1 << (bit % 8));
    ASSERT_NE(parseError(file), "no error") << "bit " << bit;
    file[bit / 8] ^= char(1 << (bit % 8));
  }
  EXPECT_EQ(parseError(file), "no error");
}

TEST(WeightsFile, DamagedWeightsAreToldByCheckOnly) {
  std::string bytes = goodFile();
  bytes[bytes.size() - 64] ^= 1;
  auto file = WeightsFile::parse(llvm::MemoryBufferRef(bytes, "w"));
  ASSERT_TRUE(bool(file));
  EXPECT_THAT(llvm::toString(file->check()),
              HasSubstr("w: entry 'ids' is damaged"));
}

TEST(WeightsFile, SealedNonsenseIsTold) {
  EXPECT_THAT(errorOfRecord([](auto &record) { record.bytes = 1000; }),
              HasSubstr("lie outside the data"));
  EXPECT_THAT(errorOfRecord([](auto &record) { record.offset = 1; }),
              HasSubstr("multiple of 64"));
  EXPECT_THAT(errorOfRecord([](auto &record) { record.bytes = 192; }),
              HasSubstr("entry 1: overlaps"));
  EXPECT_THAT(errorOfRecord([](auto &record) { record.rank = 0xffffffff; }),
              HasSubstr("entry 0: table ends early"));
  EXPECT_THAT(errorOfRecord([](auto &record) { record.name_bytes = 4000; }),
              HasSubstr("entry 0: table ends early"));
  EXPECT_THAT(errorOfRecord([](auto &record) { record.dtype = 9; }),
              HasSubstr("unknown element type 9"));
  EXPECT_THAT(errorOfRecord([](auto &record) { record.reserved = 9; }),
              HasSubstr("reserved"));
  EXPECT_EQ(errorOfRecord([](auto &) {}), "no error");
}

} // namespace
