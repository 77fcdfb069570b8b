// What recall a graph gives for what effort, measured when it was built on records that were not in
// it yet, so that a user can ask for a recall instead of for knobs.
//
// Effort is a pair: how far a walk goes, and how many of the nearest it found are measured again
// with the stored vectors (refine). There are two ways to say how far. A pool of a fixed size (ef)
// ends a walk when all of it is expanded. A reach ends it when nothing is left that is at most
// 1 + reach times as far as the k-th nearest so far (distance-adaptive beam search: Al-Jazzazi et
// al. 2025), so that more is spent on hard queries and less on easy ones: a tenth to a third fewer
// rows at equal recall on images and words; but more where some queries are so far from everything
// that all is about as far, as among sentences. So both are measured. For each of a few k the curve
// keeps the recall of each pair, and how many rows the walks scored.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

struct Effort {
    static constexpr float kNoReach = std::numeric_limits<float>::infinity();
    size_t ef = 0;  // room of the pool; alone, without a reach, it is what ends a walk
    size_t refine = 0;
    float reach = kNoReach;
    size_t k = 0;       // with a reach: of the k-th nearest
    size_t keep = 0;    // with a reach: so many nearest are kept though they are beyond it
    double scored = 0;  // rows that such a walk scores on average; 0: not known

    static Effort OfPool(size_t ef, size_t refine = 0) { return {ef, refine, kNoReach, 0, 0, 0}; }
};

class EffortCurve {
public:
    // Steps of a factor of about 1.4, so that the curve between two of them is nearly straight.
    static constexpr std::array<uint32_t, 17> kEf = {10,  14,  20,  28,  40,  56,   80,   112, 160,
                                                     224, 320, 448, 640, 896, 1280, 1792, 2560};
    // Close together where walks end on sets of many dimensions, wider behind.
    static constexpr std::array<float, 18> kReach = {0.0f,   0.005f, 0.01f, 0.015f, 0.02f, 0.03f,
                                                     0.04f,  0.055f, 0.07f, 0.085f, 0.1f,  0.13f,
                                                     0.165f, 0.21f,  0.28f, 0.37f,  0.5f,  0.75f};
    static constexpr std::array<uint32_t, 9> kRefine = {1, 10, 14, 20, 28, 40, 80, 160, 320};
    static constexpr std::array<uint32_t, 3> kK = {1, 10, 100};
    static constexpr size_t kQueriesOfMost = 200;
    // What a walk with a reach never goes beyond, however far away all of the field is.
    static constexpr size_t kPoolMost = kEf.back();
    // Both ways in one row: pools first.
    static constexpr size_t kSteps = kEf.size() + kReach.size();

    EffortCurve();
    bool empty() const { return queries_ == 0; }
    uint32_t queries() const { return queries_; }
    // Those that the recall of the first kK[k] was measured with. A hundred neighbours of a query
    // tell as much as ten of several do.
    size_t QueriesOf(size_t k) const {
        return kK[k] < kK.back() ? queries_ : std::min<size_t>(queries_, kQueriesOfMost);
    }
    void SetQueries(uint32_t queries) {
        queries_ = queries;
        last_.known = false;
    }
    // refine number kRefine.size(): all that the walk kept.
    float& At(size_t k, size_t step, size_t refine) {
        last_.known = false;
        return recall_[Place(k, step, refine)];
    }
    float At(size_t k, size_t step, size_t refine) const { return recall_[Place(k, step, refine)]; }
    // Rows scored on average; 0: such walks were not measured, and neither were larger ones.
    float& Scored(size_t k, size_t step) {
        last_.known = false;
        return scored_[k * kSteps + step];
    }
    float Scored(size_t k, size_t step) const { return scored_[k * kSteps + step]; }
    // What a walk of that step is asked for, to be measured.
    static Effort OfStep(size_t k, size_t step);

    // The cheapest effort that gives recall@k, where measuring a candidate again costs as much as
    // scoring refine_rows rows. False: no effort on the curve does. May be called on many threads.
    bool Find(size_t k, double recall, double refine_rows, Effort* effort) const;
    // The recall@k that an effort is expected to give, less the margin that Find adds. 0: not
    // known.
    double Expect(size_t k, const Effort& effort) const;
    // The recall@kK[k] that has to be on the curve for one that was asked for, and back: queries
    // are seldom drawn exactly like the records that were held out, and those were few.
    double Aim(double recall, size_t k) const;
    double Promise(double on_curve, size_t k) const;

    void Write(ByteWriter* writer) const;
    static Result<EffortCurve> Read(ByteReader* reader);

private:
    static size_t Place(size_t k, size_t step, size_t refine) {
        return (k * kSteps + step) * (kRefine.size() + 1) + refine;
    }
    bool Look(size_t k, double recall, double refine_rows, Effort* effort) const;
    bool FindAt(size_t k_number, double wanted, double refine_rows, Effort* effort) const;
    // That were looked for when it was measured.
    double Neighbours(size_t k_number) const {
        return static_cast<double>(QueriesOf(k_number)) * static_cast<double>(kK[k_number]);
    }
    // What was looked for last: one search after the other asks the same, and looking takes as long
    // as scoring twenty rows. A copy of a curve knows nothing yet.
    struct Last {
        std::mutex mutex;
        bool known = false;
        bool found = false;
        size_t k = 0;
        double recall = 0;
        double refine_rows = 0;
        Effort effort;
        Last() = default;
        Last(const Last&) {}
        Last& operator=(const Last&) {
            known = false;
            return *this;
        }
    };
    mutable Last last_;
    uint32_t queries_ = 0;
    std::vector<float> recall_;
    std::vector<float> scored_;
};

}  // namespace quern::dense
