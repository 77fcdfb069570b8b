// Searches through the index of a sparse field, by the C API: they answer as scans do, to the last
// bit and tie, whatever is deleted, damaged, missing or too large.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/sparse/space_pool.h"
#include "tests/unit/hostile_file.h"
#include "tests/unit/sparse_sample.h"

namespace {

using sparse_sample::RandomVector;
using sparse_sample::Shape;

struct Rows {
    std::vector<size_t> offsets{0};
    std::vector<uint32_t> dims;
    std::vector<float> weights;
    void Add(const sparse_sample::SparseVector& vector) {
        for (const auto& entry : vector) {
            dims.push_back(entry.dimension);
            weights.push_back(entry.weight);
        }
        offsets.push_back(dims.size());
    }
};

Rows RandomQueries(const Shape& shape, size_t count) {
    std::mt19937 random(8);
    Rows queries;
    for (size_t q = 0; q < count; q++) {
        queries.Add(RandomVector(shape, &random));
    }
    return queries;
}

// Collection "terms" has every vector twice: in a field with an index, and in one without.
class TwiceFile : public HostileFile {
public:
    explicit TwiceFile(const Shape& shape, const char* options = nullptr) : shape_(shape) {
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "fast", options);
        quern_schema_sparse(schema, "plain", "index=none");
        Ok(quern_create(db, "terms", schema, &err));
        quern_schema_free(schema);
    }
    // One record in ten has no vector.
    void Put(int64_t first, size_t count) {
        Rows rows;
        std::vector<int64_t> keys;
        std::vector<uint8_t> valid;
        for (size_t i = 0; i < count; i++) {
            keys.push_back(first + static_cast<int64_t>(i));
            valid.push_back(random_() % 10 != 0 ? 1 : 0);
            rows.Add(valid.back() != 0 ? RandomVector(shape_, &random_)
                                       : sparse_sample::SparseVector());
        }
        quern_batch* batch = quern_batch_new(db, "terms", count);
        quern_batch_key_int(batch, keys.data());
        for (const char* field : {"fast", "plain"}) {
            quern_batch_sparse(batch, field, rows.offsets.data(), rows.dims.data(),
                               rows.weights.data(), valid.data());
        }
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void DeleteEvery(int64_t step, int64_t end) {
        std::vector<int64_t> keys;
        for (int64_t key = 0; key < end; key += step) {
            keys.push_back(key);
        }
        quern_batch* batch = quern_batch_new(db, "terms", keys.size());
        quern_batch_key_int(batch, keys.data());
        Ok(quern_delete(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Optimize() { Ok(quern_optimize(db, nullptr, 0, &err)); }
    void Reopen(const char* options) {
        quern_close(db);
        db = nullptr;
        Ok(quern_open(path().c_str(), options, &db, &err));
    }

    struct Answer {
        std::vector<std::vector<std::pair<int64_t, float>>> rows;
        uint32_t flags = 0;
        uint64_t scored = 0;
        double recall = 0;  // that is told
    };
    // The share of the scores of the last hits that are among those found.
    static double RecallOf(const Answer& found, const Answer& truth) {
        double hits = 0;
        double wanted = 0;
        for (size_t q = 0; q < truth.rows.size(); q++) {
            wanted += static_cast<double>(truth.rows[q].size());
            for (const auto& row : found.rows[q]) {
                hits += row.second <= truth.rows[q].back().second ? 1 : 0;
            }
        }
        return hits / wanted;
    }
    Answer Search(const char* field, const Rows& queries, size_t k, const char* options = nullptr,
                  const char* filter = nullptr) {
        const size_t count = queries.offsets.size() - 1;
        quern_query* query = quern_query_new(db, "terms");
        quern_query_sparse(query, field, queries.offsets.data(), queries.dims.data(),
                           queries.weights.data(), count);
        quern_query_limit(query, k);
        quern_query_options(query, options);
        quern_query_filter(query, filter);
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err));
        Answer answer;
        answer.flags = static_cast<uint32_t>(quern_result_flags(result));
        answer.recall = static_cast<double>(quern_result_stat(result, QUERN_RESULT_RECALL)) / 1e6;
        answer.scored =
            static_cast<uint64_t>(quern_result_stat(result, QUERN_RESULT_VECTORS_SCORED));
        for (size_t q = 0; q < count; q++) {
            answer.rows.emplace_back();
            for (size_t row = quern_result_offset(result, q);
                 row < quern_result_offset(result, q + 1); row++) {
                answer.rows.back().emplace_back(quern_result_key_int(result, row),
                                                quern_result_distance(result, row));
            }
        }
        quern_result_free(result);
        quern_query_free(query);
        return answer;
    }
    // Both fields answer alike; the flags of the one with the index. used: the index is, so that
    // less is scored.
    uint32_t Compare(bool used = true) {
        Rows queries;
        for (size_t q = 0; q < 20; q++) {
            queries.Add(RandomVector(shape_, &random_));
        }
        uint32_t flags = 0;
        for (const size_t k : {1, 10, 700}) {
            CAPTURE(k);
            const Answer fast = Search("fast", queries, k);
            const Answer plain = Search("plain", queries, k);
            CHECK(fast.rows == plain.rows);
            CHECK((!used || k > 10 || shape_.negative > 0 || fast.scored < plain.scored ||
                   (fast.flags & ~QUERN_FLAG_EXACT) != 0));
            flags |= fast.flags & ~QUERN_FLAG_EXACT;
            CHECK((fast.flags & QUERN_FLAG_EXACT) != 0);
        }
        return flags;
    }
    // How many segments have an index.
    int Indexes() {
        quern_close(db);
        db = nullptr;
        sqlite3* raw = nullptr;
        REQUIRE(sqlite3_open(path().c_str(), &raw) == SQLITE_OK);
        int count = 0;
        const auto take = [](void* to, int, char** values, char**) {
            *static_cast<int*>(to) = std::stoi(values[0]);
            return 0;
        };
        CHECK(sqlite3_exec(raw, "SELECT count(*) FROM quern_part WHERE kind=80", take, &count,
                           nullptr) == SQLITE_OK);
        sqlite3_close(raw);
        Open();
        return count;
    }

private:
    Shape shape_;
    std::mt19937 random_{5};
};

Shape Ties() {
    Shape shape;
    shape.dimensions = 300;
    return shape;
}

const std::string kOf = " IN (SELECT id FROM quern_part WHERE kind";

}  // namespace

TEST_CASE("a sparse field answers alike with an index and without", "[sparse]") {
    Shape shape = Ties();
    shape.negative = GENERATE(0.0, 0.1);
    TwiceFile file(shape);
    file.Put(0, 9000);  // more than one superblock, so it is reordered
    file.Optimize();
    CHECK(file.Indexes() == 1);
    CHECK(file.Compare() == 0);
    file.DeleteEvery(3, 6000);
    CHECK(file.Compare() == 0);
    file.Put(8500, 1000);  // in the log, some of them in place of sealed ones
    CHECK(file.Compare() == 0);
    file.Reopen("seal_rows=500");
    file.Put(9400, 600);
    CHECK(file.Compare() == 0);
    file.Optimize();
    CHECK(file.Indexes() == 1);
    CHECK(file.Compare() == 0);
    CHECK(file.Problems().empty());
}

TEST_CASE("a sparse field with approx=graph answers ef=N nearly as a scan does",
          "[sparse][approximate]") {
    Shape shape = Ties();
    shape.dimensions = 3000;
    shape.entries_max = 30;
    TwiceFile file(shape, "approx=graph");
    file.Put(0, 12000);
    file.Optimize();
    CHECK(file.Compare() == 0);  // exact without ef
    file.Put(12000, 300);        // in the log
    file.DeleteEvery(7, 9000);
    const Rows queries = RandomQueries(shape, 30);
    const auto exact = file.Search("plain", queries, 10);
    for (const bool again : {false, true}) {
        const auto found = file.Search("fast", queries, 10, "ef=64");
        CHECK((found.flags & QUERN_FLAG_EXACT) == 0);
        CHECK((found.flags & QUERN_FLAG_DEGRADED) == 0);
        double hits = 0;
        double wanted = 0;
        for (size_t q = 0; q < 30; q++) {
            wanted += static_cast<double>(exact.rows[q].size());
            CHECK(found.rows[q].size() == exact.rows[q].size());
            for (const auto& row : found.rows[q]) {
                hits += row.second <= exact.rows[q].back().second ? 1 : 0;
            }
        }
        CHECK(hits >= 0.8 * wanted);
        if (!again) {
            file.Reopen(nullptr);
        }
    }
    CHECK(file.Problems().empty());
    // Damaged, it is told, and records are scored.
    file.Alter("UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE (id>>20)" + kOf + "=137)");
    const auto found = file.Search("fast", queries, 10, "ef=64");
    CHECK(found.rows == exact.rows);
    CHECK((found.flags & QUERN_FLAG_DEGRADED) != 0);
    CHECK(file.Problems().find("approximate sparse index links") != std::string::npos);
    // The new parts take the place of the damaged ones.
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    CHECK(file.Problems().empty());
    const auto rebuilt = file.Search("fast", queries, 10, "ef=64");
    CHECK((rebuilt.flags & (QUERN_FLAG_EXACT | QUERN_FLAG_DEGRADED)) == 0);
}

TEST_CASE("a sparse search is approximate where it is asked to be", "[sparse]") {
    Shape shape = Ties();
    shape.entries_max = 30;
    shape.weights = 2;
    TwiceFile file(shape);
    file.Put(0, 20000);  // five superblocks
    file.Optimize();
    file.Put(20000, 500);  // in the log
    const Rows queries = RandomQueries(shape, 30);
    const auto exact = file.Search("fast", queries, 10);
    REQUIRE((exact.flags & QUERN_FLAG_EXACT) != 0);
    for (const char* const same : {"bound=1", "bound=exact", "recall=0.1", "bound=1 superblocks=1",
                                   "terms=0", "recall=exact bound=0.1", "recall=1 terms=1"}) {
        const auto answer = file.Search("fast", queries, 10, same);
        CHECK((answer.rows == exact.rows && answer.flags == exact.flags));
    }
    // A field without an index is scanned.
    const auto plain = file.Search("plain", queries, 10, "bound=0.1");
    CHECK((plain.rows == exact.rows && plain.flags == exact.flags));
    const auto recall = [&](const TwiceFile::Answer& answer) {
        size_t found = 0;
        size_t wanted = 0;
        for (size_t q = 0; q < exact.rows.size(); q++) {
            const std::set<std::pair<int64_t, float>> truth(exact.rows[q].begin(),
                                                            exact.rows[q].end());
            for (const auto& row : answer.rows[q]) {
                found += truth.count(row);
            }
            wanted += truth.size();
        }
        return static_cast<double>(found) / static_cast<double>(wanted);
    };
    const auto loose = file.Search("fast", queries, 10, "bound=0.8");
    CHECK((loose.flags & QUERN_FLAG_EXACT) == 0);
    CHECK(recall(loose) > 0.9);
    double before = 0;
    for (const char* const terms : {"terms=1", "terms=4", "terms=12", "terms=65535"}) {
        CAPTURE(terms);
        const auto few = file.Search("fast", queries, 10, terms);
        CHECK((few.flags & QUERN_FLAG_EXACT) == 0);
        CHECK(recall(few) >= before);
        before = recall(few);
        for (size_t q = 0; q < exact.rows.size(); q++) {
            CHECK(few.rows[q].size() == exact.rows[q].size());
        }
    }
    CHECK(before == 1);
    const auto least = file.Search("fast", queries, 10, "bound=0.05 superblocks=1");
    const auto more = file.Search("fast", queries, 10, "bound=0.05 superblocks=5");
    CHECK(recall(least) <= recall(more));
    CHECK(recall(least) < 1);
    for (const auto& rows : least.rows) {
        CHECK(std::is_sorted(rows.begin(), rows.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
}

TEST_CASE("a pruned sparse field tells that it may miss records, and can be asked exactly",
          "[sparse][prune]") {
    Shape shape = Ties();
    shape.dimensions = 3000;
    shape.entries_max = 30;
    TwiceFile file(shape, "prune_mass=0.7 prune_top=20");
    file.Put(0, 9000);
    const Rows queries = RandomQueries(shape, 30);
    const auto exact = file.Search("plain", queries, 10);
    const auto of_log = file.Search("fast", queries, 10);
    CHECK((of_log.rows == exact.rows && (of_log.flags & QUERN_FLAG_EXACT) != 0));
    file.Optimize();
    for (const bool again : {false, true}) {
        const auto asked = file.Search("fast", queries, 10, "recall=1");
        CHECK((asked.rows == exact.rows && (asked.flags & QUERN_FLAG_EXACT) != 0));
        const auto found = file.Search("fast", queries, 10);
        CHECK((found.flags & (QUERN_FLAG_EXACT | QUERN_FLAG_DEGRADED)) == 0);
        double hits = 0;
        double wanted = 0;
        for (size_t q = 0; q < 30; q++) {
            const std::map<int64_t, float> truth(exact.rows[q].begin(), exact.rows[q].end());
            wanted += static_cast<double>(truth.size());
            CHECK(found.rows[q].size() == exact.rows[q].size());
            for (const auto& [key, distance] : found.rows[q]) {
                hits += static_cast<double>(truth.count(key));
            }
        }
        CHECK((hits > 0.7 * wanted && hits < wanted));
        // More than the lists hold: never fewer than there are.
        const auto many = file.Search("fast", queries, 5000);
        const auto all = file.Search("plain", queries, 5000);
        for (size_t q = 0; q < 30; q++) {
            CHECK(many.rows[q].size() == all.rows[q].size());
        }
        if (!again) {
            file.Reopen(nullptr);
        }
    }
    CHECK(file.Problems().empty());
}

TEST_CASE("of a pruned sparse field all that match are scored where that costs no more",
          "[sparse][prune]") {
    Shape shape = Ties();
    shape.dimensions = 3000;
    shape.entries_max = 30;
    shape.weights = 2;
    const char* const options =
        GENERATE("prune_mass=0.6", "prune_mass=0.6 impacts=8", "prune_mass=0.6 approx=graph");
    CAPTURE(options);
    TwiceFile file(shape, options);
    file.Put(0, 12000);
    file.Optimize();
    const Rows queries = RandomQueries(shape, 20);
    const auto is_exact = [&](size_t k, const char* filter) {
        CAPTURE(k, filter);
        const auto plain = file.Search("plain", queries, k, nullptr, filter);
        const auto found = file.Search("fast", queries, k, nullptr, filter);
        const bool told = (found.flags & QUERN_FLAG_EXACT) != 0;
        CHECK((!told || (found.rows == plain.rows && found.recall == 1)));
        CHECK((told || found.recall == 0));
        return told;
    };
    CHECK(is_exact(10, "id < 60"));
    CHECK(is_exact(10, "id % 200 = 0"));
    CHECK(!is_exact(10, "id % 3 = 0"));
    CHECK(!is_exact(10, nullptr));
    CHECK(is_exact(5000, nullptr));  // of so many, twice as many would be scored
    CHECK(is_exact(100, "id % 40 = 0"));
    // Knobs that make a search approximate make it so here, too.
    const auto knob = file.Search("fast", queries, 10, "bound=0.9", "id < 60");
    CHECK((knob.flags & QUERN_FLAG_EXACT) == 0);
    CHECK(file.Problems().empty());
}

TEST_CASE("a recall told to a pruned field with a graph is kept where there is no graph yet",
          "[sparse][prune]") {
    Shape shape = Ties();
    shape.dimensions = 3000;
    shape.entries_max = 30;
    TwiceFile file(shape, "prune_mass=0.5 approx=graph");
    file.Put(0, 5000);  // a graph is of 8192 vectors at the least
    file.Optimize();
    const Rows queries = RandomQueries(shape, 20);
    const auto found = file.Search("fast", queries, 10, "recall=0.99", nullptr);
    CHECK((found.flags & QUERN_FLAG_EXACT) != 0);
    CHECK(found.rows == file.Search("plain", queries, 10, nullptr, nullptr).rows);
}

TEST_CASE("a sparse field with impacts keeps less in memory, and answers as a scan does",
          "[sparse][impacts]") {
    Shape shape = Ties();
    shape.dimensions = 500;
    shape.entries_max = 30;
    shape.weights = GENERATE(1, 2, 3);
    shape.negative = GENERATE(0.0, 0.1);
    CAPTURE(shape.weights, shape.negative);
    TwiceFile file(shape, "impacts=8");
    file.Put(0, 9000);
    file.Optimize();
    CHECK(file.Compare() == 0);
    file.Put(9000, 500);  // in the log
    file.DeleteEvery(7, 9000);
    CHECK(file.Compare() == 0);
    file.Reopen(nullptr);
    CHECK(file.Compare() == 0);
    CHECK(file.Problems().empty());
    // Near scores, of more records than are looked at first.
    Rows one;
    one.Add({{3, 1.0f}, {4, 0.25f}});
    for (const size_t k : {1, 3, 10, 300, 20000}) {
        CAPTURE(k);
        CHECK(file.Search("fast", one, k).rows == file.Search("plain", one, k).rows);
    }
    // Approximate searches score truly, too.
    const auto all = file.Search("plain", one, 20000);
    const std::map<int64_t, float> truth(all.rows[0].begin(), all.rows[0].end());
    const auto some = file.Search("fast", one, 50, "bound=0.3");
    CHECK((some.flags & QUERN_FLAG_EXACT) == 0);
    REQUIRE(some.rows[0].size() == 50);
    for (const auto& [key, distance] : some.rows[0]) {
        CHECK(truth.at(key) == distance);
    }
}

TEST_CASE("pruned postings order records, and more than are wanted are scored", "[sparse][prune]") {
    Shape shape = Ties();
    shape.dimensions = 3000;
    shape.entries_max = 30;
    shape.weights = 2;
    TwiceFile file(shape, "prune_mass=0.6 approx=graph");
    file.Put(0, 12000);
    const Rows queries = RandomQueries(shape, 60);
    const auto exact = file.Search("plain", queries, 10);
    file.Optimize();
    // Those that few terms order are scored so, too; all of them order no worse.
    const auto found = file.Search("fast", queries, 10);
    const auto few = file.Search("fast", queries, 10, "terms=12");
    CHECK(TwiceFile::RecallOf(found, exact) >= TwiceFile::RecallOf(few, exact));
    CHECK(found.scored >= few.scored);
    CHECK(TwiceFile::RecallOf(found, exact) < 1);
    CHECK((found.recall == 0 && (found.flags & QUERN_FLAG_EXACT) == 0));
    // A recall that is told goes the way that keeps it: here a walk, whose recall was measured by
    // whole rows, or all rows.
    for (const char* const told : {"recall=0.9", "recall=0.99", "recall=0.99999"}) {
        CAPTURE(told);
        const auto kept = file.Search("fast", queries, 10, told);
        CHECK(kept.recall >= std::stod(told + 7) - 1e-6);
        CHECK(TwiceFile::RecallOf(kept, exact) > TwiceFile::RecallOf(found, exact));
    }
    const auto many = file.Search("fast", queries, 200, "recall=0.9");
    CHECK(((many.flags & QUERN_FLAG_EXACT) != 0 && many.recall == 1));
}

TEST_CASE("a sparse field with approx=graph is asked for a recall", "[sparse][approximate]") {
    // Long lists, so that walks are cheaper than exact searches.
    Shape shape = Ties();
    shape.dimensions = 100;
    shape.entries_max = 80;
    shape.weights = 2;
    TwiceFile file(shape, "approx=graph");
    file.Put(0, 60000);
    file.Optimize();
    const Rows queries = RandomQueries(shape, 40);
    const auto exact = file.Search("plain", queries, 10);
    const auto is_exact = [&](const TwiceFile::Answer& answer) {
        return answer.rows == exact.rows && (answer.flags & QUERN_FLAG_EXACT) != 0 &&
               answer.recall == 1;
    };
    // Who asks for nothing gets all, and so does who asks for more than walks give cheaply.
    CHECK(is_exact(file.Search("fast", queries, 10)));
    CHECK(is_exact(file.Search("fast", queries, 10, "recall=1")));
    CHECK(is_exact(file.Search("fast", queries, 10, "recall=0.99999")));
    for (const bool again : {false, true}) {
        const auto low = file.Search("fast", queries, 10, "recall=0.3");
        CHECK((low.flags & (QUERN_FLAG_EXACT | QUERN_FLAG_DEGRADED)) == 0);
        CHECK(low.recall >= 0.2999);
        CHECK(low.recall < 1);
        CHECK(TwiceFile::RecallOf(low, exact) >= 0.3);
        const auto high = file.Search("fast", queries, 10, "recall=0.6");
        // (These records are not like each other, and queries are as long as records: so they get
        // less than what the curve was measured with.)
        CHECK(TwiceFile::RecallOf(high, exact) >= 0.45);
        CHECK(TwiceFile::RecallOf(high, exact) >= TwiceFile::RecallOf(low, exact));
        CHECK(high.recall >= low.recall);
        // The least of the curve that is more than k.
        CHECK(low.rows == file.Search("fast", queries, 10, "ef=14").rows);
        // What a pool gives is told as well, where the curve knows it.
        const auto pool = file.Search("fast", queries, 10, "ef=12");
        CHECK((pool.flags & QUERN_FLAG_EXACT) == 0);
        CHECK(pool.recall > 0);
        CHECK(file.Search("fast", queries, 10, "ef=5").recall == 0);
        // A knob of its own decides.
        CHECK(is_exact(file.Search("fast", queries, 10, "bound=1")));
        CHECK(file.Search("fast", queries, 10, "bound=0.5 recall=0.3").recall == 0);
        if (!again) {
            file.Reopen(nullptr);
        }
    }
    // As files of before there was a curve are.
    file.Alter("DELETE FROM quern_chunk WHERE (id>>20)" + kOf +
               "=138); DELETE FROM quern_part WHERE kind=138");
    CHECK(file.Problems().empty());
    CHECK(is_exact(file.Search("fast", queries, 10, "recall=0.3")));
    const auto pool = file.Search("fast", queries, 10, "ef=12");
    CHECK((pool.flags & QUERN_FLAG_EXACT) == 0);
    CHECK(pool.recall == 0);
}

TEST_CASE("optimize leaves out an approximate index that would take longer than it may",
          "[sparse][approximate]") {
    Shape shape = Ties();
    shape.dimensions = 3000;
    for (const bool approximate : {false, true}) {
        CAPTURE(approximate);
        TwiceFile file(shape, approximate ? "approx=graph" : nullptr);
        file.Reopen("threads=1");
        file.Put(0, 10000);
        // Its links take more than a second, the rest much less. However slow the machine is, the
        // second one is not begun.
        file.Ok(quern_optimize(file.db, nullptr, 1000, &file.err));
        CHECK(file.Indexes() <= (approximate ? 0 : 1));
        file.Optimize();
        CHECK(file.Indexes() == 1);
    }
}

TEST_CASE("buckets of dimensions have weights of their own", "[sparse]") {
    Shape shape = Ties();
    shape.dimensions = 4000;
    shape.entries_max = 40;
    shape.weights = 4;  // binary
    TwiceFile file(shape, "dims=4002 buckets=4 weights=none");
    file.Put(0, 6000);
    file.Optimize();
    file.Put(6000, 500);  // in the log
    std::mt19937 random(9);
    Rows queries;
    Rows weighted;
    // Of 1,001 dimensions each.
    const float of_bucket[] = {1, 0.5f, 0, 3};
    for (size_t q = 0; q < 20; q++) {
        const auto vector = RandomVector(shape, &random);
        queries.Add(vector);
        sparse_sample::SparseVector by_hand;
        for (const auto& entry : vector) {
            by_hand.push_back({entry.dimension, entry.weight * of_bucket[entry.dimension / 1001]});
        }
        weighted.Add(by_hand);
    }
    const char* const weights = "bucket_weights=1,0.5,0,3";
    CHECK(file.Search("fast", queries, 10, weights).rows ==
          file.Search("plain", weighted, 10).rows);
    CHECK(file.Search("fast", queries, 10, weights).rows != file.Search("plain", queries, 10).rows);
    CHECK(file.Search("fast", queries, 10, "bucket_weights=1,1,1,1").rows ==
          file.Search("plain", queries, 10).rows);
    for (const auto& rows : file.Search("fast", queries, 10, "bucket_weights=0,0,0,0").rows) {
        CHECK(rows.empty());
    }
    file.Reopen(nullptr);
    CHECK(file.Search("fast", queries, 10, weights).rows ==
          file.Search("plain", weighted, 10).rows);
    const auto refused = [&](const char* field, const char* options, float weight, int32_t code) {
        const size_t offsets[] = {0, 1};
        const uint32_t dim = 1;
        quern_query* query = quern_query_new(file.db, "terms");
        quern_query_sparse(query, field, offsets, &dim, &weight, 1);
        quern_query_options(query, options);
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &file.err);
        quern_result_free(result);
        quern_query_free(query);
        return status == code;
    };
    CHECK(refused("fast", "bucket_weights=1,1,1", 1, QUERN_ERR_OPTION));
    CHECK(std::string(file.err.message).find("'fast': 3 bucket weights, it has 4 buckets") !=
          std::string::npos);
    CHECK(refused("plain", weights, 1, QUERN_ERR_OPTION));
    CHECK(std::string(file.err.message).find("'plain' has no buckets") != std::string::npos);
    CHECK(refused("fast", "bucket_weights=1e30,1,1,1", 1e30f, QUERN_ERR_NOT_FINITE));
    CHECK(std::string(file.err.message)
              .find("weight 1e+30 of dimension 1 times that of its bucket, 1e+30, is beyond f32 "
                    "(3.40282e+38)") != std::string::npos);
    for (const char* const bad :
         {"bucket_weights=", "bucket_weights=1,,1,1", "bucket_weights=1,1,1,-1",
          "bucket_weights=1,1,1,nan", "bucket_weights=1,1,1,1e99", "bucket_weights=1,1,1,x",
          "bucket_weights=1,1,1,1,"}) {
        CAPTURE(bad);
        CHECK(refused("fast", bad, 1, QUERN_ERR_OPTION));
    }
}

TEST_CASE("options of a sparse search are checked", "[sparse]") {
    TwiceFile file(Ties());
    file.Put(0, 5);
    const size_t offsets[] = {0, 1};
    const uint32_t dim = 1;
    for (const char* const bad :
         {"bound=0", "bound=1.5", "bound=-1", "bound=x", "bound=nan", "superblocks=0",
          "superblocks=x", "superblocks=99999999", "terms=-1", "terms=x", "terms=65536"}) {
        CAPTURE(bad);
        quern_query* query = quern_query_new(file.db, "terms");
        quern_query_sparse(query, "fast", offsets, &dim, nullptr, 1);
        quern_query_options(query, bad);
        quern_result* result = nullptr;
        CHECK(quern_search(query, &result, &file.err) == QUERN_ERR_OPTION);
        quern_query_free(query);
    }
}

TEST_CASE("spaces of sparse searches are lent again", "[sparse]") {
    quern::sparse::SpacePool pool;
    const void* first = nullptr;
    {
        quern::sparse::SpacePool::Lease one(&pool);
        quern::sparse::SpacePool::Lease two(&pool);
        CHECK(one.get() != two.get());
        first = one.get();
    }
    CHECK(quern::sparse::SpacePool::Lease(&pool).get() == first);
}

TEST_CASE("a damaged sparse index is passed over, named and made anew", "[sparse]") {
    TwiceFile file(Ties());
    file.Put(0, 3000);
    file.Optimize();
    const int kind = GENERATE(range(80, 90));
    const bool lost = GENERATE(false, true);
    CAPTURE(kind, lost);
    const std::string of = kOf + "=" + std::to_string(kind) + ")";
    file.Alter(lost ? "DELETE FROM quern_chunk WHERE (id>>20)" + of +
                          "; DELETE FROM quern_part WHERE kind=" + std::to_string(kind)
                    : "UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE (id>>20)" + of);
    const bool no_index = lost && kind == 80;  // as if none had been built
    CHECK(file.Compare(!no_index) == (no_index ? 0 : QUERN_FLAG_DEGRADED));
    CHECK(file.Problems().empty() == no_index);
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    CHECK(file.Compare() == 0);
    CHECK(file.Problems().empty());
    CHECK(file.Indexes() == 1);
}

TEST_CASE("a sparse index that memory has no room for is told", "[sparse]") {
    Shape shape = Ties();
    shape.entries_max = 120;
    TwiceFile file(shape);
    file.Put(0, 6000);
    file.Optimize();
    CHECK(file.Compare() == 0);
    file.Reopen("memory_mb=1");
    CHECK(file.Compare() == QUERN_FLAG_MEMORY);
}

TEST_CASE("options of a sparse field are read and kept", "[sparse]") {
    HostileFile file;
    for (const char* options :
         {"index=graph", "recall=0.9", "index=", "approx=lists", "approx=graph index=none",
          "prune_mass=0", "prune_mass=1.1", "prune_ratio=nan", "prune_below=-1", "prune_top=0",
          "prune_top=70000", "prune_mass=x", "impacts=4", "impacts=", "buckets=0", "buckets=65537",
          "buckets=x", "dims=10 buckets=11"}) {
        CAPTURE(options);
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "words", options);
        CHECK(quern_create(file.db, "terms", schema, &file.err) == QUERN_ERR_OPTION);
        quern_schema_free(schema);
    }
    const auto refused = [&](const char* options, const char* told) {
        CAPTURE(options, told);
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "words", options);
        CHECK(quern_create(file.db, "terms", schema, &file.err) == QUERN_ERR_OPTION);
        CHECK_THAT(file.err.message, Catch::Contains(told));
        quern_schema_free(schema);
    };
    // Heaviest entries are those of weights.
    refused("weights=none prune_mass=0.8", "option prune_mass goes by weights");
    refused("prune_ratio=0.5 weights=none", "option prune_ratio goes by weights");
    refused("weights=none prune_below=0.5", "option prune_below goes by weights");
    refused("weights=none dims=10 prune_top=5", "option prune_top goes by weights");
    // What is beyond f32 says where that ends.
    refused("prune_below=1e400", "expected a number above 0, to 3e+38");
    refused("prune_below=1e39", "expected a number above 0, to 3e+38");
    refused("prune_mass=2", "expected a number above 0, to 1");
    quern_schema* schema = quern_schema_new();
    quern_schema_sparse(schema, "words", "dims=10 index=none");
    file.Ok(quern_create(file.db, "terms", schema, &file.err));
    quern_schema_free(schema);
}
