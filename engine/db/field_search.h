// A search of one field of a collection under a snapshot, whatever the field holds: what a query of
// one leg is, and what a query of several is made of.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/db/search_result.h"

namespace quern {

// One dimension or term that a record and a query have in common.
struct ScorePart {
    uint32_t dimension = 0;    // of sparse fields
    std::string term;          // of text fields: a clause's, as it is looked for
    double query = 0;          // its weight in the query; of a term with its idf
    double record = 0;         // and in the record; of a term what its occurrences count for
    uint32_t occurrences = 0;  // of a term
    double adds = 0;           // to the score: the product of both
};
struct ExplainedScore {
    bool matches = false;  // and if so:
    double distance = 0;
    std::vector<ScorePart>
        parts;  // of sparse and text fields: added up in order they are the score
    // Of dense fields whose index has codes: what these say, and what they are called.
    std::optional<double> coarse;
    std::string codes;
};

// Confined to one thread at a time (it uses several itself).
class FieldSearch {
public:
    virtual ~FieldSearch() = default;
    // Reads the request's queries and checks its limits. OpenFieldSearch has done so.
    virtual Status Prepare() = 0;
    virtual size_t query_count() const = 0;
    // The best of each query, as TakeWinners gives them. Sets the table's flags and adds to its
    // tally. Once.
    virtual Status Find(std::vector<std::vector<Winner>>* winners) = 0;
    // The distances of records, as exact as those of a scan; NaN where the query does not match:
    // there is no value, no term in common, the request's bound is not kept, or it is no candidate.
    // As often as wanted, before and after Find. Cost: a look at each record's value; of texts, at
    // each term's list.
    virtual Status DistancesOf(size_t query, const std::vector<RecordPlace>& places,
                               std::vector<double>* distances) = 0;
    // What the score of one record is made of; otherwise as DistancesOf.
    virtual Status Explain(size_t query, const RecordPlace& place, ExplainedScore* out) = 0;
    virtual double ScoreOf(double distance) const = 0;
    // Which field is searched.
    virtual void Describe(SearchTrace* trace) const = 0;
    // The records that look for themselves and are not to be found.
    virtual std::span<const RecordPlace> SelvesOf(size_t query) const = 0;
    bool IsSelf(size_t query, const RecordPlace& place) const {
        const std::span<const RecordPlace> selves = SelvesOf(query);
        return std::find(selves.begin(), selves.end(), place) != selves.end();
    }
};

// The state that is searched, as a snapshot has it. With a filter `matching` is the view of what
// matches, else the same.
struct SearchedViews {
    std::shared_ptr<const CollectionView> whole;
    std::shared_ptr<const CollectionView> matching;
};

// A leg's list, and a list of candidates, is at least so long, so that legs which agree a little
// are searched once.
inline constexpr size_t kListDepth = 100;

// Borrows everything. A request with candidates finds these first. kUnknownField, kType: the
// request does not fit the schema.
Result<std::unique_ptr<FieldSearch>> OpenFieldSearch(Database* database, Snapshot* snapshot,
                                                     const SearchedViews& views,
                                                     const SearchRequest& request,
                                                     ResultTable* table);

// The kinds of it. field: its number in the schema.
std::unique_ptr<FieldSearch> OpenDenseSearch(Database* database, Snapshot* snapshot,
                                             const std::shared_ptr<const CollectionView>& view,
                                             const SearchRequest& request, size_t field,
                                             ResultTable* table);
std::unique_ptr<FieldSearch> OpenSparseSearch(Database* database, Snapshot* snapshot,
                                              const std::shared_ptr<const CollectionView>& view,
                                              const SearchRequest& request, size_t field,
                                              ResultTable* table);
// Scores are those of the whole collection, so the view is; matches (NULL: all) is what a filter
// leaves.
std::unique_ptr<FieldSearch> OpenTextSearch(Database* database, Snapshot* snapshot,
                                            const std::shared_ptr<const CollectionView>& view,
                                            const RecordMatches* matches,
                                            const SearchRequest& request, size_t field,
                                            ResultTable* table);

}  // namespace quern
