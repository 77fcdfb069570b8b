// Queries among the candidates of others, to any depth, beside a model: plain loops over all
// records, in double precision, that know nothing of segments, indexes and lists.
//
// Elements are small whole numbers, so that what the engine computes in f32 is exact, and equal
// scores are equal: many of them are.
#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

constexpr size_t kDim = 3;
constexpr size_t kDepthMax = 8;
constexpr size_t kListDepth = 100;
const std::vector<std::string> kWords = {"grain", "stone", "mill", "water", "wheel", "flour"};
const char* const kFields[] = {"near", "along", "terms", "body"};
enum FieldKind : size_t { kNear, kAlong, kTerms, kBody };

struct Record {
    std::optional<std::vector<float>> near;   // squared distance
    std::optional<std::vector<float>> along;  // inner product
    std::optional<std::map<uint32_t, float>> terms;
    std::optional<std::vector<size_t>> body;  // numbers of words
    int64_t year = 0;
};
using Hits = std::vector<std::pair<double, int64_t>>;  // minus the score, key

struct Level;

// A search of one field, for all queries.
struct Leg {
    size_t field = 0;
    std::vector<std::vector<float>> vectors;       // of each query
    std::vector<std::map<uint32_t, float>> terms;  // likewise
    std::vector<std::vector<size_t>> words;        // likewise
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

class Model {
public:
    Model() {
        Ok(quern_open(":memory:", nullptr, &db_, &err_));
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "near", kDim, QUERN_L2, "index=none");
        quern_schema_dense(schema, "along", kDim, QUERN_IP, "index=none");
        quern_schema_sparse(schema, "terms", nullptr);
        quern_schema_text(schema, "body", nullptr);
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        Ok(quern_create(db_, "docs", schema, &err_));
        quern_schema_free(schema);
    }
    ~Model() { quern_close(db_); }

    void Fill(size_t count) {
        for (size_t i = 0; i < count; i++) {
            Put(static_cast<int64_t>(i));
            if (i == count / 3 || i == count / 2) {
                Ok(quern_optimize(db_, nullptr, 0, &err_));
            }
        }
        for (int64_t key = 0; key < static_cast<int64_t>(count); key += 7) {
            Delete(key);
        }
        for (int64_t key = 3; key < static_cast<int64_t>(count); key += 11) {
            Put(key);
        }
        Count();
    }

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
    void Ok(int32_t status) {
        INFO(err_.message);
        REQUIRE(status == QUERN_OK);
    }
    size_t Pick(size_t from, size_t to) {
        return std::uniform_int_distribution<size_t>(from, to)(random_);
    }
    float Small() { return static_cast<float>(Pick(0, 4)) - 2; }
    std::vector<float> Vector() {
        std::vector<float> vector(kDim);
        for (float& x : vector) {
            x = Small();
        }
        return vector;
    }
    std::map<uint32_t, float> Terms(size_t most) {
        std::map<uint32_t, float> terms;
        for (size_t i = Pick(0, most); i > 0; i--) {
            const float weight = Small();
            if (weight != 0) {
                terms[static_cast<uint32_t>(Pick(0, 8))] = weight;
            }
        }
        return terms;
    }
    std::vector<size_t> Words(size_t least, size_t most) {
        std::vector<size_t> words;
        for (size_t i = Pick(least, most); i > 0; i--) {
            words.push_back(Pick(0, kWords.size() - 1));
        }
        return words;
    }
    static std::string Text(const std::vector<size_t>& words) {
        std::string text;
        for (const size_t word : words) {
            text.append(text.empty() ? "" : " ").append(kWords[word]);
        }
        return text;
    }
    static void Entries(const std::map<uint32_t, float>& terms, std::vector<uint32_t>* dims,
                        std::vector<float>* weights) {
        for (const auto& [dim, weight] : terms) {
            dims->push_back(dim);
            weights->push_back(weight);
        }
    }

    void Put(int64_t key) {
        Record record;
        quern_batch* batch = quern_batch_new(db_, "docs", 1);
        quern_batch_key_int(batch, &key);
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        size_t offsets[2] = {0, 0};
        std::string text;
        const char* body = nullptr;
        if (Pick(0, 5) > 0) {
            record.near = Vector();
            quern_batch_dense(batch, "near", record.near->data(), kDim, nullptr);
        }
        if (Pick(0, 5) > 0) {
            record.along = Vector();
            quern_batch_dense(batch, "along", record.along->data(), kDim, nullptr);
        }
        if (Pick(0, 5) > 0) {
            record.terms = Terms(5);
            Entries(*record.terms, &dims, &weights);
            offsets[1] = dims.size();
            quern_batch_sparse(batch, "terms", offsets, dims.data(), weights.data(), nullptr);
        }
        if (Pick(0, 5) > 0) {
            record.body = Words(0, 4);
            text = Text(*record.body);
            body = text.c_str();
            quern_batch_text(batch, "body", &body, nullptr);
        }
        record.year = static_cast<int64_t>(Pick(0, 9));
        quern_batch_int(batch, "year", &record.year, nullptr);
        Ok(quern_upsert(batch, nullptr, &err_));
        quern_batch_free(batch);
        records_[key] = std::move(record);
    }
    void Delete(int64_t key) {
        quern_batch* batch = quern_batch_new(db_, "docs", 1);
        quern_batch_key_int(batch, &key);
        Ok(quern_delete(batch, nullptr, &err_));
        quern_batch_free(batch);
        records_.erase(key);
    }

    // What BM25 wants to know of all records.
    void Count() {
        with_.assign(kWords.size(), 0);
        length_ = 0;
        for (const auto& [key, record] : records_) {
            if (record.body) {
                length_ += static_cast<double>(record.body->size());
                for (const size_t word :
                     std::set<size_t>(record.body->begin(), record.body->end())) {
                    with_[word]++;
                }
            }
        }
    }

    Leg NewLeg(size_t depth) {
        Leg leg;
        leg.field = Pick(0, 3);
        leg.offsets.push_back(0);
        for (size_t q = 0; q < queries_; q++) {
            leg.vectors.push_back(Vector());
            leg.matrix.insert(leg.matrix.end(), leg.vectors[q].begin(), leg.vectors[q].end());
            leg.terms.push_back(Terms(4));
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
        std::optional<double> score;
        if (leg.field == kNear && record.near) {
            score = 0;
            for (size_t i = 0; i < kDim; i++) {
                const double by = static_cast<double>((*record.near)[i] - leg.vectors[q][i]);
                *score -= by * by;
            }
        }
        if (leg.field == kAlong && record.along) {
            score = 0;
            for (size_t i = 0; i < kDim; i++) {
                *score += static_cast<double>((*record.along)[i] * leg.vectors[q][i]);
            }
        }
        if (leg.field == kTerms && record.terms) {
            for (const auto& [dim, weight] : leg.terms[q]) {
                const auto has = record.terms->find(dim);
                if (has != record.terms->end()) {
                    score = score.value_or(0) + static_cast<double>(weight * has->second);
                }
            }
        }
        if (leg.field == kBody && record.body) {
            const double k1 = 1.2, b = 0.75;
            const auto n = static_cast<double>(records_.size());
            const double fixed = k1 * (1 - b), by_length = k1 * b * n / length_;
            for (const size_t word : leg.words[q]) {
                const auto times =
                    static_cast<double>(std::count(record.body->begin(), record.body->end(), word));
                const double with = with_[word];
                if (times > 0) {
                    const double idf = std::log(1 + (n - with + 0.5) / (with + 0.5));
                    const double length = static_cast<double>(record.body->size());
                    score =
                        score.value_or(0) + idf * (times / (times + fixed + by_length * length));
                }
            }
        }
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

    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
    std::mt19937 random_{17};
    std::map<int64_t, Record> records_;
    std::vector<double> with_;  // records with each word
    double length_ = 0;
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
    for (int round = 0; round < 4000; round++) {
        CAPTURE(round);
        hits += model.Check();
        deep += model.depth() > 6 ? 1 : 0;
    }
    // The cases are none that everything is true of.
    CHECK(hits > 20000);
    CHECK(deep > 500);
}
