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
#include "engine/dense/effort_curve.h"
#include "engine/dense/effort_measure.h"
#include "engine/dense/graph_links.h"
#include "engine/dense/graph_walk.h"
#include "engine/dense/neighbour_blocks.h"
#include "engine/dense/outsiders.h"
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

// The arrays that an index is kept in. The numbers reach the file: do not change them.
enum class IndexArray : uint32_t { kHead = 0, kLinks = 1, kUpper = 2, kCodes = 3, kNorms = 4 };
inline constexpr size_t kIndexArrays = 5;

struct IndexArrayView {
    const char* data = nullptr;
    uint64_t items = 0;
    uint32_t item_bytes = 1;
    uint32_t element_bytes = 1;  // what byte-splitting codecs see
};

class GraphIndex {
public:
    // Links all rows. Memory: the links, the codes (for kAuto those of the two kinds that are
    // compared at a time), and 9 bytes a row while it runs.
    static Result<std::unique_ptr<GraphIndex>> Build(const VectorRows& rows,
                                                     const GraphIndexOptions& options, Work* work);
    IndexArrayView Array(IndexArray array) const;
    // Takes over arrays that were read from a file, each of the size that its part says, and proves
    // them. kCorrupt otherwise. Arrays that are not there are empty buffers.
    static Result<std::unique_ptr<GraphIndex>> Load(Element element, Metric metric, size_t dim,
                                                    size_t count, const std::string& head,
                                                    Buffer arrays[kIndexArrays]);

    // For codes of kind kPacked, and nothing otherwise: makes what walks are quick with. Without it
    // they go over the codes one by one, as for k8Bit. Memory: PackBytes, and less than as much
    // again while it runs, all of it counted. Not while others search.
    Status Pack(int threads, const std::shared_ptr<MemoryCounter>& counter, Work* work);
    uint64_t PackBytes() const;
    bool packed() const { return !blocks_.empty(); }

    bool needs_rows() const { return !codes_; }
    size_t count() const { return links_.count; }
    CodeChoice codes() const { return codes_ ? codes_->kind() : CodeChoice::kNone; }
    const EffortCurve& curve() const { return curve_; }
    const GraphLinks& links() const { return links_; }
    size_t linked_count() const { return linked_; }
    const Outsiders& outsiders() const { return outsiders_; }
    uint64_t memory_bytes() const;

    // The nodes nearest to a query, nearest first, at most `ef`; vector: f32[dim], or bits. rows is
    // needed for its query side always and for its rows if needs_rows(). Repeats and zeros are not
    // among them: see outsiders. bounds may be NULL.
    Status Search(const VectorRows& rows, const void* vector, size_t ef, WalkSpace* space,
                  std::vector<uint32_t>* nodes, Work* work, NodeBounds* bounds = nullptr) const;
    bool states_error() const { return codes_ && codes_->states_error(); }
    // Distances of the pool that the last Search left in a space, nearest first; approximate where
    // there are codes.
    std::vector<float> PoolDistances(const void* vector, const WalkSpace& space) const;

private:
    GraphIndex() = default;
    Status ChooseCodes(const VectorRows& rows, const GraphIndexOptions& options,
                       const EffortMeasure& measure, Work* work);
    Result<EffortTrial> Try(const VectorRows& rows, const EffortMeasure& measure, size_t queries,
                            double enough, int threads, Work* work) const;
    void EncodeHead();
    Status Encode(const VectorRows& rows, CodeChoice kind, int threads, Work* work);
    Status WalkCodes(const float* vector, const CodeScorer& scorer, size_t ef, WalkSpace* space,
                     Work* work) const;
    CodeRows Rows() const {
        return {reinterpret_cast<const uint8_t*>(code_rows_.data()),
                reinterpret_cast<const float*>(squared_norms_.data())};
    }

    Metric metric_ = Metric::kL2;
    GraphLinks links_;
    std::unique_ptr<Codes> codes_;
    Buffer code_rows_;
    Buffer squared_norms_;  // L2 with codes
    NeighbourBlocks blocks_;
    size_t linked_ = 0;
    Outsiders outsiders_;
    EffortCurve curve_;
    std::string head_;
};

}  // namespace quern::dense
