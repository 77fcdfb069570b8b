// How far the neighbours of held-out records are, so that a query is known that is farther from
// everything than any of them were: of another kind than the records, or one whose nearest were
// deleted. No curve that was measured with records speaks for it, and mostly it is harder: claims
// asked of scifact's abstracts, told .95, found .85, three of five of them beyond what 99 of 100
// records have.
//
// Distances are the metric's; of the inner product they are divided by the length of the query, as
// that changes no order.
//
// Thread rule: confined while it is measured, immutable then.
#pragma once

#include <array>
#include <cstddef>
#include <limits>

#include "engine/dense/effort_curve.h"
#include "engine/dense/effort_measure.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

class FarQueries {
public:
    // Of one rank: what 99 of 100 held-out records had, and the farthest of them.
    struct Bound {
        float common = kNone;
        float most = kNone;
    };
    // What a search for k is looked at by: its result number `rank`, in distances of the metric.
    // rank 0: nothing is known.
    struct Limits {
        size_t rank = 0;
        float common = kNone;
        float most = kNone;
    };
    static constexpr float kNone = std::numeric_limits<float>::max();

    // After FindTruth. Nothing is known by few records.
    static FarQueries Measure(const EffortMeasure& measure, Metric metric, size_t dim);
    bool empty() const { return bounds_[0].most == kNone; }
    // length: of the query, for the inner product.
    Limits For(size_t k, Metric metric, double length) const;
    // With a filter that lets this share of the records through, wherever they are: as many of the
    // nearest as a rank stands for hold so many that may be found, at least (in 99 cases of 100),
    // and that is the number of the result.
    Limits ForShare(size_t k, double share, Metric metric, double length) const;

    void Write(ByteWriter* writer) const;
    static Result<FarQueries> Read(ByteReader* reader);

private:
    Limits OfRank(size_t number, Metric metric, double length) const;

    // Of the first, the tenth and the hundredth neighbour.
    std::array<Bound, EffortCurve::kK.size()> bounds_;
};

}  // namespace quern::dense
