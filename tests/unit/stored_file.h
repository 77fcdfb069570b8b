// A file of one collection, made by storage alone: records, and a segment with parts of several
// kinds. Tests write it, sound or damaged, and ask what is left of it. Its disk can fail.
#pragma once

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/catalog.h"
#include "storage/chunk_store.h"
#include "storage/file_store.h"
#include "storage/page_vfs.h"
#include "storage/record_table.h"
#include "tests/unit/faulty_vfs.h"

namespace quern::testing {

class StoredFile {
public:
    static constexpr size_t kValues = 80000;  // of eight bytes, in several chunks

    explicit StoredFile(size_t values = kValues) : values_(values) {
        SetBaseVfs(FaultyDisk::Register());
        FaultyDisk::Heal();
        path = (std::filesystem::temp_directory_path() /
                ("quern_stored_" + std::to_string(getpid()) + ".db"))
                   .string();
        sound = Make();
    }
    ~StoredFile() {
        FaultyDisk::Heal();
        Remove();
        SetBaseVfs(nullptr);
    }
    StoredFile(const StoredFile&) = delete;
    StoredFile& operator=(const StoredFile&) = delete;

    void Write(const std::string& bytes) {
        Remove();
        std::ofstream(path, std::ios::binary) << bytes;
    }
    Result<std::unique_ptr<storage::FileStore>> Open() {
        storage::StoreOptions options;
        options.path = path;
        options.busy_ms = 5;
        return storage::FileStore::Open(options);
    }
    size_t Pages() const { return sound.size() / kPage; }
    // The page of the file that a statement names.
    uint32_t PageOf(const std::string& sql) {
        Write(sound);
        sqlite3* raw = nullptr;
        sqlite3_stmt* row = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &raw) == SQLITE_OK);
        REQUIRE(sqlite3_prepare_v2(raw, sql.c_str(), -1, &row, nullptr) == SQLITE_OK);
        REQUIRE(sqlite3_step(row) == SQLITE_ROW);
        const auto page = static_cast<uint32_t>(sqlite3_column_int(row, 0));
        sqlite3_finalize(row);
        sqlite3_close(raw);
        return page;
    }
    uint32_t RootOf(const char* name) {
        return PageOf(std::string("SELECT rootpage FROM sqlite_schema WHERE name='") + name + "'");
    }
    // Makes the header of a page another one.
    static void Flip(std::string* bytes, uint32_t page) {
        for (size_t i = 0; i < 12; i++) {
            char& byte = bytes->at((page - 1) * kPage + i);
            byte = static_cast<char>(byte ^ 0x5a);
        }
    }
    // The file with the root of a table or index damaged.
    std::string Damaged(const char* root) {
        std::string bytes = sound;
        Flip(&bytes, RootOf(root));
        return bytes;
    }
    // What verify says of the pages.
    std::vector<std::string> Problems(storage::FileStore* store) {
        Work work;
        std::vector<std::string> problems;
        CHECK(store->CheckPages(&work, &problems).ok());
        return problems;
    }
    // Nothing is wrong with the pages, and every chunk that is there is the right one. Names those
    // of the vectors that are not.
    std::vector<size_t> Missing() {
        auto store = Open();
        CAPTURE(store.status().message());
        REQUIRE(store.ok());
        CHECK(Problems(store->get()) == std::vector<std::string>());
        auto reader = (*store)->BeginRead();
        REQUIRE(reader.ok());
        storage::Connection* const c = (*reader)->connection();
        auto segments = storage::ReadSegments(c, 1, storage::SegmentState::kLive);
        REQUIRE(segments.ok());
        REQUIRE(segments->size() == 1);
        std::vector<size_t> missing;
        for (const storage::PartInfo& part : segments->at(0).parts) {
            const bool whole = part.kind == storage::PartKind::kVectors;
            std::string one(256 << 10, '\0');
            size_t at = 0;
            for (size_t i = 0; i < part.chunks.size(); i++) {
                const size_t bytes = part.chunks[i].raw_bytes;
                const Status read = storage::ReadChunk(c, part, i, one.data());
                CHECK((read.ok() || read.code() == Code::kCorrupt));
                if (!read.ok() && whole) {
                    missing.push_back(i);
                }
                const auto* const want = reinterpret_cast<const char*>(content_.data()) + at;
                CHECK((!read.ok() || std::equal(want, want + bytes, one.data())));
                at += bytes;
            }
        }
        return missing;
    }
    // Everything is there, and nothing is wrong.
    void CheckSound() { CHECK(Missing() == std::vector<size_t>()); }
    const std::vector<uint64_t>& content() const { return content_; }

    static constexpr size_t kPage = 16384;
    std::string path;
    std::string sound;

private:
    static Status WritePart(storage::Connection* c, int64_t segment, storage::PartKind kind,
                            const void* values, size_t count, uint32_t bytes, bool looks) {
        QUERN_ASSIGN(
            storage::PartWriter part,
            storage::PartWriter::Create(c, segment, 1, kind, bytes, 4, 1, storage::Effort::kFast));
        if (looks) {
            part.ShapeForLooks(count);
        }
        QUERN_TRY(part.Append(values, count));
        return part.Finish();
    }
    std::string Make() {
        std::mt19937_64 random(7);
        content_.resize(values_);
        std::generate(content_.begin(), content_.end(), random);
        Remove();
        {
            auto store = Open();
            REQUIRE(store.ok());
            auto writer = (*store)->BeginWrite();
            REQUIRE(writer.ok());
            storage::Connection* const c = (*writer)->connection();
            Schema schema;
            schema.key_type = KeyType::kText;
            schema.dense = {{1, "emb", Element::kF32, Metric::kL2, 2}};
            schema.next_id = 2;
            REQUIRE(storage::CreateCollection(c, "docs", schema, 1).ok());
            auto segment = storage::CreateSegment(c, 1, "me");
            REQUIRE(segment.ok());
            using storage::PartKind;
            const uint64_t* const values = content_.data();
            REQUIRE(WritePart(c, *segment, PartKind::kVectors, values, values_, 8, false).ok());
            // Those that can be made anew: large chunks, and a small one.
            REQUIRE(WritePart(c, *segment, PartKind::kGraphCodes, values, 20000, 8, true).ok());
            REQUIRE(WritePart(c, *segment, PartKind::kNorms, values, 100, 4, false).ok());
            REQUIRE(storage::PublishSegment(c, *segment, values_, 1, "").ok());
            // So many that their index has pages that only lead to others.
            auto catalog = storage::ReadCatalog(c);
            REQUIRE(catalog.ok());
            storage::RecordTable records(c, *(*catalog)->collections.at(0));
            for (int64_t rid = 1; rid <= 300; rid++) {
                const std::string key = std::to_string(rid) + std::string(150, 'k');
                REQUIRE(records.Insert(rid, 5, Key::Text(key), {}).ok());
            }
            REQUIRE((*writer)->Commit().ok());
        }
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    void Remove() {
        for (const char* file : {"", ".copy"}) {
            for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
                std::filesystem::remove(path + file + suffix);
            }
        }
    }
    size_t values_;
    std::vector<uint64_t> content_;
};

}  // namespace quern::testing
