// Feedback for sparse and text queries, beside Rocchio and averages that are worked out here.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

constexpr size_t kRecords = 400;
constexpr size_t kTerms = 60;
using Weights = std::map<uint32_t, double>;  // of dimensions, or of words by their numbers

std::string WordOf(uint32_t term) {
    std::string word = "w";
    word.push_back(static_cast<char>('a' + term / 10));
    word.push_back(static_cast<char>('a' + term % 10));
    return word;
}

double LengthOf(const Weights& weights) {
    double sum = 0;
    for (const auto& [term, weight] : weights) {
        sum += weight * weight;
    }
    return std::sqrt(sum);
}

struct Setting {
    bool average = false;
    size_t docs = 10;
    double alpha = 1, beta = 0.75;
    size_t terms = 50;
};

// What comes to a query of some length.
Weights Added(const Setting& setting, double length, const std::vector<Weights>& docs) {
    Weights sum;
    for (const Weights& doc : docs) {
        for (const auto& [term, weight] : doc) {
            sum[term] += weight / LengthOf(doc);
        }
    }
    std::vector<std::pair<double, uint32_t>> order;
    for (const auto& [term, weight] : sum) {
        order.emplace_back(-std::abs(weight), term);
    }
    std::sort(order.begin(), order.end());
    Weights kept;
    for (size_t i = 0; i < std::min(setting.terms, order.size()); i++) {
        kept[order[i].second] = sum[order[i].second];
    }
    const double factor = setting.average ? length / static_cast<double>(docs.size() + 1)
                                          : setting.beta * length / LengthOf(kept);
    for (auto& [term, weight] : kept) {
        weight *= factor;
    }
    return kept;
}

struct Collection {
    std::vector<Weights> sparse{kRecords};
    std::vector<Weights> words{kRecords};  // how often each is there
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    std::mt19937 random{7};

    Collection() {
        Ok(quern_open(":memory:", nullptr, &db, &err));
        quern_schema* schema = quern_schema_new();
        quern_schema_sparse(schema, "terms", nullptr);
        quern_schema_text(schema, "body", nullptr);
        quern_schema_dense(schema, "emb", 2, QUERN_L2, nullptr);
        Ok(quern_create(db, "docs", schema, &err));
        quern_schema_free(schema);
        std::vector<size_t> offsets{0};
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        std::vector<std::string> texts(kRecords);
        std::vector<const char*> pointers;
        std::vector<int64_t> keys;
        for (size_t i = 0; i < kRecords; i++) {
            keys.push_back(static_cast<int64_t>(i));
            const uint32_t topic = static_cast<uint32_t>(i % 6) * 10;
            for (int n = 0; n < 8; n++) {
                const uint32_t term = Pick(3) == 0 ? Pick(kTerms - 1) : topic + Pick(9);
                if (sparse[i].emplace(term, 0).second) {
                    sparse[i][term] = static_cast<double>(Pick(8) + 1) / 2;
                }
                words[i][term]++;
                texts[i] += " " + WordOf(term);
            }
            for (const auto& [term, weight] : sparse[i]) {
                dims.push_back(term);
                weights.push_back(static_cast<float>(weight));
            }
            offsets.push_back(dims.size());
        }
        for (const std::string& text : texts) {
            pointers.push_back(text.c_str());
        }
        const std::vector<float> emb(2 * kRecords, 1);
        quern_batch* batch = quern_batch_new(db, "docs", kRecords);
        quern_batch_key_int(batch, keys.data());
        quern_batch_sparse(batch, "terms", offsets.data(), dims.data(), weights.data(), nullptr);
        quern_batch_text(batch, "body", pointers.data(), nullptr);
        quern_batch_dense(batch, "emb", emb.data(), 2, nullptr);
        Ok(quern_insert(batch, nullptr, &err));
        quern_batch_free(batch);
        Ok(quern_optimize(db, nullptr, 0, &err));
    }
    ~Collection() { quern_close(db); }

    uint32_t Pick(uint32_t most) { return static_cast<uint32_t>(random() % (most + 1)); }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    std::vector<std::pair<int64_t, double>> Search(quern_query* query) {
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err));
        CHECK((quern_result_flags(result) & QUERN_FLAG_EXACT) != 0);
        std::vector<std::pair<int64_t, double>> hits;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            hits.emplace_back(quern_result_key_int(result, row),
                              static_cast<double>(quern_result_score(result, row)));
        }
        quern_result_free(result);
        return hits;
    }
    int32_t Status(quern_query* query) {
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &err);
        quern_result_free(result);
        return status;
    }

    // What a word adds to the score of a record.
    double Adds(uint32_t word, size_t record) const {
        const auto times = words[record].find(word);
        if (times == words[record].end()) {
            return 0;
        }
        double with = 0;
        for (const Weights& of : words) {
            with += of.count(word) > 0 ? 1 : 0;
        }
        const double idf = std::log(1 + (kRecords - with + 0.5) / (with + 0.5));
        return idf * times->second / (times->second + 1.2);  // all texts are as long
    }
};

using Hits = std::vector<std::pair<int64_t, double>>;

void CheckSame(const Hits& hits, const std::vector<double>& scores) {
    Hits want;
    for (size_t i = 0; i < scores.size(); i++) {
        if (scores[i] > 1e-9) {
            want.emplace_back(static_cast<int64_t>(i), scores[i]);
        }
    }
    std::stable_sort(want.begin(), want.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    REQUIRE(hits.size() == std::min<size_t>(30, want.size()));
    for (size_t i = 0; i < hits.size(); i++) {
        CHECK(hits[i].second == Approx(want[i].second).epsilon(1e-5));
        CHECK(scores[static_cast<size_t>(hits[i].first)] == Approx(want[i].second).epsilon(1e-5));
    }
}

// The options of a setting, and the setting.
std::pair<std::string, Setting> Settings(Collection* of) {
    Setting setting;
    setting.average = of->Pick(1) == 0;
    setting.docs = setting.average ? 3 : 10;
    std::string options = setting.average ? "kind=average" : "kind=rocchio";
    if (of->Pick(1) == 0) {
        setting.docs = of->Pick(6) + 1;
        options += " docs=" + std::to_string(setting.docs);
    }
    if (of->Pick(1) == 0) {
        setting.terms = of->Pick(9) + 1;
        options += " terms=" + std::to_string(setting.terms);
    }
    if (!setting.average && of->Pick(1) == 0) {
        setting.alpha = of->Pick(4);
        setting.beta = static_cast<double>(of->Pick(4)) / 2;
        setting.alpha = setting.alpha == 0 && setting.beta == 0 ? 1 : setting.alpha;
        options +=
            " alpha=" + std::to_string(setting.alpha) + " beta=" + std::to_string(setting.beta);
    }
    return {options, setting};
}

}  // namespace

TEST_CASE("sparse queries are moved by the records that they find", "[feedback]") {
    Collection docs;
    for (int round = 0; round < 120; round++) {
        Weights asked;
        const bool by_key = round % 4 == 0;
        const auto key = static_cast<int64_t>(docs.Pick(kRecords - 1));
        for (int i = 0; i < 3; i++) {
            asked[docs.Pick(kTerms - 1)] = docs.Pick(5) + 1;
        }
        asked = by_key ? docs.sparse[static_cast<size_t>(key)] : asked;
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        for (const auto& [term, weight] : asked) {
            dims.push_back(term);
            weights.push_back(static_cast<float>(weight));
        }
        const size_t offsets[2] = {0, dims.size()};
        quern_query* query = quern_query_new(docs.db, "docs");
        by_key ? quern_query_key_int(query, "terms", &key, 1)
               : quern_query_sparse(query, "terms", offsets, dims.data(), weights.data(), 1);
        const auto [options, setting] = Settings(&docs);
        CAPTURE(options);
        quern_query_limit(query, setting.docs);
        const Hits first = docs.Search(query);
        std::vector<Weights> found;
        for (const auto& [of, score] : first) {
            found.push_back(docs.sparse[static_cast<size_t>(of)]);
        }
        Weights moved;
        if (!found.empty()) {
            for (const auto& [term, weight] : asked) {
                moved[term] = weight * (setting.average ? 1 / static_cast<double>(found.size() + 1)
                                                        : setting.alpha);
            }
            for (const auto& [term, weight] : Added(setting, LengthOf(asked), found)) {
                moved[term] += weight;
            }
        } else {
            moved = asked;
        }
        std::vector<double> scores(kRecords, 0);
        for (size_t i = 0; i < kRecords; i++) {
            for (const auto& [term, weight] : docs.sparse[i]) {
                scores[i] += moved.count(term) > 0 ? moved[term] * weight : 0;
            }
        }
        if (by_key) {
            scores[static_cast<size_t>(key)] = 0;  // it does not find itself
        }
        quern_query_limit(query, 30);
        quern_query_feedback(query, options.c_str());
        CheckSame(docs.Search(query), scores);
        quern_query_free(query);
    }
}

TEST_CASE("words of the first hits come to a text query", "[feedback]") {
    Collection docs;
    for (int round = 0; round < 120; round++) {
        std::set<uint32_t> asked;
        std::string text;
        for (int i = 0; i < 3; i++) {
            const uint32_t word = docs.Pick(kTerms - 1);
            if (asked.insert(word).second) {
                text += " " + WordOf(word);
            }
        }
        const char* const words = text.c_str();
        quern_query* query = quern_query_new(docs.db, "docs");
        quern_query_text(query, "body", &words, 1);
        auto [options, setting] = Settings(&docs);
        if (setting.alpha == 0) {
            setting.alpha = 1;
            options += " ";
            options = "kind=rocchio docs=" + std::to_string(setting.docs) +
                      " terms=" + std::to_string(setting.terms) +
                      " beta=" + std::to_string(setting.beta);
        }
        CAPTURE(options);
        quern_query_limit(query, setting.docs);
        const Hits first = docs.Search(query);
        std::vector<Weights> found;
        for (const auto& [of, score] : first) {
            Weights& doc = found.emplace_back();
            for (const auto& [word, times] : docs.words[static_cast<size_t>(of)]) {
                doc[word] = docs.Adds(word, static_cast<size_t>(of));
            }
        }
        Weights boosts;
        for (const uint32_t word : asked) {
            boosts[word] = found.empty()     ? 1
                           : setting.average ? 1 / static_cast<double>(found.size() + 1)
                                             : setting.alpha;
        }
        if (!found.empty()) {
            const double length = std::sqrt(static_cast<double>(asked.size()));
            for (const auto& [word, weight] : Added(setting, length, found)) {
                boosts[word] += weight;
            }
        }
        std::vector<double> scores(kRecords, 0);
        for (size_t i = 0; i < kRecords; i++) {
            for (const auto& [word, boost] : boosts) {
                scores[i] += boost * docs.Adds(word, i);
            }
        }
        quern_query_limit(query, 30);
        quern_query_feedback(query, options.c_str());
        CheckSame(docs.Search(query), scores);
        quern_query_free(query);
    }
}

TEST_CASE("words that must be there, or must not, stay so", "[feedback]") {
    Collection docs;
    const char* const words = "+waa -wab";
    quern_query* query = quern_query_new(docs.db, "docs");
    quern_query_text(query, "body", &words, 1);
    quern_query_limit(query, 400);
    const size_t plain = docs.Search(query).size();
    quern_query_feedback(query, "kind=rocchio alpha=0");
    const Hits moved = docs.Search(query);
    CHECK(moved.size() == plain);
    for (const auto& [key, score] : moved) {
        CHECK(docs.words[static_cast<size_t>(key)].count(0) == 1);
        CHECK(docs.words[static_cast<size_t>(key)].count(1) == 0);
    }
    quern_query_free(query);
}

TEST_CASE("feedback for terms: legs, and what is wrong with it", "[feedback]") {
    Collection docs;
    const char* const words = "waa wab";
    const float at[2] = {1, 1};
    quern_query* text = quern_query_new(docs.db, "docs");
    quern_query_text(text, "body", &words, 1);
    quern_query* dense = quern_query_new(docs.db, "docs");
    quern_query_dense(dense, "emb", at, 1, 2);
    quern_query* both = quern_query_new(docs.db, "docs");
    quern_query_leg(both, text, 1, nullptr);
    quern_query_leg(both, dense, 0.001, nullptr);
    quern_query_feedback(both, "kind=rocchio leg=0");
    const Hits moved = docs.Search(both);
    quern_query_feedback(both, "kind=rocchio leg=0 beta=0");
    const Hits plain = docs.Search(both);
    REQUIRE(moved.size() == plain.size());
    CHECK(moved[0].second > plain[0].second);
    // The dense leg, unless another is named.
    quern_query_feedback(both, nullptr);
    CHECK(docs.Status(both) == QUERN_OK);
    quern_query_free(both);
    // A single leg needs no name.
    both = quern_query_new(docs.db, "docs");
    quern_query_leg(both, text, 1, nullptr);
    quern_query_feedback(both, "kind=rocchio");
    const Hits one = docs.Search(both);
    quern_query_feedback(text, "kind=rocchio");
    const Hits alone = docs.Search(text);
    REQUIRE(one.size() == alone.size());
    CHECK(one[0].second == Approx(alone[0].second));
    quern_query_free(both);
    quern_query_feedback(text, "terms=0");
    CHECK(docs.Status(text) == QUERN_ERR_OPTION);
    quern_query_free(text);
    quern_query_free(dense);
    const int64_t key = 3;
    text = quern_query_new(docs.db, "docs");
    quern_query_key_int(text, "body", &key, 1);
    quern_query_feedback(text, nullptr);
    CHECK(docs.Status(text) == QUERN_ERR_TYPE);
    CHECK(std::string(docs.err.message).find("'body'") != std::string::npos);
    quern_query_free(text);
}
