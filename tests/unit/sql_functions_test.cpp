// Functions of SQLite's that are made anew, beside SQLite's own; and what no statement of a user
// may call.
#include "storage/sql_functions.h"

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using quern::storage::IsReadingFunction;
using quern::storage::ReplaceSlowFunctions;

namespace {

struct Answer {
    int code = 0;
    int type = 0;
    std::string bytes;
    bool operator==(const Answer& other) const {
        return code == other.code && type == other.type && bytes == other.bytes;
    }
};

class Sqlite {
public:
    explicit Sqlite(bool replaced) {
        REQUIRE(sqlite3_open(":memory:", &db_) == SQLITE_OK);
        if (replaced) {
            REQUIRE(ReplaceSlowFunctions(
                db_, [](void* of) { return static_cast<Sqlite*>(of)->Looks(); }, this));
        }
    }
    ~Sqlite() { sqlite3_close(db_); }
    Sqlite(const Sqlite&) = delete;
    Sqlite& operator=(const Sqlite&) = delete;

    Answer Ask(const std::string& sql) {
        sqlite3_stmt* statement = nullptr;
        Answer answer;
        answer.code = sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr);
        if (answer.code == SQLITE_OK) {
            answer.code = sqlite3_step(statement);
        }
        if (answer.code == SQLITE_ROW) {
            answer.type = sqlite3_column_type(statement, 0);
            const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement, 0));
            answer.bytes.assign(data == nullptr ? "" : data,
                                static_cast<size_t>(sqlite3_column_bytes(statement, 0)));
        } else {
            answer.bytes = sqlite3_errmsg(db_);
        }
        sqlite3_finalize(statement);
        return answer;
    }
    sqlite3* db() { return db_; }
    int looks = 0;
    int looks_max = 1 << 30;

private:
    bool Looks() { return ++looks > looks_max; }
    sqlite3* db_ = nullptr;
};

class Values {
public:
    explicit Values(uint64_t seed) : random_(seed) {}
    size_t Pick(size_t n) { return random_() % n; }
    // A literal: mostly a text of few different characters.
    std::string Value(bool pattern) {
        switch (Pick(24)) {
            case 0: return "NULL";
            case 1: return std::to_string(static_cast<int>(Pick(300)) - 100);
            case 2: return std::to_string(Pick(100)) + ".5";
            case 3: return "x'" + Hex(Bytes(false, false)) + "'";
            // Bytes that are no UTF-8, a zero among them now and then.
            case 4: return pattern ? "''" : "cast(x'" + Hex(Bytes(false, true)) + "' as text)";
            default: return "cast(x'" + Hex(Bytes(pattern, false)) + "' as text)";
        }
    }

private:
    std::string Bytes(bool pattern, bool wild) {
        static const char* const kPieces[] = {"a",
                                              "b",
                                              "A",
                                              "B",
                                              "aa",
                                              "ab",
                                              " ",
                                              "\xc3\xa9",
                                              "\xe2\x82\xac",
                                              "\xf0\x9f\x98\x80",
                                              "k",
                                              "\xe2\x84\xaa"};
        static const char* const kWild[] = {"\x80", "\xc3", "\xff", "\xc3\xa9\xa9", "\xed\xa0\x80"};
        static const char* const kPattern[] = {"%",   "_",    "*",     "?",
                                               "[a]", "[^a]", "[a-b]", "[]]",
                                               "[",   "-",    "!",     "[\xc3\xa9-\xe2\x82\xac]",
                                               "%%",  "^",    "]"};
        std::string bytes;
        for (size_t i = Pick(9); i > 0; i--) {
            bytes += pattern && Pick(2) == 0 ? kPattern[Pick(std::size(kPattern))]
                     : wild && Pick(2) == 0  ? kWild[Pick(std::size(kWild))]
                                             : kPieces[Pick(std::size(kPieces))];
        }
        if (wild && Pick(4) == 0) {
            bytes += std::string(1, '\0') + "a";
        }
        return bytes;
    }
    static std::string Hex(const std::string& bytes) {
        static const char kDigits[] = "0123456789abcdef";
        std::string hex;
        for (const char c : bytes) {
            hex += kDigits[static_cast<uint8_t>(c) / 16];
            hex += kDigits[static_cast<uint8_t>(c) % 16];
        }
        return hex;
    }
    std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("functions that are made anew say what SQLite's own say", "[sql]") {
    Sqlite own(false);
    Sqlite anew(true);
    Values values(7);
    size_t rows = 0;
    for (int round = 0; round < 40000; round++) {
        const std::string a = values.Value(false);
        const std::string b = values.Value(round % 10 > 5);
        const std::string c = values.Value(false);
        std::string sql = "SELECT ";
        switch (round % 10) {
            case 0: sql += "instr(" + a + "," + b + ")"; break;
            case 1: sql += "replace(" + a + "," + b + "," + c + ")"; break;
            case 2: sql += "trim(" + a + "," + b + ")"; break;
            case 3: sql += "ltrim(" + a + "," + b + ") || '|' || ltrim(" + a + ")"; break;
            case 4: sql += "rtrim(" + a + "," + b + ")"; break;
            case 5: sql += "trim(" + a + ") || '|' || rtrim(" + a + ")"; break;
            case 6: sql += a + " LIKE " + b; break;
            case 7: sql += a + " LIKE " + b + " ESCAPE " + (values.Pick(9) == 0 ? c : "'!'"); break;
            case 8: sql += a + " GLOB " + b; break;
            default: sql += a + " LIKE " + b + " ESCAPE '%'"; break;
        }
        CAPTURE(sql);
        const Answer want = own.Ask(sql);
        REQUIRE(anew.Ask(sql) == want);
        rows += want.code == SQLITE_ROW && want.type != SQLITE_NULL ? 1 : 0;
    }
    CHECK(rows > 30000);
    for (const char* const sql :
         {"printf('%d %5.2f|%-8s|%c%%%*d|%.*s|%!.3c', 7, 2.5, 'ab', 'x', 6, 3, 2, 'abc', 'y')",
          "format('%s %q %Q %w', null, 'it''s', null, 'a\"b')", "printf()", "printf(null)",
          "printf('%5.3c|%.*c', 'ab', 4, 'z')", "printf('%')", "format('%lld %x', 1 << 40, 255)",
          "json_patch('{\"a\":1,\"b\":2}', '{\"b\":null,\"c\":[1]}')", "json_patch('[1', '{}')",
          "json_array(json_patch('{}', '{\"a\":1}'))", "json_patch(null, '{}')",
          "'a' LIKE 'b' ESCAPE ''", "'a' LIKE 'b' ESCAPE 'xy'", "'a' LIKE null"}) {
        CAPTURE(sql);
        CHECK(anew.Ask(std::string("SELECT ") + sql) == own.Ask(std::string("SELECT ") + sql));
    }
}

TEST_CASE("functions that would take long end when they are to", "[sql]") {
    Sqlite anew(true);
    anew.looks_max = 20;
    for (const char* const sql :
         {"instr(replace(hex(zeroblob(4000000)),'0','a'), "
          "replace(hex(zeroblob(2000000)),'0','a')||'b')",
          "replace(hex(zeroblob(4000000)), '0', 'a')", "trim(hex(zeroblob(4000000)), '0')",
          "hex(zeroblob(4000000)) LIKE '%' || substr(hex(zeroblob(12000)), 2) || '1%'",
          "hex(zeroblob(4000000)) GLOB '*' || substr(hex(zeroblob(12000)), 2) || '[1-3]*'"}) {
        CAPTURE(sql);
        anew.looks = 0;
        const Answer answer = anew.Ask(std::string("SELECT ") + sql);
        // Most are done before.
        CHECK((answer.code == SQLITE_INTERRUPT || answer.code == SQLITE_ROW));
        CHECK(anew.looks <= 21);
    }
    anew.looks = 0;
    CHECK(
        anew.Ask("SELECT hex(zeroblob(400000)) LIKE '%' || substr(hex(zeroblob(12000)), 2) || '1%'")
            .code == SQLITE_INTERRUPT);
    CHECK(anew.Ask("SELECT printf('%.*c', 1000000000, 'x')").code == SQLITE_TOOBIG);
    CHECK(anew.Ask("SELECT printf('%*d%.1000000000c', 3, 4, 'x')").code == SQLITE_TOOBIG);
    CHECK(anew.Ask("SELECT json_patch(hex(zeroblob(100000)), hex(zeroblob(100000)))").code ==
          SQLITE_TOOBIG);
}

TEST_CASE("users' statements call functions that read", "[sql]") {
    Sqlite own(false);
    sqlite3_stmt* names = nullptr;
    REQUIRE(sqlite3_prepare_v2(own.db(), "SELECT DISTINCT name FROM pragma_function_list", -1,
                               &names, nullptr) == SQLITE_OK);
    std::string refused;
    while (sqlite3_step(names) == SQLITE_ROW) {
        const auto* const name = reinterpret_cast<const char*>(sqlite3_column_text(names, 0));
        if (!IsReadingFunction(name)) {
            refused.append(name).append(" ");
        }
    }
    sqlite3_finalize(names);
    // All others that this SQLite has may run. A newer one may have functions that nobody has
    // judged.
    if (sqlite3_libversion_number() < 3041000) {
        CHECK(refused.find("json") == std::string::npos);
        CHECK(refused.find("fts3_tokenizer") != std::string::npos);
        CHECK(std::count(refused.begin(), refused.end(), ' ') <= 9);
    }
    for (const char* const name : {"fts3_tokenizer", "FTS3_Tokenizer", "load_extension", "fts5",
                                   "optimize", "rtreecheck", "rtreenode", "sqlite_log", "", "no"}) {
        CHECK_FALSE(IsReadingFunction(name));
    }
    CHECK(IsReadingFunction("LOWER"));
    CHECK(IsReadingFunction("->>"));
}

TEST_CASE("functions that are made anew say the same of what is unusual", "[sql]") {
    Sqlite own(false);
    Sqlite anew(true);
    const std::string long_text = "hex(zeroblob(40000))";
    const std::vector<std::string> questions = {
        "instr(x'', x'01')",
        "instr(x'01', x'')",
        "instr(x'000102', x'02')",
        "instr(x'808080', x'80')",
        "instr(cast(x'c3a961' as text), cast(x'a9' as text))",
        "instr(cast(x'a961' as text), cast(x'a9' as text))",
        "instr(cast(x'c3a961' as text), 'a')",
        // Bytes that begin no character, and characters that there are none of.
        "'a' LIKE cast(x'f8808080' as text)",
        "'a' LIKE cast(x'fc808080' as text)",
        "'a' LIKE cast(x'fe8080' as text)",
        "cast(x'f8' as text) LIKE cast(x'ff' as text)",
        "cast(x'efbfbe' as text) LIKE cast(x'efbfbd' as text)",
        "cast(x'efbfbe' as text) LIKE '_'",
        "cast(x'eda080' as text) LIKE cast(x'efbfbd' as text)",
        long_text + " LIKE " + long_text,  // a pattern that is too long
        "'a' LIKE 'a' ESCAPE ''",
        "'a' LIKE 'a' ESCAPE NULL",
        "printf(cast(x'61002564' as text), 1)",
        "printf('%*d')",
        "printf('%*d', 5)",
        "printf('%n%d', 3)",
        "printf('%%%d', 3)",
        "printf('%.3c|%.*c', 'x', 4, 'y')",
        "printf('%')",
        "printf('%5')",
        "printf('%5.')",
        "printf('%l')",
        "printf(NULL)",
        "printf()",
        "json_patch('{}', NULL)",
        "json_patch(NULL, '{}')",
        "json_patch('{\"a\":1}', '{\"a\":2}')",
        "json_patch('{', '{}')",
        "json_patch('{\"a\":1}', '{\"b\":3}')",
    };
    for (const std::string& question : questions) {
        CAPTURE(question);
        const Answer want = own.Ask("SELECT " + question);
        const Answer got = anew.Ask("SELECT " + question);
        CHECK(got == want);
    }
    // These SQLite would say, at length.
    for (const char* much : {"printf('%.*c', -2000000, 'x')", "printf('%.2000000c', 'x')",
                             "json_patch(hex(zeroblob(40000)), hex(zeroblob(40000)))"}) {
        CAPTURE(much);
        CHECK(anew.Ask(std::string("SELECT ") + much).code == SQLITE_TOOBIG);
    }
    sqlite3_limit(anew.db(), SQLITE_LIMIT_LENGTH, 1000);
    CHECK(anew.Ask("SELECT replace('aaaaaaaaaa', 'a', hex(zeroblob(200)))").code == SQLITE_TOOBIG);
    CHECK(anew.Ask("SELECT length(replace('aa', 'a', hex(zeroblob(200))))").code == SQLITE_ROW);
}

TEST_CASE("functions that are made anew tell when there is no memory", "[sql]") {
    int told = 0;
    for (sqlite3_int64 room = 0; room < 200000; room += 500) {
        Sqlite anew(true);
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + room);
        const Answer answer = anew.Ask("SELECT printf('%d', 1), json_patch('{}', '{}')");
        sqlite3_hard_heap_limit64(0);
        CAPTURE(room, answer.code, answer.bytes);
        CHECK((answer.code == SQLITE_ROW || answer.code == SQLITE_NOMEM));
        told += answer.code == SQLITE_NOMEM ? 1 : 0;
    }
    CHECK(told > 0);
    CHECK(told < 400);
    for (sqlite3_int64 room = 0; room < 20000; room += 100) {
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + room);
        const auto never = [](void*) { return false; };
        told += ReplaceSlowFunctions(db, never, nullptr) ? 0 : 1;
        sqlite3_hard_heap_limit64(0);
        sqlite3_close(db);
    }
}
