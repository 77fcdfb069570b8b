// What searches say of themselves: what scores are made of, counters of postings, blocks and cells,
// and how long stages took, each beside a count of its own.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "articles_file.h"
#include "indexed_file.h"

using namespace quern::testing;
using Json = nlohmann::json;

namespace {

Json Explain(quern_db*, quern_query* query, const quern_result* result) {
    quern_text* text = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    const int32_t status = quern_explain_hits(query, result, &text, &err);
    INFO(err.message);
    REQUIRE(status == QUERN_OK);
    Json json = Json::parse(quern_text_data(text));
    quern_text_free(text);
    return json;
}

// What a record has in the sparse field, and its words.
struct Stored {
    std::map<uint32_t, double> terms;
    std::map<std::string, size_t> words;
};

Stored Read(Articles* articles, int64_t key) {
    quern_batch* batch = quern_batch_new(articles->db, "articles", 1);
    quern_batch_key_int(batch, &key);
    quern_result* result = nullptr;
    articles->Ok(quern_get(batch, nullptr, "terms body", &result, &articles->err));
    Stored stored;
    const float* weights = nullptr;
    size_t n = 0;
    const uint32_t* const dims = quern_result_sparse(result, 0, 0, &weights, &n);
    for (size_t i = 0; i < n; i++) {
        stored.terms[dims[i]] = static_cast<double>(weights[i]);
    }
    const char* const text = quern_result_text(result, 0, 1, nullptr);
    std::istringstream words(text == nullptr ? "" : text);
    for (std::string word; words >> word;) {
        stored.words[word]++;
    }
    quern_result_free(result);
    quern_batch_free(batch);
    return stored;
}

double Sum(const Json& parts) {
    double sum = 0;
    for (const Json& part : parts) {
        sum += part["adds"].get<double>();
    }
    return sum;
}

int64_t Stat(const quern_result* result, int32_t stat) {
    return quern_result_stat(result, stat);
}

quern_result* Search(quern_db* db, quern_query* query) {
    quern_error err = QUERN_ERROR_INIT;
    quern_result* result = nullptr;
    const int32_t status = quern_search(query, &result, &err);
    INFO(err.message);
    REQUIRE(status == QUERN_OK);
    static_cast<void>(db);
    return result;
}

}  // namespace

TEST_CASE("hits of one search are explained by their ranks", "[explain]") {
    Articles articles;
    for (int64_t key = 0; key < 200; key++) {
        articles.Put(key);
    }
    const float vector[kDim] = {1, -1, 2};
    for (const bool bounded : {false, true}) {
        quern_query* query = quern_query_new(articles.db, "articles");
        quern_query_dense(query, "emb", vector, 1, kDim);
        if (bounded) {
            quern_query_limit(query, 0);
            quern_query_min_score(query, -1);
        } else {
            quern_query_limit(query, 10);
            quern_query_offset(query, 120);
        }
        quern_result* result = Search(articles.db, query);
        const Json json = Explain(articles.db, query, result);
        REQUIRE(json["hits"].size() > 5);
        int64_t before = bounded ? 0 : 100;
        for (const Json& hit : json["hits"]) {
            const int64_t rank = hit["legs"][0]["rank"].get<int64_t>();
            CHECK(rank >= before);
            before = rank;
            CHECK(hit["legs"][0]["name"] == "emb");
            CHECK(hit["legs"][0]["part"] == hit["score"]);
        }
        CHECK((!bounded || before > 100));
        quern_result_free(result);
        quern_query_free(query);
    }
}

namespace {

// Records with one number each.
struct Numbers {
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    Numbers(const std::vector<float>& numbers, const char* open, const char* index,
            bool optimized) {
        REQUIRE(quern_open(":memory:", open, &db, &err) == QUERN_OK);
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "number", 1, QUERN_L2, index);
        REQUIRE(quern_create(db, "numbers", schema, &err) == QUERN_OK);
        quern_schema_free(schema);
        std::vector<int64_t> keys;
        for (size_t i = 0; i < numbers.size(); i++) {
            keys.push_back(static_cast<int64_t>(i));
        }
        quern_batch* batch = quern_batch_new(db, "numbers", keys.size());
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "number", numbers.data(), 1, nullptr);
        REQUIRE(quern_upsert(batch, nullptr, &err) == QUERN_OK);
        quern_batch_free(batch);
        if (optimized) {
            REQUIRE(quern_optimize(db, nullptr, 0, &err) == QUERN_OK);
        }
    }
    ~Numbers() { quern_close(db); }
    Numbers(const Numbers&) = delete;
    Numbers& operator=(const Numbers&) = delete;
    quern_query* New() const { return quern_query_new(db, "numbers"); }
    // Looks for the number 0; limit 0: as it is.
    quern_query* Near(const float* zero, size_t limit) const {
        quern_query* leg = New();
        quern_query_dense(leg, "number", zero, 1, 1);
        if (limit > 0) {
            quern_query_limit(leg, limit);
        }
        return leg;
    }
    static void AddLeg(quern_query* query, quern_query* leg) {
        quern_query_leg(query, leg, 1, nullptr);
        quern_query_free(leg);
    }
    // By the keys of the hits: the ranks in one leg, 0 for null; frees the query.
    std::map<int64_t, size_t> Ranks(quern_query* query, size_t leg) const {
        quern_result* result = Search(db, query);
        const Json json = Explain(db, query, result);
        std::map<int64_t, size_t> ranks;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            const Json& of_leg = json["hits"][row]["legs"][leg];
            ranks[quern_result_key_int(result, row)] =
                of_leg["rank"].is_null() ? 0 : of_leg["rank"].get<size_t>();
            const bool by_rank = of_leg["part"] > 0.0;
            CHECK((!by_rank || of_leg["part"] == 1.0 / (60.0 + of_leg["rank"].get<double>())));
        }
        quern_result_free(result);
        quern_query_free(query);
        return ranks;
    }
};

}  // namespace

TEST_CASE("ranks of equal hits are the same wherever records lie", "[explain]") {
    std::vector<float> numbers = {0, 1, 1, 1, 1, 1};
    for (float number = 2; number < 100; number++) {
        numbers.push_back(number);
    }
    const float zero = 0;
    for (const char* index : {"index=none", "index=graph"}) {
        for (const bool optimized : {false, true}) {
            for (const char* open : {"threads=1", "threads=1 seal_rows=8"}) {
                CAPTURE(index, optimized, open);
                const Numbers stored(numbers, open, index, optimized);
                const auto make = [&](const char* fusion) {
                    quern_query* query = stored.New();
                    stored.AddLeg(query, stored.Near(&zero, 3));
                    quern_query_limit(query, 8);
                    quern_query_fusion(query, fusion);
                    return stored.Ranks(query, 0);
                };
                const std::map<int64_t, size_t> ranks = {{0, 1}, {1, 2}, {2, 2}, {3, 2},
                                                         {4, 2}, {5, 2}, {6, 0}, {7, 0}};
                CHECK(make("kind=sum") == ranks);
                // Of what ranks count for, the list is the end.
                const std::map<int64_t, size_t> listed = {{0, 1}, {1, 2}, {2, 2}};
                CHECK(make("kind=rrf") == listed);
            }
        }
    }
}

TEST_CASE("what another leg looks for by its key has no rank and takes none", "[explain]") {
    const float zero = 0;
    const bool optimized = GENERATE(false, true);
    const bool among = GENERATE(false, true);
    const char* const fusion = GENERATE("kind=sum", "kind=rrf");
    CAPTURE(optimized, among, fusion);
    const Numbers stored({0, 1, 2, 3, 4, 5, 6, 7}, "threads=1", "index=none", optimized);
    quern_query* query = stored.New();
    quern_query* by_key = stored.New();
    const int64_t key = 0;
    quern_query_key_int(by_key, "number", &key, 1);
    stored.AddLeg(query, by_key);
    stored.AddLeg(query, stored.Near(&zero, 3));
    quern_query_limit(query, 8);
    quern_query_fusion(query, fusion);
    if (among) {
        quern_query* candidates = stored.Near(&zero, 5);
        quern_query_candidates(query, candidates);
        quern_query_free(candidates);
    }
    std::map<int64_t, size_t> ranks = {{1, 1}, {2, 2}, {3, 3}, {4, 0}, {5, 0}};
    if (!among) {
        ranks[6] = ranks[7] = 0;
    }
    CHECK(stored.Ranks(query, 1) == ranks);
}

TEST_CASE("the parts of scores are those of the records and add up", "[explain]") {
    Articles articles;
    for (int64_t key = 0; key < 500; key++) {
        articles.Put(key);
        if (key == 200 || key == 350) {
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
    }
    for (int64_t key = 0; key < 500; key += 9) {
        articles.Delete(key);
    }
    size_t dimensions = 0, words = 0, absent = 0;
    for (int round = 0; round < 60; round++) {
        quern_query* query = quern_query_new(articles.db, "articles");
        std::vector<LegQuery> legs;
        legs.reserve(4);  // queries borrow what is in them
        for (size_t l = articles.Pick(1, 4); l > 0; l--) {
            legs.push_back(LegQuery::Make(&articles));
            quern_query* leg = legs.back().Query(articles.db);
            quern_query_leg(query, leg, legs.back().weight, nullptr);
            quern_query_free(leg);
        }
        quern_query_filter(query, round % 2 == 0 ? kFilter : nullptr);
        quern_result* result = Search(articles.db, query);
        const Json json = Explain(articles.db, query, result);
        REQUIRE(json["hits"].size() == quern_result_rows(result));
        std::vector<std::map<int64_t, double>> alone;
        for (const LegQuery& leg : legs) {
            alone.push_back(Alone(&articles, leg, round % 2 == 0));
        }
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            const Json& hit = json["hits"][row];
            const int64_t key = quern_result_key_int(result, row);
            REQUIRE(hit["key"] == key);
            const Stored stored = Read(&articles, key);
            for (size_t l = 0; l < legs.size(); l++) {
                const Json& leg = hit["legs"][l];
                const double score = quern_result_leg_score(result, row, l);
                if (std::isnan(score)) {
                    absent++;
                    REQUIRE(leg["score"].is_null());
                    continue;
                }
                REQUIRE(leg["score"] == score);
                if (legs[l].field < 3) {
                    // How many are better, of those that the filter leaves.
                    const auto rank =
                        1 + std::count_if(alone[l].begin(), alone[l].end(),
                                          [&](const auto& other) { return other.second > score; });
                    REQUIRE((rank <= 100 ? leg["rank"] == rank : leg["rank"].is_null()));
                }
                if (legs[l].field < 2) {
                    REQUIRE(leg["kind"] == "dense");
                    REQUIRE(!leg.contains("coarse"));  // no index, no codes
                    continue;
                }
                REQUIRE(Sum(leg["parts"]) == score);
                std::map<std::string, size_t> wanted;
                if (legs[l].field == 3) {
                    std::istringstream text(legs[l].text);
                    for (std::string word; text >> word;) {
                        if (stored.words.count(word) > 0) {
                            wanted[word] = stored.words.at(word);
                        }
                    }
                    std::map<std::string, size_t> told;
                    for (const Json& part : leg["parts"]) {
                        told[part["term"]] = part["occurrences"];
                        REQUIRE(part["adds"] ==
                                part["weight"].get<double>() * part["value"].get<double>());
                        words++;
                    }
                    REQUIRE(told == wanted);
                    continue;
                }
                size_t common = 0;
                for (size_t i = 0; i < legs[l].dims.size(); i++) {
                    const auto has = stored.terms.find(legs[l].dims[i]);
                    if (has == stored.terms.end()) {
                        continue;
                    }
                    const Json& part = leg["parts"][common++];
                    REQUIRE(part["dimension"] == legs[l].dims[i]);
                    REQUIRE(part["weight"] == static_cast<double>(legs[l].weights[i]));
                    REQUIRE(part["value"] == has->second);
                    dimensions++;
                }
                REQUIRE(leg["parts"].size() == common);
            }
        }
        quern_result_free(result);
        quern_query_free(query);
    }
    CHECK(dimensions > 300);
    CHECK(words > 300);
    CHECK(absent > 100);
}

TEST_CASE("hits that are gone or changed are told as they are now", "[explain]") {
    Articles articles;
    for (int64_t key = 0; key < 400; key++) {
        articles.Put(key);
    }
    quern_query* query = quern_query_new(articles.db, "articles");
    const char* const words = "mill sto* \"water wheel\"";
    quern_query_text(query, "body", &words, 1);
    quern_query_limit(query, 400);
    quern_result* result = Search(articles.db, query);
    REQUIRE(quern_result_rows(result) > 5);
    quern_snapshot* before = nullptr;
    articles.Ok(quern_snapshot_new(articles.db, &before, &articles.err));
    articles.Delete(quern_result_key_int(result, 0));
    Json json = Explain(articles.db, query, result);
    CHECK(json["hits"][0]["gone"] == true);
    CHECK(json["hits"][1]["legs"][0]["parts"].size() > 0);
    CHECK(json["hits"][1]["legs"][0]["name"] == "body");
    CHECK(json["hits"][1]["legs"][0]["part"] == json["hits"][1]["score"]);
    quern_query_snapshot(query, before);
    json = Explain(articles.db, query, result);
    bool beginning = false, phrase = false;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        const Json& leg = json["hits"][row]["legs"][0];
        CHECK(static_cast<float>(Sum(leg["parts"])) == quern_result_score(result, row));
        for (const Json& part : leg["parts"]) {
            beginning = beginning || part["term"] == "sto*";
            phrase = phrase || part["term"] == "water wheel";
        }
    }
    CHECK(beginning);
    CHECK(phrase);
    quern_result_free(result);
    quern_query_free(query);
    quern_snapshot_free(before);
}

TEST_CASE("counters of postings and blocks are those of a count", "[explain]") {
    Articles articles;
    constexpr size_t kRecords = 5000;
    constexpr size_t kBlockRows = 2048;  // of texts
    std::vector<std::vector<uint32_t>> dims(kRecords);
    std::vector<std::string> texts(kRecords);
    std::vector<int64_t> keys(kRecords);
    std::vector<size_t> offsets{0};
    std::vector<uint32_t> all_dims;
    std::vector<float> weights;
    std::vector<const char*> pointers;
    for (size_t i = 0; i < kRecords; i++) {
        keys[i] = static_cast<int64_t>(i);
        for (uint32_t d = 0; d < 40; d++) {
            if (articles.Pick(0, 40) < 40 - d) {
                dims[i].push_back(d);
                all_dims.push_back(d);
                weights.push_back(static_cast<float>(articles.Pick(1, 9)));
            }
        }
        offsets.push_back(all_dims.size());
        texts[i] = articles.Words(articles.Pick(0, 6));
        texts[i] += i >= 4500 && i % 50 == 0 ? " rare rare rare" : "";
    }
    for (const std::string& text : texts) {
        pointers.push_back(text.c_str());
    }
    quern_batch* batch = quern_batch_new(articles.db, "articles", kRecords);
    quern_batch_key_int(batch, keys.data());
    quern_batch_sparse(batch, "terms", offsets.data(), all_dims.data(), weights.data(), nullptr);
    quern_batch_text(batch, "body", pointers.data(), nullptr);
    articles.Ok(quern_insert(batch, nullptr, &articles.err));
    quern_batch_free(batch);
    articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));

    const auto postings_of = [&](const std::set<std::string>& words, std::set<size_t>* blocks) {
        size_t postings = 0;
        for (size_t i = 0; i < kRecords; i++) {
            std::set<std::string> has;
            std::istringstream stream(texts[i]);
            for (std::string word; stream >> word;) {
                if (words.count(word) > 0) {
                    has.insert(word);
                    blocks->insert(i / kBlockRows);
                }
            }
            postings += has.size();
        }
        return postings;
    };
    const auto run = [&](const char* text, size_t limit) {
        quern_query* query = quern_query_new(articles.db, "articles");
        quern_query_text(query, "body", &text, 1);
        quern_query_limit(query, limit);
        quern_result* result = Search(articles.db, query);
        quern_query_free(query);
        return result;
    };
    for (const char* text : {"mill stone", "rare", "rare oven", "nowhere", "mill nowhere"}) {
        CAPTURE(text);
        std::istringstream stream(text);
        std::set<std::string> words;
        for (std::string word; stream >> word;) {
            words.insert(word);
        }
        std::set<size_t> blocks;
        const size_t postings = postings_of(words, &blocks);
        // All of it is wanted, so all of it is read.
        quern_result* result = run(text, kRecords);
        CHECK(Stat(result, QUERN_RESULT_POSTINGS) == static_cast<int64_t>(postings));
        CHECK(Stat(result, QUERN_RESULT_BLOCKS) == static_cast<int64_t>(blocks.size()));
        CHECK(Stat(result, QUERN_RESULT_BLOCKS_OPENED) == static_cast<int64_t>(blocks.size()));
        quern_result_free(result);
    }
    // The best is in the last block, whose bound is the highest: the others promise less than it.
    std::set<size_t> blocks;
    postings_of({"rare", "oven"}, &blocks);
    REQUIRE(blocks.size() == 3);
    quern_result* result = run("rare oven", 1);
    CHECK(Stat(result, QUERN_RESULT_BLOCKS) == 3);
    CHECK(Stat(result, QUERN_RESULT_BLOCKS_OPENED) == 1);
    size_t in_last = 0;
    for (size_t i = 2 * kBlockRows; i < kRecords; i++) {
        in_last += texts[i].find("rare") != std::string::npos ? 1 : 0;
        in_last += texts[i].find("oven") != std::string::npos ? 1 : 0;
    }
    CHECK(Stat(result, QUERN_RESULT_POSTINGS) == static_cast<int64_t>(in_last));
    quern_result_free(result);

    // Of the sparse field: two superblocks of 4096 rows; in what order records stand in them is the
    // index's business.
    const uint32_t asked[] = {3, 17, 30};
    const float of_query[] = {1, 2, 0.5f};
    const size_t one[2] = {0, 3};
    quern_query* query = quern_query_new(articles.db, "articles");
    quern_query_sparse(query, "terms", one, asked, of_query, 1);
    quern_query_limit(query, kRecords);
    result = Search(articles.db, query);
    size_t postings = 0;
    for (const auto& of_record : dims) {
        for (const uint32_t d : asked) {
            postings += std::count(of_record.begin(), of_record.end(), d) > 0 ? 1 : 0;
        }
    }
    CHECK(Stat(result, QUERN_RESULT_POSTINGS) == static_cast<int64_t>(postings));
    CHECK(Stat(result, QUERN_RESULT_BLOCKS) == 2);
    CHECK(Stat(result, QUERN_RESULT_BLOCKS_OPENED) == 2);
    quern_result_free(result);
    quern_query_limit(query, 1);
    result = Search(articles.db, query);
    CHECK(Stat(result, QUERN_RESULT_POSTINGS) <= static_cast<int64_t>(postings));
    quern_result_free(result);

    // Of a query with legs: each leg's own, and their sum.
    quern_query* both = quern_query_new(articles.db, "articles");
    quern_query* words = quern_query_new(articles.db, "articles");
    const char* const text = "mill stone";
    quern_query_text(words, "body", &text, 1);
    quern_query_limit(words, kRecords);
    quern_query_limit(query, kRecords);
    quern_query_leg(both, words, 1, nullptr);
    quern_query_leg(both, query, 1, nullptr);
    result = Search(articles.db, both);
    const size_t of_text = postings_of({"mill", "stone"}, &blocks);
    CHECK(quern_result_leg_stat(result, 0, QUERN_RESULT_POSTINGS) == static_cast<int64_t>(of_text));
    CHECK(quern_result_leg_stat(result, 1, QUERN_RESULT_POSTINGS) ==
          static_cast<int64_t>(postings));
    CHECK(Stat(result, QUERN_RESULT_POSTINGS) == static_cast<int64_t>(of_text + postings));
    quern_result_free(result);
    quern_query_free(both);
    quern_query_free(words);
    quern_query_free(query);
}

TEST_CASE("stages are within the whole", "[explain]") {
    Articles articles;
    for (int64_t key = 0; key < 600; key++) {
        articles.Put(key);
    }
    for (int round = 0; round < 40; round++) {
        quern_query* query = quern_query_new(articles.db, "articles");
        std::vector<LegQuery> legs;
        legs.reserve(3);
        for (size_t l = articles.Pick(1, 3); l > 0; l--) {
            legs.push_back(LegQuery::Make(&articles));
            quern_query* leg = legs.back().Query(articles.db);
            quern_query_limit(leg, 5);
            quern_query_leg(query, leg, 1, nullptr);
            quern_query_free(leg);
        }
        if (round % 2 == 0) {
            quern_query_filter(query, kFilter);
        }
        quern_result* result = Search(articles.db, query);
        int64_t stages = 0;
        for (const int32_t stat :
             {QUERN_RESULT_FILTER_NS, QUERN_RESULT_SEARCH_NS, QUERN_RESULT_LOOKUP_NS,
              QUERN_RESULT_FUSE_NS, QUERN_RESULT_FETCH_NS}) {
            CHECK(Stat(result, stat) >= 0);
            stages += Stat(result, stat);
        }
        CHECK(stages <= Stat(result, QUERN_RESULT_TOTAL_NS));
        CHECK(Stat(result, QUERN_RESULT_SEARCH_NS) > 0);
        CHECK(Stat(result, QUERN_RESULT_FETCH_NS) > 0);
        int64_t of_legs = 0;
        bool looked_up = false;
        for (size_t l = 0; l < legs.size(); l++) {
            of_legs += quern_result_leg_stat(result, l, QUERN_RESULT_SEARCH_NS);
            looked_up = looked_up || quern_result_leg_stat(result, l, QUERN_RESULT_LOOKED_UP) > 0;
        }
        CHECK(of_legs == Stat(result, QUERN_RESULT_SEARCH_NS));
        CHECK((!looked_up || Stat(result, QUERN_RESULT_LOOKUP_NS) > 0));
        quern_result_free(result);
        quern_query_free(query);
    }
}

// A stage that somebody forgot is missing in each of many; what the machine does beside is not.
TEST_CASE("stages are nearly the whole of a first search", "[explain]") {
    using indexed::IndexedFile;
    using indexed::kDim;
    IndexedFile file("_stages");
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "emb", kDim, QUERN_COSINE, "index=graph codes=i8");
    quern_schema_dense(schema, "other", kDim, QUERN_COSINE, "index=none");
    quern_schema_attr(schema, "year", QUERN_INT, nullptr);
    file.Ok(quern_create(file.db, "docs", schema, &file.err));
    quern_schema_free(schema);
    const size_t count = 3000;
    const std::vector<float> rows = indexed::MakeRows(count, 1);
    std::vector<int64_t> keys(count);
    for (size_t i = 0; i < count; i++) {
        keys[i] = static_cast<int64_t>(i);
    }
    quern_batch* batch = quern_batch_new(file.db, "docs", count);
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "emb", rows.data(), kDim, nullptr);
    quern_batch_dense(batch, "other", rows.data(), kDim, nullptr);
    quern_batch_int(batch, "year", keys.data(), nullptr);
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    double most = 0;
    for (int round = 0; round < 12; round++) {
        file.Open();
        quern_query* query = quern_query_new(file.db, "docs");
        for (const char* field : {"emb", "other"}) {
            quern_query* leg = quern_query_new(file.db, "docs");
            quern_query_dense(leg, field, rows.data(), 1, kDim);
            quern_query_leg(query, leg, 1, nullptr);
            quern_query_free(leg);
        }
        if (round % 2 == 0) {
            quern_query_filter(query, "year > 100");
        }
        if (round % 3 == 0) {
            quern_query_formula(query, "emb + other - year / 1000");
        }
        quern_result* result = Search(file.db, query);
        int64_t stages = 0;
        for (const int32_t stat :
             {QUERN_RESULT_FILTER_NS, QUERN_RESULT_SEARCH_NS, QUERN_RESULT_LOOKUP_NS,
              QUERN_RESULT_FUSE_NS, QUERN_RESULT_FETCH_NS}) {
            stages += Stat(result, stat);
        }
        const int64_t total = Stat(result, QUERN_RESULT_TOTAL_NS);
        CHECK(stages <= total);
        most = std::max(most, static_cast<double>(stages) / static_cast<double>(total));
        quern_result_free(result);
        quern_query_free(query);
    }
    CHECK(most > 0.5);  // of the best of all: what no stage holds would be missing in each
}

TEST_CASE("coarse distances are what the codes of an index say", "[explain]") {
    using indexed::IndexedFile;
    using indexed::kDim;
    for (const char* options : {"index=graph codes=i8", "index=graph codes=4bit",
                                "index=graph codes=pq", "index=lists codes=4bit"}) {
        CAPTURE(options);
        IndexedFile file;
        file.Create(QUERN_COSINE, options);
        file.Insert(0, indexed::MakeRows(3000, 1));
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        file.Insert(5000, indexed::MakeRows(20, 3));  // in the log: no codes
        const std::vector<float> vector = indexed::MakeRows(1, 2);
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, "emb", vector.data(), 1, kDim);
        quern_query_limit(query, 20);
        const bool graph = std::string(options).find("graph") != std::string::npos;
        if (graph) {
            quern_query_options(query, "refine=none ef=200");
        }
        quern_result* result = Search(file.db, query);
        const Json json = Explain(file.db, query, result);
        size_t coarse = 0, apart = 0;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            const Json& leg = json["hits"][row]["legs"][0];
            if (quern_result_key_int(result, row) >= 5000) {
                CHECK(!leg.contains("coarse"));
                continue;
            }
            coarse++;
            const double distance = leg["distance"];
            CHECK(distance == Approx(leg["coarse"].get<double>()).margin(0.2));
            apart += distance != leg["coarse"].get<double>() ? 1 : 0;
            CHECK(std::string(options).find(leg["codes"].get<std::string>()) != std::string::npos);
            if (graph) {
                // Such a search hands out the distances of the codes.
                CHECK(leg["coarse"].get<float>() == quern_result_distance(result, row));
            }
        }
        CHECK(coarse > 10);
        CHECK(apart > 5);
        if (!graph) {
            CHECK(Stat(result, QUERN_RESULT_CELLS_OPENED) > 0);
        }
        CHECK(Stat(result, QUERN_RESULT_REFINE_NS) <= Stat(result, QUERN_RESULT_SEARCH_NS));
        quern_result_free(result);
        quern_query_free(query);
    }
}

TEST_CASE("a score that f32 has no room for is explained by the number that it is", "[explain]") {
    Articles articles;
    quern_schema* schema = quern_schema_new();
    quern_schema_sparse(schema, "huge", nullptr);
    articles.Ok(quern_create(articles.db, "numbers", schema, &articles.err));
    quern_schema_free(schema);
    const int64_t keys[] = {1, 2};
    const size_t offsets[] = {0, 1, 2};
    const uint32_t dims[] = {7, 7};
    const float weights[] = {3e38f, -2e38f};
    quern_batch* batch = quern_batch_new(articles.db, "numbers", 2);
    quern_batch_key_int(batch, keys);
    quern_batch_sparse(batch, "huge", offsets, dims, weights, nullptr);
    articles.Ok(quern_upsert(batch, nullptr, &articles.err));
    quern_batch_free(batch);
    quern_query* query = quern_query_new(articles.db, "numbers");
    quern_query_sparse(query, "huge", offsets, dims, weights, 1);
    quern_result* result = nullptr;
    articles.Ok(quern_search(query, &result, &articles.err));
    const Json hits = Explain(articles.db, query, result)["hits"];
    REQUIRE(hits.size() == 2);
    for (size_t i = 0; i < 2; i++) {
        const double score = static_cast<double>(3e38f) * static_cast<double>(weights[i]);
        CHECK(hits[i]["key"] == keys[i]);
        CHECK(hits[i]["score"] == score);
        CHECK(hits[i]["legs"][0]["score"] == score);
    }
    quern_result_free(result);
    quern_query_free(query);
}
