// A small database that somebody writes to with SQLite, page checksums and all.
#pragma once

#include <quern.h>
#include <sqlite3.h>
#include <unistd.h>
#include <xxhash.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

class HostileFile {
    static constexpr size_t kPageBytes = 16384;
    static constexpr size_t kPageContent = 16320;

public:
    HostileFile() {
        path_ = (std::filesystem::temp_directory_path() /
                 ("quern_hostile_" + std::to_string(getpid()) + ".db"))
                    .string();
        Remove();
        Open();
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_dense(schema, "emb", 2, QUERN_COSINE, nullptr);
        quern_schema_dense(schema, "other", 2, QUERN_L2, nullptr);  // no record has it
        Ok(quern_create(db, "docs", schema, &err));
        quern_schema_free(schema);
        Ok(Insert(0, 10));
        Ok(Insert(10, 10));
        Ok(quern_optimize(db, nullptr, 0, &err));
    }
    ~HostileFile() {
        quern_close(db);
        Remove();
    }

    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    void Open() {
        err = QUERN_ERROR_INIT;
        Ok(quern_open(path_.c_str(), nullptr, &db, &err));
    }
    int32_t Insert(int64_t first, size_t count) {
        std::vector<int64_t> keys;
        for (size_t i = 0; i < count; i++) {
            keys.push_back(first + static_cast<int64_t>(i));
        }
        const std::vector<float> vectors(2 * count, 0.5f);
        quern_batch* batch = quern_batch_new(db, "docs", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", vectors.data(), 2, nullptr);
        const int32_t status = quern_insert(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    // Runs SQL on the closed file, gives every page a checksum that fits, and opens it again.
    void Alter(const std::string& sql) {
        AlterClosed(sql);
        Open();
    }
    // The same, and leaves it closed.
    void AlterClosed(const std::string& sql) {
        quern_close(db);
        db = nullptr;
        sqlite3* raw = nullptr;
        REQUIRE(sqlite3_open(path_.c_str(), &raw) == SQLITE_OK);
        REQUIRE(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
        REQUIRE(sqlite3_close(raw) == SQLITE_OK);
        std::ifstream in(path_, std::ios::binary);
        std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        in.close();
        REQUIRE(bytes.size() % kPageBytes == 0);
        for (size_t at = 0; at < bytes.size(); at += kPageBytes) {
            const auto number = static_cast<uint32_t>(at / kPageBytes + 1);
            const uint64_t hash = XXH3_64bits_withSeed(bytes.data() + at, kPageContent, number);
            char* end = bytes.data() + at + kPageContent;
            std::memset(end, 0, kPageBytes - kPageContent);
            std::memcpy(end, &hash, sizeof hash);
            std::memcpy(end + sizeof hash, &number, sizeof number);
        }
        std::ofstream(path_, std::ios::binary) << bytes;
    }
    // What is in the message of the call before; the collection has to be named, once.
    std::string Named(int32_t status) {
        const std::string message = err.message;
        INFO(message);
        CHECK(status == QUERN_ERR_CORRUPT);
        const size_t at = message.find("collection 'docs'");
        CHECK(at != std::string::npos);
        CHECK(message.find("collection", at + 1) == std::string::npos);
        return message;
    }
    // The problems that verify finds; empty: none.
    std::string Problems() {
        quern_text* report = nullptr;
        const int32_t status = quern_verify(db, &report, &err);
        const std::string text = status == QUERN_OK ? "" : quern_text_data(report);
        quern_text_free(report);
        REQUIRE((status == QUERN_OK || status == QUERN_ERR_CORRUPT));
        return text;
    }

    const std::string& path() const { return path_; }

    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;

private:
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path_ + suffix);
        }
    }
    std::string path_;
};
