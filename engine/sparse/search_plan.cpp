#include "engine/sparse/search_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/kernels/impact_window.h"

namespace quern::sparse {

namespace {

constexpr double kSumMax = 1 << 30;
constexpr double kImpactMax = 255;
// Runs of a term whose directory entries are fetched ahead.
constexpr uint32_t kRunsAhead = 64;

template <typename T>
void FetchItems(const std::vector<T>& items, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i += 64 / sizeof(T)) {
        __builtin_prefetch(items.data() + i);
    }
}

void FetchRuns(const PostingLists& lists, uint32_t term) {
    const uint32_t first = lists.term_runs[term];
    const uint32_t end = std::min(lists.term_runs[term + 1], first + kRunsAhead);
    FetchItems(lists.run_peaks, first, end);
    FetchItems(lists.run_superblocks, first, end);
    FetchItems(lists.run_lengths, first, end);
    FetchItems(lists.run_places, first, end);
}

}  // namespace

bool SearchPlan::Make(const SparseVector& query, const TermTable& terms,
                      const PostingLists& lists) {
    terms_.clear();
    weights_.clear();
    planned_.clear();
    for (const SparseEntry& entry : query) {
        const auto [first, count] = terms.Find(entry.dimension);
        for (uint32_t term = first; term < first + count; term++) {
            terms_.push_back(term);
            weights_.push_back(static_cast<double>(entry.weight));
            Planned plan;
            plan.term = term;
            const double factor =
                static_cast<double>(entry.weight) * static_cast<double>(terms.scale(term));
            plan.factor = std::fabs(factor);
            plan.takes_away = factor < 0;
            plan.exact = terms.IsExact(term);
            planned_.push_back(plan);
            __builtin_prefetch(lists.term_runs.data() + term);
        }
    }
    // All terms ask for memory that nothing has read lately: better all at once than one by one.
    for (const Planned& plan : planned_) {
        FetchRuns(lists, plan.term);
    }
    for (Planned& plan : planned_) {
        plan.first_run = lists.term_runs[plan.term];
        const uint32_t end = lists.term_runs[plan.term + 1];
        plan.runs = end - plan.first_run;
        const uint8_t peak = *std::max_element(lists.run_peaks.begin() + plan.first_run,
                                               lists.run_peaks.begin() + end);
        const uint32_t pairs = lists.run_places[end] - lists.run_places[plan.first_run];
        plan.postings = static_cast<double>(pairs) * 2 / 3;
        plan.benefit = plan.factor * peak / plan.postings;
    }
    if (planned_.empty()) {
        return false;
    }
    std::sort(planned_.begin(), planned_.end(), [](const Planned& a, const Planned& b) {
        if (a.takes_away != b.takes_away) {
            return b.takes_away;
        }
        return a.benefit != b.benefit ? a.benefit > b.benefit : a.term < b.term;
    });
    adding_ = static_cast<size_t>(std::count_if(planned_.begin(), planned_.end(),
                                                [](const Planned& p) { return !p.takes_away; }));
    sums_are_scores_ = FindExactUnit();
    if (!sums_are_scores_) {
        Quantize();
    }
    BoundSuperblocks(lists);
    return true;
}

// Every product of a query weight and a record's weight is then a multiple of the unit, and no sum
// of them has more than 30 bits: additions in double precision are exact in any order.
bool SearchPlan::FindExactUnit() {
    int lowest = std::numeric_limits<int>::max();
    double all = 0;
    for (const Planned& plan : planned_) {
        if (plan.takes_away || !plan.exact) {
            return false;
        }
        int exponent = 0;
        const double fraction = std::frexp(plan.factor, &exponent);
        const auto bits = static_cast<uint64_t>(std::ldexp(fraction, 53));
        lowest = std::min(lowest, exponent - 53 + __builtin_ctzll(bits));
        all += plan.factor * kImpactMax;
    }
    unit_ = std::ldexp(1.0, lowest);
    if (all / unit_ > kSumMax) {
        return false;
    }
    for (Planned& plan : planned_) {
        plan.weight = static_cast<uint32_t>(plan.factor / unit_);
    }
    slack_ = 0;
    looseness_ = 0;
    return true;
}

void SearchPlan::Quantize() {
    double adding = 0;
    double all = 0;
    for (const Planned& plan : planned_) {
        all += plan.factor * kImpactMax;
        adding += plan.takes_away ? 0 : plan.factor * kImpactMax;
    }
    // A sum of n products, each exact, is off by less than n * 2^-53 of what was summed.
    slack_ = all * static_cast<double>(planned_.size() + 1) * 0x1p-50;
    unit_ = adding / kSumMax;
    double looseness = 0;
    for (Planned& plan : planned_) {
        if (plan.takes_away) {
            const double weight = unit_ == 0 ? 0 : std::floor(plan.factor / unit_);
            // What does not fit counts less, and then nothing is known from below.
            plan.weight = static_cast<uint32_t>(std::min(weight, kSumMax / kImpactMax));
            looseness += weight > kSumMax / kImpactMax ? 1e18 : weight + kImpactMax;
        } else {
            plan.weight = static_cast<uint32_t>(std::ceil(plan.factor / unit_));
            looseness += (plan.exact ? 0 : plan.weight) + kImpactMax;
        }
    }
    looseness += unit_ == 0 ? 1e18 : std::ceil(2 * slack_ / unit_) + 1;
    looseness_ = looseness > 4e9 ? UINT32_MAX : static_cast<uint32_t>(looseness);
}

// Superblocks take the place of records here, and largest impacts that of impacts.
void SearchPlan::BoundSuperblocks(const PostingLists& lists) {
    bounds_.assign(lists.superblocks(), 0);
    for (const Planned& plan : planned_) {
        const uint8_t* const peaks = lists.run_peaks.data() + plan.first_run;
        if (plan.takes_away) {
            continue;
        }
        if (plan.runs == bounds_.size()) {
            kernels::AddDenseRun(peaks, plan.runs, plan.weight, bounds_.data());
        } else {
            kernels::AddRun(lists.run_superblocks.data() + plan.first_run, peaks, plan.runs,
                            plan.weight, bounds_.data());
        }
    }
    postings_from_.assign(planned_.size() + 1, 0);
    for (size_t place = planned_.size(); place-- > 0;) {
        postings_from_[place] = postings_from_[place + 1] +
                                planned_[place].postings / static_cast<double>(bounds_.size());
    }
}

PlannedRun SearchPlan::Run(size_t place, uint32_t superblock, const PostingLists& lists) const {
    const Planned& plan = planned_[place];
    uint32_t at = plan.first_run;
    if (plan.runs == bounds_.size()) {
        at += superblock;
    } else {
        const auto first = lists.run_superblocks.begin() + plan.first_run;
        const auto found = std::lower_bound(first, first + plan.runs, superblock);
        if (found == first + plan.runs || *found != superblock) {
            return {};
        }
        at += static_cast<uint32_t>(found - first);
    }
    return {lists.run_places[at], plan.takes_away ? 0 : plan.weight * lists.run_peaks[at],
            plan.weight, lists.run_lengths[at] + 1u, plan.takes_away};
}

}  // namespace quern::sparse
