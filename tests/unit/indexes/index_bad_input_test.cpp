// Data that is hard on an index, by the C API, for graphs and lists alike: there are always
// min(k, n) records, and where all are asked for the answer is that of an exact search.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/unit/indexed_file.h"

using namespace indexed;

namespace {

struct Hard {
    const char* name;
    size_t dim;
    std::vector<float> rows;
};

std::vector<float> Repeated(const std::vector<float>& some, size_t times) {
    std::vector<float> rows;
    for (size_t i = 0; i < times; i++) {
        rows.insert(rows.end(), some.begin(), some.end());
    }
    return rows;
}

std::vector<float> Scaled(std::vector<float> rows, float by) {
    for (float& x : rows) {
        x *= by;
    }
    return rows;
}

// As many values as there are, in rows of another length.
std::vector<float> Values(size_t count) {
    std::vector<float> values = MakeRows(count / kDim + 1, 8);
    values.resize(count);
    return values;
}

}  // namespace

TEST_CASE("hard data is answered in full through an index", "[index]") {
    const std::string kind = GENERATE("index=graph ef_build=40", "index=lists");
    const int32_t metric = GENERATE(QUERN_L2, QUERN_IP, QUERN_COSINE);
    constexpr size_t kWideDim = 65536;
    const std::vector<Hard> sets = {
        {"none", kDim, {}},
        {"one", kDim, MakeRows(1, 1)},
        {"two", kDim, MakeRows(2, 1)},
        {"equal", kDim, Repeated(MakeRows(1, 1), 2500)},
        {"three, by the thousand", kDim, Repeated(MakeRows(3, 1), 1000)},
        {"zeros", kDim, std::vector<float>(300 * kDim, 0.0f)},
        {"huge", kDim, Scaled(MakeRows(300, 1), 1e18f)},
        {"tiny", kDim, Scaled(MakeRows(300, 1), 1e-18f)},
        {"one dimension", 1, Values(500)},
        {"65,536 dimensions", kWideDim, Values(70 * kWideDim)},
    };
    for (const Hard& set : sets) {
        INFO(set.name << " " << kind << " metric " << metric);
        IndexedFile file;
        file.dim = set.dim;
        file.Create(metric, kind);
        const size_t count = set.rows.size() / set.dim;
        if (count > 0) {
            file.Insert(0, set.rows);
        }
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        // One beside the data, one of it, and nothing at all.
        std::vector<float> queries = Values(set.dim);
        queries.insert(queries.end(), set.rows.begin(),
                       set.rows.begin() + static_cast<ptrdiff_t>(count > 0 ? set.dim : 0));
        queries.resize(queries.size() + set.dim, 0.0f);
        for (const size_t k : {size_t{1}, size_t{10}, count + 7}) {
            const auto truth = file.Search(queries, k, "recall=exact");
            const auto found = file.Search(queries, k, "recall=0.9");
            for (size_t q = 0; q < truth.keys.size(); q++) {
                REQUIRE(truth.keys[q].size() == std::min(k, count));
                REQUIRE(found.keys[q].size() == std::min(k, count));
                REQUIRE(std::is_sorted(found.distances[q].begin(), found.distances[q].end()));
                const std::set<int64_t> once(found.keys[q].begin(), found.keys[q].end());
                REQUIRE(once.size() == found.keys[q].size());
            }
            if (k > count) {
                REQUIRE(found.distances == truth.distances);
            }
            // Told an effort, the index is used whatever it promises.
            const char* effort = kind == "index=lists" ? "nprobe=2" : "ef=20";
            for (const auto& keys : file.Search(queries, k, effort).keys) {
                REQUIRE(keys.size() == std::min(k, count));
            }
        }
        file.Ok(quern_verify(file.db, nullptr, &file.err));
    }
}

TEST_CASE("lengths that f32 does not hold cost a cosine no recall", "[index]") {
    // Where codes measure: an inner product of such a query with codes is beyond f32.
    constexpr size_t kRows = 2000;
    constexpr size_t kQueries = 40;
    const std::vector<float> usual = MakeRows(kRows, 1);
    const std::vector<float> asked = MakeRows(kQueries, 2);
    // Each vector in a length of its own, its largest element at about `size`.
    const auto sized = [](std::vector<float> rows, float size) {
        for (size_t first = 0; first < rows.size(); first += kDim) {
            float largest = 0;
            for (size_t j = 0; j < kDim; j++) {
                largest = std::max(largest, std::abs(rows[first + j]));
            }
            const float of_row = size * (1.0f - 0.4f * static_cast<float>(first / kDim % 3));
            for (size_t j = 0; j < kDim; j++) {
                rows[first + j] = rows[first + j] / largest * of_row;
            }
        }
        return rows;
    };
    for (const std::string options :
         {"index=graph codes=i8", "index=graph codes=4bit", "index=graph codes=lvq8",
          "index=graph codes=packed", "index=graph codes=pq", "index=graph codes=1bit",
          "index=graph codes=f16", "index=lists", "index=lists codes=f32"}) {
        double plain = 0;
        for (const float size : {1.0f, 3e38f, 1e-37f}) {
            INFO(options << ", size " << size);
            IndexedFile file;
            file.Create(QUERN_COSINE, options + " ef_build=60");
            file.Insert(0, sized(usual, size));
            file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
            const std::vector<float> queries = sized(asked, size);
            const char* effort =
                options.find("lists") != std::string::npos ? "nprobe=8" : "ef=24 refine=12";
            const auto truth = file.Search(queries, 10, "recall=exact");
            const double recall = Recall(file.Search(queries, 10, effort), truth);
            plain = size == 1.0f ? recall : plain;
            CHECK(recall >= plain - 0.01);
            CHECK(Recall(file.Search(queries, 10, "recall=0.95"), truth) >= 0.93);
        }
    }
}
