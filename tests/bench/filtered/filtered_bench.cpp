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
#include <map>
#include <numeric>

#include "tests/bench/bench_support.h"
#include "tests/bench/filtered/filtered_set.h"
#include "tests/bench/filtered/marked_graph.h"

namespace {

using namespace bench;

constexpr size_t kBatch = 4096;
// A round of one way lasts so long at least, in whole passes over the queries.
constexpr double kRoundSeconds = 0.04;
// More recall than this is not looked for in the others.
constexpr double kRecallMost = 0.995;
constexpr size_t kBeamMost = 2560;

double CpuSeconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// One way to answer under one condition.
struct Way {
    std::function<void(const float* query, std::vector<uint32_t>* rows)> answer;
    double recall = 0;
    size_t results = 0;         // the fewest of a query
    std::vector<double> rates;  // queries a second of CPU time, a round each

    explicit operator bool() const { return answer != nullptr; }
    std::string Rate() const {
        char text[32] = "-";
        if (answer != nullptr) {
            std::snprintf(text, sizeof text, "%.0f", Median(rates));
        }
        return text;
    }
};

// The median of the rounds' ratios.
double Ratio(const Way& way, const Way& other) {
    std::vector<double> ratios;
    for (size_t round = 0; round < way.rates.size(); round++) {
        ratios.push_back(way.rates[round] / other.rates[round]);
    }
    return Median(ratios);
}

class FilteredBench {
public:
    FilteredBench(FilteredSet set, std::string path, std::string options, size_t rounds)
        : set_(std::move(set)),
          path_(std::move(path)),
          options_(std::move(options)),
          rounds_(rounds) {
        Build();
    }
    ~FilteredBench() {
        quern_close(db_);
        RemoveDatabase(path_);
    }

    // only: what the kind and filter of the conditions must contain.
    void Run(const std::string& only) {
        std::printf(
            "| condition | records | share | recall | results | quern/s | scan/s | discard: recall "
            "| discard/s | hnswlib: recall | hnswlib/s | quern / best | quern / hnswlib |\n"
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
        for (const Condition& condition : set_.conditions) {
            std::string name = condition.kind;
            name.append(": ").append(condition.filter);
            if (name.find(only) != std::string::npos) {
                Row(condition);
            }
        }
        TimeBitmaps();
    }

private:
    void Build() {
        const Matrix& base = set_.vectors.base;
        RemoveDatabase(path_);
        Check(quern_open(path_.c_str(), "threads=2 maintenance=off memory_mb=8192", &db_, &err_),
              err_, "open");
        quern_schema* schema = quern_schema_new();
        for (const Attribute& attribute : set_.attributes) {
            quern_schema_attr(schema, attribute.name.c_str(),
                              attribute.texts.empty() ? QUERN_INT : QUERN_TEXT, nullptr);
        }
        quern_schema_dense(schema, "emb", base.dim, set_.vectors.space.metric, options_.c_str());
        Check(quern_create(db_, "docs", schema, &err_), err_, "create");
        quern_schema_free(schema);
        for (size_t first = 0; first < base.rows(); first += kBatch) {
            const size_t n = std::min(kBatch, base.rows() - first);
            std::vector<int64_t> keys(n);
            std::iota(keys.begin(), keys.end(), static_cast<int64_t>(first));
            quern_batch* batch = quern_batch_new(db_, "docs", n);
            quern_batch_key_int(batch, keys.data());
            std::vector<std::vector<const char*>> texts;  // must live until the batch is written
            for (const Attribute& attribute : set_.attributes) {
                SetAttribute(batch, attribute, first, n, &texts);
            }
            quern_batch_dense(batch, "emb", base.row(first), base.dim, nullptr);
            Check(quern_insert(batch, nullptr, &err_), err_, "insert");
            quern_batch_free(batch);
        }
        Check(quern_optimize(db_, nullptr, 0, &err_), err_, "optimize");
        graph_ = MarkedGraph::Build(base, set_.vectors.space.metric == QUERN_L2);
    }
    static void SetAttribute(quern_batch* batch, const Attribute& attribute, size_t first, size_t n,
                             std::vector<std::vector<const char*>>* texts) {
        if (attribute.texts.empty()) {
            quern_batch_int(batch, attribute.name.c_str(), attribute.numbers.data() + first,
                            nullptr);
            return;
        }
        texts->emplace_back();
        for (size_t i = first; i < first + n; i++) {
            texts->back().push_back(attribute.texts[i].c_str());
        }
        quern_batch_text(batch, attribute.name.c_str(), texts->back().data(), nullptr);
    }

    const float* Query(size_t i) const { return set_.vectors.queries.row((*queries_)[i]); }

    // One pass over the queries: recall, and what is needed comes to memory. False, as soon as the
    // recall cannot be reached any more.
    bool FindRecall(const Condition& condition, double least, Way* way) {
        std::vector<uint32_t> rows;
        size_t hits = 0;
        const size_t wanted = wanted_ * queries_->size();
        const auto may_miss = static_cast<size_t>((1 - least) * static_cast<double>(wanted));
        for (size_t i = 0; i < queries_->size(); i++) {
            rows.clear();
            way->answer(Query(i), &rows);
            for (const uint32_t row : rows) {
                // With a margin for sums in another order.
                const float bound = truth_[i] + std::abs(truth_[i]) * 1e-5F + 1e-6F;
                hits += condition.matching[row] != 0 && set_.Distance((*queries_)[i], row) <= bound
                            ? 1
                            : 0;
            }
            way->results = i == 0 ? rows.size() : std::min(way->results, rows.size());
            if (least > 0 && (i + 1) * wanted_ - hits > may_miss) {
                return false;
            }
        }
        way->recall = wanted == 0 ? 1 : static_cast<double>(hits) / static_cast<double>(wanted);
        return way->recall >= least;
    }
    void TimeRound(Way* way) {
        std::vector<uint32_t> rows;
        // What the way before it has left in the caches would be in its time.
        for (size_t i = 0; i < queries_->size(); i++) {
            rows.clear();
            way->answer(Query(i), &rows);
        }
        size_t asked = 0;
        double seconds = 0;
        const double start = CpuSeconds();
        do {
            for (size_t i = 0; i < queries_->size(); i++) {
                rows.clear();
                way->answer(Query(i), &rows);
            }
            asked += queries_->size();
            seconds = CpuSeconds() - start;
        } while (seconds < kRoundSeconds);
        way->rates.push_back(static_cast<double>(asked) / seconds);
    }

    void FindTruth(const Condition& condition) {
        const size_t count = condition.Count();
        wanted_ = std::min(kNearest, count);
        truth_.assign(queries_->size(), 0);
        std::vector<float> distances;
        for (size_t i = 0; i < queries_->size() && wanted_ > 0; i++) {
            distances.clear();
            for (size_t row = 0; row < condition.matching.size(); row++) {
                if (condition.matching[row] != 0) {
                    distances.push_back(set_.Distance((*queries_)[i], row));
                }
            }
            std::nth_element(distances.begin(),
                             distances.begin() + static_cast<ptrdiff_t>(wanted_ - 1),
                             distances.end());
            truth_[i] = distances[wanted_ - 1];
        }
    }

    void Ask(const std::string& filter, size_t k, const char* options, const float* query,
             std::vector<uint32_t>* rows) {
        quern_query* q = quern_query_new(db_, "docs");
        quern_query_dense(q, "emb", query, 1, set_.vectors.base.dim);
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

    // A plain search for as few as leave what quern found.
    Way Discard(const Condition& condition, double recall) {
        const double share =
            static_cast<double>(condition.Count()) / static_cast<double>(condition.matching.size());
        Way way;
        for (const double factor : {1.2, 1.5, 2.0, 3.0, 5.0, 8.0}) {
            const auto k = static_cast<size_t>(factor * static_cast<double>(kNearest) / share);
            if (share < 0.005 || k > condition.matching.size() / 4) {
                break;
            }
            way.answer = [this, k, &condition](const float* query, auto* rows) {
                Ask("", k, "threads=1", query, rows);
                std::erase_if(*rows, [&](uint32_t row) { return condition.matching[row] == 0; });
                rows->resize(std::min(rows->size(), kNearest));
            };
            if (FindRecall(condition, recall, &way)) {
                return way;
            }
        }
        return Way();
    }
    // The least beam that finds as much as quern did.
    Way Rival(const Condition& condition, double recall) {
        Way way;
        graph_->Choose(condition.matching);
        for (size_t beam = kNearest; beam <= kBeamMost; beam = beam * 3 / 2) {
            way.answer = [this, beam](const float* query, auto* rows) {
                graph_->Search(query, kNearest, beam, rows);
            };
            if (FindRecall(condition, recall, &way)) {
                return way;
            }
        }
        return Way();
    }

    void Row(const Condition& condition) {
        queries_ = &set_.QueriesOf(condition);
        FindTruth(condition);
        const size_t count = condition.Count();
        Way quern;
        quern.answer = [&](const float* query, auto* rows) {
            Ask(condition.filter, kNearest, "threads=1", query, rows);
        };
        FindRecall(condition, 0, &quern);
        Way scan;
        scan.answer = [&](const float* query, auto* rows) {
            Ask(condition.filter, kNearest, "threads=1 recall=exact", query, rows);
        };
        FindRecall(condition, 0, &scan);
        const double recall = std::min(quern.recall, kRecallMost);
        Way discard = Discard(condition, recall);
        Way rival = Rival(condition, recall);
        for (size_t round = 0; round < rounds_; round++) {
            for (Way* way : {&quern, &scan, &discard, &rival}) {
                if (*way) {
                    TimeRound(way);
                }
            }
        }
        const double best =
            std::min(Ratio(quern, scan), discard ? Ratio(quern, discard) : INFINITY);
        std::printf(
            "| %s: `%s` | %zu | %.2f %% | %.3f | %zu | %s | %s | ", condition.kind.c_str(),
            condition.filter.c_str(), count,
            100 * static_cast<double>(count) / static_cast<double>(condition.matching.size()),
            quern.recall, quern.results, quern.Rate().c_str(), scan.Rate().c_str());
        std::printf(discard ? "%.3f | %s | " : "- | - | ", discard.recall, discard.Rate().c_str());
        std::printf(rival ? "%.3f | %s | " : "- | - | ", rival.recall, rival.Rate().c_str());
        std::printf("%.2f | ", best);
        std::printf(rival ? "%.2f |\n" : "- |\n", rival ? Ratio(quern, rival) : 0);
        std::fflush(stdout);
    }

    // What finding the matches costs, beside SQLite's own time for the same condition.
    void TimeBitmaps() {
        std::printf("\n| condition | quern ms | SQLite ms |\n|---|---|---|\n");
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
            std::printf("| `%s` | %.3f | %.3f |\n", condition, own * 1e3, sqlite * 1e3);
        }
    }

    FilteredSet set_;
    std::string path_;
    std::string options_;
    size_t rounds_;
    const std::vector<size_t>* queries_ = nullptr;
    std::vector<float> truth_;  // distance of the last that is wanted, for each query
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
    FilteredSet set;
    std::string reason;
    if (!LoadFilteredSet(request, &set, &reason)) {
        std::printf("skipped: %s\n", reason.c_str());
        return 0;
    }
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("quern_bench_filtered_" + std::to_string(getpid()) + ".db"))
                                 .string();
    std::printf("%s: %zu rows of %zu dimensions, one thread, CPU time\n\n",
                set.vectors.name.c_str(), set.vectors.base.rows(), set.vectors.base.dim);
    FilteredBench(std::move(set), path, Argument(argc, argv, "--index", "index=graph"),
                  std::stoul(Argument(argc, argv, "--rounds", "5")))
        .Run(Argument(argc, argv, "--only", ""));
    return 0;
}
