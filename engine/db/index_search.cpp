#include "engine/db/index_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/db/database.h"
#include "engine/db/index_options.h"
#include "engine/db/stage_clock.h"

namespace quern {

namespace {

// Candidates that are measured between two looks at their bounds.
constexpr size_t kBoundGroup = 16;
// A walk may score so many times what such walks score on average.
constexpr double kWalkSure = 2;
// Times as many candidates as a first scan over codes keeps, where these are not enough.
constexpr size_t kMoreKept = 16;

}  // namespace

Status IndexSearch::Open(Snapshot* snapshot, const CollectionView& view, size_t number,
                         const DenseDef& def, SearchTally* tally, Work* work,
                         SearchBudget* budget) {
    segment_ = view.segments[number].get();
    def_ = &def;
    source_ = static_cast<uint32_t>(number);
    leg_ = view.KnownLeg(number, def.id);
    if (leg_ != nullptr || IndexOptions::Of(def).index == IndexChoice::kNone) {
        return {};
    }
    const uint64_t before = tally->reads.bytes;
    const uint64_t most = budget != nullptr ? budget->BytesLeft() : SearchBudget::kNoBound;
    QUERN_TRY(snapshot->With(
        [&](storage::Connection* connection) -> Status {
            QUERN_ASSIGN(leg_, view.LoadLeg(connection, number, def, work, most));
            return {};
        },
        &tally->reads));
    if (budget != nullptr) {
        budget->AddBytes(tally->reads.bytes - before);
    }
    if (leg_ == nullptr && segment_->index_needs() > 0) {
        tally->NeedIndex({segment_->info().id, def.id, segment_->index_needs()},
                         static_cast<uint64_t>(segment_->budget().Total()));
    }
    return {};
}

Status IndexSearch::SearchLists(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                                Work* work) const {
    const dense::ListIndex& index = *leg_->lists->index;
    dense::ListQuery wanted;
    wanted.vector = query.query.vector;
    wanted.k = k_;
    wanted.effort = probes_;
    wanted.bound = std::min(query.max_distance, space->farthest);
    if (!space->guides.empty()) {
        const uint32_t* const cells = leg_->lists->CellOfEach();
        for (const uint32_t guide : space->guides) {
            wanted.guides.push_back(cells[guide]);
        }
        wanted.guides_within = probes_given_;
    }
    if (leg_->dead.bits) {
        wanted.wanted_bits = (leg_->wanted.empty() ? to_find_ : leg_->wanted).data();
        wanted.wanted_share =
            static_cast<double>(leg_->alive) / static_cast<double>(leg_->field->count());
    }
    wanted.measure = [&](const uint32_t* nodes, size_t count, float* distances) -> Status {
        space->picked.assign(nodes, nodes + count);
        QUERN_TRY(Measure(snapshot, query, space));
        std::copy(space->distances.begin(), space->distances.end(), distances);
        return {};
    };
    FileCells cells(snapshot, *leg_->lists, &space->tally.reads);
    QUERN_TRY(
        Ended(index.Search(wanted, &cells, &space->lists, &space->nodes, work), space, *work));
    space->tally.scored += space->lists.scored;
    space->tally.in_cells += space->lists.scored;
    space->tally.cells_opened += space->lists.opened;
    space->tally.cells_passed += space->lists.passed;
    space->tally.cells_guided += space->lists.guided;
    return {};
}

dense::CodeChoice IndexSearch::codes() const {
    return leg_->lists != nullptr ? leg_->lists->index->codes() : leg_->index->codes();
}

std::optional<float> IndexSearch::CoarseDistance(const dense::FlatQuery& query, uint32_t record,
                                                 const char* vector) const {
    const std::optional<size_t> number = leg_->field->VectorOf(record);
    if (!number || codes() == dense::CodeChoice::kNone) {
        return std::nullopt;
    }
    if (leg_->lists == nullptr) {
        return leg_->index->CodeDistance(query.query.vector, static_cast<uint32_t>(*number));
    }
    const std::vector<float>& norms = leg_->field->inverse_norms;
    const dense::VectorRows row{def_->element,
                                def_->metric,
                                def_->dim,
                                vector,
                                1,
                                norms.empty() ? nullptr : &norms[*number]};
    const auto* const of_query = static_cast<const float*>(query.query.vector);
    return leg_->lists->index->CodeDistances(row, of_query, {0})[0];
}

void IndexSearch::Space::Begin(SearchBudget* of, size_t number) {
    budget = of;
    query = number;
    left_out = 0;
    bytes_told = tally.reads.bytes;
    scored_told = tally.scored;
    walk.scored_max = of != nullptr ? of->ScoredLeft(number) : SearchBudget::kNoBound;
    lists.stop = nullptr;
    if (of != nullptr) {
        lists.stop = [this] {
            const uint64_t before = tally.scored - scored_told;
            if (before + lists.scored >= budget->ScoredLeft(query)) {
                left_out |= kSpentScored;
            }
            static_cast<void>(OutOfBytes(this));
            return left_out != 0;
        };
    }
}

void IndexSearch::Space::Tell() {
    if (budget != nullptr) {
        budget->AddBytes(tally.reads.bytes - bytes_told);
        budget->AddScored(query, tally.scored - scored_told);
        bytes_told = tally.reads.bytes;
        scored_told = tally.scored;
        budget->LeftOut(left_out, query);
    }
}

Status IndexSearch::Ended(const Status& status, Space* space, const Work& work) {
    bool late = false;
    QUERN_TRY(EndedInTime(status, space->budget, work, &late));
    space->left_out |= late ? kSpentTime : 0;
    return {};
}

bool IndexSearch::OutOfBytes(Space* space) {
    if (space->budget == nullptr) {
        return false;
    }
    space->budget->AddBytes(space->tally.reads.bytes - space->bytes_told);
    space->bytes_told = space->tally.reads.bytes;
    const bool out = space->budget->BytesSpent();
    space->left_out |= out ? kSpentBytes : 0;
    return out;
}

Status IndexSearch::Measure(Snapshot* snapshot, const dense::FlatQuery& query, Space* space) const {
    space->distances.resize(space->picked.size());
    if (leg_->field->resident) {
        const dense::VectorRows rows = leg_->field->Rows(*def_);
        // The kernel works row after row; what it will need is asked for first.
        space->tally.cached += space->picked.size();
        for (const uint32_t node : space->picked) {
            const char* row = rows.row(node);
            for (size_t at = 0; at < std::min<size_t>(rows.row_bytes(), 512); at += 64) {
                __builtin_prefetch(row + at);
            }
        }
        kernels::DistancesPicked(rows.element, def_->metric, query.query, rows.rows,
                                 space->picked.data(), space->picked.size(), rows.inverse_norms,
                                 space->distances.data());
        return {};
    }
    const SegmentField& field = *leg_->field;
    FineSpace& fine = space->fine;
    if (!field.fine->Find(space->picked.data(), space->picked.size(), &fine)) {
        QUERN_TRY(snapshot->With(
            [&](storage::Connection* connection) {
                return field.fine->Read(connection, space->picked.data(), &fine);
            },
            &space->tally.reads));
        space->tally.fetched += fine.read_count;
    }
    space->tally.cached += space->picked.size() - fine.read_count;
    const float* norms = field.inverse_norms.empty() ? nullptr : field.inverse_norms.data();
    if (norms != nullptr && fine.copied) {
        space->norms.clear();
        for (const uint32_t node : space->picked) {
            space->norms.push_back(norms[node]);
        }
        norms = space->norms.data();
    }
    kernels::DistancesPicked(field.held, def_->metric, query.query, fine.rows, fine.picked,
                             space->picked.size(), norms, space->distances.data());
    return {};
}

// Of the walk's pool, and of zero vectors behind these, whose distance needs no look at them.
double IndexSearch::BitsOf(const void* vector) const {
    const auto* const bytes = static_cast<const uint8_t*>(vector);
    int bits = 0;
    for (size_t i = 0; i < VectorBytes(Element::kBit, def_->dim); i++) {
        bits += std::popcount(bytes[i]);
    }
    return bits;
}

void IndexSearch::TakeDistances(const dense::FlatQuery& query, size_t walked, Space* space) const {
    const auto pool = leg_->index->PoolDistances(query.query.vector, space->walk);
    space->distances.resize(space->picked.size());
    for (size_t i = 0; i < walked; i++) {
        space->distances[i] = pool[space->places[i]];
    }
    std::fill(space->distances.begin() + static_cast<ptrdiff_t>(walked), space->distances.end(),
              DistanceOfZero(query));
}

float IndexSearch::DistanceOfZero(const dense::FlatQuery& query) const {
    return static_cast<float>(def_->metric == Metric::kL2        ? query.norm * query.norm
                              : def_->metric == Metric::kCosine  ? 1.0
                              : def_->metric == Metric::kHamming ? BitsOf(query.query.vector)
                                                                 : 0.0);
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
        if (first >= query.limit && OutOfBytes(space)) {
            break;
        }
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
            PushLiving(space->distances[i], space->picked[i], &top);
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
    return range_ ? RunRange(snapshot, query, space, found, enough, work)
                  : RunNearest(snapshot, query, space, found, enough, work);
}

Status IndexSearch::WalkGraph(const dense::FlatQuery& query, const dense::Effort& effort,
                              Space* space, bool* complete, Work* work) const {
    const dense::VectorRows rows = leg_->field->Rows(*def_);
    dense::NodeBounds* const bounds = by_bound_ ? &space->bounds : nullptr;
    space->bounds.errors = bound_errors_;
    space->walk.seeds = space->guides;
    dense::WantedNodes wanted = wanted_;
    // What a walk before it has scored counts, too.
    const uint64_t scored_max = space->walk.scored_max;
    if (space->budget != nullptr) {
        const uint64_t spent = space->tally.scored - space->scored_told;
        space->walk.scored_max = scored_max - std::min(scored_max, spent);
    }
    if (counted_ && !never_scans_) {
        // As long as the scan that follows if it gives up can be paid for.
        const uint64_t left = ScoredLeft(*space);
        wanted.most = std::min(wanted.most, left - std::min<uint64_t>(left, leg_->alive));
    }
    const Status walked =
        leg_->wanted.empty()
            ? leg_->index->Search(rows, query.query.vector, effort, &space->walk, &space->nodes,
                                  work, bounds)
            : leg_->index->SearchWanted(rows, query.query.vector, effort, wanted, &space->walk,
                                        &space->nodes, complete, work, bounds);
    const uint64_t walk_most = space->walk.scored_max;
    space->walk.scored_max = scored_max;
    QUERN_TRY(Ended(walked, space, *work));
    space->tally.scored += space->walk.scored;
    space->tally.walked += space->walk.scored;
    if (!leg_->wanted.empty()) {
        space->tally.wanted_met += space->walk.wanted_met;
        space->tally.wanted_of += space->walk.wanted_of;
    }
    space->left_out |= space->walk.scored >= walk_most ? kSpentScored : 0;
    return {};
}

Status IndexSearch::ScanByCodes(const dense::FlatQuery& query, size_t kept, Space* space,
                                Work* work) const {
    dense::NodeBounds* const bounds = by_bound_ ? &space->bounds : nullptr;
    space->bounds.errors = bound_errors_;
    // What a walk before it has scored counts, too.
    dense::WalkSpace& walk = space->walk;
    const uint64_t scored_max = walk.scored_max;
    if (space->budget != nullptr) {
        const uint64_t spent = space->tally.scored - space->scored_told;
        walk.scored_max = scored_max - std::min(scored_max, spent);
    }
    bool complete = true;
    const Status scanned = leg_->index->Scan(
        query.query.vector, (leg_->wanted.empty() ? to_find_ : leg_->wanted).data(), kept, depth_,
        &walk, &space->nodes, &complete, work, bounds);
    walk.scored_max = scored_max;
    QUERN_TRY(Ended(scanned, space, *work));
    space->tally.scored += walk.scored;
    space->tally.coded += walk.scored;
    space->left_out |= complete ? 0 : kSpentScored;
    return {};
}

Status IndexSearch::FindNearest(Snapshot* snapshot, const dense::FlatQuery& query,
                                const dense::Effort& effort, Space* space, bool* complete,
                                bool* scanned, Work* work) const {
    *complete = true;
    *scanned = false;
    if (leg_->lists != nullptr) {
        const Status status = SearchLists(snapshot, query, space, work);
        if (status.code() == Code::kCorrupt) {
            // A chunk that only this search has come to.
            segment_->MarkDamaged(def_->id, *leg_->lists);
            *complete = false;
            return {};
        }
        QUERN_TRY(status);
        PickNearest(probes_.refine, space);
        return {};
    }
    if (walks_) {
        QUERN_TRY(WalkGraph(query, effort, space, complete, work));
        const bool stays = *complete || !ScanFits(space);
        if (stays) {
            PickNearest(effort.refine, space);
        }
        *complete = stays && (space->left_out != 0 || FoundEnough(*space) || !ScanFits(space));
    }
    if (scans_ && (!walks_ || !*complete)) {
        QUERN_TRY(ScanByCodes(query, kept_, space, work));
        *scanned = true;
        space->tally.code_scans++;
        PickNearest(by_bound_ ? kept_ : depth_, space);
        *complete = space->left_out != 0 || FoundEnough(*space) || !ScanFits(space);
    }
    return {};
}

uint64_t IndexSearch::ScoredLeft(const Space& space) const {
    if (space.budget == nullptr) {
        return SearchBudget::kNoBound;
    }
    const uint64_t left = space.budget->ScoredLeft(space.query);
    return left - std::min(left, space.tally.scored - space.scored_told);
}

bool IndexSearch::ScanFits(Space* space) const {
    const bool fits = !counted_ || ScoredLeft(*space) >= leg_->alive;
    space->left_out |= fits ? 0 : kSpentScored;
    return fits;
}

// Zeros are near everything under some metrics, far under others: they may not stand in for what a
// walk should have found.
bool IndexSearch::FoundEnough(const Space& space) const {
    const size_t zeros = leg_->outsiders().zeros().size();
    const size_t wanted = std::min(k_, leg_->alive - std::min(leg_->alive, zeros));
    size_t found = space.picked.size();
    for (size_t i = 0; i < space.picked.size() && found < wanted; i++) {
        found += CountLiving(space.picked[i]) - 1;
    }
    return found >= wanted;
}

// Of the nearest nodes those that records which may be found have, as themselves or as repeats.
void IndexSearch::PickNearest(size_t refine, Space* space) const {
    if (OutOfBytes(space)) {
        refine = std::min(refine, k_);
    }
    space->picked.clear();
    space->places.clear();
    space->least.clear();
    space->measured_places = PickPlaces(0, space->nodes.size(), refine, space);
}

size_t IndexSearch::PickPlaces(size_t first_place, size_t end_place, size_t most,
                               Space* space) const {
    size_t place = first_place;
    for (; place < end_place && space->picked.size() < most; place++) {
        const uint32_t node = space->nodes[place];
        if (CountLiving(node) == 0) {
            continue;
        }
        space->picked.push_back(node);
        space->places.push_back(static_cast<uint32_t>(place));
        if (by_bound_) {
            space->least.push_back(space->bounds.least[place]);
        }
    }
    return place;
}

size_t IndexSearch::CountLiving(uint32_t node) const {
    size_t count = 0;
    ForLiving(node, [&](uint32_t) { count++; });
    return count;
}

Status IndexSearch::RunNearest(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                               std::vector<Candidate>* found, bool* enough, Work* work) const {
    const size_t first = found->size();
    Far far = Far::kNo;
    QUERN_TRY(RunOnce(snapshot, query, effort_, space, found, enough, &far, work));
    if (far == Far::kNo || space->left_out != 0) {
        return {};
    }
    dense::Effort more;
    const bool walks = EffortOfFar(far, &more);
    const double cost = walks ? kWalkSure * more.scored : static_cast<double>(leg_->alive);
    if (counted_ && static_cast<double>(ScoredLeft(*space)) < cost) {
        space->left_out |= kSpentScored;
        return {};
    }
    space->tally.far_queries++;
    if (!walks) {
        found->resize(first);
        *enough = false;
        return {};
    }
    // A second walk that its budget ends may have less than the first.
    const std::vector<Candidate> before(found->begin() + static_cast<ptrdiff_t>(first),
                                        found->end());
    found->resize(first);
    QUERN_TRY(RunOnce(snapshot, query, more, space, found, enough, &far, work));
    if (space->left_out != 0) {
        found->resize(first);
        found->insert(found->end(), before.begin(), before.end());
        *enough = true;
    }
    return {};
}

IndexSearch::Far IndexSearch::FarFrom(const dense::FlatQuery& query, const Space& space) const {
    const bool filtered = !leg_->wanted.empty();
    const dense::FarQueries& known = leg_->index->far_queries();
    const auto limits = filtered ? known.ForShare(k_, Share(), def_->metric, query.norm)
                                 : known.For(k_, def_->metric, query.norm);
    if (limits.rank == 0 || query.max_distance < limits.common || leg_->alive < limits.rank) {
        return Far::kNo;
    }
    size_t common = 0;
    size_t most = 0;
    for (size_t i = 0; i < space.picked.size() && common < limits.rank; i++) {
        const size_t living = space.distances[i] <= limits.most ? CountLiving(space.picked[i]) : 0;
        most += living;
        common += space.distances[i] <= limits.common ? living : 0;
    }
    if (most < limits.rank) {
        return Far::kVery;
    }
    // What a filter lets through may be rather far without being hard to find.
    return common >= limits.rank || filtered ? Far::kNo : Far::kRather;
}

Status IndexSearch::RunOnce(Snapshot* snapshot, const dense::FlatQuery& query,
                            const dense::Effort& effort, Space* space,
                            std::vector<Candidate>* found, bool* enough, Far* far,
                            Work* work) const {
    bool scanned = false;
    size_t kept = kept_;
    const size_t first_found = found->size();
    QUERN_TRY(FindNearest(snapshot, query, effort, space, enough, &scanned, work));
    if (!*enough) {
        return {};
    }
    const bool in_turn = scanned && !by_bound_ && refine_ == Refine::kAuto;
    if (in_turn) {
        QUERN_TRY(MeasureInTurn(snapshot, query, kept_, space, enough));
        if (!*enough && !ScanFits(space)) {
            *enough = true;
        } else if (!*enough) {
            // Far from everything: nearly all is as near.
            kept = kept_ * kMoreKept;
            QUERN_TRY(ScanByCodes(query, kept, space, work));
            PickNearest(depth_, space);
            QUERN_TRY(MeasureInTurn(snapshot, query, kept, space, enough));
            *enough = *enough || !ScanFits(space);
        }
        if (!*enough) {
            return {};
        }
    }
    const dense::Outsiders& outsiders = leg_->outsiders();
    const size_t walked = space->picked.size();
    // All zeros are as far away: one of them is measured, in any case, and speaks for the others.
    const auto alive = [this](uint32_t node) { return leg_->Alive(node); };
    const auto zeros_end = outsiders.zeros().end();
    const auto zero = std::find_if(outsiders.zeros().begin(), zeros_end, alive);
    if (zero != zeros_end) {
        space->picked.push_back(*zero);
    }
    space->least.resize(space->picked.size(), -std::numeric_limits<float>::infinity());
    if (in_turn) {
        if (zero != zeros_end) {
            space->distances.push_back(DistanceOfZero(query));
        }
        space->tally.refined += space->picked.size();
    } else if (refine_ == Refine::kNone) {
        TakeDistances(query, walked, space);
    } else {
        const StageClock clock(&space->tally.refine_ns);
        QUERN_TRY(by_bound_ ? MeasureByBound(snapshot, query, space)
                            : Measure(snapshot, query, space));
        space->tally.refined += space->picked.size();
    }
    *far = promised_ && walks_ && !scanned ? FarFrom(query, *space) : Far::kNo;
    for (size_t i = 0; i < space->picked.size(); i++) {
        const float distance = space->distances[i];
        if (!(distance <= query.max_distance)) {
            continue;
        }
        if (zero == zeros_end || space->picked[i] != *zero) {
            TakeLiving(space->picked[i], distance, found);
            continue;
        }
        found->push_back({distance, source_, leg_->field->record(*zero)});
        size_t taken = 1;
        for (auto other = zero + 1; other != zeros_end && taken < k_; ++other) {
            if (leg_->Alive(*other)) {
                found->push_back({distance, source_, leg_->field->record(*other)});
                taken++;
            }
        }
    }
    if (scanned && refine_ != Refine::kNone) {
        QUERN_TRY(Prove(snapshot, query, kept, space, found, first_found, enough, work));
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
    space->fine.Forget();
    space->tally = {};
    space->guides.clear();
    space->Begin(nullptr, 0);
    std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.size() < kIdleMax) {
        idle_.push_back(std::move(space));
    }
}

}  // namespace quern
