// Feedback for queries of sparse and text fields: the weights that a query's dimensions or words
// get from the records of a first search (Rocchio over terms: Salton and Buckley, JASIS 1990, as it
// is done for BM25 and learned weights alike).
//
// Records count with length 1, and what comes of them with the query's own length, so that scores
// stay about as high and weights of legs keep their sense. A query of words has length sqrt(words):
// each word counts for 1. What a word of a record weighs is what it adds to a BM25 score.
#pragma once

#include <map>
#include <vector>

#include "engine/db/field_search.h"

namespace quern {

// The queries of the second search, in the place of those of the first.
struct MovedTerms {
    std::vector<sparse::SparseVector> sparse;
    std::vector<sparse::TextQuery> texts;
};

// How many records move a query of terms.
size_t TermDocsOf(const Feedback& feedback);

// field: of the request, sparse or text. records: those of the first search, of each query.
Status MoveTerms(Database* database, Snapshot* snapshot, const SearchedViews& views,
                 const SearchRequest& request, size_t field, const Feedback& feedback,
                 const std::vector<std::vector<RecordPlace>>& records, MovedTerms* moved);

// The weights that a query of some length gets from records, at most `most` of them, the heaviest:
// for kAverage its share of the mean of query and records, for kRocchio beta times its length in
// their direction. Of equals the first by term.
template <typename Term>
std::map<Term, double> TermsOf(const Feedback& feedback, double length,
                               const std::vector<std::map<Term, double>>& docs);

}  // namespace quern
