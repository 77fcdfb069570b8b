// What attributes cost without any vector: the first use of a column by a handle, conditions,
// lists, facets and sets of keys, beside plain SQLite with an index on every column; README.md.
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "tests/bench/bench_support.h"

using bench::Check;

namespace {

constexpr int kRounds = 7;

struct Rows {
    std::vector<int64_t> keys, years, uniqs;
    std::vector<double> prices;
    std::vector<std::string> title_texts;
    std::vector<const char*> langs, titles;

    explicit Rows(size_t count) {
        static const char* const names[] = {"en", "de", "fr", "es", "it", "pl", "nl", "sv"};
        std::mt19937_64 random(1);
        for (size_t i = 0; i < 50000; i++) {
            title_texts.push_back("title " + std::to_string(i));
        }
        for (size_t i = 0; i < count; i++) {
            keys.push_back(static_cast<int64_t>(i) * 3);
            years.push_back(1980 + static_cast<int64_t>(random() % 45));
            uniqs.push_back(static_cast<int64_t>(random() % (10 * count)));
            prices.push_back(static_cast<double>(random() % 100000) / 100);
            langs.push_back(names[random() % 8 * (random() % 2)]);
            titles.push_back(title_texts[random() % title_texts.size()].c_str());
        }
    }
};

double CpuMs() {
    timespec now = {};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double Took(const std::function<void()>& work) {
    const double start = CpuMs();
    work();
    return CpuMs() - start;
}

class Quern {
public:
    Quern(std::string path, const Rows& rows) : path_(std::move(path)) {
        Open();
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_attr(schema, "uniq", QUERN_INT, nullptr);
        quern_schema_attr(schema, "price", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "lang", QUERN_TEXT, nullptr);
        quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
        Check(quern_create(db_, "docs", schema, &err_), err_, "create");
        quern_schema_free(schema);
        quern_batch* batch = quern_batch_new(db_, "docs", rows.keys.size());
        quern_batch_key_int(batch, rows.keys.data());
        quern_batch_int(batch, "year", rows.years.data(), nullptr);
        quern_batch_int(batch, "uniq", rows.uniqs.data(), nullptr);
        quern_batch_real(batch, "price", rows.prices.data(), nullptr);
        quern_batch_text(batch, "lang", rows.langs.data(), nullptr);
        quern_batch_text(batch, "title", rows.titles.data(), nullptr);
        Check(quern_insert(batch, nullptr, &err_), err_, "insert");
        quern_batch_free(batch);
    }
    ~Quern() { quern_close(db_); }
    void Open() {
        quern_close(db_);
        Check(quern_open(path_.c_str(), "threads=1", &db_, &err_), err_, "open");
    }
    void Optimize() { Check(quern_optimize(db_, nullptr, 0, &err_), err_, "optimize"); }
    void Update(const std::string& filter, const char* set) {
        quern_query* query = Query(filter);
        quern_query_set(query, set);
        Check(quern_query_update(query, nullptr, nullptr, &err_), err_, "update");
        quern_query_free(query);
    }
    uint64_t Count(const std::string& filter, const quern_keys* keys = nullptr) {
        quern_query* query = Query(filter);
        quern_query_only_keys(query, keys);
        uint64_t count = 0;
        Check(quern_query_count(query, &count, &err_), err_, filter.c_str());
        quern_query_free(query);
        return count;
    }
    uint64_t List(const std::string& filter, const char* order, size_t limit) {
        quern_query* query = Query(filter);
        quern_query_order(query, order);
        quern_query_limit(query, limit);
        quern_query_columns(query, "year, price, title");
        quern_result* result = nullptr;
        Check(quern_query_list(query, &result, &err_), err_, "list");
        const uint64_t rows = quern_result_rows(result);
        quern_result_free(result);
        quern_query_free(query);
        return rows;
    }
    uint64_t Facet(const std::string& filter, const char* attr) {
        quern_query* query = Query(filter);
        quern_result* result = nullptr;
        Check(quern_query_facet(query, attr, 10, &result, &err_), err_, "facet");
        const uint64_t rows = quern_result_rows(result);
        quern_result_free(result);
        quern_query_free(query);
        return rows;
    }

private:
    quern_query* Query(const std::string& filter) {
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_filter(query, filter.empty() ? nullptr : filter.c_str());
        return query;
    }
    std::string path_;
    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
};

class Sqlite {
public:
    Sqlite(std::string path, const Rows& rows) : path_(std::move(path)) {
        Open();
        Run("CREATE TABLE docs(id INTEGER PRIMARY KEY, year INT, uniq INT, price REAL, lang TEXT, "
            "title TEXT); CREATE TABLE wanted(id INTEGER PRIMARY KEY); BEGIN");
        sqlite3_stmt* insert = nullptr;
        sqlite3_prepare_v2(db_, "INSERT INTO docs VALUES(?,?,?,?,?,?)", -1, &insert, nullptr);
        for (size_t i = 0; i < rows.keys.size(); i++) {
            sqlite3_bind_int64(insert, 1, rows.keys[i]);
            sqlite3_bind_int64(insert, 2, rows.years[i]);
            sqlite3_bind_int64(insert, 3, rows.uniqs[i]);
            sqlite3_bind_double(insert, 4, rows.prices[i]);
            sqlite3_bind_text(insert, 5, rows.langs[i], -1, SQLITE_STATIC);
            sqlite3_bind_text(insert, 6, rows.titles[i], -1, SQLITE_STATIC);
            sqlite3_step(insert);
            sqlite3_reset(insert);
        }
        sqlite3_finalize(insert);
        Run("COMMIT");
        for (const char* column : {"year", "uniq", "price", "lang", "title"}) {
            Run(std::string("CREATE INDEX by_") + column + " ON docs(" + column + ")");
        }
        Run("ANALYZE");
    }
    ~Sqlite() { sqlite3_close(db_); }
    void Open() {
        sqlite3_close(db_);
        sqlite3_open(path_.c_str(), &db_);
        Run("PRAGMA cache_size=-1000000");
    }
    // How many rows it gives, or the number in the only one.
    uint64_t Run(const std::string& sql, bool number = false) {
        uint64_t rows = 0;
        const char* next = sql.c_str();
        while (*next != '\0') {
            sqlite3_stmt* statement = nullptr;
            if (sqlite3_prepare_v2(db_, next, -1, &statement, &next) != SQLITE_OK) {
                std::fprintf(stderr, "%s: %s\n", sql.c_str(), sqlite3_errmsg(db_));
                std::exit(1);
            }
            while (sqlite3_step(statement) == SQLITE_ROW) {
                rows =
                    number ? static_cast<uint64_t>(sqlite3_column_int64(statement, 0)) : rows + 1;
            }
            sqlite3_finalize(statement);
        }
        return rows;
    }

private:
    std::string path_;
    sqlite3* db_ = nullptr;
};

void Row(const char* what, const std::function<uint64_t(int round)>& ours,
         const std::function<uint64_t(int round)>& theirs) {
    std::vector<double> our_ms;
    std::vector<double> their_ms;
    for (int round = 0; round < kRounds; round++) {
        uint64_t a = 0;
        uint64_t b = 0;
        our_ms.push_back(Took([&] { a = ours(round); }));
        their_ms.push_back(Took([&] { b = theirs(round); }));
        if (a != b) {
            std::fprintf(stderr, "%s: %llu and %llu\n", what, static_cast<unsigned long long>(a),
                         static_cast<unsigned long long>(b));
            std::exit(1);
        }
    }
    const double our = bench::Median(our_ms);
    const double their = bench::Median(their_ms);
    std::printf("| %s | %.2f | %.2f | %.2f |\n", what, our, their, their / our);
    std::fflush(stdout);
}

// By a handle that has just been opened.
void FirstUse(const char* state, Quern* quern, Sqlite* sqlite) {
    for (const char* condition :
         {"year = 2001", "uniq between 1000 and 90000", "title = 'title 77'"}) {
        const std::string what = std::string("first use, ") + state + ": `" + condition + "`";
        Row(
            what.c_str(),
            [&](int) {
                quern->Open();
                return quern->Count(condition);
            },
            [&](int) {
                sqlite->Open();
                return sqlite->Run(std::string("SELECT count(*) FROM docs WHERE ") + condition,
                                   true);
            });
    }
}

void Warm(Quern* quern, Sqlite* sqlite, const Rows& rows) {
    const auto count = [&](const char* what, const std::function<std::string(int)>& condition) {
        quern->Count(condition(100));
        Row(
            what, [&](int round) { return quern->Count(condition(round)); },
            [&](int round) {
                return sqlite->Run("SELECT count(*) FROM docs WHERE " + condition(round), true);
            });
    };
    const auto number = [](int n) { return std::to_string(n); };
    count("`year = ?`", [&](int n) { return "year = " + number(1981 + n % 40); });
    count("`uniq between ? and ?`, half of all", [&](int n) {
        return "uniq between " + number(n) + " and " +
               number(static_cast<int>(5 * rows.keys.size()));
    });
    count("`price < ? and lang = 'en'`",
          [&](int n) { return "price < " + number(500 + n) + " and lang = 'en'"; });
    // What no column decides, by itself and behind what one does.
    count("`length(title) = ?`", [&](int n) { return "length(title) = " + number(9 + n % 3); });
    count("`year = ? and lower(lang) = 'de'`",
          [&](int n) { return "year = " + number(1981 + n % 40) + " and lower(lang) = 'de'"; });
    count("`uniq between ? and ? + 1000 and length(title) = 11`", [&](int n) {
        return "uniq between " + number(1000 * n) + " and " + number(1000 * n + 1000) +
               " and length(title) = 11";
    });
    const auto list = [&](const char* what, const char* filter, const char* order, size_t limit) {
        const std::string where = *filter == '\0' ? "" : std::string(" WHERE ") + filter;
        Row(
            what, [&](int) { return quern->List(filter, order, limit); },
            [&](int) {
                return sqlite->Run("SELECT id, year, price, title FROM docs" + where +
                                   " ORDER BY " + order + " LIMIT " + std::to_string(limit));
            });
    };
    list("list by key, 100 rows", "", "id", 100);
    list("list by price, 100 rows", "", "price, id", 100);
    list("list by year, then price, 100 rows", "", "year desc, price, id", 100);
    list("list of `year > 2000 and lang = 'de'` by price, 100 rows", "year > 2000 and lang = 'de'",
         "price desc, id", 100);
    const auto facet = [&](const char* what, const char* filter, const char* attr) {
        const std::string where = *filter == '\0' ? "" : std::string(" WHERE ") + filter;
        const std::string column = attr;
        Row(
            what, [&](int) { return quern->Facet(filter, attr); },
            [&](int) {
                return sqlite->Run("SELECT " + column + ", count(*) FROM docs" + where +
                                   " GROUP BY 1 ORDER BY 2 DESC LIMIT 10");
            });
    };
    facet("facet of lang", "", "lang");
    facet("facet of title of `year > 2000`", "year > 2000", "title");
    for (const size_t n : {1000, 100000}) {
        std::vector<int64_t> keys;
        std::mt19937_64 random(n);
        sqlite->Run("DELETE FROM wanted; BEGIN");
        for (size_t i = 0; i < n; i++) {
            keys.push_back(static_cast<int64_t>(random() % (3 * rows.keys.size())));
            sqlite->Run("INSERT OR IGNORE INTO wanted VALUES(" + std::to_string(keys.back()) + ")");
        }
        sqlite->Run("COMMIT");
        quern_error err = QUERN_ERROR_INIT;
        quern_keys* set = nullptr;
        Check(quern_keys_int(keys.data(), keys.size(), &set, &err), err, "keys");
        const std::string what = "`year > ?` and a set of " + std::to_string(n) + " keys";
        quern->Count("year > 1000", set);
        Row(
            what.c_str(),
            [&](int round) { return quern->Count("year > " + number(1990 + round), set); },
            [&](int round) {
                return sqlite->Run("SELECT count(*) FROM docs WHERE year > " +
                                       number(1990 + round) + " AND id IN (SELECT id FROM wanted)",
                                   true);
            });
        quern_keys_free(set);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
    const auto directory = std::filesystem::temp_directory_path() /
                           ("quern_bench_attributes_" + std::to_string(getpid()));
    std::filesystem::create_directory(directory);
    {
        const Rows rows(count);
        Quern quern((directory / "a.quern").string(), rows);
        Sqlite sqlite((directory / "a.sqlite").string(), rows);
        std::printf("%zu records; milliseconds of CPU time, medians of %d\n\n", count, kRounds);
        std::printf("| what | quern | SQLite | ratio |\n|---|---|---|---|\n");
        FirstUse("no columns in the file", &quern, &sqlite);
        const double optimized = Took([&] { quern.Optimize(); });
        FirstUse("columns in the file", &quern, &sqlite);
        quern.Update("id between 3000 and 5999", "price = 1.5");
        sqlite.Run("UPDATE docs SET price = 1.5 WHERE id BETWEEN 3000 AND 5999");
        FirstUse("and 1000 records changed since", &quern, &sqlite);
        Warm(&quern, &sqlite, rows);
        std::printf("\noptimize: %.0f ms\n", optimized);
    }
    std::filesystem::remove_all(directory);
    return 0;
}
