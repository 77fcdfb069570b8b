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
        const uint64_t scored_max = request.limits.scored_max;
        QUERN_TRY(AddSearch(request, request.limit,
                            scored_max > 0 ? scored_max : SearchBudget::kNoBound, &json_));
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

    // One of so many parts of what a budget has left, rounded up as SearchBudget does.
    static uint64_t ShareOf(uint64_t left, size_t parts) {
        return left == SearchBudget::kNoBound ? left : left / parts + (left % parts > 0 ? 1 : 0);
    }

    // What a request is made of. limit: how many hits it gives; left: how many records it may
    // measure for each query.
    Status AddSearch(const SearchRequest& request, size_t limit, uint64_t left, Json* json) {
        if (request.legs.empty()) {
            QUERN_TRY(AddSegments(request, limit, left, json));
        } else {
            AddFusion(request, json);
            QUERN_TRY(AddLegs(request, limit, left, json));
        }
        if (request.candidates != nullptr) {
            const SearchRequest& from = *request.candidates;
            const size_t count = from.has_limit ? from.limit : std::max(kListDepth, limit);
            Json candidates = {{"hits", count}};
            AddField(from, &candidates);
            QUERN_TRY(AddSearch(from, count, ShareOf(left, 2), &candidates));
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

    Status AddLegs(const SearchRequest& request, size_t limit, uint64_t left, Json* json) {
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
            QUERN_TRY(AddSearch(leg.request, hits, ShareOf(left, request.legs.size()), &one));
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

    Status AddSegments(const SearchRequest& request, size_t limit, uint64_t left, Json* json) {
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
                QUERN_TRY(AddPlan(request, limit, s, schema.dense[static_cast<size_t>(field)],
                                  &left, &one));
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

    // left: of what the query may measure; gets what is then left for the next segment.
    Status AddPlan(const SearchRequest& request, size_t limit, size_t number, const DenseDef& def,
                   uint64_t* left, Json* one) {
        if (request.candidates != nullptr) {
            (*one)["way"] = "candidates";
            return {};
        }
        if (*left == 0) {
            (*one)["way"] = "none";
            return {};
        }
        Work work = database_->NewWork();
        SearchTally tally;
        IndexWays ways;
        IndexSearch& search = ways.search;
        if (request.recall < 1.0) {
            QUERN_TRY(search.Open(snapshot_, *matching_, number, def, &tally, &work));
        }
        const auto plan = [&](IndexSearch* planned) {
            return planned->usable() && limit > 0 &&
                   planned->Plan(limit, request, std::max<size_t>(1, QueryCount(request)));
        };
        ways.counted = *left != SearchBudget::kNoBound;
        if (ways.counted) {
            ways.rows = MatchesFrom(number);
            ways.short_search = search;
            search.CountScored(false);
            ways.short_search.CountScored(true);
            ways.short_planned = plan(&ways.short_search);
        }
        ways.planned = plan(&search);
        const IndexSearch* const way = ways.Of(*left);
        (*one)["way"] = way == nullptr      ? "scan"
                        : way->over_lists() ? "lists"
                        : way->walks()      ? "graph"
                                            : "codes";
        (*one)["walk_cost"] = search.walk_cost();
        (*one)["codes_cost"] = search.codes_cost();
        (*one)["lists_cost"] = search.lists_cost();
        (*one)["scan_cost"] = search.scan_cost();
        if (ways.counted) {
            const double scored = way != nullptr
                                      ? way->Estimate(true).scored
                                      : static_cast<double>(MatchesFrom(number, number + 1));
            // An ef that somebody has given is no estimate.
            const auto rows =
                static_cast<uint64_t>(std::isfinite(scored) ? std::max(scored, 0.0) : 0);
            (*one)["vectors_scored"] = rows;
            if (rows > *left) {
                (*one)["ends"] = "max_scored";
            }
            *left -= std::min(*left, rows);
        }
        return {};
    }

    // Records that may be found, in these segments and, behind the last, in the log.
    uint64_t MatchesFrom(size_t first, size_t end = SIZE_MAX) const {
        uint64_t before = 0;
        uint64_t count = 0;
        for (size_t s = 0; s < matching_->segments.size(); s++) {
            const size_t gone =
                matching_->matches != nullptr ? matching_->matches->segments[s].count : 0;
            const size_t records = matching_->segments[s]->item_count() - gone;
            before += s < first ? records : 0;
            count += s >= first && s < end ? records : 0;
        }
        const uint64_t all = matching_->matches != nullptr
                                 ? matching_->matches->count
                                 : static_cast<uint64_t>(view_->state.records);
        return end == SIZE_MAX ? std::max(count, all - std::min(all, before)) : count;
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
