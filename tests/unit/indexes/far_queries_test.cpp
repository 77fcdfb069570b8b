// Queries that are farther from everything than the records which an index was measured with.
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "engine/dense/codes/code_training.h"
#include "engine/dense/far_queries.h"
#include "tests/unit/indexed_file.h"

using namespace quern;
using namespace quern::dense;
using namespace indexed;

namespace {

// Rows near to a few centres: by `spread` times a normal number in each dimension.
std::vector<float> Around(size_t count, float spread, uint64_t seed) {
    std::mt19937_64 fixed(3);
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    constexpr size_t kCentres = 20;
    std::vector<float> centres(kCentres * kDim);
    for (float& x : centres) {
        x = normal(fixed);
    }
    std::vector<float> rows(count * kDim);
    for (size_t i = 0; i < rows.size(); i++) {
        rows[i] = centres[i / kDim % kCentres * kDim + i % kDim] + spread * normal(random);
    }
    return rows;
}

FarQueries Known(const std::vector<float>& values) {
    std::string bytes;
    ByteWriter writer(&bytes);
    WriteFloats(values, &writer);
    ByteReader reader(bytes);
    Result<FarQueries> known = FarQueries::Read(&reader);
    REQUIRE(known.ok());
    REQUIRE(reader.AtEnd());
    return std::move(*known);
}

}  // namespace

TEST_CASE("bounds of far queries are those of the last rank that is looked for", "[graph]") {
    const FarQueries known = Known({1, 2, 3, 4, 5, 6});
    REQUIRE_FALSE(known.empty());
    REQUIRE(known.For(0, Metric::kL2, 1).rank == 0);
    for (const auto& [k, rank, common] : {std::make_tuple(1, 1, 1.0f),
                                          {9, 1, 1.0f},
                                          {10, 10, 3.0f},
                                          {99, 10, 3.0f},
                                          {5000, 100, 5.0f}}) {
        const FarQueries::Limits limits = known.For(static_cast<size_t>(k), Metric::kL2, 7);
        REQUIRE(limits.rank == static_cast<size_t>(rank));
        REQUIRE(limits.common == common);
        REQUIRE(limits.most == common + 1);
    }
    // Of the inner product they grow with the query; of none, or one of extreme length, nothing is
    // known.
    REQUIRE(known.For(10, Metric::kIp, 0.5).most == 2);
    REQUIRE(known.For(10, Metric::kIp, 0).rank == 0);
    REQUIRE(known.For(10, Metric::kIp, 1e39).rank == 0);

    const float none = FarQueries::kNone;
    REQUIRE(Known({1, 2, none, none, none, none}).For(10, Metric::kL2, 1).rank == 1);
    REQUIRE(Known({none, none, none, none, none, none}).empty());
    REQUIRE(FarQueries().For(10, Metric::kL2, 1).rank == 0);

    std::string bytes;
    ByteWriter writer(&bytes);
    known.Write(&writer);
    REQUIRE(bytes.size() == 24);
    for (const std::string& damaged : {bytes.substr(0, 23), std::string(24, '\xff'),
                                       bytes.substr(4, 4) + bytes.substr(0, 4) + bytes.substr(8)}) {
        ByteReader reader(damaged);
        REQUIRE(FarQueries::Read(&reader).status().code() == Code::kCorrupt);
    }
}

TEST_CASE("queries far from all records get the recall that is told", "[graph]") {
    const auto [metric, codes] = GENERATE(
        table<int32_t, std::string>({{QUERN_L2, "i8"}, {QUERN_IP, "auto"}, {QUERN_COSINE, "f32"}}));
    INFO(metric << " " << codes);
    IndexedFile file;
    file.FillOnce("far " + std::to_string(metric), [&, metric = metric, codes = codes] {
        file.Create(metric, "index=graph ef_build=60 codes=" + codes);
        file.Insert(0, Around(6000, 0.1f, 1));
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    });
    const auto share = [&](const std::vector<float>& queries, const char* options) {
        return Recall(file.Search(queries, 10, options), file.Search(queries, 10, "recall=1"));
    };
    // Like the records; then so that they are far from all of them, between the centres.
    REQUIRE(share(Around(200, 0.1f, 2), "recall=0.9") > 0.87);
    const std::vector<float> far = Around(200, 3.0f, 3);
    REQUIRE(share(far, "recall=0.9") > 0.87);
    REQUIRE(share(far, "recall=0.95") > 0.93);
    REQUIRE(share(far, "recall=0.98") > 0.965);
}

TEST_CASE("under a filter a result stands for a rank among all", "[graph]") {
    // Of the first, the tenth and the hundredth: common and most.
    const FarQueries known = Known({1, 2, 3, 4, 5, 6});
    const auto limits = [&](size_t k, double share) {
        const FarQueries::Limits of = known.ForShare(k, share, Metric::kL2, 1);
        return std::make_pair(of.rank, of.most);
    };
    REQUIRE(limits(10, 1) == std::make_pair(size_t{10}, 4.0f));
    REQUIRE(limits(100, 1) == std::make_pair(size_t{100}, 6.0f));
    REQUIRE(limits(1, 1) == std::make_pair(size_t{1}, 2.0f));
    // Half of 100 are 50, by chance 38: ten of them are there. Of ten one is.
    REQUIRE(limits(10, 0.5) == std::make_pair(size_t{10}, 6.0f));
    REQUIRE(limits(100, 0.5) == std::make_pair(size_t{38}, 6.0f));
    REQUIRE(limits(1, 0.5) == std::make_pair(size_t{1}, 4.0f));
    // Of a hundredth nobody knows whether one is among them.
    REQUIRE(limits(10, 0.01).first == 0);
    REQUIRE(limits(10, 0).first == 0);
    REQUIRE(FarQueries().ForShare(10, 0.5, Metric::kL2, 1).rank == 0);
}

TEST_CASE("queries far from all that a filter lets through get the recall that is told",
          "[graph]") {
    IndexedFile file;
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "emb", kDim, QUERN_L2, "index=graph ef_build=60 codes=4bit");
    quern_schema_attr(schema, "tenth", QUERN_INT, nullptr);
    file.Ok(quern_create(file.db, "docs", schema, &file.err));
    quern_schema_free(schema);
    const std::vector<float> rows = Around(6000, 0.3f, 1);
    std::vector<int64_t> keys(6000);
    std::vector<int64_t> tenths(6000);
    for (size_t i = 0; i < keys.size(); i++) {
        keys[i] = static_cast<int64_t>(i);
        tenths[i] = static_cast<int64_t>(i * 7 / 3 % 10);
    }
    quern_batch* batch = quern_batch_new(file.db, "docs", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "emb", rows.data(), kDim, nullptr);
    quern_batch_int(batch, "tenth", tenths.data(), nullptr);
    file.Ok(quern_upsert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const auto ask = [&](const std::vector<float>& queries, const char* options) {
        IndexedFile::Answer all;
        for (size_t row = 0; row < queries.size(); row += kDim) {
            const auto one = queries.begin() + static_cast<ptrdiff_t>(row);
            const auto answer = file.Search({one, one + kDim}, 10, options, "tenth < 8");
            all.keys.push_back(answer.keys[0]);
            all.distances.push_back(answer.distances[0]);
        }
        return all;
    };
    const std::vector<float> far = Around(60, 30.0f, 3);
    REQUIRE(Recall(ask(far, "recall=0.95"), ask(far, "recall=1")) > 0.93);
}

TEST_CASE("queries whose nearest records were deleted get the recall that is told", "[graph]") {
    IndexedFile file;
    file.Create(QUERN_L2, "index=graph ef_build=60 codes=i8");
    file.Insert(0, Around(6000, 0.2f, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    // One centre's records, of which there are 300.
    std::vector<int64_t> keys;
    for (int64_t key = 5; key < 6000; key += 20) {
        keys.push_back(key);
    }
    file.Delete(keys);
    const std::vector<float> all = Around(2000, 0.2f, 4);
    std::vector<float> queries;
    for (size_t row = 5; row < 2000; row += 20) {
        queries.insert(queries.end(), all.begin() + static_cast<ptrdiff_t>(row * kDim),
                       all.begin() + static_cast<ptrdiff_t>((row + 1) * kDim));
    }
    const auto exact = file.Search(queries, 10, "recall=1");
    REQUIRE(Recall(file.Search(queries, 10, "recall=0.95"), exact) > 0.93);
    // With too little for a scan, it is said that others may have been better.
    size_t partial = 0;
    for (size_t row = 0; row < queries.size(); row += kDim) {
        const auto one = queries.begin() + static_cast<ptrdiff_t>(row);
        const std::vector<float> query(one, one + kDim);
        partial += file.Search(query, 10, "recall=0.95 max_scored=4000").partial ? 1 : 0;
    }
    REQUIRE(partial > queries.size() / kDim * 9 / 10);
    REQUIRE_FALSE(file.Search(queries, 10, "recall=0.95 max_scored=20000").partial);
}
