#include "tests/bench/sparse/proposal.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/impact_window.h"
#include "engine/kernels/slot_rows.h"
#include "engine/sparse/sparse_search.h"
#include "tests/bench/sparse/sparse_graph.h"

namespace bench {

using quern::Status;
using quern::Work;

namespace {

// Weights of a query in whole numbers are at most this, and its terms at most so many: a sum of
// products with levels of 8 bits stays below 2^32.
constexpr double kUnitsMax = 4095;
constexpr size_t kQueryTermsMax = 4096;
constexpr double kNothing = -std::numeric_limits<double>::infinity();

// False when a weight takes away, so that the query is none for proposals.
bool FindTerms(const TermTable& terms, const SparseVector& query, ProposalSpace* own) {
    own->terms.clear();
    own->weights.clear();
    for (const SparseEntry& entry : query) {
        const auto [first, count] = terms.Find(entry.dimension);
        if (count == 0) {
            continue;
        }
        if (entry.weight < 0 || count > 1 || terms.scale(first) < 0) {
            return false;
        }
        own->terms.push_back(first);
        own->weights.push_back(static_cast<double>(entry.weight));
    }
    double most = 0;
    for (const double weight : own->weights) {
        most = std::max(most, weight);
    }
    own->unit = most / kUnitsMax;
    own->units.clear();
    for (const double weight : own->weights) {
        own->units.push_back(static_cast<uint32_t>(weight / most * kUnitsMax));
    }
    return own->terms.size() < kQueryTermsMax;
}

// The terms that are gone through, the heaviest first.
void OrderTerms(uint32_t terms_max, ProposalSpace* own) {
    own->order.clear();
    for (size_t i = 0; i < own->terms.size(); i++) {
        own->order.emplace_back(-own->weights[i], own->terms[i]);
    }
    std::sort(own->order.begin(), own->order.end());
    own->order.resize(std::min<size_t>(own->order.size(), terms_max));
}

}  // namespace

uint64_t SparseProposal::memory_bytes() const {
    return (term_blocks_.size() + block_members_.size() + members_.size() + list_terms_.size() +
            summary_terms_.size() + summary_first_.size()) *
               4 +
           summary_blocks_.size() * 2 + summary_levels_.size();
}

size_t SparseProposal::AddSummaries(uint32_t term, const ProposalSpace& own,
                                    std::vector<uint32_t>* sums) const {
    const size_t blocks = term_blocks_[term + 1] - term_blocks_[term];
    const size_t padded = (blocks + quern::kernels::kWindowAlign - 1) /
                          quern::kernels::kWindowAlign * quern::kernels::kWindowAlign;
    if (sums->size() < padded) {
        sums->resize(padded);
    }
    std::fill_n(sums->data(), padded, 0u);
    auto at = summary_terms_.begin() + list_terms_[term];
    const auto end = summary_terms_.begin() + list_terms_[term + 1];
    for (size_t i = 0; i < own.terms.size(); i++) {
        at = std::lower_bound(at, end, own.terms[i]);
        if (at == end) {
            break;
        }
        if (*at == own.terms[i]) {
            const auto place = static_cast<size_t>(at - summary_terms_.begin());
            const uint32_t first = summary_first_[place];
            quern::kernels::AddRun(summary_blocks_.data() + first, summary_levels_.data() + first,
                                   summary_first_[place + 1] - first, own.units[i], sums->data());
        }
    }
    return padded;
}

bool SparseProposal::Propose(const SparseIndex& index, const SparseVector& query,
                             const ProposalEffort& effort, const uint64_t* allowed, double known,
                             TopHits* found, SearchSpace* space, ProposalSpace* own,
                             SearchStats* stats) const {
    if (!FindTerms(index.terms(), query, own)) {
        return false;
    }
    space->marks.Set(own->terms, own->weights);
    OrderTerms(effort.terms, own);
    own->visited.resize(index.count() / 64 + 1, 0);
    // Promises in units that a block needs, for what is known now.
    const double per_unit = own->unit * static_cast<double>(step_);
    const auto least = [&] {
        const double score = std::max(known, found->Threshold());
        const double units = score * static_cast<double>(effort.factor) / per_unit;
        return units < 1 ? 1u : units < 4e9 ? static_cast<uint32_t>(units) : 4000000000u;
    };
    const ForwardCopy& forward = index.forward();
    bool first_list = true;
    for (const auto& [weight, term] : own->order) {
        const size_t sums = AddSummaries(term, *own, &space->sums);
        const size_t promising = quern::kernels::SelectSums(
            space->sums.data(), sums, least(), nullptr, SIZE_MAX - quern::kernels::kWindowAlign,
            space->picked.data());
        own->blocks.clear();
        for (size_t i = 0; i < promising; i++) {
            own->blocks.emplace_back(space->sums[space->picked[i]],
                                     term_blocks_[term] + space->picked[i]);
        }
        if (first_list) {  // a good threshold soon
            std::sort(own->blocks.begin(), own->blocks.end(), std::greater<>());
            first_list = false;
        }
        for (const auto& [promise, block] : own->blocks) {
            if (promise < least()) {
                continue;
            }
            std::vector<uint32_t>& picked = space->picked;
            size_t count = 0;
            for (uint32_t at = block_members_[block]; at < block_members_[block + 1]; at++) {
                const uint32_t position = members_[at];
                const uint64_t bit = uint64_t{1} << (position % 64);
                uint64_t& word = own->visited[position / 64];
                if ((word & bit) == 0 &&
                    (allowed == nullptr || (allowed[position / 64] & bit) != 0)) {
                    word |= bit;
                    own->met.push_back(position);
                    forward.Fetch(position);
                    picked[count++] = position;
                }
            }
            for (size_t i = 0; i < count; i++) {
                const RowScore score = forward.Score(picked[i], space->marks, space->places.data());
                found->Push({score.score, 0, picked[i]});
            }
            stats->scored += count;
        }
    }
    for (const uint32_t position : own->met) {
        own->visited[position / 64] = 0;
    }
    own->met.clear();
    return true;
}

void SparseProposal::Fill(const SparseIndex& index, const SparseVector& query,
                          const ProposalEffort& effort, const CutRows& cut, size_t pool, size_t k,
                          SearchSpace* space, ProposalSpace* own, WalkSpace* walk) const {
    if (!FindTerms(index.terms(), query, own)) {
        return;
    }
    OrderTerms(effort.terms, own);
    const double per_unit = own->unit * static_cast<double>(step_);
    const auto least = [&] {
        if (walk->pool.size() < k) {
            return 1u;
        }
        const double units = static_cast<double>(walk->pool[k - 1].score) * walk->unit *
                             static_cast<double>(effort.factor) / per_unit;
        return units < 1 ? 1u : units < 4e9 ? static_cast<uint32_t>(units) : 4000000000u;
    };
    const auto score_all = [&](size_t end) {
        for (size_t i = 0; i < end; i++) {
            const uint32_t row = walk->fresh[i];
            walk->Insert(static_cast<float>(quern::kernels::SlotDot(cut.Row(row), cut.entries(),
                                                                    walk->table.data())),
                         row, pool);
        }
        walk->scored += end;
        walk->fresh.erase(walk->fresh.begin(), walk->fresh.begin() + static_cast<ptrdiff_t>(end));
    };
    bool first_list = true;
    for (const auto& [weight, term] : own->order) {
        const size_t sums = AddSummaries(term, *own, &space->sums);
        const size_t promising = quern::kernels::SelectSums(
            space->sums.data(), sums, least(), nullptr, SIZE_MAX - quern::kernels::kWindowAlign,
            space->picked.data());
        own->blocks.clear();
        for (size_t i = 0; i < promising; i++) {
            own->blocks.emplace_back(space->sums[space->picked[i]],
                                     term_blocks_[term] + space->picked[i]);
        }
        if (first_list) {
            std::sort(own->blocks.begin(), own->blocks.end(), std::greater<>());
            first_list = false;
        }
        for (const auto& [promise, block] : own->blocks) {
            if (promise < least()) {
                continue;
            }
            const size_t waiting = walk->fresh.size();
            for (uint32_t at = block_members_[block]; at < block_members_[block + 1]; at++) {
                if (walk->Visit(members_[at])) {
                    walk->fresh.push_back(members_[at]);
                    cut.Fetch(members_[at]);
                }
            }
            score_all(waiting);  // those fetched with the block before
        }
    }
    score_all(walk->fresh.size());
}

double SparseProposal::Threshold(const SparseIndex& index, const SparseVector& query,
                                 const ProposalEffort& effort, const uint64_t* allowed, size_t k,
                                 SearchSpace* space, ProposalSpace* own, SearchStats* stats) const {
    TopHits found(k);
    return Propose(index, query, effort, allowed, kNothing, &found, space, own, stats)
               ? found.Threshold()
               : kNothing;
}

Status SparseProposal::Search(const SparseIndex& index, const SparseVector& query,
                              const ProposalEffort& effort, const uint64_t* allowed,
                              uint32_t source, TopHits* hits, SearchSpace* space,
                              ProposalSpace* own, SearchStats* stats, Work* work) const {
    SearchStats unwanted;
    stats = stats == nullptr ? &unwanted : stats;
    QUERN_TRY(work->Check("search", 0, 0));
    TopHits found(hits->k());
    const double known = hits->Threshold();
    if (!Propose(index, query, effort, allowed, known, &found, space, own, stats) ||
        (found.Threshold() == kNothing && known == kNothing)) {
        return index.Search(query, {}, allowed, source, hits, space, stats, work);
    }
    for (const SparseHit& hit : found.Take()) {
        hits->Push({hit.score, source, hit.position});
    }
    return {};
}

}  // namespace bench
