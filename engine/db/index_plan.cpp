// What IndexSearch decides before it searches: Plan, and which of the ways to the recall is the
// cheapest. A graph has three: a walk, a scan of the codes, a scan of the vectors.
//
// All costs are estimates in one unit, a row that a walk scores, made of counted rows and fitted
// prices. A walk is the only one that may turn out dearer than was thought, when what a filter lets
// through is far from the query. So it is bounded by what the next best way costs, and that way
// answers the queries for which it gives up.
#include <algorithm>
#include <cmath>

#include "engine/db/database.h"
#include "engine/db/index_search.h"
#include "engine/db/leg_nodes.h"
#include "engine/dense/recall_correction.h"
#include "engine/dense/scan_depth.h"
#include "engine/dense/scan_prices.h"
#include "storage/codec.h"

namespace quern {

namespace {

// A walk among so many dead needs a pool larger by so much at most; beyond, a scan.
constexpr double kDeadFactorMax = 4;
// A walk among wanted nodes that has cost so much of a scan ends in one.
constexpr double kWalkOfScan = 0.5;
// So many wanted ones should have been met before it is concluded that they are far away.
constexpr double kLookRows = 16;
// What codes state is 1.9 standard errors, which leaves out one true neighbour in 300. Who asks for
// this recall or more gets three.
constexpr double kSafeRecall = 0.98;
constexpr float kSafeErrors = 3 / 1.9f;
// With nprobe and without refine: candidates for each result.
constexpr size_t kRefineOfProbes = 10;
// And for refine=exact.
constexpr size_t kRefineOfProbesMost = 100;
// With a filter: times as many.
constexpr size_t kRefineOfFar = 4;
// So many queries of a batch, and a scan of all vectors is a product of matrices (dense/flat.h):
// this part of what they cost one by one.
constexpr size_t kProductQueries = 4;
constexpr double kProductShare = 0.3;
// Of fewer than this share of all each vector is read by itself.
constexpr double kPickedShare = 0.5;
// Candidates of a scan over codes that are kept in case those that are measured do not suffice.
constexpr size_t kKeptFactor = 10;
// Of fewer than so many times what is measured at least, far queries measure a large part, and a
// scan of vectors in memory does as well.
constexpr size_t kScannedLeast = 64;
// Of what the recall lets be missed, what may be missed by this.
constexpr double kMissedShare = 0.6;
// A walk of which no curve promises the recall, and which the budget ends: candidates for each
// result.
constexpr size_t kPoolOfMost = 10;
// Of what a recall lets be missed, what a walk for a query far from everything may miss.
constexpr double kMissedOfFar = 0.125;
// Or it is a scan, if that costs no more than so many such walks and the query is farther than all
// that was measured.
constexpr double kScanOfFar = 32;
// What a walk may score before it looks whether it gives up.
constexpr uint64_t kWalkLeast = 1024;
// A walk that scores more than this share of all is none.
constexpr double kWalkOverMost = 0.5;
// And of fewer than this share of all codes are.
constexpr double kGapsShare = 0.75;
// Vectors that come with each in the chunks of the file, where matches are spread.
constexpr double kChunkFactor = 4;
// Lists go on beyond the cells that were planned as long as they find anything nearer: by half as
// many, in any case.
constexpr double kListsGoOn = 1.5;
// Lists that save less than a tenth are not worth the doubt: a scan costs what it costs.
constexpr double kListsPay = 0.9;

// How likely one at least of so many is among those of which there is this share, wherever they
// are.
double AnyOf(double count, double share) {
    return 1 - std::pow(1 - share, count);
}

}  // namespace

bool IndexSearch::Plan(size_t k, const SearchRequest& request, size_t queries) {
    k_ = k;
    queries = counted_ ? 1 : queries;
    queries_ = queries;
    range_ = false;
    walks_ = false;
    scans_ = false;
    promised_ = false;
    walk_cost_ = 0;
    codes_cost_ = 0;
    lists_cost_ = 0;
    scan_cost_ = 0;
    if (leg_->lists != nullptr) {
        probes_ = {};
        return PlanLists(k, request, queries);
    }
    refine_ = request.refine_how;
    const double asked = AskOfCurve(request);
    // A number that the user gave is taken as it is.
    by_bound_ = leg_->index->states_error() && refine_ == Refine::kAuto;
    bound_errors_ = asked >= kSafeRecall ? kSafeErrors : 1.0f;
    if (!leg_->wanted.empty() && leg_->alive <= k) {
        return false;
    }
    scan_cost_ = leg_->wanted.empty() ? WholeScanCost() : VectorScanNs(queries) / RowNs();
    wanted_ = {};
    wanted_.bits = leg_->wanted.data();
    if (refine_ == Refine::kProof && !never_scans_) {
        scans_ = PlanProof(asked);
        to_find_ = scans_ && leg_->wanted.empty() ? NodesToFind(*leg_) : std::vector<uint64_t>();
        return scans_;
    }
    walks_ = PlanWalk(asked, request);
    if (never_scans_) {
        return walks_;
    }
    const double of_walk = expected_recall_;
    scans_ = PlanCodes(asked, request);
    if (walks_ && request.ef > 0) {
        scans_ = false;
        expected_recall_ = of_walk;
        return true;
    }
    const double scan = scans_ ? std::min(scan_cost_, codes_cost_) : scan_cost_;
    walks_ = walks_ && walk_cost_ < scan && !WalksOverAll();
    scans_ = scans_ && codes_cost_ < scan_cost_;
    if (walks_ && !leg_->wanted.empty()) {
        BoundWalk(scan);
    }
    if (leg_->wanted.empty()) {
        // Nothing stands between a plain walk and what it looks for.
        scans_ = scans_ && !walks_;
        to_find_ = scans_ ? NodesToFind(*leg_) : std::vector<uint64_t>();
    }
    return walks_ || scans_;
}

bool IndexSearch::PlanWalk(double asked, const SearchRequest& request) {
    const dense::GraphIndex& index = *leg_->index;
    const size_t count = leg_->field->count();
    const double refine_rows = index.RefineRows(RowBytes(), KeepsVectors());
    bool promised = false;
    if (request.ef > 0) {
        effort_ = dense::Effort::OfPool(request.ef, request.ef);
    } else if (asked < 1 && index.curve().Find(k_, asked, refine_rows, &effort_)) {
        promised = true;
    } else if (asked < 1 && never_scans_) {
        effort_ = dense::Effort::OfPool(kPoolOfMost * k_, kPoolOfMost * k_);
    } else {
        return false;
    }
    const dense::Effort planned = effort_;
    const double factor = DeadFactor();
    if (factor > kDeadFactorMax) {
        return false;
    }
    if (refine_ == Refine::kCount) {
        effort_.refine = request.refine;
    }
    FitEffort(&effort_);
    const bool wanted = !leg_->wanted.empty();
    const bool as_asked = promised && (refine_ == Refine::kAuto || refine_ == Refine::kExact);
    promised_ = as_asked;
    promised_recall_ = asked;
    dense::Effort told = planned;
    told.refine = refine_ == Refine::kAuto ? planned.refine : effort_.refine;
    expected_recall_ = as_asked ? request.recall : index.curve().Expect(k_, told);
    if (unrefined()) {
        expected_recall_ = 0;
    }
    // With a filter it is what it would be if the wanted nodes were spread as all are; where they
    // are not, it may be less or more.
    const double share = static_cast<double>(leg_->alive) / static_cast<double>(count);
    const double scored = wanted ? effort_.scored / share : effort_.scored * factor;
    walk_cost_ = scored + MeasureCost(effort_.refine);
    return true;
}

// A walk among wanted nodes looks far enough by itself.
double IndexSearch::DeadFactor() const {
    if (!leg_->wanted.empty()) {
        return 1;
    }
    return leg_->alive == 0
               ? kDeadFactorMax + 1
               : static_cast<double>(leg_->field->count()) / static_cast<double>(leg_->alive);
}

void IndexSearch::FitEffort(dense::Effort* effort) const {
    const double factor = DeadFactor();
    const auto with_dead = [&](size_t number) {
        return static_cast<size_t>(std::ceil(static_cast<double>(number) * factor));
    };
    effort->ef = with_dead(std::max(effort->ef, k_));
    effort->k = with_dead(effort->k);
    if (refine_ != Refine::kAuto && refine_ != Refine::kCount) {
        effort->refine = effort->ef;
    }
    effort->refine = std::max(effort->refine, k_);
    effort->keep =
        with_dead(refine_ == Refine::kCount ? effort->refine : std::max(effort->keep, k_));
}

// For a query that is `far` an eighth may be missed of what was allowed for. It gets that only
// where a scan costs much more: a few records in a thousand are beyond what was measured, too.
bool IndexSearch::EffortOfFar(Far far, dense::Effort* effort) const {
    const dense::GraphIndex& index = *leg_->index;
    const double asked = 1 - (1 - promised_recall_) * kMissedOfFar;
    if (!index.curve().Find(k_, asked, index.RefineRows(RowBytes(), KeepsVectors()), effort)) {
        return false;
    }
    FitEffort(effort);
    const bool wanted = !leg_->wanted.empty();
    const double scored = effort->scored * (wanted ? 1 / Share() : DeadFactor());
    const double cost = scored + MeasureCost(effort->refine);
    return cost < scan_cost_ && (far == Far::kRather || cost * kScanOfFar < scan_cost_);
}

// With too little for a scan a walk with a filter should at least meet k of what it looks for. Else
// the scan in which a walk may still end must be paid for, too: one within a bound gives up late.
bool IndexSearch::Serves(uint64_t scored_left) const {
    if (!counted_ || leg_->lists != nullptr) {
        return true;
    }
    if (never_scans_) {
        return leg_->wanted.empty() ||
               static_cast<double>(scored_left) * Share() >= static_cast<double>(k_);
    }
    const uint64_t walk = range_ ? leg_->field->count() : leg_->wanted.empty() ? 0 : kWalkLeast;
    return scored_left >= leg_->alive + walk;
}

// A pool that holds most of a graph finds them because they are there, however little the codes
// tell. The curve has that from the graph without the records that were held out, and so it is no
// promise for all of them.
bool IndexSearch::WalksOverAll() const {
    return leg_->wanted.empty() &&
           effort_.scored > kWalkOverMost * static_cast<double>(leg_->field->count());
}

// How many candidates of a scan are measured again. False: the recall may be missed, or a scan of
// the vectors does as well.
bool IndexSearch::PlanCodes(double asked, const SearchRequest& request) {
    const dense::GraphIndex& index = *leg_->index;
    if (index.needs_rows() || asked >= 1 || !dense::ScanDepth(index.curve(), k_, asked, &depth_)) {
        return false;
    }
    const bool bounded = request.has_max_distance || request.has_min_score;
    if (bounded && k_ > dense::EffortCurve::kK.back()) {
        return false;  // the bound may be the cheaper way
    }
    double expected = request.recall;
    if (refine_ == Refine::kCount) {
        // As good as a walk with as many, at least.
        if (!walks_ && request.refine < depth_) {
            return false;
        }
        depth_ = std::max(k_, request.refine);
        expected = dense::ExpectOfDepth(index.curve(), k_, depth_);
    } else if (refine_ != Refine::kAuto) {
        if (!walks_) {
            return false;
        }
        depth_ = refine_ == Refine::kNone ? k_ : std::max(depth_, effort_.refine);
        expected = refine_ == Refine::kNone ? 0 : request.recall;
    }
    if (InMemory() && leg_->alive < depth_ * kScannedLeast) {
        return false;
    }
    kept_ = refine_ == Refine::kNone ? depth_ : depth_ * kKeptFactor;
    missed_most_ = (1 - asked) * static_cast<double>(k_) * kMissedShare;
    codes_cost_ = static_cast<double>(leg_->alive) * CodeRowNs() / RowNs() + MeasureCost(depth_);
    expected_recall_ = walks_ ? std::min(expected_recall_, expected) : expected;
    return true;
}

// What a walk spends on a row: the unit.
double IndexSearch::RowNs() const {
    return leg_->index->WalkRowNs(RowBytes());
}

// Without a filter a row is a row, unless it stays in the file: what is chosen should not depend on
// where vectors are yet.
double IndexSearch::WholeScanCost() const {
    const auto count = static_cast<double>(leg_->field->count());
    return KeepsVectors() ? count
                          : count * std::max(1.0, dense::ScanPrices::FileNs(FileBytes()) / RowNs());
}

double IndexSearch::RefineNs() const {
    const size_t bytes = RowBytes();
    return dense::CodePrices(dense::CodeChoice::kNone, bytes, leg_->field->count())
        .VectorNs(bytes, KeepsVectors());
}

double IndexSearch::MeasureCost(size_t candidates) const {
    return refine_ == Refine::kNone ? 0 : static_cast<double>(candidates) * RefineNs() / RowNs();
}

double IndexSearch::VectorScanNs(size_t queries) const {
    using dense::ScanPrices;
    const size_t bytes = RowBytes();
    const auto count = static_cast<double>(leg_->field->count());
    const auto alive = static_cast<double>(leg_->alive);
    if (!InMemory()) {
        // Whole chunks are read, once for all queries.
        return std::min(count, alive * kChunkFactor) * ScanPrices::FileNs(FileBytes()) /
               static_cast<double>(std::max<size_t>(1, queries));
    }
    const bool products = queries >= kProductQueries && def_->element != Element::kBit;
    const double all = count * ScanPrices::RowNs(bytes) * (products ? kProductShare : 1);
    const double some = alive < kPickedShare * count ? alive * ScanPrices::PickedNs(bytes) : all;
    return std::min(all, some);
}

double IndexSearch::AskOfCurve(const SearchRequest& request) const {
    return request.recall_of_curve
               ? request.recall
               : dense::RecallCorrection::Of(def_->options).AskFor(request.recall);
}

void IndexSearch::BoundWalk(double other_cost) {
    const double share =
        static_cast<double>(leg_->alive) / static_cast<double>(leg_->field->count());
    wanted_.most = static_cast<uint64_t>(std::max(other_cost * kWalkOfScan, walk_cost_)) + 1;
    wanted_.share = share;
    wanted_.look = static_cast<uint64_t>(std::max(kLookRows / share, effort_.scored / 2));
}

bool IndexSearch::PlanLists(size_t k, const SearchRequest& request, size_t queries) {
    const dense::ListIndex& index = *leg_->lists->index;
    // The unit is a row of codes like these that a walk would score.
    const double row_ns =
        dense::CodePrices(index.codes(), index.row_bytes(), leg_->field->count()).row_ns;
    scan_cost_ = MatchScanNs(queries) / row_ns;
    if (leg_->lists->damaged) {
        return false;
    }
    if (request.refine_how == Refine::kProof && !never_scans_) {
        return false;  // cells that were not opened prove nothing
    }
    // Nothing is answered by codes alone, and all that is scored are too many to be measured.
    refine_ = request.refine_how == Refine::kNone ? Refine::kAuto : request.refine_how;
    const double asked = AskOfCurve(request);
    probes_given_ = request.nprobe > 0;
    if (probes_given_) {
        probes_ = {request.nprobe, kRefineOfProbes * k};
    } else if (asked >= 1) {
        return false;
    } else if (!index.curve().Find(k, asked, index.rows_per_cell(), &probes_)) {
        if (!never_scans_) {
            return false;
        }
        probes_ = {std::max<size_t>(1, index.cell_count() / 2), kRefineOfProbes * k};
    }
    const size_t planned = probes_.nprobe;
    if (refine_ == Refine::kCount) {
        probes_.refine = request.refine;
    } else if (refine_ != Refine::kAuto) {
        probes_.refine = std::max(probes_.refine, kRefineOfProbesMost * k);
    }
    if (leg_->alive <= k) {
        return false;
    }
    const auto count = static_cast<double>(leg_->field->count());
    const auto cells = static_cast<double>(index.cell_count());
    const double share = static_cast<double>(leg_->alive) / count;
    // So far as k of those that may be found stand about as near as k of all do otherwise.
    probes_.nprobe = static_cast<size_t>(
        std::min(cells, std::ceil(static_cast<double>(probes_.nprobe) / share)));
    if (!leg_->wanted.empty() && refine_ == Refine::kAuto) {
        // Of what is far away codes tell less.
        probes_.refine *= kRefineOfFar;
    }
    probes_.refine = std::max(probes_.refine, k);
    expected_recall_ = request.nprobe == 0 && refine_ != Refine::kCount
                           ? request.recall
                           : index.curve().Expect(k, {planned, probes_.refine});
    to_find_ =
        leg_->dead.bits && leg_->wanted.empty() ? NodesToFind(*leg_) : std::vector<uint64_t>();
    lists_cost_ = ListNs() / row_ns;
    if (request.nprobe > 0 || never_scans_) {
        return true;
    }
    // Vectors themselves are as dear in a cell as in a scan.
    return leg_->dead.bits ? lists_cost_ < kListsPay * scan_cost_
                           : probes_.nprobe * (index.with_codes() ? 1 : 2) < index.cell_count();
}

// Of a row in a cell.
double IndexSearch::ListRowNs() const {
    using dense::ScanPrices;
    const dense::ListIndex& index = *leg_->lists->index;
    const size_t bytes = index.row_bytes();
    const bool gaps = Share() < kPickedShare;
    return !index.has_rows()    ? ScanPrices::FileNs(index.row_bytes())
           : index.with_codes() ? (gaps ? ScanPrices::PickedCodeNs(index.row_bytes())
                                        : ScanPrices::CodeNs(index.row_bytes()))
           : gaps               ? ScanPrices::PickedInCellNs(bytes)
                                : ScanPrices::RowNs(bytes);
}

double IndexSearch::Share() const {
    return static_cast<double>(leg_->alive) / static_cast<double>(leg_->field->count());
}

double IndexSearch::CodeRowNs() const {
    using dense::ScanPrices;
    const size_t bytes = leg_->index->code_bytes();
    return Share() < kGapsShare ? ScanPrices::PickedCodeNs(bytes) : ScanPrices::CodeNs(bytes);
}

// A scan of the matches beside lists, for each of the queries.
double IndexSearch::MatchScanNs(size_t queries) const {
    using dense::ScanPrices;
    const size_t bytes = RowBytes();
    const size_t count = leg_->field->count();
    const auto alive = static_cast<double>(leg_->alive);
    const double share = alive / static_cast<double>(std::max<size_t>(1, count));
    if (!InMemory()) {
        // Where there is room for all they are read once, and stay; else each chunk in which
        // anything matches is read whole, for all of the queries.
        const double of_chunk = std::max(
            1.0, static_cast<double>(storage::kChunkBytesMax) / static_cast<double>(FileBytes()));
        const double read = KeepsVectors()
                                ? std::min(static_cast<double>(count), alive * kChunkFactor)
                                : static_cast<double>(count) * AnyOf(of_chunk, share);
        return read * ScanPrices::FileNs(FileBytes()) /
               static_cast<double>(std::max<size_t>(1, queries));
    }
    const bool products = queries >= kProductQueries && def_->element != Element::kBit;
    const double all = static_cast<double>(count) * ScanPrices::AllNs(bytes, count) *
                       (products ? kProductShare : 1);
    return share < kPickedShare ? std::min(all, alive * ScanPrices::MatchNs(bytes, count, share))
                                : all;
}

// Of one query.
double IndexSearch::ListNs() const {
    using dense::ScanPrices;
    const dense::ListIndex& index = *leg_->lists->index;
    const auto all_cells = static_cast<double>(index.cell_count());
    const bool filtered = static_cast<bool>(leg_->dead.bits);
    const double share = Share();
    const double cells =
        std::min(all_cells, static_cast<double>(probes_.nprobe) * (filtered ? kListsGoOn : 1));
    const double rows = cells * index.rows_per_cell();
    const bool gaps = share < kPickedShare;
    const double row_ns = ListRowNs();
    const double look_ns = filtered ? ScanPrices::kCellLookNs : 0;
    // From the file a cell is read whole, if anything of it is wanted.
    const double scored = !index.has_rows() ? rows * AnyOf(index.rows_per_cell(), share)
                          : gaps            ? rows * share
                                            : rows;
    return ScanPrices::kListsNs + ScanPrices::kCentreNs * all_cells + ScanPrices::kCellNs * cells +
           rows * look_ns + scored * row_ns +
           (index.with_codes() ? static_cast<double>(probes_.refine) * RefineNs() : 0);
}

PlanEstimate IndexSearch::Estimate(bool planned) const {
    PlanEstimate estimate;
    const bool lists = leg_->lists != nullptr;
    const bool filtered = !leg_->wanted.empty();
    const auto count = static_cast<double>(leg_->field->count());
    const auto alive = static_cast<double>(leg_->alive);
    estimate.matches = static_cast<double>(segment_->item_count() - leg_->dead.count);
    estimate.selectivity = count > 0 ? Share() : 1;
    if (leg_->field->count() == 0) {
        return estimate;
    }
    const auto cost_of = [&](SearchWay way) -> double& {
        return estimate.way_ns[static_cast<size_t>(way)];
    };
    estimate.refine_ns = refine_ == Refine::kNone ? 0 : RefineNs();
    double& scan = cost_of(SearchWay::kScan);
    scan = lists ? MatchScanNs(queries_) : VectorScanNs(queries_);
    if (!lists) {
        scan = filtered ? scan : WholeScanCost() * RowNs();
        estimate.walk_ns = RowNs();
        estimate.code_ns = leg_->index->needs_rows() ? 0 : CodeRowNs();
    }
    const double scanned = filtered ? alive : count;
    estimate.scan_ns = scan / std::max(1.0, scanned);
    if (range_ && planned) {
        // How many there are within a bound, nobody has estimated.
        estimate.way = lists ? SearchWay::kLists : SearchWay::kGraph;
        estimate.cell_ns = lists ? ListRowNs() : 0;
        estimate.recall = expected_recall_;
        return estimate;
    }
    if (lists) {
        cost_of(SearchWay::kLists) = probes_.nprobe > 0 ? ListNs() : 0;
    } else {
        cost_of(SearchWay::kGraph) = walk_cost_ * RowNs();
        cost_of(SearchWay::kCodes) = codes_cost_ * RowNs();
    }
    if (!planned) {
        estimate.scored = scanned;
        return estimate;
    }
    estimate.recall = expected_recall_;
    if (lists) {
        const dense::ListIndex& index = *leg_->lists->index;
        const double rows = static_cast<double>(probes_.nprobe) * index.rows_per_cell();
        estimate.way = SearchWay::kLists;
        estimate.scored = std::min(count, rows * (filtered && index.has_rows() ? Share() : 1));
        estimate.refined = index.with_codes() ? static_cast<double>(probes_.refine) : 0;
        estimate.cell_ns = ListRowNs();
        estimate.query_ns = dense::ScanPrices::kListsNs +
                            dense::ScanPrices::kCentreNs * static_cast<double>(index.cell_count());
    } else if (walks_) {
        estimate.way = SearchWay::kGraph;
        if (effort_.scored > 0) {
            estimate.scored = walk_cost_ - MeasureCost(effort_.refine);
        } else {
            cost_of(SearchWay::kGraph) = PlanEstimate::kNone;  // an ef that somebody has given
        }
        estimate.refined = refine_ == Refine::kNone ? 0 : static_cast<double>(effort_.refine);
    } else {
        estimate.way = SearchWay::kCodes;
        estimate.scored = alive;
        estimate.refined = refine_ == Refine::kNone ? 0 : static_cast<double>(depth_);
    }
    return estimate;
}

}  // namespace quern
