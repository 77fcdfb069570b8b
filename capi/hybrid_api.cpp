// Queries of several legs, and what each leg said of a hit.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "capi/handles.h"
#include "engine/db/kept_fusions.h"

using namespace quern;
using namespace quern::capi;

namespace {

using query::kLegsMax;

Status ParseNumber(const Option& option, const char* form, double* number) {
    const char* end = option.value.data() + option.value.size();
    const auto parsed = std::from_chars(option.value.data(), end, *number);
    if (parsed.ec != std::errc() || parsed.ptr != end || std::isnan(*number)) {
        return BadValue(option, form);
    }
    return {};
}

Status ParseLegOptions(const char* options, SearchLeg* leg) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options, {"absent", "against", "guide", "name"}, &list));
    for (const Option& option : list) {
        if (option.key == "against") {
            if (option.value != "0" && option.value != "1") {
                return BadValue(option, "0 or 1");
            }
            leg->against = option.value == "1";
            continue;
        }
        if (option.key == "guide") {
            if (option.value.empty()) {
                return BadValue(option, "the name of a leg, or its field");
            }
            leg->guide = option.value;
            continue;
        }
        if (option.key == "name") {
            const char* const problem = NameProblem(option.value);
            if (problem != nullptr) {
                return BadValue(option, "a name as attributes have");
            }
            leg->name = option.value;
            continue;
        }
        if (option.value == "null") {
            leg->absent = std::numeric_limits<double>::quiet_NaN();
            continue;
        }
        double number = 0;
        QUERN_TRY(ParseNumber(option, "a number, -inf or null", &number));
        if (number == std::numeric_limits<double>::infinity()) {
            return BadValue(option, "a number, -inf or null");
        }
        leg->absent = number;
    }
    return {};
}

// One a leg, as "0.7,0.3"; nothing: those of the legs.
Status ParseWeights(const Option& option, std::vector<double>* weights) {
    weights->clear();
    if (option.value.empty()) {
        return BadValue(option, "numbers from 0 on, as in 0.7,0.3");
    }
    for (size_t at = 0; at < option.value.size();) {
        const size_t end = std::min(option.value.find(',', at), option.value.size());
        const Option one{option.key, option.value.substr(at, end - at)};
        double weight = 0;
        QUERN_TRY(ParseNumber(one, "numbers from 0 on, as in 0.7,0.3", &weight));
        if (!(weight >= 0) || !std::isfinite(weight)) {
            return BadValue(option, "numbers from 0 on, as in 0.7,0.3");
        }
        if (weights->size() >= kLegsMax) {
            return Status::Error(Code::kLimit, "more than %zu legs", kLegsMax);
        }
        weights->push_back(weight);
        at = end + 1;
    }
    return {};
}

// list: the options that were given now.
Status CheckKind(const query::FusionOptions& fusion, const std::vector<Option>& list) {
    if (fusion.kind == query::FusionKind::kReciprocalRank &&
        fusion.normalization != query::Normalization::kNone) {
        return Status::Error(Code::kInvalid,
                             "normalize=%s goes not with kind=rrf: ranks are made of scores as "
                             "they are",
                             query::NormalizationName(fusion.normalization));
    }
    for (const Option& option : list) {
        const bool of_ranks = option.key == "rrf_k";
        const query::FusionKind goes_with =
            of_ranks ? query::FusionKind::kReciprocalRank : query::FusionKind::kBest;
        if ((of_ranks || option.key == "penalty") && fusion.kind != goes_with) {
            return Status::Error(Code::kInvalid, "%s=%s goes with kind=%s, the kind is %s",
                                 option.key.c_str(), option.value.c_str(),
                                 query::KindName(goes_with), query::KindName(fusion.kind));
        }
    }
    return {};
}

Status ParseFusion(const char* options, SearchRequest* request) {
    query::FusionOptions* const fusion = &request->fusion;
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options, {"kind", "normalize", "rrf_k", "penalty", "weights", "stored"},
                           &list));
    if (!list.empty()) {
        request->kept_fusion.clear();
    }
    for (const Option& option : list) {
        if (option.key == "stored") {
            if (list.size() > 1) {
                return Status::Error(Code::kOption,
                                     "stored=%s says all of how legs are fused: nothing goes "
                                     "beside it",
                                     option.value.c_str());
            }
            if (option.value.empty()) {
                return BadValue(option, "the name of a stored fusion");
            }
            request->formula = {};
            request->fusion = {};
            request->kept_fusion = option.value;
        } else if (option.key == "kind") {
            request->formula = {};
            if (!query::FindKind(option.value, &fusion->kind) ||
                fusion->kind == query::FusionKind::kFormula) {
                return BadValue(option, "sum, max, best or rrf");
            }
        } else if (option.key == "normalize") {
            if (!query::FindNormalization(option.value, &fusion->normalization)) {
                return BadValue(option, "none, minmax, zscore or distribution");
            }
        } else if (option.key == "weights") {
            QUERN_TRY(ParseWeights(option, &fusion->weights));
        } else {
            double* const number =
                option.key == "penalty" ? &fusion->penalty : &fusion->rank_constant;
            QUERN_TRY(ParseNumber(option, "a number from 0 to 1000000", number));
            if (!(*number >= 0 && *number <= 1e6)) {
                return BadValue(option, "a number from 0 to 1000000");
            }
        }
    }
    return CheckKind(*fusion, list);
}

// Candidates of candidates, and searches of a query in all: each runs on its own, and a query of a
// few calls must not be one of thousands of searches.
constexpr size_t kLevelsMax = 8;
constexpr size_t kSearchesMax = 256;

struct Nesting {
    size_t levels = 0;  // of candidates
    size_t searches = 1;
};
Nesting NestingOf(const SearchRequest& request) {
    Nesting nesting;
    for (const SearchLeg& leg : request.legs) {
        const Nesting of_leg = NestingOf(leg.request);
        nesting.levels = std::max(nesting.levels, of_leg.levels);
        nesting.searches += of_leg.searches;
    }
    if (request.candidates != nullptr) {
        const Nesting inner = NestingOf(*request.candidates);
        nesting.levels = std::max(nesting.levels, inner.levels + 1);
        nesting.searches += inner.searches;
    }
    nesting.searches *= request.feedback ? 2 : 1;
    return nesting;
}
Status CheckNesting(const SearchRequest& request) {
    const Nesting nesting = NestingOf(request);
    if (nesting.levels > kLevelsMax) {
        return Status::Error(Code::kLimit, "candidates of candidates, %zu deep: the limit is %zu",
                             nesting.levels, kLevelsMax);
    }
    if (nesting.searches > kSearchesMax) {
        return Status::Error(Code::kLimit, "a query of %zu searches: the limit is %zu",
                             nesting.searches, kSearchesMax);
    }
    return {};
}

// What a query that becomes a part of another must be.
Status CheckPart(const quern_query& q, const quern_query& part, const std::string& name) {
    if (&part == &q) {
        return Status::Error(Code::kMisuse, "%s is the query itself", name.c_str());
    }
    if (!part.error.ok()) {
        return Status(part.error).WithContext(name);
    }
    if (part.database != q.database || part.request.collection != q.request.collection) {
        return Status::Error(Code::kMisuse, "%s searches another collection than the query",
                             name.c_str());
    }
    if (part.request.shape.any()) {
        return Status::Error(Code::kInvalid,
                             "%s has an offset, groups, diversity, an order or a bookmark: "
                             "these are of whole queries",
                             name.c_str());
    }
    if (!part.request.filter.empty()) {
        return Status::Error(Code::kInvalid,
                             "%s has a filter: the query's is that of all its searches",
                             name.c_str());
    }
    return {};
}

Status SetCandidates(quern_query* q, quern_query* from) {
    if (from == nullptr) {
        q->request.candidates.reset();
        return {};
    }
    const std::string name = "the query for candidates";
    QUERN_TRY(CheckHandle(from, Magic::kQuery, "from"));
    QUERN_TRY(CheckPart(*q, *from, name));
    const Status complete = CheckComplete(*from);
    if (!complete.ok()) {
        return Status(complete).WithContext(name);
    }
    auto candidates = std::make_shared<SearchRequest>(from->request);
    SearchRequest nested = q->request;
    nested.candidates = candidates;
    QUERN_TRY(CheckNesting(nested));
    q->request.candidates = std::move(candidates);
    return {};
}

Status AddLeg(quern_query* q, quern_query* leg, double weight, const char* options) {
    QUERN_TRY(CheckHandle(leg, Magic::kQuery, "leg"));
    const std::string name = "leg " + std::to_string(q->request.legs.size());
    QUERN_TRY(CheckPart(*q, *leg, name));
    if (!leg->request.legs.empty()) {
        return Status::Error(Code::kInvalid, "%s has legs itself", name.c_str());
    }
    if (leg->request.feedback) {
        return Status::Error(Code::kInvalid,
                             "%s has feedback: give it to the query, which names the leg",
                             name.c_str());
    }
    if (!leg->has_target) {
        return Status::Error(Code::kInvalid, "%s has nothing to look for: set vectors or keys",
                             name.c_str());
    }
    const Status complete = CheckComplete(*leg);
    if (!complete.ok()) {
        return Status(complete).WithContext(name);
    }
    if (!std::isfinite(weight) || weight < 0) {
        return Status::Error(Code::kInvalid, "%s: the weight is %g, not a number from 0 on",
                             name.c_str(), weight);
    }
    if (q->request.legs.size() >= kLegsMax) {
        return Status::Error(Code::kLimit, "more than %zu legs", kLegsMax);
    }
    SearchLeg added;
    added.request = leg->request;
    added.weight = weight;
    QUERN_TRY(ParseLegOptions(options, &added));
    for (const SearchLeg& other : q->request.legs) {
        if (!added.name.empty() && SameName(other.name, added.name)) {
            return Status::Error(Code::kInvalid, "%s: two legs are called '%s'", name.c_str(),
                                 added.name.c_str());
        }
    }
    q->request.legs.push_back(std::move(added));
    return CheckNesting(q->request);
}

}  // namespace

void quern_query_leg(quern_query* q, quern_query* leg, double weight, const char* options) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&] { return AddLeg(q, leg, weight, options); });
    }
}

void quern_query_candidates(quern_query* q, quern_query* from) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&] { return SetCandidates(q, from); });
    }
}

void quern_query_fusion(quern_query* q, const char* options) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&] { return ParseFusion(options, &q->request); });
    }
}

void quern_query_formula(quern_query* q, const char* formula) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&]() -> Status {
            q->request.formula = {};
            if (formula != nullptr) {
                q->request.kept_fusion.clear();
                QUERN_ASSIGN(q->request.formula, ScoreFormula::Read(formula));
            }
            return {};
        });
    }
}

void quern_query_formula_bind(quern_query* q, const char* parameter, double value) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&]() -> Status {
            QUERN_TRY(NotNull(parameter, "parameter"));
            return q->request.formula.Bind(parameter, value);
        });
    }
}

size_t quern_result_legs(const quern_result* r) {
    return IsHandle(r, Magic::kResult) ? r->table.leg_count : 0;
}

double quern_result_leg_part(const quern_result* r, size_t row, size_t leg) {
    if (!IsHandle(r, Magic::kResult) || leg >= r->table.leg_count || row >= r->table.row_count()) {
        return 0;
    }
    return r->table.leg_shares[row * r->table.leg_count + leg];
}

int64_t quern_result_leg_stat(const quern_result* r, size_t leg, int32_t stat) {
    return IsHandle(r, Magic::kResult) && leg < r->table.leg_count
               ? StatOf(r->table.legs[leg], stat)
               : 0;
}

double quern_result_leg_score(const quern_result* r, size_t row, size_t leg) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    if (!IsHandle(r, Magic::kResult) || leg >= r->table.leg_count || row >= r->table.row_count()) {
        return none;
    }
    return r->table.leg_scores[row * r->table.leg_count + leg];
}
