// Deleted means gone: after optimize and vacuum no byte of what was deleted is left, neither in the
// file, pages that nobody uses included, nor in its log, nor inside compressed chunks. Every kind
// of value carries a mark that looks like nothing else; that each mark is found before it is
// deleted proves that the search would see it.
#include <quern.h>
#include <sqlite3.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr size_t kRecords = 2300;  // enough for an index of every kind, and for columns
constexpr size_t kDim = 16;
constexpr int64_t kMarked = 1000;  // the record that carries the marks
constexpr int64_t kMarkedNumber = 0x5A17C3E94B2D6F81;

std::string Word(const std::string& kind) {
    return kind + "qzxjvkqwzxpbfmkgq";
}

// Bytes as they are, and as a chunk has them that keeps byte i of all elements together.
std::vector<std::string> Forms(const void* data, size_t elements, size_t width) {
    const std::string raw(static_cast<const char*>(data), elements * width);
    std::vector<std::string> forms{raw};
    // The lowest bytes alone tell nothing else apart, but so many of them do.
    std::string low;
    for (size_t i = 0; i < elements; i++) {
        low += raw[i * width];
    }
    forms.push_back(low);
    return forms;
}

class Erased {
public:
    Erased() {
        path_ = (std::filesystem::temp_directory_path() /
                 ("quern_erasure_" + std::to_string(getpid()) + ".db"))
                    .string();
        Remove();
        Ok(quern_open(path_.c_str(), "threads=1", &db, &err));
        std::mt19937 random(7);
        for (float& x : vector) {
            x = static_cast<float>(random()) / 1e6f;
        }
        for (int8_t& x : bytes) {
            x = static_cast<int8_t>(random());
        }
        for (size_t i = 0; i < kDim; i++) {
            dims[i] = static_cast<uint32_t>(i * 2000003 + 0x1234567);
            weights[i] = static_cast<float>(random()) / 1e7f + 0.5f;
        }
        marks["key"] = {Word("key")};
        marks["text attribute"] = {Word("attribute")};
        marks["blob"] = {std::string("\x01\x9c\xe4", 3) + Word("blob")};
        marks["json"] = {Word("json")};
        marks["tags"] = {Word("tag")};
        const int64_t number = kMarkedNumber;
        std::string big_endian(reinterpret_cast<const char*>(&number), sizeof number);
        // As rows have it. Columns pack whole numbers into fewer bits: what they hold of texts is
        // seen with those of the rows.
        std::reverse(big_endian.begin(), big_endian.end());
        marks["integer"] = {big_endian};
        marks["dense f32"] = Forms(vector, kDim, 4);
        marks["dense i8"] = Forms(bytes, kDim, 1);
        marks["sparse"] = Forms(weights, kDim, 4);
        marks["text field"] = {Word("body")};
        marks["token weights"] = {Word("token")};
        marks["fusion"] = {Word("fusion")};
        marks["attribute's name"] = {Word("column")};
        marks["collection"] = {Word("collection")};
    }
    ~Erased() {
        quern_close(db);
        Remove();
    }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    void Fill() {
        quern_schema* schema = quern_schema_new();
        quern_schema_key_text(schema, "id");
        quern_schema_attr(schema, "word", QUERN_TEXT, nullptr);
        quern_schema_attr(schema, "number", QUERN_INT, nullptr);
        quern_schema_attr(schema, "raw", QUERN_BLOB, nullptr);
        quern_schema_attr(schema, "note", QUERN_JSON, nullptr);
        quern_schema_attr(schema, "tags", QUERN_TAGS, nullptr);
        quern_schema_dense(schema, "graph", kDim, QUERN_L2,
                           "index=graph codes=f32 m=4 ef_build=16");
        quern_schema_dense(schema, "lists", kDim, QUERN_L2, "index=lists codes=f32 lists=16");
        quern_schema_dense(schema, "small", kDim, QUERN_IP, "type=i8 index=none");
        quern_schema_sparse(schema, "terms", nullptr);
        quern_schema_text(schema, "body", nullptr);
        Ok(quern_create(db, "docs", schema, &err));
        Ok(quern_create(db, Word("collection").c_str(), schema, &err));
        quern_schema_free(schema);
        Ok(quern_add_attr(db, "docs", Word("column").c_str(), QUERN_INT, nullptr, &err));
        Write("docs", 0, kRecords);
        Write(Word("collection").c_str(), kMarked, 1);
        const std::string token = Word("token");
        const char* const tokens[] = {token.c_str()};
        const float one[] = {1.5f};
        Ok(quern_set_token_weights(db, "docs", "terms", tokens, nullptr, one, 1, nullptr, &err));
        quern_query* query = quern_query_new(db, "docs");
        for (const char* field : {"graph", "lists"}) {
            quern_query* leg = quern_query_new(db, "docs");
            quern_query_dense(leg, field, vector, 1, kDim);
            quern_query_leg(query, leg, 0.5, nullptr);
            quern_query_free(leg);
        }
        quern_query_fusion(query, "kind=sum normalize=minmax");
        Ok(quern_store_fusion(query, Word("fusion").c_str(), &err));
        quern_query_free(query);
        Ok(quern_optimize(db, nullptr, 0, &err));
    }
    // Everything that carries a mark goes; how: deleted, or replaced by a version without marks.
    void Delete(bool replaced) {
        if (replaced) {
            const std::string key = Word("key");
            const char* const keys[] = {key.c_str()};
            quern_batch* batch = quern_batch_new(db, "docs", 1);
            quern_batch_key_text(batch, keys);
            Ok(quern_upsert(batch, nullptr, &err));
            quern_batch_free(batch);
            marks.erase("key");
        } else {
            quern_query* query = quern_query_new(db, "docs");
            quern_query_filter(query, ("id = '" + Word("key") + "'").c_str());
            uint64_t deleted = 0;
            Ok(quern_query_delete(query, nullptr, &deleted, &err));
            REQUIRE(deleted == 1);
            quern_query_free(query);
        }
        Ok(quern_drop(db, Word("collection").c_str(), &err));
        Ok(quern_drop_column(db, "docs", Word("column").c_str(), &err));
        Ok(quern_drop_fusion(db, "docs", Word("fusion").c_str(), &err));
        Ok(quern_set_token_weights(db, "docs", "terms", nullptr, nullptr, nullptr, 0, nullptr,
                                   &err));
        Ok(quern_optimize(db, nullptr, 0, &err));
        Ok(quern_vacuum(db, &err));
        Ok(quern_verify(db, nullptr, &err));
    }
    // Which marks the file, its log, and what its chunks unpack to hold.
    std::vector<std::string> Found() {
        std::vector<std::string> places{ReadFile(path_), ReadFile(path_ + "-wal")};
        sqlite3* file = nullptr;
        sqlite3_stmt* rows = nullptr;
        REQUIRE(sqlite3_open_v2(path_.c_str(), &file, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
        for (const char* sql : {"SELECT data FROM quern_chunk", "SELECT chunks FROM quern_part"}) {
            REQUIRE(sqlite3_prepare_v2(file, sql, -1, &rows, nullptr) == SQLITE_OK);
            while (sqlite3_step(rows) == SQLITE_ROW) {
                const auto* data = static_cast<const char*>(sqlite3_column_blob(rows, 0));
                const std::string stored(data, static_cast<size_t>(sqlite3_column_bytes(rows, 0)));
                places.push_back(stored);
                std::string unpacked(size_t{1} << 18, '\0');
                const size_t size =
                    ZSTD_decompress(unpacked.data(), unpacked.size(), stored.data(), stored.size());
                if (ZSTD_isError(size) == 0) {
                    unpacked.resize(size);
                    places.push_back(std::move(unpacked));
                }
            }
            sqlite3_finalize(rows);
        }
        sqlite3_close(file);
        std::vector<std::string> found;
        for (const auto& [kind, forms] : marks) {
            bool there = false;
            for (const std::string& form : forms) {
                for (const std::string& place : places) {
                    there = there || place.find(form) != std::string::npos;
                }
            }
            if (there) {
                found.push_back(kind);
            }
        }
        return found;
    }
    std::vector<std::string> Kinds() const {
        std::vector<std::string> kinds;
        for (const auto& [kind, forms] : marks) {
            kinds.push_back(kind);
        }
        return kinds;
    }
    void Reopen() {
        quern_close(db);
        Ok(quern_open(path_.c_str(), "threads=1", &db, &err));
    }

    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    std::map<std::string, std::vector<std::string>> marks;

private:
    static std::string ReadFile(const std::string& path) {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path_ + suffix);
        }
    }
    void Write(const char* collection, int64_t first, size_t count) {
        std::mt19937 random(3);
        std::vector<std::string> texts;
        texts.reserve(5 * count);
        std::vector<const char*> columns[4];
        std::vector<const char*> tags;
        std::vector<const void*> blobs;
        std::vector<size_t> sizes;
        std::vector<size_t> ends{0};
        std::vector<size_t> offsets{0};
        std::vector<int64_t> numbers;
        std::vector<float> matrix;
        std::vector<int8_t> small;
        std::vector<uint32_t> all_dims;
        std::vector<float> all_weights;
        for (size_t i = 0; i < count; i++) {
            const int64_t number = first + static_cast<int64_t>(i);
            const bool marked = number == kMarked;
            const auto text = [&](const char* kind) {
                texts.push_back(marked ? Word(kind) : kind + std::to_string(number));
                return texts.back().c_str();
            };
            columns[0].push_back(text("key"));
            columns[1].push_back(text("attribute"));
            columns[2].push_back(text("body"));
            texts.push_back(std::string("{\"a\":\"") +
                            (marked ? Word("json") : std::to_string(number)) + "\"}");
            columns[3].push_back(texts.back().c_str());
            tags.push_back(text("tag"));
            ends.push_back(tags.size());
            numbers.push_back(marked ? kMarkedNumber : number);
            blobs.push_back(marked ? marks["blob"][0].data() : "blob");
            sizes.push_back(marked ? marks["blob"][0].size() : 4);
            for (size_t d = 0; d < kDim; d++) {
                matrix.push_back(marked ? vector[d] : static_cast<float>(random()) / 1e6f);
                small.push_back(marked ? bytes[d] : static_cast<int8_t>(random()));
                all_dims.push_back(marked ? dims[d]
                                          : static_cast<uint32_t>(d * 50 + random() % 50));
                all_weights.push_back(marked ? weights[d]
                                             : static_cast<float>(random()) / 1e7f + 0.5f);
            }
            offsets.push_back(all_dims.size());
        }
        quern_batch* batch = quern_batch_new(db, collection, count);
        quern_batch_key_text(batch, columns[0].data());
        quern_batch_text(batch, "word", columns[1].data(), nullptr);
        quern_batch_text(batch, "body", columns[2].data(), nullptr);
        quern_batch_text(batch, "note", columns[3].data(), nullptr);
        quern_batch_tags(batch, "tags", ends.data(), tags.data(), nullptr);
        quern_batch_int(batch, "number", numbers.data(), nullptr);
        quern_batch_blob(batch, "raw", blobs.data(), sizes.data(), nullptr);
        quern_batch_dense(batch, "graph", matrix.data(), kDim, nullptr);
        quern_batch_dense(batch, "lists", matrix.data(), kDim, nullptr);
        quern_batch_dense_raw(batch, "small", small.data(), QUERN_I8, kDim, nullptr);
        quern_batch_sparse(batch, "terms", offsets.data(), all_dims.data(), all_weights.data(),
                           nullptr);
        Ok(quern_insert(batch, nullptr, &err));
        quern_batch_free(batch);
    }

    std::string path_;
    float vector[kDim];
    int8_t bytes[kDim];
    uint32_t dims[kDim];
    float weights[kDim];
};

}  // namespace

TEST_CASE("no byte of what was deleted is left after optimize and vacuum", "[index]") {
    const bool replaced = GENERATE(false, true);
    CAPTURE(replaced);
    Erased file;
    file.Fill();
    file.Reopen();
    CHECK(file.Found() == file.Kinds());
    file.Delete(replaced);
    CHECK(file.Found().empty());  // in the log neither, which is still there
    file.Reopen();
    CHECK(file.Found().empty());
}
