#include "tests/compat/golden_set.h"

#include <cfloat>

#include "tests/compat/golden_collection.h"

namespace quern::golden {

namespace {

using std::filesystem::path;

// Nothing is sealed or merged but by a call.
constexpr const char* kByHand = "maintenance=off";

// Numbers that are the same on every machine (splitmix64).
class Dice {
public:
    explicit Dice(uint64_t seed) : state_(seed) {}
    int64_t Below(int64_t bound) {
        return static_cast<int64_t>(Next() % static_cast<uint64_t>(bound));
    }
    // From low to high, both included.
    int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }
    bool OneIn(int64_t chances) { return Below(chances) == 0; }

    // Whole numbers: their distances are exact at every SIMD level, and ties are frequent.
    Json Whole(size_t dim, int64_t low, int64_t high) {
        Json vector = Json::array();
        for (size_t i = 0; i < dim; i++) {
            vector.push_back(Between(low, high));
        }
        return vector;
    }
    // From -1 to 1 in steps of 2^-20, which f32 holds and f16 and bf16 have to round.
    Json Fraction(size_t dim) {
        Json vector = Json::array();
        for (size_t i = 0; i < dim; i++) {
            vector.push_back(NumberJson(static_cast<double>(Between(-(1 << 20), 1 << 20)) /
                                        static_cast<double>(1 << 20)));
        }
        return vector;
    }
    Json Bits(size_t dim) {
        std::string bits;
        for (size_t i = 0; i < dim; i++) {
            bits += Below(2) != 0 ? '1' : '0';
        }
        return bits;
    }

private:
    uint64_t Next() {
        state_ += 0x9E3779B97F4A7C15;
        uint64_t x = state_;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
    uint64_t state_;
};

Column Attr(const std::string& name, int32_t type) {
    Column column;
    column.name = name;
    column.type = type;
    return column;
}

Column Dense(const std::string& name, size_t dim, int32_t metric, int32_t element = QUERN_F32) {
    Column column;
    column.name = name;
    column.type = QUERN_DENSE;
    column.dim = dim;
    column.metric = metric;
    column.element = element;
    return column;
}

CollectionSchema Schema(const std::string& name, int32_t key_type, const std::string& key_name,
                        const std::vector<Column>& columns) {
    CollectionSchema schema;
    schema.name = name;
    schema.key_name = key_name;
    schema.key_type = key_type;
    schema.columns = columns;
    return schema;
}

// "doc7" of "doc" and 7.
std::string Numbered(const char* name, int64_t number) {
    std::string text = name;
    return text += std::to_string(number);
}

// Lists of one are written as vectors here: Json would take {x} for x itself.
Json Queries(const char* field, int64_t k, const std::vector<Json>& queries) {
    return Json{{"field", field}, {"k", k}, {"queries", queries}};
}

Json ByKeys(const char* field, int64_t k, const std::vector<Json>& keys) {
    return Json{{"field", field}, {"k", k}, {"keys", keys}};
}

Json With(Json search, const char* member, const Json& value) {
    search[member] = value;
    return search;
}

void EmptyDatabase(const path& dir) {
    GoldenFile file(dir, "empty_database", "No collection at all", kByHand);
    file.Finish();
}

// Every type of attribute, with its extremes, sealed and in the log.
void AttributeTypes(const path& dir) {
    GoldenFile file(dir, "attribute_types",
                    "Int keys; attributes of every type with nulls and extremes; a segment and a "
                    "log",
                    "seal_rows=12");
    GoldenCollection& all =
        file.Create(Schema("all types", QUERN_KEY_INT, "id",
                           {Attr("i", QUERN_INT), Attr("r", QUERN_REAL), Attr("t", QUERN_TEXT),
                            Attr("b", QUERN_BOOL), Attr("x", QUERN_BLOB), Attr("j", QUERN_JSON),
                            Attr("g", QUERN_TAGS), Dense("v", 3, QUERN_L2)}));
    const std::vector<std::string> columns = {"i", "r", "t", "b", "x", "j", "g", "v"};
    const std::vector<Json> values = {
        {INT64_MIN, -DBL_MAX, "", false, "", "null", Json::array(), {0, 0, 0}},
        {INT64_MAX, DBL_MAX, "a", true, "00", "{}", {"b", "a", "b"}, {1, 0, 0}},
        {0,
         0,
         "\xc3\xa4\xf0\x9f\xa6\x94\xf4\x8f\xbf\xbf",
         false,
         "ff00ff",
         "[1, 2.50, {\"a\" : "
         "null}]",
         {"", "\xc3\xa4", "quo\"te", "back\\slash", "line\nbreak"},
         {0, 2, 0}},
        {-1, 5e-324, "line\nbreak\ttab", true, "0d0a1a00", "\"text\"", {"one"}, {0, 0, 3}},
        {1, 0.1, "'; DROP TABLE x; --", false, "53514c", "true", {"z", "Z"}, {1, 2, 3}},
        {1LL << 53,
         -1e-300,
         std::string(2000, 'x'),
         true,
         std::string(3000, 'a'),
         "-0.5e+3",
         {"x"},
         {-4, 0, 0}},
        {(1LL << 53) + 1,
         1e15,
         "NULL",
         true,
         "00000000",
         "{\"k\": [\"\\u00e4\", \"\xc3\xa4\"]}",
         {"a", "b", "c"},
         {0, -5, 0}},
        {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr},
        {127, 1, nullptr, true, nullptr, "[]", nullptr, {6, 6, 6}},
        {128, nullptr, "8", nullptr, "38", nullptr, {"8"}, nullptr},
        {-32769, 123456789.125, "9", false, "39", "{\"deep\": [[[[1]]]]}", {"nine"}, {7, 0, 7}},
        {65536, -1, "10", true, "3130", "0", {"ten", "10"}, {0, 8, 8}}};
    const std::vector<int64_t> keys = {INT64_MIN, INT64_MAX, 0,   -1,  1,     1000000,
                                       -1000000,  5,         127, 128, 65535, 9000000000};
    std::vector<Json> sealed;
    std::vector<Json> logged;
    for (size_t i = 0; i < values.size(); i++) {
        Json row = Json::array({keys[i]});
        row.insert(row.end(), values[i].begin(), values[i].end());
        sealed.push_back(row);
        row[0] = i % 2 == 0 ? 200 + static_cast<int64_t>(i) : -200 - static_cast<int64_t>(i);
        if (i < 8) {
            logged.push_back(row);
        }
    }
    all.Insert(columns, sealed);
    all.Insert(columns, logged);
    // In place: the records are sealed and no vector changes.
    all.Update({"i", "t", "g"}, {{1, 11, "updated", {"new", "new"}}, {127, nullptr, "", nullptr}});
    all.Search(Queries("v", 4, {{0, 0, 0}, {1, 2, 2}, {-4, -5, 0}}));
    all.Search(With(Queries("v", 0, {{0, 0, 0}}), "max_distance", 9));
    all.Search(ByKeys("v", 3, {INT64_MAX, -201, 65535}));
    all.Expect({10, 0, 1, {"raw", "split4", "split8"}});
    file.Finish();
}

// Every element type under every metric that it takes, with absent and with zero vectors.
void ElementTypes(const path& dir) {
    struct Element {
        const char* name;
        int32_t code;
    };
    struct Metric {
        const char* name;
        int32_t code;
    };
    static constexpr Element kElements[] = {
        {"f32", QUERN_F32}, {"f16", QUERN_F16}, {"bf16", QUERN_BF16}, {"i8", QUERN_I8}};
    static constexpr Metric kMetrics[] = {
        {"l2", QUERN_L2}, {"ip", QUERN_IP}, {"cosine", QUERN_COSINE}};
    constexpr size_t kDim = 7;  // no multiple of any register
    constexpr size_t kBitDim = 27;
    GoldenFile file(dir, "element_types",
                    "Text keys; 13 fields: f32, f16, bf16, i8 under l2, ip, cosine and bit under "
                    "hamming; absent vectors, zero vectors; a segment and a log",
                    "seal_rows=32");
    std::vector<Column> columns;
    for (const Element& element : kElements) {
        for (const Metric& metric : kMetrics) {
            columns.push_back(Dense(std::string(element.name) + "_" + metric.name, kDim,
                                    metric.code, element.code));
        }
    }
    columns.push_back(Dense("bit_hamming", kBitDim, QUERN_HAMMING, QUERN_BIT));
    GoldenCollection& all = file.Create(Schema("vectors", QUERN_KEY_TEXT, "name", columns));
    Dice dice(1);
    std::vector<std::string> names;
    for (const Column& column : columns) {
        names.push_back(column.name);
    }
    auto vector = [&](const Column& column) {
        if (column.element == QUERN_BIT) {
            return dice.Bits(kBitDim);
        }
        return column.element == QUERN_I8 ? dice.Whole(kDim, -128, 127) : dice.Fraction(kDim);
    };
    std::vector<Json> rows;
    for (int64_t i = 0; i < 40; i++) {
        Json row = Json::array({Numbered("v", i)});
        for (const Column& column : columns) {
            const bool zero = i % 13 == 5 && column.element != QUERN_BIT;
            row.push_back(dice.OneIn(6) ? Json()
                          : zero        ? Json(std::vector<int>(kDim, 0))
                                        : vector(column));
        }
        rows.push_back(row);
        if (rows.size() == 32 || i == 39) {
            all.Insert(names, rows);
            rows.clear();
        }
    }
    for (const Column& column : columns) {
        const char* name = column.name.c_str();
        // i8 is compared with the full f32 query, so fractions are welcome there, too.
        const std::vector<Json> queries = {
            vector(column), vector(column),
            column.element == QUERN_BIT ? dice.Bits(kBitDim) : dice.Fraction(kDim)};
        all.Search(Queries(name, 5, {queries[0]}));
        all.Search(Queries(name, 3, queries));
        const char* asked = column.metric == QUERN_COSINE ? "v5" : "v7";
        const auto stored = all.Value(asked, column.name);
        if (!stored.is_null()) {
            all.Search(With(ByKeys(name, 3, {asked}), "self", "include"));
            all.Search(ByKeys(name, 3, {asked}));
        }
        if (column.metric == QUERN_COSINE) {
            // The zero vectors have exactly this score; nothing else comes near.
            all.Search(With(Queries(name, 0, {queries[1]}), "min_score", 0.25));
            all.Search(Queries(name, 4, {Json(std::vector<int>(kDim, 0))}));
        }
    }
    all.Search(With(Queries("bit_hamming", 0, {dice.Bits(kBitDim)}), "max_distance", 11));
    all.Search(With(Queries("i8_l2", 7, {dice.Whole(kDim, -50, 50)}), "max_distance", 60000));
    all.Expect({8, 0, 1, {"raw", "split8"}});
    file.Finish();
}

// Nothing is sealed: the log is all there is.
void LogOnly(const path& dir) {
    GoldenFile file(dir, "log_only",
                    "Records in the log only: inserts, upserts, updates, deletes, a key that came "
                    "back",
                    kByHand);
    Dice dice(4);
    GoldenCollection& words = file.Create(Schema(
        "words", QUERN_KEY_TEXT, "word",
        {Attr("count", QUERN_INT), Dense("v", 8, QUERN_L2), Dense("w", 4, QUERN_IP, QUERN_I8)}));
    std::vector<Json> rows;
    for (int64_t i = 0; i < 30; i++) {
        rows.push_back({Numbered("word", i), i, dice.Whole(8, 0, 5),
                        i % 5 == 0 ? Json() : dice.Whole(4, -9, 9)});
    }
    words.Insert({"count", "v", "w"}, rows);
    words.Upsert({"count", "v"},
                 {{"word3", 300, dice.Whole(8, 0, 5)}, {"late", 301, dice.Whole(8, 0, 5)}});
    words.Update({"count"}, {{"word4", 400}, {"word5", nullptr}});
    words.Update({"w"}, {{"word6", dice.Whole(4, -9, 9)}, {"word7", nullptr}});
    words.Delete({"word8", "word9", "late", "never there"});
    words.Insert({"v"}, {{"word9", dice.Whole(8, 0, 5)}});
    words.Search(Queries("v", 6, {dice.Whole(8, 0, 5), dice.Whole(8, 0, 5)}));
    words.Search(Queries("w", 4, {dice.Whole(4, -9, 9)}));
    words.Search(With(Queries("v", 0, {dice.Whole(8, 0, 5)}), "max_distance", 30));
    words.Search(With(Queries("w", 0, {dice.Whole(4, -9, 9)}), "min_score", 20));
    words.Search(ByKeys("v", 5, {"word9", "word3"}));
    words.Expect({40, 0, 0, {}});
    file.Finish();
}

// A log over segments that kills and changes what they hold.
void LogOverSegments(const path& dir) {
    GoldenFile file(dir, "log_over_segments",
                    "Two segments with buried tombstones; over them a log with deletes, upserts, "
                    "partial updates and amended attributes",
                    "seal_rows=40");
    Dice dice(5);
    GoldenCollection& docs =
        file.Create(Schema("docs", QUERN_KEY_INT, "id",
                           {Attr("title", QUERN_TEXT), Attr("year", QUERN_INT),
                            Dense("v", 6, QUERN_COSINE), Dense("w", 5, QUERN_L2, QUERN_F16)}));
    const std::vector<std::string> columns = {"title", "year", "v", "w"};
    auto rows = [&](int64_t first, int64_t count, const char* title) {
        std::vector<Json> made;
        for (int64_t i = first; i < first + count; i++) {
            made.push_back({i, Numbered(title, i), 1900 + i, i % 7 == 3 ? Json() : dice.Fraction(6),
                            dice.Whole(5, 0, 20)});
        }
        return made;
    };
    auto keys = [](int64_t first, int64_t count) {
        std::vector<Json> made;
        for (int64_t i = first; i < first + count; i++) {
            made.push_back(i);
        }
        return made;
    };
    docs.Insert(columns, rows(0, 60, "first "));  // sealed at once
    docs.Delete(keys(10, 6));
    docs.Upsert(columns, rows(50, 34, "second "));  // ten of them replace; this fills the log
    docs.Delete(keys(20, 4));
    docs.Delete(keys(70, 3));
    docs.Upsert(columns, rows(0, 4, "third "));
    docs.Upsert({"title"}, {{5, "no vectors"}, {200, "new, no vectors"}});
    docs.Update({"title", "year"}, {{30, "amended", nullptr}, {31, "amended", 1}, {60, "x", 2}});
    docs.Update({"year"}, {{30, 3}, {0, 4}});
    docs.Update({"w"}, {{32, dice.Whole(5, 0, 20)}, {61, nullptr}});
    docs.Update({"v", "year"}, {{33, dice.Fraction(6), 5}, {2, dice.Fraction(6), 6}});
    docs.Search(Queries("v", 5, {dice.Fraction(6), dice.Fraction(6)}));
    docs.Search(Queries("w", 6, {dice.Whole(5, 0, 20)}));
    docs.Search(With(Queries("w", 0, {dice.Whole(5, 0, 20)}), "max_distance", 150));
    docs.Search(ByKeys("v", 4, {33, 1, 40}));
    docs.Expect({22, 16, 2, {"raw", "split2", "split4", "split8"}});
    file.Finish();
}

// Segments as writing leaves them: one from a batch that was large enough to become a segment at
// once, with a part of two chunks, and small ones from the log.
void ManySegments(const path& dir) {
    constexpr int64_t kRows = 4100;  // at 64 bytes a vector: one chunk of 4096 and a rest
    GoldenFile file(dir, "many_segments",
                    "Four unmerged segments: one written at once with a part of two chunks, three "
                    "sealed from the log; tombstones; an empty log",
                    "seal_rows=25");
    Dice dice(6);
    GoldenCollection& points =
        file.Create(Schema("points", QUERN_KEY_INT, "id", {Dense("v", 16, QUERN_L2)}));
    std::vector<Json> rows;
    for (int64_t i = 0; i < kRows; i++) {
        // Mostly zeros: such a chunk is worth a codec even in haste.
        Json vector = Json::array();
        for (int d = 0; d < 16; d++) {
            vector.push_back(dice.OneIn(3) ? dice.Below(9) : 0);
        }
        rows.push_back({(kRows - i) * 3, vector});
    }
    points.Insert({"v"}, rows);
    for (int64_t segment = 0; segment < 3; segment++) {
        rows.clear();
        for (int64_t i = 0; i < 30; i++) {
            rows.push_back({segment * 2000 + i * 2, dice.Whole(16, 0, 4)});
        }
        points.Upsert({"v"}, rows);
    }
    points.Search(Queries("v", 8, {dice.Whole(16, 0, 3), dice.Whole(16, 0, 5)}));
    points.Search(With(Queries("v", 0, {Json(std::vector<int>(16, 0))}), "max_distance", 20));
    points.Search(ByKeys("v", 5, {3, 2, 12300}));
    points.Expect({0, 29, 4, {"raw", "split4", "split8"}});
    file.Finish();
}

// What optimize makes: one segment, nothing dead, every codec.
void Merged(const path& dir) {
    GoldenFile file(dir, "merged",
                    "One merged segment with every codec: raw, zstd, split for 2, 4 and 8 bytes",
                    "seal_rows=50");
    Dice dice(7);
    GoldenCollection& mixed = file.Create(
        Schema("mixed", QUERN_KEY_TEXT, "id",
               {Attr("n", QUERN_INT), Dense("noise", 16, QUERN_IP, QUERN_I8),
                Dense("small", 16, QUERN_L2, QUERN_I8), Dense("half", 12, QUERN_L2, QUERN_F16),
                Dense("brain", 12, QUERN_COSINE, QUERN_BF16), Dense("full", 12, QUERN_COSINE),
                Dense("code", 100, QUERN_HAMMING, QUERN_BIT)}));
    const std::vector<std::string> columns = {"n",     "noise", "small", "half",
                                              "brain", "full",  "code"};
    for (int64_t round = 0; round < 3; round++) {
        std::vector<Json> rows;
        for (int64_t i = 0; i < 60; i++) {
            rows.push_back({Numbered("k", round * 50 + i), round * 100 + i,
                            dice.Whole(16, -128, 127), dice.Whole(16, 0, 3),
                            i % 6 == 1 ? Json() : dice.Whole(12, -9, 9), dice.Fraction(12),
                            dice.Fraction(12), dice.Bits(100)});
        }
        mixed.Upsert(columns, rows);
    }
    mixed.Delete({"k7", "k70", "k170"});
    file.Optimize();
    mixed.Search(Queries("noise", 4, {dice.Whole(16, -128, 127)}));
    mixed.Search(Queries("small", 6, {dice.Whole(16, 0, 3), dice.Whole(16, 0, 3)}));
    mixed.Search(Queries("half", 5, {dice.Whole(12, -9, 9)}));
    mixed.Search(Queries("brain", 3, {dice.Fraction(12)}));
    mixed.Search(Queries("full", 3, {dice.Fraction(12), dice.Fraction(12)}));
    mixed.Search(Queries("code", 6, {dice.Bits(100)}));
    mixed.Search(ByKeys("code", 4, {"k0", "k100"}));
    mixed.Expect({0, 0, 1, {"raw", "split2", "split4", "split8", "zstd"}});
    file.Finish();
}

// Several collections whose schemas have changed: gaps in the ids of collections and columns, old
// records without the new columns.
void SchemaChanges(const path& dir) {
    GoldenFile file(dir, "schema_changes",
                    "Several collections: columns added and dropped, collections renamed and "
                    "dropped, one empty, one of keys alone",
                    kByHand);
    Dice dice(8);
    auto rows = [&](int64_t first, int64_t count) {
        std::vector<Json> made;
        for (int64_t i = first; i < first + count; i++) {
            made.push_back({i, Numbered("text ", i), i * 10, dice.Whole(4, 0, 9)});
        }
        return made;
    };
    GoldenCollection& doomed = file.Create(
        Schema("doomed", QUERN_KEY_INT, "id", {Attr("a", QUERN_TEXT), Dense("v", 4, QUERN_L2)}));
    doomed.Insert({"a", "v"}, {{1, "gone", {1, 2, 3, 4}}});
    doomed.AddColumn(Attr("b", QUERN_INT));  // seals the log
    GoldenCollection& changed = file.Create(
        Schema("before", QUERN_KEY_INT, "id",
               {Attr("old", QUERN_TEXT), Attr("kept", QUERN_INT), Dense("old_v", 4, QUERN_L2)}));
    changed.Insert({"old", "kept", "old_v"}, rows(0, 12));
    changed.AddColumn(Attr("new", QUERN_REAL));
    changed.AddColumn(Dense("new_v", 3, QUERN_COSINE));
    changed.Insert({"old", "kept", "old_v"}, rows(20, 5));
    changed.Update({"new", "new_v"}, {{3, 0.5, {1, 0, 0}}, {21, 1.5, {0, 0, 0}}});
    changed.DropColumn("old");
    changed.DropColumn("old_v");
    changed.AddColumn(Attr("old", QUERN_TAGS));  // the name comes back as something else
    changed.AddColumn(Dense("late_v", 2, QUERN_IP, QUERN_BF16));
    changed.Rename("after");
    changed.Upsert({"kept", "old", "new_v", "late_v"}, {{5, 50, {"five"}, {1, 2, 2}, {3, 4}},
                                                        {30, 300, {"b", "a"}, {3, 0, 4}, {1, 1}}});
    changed.Update({"new"}, {{6, -2.5}});
    changed.Search(Queries("new_v", 3, {{1, 1, 1}}));
    changed.Search(Queries("late_v", 3, {{1, 2}}));
    changed.Expect({3, 1, 2, {"raw", "split8"}});

    GoldenCollection& keys = file.Create(Schema("Keys", QUERN_KEY_INT, "number", {}));
    keys.Insert({}, {Json::array({3}), Json::array({1}), Json::array({-2})});
    file.Optimize("Keys");
    keys.Rename("keys");  // to the same name in another case
    keys.Insert({}, {Json::array({4})});
    keys.Expect({1, 0, 1, {"raw"}});

    GoldenCollection& empty = file.Create(
        Schema("empty", QUERN_KEY_TEXT, "id",
               {Attr("i", QUERN_INT), Attr("g", QUERN_TAGS), Dense("v", 4, QUERN_L2, QUERN_I8),
                Dense("b", 9, QUERN_HAMMING, QUERN_BIT)}));
    empty.Search(Queries("v", 3, {{1, 2, 3, 4}}));
    empty.Search(Queries("b", 3, {"101010101"}));
    file.Drop("doomed");  // the last step, so that its segment stays behind, retired but not swept
    file.Finish();
}

// Names and keys that SQL, JSON or a careless comparison could stumble over.
void OddNames(const path& dir) {
    GoldenFile file(dir, "odd_names",
                    "Names and text keys with quotes, spaces, SQL words, other scripts, the "
                    "longest allowed",
                    "seal_rows=8");
    const std::string longest(255, 'n');
    GoldenCollection& odd = file.Create(Schema(
        "Gr\xc3\xb6\xc3\x9f"
        "e \"und\" 'Ma\xc3\x9f'; --",
        QUERN_KEY_TEXT, "the key, \"quoted\"",
        {Attr("select", QUERN_INT), Attr("with space", QUERN_TEXT), Attr("quo\"te", QUERN_TAGS),
         Attr("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", QUERN_TEXT), Attr("rowid", QUERN_INT),
         Attr(longest, QUERN_BOOL), Dense("vec'tor [0]", 2, QUERN_L2),
         Dense("\xf0\x9f\xa6\x94", 2, QUERN_L2, QUERN_I8)}));
    const std::vector<std::string> columns = {
        "select", "with space", "quo\"te",     "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
        "rowid",  longest,      "vec'tor [0]", "\xf0\x9f\xa6\x94"};
    const std::vector<std::string> keys = {"a",
                                           "A",
                                           "\xc3\xa4",
                                           "a\xcc\x88",
                                           " ",
                                           "  ",
                                           "'",
                                           "\"",
                                           "%_*",
                                           "line\nbreak",
                                           "\x7f",
                                           "\xf4\x8f\xbf\xbf",
                                           "0",
                                           "00",
                                           "1e3",
                                           "NULL",
                                           std::string(1024, 'k'),
                                           std::string(1023, 'k') + "j",
                                           "\xe6\x97\xa5\xe6\x9c\xac",
                                           "\xef\xbb\xbf"
                                           "a"};
    std::vector<Json> rows;
    for (size_t i = 0; i < keys.size(); i++) {
        const auto n = static_cast<int64_t>(i);
        rows.push_back({keys[i],
                        n,
                        "text of " + keys[i].substr(0, 20),
                        {keys[i].substr(0, 20)},
                        "\xe6\x9c\xac",
                        -n,
                        n % 2 == 0,
                        {n, n % 4},
                        {n % 5, -n}});
        if (rows.size() == 14 || i + 1 == keys.size()) {
            odd.Insert(columns, rows);
            rows.clear();
        }
    }
    odd.Search(Queries("vec'tor [0]", 5, {{4, 0}, {18, 3}}));
    odd.Search(Queries("\xf0\x9f\xa6\x94", 5, {{2, -10}}));
    odd.Search(ByKeys("vec'tor [0]", 3, {keys[16], keys[9], keys[6]}));
    odd.Expect({6, 0, 1, {"raw", "split4", "split8"}});
    file.Finish();
}

// Much was written and deleted, then the file was made small. Records and vectors lie in other
// pages than they were written to, in key order.
void Vacuumed(const path& dir) {
    GoldenFile file(dir, "vacuumed",
                    "After deletes, optimize and vacuum; cosine with zero vectors; then a small "
                    "log again",
                    "seal_rows=100");
    Dice dice(10);
    GoldenCollection& rest =
        file.Create(Schema("rest", QUERN_KEY_INT, "id",
                           {Attr("note", QUERN_TEXT), Dense("v", 10, QUERN_COSINE),
                            Dense("w", 10, QUERN_COSINE, QUERN_I8)}));
    std::vector<Json> rows;
    std::vector<Json> dead;
    for (int64_t i = 0; i < 400; i++) {
        const int64_t key = i * 7 % 400;
        const bool zero = key % 30 == 6;
        const Json zeros = std::vector<int>(10, 0);
        rows.push_back({key, "note " + std::string(static_cast<size_t>(key % 50), 'n'),
                        zero ? zeros : dice.Fraction(10), zero ? zeros : dice.Whole(10, -20, 20)});
        if (key % 3 != 0) {
            dead.push_back(key);
        }
        if (rows.size() == 100) {
            rest.Insert({"note", "v", "w"}, rows);
            rows.clear();
        }
    }
    rest.Delete(dead);
    file.Optimize();
    file.Vacuum();
    file.Reopen(kByHand);
    rest.Delete({0, 3});
    rest.Update({"note"}, {{9, "amended"}});
    rest.Upsert({"note", "v", "w"},
                {{12, "new", dice.Fraction(10), Json(std::vector<int>(10, 0))}});
    const Json zeros = std::vector<int>(10, 0);
    rest.Search(Queries("v", 4, {dice.Fraction(10), dice.Fraction(10)}));
    rest.Search(Queries("w", 4, {dice.Whole(10, -20, 20)}));
    rest.Search(Queries("v", 5, {zeros}));
    rest.Search(With(Queries("w", 0, {dice.Whole(10, -20, 20)}), "min_score", 0.4));
    rest.Search(ByKeys("v", 3, {6, 399}));
    rest.Expect({4, 0, 1, {"split4", "split8", "zstd"}});
    file.Finish();
}

}  // namespace

void WriteGoldenSet(const path& dir) {
    EmptyDatabase(dir);
    AttributeTypes(dir);
    ElementTypes(dir);
    LogOnly(dir);
    LogOverSegments(dir);
    ManySegments(dir);
    Merged(dir);
    SchemaChanges(dir);
    OddNames(dir);
    Vacuumed(dir);
}

}  // namespace quern::golden
