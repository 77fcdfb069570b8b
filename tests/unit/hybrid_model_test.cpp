// Random queries of several legs with the whole engine below, beside a model: plain loops over all
// records, in double precision, that know nothing of segments, indexes, lists and proofs. All kinds
// of fusion and normalization, formulas, filters, bounds, absent values, deleted and overwritten
// records, records of segments and of the log, and many ties.
//
// Where a normalization divides, scores are equal up to rounding, and only then is the order of
// nearly equal ones left open.
#include <cstdlib>
#include <limits>

#include "tests/unit/record_model.h"

using namespace record_model;

namespace {

constexpr size_t kListDepth = 100;
enum class Kind { kSum, kMax, kBest, kRanks, kFormula };
const char* const kNorms[] = {"none", "minmax", "zscore", "distribution"};

using Scores = std::map<int64_t, double>;  // by key

// What a leg looks for, and how.
struct Leg {
    size_t field = 0;
    std::vector<float> vector;
    Terms terms;
    std::vector<size_t> words;
    double weight = 1;
    bool against = false;
    std::optional<double> least;   // score
    std::optional<size_t> limit;   // of its first list
    std::optional<double> absent;  // NaN: null
    // What the C API borrows.
    std::vector<uint32_t> dims;
    std::vector<float> weights;
    size_t offsets[2] = {0, 0};
    bool finds() const { return weight > 0 && !against; }
};

struct Filter {
    std::string text;  // empty: none
    int64_t bound = 0;
    bool Matches(const Record& record) const {
        if (text.empty()) {
            return true;
        }
        if (text == "year is null") {
            return !record.year;
        }
        return record.year && (text == "year >= ?1" ? *record.year >= bound
                               : text == "year in (?1, 2)"
                                   ? *record.year == bound || *record.year == 2
                                   : /* abs(year - 4) < ?1 */ std::abs(*record.year - 4) < bound);
    }
};

struct Query {
    std::vector<Leg> legs;
    Kind kind = Kind::kSum;
    size_t norm = 0;
    double rank_constant = 60;
    double penalty = 0.5;
    size_t formula = 0;
    size_t k = 10;
    Filter filter;
    std::optional<double> least;  // of the fused score
};
const char* const kFormulas[] = {"0.75 * l0 + 0.25 * l1", "max(l0, l1 - 1)",
                                 "l0 + l1 + if(year >= 5, 2, 0)",
                                 "coalesce(l0, -3) + 0.5 * coalesce(l1, -2)", "l0 * year - l1"};

class Model : public RecordModel {
public:
    explicit Model(unsigned seed) : RecordModel("threads=1", seed, true) {}

    // Everything in one segment, which formulas over attributes need for their proofs.
    void Seal() { Ok(quern_optimize(db_, nullptr, 0, &err_)); }

    // One random query and its answer; how many hits it has.
    size_t Check();
    size_t exact() const { return exact_; }
    size_t ties() const { return ties_; }

private:
    Leg NewLeg();
    Query NewQuery();
    quern_query* Make(const Query& query);
    quern_query* MakeLeg(const Leg& leg);

    // ---- The model ----

    std::optional<double> Score(const Leg& leg, const Record& record) const;
    Scores ScoresOf(const Leg& leg, const Filter& filter) const {
        Scores scores;
        for (const auto& [key, record] : records_) {
            if (filter.Matches(record)) {
                if (const auto score = Score(leg, record)) {
                    scores[key] = *score;
                }
            }
        }
        return scores;
    }
    // Its first hits, minus score and key, as it gives them alone: of equals those of the lowest
    // keys.
    // depth 0: all.
    static Hits First(const Scores& scores, size_t depth) {
        Hits first;
        for (const auto& [key, score] : scores) {
            first.emplace_back(-score, key);
        }
        std::sort(first.begin(), first.end());
        first.resize(depth == 0 ? first.size() : std::min(depth, first.size()));
        return first;
    }
    // By the definitions of quern_query_fusion.
    struct Scale {
        double shift = 0, factor = 1;
        double Of(double score) const { return (score - shift) * factor; }
    };
    static Scale ScaleOf(size_t norm, const Hits& first, bool has_zero);
    Scores Fuse(const Query& query) const;
    double FormulaOf(const Query& query, const std::vector<std::optional<double>>& parts,
                     const Record& record) const;

    size_t exact_ = 0;
    size_t ties_ = 0;
};

Leg Model::NewLeg() {
    Leg leg;
    leg.field = Pick(0, 3);
    leg.vector = Vector();
    leg.terms = RandomTerms(4);
    Entries(leg.terms, &leg.dims, &leg.weights);
    leg.offsets[1] = leg.dims.size();
    leg.words = Words(1, 3);
    leg.weight = static_cast<double>(Pick(1, 6)) / 4;
    if (Pick(0, 5) == 0) {
        leg.least = leg.field == kNear ? -static_cast<double>(Pick(3, 30))
                                       : static_cast<double>(Pick(0, 2)) / 2;
    }
    if (Pick(0, 1) == 0) {
        leg.limit = leg.least && Pick(0, 1) == 0 ? 0 : Pick(1, 150);
    }
    if (Pick(0, 3) == 0) {
        leg.absent = static_cast<double>(Pick(0, 4)) / 2 - 2;
    }
    return leg;
}

Query Model::NewQuery() {
    Query query;
    query.kind = static_cast<Kind>(Pick(0, 4));
    const size_t legs = query.kind == Kind::kFormula ? 2 : Pick(1, 4);
    for (size_t l = 0; l < legs; l++) {
        query.legs.push_back(NewLeg());
    }
    if (query.kind == Kind::kBest) {
        for (size_t l = 1; l < legs; l++) {
            query.legs[l].against = Pick(0, 1) == 0;
        }
        query.penalty = static_cast<double>(Pick(0, 4)) / 4;
    } else if (query.kind != Kind::kFormula) {
        for (size_t l = 1; l < legs; l++) {
            query.legs[l].weight *= Pick(0, 9) == 0 ? 0 : 1;
        }
    }
    if (query.kind == Kind::kSum || query.kind == Kind::kMax) {
        query.norm = Pick(0, 3);
    }
    if (query.kind == Kind::kFormula) {
        query.formula = Pick(0, 4);
        for (Leg& leg : query.legs) {
            leg.weight = 1;
            if (query.formula == 3) {
                leg.absent = std::nan("");
            }
        }
    }
    query.rank_constant = static_cast<double>(Pick(0, 60));
    query.k = Pick(0, 9) == 0 ? Pick(100, 200) : Pick(1, 30);
    const char* const filters[] = {"year >= ?1", "year in (?1, 2)", "year is null",
                                   "abs(year - 4) < ?1"};
    if (Pick(0, 1) == 0) {
        query.filter = {filters[Pick(0, 3)], static_cast<int64_t>(Pick(0, 9))};
    }
    if (Pick(0, 7) == 0) {
        query.least = static_cast<double>(Pick(0, 8)) / 4 - 1;
        query.k = Pick(0, 2) == 0 ? 0 : query.k;
    }
    return query;
}

quern_query* Model::MakeLeg(const Leg& leg) {
    quern_query* query = quern_query_new(db_, "docs");
    const char* const field = kFields[leg.field];
    const std::string text = Text(leg.words);
    const char* const words = text.c_str();
    if (leg.field <= kAlong) {
        quern_query_dense(query, field, leg.vector.data(), 1, kDim);
    } else if (leg.field == kTerms) {
        quern_query_sparse(query, field, leg.offsets, leg.dims.data(), leg.weights.data(), 1);
    } else {
        quern_query_text(query, field, &words, 1);
    }
    if (leg.least) {
        quern_query_min_score(query, *leg.least);
    }
    if (leg.limit) {
        quern_query_limit(query, *leg.limit);
    }
    return query;
}

quern_query* Model::Make(const Query& of) {
    quern_query* query = quern_query_new(db_, "docs");
    for (const Leg& leg : of.legs) {
        quern_query* of_leg = MakeLeg(leg);
        std::string options = leg.against ? "against=1" : "";
        if (leg.absent) {
            options +=
                " absent=" + (std::isnan(*leg.absent) ? "null" : std::to_string(*leg.absent));
        }
        quern_query_leg(query, of_leg, leg.weight, options.c_str());
        quern_query_free(of_leg);
    }
    const char* const kinds[] = {"sum", "max", "best", "rrf"};
    if (of.kind == Kind::kFormula) {
        quern_query_formula(query, kFormulas[of.formula]);
    } else {
        std::string fusion = std::string("kind=") + kinds[static_cast<size_t>(of.kind)];
        fusion += of.norm > 0 ? std::string(" normalize=") + kNorms[of.norm] : "";
        fusion += of.kind == Kind::kBest ? " penalty=" + std::to_string(of.penalty) : "";
        fusion += of.kind == Kind::kRanks ? " rrf_k=" + std::to_string(of.rank_constant) : "";
        quern_query_fusion(query, fusion.c_str());
    }
    quern_query_limit(query, of.k);
    if (!of.filter.text.empty()) {
        quern_query_filter(query, of.filter.text.c_str());
        if (of.filter.text != "year is null") {
            quern_query_bind_int(query, 1, of.filter.bound);
        }
    }
    if (of.least) {
        quern_query_min_score(query, *of.least);
    }
    return query;
}

std::optional<double> Model::Score(const Leg& leg, const Record& record) const {
    const std::optional<double> score =
        ScoreIn(leg.field, leg.vector, leg.terms, leg.words, record);
    return score && leg.least && *score < *leg.least ? std::nullopt : score;
}

// has_zero: a record that is not matched scores 0.
Model::Scale Model::ScaleOf(size_t norm, const Hits& first, bool has_zero) {
    if (norm == 0 || first.empty()) {
        return {};
    }
    const auto n = static_cast<double>(first.size());
    double mean = 0;
    for (const auto& hit : first) {
        mean -= hit.first / n;
    }
    double variance = 0;
    for (const auto& hit : first) {
        variance += (-hit.first - mean) * (-hit.first - mean) / n;
    }
    const double deviation = std::sqrt(variance);
    const double best = -first.front().first;
    const double last = -first.back().first;
    const bool flat = best == last;
    if (flat && has_zero && best > 0) {
        return norm == 1   ? Scale{0, 1 / best}
               : norm == 2 ? Scale{best, 1 / best}
                           : Scale{0, 0.5 / best};
    }
    if (norm == 1) {
        return flat ? Scale{best - 1, 1} : Scale{last, 1 / (best - last)};
    }
    if (norm == 2) {
        return flat ? Scale{mean, 1} : Scale{mean, 1 / deviation};
    }
    return flat ? Scale{mean - 0.5, 1} : Scale{mean - 3 * deviation, 1 / (6 * deviation)};
}

double Model::FormulaOf(const Query& query, const std::vector<std::optional<double>>& parts,
                        const Record& record) const {
    const auto part = [&](size_t l, double null) {
        const Leg& leg = query.legs[l];
        const double missing = leg.absent ? *leg.absent : leg.field == kNear ? -INFINITY : 0;
        return parts[l] ? *parts[l] : std::isnan(missing) ? null : missing;
    };
    const double l0 = part(0, -3);
    const double l1 = part(1, -2);
    switch (query.formula) {
        case 0: return 0.75 * l0 + 0.25 * l1;
        case 1: return std::max(l0, l1 - 1);
        case 2: return l0 + l1 + (record.year && *record.year >= 5 ? 2 : 0);
        case 3: return l0 + 0.5 * l1;
        default: {
            const double product = l0 * static_cast<double>(record.year.value_or(0));
            return record.year ? product - l1 : std::nan("");
        }
    }
}

// All records that a leg finds; of ranks those that a first list holds.
Scores Model::Fuse(const Query& query) const {
    std::vector<Scores> scores;
    std::vector<Scale> scales;
    std::vector<double> missing;
    std::vector<Hits> firsts;
    std::set<int64_t> found;
    for (const Leg& leg : query.legs) {
        scores.push_back(ScoresOf(leg, query.filter));
        firsts.push_back(First(scores.back(), leg.limit      ? *leg.limit
                                              : query.k == 0 ? 0
                                                             : std::max(kListDepth, query.k)));
        const Hits& first = firsts.back();
        const bool has_zero = leg.field > kAlong;
        scales.push_back(ScaleOf(query.norm, first, has_zero));
        double absent = leg.field == kNear && query.norm == 0 ? -INFINITY : 0;
        if (query.norm > 0) {
            absent = first.empty() || has_zero ? 0 : -first.back().first;
            if (!first.empty() && first.front().first == first.back().first &&
                !(has_zero && first.front().first < 0)) {
                absent = -first.back().first - (query.norm == 3 ? 0.5 : 1);
            }
        }
        missing.push_back(scales.back().Of(leg.absent ? *leg.absent : absent));
        for (const auto& [key, score] : scores.back()) {
            if (leg.finds()) {
                found.insert(key);
            }
        }
    }
    Scores fused;
    for (const int64_t key : found) {
        double most = query.kind == Kind::kSum || query.kind == Kind::kRanks ? 0 : -INFINITY;
        double against = -INFINITY;
        bool listed = query.kind != Kind::kRanks;
        std::vector<std::optional<double>> raw;
        for (size_t l = 0; l < query.legs.size(); l++) {
            const Leg& leg = query.legs[l];
            const auto has = scores[l].find(key);
            const bool matches = has != scores[l].end();
            raw.push_back(matches ? std::optional(has->second) : std::nullopt);
            if (leg.weight == 0) {
                continue;
            }
            if (query.kind == Kind::kRanks) {
                const Hits& first = firsts[l];
                if (matches &&
                    std::binary_search(first.begin(), first.end(), std::pair(-has->second, key))) {
                    const auto rank =
                        std::lower_bound(
                            first.begin(), first.end(),
                            std::pair(-has->second, std::numeric_limits<int64_t>::min())) -
                        first.begin() + 1;
                    most += leg.weight / (query.rank_constant + static_cast<double>(rank));
                    listed = true;
                }
                continue;
            }
            const double part = leg.weight * (matches ? scales[l].Of(has->second) : missing[l]);
            double& side = leg.against ? against : most;
            side = query.kind == Kind::kSum ? side + part : std::max(side, part);
        }
        if (query.kind == Kind::kFormula) {
            most = FormulaOf(query, raw, records_.at(key));
        } else if (query.kind == Kind::kBest && most != -INFINITY && against > most) {
            most -= query.penalty * (against - most);
        }
        if (listed && !std::isnan(most) && most != -INFINITY) {
            fused[key] = most;
        }
    }
    return fused;
}

size_t Model::Check() {
    const Query query = NewQuery();
    quern_query* search = Make(query);
    quern_result* result = nullptr;
    Ok(quern_search(search, &result, &err_));
    const Scores all = Fuse(query);
    const bool exact = (quern_result_flags(result) & QUERN_FLAG_EXACT) != 0;
    // Formulas need not be provable.
    REQUIRE((exact || query.kind == Kind::kFormula || query.kind == Kind::kRanks));
    exact_ += exact ? 1 : 0;
    std::vector<std::pair<double, int64_t>> want;
    for (const auto& [key, score] : all) {
        if (!query.least || static_cast<double>(static_cast<float>(score)) >= *query.least) {
            want.emplace_back(-score, key);
        }
    }
    std::sort(want.begin(), want.end());
    const size_t rows = quern_result_rows(result);
    const size_t most = query.k == 0 ? want.size() : std::min(query.k, want.size());
    CAPTURE(static_cast<int>(query.kind), query.norm, query.formula, query.k, query.filter.text,
            exact);
    const bool proved = exact || query.kind == Kind::kRanks;
    REQUIRE(rows == (proved ? most : std::min(rows, most)));
    // Divisions are rounded otherwise than here.
    const bool same_bits = query.norm == 0;
    double before = INFINITY;
    for (size_t row = 0; row < rows; row++) {
        CAPTURE(row);
        const int64_t key = quern_result_key_int(result, row);
        const auto has = all.find(key);
        REQUIRE(has != all.end());
        const double slack = same_bits ? 0 : 1e-9 * std::max(1.0, std::abs(has->second));
        REQUIRE(has->second <= before + slack);
        before = has->second;
        REQUIRE((std::isinf(has->second) ||
                 quern_result_score(result, row) ==
                     Approx(static_cast<float>(has->second)).epsilon(1e-6).margin(1e-6)));
        if (!proved) {
            continue;
        }
        REQUIRE((-want[row].first == has->second ||  // infinities
                 std::abs(-want[row].first - has->second) <= slack));
        ties_ += row > 0 && want[row].first == want[row - 1].first ? 1 : 0;
        if (same_bits) {
            REQUIRE(key == want[row].second);
            REQUIRE(quern_result_score(result, row) == static_cast<float>(has->second));
        }
        // The parts that are told make up the score.
        double sum = 0;
        for (size_t l = 0; l < query.legs.size(); l++) {
            sum += quern_result_leg_part(result, row, l);
        }
        REQUIRE((query.kind == Kind::kFormula ||
                 static_cast<float>(sum) == quern_result_score(result, row)));
    }
    quern_result_free(result);
    quern_query_free(search);
    return rows;
}

void Run(size_t cases, unsigned seed) {
    CAPTURE(seed);
    Model model(seed);
    model.Fill(260);
    size_t hits = 0;
    for (size_t i = 0; i < cases; i++) {
        CAPTURE(i);
        if (i == cases / 2) {
            model.Seal();
        }
        hits += model.Check();
    }
    // The cases are none that everything is true of.
    CHECK(hits > cases * 5);
    CHECK(model.exact() > cases * 6 / 10);
    CHECK(model.ties() > cases);
}

}  // namespace

TEST_CASE("random hybrid queries find what plain loops find", "[hybrid]") {
    Run(1000, 29);
}

TEST_CASE("ten thousand random hybrid queries find what plain loops find", "[.][hybrid_long]") {
    const char* const cases = std::getenv("QUERN_CASES");
    const char* const seed = std::getenv("QUERN_SEED");
    Run(cases != nullptr ? static_cast<size_t>(std::atoll(cases)) : 10000,
        seed != nullptr ? static_cast<unsigned>(std::atoll(seed)) : 29);
}
