// A collection with a field of every kind, whose values may be absent and are often equal; and
// random queries for one of the fields.
#pragma once

#include <quern.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace quern::testing {

inline constexpr size_t kDim = 8;
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Of the record with a key; NaN: it has none.
inline double YearOf(int64_t key) {
    return key % 11 == 3 ? std::nan("") : static_cast<double>(1990 + key % 20);
}

class Articles {
public:
    Articles() {
        Ok(quern_open(":memory:", nullptr, &db, &err));
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, QUERN_COSINE, "index=none");
        quern_schema_dense(schema, "place", 2, QUERN_L2, "index=none");
        quern_schema_sparse(schema, "terms", "dims=40");
        quern_schema_text(schema, "body", nullptr);
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        Ok(quern_create(db, "articles", schema, &err));
        quern_schema_free(schema);
    }
    ~Articles() { quern_close(db); }
    Articles(const Articles&) = delete;
    Articles& operator=(const Articles&) = delete;

    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    size_t Pick(size_t from, size_t to) {
        return std::uniform_int_distribution<size_t>(from, to)(random);
    }

    // A record; each of its values may be absent. Few different values, so that there are ties.
    void Put(int64_t key) {
        quern_batch* batch = quern_batch_new(db, "articles", 1);
        quern_batch_key_int(batch, &key);
        float vector[kDim];
        for (float& x : vector) {
            x = static_cast<float>(Pick(0, 3)) - 1.25f;
        }
        float place[2] = {static_cast<float>(Pick(0, 5)), static_cast<float>(Pick(0, 5))};
        if (Pick(0, 9) > 0) {
            quern_batch_dense(batch, "emb", vector, kDim, nullptr);
        }
        if (Pick(0, 9) > 2) {
            quern_batch_dense(batch, "place", place, 2, nullptr);
        }
        const size_t entries = Pick(0, 6);
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        for (size_t i = 0; i < entries; i++) {
            dims.push_back(static_cast<uint32_t>(i * 6 + Pick(0, 5)));
            weights.push_back(static_cast<float>(Pick(1, 4)) - 1.5f);
        }
        const size_t offsets[2] = {0, entries};
        if (Pick(0, 9) > 1) {
            quern_batch_sparse(batch, "terms", offsets, dims.data(), weights.data(), nullptr);
        }
        const std::string text = Words(Pick(1, 8));
        const char* const body = text.c_str();
        if (Pick(0, 9) > 1) {
            quern_batch_text(batch, "body", &body, nullptr);
        }
        const double year = YearOf(key);
        const uint8_t known = !std::isnan(year);
        const auto number = static_cast<int64_t>(known != 0 ? year : 0);
        quern_batch_int(batch, "year", &number, &known);
        Ok(quern_upsert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Delete(int64_t key) {
        quern_batch* batch = quern_batch_new(db, "articles", 1);
        quern_batch_key_int(batch, &key);
        Ok(quern_delete(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    std::string Words(size_t count) {
        static const char* const kWords[] = {"grain", "stone", "mill", "water", "wheel",
                                             "flour", "bread", "oven", "baker", "miller"};
        std::string text;
        for (size_t i = 0; i < count; i++) {
            text += std::string(i > 0 ? " " : "") + kWords[Pick(0, 9)];
        }
        return text;
    }

    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    std::mt19937 random{11};
};

// A leg with what its query borrows.
struct LegQuery {
    size_t field = 0;  // emb, place, terms, body
    std::vector<float> vector;
    std::vector<uint32_t> dims;
    std::vector<float> weights;
    size_t offsets[2] = {0, 0};
    std::string text;
    double weight = 1;
    size_t depth = 0;  // 0: as it is
    std::string absent;
    double missing = 0;  // what absent means

    static LegQuery Make(Articles* articles) {
        LegQuery leg;
        leg.field = articles->Pick(0, 3);
        if (leg.field < 2) {
            leg.vector.resize(leg.field == 0 ? kDim : 2);
            for (float& x : leg.vector) {
                x = static_cast<float>(articles->Pick(0, 5)) - (leg.field == 0 ? 2.5f : 0.0f);
            }
        } else if (leg.field == 2) {
            for (uint32_t i = 0; i < 5; i++) {
                leg.dims.push_back(i * 8 + static_cast<uint32_t>(articles->Pick(0, 7)));
                leg.weights.push_back(static_cast<float>(articles->Pick(1, 4)) - 0.5f);
            }
            leg.offsets[1] = 5;
        } else {
            leg.text = articles->Words(3);
        }
        leg.weight = static_cast<double>(articles->Pick(1, 8)) / 4;
        leg.depth = articles->Pick(0, 2) == 0 ? 0 : articles->Pick(1, 20);
        leg.missing = leg.field == 1 ? -kInfinity : 0;
        if (articles->Pick(0, 2) == 0) {
            leg.absent = "absent=-2.5";
            leg.missing = -2.5;
        }
        return leg;
    }
    quern_query* Query(quern_db* db) const {
        quern_query* query = quern_query_new(db, "articles");
        const char* const body = text.c_str();
        switch (field) {
            case 0: quern_query_dense(query, "emb", vector.data(), 1, kDim); break;
            case 1: quern_query_dense(query, "place", vector.data(), 1, 2); break;
            case 2:
                quern_query_sparse(query, "terms", offsets, dims.data(), weights.data(), 1);
                break;
            default: quern_query_text(query, "body", &body, 1);
        }
        return query;
    }
};

inline constexpr const char* kFilter = "year between 1993 and 2004";

// All that a leg matches, by the leg alone.
inline std::map<int64_t, double> Alone(Articles* articles, const LegQuery& leg, bool filtered) {
    quern_query* query = leg.Query(articles->db);
    quern_query_limit(query, 100000);
    if (filtered) {
        quern_query_filter(query, kFilter);
    }
    quern_result* result = nullptr;
    articles->Ok(quern_search(query, &result, &articles->err));
    std::map<int64_t, double> scores;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        scores[quern_result_key_int(result, row)] =
            static_cast<double>(quern_result_score(result, row));
    }
    quern_result_free(result);
    quern_query_free(query);
    return scores;
}

}  // namespace quern::testing
