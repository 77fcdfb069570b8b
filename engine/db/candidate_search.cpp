#include "engine/db/candidate_search.h"

#include <algorithm>
#include <cmath>

#include "engine/db/feedback.h"
#include "engine/db/hybrid_searcher.h"

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
                    std::unique_ptr<FieldSearch> scored, size_t limit, ResultTable* table)
        : candidates_(std::move(candidates)),
          scored_(std::move(scored)),
          limit_(limit),
          table_(table) {}

    Status Prepare() override { return {}; }
    size_t query_count() const override { return scored_->query_count(); }

    Status Find(std::vector<std::vector<Winner>>* winners) override {
        winners->resize(query_count());
        for (size_t q = 0; q < query_count(); q++) {
            const std::vector<RecordPlace>& places = (*candidates_)[q];
            std::vector<double> distances(places.size(), std::numeric_limits<double>::quiet_NaN());
            QUERN_TRY(scored_->DistancesOf(q, places, &distances));
            std::vector<Scored> found;
            for (size_t i = 0; i < places.size(); i++) {
                if (!std::isnan(distances[i]) && !scored_->IsSelf(q, places[i])) {
                    found.push_back({distances[i], places[i].source, places[i].position});
                }
            }
            (*winners)[q] = TakeWinners(&found, limit_);
        }
        table_->flags |= table_->tally.memory_needed > 0 ? 8u : 0u;
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

    double ScoreOf(double distance) const override { return scored_->ScoreOf(distance); }
    std::span<const RecordPlace> SelvesOf(size_t query) const override {
        return scored_->SelvesOf(query);
    }

private:
    std::shared_ptr<const CandidateSets> candidates_;
    std::unique_ptr<FieldSearch> scored_;
    size_t limit_;
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

Result<std::shared_ptr<const CandidateSets>> FindCandidates(Database* database, Snapshot* snapshot,
                                                            const SearchedViews& views,
                                                            const SearchRequest& given,
                                                            size_t limit, ResultTable* table) {
    SearchRequest request = given;
    ResultTable own;
    MovedRequest moved;
    if (request.feedback) {
        QUERN_TRY(moved.Make(database, snapshot, views, given, &own));
        request = moved.request();
    }
    request.limit = request.has_limit ? request.limit : limit;
    request.columns.clear();
    std::vector<std::vector<Winner>> winners;
    if (request.legs.empty()) {
        QUERN_ASSIGN(const auto search, OpenFieldSearch(database, snapshot, views, request, &own));
        QUERN_TRY(search->Find(&winners));
    } else {
        QUERN_TRY(FindHybrid(database, snapshot, views, request, &own, &winners));
    }
    moved.Finish(&own);
    auto places = std::make_shared<CandidateSets>();
    QUERN_TRY(
        PlacesOf(database, snapshot, *views.whole, request, &winners, places.get(), &own.tally));
    for (std::vector<RecordPlace>& of_query : *places) {
        std::sort(of_query.begin(), of_query.end(), Before);
    }
    table->tally.Add(own.tally);
    table->tally.expected_recall = own.tally.expected_recall;
    // That distances were those of codes is of no concern: they are measured anew.
    constexpr uint32_t kTold = ~4u;
    table->flags |= own.flags & kTold;
    return std::shared_ptr<const CandidateSets>(std::move(places));
}

Result<std::unique_ptr<FieldSearch>> SearchAmong(std::shared_ptr<const CandidateSets> candidates,
                                                 std::unique_ptr<FieldSearch> scored, size_t limit,
                                                 ResultTable* table) {
    if (candidates->size() != scored->query_count()) {
        return Status::Error(Code::kInvalid,
                             "%zu queries, but the query for their candidates has %zu: there must "
                             "be as many",
                             scored->query_count(), candidates->size());
    }
    return std::unique_ptr<FieldSearch>(
        std::make_unique<CandidateSearch>(std::move(candidates), std::move(scored), limit, table));
}

}  // namespace quern
