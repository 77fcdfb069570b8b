// Filters by the C API: what they mean, what is refused and where, counting, deleting.
#include <algorithm>
#include <map>

#include "tests/unit/filtered_file.h"

using filtered::FilteredFile;

namespace {

std::set<int64_t> Both(const std::set<int64_t>& a, const std::set<int64_t>& b) {
    std::set<int64_t> both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
    return both;
}

std::string Times(const std::string& piece, size_t times) {
    std::string text;
    for (size_t i = 0; i < times; i++) {
        text += piece;
    }
    return text;
}

}  // namespace

TEST_CASE("a filter finds what SQLite finds, in segments and in the log", "[filter]") {
    FilteredFile file("same");
    file.Fill(800);
    const std::set<int64_t> all = file.Found(file.Query("1"));
    REQUIRE(all.size() > 400);
    for (const char* filter : {"year = 2020",
                               "year between 0 and 2020 and lang in ('en','de')",
                               "title like 'QUANT%'",
                               "title glob '*[ae]*' or year is null",
                               "not (year > 10)",
                               "price = year",
                               "id % 7 = 3",
                               "length(title) > 4",
                               "title = 10",
                               "year = '2020'",
                               "lang = 'en' collate nocase",
                               "raw = x'3130'",
                               "year + 0.0 < price -- cheap",
                               "id in (select id + 1 from docs)",
                               "exists (select 1 from json_each(tags) where value = 'poetry')",
                               "0",
                               "null",
                               "docs.year > 0 /* qualified */ and \"lang\" != [title]",
                               "good",
                               "not good",
                               "case when good then year else price end > 0",
                               "cast(title as integer) = 10"}) {
        CAPTURE(filter);
        const std::set<int64_t> truth = file.Truth(std::string(filter) + "\n");
        CHECK(file.Count(filter) == truth.size());
        CHECK(file.Found(file.Query(filter)) == Both(truth, all));
        CHECK(file.Found(file.Query(filter), "recall=exact threads=1") == Both(truth, all));
    }
}

TEST_CASE("parameters of filters, single values and lists", "[filter]") {
    FilteredFile file("bind");
    file.Fill(400);
    const std::set<int64_t> all = file.Found(file.Query("1"));
    quern_query* query = file.Query("year >= ?1 and lang = :lang or price = ?");
    CHECK(quern_query_parameter(query, ":lang") == 2);
    CHECK(quern_query_parameter(query, ":none") == 0);
    CHECK(quern_query_parameter(query, nullptr) == 0);
    quern_query_bind_int(query, 1, 2019);
    quern_query_bind_text(query, 2, "en");
    quern_query_bind_real(query, 3, 10.5);
    CHECK(file.Found(query) == Both(all, file.Truth("year >= 2019 and lang='en' or price=10.5")));

    const int64_t years[] = {2020, 10, 77};
    query = file.Query("year in ?1");
    quern_query_bind_ints(query, 1, years, 3);
    CHECK(file.Found(query) == Both(all, file.Truth("year in (2020, 10)")));
    query = file.Query("year not in ?1");
    quern_query_bind_ints(query, 1, years, 0);
    CHECK(file.Found(query) == all);
    const char* const titles[] = {"quantum", "a \"quote\" \\ \x01", "leap_year"};
    query = file.Query("title in @list and not good");
    quern_query_bind_texts(query, 1, titles, 3);
    CHECK(file.Found(query) ==
          Both(all, file.Truth("title in ('quantum','leap_year') and not good")));
    query = file.Query("raw = ? or title = ?3 or price is ?2");
    quern_query_bind_blob(query, 1, "10", 2);
    quern_query_bind_null(query, 2);
    quern_query_bind_text(query, 3, nullptr);
    CHECK(file.Found(query) == Both(all, file.Truth("raw = x'3130' or price is null")));
}

TEST_CASE("has, has any and has all look into tags", "[filter]") {
    FilteredFile file("has");
    file.Fill(400);
    const std::set<int64_t> all = file.Found(file.Query("1"));
    const std::string poetry = "tags like '%\"poetry\"%'";
    const std::string maths = "tags like '%\"maths\"%'";
    CHECK(file.Found(file.Query("tags has 'poetry'")) == Both(all, file.Truth(poetry)));
    CHECK(file.Found(file.Query("not tags has 'poetry'")) ==
          Both(all, file.Truth("not " + poetry)));
    CHECK(file.Found(file.Query("docs.tags has any ('poetry', 'maths', 'x') and year > 0")) ==
          Both(all, file.Truth("(" + poetry + " or " + maths + ") and year > 0")));
    CHECK(file.Found(file.Query("tags has all ('poetry', 'maths')")) ==
          Both(all, file.Truth(poetry + " and " + maths)));
    const char* const list[] = {"poetry", "maths"};
    quern_query* query = file.Query("tags has all ?1 or tags has ?2");
    quern_query_bind_texts(query, 1, list, 2);
    quern_query_bind_text(query, 2, "physics");
    CHECK(file.Found(query) ==
          Both(all, file.Truth(poetry + " and " + maths + " or tags like '%physics%'")));
    query = file.Query("tags has any $list");
    quern_query_bind_texts(query, 1, list, 2);
    CHECK(file.Found(query) == Both(all, file.Truth(poetry + " or " + maths)));
    query = file.Query("good and tags has ?1");
    quern_query_bind_texts(query, 1, list, 2);
    uint64_t count = 0;
    CHECK(quern_query_count(query, &count, &file.err) == QUERN_ERR_TYPE);
    CHECK(file.Says("byte 18: a list is bound to ?1: has any ?1, or has all ?1"));
    quern_query_free(query);
    CHECK(file.Fails("title has 'x'") == QUERN_ERR_TYPE);
    CHECK(file.Says("byte 0: has is for tags"));
    CHECK(file.Fails("tags has") == QUERN_ERR_SQL);
    CHECK(file.Fails("tags has any 'x'") == QUERN_ERR_SQL);
    CHECK(file.Fails("tags has any ('x' 'y')") == QUERN_ERR_SQL);
    CHECK(file.Fails("nothing has 'x'") == QUERN_ERR_UNKNOWN_FIELD);
}

TEST_CASE("a single value where a list is wanted is told so", "[filter]") {
    FilteredFile file("single");
    quern_query* query = file.Query("good or year not in ?1");
    quern_query_bind_int(query, 1, 2020);
    uint64_t count = 0;
    CHECK(quern_query_count(query, &count, &file.err) == QUERN_ERR_TYPE);
    CHECK(file.Says("byte 20: behind in stands a list: bind one to ?1"));
    quern_query_free(query);
}

TEST_CASE("what has says is a value where it stands in brackets", "[filter]") {
    FilteredFile file("_bound");
    file.Fill(200);
    CHECK(file.Count("(tags has 'physics') + (tags has 'maths') = 2") ==
          file.Count("tags has 'physics' and tags has 'maths'"));
    CHECK(file.Count("tags has 'physics' = 0") == file.Count("not tags has 'physics'"));
    CHECK(file.Count("tags has 'physics' is null") == file.Count("tags is null"));
    CHECK(file.Count("case when tags has 'physics' then 1 else 0 end") ==
          file.Count("tags has 'physics'"));
}

TEST_CASE("mistakes in filters are told with their places", "[filter]") {
    FilteredFile file("wrong");
    file.Fill(40);
    const struct {
        std::string filter;
        int32_t status;
        const char* says;
    } wrong[] = {
        {"", QUERN_ERR_SQL, "byte 0"},
        {"  -- nothing", QUERN_ERR_SQL, "byte 0"},
        {"year >", QUERN_ERR_SQL, "byte 6"},
        {"good and tags not has 'x'", QUERN_ERR_SQL,
         "byte 14: not stands before the name: not tags"},
        {"tags has any 'x'", QUERN_ERR_SQL, "byte 13: a list in brackets is needed here, or"},
        {"tags has 'a' || 'b'", QUERN_ERR_SQL, "byte 13: has stands between a name and a value"},
        {"tags has 'a' collate nocase", QUERN_ERR_SQL, "byte 13: has stands"},
        {"good or tags has any ('a', 'b') || 'c'", QUERN_ERR_SQL, "byte 32: has stands"},
        {"good and 1 + tags has 'a'", QUERN_ERR_SQL, "byte 11: has stands"},
        {"not tags has 1 - 1 and good", QUERN_ERR_SQL, "byte 15: has stands"},
        {"json_extract(title, '$') = 1", QUERN_ERR_SQL, "byte 0: malformed JSON"},
        {"good and max(1, 2, 3, 4" + Times(", 5", 1000) + ")", QUERN_ERR_SQL,
         "byte 9: too many arguments"},
        {"good and id in (select 1 order by 1" + Times(", 1", 3000) + ")", QUERN_ERR_SQL,
         "byte 25: too many terms in ORDER BY"},
        {"good and id in (select id from docs group by id" + Times(", id", 3000) + ")",
         QUERN_ERR_SQL, "byte 36: too many terms in GROUP BY"},
        {"good and id in (select 1" + Times(" union select 2", 600) + ")", QUERN_ERR_SQL,
         "byte 25: too many terms in compound"},
        {"good and exists (select 1" + Times(", 1", 3000) + ")", QUERN_ERR_SQL,
         "byte 17: too many columns"},
        {"good and (id" + Times(", id", 100000) + ") = (1" + Times(", 1", 100000) + ")",
         QUERN_ERR_LIMIT, "byte 9: more than 16384 values in brackets"},
        {"id >= 0 and json_extract(title, '$') = 1", QUERN_ERR_SQL, "byte 12: malformed JSON"},
        {"id >= 0 and abs(-9223372036854775807 - 1) = 1", QUERN_ERR_SQL, "byte 12: integer over"},
        // Where SQLite says what is wrong, and not where.
        {"'nope' = title and id in nope", QUERN_ERR_SQL, "byte 25: no such table: nope"},
        {"id in (select 1 from xnope, nope)", QUERN_ERR_SQL, "byte 21: no such table: xnope"},
        {"good and title collate nope = 'a'", QUERN_ERR_SQL, "byte 23: no such collation"},
        {"good and title match 'a'", QUERN_ERR_SQL, "byte 15: unable to use function MATCH"},
        {"good and id in (select id, year from docs)", QUERN_ERR_SQL, "byte 16: sub-select"},
        {"good and title like 'a' escape 'ab'", QUERN_ERR_SQL, "byte 24: ESCAPE"},
        {"good and raise(abort, 'x')", QUERN_ERR_SQL, "byte 9: RAISE()"},
        {"id >= 0 and (1, 2) = id", QUERN_ERR_SQL, "byte 12: row value misused"},
        {"1 in (select 1 from pragma_table_info('docs'))", QUERN_ERR_SQL,
         "not authorized: changes of the schema, and virtual tables but json_each"},
        // The bracket behind a condition is none of the user's.
        {"year =", QUERN_ERR_SQL, "byte 6: it ends where more is expected"},
        {"id = 1 or ", QUERN_ERR_SQL, "it ends where more is expected"},
        {"not", QUERN_ERR_SQL, "byte 3: it ends where more is expected"},
        {"year between 1", QUERN_ERR_SQL, "byte 14: it ends where more is expected"},
        {"(year =) or 1", QUERN_ERR_SQL, "byte 7: near \")\": syntax error"},
        {"year > 3)", QUERN_ERR_SQL, "byte 8: this bracket closes nothing"},
        {"(year > 3", QUERN_ERR_SQL, "byte 0: this bracket is not closed"},
        {"1) or (1", QUERN_ERR_SQL, "byte 1"},
        {"1) union select _hash from docs --", QUERN_ERR_SQL, "byte 1"},
        {"year = 'x", QUERN_ERR_SQL, "byte 7: this text does not end"},
        {"year = 1 /* x", QUERN_ERR_SQL, "byte 9: this comment does not end"},
        {"year = 1; delete from docs", QUERN_ERR_SQL, "byte 8"},
        {"year = 12abc", QUERN_ERR_SQL, "byte 7"},
        {"raw = x'123'", QUERN_ERR_SQL, "byte 6"},
        {"raw = x'1g'", QUERN_ERR_SQL, "byte 6"},
        {"lang and yaer = 3", QUERN_ERR_UNKNOWN_FIELD, "byte 9: no such column: yaer"},
        {"\"no such\" = 3", QUERN_ERR_UNKNOWN_FIELD, "byte 0"},
        {"_rid = 3", QUERN_ERR_UNKNOWN_FIELD, "byte 0"},
        {"1 and rowid = 3", QUERN_ERR_UNKNOWN_FIELD, "byte 6"},
        {"docs.'_rid' = 3", QUERN_ERR_UNKNOWN_FIELD, "byte 5"},
        {"id in (select id from quern_chunk)", QUERN_ERR_UNKNOWN_FIELD, "byte 22"},
        {"id in (select id from main.docs)", QUERN_ERR_SQL, "byte 22"},
        {"id in (with q as (select * from 'sqlite_master') select 1 from q)", QUERN_ERR_SQL, ""},
        {"id in (with docs as (select * from 'quern_part') select 1 from docs)", QUERN_ERR_SQL, ""},
        {"load_extension('x')", QUERN_ERR_SQL, ""},
        {"year = (delete from docs)", QUERN_ERR_SQL, "byte 8"},
        {"year = ?", QUERN_ERR_INVALID, "byte 7: parameter ? has no value"},
        {"year = ?0", QUERN_ERR_SQL, "byte 7"},
        {"year = ?99999999999999999999", QUERN_ERR_SQL, "byte 7"},
        {"year = $a(')') or 1", QUERN_ERR_SQL, "byte 7"},
        {"year = :", QUERN_ERR_SQL, "byte 7"},
        {"nosuch(year)", QUERN_ERR_SQL, "byte 0: no such function"},
        {"year = #1", QUERN_ERR_SQL, "byte 7"},
        {"title = '\xff'", QUERN_ERR_MALFORMED, ""},
        {"count(*) > 1", QUERN_ERR_SQL, ""},
    };
    for (const auto& one : wrong) {
        CAPTURE(one.filter);
        CHECK(file.Fails(one.filter) == one.status);
        INFO(file.err.message);
        CHECK(file.Says(one.says));
    }
    quern_query* query = file.Query("year = ?1");
    const int64_t list[] = {1, 2};
    quern_query_bind_ints(query, 1, list, 2);
    uint64_t count = 0;
    CHECK(quern_query_count(query, &count, &file.err) == QUERN_ERR_TYPE);
    quern_query_free(query);
    query = file.Query("year = ?1");
    quern_query_bind_int(query, 2, 1);
    CHECK(quern_query_count(query, &count, &file.err) == QUERN_ERR_INVALID);
    quern_query_free(query);
    const double infinite = HUGE_VAL;
    query = file.Query("price < ?1");
    quern_query_bind_real(query, 1, infinite);
    CHECK(quern_query_count(query, &count, &file.err) == QUERN_OK);
    quern_query_free(query);
    // Nothing of all this has changed anything.
    CHECK(file.Count("1") == file.Truth("1").size());
}

TEST_CASE("deep, long and slow filters end", "[filter]") {
    FilteredFile file("deep");
    file.Fill(200);
    CHECK(file.Fails(std::string(100000, '(') + "1" + std::string(100000, ')')) == QUERN_ERR_LIMIT);
    CHECK(file.Fails(std::string(50, '(') + "1" + std::string(50, ')')) == QUERN_OK);
    std::string nots;
    for (int i = 0; i < 100000; i++) {
        nots += "not ";
    }
    // Where no byte is worse than another none is told.
    CHECK(file.Fails(nots + "1") == QUERN_ERR_SQL);
    CHECK(file.Says("filter: parser stack overflow"));
    if (file.Fails("1 = 1" + Times(" + 1", 2000)) != QUERN_OK) {
        CHECK(file.Says("filter: Expression tree is too large"));
    }
    // Of too many brackets it is that of the innermost.
    if (file.Fails("good or " + Times("1+(", 60) + "1" + Times(")", 60)) != QUERN_OK) {
        CHECK(file.Says("filter, byte 187: parser stack overflow"));
    }
    CHECK(file.Fails("(id" + Times(", id", 1200) + ") = (1" + Times(", 1", 1200) + ")") ==
          QUERN_OK);
    // Nothing stops SQLite while it reads, and it compares each constant with all before.
    std::vector<std::string> pieces;
    for (int i = 0; i < 1 << 16; i++) {
        pieces.push_back("abs(year-" + std::to_string(i) + ")=0");
    }
    for (; pieces.size() > 1; pieces.resize(pieces.size() / 2)) {
        for (size_t i = 0; i < pieces.size() / 2; i++) {
            pieces[i] = "(" + pieces[2 * i] + " or " + pieces[2 * i + 1] + ")";
        }
    }
    CHECK(file.Fails(pieces[0]) == QUERN_ERR_LIMIT);
    CHECK(file.Says("150000 words and signs"));
    std::string ors = "year = 0";
    for (int i = 0; i < 100000; i++) {
        ors += " or year = " + std::to_string(i);
    }
    CHECK(file.Fails(ors) != QUERN_ERR_INTERNAL);
    std::string list = "year in (0";
    for (int i = 1; i < 200000; i++) {
        list.append(",").append(std::to_string(i));
    }
    CHECK(file.Count(list + ")") == file.Truth("year between 0 and 199999").size());
    CHECK(file.Count(list.insert(4, "+0") + ")") == file.Truth("year between 0 and 199999").size());
    std::vector<int64_t> numbers(1000000);
    for (size_t i = 0; i < numbers.size(); i++) {
        numbers[i] = static_cast<int64_t>(i) * 2;
    }
    quern_query* query = file.Query("year in ?");
    quern_query_bind_ints(query, 1, numbers.data(), numbers.size());
    uint64_t count = 0;
    file.Ok(quern_query_count(query, &count, &file.err));
    quern_query_free(query);
    CHECK(count == file.Truth("year between 0 and 1999999 and year % 2 = 0").size());
    query = file.Query(
        "id in (with recursive n(i) as (select 1 union all select i + 1 from n) select i from n)");
    quern_query_options(query, "filter_ms=50");
    CHECK(quern_query_count(query, &count, &file.err) == QUERN_ERR_LIMIT);
    CHECK(file.Says("filter_ms=50"));
    quern_query_free(query);
}

TEST_CASE("more conditions in a row than SQLite is deep mean the same, sealed and in the log",
          "[filter]") {
    FilteredFile file("rows");
    file.Fill(200);
    const auto row = [](const char* word, const char* piece, const char* last, int count) {
        std::string text(last);
        for (int i = 0; i < count; i++) {
            text = text.append(" ").append(word).append(" ").append(piece).append(
                std::to_string(i * 5));
        }
        return text;
    };
    const std::string ors = row("or", "year = ", "year = 2019", 1500);
    const std::string ands = row("and", "year <> ", "year is not null", 1500);
    std::string all = "tags has all ('physics'";
    for (int i = 0; i < 1500; i++) {
        all += ", 'physics'";
    }
    all += ")";
    const auto count_of = [&](const std::string& filter) { return file.Truth(filter).size(); };
    const size_t some = count_of("year = 2019 or year between 0 and 7495 and year % 5 = 0");
    const size_t others = count_of("not (year between 0 and 7495 and year % 5 = 0)");
    REQUIRE(some > 0);
    REQUIRE(others > 0);
    CHECK(file.Count(ors) == some);
    CHECK(file.Count(ands) == others);
    CHECK(file.Count("not (" + ors + ")") == count_of("year is not null") - some);
    CHECK(file.Count("(" + ors + ") and (" + ands + ")") == count_of("year = 2019"));
    // Pieces of more than a word, in brackets and not.
    CHECK(file.Count(row("or",
                         "not year between 5 and 4 and (year = 2019 or price > 1e9) and id = -7",
                         "year = 2019", 1100)) == count_of("year = 2019"));
    CHECK(file.Count(all) == file.Count("tags has 'physics'"));
    CHECK(file.Count("not " + all) == file.Count("not tags has 'physics'"));
    // What SQLite has to answer for sealed records as well.
    CHECK(file.Count("year + 0 = 2019 or " + ors) ==
          count_of("year + 0 = 2019") + some - count_of("year = 2019"));
    // A mistake is told where it stands.
    const std::string wrong = ors + " or nowhere = 1";
    CHECK(file.Fails(wrong) == QUERN_ERR_UNKNOWN_FIELD);
    CHECK(file.Says(("filter, byte " + std::to_string(wrong.find("nowhere"))).c_str()));
}

TEST_CASE("deleting by a filter, with what a transaction has written", "[filter]") {
    FilteredFile file("delete");
    file.Fill(400);
    const size_t before = file.Truth("1").size();
    const size_t matching = file.Truth("year = 2020").size();
    REQUIRE(matching > 3);
    quern_txn* txn = nullptr;
    file.Ok(quern_begin(file.db, &txn, &file.err));
    const int64_t key = 999999;
    const int64_t year = 2020;
    quern_batch* batch = quern_batch_new(file.db, "docs", 1);
    quern_batch_key_int(batch, &key);
    quern_batch_int(batch, "year", &year, nullptr);
    file.Ok(quern_insert(batch, txn, &file.err));
    quern_batch_free(batch);
    quern_query* query = file.Query("year = 2020");
    uint64_t deleted = 0;
    file.Ok(quern_query_delete(query, txn, &deleted, &file.err));
    CHECK(deleted == matching + 1);
    file.Ok(quern_query_delete(query, txn, &deleted, &file.err));
    CHECK(deleted == 0);
    quern_rollback(txn);
    CHECK(file.Truth("1").size() == before);
    file.Ok(quern_query_delete(query, nullptr, &deleted, &file.err));
    CHECK(deleted == matching);
    quern_query_free(query);
    CHECK(file.Truth("year = 2020").empty());
    CHECK(file.Truth("1").size() == before - matching);
    query = quern_query_new(file.db, "docs");
    CHECK(quern_query_delete(query, nullptr, &deleted, &file.err) == QUERN_ERR_INVALID);
    quern_query_free(query);
    quern_text* report = nullptr;
    file.Ok(quern_verify(file.db, &report, &file.err));
    quern_text_free(report);
}

TEST_CASE("a filter holds for sparse fields, stored queries and snapshots", "[filter]") {
    FilteredFile file("legs");
    file.Fill(400);
    const size_t offsets[] = {0, 2};
    const uint32_t dims[] = {1, 2};
    const float weights[] = {1, 1};
    std::set<int64_t> with_terms;
    for (const char* filter : {"1", "lang = 'en'", "year = 2020 and good", "0"}) {
        CAPTURE(filter);
        quern_query* query = file.Query(filter);
        quern_query_sparse(query, "terms", offsets, dims, weights, 1);
        quern_query_limit(query, 100000);
        const std::set<int64_t> found = file.KeysOf(query);
        with_terms = with_terms.empty() ? found : with_terms;
        CHECK(found == Both(with_terms, file.Truth(filter)));
    }
    quern_snapshot* snapshot = nullptr;
    file.Ok(quern_snapshot_new(file.db, &snapshot, &file.err));
    const std::set<int64_t> before = file.Found(file.Query("lang = 'en'"));
    file.Put(5000, 50, 9);
    quern_query* query = file.Query("lang = 'en'");
    quern_query_snapshot(query, snapshot);
    CHECK(file.Found(query) == before);
    CHECK(file.Found(file.Query("lang = 'en'")).size() > before.size());
    quern_snapshot_free(snapshot);
    // The record that is asked for need not match.
    const std::set<int64_t> all = file.Found(file.Query("1"));
    const int64_t key = *all.begin();
    query = file.Query("id != " + std::to_string(key) + " and year = 2020");
    quern_query_key_int(query, "emb", &key, 1);
    quern_query_limit(query, 100000);
    std::set<int64_t> wanted = Both(all, file.Truth("year = 2020"));
    wanted.erase(key);
    CHECK(file.KeysOf(query) == wanted);
}

TEST_CASE("a filter leaves the scores of a text field as they are", "[filter]") {
    FilteredFile file("text");
    quern_schema* schema = quern_schema_new();
    quern_schema_text(schema, "body", nullptr);
    quern_schema_attr(schema, "n", QUERN_INT, nullptr);
    file.Ok(quern_create(file.db, "texts", schema, &file.err));
    quern_schema_free(schema);
    for (int64_t key = 0; key < 60; key++) {
        const char* const body = key % 3 == 0 ? "red green" : (key % 5 == 0 ? "red" : "blue");
        const int64_t n = key % 4;
        quern_batch* batch = quern_batch_new(file.db, "texts", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_int(batch, "n", &n, nullptr);
        quern_batch_text(batch, "body", &body, nullptr);
        file.Ok(quern_upsert(batch, nullptr, &file.err));
        quern_batch_free(batch);
        if (key == 40) {
            file.Ok(quern_optimize(file.db, "texts", 0, &file.err));
        }
    }
    const auto search = [&](const char* filter) {
        const char* const text = "red";
        quern_query* query = quern_query_new(file.db, "texts");
        quern_query_text(query, "body", &text, 1);
        quern_query_filter(query, filter);
        quern_query_limit(query, 100);
        quern_result* result = nullptr;
        file.Ok(quern_search(query, &result, &file.err));
        std::map<int64_t, float> scores;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            scores[quern_result_key_int(result, row)] = quern_result_score(result, row);
        }
        quern_result_free(result);
        quern_query_free(query);
        return scores;
    };
    std::map<int64_t, float> wanted = search(nullptr);
    CHECK(wanted.size() == 28);
    std::erase_if(wanted, [](const auto& entry) { return entry.first % 4 != 2; });
    CHECK(search("n = 2") == wanted);
    CHECK(search("n > 7").empty());
}

TEST_CASE("common table expressions of a statement see no more than the statement", "[filter]") {
    FilteredFile file("cte");
    file.Fill(40);
    quern_result* result = nullptr;
    for (const char* sql : {"WITH q AS (SELECT * FROM main.quern_state) SELECT * FROM q",
                            "WITH q AS (SELECT id FROM quern_chunk) SELECT * FROM q",
                            "WITH q AS (SELECT _hash FROM main.docs) SELECT * FROM q",
                            "WITH docs AS (SELECT * FROM quern_part) SELECT * FROM docs"}) {
        CAPTURE(sql);
        CHECK(quern_sql(file.db, nullptr, sql, &result, &file.err) == QUERN_ERR_SQL);
    }
    file.Ok(quern_sql(file.db, nullptr, "WITH q AS (SELECT id FROM docs) SELECT count(*) FROM q",
                      &result, &file.err));
    CHECK(quern_result_int(result, 0, 0) == 26);
    quern_result_free(result);
}
