#include "engine/sparse/search_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/kernels/impact_window.h"

namespace quern::sparse {

namespace {

constexpr double kSumMax = 1 << 30;
constexpr double kImpactMax = 255;
// Runs of a term whose directory entries are fetched ahead.
constexpr uint32_t kPlanRunsAhead = 64;
// Of a plan's table, 12 bytes each; queries that have more look them up one by one.
constexpr uint64_t kTableRunsMax = uint64_t{1} << 20;

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

}  // namespace

bool SearchPlan::Make(const SparseVector& query, const TermTable& terms, const PostingLists& lists,
                      uint32_t terms_max) {
    planned_.clear();
    table_ends_.clear();
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
        const uint8_t peak = *std::max_element(lists.run_peaks.begin() + plan.first_run,
                                               lists.run_peaks.begin() + end);
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

// The directory is by term, and a superblock needs one entry of each: to look them up one by one
// took as long as adding up their postings. One pass over the entries turns them around.
void SearchPlan::TabulateRuns(const PostingLists& lists) {
    table_ends_.clear();
    uint64_t all = 0;
    for (const Planned& plan : planned_) {
        all += plan.runs;
    }
    if (all > kTableRunsMax) {
        return;
    }
    table_.resize(static_cast<size_t>(all));
    table_ends_.assign(bounds_.size(), 0);
    for (const Planned& plan : planned_) {
        const uint16_t* const superblocks = lists.run_superblocks.data() + plan.first_run;
        for (uint32_t i = 0; i < plan.runs; i++) {
            table_ends_[superblocks[i]]++;
        }
    }
    // From counts to where each superblock begins, which becomes where it ends as it is filled.
    uint32_t begin = 0;
    for (uint32_t& end : table_ends_) {
        begin += std::exchange(end, begin);
    }
    for (uint32_t p = 0; p < planned_.size(); p++) {
        const uint32_t first = planned_[p].first_run;
        for (uint32_t run = first; run < first + planned_[p].runs; run++) {
            table_[table_ends_[lists.run_superblocks[run]]++] = {
                lists.run_places[run], p, lists.run_lengths[run], lists.run_peaks[run]};
        }
    }
}

void SearchPlan::RunsIn(uint32_t superblock, const PostingLists& lists, PlannedRuns* runs) const {
    runs->superblock = superblock;
    runs->runs.clear();
    runs->postings = 0;
    const auto add = [&](const TableRun& run) {
        const Planned& plan = planned_[run.planned];
        runs->runs.push_back({run.place, plan.takes_away ? 0 : plan.weight * run.peak, plan.weight,
                              run.length + 1u, plan.takes_away});
        runs->postings += run.length + 1u;
    };
    if (!table_ends_.empty()) {
        const uint32_t end = table_ends_[superblock];
        for (uint32_t at = superblock == 0 ? 0 : table_ends_[superblock - 1]; at < end; at++) {
            add(table_[at]);
        }
        return;
    }
    for (uint32_t p = 0; p < planned_.size(); p++) {
        const auto first = lists.run_superblocks.begin() + planned_[p].first_run;
        const auto last = first + planned_[p].runs;
        const auto found = std::lower_bound(first, last, superblock);
        if (found != last && *found == superblock) {
            const auto run = static_cast<size_t>(found - lists.run_superblocks.begin());
            add({lists.run_places[run], p, lists.run_lengths[run], lists.run_peaks[run]});
        }
    }
}

}  // namespace quern::sparse
