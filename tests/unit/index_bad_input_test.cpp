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
