#include "engine/dense/range_curve.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/curves/curve_scale.h"
#include "engine/curves/curve_shares.h"
#include "engine/curves/recall_margin.h"

namespace quern::dense {

using curves::kMissMargin;
using curves::LogOfMiss;
using curves::ReadShares;
using curves::WriteShares;

namespace {

// Of what may be missed, how often an answer may be empty that should not be.
constexpr double kMissedFirst = 0.25;

}  // namespace

double RangeCurve::EffortAt(size_t rank, double share) const {
    size_t e = 0;
    while (e < kEfforts.size() && static_cast<double>(At(rank, e)) < share) {
        e++;
    }
    if (e == 0) {
        return 1;
    }
    if (e == kEfforts.size()) {
        return std::numeric_limits<double>::infinity();
    }
    // Between this step and the one before it, in the logarithm of what is missed.
    const double before = LogOfMiss(static_cast<double>(At(rank, e - 1)));
    const double here = LogOfMiss(static_cast<double>(At(rank, e)));
    const double t = before > here ? (before - LogOfMiss(share)) / (before - here) : 1;
    return kEfforts[e - 1] * std::exp2(std::clamp(t, 0.0, 1.0));
}

bool RangeCurve::Find(double recall, size_t* effort) const {
    if (empty()) {
        return false;
    }
    const double share = 1.0 - (1.0 - recall) * kMissMargin;
    double most = 1;
    for (size_t rank = 0; rank < kRanks.size(); rank++) {
        most = std::max(most, EffortAt(rank, share));
    }
    if (!std::isfinite(most)) {
        return false;
    }
    *effort = static_cast<size_t>(std::ceil(most));
    return true;
}

size_t RangeCurve::FirstEffort(double recall) const {
    const double most = EffortAt(0, 1.0 - (1.0 - recall) * kMissedFirst);
    return static_cast<size_t>(std::ceil(std::min<double>(most, kEfforts.back())));
}

double RangeCurve::Expect(size_t effort) const {
    if (empty() || effort == 0) {
        return 0;
    }
    size_t e = 0;
    while (e + 1 < kEfforts.size() && kEfforts[e + 1] <= effort) {
        e++;
    }
    double least = 1;
    for (size_t rank = 0; rank < kRanks.size(); rank++) {
        least = std::min(least, static_cast<double>(At(rank, e)));
    }
    return std::max(0.0, 1.0 - (1.0 - least) / kMissMargin);
}

double RangeCurve::ErrorUnit(const Codes& codes, const float* vector, double distance) {
    switch (codes.metric()) {
        case Metric::kL2:
            // (q - x - e)^2 is wrong by about 2 (q - x) e. Codes of the rotated rest are wrong by
            // what the query and the vector are from the centre, wherever the two are.
            return codes.states_error() ? 1.0 : std::sqrt(std::max(0.0, distance));
        case Metric::kIp: {
            double squares = 0;
            for (size_t i = 0; i < codes.dim(); i++) {
                squares += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
            }
            return std::sqrt(squares);
        }
        default: return 1.0;
    }
}

double RangeCurve::Margin(const Codes& codes, const float* vector, double bound) const {
    return std::hypot(static_cast<double>(own_error_),
                      static_cast<double>(error_) * ErrorUnit(codes, vector, bound));
}

void RangeCurve::Write(ByteWriter* writer) const {
    WriteShares(queries_, recall_, writer);
    for (const float value : {error_, own_error_}) {
        uint32_t raw = 0;
        std::memcpy(&raw, &value, sizeof raw);
        writer->U32(raw);
    }
}

Result<RangeCurve> RangeCurve::Read(ByteReader* reader) {
    RangeCurve curve;
    QUERN_TRY(ReadShares("range", reader, &curve.queries_, &curve.recall_));
    for (float* value : {&curve.error_, &curve.own_error_}) {
        const uint32_t raw = reader->U32();
        std::memcpy(value, &raw, sizeof raw);
        if (!reader->ok() || !std::isfinite(*value) || *value < 0) {
            return Status::Error(Code::kCorrupt, "range curve: an error is no number");
        }
    }
    return curve;
}

}  // namespace quern::dense
