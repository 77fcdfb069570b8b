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
