#include "engine/db/kept_fusions.h"

#include <algorithm>

namespace quern {

namespace {

bool NamesFusion(const SearchRequest& request) {
    return !request.kept_fusion.empty() ||
           (request.candidates != nullptr && NamesFusion(*request.candidates)) ||
           std::any_of(request.legs.begin(), request.legs.end(),
                       [](const SearchLeg& leg) { return NamesFusion(leg.request); });
}

std::string Names(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text.append(text.empty() ? "'" : ", '").append(name).append("'");
    }
    return text;
}

Status CheckFusionName(const std::string& name) {
    const char* problem = NameProblem(name);
    if (problem == nullptr && name.find_first_of(" ,=\"'") != std::string::npos) {
        problem = "has a space, a comma, a quote or '=': options could not name it";
    }
    return problem == nullptr ? Status()
                              : Status::Error(Code::kInvalid, "the name of a fusion, '%s', %s",
                                              name.c_str(), problem);
}

Status NoSuchFusion(const storage::CollectionInfo& info, const std::string& name) {
    std::vector<std::string> known;
    for (const storage::KeptFusion& fusion : info.fusions) {
        known.push_back(fusion.name);
    }
    return Status::Error(Code::kNotFound, "there is no fusion '%s'; there %s", name.c_str(),
                         known.empty() ? "are none" : ("are: " + Names(known)).c_str());
}

// Gives each leg the weight that the fusion has for its name; of legs that are called alike the
// first has the first such weight.
Status TakeFusion(const storage::CollectionInfo& info, SearchRequest* request) {
    const std::string name = request->kept_fusion;
    const storage::KeptFusion* const kept = info.FindFusion(name);
    if (kept == nullptr) {
        return NoSuchFusion(info, name);
    }
    auto read = query::ReadFusionText(kept->text);
    if (!read.ok()) {
        return Status(read.status()).WithContext("fusion '" + kept->name + "'");
    }
    std::vector<uint8_t> taken(read->legs.size(), 0);
    std::vector<double> weights;
    std::vector<std::string> called;
    for (const SearchLeg& leg : request->legs) {
        called.push_back(NameOf(leg));
        for (size_t i = 0; i < taken.size() && weights.size() < called.size(); i++) {
            if (taken[i] == 0 && SameName(read->legs[i], NameOf(leg))) {
                taken[i] = 1;
                weights.push_back(read->options.weights[i]);
            }
        }
    }
    if (weights.size() != request->legs.size() || weights.size() != taken.size()) {
        return Status::Error(Code::kInvalid,
                             "fusion '%s' is for the legs %s, the query has %s: name legs with "
                             "the option name=NAME",
                             kept->name.c_str(), Names(read->legs).c_str(),
                             called.empty() ? "none" : Names(called).c_str());
    }
    request->fusion = read->options;
    request->fusion.weights = std::move(weights);
    request->kept_fusion.clear();
    return CheckFusion(*request);
}

Status TakeFusions(const storage::CollectionInfo& info, SearchRequest* request) {
    if (!request->kept_fusion.empty()) {
        QUERN_TRY(TakeFusion(info, request));
    }
    if (request->candidates != nullptr && NamesFusion(*request->candidates)) {
        auto candidates = std::make_shared<SearchRequest>(*request->candidates);
        QUERN_TRY(TakeFusions(info, candidates.get()));
        request->candidates = std::move(candidates);
    }
    for (SearchLeg& leg : request->legs) {
        QUERN_TRY(TakeFusions(info, &leg.request));
    }
    return {};
}

}  // namespace

const std::string& NameOf(const SearchLeg& leg) {
    return leg.name.empty() ? leg.request.field : leg.name;
}

Status CheckFusion(const SearchRequest& request) {
    const std::vector<SearchLeg>& legs = request.legs;
    const query::FusionOptions& fusion = request.fusion;
    const bool by_formula = request.formula.parsed != nullptr;
    const bool best = !by_formula && fusion.kind == query::FusionKind::kBest;
    if (best && fusion.normalization != query::Normalization::kNone) {
        return Status::Error(Code::kInvalid, "kind=best takes scores as they are, not normalized");
    }
    if (!fusion.weights.empty() && fusion.weights.size() != legs.size()) {
        return Status::Error(Code::kInvalid, "weights= has %zu weights, there are %zu legs",
                             fusion.weights.size(), legs.size());
    }
    bool finds = false;
    bool weighs = false;
    for (size_t l = 0; l < legs.size(); l++) {
        const SearchLeg& leg = legs[l];
        if (leg.against && !best) {
            return Status::Error(Code::kInvalid, "a leg with against=1 goes with kind=best only");
        }
        const double weight = WeightOf(request, l);
        weighs = weighs || weight > 0;
        finds = finds || (weight > 0 && !leg.against);
        if (by_formula && weight != 0 && weight != 1) {
            return Status::Error(Code::kInvalid,
                                 "leg %zu has weight %g: weights are the formula's, legs have 1 or "
                                 "0",
                                 l, weight);
        }
        if (!by_formula && leg.absent && std::isnan(*leg.absent)) {
            return Status::Error(Code::kInvalid, "leg %zu: absent=null is for formulas", l);
        }
    }
    if (!finds) {
        return Status::Error(
            Code::kInvalid,
            weighs ? "the weights of all legs that find are 0: the others have against=1"
                   : "the weights of all legs are 0");
    }
    return {};
}

Status ResolvedRequest::Make(const storage::CollectionInfo& info, const SearchRequest& request) {
    request_ = &request;
    if (NamesFusion(request)) {
        own_ = request;
        QUERN_TRY(TakeFusions(info, &own_));
        request_ = &own_;
    }
    return {};
}

Status Database::KeepFusion(const std::string& name, const SearchRequest& request) {
    QUERN_TRY(CheckFusionName(name));
    QUERN_ASSIGN(WriteStart start, BeginWrite());
    const auto info = start.catalog->Find(request.collection);
    if (info == nullptr) {
        return Status::Error(Code::kNotFound, "no collection '%s'", request.collection.c_str());
    }
    ResolvedRequest resolved;
    QUERN_TRY(InCollection(*info, resolved.Make(*info, request)));
    query::FusionOfLegs fusion;
    fusion.options = resolved.request().fusion;
    fusion.options.weights.clear();
    for (size_t l = 0; l < request.legs.size(); l++) {
        fusion.options.weights.push_back(WeightOf(resolved.request(), l));
        fusion.legs.push_back(NameOf(request.legs[l]));
    }
    QUERN_TRY(
        InCollection(*info, storage::KeepFusion(start.writer->connection(), *info, name,
                                                query::FusionText(fusion), start.generation)));
    return CommitWrite(&start);
}

Status Database::DropFusion(const std::string& collection, const std::string& name) {
    QUERN_ASSIGN(WriteStart start, BeginWrite());
    const auto info = start.catalog->Find(collection);
    if (info == nullptr) {
        return Status::Error(Code::kNotFound, "no collection '%s'", collection.c_str());
    }
    const storage::KeptFusion* const kept = info->FindFusion(name);
    if (kept == nullptr) {
        return InCollection(*info, NoSuchFusion(*info, name));
    }
    QUERN_TRY(storage::DropFusion(start.writer->connection(), *info, *kept, start.generation));
    return CommitWrite(&start);
}

}  // namespace quern
