// Lists, facets and updates by filters: what SQLite says of the same data.
#include "tests/unit/filtered_file.h"

using filtered::FilteredFile;

namespace {

using Keys = std::vector<int64_t>;

struct Lists : FilteredFile {
    using FilteredFile::FilteredFile;

    Keys Sql(const std::string& statement) {
        quern_result* result = nullptr;
        CAPTURE(statement);
        Ok(quern_sql(db, nullptr, statement.c_str(), &result, &err));
        Keys keys;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys.push_back(quern_result_int(result, row, 0));
        }
        quern_result_free(result);
        return keys;
    }
    // All pages; of each, *matches is what it tells. between: is done behind each page.
    template <typename Between>
    Keys Pages(const std::string& filter, const std::string& order, size_t page,
               const Between& between) {
        Keys keys;
        std::string bookmark;
        while (true) {
            quern_query* query = quern_query_new(db, "docs");
            quern_query_filter(query, filter.empty() ? nullptr : filter.c_str());
            quern_query_order(query, order.c_str());
            quern_query_limit(query, page);
            quern_query_columns(query, "year");
            quern_query_after(query, bookmark.c_str());
            quern_result* result = nullptr;
            Ok(quern_query_list(query, &result, &err));
            quern_query_free(query);
            matches = static_cast<size_t>(quern_result_stat(result, QUERN_RESULT_MATCHES));
            const size_t rows = quern_result_rows(result);
            for (size_t row = 0; row < rows; row++) {
                keys.push_back(quern_result_key_int(result, row));
            }
            const char* behind = quern_result_bookmark(result);
            bookmark = behind == nullptr ? "" : behind;
            quern_result_free(result);
            if (rows < page || page == 0) {
                return keys;
            }
            between(keys.back());
        }
    }
    Keys Pages(const std::string& filter, const std::string& order, size_t page) {
        return Pages(filter, order, page, [](int64_t) {});
    }
    size_t matches = 0;
};

// For SQL: NULLs last unless said otherwise.
struct Order {
    const char* ours;
    const char* sql;
};
const Order kOrders[] = {
    {"", "id"},
    {"id", "id"},
    {"id desc", "id desc"},
    {"year", "year nulls last, id"},
    {"year desc", "year desc nulls last, id"},
    {"title desc nulls first, id desc", "title desc nulls first, id desc"},
    {"lang, price desc", "lang nulls last, price desc nulls last, id"},
    {"good, raw nulls first, year desc",
     "good nulls last, raw nulls first, year desc nulls last, id"},
    {"\"price\" asc nulls last, id, year", "price nulls last, id"},
    {"tags, lang desc, lang", "tags nulls last, lang desc nulls last, id"},
};

}  // namespace

TEST_CASE("lists are in SQL's order, page by page", "[filter][list]") {
    Lists file("list");
    file.Fill(400);
    for (const bool in_memory : {true, false}) {
        CAPTURE(in_memory);
        if (!in_memory) {
            file.LeaveNoMemory();
        }
        for (const char* filter : {"", "year > 0 or year is null", "id % 3 = 1", "0", "id < 9"}) {
            for (const Order& order : kOrders) {
                CAPTURE(filter, order.ours);
                const std::string where = *filter == '\0' ? "1" : filter;
                const Keys truth =
                    file.Sql("SELECT id FROM docs WHERE (" + where + ") ORDER BY " + order.sql);
                for (const size_t page : {size_t{1}, size_t{7}, size_t{150}, size_t{0}}) {
                    if (page == 1 && truth.size() > 20) {
                        continue;  // of many records one by one takes long
                    }
                    CHECK(file.Pages(filter, order.ours, page) == truth);
                    CHECK(file.matches == truth.size());
                }
            }
        }
    }
}

// With many values a list looks at the records of the first ones only.
TEST_CASE("lists of many different values are in SQL's order", "[filter][list]") {
    Lists file("values");
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "year", QUERN_INT, nullptr);
    quern_schema_attr(schema, "skewed", QUERN_REAL, nullptr);
    file.Ok(quern_drop(file.db, "docs", &file.err));
    file.Ok(quern_create(file.db, "docs", schema, &file.err));
    quern_schema_free(schema);
    constexpr size_t kRecords = 6000;
    std::mt19937_64 random(3);
    std::vector<int64_t> keys(kRecords);
    std::vector<int64_t> years(kRecords);
    std::vector<double> skewed(kRecords);
    std::vector<uint8_t> valid(kRecords);
    for (size_t i = 0; i < kRecords; i++) {
        keys[i] = static_cast<int64_t>(i);
        years[i] = static_cast<int64_t>(random() % 3000);
        // Half of them have the first or the last of many values.
        const uint64_t kind = random() % 4;
        skewed[i] = kind == 0 ? -1.0 : kind == 1 ? 2.0 : static_cast<double>(random() % 2000) / 2e3;
        valid[i] = random() % 7 != 0;
    }
    quern_batch* batch = quern_batch_new(file.db, "docs", kRecords);
    quern_batch_key_int(batch, keys.data());
    quern_batch_int(batch, "year", years.data(), valid.data());
    quern_batch_real(batch, "skewed", skewed.data(), valid.data());
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Delete({17, 18, 19});
    for (const Order& order :
         std::vector<Order>{{"year", "year nulls last, id"},
                            {"year desc", "year desc nulls last, id"},
                            {"year nulls first, id desc", "year nulls first, id desc"},
                            {"year desc nulls first", "year desc nulls first, id"},
                            {"skewed", "skewed nulls last, id"},
                            {"skewed desc, year", "skewed desc nulls last, year nulls last, id"},
                            {"skewed desc nulls first, year desc, id desc",
                             "skewed desc nulls first, year desc nulls last, id desc"}}) {
        for (const char* filter : {"1", "year < 40", "id % 50 = 0", "skewed > 0.2 and id > 3000"}) {
            CAPTURE(order.ours, filter);
            const Keys truth = file.Sql(std::string("SELECT id FROM docs WHERE (") + filter +
                                        ") ORDER BY " + order.sql);
            for (const size_t page : {size_t{40}, size_t{333}, size_t{0}}) {
                CHECK(file.Pages(filter, order.ours, page) == truth);
            }
        }
    }
}

TEST_CASE("a list goes on behind a record that is gone", "[filter][list]") {
    Lists file("gone");
    file.Fill(200);
    const Keys truth = file.Sql("SELECT id FROM docs ORDER BY year desc nulls last, id");
    CHECK(file.Pages("", "year desc", 9, [&](int64_t last) { file.Delete({last}); }) == truth);
    const Keys by_key = file.Sql("SELECT id FROM docs WHERE lang = 'en' ORDER BY id desc");
    CHECK(file.Pages("lang = 'en'", "id desc", 5, [&](int64_t last) { file.Delete({last}); }) ==
          by_key);
}

TEST_CASE("facets count what SQL counts", "[filter][facet]") {
    Lists file("facet");
    file.Fill(400);
    for (const bool in_memory : {true, false}) {
        CAPTURE(in_memory);
        if (!in_memory) {
            file.LeaveNoMemory();
        }
        for (const char* filter : {"1", "year > 0", "id % 3 = 1", "0"}) {
            for (const std::string attr :
                 {"year", "price", "title", "lang", "good", "raw", "tags"}) {
                CAPTURE(filter, attr);
                const bool tags = attr == "tags";
                const std::string from = tags ? "FROM docs, json_each(docs.tags) AS each WHERE (" +
                                                    std::string(filter) + ")"
                                              : "FROM docs WHERE (" + std::string(filter) +
                                                    ") AND " + attr + " IS NOT NULL";
                const std::string value = tags ? "each.value" : attr;
                quern_result* truth = nullptr;
                const std::string sql = "SELECT " + value + ", count(*) AS n " +
                                        (tags ? "FROM (SELECT tags AS t FROM docs WHERE (" +
                                                    std::string(filter) + ")), json_each(t) AS each"
                                              : from) +
                                        " GROUP BY 1 ORDER BY n DESC, 1";
                file.Ok(quern_sql(file.db, nullptr, sql.c_str(), &truth, &file.err));
                quern_query* query = file.Query(filter);
                for (const size_t n : {size_t{1}, size_t{3}, size_t{1000}}) {
                    quern_result* result = nullptr;
                    file.Ok(quern_query_facet(query, attr.c_str(), n, &result, &file.err));
                    REQUIRE(quern_result_rows(result) == std::min(n, quern_result_rows(truth)));
                    for (size_t row = 0; row < quern_result_rows(result); row++) {
                        CHECK(quern_result_int(result, row, 1) == quern_result_int(truth, row, 1));
                        CHECK(quern_result_real(result, row, 0) ==
                              quern_result_real(truth, row, 0));
                        const char* text = quern_result_text(truth, row, 0, nullptr);
                        const char* ours = quern_result_text(result, row, 0, nullptr);
                        CHECK(std::string(text == nullptr ? "" : text) ==
                              std::string(ours == nullptr ? "" : ours));
                    }
                    CHECK(quern_result_stat(result, QUERN_RESULT_VALUES) ==
                          static_cast<int64_t>(quern_result_rows(truth)));
                    CHECK(quern_result_stat(result, QUERN_RESULT_NULLS) ==
                          file.Sql("SELECT count(*) FROM docs WHERE (" + std::string(filter) +
                                   ") AND " + attr + " IS NULL")[0]);
                    quern_result_free(result);
                }
                quern_query_free(query);
                quern_result_free(truth);
            }
        }
    }
}

TEST_CASE("an update by filter changes what matches, and nothing else", "[filter][update]") {
    Lists file("update");
    file.Fill(400);
    const Keys matching = file.Sql("SELECT id FROM docs WHERE lang = 'en' ORDER BY id");
    const Keys others =
        file.Sql("SELECT id FROM docs WHERE lang IS NOT 'en' AND year = 77 ORDER BY id");
    REQUIRE(matching.size() > 20);
    quern_query* query = file.Query("lang = ?1");
    quern_query_set(query, "year = ?2, title = 'new', good = null, tags = ('b', 'a', 'b')");
    quern_query_bind_text(query, 1, "en");
    quern_query_bind_int(query, 2, 77);
    uint64_t updated = 0;
    file.Ok(quern_query_update(query, nullptr, &updated, &file.err));
    quern_query_free(query);
    CHECK(updated == matching.size());
    const auto check = [&] {
        CHECK(file.Sql("SELECT id FROM docs WHERE year = 77 AND title = 'new' AND good IS NULL AND "
                       "tags = '[\"a\",\"b\"]' AND lang = 'en' ORDER BY id") == matching);
        CHECK(file.Sql("SELECT id FROM docs WHERE lang IS NOT 'en' AND year = 77 ORDER BY id") ==
              others);
        CHECK(file.Pages("year = 77 and lang = 'en'", "", 0) == matching);
        CHECK(file.Pages("title = 'new'", "year, good", 0) == matching);
    };
    check();
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    check();
    quern_text* report = nullptr;
    file.Ok(quern_verify(file.db, &report, &file.err));
    quern_text_free(report);
}
