// The inverted index of records in the log answers as a scan does, to the last bit: by itself, and
// in a database whose records come and go.
#include <quern.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <limits>
#include <set>

#include "engine/sparse/log_index.h"
#include "tests/unit/every_level.h"
#include "tests/unit/hostile_file.h"
#include "tests/unit/sparse_sample.h"

using namespace quern;
using namespace quern::sparse;
using namespace sparse_sample;

namespace {

LogRow RowAt(const SparseRows& rows, uint32_t i) {
    return {rows.dimensions + rows.offsets[i], rows.weights + rows.offsets[i],
            static_cast<size_t>(rows.offsets[i + 1] - rows.offsets[i])};
}

struct Hit {
    double score = 0;
    uint32_t position = 0;
    auto operator<=>(const Hit&) const = default;
};

// The k best, and all that are as good as the last; from `floor` on.
std::set<Hit> Truth(const std::vector<SparseHit>& all, size_t k, double floor) {
    std::vector<SparseHit> sorted = all;
    std::sort(sorted.begin(), sorted.end());
    const double least =
        sorted.size() < k ? -std::numeric_limits<double>::infinity() : sorted[k - 1].score;
    std::set<Hit> truth;
    for (const SparseHit& hit : sorted) {
        if (hit.score >= std::max(least, floor)) {
            truth.insert({hit.score, hit.position});
        }
    }
    return truth;
}

Shape RandomShape(std::mt19937* random) {
    Shape shape;
    shape.dimensions = std::vector<uint32_t>{1, 20, 300, 5000}[(*random)() % 4];
    shape.entries_max = std::vector<size_t>{1, 5, 30}[(*random)() % 3];
    shape.weights = static_cast<int>((*random)() % 5);
    shape.negative = std::vector<double>{0, 0, 0.02, 1}[(*random)() % 4];
    shape.spread = (*random)() % 2 == 0 ? 1 : 858993;
    return shape;
}

// Records arrive in pieces between queries of all kinds, and some of them are dead.
void CompareWithScans(unsigned seed, size_t logs, size_t records) {
    std::mt19937 random(seed);
    Work work;
    LogSpace space;
    auto memory = std::make_shared<MemoryCounter>();
    for (size_t log = 0; log < logs; log++) {
        const Shape shape = RandomShape(&random);
        const SparseRowList list = RandomRows(shape, records, &random);
        const SparseRows rows = list.View();
        std::vector<uint64_t> alive(records / 64 + 1, 0);
        LogIndex index(memory);
        for (size_t end = 0; end < records;) {
            const size_t first = end;
            end = std::min<size_t>(records, end + 1 + random() % (records / 3));
            for (size_t i = first; i < end; i++) {
                alive[i / 64] |= uint64_t{random() % 8 != 0} << (i % 64);
            }
            REQUIRE(index
                        .Extend(
                            end, [&](uint32_t i) { return RowAt(rows, i); },
                            [](uint64_t) { return true; }, &work)
                        .ok());
            REQUIRE(index.count() == end);
            // A snapshot may be older than what the index has.
            const size_t seen = random() % 3 == 0 ? end - random() % (end - first) : end;
            const auto row = [&](uint32_t i) {
                return i < seen && (alive[i / 64] >> (i % 64) & 1) != 0 ? RowAt(rows, i) : LogRow();
            };
            for (int q = 0; q < 8; q++) {
                Shape of_query = shape;
                of_query.negative = std::vector<double>{0, 0, 0.2, 1}[random() % 4];
                const SparseVector query = RandomVector(of_query, &random);
                std::vector<SparseHit> all;
                SearchAll({rows.offsets, rows.dimensions, rows.weights, seen}, query, alive.data(),
                          0, &all);
                const size_t k = std::vector<size_t>{1, 3, 10, 100, size_t{1} << 60}[random() % 5];
                const double floor = all.empty() || random() % 2 == 0
                                         ? -std::numeric_limits<double>::infinity()
                                         : all[random() % all.size()].score;
                LogHits hits(k, floor);
                const auto found = index.Search(query, row, &hits, &space, nullptr, &work);
                REQUIRE(found.ok());
                CHECK(*found == end);
                std::set<Hit> got;
                for (const LogHit& hit : hits.Take()) {
                    got.insert({hit.score, hit.position});
                }
                INFO("seed " << seed << " log " << log << " k " << k << " of " << seen);
                REQUIRE(got == Truth(all, k, floor));
            }
        }
        CHECK(memory->bytes() > 0);
    }
    CHECK(memory->bytes() == 0);
}

// Collection "terms" with a sparse field whose records are in the log.
class LogFile : public HostileFile {
public:
    explicit LogFile(const char* options) {
        quern_close(db);
        db = nullptr;
        Ok(quern_open(path().c_str(), options, &db, &err));
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "words", "");
        Ok(quern_create(db, "terms", schema, &err));
        quern_schema_free(schema);
    }
    void Upsert(const std::vector<int64_t>& keys, const Shape& shape, std::mt19937* random) {
        std::vector<size_t> offsets{0};
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        for (size_t i = 0; i < keys.size(); i++) {
            for (const SparseEntry& entry : RandomVector(shape, random)) {
                dims.push_back(entry.dimension);
                weights.push_back(entry.weight);
            }
            offsets.push_back(dims.size());
        }
        quern_batch* batch = quern_batch_new(db, "terms", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_sparse(batch, "words", offsets.data(), dims.data(), weights.data(), nullptr);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Delete(const std::vector<int64_t>& keys) {
        quern_batch* batch = quern_batch_new(db, "terms", keys.size());
        quern_batch_key_int(batch, keys.data());
        Ok(quern_delete(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    using Rows = std::vector<std::pair<int64_t, float>>;
    // limit 0: all, which always is a scan.
    Rows Search(const SparseVector& vector, size_t limit) {
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        for (const SparseEntry& entry : vector) {
            dims.push_back(entry.dimension);
            weights.push_back(entry.weight);
        }
        const size_t offsets[] = {0, dims.size()};
        quern_query* query = quern_query_new(db, "terms");
        quern_query_sparse(query, "words", offsets, dims.data(), weights.data(), 1);
        quern_query_limit(query, limit);
        if (limit == 0) {
            quern_query_min_score(query, -1e9);
        }
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err));
        Rows rows;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            rows.emplace_back(quern_result_key_int(result, row),
                              quern_result_distance(result, row));
        }
        quern_result_free(result);
        quern_query_free(query);
        return rows;
    }
    void Compare(const Shape& shape, std::mt19937* random) {
        const SparseVector query = RandomVector(shape, random);
        Rows all = Search(query, 0);
        for (const size_t limit : {size_t{1}, size_t{7}}) {
            const Rows rows = Search(query, limit);
            REQUIRE(rows.size() == std::min(limit, all.size()));
            REQUIRE(std::equal(rows.begin(), rows.end(), all.begin()));
        }
    }
};

void ComeAndGo(const char* options) {
    std::mt19937 random(11);
    LogFile file(options);
    Shape shape;
    shape.dimensions = 400;
    shape.entries_max = 20;
    shape.weights = 1;
    for (int step = 0; step < 40; step++) {
        std::vector<int64_t> keys;
        for (size_t i = 0; i < 1 + random() % 300; i++) {
            keys.push_back(static_cast<int64_t>(random() % 9000));
        }
        std::sort(keys.begin(), keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        if (random() % 5 == 0) {
            file.Delete(keys);
        } else {
            file.Upsert(keys, shape, &random);
        }
        for (int q = 0; q < 3; q++) {
            file.Compare(shape, &random);
        }
    }
}

}  // namespace

TEST_CASE("searches of a log's sparse vectors equal scans", "[sparse]") {
    CompareWithScans(1, 20, 1500);
    CompareWithScans(2, 3, 9000);
}

TEST_CASE("searches of a log's sparse vectors are the same at every SIMD level", "[sparse]") {
    AtEveryLevel([] { CompareWithScans(3, 2, 600); });
}

TEST_CASE("an index of a log stops where memory ends, and goes on later", "[sparse]") {
    std::mt19937 random(4);
    Work work;
    const SparseRowList list = RandomRows({}, 5000, &random);
    const SparseRows rows = list.View();
    LogIndex index(std::make_shared<MemoryCounter>());
    const auto row = [&](uint32_t i) { return RowAt(rows, i); };
    int asked = 0;
    REQUIRE(index
                .Extend(
                    5000, row, [&](uint64_t) { return ++asked < 4; }, &work)
                .ok());
    CHECK((index.count() > 0 && index.count() < 5000));
    REQUIRE(index
                .Extend(
                    5000, row, [](uint64_t) { return true; }, &work)
                .ok());
    CHECK(index.count() == 5000);
    std::atomic<uint64_t> epoch{0};
    Work stopped(&epoch, nullptr);
    epoch = 1;
    LogHits hits(3, 0);
    LogSpace space;
    CHECK(index.Search({{1, 1.0f}}, row, &hits, &space, nullptr, &stopped).status().code() ==
          Code::kInterrupted);
}

TEST_CASE("sparse records that come and go in the log are found as by scans", "[sparse]") {
    ComeAndGo("maintenance=off threads=2");
}

TEST_CASE("a log whose sparse index has no room is scanned", "[sparse]") {
    ComeAndGo("maintenance=off memory_mb=1");
}
