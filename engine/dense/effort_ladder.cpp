#include "engine/dense/effort_ladder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/curves/curve_scale.h"

namespace quern::dense {

using curves::Lerp;

namespace {

// Reaches are taken where they cost less than this share of pools, over the recalls that are
// usually told. On queries unlike the records pools keep their word better: with the same promise
// of 0.96, queries of mnist784 got 0.952 by a pool and 0.944 by a reach, those of acl-anthology
// 0.975 and 0.954.
constexpr double kReachPays = 0.85;
constexpr double kUsualLeast = 0.9;
constexpr double kUsualMost = 0.99;

}  // namespace

EffortLadders::EffortLadders(const EffortCurve& curve, size_t k_number, double refine_rows)
    : curve_(curve),
      k_number_(k_number),
      refine_rows_(refine_rows),
      way_(Make(false)),
      other_way_(Make(true)) {
    if (ReachPays(way_, other_way_)) {
        std::swap(way_, other_way_);
    }
}

bool EffortLadders::Find(double wanted, Effort* effort) const {
    Rung rung;
    if (Climb(way_, wanted, &rung)) {
        *effort = EffortAt(way_, rung);
        return true;
    }
    if (!Climb(other_way_, wanted, &rung)) {
        return false;
    }
    // With all that is kept measured again, and at least as many rows scored as the first way does
    // at its end.
    rung.refine = EffortCurve::kRefine.size();
    double most = 0;
    for (size_t step = way_.first(); step < way_.end(); step++) {
        most = std::max(most, Scored(step));
    }
    size_t least = 0;
    for (size_t step = other_way_.first();
         step + 1 < other_way_.end() && Scored(step) < most && Scored(step + 1) > 0; step++) {
        least++;
    }
    rung.place = std::max(rung.place, static_cast<double>(least));
    *effort = EffortAt(other_way_, rung);
    return true;
}

// The first place whose walks give `wanted`: between a step and the one before it as if recall grew
// evenly. It grows faster at first, mostly; but where neighbours come in groups that codes do not
// order, the last of a group is as far as the first. Infinite: none.
double EffortLadders::PlaceFor(const Ladder& ladder, size_t refine, double wanted) const {
    const double recall = curve_.Aim(wanted, k_number_);
    for (size_t e = ladder.first(); e < ladder.end() && Scored(e) > 0; e++) {
        const double here = At(e, refine);
        if (here < recall) {
            continue;
        }
        const size_t number = e - ladder.first();
        if (number == 0) {
            return 0;
        }
        const double before = At(e - 1, refine);
        const double t =
            here > before ? std::clamp((recall - before) / (here - before), 0.0, 1.0) : 1;
        return static_cast<double>(number - 1) + t;
    }
    return std::numeric_limits<double>::infinity();
}

Effort EffortLadders::EffortAt(const Ladder& ladder, const Rung& rung) const {
    const auto& kEf = EffortCurve::kEf;
    const auto& kReach = EffortCurve::kReach;
    const auto& kRefine = EffortCurve::kRefine;
    const auto high = static_cast<size_t>(std::ceil(rung.place));
    const size_t low = high > 0 ? high - 1 : 0;
    const double t = rung.place - static_cast<double>(low);
    const double scored = Lerp(Scored(ladder.first() + low), Scored(ladder.first() + high), t);
    const size_t refine =
        rung.refine < kRefine.size() ? kRefine[rung.refine] : EffortCurve::kPoolMost;
    // What was measured had no more beyond its reach.
    const size_t keep = std::min<size_t>(refine, kRefine.back());
    Effort effort = {EffortCurve::kPoolMost,     refine, Effort::kNoReach,
                     EffortCurve::kK[k_number_], keep,   scored};
    if (ladder.by_reach) {
        effort.reach = static_cast<float>(
            Lerp(static_cast<double>(kReach[low]), static_cast<double>(kReach[high]), t));
    } else {
        // What an exponential adds by rounding is no neighbour more.
        const double ef = std::exp(Lerp(std::log(static_cast<double>(kEf[low])),
                                        std::log(static_cast<double>(kEf[high])), t));
        effort.ef = static_cast<size_t>(std::ceil(ef - 1e-9));
        effort.refine = std::min(refine, effort.ef);
    }
    return effort;
}

// Each rung is the cheapest of those that are no smaller than the one below.
EffortLadders::Ladder EffortLadders::Make(bool by_reach) const {
    Ladder ladder;
    ladder.by_reach = by_reach;
    Rung below;
    for (size_t i = 0; i < kRungs.size(); i++) {
        Rung& best = ladder.rungs[i];
        for (size_t refine = below.refine; refine <= EffortCurve::kRefine.size(); refine++) {
            Rung rung = {PlaceFor(ladder, refine, kRungs[i]), refine, 0};
            if (!std::isfinite(rung.place)) {
                continue;
            }
            rung.place = std::max(rung.place, below.place);
            const Effort effort = EffortAt(ladder, rung);
            rung.cost = effort.scored +
                        refine_rows_ * std::min(static_cast<double>(effort.refine), effort.scored);
            if (rung.cost < best.cost) {
                best = rung;
            }
        }
        if (!best.there()) {
            break;
        }
        below = best;
    }
    return ladder;
}

bool EffortLadders::ReachPays(const Ladder& pools, const Ladder& reaches) {
    double sum = 0;
    size_t both = 0;
    bool only_reaches = false;
    for (size_t i = 0; i < kRungs.size(); i++) {
        only_reaches = only_reaches || (reaches.rungs[i].there() && !pools.rungs[i].there());
        if (pools.rungs[i].there() && reaches.rungs[i].there() && kRungs[i] >= kUsualLeast &&
            kRungs[i] <= kUsualMost) {
            sum += std::log(reaches.rungs[i].cost / pools.rungs[i].cost);
            both++;
        }
    }
    return both > 0 ? sum < static_cast<double>(both) * std::log(kReachPays) : only_reaches;
}

// The effort on a ladder. False: it does not get that far.
bool EffortLadders::Climb(const Ladder& ladder, double wanted, Rung* rung) const {
    size_t i = 0;
    while (i + 1 < kRungs.size() && kRungs[i] < wanted) {
        i++;
    }
    const Rung& above = ladder.rungs[i];
    // Beyond the last rung that is there all is measured again, which finds most.
    const size_t refine = above.there() ? above.refine : EffortCurve::kRefine.size();
    const double place = PlaceFor(ladder, refine, wanted);
    if (!std::isfinite(place)) {
        return false;
    }
    while (i > 0 && !ladder.rungs[i - 1].there()) {
        i--;
    }
    *rung = {i > 0 ? std::max(place, ladder.rungs[i - 1].place) : place, refine, 0};
    return true;
}

}  // namespace quern::dense
