// Bad lines and rows of an import: their order, their bounds, and what readers do behind a last row
// that is cut short.
#include <catch2/catch.hpp>

#include "bad_lines.h"
#include "file_format.h"
#include "type_inference.h"

using namespace quern::shell;

namespace {

std::unique_ptr<RecordReader> Reader(const std::string& bytes, FileFormat format) {
    return NewRecordReader(ByteSource::FromMemory(bytes.data(), bytes.size(), "test"), format);
}

FormatError BadAt(uint64_t line) {
    return FormatError("line " + std::to_string(line), true, line);
}

}  // namespace

TEST_CASE("bad lines are named in the order of the file", "[cli]") {
    BadLines bad;
    // Lines 1 and 4 cannot be read; 2, 3 and 5 are records, of which 3 does not fit.
    bad.Hold(BadAt(1), 0);
    bad.Hold(BadAt(4), 2);
    bad.Release(0);
    CHECK(bad.count() == 1);
    bad.Release(1);
    bad.Add(BadAt(3));
    bad.Release(2);
    CHECK(bad.count() == 3);
    REQUIRE(bad.first().size() == 3);
    for (size_t i = 0; i < 3; i++) {
        const uint64_t lines[] = {1, 3, 4};
        CHECK(bad.first()[i].line == lines[i]);
        CHECK(bad.first()[i].message == "line " + std::to_string(lines[i]));
    }
}

TEST_CASE("any number of bad lines is counted, few are kept", "[cli]") {
    BadLines bad;
    for (uint64_t line = 1; line <= 1000; line++) {
        bad.Hold(BadAt(line), 0);
    }
    bad.Release(UINT64_MAX);
    bad.Add(BadAt(1001));
    CHECK(bad.count() == 1001);
    REQUIRE(bad.first().size() == BadLines::kKept);
    CHECK(bad.first().back().line == BadLines::kKept);
}

TEST_CASE("a last row cut short is one bad row, and the end", "[cli]") {
    const std::string row("\x01\x00\x00\x00\x00\x00\x80\x3f", 8);
    std::string npy = std::string("\x93NUMPY\x01\x00\x40\x00", 10) +
                      "{'descr': '<f4', 'fortran_order': False, 'shape': (99, 1), }";
    npy.resize(10 + 64, ' ');
    const std::string idx("\x00\x00\x0d\x02\x00\x00\x00\x63\x00\x00\x00\x01", 12);
    const struct {
        FileFormat format;
        std::string bytes;
    } cases[] = {
        {FileFormat::kFvecs, row + row.substr(0, 7)},
        {FileFormat::kFvecs, row + row.substr(0, 3)},
        {FileFormat::kNpy, npy + row.substr(4) + "\x01"},
        {FileFormat::kIdx, idx + row.substr(4) + "\x01"},
    };
    for (const auto& one : cases) {
        INFO(NameOfFormat(one.format));
        const auto reader = Reader(one.bytes, one.format);
        Record record;
        REQUIRE(reader->Next(&record));
        try {
            reader->Next(&record);
            FAIL("no error");
        } catch (const FormatError& error) {
            CHECK(error.recoverable());
            CHECK(error.line() == 0);
        }
        CHECK_FALSE(reader->Next(&record));
    }
}

TEST_CASE("errors of text formats tell their line", "[cli]") {
    const struct {
        FileFormat format;
        const char* text;
    } cases[] = {
        {FileFormat::kJsonl, "{\"a\":1}\n{\n{}\n"},
        {FileFormat::kCsv, "a,b\n1\n1,2\n"},
        {FileFormat::kWords, "2 2\none\nb 1 2\n"},
    };
    for (const auto& one : cases) {
        INFO(NameOfFormat(one.format));
        const std::string text = one.text;
        const auto reader = Reader(text, one.format);
        Record record;
        uint64_t line = 0;
        for (bool more = true; more;) {
            try {
                more = reader->Next(&record);
            } catch (const FormatError& error) {
                CHECK(error.recoverable());
                line = error.line();
            }
        }
        CHECK(line == 2);
    }
}

TEST_CASE("the most frequent dimension is a vector's", "[cli]") {
    const auto dim_of = [](const std::string& text) {
        const auto reader = Reader(text, FileFormat::kJsonl);
        TypeInference inference;
        Record record;
        while (reader->Next(&record)) {
            inference.Add(record);
        }
        return inference.Columns().at(0).vector_dim;
    };
    CHECK(dim_of("{\"v\":[1,2]}\n{\"v\":[1,2,3]}\n") == 2);
    CHECK(dim_of("{\"v\":[1]}\n{\"v\":[1,2,3]}\n{\"v\":null}\n{\"v\":\"x\"}\n{\"v\":[1,2,4]}\n") ==
          3);
    CHECK(dim_of("{\"v\":\"x\"}\n") == 0);
}
