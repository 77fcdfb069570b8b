// The writers of formats that hold vectors only: their bytes, what they refuse, and that readers
// read what they wrote.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "byte_sink.h"
#include "file_format.h"
#include "format_error.h"
#include "idx_format.h"
#include "vecs_format.h"
#include "word_format.h"

using namespace quern::shell;

namespace {

struct Row {
    std::string key;
    std::vector<float> vector;
};

std::string TempPath() {
    static int count = 0;
    return (std::filesystem::temp_directory_path() /
            ("quern-writers-test-" + std::to_string(std::rand()) + "-" + std::to_string(count++)))
        .string();
}

// What the writer makes of the rows; its error starts with "error: ".
template <typename Make>
std::string Written(Make make, const std::vector<Row>& rows) {
    const std::string path = TempPath();
    std::string bytes;
    try {
        const std::unique_ptr<RecordWriter> writer = make(ByteSink::Open(path, false));
        for (const Row& row : rows) {
            Record record;
            record.key = row.key;
            record.has_vector = true;
            record.vector = row.vector;
            writer->Write(record);
        }
        writer->Finish();
        std::ifstream in(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    } catch (const FormatError& error) {
        bytes = std::string("error: ") + error.what();
    }
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    return bytes;
}

std::vector<Row> ReadBack(const std::string& bytes, FileFormat format) {
    const auto reader =
        NewRecordReader(ByteSource::FromMemory(bytes.data(), bytes.size(), "test"), format);
    std::vector<Row> rows;
    Record record;
    while (reader->Next(&record)) {
        rows.push_back({record.key, record.vector});
    }
    return rows;
}

bool Mentions(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("bvecs and ivecs are written", "[cli]") {
    const auto bvecs = [](auto sink) { return NewVecsWriter(std::move(sink), VecsElement::kU8); };
    const auto ivecs = [](auto sink) { return NewVecsWriter(std::move(sink), VecsElement::kI32); };
    CHECK(Written(bvecs, {{"a", {0, 127, 255}}}) == std::string("\x03\x00\x00\x00\x00\x7f\xff", 7));
    const std::vector<float> whole = {-2147483648.0f, -1, 0, 16777216, 2147483520.0f};
    const auto back = ReadBack(Written(ivecs, {{"a", whole}, {"b", whole}}), FileFormat::kIvecs);
    REQUIRE(back.size() == 2);
    CHECK(back[1].vector == whole);

    CHECK(Mentions(Written(bvecs, {{"a", {1}}, {"k", {0, 256}}}),
                   "the record 'k': element 1 (256) is not a whole number from 0 to 255"));
    CHECK(Mentions(Written(bvecs, {{"k", {-1}}}), "(-1)"));
    CHECK(Mentions(Written(bvecs, {{"k", {0.5f}}}), "(0.5)"));
    CHECK(Mentions(Written(ivecs, {{"k", {0.5f}}}), "ivecs"));
    CHECK(Mentions(Written(ivecs, {{"k", {2147483648.0f}}}), "ivecs"));
}

TEST_CASE("idx is written", "[cli]") {
    const auto idx = [](IdxElement element, uint64_t rows) {
        return [=](auto sink) { return NewIdxWriter(std::move(sink), element, rows, 2); };
    };
    const std::string bytes = Written(idx(IdxElement::kU8, 2), {{"a", {1, 2}}, {"b", {3, 255}}});
    CHECK(bytes ==
          std::string("\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x02\x01\x02\x03\xff", 16));
    CHECK(ReadBack(bytes, FileFormat::kIdx).at(1).vector == std::vector<float>{3, 255});
    const std::vector<float> reals = {-0.1f, 1e30f};
    CHECK(ReadBack(Written(idx(IdxElement::kF32, 1), {{"a", reals}}), FileFormat::kIdx)
              .at(0)
              .vector == reals);
    CHECK(Mentions(Written(idx(IdxElement::kU8, 1), {{"k", reals}}), "'k'"));
    CHECK(Mentions(Written(idx(IdxElement::kF32, 2), {{"a", reals}}), "less than the header"));
    CHECK(Mentions(Written(idx(IdxElement::kF32, 0), {{"a", reals}}), "more rows"));
    CHECK(Mentions(Written(idx(IdxElement::kF32, 1ull << 32), {}), "4294967296"));
}

TEST_CASE("word vectors are written", "[cli]") {
    const WordHeader header{3, 2};
    const auto word2vec = [&](auto sink) { return NewWordWriter(std::move(sink), &header); };
    const auto glove = [](auto sink) { return NewWordWriter(std::move(sink), nullptr); };
    const std::vector<Row> rows = {
        {". . .", {0.1f, -1e-30f}}, {"5", {1, 2}}, {" \xc3\xa9", {3, 4}}};
    CHECK(Written(word2vec, rows) == "3 2\n. . . 0.1 -1e-30\n5 1 2\n \xc3\xa9 3 4\n");
    const auto back = ReadBack(Written(word2vec, rows), FileFormat::kWords);
    REQUIRE(back.size() == rows.size());
    for (size_t i = 0; i < rows.size(); i++) {
        CHECK(back[i].key == rows[i].key);
        CHECK(back[i].vector == rows[i].vector);
    }
    CHECK(Written(glove, {{"a", {1}}, {"b c", {2}}}) == "a 1\nb c 2\n");

    CHECK(Mentions(Written(word2vec, {{"a\nb", {1, 2}}}), "line end"));
    CHECK(Mentions(Written(word2vec, {{"a ", {1, 2}}}), "blank"));
    // These would be read back as something else.
    CHECK(Mentions(Written(glove, {{"a b", {1, 2}}}), "without a header"));
    CHECK(Mentions(Written(glove, {{"12", {5}}}), "without a header"));
}
