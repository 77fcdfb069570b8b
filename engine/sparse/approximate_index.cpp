#include "engine/sparse/approximate_index.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/impact_window.h"
#include "engine/sparse/pool_measure.h"
#include "engine/sparse/sparse_search.h"

namespace quern::sparse {

namespace {

// Beyond this an exact search is no slower.
constexpr size_t kPoolMax = 1024;
// For more an exact search is quicker: of 600,000 records it found 1,000 in half the time.
constexpr size_t kResultsMax = 256;
// Of the records, where fewer than one in so many are allowed the same holds.
constexpr size_t kAllowedShare = 4;
// Blocks that promise less than this share of the k-th best score are left out. (Both are by rough
// scores: promises are too high for some records of a block and too low for others.)
constexpr double kPromiseShare = 0.75;
constexpr size_t kQueryTermsMax = 4096;
// Of a pool, terms whose lists are gone through.
constexpr size_t kTermsMin = 2;
constexpr size_t kPoolPerTerm = 12;
// Rows fetched ahead of the one that is scored.
constexpr size_t kPoolFetchAhead = 4;
// Lists as long as this share of the records.
constexpr size_t kListShare = 100;
constexpr uint32_t kListMin = 2000;
constexpr uint32_t kListMax = 24000;

size_t CountAllowed(const uint64_t* allowed, size_t records) {
    size_t count = kernels::CountBits(allowed, records / 64);
    if (records % 64 != 0) {
        const uint64_t last = allowed[records / 64] & ((uint64_t{1} << records % 64) - 1);
        count += static_cast<size_t>(__builtin_popcountll(last));
    }
    return count;
}

}  // namespace

ApproximateOptions ApproximateOptions::For(size_t records, int threads) {
    ApproximateOptions options;
    options.lists.list_max =
        static_cast<uint32_t>(std::clamp<size_t>(records / kListShare, kListMin, kListMax));
    options.lists.threads = threads;
    options.links.threads = threads;
    return options;
}

Result<std::unique_ptr<ApproximateIndex>> ApproximateIndex::Build(const SparseIndex& index,
                                                                  const ApproximateOptions& options,
                                                                  Work* work) {
    std::unique_ptr<ApproximateIndex> made(new ApproximateIndex());
    QUERN_ASSIGN(made->cut_, CutRows::Build(index.forward(), options.links.threads));
    QUERN_ASSIGN(made->lists_,
                 HeavyLists::Build(index.forward(), index.terms().size(), options.lists, work));
    made->degree_ = options.links.links;
    QUERN_ASSIGN(made->links_, LinkRecords(made->cut_, options.links, work));
    QUERN_ASSIGN(made->curve_, MeasurePools(*made, index, options.links.threads, work));
    made->EncodeHead();
    return made;
}

// The terms of the query by number, and by weight. False when it is none for this way.
bool ApproximateIndex::TakeQuery(const TermTable& terms, const SparseVector& query,
                                 WalkSpace* walk) const {
    walk->terms.clear();
    walk->weights.clear();
    walk->order.clear();
    double most = 0;
    for (const SparseEntry& entry : query) {
        const auto [first, count] = terms.Find(entry.dimension);
        if (count == 0) {
            continue;
        }
        if (entry.weight < 0 || count > 1 || terms.scale(first) < 0) {
            return false;
        }
        walk->terms.push_back(first);
        walk->weights.push_back(static_cast<double>(entry.weight));
        walk->order.emplace_back(-walk->weights.back(), first);
        most = std::max(most, walk->weights.back());
        lists_.Fetch(first);
    }
    if (walk->terms.size() > kQueryTermsMax || !walk->table.Set(walk->terms, walk->weights)) {
        return false;
    }
    walk->units.clear();
    for (const double weight : walk->weights) {
        walk->units.push_back(static_cast<uint32_t>(weight / most * HeavyLists::kUnitsMax));
    }
    return true;
}

// Fills the pool of the walk from lists. known: no lower score is wanted.
void ApproximateIndex::Propose(double known, size_t terms_max, size_t k, size_t pool,
                               SearchSpace* space) const {
    WalkSpace& walk = space->walk;
    auto& order = walk.order;
    std::sort(order.begin(), order.end());
    order.resize(std::min(order.size(), terms_max));
    const double rough_unit = walk.table.unit() * cut_.step();
    // Of the heaviest term, whose weight is so many units.
    const double unit = -order.front().first / HeavyLists::kUnitsMax;
    const double per_promise = unit * static_cast<double>(lists_.step);
    const auto least = [&] {
        double score = known;
        if (walk.pool.size() >= k) {
            score = std::max(score, static_cast<double>(walk.pool[k - 1].score) * rough_unit);
        }
        const double promise = score * kPromiseShare / per_promise;
        return promise >= 1 ? static_cast<uint32_t>(std::min(promise, 4e9)) : 1u;
    };
    const auto score_first = [&](size_t count) {
        for (size_t i = 0; i < count; i++) {
            const uint32_t row = walk.fresh[i];
            walk.Insert(static_cast<float>(cut_.Dot(row, walk.table)), row, pool);
        }
        walk.scored += count;
        walk.fresh.erase(walk.fresh.begin(), walk.fresh.begin() + static_cast<ptrdiff_t>(count));
    };
    for (const auto& [weight, list] : order) {
        const size_t sums = lists_.AddSummaries(list, walk.terms, walk.units, &space->sums);
        const size_t promising =
            kernels::SelectSums(space->sums.data(), sums, least(), nullptr,
                                SIZE_MAX - kernels::kWindowAlign, space->picked.data());
        walk.blocks.clear();
        for (size_t i = 0; i < promising; i++) {
            walk.blocks.emplace_back(space->sums[space->picked[i]],
                                     lists_.term_blocks[list] + space->picked[i]);
        }
        if (list == order.front().second) {  // a good threshold soon
            std::sort(walk.blocks.begin(), walk.blocks.end(), std::greater<>());
        }
        for (const auto& [promise, block] : walk.blocks) {
            if (promise < least()) {
                continue;
            }
            const size_t waiting = walk.fresh.size();
            for (uint32_t at = lists_.block_members[block]; at < lists_.block_members[block + 1];
                 at++) {
                walk.Meet(lists_.members[at], cut_);
            }
            score_first(waiting);  // those that the block before has fetched
        }
    }
    score_first(walk.fresh.size());
}

Result<bool> ApproximateIndex::Search(const SparseIndex& index, const SparseVector& query,
                                      size_t pool, const uint64_t* allowed, uint32_t source,
                                      TopHits* hits, SearchSpace* space, SearchStats* stats,
                                      Work* work) const {
    return SearchIn(index, query, pool, {allowed, source, nullptr}, hits, space, stats, work);
}

Result<bool> ApproximateIndex::SearchHidden(const SparseIndex& index, const SparseVector& query,
                                            size_t pool, const std::vector<uint32_t>& hidden,
                                            TopHits* hits, SearchSpace* space, SearchStats* stats,
                                            Work* work) const {
    return SearchIn(index, query, pool, {nullptr, 0, &hidden}, hits, space, stats, work);
}

Result<bool> ApproximateIndex::SearchIn(const SparseIndex& index, const SparseVector& query,
                                        size_t pool, const Scope& scope, TopHits* hits,
                                        SearchSpace* space, SearchStats* stats, Work* work) const {
    const uint64_t* const allowed = scope.allowed;
    QUERN_TRY(work->Check("search", 0, 1));
    WalkSpace& walk = space->walk;
    const size_t records = index.count();
    const size_t k = hits->k();
    const size_t terms_max = kTermsMin + pool / kPoolPerTerm;
    if (k == 0 || k > kResultsMax) {
        return false;
    }
    pool = std::max(pool, k);
    // Records that are not allowed are gone from like others, and take places in the pool.
    if (allowed != nullptr) {
        const size_t count = CountAllowed(allowed, records);
        if (count * kAllowedShare < records) {
            return false;
        }
        pool = pool * records / count;
    }
    if (pool > kPoolMax || !TakeQuery(index.terms(), query, &walk)) {
        return false;
    }
    walk.Start(records);
    if (scope.hidden != nullptr) {
        walk.Hide(*scope.hidden);
    }
    Propose(hits->Threshold(), terms_max, k, pool, space);
    WalkRecords(cut_, links_.data(), degree_, nullptr, pool, &walk);
    walk.End();
    space->marks.Set(walk.terms, walk.weights, index.forward().scales);
    const ForwardCopy& forward = index.forward();
    std::vector<SparseHit> found;
    for (size_t i = 0; i < walk.pool.size(); i++) {
        if (i + kPoolFetchAhead < walk.pool.size()) {
            forward.Fetch(walk.pool[i + kPoolFetchAhead].row);
        }
        const uint32_t row = walk.pool[i].row;
        if (allowed != nullptr && (allowed[row / 64] >> (row % 64) & 1) == 0) {
            continue;
        }
        const RowScore score = forward.Score(row, space->marks, space->places.data());
        if (score.common > 0) {
            found.push_back({score.score, scope.source, row});
        }
    }
    if (stats != nullptr) {
        stats->scored += walk.scored;
    }
    // Fewer than wanted, and not for being worse than what is known: there may be more.
    if (found.size() < k) {
        return false;
    }
    for (const SparseHit& hit : found) {
        hits->Push(hit);
    }
    return true;
}

}  // namespace quern::sparse
