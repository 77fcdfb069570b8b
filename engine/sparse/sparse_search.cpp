#include "engine/sparse/sparse_search.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/impact_window.h"
#include "storage/base/test_fault.h"

namespace quern::sparse {

namespace {

// Postings of a superblock that are read before it is asked whether to leave it, and between two
// such questions: asking looks at all sums.
constexpr uint64_t kCheckPostingsMin = 256;
// A part of what is unread, which is also read between two questions.
constexpr uint64_t kCheckShare = 4;
// How the share of the bound at which asking begins follows what the questions found: a little up
// after a yes at once, down after a no.
constexpr double kShareUp = 1.08;
constexpr double kShareDown = 0.85;
// Superblocks that are visited by bound before the others are in order: the k-th best is known well
// enough after a few.
constexpr size_t kFirstByBound = 3;
// Candidates that may wait for each result wanted before those that have dropped out are removed.
constexpr size_t kPendingSlack = 4096;
// Of the runs that come next, so many are fetched ahead, and so many bytes of each: the processor
// fetches what follows by itself.
constexpr uint32_t kRunsAhead = 2;
constexpr uint32_t kRunBytesAhead = 768;
// Rows fetched ahead of the one that is scored.
constexpr size_t kFetchAhead = 4;
// Of scoring a record and an entry of it, in postings read. Records stand anywhere in memory, and
// waiting for them is most of it.
constexpr double kScoreCost = 200;
// Records that are scored when few terms, or pruned lists, order them: so many times as are wanted
// (of huge numbers no more), and some.
constexpr size_t kCutTimes = 2;
constexpr size_t kCutMore = 32;
constexpr size_t kCutMost = size_t{1} << 40;
constexpr double kEntryCost = 6;
// The same where all allowed records of a superblock are scored: which ones is known long before,
// so they are fetched in time. And what opening a superblock takes beside its postings, in these.
constexpr double kMatchCost = 80;
constexpr double kMatchEntryCost = 1;
constexpr double kOpenCost = 1400;
// What picking the best by their sums and scoring these costs beside scoring as many matches.
constexpr double kPickedTimes = 1.5;

}  // namespace

SearchSpace::SearchSpace()
    : picked(kSuperblockRowsMax + kernels::kSelectSlack),
      places(kEntriesMax + kernels::kSelectSlack) {}

Status SparseSearch::Run(const SparseVector& query, Work* work) {
    if (hits_.k() == 0 ||
        !space_.plan.Make(query, terms_, lists_,
                          options_.path == SearchPath::kChosen ? options_.terms_max : 0)) {
        return {};
    }
    // Sums of pruned lists say little of scores, which are of all entries: they only order. (Where
    // terms take away, sums are not known from below, and nothing would drop out.)
    orders_ = space_.plan.cut() || (options_.path == SearchPath::kChosen && !lists_.complete &&
                                    !space_.plan.takes_away());
    Prepare();
    const bool whole = options_.path == SearchPath::kForward || IsAllScored();
    if (whole) {
        score_least_ = std::numeric_limits<double>::infinity();
        return VisitSigned(work);
    }
    stats_.pruned = stats_.pruned || !lists_.complete;
    if (orders_) {
        QUERN_TRY(VisitByBound(work));
        if (ScoreBest() || !space_.plan.cut()) {
            return {};
        }
        // Fewer records have these terms than are wanted.
        space_.plan.Make(query, terms_, lists_);
        orders_ = false;
        Prepare();
    }
    if (space_.plan.adds()) {
        const Status visited =
            options_.path == SearchPath::kExhaustive ? VisitInOrder(work) : VisitByBound(work);
        ScorePending();
        QUERN_TRY(visited);
    }
    if (space_.plan.takes_away() && hits_.Threshold() <= score_least_ && !AtEnd()) {
        QUERN_TRY(VisitSigned(work));
    }
    return {};
}

void SparseSearch::Prepare() {
    const SearchPlan& plan = space_.plan;
    space_.marks.Set(plan.terms(), plan.weights(), forward_.scales);
    space_.pending.clear();
    space_.next_runs.superblock = PlannedRuns::kNone;
    wanted_ = orders_ ? std::min(hits_.k(), kCutMost) * kCutTimes + kCutMore : hits_.k();
    space_.floor.Start(wanted_, plan.most());
    space_.sums.resize(std::max<size_t>(space_.sums.size(), lists_.superblock_rows));
    const uint64_t mean = forward_.rows() == 0 ? 0 : forward_.offsets.back() / forward_.rows();
    score_cost_ = kScoreCost + kEntryCost * static_cast<double>(mean);
    match_cost_ = kMatchCost + kMatchEntryCost * static_cast<double>(mean);
    ask_share_ = 0.5;
    score_least_ = plan.takes_away() ? plan.slack() : -std::numeric_limits<double>::infinity();
    // What pruning has left out takes nothing from a sum that only grows.
    knows_lower_bounds_ = plan.looseness() != UINT32_MAX && (lists_.complete || !plan.takes_away());
    scored_before_ = stats_.scored;
}

uint32_t SparseSearch::LeastSum() const {
    const SearchPlan& plan = space_.plan;
    const uint64_t known = space_.floor.floor();
    uint64_t least = std::max<uint64_t>(known, 1);
    if (orders_) {
        return static_cast<uint32_t>(least);  // sums are not to be compared with scores
    }
    const double best = (hits_.Threshold() - plan.slack()) / plan.unit();
    if (best > static_cast<double>(least)) {
        least = best < 4e9 ? static_cast<uint64_t>(best) : uint64_t{4000000000};
    }
    return static_cast<uint32_t>(least);
}

const uint64_t* SparseSearch::AllowedWords(uint32_t superblock) const {
    return allowed_ == nullptr ? nullptr
                               : allowed_ + size_t{superblock} * lists_.superblock_rows / 64;
}

uint32_t SparseSearch::PaddedRows(uint32_t superblock) const {
    constexpr auto kAlign = static_cast<uint32_t>(kernels::kWindowAlign);
    return (lists_.RowsIn(superblock) + kAlign - 1) / kAlign * kAlign;
}

uint32_t SparseSearch::AllowedIn(uint32_t superblock) const {
    const uint32_t rows = lists_.RowsIn(superblock);
    if (allowed_ == nullptr) {
        return rows;
    }
    const uint64_t* const words = AllowedWords(superblock);
    auto count = static_cast<uint32_t>(kernels::CountBits(words, rows / 64));
    if (rows % 64 != 0 && !TestFault(Fault::kLastWordUncounted)) {
        const uint64_t last = words[rows / 64] & ((uint64_t{1} << rows % 64) - 1);
        count += static_cast<uint32_t>(__builtin_popcountll(last));
    }
    return count;
}

Status SparseSearch::VisitInOrder(Work* work) {
    const SearchPlan& plan = space_.plan;
    for (uint32_t superblock = 0; superblock < plan.superblocks() && !AtEnd(); superblock++) {
        if (plan.bound(superblock) > 0) {
            stats_.superblocks++;
            if (AllowedIn(superblock) > 0) {
                Visit(superblock, std::min(superblock + 1, plan.superblocks() - 1), false);
            }
        }
        QUERN_TRY(work->Check("search", superblock, plan.superblocks()));
    }
    return {};
}

Status SparseSearch::VisitByBound(Work* work) {
    const SearchPlan& plan = space_.plan;
    auto& order = space_.order;
    order.clear();
    for (uint32_t superblock = 0; superblock < plan.superblocks(); superblock++) {
        if (plan.bound(superblock) > 0) {
            stats_.superblocks++;
            const uint32_t allowed = AllowedIn(superblock);
            if (allowed == 0) {
                continue;
            }
            const uint32_t less = TestFault(Fault::kBoundTooLow) ? plan.bound(superblock) / 8 : 0;
            order.emplace_back(plan.bound(superblock) - less, superblock);
        }
    }
    SortByBound();
    const double factor = static_cast<double>(options_.bound_factor);
    uint32_t opened = 0;
    const auto matters = [&](const std::pair<uint32_t, uint32_t>& entry) {
        const uint32_t least = LeastSum() + (TestFault(Fault::kEqualPassedOver) ? 1u : 0u);
        return static_cast<double>(entry.first) * factor >= static_cast<double>(least) ||
               (entry.first >= least && opened < options_.superblocks_min);
    };
    for (size_t i = 0; i < order.size() && !AtEnd(); i++) {
        if (!matters(order[i])) {
            continue;
        }
        const uint32_t superblock = order[i].second;
        opened++;
        if (IsScoredWhole(AllowedIn(superblock))) {
            ScoreAllowed(superblock);
        } else {
            size_t next = i + 1;
            while (next < order.size() && !matters(order[next])) {
                next++;
            }
            const bool may_cut = options_.path != SearchPath::kSuperblocks && !orders_;
            Visit(superblock, order[std::min(next, order.size() - 1)].second, may_cut);
        }
        QUERN_TRY(work->Check("search", opened, order.size()));
    }
    return {};
}

bool SparseSearch::IsScoredWhole(uint32_t allowed) const {
    // A search that may score a few records only should not spend them so.
    const double cost = options_.scored_max == ~uint64_t{0} ? match_cost_ : score_cost_;
    return options_.path == SearchPath::kChosen && !orders_ &&
           allowed * cost <= space_.plan.postings_in_superblock() + kOpenCost;
}

// Whether pruned lists are of no use: to score all that is allowed costs no more than to add up
// postings and score the best by them. Unlike these it misses nothing.
bool SparseSearch::IsAllScored() const {
    if (options_.path != SearchPath::kChosen || lists_.complete ||
        options_.scored_max != ~uint64_t{0}) {
        return false;
    }
    uint64_t all = 0;
    uint64_t opened = 0;
    for (uint32_t superblock = 0; superblock < space_.plan.superblocks(); superblock++) {
        const uint32_t allowed = AllowedIn(superblock);
        all += allowed;
        opened += allowed > 0 && space_.plan.bound(superblock) > 0 ? 1 : 0;
    }
    const auto scored = static_cast<double>(std::min<uint64_t>(wanted_, all));
    return static_cast<double>(all) * match_cost_ <=
           scored * match_cost_ * kPickedTimes +
               static_cast<double>(opened) * (space_.plan.postings_in_superblock() + kOpenCost);
}

// The few with the highest bounds come first, since they tell what a record must reach. The others
// are visited as they stand in memory: what a term has in one superblock follows what it has in the
// one before. A search that may score a few records only spends them on the highest bounds.
void SparseSearch::SortByBound() {
    auto& order = space_.order;
    const auto higher = [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    const size_t first = std::max<size_t>(kFirstByBound, options_.superblocks_min);
    if (first >= order.size() || options_.path == SearchPath::kSuperblocks ||
        options_.scored_max != ~uint64_t{0}) {
        std::sort(order.begin(), order.end(), higher);
        return;
    }
    auto& firsts = space_.firsts;
    firsts.resize(first);
    std::partial_sort_copy(order.begin(), order.end(), firsts.begin(), firsts.end(), higher);
    const auto last = firsts.back();
    order.erase(std::remove_if(order.begin(), order.end(),
                               [&](const auto& entry) { return !higher(last, entry); }),
                order.end());
    order.insert(order.begin(), firsts.begin(), firsts.end());
}

void SparseSearch::Add(uint32_t superblock, const PlannedRun& run, uint32_t* sums) {
    const char* const at = lists_.postings.data() + uint64_t{run.place} * 2;
    const uint32_t rows = lists_.RowsIn(superblock);
    const auto* const bytes = reinterpret_cast<const uint8_t*>(at);
    const bool dense = IsDenseRun(run.count, rows, lists_.flat);
    if (lists_.flat) {
        // What an impact of 1 takes away at least is nothing.
        if (!run.takes_away && dense) {
            kernels::AddBits(bytes, rows, run.weight, sums);
        } else if (!run.takes_away) {
            kernels::AddIds(reinterpret_cast<const uint16_t*>(at), run.count, run.weight, sums);
        }
        return;
    }
    if (dense) {
        if (run.takes_away) {
            kernels::SubtractDenseRun(bytes, rows, run.weight, sums);
        } else {
            kernels::AddDenseRun(bytes, rows, run.weight, sums);
        }
        return;
    }
    const auto* const ids = reinterpret_cast<const uint16_t*>(at);
    const uint8_t* const impacts = bytes + size_t{2} * run.count;
    if (run.takes_away) {
        kernels::SubtractRun(ids, impacts, run.count, run.weight, sums);
    } else {
        kernels::AddRun(ids, impacts, run.count, run.weight, sums);
    }
}

void SparseSearch::Fetch(const PlannedRun& run) const {
    const char* const at = lists_.postings.data() + uint64_t{run.place} * 2;
    const uint32_t bytes = std::min((lists_.flat ? 2 : 3) * run.count, kRunBytesAhead);
    for (uint32_t i = 0; i < bytes; i += 64) {
        __builtin_prefetch(at + i);
    }
}

void SparseSearch::Visit(uint32_t superblock, uint32_t next, bool may_cut) {
    uint32_t* const sums = space_.sums.data();
    std::fill_n(sums, PaddedRows(superblock), 0u);
    stats_.opened++;
    if (space_.next_runs.superblock == superblock) {
        std::swap(space_.runs, space_.next_runs);
    } else {
        space_.plan.RunsIn(superblock, lists_, &space_.runs);
    }
    const std::vector<PlannedRun>& runs = space_.runs.runs;
    const double factor = static_cast<double>(options_.bound_factor);
    // What the runs that were not read can add.
    double still = space_.plan.bound(superblock) * factor;
    double ask_at = ask_share_ * LeastSum();
    uint64_t read = 0;
    uint64_t next_check = kCheckPostingsMin;
    for (size_t i = 0; i < runs.size(); i++) {
        if (i + kRunsAhead < runs.size()) {
            Fetch(runs[i + kRunsAhead]);
        }
        Add(superblock, runs[i], sums);
        still -= runs[i].bound * factor;
        read += runs[i].count;
        if (may_cut && still <= ask_at && read >= next_check && i + 1 < runs.size()) {
            const uint64_t unread = space_.runs.postings - read;
            if (CutShort(superblock, sums, still, static_cast<double>(unread))) {
                ask_share_ = std::min(ask_share_ * kShareUp, 1.0);
                stats_.cut_short++;
                stats_.postings_read += read;
                FetchNext(next);
                return;
            }
            ask_share_ *= kShareDown;
            ask_at *= kShareDown;
            next_check = read + std::max(kCheckPostingsMin, unread / kCheckShare);
        }
    }
    FetchNext(next);
    stats_.postings_read += read;
    TakeCandidates(superblock, sums);
}

// Runs are fetched a few ahead of the one that is added, from one superblock to the next, too.
void SparseSearch::FetchNext(uint32_t superblock) {
    if (superblock == space_.runs.superblock) {
        return;  // the last one
    }
    space_.plan.RunsIn(superblock, lists_, &space_.next_runs);
    const auto& runs = space_.next_runs.runs;
    for (size_t i = 0; i < std::min<size_t>(kRunsAhead, runs.size()); i++) {
        Fetch(runs[i]);
    }
}

bool SparseSearch::CutShort(uint32_t superblock, const uint32_t* sums, double still,
                            double unread) {
    // Rounded up, plus one for what subtracting in floating point may have lost.
    const auto reach = static_cast<uint32_t>(std::max(still, 0.0)) + 2;
    const uint32_t least = LeastSum();
    if (least <= reach) {
        return false;
    }
    const auto worthwhile = static_cast<size_t>(unread / score_cost_);
    const size_t alive =
        kernels::SelectSums(sums, PaddedRows(superblock), least - reach, AllowedWords(superblock),
                            worthwhile, space_.picked.data());
    if (alive > worthwhile) {
        return false;
    }
    ScorePicked(superblock, alive);
    return true;
}

// What is known of the k-th best sum from this window alone: k blocks of it have such a peak.
uint32_t SparseSearch::LeastOfWindow(const uint32_t* sums, uint32_t rows) {
    std::vector<uint32_t>& peaks = space_.picked;
    const size_t blocks = rows / kernels::kWindowAlign;
    const size_t k = wanted_;
    if (allowed_ != nullptr || k > blocks || !knows_lower_bounds_) {
        return 0;
    }
    kernels::WindowPeaks(sums, rows, peaks.data());
    const auto kth = peaks.begin() + static_cast<ptrdiff_t>(k - 1);
    std::nth_element(peaks.begin(), kth, peaks.begin() + static_cast<ptrdiff_t>(blocks),
                     std::greater<>());
    const uint32_t looseness = Looseness();
    return *kth > looseness ? *kth - looseness : 0;
}

void SparseSearch::TakeCandidates(uint32_t superblock, const uint32_t* sums) {
    const uint32_t rows = PaddedRows(superblock);
    uint32_t least = LeastSum();
    if (space_.floor.floor() == 0) {
        // Nothing is known yet, and everything would be a candidate.
        least = std::max(least, LeastOfWindow(sums, rows));
    }
    const size_t count =
        kernels::SelectSums(sums, rows, least, AllowedWords(superblock),
                            SIZE_MAX - kernels::kWindowAlign, space_.picked.data());
    const uint32_t looseness = Looseness();
    const uint32_t first = superblock * lists_.superblock_rows;
    for (size_t i = 0; i < count; i++) {
        const uint32_t id = space_.picked[i];
        space_.pending.emplace_back(sums[id], first + id);
        if (knows_lower_bounds_ && sums[id] > looseness) {
            space_.floor.Push(sums[id] - looseness);
        }
    }
    if (space_.pending.size() > 2 * std::min(wanted_, size_t{1} << 40) + kPendingSlack) {
        least = LeastSum();
        space_.pending.erase(
            std::remove_if(space_.pending.begin(), space_.pending.end(),
                           [&](const auto& candidate) { return candidate.first < least; }),
            space_.pending.end());
    }
}

double SparseSearch::Score(uint32_t position) {
    stats_.scored++;
    const RowScore score = forward_.Score(position, space_.marks, space_.places.data());
    if (score.common == 0 || score.score <= score_least_) {
        return -std::numeric_limits<double>::infinity();
    }
    hits_.Push({score.score, source_, position});
    return score.score;
}

void SparseSearch::ScorePicked(uint32_t superblock, size_t count) {
    const SearchPlan& plan = space_.plan;
    const uint32_t first = superblock * lists_.superblock_rows;
    for (size_t i = 0; i < std::min(count, kFetchAhead); i++) {
        forward_.Fetch(first + space_.picked[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (i + kFetchAhead < count) {
            forward_.Fetch(first + space_.picked[i + kFetchAhead]);
        }
        const double score = Score(first + space_.picked[i]);
        const double units = (score - plan.slack()) / plan.unit() - 1;
        if (units > 0 && units < 4e9) {
            space_.floor.Push(static_cast<uint32_t>(units));
        }
    }
}

size_t SparseSearch::PickAllowed(uint32_t superblock) {
    const uint64_t* const words = AllowedWords(superblock);
    const uint32_t rows = lists_.RowsIn(superblock);
    size_t count = 0;
    for (uint32_t word = 0; word * 64 < rows; word++) {
        for (uint64_t bits = words == nullptr ? ~uint64_t{0} : words[word]; bits != 0;
             bits &= bits - 1) {
            const uint32_t id = word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits));
            if (id < rows) {
                space_.picked[count++] = id;
            }
        }
    }
    return count;
}

void SparseSearch::ScoreAllowed(uint32_t superblock) {
    stats_.opened++;
    stats_.cut_short++;
    ScorePicked(superblock, PickAllowed(superblock));
}

void SparseSearch::ScorePending() {
    auto& pending = space_.pending;
    const uint32_t least = LeastSum();
    pending.erase(std::remove_if(pending.begin(), pending.end(),
                                 [&](const auto& candidate) { return candidate.first < least; }),
                  pending.end());
    if (space_.plan.sums_are_scores()) {
        for (const auto& [sum, position] : pending) {
            hits_.Push({sum * space_.plan.unit(), source_, position});
        }
        return;
    }
    // Best first, where there are more than results: the others drop out on the way.
    if (pending.size() > hits_.k()) {
        std::sort(pending.begin(), pending.end(), [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        });
    }
    for (size_t i = 0; i < pending.size() && !AtEnd(); i++) {
        if (i + kFetchAhead < pending.size()) {
            forward_.Fetch(pending[i + kFetchAhead].second);
        }
        // What is known of these from below is in the floor already, and must not be there twice.
        if (pending[i].first >= LeastSum()) {
            Score(pending[i].second);
        }
    }
}

bool SparseSearch::ScoreBest() {
    auto& pending = space_.pending;
    const bool enough = pending.size() >= hits_.k();
    if (!enough && space_.plan.cut()) {
        return false;
    }
    const size_t count = std::min(pending.size(), wanted_);
    std::partial_sort(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(count),
                      pending.end(), [](const auto& a, const auto& b) {
                          return a.first != b.first ? a.first > b.first : a.second < b.second;
                      });
    for (size_t i = 0; i < count && !AtEnd(); i++) {
        if (i + kFetchAhead < count) {
            forward_.Fetch(pending[i + kFetchAhead].second);
        }
        Score(pending[i].second);
    }
    return true;
}

// Scores that are not above zero, when even those are among the best: every record that has a term
// of the query is scored. Only queries and records with weights of both signs come here.
Status SparseSearch::VisitSigned(Work* work) {
    const SearchPlan& plan = space_.plan;
    for (uint32_t superblock = 0; superblock < plan.superblocks() && !AtEnd(); superblock++) {
        QUERN_TRY(work->Check("search", superblock, plan.superblocks()));
        if (AllowedIn(superblock) == 0) {
            continue;
        }
        const uint32_t first = superblock * lists_.superblock_rows;
        const size_t count = PickAllowed(superblock);
        for (size_t i = 0; i < count; i++) {
            if (i + kFetchAhead < count) {
                forward_.Fetch(first + space_.picked[i + kFetchAhead]);
            }
            const uint32_t position = first + space_.picked[i];
            const RowScore score = forward_.Score(position, space_.marks, space_.places.data());
            stats_.scored++;
            if (score.common > 0 && score.score <= score_least_) {
                hits_.Push({score.score, source_, position});
            }
        }
    }
    return {};
}

}  // namespace quern::sparse
