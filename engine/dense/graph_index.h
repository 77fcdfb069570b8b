// The graph index of one field of one segment: links, codes to walk on, what stays outside the
// graph, and the curve that tells the effort for a recall.
//
// A search gives candidates: nodes ordered by codes. The caller measures the nearest of them again
// with the stored vectors, wherever these are. Vectors that are outside the graph are given back
// with it: zero vectors always, repeats of a vector together with that vector.
//
// Thread rule: immutable after Build or Load; Search may run on many threads, each with a space of
// its own.
#pragma once

#include <memory>
#include <vector>

#include "engine/dense/codes/code_choice.h"
#include "engine/dense/codes/codes.h"
#include "engine/dense/codes/row_errors.h"
#include "engine/dense/effort_curve.h"
#include "engine/dense/effort_measure.h"
#include "engine/dense/far_queries.h"
#include "engine/dense/filtered_walk.h"
#include "engine/dense/graph_links.h"
#include "engine/dense/graph_walk.h"
#include "engine/dense/insertion_codes.h"
#include "engine/dense/neighbour_blocks.h"
#include "engine/dense/outsiders.h"
#include "engine/dense/range_curve.h"
#include "engine/dense/vector_rows.h"

namespace quern::dense {

struct GraphIndexOptions {
    uint32_t m = 16;
    uint32_t ef_build = 200;
    CodeChoice codes = CodeChoice::k8Bit;  // kNone: walks on the vectors themselves
    // For CodeChoice::kAuto.
    uint64_t index_bytes = UINT64_MAX;  // that links and codes may have
    bool vectors_in_memory = true;      // when candidates are measured again
    int threads = 1;
};

// How near the nodes of a search may be at best, where the codes state their error.
struct NodeBounds {
    float errors = 1;          // in: how many of the stated errors to allow for
    std::vector<float> least;  // out: of each node a distance of the metric; empty: not known
};

// Everything within a bound.
struct RangeQuery {
    const void* vector = nullptr;  // f32[dim], or bits
    float bound = 0;               // a distance of the metric, inclusive
    size_t effort = 0;             // of RangeCurve
    size_t first_effort = 0;       // the same until the first is found, if it is more
    bool by_codes = false;         // distances by codes decide: no margin for their error
    size_t most = SIZE_MAX;        // gives up when more than these seem to be within
};

// The arrays that an index is kept in. The numbers reach the file: do not change them.
enum class IndexArray : uint32_t {
    kHead = 0,
    kLinks = 1,
    kUpper = 2,
    kCodes = 3,
    kNorms = 4,
    kRange = 5,
    kErrors = 6,
    kFar = 7,
};
inline constexpr size_t kIndexArrays = 8;

struct IndexArrayView {
    const char* data = nullptr;
    uint64_t items = 0;
    uint32_t item_bytes = 1;
    uint32_t element_bytes = 1;  // what byte-splitting codecs see
};

class GraphBuilder;
class GraphIndex;

// An index of other rows, some of which are among the new ones.
struct GraphSource {
    const GraphIndex* index = nullptr;
    std::vector<uint32_t> now;  // of each of its rows the number among the new ones; kNoNode: gone
    bool always = false;        // for measurements: also where it would not pay
};

class GraphIndex {
public:
    // Whether all inner products, or distances, of the rows are numbers in f32: an index of others
    // would be none. Cost: a pass over the rows.
    static bool CanMeasure(const VectorRows& rows);
    // Links all rows. Memory: the links, the codes (for kAuto those of the two kinds that are
    // compared at a time), and while it runs 15 + 8 m bytes a row and codes that insertions walk
    // over, at most four sevenths of the rows' bytes.
    //
    // With a source (may be NULL) the graph grows from that one's, where that is quicker and the
    // graph becomes as good: its effort curve is measured like any other, and when it falls behind
    // the source's the graph is built from nothing.
    static Result<std::unique_ptr<GraphIndex>> Build(const VectorRows& rows,
                                                     const GraphIndexOptions& options, Work* work,
                                                     const GraphSource* source = nullptr);
    // kCorrupt when a walk would miss more of the nodes than a graph may: 0.1 %.
    Status CheckReach() const;
    // How many nodes of the source's graph Build has taken over. Not kept in a file.
    size_t inherited() const { return inherited_; }
    // Of an index that was built; one that was loaded has its links in another form.
    IndexArrayView Array(IndexArray array) const;
    // Takes over arrays that were read from a file, each of the size that its part says, and proves
    // them. kCorrupt otherwise. Arrays that are not there are empty buffers.
    static Result<std::unique_ptr<GraphIndex>> Load(Element element, Metric metric, size_t dim,
                                                    size_t count, const std::string& head,
                                                    Buffer arrays[kIndexArrays]);

    // For codes of kind kPacked, and nothing otherwise: makes what walks are quick with. Without it
    // they go over the codes one by one, as for k4Bit. Memory: PackBytes, and less than as much
    // again while it runs, all of it counted. Not while others search.
    Status Pack(int threads, const std::shared_ptr<MemoryCounter>& counter, Work* work);
    uint64_t PackBytes() const;
    bool packed() const { return !blocks_.empty(); }

    bool needs_rows() const { return !codes_; }
    size_t count() const { return links_.count; }
    size_t code_bytes() const { return codes_ ? codes_->row_bytes() : 0; }  // of a row
    CodeChoice codes() const { return codes_ ? codes_->kind() : CodeChoice::kNone; }
    const EffortCurve& curve() const { return curve_; }
    // Empty in files of before there was one.
    const RangeCurve& range_curve() const { return range_curve_; }
    // Nothing is known in files of before.
    const FarQueries& far_queries() const { return far_queries_; }
    const GraphLinks& links() const { return links_; }
    size_t linked_count() const { return linked_; }
    const Outsiders& outsiders() const { return outsiders_; }
    uint64_t memory_bytes() const;
    // What measuring a candidate again with its vector costs, in rows scored on the way.
    double RefineRows(size_t vector_bytes, bool vectors_in_memory) const;
    // Nanoseconds that a walk is thought to spend on such a row.
    double WalkRowNs(size_t vector_bytes) const;

    // The nodes nearest to a query, nearest first, at most effort.ef; vector: f32[dim], or bits.
    // rows is needed for its query side always and for its rows if needs_rows(). Repeats and zeros
    // are not among them: see outsiders. bounds may be NULL. When work stops it, or the space's
    // scored_max, what was met so far is there.
    Status Search(const VectorRows& rows, const void* vector, const Effort& effort,
                  WalkSpace* space, std::vector<uint32_t>* nodes, Work* work,
                  NodeBounds* bounds = nullptr) const;
    // The same among the wanted nodes alone; more of the effort where few are wanted. *complete:
    // the search did not give up.
    Status SearchWanted(const VectorRows& rows, const void* vector, const Effort& effort,
                        const WantedNodes& wanted, WalkSpace* space, std::vector<uint32_t>* nodes,
                        bool* complete, Work* work, NodeBounds* bounds = nullptr) const;
    // The same, and nothing else, by a look at the codes of all wanted nodes, one bit each, which
    // must not be outsiders; for indexes with codes. keep: how many candidates there are to be, of
    // which the `sorted` nearest are in order. *complete: all were looked at, which the space's
    // scored_max may prevent.
    Status Scan(const void* vector, const uint64_t* wanted, size_t keep, size_t sorted,
                WalkSpace* space, std::vector<uint32_t>* nodes, bool* complete, Work* work,
                NodeBounds* bounds = nullptr) const;
    // space->within gets what may be within the query's bound: some of it is not, the caller
    // measures it again. *complete: the search did not give up.
    Status SearchRange(const VectorRows& rows, const RangeQuery& query, WalkSpace* space,
                       bool* complete, Work* work) const;
    // Turns space->within_distances into distances of the metric, as PoolDistances does.
    void WithinDistances(const void* vector, std::vector<float>* scores) const;
    bool states_error() const { return codes_ && codes_->states_error(); }
    // Whether it is known how far rows are from their codes, so that a scan over these may be
    // proved to have found all there is (scan_proof.h). Not in files of before, nor of codes of
    // kinds without a bound.
    bool proves() const { return !errors_.empty(); }
    const RowErrors& errors() const { return errors_; }
    const Codes* coded() const { return codes_.get(); }
    Metric metric() const { return metric_; }
    // No row is longer (inner product only).
    double longest() const;
    CodeRows Rows() const {
        return {reinterpret_cast<const uint8_t*>(code_rows_.data()),
                reinterpret_cast<const float*>(squared_norms_.data())};
    }
    // Distances of the pool that the last Search left in a space, nearest first; approximate where
    // there are codes.
    std::vector<float> PoolDistances(const void* vector, const WalkSpace& space) const;
    // The distance of one node by its codes, which there must be.
    float CodeDistance(const void* vector, uint32_t node) const;

private:
    GraphIndex() = default;
    // All nodes but those that the measure has held out.
    Status Insert(const VectorRows& rows, const GraphIndexOptions& options,
                  const EffortMeasure& measure, GraphBuilder* builder, Work* work);
    Status ChooseCodes(const VectorRows& rows, const GraphIndexOptions& options,
                       const EffortMeasure& measure, Work* work);
    Result<EffortCurve> Try(const VectorRows& rows, const EffortMeasure& measure, EffortPlan plan,
                            int threads, Work* work) const;
    // What an effort means in scores of one query.
    WalkEnd EndOf(const Effort& effort, const void* vector, size_t dim) const;
    void MeasureErrors(const EffortMeasure& measure);
    Status CalibrateRange(const VectorRows& rows, const EffortMeasure& measure, int threads,
                          Work* work);
    void EncodeHead();
    Status Encode(const VectorRows& rows, CodeChoice kind, int threads, Work* work);
    void TakeCodes(CodedRows coded);
    // Hands the pool out; scorer: NULL without codes.
    // back: what makes distances of the query those of the one that was asked for.
    static void TakePool(const CodeScorer* scorer, double back, const WalkSpace& space,
                         std::vector<uint32_t>* nodes, NodeBounds* bounds);
    Status WalkCodes(const float* vector, const CodeScorer& scorer, const WalkEnd& end,
                     WalkSpace* space, Work* work) const;

    Metric metric_ = Metric::kL2;
    GraphLinks links_;
    std::unique_ptr<Codes> codes_;
    Buffer code_rows_;
    Buffer squared_norms_;  // L2 with codes
    RowErrors errors_;
    NeighbourBlocks blocks_;
    size_t linked_ = 0;
    size_t inherited_ = 0;
    Outsiders outsiders_;
    EffortCurve curve_;
    float longest_square_ = 0;  // |row|^2 of the longest row, under the inner product
    RangeCurve range_curve_;
    std::string head_;
    std::string range_head_;
    FarQueries far_queries_;
    std::string far_head_;
};

}  // namespace quern::dense
