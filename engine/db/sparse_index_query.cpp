#include "engine/db/sparse_index_query.h"

#include <algorithm>

#include "engine/db/search_budget.h"
#include "engine/db/segment.h"
#include "engine/sparse/sparse_rows.h"

namespace quern {

namespace {

// Of impacts: so many times as are wanted and some more are found (of huge numbers no more), and so
// many times as many when that did not do.
constexpr size_t kRoughTimes = 2;
constexpr size_t kRoughMore = 32;
constexpr size_t kRoughMost = size_t{1} << 40;
constexpr size_t kRoughGrows = 4;

}  // namespace

sparse::TopHits SparseIndexQuery::NewTop(const SparseQuery& query) const {
    sparse::TopHits top(limit, query.least);
    top.NamePositions(part.records());
    return top;
}

Status SparseIndexQuery::FindOnce(const SparseQuery& query, uint64_t scored_max,
                                  const sparse::TopHits& fresh, sparse::TopHits* top,
                                  sparse::SearchSpace* space, sparse::SearchStats* stats,
                                  bool* served, Work* work) const {
    const sparse::SparseIndex& index = part.index();
    sparse::SearchOptions own = options;
    own.scored_max = scored_max;
    *top = fresh;
    *served = false;
    stats->pruned = false;
    // What a budget allows to be scored, an exact search spends on the best first.
    if (pool > 0 && scored_max == SearchBudget::kNoBound) {
        QUERN_ASSIGN(*served, part.approximate()->Search(index, query.vector, pool, allowed, source,
                                                         top, space, stats, work));
    }
    if (*served) {
        return {};
    }
    QUERN_TRY(index.Search(query.vector, own, allowed, source, top, space, stats, work));
    if (pruned && top->size() < limit && !stats->cut && query.least <= least) {
        // Results are never fewer than there are.
        *top = fresh;
        own.path = sparse::SearchPath::kForward;
        stats->pruned = false;
        return index.Search(query.vector, own, allowed, source, top, space, stats, work);
    }
    return {};
}

// By impacts more than are wanted are found, and those that can be among the best are scored again
// by the stored weights. Unless the search is approximate anyway, that is repeated with more until
// no other can be.
Status SparseIndexQuery::Find(const SparseQuery& query, uint64_t scored_max, sparse::TopHits* top,
                              sparse::SearchSpace* space, sparse::SearchStats* stats, bool* served,
                              Work* work) const {
    const double error = part.index().ScoreError(query.vector, space);
    if (error == 0) {
        return FindOnce(query, scored_max, NewTop(query), top, space, stats, served, work);
    }
    size_t wanted = std::min(limit, kRoughMost) * kRoughTimes + kRoughMore;
    for (bool done = false; !done; wanted *= kRoughGrows) {
        // By rows, as the index numbers them.
        const sparse::TopHits fresh(wanted, query.least - error);
        sparse::TopHits rough = fresh;
        QUERN_TRY(FindOnce(query, scored_max, fresh, &rough, space, stats, served, work));
        const std::vector<sparse::SparseHit> hits = rough.Take();
        *top = NewTop(query);
        size_t scored = 0;
        for (size_t end = std::min(limit, hits.size()); scored < end;) {
            QUERN_TRY(ScoreStored(query, {hits.data() + scored, end - scored}, top, work));
            scored = end;
            while (end < hits.size() && hits[end].score + error >= top->Threshold()) {
                end++;
            }
        }
        done = scored < hits.size() || hits.size() < wanted || loose || stats->pruned || *served ||
               scored_max != SearchBudget::kNoBound;
    }
    return {};
}

Status SparseIndexQuery::ScoreStored(const SparseQuery& query,
                                     std::span<const sparse::SparseHit> hits, sparse::TopHits* top,
                                     Work* work) const {
    const uint32_t* const records = part.records();
    std::vector<uint32_t> rows;  // as they stand in the file
    for (const sparse::SparseHit& hit : hits) {
        rows.push_back(hit.position);
    }
    std::sort(rows.begin(), rows.end(),
              [&](uint32_t a, uint32_t b) { return records[a] < records[b]; });
    std::vector<uint32_t> dimensions;
    std::vector<float> weights;
    ChunkCache chunks;
    const auto score = [&](storage::Connection* connection) -> Status {
        for (const uint32_t row : rows) {
            QUERN_TRY(work->Check("search", 0, 0));
            QUERN_TRY(column.Weights(connection, records[row], &chunks, &weights));
            part.index().DimensionsOf(row, &dimensions);
            double exact = 0;
            if (weights.size() != dimensions.size()) {
                return Status::Error(Code::kCorrupt, "sparse index: made for other vectors");
            }
            if (sparse::ScoreVector(query.vector, dimensions.data(), weights.data(), weights.size(),
                                    &exact)) {
                top->Push({exact, source, row});
            }
        }
        return {};
    };
    return column.resident() ? score(nullptr) : read(rows.size(), score);
}

}  // namespace quern
