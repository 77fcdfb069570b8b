// Writing: quern beside plain SQLite that writes the same key, attributes and vector blob, with the
// same durability: as it comes (4 KiB pages), and with 16 KiB pages like quern's, which shows what
// the page size alone costs a small commit.
//
//   bench_write_rates [--dir DIR] [--records 100000] [--dim 128] [--rounds 5] [--singles 2000]
//
// Rates of one large transaction, and of durable commits of one record each; rounds alternate
// between the two.
#include <sqlite3.h>

#include <functional>

#include "bench_support.h"

namespace {

struct Data {
    size_t count = 0;
    size_t dim = 0;
    std::vector<int64_t> keys;
    std::vector<int64_t> years;
    std::vector<double> prices;
    std::vector<std::string> titles;
    std::vector<const char*> title_pointers;
    std::vector<float> vectors;
};

Data MakeData(size_t count, size_t dim) {
    Data data;
    data.count = count;
    data.dim = dim;
    data.vectors = bench::NormalVectors(count, dim, 1);
    for (size_t i = 0; i < count; i++) {
        data.keys.push_back(static_cast<int64_t>(i));
        data.years.push_back(static_cast<int64_t>(1900 + i % 125));
        data.prices.push_back(static_cast<double>(i) * 0.25);
        data.titles.push_back("the title of record number " + std::to_string(i));
    }
    for (const std::string& title : data.titles) {
        data.title_pointers.push_back(title.c_str());
    }
    return data;
}

void SqliteCheck(int code, sqlite3* db, const char* what) {
    if (code != SQLITE_OK && code != SQLITE_DONE) {
        std::fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
        std::exit(1);
    }
}

class PlainSqlite {
public:
    PlainSqlite(const std::string& path, int page_bytes) : path_(path) {
        bench::RemoveDatabase(path_);
        sqlite3_open(path_.c_str(), &db_);
        Run(("PRAGMA page_size=" + std::to_string(page_bytes)).c_str());
        Run("PRAGMA journal_mode=WAL");
        Run("PRAGMA synchronous=FULL");
        Run("CREATE TABLE docs(id INTEGER PRIMARY KEY, year INTEGER, price REAL, title TEXT, emb "
            "BLOB)");
        SqliteCheck(sqlite3_prepare_v2(db_, "INSERT INTO docs VALUES(?1,?2,?3,?4,?5)", -1, &insert_,
                                       nullptr),
                    db_, "prepare");
    }
    ~PlainSqlite() {
        sqlite3_finalize(insert_);
        sqlite3_close(db_);
        bench::RemoveDatabase(path_);
    }
    void Run(const char* sql) {
        SqliteCheck(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr), db_, sql);
    }
    void Insert(const Data& data, size_t i, int64_t key) {
        sqlite3_bind_int64(insert_, 1, key);
        sqlite3_bind_int64(insert_, 2, data.years[i]);
        sqlite3_bind_double(insert_, 3, data.prices[i]);
        sqlite3_bind_text(insert_, 4, data.title_pointers[i], -1, SQLITE_STATIC);
        sqlite3_bind_blob(insert_, 5, data.vectors.data() + i * data.dim,
                          static_cast<int>(data.dim * sizeof(float)), SQLITE_STATIC);
        SqliteCheck(sqlite3_step(insert_), db_, "insert");
        sqlite3_reset(insert_);
    }

private:
    std::string path_;
    sqlite3* db_ = nullptr;
    sqlite3_stmt* insert_ = nullptr;
};

class Quern {
public:
    Quern(const std::string& path, size_t dim) : path_(path) {
        bench::RemoveDatabase(path_);
        bench::Check(quern_open(path_.c_str(), nullptr, &db_, &err_), err_, "open");
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_attr(schema, "price", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
        quern_schema_dense(schema, "emb", dim, QUERN_L2, "index=none");
        bench::Check(quern_create(db_, "docs", schema, &err_), err_, "create");
        quern_schema_free(schema);
    }
    ~Quern() {
        quern_close(db_);
        bench::RemoveDatabase(path_);
    }
    void Insert(const Data& data, size_t first, size_t count, const int64_t* keys, quern_txn* txn) {
        quern_batch* batch = quern_batch_new(db_, "docs", count);
        quern_batch_key_int(batch, keys);
        quern_batch_int(batch, "year", data.years.data() + first, nullptr);
        quern_batch_real(batch, "price", data.prices.data() + first, nullptr);
        quern_batch_text(batch, "title", data.title_pointers.data() + first, nullptr);
        quern_batch_dense(batch, "emb", data.vectors.data() + first * data.dim, data.dim, nullptr);
        bench::Check(quern_insert(batch, txn, &err_), err_, "insert");
        quern_batch_free(batch);
    }
    quern_db* db() { return db_; }
    quern_error* error() { return &err_; }

private:
    std::string path_;
    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
};

// Seconds of each round, by contestant: quern, SQLite, SQLite with large pages.
using Rounds = std::vector<double>[3];

void Report(const char* what, const Rounds& rounds, double count) {
    std::printf("%-36s", what);
    for (const std::vector<double>& seconds : rounds) {
        std::printf(" %11.0f", count / bench::Median(seconds));
    }
    for (int rival = 1; rival < 3; rival++) {
        std::vector<double> ratios;
        for (size_t i = 0; i < rounds[0].size(); i++) {
            ratios.push_back(rounds[rival][i] / rounds[0][i]);
        }
        std::printf(" %8.2f", bench::Median(ratios));
    }
    std::printf("\n");
}

constexpr int kPageBytes[] = {0, 4096, 16384};

double Timed(const std::function<void()>& body) {
    const auto start = bench::Clock::now();
    body();
    return bench::SecondsSince(start);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string dir = bench::Argument(argc, argv, "--dir", ".");
    const auto records =
        static_cast<size_t>(std::atoll(bench::Argument(argc, argv, "--records", "100000").c_str()));
    const auto dim =
        static_cast<size_t>(std::atoll(bench::Argument(argc, argv, "--dim", "128").c_str()));
    const auto rounds =
        static_cast<size_t>(std::atoll(bench::Argument(argc, argv, "--rounds", "5").c_str()));
    const auto singles =
        static_cast<size_t>(std::atoll(bench::Argument(argc, argv, "--singles", "10000").c_str()));
    const std::string ours_path = dir + "/bench_quern.db";
    const Data data = MakeData(std::max(records, singles), dim);
    std::printf("%s\n%zu records of %zu f32, an int key, 3 attributes; medians of %zu rounds\n\n",
                quern_build_info(), records, dim, rounds);
    std::printf("%-36s %11s %11s %11s %8s %8s\n", "records per second", "quern", "SQLite",
                "SQLite 16K", "ratio", "to 16K");

    for (const size_t batch : {records, size_t{1000}}) {
        Rounds seconds;
        for (size_t round = 0; round < rounds; round++) {
            for (int rival = 1; rival < 3; rival++) {
                PlainSqlite sqlite(dir + "/bench_sqlite.db", kPageBytes[rival]);
                seconds[rival].push_back(Timed([&] {
                    sqlite.Run("BEGIN");
                    for (size_t i = 0; i < records; i++) {
                        sqlite.Insert(data, i, data.keys[i]);
                    }
                    sqlite.Run("COMMIT");
                }));
            }
            Quern quern(ours_path, dim);
            seconds[0].push_back(Timed([&] {
                quern_txn* txn = nullptr;
                bench::Check(quern_begin(quern.db(), &txn, quern.error()), *quern.error(), "begin");
                for (size_t first = 0; first < records; first += batch) {
                    quern.Insert(data, first, std::min(batch, records - first),
                                 data.keys.data() + first, txn);
                }
                bench::Check(quern_commit(txn, quern.error()), *quern.error(), "commit");
            }));
        }
        Report(("one transaction, batches of " + std::to_string(batch)).c_str(), seconds,
               static_cast<double>(records));
    }

    Rounds seconds;
    PlainSqlite small(dir + "/bench_sqlite.db", kPageBytes[1]);
    PlainSqlite large(dir + "/bench_sqlite16.db", kPageBytes[2]);
    PlainSqlite* rivals[] = {nullptr, &small, &large};
    Quern quern(ours_path, dim);
    const size_t block = std::max<size_t>(singles / (rounds * 4), 1);
    int64_t key = 0;
    for (size_t round = 0; round < rounds * 4; round++) {
        for (int rival = 1; rival < 3; rival++) {
            seconds[rival].push_back(Timed([&] {
                for (size_t i = 0; i < block; i++) {
                    rivals[rival]->Insert(data, i, key + static_cast<int64_t>(i));
                }
            }));
        }
        seconds[0].push_back(Timed([&] {
            for (size_t i = 0; i < block; i++) {
                const int64_t own = key + static_cast<int64_t>(i);
                quern.Insert(data, i, 1, &own, nullptr);
            }
        }));
        key += static_cast<int64_t>(block);
    }
    Report("durable commits of one record each", seconds, static_cast<double>(block));
    return 0;
}
