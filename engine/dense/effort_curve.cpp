#include "engine/dense/effort_curve.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/dense/curve_shares.h"

namespace quern::dense {

namespace {

// One place in a pool costs about twenty scored codes, one refined record a row from memory: only
// their ratio matters, to choose between two pairs with equal recall.
constexpr double kRefineCost = 0.15;
// Queries are seldom drawn exactly like the records that were held out; on the sets measured, their
// misses were up to 1.4 times as many. So a little more is aimed at than was asked for.
constexpr double kMissMargin = 0.8;

double Lerp(double a, double b, double t) {
    return a + (b - a) * t;
}

}  // namespace

EffortCurve::EffortCurve() : recall_(kK.size() * kEf.size() * (kRefine.size() + 1), 0.0f) {}

bool EffortCurve::FindAt(size_t k_number, double recall, Effort* effort) const {
    double best_cost = std::numeric_limits<double>::infinity();
    for (size_t r = 0; r <= kRefine.size(); r++) {
        for (size_t e = 0; e < kEf.size(); e++) {
            const double here = static_cast<double>(At(k_number, e, r));
            if (here < recall) {
                continue;
            }
            // Between this step and the one before it, in the logarithm of what is missed.
            double ef = kEf[e];
            if (e > 0) {
                const double before = static_cast<double>(At(k_number, e - 1, r));
                const double miss = std::log(std::max(1.0 - recall, 1e-6));
                const double miss_before = std::log(std::max(1.0 - before, 1e-6));
                const double miss_here = std::log(std::max(1.0 - here, 1e-6));
                const double t =
                    miss_before > miss_here ? (miss_before - miss) / (miss_before - miss_here) : 1;
                ef =
                    std::exp(Lerp(std::log(kEf[e - 1]), std::log(kEf[e]), std::clamp(t, 0.0, 1.0)));
            }
            ef = std::ceil(ef);
            const double refine = r < kRefine.size() ? kRefine[r] : ef;
            const double cost = ef + kRefineCost * std::min(refine, ef);
            if (cost < best_cost) {
                best_cost = cost;
                effort->ef = static_cast<size_t>(ef);
                effort->refine = static_cast<size_t>(std::min(refine, ef));
            }
            break;
        }
    }
    return std::isfinite(best_cost);
}

bool EffortCurve::Find(size_t k, double recall, Effort* effort) const {
    if (empty()) {
        return false;
    }
    recall = 1.0 - (1.0 - recall) * kMissMargin;
    size_t above = 0;
    while (above < kK.size() && kK[above] < k) {
        above++;
    }
    if (above < kK.size() && (kK[above] == k || above == 0)) {
        return FindAt(above, recall, effort);
    }
    if (above == kK.size()) {
        // More than the curve knows: the pool grows with k.
        if (!FindAt(above - 1, recall, effort)) {
            return false;
        }
        const double factor = static_cast<double>(k) / kK.back();
        effort->ef = static_cast<size_t>(std::ceil(static_cast<double>(effort->ef) * factor));
        effort->refine =
            static_cast<size_t>(std::ceil(static_cast<double>(effort->refine) * factor));
        return true;
    }
    Effort low;
    Effort high;
    if (!FindAt(above - 1, recall, &low) || !FindAt(above, recall, &high)) {
        return false;
    }
    const double t = std::log(static_cast<double>(k) / kK[above - 1]) /
                     std::log(static_cast<double>(kK[above]) / kK[above - 1]);
    const auto between = [&](size_t a, size_t b) {
        return static_cast<size_t>(std::ceil(
            std::exp(Lerp(std::log(static_cast<double>(a)), std::log(static_cast<double>(b)), t))));
    };
    effort->ef = std::max(k, between(low.ef, high.ef));
    effort->refine = std::max(k, between(low.refine, high.refine));
    return true;
}

double EffortCurve::Expect(size_t k, const Effort& effort) const {
    size_t number = 0;
    while (number < kK.size() && kK[number] < k) {
        number++;
    }
    // Too little to be on the curve, or more than it knows.
    if (empty() || number == kK.size() || effort.ef < kEf[0] || effort.refine < kRefine[0]) {
        return 0;
    }
    size_t e = 0;
    while (e + 1 < kEf.size() && kEf[e + 1] <= effort.ef) {
        e++;
    }
    size_t r = 0;
    while (r + 1 < kRefine.size() && kRefine[r + 1] <= effort.refine) {
        r++;
    }
    r = effort.refine >= effort.ef ? kRefine.size() : r;
    return std::max(0.0, 1.0 - (1.0 - static_cast<double>(At(number, e, r))) / kMissMargin);
}

void EffortCurve::Write(ByteWriter* writer) const {
    WriteShares(queries_, recall_, writer);
}

Result<EffortCurve> EffortCurve::Read(ByteReader* reader) {
    EffortCurve curve;
    QUERN_TRY(ReadShares("effort", reader, &curve.queries_, &curve.recall_));
    return curve;
}

}  // namespace quern::dense
