#include "engine/dense/coded_scan.h"

#include <algorithm>
#include <bit>

#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"

namespace quern::dense {

namespace {

constexpr size_t kBlocksPerCheck = 16;  // a few hundred microseconds

// The nearest so far: as many again are taken in before the farthest are thrown out, which costs
// less than keeping them in order.
class Nearest {
public:
    explicit Nearest(size_t keep) : keep_(keep) {}
    float threshold() const { return threshold_; }
    void Push(float score, uint32_t node) {
        hits_.push_back({score, node});
        if (hits_.size() >= 2 * keep_ || (hits_.size() == keep_ && std::isinf(threshold_))) {
            Trim();
        }
    }
    const std::vector<kernels::Hit>& Take(size_t sorted) {
        Trim();
        const auto middle = hits_.begin() + static_cast<ptrdiff_t>(std::min(sorted, hits_.size()));
        std::partial_sort(hits_.begin(), middle, hits_.end());
        return hits_;
    }

private:
    void Trim() {
        if (hits_.size() < keep_) {
            return;
        }
        std::nth_element(hits_.begin(), hits_.begin() + static_cast<ptrdiff_t>(keep_ - 1),
                         hits_.end());
        hits_.resize(keep_);
        threshold_ = hits_.back().distance;
    }

    size_t keep_;
    float threshold_ = std::numeric_limits<float>::infinity();  // what is farther has no place
    std::vector<kernels::Hit> hits_;
};

// Hands out the numbers of set bits, in blocks.
class BitReader {
public:
    BitReader(const uint64_t* bits, size_t count) : bits_(bits), words_((count + 63) / 64) {
        word_ = words_ > 0 ? bits_[0] : 0;
    }
    size_t Next(size_t most, uint32_t* nodes) {
        size_t count = 0;
        while (count < most && Find()) {
            nodes[count++] =
                static_cast<uint32_t>(at_ * 64 + static_cast<size_t>(std::countr_zero(word_)));
            word_ &= word_ - 1;
        }
        return count;
    }
    // Whether there is another.
    bool Find() {
        while (word_ == 0 && at_ + 1 < words_) {
            word_ = bits_[++at_];
        }
        return word_ != 0;
    }

private:
    const uint64_t* bits_;
    size_t words_;
    size_t at_ = 0;
    uint64_t word_ = 0;
};

// Rows that are picked out of many are on their way while those before them are scored: a
// processor foresees only what is read without gaps.
void ScoreAhead(const CodeScorer& scorer, size_t row_bytes, const uint32_t* nodes, size_t count,
                float* scores) {
    constexpr size_t kAtOnce = 32;
    constexpr size_t kShortRow = 256;  // of longer ones too many lines would be asked for
    const bool gaps = count > 0 && nodes[count - 1] - nodes[0] >= count;
    if (!gaps || row_bytes > kShortRow) {
        scorer.Score(nodes, count, scores);
        return;
    }
    for (size_t i = 0; i < std::min(count, kAtOnce); i++) {
        scorer.Fetch(nodes[i]);
    }
    for (size_t first = 0; first < count; first += kAtOnce) {
        const size_t end = std::min(count, first + kAtOnce);
        for (size_t i = end; i < std::min(count, end + kAtOnce); i++) {
            scorer.Fetch(nodes[i]);
        }
        scorer.Score(nodes + first, end - first, scores + first);
    }
}

}  // namespace

Status ScanCodes(const CodeScorer& scorer, const ScannedNodes& wanted, WalkSpace* space,
                 bool* complete, Work* work) {
    uint32_t nodes[kScoredMax];
    uint32_t picked[kScoredMax];
    float scores[kScoredMax];
    Nearest nearest(std::max<size_t>(1, wanted.keep));
    BitReader reader(wanted.bits, wanted.count);
    space->scored = 0;
    *complete = true;
    Status status;
    for (size_t block = 1; status.ok() && reader.Find(); block++) {
        const uint64_t left = space->scored_max - std::min(space->scored, space->scored_max);
        if (left == 0) {
            *complete = false;
            break;
        }
        const size_t count =
            reader.Next(static_cast<size_t>(std::min<uint64_t>(left, kScoredMax)), nodes);
        ScoreAhead(scorer, wanted.row_bytes, nodes, count, scores);
        space->scored += count;
        const size_t near = kernels::SelectAtMost(scores, count, nearest.threshold(), picked);
        for (size_t i = 0; i < near; i++) {
            const float score = scores[picked[i]];
            if (score <= nearest.threshold()) {
                nearest.Push(score, nodes[picked[i]]);
            }
        }
        if (block % kBlocksPerCheck == 0 && work != nullptr) {
            status = work->Check("search", 0, 0);
        }
    }
    const std::vector<kernels::Hit>& hits = nearest.Take(wanted.sorted);
    if (space->distances.size() < hits.size()) {
        space->distances.resize(hits.size());
        space->nodes.resize(hits.size());
    }
    for (size_t i = 0; i < hits.size(); i++) {
        space->distances[i] = hits[i].distance;
        space->nodes[i] = hits[i].position;
    }
    space->size = hits.size();
    return status;
}

}  // namespace quern::dense
