#include "engine/dense/effort_curve.h"

#include <algorithm>
#include <cmath>

#include "engine/curves/curve_scale.h"
#include "engine/curves/curve_shares.h"
#include "engine/curves/recall_margin.h"
#include "engine/dense/effort_ladder.h"

namespace quern::dense {

using curves::Aimed;
using curves::Lerp;
using curves::Promised;
using curves::ReadShares;
using curves::WriteShares;

namespace {

// Scored rows beyond this are no number that a walk has counted.
constexpr uint32_t kScoredMost = 1u << 30;

// Queries that no record is like are found out one by one (far_queries.h), and others need no
// margin but that for chance: with a fifth of what may be missed, told .98, eight of nine sets got
// .985 to .99; without, mnist784, whose queries are least like its records, still gets .98.
constexpr double kWalkMissMargin = 1.0;

}  // namespace

EffortCurve::EffortCurve()
    : recall_(kK.size() * kSteps * (kRefine.size() + 1), 0.0f), scored_(kK.size() * kSteps, 0.0f) {}

Effort EffortCurve::OfStep(size_t k, size_t step) {
    const size_t keep = kRefine.back();
    return step < kEf.size() ? Effort::OfPool(kEf[step], kEf[step])
                             : Effort{kPoolMost, keep, kReach[step - kEf.size()], kK[k], keep, 0};
}

bool EffortCurve::FindAt(size_t k_number, double wanted, double refine_rows, Effort* effort) const {
    return EffortLadders(*this, k_number, refine_rows).Find(wanted, effort);
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
    return Promise(static_cast<double>(At(number, e, r)), number);
}

double EffortCurve::Aim(double recall, size_t k) const {
    return Aimed(recall, Neighbours(k), kWalkMissMargin);
}

double EffortCurve::Promise(double on_curve, size_t k) const {
    return Promised(on_curve, Neighbours(k), kWalkMissMargin);
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
