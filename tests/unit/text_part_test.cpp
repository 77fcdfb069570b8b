// The index of a text field in the file, by the C API: searches answer the same with it and
// without, whatever is deleted, damaged, missing or too large.
#include <random>

#include "engine/db/segment.h"
#include "engine/db/text_column.h"
#include "tests/unit/text_file.h"

namespace {

constexpr const char* kQueries[] = {"w0",          "w3 w12 w24",  "\"w1 w2\"",        "w1*",
                                    "+w5 w2 -w40", "w6 w6 w7 w8", "w300 \"w9 w0 w1\""};

class IndexedFile : public TextFile {
public:
    explicit IndexedFile(const char* options = "") : TextFile(options) {}
    // Texts of up to so many words; one record in nine has none.
    void Fill(int64_t first, int64_t end, size_t words) {
        std::vector<int64_t> keys;
        std::vector<std::string> texts;
        std::vector<const char*> values;
        for (int64_t key = first; key < end; key++) {
            keys.push_back(key);
            std::string& text = texts.emplace_back();
            for (size_t i = random_() % words + 1; i > 0; i--) {
                text += " w";
                text += std::to_string(random_() % (random_() % 400 + 1));
            }
        }
        for (const std::string& text : texts) {
            values.push_back(random_() % 9 == 0 ? nullptr : text.c_str());
        }
        quern_batch* batch = quern_batch_new(db, "texts", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_text(batch, "body", values.data(), nullptr);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Reopen(const char* options) {
        quern_close(db);
        db = nullptr;
        Ok(quern_open(path().c_str(), options, &db, &err));
    }
    // *flags: of all of them together.
    std::vector<Hits> Answers(uint32_t* flags) {
        std::vector<Hits> answers;
        *flags = 0;
        for (const char* query : kQueries) {
            for (const size_t k : {3, 1000}) {
                uint32_t of_one = 0;
                Ok(Search(query, k, &answers.emplace_back(), &of_one));
                CHECK((of_one & QUERN_FLAG_EXACT) != 0);
                *flags |= of_one & ~QUERN_FLAG_EXACT;
            }
        }
        return answers;
    }

private:
    std::mt19937 random_{7};
};

const std::string kNoIndex =
    "DELETE FROM quern_chunk WHERE (id>>20) IN (SELECT id FROM quern_part WHERE kind BETWEEN 96 "
    "AND 100); DELETE FROM quern_part WHERE kind BETWEEN 96 AND 100";

}  // namespace

TEST_CASE("text searches give the same with an index in the file and without") {
    const char* const options = GENERATE("", "porter stop=w3,w4 k1=0.9 b=0.4");
    IndexedFile file(options);
    file.Fill(0, 3000, 30);  // more than one superblock
    file.Optimize();
    for (int64_t key = 0; key < 1000; key += 3) {
        file.Ok(file.Delete(key));
    }
    file.Fill(2500, 3100, 30);
    uint32_t flags = 0;
    const auto with = file.Answers(&flags);
    CHECK(flags == 0);
    CHECK(with[1].size() > 100);
    CHECK(file.Problems().empty());
    file.Alter(kNoIndex);
    CHECK((file.Answers(&flags) == with));
    CHECK(flags == 0);
    // Without a hole, and with them filled.
    file.Optimize();
    CHECK((file.Answers(&flags) == with));
    CHECK(flags == 0);
    CHECK(file.Problems().empty());
}

TEST_CASE("a text index in the file is what searches use") {
    IndexedFile file;
    file.Fill(0, 600, 10);
    file.Optimize();
    uint32_t flags = 0;
    const auto right = file.Answers(&flags);
    file.Alter(
        "UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE (id>>20) IN (SELECT id FROM "
        "quern_part WHERE kind=9)");
    CHECK((file.Answers(&flags) == right));
    file.Alter(kNoIndex);
    TextFile::Hits hits;
    CHECK(file.Search("w1", 3, &hits) == QUERN_ERR_CORRUPT);
}

TEST_CASE("a damaged text index is passed over, named and made anew") {
    IndexedFile file;
    file.Fill(0, 600, 10);
    file.Optimize();
    uint32_t flags = 0;
    const auto right = file.Answers(&flags);
    const int kind = GENERATE(range(96, 101));
    const bool lost = GENERATE(false, true);
    CAPTURE(kind, lost);
    const std::string of =
        " IN (SELECT id FROM quern_part WHERE kind=" + std::to_string(kind) + ")";
    file.Alter(lost ? "DELETE FROM quern_chunk WHERE (id>>20)" + of +
                          "; DELETE FROM quern_part WHERE kind=" + std::to_string(kind)
                    : "UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE (id>>20)" + of);
    const bool no_index = lost && kind == 96;  // as if none had been built
    CHECK((file.Answers(&flags) == right));
    CHECK(flags == (no_index ? 0 : QUERN_FLAG_DEGRADED));
    CHECK(file.Problems().empty() == no_index);
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    CHECK((file.Answers(&flags) == right));
    CHECK(flags == 0);
    CHECK(file.Problems().empty());
}

TEST_CASE("a text index of other texts is not believed") {
    IndexedFile file;
    file.Fill(0, 600, 10);
    file.Optimize();
    uint32_t flags = 0;
    // The same number of texts, all of them shorter.
    quern_schema* schema = quern_schema_new();
    quern_schema_text(schema, "body", nullptr);
    quern_schema_attr(schema, "year", QUERN_INT, nullptr);  // so that fields have the same numbers
    file.Ok(quern_create(file.db, "others", schema, &file.err));
    quern_schema_free(schema);
    const std::vector<const char*> texts(600, "w1");
    std::vector<int64_t> keys;
    for (int64_t key = 0; key < 600; key++) {
        keys.push_back(key);
    }
    quern_batch* batch = quern_batch_new(file.db, "others", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_text(batch, "body", texts.data(), nullptr);
    file.Ok(quern_upsert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Optimize();
    file.Alter(
        "CREATE TEMP TABLE first AS SELECT kind, min(segment) AS a, max(segment) AS b, min(id) AS "
        "low FROM quern_part WHERE kind BETWEEN 96 AND 100 GROUP BY kind; "
        "DELETE FROM quern_part WHERE kind BETWEEN 96 AND 100 AND id NOT IN (SELECT low FROM "
        "first); UPDATE quern_part SET segment=(SELECT b FROM first WHERE "
        "first.kind=quern_part.kind) WHERE kind BETWEEN 96 AND 100; "
        "DELETE FROM quern_chunk WHERE (id>>20) NOT IN (SELECT id FROM quern_part)");
    quern_query* query = quern_query_new(file.db, "others");
    const char* const words = "w1";
    quern_query_text(query, "body", &words, 1);
    quern_result* result = nullptr;
    file.Ok(quern_search(query, &result, &file.err));
    CHECK(quern_result_rows(result) == 10);
    flags = quern_result_flags(result);
    quern_result_free(result);
    quern_query_free(query);
    CHECK(flags == (QUERN_FLAG_EXACT | QUERN_FLAG_DEGRADED));
}

TEST_CASE("a text index that memory has no room for is told, but that of a log has as much as it") {
    for (const bool sealed : {true, false}) {
        CAPTURE(sealed);
        IndexedFile file;
        for (int64_t key = 0; key < 2500; key += 100) {
            file.Fill(key, key + 100, 400);  // small enough for the log
        }
        if (sealed) {
            file.Optimize();
        }
        uint32_t flags = 0;
        const auto right = file.Answers(&flags);
        CHECK(flags == 0);
        file.Reopen("memory_mb=1");
        for (const bool again : {false, true}) {
            CAPTURE(again);
            CHECK((file.Answers(&flags) == right));
            CHECK(flags == (sealed ? QUERN_FLAG_MEMORY : 0));
        }
    }
}

TEST_CASE("an index of texts in a log is kept beyond the budget, up to the bytes of the log") {
    quern::TextDef def;
    def.id = 3;
    quern::Work work;
    int made = 0;
    const auto make = [&] {
        made++;
        return quern::MakeTextIndex(
            def, 1,
            [](uint32_t) -> quern::Result<quern::BytesView> { return quern::BytesView("a b c"); },
            &work);
    };
    quern::MemoryBudget budget;  // of no bytes
    bool kept = false;
    const auto times = [&](bool of_log) {
        quern::TextIndexCache cache;
        made = 0;
        for (int i = 0; i < 3; i++) {
            CHECK(cache.Get(def.id, budget, of_log, make, &kept).ok());
        }
        return made;
    };
    CHECK(times(false) == 3);
    CHECK_FALSE(kept);
    CHECK(times(true) == 3);
    budget.log->Add(100000);
    CHECK(times(false) == 3);
    CHECK(times(true) == 1);
    CHECK(kept);
    // Indexes of other pieces count.
    budget.log_texts->Add(100000);
    CHECK(times(true) == 3);
    budget.log_texts->Add(-100000);
    // All is given back.
    CHECK(budget.log_texts->bytes() == 0);
    CHECK(budget.indexes->bytes() == 0);
}

TEST_CASE("texts in a long log are found block by block") {
    TextFile file;
    std::map<int64_t, std::string> texts;
    std::mt19937 random(11);
    for (int64_t key = 0; key < 1300; key++) {
        std::string text;
        for (size_t i = random() % 6 + 1; i > 0; i--) {
            text += " w";
            text += std::to_string(random() % (random() % 60 + 1));
        }
        file.Ok(file.Put(key % 1200, text.c_str()));
        texts[key % 1200] = text;
        if (key % 100 != 99) {
            continue;
        }
        if (key % 300 == 299) {
            file.Ok(file.Delete(key / 3));
            texts.erase(key / 3);
        }
        for (const char* query : {"w0 w17", "w2 w3 w4"}) {
            for (const size_t k : {5, 2000}) {
                CAPTURE(key, query, k);
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
}
