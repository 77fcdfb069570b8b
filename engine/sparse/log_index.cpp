#include "engine/sparse/log_index.h"

#include <algorithm>
#include <new>

#include "engine/kernels/impact_window.h"

namespace quern::sparse {

namespace {

// Records that are added under one lock: searches wait for about a millisecond.
constexpr size_t kSliceRows = 256;
// What an entry takes while its window is open, and in all when it is closed just then.
constexpr uint64_t kEntryBytes = 24;
// Runs fetched ahead of the one that is added up.
constexpr size_t kLogRunsAhead = 2;
// Records fetched ahead of the one that is scored, and bytes of the dimensions of each.
constexpr size_t kRowsAhead = 4;
constexpr size_t kRowBytesAhead = 512;
// Postings of a window that are read before it is asked whether to leave it, and between two such
// questions: asking looks at all sums.
constexpr uint64_t kLogCheckPostingsMin = 512;
// What scoring a record costs, in postings read: its value stands anywhere in memory.
constexpr uint64_t kLogScoreCost = 1200;

// One search in one window whose sums are there.
class WindowSearch {
public:
    WindowSearch(const SparseVector& query, const WindowPlan& plan, uint32_t first,
                 const LogRowAt& row, LogHits* hits)
        : query_(query), plan_(plan), first_(first), row_(row), hits_(*hits) {}

    void ScoreAll(uint32_t rows) {
        for (uint32_t id = 0; id < rows; id++) {
            Score(id, row_(first_ + id));
        }
    }
    // Scores what can be among the best, most promising first. Values stand anywhere in memory, so
    // they are fetched a few ahead.
    void ScoreBest(std::vector<std::pair<uint32_t, uint32_t>>* candidates) {
        std::sort(candidates->begin(), candidates->end(), std::greater<>());
        LogRow rows[kRowsAhead];
        for (size_t i = 0; i < candidates->size() + kRowsAhead; i++) {
            LogRow& slot = rows[i % kRowsAhead];
            if (i >= kRowsAhead) {
                const auto [sum, id] = (*candidates)[i - kRowsAhead];
                if (sum < plan_.LeastSum(hits_.Threshold())) {
                    return;
                }
                Score(id, slot);
            }
            if (i < candidates->size()) {
                slot = row_(first_ + (*candidates)[i].second);
                Fetch(slot);
            }
        }
    }
    // Adds up the window. As soon as scoring what can still be among the best costs less than to
    // read on, that is done instead: true then.
    bool SumOrScore(const LogWindow& window, uint32_t* sums, std::vector<uint32_t>* picked) {
        const std::vector<WindowPlan::Run>& runs = plan_.runs;
        const uint64_t least = plan_.LeastSum(hits_.Threshold());
        uint64_t still = 0;
        uint64_t unread = 0;
        for (const WindowPlan::Run& run : runs) {
            still += run.bound;
            unread += run.count;
        }
        postings_ = unread;
        uint64_t check_at = unread < kLogCheckPostingsMin ? 0 : unread - kLogCheckPostingsMin;
        for (size_t i = 0; i < std::min(kLogRunsAhead, runs.size()); i++) {
            window.Fetch(runs[i]);
        }
        for (size_t i = 0; i < runs.size(); i++) {
            if (i + kLogRunsAhead < runs.size()) {
                window.Fetch(runs[i + kLogRunsAhead]);
            }
            window.Add(runs[i], sums);
            still -= runs[i].bound;
            unread -= runs[i].count;
            if (still * 2 > least || unread > check_at) {
                continue;
            }
            const auto worthwhile = static_cast<size_t>(unread / kLogScoreCost);
            const size_t found =
                kernels::SelectSums(sums, kLogWindowRows, static_cast<uint32_t>(least - still),
                                    nullptr, worthwhile, picked->data());
            if (found <= worthwhile && unread > 0) {
                postings_ -= unread;
                for (size_t p = 0; p < found; p++) {
                    Score((*picked)[p], row_(first_ + (*picked)[p]));
                }
                return true;
            }
            check_at = unread < kLogCheckPostingsMin ? 0 : unread - kLogCheckPostingsMin;
        }
        return false;
    }
    bool SumOrScore(const OpenWindow& window, uint32_t* sums, std::vector<uint32_t>* /*picked*/) {
        window.Sum(plan_, sums);
        for (const WindowPlan::Run& run : plan_.runs) {
            postings_ += run.count;
        }
        return false;
    }
    uint64_t scored() const { return scored_; }
    uint64_t postings() const { return postings_; }

private:
    static void Fetch(const LogRow& row) {
        const size_t bytes = std::min<size_t>(row.count * 4, kRowBytesAhead);
        for (size_t i = 0; i < bytes; i += 64) {
            __builtin_prefetch(reinterpret_cast<const char*>(row.dimensions) + i);
            __builtin_prefetch(reinterpret_cast<const char*>(row.weights) + i);
        }
    }
    void Score(uint32_t id, const LogRow& row) {
        double score = 0;
        scored_ += row.count > 0 ? 1 : 0;
        if (row.count > 0 && ScoreVector(query_, row.dimensions, row.weights, row.count, &score)) {
            hits_.Push(score, first_ + id);
        }
    }

    const SparseVector& query_;
    const WindowPlan& plan_;
    uint32_t first_;
    const LogRowAt& row_;
    LogHits& hits_;
    uint64_t scored_ = 0;
    uint64_t postings_ = 0;  // that were added up
};

// A sum that about as many records reach as there are results: in so many blocks of the window one
// does. 0: more are wanted than there are blocks.
uint32_t GuessLeast(const uint32_t* sums, size_t k, std::vector<uint32_t>* peaks) {
    constexpr size_t kBlocks = kLogWindowRows / kernels::kWindowAlign;
    if (k > kBlocks) {
        return 0;
    }
    kernels::WindowPeaks(sums, kLogWindowRows, peaks->data());
    const auto kth = peaks->begin() + static_cast<ptrdiff_t>(k - 1);
    std::nth_element(peaks->begin(), kth, peaks->begin() + static_cast<ptrdiff_t>(kBlocks),
                     std::greater<>());
    return *kth;
}

}  // namespace

void LogHits::Push(double score, uint32_t position) {
    if (!(score >= Threshold())) {
        return;
    }
    hits_.push_back({score, position});
    best_.push_back(score);
    std::push_heap(best_.begin(), best_.end(), std::greater<>());
    if (best_.size() > k_) {
        std::pop_heap(best_.begin(), best_.end(), std::greater<>());
        best_.pop_back();
    }
    if (hits_.size() / 4 > k_ + 256) {
        std::erase_if(hits_, [&](const LogHit& hit) { return hit.score < Threshold(); });
    }
}

std::vector<LogHit> LogHits::Take() {
    std::erase_if(hits_, [&](const LogHit& hit) { return hit.score < Threshold(); });
    best_.clear();
    return std::move(hits_);
}

LogSpace::LogSpace() : sums_(kLogWindowRows), picked_(kLogWindowRows + kernels::kSelectSlack) {}

LogIndex::~LogIndex() {
    memory_->Add(-counted_);
}

size_t LogIndex::count() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return full_->size() * kLogWindowRows + open_.rows();
}

void LogIndex::CountMemory() {
    const auto bytes = static_cast<int64_t>(open_.memory_bytes());
    memory_->Add(bytes - counted_);
    counted_ = bytes;
}

Status LogIndex::Extend(size_t end, const LogRowAt& row,
                        const std::function<bool(uint64_t)>& allows, Work* work) {
    while (true) {
        const size_t first = count();
        if (first >= end) {
            return {};
        }
        QUERN_TRY(work->Check("search", first, end));
        const size_t stop = std::min(end, first + kSliceRows);
        uint64_t bytes = 0;
        for (size_t i = first; i < stop; i++) {
            bytes += row(static_cast<uint32_t>(i)).count * kEntryBytes;
        }
        if (!allows(bytes)) {
            return {};
        }
        AppendSome(stop, row);
    }
}

void LogIndex::AppendSome(size_t end, const LogRowAt& row) {
    std::lock_guard<std::mutex> lock(mutex_);
    try {
        for (size_t at = full_->size() * kLogWindowRows + open_.rows(); at < end; at++) {
            open_.Append(row(static_cast<uint32_t>(at)));
            if (open_.full()) {
                auto more = std::make_shared<Windows>(*full_);
                more->push_back(std::make_shared<LogWindow>(open_, memory_));
                full_ = std::move(more);
                open_.Clear();
            }
        }
    } catch (const std::bad_alloc&) {
        // Part of a record may be there.
        open_ = OpenWindow();
        CountMemory();
        throw;
    }
    CountMemory();
}

Result<size_t> LogIndex::Search(const SparseVector& query, const LogRowAt& row, LogHits* hits,
                                LogSpace* space, SearchStats* stats, Work* work) const {
    WindowPlan& plan = space->plan_;
    auto search = [&](const auto& window, uint32_t first, uint32_t rows) {
        window.Plan(query, &plan);
        const double threshold = hits->Threshold();
        WindowSearch scores(query, plan, first, row, hits);
        const bool has_terms = !plan.runs.empty();
        bool opened = true;
        if (plan.mixed && threshold <= plan.slack) {
            scores.ScoreAll(rows);
        } else if (!plan.runs.empty() && plan.most + plan.slack >= threshold) {
            uint32_t* const sums = space->sums_.data();
            std::fill_n(sums, kLogWindowRows, 0u);
            bool done = scores.SumOrScore(window, sums, &space->picked_);
            // First what is likely among the best, then what that leaves.
            uint32_t above = UINT32_MAX;
            uint32_t from = done ? 0
                                 : std::max(plan.LeastSum(threshold),
                                            GuessLeast(sums, hits->k(), &space->picked_));
            while (!done) {
                const size_t found =
                    kernels::SelectSums(sums, kLogWindowRows, from, nullptr,
                                        SIZE_MAX - kernels::kWindowAlign, space->picked_.data());
                space->candidates_.clear();
                for (size_t i = 0; i < found; i++) {
                    const uint32_t id = space->picked_[i];
                    if (sums[id] < above) {
                        space->candidates_.emplace_back(sums[id], id);
                    }
                }
                scores.ScoreBest(&space->candidates_);
                const uint32_t least = plan.LeastSum(hits->Threshold());
                done = from <= least;
                above = from;
                from = least;
            }
        } else {
            opened = false;
        }
        if (stats != nullptr) {
            stats->scored += scores.scored();
            stats->superblocks += has_terms ? 1 : 0;
            stats->opened += has_terms && opened ? 1 : 0;
            stats->postings_read += scores.postings();
        }
    };
    std::shared_ptr<const Windows> full;
    size_t count = 0;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        full = full_;
        const auto first = static_cast<uint32_t>(full->size() * kLogWindowRows);
        count = first + open_.rows();
        if (open_.rows() > 0) {
            search(open_, first, open_.rows());
        }
    }
    for (size_t window = 0; window < full->size(); window++) {
        if (window + 1 < full->size()) {
            (*full)[window + 1]->FetchTerms(query);
        }
        search(*(*full)[window], static_cast<uint32_t>(window * kLogWindowRows), kLogWindowRows);
        QUERN_TRY(work->Check("search", window, full->size()));
    }
    return count;
}

}  // namespace quern::sparse
