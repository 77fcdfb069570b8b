#include "engine/sparse/sparse_index.h"

#include <algorithm>

#include "engine/sparse/sparse_search.h"

namespace quern::sparse {

Result<std::unique_ptr<SparseIndex>> SparseIndex::Build(const SparseRows& rows,
                                                        const IndexOptions& options, Work* work) {
    if (!IsSuperblockSize(options.superblock_rows)) {
        return Status::Error(Code::kOption, "superblocks of %u records", options.superblock_rows);
    }
    QUERN_TRY(CheckRows(rows, options.threads));
    std::unique_ptr<SparseIndex> index(new SparseIndex());
    std::vector<uint32_t> terms_of_entries;
    QUERN_ASSIGN(index->terms_, TermTable::Learn(rows, options.threads, work, &terms_of_entries));
    if (options.prune.any()) {
        QUERN_ASSIGN(const PrunedRows kept, PruneRows(rows, terms_of_entries, index->terms_.size(),
                                                      options.prune, options.threads, work));
        QUERN_ASSIGN(index->lists_,
                     PostingLists::Build(kept.View(), index->terms_, kept.terms,
                                         options.superblock_rows, options.threads, work));
        index->lists_.complete = kept.terms.size() == terms_of_entries.size();
    } else {
        QUERN_ASSIGN(index->lists_,
                     PostingLists::Build(rows, index->terms_, terms_of_entries,
                                         options.superblock_rows, options.threads, work));
    }
    QUERN_ASSIGN(index->forward_, ForwardCopy::Build(rows, index->terms_, options.impacts,
                                                     terms_of_entries, options.threads, work));
    index->EncodeHead();
    return index;
}

Status SparseIndex::Search(const SparseVector& query, const SearchOptions& options,
                           const uint64_t* allowed, uint32_t source, TopHits* hits,
                           SearchSpace* space, SearchStats* stats, Work* work) const {
    SearchStats unwanted;
    SparseSearch search(terms_, lists_, forward_, options, allowed, source, hits, space,
                        stats == nullptr ? &unwanted : stats);
    return search.Run(query, work);
}

void SparseIndex::ScoreRows(const SparseVector& query, const uint32_t* positions, size_t count,
                            SearchSpace* space, double* scores) const {
    std::fill_n(scores, count, 0.0);
    if (!space->plan.FindTerms(query, terms_)) {
        return;
    }
    space->marks.Set(space->plan.terms(), space->plan.weights(), forward_.scales);
    constexpr size_t kFetchAhead = 4;
    for (size_t i = 0; i < count; i++) {
        if (i + kFetchAhead < count) {
            forward_.Fetch(positions[i + kFetchAhead]);
        }
        scores[i] = forward_.Score(positions[i], space->marks, space->places.data()).score;
    }
}

double SparseIndex::ScoreError(const SparseVector& query, SearchSpace* space) const {
    return rounded() && space->plan.FindTerms(query, terms_)
               ? forward_.ScoreError(space->plan.terms(), space->plan.weights())
               : 0;
}

void SparseIndex::DimensionsOf(uint32_t position, std::vector<uint32_t>* dimensions) const {
    dimensions->clear();
    for (uint32_t i = forward_.offsets[position]; i < forward_.offsets[position + 1]; i++) {
        dimensions->push_back(terms_.dimension(forward_.TermAt(i)));
    }
}

SparseVector SparseIndex::Row(uint32_t position) const {
    SparseVector row;
    for (uint32_t i = forward_.offsets[position]; i < forward_.offsets[position + 1]; i++) {
        row.push_back({terms_.dimension(forward_.TermAt(i)), forward_.WeightAt(i)});
    }
    return row;
}

}  // namespace quern::sparse
