// Pages of zeros, and pages that the end of the file has cut: SQLite takes both for content where a
// long value goes on. Whoever reads must be told.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "tests/unit/hostile_file.h"

namespace {

constexpr size_t kEmptyPageBytes = 16384;
constexpr size_t kLongValueBytes = 60000;  // several pages of the file

std::string FileBytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

// Key 100 has a text of `size` letters.
void AddLongValue(HostileFile* file, size_t size) {
    const std::string text(size, 'y');
    const int64_t key = 100;
    const char* const value = text.c_str();
    quern_batch* batch = quern_batch_new(file->db, "docs", 1);
    quern_batch_key_int(batch, &key);
    quern_batch_text(batch, "title", &value, nullptr);
    file->Ok(quern_upsert(batch, nullptr, &file->err));
    quern_batch_free(batch);
}

int32_t GetLongValue(HostileFile* file, std::string* value) {
    const int64_t key = 100;
    quern_batch* batch = quern_batch_new(file->db, "docs", 1);
    quern_batch_key_int(batch, &key);
    quern_result* rows = nullptr;
    const int32_t status = quern_get(batch, nullptr, "title", &rows, &file->err);
    if (status == QUERN_OK) {
        size_t size = 0;
        const char* text = quern_result_text(rows, 0, 0, &size);
        *value = text == nullptr ? "" : std::string(text, size);
    }
    quern_result_free(rows);
    quern_batch_free(batch);
    return status;
}

// The pages that hold nothing but letters of the value.
std::vector<size_t> PagesOfValue(const std::string& bytes) {
    std::vector<size_t> pages;
    for (size_t at = 0; at + kEmptyPageBytes <= bytes.size(); at += kEmptyPageBytes) {
        if (std::count(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                       bytes.begin() + static_cast<std::ptrdiff_t>(at + kEmptyPageBytes),
                       'y') > 16000) {
            pages.push_back(at / kEmptyPageBytes);
        }
    }
    return pages;
}

// The pages that nobody needs any more. The list of them begins in the file's header; each of its
// pages has the number of the next, and how many free ones it names, which hold nothing at all.
std::vector<size_t> FreePages(const std::string& bytes) {
    const auto number = [&](size_t at) {
        uint32_t value = 0;
        for (size_t i = 0; i < 4; i++) {
            value = value << 8 | static_cast<uint8_t>(bytes.at(at + i));
        }
        return value;
    };
    std::vector<size_t> pages;
    for (uint32_t list = number(32); list != 0;) {
        const size_t at = (list - 1) * kEmptyPageBytes;
        for (size_t i = 0; i < number(at + 4); i++) {
            pages.push_back(number(at + 8 + 4 * i) - 1);
        }
        list = number(at);
    }
    return pages;
}

}  // namespace

TEST_CASE("a page of zeros in the middle of a value is an error, not zeros", "[corrupt]") {
    HostileFile file;
    file.Ok(quern_add_attr(file.db, "docs", "title", QUERN_TEXT, nullptr, &file.err));
    AddLongValue(&file, kLongValueBytes);
    const bool sealed = GENERATE(false, true);
    if (sealed) {
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    }
    quern_close(file.db);
    file.db = nullptr;
    std::string bytes = FileBytes(file.path());
    const std::vector<size_t> pages = PagesOfValue(bytes);
    REQUIRE(pages.size() >= 2);
    // The last one has no page behind it that a chain of pages would miss.
    for (const size_t page : pages) {
        std::string damaged = bytes;
        damaged.replace(page * kEmptyPageBytes, kEmptyPageBytes,
                        std::string(kEmptyPageBytes, '\0'));
        std::ofstream(file.path(), std::ios::binary) << damaged;
        file.Open();
        std::string value;
        CHECK(GetLongValue(&file, &value) == QUERN_ERR_CORRUPT);
        CHECK(file.Problems() != "");
        quern_close(file.db);
        file.db = nullptr;
    }
    std::ofstream(file.path(), std::ios::binary) << bytes;
    file.Open();
    std::string value;
    file.Ok(GetLongValue(&file, &value));
    CHECK(value == std::string(kLongValueBytes, 'y'));
}

TEST_CASE("free pages of zeros can be backed up and used again", "[corrupt]") {
    HostileFile file;
    file.Ok(quern_add_attr(file.db, "docs", "title", QUERN_TEXT, nullptr, &file.err));
    // What a program leaves that ends before it has given them back.
    file.AlterClosed(
        "CREATE TABLE spare(x); INSERT INTO spare VALUES(zeroblob(100000)); DROP TABLE spare");
    std::string bytes = FileBytes(file.path());
    const std::vector<size_t> pages = FreePages(bytes);
    REQUIRE(pages.size() >= 4);
    for (const size_t page : pages) {
        bytes.replace(page * kEmptyPageBytes, kEmptyPageBytes, std::string(kEmptyPageBytes, '\0'));
    }
    std::ofstream(file.path(), std::ios::binary) << bytes;
    file.Open();
    REQUIRE(file.Problems() == "");
    const std::string copy = file.path() + "-copy";
    std::filesystem::remove(copy);
    file.Ok(quern_backup(file.db, copy.c_str(), &file.err));
    std::filesystem::remove(copy);
    AddLongValue(&file, kLongValueBytes);
    std::string value;
    file.Ok(GetLongValue(&file, &value));
    CHECK(value == std::string(kLongValueBytes, 'y'));
    CHECK(file.Problems() == "");
}
