// Texts as queries of a sparse field: the table of token weights, and searches by it through the C
// API.
#include <quern.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "engine/sparse/token_weights.h"
#include "storage/text_tokens.h"
#include "tests/unit/hostile_file.h"

using namespace quern;
using sparse::TokenWeights;

namespace {

using Entries = std::map<uint32_t, float>;

Entries QueryOf(const TokenWeights& table, const std::string& text) {
    const auto analyzer = table.NewAnalyzer(storage::OpenTokenizer);
    REQUIRE(analyzer.ok());
    const auto query = table.Query(text, analyzer->get());
    INFO(query.status().message());
    REQUIRE(query.ok());
    Entries entries;
    for (const sparse::SparseEntry& entry : *query) {
        entries[entry.dimension] = entry.weight;
    }
    return entries;
}

std::unique_ptr<TokenWeights> Make(const std::vector<sparse::TokenWeight>& tokens,
                                   const char* options = "") {
    auto made = TokenWeights::Make(tokens, options, 1000);
    INFO(made.status().message());
    REQUIRE(made.ok());
    // As it comes back from a file.
    auto again = TokenWeights::Decode((*made)->Encode(), 1000);
    INFO(again.status().message());
    REQUIRE(again.ok());
    CHECK((*again)->Encode() == (*made)->Encode());
    return std::move(*again);
}

class TokenFile : public HostileFile {
public:
    TokenFile() {
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "w", "dims=100");
        quern_schema_sparse(schema, "other", nullptr);
        quern_schema_text(schema, "body", nullptr);
        Ok(quern_create(db, "terms", schema, &err));
        quern_schema_free(schema);
    }
    // Record i has the dimensions i .. 9 with the weight i + 1.
    void Put(int64_t first, int64_t end) {
        for (int64_t i = first; i < end; i++) {
            std::vector<uint32_t> dims;
            for (auto d = static_cast<uint32_t>(i % 10); d < 10; d++) {
                dims.push_back(d);
            }
            const std::vector<float> weights(dims.size(), static_cast<float>(i + 1));
            const size_t offsets[] = {0, dims.size()};
            quern_batch* batch = quern_batch_new(db, "terms", 1);
            quern_batch_key_int(batch, &i);
            quern_batch_sparse(batch, "w", offsets, dims.data(), weights.data(), nullptr);
            Ok(quern_upsert(batch, nullptr, &err));
            quern_batch_free(batch);
        }
    }
    int32_t SetTokens(const std::vector<const char*>& tokens, const std::vector<uint32_t>& dims,
                      const std::vector<float>& weights, const char* options = nullptr) {
        return quern_set_token_weights(
            db, "terms", "w", tokens.data(), dims.empty() ? nullptr : dims.data(),
            weights.empty() ? nullptr : weights.data(), tokens.size(), options, &err);
    }
    // Keys and scores; the query as a text, or as a vector.
    using Found = std::vector<std::pair<int64_t, float>>;
    int32_t Search(const char* text, Found* found) {
        quern_query* query = quern_query_new(db, "terms");
        quern_query_sparse_text(query, "w", &text, 1);
        return Run(query, found);
    }
    Found SearchVector(const std::vector<uint32_t>& dims, const std::vector<float>& weights) {
        quern_query* query = quern_query_new(db, "terms");
        const size_t offsets[] = {0, dims.size()};
        quern_query_sparse(query, "w", offsets, dims.data(), weights.data(), 1);
        Found found;
        Ok(Run(query, &found));
        return found;
    }
    void Reopen() {
        quern_close(db);
        db = nullptr;
        Ok(quern_open(path().c_str(), nullptr, &db, &err));
    }

private:
    int32_t Run(quern_query* query, Found* found) {
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &err);
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            found->emplace_back(quern_result_key_int(result, row), quern_result_score(result, row));
        }
        quern_result_free(result);
        quern_query_free(query);
        return status;
    }
};

}  // namespace

TEST_CASE("a text becomes a query by the weights of its tokens", "[sparse][tokens]") {
    const auto table = Make({{"stone", 7, 2}, {"mill", 3, 0.5f}, {"grain", 9, 0}, {"corn", 7, 1}});
    CHECK(QueryOf(*table, "A Mill, the MILL.") == Entries{{3, 0.5f}});
    CHECK(QueryOf(*table, "mill stone unknown") == Entries{{3, 0.5f}, {7, 2}});
    CHECK(QueryOf(*table, "stone corn") == Entries{{7, 3}});  // of one dimension
    CHECK(QueryOf(*table, "grain").empty());                  // a weight of 0 says nothing
    CHECK(QueryOf(*table, "").empty());
    const auto stems = Make({{"mill", 1, 1}}, "porter stop=english");
    CHECK(QueryOf(*stems, "the milling of mills") == Entries{{1, 1}});
}

TEST_CASE("tokens that no word can be say nothing", "[sparse][tokens]") {
    const auto table =
        Make({{"a b", 1, 1}, {"[CLS]", 2, 1}, {"B", 3, 1}, {"b", 4, 1}, {",", 5, 1}});
    CHECK(QueryOf(*table, "a b [CLS], B") == Entries{{4, 1.0f}});
}

TEST_CASE("a word that is no token is cut into pieces", "[sparse][tokens]") {
    const std::vector<sparse::TokenWeight> pieces = {
        {"un", 0, 1},  {"##aff", 1, 2}, {"##able", 2, 3}, {"##a", 3, 4}, {"able", 4, 5},
        {"##ö", 5, 6}, {"k", 6, 7},     {"whole", 7, 8},  {"who", 8, 9}, {"##le", 9, 10}};
    const auto table = Make(pieces, "wordpiece remove_diacritics=0");
    CHECK(QueryOf(*table, "unaffable") == Entries{{0, 1}, {1, 2}, {2, 3}});
    CHECK(QueryOf(*table, "una") == Entries{{0, 1}, {3, 4}});
    CHECK(QueryOf(*table, "unx").empty());  // does not come out even
    CHECK(QueryOf(*table, "able") == Entries{{4, 5}});
    CHECK(QueryOf(*table, "kö") == Entries{{6, 7}, {5, 6}});
    CHECK(QueryOf(*table, "whole") == Entries{{7, 8}});
    CHECK(QueryOf(*table, "una unaffa") == Entries{{0, 1}, {1, 2}, {3, 4}});
    CHECK(QueryOf(*table, "un" + std::string(200, 'a')) == Entries{{0, 1}, {3, 4}});
    // Of a word, its first 255 bytes.
    CHECK(QueryOf(*table, "un" + std::string(253, 'a') + "x") == Entries{{0, 1}, {3, 4}});
    CHECK(QueryOf(*Make(pieces), "unaffable").empty());  // only if it is asked for
}

TEST_CASE("bad token weights are refused", "[sparse][tokens]") {
    const auto code = [](const std::vector<sparse::TokenWeight>& tokens, const char* options = "") {
        return TokenWeights::Make(tokens, options, 10).status().code();
    };
    const std::string longest(256, 'x');
    CHECK(code({{"a", 0, 1}, {"b", 0, 1}, {"a", 1, 1}}) == Code::kInvalid);
    CHECK(code({{"", 0, 1}}) == Code::kInvalid);
    CHECK(code({{longest, 0, 1}}) == Code::kLimit);
    CHECK(code({{std::string_view(longest).substr(1), 0, 1}}) == Code::kOk);
    CHECK(code({{"\xff", 0, 1}}) == Code::kMalformed);
    CHECK(code({{"a", 10, 1}}) == Code::kDimension);
    CHECK(code({{"a", 0, NAN}}) == Code::kNotFinite);
    CHECK(code({{"a", 0, INFINITY}}) == Code::kNotFinite);
    for (const char* const bad : {"k1=1", "b=0.5", "positions=1", "tokenizer=none", "wordpiece=1",
                                  "synonyms=a", "x", "stop=a stop=b", "wordpiece wordpiece"}) {
        CAPTURE(bad);
        CHECK(code({{"a", 0, 1}}, bad) == Code::kOption);
    }
    CHECK(TokenWeights::Make({{"a", 0, 1}}, "postions=1 wordpiece", 10).status().message() ==
          "text options: unknown option 'postions'; there are: wordpiece, tokenizer, porter, stop, "
          "synonyms; and of unicode61: remove_diacritics, categories, tokenchars, separators");
    const auto table = Make({{"a", 1, 3e38f}, {"b", 1, 3e38f}});
    const auto analyzer = table->NewAnalyzer(storage::OpenTokenizer);
    CHECK(table->Query("a b", analyzer->get()).status().code() == Code::kNotFinite);
    CHECK(table->Query("a \xff", analyzer->get()).status().code() == Code::kMalformed);
    CHECK(table->Query(std::string(65537, 'a'), analyzer->get()).status().code() == Code::kLimit);
}

TEST_CASE("damaged token weights are told", "[sparse][tokens]") {
    const auto made = TokenWeights::Make({{"a", 1, 1}, {"bc", 2, -2}}, "porter", 10);
    const Bytes bytes = (*made)->Encode();
    for (size_t cut = 0; cut < bytes.size(); cut++) {
        CHECK(TokenWeights::Decode(bytes.substr(0, cut), 10).status().code() == Code::kCorrupt);
    }
    CHECK(!TokenWeights::Decode(bytes + "x", 10).ok());
    CHECK(!TokenWeights::Decode(bytes, 2).ok());  // a dimension too high
    for (size_t at = 0; at < bytes.size(); at++) {
        for (const int bit : {1, 16, 128}) {
            Bytes wrong = bytes;
            wrong[at] = static_cast<char>(wrong[at] ^ bit);
            const auto read = TokenWeights::Decode(wrong, 10);  // must end in either
            CHECK((read.ok() || read.status().code() == Code::kCorrupt));
        }
    }
}

TEST_CASE("a sparse field is searched by texts", "[sparse][tokens]") {
    TokenFile file;
    file.Put(0, 30);
    TokenFile::Found found;
    CHECK(file.Search("mill", &found) == QUERN_ERR_INVALID);
    CHECK(std::string(file.err.message).find("'w' has no token weights") != std::string::npos);
    file.Ok(file.SetTokens({"mill", "stone"}, {4, 9}, {2, 0.25f}));
    const auto check = [&] {
        found.clear();
        file.Ok(file.Search("The mill of stone", &found));
        CHECK(found == file.SearchVector({4, 9}, {2, 0.25f}));
        CHECK(found.size() == 10);
    };
    check();
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    check();
    file.Put(20, 25);  // in the log
    file.Reopen();
    check();
    const std::string copy = file.path() + "-copy";
    std::remove(copy.c_str());
    file.Ok(quern_backup(file.db, copy.c_str(), &file.err));
    quern_db* copied = nullptr;
    file.Ok(quern_open(copy.c_str(), nullptr, &copied, &file.err));
    std::swap(copied, file.db);
    check();
    std::swap(copied, file.db);
    quern_close(copied);
    std::remove(copy.c_str());
    // Others take their place, in searches that come; one entry changes only what has the token.
    file.Ok(file.SetTokens({"mill", "stone"}, {}, {1, 1}));
    found.clear();
    file.Ok(file.Search("stone", &found));
    CHECK(found == file.SearchVector({1}, {1}));
    file.Ok(file.SetTokens({}, {}, {}));
    CHECK(file.Search("stone", &found) == QUERN_ERR_INVALID);
    file.Ok(file.SetTokens({"mill"}, {4}, {1}));
    file.Ok(quern_vacuum(file.db, &file.err));
    CHECK(file.Problems().empty());
    file.Ok(quern_drop_column(file.db, "terms", "w", &file.err));
    CHECK(file.Problems().empty());
    file.Ok(quern_drop(file.db, "terms", &file.err));
    CHECK(file.Problems().empty());
}

TEST_CASE("token weights without numbers say how rare dimensions are", "[sparse][tokens]") {
    TokenFile file;
    file.Put(0, 10);  // dimension d is in d + 1 of 10 records
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Put(10, 20);
    int64_t gone = 19;
    quern_batch* batch = quern_batch_new(file.db, "terms", 1);
    quern_batch_key_int(batch, &gone);
    file.Ok(quern_delete(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(file.SetTokens({"a", "b", "c"}, {0, 9, 99}, {}));
    TokenFile::Found found;
    file.Ok(file.Search("b", &found));
    const auto idf = [](double df) { return std::log(1 + (19 - df + 0.5) / (df + 0.5)); };
    CHECK(found == file.SearchVector({9}, {static_cast<float>(idf(19))}));
    found.clear();
    file.Ok(file.Search("a b c", &found));
    CHECK(found ==
          file.SearchVector({0, 9, 99}, {static_cast<float>(idf(2)), static_cast<float>(idf(19)),
                                         static_cast<float>(idf(0))}));
}

TEST_CASE("token weights in a file are proven", "[sparse][tokens]") {
    const std::string of_table = " WHERE segment IN (SELECT id FROM quern_segment WHERE state=4)";
    TokenFile file;
    file.Put(0, 3);
    file.Ok(file.SetTokens({"mill", "stone"}, {4, 9}, {2, 0.25f}, "porter"));
    TokenFile::Found found;
    SECTION("a chunk") {
        file.Alter(
            "UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE (id>>20) IN (SELECT "
            "id FROM quern_part" +
            of_table + ")");
        CHECK(file.Search("mill", &found) == QUERN_ERR_CORRUPT);
        CHECK(std::string(file.err.message).find("token weights of field 'w'") !=
              std::string::npos);
        CHECK(file.SearchVector({4}, {1}).size() == 3);  // all else works
    }
    SECTION("the part") {
        file.Alter("DELETE FROM quern_part" + of_table);
    }
    SECTION("the segment") {
        file.Alter("UPDATE quern_segment SET state=3 WHERE state=4");
    }
    SECTION("of no field") {
        file.Alter("UPDATE quern_part SET field=77" + of_table);
    }
    CHECK(!file.Problems().empty());
}
