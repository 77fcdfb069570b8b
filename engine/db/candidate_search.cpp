#include "engine/db/candidate_search.h"

#include <algorithm>
#include <cmath>

#include "engine/db/feedback.h"
#include "engine/db/hybrid_searcher.h"
#include "engine/db/stage_clock.h"

namespace quern {

namespace {

bool Before(const RecordPlace& a, const RecordPlace& b) {
    return a.source != b.source ? a.source < b.source : a.position < b.position;
}

struct Scored {
    double distance = 0;
    uint32_t source = 0;
    uint32_t position = 0;
};

class CandidateSearch : public FieldSearch {
public:
    CandidateSearch(std::shared_ptr<const CandidateSets> candidates,
                    std::unique_ptr<FieldSearch> scored, size_t limit, SearchBudget* budget,
                    ResultTable* table)
        : candidates_(std::move(candidates)),
          scored_(std::move(scored)),
          limit_(limit),
          budget_(budget),
          table_(table) {}

    Status Prepare() override { return {}; }
    size_t query_count() const override { return scored_->query_count(); }

    Status Find(std::vector<std::vector<Winner>>* winners) override {
        const StageClock clock(&table_->tally.refine_ns);
        scored_->Describe(&table_->trace);
        winners->resize(query_count());
        for (size_t q = 0; q < query_count(); q++) {
            const std::vector<RecordPlace>& places = (*candidates_)[q];
            std::vector<double> distances(places.size(), std::numeric_limits<double>::quiet_NaN());
            QUERN_TRY(Score(q, places, &distances));
            table_->trace.measured += places.size();
            std::vector<Scored> found;
            for (size_t i = 0; i < places.size(); i++) {
                if (!std::isnan(distances[i]) && !scored_->IsSelf(q, places[i])) {
                    found.push_back({distances[i], places[i].source, places[i].position});
                }
            }
            (*winners)[q] = TakeWinners(&found, limit_);
        }
        table_->flags |= table_->tally.memory_needed() > 0 ? 8u : 0u;
        if (budget_ != nullptr && budget_->left_out() != 0) {
            table_->flags = (table_->flags & ~1u) | kPartialFlag;
            table_->tally.left_out |= budget_->left_out();
        }
        return {};
    }

    Status DistancesOf(size_t query, const std::vector<RecordPlace>& places,
                       std::vector<double>* distances) override {
        const std::vector<RecordPlace>& candidates = (*candidates_)[query];
        std::vector<RecordPlace> wanted;
        std::vector<size_t> numbers;
        for (size_t i = 0; i < places.size(); i++) {
            (*distances)[i] = std::numeric_limits<double>::quiet_NaN();
            if (std::binary_search(candidates.begin(), candidates.end(), places[i], Before)) {
                wanted.push_back(places[i]);
                numbers.push_back(i);
            }
        }
        std::vector<double> found(wanted.size(), std::numeric_limits<double>::quiet_NaN());
        QUERN_TRY(scored_->DistancesOf(query, wanted, &found));
        for (size_t i = 0; i < wanted.size(); i++) {
            (*distances)[numbers[i]] = found[i];
        }
        return {};
    }

    Status Explain(size_t query, const RecordPlace& place, ExplainedScore* out) override {
        const std::vector<RecordPlace>& candidates = (*candidates_)[query];
        return std::binary_search(candidates.begin(), candidates.end(), place, Before)
                   ? scored_->Explain(query, place, out)
                   : Status();
    }

    double ScoreOf(double distance) const override { return scored_->ScoreOf(distance); }
    void Describe(SearchTrace* trace) const override { scored_->Describe(trace); }
    std::span<const RecordPlace> SelvesOf(size_t query) const override {
        return scored_->SelvesOf(query);
    }

private:
    // All of them, or those that the budget suffices for.
    Status Score(size_t q, const std::vector<RecordPlace>& places, std::vector<double>* distances) {
        if (budget_ == nullptr) {
            return scored_->DistancesOf(q, places, distances);
        }
        Work timed;
        budget_->TimeQuery(q, query_count(), 1, &timed);
        for (size_t first = 0; first < places.size(); first += kScoredAtOnce) {
            const uint32_t spent =
                ((first > 0 ? timed.PastStop() : q > 0 && budget_->Late()) ? kSpentTime : 0) |
                (first + q > 0 && budget_->BytesSpent() ? kSpentBytes : 0);
            if (spent != 0) {
                budget_->LeftOut(spent, q);
                break;
            }
            const size_t count = std::min(kScoredAtOnce, places.size() - first);
            const auto begin = places.begin() + static_cast<ptrdiff_t>(first);
            std::vector<double> some(count, std::numeric_limits<double>::quiet_NaN());
            const uint64_t before = table_->tally.reads.bytes;
            QUERN_TRY(
                scored_->DistancesOf(q, {begin, begin + static_cast<ptrdiff_t>(count)}, &some));
            budget_->AddBytes(table_->tally.reads.bytes - before);
            budget_->AddScored(q, count);
            std::copy(some.begin(), some.end(), distances->begin() + static_cast<ptrdiff_t>(first));
        }
        return {};
    }

    static constexpr size_t kScoredAtOnce = 1024;  // between two looks at the budget
    std::shared_ptr<const CandidateSets> candidates_;
    std::unique_ptr<FieldSearch> scored_;
    size_t limit_;
    SearchBudget* budget_;
    ResultTable* table_;
};

// The places of the winners, less those that equal the last and come behind it by their keys.
Status PlacesOf(Database* database, Snapshot* snapshot, const CollectionView& view,
                const SearchRequest& request, std::vector<std::vector<Winner>>* winners,
                CandidateSets* places, SearchTally* tally) {
    const bool cut = std::any_of(winners->begin(), winners->end(), [&](const auto& of_query) {
        return request.limit > 0 && of_query.size() > request.limit;
    });
    places->resize(winners->size());
    if (!cut) {
        for (size_t q = 0; q < winners->size(); q++) {
            for (const Winner& winner : (*winners)[q]) {
                (*places)[q].push_back(winner.place);
            }
        }
        return {};
    }
    Work work = database->NewWork();
    ResultTable table;
    std::vector<RecordPlace> all;
    const ColumnChoice no_columns;
    QUERN_TRY(SearchResult(
                  database, view, request, no_columns, [](double) { return 0.0f; }, &table, &work)
                  .TellPlaces(&all)
                  .Fill(snapshot, winners));
    tally->Add(table.tally);
    for (size_t q = 0; q < places->size(); q++) {
        (*places)[q].assign(all.begin() + static_cast<ptrdiff_t>(table.offsets[q]),
                            all.begin() + static_cast<ptrdiff_t>(table.offsets[q + 1]));
    }
    return {};
}

}  // namespace

Result<std::shared_ptr<const CandidateSets>> FindCandidates(
    Database* database, Snapshot* snapshot, const SearchedViews& views, const SearchRequest& given,
    size_t limit, const CandidateSets& selves, SearchBudget* budget, ResultTable* table) {
    SearchRequest request = given;
    request.budget = budget == nullptr ? nullptr : budget->Share(2);
    ResultTable own;
    MovedRequest moved;
    if (request.feedback) {
        const SearchRequest unmoved = request;
        QUERN_TRY(moved.Make(database, snapshot, views, unmoved, &own));
        request = moved.request();
    }
    request.limit = request.has_limit ? request.limit : limit;
    if (budget != nullptr && budget->has_scored_max()) {
        const auto most = static_cast<size_t>(std::max<uint64_t>(1, budget->scored_max() / 2));
        if (request.limit == 0 || request.limit > most) {
            request.limit = most;
            budget->LeftOut(kSpentScored);
        }
    }
    request.columns.clear();
    const size_t wanted = request.limit;
    for (size_t q = 0; wanted > 0 && q < selves.size(); q++) {
        request.limit = std::max(request.limit, wanted + selves[q].size());
    }
    std::vector<std::vector<Winner>> winners;
    if (request.legs.empty()) {
        QUERN_ASSIGN(const auto search, OpenFieldSearch(database, snapshot, views, request, &own));
        QUERN_TRY(search->Find(&winners));
    } else {
        QUERN_TRY(FindHybrid(database, snapshot, views, request, &own, &winners));
    }
    moved.Finish(&own);
    request.limit = wanted;
    for (size_t q = 0; q < std::min(winners.size(), selves.size()); q++) {
        std::erase_if(winners[q], [&](const Winner& winner) {
            return std::find(selves[q].begin(), selves[q].end(), winner.place) != selves[q].end();
        });
    }
    auto places = std::make_shared<CandidateSets>();
    QUERN_TRY(
        PlacesOf(database, snapshot, *views.whole, request, &winners, places.get(), &own.tally));
    for (std::vector<RecordPlace>& of_query : *places) {
        std::sort(of_query.begin(), of_query.end(), Before);
    }
    table->tally.Add(own.tally);
    own.trace.TakeCosts(own.tally);
    table->trace.Candidates()->Add(own.trace);
    table->tally.expected_recall = own.tally.expected_recall;
    // That distances were those of codes is of no concern: they are measured anew.
    constexpr uint32_t kTold = ~4u;
    table->flags |= own.flags & kTold;
    return std::shared_ptr<const CandidateSets>(std::move(places));
}

Result<std::unique_ptr<FieldSearch>> SearchAmong(std::shared_ptr<const CandidateSets> candidates,
                                                 std::unique_ptr<FieldSearch> scored, size_t limit,
                                                 SearchBudget* budget, ResultTable* table) {
    if (candidates->size() != scored->query_count()) {
        return Status::Error(Code::kInvalid,
                             "%zu queries, but the query for their candidates has %zu: there must "
                             "be as many",
                             scored->query_count(), candidates->size());
    }
    return std::unique_ptr<FieldSearch>(std::make_unique<CandidateSearch>(
        std::move(candidates), std::move(scored), limit, budget, table));
}

}  // namespace quern
