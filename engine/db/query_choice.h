// Some of the queries of a search request, as a request of their own.
#pragma once

#include <deque>
#include <vector>

#include "engine/db/database.h"

namespace quern {

size_t QueryCount(const SearchRequest& request);

// What tells a search from others, for bookmarks, which applications keep: the collection, the
// fields, what is looked for, how legs are fused. Of the first query. Not by how much effort, nor
// among which records: who changes the filter goes on behind the same spot.
uint64_t MarkOf(const SearchRequest& request);

class QueryChoice {
public:
    // Borrowed; ascends.
    explicit QueryChoice(const std::vector<size_t>& chosen) : chosen_(chosen) {}
    // Borrows from the request and from this object; the filter is that of all, with its values for
    // single queries. kInvalid: a leg has fewer queries.
    Status Take(const SearchRequest& request, SearchRequest* out);

private:
    template <typename T>
    void TakeEach(const std::vector<T>& all, std::vector<T>* out) const;
    void TakeComposed(const ComposedQueries& all, ComposedQueries* out) const;
    void TakeVectors(const SearchRequest& request, SearchRequest* out);
    Status TakeSparse(const SparseInput& all, SparseInput* out);

    const std::vector<size_t>& chosen_;
    // What the requests borrow stays where it is.
    std::deque<std::vector<char>> rows_;
    std::deque<std::vector<size_t>> offsets_;
    std::deque<std::vector<uint32_t>> dimensions_;
    std::deque<std::vector<float>> weights_;
};

}  // namespace quern
