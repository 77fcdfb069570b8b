#include "engine/db/recall_audit.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/db/field_search.h"
#include "engine/db/index_options.h"
#include "engine/db/query_choice.h"
#include "engine/dense/recall_correction.h"

namespace quern {

namespace {

using dense::RecallCorrection;

// The standard error of a recall@10 near .95 is about a hundredth with so many.
constexpr size_t kKeepQueriesLeast = 50;
// Of longer results no more are asked for, to see which equal the last.
constexpr size_t kManyHits = 10000;

// A request that no index and no shortcut answers.
SearchRequest ExactOf(const SearchRequest& request) {
    SearchRequest exact = request;
    exact.recall = 1;
    exact.ef = 0;
    exact.nprobe = 0;
    exact.refine_how = Refine::kAuto;
    exact.bound = 1;
    exact.terms = 0;
    exact.limits = {};
    for (SearchLeg& leg : exact.legs) {
        leg.request = ExactOf(leg.request);
    }
    if (request.candidates != nullptr) {
        exact.candidates = std::make_shared<SearchRequest>(ExactOf(*request.candidates));
    }
    return exact;
}

// A leg, or a query for candidates, as a search of its own.
SearchRequest AloneOf(const SearchRequest& part, const SearchRequest& whole) {
    SearchRequest alone = part;
    alone.collection = whole.collection;
    alone.filter = whole.filter;
    alone.columns.clear();
    if (!alone.has_limit) {
        alone.limit = std::max(kListDepth, whole.limit);
    }
    return alone;
}

// Whether what scores as much as the last true hit is as good: not where scores or ranks are those
// of lists, the query is moved by what was found, or a record must have been found by another
// search before.
bool TellsByScore(const SearchRequest& request) {
    if (request.feedback || request.candidates != nullptr || request.among != nullptr) {
        return false;
    }
    const bool scaled = request.fusion.kind == query::FusionKind::kReciprocalRank ||
                        request.fusion.normalization != query::Normalization::kNone;
    return request.legs.empty() ||
           (!scaled && std::all_of(request.legs.begin(), request.legs.end(),
                                   [](const SearchLeg& leg) { return TellsByScore(leg.request); }));
}

// Without budgets.
void TakeBudgets(SearchRequest* request) {
    request->limits = {};
    request->budget = nullptr;
    for (SearchLeg& leg : request->legs) {
        TakeBudgets(&leg.request);
    }
    if (request->candidates != nullptr) {
        auto candidates = std::make_shared<SearchRequest>(*request->candidates);
        TakeBudgets(candidates.get());
        request->candidates = std::move(candidates);
    }
}

// More hits, of the same scores: what legs are asked for stays.
SearchRequest MoreOf(const SearchRequest& request, size_t limit) {
    SearchRequest more = request;
    for (SearchLeg& leg : more.legs) {
        if (!leg.request.has_limit) {
            leg.request.limit = std::max(kListDepth, request.limit);
            leg.request.has_limit = true;
        }
    }
    if (more.candidates != nullptr && !more.candidates->has_limit) {
        auto candidates = std::make_shared<SearchRequest>(*more.candidates);
        candidates->limit = std::max(kListDepth, request.limit);
        candidates->has_limit = true;
        more.candidates = std::move(candidates);
    }
    more.limit = limit;
    return more;
}

class RecallMeter {
public:
    RecallMeter(Database* database, Snapshot* snapshot)
        : database_(database), snapshot_(snapshot) {}

    // Finds the truth that what is measured afterwards is compared with.
    Status Start(const SearchRequest& request) {
        truth_ = {};
        limit_ = request.limit;
        by_score_ = TellsByScore(request);
        const SearchRequest exact = ExactOf(request);
        // Where scores do not tell what is as near as the last one, its equals are to be there.
        const bool more = !by_score_ && limit_ <= kManyHits;
        return Search(database_, snapshot_, more ? MoreOf(exact, 2 * limit_ + 16) : exact, &truth_);
    }

    Status Measure(const SearchRequest& request, AuditedSearch* audited) const {
        ResultTable found;
        QUERN_TRY(Search(database_, snapshot_, request, &found));
        double sum = 0;
        double squares = 0;
        double queries = 0;
        for (size_t q = 0; q + 1 < truth_.offsets.size(); q++) {
            if (truth_.offsets[q] < truth_.offsets[q + 1]) {
                const double share = ShareOf(q, found);
                sum += share;
                squares += share * share;
                queries++;
            }
        }
        audited->limit = request.limit;
        audited->told = (found.flags & 1u) != 0 ? 1 : found.tally.expected_recall;
        if (queries > 0) {
            audited->recall = sum / queries;
            const double variance = squares / queries - audited->recall * audited->recall;
            audited->error = std::sqrt(std::max(0.0, variance) / queries);
        }
        return {};
    }

private:
    template <typename Keys>
    static size_t Common(const Keys& truth, size_t first, size_t end, const Keys& found,
                         size_t from, size_t to) {
        const std::set<typename Keys::value_type> wanted(
            truth.begin() + static_cast<ptrdiff_t>(first),
            truth.begin() + static_cast<ptrdiff_t>(end));
        size_t common = 0;
        for (size_t i = from; i < to; i++) {
            common += wanted.count(found[i]);
        }
        return common;
    }

    // What is as near as the last true one is as good.
    double ShareOf(size_t q, const ResultTable& found) const {
        const size_t first = truth_.offsets[q];
        const size_t wanted = std::min(limit_, truth_.offsets[q + 1] - first);
        const float last = truth_.distances[first + wanted - 1];
        size_t end = first + wanted;
        while (end < truth_.offsets[q + 1] && truth_.distances[end] == last) {
            end++;
        }
        const size_t from = found.offsets[q];
        const size_t to = found.offsets[q + 1];
        size_t common = truth_.key_type == KeyType::kInt
                            ? Common(truth_.int_keys, first, end, found.int_keys, from, to)
                            : Common(truth_.text_keys, first, end, found.text_keys, from, to);
        constexpr uint32_t kUnrefined = 4;
        if (by_score_ && (found.flags & kUnrefined) == 0) {
            const auto near = std::count_if(found.distances.begin() + static_cast<ptrdiff_t>(from),
                                            found.distances.begin() + static_cast<ptrdiff_t>(to),
                                            [&](float distance) { return distance <= last; });
            common = std::max(common, static_cast<size_t>(near));
        }
        return std::min(1.0, static_cast<double>(common) / static_cast<double>(wanted));
    }

    Database* database_;
    Snapshot* snapshot_;
    ResultTable truth_;
    size_t limit_ = 0;
    bool by_score_ = true;
};

class Auditor {
public:
    Auditor(Database* database, Snapshot* snapshot, const SearchRequest& request,
            RecallAudit* audit)
        : database_(database), snapshot_(snapshot), request_(request), audit_(audit) {}

    Status Measure() {
        QUERN_TRY(MeasureOne(request_, &audit_->whole));
        audit_->whole.part = "query";
        if (request_.candidates != nullptr) {
            QUERN_TRY(MeasurePart("candidates", *request_.candidates));
        }
        for (size_t leg = 0; leg < request_.legs.size(); leg++) {
            const std::string& name = request_.legs[leg].name;
            QUERN_TRY(MeasurePart(name.empty() ? "leg " + std::to_string(leg) : name,
                                  request_.legs[leg].request));
        }
        for (size_t p = 0; p < audit_->parts.size(); p++) {
            const double recall = audit_->parts[p].recall;
            if (recall < 1 &&
                (audit_->loses == SIZE_MAX || recall < audit_->parts[audit_->loses].recall)) {
                audit_->loses = p;
            }
        }
        return {};
    }

    // What each indexed dense field that is searched has to be asked for.
    Status MeasureSteps(const CollectionView& view) {
        if (request_.legs.empty()) {
            return MeasureStepsOf(view, request_);
        }
        for (const SearchLeg& leg : request_.legs) {
            QUERN_TRY(MeasureStepsOf(view, AloneOf(leg.request, request_)));
        }
        return {};
    }

private:
    Status MeasureOne(const SearchRequest& request, AuditedSearch* audited) {
        audited->field = request.legs.empty() ? request.field : "";
        RecallMeter meter(database_, snapshot_);
        QUERN_TRY(meter.Start(request));
        return meter.Measure(request, audited);
    }

    Status MeasurePart(const std::string& name, const SearchRequest& part) {
        AuditedSearch audited;
        QUERN_TRY(MeasureOne(AloneOf(part, request_), &audited));
        audited.part = name;
        audit_->parts.push_back(std::move(audited));
        return {};
    }

    Status MeasureStepsOf(const CollectionView& view, const SearchRequest& request) {
        const Schema& schema = view.info->schema;
        const int field = schema.FindField(request.field);
        const bool known =
            std::any_of(audit_->kept.begin(), audit_->kept.end(),
                        [&](const KeptRecall& kept) { return kept.field == request.field; });
        if (known || request.candidates != nullptr || field < 0 ||
            !schema.is_dense(static_cast<size_t>(field)) ||
            IndexOptions::Of(schema.dense[static_cast<size_t>(field)]).index ==
                IndexChoice::kNone) {
            return {};
        }
        SearchRequest asked = request;
        asked.recall_of_curve = true;
        asked.ef = 0;
        asked.nprobe = 0;
        asked.refine_how = Refine::kAuto;
        RecallMeter meter(database_, snapshot_);
        QUERN_TRY(meter.Start(asked));
        std::vector<RecallCorrection::Step> steps;
        for (const double recall : RecallCorrection::kAsked) {
            QUERN_ASSIGN(const bool walks, MeasureStep(meter, recall, &asked, &steps));
            if (!walks) {
                break;
            }
        }
        // Where what is delivered jumps, more closely.
        while (const double recall = RecallCorrection(steps).AskBetween()) {
            QUERN_ASSIGN(const bool walks, MeasureStep(meter, recall, &asked, &steps));
            if (!walks) {
                break;
            }
        }
        if (!steps.empty()) {
            audit_->kept.push_back({request.field, RecallCorrection(std::move(steps)).Text()});
        }
        return {};
    }

    // Puts what the curve delivers among the steps, in their order. False: it was a scan.
    static Result<bool> MeasureStep(const RecallMeter& meter, double recall, SearchRequest* asked,
                                    std::vector<RecallCorrection::Step>* steps) {
        asked->recall = recall;
        AuditedSearch audited;
        QUERN_TRY(meter.Measure(*asked, &audited));
        if (audited.told == 1) {
            return false;
        }
        const auto above =
            std::find_if(steps->begin(), steps->end(),
                         [&](const RecallCorrection::Step& step) { return step.asked > recall; });
        steps->insert(above, {recall, audited.recall});
        return true;
    }

    Database* database_;
    Snapshot* snapshot_;
    const SearchRequest& request_;
    RecallAudit* audit_;
};

std::vector<size_t> Spread(size_t sample, size_t count) {
    const size_t size = sample == 0 ? count : std::min(sample, count);
    std::vector<size_t> chosen(size);
    for (size_t i = 0; i < size; i++) {
        chosen[i] = i * count / size;
    }
    return chosen;
}

// The values that single queries have for the filter, by their numbers among those chosen.
void MoveFilters(const std::vector<size_t>& chosen, RecordFilter* filter) {
    auto all = std::move(filter->of_queries);
    filter->of_queries.clear();
    for (size_t i = 0; i < chosen.size(); i++) {
        const auto own = all.find(chosen[i]);
        if (own != all.end()) {
            filter->of_queries.emplace(i, std::move(own->second));
        }
    }
}

// The fields that keeping and forgetting are about.
std::set<std::string> DenseFields(const Schema& schema, const SearchRequest& request) {
    std::set<std::string> fields;
    const auto add = [&](const SearchRequest& one) {
        const int field = schema.FindField(one.field);
        if (field >= 0 && schema.is_dense(static_cast<size_t>(field))) {
            fields.insert(one.field);
        }
    };
    if (request.legs.empty()) {
        add(request);
    }
    for (const SearchLeg& leg : request.legs) {
        add(leg.request);
    }
    return fields;
}

}  // namespace

Status AuditRecall(Database* database, Snapshot* snapshot, const SearchRequest& request,
                   const AuditOptions& options, RecallAudit* audit) {
    *audit = {};
    QUERN_ASSIGN(const std::shared_ptr<const CollectionView> view,
                 snapshot->View(request.collection));
    const std::set<std::string> fields = DenseFields(view->info->schema, request);
    if (options.keep == AuditOptions::Keep::kForget) {
        for (const std::string& field : fields) {
            audit->kept.push_back({field, ""});
        }
        return database->KeepRecall(request.collection, audit->kept);
    }
    const bool keep = options.keep == AuditOptions::Keep::kYes;
    if (keep && fields.empty()) {
        return Status::Error(Code::kInvalid,
                             "keep=yes is of dense fields, and the query searches none: of sparse "
                             "and text fields an audit keeps nothing");
    }
    if (request.shape.any() || request.limit == 0) {
        return Status::Error(Code::kInvalid,
                             "an audit is of a query with a limit, and without offset, groups and "
                             "diversity");
    }
    const std::vector<size_t> chosen = Spread(options.sample, QueryCount(request));
    if (chosen.empty() || (keep && chosen.size() < kKeepQueriesLeast)) {
        return Status::Error(Code::kInvalid, "%zu queries are too few: %s at least %zu",
                             chosen.size(), keep ? "to keep what they tell takes" : "it takes",
                             keep ? kKeepQueriesLeast : size_t{1});
    }
    audit->queries = chosen.size();
    QueryChoice choice(chosen);
    SearchRequest sampled;
    QUERN_TRY(choice.Take(request, &sampled));
    MoveFilters(chosen, &sampled.filter);
    sampled.columns.clear();
    TakeBudgets(&sampled);
    Auditor auditor(database, snapshot, sampled, audit);
    QUERN_TRY(auditor.Measure());
    if (!keep) {
        return {};
    }
    QUERN_TRY(auditor.MeasureSteps(*view));
    return audit->kept.empty() ? Status() : database->KeepRecall(request.collection, audit->kept);
}

}  // namespace quern
