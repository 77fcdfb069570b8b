// Text fields by the C API: what is refused, what is kept, searches beside the formula, damage.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/hostile_file.h"

namespace {

// Beside what HostileFile has: collection "texts" with a field "body".
class TextFile : public HostileFile {
public:
    explicit TextFile(const char* options = "") {
        quern_schema* schema = quern_schema_new();
        quern_schema_text(schema, "body", options);
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        Ok(quern_create(db, "texts", schema, &err));
        quern_schema_free(schema);
    }
    using Write = int32_t (*)(quern_batch*, quern_txn*, quern_error*);
    // text NULL: absent.
    int32_t Put(int64_t key, const char* text, Write write = quern_upsert) {
        quern_batch* batch = quern_batch_new(db, "texts", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_text(batch, "body", &text, nullptr);
        const int32_t status = write(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    int32_t SetYear(int64_t key, int64_t year) {
        quern_batch* batch = quern_batch_new(db, "texts", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_int(batch, "year", &year, nullptr);
        const int32_t status = quern_update(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    int32_t Delete(int64_t key) {
        quern_batch* batch = quern_batch_new(db, "texts", 1);
        quern_batch_key_int(batch, &key);
        const int32_t status = quern_delete(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    std::string Text(int64_t key) {
        quern_batch* batch = quern_batch_new(db, "texts", 1);
        quern_batch_key_int(batch, &key);
        quern_result* result = nullptr;
        Ok(quern_get(batch, nullptr, "body", &result, &err));
        size_t size = 0;
        const char* text = quern_result_text(result, 0, 0, &size);
        const std::string found = text == nullptr ? "(absent)" : std::string(text, size);
        CHECK(quern_result_column_type(result, 0) == QUERN_TEXT);
        quern_result_free(result);
        quern_batch_free(batch);
        return found;
    }
    using Hits = std::vector<std::pair<int64_t, float>>;
    int32_t Search(const char* text, size_t k, Hits* hits) {
        hits->clear();
        quern_query* query = quern_query_new(db, "texts");
        quern_query_text(query, "body", &text, 1);
        quern_query_limit(query, k);
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &err);
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            hits->emplace_back(quern_result_key_int(result, row), quern_result_score(result, row));
        }
        quern_result_free(result);
        quern_query_free(query);
        return status;
    }
    void Optimize() { Ok(quern_optimize(db, nullptr, 0, &err)); }
    bool Says(const char* piece) {
        INFO(err.message);
        return std::string(err.message).find(piece) != std::string::npos;
    }
};

// The textbook, over all records there are.
TextFile::Hits ByFormula(const std::map<int64_t, std::string>& texts, const std::string& query,
                         size_t k) {
    std::map<int64_t, std::map<std::string, double>> counts;
    std::map<int64_t, double> lengths;
    std::map<std::string, double> with;
    double total = 0;
    for (const auto& [key, text] : texts) {
        std::istringstream words(text);
        for (std::string word; words >> word;) {
            with[word] += counts[key][word]++ == 0 ? 1 : 0;
            lengths[key]++;
            total++;
        }
    }
    const auto n = static_cast<double>(texts.size());
    std::vector<std::pair<double, int64_t>> found;
    for (const auto& [key, text] : texts) {
        double score = 0;
        std::istringstream words(query);
        for (std::string word; words >> word;) {
            const double tf = counts[key].count(word) != 0 ? counts[key][word] : 0;
            const double idf = std::log(1 + (n - with[word] + 0.5) / (with[word] + 0.5));
            score += idf * tf / (tf + 1.2 * (0.25 + 0.75 * lengths[key] * n / total));
        }
        if (score > 0) {
            found.emplace_back(-score, key);
        }
    }
    std::sort(found.begin(), found.end());
    TextFile::Hits hits;
    for (size_t i = 0; i < std::min(k, found.size()); i++) {
        hits.emplace_back(found[i].second, static_cast<float>(-found[i].first));
    }
    return hits;
}

// The incompatible feature bits of the file.
int64_t Features(HostileFile* file) {
    quern_close(file->db);
    file->db = nullptr;
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(file->path().c_str(), &raw) == SQLITE_OK);
    int64_t bits = -1;
    const auto take = [](void* to, int, char** values, char**) {
        *static_cast<int64_t*>(to) = std::stoll(values[0]);
        return 0;
    };
    CHECK(sqlite3_exec(raw, "SELECT value FROM quern_format WHERE name='incompatible'", take, &bits,
                       nullptr) == SQLITE_OK);
    sqlite3_close(raw);
    file->Open();
    return bits;
}

}  // namespace

TEST_CASE("a file says by a feature bit that it has text fields") {
    // Versions refuse bits that they do not know: 0.1.0 all of them, this one the next.
    HostileFile file;
    CHECK(Features(&file) == 0);
    SECTION("added") {
        file.Ok(quern_add_text(file.db, "docs", "body", nullptr, &file.err));
    }
    SECTION("from the beginning") {
        quern_schema* schema = quern_schema_new();
        quern_schema_text(schema, "body", nullptr);
        file.Ok(quern_create(file.db, "texts", schema, &file.err));
        quern_schema_free(schema);
        file.Ok(quern_drop(file.db, "texts", &file.err));
    }
    CHECK(Features(&file) == 4);
    file.AlterClosed("UPDATE quern_format SET value=value|8 WHERE name='incompatible'");
    CHECK(quern_open(file.path().c_str(), nullptr, &file.db, &file.err) == QUERN_ERR_NEWER);
}

TEST_CASE("text fields refuse what is no text, and options that mean nothing") {
    TextFile file;
    CHECK(file.Put(7, "ab\xff") == QUERN_ERR_MALFORMED);
    CHECK((file.Says("record 0 (key 7)") && file.Says("'body'")));
    const std::string words(size_t{3} << 20, 'a');
    CHECK(file.Put(7, words.c_str()) == QUERN_OK);
    std::string many;
    for (size_t i = 0; i <= size_t{1} << 20; i++) {
        many += "a ";
    }
    CHECK(file.Put(7, many.c_str()) == QUERN_ERR_LIMIT);
    const int64_t key = 7;
    quern_batch* batch = quern_batch_new(file.db, "texts", 1);
    quern_batch_key_int(batch, &key);
    quern_batch_int(batch, "body", &key, nullptr);
    CHECK(quern_upsert(batch, nullptr, &file.err) == QUERN_ERR_TYPE);
    quern_batch_free(batch);
    CHECK(quern_add_text(file.db, "texts", "more", "tokenizer=klingon", &file.err) ==
          QUERN_ERR_OPTION);
    CHECK(file.Says("'more'"));
    TextFile::Hits hits;
    CHECK(file.Search("\"no end", 10, &hits) == QUERN_ERR_MALFORMED);
    CHECK((file.Says("query 0") && file.Says("'body'")));
}

TEST_CASE("texts are kept exactly, in the log, in segments, and through changes") {
    TextFile file;
    const std::string longer(200000, 'x');
    file.Ok(file.Put(1, "two words"));
    file.Ok(file.Put(2, ""));
    file.Ok(file.Put(3, nullptr));
    file.Ok(file.Put(4, longer.c_str()));
    for (const bool sealed : {false, true}) {
        CAPTURE(sealed);
        if (sealed) {
            file.Optimize();
        }
        CHECK(file.Text(1) == "two words");
        CHECK(file.Text(2).empty());
        CHECK(file.Text(3) == "(absent)");
        CHECK((file.Text(4) == longer));
        CHECK(file.Problems().empty());
    }
    file.Ok(file.SetYear(1, 1999));
    file.Ok(file.Put(4, "z\xc3\xbcrich", quern_update));
    file.Ok(file.Put(3, "late"));
    file.Ok(file.Delete(2));
    file.Optimize();
    CHECK(file.Text(1) == "two words");
    CHECK(file.Text(3) == "late");
    CHECK(file.Text(4) == "z\xc3\xbcrich");
    CHECK(file.Problems().empty());
    file.Ok(quern_drop_column(file.db, "texts", "body", &file.err));
    CHECK(file.Problems().empty());
    file.Ok(quern_add_text(file.db, "texts", "body", "porter", &file.err));
    file.Ok(file.Put(1, "running"));
    TextFile::Hits hits;
    file.Ok(file.Search("runs", 10, &hits));
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].first == 1);
}

TEST_CASE("text searches give the scores of the formula over all live records") {
    TextFile file;
    std::mt19937 random(5);
    std::map<int64_t, std::string> texts;
    for (size_t step = 0; step < 300; step++) {
        const auto key = static_cast<int64_t>(random() % 120);
        if (random() % 5 == 0 && texts.erase(key) != 0) {
            file.Ok(file.Delete(key));
        } else {
            std::string text;
            for (size_t i = random() % 12; i > 0; i--) {
                text += " w";
                text += std::to_string(random() % 7 * (random() % 5));
            }
            file.Ok(file.Put(key, text.c_str()));
            texts[key] = text;
        }
        if (step % 90 == 89) {
            file.Optimize();
        }
        if (step % 20 != 0) {
            continue;
        }
        for (const char* query : {"w0", "w3 w12 w24", "w2 w2 w6"}) {
            for (const size_t k : {3, 200}) {
                CAPTURE(step, query, k);
                TextFile::Hits hits;
                file.Ok(file.Search(query, k, &hits));
                const TextFile::Hits right = ByFormula(texts, query, k);
                REQUIRE(hits.size() == right.size());
                for (size_t i = 0; i < hits.size(); i++) {
                    CHECK(hits[i].first == right[i].first);
                    CHECK(hits[i].second == Approx(right[i].second).epsilon(1e-6));
                }
            }
        }
    }
    CHECK(file.Problems().empty());
}

TEST_CASE("text searches know phrases, prefixes and signs") {
    TextFile file("stop=english");
    file.Ok(file.Put(1, "The quick brown fox"));
    file.Optimize();
    file.Ok(file.Put(2, "brown and quick"));
    TextFile::Hits hits;
    file.Ok(file.Search("\"quick brown\"", 10, &hits));
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].first == 1);
    file.Ok(file.Search("qui*", 10, &hits));
    CHECK(hits.size() == 2);
    file.Ok(file.Search("quick -fox", 10, &hits));
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].first == 2);
    file.Ok(file.Search("the", 10, &hits));
    CHECK(hits.empty());
}

TEST_CASE("damage of a text field is found and named") {
    TextFile file;
    file.Ok(file.Put(1, "some words, and some more words, and words again and again"));
    file.Optimize();
    const auto [kind, name] =
        GENERATE(table<int, std::string>({{8, "text lengths"}, {9, "texts"}}));
    CAPTURE(name);
    file.Alter(
        "UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE (id>>20) IN (SELECT id "
        "FROM quern_part WHERE kind=" +
        std::to_string(kind) + ")");
    TextFile::Hits hits;
    CHECK(file.Search("words", 10, &hits) == QUERN_ERR_CORRUPT);
    CHECK((file.Says("collection 'texts'") && file.Says(name.c_str())));
    CHECK(file.Problems().find(name) != std::string::npos);
}
