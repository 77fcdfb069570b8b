// Where in a statement the mistake is that a message of SQLite's tells of.
#include "storage/sql_place.h"

#include <catch2/catch.hpp>
#include <string>

using quern::storage::FindWord;
using quern::storage::PlaceOfMessage;

namespace {

constexpr size_t kNowhere = std::string::npos;

size_t Word(const char* sql, const char* word) {
    return FindWord(sql, word).value_or(kNowhere);
}
size_t Place(const std::string& sql, const char* message) {
    return PlaceOfMessage(sql, message).value_or(kNowhere);
}

}  // namespace

TEST_CASE("a word is found whole, in any letters, and not within a text") {
    CHECK(Word("year > 1", "YEAR") == 0);
    CHECK(Word("years > year", "year") == 8);
    CHECK(Word("a_year + $year + year2 + \xc3\xa4year + year\xc3\xa4 + year", "year") == 43);
    CHECK(Word("'year' = year", "year") == 9);
    CHECK(Word("x+(", "(") == 2);
    CHECK(Word("'year'", "year") == kNowhere);
    CHECK(Word("ye", "year") == kNowhere);
    CHECK(Word("year", "") == kNowhere);
}

TEST_CASE("the place of a mistake is that of the name in its message") {
    CHECK(Place("a = 1 and yaer = 2", "no such column: yaer") == 10);
    CHECK(Place("a = 1 and t.yaer = 2", "no such column: t.yaer") == 12);
    CHECK(Place("a + foo(1)", "no such function: foo") == 4);
    CHECK(Place("a == = 1", "near \"=\": syntax error") == 2);
    // A quote without its other, and a name that is not there: where the statement begins.
    CHECK(Place("  a = 1", "near \"a") == 2);
    CHECK(Place("  a = 1", "something else") == 2);
    CHECK(Place(" \t\n", "something else") == 0);
    CHECK(Place("", "something else") == 0);
}

TEST_CASE("a mistake in a query of full text is at the only MATCH that there is") {
    const char* const message = "fts5: syntax error near \"\"";
    CHECK(Place("a = 1 and t match '\"'", message) == 12);
    CHECK(Place(" t match 'a' or t match '\"'", message) == 1);
    CHECK(Place(" t = 1", message) == 1);
    CHECK(Place("a = 1 and t match 'b:c'", "no such column: b") == 12);
}

TEST_CASE("messages without a name are about a word") {
    CHECK(Place("a = 1 and b like 'x' escape 'yy'",
                "ESCAPE expression must be a single character") == 21);
    CHECK(Place("a in (select 1, 2)", "sub-select returns 2 columns - expected 1") == 6);
    CHECK(Place("a in (values(1, 2))", "sub-select returns 2 columns - expected 1") == 0);
    CHECK(Place("select 1 except select 1, 2", "too many terms in compound SELECT") == 9);
}

TEST_CASE("what is nested too deep is told at its deepest bracket") {
    const std::string open(20, '(');
    const std::string close(20, ')');
    const char* const message = "parser stack overflow";
    CHECK(Place("a + " + open + "1" + close, message) == 23);
    CHECK(Place("a + " + open + "1" + close, "Expression tree is too large (maximum depth 9)") ==
          23);
    // Not those within names and texts; nor where there are few.
    const std::string quoted =
        "'" + open + "' + \"" + open + "\" + `" + open + "` + [" + open + "]";
    CHECK(Place(quoted + " + ))" + open, message) == quoted.size() + 24);
    CHECK(Place(quoted, message) == kNowhere);
    CHECK(Place("((1))", message) == kNowhere);
}
