// From candidates to the rows of a result, for searches of any kind of field: who is in the result,
// with which keys and values. Only those that can be in it are looked up by row id for their keys
// (ties) and attributes.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "engine/db/database.h"
#include "engine/db/result_rows.h"
#include "storage/record_table.h"

namespace quern {

struct Winner {
    double distance = 0;
    RecordPlace place;
    Key key;
    bool has_key = false;
};

// The nearest of the candidates (k 0: all), nearest first, with all that are as near as the last:
// within a segment positions are in key order, so k of each source are enough. Candidates have a
// distance, a source and a position. *found is empty afterwards.
template <typename SomeCandidate>
std::vector<Winner> TakeWinners(std::vector<SomeCandidate>* found, size_t k) {
    const auto nearer = [](const SomeCandidate& a, const SomeCandidate& b) {
        return a.distance != b.distance
                   ? a.distance < b.distance
                   : (a.source != b.source ? a.source < b.source : a.position < b.position);
    };
    // Those of one index come as it has sorted them.
    if (!std::is_sorted(found->begin(), found->end(), nearer)) {
        std::sort(found->begin(), found->end(), nearer);
    }
    size_t end = k == 0 ? found->size() : std::min(k, found->size());
    while (end > 0 && end < found->size() && (*found)[end].distance == (*found)[end - 1].distance) {
        end++;
    }
    std::vector<Winner> winners(end);
    for (size_t i = 0; i < end; i++) {
        const SomeCandidate& candidate = (*found)[i];
        winners[i].distance = static_cast<double>(candidate.distance);
        winners[i].place = {candidate.source, candidate.position};
    }
    std::vector<SomeCandidate>().swap(*found);
    return winners;
}

// kLimit when the rows of a search, or its candidates of candidate_bytes each, go beyond what the
// database allows.
Status CheckSearchLimits(Database* database, const CollectionView& view,
                         const SearchRequest& request, size_t query_count, size_t candidate_bytes);

// What becomes of the winners of all queries before they are told; they are in order.
using ShapeWinners = std::function<Status(std::vector<std::vector<Winner>>*)>;

class SearchResult {
public:
    // score: of a distance.
    SearchResult(Database* database, const CollectionView& view, const SearchRequest& request,
                 const ColumnChoice& choice, std::function<float(double)> score, ResultTable* table,
                 Work* work)
        : database_(database),
          view_(view),
          request_(request),
          choice_(choice),
          score_(std::move(score)),
          table_(table),
          work_(work) {}
    // Adds the place of each row that Fill adds.
    SearchResult& TellPlaces(std::vector<RecordPlace>* places) {
        places_ = places;
        return *this;
    }
    // NULL: they stay as they are, up to the request's limit.
    SearchResult& ShapeBy(const ShapeWinners* shape) {
        shape_ = shape;
        return *this;
    }
    // The winners of each query, as TakeWinners gives them.
    Status Fill(Snapshot* snapshot, std::vector<std::vector<Winner>>* winners);

private:
    Status Shape(Snapshot* snapshot, std::vector<std::vector<Winner>>* winners);
    bool TakeKnownKeys(std::vector<Winner>* winners) const;
    Status LookUp(std::vector<Winner>* winners, ResultRows* rows) const;
    Status FillQuery(std::vector<Winner>* winners, ResultRows* rows);

    Database* database_;
    const CollectionView& view_;
    const SearchRequest& request_;
    const ColumnChoice& choice_;
    std::function<float(double)> score_;
    ResultTable* table_;
    Work* work_;
    std::vector<RecordPlace>* places_ = nullptr;
    const ShapeWinners* shape_ = nullptr;
};

// Where a record of the snapshot is, under whatever filter; nothing: there is none of that key.
// records: of the view's collection.
Result<std::optional<RecordPlace>> FindPlace(storage::Connection* connection,
                                             const CollectionView& view,
                                             storage::RecordTable* records, const Key& key);

// Hands the values that the records with the request's keys have in a field to `take`, one by one,
// with their places. kNotFound: no such key, or no value.
Status ReadStoredQueries(
    Snapshot* snapshot, const CollectionView& view, const SearchRequest& request, size_t field,
    const std::function<Status(size_t query, BytesView value, const RecordPlace& place)>& take);

}  // namespace quern
