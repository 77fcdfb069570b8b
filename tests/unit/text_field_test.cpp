// Text fields by the C API: what is refused, what is kept, searches beside the formula, damage.
#include <quern.h>

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/text_file.h"

namespace {

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
    // Versions refuse bits that they do not know: 0.1.0 all of them, this one a later one.
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
    file.AlterClosed("UPDATE quern_format SET value=value|1024 WHERE name='incompatible'");
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
    // A stop word, or a synonym, that no word can be.
    for (const char* const idle :
         {"stop=foo-bar", "stop=don't", "stop=---", "stop='a b'", "stop='the, a'", "stop='x,a\tb'",
          "stop=' a'", "porter stop='the,a b'", "synonyms='a b:c'", "synonyms='c:a b'",
          "synonyms='c:a\u00a0b'"}) {
        CAPTURE(idle);
        CHECK(quern_add_text(file.db, "texts", "idle", idle, &file.err) == QUERN_ERR_OPTION);
        CHECK(file.Says("'idle'"));
        CHECK((file.Says("so would stop none") || file.Says("is not one word but")));
    }
    // Where the tokenizer has white space in words, it can.
    for (const char* const options : {"tokenizer=trigram stop='a b'", "tokenchars=' ' stop='a b'",
                                      "stop='a,b' synonyms='c:d'"}) {
        CAPTURE(options);
        file.Ok(quern_add_text(file.db, "texts", "spaced", options, &file.err));
        file.Ok(quern_drop_column(file.db, "texts", "spaced", &file.err));
    }
    TextFile::Hits hits;
    CHECK(file.Search("\"no end", 10, &hits) == QUERN_ERR_MALFORMED);
    CHECK((file.Says("query 0") && file.Says("'body'")));
}

TEST_CASE("a beginning finds the words of a group, whichever of them has it") {
    for (const char* const options :
         {"synonyms=whale:cetacean", "synonyms=cetacean:whale", "porter synonyms=cetacean:whale"}) {
        CAPTURE(options);
        TextFile file(options);
        file.Ok(file.Put(1, "the cetacean"));
        file.Ok(file.Put(2, "the whale"));
        file.Ok(file.Put(3, "a ship"));
        for (const bool sealed : {false, true}) {
            CAPTURE(sealed);
            if (sealed) {
                file.Optimize();
            }
            TextFile::Hits word;
            file.Ok(file.Search("whale", 10, &word));
            CHECK(word.size() == 2);
            TextFile::Hits hits;
            for (const char* const query : {"cetac*", "cetacean*", "wha*", "whale*", "+cet*"}) {
                CAPTURE(query);
                file.Ok(file.Search(query, 10, &hits));
                CHECK(hits == word);
            }
            file.Ok(file.Search("the a -cet*", 10, &hits));
            REQUIRE(hits.size() == 1);
            CHECK(hits[0].first == 3);
        }
    }
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
