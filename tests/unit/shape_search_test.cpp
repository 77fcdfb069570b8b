// Pages, groups and diverse hits through the C API, beside what they should be made of: all hits of
// the same query.
#include <algorithm>
#include <cmath>
#include <map>

#include "articles_file.h"

using namespace quern::testing;

namespace {

struct Hit {
    int64_t key = 0;
    float score = 0;
    std::vector<float> vector;  // empty: it has none
    int64_t group = -1;
};

std::vector<Hit> Search(Articles* articles, quern_query* query) {
    quern_query_columns(query, "emb");
    quern_result* result = nullptr;
    articles->Ok(quern_search(query, &result, &articles->err));
    std::vector<Hit> hits;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        Hit hit;
        hit.key = quern_result_key_int(result, row);
        hit.score = quern_result_score(result, row);
        hit.group = quern_result_group(result, row);
        const auto* vector = static_cast<const float*>(quern_result_dense(result, row, 0, nullptr));
        if (vector != nullptr) {
            hit.vector.assign(vector, vector + kDim);
        }
        hits.push_back(hit);
    }
    quern_result_free(result);
    return hits;
}

double Cosine(const Hit& a, const Hit& b) {
    double product = 0;
    double of_a = 0;
    double of_b = 0;
    for (size_t i = 0; i < a.vector.size() && !b.vector.empty(); i++) {
        product += static_cast<double>(a.vector[i]) * static_cast<double>(b.vector[i]);
        of_a += static_cast<double>(a.vector[i]) * static_cast<double>(a.vector[i]);
        of_b += static_cast<double>(b.vector[i]) * static_cast<double>(b.vector[i]);
    }
    return product == 0 ? 0 : product / std::sqrt(of_a * of_b);
}

// A query of one field, or of two legs.
struct Queries {
    explicit Queries(Articles* of)
        : articles(of), first(LegQuery::Make(of)), second(LegQuery::Make(of)) {
        two = of->Pick(0, 1) == 0;
        filtered = of->Pick(0, 2) == 0;
    }
    quern_query* New(size_t limit) const {
        quern_query* query = nullptr;
        if (two) {
            query = quern_query_new(articles->db, "articles");
            for (const LegQuery* leg : {&first, &second}) {
                quern_query* of_leg = leg->Query(articles->db);
                quern_query_leg(query, of_leg, leg->weight, "absent=-3");
                quern_query_free(of_leg);
            }
        } else {
            query = first.Query(articles->db);
        }
        if (filtered) {
            quern_query_filter(query, kFilter);
        }
        quern_query_limit(query, limit);
        return query;
    }
    std::vector<Hit> All() const {
        quern_query* query = New(100000);
        std::vector<Hit> hits = Search(articles, query);
        quern_query_free(query);
        return hits;
    }
    Articles* articles;
    LegQuery first;
    LegQuery second;
    bool two = false;
    bool filtered = false;
};

void Fill(Articles* articles) {
    for (int64_t key = 0; key < 400; key++) {
        articles->Put(key);
        if (key == 250) {
            articles->Ok(quern_optimize(articles->db, nullptr, 0, &articles->err));
        }
    }
}

std::vector<int64_t> KeysOf(const std::vector<Hit>& hits) {
    std::vector<int64_t> keys;
    for (const Hit& hit : hits) {
        keys.push_back(hit.key);
    }
    return keys;
}

}  // namespace

TEST_CASE("an offset passes over the first hits") {
    Articles articles;
    Fill(&articles);
    for (int round = 0; round < 60; round++) {
        const Queries queries(&articles);
        const std::vector<Hit> all = queries.All();
        const size_t limit = articles.Pick(1, 20);
        const size_t offset =
            articles.Pick(0, 3) == 0 ? articles.Pick(0, 500) : articles.Pick(0, 30);
        CAPTURE(round, limit, offset);
        quern_query* query = queries.New(limit);
        quern_query_offset(query, offset);
        const std::vector<Hit> page = Search(&articles, query);
        quern_query_free(query);
        const size_t begin = std::min(offset, all.size());
        const size_t end = std::min(offset + limit, all.size());
        std::vector<int64_t> want;
        for (size_t i = begin; i < end; i++) {
            want.push_back(all[i].key);
        }
        REQUIRE(KeysOf(page) == want);
    }
}

TEST_CASE("groups have their best hits, the best groups first") {
    Articles articles;
    Fill(&articles);
    for (int round = 0; round < 60; round++) {
        const Queries queries(&articles);
        const bool by_key = articles.Pick(0, 5) == 0;
        const size_t limit = articles.Pick(1, 25);
        const size_t offset = articles.Pick(0, 1) * articles.Pick(0, 10);
        const size_t per_group = articles.Pick(1, 6);
        CAPTURE(round, limit, offset, per_group, by_key);
        std::vector<double> order;
        std::map<double, std::vector<int64_t>> groups;
        for (const Hit& hit : queries.All()) {
            const double value = by_key ? static_cast<double>(hit.key) : YearOf(hit.key);
            if (std::isnan(value)) {
                continue;
            }
            if (groups.count(value) == 0) {
                order.push_back(value);
            }
            if (groups[value].size() < per_group) {
                groups[value].push_back(hit.key);
            }
        }
        std::vector<int64_t> want;
        std::vector<int64_t> numbers;
        for (size_t g = offset; g < std::min(order.size(), offset + limit); g++) {
            for (const int64_t key : groups[order[g]]) {
                want.push_back(key);
                numbers.push_back(static_cast<int64_t>(g));
            }
        }
        quern_query* query = queries.New(limit);
        quern_query_offset(query, offset);
        quern_query_group(query, by_key ? "ID" : "year", per_group);
        const std::vector<Hit> hits = Search(&articles, query);
        quern_query_free(query);
        REQUIRE(KeysOf(hits) == want);
        for (size_t i = 0; i < hits.size(); i++) {
            REQUIRE(hits[i].group == numbers[i]);
        }
    }
}

TEST_CASE("near-duplicates of better hits are dropped") {
    Articles articles;
    Fill(&articles);
    for (int round = 0; round < 40; round++) {
        const Queries queries(&articles);
        const size_t limit = articles.Pick(1, 20);
        const size_t offset = articles.Pick(0, 5);
        CAPTURE(round, limit, offset);
        std::vector<Hit> kept;
        bool certain = true;
        for (const Hit& hit : queries.All()) {
            bool stays = true;
            for (const Hit& better : kept) {
                const double cosine = Cosine(hit, better);
                certain = certain && std::abs(cosine - 0.7) > 1e-5;
                stays = stays && cosine < 0.7;
            }
            if (stays) {
                kept.push_back(hit);
            }
        }
        std::vector<int64_t> want = KeysOf(kept);
        want.erase(want.begin(),
                   want.begin() + static_cast<ptrdiff_t>(std::min(offset, want.size())));
        want.resize(std::min(limit, want.size()));
        quern_query* query = queries.New(limit);
        quern_query_offset(query, offset);
        quern_query_diversify(query, "emb", "duplicates=0.7");
        const std::vector<Hit> hits = Search(&articles, query);
        quern_query_free(query);
        REQUIRE((!certain || KeysOf(hits) == want));
    }
}

TEST_CASE("copies of a vector are duplicates of it, whatever sums are rounded to") {
    Articles articles;
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    // A vector, it once more, its double, a third of it, and one that is nearly it.
    constexpr int64_t kEach = 5;
    constexpr int64_t kVectors = 300;
    const auto put = [&](int64_t key, std::vector<float> vector, float times) {
        for (float& x : vector) {
            x *= times;
        }
        quern_batch* batch = quern_batch_new(articles.db, "articles", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_dense(batch, "emb", vector.data(), kDim, nullptr);
        const int64_t year = key / kEach;
        quern_batch_int(batch, "year", &year, nullptr);
        articles.Ok(quern_upsert(batch, nullptr, &articles.err));
        quern_batch_free(batch);
    };
    std::vector<std::vector<float>> vectors;
    for (int64_t i = 0; i < kVectors; i++) {
        std::vector<float> vector(kDim);
        for (float& x : vector) {
            x = normal(random);
        }
        vectors.push_back(vector);
        put(i * kEach, vector, 1);
        put(i * kEach + 1, vector, 1);
        put(i * kEach + 2, vector, 2);
        put(i * kEach + 3, vector, 1.0f / 3);
        vector[0] += 2e-3f * std::abs(vector[1]) + 2e-3f;
        put(i * kEach + 4, vector, 1);
        if (i == kVectors / 2) {
            articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
        }
    }
    for (int64_t i = 0; i < kVectors; i++) {
        CAPTURE(i);
        quern_query* query = quern_query_new(articles.db, "articles");
        quern_query_dense(query, "emb", vectors[static_cast<size_t>(i)].data(), 1, kDim);
        quern_query_filter(query, ("year = " + std::to_string(i)).c_str());
        quern_query_limit(query, kEach);
        quern_query_diversify(query, "emb", "duplicates=1");
        const std::vector<Hit> hits = Search(&articles, query);
        quern_query_free(query);
        REQUIRE(hits.size() == 2);
        REQUIRE(hits[1].key == i * kEach + 4);
    }
}

TEST_CASE("diverse hits are those of marginal relevance") {
    Articles articles;
    Fill(&articles);
    for (int round = 0; round < 40; round++) {
        const Queries queries(&articles);
        const size_t limit = articles.Pick(1, 15);
        const bool scaled = articles.Pick(0, 1) == 0;
        const double lambda = static_cast<double>(articles.Pick(0, 4)) / 4;
        const size_t pool = articles.Pick(0, 1) == 0 ? 5 * limit : articles.Pick(1, 60);
        CAPTURE(round, limit, lambda, pool, scaled);
        std::vector<Hit> from = queries.All();
        from.resize(std::min(from.size(), std::max(pool, limit)));
        quern_query* query = queries.New(limit);
        const std::string options = "lambda=" + std::to_string(lambda) +
                                    (scaled ? "" : " scale=none") +
                                    (pool == 5 * limit ? "" : " pool=" + std::to_string(pool));
        quern_query_diversify(query, "emb", options.c_str());
        const std::vector<Hit> hits = Search(&articles, query);
        quern_query_free(query);
        REQUIRE(hits.size() == std::min(limit, from.size()));
        std::vector<Hit> chosen;
        for (const Hit& hit : hits) {
            const auto value = [&](const Hit& one) {
                const double best = static_cast<double>(from.front().score);
                const double last = static_cast<double>(from.back().score);
                const auto score = static_cast<double>(one.score);
                const double relevance = !scaled       ? score
                                         : best > last ? (score - last) / (best - last)
                                                       : 1;
                double nearest = -1;
                for (const Hit& other : chosen) {
                    nearest = std::max(nearest, Cosine(one, other));
                }
                return chosen.empty() ? relevance : lambda * relevance - (1 - lambda) * nearest;
            };
            const auto is = [&](const Hit& one) { return one.key == hit.key; };
            REQUIRE(std::find_if(from.begin(), from.end(), is) != from.end());
            REQUIRE(std::find_if(chosen.begin(), chosen.end(), is) == chosen.end());
            for (const Hit& other : from) {
                const bool taken = std::any_of(chosen.begin(), chosen.end(), [&](const Hit& one) {
                    return one.key == other.key;
                });
                REQUIRE((taken || value(other) <= value(hit) + 1e-4));
            }
            chosen.push_back(hit);
        }
    }
}

TEST_CASE("groups of equal hits are the same wherever their records are") {
    // As many equal hits in the log as in the segment: whichever place gives more of them at once.
    const auto groups_of = [](size_t sealed, size_t limit, size_t per_group) {
        Articles articles;
        for (int64_t key = 0; key < 120; key++) {
            if (key == static_cast<int64_t>(sealed)) {
                articles.Ok(quern_optimize(articles.db, nullptr, 0, &articles.err));
            }
            articles.Put(key);
        }
        quern_query* query = quern_query_new(articles.db, "articles");
        const std::vector<float> nowhere(kDim, 0.0f);
        quern_query_dense(query, "emb", nowhere.data(), 1, kDim);
        quern_query_limit(query, limit);
        quern_query_group(query, "year", per_group);
        const std::vector<Hit> hits = Search(&articles, query);
        quern_query_free(query);
        return KeysOf(hits);
    };
    for (const auto& [limit, per_group] : {std::pair<size_t, size_t>{2, 3}, {3, 5}, {5, 2}}) {
        const std::vector<int64_t> whole = groups_of(0, limit, per_group);
        CHECK(!whole.empty());
        CHECK(groups_of(60, limit, per_group) == whole);
        CHECK(groups_of(100, limit, per_group) == whole);
    }
}
