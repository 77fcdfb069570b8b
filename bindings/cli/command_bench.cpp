// quern bench: exact search and inserts on the user's own vectors and machine, beside the plain way
// of doing the same.
//
// Searching: the library with one thread against a plain scan over the same vectors in memory,
// query by query in turns, so that both meet the same disturbances; medians and their ratio.
// Besides, all queries in one call, and a loop that only reads the bytes. Inserting: a new database
// with the same vectors in one transaction, and single durable commits, against writing the same
// bytes to a plain file and fsync. Both answers are compared, so that a wrong one would be seen.
#include <fcntl.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "plain_scan.h"
#include "progress_bar.h"
#include "query_vectors.h"
#include "result_cells.h"
#include "schema_text.h"
#include "search_figures.h"
#include "shell.h"
#include "text_table.h"

namespace quern::shell {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr size_t kFetchRows = 2048;
constexpr size_t kInsertRowsMax = 100000;
constexpr size_t kCommits = 100;
constexpr int kReadRuns = 5;

struct BenchOptions {
    std::string db, collection, directory, open;
    QueryFile queries;
    size_t k = 10;
    size_t query_count = 100;
    uint64_t memory_mb = 4096;
    bool json = false, no_insert = false;
};

template <typename Function>
double Time(Function&& function) {
    const auto start = Clock::now();
    function();
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// A directory for the files of the insert figures, removed at the end.
class ScratchDirectory {
public:
    explicit ScratchDirectory(const std::string& parent) {
        std::string pattern = parent + "/quern-bench-XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr) {
            Fail(parent + ": cannot make a directory here; choose another with --directory");
        }
        path_ = pattern;
    }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    ~ScratchDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string File(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

// A plain file, written and made durable.
class PlainFile {
public:
    explicit PlainFile(const std::string& path)
        : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
        if (fd_ < 0) {
            Fail(path + ": cannot create");
        }
    }
    PlainFile(const PlainFile&) = delete;
    PlainFile& operator=(const PlainFile&) = delete;
    ~PlainFile() { close(fd_); }
    void Append(const void* data, size_t size) {
        const char* from = static_cast<const char*>(data);
        while (size > 0) {
            const ssize_t put = write(fd_, from, size);
            if (put <= 0) {
                Fail("cannot write the plain file");
            }
            from += put;
            size -= static_cast<size_t>(put);
        }
    }
    void Sync() {
        if (fdatasync(fd_) != 0) {
            Fail("cannot sync the plain file");
        }
    }

private:
    int fd_;
};

class BenchRun {
public:
    explicit BenchRun(const BenchOptions& options)
        : options_(options),
          database_(options.db, "ro",
                    options.open.empty() ? "memory_mb=" + std::to_string(options.memory_mb)
                                         : options.open) {
        columns_ = ReadColumns(database_.Describe(options.collection).get());
        field_ = ChooseDense(columns_, options.queries.column);
    }

    void Run() {
        LoadVectors();
        ChooseQueries();
        report_ = Json{{"version", quern_version()},
                       {"build", quern_build_info()},
                       {"records", rows_},
                       {"dim", field_.dim},
                       {"type", NameOfElementType(field_.type)},
                       {"metric", NameOfMetric(field_.metric)},
                       {"k", options_.k},
                       {"queries", queries_.count}};
        std::vector<float> inserted;
        if (!options_.no_insert) {
            inserted.assign(matrix_.begin(), matrix_.begin() + static_cast<std::ptrdiff_t>(
                                                                   InsertRows() * field_.dim));
        }
        BenchSearch();
        if (!options_.no_insert) {
            BenchInsert(inserted);
        }
        Print(options_.json ? report_.dump(2) + "\n" : Text());
    }

private:
    size_t InsertRows() const { return std::min(rows_, kInsertRowsMax); }

    void LoadVectors() {
        quern_cursor* raw_cursor = nullptr;
        const std::string column = '"' + field_.name + '"';
        Call(quern_scan, database_.get(), options_.collection.c_str(),
             static_cast<quern_snapshot*>(nullptr), column.c_str(), &raw_cursor);
        const CursorPtr cursor(raw_cursor);
        std::vector<float> numbers;
        ProgressBar bar;
        for (;;) {
            CheckStopped();
            quern_result* raw = nullptr;
            Call(quern_cursor_next, raw_cursor, kFetchRows, &raw);
            const ResultPtr result(raw);
            if (quern_result_rows(raw) == 0) {
                break;
            }
            for (size_t row = 0; row < quern_result_rows(raw); row++) {
                size_t dim = 0;
                const void* elements = quern_result_dense(raw, row, 0, &dim);
                if (elements != nullptr) {
                    ReadVector(elements, field_.type, dim, &numbers);
                    matrix_.insert(matrix_.end(), numbers.begin(), numbers.end());
                }
            }
            if (matrix_.size() * sizeof(float) > options_.memory_mb << 20) {
                Fail("the vectors need more than " + std::to_string(options_.memory_mb) +
                     " MiB; allow more with --memory-mb");
            }
            bar.Update("load", matrix_.size() / field_.dim, 0);
        }
        rows_ = matrix_.size() / field_.dim;
        if (rows_ == 0) {
            Fail("the collection holds no vectors in '" + field_.name + "'");
        }
    }

    // From the file, or stored vectors spread over the collection.
    void ChooseQueries() {
        if (!options_.queries.path.empty()) {
            QueryFile file = options_.queries;
            file.column = field_.name;
            file.limit = options_.query_count;
            queries_ = LoadQueries(file);
            if (queries_.count == 0 || queries_.dim != field_.dim) {
                Fail("the queries do not fit the field: dimension " + std::to_string(queries_.dim) +
                     " for " + std::to_string(field_.dim));
            }
            return;
        }
        queries_.dim = field_.dim;
        queries_.count = std::min(options_.query_count, rows_);
        for (size_t i = 0; i < queries_.count; i++) {
            const float* row = matrix_.data() + i * rows_ / queries_.count * field_.dim;
            queries_.matrix.insert(queries_.matrix.end(), row, row + field_.dim);
        }
    }

    ResultPtr Search(size_t first, size_t count, const char* knobs) {
        const QueryPtr query(
            NotNull(quern_query_new(database_.get(), options_.collection.c_str())));
        quern_query_dense(query.get(), field_.name.c_str(), queries_.row(first), count,
                          queries_.dim);
        quern_query_limit(query.get(), options_.k);
        // Beside a plain scan only an exact search is a fair figure.
        quern_query_options(query.get(), (std::string("recall=exact ") + knobs).c_str());
        quern_result* result = nullptr;
        Call(quern_search, query.get(), &result);
        return ResultPtr(result);
    }

    void BenchSearch() {
        const PlainScan scan(std::move(matrix_), field_.dim, field_.metric);
        Search(0, 1, "threads=1");  // loads the vectors
        std::vector<double> ours;
        std::vector<double> plain;
        size_t same = 0;
        ProgressBar bar;
        for (size_t i = 0; i < queries_.count; i++) {
            CheckStopped();
            ResultPtr result;
            std::vector<std::pair<float, size_t>> found;
            ours.push_back(Time([&] { result = Search(i, 1, "threads=1"); }));
            plain.push_back(Time([&] { found = scan.Search(queries_.row(i), options_.k); }));
            same += SameDistances(result.get(), found) ? 1 : 0;
            bar.Update("search", i + 1, queries_.count);
        }
        const double batch = Time([&] { Search(0, queries_.count, ""); });
        std::vector<double> reads;
        double sum = 0;
        for (int run = 0; run < kReadRuns; run++) {
            reads.push_back(Time([&] { sum += scan.ReadAll(); }));
        }
        read_sum_ = sum;
        bar.Clear();
        const double ours_median = Median(ours);
        const double plain_median = Median(plain);
        const double read_median = Median(reads);
        report_["search"] =
            Json{{"median_ms", ours_median * 1e3},
                 {"p95_ms", Percentile(ours, 0.95) * 1e3},
                 {"plain_scan_median_ms", plain_median * 1e3},
                 {"plain_read_ms", read_median * 1e3},
                 {"speedup_over_plain_scan", plain_median / ours_median},
                 {"share_of_read_speed", read_median / ours_median},
                 {"batch_queries_per_second", static_cast<double>(queries_.count) / batch},
                 {"plain_scan_queries_per_second", 1 / plain_median},
                 {"same_answers", same}};
    }

    // Distances are compared, with room for another order of summing.
    bool SameDistances(const quern_result* result,
                       const std::vector<std::pair<float, size_t>>& found) const {
        if (quern_result_rows(result) != found.size()) {
            return false;
        }
        for (size_t i = 0; i < found.size(); i++) {
            const double a = quern_result_distance(result, i);
            const double b = found[i].first;
            if (std::fabs(a - b) > 1e-4 * std::max({1.0, std::fabs(a), std::fabs(b)})) {
                return false;
            }
        }
        return true;
    }

    void BenchInsert(const std::vector<float>& matrix) {
        const ScratchDirectory scratch(options_.directory.empty()
                                           ? std::filesystem::temp_directory_path().string()
                                           : options_.directory);
        const size_t rows = InsertRows();
        const size_t row_bytes = field_.dim * sizeof(float);
        Database target(scratch.File("bench.quern"), "rwc", "");
        CollectionColumns columns;
        columns.key.type = QUERN_KEY_INT;
        columns.dense.push_back(field_);
        const SchemaPtr schema = columns.ToSchema();
        Call(quern_create, target.get(), "bench", static_cast<const quern_schema*>(schema.get()));
        std::vector<int64_t> keys(rows);
        for (size_t i = 0; i < rows; i++) {
            keys[i] = static_cast<int64_t>(i);
        }
        auto insert = [&](size_t first, size_t count, int64_t shift) {
            std::vector<int64_t> batch_keys(
                keys.begin() + static_cast<std::ptrdiff_t>(first),
                keys.begin() + static_cast<std::ptrdiff_t>(first + count));
            for (int64_t& key : batch_keys) {
                key += shift;
            }
            const BatchPtr batch(NotNull(quern_batch_new(target.get(), "bench", count)));
            quern_batch_key_int(batch.get(), batch_keys.data());
            quern_batch_dense(batch.get(), field_.name.c_str(), matrix.data() + first * field_.dim,
                              field_.dim, nullptr);
            Call(quern_insert, batch.get(), static_cast<quern_txn*>(nullptr));
        };
        PlainFile file(scratch.File("plain"));
        const double all = Time([&] { insert(0, rows, 0); });
        const double all_plain = Time([&] {
            file.Append(matrix.data(), rows * row_bytes);
            file.Sync();
        });
        std::vector<double> commits;
        std::vector<double> plain_commits;
        for (size_t i = 0; i < kCommits; i++) {
            CheckStopped();
            const size_t row = i % rows;
            const auto shift = static_cast<int64_t>(rows + i / rows * rows);
            commits.push_back(Time([&] { insert(row, 1, shift); }));
            plain_commits.push_back(Time([&] {
                file.Append(matrix.data() + row * field_.dim, row_bytes);
                file.Sync();
            }));
        }
        const double commit = Median(commits);
        const double plain_commit = Median(plain_commits);
        const auto row_count = static_cast<double>(rows);
        report_["insert"] = Json{{"records", rows},
                                 {"records_per_second", row_count / all},
                                 {"plain_write_records_per_second", row_count / all_plain},
                                 {"share_of_plain_write", all_plain / all},
                                 {"single_commit_median_ms", commit * 1e3},
                                 {"plain_append_and_sync_median_ms", plain_commit * 1e3},
                                 {"commit_over_plain_sync", commit / plain_commit}};
    }

    static std::string Fixed(double value, const char* format = "%.2f") {
        char text[64];
        std::snprintf(text, sizeof(text), format, value);
        return text;
    }

    std::string Text() const {
        const Json& search = report_["search"];
        auto number = [](const Json& json, const char* name) { return json[name].get<double>(); };
        auto whole = [&](const Json& json, const char* name) {
            return WithCommas(static_cast<uint64_t>(number(json, name)));
        };
        std::string text = WithCommas(rows_) + " x " + std::to_string(field_.dim) + " " +
                           NameOfElementType(field_.type) + ", " + NameOfMetric(field_.metric) +
                           ", k = " + std::to_string(options_.k) + ", " +
                           WithCommas(queries_.count) + " queries\n" + quern_build_info() + "\n\n";
        text += "search, one by one, 1 thread   " +
                DurationText(number(search, "median_ms") / 1e3) + " (median), " +
                DurationText(number(search, "p95_ms") / 1e3) + " (p95)\n";
        text += "  plain f32 scan               " +
                DurationText(number(search, "plain_scan_median_ms") / 1e3) + ", quern is " +
                Fixed(number(search, "speedup_over_plain_scan")) + " times as fast\n";
        text += "  only reading the f32 bytes   " +
                DurationText(number(search, "plain_read_ms") / 1e3) + ", quern reaches " +
                Fixed(number(search, "share_of_read_speed") * 100, "%.0f") + " % of that\n";
        text += "  same answers                 " +
                WithCommas(search["same_answers"].get<uint64_t>()) + " of " +
                WithCommas(queries_.count) + "\n";
        text += "search, all in one call        " + whole(search, "batch_queries_per_second") +
                " queries/s; plain scan " + whole(search, "plain_scan_queries_per_second") + "\n";
        if (report_.contains("insert")) {
            const Json& insert = report_["insert"];
            text += "insert, one transaction        " + whole(insert, "records_per_second") +
                    " records/s; plain file write " +
                    whole(insert, "plain_write_records_per_second") + "\n";
            text += "insert, single commits         " +
                    DurationText(number(insert, "single_commit_median_ms") / 1e3) +
                    " each; plain append and fsync " +
                    DurationText(number(insert, "plain_append_and_sync_median_ms") / 1e3) + "\n";
        }
        return text;
    }

    const BenchOptions& options_;
    Database database_;
    CollectionColumns columns_;
    DenseColumn field_;
    std::vector<float> matrix_;
    size_t rows_ = 0;
    QueryVectors queries_;
    Json report_;
    volatile double read_sum_ = 0;  // keeps the reading loop from being optimised away
};

}  // namespace

void AddBenchCommand(CLI::App* app) {
    auto options = std::make_shared<BenchOptions>();
    CLI::App* command =
        app->add_subcommand("bench", "Measure search and inserts on a collection's vectors");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command->add_option("-f,--field", options->queries.column,
                        "The vector field (not needed when there is one only)");
    command
        ->add_option("-q,--queries", options->queries.path,
                     "A file of query vectors (default: stored vectors)")
        ->type_name("FILE");
    command->add_option("--format", options->queries.format,
                        "The format of the queries, if the name does not tell");
    command->add_option("-n,--query-count", options->query_count, "Number of queries (default 100)")
        ->check(CLI::Range(1, 100000));
    command->add_option("-k", options->k, "Records a query (default 10)")
        ->check(CLI::Range(1, 1048576));
    command
        ->add_option("--directory", options->directory,
                     "Where the insert figures write (default: the temporary directory)")
        ->type_name("DIR");
    command->add_option("--memory-mb", options->memory_mb,
                        "Refuse beyond this much for the vectors (default 4096)");
    command->add_flag("--no-insert", options->no_insert, "Leave out the insert figures");
    AddJsonOption(command, &options->json);
    AddOpenOption(command, &options->open);
    command->footer(
        "Holds all vectors in memory twice: in the library, and for the plain scan beside it. The "
        "file is not changed.\n"
        "\n"
        "Example:\n"
        "  quern bench sift.quern sift --queries query.fvecs");
    command->callback([options] { BenchRun(*options).Run(); });
}

}  // namespace quern::shell
