// Filters made from a grammar: what is found in memory equals what SQLite says of the same text.
#include "engine/filter/filter_match.h"

#include <cstdlib>

#include "tests/slow_build.h"
#include "tests/unit/filtered_file.h"

using filtered::FilteredFile;

namespace {

class Grammar {
public:
    explicit Grammar(uint64_t seed) : random_(seed) {}

    // Mostly of what is decided in memory; some of it is not.
    std::string Filter(int depth) {
        switch (depth > 0 ? Any(8) : 7) {
            case 0:
            case 1: return Filter(depth - 1) + Pick({" and ", " AND\n"}) + Filter(depth - 1);
            case 2:
            case 3: return Filter(depth - 1) + " or " + Filter(depth - 1);
            case 4: return Pick({"not ", "NOT not "}) + Condition();
            case 5: return "not (" + Filter(depth - 1) + ")";
            case 6: return "(" + Filter(depth - 1) + ")";
            default: return Condition();
        }
    }

private:
    size_t Any(size_t n) { return random_() % n; }
    std::string Pick(const std::vector<std::string>& of) { return of[Any(of.size())]; }
    std::string Column() {
        return Pick({"year", "price", "title", "lang", "good", "raw", "tags", "id", "\"year\"",
                     "[title]", "docs.lang", "`Price`"});
    }
    std::string Constant() {
        return Pick({"2020",
                     "2019",
                     "-5",
                     "0",
                     "10",
                     "9223372036854775807",
                     "-9223372036854775808",
                     "9223372036854775808",
                     "9007199254740993",
                     "10.5",
                     "2020.0",
                     "0.1",
                     "-1e300",
                     "1e-300",
                     "9007199254740992.0",
                     "'quantum'",
                     "'en'",
                     "'EN'",
                     "''",
                     "'10'",
                     "'010'",
                     "' 10'",
                     "'1e1'",
                     "'2020'",
                     "'2020.0'",
                     "'abc'",
                     "'it''s'",
                     "x'3130'",
                     "x''",
                     "null",
                     "NULL",
                     "1",
                     "+7",
                     "'-5'",
                     "'\xc3\xa4rger'",
                     "0x10",
                     "100000000000000000000",
                     "'zebra'",
                     "7.25",
                     "'[\"maths\"]'"});
    }
    std::string Pattern() {
        return Pick({"'%'",          "''",          "'quan%'",  "'%A_'",    "'_'",
                     "'%\xc3\x84%'", "'1_%'",       "'*a*'",    "'[a-q]*'", "'[^a-q]*'",
                     "'?\?'",        "'[]x]*'",     "'*[0-9]'", "'[x'",     "'[a-]*'",
                     "'%e%a%'",      "'leap_year'", "null",     "10",       "'*\xc3\xa4*'",
                     "'%%_%'",       "'[[]*'"});
    }
    std::string List() {
        std::string list;
        for (size_t i = Any(5); i > 0; i--) {
            list += (list.empty() ? "" : ", ") + Constant();
        }
        return "(" + list + ")";
    }
    std::string Condition() {
        const std::string maybe_not = Pick({"", "", " not"});
        switch (Any(14)) {
            case 0:
            case 1:
            case 2:
                return Column() + Pick({" = ", "==", " != ", "<>", " < ", "<=", " > ", ">= "}) +
                       Constant();
            case 3: return Constant() + Pick({" = ", " < ", ">=", " <> ", "<=", ">"}) + Column();
            case 4: return Column() + maybe_not + " between " + Constant() + " and " + Constant();
            case 5: return Column() + maybe_not + " in " + List();
            case 6: return Column() + maybe_not + " like " + Pattern();
            case 7: return Column() + maybe_not + " glob " + Pattern();
            case 8:
                return Column() +
                       Pick({" is null", " isnull", " is not null", " not null", " notnull"});
            case 9: return Column() + Pick({" is ", " is not "}) + Constant();
            case 10: return Pick({"good", "year", "price", "1", "0", "null", "title", "2.5"});
            case 11: return "(" + Column() + ")";
            case 12: return Column() + Pick({" = ", " < ", " is "}) + Column();
            default:
                return Pick({"length(title) > 4", "year + 1 > price", "year % 2 = 0",
                             "case when good then year > 0 or lang = 'en' else 0 end",
                             "year between -5 and 10 = 1", "lang = 'en' collate nocase",
                             "abs(price) < 11 -- why not\n", "title || lang like '%e%'",
                             "good is true", "not good = 1",
                             "typeof(year) in ('integer', 'null')"});
        }
    }
    std::mt19937_64 random_;
};

// What the tree knows without SQLite, of all leaves.
void CountLeaves(const quern::filter::Node& node, size_t* known, size_t* all) {
    if (node.children.empty()) {
        *all += 1;
        *known += node.kind == quern::filter::NodeKind::kSql ? 0 : 1;
    }
    for (const auto& child : node.children) {
        CountLeaves(child, known, all);
    }
}

// What SQLite says of some filters, in one statement, which is quicker; nothing where one of them
// is a mistake.
std::vector<int64_t> Truths(FilteredFile* file, const std::vector<std::string>& filters) {
    std::string sql = "SELECT ";
    for (const std::string& filter : filters) {
        sql.append(sql.size() > 7 ? ", " : "").append("count(*) FILTER (WHERE (");
        sql.append(filter).append("\n))");
    }
    quern_result* result = nullptr;
    std::vector<int64_t> counts;
    if (quern_sql(file->db, nullptr, (sql + " FROM docs").c_str(), &result, &file->err) ==
        QUERN_OK) {
        for (size_t i = 0; i < filters.size(); i++) {
            counts.push_back(quern_result_int(result, 0, i));
        }
    }
    quern_result_free(result);
    return counts;
}

void Compare(size_t cases, uint64_t seed, size_t records) {
    constexpr size_t kAtOnce = 25;
    FilteredFile file("model");
    file.Fill(records);
    Grammar grammar(seed);
    for (size_t first = 0; first < cases; first += kAtOnce) {
        std::vector<std::string> filters;
        for (size_t i = 0; i < kAtOnce; i++) {
            filters.push_back(grammar.Filter(static_cast<int>(i % 4)));
        }
        const std::vector<int64_t> all = Truths(&file, filters);
        for (size_t i = 0; i < kAtOnce; i++) {
            const std::string& filter = filters[i];
            quern_query* query = file.Query(filter);
            uint64_t count = 0;
            const int32_t status = quern_query_count(query, &count, &file.err);
            quern_query_free(query);
            const std::vector<int64_t> one =
                all.empty() ? Truths(&file, {filter}) : std::vector<int64_t>{all[i]};
            INFO(filter);
            INFO(file.err.message);
            REQUIRE((status == QUERN_OK) == !one.empty());
            if (status == QUERN_OK && count != static_cast<uint64_t>(one[0])) {
                CHECK(count == static_cast<uint64_t>(one[0]));
            }
            if (i == 0 && status == QUERN_OK) {
                CHECK(
                    file.Found(file.Query("(" + filter + "\n) and id in (select id from docs)")) ==
                    file.Found(file.Query(filter)));
            }
        }
    }
}

}  // namespace

TEST_CASE("random filters find what SQLite finds", "[filter]") {
    Compare(quern::Rounds(20000), 1, 240);
}

// In the long run, or as many as QUERN_CASES says, from the seed QUERN_SEED; each seventh round by
// columns that the file has.
TEST_CASE("a million random filters find what SQLite finds", "[.][campaign]") {
    constexpr size_t kCasesOfRound = 10000;
    const char* const wanted = std::getenv("QUERN_CASES");
    const size_t cases = wanted == nullptr ? 1000000 : std::strtoull(wanted, nullptr, 10);
    const char* const seed = std::getenv("QUERN_SEED");
    const size_t first = seed == nullptr ? 100 : 1000 * std::strtoull(seed, nullptr, 10);
    for (size_t done = 0; done < cases; done += kCasesOfRound) {
        const size_t round = done / kCasesOfRound;
        Compare(kCasesOfRound, first + round, round % 7 == 6 ? 2400 : 240);
    }
}

TEST_CASE("most conditions are decided in memory", "[filter]") {
    quern::Schema schema;
    const std::pair<const char*, quern::AttrType> attrs[] = {
        {"year", quern::AttrType::kInt},   {"price", quern::AttrType::kReal},
        {"title", quern::AttrType::kText}, {"lang", quern::AttrType::kText},
        {"good", quern::AttrType::kBool},  {"raw", quern::AttrType::kBlob},
        {"tags", quern::AttrType::kTags}};
    for (const auto& [name, type] : attrs) {
        quern::AttrDef def;
        def.name = name;
        def.type = type;
        schema.attrs.push_back(def);
    }
    const quern::filter::Subject subject{"docs", &schema};
    const auto needs_sql = [&](const std::string& text) {
        const auto tokens = quern::filter::ReadTokens(text);
        REQUIRE(tokens.ok());
        return NeedsSql(ReadTree(*tokens, subject, {}));
    };
    for (const char* text :
         {"year between 1 and 5 and lang in ('en','de') and title like 'quantum%'",
          "not (year > 5 or price <= 0.1)", "price < 9.99", "tags has 'physics'",
          "tags has any ('a', 'b') or not tags has all ('c')", "5 < id", "docs.year is not null",
          "((((year = 1))))", "good and title glob 'x*'"}) {
        CAPTURE(text);
        CHECK(!needs_sql(text));
    }
    for (const char* text :
         {"length(title) > 1", "year + 1 = 2", "price = year", "year = 1 or 2 between 1 or 2 and 3",
          "year between 1 or 0 and 3", "title = 1.5", "year = '1.5'", "price like '1%'", "title",
          "lang = 'x' collate nocase", "year = 0x10", "year = true", "year and and lang"}) {
        CAPTURE(text);
        CHECK(needs_sql(text));
    }
    size_t known = 0;
    size_t all = 0;
    Grammar grammar(3);
    for (int i = 0; i < 1000; i++) {
        const auto tokens = quern::filter::ReadTokens(grammar.Filter(3));
        REQUIRE(tokens.ok());
        CountLeaves(ReadTree(*tokens, subject, {}), &known, &all);
    }
    CHECK(known > all / 2);
}
