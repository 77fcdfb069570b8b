#include "engine/sparse/log_search.h"

#include <algorithm>

namespace quern::sparse {

namespace {

// Runs fetched ahead of the one that is added up.
constexpr size_t kLogRunsAhead = 2;
// Records fetched ahead of the one that is scored, and bytes of the dimensions of each.
constexpr size_t kRowsAhead = 4;
constexpr size_t kRowBytesAhead = 512;
// Postings of a window that are read before it is asked whether to leave it, and between two such
// questions: asking looks at all sums.
constexpr uint64_t kLogCheckPostingsMin = 512;
// What a record that is noted costs, in postings read: some of them are scored.
constexpr uint64_t kLogNoteCost = 1000;
// Candidates that are kept before it is asked which still are.
constexpr size_t kCandidatesMin = 4096;

void Fetch(const LogRow& row) {
    const size_t bytes = std::min<size_t>(row.count * 4, kRowBytesAhead);
    for (size_t i = 0; i < bytes; i += 64) {
        __builtin_prefetch(reinterpret_cast<const char*>(row.dimensions) + i);
        __builtin_prefetch(reinterpret_cast<const char*>(row.weights) + i);
    }
}

}  // namespace

void KthBest::Push(double number) {
    if (best_.size() == k_ && !(number > best_.front())) {
        return;
    }
    best_.push_back(number);
    std::push_heap(best_.begin(), best_.end(), std::greater<>());
    if (best_.size() > k_) {
        std::pop_heap(best_.begin(), best_.end(), std::greater<>());
        best_.pop_back();
    }
}

void LogHits::Push(double score, uint32_t position) {
    if (!(score >= Threshold())) {
        return;
    }
    hits_.push_back({score, position});
    best_.Push(score);
    if (hits_.size() / 4 > k() + 256) {
        std::erase_if(hits_, [&](const LogHit& hit) { return hit.score < Threshold(); });
    }
}

std::vector<LogHit> LogHits::Take() {
    std::erase_if(hits_, [&](const LogHit& hit) { return hit.score < Threshold(); });
    best_ = KthBest(k(), floor());
    return std::move(hits_);
}

void LogSearch::Score(uint32_t position, const LogRow& row) {
    double score = 0;
    stats_.scored += row.count > 0 ? 1 : 0;
    if (row.count > 0 && ScoreVector(query_, row.dimensions, row.weights, row.count, &score)) {
        hits_.Push(score, position);
    }
}

// Scores what can still be among the best, and forgets the rest. The k most promising come first,
// then the others as they stand in memory; a few are fetched ahead.
void LogSearch::ScoreCandidates() {
    std::vector<LogCandidate>& all = space_.candidates_;
    const double threshold = Threshold();
    std::erase_if(all, [&](const LogCandidate& c) { return c.upper < threshold; });
    const size_t promising = std::min(hits_.k(), all.size());
    const auto rest = all.begin() + static_cast<ptrdiff_t>(promising);
    std::nth_element(all.begin(), rest, all.end(),
                     [](const LogCandidate& a, const LogCandidate& b) {
                         return a.upper != b.upper ? a.upper > b.upper : a.position < b.position;
                     });
    const auto by_place = [](const LogCandidate& a, const LogCandidate& b) {
        return a.position < b.position;
    };
    std::sort(all.begin(), rest, by_place);
    std::sort(rest, all.end(), by_place);
    LogRow rows[kRowsAhead];
    for (size_t i = 0; i < all.size() + kRowsAhead; i++) {
        LogRow& slot = rows[i % kRowsAhead];
        if (i >= kRowsAhead && all[i - kRowsAhead].upper >= hits_.Threshold()) {
            Score(all[i - kRowsAhead].position, slot);
        }
        if (i < all.size()) {
            slot = all[i].upper >= hits_.Threshold() ? row_(all[i].position) : LogRow();
            Fetch(slot);
        }
    }
    all.clear();
}

// sum: of what was read of a record; unread: what the rest may add.
void LogSearch::Note(uint32_t id, uint64_t sum, uint64_t unread) {
    const uint32_t position = first_ + id;
    const double least = plan_.mixed ? lower_.value() : plan_.Least(sum);
    if (least > lower_.value()) {
        // What is dead, or left out by a filter, bounds nothing.
        if (row_(position).count == 0) {
            return;
        }
        lower_.Push(least);
    }
    space_.candidates_.push_back({plan_.Most(sum + unread), position});
}

// A sum that about as many records of the window reach as there are results. 0: there is a bound
// already, or more are wanted than a window has.
uint32_t LogSearch::GuessLeast() {
    if (lower_.full() || hits_.k() >= kLogWindowRows) {
        return 0;
    }
    const uint32_t* const sums = space_.sums_.data();
    uint32_t* const some = space_.picked_.data();
    constexpr size_t kBlocks = kLogWindowRows / kernels::kWindowAlign;
    size_t of = kBlocks;
    if (hits_.k() <= kBlocks) {
        // In so many blocks of the window one does.
        kernels::WindowPeaks(sums, kLogWindowRows, some);
    } else {
        of = kLogWindowRows;
        std::copy_n(sums, of, some);
    }
    uint32_t* const kth = some + hits_.k() - 1;
    std::nth_element(some, kth, some + of, std::greater<>());
    return *kth;
}

// Notes what may be among the best by the sums of all runs: first what is likely there, then what
// that leaves.
void LogSearch::Collect() {
    const uint32_t* const sums = space_.sums_.data();
    std::vector<uint32_t>& picked = space_.picked_;
    uint32_t above = UINT32_MAX;
    uint32_t from = std::max(plan_.LeastSum(Threshold()), GuessLeast());
    while (true) {
        const size_t found = kernels::SelectSums(sums, kLogWindowRows, from, nullptr,
                                                 SIZE_MAX - kernels::kWindowAlign, picked.data());
        for (size_t i = 0; i < found; i++) {
            if (sums[picked[i]] < above) {
                Note(picked[i], sums[picked[i]], 0);
            }
        }
        if (plan_.mixed) {
            ScoreCandidates();
        }
        const uint32_t least = plan_.LeastSum(Threshold());
        if (from <= least) {
            return;
        }
        above = from;
        from = least;
    }
}

// Adds up the window. As soon as noting what can still be among the best costs less than to read
// on, that is done instead: true then.
template <typename Window>
bool LogSearch::AddUp(const Window& window) {
    const std::vector<WindowPlan::Run>& runs = plan_.runs;
    uint32_t* const sums = space_.sums_.data();
    const uint64_t least = plan_.LeastSum(Threshold());
    uint64_t still = 0;
    uint64_t unread = 0;
    for (const WindowPlan::Run& run : runs) {
        still += run.bound;
        unread += run.count;
    }
    stats_.postings_read += unread;
    uint64_t check_at = unread < kLogCheckPostingsMin ? 0 : unread - kLogCheckPostingsMin;
    for (size_t i = 0; i < std::min(kLogRunsAhead, runs.size()); i++) {
        window.Fetch(runs[i]);
    }
    for (size_t i = 0; i < runs.size(); i++) {
        if (i + kLogRunsAhead < runs.size()) {
            window.Fetch(runs[i + kLogRunsAhead]);
        }
        window.Add(plan_, runs[i], sums);
        still -= runs[i].bound;
        unread -= runs[i].count;
        if (still * 2 > least || unread > check_at) {
            continue;
        }
        const auto worthwhile = static_cast<size_t>(unread / kLogNoteCost);
        const size_t found =
            kernels::SelectSums(sums, kLogWindowRows, static_cast<uint32_t>(least - still), nullptr,
                                worthwhile, space_.picked_.data());
        if (found <= worthwhile && unread > 0) {
            stats_.postings_read -= unread;
            for (size_t p = 0; p < found; p++) {
                Note(space_.picked_[p], sums[space_.picked_[p]], still);
            }
            return true;
        }
        check_at = unread < kLogCheckPostingsMin ? 0 : unread - kLogCheckPostingsMin;
    }
    return false;
}

template <typename Window>
void LogSearch::Search(const Window& window, uint32_t first, uint32_t rows) {
    window.Plan(query_, &plan_);
    first_ = first;
    const double threshold = Threshold();
    stats_.superblocks += plan_.runs.empty() ? 0 : 1;
    if (plan_.mixed && threshold <= plan_.slack) {
        for (uint32_t id = 0; id < rows; id++) {
            Score(first + id, row_(first + id));
        }
    } else if (plan_.runs.empty() || plan_.most + plan_.slack < threshold) {
        return;
    } else {
        std::fill_n(space_.sums_.data(), kLogWindowRows, 0u);
        if (!AddUp(window)) {
            Collect();
        }
        if (plan_.mixed) {
            ScoreCandidates();
        }
        std::vector<LogCandidate>& all = space_.candidates_;
        if (all.size() > prune_at_) {
            std::erase_if(all, [&](const LogCandidate& c) { return c.upper < Threshold(); });
            prune_at_ = std::max(kCandidatesMin, 2 * all.size());
        }
    }
    stats_.opened += plan_.runs.empty() ? 0 : 1;
}

void LogSearch::Open(const OpenWindow& window, uint32_t first) {
    Search(window, first, window.rows());
}

void LogSearch::Open(const LogWindow& window, uint32_t first) {
    Search(window, first, kLogWindowRows);
}

void LogSearch::AddTo(SearchStats* stats) const {
    stats->scored += stats_.scored;
    stats->superblocks += stats_.superblocks;
    stats->opened += stats_.opened;
    stats->postings_read += stats_.postings_read;
}

}  // namespace quern::sparse
