// Stored vectors that a search looks at one by one: chunks that suit it, the cache, filling the
// room bit by bit, damage, and what a search tells about its cost.
#include <quern.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/db/vector_cache.h"
#include "storage/chunk_shape.h"
#include "storage/chunk_store.h"
#include "storage/file_store.h"
#include "tests/unit/indexed_file.h"

using namespace quern;

namespace {

constexpr size_t kDim = 32;
constexpr size_t kRows = 6000;
constexpr size_t kNearest = 10;

// Every fourth row is close to the one before.
std::vector<float> MakeRows(size_t count, uint64_t seed) {
    std::vector<float> rows = indexed::MakeRows(count, seed, kDim);
    for (size_t i = 3; i < count; i += 4) {
        for (size_t j = 0; j < kDim; j++) {
            rows[i * kDim + j] = rows[(i - 1) * kDim + j] + 0.01f * rows[i * kDim + j];
        }
    }
    return rows;
}

struct Answer {
    std::vector<int64_t> keys;
    std::vector<float> distances;
    uint32_t flags = 0;
    int64_t bytes_read = 0, scored = 0, refined = 0, fetched = 0, memory_needed = 0;
};

struct FineFile {
    std::string path;
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;

    explicit FineFile(const std::string& options, int32_t metric = QUERN_L2, size_t count = kRows) {
        path = (std::filesystem::temp_directory_path() /
                ("quern_fine_" + std::to_string(getpid()) + ".db"))
                   .string();
        Remove();
        Open("threads=2");
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, metric,
                           ("index=graph m=8 ef_build=20 " + options).c_str());
        Ok(quern_create(db, "docs", schema, &err));
        quern_schema_free(schema);
        const std::vector<float> rows = MakeRows(count, 1);
        std::vector<int64_t> keys(count);
        for (size_t i = 0; i < count; i++) {
            keys[i] = static_cast<int64_t>(i);
        }
        quern_batch* batch = quern_batch_new(db, "docs", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", rows.data(), kDim, nullptr);
        Ok(quern_insert(batch, nullptr, &err));
        quern_batch_free(batch);
        Ok(quern_optimize(db, nullptr, 0, &err));
    }
    ~FineFile() {
        quern_close(db);
        Remove();
    }
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path + suffix);
        }
    }
    void Open(const char* options) {
        quern_close(db);
        Ok(quern_open(path.c_str(), options, &db, &err));
    }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    // Without assertions, so that threads may call it.
    int32_t Try(const float* query, const char* options, Answer* answer, quern_error* error) const {
        quern_query* q = quern_query_new(db, "docs");
        quern_query_dense(q, "emb", query, 1, kDim);
        quern_query_limit(q, kNearest);
        quern_query_options(q, options);
        quern_result* r = nullptr;
        const int32_t status = quern_search(q, &r, error);
        if (status == QUERN_OK) {
            answer->keys.assign(quern_result_keys_int(r),
                                quern_result_keys_int(r) + quern_result_rows(r));
            answer->distances.assign(quern_result_distances(r),
                                     quern_result_distances(r) + quern_result_rows(r));
            answer->flags = quern_result_flags(r);
            answer->bytes_read = quern_result_stat(r, QUERN_RESULT_BYTES_READ);
            answer->scored = quern_result_stat(r, QUERN_RESULT_VECTORS_SCORED);
            answer->refined = quern_result_stat(r, QUERN_RESULT_VECTORS_REFINED);
            answer->fetched = quern_result_stat(r, QUERN_RESULT_VECTORS_READ);
            answer->memory_needed = quern_result_stat(r, QUERN_RESULT_MEMORY_NEEDED);
        }
        quern_result_free(r);
        quern_query_free(q);
        return status;
    }
    Answer Search(const float* query, const char* options) {
        Answer answer;
        Ok(Try(query, options, &answer, &err));
        return answer;
    }
    std::string Info() {
        quern_text* text = nullptr;
        Ok(quern_info(db, &text, &err));
        std::string info = quern_text_data(text);
        quern_text_free(text);
        return info;
    }
};

}  // namespace

TEST_CASE("chunks for looks are small, fit pages, and stay few", "[fine]") {
    std::mt19937_64 random(1);
    for (const size_t item : {4, 96, 512, 1024, 2048, 3072, 4096, 6144, 16384, 262144}) {
        std::string noise(std::max<size_t>(item, storage::kShapeSampleBytes) / item * item, '\0');
        for (char& c : noise) {
            c = static_cast<char>(random());
        }
        const storage::ChunkShape raw = storage::ShapeForLooks(noise, item, 4, 1000);
        INFO(item << ": " << raw.items);
        REQUIRE(raw.codec == storage::Codec::kRaw);
        REQUIRE(raw.items >= 1);
        REQUIRE(raw.items * item <= storage::kChunkBytesMax);
        REQUIRE(raw.items * item <= std::max<size_t>(item, 3 * 16384));
        const std::string zeros(noise.size(), '\0');
        const storage::ChunkShape packed = storage::ShapeForLooks(zeros, item, 4, 1000);
        REQUIRE(packed.codec != storage::Codec::kRaw);
        REQUIRE(packed.items == std::max<size_t>(1, 6144 / item));
        // A huge part gets larger chunks before its directory becomes huge.
        const uint64_t many = uint64_t{1} << 31;
        const storage::ChunkShape large = storage::ShapeForLooks(noise, item, 4, many);
        REQUIRE((large.items == storage::kChunkBytesMax / item || many / large.items <= 1 << 18));
    }
}

TEST_CASE("parts with chunks for looks come back whole, by one thread and by many", "[fine]") {
    using namespace quern::storage;
    constexpr size_t kItems = 20000;
    constexpr size_t kItemBytes = 128;
    const bool noisy = GENERATE(true, false);
    const uint64_t expected = GENERATE(uint64_t{kItems}, uint64_t{1} << 31);
    std::mt19937_64 random(3);
    std::string items(kItems * kItemBytes, '\0');
    for (char& c : items) {
        c = static_cast<char>(noisy ? random() : random() % 3);
    }
    StoreOptions options;
    options.path = ":memory:";
    auto store = FileStore::Open(options);
    REQUIRE(store.ok());
    auto writer = (*store)->BeginWrite();
    REQUIRE(writer.ok());
    Connection* connection = (*writer)->connection();
    const auto segment = CreateSegment(connection, 1, "test");
    REQUIRE(segment.ok());
    auto part = PartWriter::Create(connection, *segment, 1, PartKind::kVectors, kItemBytes, 4, 1,
                                   Effort::kBest);
    REQUIRE(part.ok());
    part->ShapeForLooks(expected);
    for (size_t i = 0; i < kItems; i += 777) {
        REQUIRE(part->Append(&items[i * kItemBytes], std::min<size_t>(777, kItems - i)).ok());
    }
    REQUIRE(part->Finish().ok());
    REQUIRE(PublishSegment(connection, *segment, kItems, 1, "best").ok());
    const auto segments = ReadSegments(connection, 1, SegmentState::kLive);
    REQUIRE(segments.ok());
    const PartInfo& info = segments->at(0).parts.at(0);
    REQUIRE(info.items == kItems);
    REQUIRE((info.chunks.size() > 50) == (expected == kItems));
    for (const int threads : {1, 3}) {
        std::string out(items.size(), '\1');
        REQUIRE(ReadChunks(connection, info, 0, info.chunks.size(), threads, out.data()).ok());
        REQUIRE(out == items);
    }
    std::string out(items.size(), '\1');
    REQUIRE(
        connection->Execute("DELETE FROM quern_chunk WHERE id=(SELECT max(id) FROM quern_chunk)")
            .ok());
    for (const int threads : {1, 3}) {
        const Status lost =
            ReadChunks(connection, info, 0, info.chunks.size(), threads, out.data());
        REQUIRE(lost.code() == Code::kCorrupt);
        REQUIRE(lost.message().find("missing") != std::string::npos);
    }
}

TEST_CASE("the cache of vectors keeps its bound and gives back what was put in", "[fine]") {
    auto counter = std::make_shared<MemoryCounter>();
    constexpr size_t kBytes = 256;
    {
        VectorCache cache(int64_t{1} << 20, counter);
        std::atomic<size_t> wrong{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; t++) {
            threads.emplace_back([&, t] {
                std::mt19937_64 random(static_cast<uint64_t>(t));
                std::string vector(kBytes, '\0');
                std::string out(kBytes, '\0');
                for (int i = 0; i < 20000; i++) {
                    const int64_t part = 1 + static_cast<int64_t>(random() % 3);
                    const auto number = static_cast<uint32_t>(random() % 8000);
                    std::fill(vector.begin(), vector.end(),
                              static_cast<char>(part * 31 + number % 97));
                    if (cache.Copy(part, number, kBytes, out.data())) {
                        wrong += out == vector ? 0 : 1;
                    } else {
                        cache.Put(part, number, vector.data(), kBytes);
                    }
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        REQUIRE(wrong == 0);
        REQUIRE(counter->bytes() > (1 << 19));
        REQUIRE(counter->bytes() <= (1 << 20));
        // Of another size than what is asked for: not it.
        std::string out(kBytes, '\0');
        cache.Put(9, 9, out.data(), kBytes);
        REQUIRE(cache.Copy(9, 9, kBytes, out.data()));
        REQUIRE_FALSE(cache.Copy(9, 9, kBytes / 2, out.data()));
    }
    REQUIRE(counter->bytes() == 0);
    VectorCache none(0, counter);
    none.Put(1, 1, "abcd", 4);
    char out[4];
    REQUIRE_FALSE(none.Copy(1, 1, 4, out));
}

TEST_CASE("vectors on disk, in memory and on their way there give the same answers", "[fine]") {
    const auto [metric, codes] = GENERATE(table<int32_t, std::string>(
        {{QUERN_L2, ""}, {QUERN_COSINE, "codes=4bit "}, {QUERN_COSINE, "type=f16 "}}));
    const std::vector<float> queries = MakeRows(40, 2);
    for (const char* fine : {"fine=memory", "fine=auto", "fine=disk"}) {
        FineFile file(codes + fine, metric);
        file.Open("threads=1 cache_mb=1");
        int64_t fetched = 0;
        for (int round = 0; round < 2; round++) {
            int64_t fetched_now = 0;
            for (size_t q = 0; q < 40; q++) {
                const Answer found = file.Search(&queries[q * kDim], "ef=300 refine=exact");
                fetched_now += found.fetched;
                REQUIRE(found.keys.size() == kNearest);
                REQUIRE((found.flags & QUERN_FLAG_EXACT) == 0);
                REQUIRE(found.refined >= 300);
                REQUIRE(found.scored > found.refined);
                if (round == 0 && q == 0) {
                    REQUIRE(found.bytes_read > 0);
                }
            }
            fetched = round == 0 ? fetched_now : fetched;
            if (std::string(fine) == "fine=memory") {
                REQUIRE(fetched_now == 0);
            } else if (round == 0) {
                REQUIRE(fetched_now > 0);
            } else {
                REQUIRE(fetched_now < fetched);  // the room fills, the cache remembers
            }
        }
        size_t same = 0;
        for (size_t q = 0; q < 40; q++) {
            const Answer exact = file.Search(&queries[q * kDim], "recall=exact");
            REQUIRE((exact.flags & QUERN_FLAG_EXACT) != 0);
            const Answer found = file.Search(&queries[q * kDim], "ef=300 refine=exact");
            for (size_t i = 0; i < kNearest; i++) {
                if (found.keys[i] == exact.keys[i]) {
                    REQUIRE(found.distances[i] == exact.distances[i]);
                    same++;
                }
            }
        }
        REQUIRE(same > 40 * kNearest * 8 / 10);
        file.Ok(quern_verify(file.db, nullptr, &file.err));
    }
}

TEST_CASE("many threads fill the room of one field at once", "[fine]") {
    FineFile file("");
    const std::vector<float> queries = MakeRows(200, 3);
    std::vector<Answer> truth(200);
    for (size_t q = 0; q < 200; q++) {
        truth[q] = file.Search(&queries[q * kDim], "ef=64 refine=64 threads=1");
    }
    for (const char* open : {"threads=2", "threads=2 memory_mb=2 cache_mb=1"}) {
        file.Open(open);
        std::atomic<size_t> wrong{0};
        std::atomic<size_t> approximate{0};
        std::vector<std::thread> threads;
        for (size_t t = 0; t < 6; t++) {
            threads.emplace_back([&, t] {
                for (size_t i = 0; i < 200; i++) {
                    const size_t q = (i * 7 + t * 31) % 200;
                    Answer found;
                    quern_error error = QUERN_ERROR_INIT;
                    // One of them asks for everything while the others look here and there.
                    const bool exact = t == 5 && i % 50 == 20;
                    const int32_t status = file.Try(
                        &queries[q * kDim], exact ? "recall=exact" : "ef=64 refine=64 threads=1",
                        &found, &error);
                    approximate += (found.flags & QUERN_FLAG_EXACT) == 0 ? 1 : 0;
                    // With no room left for an index the answer is exact, and says so.
                    const bool same =
                        (found.flags & QUERN_FLAG_EXACT) != 0 ||
                        (found.keys == truth[q].keys && found.distances == truth[q].distances);
                    wrong += status != QUERN_OK || !same ? 1 : 0;
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        INFO(open);
        REQUIRE(wrong == 0);
        REQUIRE(approximate > 1000);
    }
}

TEST_CASE("a damaged chunk of vectors is an error that names it, and no other answer", "[fine]") {
    FineFile file("fine=disk");
    file.Ok(quern_vacuum(file.db, &file.err));
    const std::vector<float> rows = MakeRows(kRows, 1);
    quern_close(file.db);
    file.db = nullptr;
    // The last bytes of a vector in the middle, as they stand in the file.
    const size_t victim = kRows / 2;
    std::string bytes;
    {
        std::ifstream in(file.path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const std::string wanted(reinterpret_cast<const char*>(&rows[victim * kDim]),
                             kDim * sizeof(float));
    const size_t at = bytes.find(wanted);
    REQUIRE(at != std::string::npos);
    {
        std::fstream out(file.path, std::ios::binary | std::ios::in | std::ios::out);
        out.seekp(static_cast<std::streamoff>(at));
        out.write("\x01\x02\x03\x04", 4);
    }
    file.Open("threads=1");
    Answer answer;
    REQUIRE(file.Try(&rows[victim * kDim], "ef=64 refine=64", &answer, &file.err) ==
            QUERN_ERR_CORRUPT);
    INFO(file.err.message);
    REQUIRE(std::string(file.err.message).find("collection 'docs'") != std::string::npos);
    REQUIRE(std::string(file.err.message).find("part vectors of field 'emb', chunk ") !=
            std::string::npos);
    // What needs nothing of it is answered.
    size_t answered = 0;
    const std::vector<float> queries = MakeRows(60, 4);
    for (size_t q = 0; q < 60; q++) {
        quern_error error = QUERN_ERROR_INIT;
        Answer found;
        const int32_t status = file.Try(&queries[q * kDim], "ef=20 refine=10", &found, &error);
        REQUIRE((status == QUERN_OK || status == QUERN_ERR_CORRUPT));
        answered += status == QUERN_OK ? 1 : 0;
    }
    REQUIRE(answered > 0);
    REQUIRE(file.Try(&rows[victim * kDim], "refine=none ef=64", &answer, &file.err) == QUERN_OK);
}

TEST_CASE("refine says how many candidates are measured again", "[fine]") {
    const int32_t metric = GENERATE(QUERN_L2, QUERN_IP, QUERN_COSINE);
    FineFile file("fine=disk", metric);
    file.Open("threads=1");
    const std::vector<float> queries = MakeRows(30, 5);
    for (size_t q = 0; q < 30; q++) {
        const float* query = &queries[q * kDim];
        const Answer exact = file.Search(query, "recall=exact");
        const Answer all = file.Search(query, "ef=100 refine=exact");
        REQUIRE(all.refined == 100);
        REQUIRE(file.Search(query, "ef=100 refine=auto").refined == 100);
        REQUIRE(file.Search(query, "ef=100 refine=17").refined == 17);
        REQUIRE(file.Search(query, "recall=0.9 refine=exact").refined >= 10);
        const Answer none = file.Search(query, "ef=100 refine=none");
        REQUIRE(none.refined == 0);
        REQUIRE(none.fetched == 0);
        REQUIRE((none.flags & QUERN_FLAG_UNREFINED) != 0);
        REQUIRE((all.flags & QUERN_FLAG_UNREFINED) == 0);
        REQUIRE(none.keys.size() == kNearest);
        // Codes of 8 bits tell distances to a few hundredths of the usual ones.
        for (size_t i = 0; i < kNearest; i++) {
            for (size_t j = 0; j < kNearest; j++) {
                if (none.keys[i] == exact.keys[j]) {
                    const float scale = metric == QUERN_COSINE ? 1.0f : 12.0f;
                    REQUIRE(std::fabs(none.distances[i] - exact.distances[j]) < 0.08f * scale);
                }
            }
        }
    }
    for (const char* bad : {"refine=0", "refine=some", "refine=-1", "refine="}) {
        Answer answer;
        REQUIRE(file.Try(queries.data(), bad, &answer, &file.err) == QUERN_ERR_OPTION);
    }
}

TEST_CASE("without codes refine=none changes nothing but the second look", "[fine]") {
    FineFile file("codes=f32");
    const std::vector<float> queries = MakeRows(10, 6);
    for (size_t q = 0; q < 10; q++) {
        const Answer all = file.Search(&queries[q * kDim], "ef=100");
        const Answer none = file.Search(&queries[q * kDim], "ef=100 refine=none");
        REQUIRE(none.keys == all.keys);
        REQUIRE(none.distances == all.distances);
        REQUIRE((none.flags & QUERN_FLAG_UNREFINED) == 0);
    }
}

TEST_CASE("an index that memory_mb does not allow is told, with what would do", "[fine]") {
    FineFile file("", QUERN_L2, 16000);
    const std::vector<float> query = MakeRows(1, 7);
    const Answer truth = file.Search(query.data(), "recall=exact");
    file.Open("memory_mb=1");
    const Answer small = file.Search(query.data(), "");
    REQUIRE((small.flags & QUERN_FLAG_EXACT) != 0);
    REQUIRE((small.flags & QUERN_FLAG_MEMORY) != 0);
    REQUIRE((small.flags & QUERN_FLAG_DEGRADED) == 0);
    REQUIRE(small.keys == truth.keys);
    REQUIRE(small.memory_needed > (1 << 20));
    REQUIRE((file.Search(query.data(), "recall=exact").flags & QUERN_FLAG_MEMORY) == 0);
    const std::string enough =
        "memory_mb=" + std::to_string((small.memory_needed >> 20) + 1) + " threads=2";
    file.Open(enough.c_str());
    const Answer found = file.Search(query.data(), "");
    REQUIRE((found.flags & (QUERN_FLAG_MEMORY | QUERN_FLAG_EXACT)) == 0);
    REQUIRE(found.memory_needed == 0);
}

TEST_CASE("of a graph without codes, memory_mb must allow the vectors as they are held", "[fine]") {
    // The rows are small whole numbers: f32 in the schema, a byte each in memory.
    FineFile file("codes=f32", QUERN_L2, 1);
    constexpr size_t kRows = 16000;
    std::vector<float> rows = MakeRows(kRows, 3);
    for (float& x : rows) {
        x = std::round(std::min(std::max(x * 20 + 100, 0.0f), 255.0f));
    }
    std::vector<int64_t> keys(kRows);
    std::iota(keys.begin(), keys.end(), 0);
    quern_batch* batch = quern_batch_new(file.db, "docs", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "emb", rows.data(), kDim, nullptr);
    file.Ok(quern_upsert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, "docs", 0, &file.err));
    file.Open("memory_mb=1");
    const Answer small = file.Search(rows.data(), "");
    REQUIRE((small.flags & QUERN_FLAG_MEMORY) != 0);
    CHECK(small.memory_needed > static_cast<int64_t>(kRows * kDim));
    CHECK(small.memory_needed < static_cast<int64_t>(kRows * (kDim + 300)));
    // Less than that: no part of the index is loaded in vain, and the same is told again.
    file.Open(("memory_mb=" + std::to_string(small.memory_needed >> 20)).c_str());
    const Answer less = file.Search(rows.data(), "");
    REQUIRE((less.flags & QUERN_FLAG_MEMORY) != 0);
    CHECK(less.memory_needed == small.memory_needed);
    file.Open(("memory_mb=" + std::to_string((small.memory_needed >> 20) + 1)).c_str());
    const Answer found = file.Search(rows.data(), "");
    CHECK((found.flags & QUERN_FLAG_MEMORY) == 0);
    CHECK(found.memory_needed == 0);
}

TEST_CASE("what memory_mb must allow is told for the indexes of all segments at once", "[fine]") {
    FineFile file("", QUERN_L2, 16000);
    // A second segment with an index of its own.
    file.Open("seal_rows=1000 threads=2");
    const std::vector<float> rows = MakeRows(16000, 3);
    std::vector<int64_t> keys(16000);
    for (size_t i = 0; i < keys.size(); i++) {
        keys[i] = static_cast<int64_t>(16000 + i);
    }
    quern_batch* batch = quern_batch_new(file.db, "docs", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "emb", rows.data(), kDim, nullptr);
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    const std::vector<float> query = MakeRows(1, 7);
    file.Open("memory_mb=1");
    const Answer small = file.Search(query.data(), "");
    REQUIRE((small.flags & QUERN_FLAG_MEMORY) != 0);
    file.Open(("memory_mb=" + std::to_string((small.memory_needed >> 20) + 1)).c_str());
    const Answer found = file.Search(query.data(), "");
    CHECK((found.flags & QUERN_FLAG_MEMORY) == 0);
    CHECK(found.memory_needed == 0);
}

TEST_CASE("what memory_mb must allow is told for the indexes of all legs at once", "[fine]") {
    FineFile file("", QUERN_L2, 1);
    quern_schema* schema = quern_schema_new();
    const std::vector<std::string> fields = {"one", "two", "three"};
    for (const std::string& field : fields) {
        quern_schema_dense(schema, field.c_str(), kDim, QUERN_L2,
                           "index=graph codes=i8 m=64 ef_build=8");
    }
    file.Ok(quern_create(file.db, "legs", schema, &file.err));
    quern_schema_free(schema);
    constexpr size_t kRecords = 4000;  // 2 MB of links in each field
    std::vector<int64_t> keys(kRecords);
    for (size_t i = 0; i < keys.size(); i++) {
        keys[i] = static_cast<int64_t>(i);
    }
    quern_batch* batch = quern_batch_new(file.db, "legs", keys.size());
    quern_batch_key_int(batch, keys.data());
    std::vector<std::vector<float>> rows;
    for (size_t f = 0; f < fields.size(); f++) {
        rows.push_back(MakeRows(kRecords, 3 + f));
        quern_batch_dense(batch, fields[f].c_str(), rows[f].data(), kDim, nullptr);
    }
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, "legs", 0, &file.err));
    // Legs over the fields, one of them twice, whose index is needed once.
    const auto search = [&](const char* options) {
        file.Open(options);
        const std::vector<float> query = MakeRows(1, 7);
        quern_query* q = quern_query_new(file.db, "legs");
        for (const char* field : {"one", "two", "three", "one"}) {
            quern_query* leg = quern_query_new(file.db, "legs");
            quern_query_dense(leg, field, query.data(), 1, kDim);
            quern_query_options(leg, "recall=0.9");
            quern_query_leg(q, leg, 1, nullptr);
            quern_query_free(leg);
        }
        quern_query_limit(q, kNearest);
        quern_query_fusion(q, "kind=rrf");
        quern_result* r = nullptr;
        file.Ok(quern_search(q, &r, &file.err));
        const auto told = std::make_pair(quern_result_stat(r, QUERN_RESULT_MEMORY_NEEDED),
                                         (quern_result_flags(r) & QUERN_FLAG_MEMORY) != 0);
        quern_result_free(r);
        quern_query_free(q);
        return told;
    };
    const auto [needed, without] = search("memory_mb=1");
    CHECK(without);
    CHECK(needed > 3 * (2 << 20));
    CHECK(needed < 4 * (2 << 20) + (3 << 20));
    const auto [more, still] = search(("memory_mb=" + std::to_string((needed >> 20) + 1)).c_str());
    CHECK(more == 0);
    CHECK_FALSE(still);
}

TEST_CASE("cache_mb bounds what is remembered", "[fine]") {
    FineFile file("fine=disk");
    const std::vector<float> queries = MakeRows(200, 8);
    int64_t without = 0;
    for (const char* options : {"threads=1 cache_mb=0", "threads=1 cache_mb=8"}) {
        file.Open(options);
        int64_t last = 0;
        int64_t memory = 0;
        for (int round = 0; round < 2; round++) {
            last = 0;
            for (size_t q = 0; q < 200; q++) {
                last += file.Search(&queries[q * kDim], "ef=64 refine=32").fetched;
            }
        }
        file.Ok(quern_stat(file.db, QUERN_STAT_MEMORY_BYTES, &memory, &file.err));
        if (std::string(options).find("cache_mb=0") != std::string::npos) {
            REQUIRE(last >= 200 * 32);
            without = memory;
        } else {
            REQUIRE(last == 0);
            REQUIRE(memory > without);
            REQUIRE(memory <= without + (8 << 20));
            REQUIRE(file.Info().find("\"cache_bytes\"") != std::string::npos);
        }
    }
    for (const char* bad : {"cache_mb=-1", "cache_mb=x"}) {
        quern_db* db = nullptr;
        REQUIRE(quern_open(file.path.c_str(), bad, &db, &file.err) == QUERN_ERR_OPTION);
    }
}
