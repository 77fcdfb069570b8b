// A collection with attributes of every type in a file of its own, for tests of filters: part of it
// sealed, part in the log, some deleted, some changed in place.
#pragma once

#include <quern.h>

#include <random>
#include <set>

#include "tests/unit/indexed_file.h"

namespace filtered {

struct FilteredFile : indexed::IndexedFile {
    explicit FilteredFile(const char* name) : IndexedFile(std::string("_filter") + name) {
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_attr(schema, "price", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
        quern_schema_attr(schema, "lang", QUERN_TEXT, nullptr);
        quern_schema_attr(schema, "good", QUERN_BOOL, nullptr);
        quern_schema_attr(schema, "raw", QUERN_BLOB, nullptr);
        quern_schema_attr(schema, "tags", QUERN_TAGS, nullptr);
        quern_schema_dense(schema, "emb", 2, QUERN_L2, nullptr);
        quern_schema_sparse(schema, "terms", nullptr);
        Ok(quern_create(db, "docs", schema, &err));
        quern_schema_free(schema);
    }

    // Values with many repeats, borders of their types, and nulls.
    void Put(int64_t first, size_t count, uint64_t seed) {
        std::mt19937_64 random(seed);
        const auto any = [&](size_t n) { return random() % n; };
        static const char* const titles[] = {
            "",    "quantum",      "Quantum leap", "leap_year", "100%", "10", "010",  "1e1",
            " 10", "\xc3\xa4rger", "\xc3\x84rger", "zebra",     "[x]y", "-5", "2020", "2020.0"};
        static const char* const langs[] = {"en", "de", "EN", "fr"};
        static const int64_t years[] = {
            2020, 2019, -5, 0, 10, INT64_MAX, INT64_MIN, 9007199254740993, 2021};
        static const double prices[] = {
            0, -0.0, 10, 10.5, 2020, 9007199254740992.0, 1e300, -5, 9223372036854775808.0, 1e-300};
        static const char* const words[] = {"physics", "poetry", "maths"};
        struct Rows {
            std::vector<int64_t> keys, years;
            std::vector<double> prices;
            std::vector<uint8_t> goods, valid[7], has;
            std::vector<const char*> titles, langs, tags;
            std::vector<const void*> raws;
            std::vector<size_t> sizes, tag_offsets{0}, term_offsets{0};
            std::vector<float> vectors, weights;
            std::vector<uint32_t> terms;
        } rows;
        for (size_t i = 0; i < count; i++) {
            rows.keys.push_back(first + static_cast<int64_t>(i));
            rows.years.push_back(years[any(std::size(years))]);
            rows.prices.push_back(prices[any(std::size(prices))]);
            rows.titles.push_back(titles[any(std::size(titles))]);
            rows.langs.push_back(langs[any(std::size(langs))]);
            rows.goods.push_back(any(2) == 1);
            rows.raws.push_back(titles[any(std::size(titles))]);
            rows.sizes.push_back(std::string(static_cast<const char*>(rows.raws.back())).size());
            for (const char* word : words) {
                if (any(2) == 1) {
                    rows.tags.push_back(word);
                }
            }
            rows.tag_offsets.push_back(rows.tags.size());
            for (auto& valid : rows.valid) {
                valid.push_back(any(6) != 0);
            }
            rows.has.push_back(any(10) != 0);
            rows.vectors.push_back(static_cast<float>(any(100)));
            rows.vectors.push_back(static_cast<float>(any(100)));
            rows.terms.push_back(static_cast<uint32_t>(any(5)));
            rows.weights.push_back(1.0f + static_cast<float>(any(9)));
            rows.term_offsets.push_back(rows.terms.size());
        }
        quern_batch* batch = quern_batch_new(db, "docs", count);
        quern_batch_key_int(batch, rows.keys.data());
        quern_batch_int(batch, "year", rows.years.data(), rows.valid[0].data());
        quern_batch_real(batch, "price", rows.prices.data(), rows.valid[1].data());
        quern_batch_text(batch, "title", rows.titles.data(), rows.valid[2].data());
        quern_batch_text(batch, "lang", rows.langs.data(), rows.valid[3].data());
        quern_batch_bool(batch, "good", rows.goods.data(), rows.valid[4].data());
        quern_batch_blob(batch, "raw", rows.raws.data(), rows.sizes.data(), rows.valid[5].data());
        quern_batch_tags(batch, "tags", rows.tag_offsets.data(), rows.tags.data(),
                         rows.valid[6].data());
        quern_batch_dense(batch, "emb", rows.vectors.data(), 2, rows.has.data());
        quern_batch_sparse(batch, "terms", rows.term_offsets.data(), rows.terms.data(),
                           rows.weights.data(), nullptr);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    // Segments, tombstones, attributes changed in place, and a log.
    void Fill(size_t count) {
        const auto half = static_cast<int64_t>(count / 2);
        Put(0, count / 2, 1);
        Ok(quern_optimize(db, nullptr, 0, &err));
        Put(half, count / 4, 2);
        Put(10, 10, 3);
        std::vector<int64_t> gone{3, 4, half + 1, half + 2};
        Delete(gone);
        const std::vector<int64_t> amended{5, 6, 7};
        const int64_t years[] = {1, 2, 2020};
        const uint8_t valid[] = {1, 0, 1};
        quern_batch* batch = quern_batch_new(db, "docs", 3);
        quern_batch_key_int(batch, amended.data());
        quern_batch_int(batch, "year", years, valid);
        Ok(quern_update(batch, nullptr, &err));
        quern_batch_free(batch);
    }

    // Keys for which SQLite says that the condition is true.
    std::set<int64_t> Truth(const std::string& condition) {
        quern_result* result = nullptr;
        const std::string sql = "SELECT id FROM docs WHERE (" + condition + ")";
        Ok(quern_sql(db, nullptr, sql.c_str(), &result, &err));
        std::set<int64_t> keys;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys.insert(quern_result_int(result, row, 0));
        }
        quern_result_free(result);
        return keys;
    }
    quern_query* Query(const std::string& filter) {
        quern_query* query = quern_query_new(db, "docs");
        quern_query_filter(query, filter.c_str());
        return query;
    }
    uint64_t Count(const std::string& filter) {
        quern_query* query = Query(filter);
        uint64_t count = 0;
        CAPTURE(filter);
        Ok(quern_query_count(query, &count, &err));
        quern_query_free(query);
        return count;
    }
    std::set<int64_t> KeysOf(quern_query* query) {
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err));
        std::set<int64_t> keys;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys.insert(quern_result_key_int(result, row));
        }
        CHECK(keys.size() == quern_result_rows(result));
        quern_result_free(result);
        quern_query_free(query);
        return keys;
    }
    // All that a search for the nearest finds.
    std::set<int64_t> Found(quern_query* query, const char* options = "") {
        const float origin[] = {0, 0};
        quern_query_dense(query, "emb", origin, 1, 2);
        quern_query_limit(query, 100000);
        quern_query_options(query, options);
        return KeysOf(query);
    }
    int32_t Fails(const std::string& filter) {
        quern_query* query = Query(filter);
        uint64_t count = 0;
        const int32_t status = quern_query_count(query, &count, &err);
        quern_query_free(query);
        return status;
    }
    // Opens the file so that no column fits into memory: the log of another collection takes it.
    void LeaveNoMemory() {
        constexpr size_t kBigDim = 65536;
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kBigDim, QUERN_L2, nullptr);
        Ok(quern_create(db, "big", schema, &err));
        quern_schema_free(schema);
        const std::vector<float> rows(8 * kBigDim, 1.0f);
        const int64_t keys[] = {1, 2, 3, 4, 5, 6, 7, 8};
        quern_batch* batch = quern_batch_new(db, "big", 8);
        quern_batch_key_int(batch, keys);
        quern_batch_dense(batch, "emb", rows.data(), kBigDim, nullptr);
        Ok(quern_insert(batch, nullptr, &err));
        quern_batch_free(batch);
        Open("memory_mb=1 threads=1");
        quern_query* query = quern_query_new(db, "big");
        quern_result* result = nullptr;
        Ok(quern_query_list(query, &result, &err));
        CHECK(quern_result_rows(result) == 8);
        quern_result_free(result);
        quern_query_free(query);
        // A filter tells who has decided: without columns all of it is SQLite's.
        query = Query("year > 0");
        quern_text* json = nullptr;
        Ok(quern_query_explain(query, &json, &err));
        CHECK(std::string(quern_text_data(json)).find("\"columns\"") == std::string::npos);
        quern_text_free(json);
        quern_query_free(query);
    }
    bool Says(const std::string& piece) {
        return std::string(err.message).find(piece) != std::string::npos;
    }
};

}  // namespace filtered
