#include "engine/dense/scan_depth.h"

#include <algorithm>
#include <cmath>

namespace quern::dense {

namespace {

constexpr size_t kScanDepths = EffortCurve::kRefine.size() + 1;

// The largest walks with a pool that were measured. False: none.
bool LastPool(const EffortCurve& curve, size_t k_number, size_t* step) {
    size_t count = 0;
    while (count < EffortCurve::kEf.size() && curve.Scored(k_number, count) > 0) {
        count++;
    }
    *step = count - 1;
    return !curve.empty() && count > 0;
}

size_t DepthOf(size_t step, size_t r) {
    return r < EffortCurve::kRefine.size()
               ? std::min(EffortCurve::kRefine[r], EffortCurve::kEf[step])
               : EffortCurve::kEf[step];
}

double RecallOf(const EffortCurve& curve, size_t k_number, size_t step, size_t r) {
    constexpr size_t kPart = 4;
    const auto at = [&](size_t depth) {
        return static_cast<double>(curve.At(k_number, step, depth));
    };
    const double all = at(EffortCurve::kRefine.size());
    double behind = all;
    for (size_t i = 0; i < EffortCurve::kRefine.size(); i++) {
        if (EffortCurve::kRefine[i] <= EffortCurve::kEf[step] / kPart) {
            behind = all - at(i);
        }
    }
    return all > 0 ? std::clamp((at(r) - behind) / all, at(r), 1.0) : 0;
}

bool DepthAt(const EffortCurve& curve, size_t k_number, double recall, size_t* depth) {
    size_t step = 0;
    if (!LastPool(curve, k_number, &step)) {
        return false;
    }
    const double aim = curve.Aim(recall, k_number);
    for (size_t r = 0; r < kScanDepths; r++) {
        if (RecallOf(curve, k_number, step, r) >= aim) {
            *depth = DepthOf(step, r);
            return true;
        }
    }
    return false;
}

// The first of the k that were measured which is not below; their number: all are.
size_t NumberAbove(size_t k) {
    return static_cast<size_t>(std::lower_bound(EffortCurve::kK.begin(), EffortCurve::kK.end(), k) -
                               EffortCurve::kK.begin());
}

}  // namespace

bool ScanDepth(const EffortCurve& curve, size_t k, double recall, size_t* depth) {
    const size_t above = NumberAbove(k);
    if (above == EffortCurve::kK.size()) {
        // More than the curve knows: what grows with k grows.
        if (!DepthAt(curve, above - 1, recall, depth)) {
            return false;
        }
        *depth = static_cast<size_t>(std::ceil(static_cast<double>(*depth) *
                                               static_cast<double>(k) / EffortCurve::kK.back()));
        *depth = std::max(*depth, k);
        return true;
    }
    if (!DepthAt(curve, above, recall, depth)) {
        return false;
    }
    size_t below = 0;
    if (EffortCurve::kK[above] != k && above > 0) {
        if (!DepthAt(curve, above - 1, recall, &below)) {
            return false;
        }
        const double t =
            std::log(static_cast<double>(k) / EffortCurve::kK[above - 1]) /
            std::log(static_cast<double>(EffortCurve::kK[above]) / EffortCurve::kK[above - 1]);
        *depth = static_cast<size_t>(std::ceil(std::pow(static_cast<double>(below), 1 - t) *
                                               std::pow(static_cast<double>(*depth), t)));
    }
    *depth = std::max(*depth, k);
    return true;
}

double ExpectOfDepth(const EffortCurve& curve, size_t k, size_t depth) {
    const size_t number = NumberAbove(k);
    size_t step = 0;
    if (number == EffortCurve::kK.size() || !LastPool(curve, number, &step)) {
        return 0;
    }
    double recall = 0;
    for (size_t r = 0; r < kScanDepths; r++) {
        recall = DepthOf(step, r) <= depth ? RecallOf(curve, number, step, r) : recall;
    }
    return curve.Promise(recall, number);
}

}  // namespace quern::dense
