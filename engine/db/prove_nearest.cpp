// Whether a scan over codes has found all there is: IndexSearch's Prove.
//
// Candidates of a scan that were not measured, and rows that it did not keep, are farther away than
// the last of the result if bounds of their codes say so (dense/scan_proof.h). Where codes are good
// that is so after as many as the curve asks for, and the answer is exact. It costs a look at the
// candidates that are left; nothing more is measured for it unless `refine` asks for a proof. Then
// what stands in the way is measured, nearest first, until nothing does; where rows that were not
// kept may be near, a second look at all codes says which.
#include <algorithm>

#include "engine/db/database.h"
#include "engine/db/index_search.h"
#include "engine/db/stage_clock.h"
#include "engine/dense/scan_depth.h"
#include "engine/dense/scan_proof.h"

namespace quern {

namespace {

// Measured between two looks at the bounds.
constexpr size_t kProofGroup = 32;
// When more than this share of all stands in the way, a scan of the vectors does as well.
constexpr double kProvedShare = 0.25;
constexpr size_t kProvedLeast = 1024;
// A proof is looked for behind as many candidates as would have this recall.
constexpr double kProofRecall = 0.95;
constexpr size_t kProofDepth = 32;  // where no curve tells how many these are, at least
constexpr size_t kKeptForProof = 8;

}  // namespace

Status IndexSearch::Prove(Snapshot* snapshot, const dense::FlatQuery& query, size_t kept,
                          Space* space, std::vector<Candidate>* found, size_t first, bool* enough,
                          Work* work) const {
    const bool wanted = refine_ == Refine::kProof || refine_ == Refine::kExact;
    const auto unproved = [&] {
        *enough = refine_ != Refine::kProof || space->left_out != 0 || !ScanFits(space);
        return Status();
    };
    if (space->left_out != 0 || k_ == 0 || !leg_->index->proves()) {
        return unproved();
    }
    dense::ScanProof proof(*leg_->index, query.query.vector);
    kernels::TopK top(k_);
    for (size_t i = first; i < found->size(); i++) {
        top.Push((*found)[i].distance, (*found)[i].position);
    }
    const auto last = [&] { return std::min(top.Threshold(), query.max_distance); };
    proof.Within(last());
    const auto begin = space->nodes.begin();
    const auto measured_end =
        begin + static_cast<ptrdiff_t>(std::min(space->measured_places, space->nodes.size()));
    std::vector<uint32_t> measured(begin, measured_end);
    std::sort(measured.begin(), measured.end());
    // What may be as near and has not been measured.
    std::vector<kernels::Hit> in_the_way;
    const dense::WalkSpace& walk = space->walk;
    const bool all_kept = walk.size < kept;
    const auto scores = walk.distances.begin();
    const std::vector<uint64_t>& to_find = leg_->wanted.empty() ? to_find_ : leg_->wanted;
    if (all_kept || (walk.size > 0 && proof.Excludes(*std::max_element(
                                          scores, scores + static_cast<ptrdiff_t>(walk.size))))) {
        std::vector<uint32_t> rest(measured_end, space->nodes.end());
        if (!all_kept) {
            for (const uint32_t node : leg_->index->errors().loose()) {
                if ((to_find[node / 64] >> (node % 64) & 1) != 0) {
                    rest.push_back(node);
                }
            }
            std::sort(rest.begin(), rest.end());
            rest.erase(std::unique(rest.begin(), rest.end()), rest.end());
        }
        proof.Pick(rest, &in_the_way);
    } else {
        if (!wanted || !proof.possible() || !ScanFits(space)) {
            return unproved();
        }
        const auto most = static_cast<size_t>(kProvedShare * static_cast<double>(leg_->alive));
        bool complete = false;
        uint64_t scored = 0;
        QUERN_TRY(Ended(proof.Find(to_find.data(), std::max(most, kProvedLeast), &in_the_way,
                                   &complete, &scored, work),
                        space, *work));
        space->tally.scored += scored;
        space->tally.coded += scored;
        if (!complete || space->left_out != 0) {
            return unproved();
        }
    }
    std::erase_if(in_the_way, [&](const kernels::Hit& hit) {
        return std::binary_search(measured.begin(), measured.end(), hit.position);
    });
    if (!in_the_way.empty() && !wanted) {
        return unproved();
    }
    const StageClock clock(&space->tally.refine_ns);
    for (proof.Keep(&in_the_way); !in_the_way.empty(); proof.Keep(&in_the_way)) {
        if (OutOfBytes(space)) {
            return unproved();
        }
        const size_t group = std::min(kProofGroup, in_the_way.size());
        space->nodes.clear();
        for (size_t i = 0; i < group; i++) {
            space->nodes.push_back(in_the_way[i].position);
        }
        in_the_way.erase(in_the_way.begin(), in_the_way.begin() + static_cast<ptrdiff_t>(group));
        space->picked.clear();
        space->places.clear();
        static_cast<void>(PickPlaces(0, group, SIZE_MAX, space));
        QUERN_TRY(Measure(snapshot, query, space));
        space->tally.refined += space->picked.size();
        for (size_t i = 0; i < space->picked.size(); i++) {
            const float distance = space->distances[i];
            if (distance <= query.max_distance) {
                TakeLiving(space->picked[i], distance, found);
                PushLiving(distance, space->picked[i], &top);
            }
        }
        proof.Within(last());
        QUERN_TRY(Ended(work->Check("search", 0, 0), space, *work));
        if (space->left_out != 0) {
            return unproved();
        }
    }
    space->proved = true;
    return {};
}

// Refine::kProof: the codes are scanned and looked at as long as it takes. False: nothing can be
// proved, or a scan of the vectors does as well.
bool IndexSearch::PlanProof(double asked) {
    const dense::GraphIndex& index = *leg_->index;
    if (!index.proves() || leg_->alive <= k_) {
        return false;
    }
    if (!dense::ScanDepth(index.curve(), k_, std::min(asked, kProofRecall), &depth_)) {
        depth_ = std::max(kProofDepth, 2 * k_);
    }
    kept_ = depth_ * kKeptForProof;
    // A second look at the codes is seldom needed.
    codes_cost_ =
        static_cast<double>(leg_->alive) * CodeRowNs() / RowNs() + MeasureCost(2 * depth_);
    expected_recall_ = 1;
    return codes_cost_ < VectorScanNs(queries_) / RowNs();
}

}  // namespace quern
