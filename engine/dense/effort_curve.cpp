#include "engine/dense/effort_curve.h"

#include <algorithm>
#include <cmath>

#include "engine/dense/curve_shares.h"
#include "engine/dense/recall_margin.h"

namespace quern::dense {

namespace {

// Queries are seldom drawn exactly like the records that were held out; on the sets measured, their
// misses were up to 1.3 times as many. So a little more is aimed at than was asked for: a share of
// what may be missed, and no more than so much, which whoever asks for little would pay for in
// vain.
constexpr double kMissMargin = 0.8;
constexpr double kMarginMost = 0.008;
// A reach is taken where it costs less than this share of the cheapest pool. On queries unlike the
// records pools keep their word better: with the same promise of 0.96, queries of mnist784 got
// 0.952 by a pool and 0.944 by a reach, those of acl-anthology 0.975 and 0.954.
constexpr double kReachPays = 0.85;
// Scored rows beyond this are no number that a walk has counted.
constexpr uint32_t kScoredMost = 1u << 30;

double Lerp(double a, double b, double t) {
    return a + (b - a) * t;
}

// What is aimed at for a recall that was asked for, and back; neighbours: how many were looked for
// when the curve was measured.
double Aimed(double recall, double neighbours) {
    return recall + std::max(std::min((1.0 - recall) * (1.0 - kMissMargin), kMarginMost),
                             ChanceMargin(recall, neighbours));
}

double Promised(double aimed, double neighbours) {
    const double unlike = std::max(1.0 - (1.0 - aimed) / kMissMargin, aimed - kMarginMost);
    return std::max(0.0, std::min(unlike, aimed - ChanceMargin(aimed, neighbours)));
}

double LogMiss(double recall) {
    return std::log(std::max(1.0 - recall, 1e-6));
}

}  // namespace

EffortCurve::EffortCurve()
    : recall_(kK.size() * kSteps * (kRefine.size() + 1), 0.0f), scored_(kK.size() * kSteps, 0.0f) {}

Effort EffortCurve::OfStep(size_t k, size_t step) {
    const size_t keep = kRefine.back();
    return step < kEf.size() ? Effort::OfPool(kEf[step], kEf[step])
                             : Effort{kPoolMost, keep, kReach[step - kEf.size()], kK[k], keep, 0};
}

bool EffortCurve::FindAt(size_t k_number, double wanted, double refine_rows, Effort* effort) const {
    const double recall = Aimed(wanted, Neighbours(k_number));
    double best_cost = std::numeric_limits<double>::infinity();
    const auto look = [&](size_t first, size_t end, size_t r) {
        for (size_t e = first; e < end && Scored(k_number, e) > 0; e++) {
            const double here = static_cast<double>(At(k_number, e, r));
            if (here < recall) {
                continue;
            }
            // Between this step and the one before it, in the logarithm of what is missed.
            const size_t low = e > first ? e - 1 : e;
            const double before = LogMiss(static_cast<double>(At(k_number, low, r)));
            const double fall = before - LogMiss(here);
            const double t = fall > 0 ? std::clamp((before - LogMiss(recall)) / fall, 0.0, 1.0) : 1;
            const double scored = Lerp(static_cast<double>(Scored(k_number, low)),
                                       static_cast<double>(Scored(k_number, e)), t);
            const size_t refine = r < kRefine.size() ? kRefine[r] : kPoolMost;
            // What was measured had no more beyond its reach.
            const size_t keep = std::min<size_t>(refine, kRefine.back());
            Effort found = {kPoolMost, refine, Effort::kNoReach, kK[k_number], keep, scored};
            if (first == 0) {
                // What an exponential adds by rounding is no neighbour more.
                const double ef = std::exp(Lerp(std::log(static_cast<double>(kEf[low])),
                                                std::log(static_cast<double>(kEf[e])), t));
                found.ef = static_cast<size_t>(std::ceil(ef - 1e-9));
                found.refine = std::min(refine, found.ef);
            } else {
                found.reach = static_cast<float>(Lerp(static_cast<double>(kReach[low - first]),
                                                      static_cast<double>(kReach[e - first]), t));
            }
            const double cost =
                (scored + refine_rows * std::min(static_cast<double>(found.refine), scored)) *
                (first == 0 ? kReachPays : 1.0);
            if (cost < best_cost) {
                best_cost = cost;
                *effort = found;
            }
            return;
        }
    };
    for (size_t r = 0; r <= kRefine.size(); r++) {
        look(0, kEf.size(), r);
        look(kEf.size(), kSteps, r);
    }
    return std::isfinite(best_cost);
}

bool EffortCurve::Find(size_t k, double recall, double refine_rows, Effort* effort) const {
    const std::lock_guard<std::mutex> lock(last_.mutex);
    if (!last_.known || last_.k != k || last_.recall != recall ||
        last_.refine_rows != refine_rows) {
        last_.found = Look(k, recall, refine_rows, &last_.effort);
        last_.k = k;
        last_.recall = recall;
        last_.refine_rows = refine_rows;
        last_.known = true;
    }
    if (last_.found) {
        *effort = last_.effort;
    }
    return last_.found;
}

bool EffortCurve::Look(size_t k, double recall, double refine_rows, Effort* effort) const {
    if (empty()) {
        return false;
    }
    size_t above = 0;
    while (above < kK.size() && kK[above] < k) {
        above++;
    }
    if (above < kK.size() && (kK[above] == k || above == 0)) {
        return FindAt(above, recall, refine_rows, effort);
    }
    const auto grown = [](size_t number, double factor) {
        return static_cast<size_t>(std::ceil(static_cast<double>(number) * factor));
    };
    if (above == kK.size()) {
        // More than the curve knows: what grows with k grows.
        if (!FindAt(above - 1, recall, refine_rows, effort)) {
            return false;
        }
        const double factor = static_cast<double>(k) / kK.back();
        *effort = {grown(effort->ef, factor),   grown(effort->refine, factor), effort->reach, k,
                   grown(effort->keep, factor), effort->scored * factor};
        return true;
    }
    Effort low;
    Effort high;
    if (!FindAt(above - 1, recall, refine_rows, &low) ||
        !FindAt(above, recall, refine_rows, &high)) {
        return false;
    }
    const double t = std::log(static_cast<double>(k) / kK[above - 1]) /
                     std::log(static_cast<double>(kK[above]) / kK[above - 1]);
    const auto between = [&](double a, double b) {
        return std::exp(Lerp(std::log(a), std::log(b), t));
    };
    const size_t refine = std::max(
        k, grown(1, between(static_cast<double>(low.refine), static_cast<double>(high.refine))));
    const size_t keep = std::max(
        k, grown(1, between(static_cast<double>(low.keep), static_cast<double>(high.keep))));
    const double scored = between(low.scored, high.scored);
    if (low.reach == Effort::kNoReach && high.reach == Effort::kNoReach) {
        const double ef = between(static_cast<double>(low.ef), static_cast<double>(high.ef));
        *effort = {std::max(k, grown(1, ef)), refine, Effort::kNoReach, k, keep, scored};
    } else if (low.reach == Effort::kNoReach || high.reach == Effort::kNoReach) {
        // Of two ways there is nothing between: what finds more finds these, and as far as it goes
        // for the last of them, not only for the k-th.
        *effort = high;
    } else {
        const double reach =
            Lerp(static_cast<double>(low.reach), static_cast<double>(high.reach), t);
        *effort = {kPoolMost, refine, static_cast<float>(reach), k, keep, scored};
    }
    return true;
}

double EffortCurve::Expect(size_t k, const Effort& effort) const {
    size_t number = 0;
    while (number < kK.size() && kK[number] < k) {
        number++;
    }
    const bool pool = effort.reach == Effort::kNoReach;
    // Too little to be on the curve, or more than it knows.
    if (empty() || number == kK.size() || (pool && effort.ef < kEf[0]) ||
        effort.refine < kRefine[0]) {
        return 0;
    }
    size_t e = pool ? 0 : kEf.size();
    while (e + 1 < (pool ? kEf.size() : kSteps) && Scored(number, e + 1) > 0 &&
           (pool ? kEf[e + 1] <= effort.ef : kReach[e + 1 - kEf.size()] <= effort.reach)) {
        e++;
    }
    size_t r = 0;
    while (r + 1 < kRefine.size() && kRefine[r + 1] <= effort.refine) {
        r++;
    }
    r = effort.refine >= effort.ef ? kRefine.size() : r;
    return Promised(static_cast<double>(At(number, e, r)), Neighbours(number));
}

double EffortCurve::Aim(double recall, size_t k) const {
    return Aimed(recall, Neighbours(k));
}

double EffortCurve::Promise(double on_curve, size_t k) const {
    return Promised(on_curve, Neighbours(k));
}

void EffortCurve::Write(ByteWriter* writer) const {
    WriteShares(queries_, recall_, writer);
    for (const float scored : scored_) {
        writer->U32(static_cast<uint32_t>(
            std::min(std::ceil(static_cast<double>(scored)), static_cast<double>(kScoredMost))));
    }
}

Result<EffortCurve> EffortCurve::Read(ByteReader* reader) {
    EffortCurve curve;
    QUERN_TRY(ReadShares("effort", reader, &curve.queries_, &curve.recall_));
    for (float& scored : curve.scored_) {
        const uint32_t rows = reader->U32();
        if (!reader->ok() || rows > kScoredMost) {
            return Status::Error(Code::kCorrupt, "effort curve: wrong number of rows");
        }
        scored = static_cast<float>(rows);
    }
    return curve;
}

}  // namespace quern::dense
