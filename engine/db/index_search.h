// One segment's index at work: plans the effort, walks its graph or opens its lists, measures the
// nearest candidates with the stored vectors, leaves the dead out, and puts in what stands outside
// the graph.
#pragma once

#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/db/collection_view.h"
#include "engine/db/search_budget.h"
#include "engine/db/search_tally.h"
#include "engine/db/search_trace.h"
#include "engine/dense/flat.h"
#include "engine/dense/graph_index.h"
#include "engine/dense/list_index.h"

namespace quern {

class Snapshot;
struct SearchRequest;
// How many candidates of a walk are measured again with the stored vectors: as many as the curve
// says; all of them; none, so that distances are those of the codes; a number; as many as it takes
// to prove that no other is nearer.
enum class Refine { kAuto, kExact, kNone, kCount, kProof };

struct Candidate {
    float distance = 0;
    uint32_t source = 0;    // segment number; segments.size(): the log
    uint32_t position = 0;  // record number, or position in the log
};

class IndexSearch {
public:
    // What one thread needs.
    struct Space {
        dense::WalkSpace walk;
        dense::ListSpace lists;
        std::vector<uint32_t> nodes;
        std::vector<uint32_t> picked;  // nodes to be measured, which stand for their repeats
        std::vector<uint32_t> places;  // of the picked in the walk's pool
        std::vector<float> distances;
        dense::NodeBounds bounds;
        std::vector<float> least;  // of each picked
        std::vector<float> norms;
        FineSpace fine;
        SearchTally tally;
        // Vectors that a guide has named, the best first (leg_guide.h): their cells are opened
        // beside the nearest, or a walk begins at them, too.
        std::vector<uint32_t> guides;
        // Cells that hold nothing nearer than this need not be opened.
        float farthest = std::numeric_limits<float>::infinity();
        // Of the query that is searched for; NULL: none.
        SearchBudget* budget = nullptr;
        size_t query = 0;
        uint64_t bytes_told = 0;   // of the tally's, to the budget
        uint64_t scored_told = 0;  // likewise
        uint32_t left_out = 0;     // what it has run out of
        // Of the pool, places whose records were measured: the first so many.
        size_t measured_places = 0;
        bool proved = false;  // by Run: nothing that it has not found is as near

        void Begin(SearchBudget* of, size_t number);
        // Tells the budget what has been spent since.
        void Tell();
    };
    // Loads what is needed of a segment, if that has not happened before. An index is loaded
    // whatever bytes the budget (NULL: none) has left, which then counts it; vectors are not.
    Status Open(Snapshot* snapshot, const CollectionView& view, size_t number, const DenseDef& def,
                SearchTally* tally, Work* work, SearchBudget* budget = nullptr);
    bool usable() const { return leg_ != nullptr; }
    // Distances will be those of codes.
    bool unrefined() const {
        return refine_ == Refine::kNone && leg_->index != nullptr && !leg_->index->needs_rows();
    }
    bool over_lists() const { return leg_->lists != nullptr; }
    // What the codes say of a record's distance, whose stored vector is given; nothing: it has
    // none, or there are no codes.
    std::optional<float> CoarseDistance(const dense::FlatQuery& query, uint32_t record,
                                        const char* vector) const;
    dense::CodeChoice codes() const;
    // The vector of a record; nothing: it has none in the index's segment.
    std::optional<size_t> VectorOf(uint32_t record) const { return leg_->field->VectorOf(record); }
    // Of the last plan: for a graph its first way; and what each way would cost, in rows that a
    // walk scores; 0: it is none.
    bool walks() const { return walks_; }
    double walk_cost() const { return walk_cost_; }
    double codes_cost() const { return codes_cost_; }
    double lists_cost() const { return lists_cost_; }
    double scan_cost() const { return scan_cost_; }
    // For a search whose budget counts what is measured; before it plans. What it chooses is the
    // same for a query alone and among others, before and after vectors were loaded. Too little for
    // a scan: the index is asked, if it can be, and never gives up for a scan.
    void CountScored(bool too_little) {
        counted_ = true;
        never_scans_ = too_little;
    }
    // Whether a planned way is of use to a query that may measure so many.
    bool Serves(uint64_t scored_left) const;
    // A search looks into the file for what is not there yet.
    bool reads_file() const {
        return !leg_->field->resident || (over_lists() && !leg_->lists->index->has_rows());
    }
    // Decides how to find the k records nearest to each of so many queries. False: a scan of the
    // vectors is cheaper, or the only way to the recall.
    bool Plan(size_t k, const SearchRequest& request, size_t queries);
    // The same for everything within the bound of the queries.
    bool PlanRange(const SearchRequest& request);
    // Of the last plan; planned: what it, or PlanRange, has returned.
    PlanEstimate Estimate(bool planned) const;
    // The recall that the plan stands for: what was asked for, or what the curve says of the knobs
    // that were given instead. 0: nobody knows.
    double expected_recall() const { return expected_recall_; }
    // *enough: as many as there must be (min(k, live vectors)); after PlanRange: the search did not
    // meet so many that a scan is cheaper.
    Status Run(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
               std::vector<Candidate>* found, bool* enough, Work* work) const;

private:
    enum class Far { kNo, kRather, kVery };
    Status RunNearest(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                      std::vector<Candidate>* found, bool* enough, Work* work) const;
    Status RunRange(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                    std::vector<Candidate>* found, bool* enough, Work* work) const;
    Status FindRange(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                     bool* complete, Work* work) const;
    void TakeWithin(uint32_t node, float distance, std::vector<Candidate>* found) const;
    Status TakeZeros(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                     std::vector<Candidate>* found) const;
    bool PlanLists(size_t k, const SearchRequest& request, size_t queries);
    double ListRowNs() const;
    double CodeRowNs() const;
    double Share() const;  // of the vectors, those that may be found
    double ListNs() const;
    double MatchScanNs(size_t queries) const;
    bool PlanWalk(double asked, const SearchRequest& request);
    bool WalksOverAll() const;
    bool PlanCodes(double asked, const SearchRequest& request);
    double VectorScanNs(size_t queries) const;  // for each of so many
    double RowNs() const;
    size_t RowBytes() const { return leg_->field->held_bytes(*def_); }  // in memory
    size_t FileBytes() const { return def_->row_bytes(); }
    double WholeScanCost() const;
    double RefineNs() const;
    double MeasureCost(size_t candidates) const;
    // A walk among wanted nodes, beside another way that would cost so much.
    void BoundWalk(double other_cost);
    // What the curve is asked for, so that the field's own queries get the recall wanted.
    double AskOfCurve(const SearchRequest& request) const;
    Status SearchLists(Snapshot* snapshot, const dense::FlatQuery& query, Space* space,
                       Work* work) const;
    // What searches that count do not let depend on what is in memory yet.
    bool InMemory() const { return counted_ || leg_->field->resident; }
    bool KeepsVectors() const { return counted_ || leg_->field->KeepsVectors(); }
    // Whether the query may still measure all that may be found. If not, what there is stands for
    // it, and the space's left_out says so.
    bool ScanFits(Space* space) const;
    uint64_t ScoredLeft(const Space& space) const;
    Status WalkGraph(const dense::FlatQuery& query, const dense::Effort& effort, Space* space,
                     bool* complete, Work* work) const;
    Status ScanByCodes(const dense::FlatQuery& query, size_t kept, Space* space, Work* work) const;
    // The candidates to be measured again. *complete: as many as there must be; *scanned: they come
    // from a scan of codes.
    Status FindNearest(Snapshot* snapshot, const dense::FlatQuery& query,
                       const dense::Effort& effort, Space* space, bool* complete, bool* scanned,
                       Work* work) const;
    // One walk of such an effort, or what else is planned. *far: whether what it found is farther
    // than the index's curve knows, though it kept its promise of the curve.
    Status RunOnce(Snapshot* snapshot, const dense::FlatQuery& query, const dense::Effort& effort,
                   Space* space, std::vector<Candidate>* found, bool* enough, Far* far,
                   Work* work) const;
    Far FarFrom(const dense::FlatQuery& query, const Space& space) const;
    // What a query that is far from everything gets instead. False: a scan.
    bool EffortOfFar(Far far, dense::Effort* effort) const;
    // Among so many dead, and with so many candidates measured, as the search wants it.
    void FitEffort(dense::Effort* effort) const;
    double DeadFactor() const;
    bool FoundEnough(const Space& space) const;
    // refine: how many different vectors; copies of one cost nothing, and push nobody out.
    void PickNearest(size_t refine, Space* space) const;
    // The place that the next begins at.
    size_t PickPlaces(size_t first, size_t end, size_t most, Space* space) const;
    // The vectors that may be found and are that of a node: its own, and its repeats, which stand
    // in key order, so that the first k of them are enough.
    template <class Take>
    void ForLiving(uint32_t node, const Take& take) const {
        if (leg_->Alive(node)) {
            take(node);
        }
        const auto [first, last] = leg_->outsiders().Repeats(node);
        size_t taken = 0;
        for (size_t i = first; i < last && taken < k_; i++) {
            const uint32_t repeat = leg_->outsiders().RepeatAt(i);
            if (leg_->Alive(repeat)) {
                take(repeat);
                taken++;
            }
        }
    }
    size_t CountLiving(uint32_t node) const;
    void PushLiving(float distance, uint32_t node, kernels::TopK* top) const {
        ForLiving(node, [&](uint32_t vector) { top->Push(distance, vector); });
    }
    void TakeLiving(uint32_t node, float distance, std::vector<Candidate>* found) const {
        ForLiving(node, [&](uint32_t vector) {
            found->push_back({distance, source_, leg_->field->record(vector)});
        });
    }
    // For `kept` candidates of a scan over codes: as many as it takes until no more than the recall
    // allows for can be expected among the rest. *enough: there were as many.
    Status MeasureInTurn(Snapshot* snapshot, const dense::FlatQuery& query, size_t kept,
                         Space* space, bool* enough) const;
    bool PlanProof(double asked);
    // After a scan of all codes that has kept so many and added what it found from `first` on:
    // whether bounds of the codes prove that there is nothing else. Where `refine` asks for it,
    // what stands in the way is measured. *enough: false where it asks for a proof that there is
    // not.
    Status Prove(Snapshot* snapshot, const dense::FlatQuery& query, size_t kept, Space* space,
                 std::vector<Candidate>* found, size_t first, bool* enough, Work* work) const;
    static void SortPool(size_t sorted, Space* space, std::vector<float>* by_codes);
    // The work was done, or stopped by the budget, which then is told.
    static Status Ended(const Status& status, Space* space, const Work& work);
    // No bytes are left; the space's left_out says so then.
    static bool OutOfBytes(Space* space);
    Status Measure(Snapshot* snapshot, const dense::FlatQuery& query, Space* space) const;
    // For candidates whose least distance is known: the most promising first, and no more once none
    // of the rest can enter the result. These are dropped from what was picked.
    Status MeasureByBound(Snapshot* snapshot, const dense::FlatQuery& query, Space* space) const;
    void TakeDistances(const dense::FlatQuery& query, size_t walked, Space* space) const;
    float DistanceOfZero(const dense::FlatQuery& query) const;
    // How far a vector of bits is from zero.
    double BitsOf(const void* vector) const;

    Segment* segment_ = nullptr;
    const DenseDef* def_ = nullptr;
    std::shared_ptr<const IndexLeg> leg_;
    uint32_t source_ = 0;
    size_t k_ = 0;
    size_t queries_ = 1;
    bool counted_ = false;           // see CountScored
    bool never_scans_ = false;       // likewise
    bool walks_ = false;             // over a graph
    bool scans_ = false;             // its codes, at once or when the walk gives up
    size_t depth_ = 0;               // candidates of such a scan
    size_t kept_ = 0;                // that it keeps, in case these are not enough
    double missed_most_ = 0;         // of k, what the recall allows for
    std::vector<uint64_t> to_find_;  // what is looked at, where the leg does not have it
    dense::Effort effort_;           // of a walk
    bool promised_ = false;          // by the curve, for a recall of so much
    double promised_recall_ = 0;
    dense::WantedNodes wanted_;  // of a graph in a view of matches
    dense::ProbeEffort probes_;  // of lists
    bool probes_given_ = false;  // by the user, who gets no more
    bool by_bound_ = false;   // candidates are measured as long as their bounds promise something
    float bound_errors_ = 1;  // of those that the codes state
    Refine refine_ = Refine::kAuto;
    bool range_ = false;
    size_t range_effort_ = 0;
    size_t range_first_effort_ = 0;
    size_t range_most_ = 0;
    double expected_recall_ = 0;
    double walk_cost_ = 0;
    double codes_cost_ = 0;
    double lists_cost_ = 0;
    double scan_cost_ = 0;
};

// The spaces of a database handle, lent to searches: their memory is warm and need not be asked
// for.
class SearchSpaces {
public:
    class Lease {
    public:
        explicit Lease(SearchSpaces* spaces) : spaces_(spaces), space_(spaces->Take()) {}
        ~Lease() { spaces_->Give(std::move(space_)); }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        IndexSearch::Space* get() { return space_.get(); }

    private:
        SearchSpaces* spaces_;
        std::unique_ptr<IndexSearch::Space> space_;
    };

private:
    std::unique_ptr<IndexSearch::Space> Take();
    void Give(std::unique_ptr<IndexSearch::Space> space);
    static constexpr size_t kIdleMax = 32;
    std::mutex mutex_;
    std::vector<std::unique_ptr<IndexSearch::Space>> idle_;
};

// A segment's index, and how queries go through it. Where the budget counts what is measured,
// that is each query's own affair: whether it may still measure what a scan would need.
struct IndexWays {
    IndexSearch search;
    bool planned = false;
    bool counted = false;
    IndexSearch short_search;  // of queries that may not
    bool short_planned = false;
    uint64_t rows = 0;
    bool IsShort(uint64_t left) const { return counted && left < rows; }
    // NULL: a scan.
    const IndexSearch* Of(uint64_t left) const {
        const IndexSearch& way = IsShort(left) ? short_search : search;
        const bool possible = IsShort(left) ? short_planned : planned;
        return possible && way.Serves(left) ? &way : nullptr;
    }
};

}  // namespace quern
