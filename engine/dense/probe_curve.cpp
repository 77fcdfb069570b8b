#include "engine/dense/probe_curve.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/curves/curve_scale.h"
#include "engine/curves/curve_shares.h"
#include "engine/curves/recall_margin.h"

namespace quern::dense {

using curves::ChanceMargin;
using curves::kMissMargin;
using curves::Lerp;
using curves::LogOfMiss;
using curves::ReadShares;
using curves::WriteShares;

namespace {

// One refined record, a row at a random place, costs about as much as so many codes of a cell,
// which are read one after the other: only their ratio matters, to choose between two pairs with
// equal recall.
constexpr double kRefineRows = 12;

}  // namespace

bool ProbeCurve::FindAt(size_t k_number, double wanted, double rows_per_cell,
                        ProbeEffort* effort) const {
    const double recall =
        std::max(1.0 - (1.0 - wanted) * kMissMargin,
                 wanted + ChanceMargin(wanted, static_cast<double>(queries_) * kK[k_number]));
    double best_cost = std::numeric_limits<double>::infinity();
    for (size_t r = 0; r < kRefine.size(); r++) {
        for (size_t p = 0; p < kProbes.size(); p++) {
            const double here = static_cast<double>(At(k_number, p, r));
            if (here < recall) {
                continue;
            }
            double probes = kProbes[p];
            if (p > 0) {
                const double before = LogOfMiss(static_cast<double>(At(k_number, p - 1, r)));
                const double after = LogOfMiss(here);
                const double t =
                    before > after ? (before - LogOfMiss(recall)) / (before - after) : 1;
                probes = Lerp(kProbes[p - 1], kProbes[p], std::clamp(t, 0.0, 1.0));
            }
            probes = std::ceil(probes);
            const double cost = probes * rows_per_cell + kRefineRows * kRefine[r];
            if (cost < best_cost) {
                best_cost = cost;
                *effort = {static_cast<size_t>(probes), kRefine[r]};
            }
            break;
        }
    }
    return std::isfinite(best_cost);
}

bool ProbeCurve::Find(size_t k, double recall, double rows_per_cell, ProbeEffort* effort) const {
    if (empty()) {
        return false;
    }
    size_t above = 0;
    while (above < kK.size() && kK[above] < k) {
        above++;
    }
    if (above == kK.size()) {
        // More than the curve knows: what is refined grows with k; so do the cells, a little more
        // than needed.
        if (!FindAt(above - 1, recall, rows_per_cell, effort)) {
            return false;
        }
        const double factor = static_cast<double>(k) / kK.back();
        effort->refine =
            static_cast<size_t>(std::ceil(static_cast<double>(effort->refine) * factor));
        effort->nprobe =
            static_cast<size_t>(std::ceil(static_cast<double>(effort->nprobe) * std::sqrt(factor)));
        return true;
    }
    if (kK[above] == k || above == 0) {
        return FindAt(above, recall, rows_per_cell, effort);
    }
    ProbeEffort low;
    ProbeEffort high;
    if (!FindAt(above - 1, recall, rows_per_cell, &low) ||
        !FindAt(above, recall, rows_per_cell, &high)) {
        return false;
    }
    const double t = std::log(static_cast<double>(k) / kK[above - 1]) /
                     std::log(static_cast<double>(kK[above]) / kK[above - 1]);
    const auto between = [&](size_t a, size_t b) {
        return static_cast<size_t>(std::ceil(
            std::exp(Lerp(std::log(static_cast<double>(a)), std::log(static_cast<double>(b)), t))));
    };
    effort->nprobe = between(low.nprobe, high.nprobe);
    effort->refine = std::max(k, between(low.refine, high.refine));
    return true;
}

double ProbeCurve::Expect(size_t k, const ProbeEffort& effort) const {
    size_t number = 0;
    while (number < kK.size() && kK[number] < k) {
        number++;
    }
    if (empty() || number == kK.size() || effort.nprobe == 0 || effort.refine == 0) {
        return 0;
    }
    size_t p = 0;
    while (p + 1 < kProbes.size() && kProbes[p + 1] <= effort.nprobe) {
        p++;
    }
    size_t r = 0;
    while (r + 1 < kRefine.size() && kRefine[r + 1] <= effort.refine) {
        r++;
    }
    auto here = static_cast<double>(At(number, p, r));
    if (p + 1 < kProbes.size()) {
        // As FindAt has it between two steps.
        const double next = std::max(here, static_cast<double>(At(number, p + 1, r)));
        const double t = static_cast<double>(effort.nprobe - kProbes[p]) /
                         static_cast<double>(kProbes[p + 1] - kProbes[p]);
        here = 1.0 - std::exp(Lerp(LogOfMiss(here), LogOfMiss(next), t));
    }
    return std::max(
        0.0, std::min(1.0 - (1.0 - here) / kMissMargin,
                      here - ChanceMargin(here, static_cast<double>(queries_) * kK[number])));
}

void ProbeCurve::Write(ByteWriter* writer) const {
    WriteShares(queries_, recall_, writer);
}

Result<ProbeCurve> ProbeCurve::Read(ByteReader* reader) {
    ProbeCurve curve;
    QUERN_TRY(ReadShares("probe", reader, &curve.queries_, &curve.recall_));
    return curve;
}

}  // namespace quern::dense
