// A segment's index asked for everything within a distance: IndexSearch's PlanRange and RunRange.
#include <algorithm>

#include "engine/db/database.h"
#include "engine/db/index_search.h"
#include "engine/db/stage_clock.h"

namespace quern {

namespace {

// Vectors that are measured at a time: bounded memory where they are read from the file.
constexpr size_t kMeasuredAtOnce = 1024;
// A graph expands every node within, a scan reads all rows in order; about here they cost the same.
constexpr size_t kRangeShareMost = 20;

}  // namespace

bool IndexSearch::PlanRange(const SearchRequest& request) {
    range_ = true;
    const bool lists = leg_->lists != nullptr;
    const size_t count = leg_->field->count();
    const dense::RangeCurve& curve =
        lists ? leg_->lists->index->range_curve() : leg_->index->range_curve();
    if ((lists && leg_->lists->damaged) || curve.empty()) {
        return false;
    }
    if (request.refine_how == Refine::kProof && !never_scans_) {
        return false;
    }
    refine_ = request.refine_how == Refine::kNone && !lists ? Refine::kNone : Refine::kAuto;
    const size_t given = lists ? request.nprobe : request.ef;
    range_first_effort_ = 0;
    if (given > 0) {
        range_effort_ = given;
        expected_recall_ = curve.Expect(given);
    } else if (curve.Find(request.recall, &range_effort_)) {
        expected_recall_ = request.recall;
    } else {
        return false;
    }
    if (unrefined()) {
        expected_recall_ = 0;
    }
    // Dead vectors are met, expanded and measured like others: a graph gives up among many.
    if (leg_->alive < count / 4) {
        return false;
    }
    range_most_ = count / kRangeShareMost;
    const size_t most = lists ? leg_->lists->index->cell_count() / 2 : range_most_;
    if (never_scans_ || (counted_ && lists)) {
        range_most_ = count;  // what ends it is the budget
    }
    if (given == 0) {
        range_first_effort_ = std::min(most, curve.FirstEffort(request.recall));
    }
    return given > 0 || range_effort_ <= most;
}

Status IndexSearch::FindRange(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                              bool* complete, Work* work) const {
    dense::RangeQuery range;
    range.vector = query.query.vector;
    range.bound = query.max_distance;
    range.effort = range_effort_;
    range.first_effort = range_first_effort_;
    range.by_codes = refine_ == Refine::kNone;
    range.most = range_most_;
    if (leg_->lists == nullptr) {
        QUERN_TRY(Ended(
            leg_->index->SearchRange(leg_->field->Rows(*def_), range, &space->walk, complete, work),
            space, *work));
        space->tally.scored += space->walk.scored;
        space->tally.walked += space->walk.scored;
        space->left_out |= space->walk.scored >= space->walk.scored_max ? kSpentScored : 0;
        space->nodes = space->walk.within;
        return {};
    }
    FileCells cells(snapshot, *leg_->lists, &space->tally.reads);
    const Status status = Ended(leg_->lists->index->SearchRange(range, &cells, &space->lists,
                                                                &space->nodes, complete, work),
                                space, *work);
    if (status.code() == Code::kCorrupt) {
        segment_->MarkDamaged(def_->id, *leg_->lists);
        *complete = false;
        return {};
    }
    space->tally.scored += space->lists.scored;
    space->tally.in_cells += space->lists.scored;
    space->tally.cells_opened += space->lists.opened;
    space->tally.cells_passed += space->lists.passed;
    return status;
}

// Takes a vector whose distance is known, with its repeats.
void IndexSearch::TakeWithin(uint32_t node, float distance, std::vector<Candidate>* found) const {
    const auto take = [&](uint32_t vector) {
        if (leg_->Alive(vector)) {
            found->push_back({distance, source_, leg_->field->record(vector)});
        }
    };
    take(node);
    const auto [first, last] = leg_->outsiders().Repeats(node);
    for (size_t i = first; i < last; i++) {
        take(leg_->outsiders().RepeatAt(i));
    }
}

Status IndexSearch::TakeZeros(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                              std::vector<Candidate>* found) const {
    const std::vector<uint32_t>& zeros = leg_->outsiders().zeros();
    if (zeros.empty()) {
        return {};
    }
    // One of them tells for all.
    space->picked.assign(1, zeros[0]);
    QUERN_TRY(Measure(snapshot, query, space));
    const float distance = space->distances[0];
    for (size_t i = 0; i < zeros.size() && distance <= query.max_distance; i++) {
        TakeWithin(zeros[i], distance, found);
    }
    return {};
}

Status IndexSearch::RunRange(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                             std::vector<Candidate>* found, bool* enough, Work* work) const {
    QUERN_TRY(FindRange(snapshot, query, space, enough, work));
    if (!*enough && (leg_->lists != nullptr || ScanFits(space))) {
        return {};
    }
    *enough = true;
    if (refine_ == Refine::kNone) {
        std::vector<float> distances = space->walk.within_distances;
        leg_->index->WithinDistances(query.query.vector, &distances);
        for (size_t i = 0; i < distances.size(); i++) {
            if (distances[i] <= query.max_distance) {
                TakeWithin(space->nodes[i], distances[i], found);
            }
        }
        return TakeZeros(snapshot, query, space, found);
    }
    const StageClock clock(&space->tally.refine_ns);
    // In the order of the file: what stands together is read once.
    std::sort(space->nodes.begin(), space->nodes.end());
    for (size_t first = 0; first < space->nodes.size(); first += kMeasuredAtOnce) {
        const size_t last = std::min(space->nodes.size(), first + kMeasuredAtOnce);
        space->picked.assign(space->nodes.begin() + static_cast<ptrdiff_t>(first),
                             space->nodes.begin() + static_cast<ptrdiff_t>(last));
        QUERN_TRY(Measure(snapshot, query, space));
        for (size_t i = 0; i < space->picked.size(); i++) {
            if (space->distances[i] <= query.max_distance) {
                TakeWithin(space->picked[i], space->distances[i], found);
            }
        }
        space->tally.refined += space->picked.size();
        QUERN_TRY(Ended(work->Check("search", last, space->nodes.size()), space, *work));
        if (last < space->nodes.size() && (OutOfBytes(space) || (space->left_out & kSpentTime))) {
            break;
        }
    }
    return TakeZeros(snapshot, query, space, found);
}

}  // namespace quern
