#include "engine/db/index_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/db/database.h"
#include "engine/db/index_options.h"
#include "engine/db/stage_clock.h"
#include "engine/dense/recall_correction.h"

namespace quern {

namespace {

// A walk among so many dead needs a pool larger by so much at most; beyond, a scan.
constexpr double kDeadFactorMax = 4;
// What scanning one of the records that match costs, in rows scored by a walk over vectors, or over
// codes: its vector is read from wherever it is.
constexpr double kScanRows = 1.0;
constexpr double kScanRowsOfCodes = 2.0;
constexpr double kScanFileRows = 10.0;
// A walk among wanted nodes that has cost so much of a scan ends in one.
constexpr double kWalkOfScan = 0.5;
// So many wanted ones should have been met before it is concluded that they are far away.
constexpr double kLookRows = 16;
// Candidates that are measured between two looks at their bounds.
constexpr size_t kBoundGroup = 16;
// What codes state is 1.9 standard errors, which leaves out one true neighbour in 300. Who asks for
// this recall or more gets three.
constexpr double kSafeRecall = 0.98;
constexpr float kSafeErrors = 3 / 1.9f;
// With nprobe and without refine: candidates for each result.
constexpr size_t kRefineOfProbes = 10;
// And for refine=exact.
constexpr size_t kRefineOfProbesMost = 100;

// What the index of a field is in memory, if all of it is.
uint64_t IndexBytes(const storage::SegmentInfo& segment, uint32_t field) {
    uint64_t bytes = 0;
    for (const storage::PartInfo& part : segment.parts) {
        if (part.field == field && part.kind >= storage::PartKind::kGraphHead &&
            part.kind <= storage::PartKind::kListRange) {
            bytes += part.raw_bytes();
        }
    }
    return bytes;
}

}  // namespace

Status IndexSearch::Open(Snapshot* snapshot, const CollectionView& view, size_t number,
                         const DenseDef& def, SearchTally* tally, Work* work) {
    segment_ = view.segments[number].get();
    def_ = &def;
    source_ = static_cast<uint32_t>(number);
    leg_ = view.KnownLeg(number, def.id);
    if (leg_ != nullptr || IndexOptions::Of(def).index == IndexChoice::kNone) {
        return {};
    }
    QUERN_TRY(snapshot->With(
        [&](storage::Connection* connection) -> Status {
            QUERN_ASSIGN(leg_, view.LoadLeg(connection, number, def, work));
            return {};
        },
        &tally->bytes_read));
    if (leg_ == nullptr) {
        // What the first needs has what the handle holds already in it.
        uint64_t& needed = tally->memory_needed;
        const uint64_t needs = segment_->index_needs();
        const bool first = needed == 0 || needs == 0;
        needed = first ? std::max(needed, needs) : needed + IndexBytes(segment_->info(), def.id);
    }
    return {};
}

bool IndexSearch::Plan(size_t k, const SearchRequest& request) {
    k_ = k;
    range_ = false;
    if (leg_->lists != nullptr) {
        return PlanLists(k, request);
    }
    const size_t count = leg_->field->count();
    refine_ = request.refine_how;
    const double asked = AskOfCurve(request);
    if (request.ef > 0) {
        effort_ = dense::Effort::OfPool(request.ef, request.ef);
    } else if (asked >= 1 || !leg_->index->curve().Find(
                                 k, asked,
                                 leg_->index->RefineRows(VectorBytes(def_->element, def_->dim),
                                                         leg_->field->KeepsVectors()),
                                 &effort_)) {
        return false;
    }
    const dense::Effort planned = effort_;
    // A walk among wanted nodes looks far enough by itself.
    const bool wanted = !leg_->wanted.empty();
    const double factor = wanted ? 1.0
                          : leg_->alive == 0
                              ? kDeadFactorMax + 1
                              : static_cast<double>(count) / static_cast<double>(leg_->alive);
    if (factor > kDeadFactorMax || (wanted && leg_->alive <= k)) {
        return false;
    }
    const auto with_dead = [&](size_t number) {
        return static_cast<size_t>(std::ceil(static_cast<double>(number) * factor));
    };
    effort_.ef = with_dead(std::max(effort_.ef, k));
    effort_.k = with_dead(effort_.k);
    if (refine_ == Refine::kCount) {
        effort_.refine = request.refine;
    } else if (refine_ != Refine::kAuto) {
        effort_.refine = effort_.ef;
    }
    effort_.refine = std::max(effort_.refine, k);
    effort_.keep =
        with_dead(refine_ == Refine::kCount ? effort_.refine : std::max(effort_.keep, k));
    const bool as_asked =
        request.ef == 0 && (refine_ == Refine::kAuto || refine_ == Refine::kExact);
    dense::Effort told = planned;
    told.refine = refine_ == Refine::kAuto ? planned.refine : effort_.refine;
    expected_recall_ = as_asked ? request.recall : leg_->index->curve().Expect(k, told);
    if (unrefined()) {
        expected_recall_ = 0;
    }
    // A number that the user gave is taken as it is.
    by_bound_ = leg_->index->states_error() && refine_ == Refine::kAuto;
    bound_errors_ = asked >= kSafeRecall ? kSafeErrors : 1.0f;
    if (wanted) {
        return PlanWanted(request);
    }
    walk_cost_ = effort_.scored * factor;
    scan_cost_ = static_cast<double>(count);
    return request.ef > 0 || walk_cost_ < scan_cost_;
}

double IndexSearch::AskOfCurve(const SearchRequest& request) const {
    return request.recall_of_curve
               ? request.recall
               : dense::RecallCorrection::Of(def_->options).AskFor(request.recall);
}

bool IndexSearch::PlanWanted(const SearchRequest& request) {
    const auto alive = static_cast<double>(leg_->alive);
    const double share = alive / static_cast<double>(leg_->field->count());
    const double scan = alive * (leg_->index->needs_rows() ? kScanRows
                                 : leg_->field->resident   ? kScanRowsOfCodes
                                                           : kScanFileRows);
    // What it is if the wanted nodes are spread as all are; where they are not, it may be less or
    // more, which the bounds are for.
    const double expected = effort_.scored / share;
    wanted_ = {};
    wanted_.bits = leg_->wanted.data();
    walk_cost_ = expected;
    scan_cost_ = scan;
    if (request.ef > 0) {
        return true;
    }
    wanted_.most = static_cast<uint64_t>(std::max(scan * kWalkOfScan, expected)) + 1;
    wanted_.share = share;
    wanted_.look = static_cast<uint64_t>(std::max(kLookRows / share, effort_.scored / 2));
    return expected < scan;
}

bool IndexSearch::PlanLists(size_t k, const SearchRequest& request) {
    const dense::ListIndex& index = *leg_->lists->index;
    if (leg_->lists->damaged) {
        return false;
    }
    // Nothing is answered by codes alone, and all that is scored are too many to be measured.
    refine_ = request.refine_how == Refine::kNone ? Refine::kAuto : request.refine_how;
    const double asked = AskOfCurve(request);
    probes_given_ = request.nprobe > 0;
    if (request.nprobe > 0) {
        probes_ = {request.nprobe, kRefineOfProbes * k};
    } else if (asked >= 1 || !index.curve().Find(k, asked, index.rows_per_cell(), &probes_)) {
        return false;
    }
    const size_t planned = probes_.nprobe;
    if (refine_ == Refine::kCount) {
        probes_.refine = request.refine;
    } else if (refine_ != Refine::kAuto) {
        probes_.refine = std::max(probes_.refine, kRefineOfProbesMost * k);
    }
    const double factor = leg_->alive == 0 ? kDeadFactorMax + 1
                                           : static_cast<double>(leg_->field->count()) /
                                                 static_cast<double>(leg_->alive);
    if (factor > kDeadFactorMax) {
        return false;
    }
    probes_.nprobe = static_cast<size_t>(std::ceil(static_cast<double>(probes_.nprobe) * factor));
    probes_.refine = std::max(probes_.refine, k);
    expected_recall_ = request.nprobe == 0 && refine_ != Refine::kCount
                           ? request.recall
                           : index.curve().Expect(k, {planned, probes_.refine});
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
    wanted.bound = std::min(query.max_distance, space->farthest);
    if (!space->guides.empty()) {
        const uint32_t* const cells = leg_->lists->CellOfEach();
        for (const uint32_t guide : space->guides) {
            wanted.guides.push_back(cells[guide]);
        }
        wanted.guides_within = probes_given_;
    }
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
    FileCells cells(snapshot, *leg_->lists, &space->tally.bytes_read);
    QUERN_TRY(
        Ended(index.Search(wanted, &cells, &space->lists, &space->nodes, work), space, *work));
    space->tally.scored += space->lists.scored;
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
    bytes_told = tally.bytes_read;
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
        budget->AddBytes(tally.bytes_read - bytes_told);
        budget->AddScored(query, tally.scored - scored_told);
        bytes_told = tally.bytes_read;
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
    space->budget->AddBytes(space->tally.bytes_read - space->bytes_told);
    space->bytes_told = space->tally.bytes_read;
    const bool out = space->budget->BytesSpent();
    space->left_out |= out ? kSpentBytes : 0;
    return out;
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
    const SegmentField& field = *leg_->field;
    FineSpace& fine = space->fine;
    if (!field.fine->Find(space->picked.data(), space->picked.size(), &fine)) {
        QUERN_TRY(snapshot->With(
            [&](storage::Connection* connection) {
                return field.fine->Read(connection, space->picked.data(), &fine);
            },
            &space->tally.bytes_read));
        space->tally.fetched += fine.read_count;
    }
    const float* norms = field.inverse_norms.empty() ? nullptr : field.inverse_norms.data();
    if (norms != nullptr && fine.copied) {
        space->norms.clear();
        for (const uint32_t node : space->picked) {
            space->norms.push_back(norms[node]);
        }
        norms = space->norms.data();
    }
    kernels::DistancesPicked(def_->element, def_->metric, query.query, fine.rows, fine.picked,
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
    const double of_zero = def_->metric == Metric::kL2        ? query.norm * query.norm
                           : def_->metric == Metric::kCosine  ? 1.0
                           : def_->metric == Metric::kHamming ? BitsOf(query.query.vector)
                                                              : 0.0;
    std::fill(space->distances.begin() + static_cast<ptrdiff_t>(walked), space->distances.end(),
              static_cast<float>(of_zero));
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
    return range_ ? RunRange(snapshot, query, space, found, enough, work)
                  : RunNearest(snapshot, query, space, found, enough, work);
}

Status IndexSearch::WalkGraph(const dense::FlatQuery& query, Space* space, bool* complete,
                              Work* work) const {
    const dense::VectorRows rows = leg_->field->Rows(*def_);
    dense::NodeBounds* const bounds = by_bound_ ? &space->bounds : nullptr;
    space->bounds.errors = bound_errors_;
    space->walk.seeds = space->guides;
    const Status walked =
        leg_->wanted.empty()
            ? leg_->index->Search(rows, query.query.vector, effort_, &space->walk, &space->nodes,
                                  work, bounds)
            : leg_->index->SearchWanted(rows, query.query.vector, effort_, wanted_, &space->walk,
                                        &space->nodes, complete, work, bounds);
    QUERN_TRY(Ended(walked, space, *work));
    space->tally.scored += space->walk.scored;
    space->left_out |= space->walk.scored >= space->walk.scored_max ? kSpentScored : 0;
    return {};
}

Status IndexSearch::RunNearest(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
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
        bool complete = true;
        QUERN_TRY(WalkGraph(query, space, &complete, work));
        if (!complete) {
            *enough = false;
            return {};
        }
    }
    if (OutOfBytes(space)) {
        refine = std::min(refine, k_);
    }
    const dense::Outsiders& outsiders = leg_->outsiders();
    space->picked.clear();
    space->places.clear();
    space->least.clear();
    for (uint32_t place = 0; place < space->nodes.size(); place++) {
        const uint32_t node = space->nodes[place];
        if (space->picked.size() >= refine) {
            break;
        }
        if (leg_->Alive(node)) {
            space->picked.push_back(node);
            space->places.push_back(place);
        }
        const auto [first, last] = outsiders.Repeats(node);
        // Repeats stand in key order, so the first k of them are enough.
        size_t taken = 0;
        for (size_t i = first; i < last && taken < k_; i++) {
            if (leg_->Alive(outsiders.RepeatAt(i))) {
                space->picked.push_back(outsiders.RepeatAt(i));
                space->places.push_back(place);
                taken++;
            }
        }
        if (by_bound_) {
            space->least.resize(space->picked.size(), space->bounds.least[place]);
        }
    }
    const size_t walked = space->picked.size();
    // All zeros are as far away: one of them is measured, in any case, and speaks for the others.
    const auto alive = [this](uint32_t node) { return leg_->Alive(node); };
    const auto zeros_end = outsiders.zeros().end();
    const auto zero = std::find_if(outsiders.zeros().begin(), zeros_end, alive);
    if (zero != zeros_end) {
        space->picked.push_back(*zero);
    }
    space->least.resize(space->picked.size(), -std::numeric_limits<float>::infinity());
    if (refine_ == Refine::kNone) {
        TakeDistances(query, walked, space);
    } else {
        const StageClock clock(&space->tally.refine_ns);
        QUERN_TRY(by_bound_ ? MeasureByBound(snapshot, query, space)
                            : Measure(snapshot, query, space));
        space->tally.refined += space->picked.size();
    }
    // Zeros are near everything under some metrics, far under others: they may not stand in for
    // what a walk should have found.
    const size_t linked_alive = leg_->alive - std::min(leg_->alive, outsiders.zeros().size());
    *enough =
        leg_->lists != nullptr || space->left_out != 0 || walked >= std::min(k_, linked_alive);
    for (size_t i = 0; i < space->picked.size(); i++) {
        const float distance = space->distances[i];
        if (!(distance <= query.max_distance)) {
            continue;
        }
        found->push_back({distance, source_, leg_->field->record(space->picked[i])});
        if (zero == zeros_end || space->picked[i] != *zero) {
            continue;
        }
        size_t taken = 1;
        for (auto other = zero + 1; other != zeros_end && taken < k_; ++other) {
            if (leg_->Alive(*other)) {
                found->push_back({distance, source_, leg_->field->record(*other)});
                taken++;
            }
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
