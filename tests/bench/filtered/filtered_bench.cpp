// bench_filtered: searches with a filter, beside a scan of what matches, beside a plain search
// whose results are thrown away where they do not match, and beside hnswlib. README.md says how to
// read it.
#include <quern.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <numeric>

#include "tests/bench/bench_support.h"
#include "tests/bench/dense/vector_set.h"
#include "tests/bench/filtered/marked_graph.h"

namespace {

using namespace bench;

constexpr size_t kBatch = 4096;
constexpr int64_t kParts = 10000;  // an attribute is a number below

double CpuSeconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

float SquareDistance(const float* a, const float* b, size_t dim) {
    float sum = 0;
    for (size_t d = 0; d < dim; d++) {
        sum += (a[d] - b[d]) * (a[d] - b[d]);
    }
    return sum;
}

struct Case {
    const char* name;
    const char* attribute;
    bool from_above;  // the largest values match, not the smallest
};

// What one way to answer gives.
struct Figures {
    double recall = 0;
    double queries_per_second = 0;
    size_t results = 0;
};

class FilteredBench {
public:
    FilteredBench(VectorSet set, std::string path, std::string options)
        : set_(std::move(set)), path_(std::move(path)), options_(std::move(options)) {
        MakeAttributes();
        Build();
    }
    ~FilteredBench() {
        quern_close(db_);
        RemoveDatabase(path_);
    }

    void Run() {
        std::printf("%-12s %8s %8s | %7s %7s %9s | %9s | %7s %9s | %7s %9s\n", "matches", "share",
                    "count", "recall", "results", "quern/s", "scan/s", "recall", "discard/s",
                    "recall", "hnswlib/s");
        const Case cases[] = {
            {"random", "share", false}, {"near", "near", false}, {"far", "near", true}};
        for (const Case& one : cases) {
            for (const double share : {1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.001, 0.0001}) {
                Row(one, share);
            }
        }
        TimeBitmaps();
    }

private:
    void MakeAttributes() {
        const size_t rows = set_.base.rows();
        std::mt19937 random(1);
        share_.resize(rows);
        near_.resize(rows);
        for (int64_t& value : share_) {
            value = static_cast<int64_t>(random() % kParts);
        }
        std::vector<size_t> order(rows);
        std::iota(order.begin(), order.end(), size_t{0});
        std::vector<float> distances(rows);
        const float* pivot = set_.queries.row(0);
        for (size_t i = 0; i < rows; i++) {
            distances[i] = SquareDistance(set_.base.row(i), pivot, set_.base.dim);
        }
        std::sort(order.begin(), order.end(),
                  [&](size_t a, size_t b) { return distances[a] < distances[b]; });
        for (size_t i = 0; i < rows; i++) {
            near_[order[i]] =
                static_cast<int64_t>(static_cast<double>(i) / static_cast<double>(rows) * kParts);
        }
        // Queries of the pivot's neighbourhood, so that "near" is where they are and "far" is not.
        std::vector<std::pair<float, size_t>> by_distance;
        for (size_t q = 1; q < set_.queries.rows(); q++) {
            by_distance.emplace_back(SquareDistance(set_.queries.row(q), pivot, set_.base.dim), q);
        }
        std::sort(by_distance.begin(), by_distance.end());
        for (size_t i = 0; i < std::min<size_t>(200, by_distance.size()); i++) {
            queries_.push_back(by_distance[i].second);
        }
    }

    void Build() {
        RemoveDatabase(path_);
        Check(quern_open(path_.c_str(), "threads=2 maintenance=off memory_mb=8192", &db_, &err_),
              err_, "open");
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "share", QUERN_INT, nullptr);
        quern_schema_attr(schema, "near", QUERN_INT, nullptr);
        quern_schema_dense(schema, "emb", set_.base.dim, set_.space.metric, options_.c_str());
        Check(quern_create(db_, "docs", schema, &err_), err_, "create");
        quern_schema_free(schema);
        for (size_t first = 0; first < set_.base.rows(); first += kBatch) {
            const size_t n = std::min(kBatch, set_.base.rows() - first);
            std::vector<int64_t> keys(n);
            std::iota(keys.begin(), keys.end(), static_cast<int64_t>(first));
            quern_batch* batch = quern_batch_new(db_, "docs", n);
            quern_batch_key_int(batch, keys.data());
            quern_batch_int(batch, "share", share_.data() + first, nullptr);
            quern_batch_int(batch, "near", near_.data() + first, nullptr);
            quern_batch_dense(batch, "emb", set_.base.row(first), set_.base.dim, nullptr);
            Check(quern_insert(batch, nullptr, &err_), err_, "insert");
            quern_batch_free(batch);
        }
        Check(quern_optimize(db_, nullptr, 0, &err_), err_, "optimize");
        graph_ = MarkedGraph::Build(set_.base, set_.space.metric == QUERN_L2);
    }

    bool Matches(const Case& one, double share, size_t row) const {
        const int64_t value = one.attribute == std::string("share") ? share_[row] : near_[row];
        const auto bound = static_cast<int64_t>(std::llround(share * kParts));
        return one.from_above ? value >= kParts - bound : value < bound;
    }
    static std::string Filter(const Case& one, double share) {
        const auto bound = static_cast<int64_t>(std::llround(share * kParts));
        return std::string(one.attribute) + (one.from_above
                                                 ? " >= " + std::to_string(kParts - bound)
                                                 : " < " + std::to_string(bound));
    }

    using Answer = std::function<void(const float* query, std::vector<uint32_t>* rows)>;
    // CPU time of one thread; the first query is not counted, for what it loads.
    Figures Measure(const std::vector<uint8_t>& matching, const Answer& answer) {
        Figures figures;
        std::vector<uint32_t> rows;
        answer(set_.queries.row(queries_[0]), &rows);
        double seconds = 0;
        size_t hits = 0;
        size_t wanted = 0;
        size_t asked = 0;
        for (size_t q = 0; q < queries_.size() && (seconds < 0.4 || q < 20); q++) {
            rows.clear();
            const double start = CpuSeconds();
            answer(set_.queries.row(queries_[q]), &rows);
            seconds += CpuSeconds() - start;
            asked++;
            for (const uint32_t row : rows) {
                hits += matching[row] != 0 && Distance(queries_[q], row) <= truth_[q] ? 1 : 0;
            }
            wanted += wanted_;
            figures.results = q == 0 ? rows.size() : std::min(figures.results, rows.size());
        }
        figures.recall = wanted == 0 ? 1 : static_cast<double>(hits) / static_cast<double>(wanted);
        figures.queries_per_second = static_cast<double>(asked) / seconds;
        return figures;
    }
    // With a margin for sums in another order.
    float Distance(size_t query, size_t row) const {
        return SquareDistance(set_.queries.row(query), set_.base.row(row), set_.base.dim) *
               0.99999f;
    }
    void FindTruth(const std::vector<uint8_t>& matching) {
        const auto count = static_cast<size_t>(std::count(matching.begin(), matching.end(), 1));
        wanted_ = std::min(kNearest, count);
        truth_.assign(queries_.size(), 0);
        for (size_t q = 0; q < queries_.size() && wanted_ > 0; q++) {
            std::vector<float> distances;
            for (size_t row = 0; row < matching.size(); row++) {
                if (matching[row] != 0) {
                    distances.push_back(SquareDistance(set_.queries.row(queries_[q]),
                                                       set_.base.row(row), set_.base.dim));
                }
            }
            std::nth_element(distances.begin(),
                             distances.begin() + static_cast<ptrdiff_t>(wanted_ - 1),
                             distances.end());
            truth_[q] = distances[wanted_ - 1];
        }
    }

    void Ask(const std::string& filter, size_t k, const char* options, const float* query,
             std::vector<uint32_t>* rows) {
        quern_query* q = quern_query_new(db_, "docs");
        quern_query_dense(q, "emb", query, 1, set_.base.dim);
        quern_query_limit(q, k);
        quern_query_options(q, options);
        quern_query_filter(q, filter.empty() ? nullptr : filter.c_str());
        quern_result* result = nullptr;
        Check(quern_search(q, &result, &err_), err_, "search");
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            rows->push_back(static_cast<uint32_t>(quern_result_key_int(result, row)));
        }
        quern_result_free(result);
        quern_query_free(q);
    }

    void Row(const Case& one, double share) {
        std::vector<uint8_t> matching(set_.base.rows());
        for (size_t row = 0; row < matching.size(); row++) {
            matching[row] = Matches(one, share, row) ? 1 : 0;
        }
        FindTruth(matching);
        const std::string filter = Filter(one, share);
        const Figures quern = Measure(matching, [&](const float* query, auto* rows) {
            Ask(filter, kNearest, "threads=1", query, rows);
        });
        const Figures scan = Measure(matching, [&](const float* query, auto* rows) {
            Ask(filter, kNearest, "threads=1 recall=exact", query, rows);
        });
        Figures discard;
        if (share >= 0.01) {
            const auto k = static_cast<size_t>(1.5 * static_cast<double>(kNearest) / share);
            discard = Measure(matching, [&](const float* query, auto* rows) {
                Ask("", k, "threads=1", query, rows);
                std::erase_if(*rows, [&](uint32_t row) { return matching[row] == 0; });
                rows->resize(std::min(rows->size(), kNearest));
            });
        }
        // The least beam that finds as much as quern did.
        graph_->Choose(matching);
        Figures rival;
        for (size_t beam = 10; beam <= 2560 && share >= 0.001; beam = beam * 3 / 2) {
            rival = Measure(matching, [&](const float* query, auto* rows) {
                graph_->Search(query, kNearest, beam, rows);
            });
            if (rival.recall >= std::min(quern.recall, 0.995)) {
                break;
            }
        }
        std::printf(
            "%-12s %7.2f%% %8zu | %7.3f %7zu %9.0f | %9.0f | %7.3f %9.0f | %7.3f %9.0f\n", one.name,
            share * 100, static_cast<size_t>(std::count(matching.begin(), matching.end(), 1)),
            quern.recall, quern.results, quern.queries_per_second, scan.queries_per_second,
            discard.recall, discard.queries_per_second, rival.recall, rival.queries_per_second);
        std::fflush(stdout);
    }

    // What finding the matches costs, beside SQLite's own time for the same condition.
    void TimeBitmaps() {
        std::printf("\n%-40s %12s %12s\n", "condition", "quern ms", "SQLite ms");
        uint64_t unlike = 1;
        for (const char* condition :
             {"share = %llu", "share between %llu and 5000", "near < 100 and share > %llu",
              "share in (1, 2, %llu)", "share %% 7 = %llu"}) {
            double own = 1e9;
            double sqlite = 1e9;
            for (int i = 0; i < 5; i++) {
                char filter[100];
                std::snprintf(filter, sizeof(filter), condition,
                              static_cast<unsigned long long>(unlike++ % 7));
                quern_query* query = quern_query_new(db_, "docs");
                quern_query_filter(query, filter);
                uint64_t count = 0;
                double start = CpuSeconds();
                Check(quern_query_count(query, &count, &err_), err_, "count");
                own = std::min(own, CpuSeconds() - start);
                quern_query_free(query);
                quern_result* result = nullptr;
                const std::string sql = std::string("SELECT sum(id) FROM docs WHERE ") + filter;
                start = CpuSeconds();
                Check(quern_sql(db_, nullptr, sql.c_str(), &result, &err_), err_, "sql");
                sqlite = std::min(sqlite, CpuSeconds() - start);
                quern_result_free(result);
            }
            std::printf("%-40s %12.3f %12.3f\n", condition, own * 1e3, sqlite * 1e3);
        }
    }

    VectorSet set_;
    std::string path_;
    std::string options_;
    std::vector<int64_t> share_;
    std::vector<int64_t> near_;
    std::vector<size_t> queries_;
    std::vector<float> truth_;  // squared distance of the last that is wanted, for each query
    size_t wanted_ = 0;
    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
    std::unique_ptr<MarkedGraph> graph_;
};

}  // namespace

int main(int argc, char** argv) {
    SetRequest request;
    request.data_dir = Argument(argc, argv, "--data", QUERN_SOURCE_DIR "/../shared/data");
    request.name = Argument(argc, argv, "--set", "sift500k");
    request.limit = std::stoul(Argument(argc, argv, "--limit", "100000"));
    VectorSet set;
    std::string reason;
    if (!LoadVectorSet(request, &set, &reason)) {
        std::printf("skipped: %s\n", reason.c_str());
        return 0;
    }
    if (set.space.metric != QUERN_L2) {
        std::printf("only sets under l2\n");
        return 1;
    }
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("quern_bench_filtered_" + std::to_string(getpid()) + ".db"))
                                 .string();
    std::printf("%s: %zu rows of %zu dimensions, one thread, CPU time\n\n", set.name.c_str(),
                set.base.rows(), set.base.dim);
    FilteredBench(std::move(set), path, Argument(argc, argv, "--index", "index=graph")).Run();
    return 0;
}
