#include "engine/db/index_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/db/database.h"
#include "engine/db/index_options.h"

namespace quern {

namespace {

// A place in the pool costs as much as so many rows of a scan: a walk scores about twenty rows for
// each, at random places.
constexpr size_t kRowsPerPlace = 20;
// A walk among so many dead needs a pool larger by so much at most; beyond, a scan.
constexpr double kDeadFactorMax = 4;
// Candidates that are measured between two looks at their bounds.
constexpr size_t kBoundGroup = 16;
// What codes state is 1.9 standard errors, which leaves out one true neighbour in 300. Who asks for
// this recall or more gets three.
constexpr double kSafeRecall = 0.98;
constexpr float kSafeErrors = 3 / 1.9f;

}  // namespace

Status IndexSearch::Open(Snapshot* snapshot, const CollectionView& view, size_t number,
                         const DenseDef& def, Work* work) {
    segment_ = view.segments[number].get();
    def_ = &def;
    source_ = static_cast<uint32_t>(number);
    leg_ = view.KnownLeg(number, def.id);
    if (leg_ != nullptr || IndexOptions::Of(def).index == IndexChoice::kNone) {
        return {};
    }
    return snapshot->With([&](storage::Connection* connection) -> Status {
        QUERN_ASSIGN(leg_, view.LoadLeg(connection, number, def, work));
        return {};
    });
}

bool IndexSearch::Plan(size_t k, const SearchRequest& request) {
    k_ = k;
    const size_t count = leg_->field->count();
    if (request.ef > 0) {
        effort_.ef = request.ef;
        effort_.refine = request.refine > 0 ? request.refine : request.ef;
    } else if (leg_->index->curve().Find(k, request.recall, &effort_)) {
        effort_.refine = request.refine > 0 ? request.refine : effort_.refine;
    } else {
        return false;
    }
    const double factor = leg_->alive == 0
                              ? kDeadFactorMax + 1
                              : static_cast<double>(count) / static_cast<double>(leg_->alive);
    if (factor > kDeadFactorMax) {
        return false;
    }
    effort_.ef =
        static_cast<size_t>(std::ceil(static_cast<double>(std::max(effort_.ef, k)) * factor));
    effort_.refine = std::max(effort_.refine, k);
    // A number that the user gave is taken as it is.
    by_bound_ = leg_->index->states_error() && request.refine == 0;
    bound_errors_ = request.recall >= kSafeRecall ? kSafeErrors : 1.0f;
    return effort_.ef < count / kRowsPerPlace || request.ef > 0;
}

Status IndexSearch::Measure(Snapshot* snapshot, const dense::FlatQuery& query, Space* space) const {
    space->distances.resize(space->picked.size());
    if (leg_->field->resident) {
        const dense::VectorRows rows = leg_->field->Rows(*def_);
        // The kernel works row after row; what it will need is asked for first.
        for (const uint32_t node : space->picked) {
            const char* row = rows.row(node);
            for (size_t at = 0; at < std::min<size_t>(rows.row_bytes(), 512); at += 64) {
                __builtin_prefetch(row + at);
            }
        }
        kernels::DistancesPicked(def_->element, def_->metric, query.query, rows.rows,
                                 space->picked.data(), space->picked.size(), rows.inverse_norms,
                                 space->distances.data());
        return {};
    }
    // From the file, in the order in which they stand there.
    std::vector<uint32_t> order(space->picked.size());
    for (uint32_t i = 0; i < order.size(); i++) {
        order[i] = i;
    }
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return space->picked[a] < space->picked[b]; });
    return snapshot->With([&](storage::Connection* connection) -> Status {
        for (const uint32_t i : order) {
            const uint32_t node = space->picked[i];
            QUERN_ASSIGN(
                const BytesView vector,
                segment_->Vector(connection, *def_, leg_->field->record(node), &space->chunks));
            kernels::Distances(
                def_->element, def_->metric, query.query, vector.data(), 1,
                leg_->field->inverse_norms.empty() ? nullptr : &leg_->field->inverse_norms[node],
                &space->distances[i]);
        }
        return {};
    });
}

Status IndexSearch::MeasureByBound(Snapshot* snapshot, const dense::FlatQuery& query,
                                   Space* space) const {
    const std::vector<uint32_t> nodes = space->picked;
    std::vector<uint32_t> order(nodes.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return space->least[a] < space->least[b]; });
    std::vector<uint32_t> measured;
    std::vector<float> distances;
    kernels::TopK top(std::max<size_t>(1, query.limit));
    for (size_t first = 0; first < order.size(); first += kBoundGroup) {
        const float bound =
            query.limit == 0 ? query.max_distance : std::min(top.Threshold(), query.max_distance);
        if (space->least[order[first]] > bound) {
            break;
        }
        space->picked.clear();
        for (size_t i = first; i < std::min(order.size(), first + kBoundGroup); i++) {
            space->picked.push_back(nodes[order[i]]);
        }
        QUERN_TRY(Measure(snapshot, query, space));
        for (size_t i = 0; i < space->picked.size(); i++) {
            top.Push(space->distances[i], space->picked[i]);
        }
        measured.insert(measured.end(), space->picked.begin(), space->picked.end());
        distances.insert(distances.end(), space->distances.begin(), space->distances.end());
    }
    space->picked = std::move(measured);
    space->distances = std::move(distances);
    return {};
}

Status IndexSearch::Run(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                        std::vector<Candidate>* found, bool* enough, Work* work) const {
    space->bounds.errors = bound_errors_;
    QUERN_TRY(leg_->index->Search(leg_->field->Rows(*def_), query.query.vector, effort_.ef,
                                  &space->walk, &space->nodes, work,
                                  by_bound_ ? &space->bounds : nullptr));
    space->picked.clear();
    space->least.clear();
    for (size_t place = 0; place < space->nodes.size(); place++) {
        const uint32_t node = space->nodes[place];
        if (space->picked.size() >= effort_.refine) {
            break;
        }
        if (leg_->Alive(node)) {
            space->picked.push_back(node);
        }
        const auto [first, last] = leg_->index->Repeats(node);
        // Repeats stand in key order, so the first k of them are enough.
        size_t taken = 0;
        for (size_t i = first; i < last && taken < k_; i++) {
            if (leg_->Alive(leg_->index->RepeatAt(i))) {
                space->picked.push_back(leg_->index->RepeatAt(i));
                taken++;
            }
        }
        if (by_bound_) {
            space->least.resize(space->picked.size(), space->bounds.least[place]);
        }
    }
    const size_t walked = space->picked.size();
    size_t taken = 0;
    for (const uint32_t node : leg_->index->zeros()) {
        if (taken == k_) {
            break;
        }
        if (leg_->Alive(node)) {
            space->picked.push_back(node);
            taken++;
        }
    }
    // Zeros are measured in any case.
    space->least.resize(space->picked.size(), -std::numeric_limits<float>::infinity());
    QUERN_TRY(by_bound_ ? MeasureByBound(snapshot, query, space) : Measure(snapshot, query, space));
    // Zeros are near everything under some metrics, far under others: they may not stand in for
    // what a walk should have found.
    const size_t linked_alive = leg_->alive - std::min(leg_->alive, leg_->index->zeros().size());
    *enough = walked >= std::min(k_, linked_alive);
    for (size_t i = 0; i < space->picked.size(); i++) {
        if (space->distances[i] <= query.max_distance) {
            found->push_back({space->distances[i], source_, leg_->field->record(space->picked[i])});
        }
    }
    return {};
}

std::unique_ptr<IndexSearch::Space> SearchSpaces::Take() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!idle_.empty()) {
            std::unique_ptr<IndexSearch::Space> space = std::move(idle_.back());
            idle_.pop_back();
            return space;
        }
    }
    return std::make_unique<IndexSearch::Space>();
}

void SearchSpaces::Give(std::unique_ptr<IndexSearch::Space> space) {
    // Chunks are known by numbers that another state of the file may give to other chunks.
    space->chunks = ChunkCache();
    std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.size() < kIdleMax) {
        idle_.push_back(std::move(space));
    }
}

}  // namespace quern
