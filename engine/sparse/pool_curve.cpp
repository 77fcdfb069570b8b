#include "engine/sparse/pool_curve.h"

#include <algorithm>
#include <cmath>

#include "engine/curves/curve_scale.h"
#include "engine/curves/curve_shares.h"
#include "engine/curves/recall_margin.h"

namespace quern::sparse {

using curves::Lerp;

std::optional<double> PoolCurve::FindAt(size_t k_number, double recall) const {
    const double wanted = curves::Aimed(recall, Neighbours(k_number));
    for (size_t step = 0; step < kPools.size(); step++) {
        const auto here = static_cast<double>(At(k_number, step));
        if (kPools[step] <= kK[k_number]) {
            continue;
        }
        // Recall 1 cannot be promised, but where nothing at all was missed it is the best there is.
        if (here < std::min(wanted, 1.0)) {
            continue;
        }
        if (step == 0 || kPools[step - 1] <= kK[k_number]) {
            return kPools[step];
        }
        // As if recall grew evenly between two steps; it grows faster at first, mostly.
        const auto before = static_cast<double>(At(k_number, step - 1));
        const double t =
            here > before ? std::clamp((wanted - before) / (here - before), 0.0, 1.0) : 1;
        return std::exp(Lerp(std::log(kPools[step - 1]), std::log(kPools[step]), t));
    }
    return std::nullopt;
}

std::optional<size_t> PoolCurve::Find(size_t k, double recall) const {
    const auto above = static_cast<size_t>(std::lower_bound(kK.begin(), kK.end(), k) - kK.begin());
    if (empty() || k == 0 || above == kK.size()) {
        return std::nullopt;
    }
    std::optional<double> pool = FindAt(above, recall);
    if (pool && above < kAlike) {
        const std::optional<double> more = FindAt(kAlike, recall);
        pool = more ? std::optional<double>(std::max(*pool, *more)) : std::nullopt;
    } else if (pool && above > kAlike && kK[above] != k) {
        const std::optional<double> low = FindAt(above - 1, recall);
        if (!low) {
            return std::nullopt;
        }
        const double t = std::log(static_cast<double>(k) / kK[above - 1]) /
                         std::log(static_cast<double>(kK[above]) / kK[above - 1]);
        pool = std::exp(Lerp(std::log(*low), std::log(*pool), t));
    }
    if (!pool) {
        return std::nullopt;
    }
    // What an exponential adds by rounding is no record more.
    return static_cast<size_t>(std::ceil(*pool - 1e-9));
}

double PoolCurve::Expect(size_t k, size_t pool) const {
    const auto number = static_cast<size_t>(std::lower_bound(kK.begin(), kK.end(), k) - kK.begin());
    if (empty() || k == 0 || number == kK.size() || pool < kPools[0]) {
        return 0;
    }
    double least = 1;
    for (size_t of = number; of == number || of <= kAlike; of++) {
        least = std::min(least, ExpectAt(of, pool));
    }
    return least;
}

double PoolCurve::ExpectAt(size_t number, size_t pool) const {
    size_t step = 0;
    while (step + 1 < kPools.size() && kPools[step + 1] <= pool && At(number, step + 1) > 0) {
        step++;
    }
    auto here = static_cast<double>(At(number, step));
    if (step + 1 < kPools.size() && At(number, step + 1) > 0) {
        // As FindAt has it between two steps.
        const double next = std::max(here, static_cast<double>(At(number, step + 1)));
        const double t = std::log(static_cast<double>(pool) / kPools[step]) /
                         std::log(static_cast<double>(kPools[step + 1]) / kPools[step]);
        here = Lerp(here, next, t);
    }
    return here > 0 ? curves::Promised(here, Neighbours(number)) : 0;
}

void PoolCurve::Write(ByteWriter* writer) const {
    curves::WriteShares(queries_, recall_, writer);
}

Result<PoolCurve> PoolCurve::Read(ByteReader* reader) {
    PoolCurve curve;
    QUERN_TRY(curves::ReadShares("pool", reader, &curve.queries_, &curve.recall_));
    return curve;
}

}  // namespace quern::sparse
