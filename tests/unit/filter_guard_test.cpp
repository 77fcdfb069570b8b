// Conditions that guard others: what the columns have decided is not asked of SQLite any more,
// neither when that would be a mistake, nor when it would take long. And deadlines of functions
// that do.
#include "tests/unit/filtered_file.h"

using namespace filtered;

namespace {

std::set<int64_t> Listed(FilteredFile* file, const std::string& filter) {
    CAPTURE(filter);
    quern_query* query = file->Query(filter);
    quern_query_limit(query, 0);
    quern_result* result = nullptr;
    file->Ok(quern_query_list(query, &result, &file->err));
    std::set<int64_t> keys;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        keys.insert(quern_result_key_int(result, row));
    }
    quern_result_free(result);
    quern_query_free(query);
    return keys;
}

// Most titles are no JSON, and the least integer has no absolute value.
void CheckGuards(FilteredFile* file) {
    const auto ten = file->Truth("title = '10'");
    REQUIRE(!ten.empty());
    CHECK(Listed(file, "title = '10' and json_extract(title, '$') = 10") == ten);
    CHECK(Listed(file, "not (title <> '10') and json_extract(title, '$') > 9") == ten);
    CHECK(Listed(file, "(title = '10' or title = '-5') and json_extract(title, '$') > 9") == ten);
    CHECK(Listed(file, "title is null or title <> '10' or json_extract(title, '$') = 11") ==
          file->Truth("title is null or title <> '10'"));
    CHECK(Listed(file, "year > 0 and abs(year) = 2020") == file->Truth("year = 2020"));
    CHECK(Listed(file, "year <= 0 or abs(year) = 2020") == file->Truth("year <= 0 or year = 2020"));
    CHECK(Listed(file, "not (year <= 0 or abs(year) = 2020)") ==
          file->Truth("year > 0 and year <> 2020"));
    // A few of many, by their rows; two conditions for SQLite, of which one guards the other.
    CHECK(Listed(file, "id in (1, 2, 8, 9) and lower(lang) = 'en'") ==
          file->Truth("id in (1, 2, 8, 9) and lower(lang) = 'en'"));
    CHECK(Listed(file, "year > 0 and lower(lang) = 'en' and abs(year) > 2019") ==
          file->Truth("year > 2019 and lower(lang) = 'en'"));
    quern_query* query = file->Query("id between ?2 and 40 and lower(lang) = ?1");
    quern_query_bind_text(query, 1, "en");
    quern_query_bind_int(query, 2, 20);
    uint64_t count = 0;
    file->Ok(quern_query_count(query, &count, &file->err));
    quern_query_free(query);
    CHECK(count == file->Truth("id between 20 and 40 and lower(lang) = 'en'").size());
}

}  // namespace

TEST_CASE("conditions guard others, in the log and in segments", "[filter][guard]") {
    FilteredFile file("_guard");
    file.Put(0, 100, 1);
    CheckGuards(&file);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CheckGuards(&file);
    file.Fill(2000);
    CheckGuards(&file);
    // A mistake is one, even where no record is left to be asked about.
    CHECK(file.Fails("id = -1 and nosuch(year) = 1") == QUERN_ERR_SQL);
    CHECK(file.Fails("id = -1 and lower(nosuch) = 'x'") == QUERN_ERR_UNKNOWN_FIELD);
    CHECK(file.Count("id = -1 and abs(year) = 2020") == 0);
    // Without a guard it is SQLite's mistake, as in a statement.
    CHECK(file.Fails("abs(year) = 2020") == QUERN_ERR_SQL);
    // The function behind it is nobody else's.
    CHECK(file.Fails("quern_wanted(1)") != QUERN_OK);
    quern_result* result = nullptr;
    CHECK(quern_sql(file.db, nullptr, "select quern_wanted(1)", &result, &file.err) ==
          QUERN_ERR_SQL);
}

TEST_CASE("has has one grammar, and knows nulls in lists", "[filter][guard]") {
    FilteredFile file("_has");
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "j", QUERN_JSON, nullptr);
    quern_schema_attr(schema, "tags", QUERN_TAGS, nullptr);
    file.Ok(quern_create(file.db, "lists", schema, &file.err));
    quern_schema_free(schema);
    const auto count = [&](const char* filter, const std::vector<const char*>& list) {
        CAPTURE(filter);
        quern_query* query = quern_query_new(file.db, "lists");
        quern_query_filter(query, filter);
        if (!list.empty()) {
            quern_query_bind_texts(query, 1, list.data(), list.size());
        }
        uint64_t found = 99;
        file.Ok(quern_query_count(query, &found, &file.err));
        quern_query_free(query);
        return found;
    };
    const int64_t keys[] = {1, 2, 3, 4};
    const char* const json[] = {"[null]", "[\"a\",null]", "[\"b\"]", "[]"};
    const size_t offsets[] = {0, 1, 2, 3, 3};
    const char* const tags[] = {"a", "b", "c"};
    for (const bool sealed : {false, true}) {
        quern_batch* batch = quern_batch_new(file.db, "lists", 4);
        quern_batch_key_int(batch, keys);
        quern_batch_text(batch, "j", json, nullptr);
        quern_batch_tags(batch, "tags", offsets, tags, nullptr);
        file.Ok(quern_upsert(batch, nullptr, &file.err));
        quern_batch_free(batch);
        if (sealed) {
            file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        }
        CAPTURE(sealed);
        CHECK(count("j has all ?1", {"b"}) == 1);
        CHECK(count("j has all ?1", {"a", "b"}) == 0);
        CHECK(count("not j has all ?1", {"b"}) == 3);
        CHECK(count("j has any ?1", {"a", "b"}) == 2);
        CHECK(count("j has all ()", {}) == 4);
        CHECK(count("j has any ()", {}) == 0);
        for (const char* none : {"tags has null", "tags has any (null)", "tags has all ('a', null)",
                                 "tags has x'61'", "tags has -1", "tags has any ()"}) {
            CHECK(count(none, {}) == 0);
        }
        CHECK(count("tags has any ('a', null, x'61', +1)", {}) == 1);
        CHECK(count("not tags has any ('zz', null)", {}) == 4);
        CHECK(count("tags has all ()", {}) == 4);
    }
}

TEST_CASE("a filter of few slow steps meets its deadline", "[filter][guard]") {
    FilteredFile file("_slow");
    file.Fill(100);
    quern_query* query = file.Query("randomblob(4000000) is null");
    quern_query_options(query, "filter_ms=20");
    uint64_t count = 0;
    CHECK(quern_query_count(query, &count, &file.err) == QUERN_ERR_LIMIT);
    CHECK(file.Says("filter_ms=20"));
    quern_query_free(query);
    // No single step takes long.
    CHECK(file.Fails("randomblob(1000000000) is null") == QUERN_ERR_LIMIT);
}

TEST_CASE("one long call of a function meets its deadline, too", "[filter][guard]") {
    FilteredFile file("_long");
    file.Fill(20);
    // Hours, where a call is not watched.
    for (const char* const filter :
         {"instr(replace(hex(zeroblob(4000000)), '0', 'a'), replace(hex(zeroblob(2000000)), '0', "
          "'a') || 'b') > 0",
          "hex(zeroblob(4000000)) like '%' || substr(hex(zeroblob(20000)), 2) || '1%'",
          "trim(hex(zeroblob(8000000)), '0') = 'a'",
          "replace(hex(zeroblob(8000000)), '0', 'a') = 'a'"}) {
        CAPTURE(filter);
        quern_query* query = file.Query(filter);
        quern_query_options(query, "filter_ms=30");
        uint64_t count = 0;
        CHECK(quern_query_count(query, &count, &file.err) == QUERN_ERR_LIMIT);
        CHECK(file.Says("filter_ms=30"));
        quern_query_free(query);
    }
    CHECK(file.Fails("printf('%.*c', 1000000000, 'x') = 'a'") == QUERN_ERR_LIMIT);
    CHECK(file.Fails("zeroblob(20000000) is null") == QUERN_ERR_LIMIT);
    // What is given is read, however long it is.
    quern_query* query = file.Query("length(?1) = 20000000 and id > 0");
    const std::string given(20000000, 'x');
    quern_query_bind_text(query, 1, given.c_str());
    uint64_t count = 0;
    file.Ok(quern_query_count(query, &count, &file.err));
    CHECK(count > 0);
    quern_query_free(query);
}

TEST_CASE("functions that write, or tell addresses, are not called", "[filter][guard]") {
    FilteredFile file("_pointers");
    file.Fill(20);
    for (const char* const filter :
         {"fts3_tokenizer('simple') is not null",
          "fts3_tokenizer('simple', x'4141414141410000') is not null", "fts5(1) is null",
          "load_extension('x') is null", "rtreecheck('a', 'b') is null",
          "id in (select fts3_tokenizer('porter'))"}) {
        CAPTURE(filter);
        CHECK(file.Fails(filter) == QUERN_ERR_SQL);
        CHECK(file.Says("not authorized"));
    }
    // Nor by a bound value, nor in SQL.
    quern_query* query = file.Query("fts3_tokenizer(?1, ?2) is not null");
    quern_query_bind_text(query, 1, "simple");
    quern_query_bind_blob(query, 2, "AAAAAAAA", 8);
    uint64_t count = 0;
    CHECK(quern_query_count(query, &count, &file.err) == QUERN_ERR_SQL);
    quern_query_free(query);
    quern_result* result = nullptr;
    CHECK(quern_sql(file.db, nullptr, "select hex(fts3_tokenizer('simple'))", &result, &file.err) ==
          QUERN_ERR_SQL);
}
