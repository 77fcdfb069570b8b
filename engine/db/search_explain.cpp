#include "engine/db/search_explain.h"

#include <algorithm>
#include <cmath>

#include "engine/db/hybrid_searcher.h"
#include "engine/db/index_search.h"
#include "engine/db/kept_fusions.h"
#include "engine/db/query_choice.h"
#include "engine/filter/filter_tree.h"
#include "engine/query/fusion_text.h"
#include "storage/base/json.h"

namespace quern {

namespace {

class Explainer {
public:
    Explainer(Database* database, Snapshot* snapshot, const SearchRequest& request)
        : database_(database), snapshot_(snapshot), named_(request) {}

    Result<std::string> Run() {
        QUERN_ASSIGN(view_, snapshot_->View(named_.collection));
        QUERN_TRY(InCollection(*view_->info, resolved_.Make(*view_->info, named_)));
        return Explain(resolved_.request());
    }

private:
    Result<std::string> Explain(const SearchRequest& request) {
        FileReads reads;
        QUERN_ASSIGN(matching_, ViewOfMatches(database_, snapshot_, view_, request.filter, &reads));
        json_["collection"] = view_->info->name;
        json_["records"] = view_->state.records;
        if (matching_->matches != nullptr) {
            QUERN_TRY(AddFilter());
        }
        QUERN_TRY(AddSearch(request, request.limit, &json_));
        if (request.limits.any()) {
            const BudgetLimits& limits = request.limits;
            json_["budget"] = {{"timeout_ms", limits.timeout_ms},
                               {"max_scored", limits.scored_max},
                               {"max_bytes", limits.bytes_max}};
        }
        return json_.Text();
    }

    Status AddFilter() {
        const RecordFilter& filter = named_.filter;
        json_["matches"] = matching_->matches->count;
        for (const KeyChoice& choice : filter.keys) {
            json_["keys"].push_back({{"count", choice.set->count()}, {"except", choice.except}});
        }
        if (filter.text.empty()) {
            return {};
        }
        QUERN_ASSIGN(const filter::Tokens tokens, filter::ReadTokens(filter.text));
        const filter::Node tree =
            filter::ReadTree(tokens, {view_->info->name, &view_->info->schema}, filter.arguments);
        Json conditions = Json::Array();
        AddConditions(tree, tokens, &conditions);
        json_["filter"] = {
            {"text", filter.text}, {"log", "sqlite"}, {"conditions", std::move(conditions)}};
        return {};
    }

    void AddConditions(const filter::Node& node, const filter::Tokens& tokens,
                       Json* conditions) const {
        if (node.children.empty()) {
            const size_t begin = tokens.list[node.first_token].begin;
            const size_t end = tokens.list[node.end_token - 1].end;
            const bool sqlite =
                matching_->matches->by_sqlite || node.kind == filter::NodeKind::kSql;
            conditions->push_back({{"text", named_.filter.text.substr(begin, end - begin)},
                                   {"byte", begin},
                                   {"by", sqlite ? "sqlite" : "columns"}});
        }
        for (const filter::Node& child : node.children) {
            AddConditions(child, tokens, conditions);
        }
    }

    // What a request is made of. limit: how many hits it gives.
    Status AddSearch(const SearchRequest& request, size_t limit, Json* json) {
        if (request.legs.empty()) {
            QUERN_TRY(AddSegments(request, limit, json));
        } else {
            AddFusion(request, json);
            QUERN_TRY(AddLegs(request, limit, json));
        }
        if (request.candidates != nullptr) {
            const SearchRequest& from = *request.candidates;
            const size_t count = from.has_limit ? from.limit : std::max(kListDepth, limit);
            Json candidates = {{"hits", count}};
            AddField(from, &candidates);
            QUERN_TRY(AddSearch(from, count, &candidates));
            (*json)["candidates"] = std::move(candidates);
        }
        return {};
    }

    static void AddFusion(const SearchRequest& request, Json* json) {
        Json fusion;
        if (request.formula.parsed != nullptr) {
            fusion = {{"kind", "formula"}, {"formula", request.formula.text}};
        } else if (request.fusion.kind == query::FusionKind::kReciprocalRank) {
            fusion = {{"kind", "rrf"}, {"rrf_k", request.fusion.rank_constant}};
        } else if (request.fusion.kind == query::FusionKind::kBest) {
            fusion = {{"kind", "best"}, {"penalty", request.fusion.penalty}};
        } else {
            fusion = {{"kind", query::KindName(request.fusion.kind)}};
        }
        fusion["normalize"] = query::NormalizationName(request.fusion.normalization);
        (*json)["fusion"] = std::move(fusion);
    }

    Status AddLegs(const SearchRequest& request, size_t limit, Json* json) {
        Json legs = Json::Array();
        for (size_t l = 0; l < request.legs.size(); l++) {
            const SearchLeg& leg = request.legs[l];
            const size_t hits =
                FirstDepthOf(leg.request, limit, static_cast<size_t>(view_->state.records));
            Json one = {{"leg", l}};
            if (!leg.name.empty()) {
                one["name"] = leg.name;
            }
            AddField(leg.request, &one);
            one["weight"] = WeightOf(request, l);
            if (leg.against) {
                one["against"] = true;
            }
            one["absent"] = Absent(leg, request.fusion);
            if (!leg.guide.empty()) {
                QUERN_ASSIGN(one["guide"], GuideOf(view_->info->schema, request, l));
            }
            one["hits"] = hits;
            QUERN_TRY(AddSearch(leg.request, hits, &one));
            legs.push_back(std::move(one));
        }
        (*json)["legs"] = std::move(legs);
        return {};
    }

    void AddField(const SearchRequest& request, Json* json) const {
        const Schema& schema = view_->info->schema;
        const int field = schema.FindField(request.field);
        if (field >= 0) {
            (*json)["field"] = request.field;
            (*json)["kind"] = schema.field_kind(static_cast<size_t>(field));
        }
    }

    Json Absent(const SearchLeg& leg, const query::FusionOptions& fusion) const {
        if (leg.absent && std::isnan(*leg.absent)) {
            return nullptr;
        }
        const query::AbsentScore of = AbsentOf(view_->info->schema, leg, fusion);
        const double absent = std::isnan(of.score) ? of.none : of.score;
        return std::isnan(absent)   ? Json("last hit")
               : std::isinf(absent) ? Json("-inf")
                                    : Json(absent);
    }

    Status AddSegments(const SearchRequest& request, size_t limit, Json* json) {
        const Schema& schema = view_->info->schema;
        const int field = request.field.empty() ? -1 : schema.FindField(request.field);
        Json segments = Json::Array();
        for (size_t s = 0; s < matching_->segments.size(); s++) {
            Segment& segment = *matching_->segments[s];
            Json one = {{"segment", segment.info().id}, {"records", segment.item_count()}};
            if (matching_->matches != nullptr) {
                one["matches"] = segment.item_count() - matching_->matches->segments[s].count;
            }
            if (field >= 0 && schema.is_dense(static_cast<size_t>(field))) {
                QUERN_TRY(
                    AddPlan(request, limit, s, schema.dense[static_cast<size_t>(field)], &one));
            } else if (field >= 0) {
                one["way"] = WayOf(request, segment.info(), static_cast<size_t>(field));
            }
            segments.push_back(std::move(one));
        }
        (*json)["segments"] = std::move(segments);
        return {};
    }

    // Of a sparse or a text field, by what the file has: nothing is loaded.
    const char* WayOf(const SearchRequest& request, const storage::SegmentInfo& segment,
                      size_t field) const {
        const Schema& schema = view_->info->schema;
        const bool text = schema.is_text(field);
        const storage::PartKind head =
            text ? storage::PartKind::kTextHead : storage::PartKind::kSparseHead;
        if (request.candidates != nullptr) {
            return "candidates";
        }
        if (segment.Find(head, schema.field_id(field)) != nullptr) {
            return "index";
        }
        return text ? "made" : "scan";
    }

    Status AddPlan(const SearchRequest& request, size_t limit, size_t number, const DenseDef& def,
                   Json* one) {
        if (request.candidates != nullptr) {
            (*one)["way"] = "candidates";
            return {};
        }
        Work work = database_->NewWork();
        SearchTally tally;
        IndexSearch search;
        if (request.recall < 1.0) {
            QUERN_TRY(search.Open(snapshot_, *matching_, number, def, &tally, &work));
        }
        const bool planned = search.usable() && limit > 0 &&
                             search.Plan(limit, request, std::max<size_t>(1, QueryCount(request)));
        (*one)["way"] = !planned              ? "scan"
                        : search.over_lists() ? "lists"
                        : search.walks()      ? "graph"
                                              : "codes";
        (*one)["walk_cost"] = search.walk_cost();
        (*one)["codes_cost"] = search.codes_cost();
        (*one)["lists_cost"] = search.lists_cost();
        (*one)["scan_cost"] = search.scan_cost();
        return {};
    }

    Database* database_;
    Snapshot* snapshot_;
    const SearchRequest& named_;
    ResolvedRequest resolved_;
    std::shared_ptr<const CollectionView> view_;
    std::shared_ptr<const CollectionView> matching_;
    Json json_;
};

}  // namespace

Status ExplainSearch(Database* database, Snapshot* snapshot, const SearchRequest& request,
                     std::string* json) {
    QUERN_ASSIGN(*json, Explainer(database, snapshot, request).Run());
    return {};
}

}  // namespace quern
