// Pseudo-relevance feedback: the records that a first search finds move the query of a second one
// (average and Rocchio over vectors: Li, Mourad, Zhuang, Koopman, Zuccon, TOIS 2023), with other
// legs in the first search, in the second, or in both (interpolation: Li et al., SIGIR 2022).
#pragma once

#include "engine/db/candidate_search.h"
#include "engine/db/term_feedback.h"

namespace quern {

// The request of the second search, for a request with feedback.
class MovedRequest {
public:
    // Runs the first search, and adds what it has cost to the table.
    Status Make(Database* database, Snapshot* snapshot, const SearchedViews& views,
                const SearchRequest& request, ResultTable* table);
    // Borrows this object.
    const SearchRequest& request() const { return moved_; }
    // Takes from the result of the second search what the first does not allow to say.
    void Finish(ResultTable* table) const;

private:
    Result<std::shared_ptr<const CandidateSets>> FindRecords(Database* database, Snapshot* snapshot,
                                                             const SearchedViews& views,
                                                             const SearchRequest& request,
                                                             size_t number, size_t docs,
                                                             size_t queries, ResultTable* table);
    Status MoveVectors(Database* database, Snapshot* snapshot, const SearchedViews& views,
                       const SearchRequest& request, size_t number, size_t field,
                       ResultTable* table);

    SearchRequest moved_;
    std::shared_ptr<const CandidateSets> records_;  // that the first search has found
    std::vector<float> vectors_;
    MovedTerms terms_;
    bool exact_ = true;
    double expected_recall_ = 1;
};

}  // namespace quern
