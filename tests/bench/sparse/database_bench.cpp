// bench_sparse_database: searches of a sparse field through the C API: with an index beside
// without one, and of records that stand in the log. README.md says how to read it.
#include <quern.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/sparse/sparse_set.h"

namespace {

using bench::SparseSet;

constexpr size_t kBatch = 4096;
// Larger ones become segments at once.
constexpr size_t kLogBatch = 1000;

void Ok(int32_t status, const quern_error& err) {
    if (status != QUERN_OK) {
        std::fprintf(stderr, "%s\n", err.message);
        std::exit(1);
    }
}

double CpuSeconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// A file of one collection, "docs", whose records have every vector in each of the fields.
class Database {
public:
    Database(const std::string& path, const std::map<std::string, std::string>& fields)
        : path_(path), fields_(fields) {
        Remove();
        Ok(quern_open(path.c_str(),
                      "threads=1 maintenance=off seal_rows=10000000 seal_kb=10000000 "
                      "memory_mb=4096",
                      &db_, &err_),
           err_);
        quern_schema* schema = quern_schema_new();
        for (const auto& [name, options] : fields) {
            quern_schema_sparse(schema, name.c_str(), options.c_str());
        }
        Ok(quern_create(db_, "docs", schema, &err_), err_);
        quern_schema_free(schema);
    }
    ~Database() {
        quern_close(db_);
        Remove();
    }
    void Insert(const quern::sparse::SparseRows& rows, size_t count, size_t batch_rows) {
        for (size_t first = 0; first < count; first += batch_rows) {
            const size_t n = std::min(batch_rows, count - first);
            std::vector<int64_t> keys(n);
            std::vector<size_t> offsets(n + 1);
            for (size_t i = 0; i <= n; i++) {
                offsets[i] = rows.offsets[first + i] - rows.offsets[first];
                if (i < n) {
                    keys[i] = static_cast<int64_t>(first + i);
                }
            }
            quern_batch* batch = quern_batch_new(db_, "docs", n);
            quern_batch_key_int(batch, keys.data());
            for (const auto& field : fields_) {
                quern_batch_sparse(batch, field.first.c_str(), offsets.data(),
                                   rows.dimensions + rows.offsets[first],
                                   rows.weights + rows.offsets[first], nullptr);
            }
            Ok(quern_insert(batch, nullptr, &err_), err_);
            quern_batch_free(batch);
        }
    }
    void Optimize() { Ok(quern_optimize(db_, nullptr, 0, &err_), err_); }

    struct Pass {
        std::vector<double> us;  // of each query, CPU time
        std::vector<std::pair<int64_t, float>> rows;
    };
    // Every step-th query once.
    Pass Search(const char* field, const SparseSet& set, size_t k, size_t step) {
        return Search(field, set, k, 0, set.queries.size(), step);
    }
    Pass Search(const char* field, const SparseSet& set, size_t k, size_t first, size_t end,
                size_t step) {
        Pass pass;
        for (size_t q = first; q < std::min(end, set.queries.size()); q += step) {
            std::vector<uint32_t> dims;
            std::vector<float> weights;
            for (const auto& entry : set.queries[q]) {
                dims.push_back(entry.dimension);
                weights.push_back(entry.weight);
            }
            const size_t offsets[] = {0, dims.size()};
            quern_query* query = quern_query_new(db_, "docs");
            quern_query_sparse(query, field, offsets, dims.data(), weights.data(), 1);
            quern_query_limit(query, k);
            quern_result* result = nullptr;
            const double start = CpuSeconds();
            Ok(quern_search(query, &result, &err_), err_);
            pass.us.push_back((CpuSeconds() - start) * 1e6);
            for (size_t row = 0; row < quern_result_rows(result); row++) {
                pass.rows.emplace_back(quern_result_key_int(result, row),
                                       quern_result_distance(result, row));
            }
            quern_result_free(result);
            quern_query_free(query);
        }
        return pass;
    }

private:
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path_ + suffix);
        }
    }
    std::string path_;
    std::map<std::string, std::string> fields_;
    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
};

void Print(const char* what, size_t k, std::vector<double> us) {
    std::sort(us.begin(), us.end());
    double sum = 0;
    for (const double x : us) {
        sum += x;
    }
    std::printf("%-24s k=%-5zu mean %9.1f us   median %9.1f us   p99 %9.1f us   (%zu queries)\n",
                what, k, sum / static_cast<double>(us.size()), us[us.size() / 2],
                us[us.size() * 99 / 100], us.size());
}

// A field whose index has impacts beside one whose index has weights, both f32.
int CompareImpacts(const std::string& path, SparseSet* set) {
    bench::AddFractions(set);
    const quern::sparse::SparseRows rows = set->rows.View();
    Database database(path, {{"exact", ""}, {"impacts", "impacts=8"}});
    database.Insert(rows, rows.count, kBatch);
    database.Optimize();
    for (const size_t k : {10, 100}) {
        const Database::Pass exact = database.Search("exact", *set, k, 1);
        if (database.Search("impacts", *set, k, 1).rows != exact.rows) {
            std::fprintf(stderr, "the index of impacts answers otherwise\n");
            return 1;
        }
        for (int round = 0; round < 3; round++) {
            Print("weights", k, database.Search("exact", *set, k, 1).us);
            Print("impacts", k, database.Search("impacts", *set, k, 1).us);
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr,
                     "usage: bench_sparse_database SET [QUERIES] [LOG RECORDS] [log | impacts]\n");
        return 2;
    }
    const char* const data = std::getenv("QUERN_DATA");
    const size_t queries = argc > 2 ? std::stoul(argv[2]) : 200;
    SparseSet set;
    std::string reason;
    if (!bench::LoadSparseSet(data != nullptr ? data : QUERN_SOURCE_DIR "/../shared/data", argv[1],
                              queries, &set, &reason)) {
        std::printf("%s: skipped: %s\n", argv[1], reason.c_str());
        return 0;
    }
    const quern::sparse::SparseRows rows = set.rows.View();
    const size_t in_log = std::min<size_t>(argc > 3 ? std::stoul(argv[3]) : 64000, rows.count);
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("bench_sparse_" + std::to_string(getpid()) + ".db"))
                                 .string();
    if (argc > 4 && std::string(argv[4]) == "impacts") {
        return CompareImpacts(path, &set);
    }
    {
        Database log(path, {{"fast", ""}});
        const double start = CpuSeconds();
        log.Insert(rows, in_log, kLogBatch);
        std::printf("%zu records in the log, inserted in %.2f s of CPU time\n", in_log,
                    CpuSeconds() - start);
        // The first searches scan; the fourth one indexes.
        Database::Pass scans = log.Search("fast", set, 10, 0, 3, 1);
        Print("log, scan", 10, scans.us);
        Print("log, indexing", 10, log.Search("fast", set, 10, 3, 4, 1).us);
        if (log.Search("fast", set, 10, 0, 3, 1).rows != scans.rows) {
            std::fprintf(stderr, "the index of the log answers otherwise than the scan\n");
            return 1;
        }
        // What any search takes is not the log's.
        Database none(path + "-none", {{"fast", ""}});
        none.Insert(rows, 1, kLogBatch);
        for (const size_t k : {10, 1000}) {
            for (int round = 0; round < 3; round++) {
                Print("log, index", k, log.Search("fast", set, k, 1).us);
                Print("log of one record", k, none.Search("fast", set, k, 1).us);
            }
        }
    }
    if (argc > 4) {
        return 0;
    }
    Database database(path, {{"fast", ""}, {"plain", "index=none"}});
    database.Insert(rows, rows.count, kBatch);
    const double start = CpuSeconds();
    database.Optimize();
    std::printf("%zu records in a segment, optimized in %.1f s of CPU time\n", rows.count,
                CpuSeconds() - start);
    // The first searches load.
    database.Search("fast", set, 10, queries);
    database.Search("plain", set, 10, queries);
    for (const size_t k : {10, 1000}) {
        const Database::Pass some = database.Search("fast", set, k, 20);
        const Database::Pass scan = database.Search("plain", set, k, 20);
        if (some.rows != scan.rows) {
            std::fprintf(stderr, "the index answers otherwise than the scan\n");
            return 1;
        }
        Print("scan", k, scan.us);
        Print("index", k, database.Search("fast", set, k, 1).us);
    }
    return 0;
}
