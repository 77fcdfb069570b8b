#include "engine/db/hit_explain.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/db/feedback.h"
#include "engine/db/hybrid_searcher.h"
#include "engine/db/kept_fusions.h"
#include "engine/db/leg_search.h"
#include "engine/db/score_formula.h"
#include "engine/query/fused_search.h"
#include "storage/base/json.h"
#include "storage/record_table.h"

namespace quern {

namespace {

class HitExplainer {
public:
    HitExplainer(Database* database, Snapshot* snapshot, const SearchRequest& request,
                 const ResultTable& hits)
        : database_(database), snapshot_(snapshot), request_(request), hits_(hits) {}

    Result<std::string> Run() {
        QUERN_ASSIGN(views_.whole, snapshot_->View(request_.collection));
        // Scores are those of the collection, and places the same, whatever a filter leaves.
        views_.matching = views_.whole;
        const storage::CollectionInfo& info = *views_.whole->info;
        const auto explain = [&]() -> Result<std::string> {
            QUERN_TRY(OpenLegs(info));
            std::vector<std::optional<RecordPlace>> places;
            QUERN_TRY(Locate(&places));
            Json rows = Json::Array();
            for (size_t q = 0; q + 1 < hits_.offsets.size(); q++) {
                for (size_t row = hits_.offsets[q]; row < hits_.offsets[q + 1]; row++) {
                    QUERN_ASSIGN(Json one, RowJson(q, row, places[row]));
                    rows.push_back(std::move(one));
                }
            }
            return Json{{"collection", info.name}, {"hits", std::move(rows)}}.Text();
        };
        auto json = explain();
        return json.ok() ? std::move(json) : InCollection(info, json.status());
    }

private:
    Status OpenLegs(const storage::CollectionInfo& info) {
        QUERN_TRY(resolved_.Make(info, request_));
        const SearchRequest* searched = &resolved_.request();
        if (searched->feedback) {
            ResultTable own;
            QUERN_TRY(moved_.Make(database_, snapshot_, views_, *searched, &own));
            searched = &moved_.request();
        }
        alone_ = searched->legs.empty();
        if (alone_) {
            requests_.push_back(*searched);
            names_.emplace_back();
        }
        for (const SearchLeg& leg : searched->legs) {
            requests_.push_back(leg.request);
            names_.push_back(leg.name);
        }
        QUERN_TRY(FindRanks(*searched));
        ranked_ = searched->fusion.kind == query::FusionKind::kReciprocalRank;
        // What the candidates are has been decided: hits are among them, but for those of one leg.
        for (SearchRequest& request : requests_) {
            narrowed_.push_back(!searched->legs.empty() && request.candidates != nullptr);
            request.candidates = nullptr;
            request.budget = nullptr;
        }
        if (searched->formula.parsed != nullptr && !searched->legs.empty()) {
            QUERN_ASSIGN(formula_,
                         OpenFormula(database_, snapshot_, views_, *searched, &table_.tally));
        }
        for (size_t l = 0; l < requests_.size(); l++) {
            QUERN_ASSIGN(auto search,
                         OpenFieldSearch(database_, snapshot_, views_, requests_[l], &table_));
            searches_.push_back(std::move(search));
        }
        return {};
    }

    // The first hits of each leg, as a fusion sees them: under the filter, among the candidates,
    // without the records that look for themselves.
    Status FindRanks(const SearchRequest& searched) {
        SearchedViews views = views_;
        FileReads unused;
        QUERN_ASSIGN(views.matching,
                     ViewOfMatches(database_, snapshot_, views_.whole, searched.filter, &unused));
        std::vector<SearchLeg> given = searched.legs;
        if (given.empty()) {
            given.emplace_back().request = searched;
        }
        for (SearchLeg& leg : given) {
            leg.request.budget = nullptr;
        }
        std::vector<std::unique_ptr<LegSearch>> legs;
        ResultTable own;
        QUERN_TRY(StartLegs(searched, views, given, &own, &legs));
        for (size_t l = 0; l < legs.size(); l++) {
            std::vector<FirstHits>& of_leg = ranks_.emplace_back();
            for (size_t q = 0; q < legs[l]->query_count(); q++) {
                QUERN_ASSIGN(const query::LegList list, legs[l]->Best(q, legs[l]->first_depth()));
                const std::vector<size_t> ranks = query::RanksOf(list.hits);
                FirstHits& first = of_leg.emplace_back();
                for (size_t i = 0; i < ranks.size(); i++) {
                    first.ranks.emplace(list.hits[i].record, ranks[i]);
                    first.last_score = list.hits[i].score;
                    first.last_rank = ranks[i];
                }
            }
        }
        return {};
    }

    // Starts what is given, which stays where it is while the legs are asked.
    Status StartLegs(const SearchRequest& searched, const SearchedViews& views,
                     const std::vector<SearchLeg>& given, ResultTable* own,
                     std::vector<std::unique_ptr<LegSearch>>* legs) {
        const size_t queries = hits_.offsets.size() - 1;
        const auto records = static_cast<size_t>(views_.whole->state.records);
        for (size_t l = 0; l < given.size(); l++) {
            const SearchRequest& request = given[l].request;
            // Of a query without legs: all within a bound, or all that the result has passed over
            // and told.
            const size_t depth =
                !searched.legs.empty() ? FirstDepthOf(request, searched.limit, records)
                : request.limit == 0   ? 0
                                       : std::max(kListDepth, request.limit + request.shape.offset);
            size_t others = 0;
            for (size_t other = 0; other < given.size(); other++) {
                others += other == l ? 0 : SelvesMax(given[other].request);
            }
            legs->push_back(
                std::make_unique<LegSearch>(database_, snapshot_, views, given[l], depth, 0, own));
            legs->back()->LeaveOut(&selves_, others);
            QUERN_TRY(legs->back()->Start());
            if (legs->back()->query_count() != queries) {
                return Status::Error(Code::kInvalid,
                                     "the result is of %zu queries, the query has %zu", queries,
                                     legs->back()->query_count());
            }
        }
        selves_.resize(queries);
        CandidateSets places(queries);
        for (size_t q = 0; q < queries; q++) {
            for (const auto& leg : *legs) {
                for (const RecordPlace& self : leg->SelvesOf(q)) {
                    selves_[q].push_back(NumberOf(self));
                    places[q].push_back(self);
                }
            }
        }
        for (size_t l = 0; l < given.size(); l++) {
            if (!given[l].guide.empty()) {
                QUERN_ASSIGN(const size_t guide, GuideOf(views_.whole->info->schema, searched, l));
                (*legs)[l]->GuideBy((*legs)[guide].get(), GuideShare());
            }
        }
        std::shared_ptr<const CandidateSets> among =
            searched.legs.empty() ? nullptr : searched.among;
        if (!searched.legs.empty() && searched.candidates != nullptr) {
            QUERN_ASSIGN(
                among, FindCandidates(database_, snapshot_, views, *searched.candidates,
                                      std::max(kListDepth, searched.limit), places, nullptr, own));
        }
        for (size_t l = 0; among != nullptr && l < legs->size(); l++) {
            QUERN_TRY((*legs)[l]->StayAmong(among));
        }
        return {};
    }

    // What a list does not hold that equals its last hit has the same place, wherever it lies; but
    // ranks that count are those of the list alone.
    Json RankOf(size_t leg, size_t q, const RecordPlace& place, double score) const {
        const FirstHits& first = ranks_[leg][q];
        const uint64_t record = NumberOf(place);
        const auto found = first.ranks.find(record);
        if (found != first.ranks.end()) {
            return Json(found->second);
        }
        const bool is_self =
            std::find(selves_[q].begin(), selves_[q].end(), record) != selves_[q].end();
        return score == first.last_score && !ranked_ && !is_self ? Json(first.last_rank)
                                                                 : Json(nullptr);
    }

    Status Locate(std::vector<std::optional<RecordPlace>>* places) {
        if (hits_.row_count() > 0 && hits_.key_type != views_.whole->info->schema.key_type) {
            return Status::Error(Code::kType, "the result has %s keys, the collection has not",
                                 hits_.key_type == KeyType::kInt ? "int" : "text");
        }
        return snapshot_->With([&](storage::Connection* connection) -> Status {
            storage::RecordTable records(connection, *views_.whole->info);
            for (size_t row = 0; row < hits_.row_count(); row++) {
                QUERN_ASSIGN(auto place,
                             FindPlace(connection, *views_.whole, &records, KeyOf(row)));
                places->push_back(place);
            }
            return {};
        });
    }

    Key KeyOf(size_t row) const {
        return hits_.key_type == KeyType::kInt ? Key::Int(hits_.int_keys[row])
                                               : Key::Text(hits_.text_keys[row]);
    }

    Result<Json> RowJson(size_t q, size_t row, const std::optional<RecordPlace>& place) {
        Json json = {{"query", q}};
        if (hits_.key_type == KeyType::kInt) {
            json["key"] = hits_.int_keys[row];
        } else {
            json["key"] = hits_.text_keys[row];
        }
        json["score"] = Number(static_cast<double>(hits_.scores[row]));
        if (!place) {
            json["gone"] = true;
            return json;
        }
        Json legs = Json::Array();
        for (size_t l = 0; l < searches_.size(); l++) {
            ExplainedScore score;
            QUERN_TRY(searches_[l]->Explain(q, *place, &score));
            // What the result was told is what its scores are made of.
            const bool given = !HasParts() || !std::isnan(PartOf(hits_.leg_scores, row, l));
            score.matches = score.matches && (given || !narrowed_[l]);
            const bool listed = given || !ranked_;
            if (score.matches && searches_.size() == 1 && !HasParts() &&
                !std::isfinite(hits_.scores[row])) {
                // Beyond f32, but not beyond what it was found by.
                json["score"] = Number(searches_[l]->ScoreOf(score.distance));
            }
            Json leg = LegJson(l, q, *place, score, listed);
            if (HasParts()) {
                leg["part"] = Number(PartOf(hits_.leg_shares, row, l));
            } else if (alone_) {
                leg["part"] = json["score"];
            }
            legs.push_back(std::move(leg));
        }
        json["legs"] = std::move(legs);
        if (formula_ != nullptr) {
            QUERN_ASSIGN(json["formula"], FormulaJson(row, *place));
        }
        return json;
    }

    // Whether the result tells what each leg has said.
    bool HasParts() const {
        return hits_.leg_count > 0 && hits_.leg_count == searches_.size() &&
               hits_.leg_shares.size() == hits_.row_count() * hits_.leg_count;
    }
    double PartOf(const std::vector<double>& parts, size_t row, size_t leg) const {
        return parts[row * hits_.leg_count + leg];
    }

    // What its variables are for a record: of legs what the result was told, of attributes their
    // values as of now.
    Result<Json> FormulaJson(size_t row, const RecordPlace& place) const {
        Json values = Json::Object();
        for (size_t l = 0; l < searches_.size() && HasParts(); l++) {
            values["l" + std::to_string(l)] = Number(PartOf(hits_.leg_shares, row, l));
        }
        const query::FormulaFusion& fusion = formula_->fusion();
        for (size_t other = 0; other < fusion.others.size(); other++) {
            double value = query::kNoScore;
            QUERN_TRY(fusion.values_of(other, {NumberOf(place)}, &value));
            values[formula_->NameOf(other)] = Number(value);
        }
        return Json{{"text", request_.formula.text}, {"values", std::move(values)}};
    }

    // listed: it may have a rank.
    Json LegJson(size_t l, size_t q, const RecordPlace& place, const ExplainedScore& score,
                 bool listed) const {
        const Schema& schema = views_.whole->info->schema;
        const auto field = static_cast<size_t>(schema.FindField(requests_[l].field));
        Json json = {{"leg", l}};
        json["name"] = names_[l].empty() ? schema.field_name(field) : names_[l];
        json["field"] = schema.field_name(field);
        json["kind"] = schema.field_kind(field);
        if (!score.matches) {
            json["score"] = nullptr;
            return json;
        }
        const double found = searches_[l]->ScoreOf(score.distance);
        json["score"] = Number(found);
        json["rank"] = listed ? RankOf(l, q, place, found) : Json(nullptr);
        if (schema.is_dense(field)) {
            json["distance"] = Number(score.distance);
            if (score.coarse) {
                json["codes"] = score.codes;
                json["coarse"] = Number(*score.coarse);
            }
            return json;
        }
        Json parts = Json::Array();
        for (const ScorePart& part : score.parts) {
            parts.push_back(schema.is_text(field) ? Json{{"term", part.term},
                                                         {"weight", part.query},
                                                         {"occurrences", part.occurrences},
                                                         {"value", part.record},
                                                         {"adds", part.adds}}
                                                  : Json{{"dimension", part.dimension},
                                                         {"weight", part.query},
                                                         {"value", part.record},
                                                         {"adds", part.adds}});
        }
        json["parts"] = std::move(parts);
        return json;
    }

    // JSON has no infinities.
    static Json Number(double number) {
        return std::isfinite(number) ? Json(number) : Json(nullptr);
    }

    Database* database_;
    Snapshot* snapshot_;
    const SearchRequest& request_;
    const ResultTable& hits_;
    SearchedViews views_;
    ResolvedRequest resolved_;
    MovedRequest moved_;
    std::vector<SearchRequest> requests_;  // what searches_ borrow: complete before these are made
    std::vector<std::string> names_;
    bool alone_ = false;  // a query without legs, which is one
    std::vector<std::unique_ptr<FieldSearch>> searches_;
    struct FirstHits {
        std::map<uint64_t, size_t> ranks;  // of the records
        double last_score = query::kNoScore;
        size_t last_rank = 0;
    };
    std::vector<std::vector<FirstHits>> ranks_;  // by leg and query
    std::vector<std::vector<uint64_t>> selves_;  // by query: what looks for itself
    std::vector<bool> narrowed_;                 // of a leg: it has candidates of its own
    bool ranked_ = false;                        // by ranks in the first lists
    std::unique_ptr<FormulaScorer> formula_;
    ResultTable table_;  // of what looking costs, which nobody is told
};

}  // namespace

Status ExplainHits(Database* database, Snapshot* snapshot, const SearchRequest& request,
                   const ResultTable& hits, std::string* json) {
    QUERN_ASSIGN(*json, HitExplainer(database, snapshot, request, hits).Run());
    return {};
}

}  // namespace quern
