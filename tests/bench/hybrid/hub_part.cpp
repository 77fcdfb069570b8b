#include "tests/bench/hybrid/hub_part.h"

#include <quern.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/bench/bench_support.h"
#include "tests/bench/sparse/sparse_set.h"

namespace bench {

namespace {

namespace fs = std::filesystem;

// Two matrices of as many rows: what is shown, and what is said of it.
struct Pairs {
    size_t count = 0;
    size_t dim = 0;
    std::vector<float> rows;
    const float* shown(size_t i) const { return rows.data() + i * dim; }
    const float* said(size_t i) const { return rows.data() + (count + i) * dim; }
};

// An npy of f32[2][n][d].
Pairs ReadPairs(const fs::path& path) {
    const std::string bytes = ReadZstd(path);
    Pairs pairs;
    const size_t at = bytes.find("'shape': (2, ");
    const size_t begin = 10 + static_cast<unsigned char>(bytes[8]) +
                         256 * static_cast<size_t>(static_cast<unsigned char>(bytes[9]));
    if (at == std::string::npos ||
        std::sscanf(bytes.c_str() + at, "'shape': (2, %zu, %zu", &pairs.count, &pairs.dim) != 2 ||
        bytes.size() != begin + 2 * pairs.count * pairs.dim * sizeof(float)) {
        std::printf("%s is not two matrices\n", path.c_str());
        return {};
    }
    pairs.rows.resize(2 * pairs.count * pairs.dim);
    std::copy(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.end(),
              reinterpret_cast<char*>(pairs.rows.data()));
    return pairs;
}

struct Way {
    const char* name;
    const char* options;  // of quern_measure_hubs; NULL: plain
    const char* formula;
};

constexpr Way kWays[] = {
    {"plain", nullptr, "emb"},
    {"csls", "kind=csls", "2 * emb - hub"},
    {"softmax", "kind=softmax", "emb - hub"},
    {"scaling", "kind=scaling", "(emb - 1) / hub"},
    {"nicdm", "kind=nicdm", "(emb - 1) / hub"},
    {"zscore", "kind=zscore deviation=spread", "(emb - hub) / spread"},
    {"zscore by kind", "kind=zscore deviation=spread by=kind", "(emb - hub) / spread"},
};

// Texts of the second half look for their images among those of all pairs, or of images and other
// texts; texts of the first half are the bank of queries.
class HubBench {
public:
    HubBench(const Pairs& pairs, bool with_texts) : pairs_(pairs) {
        Check(quern_open(":memory:", "threads=1 maintenance=off", &db_, &error_), "open");
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", static_cast<uint32_t>(pairs.dim), QUERN_COSINE,
                           "index=none");
        quern_schema_attr(schema, "hub", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "spread", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "kind", QUERN_INT, nullptr);
        Check(quern_create(db_, "docs", schema, &error_), "create");
        quern_schema_free(schema);
        Insert(pairs.shown(0), 0, 0);
        if (with_texts) {
            Insert(pairs.said(0), static_cast<int64_t>(pairs.count), 1);
        }
        Check(quern_optimize(db_, nullptr, 0, &error_), "optimize");
    }
    ~HubBench() { quern_close(db_); }
    HubBench(const HubBench&) = delete;
    HubBench& operator=(const HubBench&) = delete;

    void Print(const Way& way) {
        const size_t half = pairs_.count / 2;
        if (way.options != nullptr) {
            Check(quern_measure_hubs(db_, "docs", "emb", "hub", pairs_.said(0), half, pairs_.dim,
                                     way.options, &error_),
                  "measure");
        }
        size_t first = 0;
        size_t ten = 0;
        for (size_t i = half; i < pairs_.count; i++) {
            const size_t rank = RankOf(way, i);
            first += rank == 0 ? 1 : 0;
            ten += rank < 10 ? 1 : 0;
        }
        const auto n = static_cast<double>(pairs_.count - half);
        std::printf("| %s | %.3f | %.3f |\n", way.name, static_cast<double>(first) / n,
                    static_cast<double>(ten) / n);
    }

private:
    void Insert(const float* rows, int64_t first, int64_t kind) {
        std::vector<int64_t> keys;
        for (size_t i = 0; i < pairs_.count; i++) {
            keys.push_back(first + static_cast<int64_t>(i));
        }
        const std::vector<int64_t> kinds(pairs_.count, kind);
        quern_batch* batch = quern_batch_new(db_, "docs", pairs_.count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "kind", kinds.data(), nullptr);
        quern_batch_dense(batch, "emb", rows, pairs_.dim, nullptr);
        Check(quern_insert(batch, nullptr, &error_), "insert");
        quern_batch_free(batch);
    }
    // Of the own image; the text itself does not count.
    size_t RankOf(const Way& way, size_t i) {
        quern_query* leg = quern_query_new(db_, "docs");
        quern_query_dense(leg, "emb", pairs_.said(i), 1, pairs_.dim);
        quern_query_limit(leg, 2 * pairs_.count);
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_leg(query, leg, 1, nullptr);
        quern_query_formula(query, way.formula);
        quern_query_limit(query, 11);
        quern_result* result = nullptr;
        Check(quern_search(query, &result, &error_), "search");
        size_t rank = 0;
        bool found = false;
        for (size_t row = 0; row < quern_result_rows(result) && !found; row++) {
            const auto key = static_cast<size_t>(quern_result_key_int(result, row));
            found = key == i;
            rank += !found && key != pairs_.count + i ? 1 : 0;
        }
        quern_result_free(result);
        quern_query_free(query);
        quern_query_free(leg);
        return found ? rank : pairs_.count;
    }
    void Check(int32_t status, const char* what) { bench::Check(status, error_, what); }

    const Pairs& pairs_;
    quern_db* db_ = nullptr;
    quern_error error_ = QUERN_ERROR_INIT;
};

}  // namespace

void MeasureHubs(const fs::path& data) {
    std::printf("\nHubs and gaps: texts of half of the pairs look for what they are said of\n");
    for (const char* const name :
         {"clip.image-text.f32.npy.zst", "videoclip.video-text.f32.npy.zst"}) {
        const fs::path path = data / "clip-pairs" / name;
        if (!fs::exists(path)) {
            continue;
        }
        const Pairs pairs = ReadPairs(path);
        for (const bool with_texts : {false, true}) {
            std::printf("\n%s, %zu pairs, among %s\n\n| way | R@1 | R@10 |\n|---|---|---|\n", name,
                        pairs.count,
                        with_texts ? "what is shown and all other texts" : "what is shown");
            HubBench bench(pairs, with_texts);
            for (const Way& way : kWays) {
                bench.Print(way);
            }
        }
    }
}

}  // namespace bench
