// Whether a search that is told a recall delivers it: for each set and each told recall, recall@10
// of the set's own queries, or of records that were held out of it before import.
//
//   bench_recall [--data DIR] [--set NAME,...] [--field OPTIONS] [--queries 3000] [--limit ROWS]
//                [--threads 2] [--cache DIR] [--hold-out yes] [--audit yes] [--told R,...]
//
// A line for each set: the recall of the lowest effort there is, then what was delivered, with its
// standard error (clustered by query) in thousandths and CPU microseconds a query. With --cache,
// databases are kept there; empty it when the engine changes. --hold-out asks by held-out records
// even where a set has queries: what differs then is how unlike these are to its records. --audit
// has every second query audited and what that tells kept (quern_recall_audit), and asks the
// others: once before, once after. --told takes other recalls than the usual ones: who asks for
// more should not get less.
#include <quern.h>

#include <cmath>
#include <ctime>
#include <filesystem>
#include <numeric>
#include <sstream>

#include "tests/bench/bench_support.h"
#include "tests/bench/dense/vector_set.h"

namespace {

using namespace bench;

constexpr size_t kImportRows = 10000;
// The first stands for the lowest effort.
constexpr const char* kTold = "0.3,0.9,0.95,0.98,0.99,0.995";

struct Options {
    SetRequest request;
    std::vector<std::string> sets;
    std::vector<std::string> told;
    std::string field;
    std::string cache;
    std::string threads;
    bool audit = false;
};

class Database {
public:
    Database(const std::string& path, const std::string& options) {
        Check(quern_open(path.c_str(), options.c_str(), &db_, &error_), error_, "open");
    }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database() { quern_close(db_); }

    void Import(const VectorSet& set, const std::string& field) {
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", set.space.dim, set.space.metric, field.c_str());
        Check(quern_create(db_, "bench", schema, &error_), error_, "create");
        quern_schema_free(schema);
        std::vector<int64_t> keys(set.base.rows());
        std::iota(keys.begin(), keys.end(), int64_t{0});
        for (size_t first = 0; first < keys.size(); first += kImportRows) {
            const size_t count = std::min(kImportRows, keys.size() - first);
            quern_batch* batch = quern_batch_new(db_, "bench", count);
            quern_batch_key_int(batch, keys.data() + first);
            quern_batch_dense(batch, "emb", set.base.row(first), set.space.dim, nullptr);
            Check(quern_insert(batch, nullptr, &error_), error_, "insert");
            quern_batch_free(batch);
        }
        Check(quern_optimize(db_, nullptr, 0, &error_), error_, "optimize");
    }

    void Search(const VectorSet& set, size_t query, const std::string& options, uint32_t* rows) {
        quern_query* search = quern_query_new(db_, "bench");
        quern_query_dense(search, "emb", set.queries.row(query), 1, set.space.dim);
        quern_query_limit(search, kNearest);
        quern_query_options(search, options.c_str());
        quern_result* result = nullptr;
        Check(quern_search(search, &result, &error_), error_, "search");
        const size_t found = quern_result_rows(result);
        const int64_t* keys = quern_result_keys_int(result);
        for (size_t i = 0; i < kNearest; i++) {
            rows[i] = i < found ? static_cast<uint32_t>(keys[i]) : UINT32_MAX;
        }
        quern_result_free(result);
        quern_query_free(search);
    }

    // keep: yes or forget. Of the queries with even numbers.
    void Audit(const VectorSet& set, const char* keep) {
        std::vector<float> asked;
        for (size_t q = 0; q < set.queries.rows(); q += 2) {
            asked.insert(asked.end(), set.queries.row(q), set.queries.row(q) + set.space.dim);
        }
        quern_query* query = quern_query_new(db_, "bench");
        quern_query_dense(query, "emb", asked.data(), asked.size() / set.space.dim, set.space.dim);
        quern_query_limit(query, kNearest);
        quern_text* json = nullptr;
        Check(quern_recall_audit(query, (std::string("keep=") + keep).c_str(), &json, &error_),
              error_, "audit");
        quern_text_free(json);
        quern_query_free(query);
    }

private:
    quern_db* db_ = nullptr;
    quern_error error_ = QUERN_ERROR_INIT;
};

// Of every step-th query from the first on.
std::string Delivered(const VectorSet& set, Database* database, const std::string& told,
                      size_t first = 0, size_t step = 1) {
    const std::string options = "threads=1 recall=" + told;
    const auto count = static_cast<double>((set.queries.rows() - first + step - 1) / step);
    std::vector<uint32_t> rows(set.queries.rows() * kNearest);
    const std::clock_t start = std::clock();
    for (size_t q = first; q < set.queries.rows(); q += step) {
        database->Search(set, q, options, &rows[q * kNearest]);
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    double sum = 0;
    double squares = 0;
    for (size_t q = first; q < set.queries.rows(); q += step) {
        const double recall = static_cast<double>(set.Hits(q, &rows[q * kNearest])) / kNearest;
        sum += recall;
        squares += recall * recall;
    }
    const double mean = sum / count;
    const double error = std::sqrt(std::max(0.0, squares / count - mean * mean) / count);
    char text[100];
    std::snprintf(text, sizeof text, " %.4f (%.1f) %.0f |", mean, error * 1e3,
                  seconds * 1e6 / count);
    return text;
}

void RunSet(const VectorSet& set, const Options& options) {
    const std::string folder =
        options.cache.empty() ? std::filesystem::temp_directory_path().string() : options.cache;
    std::string name = set.name + "-" + std::to_string(set.base.rows()) + "." + options.field;
    std::replace(name.begin(), name.end(), ' ', '-');
    const std::string path = folder + "/bench_recall." + name;
    if (options.cache.empty() || !std::filesystem::exists(path)) {
        const std::string half = path + ".half";
        RemoveDatabase(half);
        Database(half, "mode=rwc threads=" + options.threads).Import(set, options.field);
        std::filesystem::rename(half, path);
    }
    {
        Database database(path, "mode=rw threads=1");
        Delivered(set, &database, "0.9");  // warms up
        const size_t step = options.audit ? 2 : 1;
        const auto print = [&](const char* how) {
            std::printf("| %s%s | %zu x %zu |", set.name.c_str(), how, set.base.rows(),
                        set.space.dim);
            for (const std::string& told : options.told) {
                std::printf("%s", Delivered(set, &database, told, step - 1, step).c_str());
                std::fflush(stdout);
            }
            std::printf("\n");
        };
        if (options.audit) {
            database.Audit(set, "forget");
        }
        print("");
        if (options.audit) {
            database.Audit(set, "yes");
            print(", audited");
        }
    }
    if (options.cache.empty()) {
        RemoveDatabase(path);
    }
}

size_t Number(int argc, char** argv, const char* name, const char* otherwise) {
    return std::strtoull(Argument(argc, argv, name, otherwise).c_str(), nullptr, 10);
}

std::vector<std::string> Names(const std::string& text) {
    std::vector<std::string> names;
    std::stringstream stream(text);
    for (std::string name; std::getline(stream, name, ',');) {
        names.push_back(name);
    }
    return names;
}

Options ReadOptions(int argc, char** argv) {
    const char* data = std::getenv("QUERN_DATA");
    Options options;
    options.request.data_dir =
        Argument(argc, argv, "--data", data != nullptr ? data : QUERN_SOURCE_DIR "/../shared/data");
    options.request.limit = Number(argc, argv, "--limit", "0");
    options.request.queries = Number(argc, argv, "--queries", "3000");
    options.field = Argument(argc, argv, "--field", "index=graph codes=auto");
    options.cache = Argument(argc, argv, "--cache", "");
    options.request.hold_out = Argument(argc, argv, "--hold-out", "") == "yes";
    options.audit = Argument(argc, argv, "--audit", "") == "yes";
    options.threads = Argument(argc, argv, "--threads", "2");
    options.sets = Names(Argument(argc, argv, "--set", ""));
    options.told = Names(Argument(argc, argv, "--told", kTold));
    if (options.sets.empty()) {
        options.sets = SetNames(/*small=*/true);
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    Options options = ReadOptions(argc, argv);
    std::printf("%s\n\n| set | rows |", options.field.c_str());
    for (const std::string& told : options.told) {
        std::printf(" %s |", told.c_str());
    }
    std::printf("\n|---|---|");
    for (size_t i = 0; i < options.told.size(); i++) {
        std::printf("---|");
    }
    std::printf("\n");
    for (const std::string& name : options.sets) {
        VectorSet set;
        std::string reason;
        options.request.name = name;
        if (LoadVectorSet(options.request, &set, &reason)) {
            RunSet(set, options);
        } else {
            std::printf("%s: %s\n", name.c_str(), reason.c_str());
        }
    }
    return 0;
}
