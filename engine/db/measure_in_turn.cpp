// How many candidates of a scan over codes are measured again: IndexSearch's MeasureInTurn.
//
// The depth that the curve tells is that of queries like the records. Where all that may be found
// is far from the query, distances lie close together and codes err by as much as a distance is
// long, so that a depth of 20 finds six of ten. But those that have been measured tell how far
// codes are off for this query: by `mean` and a spread. So of each candidate behind them there is a
// chance that it is nearer than the k-th so far, and as long as these chances add up to more than
// may be missed, more are measured. For queries like the records that is seldom any.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/db/database.h"
#include "engine/db/index_search.h"

namespace quern {

namespace {

// Beyond so many spreads there is no chance.
constexpr double kFarOff = 3.5;
// A spread of n numbers is known to so much over their root.
constexpr double kWiden = 0.7;
constexpr size_t kLeastGroup = 16;
// So many spreads behind the last that was measured nothing more is looked for.
constexpr double kAtTheEnd = 2;

// How far codes are off.
class CodeErrors {
public:
    void Add(double error) {
        if (std::isfinite(error)) {
            count_ += 1;
            const double before = error - mean_;
            mean_ += before / count_;
            squares_ += before * (error - mean_);
        }
    }
    double mean() const { return mean_; }
    double spread() const {
        return count_ < 2 ? 0
                          : (1 + kWiden / std::sqrt(count_)) * std::sqrt(squares_ / (count_ - 1));
    }

private:
    double count_ = 0;
    double mean_ = 0;
    double squares_ = 0;
};

// The chance that a distance by codes is below a bound in truth: the tail of a normal distribution,
// to about 0.001.
double ChanceBelow(double bound, const CodeErrors& errors, float distance) {
    const double spread = std::max(errors.spread(), 1e-7 * std::abs(bound) + 1e-37);
    const double off = (static_cast<double>(distance) + errors.mean() - bound) / spread;
    if (!(off <= kFarOff)) {
        return 0;
    }
    const double size = std::abs(off);
    const double tail = 0.5 * std::exp(-size * (0.717 + 0.416 * size));
    return off > 0 ? tail : 1 - tail;
}

}  // namespace

Status IndexSearch::MeasureInTurn(Snapshot* snapshot, const dense::FlatQuery& query, size_t kept,
                                  Space* space, bool* enough) const {
    *enough = true;
    std::vector<float> by_codes = leg_->index->PoolDistances(query.query.vector, space->walk);
    std::vector<uint32_t> measured;
    std::vector<float> distances;
    CodeErrors errors;
    kernels::TopK top(std::max<size_t>(1, k_));
    // Places of the pool that were picked from, and those that are in order.
    size_t next = space->places.empty() ? 0 : space->places.back() + size_t{1};
    size_t sorted = std::min(depth_, by_codes.size());
    while (true) {
        QUERN_TRY(Measure(snapshot, query, space));
        for (size_t i = 0; i < space->picked.size(); i++) {
            PushLiving(space->distances[i], space->picked[i], &top);
            errors.Add(static_cast<double>(space->distances[i]) -
                       static_cast<double>(by_codes[space->places[i]]));
        }
        measured.insert(measured.end(), space->picked.begin(), space->picked.end());
        distances.insert(distances.end(), space->distances.begin(), space->distances.end());
        if (next >= by_codes.size() || OutOfBytes(space)) {
            break;
        }
        const double bound = static_cast<double>(std::min(top.Threshold(), query.max_distance));
        const auto chance = [&](size_t i) { return ChanceBelow(bound, errors, by_codes[i]); };
        double expected = 0;
        for (size_t i = next; i < by_codes.size(); i++) {
            expected += chance(i);
        }
        if (expected <= missed_most_) {
            break;
        }
        // Most queries need no order of what they do not measure.
        if (sorted < by_codes.size()) {
            SortPool(sorted, space, &by_codes);
            sorted = by_codes.size();
        }
        size_t end = next;
        while (end < by_codes.size() && (expected > missed_most_ || end < next + kLeastGroup)) {
            expected -= chance(end);
            end++;
        }
        space->picked.clear();
        space->places.clear();
        PickPlaces(next, end, SIZE_MAX, space);
        next = end;
    }
    // What was not kept may be as near as the last that was.
    const bool all = space->left_out != 0 || by_codes.size() < kept;
    if (next >= by_codes.size() && !all) {
        const double bound = static_cast<double>(std::min(top.Threshold(), query.max_distance));
        const double off = static_cast<double>(by_codes.back()) + errors.mean() - bound;
        *enough = off > errors.spread() * kAtTheEnd;
    }
    space->picked = std::move(measured);
    space->distances = std::move(distances);
    space->measured_places = next;
    return {};
}

// Puts what stands behind the first `sorted` of the pool in order.
void IndexSearch::SortPool(size_t sorted, Space* space, std::vector<float>* by_codes) {
    std::vector<std::pair<float, uint32_t>> rest;
    for (size_t i = sorted; i < by_codes->size(); i++) {
        rest.emplace_back((*by_codes)[i], space->nodes[i]);
    }
    std::sort(rest.begin(), rest.end());
    for (size_t i = 0; i < rest.size(); i++) {
        (*by_codes)[sorted + i] = rest[i].first;
        space->nodes[sorted + i] = rest[i].second;
    }
}

}  // namespace quern
