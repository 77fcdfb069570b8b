// Queries among the candidates of others, to any depth, beside a model: plain loops over all
// records, in double precision, that know nothing of segments, indexes and lists.
#include <memory>

#include "tests/slow_build.h"
#include "tests/unit/record_model.h"

using namespace record_model;

namespace {

constexpr size_t kDepthMax = 8;
constexpr size_t kListDepth = 100;

struct Level;

// A search of one field, for all queries.
struct Leg {
    size_t field = 0;
    std::vector<std::vector<float>> vectors;  // of each query
    std::vector<Terms> terms;                 // likewise
    std::vector<std::vector<size_t>> words;   // likewise
    double weight = 1;
    std::optional<double> least;  // score
    std::optional<size_t> limit;  // of a leg beside others
    std::shared_ptr<Level> among;
    // What the C API borrows.
    std::vector<float> matrix;
    std::vector<size_t> offsets;
    std::vector<uint32_t> dims;
    std::vector<float> weights;
};
// A query: of one leg, or of several that are summed.
struct Level {
    std::vector<Leg> legs;
    std::optional<size_t> limit;
    std::shared_ptr<Level> among;
};

class Model : public RecordModel {
public:
    Model() : RecordModel(nullptr, 17, false) {}

    // One random query and its answers; how many hits they have.
    size_t Check() {
        queries_ = Pick(1, 2);
        levels_ = 0;
        searches_ = 0;
        const std::shared_ptr<Level> level = NewLevel(Pick(0, kDepthMax));
        if (!level->limit) {
            level->limit = 10;
        }
        const bool filtered = Pick(0, 2) == 0;
        year_ = filtered ? std::optional<int64_t>(static_cast<int64_t>(Pick(0, 9))) : std::nullopt;
        quern_query* query = NewQuery(*level);
        quern_query_limit(query, *level->limit);
        if (filtered) {
            quern_query_filter(query, "year >= ?1");
            quern_query_bind_int(query, 1, *year_);
        }
        quern_result* result = nullptr;
        Ok(quern_search(query, &result, &err_));
        CHECK((quern_result_flags(result) & QUERN_FLAG_EXACT) != 0);
        size_t rows = 0;
        for (size_t q = 0; q < queries_; q++) {
            const Hits want = Find(*level, q, *level->limit);
            const size_t first = quern_result_offset(result, q);
            REQUIRE(quern_result_offset(result, q + 1) - first == want.size());
            for (size_t i = 0; i < want.size(); i++) {
                REQUIRE(quern_result_key_int(result, first + i) == want[i].second);
                REQUIRE(quern_result_score(result, first + i) ==
                        static_cast<float>(-want[i].first));
            }
            rows += want.size();
        }
        quern_result_free(result);
        quern_query_free(query);
        return rows;
    }
    size_t depth() const { return levels_; }

private:
    Leg NewLeg(size_t depth) {
        Leg leg;
        leg.field = Pick(0, 3);
        leg.offsets.push_back(0);
        for (size_t q = 0; q < queries_; q++) {
            leg.vectors.push_back(Vector());
            leg.matrix.insert(leg.matrix.end(), leg.vectors[q].begin(), leg.vectors[q].end());
            leg.terms.push_back(RandomTerms(4));
            Entries(leg.terms[q], &leg.dims, &leg.weights);
            leg.offsets.push_back(leg.dims.size());
            leg.words.push_back(Words(1, 3));
        }
        leg.weight = static_cast<double>(Pick(1, 4)) / 2;
        if (Pick(0, 5) == 0) {
            leg.least = leg.field == kNear ? -static_cast<double>(Pick(3, 30))
                                           : static_cast<double>(Pick(0, 2)) / 2;
        }
        if (depth > 0) {
            leg.among = NewLevel(depth - 1);
        }
        if (Pick(0, 1) == 0) {
            leg.limit = Pick(1, 200);
        }
        return leg;
    }

    // With candidates so many levels below it.
    std::shared_ptr<Level> NewLevel(size_t depth) {
        auto level = std::make_shared<Level>();
        searches_++;
        const size_t legs = Pick(0, 2) == 0 && searches_ < 40 ? Pick(2, 3) : 1;
        const bool below_legs = legs > 1 && depth > 0 && Pick(0, 1) == 0;
        for (size_t l = 0; l < legs; l++) {
            level->legs.push_back(NewLeg(below_legs && l == 0 ? depth : 0));
        }
        if (depth > 0 && !below_legs) {
            level->among = NewLevel(depth - 1);
        }
        if (Pick(0, 3) > 0) {
            level->limit = Pick(1, depth == 0 ? 160 : 60);
        }
        levels_++;
        return level;
    }

    // Sets what a leg looks for, its bound, and what it stays among.
    void Look(quern_query* query, const Leg& leg) {
        const char* const field = kFields[leg.field];
        if (leg.field <= kAlong) {
            quern_query_dense(query, field, leg.matrix.data(), queries_, kDim);
        } else if (leg.field == kTerms) {
            quern_query_sparse(query, field, leg.offsets.data(), leg.dims.data(),
                               leg.weights.data(), queries_);
        } else {
            std::vector<std::string> texts;
            std::vector<const char*> pointers;
            for (const auto& words : leg.words) {
                texts.push_back(Text(words));
            }
            for (const std::string& text : texts) {
                pointers.push_back(text.c_str());
            }
            quern_query_text(query, field, pointers.data(), queries_);
        }
        if (leg.least) {
            quern_query_min_score(query, *leg.least);
        }
        if (leg.among) {
            Among(query, *leg.among);
        }
    }
    void Among(quern_query* query, const Level& level) {
        quern_query* from = NewQuery(level);
        quern_query_candidates(query, from);
        quern_query_free(from);
    }
    quern_query* NewQuery(const Level& level) {
        quern_query* query = quern_query_new(db_, "docs");
        if (level.legs.size() == 1) {
            Look(query, level.legs[0]);
        }
        for (size_t l = 0; l < level.legs.size() && level.legs.size() > 1; l++) {
            quern_query* leg = quern_query_new(db_, "docs");
            Look(leg, level.legs[l]);
            if (level.legs[l].limit) {
                quern_query_limit(leg, *level.legs[l].limit);
            }
            quern_query_leg(query, leg, level.legs[l].weight, nullptr);
            quern_query_free(leg);
        }
        if (level.limit) {
            quern_query_limit(query, *level.limit);
        }
        if (level.among) {
            Among(query, *level.among);
        }
        return query;
    }

    // ---- The model ----

    std::optional<double> Score(const Leg& leg, size_t q, const Record& record) const {
        const std::optional<double> score =
            ScoreIn(leg.field, leg.vectors[q], leg.terms[q], leg.words[q], record);
        return score && leg.least && *score < *leg.least ? std::nullopt : score;
    }

    std::set<int64_t> Keys(const Level& level, size_t q, size_t default_limit) const {
        std::set<int64_t> keys;
        for (const auto& hit : Find(level, q, level.limit.value_or(default_limit))) {
            keys.insert(hit.second);
        }
        return keys;
    }

    Hits Find(const Level& level, size_t q, size_t limit) const {
        std::optional<std::set<int64_t>> among;
        if (level.among) {
            among = Keys(*level.among, q, std::max(kListDepth, limit));
        }
        std::vector<std::optional<std::set<int64_t>>> of_legs(level.legs.size());
        const bool plain = level.legs.size() == 1;
        for (size_t l = 0; l < level.legs.size(); l++) {
            if (level.legs[l].among) {
                of_legs[l] = Keys(*level.legs[l].among, q,
                                  std::max(kListDepth, level.legs[l].limit.value_or(0)));
            }
        }
        Hits hits;
        for (const auto& [key, record] : records_) {
            if ((year_ && record.year < *year_) || (among && among->count(key) == 0)) {
                continue;
            }
            double sum = 0;
            bool any = false;
            for (size_t l = 0; l < level.legs.size(); l++) {
                const Leg& leg = level.legs[l];
                const auto score = of_legs[l] && of_legs[l]->count(key) == 0
                                       ? std::nullopt
                                       : Score(leg, q, record);
                any = any || score;
                const double missing = leg.field == kNear ? -INFINITY : 0;
                sum += (plain ? 1 : leg.weight) * score.value_or(missing);
            }
            if (any && sum != -INFINITY) {
                hits.emplace_back(-sum, key);
            }
        }
        std::sort(hits.begin(), hits.end());
        hits.resize(std::min(hits.size(), limit));
        return hits;
    }

    size_t queries_ = 1;
    size_t levels_ = 0;
    size_t searches_ = 0;
    std::optional<int64_t> year_;
};

}  // namespace

TEST_CASE("candidates of candidates are those of plain loops", "[candidates]") {
    Model model;
    model.Fill(300);
    size_t hits = 0, deep = 0;
    constexpr int kRounds = quern::Rounds(4000);
    for (int round = 0; round < kRounds; round++) {
        CAPTURE(round);
        hits += model.Check();
        deep += model.depth() > 6 ? 1 : 0;
    }
    // The cases are none that everything is true of.
    CHECK(hits > 5 * kRounds);
    CHECK(deep > kRounds / 8);
}
