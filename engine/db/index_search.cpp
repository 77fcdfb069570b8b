#include "engine/db/index_search.h"

#include <algorithm>
#include <cmath>

#include "engine/db/database.h"
#include "engine/db/index_options.h"

namespace quern {

namespace {

// A place in the pool costs as much as so many rows of a scan: a walk scores about twenty rows for
// each, at random places.
constexpr size_t kRowsPerPlace = 20;
// A walk among so many dead needs a pool larger by so much at most; beyond, a scan.
constexpr double kDeadFactorMax = 4;
// With nprobe and without refine: candidates for each result.
constexpr size_t kRefineOfProbes = 10;

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
    if (leg_->lists != nullptr) {
        return PlanLists(k, request);
    }
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
    return effort_.ef < count / kRowsPerPlace || request.ef > 0;
}

bool IndexSearch::PlanLists(size_t k, const SearchRequest& request) {
    const dense::ListIndex& index = *leg_->lists->index;
    if (leg_->lists->damaged) {
        return false;
    }
    if (request.nprobe > 0) {
        probes_ = {request.nprobe, request.refine > 0 ? request.refine : kRefineOfProbes * k};
    } else if (index.curve().Find(k, request.recall, index.rows_per_cell(), &probes_)) {
        probes_.refine = request.refine > 0 ? request.refine : probes_.refine;
    } else {
        return false;
    }
    const double factor = leg_->alive == 0 ? kDeadFactorMax + 1
                                           : static_cast<double>(leg_->field->count()) /
                                                 static_cast<double>(leg_->alive);
    if (factor > kDeadFactorMax) {
        return false;
    }
    probes_.nprobe = static_cast<size_t>(std::ceil(static_cast<double>(probes_.nprobe) * factor));
    probes_.refine = std::max(probes_.refine, k);
    // Vectors themselves are as dear in a cell as in a scan.
    return request.nprobe > 0 || probes_.nprobe * (index.with_codes() ? 1 : 2) < index.cell_count();
}

Status IndexSearch::SearchLists(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                                Work* work) const {
    const dense::ListIndex& index = *leg_->lists->index;
    dense::ListQuery wanted;
    wanted.vector = query.query.vector;
    wanted.k = k_;
    wanted.effort = probes_;
    wanted.bound = query.max_distance;
    if (leg_->dead.bits) {
        wanted.wanted = [this](uint32_t node) {
            if (leg_->Alive(node)) {
                return true;
            }
            const auto [first, last] = leg_->outsiders().Repeats(node);
            for (size_t i = first; i < last; i++) {
                if (leg_->Alive(leg_->outsiders().RepeatAt(i))) {
                    return true;
                }
            }
            return false;
        };
    }
    wanted.measure = [&](const uint32_t* nodes, size_t count, float* distances) -> Status {
        space->picked.assign(nodes, nodes + count);
        QUERN_TRY(Measure(snapshot, query, space));
        std::copy(space->distances.begin(), space->distances.end(), distances);
        return {};
    };
    FileCells cells(snapshot, *leg_->lists);
    return index.Search(wanted, &cells, &space->lists, &space->nodes, work);
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

Status IndexSearch::Run(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                        std::vector<Candidate>* found, bool* enough, Work* work) const {
    size_t refine = effort_.refine;
    if (leg_->lists != nullptr) {
        refine = probes_.refine;
        const Status status = SearchLists(snapshot, query, space, work);
        if (status.code() == Code::kCorrupt) {
            // A chunk that only this search has come to.
            segment_->MarkDamaged(*leg_->lists);
            *enough = false;
            return {};
        }
        QUERN_TRY(status);
    } else {
        QUERN_TRY(leg_->index->Search(leg_->field->Rows(*def_), query.query.vector, effort_.ef,
                                      &space->walk, &space->nodes, work));
    }
    const dense::Outsiders& outsiders = leg_->outsiders();
    space->picked.clear();
    for (const uint32_t node : space->nodes) {
        if (space->picked.size() >= refine) {
            break;
        }
        if (leg_->Alive(node)) {
            space->picked.push_back(node);
        }
        const auto [first, last] = outsiders.Repeats(node);
        // Repeats stand in key order, so the first k of them are enough.
        size_t taken = 0;
        for (size_t i = first; i < last && taken < k_; i++) {
            if (leg_->Alive(outsiders.RepeatAt(i))) {
                space->picked.push_back(outsiders.RepeatAt(i));
                taken++;
            }
        }
    }
    const size_t walked = space->picked.size();
    size_t taken = 0;
    for (const uint32_t node : outsiders.zeros()) {
        if (taken == k_) {
            break;
        }
        if (leg_->Alive(node)) {
            space->picked.push_back(node);
            taken++;
        }
    }
    QUERN_TRY(Measure(snapshot, query, space));
    // Zeros are near everything under some metrics, far under others: they may not stand in for
    // what a walk should have found.
    const size_t linked_alive = leg_->alive - std::min(leg_->alive, outsiders.zeros().size());
    *enough = leg_->lists != nullptr || walked >= std::min(k_, linked_alive);
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
