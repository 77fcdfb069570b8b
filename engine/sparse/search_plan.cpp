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
constexpr uint32_t kPlanRunsAhead = 64;
// Entries of a directory that are looked at one by one before the others are searched.
constexpr uint32_t kStepsMax = 8;

template <typename T>
void FetchItems(const std::vector<T>& items, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i += 64 / sizeof(T)) {
        __builtin_prefetch(items.data() + i);
    }
}

void FetchRuns(const PostingLists& lists, uint32_t term) {
    const uint32_t first = lists.term_runs[term];
    const uint32_t end = std::min(lists.term_runs[term + 1], first + kPlanRunsAhead);
    FetchItems(lists.run_peaks, first, end);
    FetchItems(lists.run_superblocks, first, end);
    FetchItems(lists.run_lengths, first, end);
    FetchItems(lists.run_places, first, end);
}

// Written so that compilers make vectors of it.
uint8_t LargestOf(const uint8_t* peaks, size_t count) {
    uint8_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most = peaks[i] > most ? peaks[i] : most;
    }
    return most;
}

// The first of a term's `count` runs that is not before the superblock. Most terms have a run in
// nearly every superblock, so it is known but for how many lack it: `*lacking` of those before the
// one that was asked for last.
uint32_t FirstRunFrom(const uint16_t* superblocks, uint32_t count, uint32_t superblock,
                      uint32_t* lacking) {
    uint32_t at = std::min(superblock - std::min(superblock, *lacking), count);
    uint32_t steps = 0;
    for (; at > 0 && superblocks[at - 1] >= superblock && steps < kStepsMax; steps++) {
        at--;
    }
    for (; at < count && superblocks[at] < superblock && steps < kStepsMax; steps++) {
        at++;
    }
    if (steps == kStepsMax) {
        // Numbers ascend, so a run never stands behind that of its superblock.
        const auto* const end = superblocks + std::min(superblock, count);
        at = static_cast<uint32_t>(std::lower_bound(superblocks, end, superblock) - superblocks);
    }
    *lacking = superblock - at;
    return at;
}

}  // namespace

bool SearchPlan::Make(const SparseVector& query, const TermTable& terms, const PostingLists& lists,
                      uint32_t terms_max) {
    planned_.clear();
    if (!FindTerms(query, terms)) {
        return false;
    }
    for (size_t i = 0; i < terms_.size(); i++) {
        Planned plan;
        plan.term = terms_[i];
        const double factor = weights_[i] * static_cast<double>(terms.scale(plan.term));
        plan.factor = std::fabs(factor);
        plan.takes_away = factor < 0;
        plan.exact = terms.IsExact(plan.term);
        planned_.push_back(plan);
        __builtin_prefetch(lists.term_runs.data() + plan.term);
    }
    // All terms ask for memory that nothing has read lately: better all at once than one by one.
    for (const Planned& plan : planned_) {
        FetchRuns(lists, plan.term);
    }
    for (Planned& plan : planned_) {
        plan.first_run = lists.term_runs[plan.term];
        const uint32_t end = lists.term_runs[plan.term + 1];
        plan.runs = end - plan.first_run;
        const uint8_t peak = LargestOf(lists.run_peaks.data() + plan.first_run, plan.runs);
        const uint32_t pairs = lists.run_places[end] - lists.run_places[plan.first_run];
        plan.postings = static_cast<double>(pairs) * 2 / (lists.flat ? 2 : 3);
        plan.bound = plan.factor * peak;
        plan.benefit = plan.bound / plan.postings;
    }
    if (terms_max > 0) {
        KeepHeaviest(terms_max);
    }
    std::sort(planned_.begin(), planned_.end(), [](const Planned& a, const Planned& b) {
        if (a.takes_away != b.takes_away) {
            return b.takes_away;
        }
        return a.benefit != b.benefit ? a.benefit > b.benefit : a.term < b.term;
    });
    adding_ = static_cast<size_t>(std::count_if(planned_.begin(), planned_.end(),
                                                [](const Planned& p) { return !p.takes_away; }));
    sums_are_scores_ = lists.complete && !cut() && FindExactUnit();
    if (!sums_are_scores_) {
        Quantize();
    }
    BoundSuperblocks(lists);
    return true;
}

bool SearchPlan::FindTerms(const SparseVector& query, const TermTable& terms) {
    terms_.clear();
    weights_.clear();
    for (const SparseEntry& entry : query) {
        const auto [first, count] = terms.Find(entry.dimension);
        for (uint32_t term = first; term < first + count; term++) {
            terms_.push_back(term);
            weights_.push_back(static_cast<double>(entry.weight));
        }
    }
    return !terms_.empty();
}

// Where no more add, all stay, and those that take away with them.
void SearchPlan::KeepHeaviest(uint32_t terms_max) {
    const auto adds = [](const Planned& plan) { return !plan.takes_away; };
    if (std::count_if(planned_.begin(), planned_.end(), adds) <=
        static_cast<ptrdiff_t>(terms_max)) {
        return;
    }
    std::sort(planned_.begin(), planned_.end(), [](const Planned& a, const Planned& b) {
        if (a.takes_away != b.takes_away) {
            return b.takes_away;
        }
        return a.bound != b.bound ? a.bound > b.bound : a.term < b.term;
    });
    planned_.resize(terms_max);
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
    most_ = *std::max_element(bounds_.begin(), bounds_.end());
    double postings = 0;
    for (const Planned& plan : planned_) {
        postings += plan.postings;
    }
    postings_in_superblock_ = postings / static_cast<double>(bounds_.size());
}

// The directory is by term, and a superblock needs one entry of each.
void SearchPlan::RunsIn(uint32_t superblock, const PostingLists& lists, PlannedRuns* runs) {
    runs->superblock = superblock;
    runs->runs.clear();
    runs->postings = 0;
    for (Planned& plan : planned_) {
        const uint16_t* const superblocks = lists.run_superblocks.data() + plan.first_run;
        const uint32_t at = FirstRunFrom(superblocks, plan.runs, superblock, &plan.lacking);
        if (at == plan.runs || superblocks[at] != superblock) {
            continue;
        }
        const uint32_t run = plan.first_run + at;
        const uint32_t count = lists.run_lengths[run] + 1u;
        runs->runs.push_back({lists.run_places[run],
                              plan.takes_away ? 0 : plan.weight * lists.run_peaks[run], plan.weight,
                              count, plan.takes_away});
        runs->postings += count;
    }
}

}  // namespace quern::sparse
