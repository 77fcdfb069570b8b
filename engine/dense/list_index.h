// The list index of one field of one segment: vectors in cells around centres that k-means found. A
// search ranks the centres, opens the cells nearest to the query, and scans them.
//
// Codes (or the vectors themselves, for codes=f32 and bits) stand in cell order, so that a cell is
// one contiguous read; they may stay in the file, behind CellRows. What is held in any case: the
// centres, 8 bytes a cell, and 4 to 8 bytes a vector.
//
// As with a graph a search gives candidates, ordered by codes, that the caller measures again with
// the stored vectors; zero vectors and repeats stand outside. Unlike a graph, dead vectors cost
// nothing but the look at them, and a search that has found too few opens more cells: it always
// finds min(k, n).
//
// A cell is passed over when the bound of its centre, radius and the query proves that nothing in
// it is nearer than k records that are known (LeastDistance; the distances of these come from
// ListQuery::measure, so no code's error enters the proof).
//
// Who knows better which cells to open calls Begin, Scan and Take instead of Search.
//
// Thread rule: immutable after Build or Load; searches may run on many threads, each with a space
// of its own.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "engine/dense/cell_space.h"
#include "engine/dense/codes/scalar_codes.h"
#include "engine/dense/graph_index.h"  // CodeChoice, IndexArrayView
#include "engine/dense/outsiders.h"
#include "engine/dense/probe_curve.h"
#include "engine/dense/range_curve.h"
#include "engine/dense/vector_rows.h"
#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"
#include "storage/base/buffer.h"
#include "storage/base/work.h"

namespace quern::dense {

struct ListIndexOptions {
    uint32_t lists = 0;                    // 0: about 4 * sqrt(vectors)
    CodeChoice codes = CodeChoice::k8Bit;  // kNone: the vectors themselves
    int threads = 1;
};

// The arrays that an index is kept in. The numbers reach the file: do not change them.
enum class ListArray : uint32_t {
    kHead = 0,
    kCentres = 1,
    kCells = 2,
    kRowNumbers = 3,
    kRows = 4,
    kNorms = 5,
    kRange = 6,
};
inline constexpr size_t kListArrays = 7;
inline constexpr uint32_t kNoCell = UINT32_MAX;

// Rows in cell order, wherever they are.
struct CellPiece {
    const char* rows = nullptr;
    size_t count = 0;
    std::shared_ptr<const void> hold;  // keeps them there; may be NULL
};
class CellRows {
public:
    virtual ~CellRows() = default;
    // Rows first .. first + count, in order, in as many pieces as it takes.
    virtual Status Read(size_t first, size_t count, std::vector<CellPiece>* pieces) = 0;
};

struct ListQuery {
    const void* vector = nullptr;  // f32[dim], or bits
    size_t k = 10;                 // as many are found, if there are so many
    ProbeEffort effort;            // refine: candidates that are kept, at least k
    // k records are known to be as near as this.
    float bound = std::numeric_limits<float>::infinity();
    // Whether a vector may be among the candidates; empty: all may.
    std::function<bool(uint32_t)> wanted;
    // The same as one bit a vector, which is asked before anything is scored: cells without one are
    // not even read. NULL: all may.
    const uint64_t* wanted_bits = nullptr;
    double wanted_share = 0;  // of all vectors
    bool Wants(uint32_t number) const {
        return wanted_bits == nullptr || (wanted_bits[number / 64] >> (number % 64) & 1) != 0;
    }
    // True distances of k candidates, for the bound; empty: no cell is passed over for what codes
    // tell.
    std::function<Status(const uint32_t*, size_t, float*)> measure;
    // Cells of vectors that somebody knows to be good, the best first; kNoCell: in none. Those that
    // have many of them are opened as well: beside nprobe nearest ones as many, or
    // (guides_within) as every other of nprobe.
    std::vector<uint32_t> guides;
    bool guides_within = false;
};

// What a search needs beside the index, kept from one to the next.
struct ListSpace {
    std::vector<float> point;
    std::vector<float> nearness;  // of all centres, by their codes where there are some
    std::vector<float> ranks;     // of centres that were measured; NaN: not yet
    std::vector<uint32_t> order;  // cells, nearest first as far as `sorted`
    size_t sorted = 0;
    double length = 0;
    ScalarQuery codes;
    ScalarQuery centre_codes;
    kernels::Query exact;
    kernels::Query point_query;
    std::vector<kernels::Hit> pool;
    size_t pool_size = 0;
    float threshold = 0;  // nothing farther enters the pool
    float bound = 0;
    size_t next_measure = 1;
    std::vector<CellPiece> pieces;
    std::vector<int32_t> dots;
    std::vector<float> scores;
    std::vector<uint32_t> picked;
    std::vector<uint32_t> chosen;  // of a block of which few rows are wanted
    std::vector<uint32_t> numbers;
    std::vector<float> distances;
    uint64_t opened = 0;  // cells of the last search
    uint64_t passed = 0;  // cells that its bound has spared
    uint64_t scored = 0;  // rows
    uint64_t guided = 0;  // of the cells that the last search has looked at: for its guides' sake
    std::vector<uint32_t> cells;  // those, in order, of a guided search
    std::vector<uint8_t> seen;    // one a cell, likewise
    // Asked after each cell that was opened: true ends the search with what it has. Empty: never.
    std::function<bool()> stop;
    bool stopped = false;  // the last search was
};

struct RangeHits;

class ListIndex {
public:
    // Memory: what the index holds, and a sample for k-means of up to 256 MiB.
    static Result<std::unique_ptr<ListIndex>> Build(const VectorRows& rows,
                                                    const ListIndexOptions& options, Work* work);
    IndexArrayView Array(ListArray array) const;
    // Takes over arrays that were read from a file, each of the size that its part says, and proves
    // them; kCorrupt otherwise. The rows may stay in the file: then has_rows() is false, a search
    // needs CellRows, and the caller has proved that there are inside_count() of row_bytes().
    static Result<std::unique_ptr<ListIndex>> Load(Element element, Metric metric, size_t dim,
                                                   size_t count, const std::string& head,
                                                   Buffer arrays[kListArrays]);

    size_t count() const { return count_; }
    size_t cell_count() const { return radii_.size(); }
    size_t inside_count() const { return numbers_.bytes() / sizeof(uint32_t); }
    size_t row_bytes() const { return codes_ ? codes_->row_bytes() : VectorBytes(element_, dim_); }
    bool has_rows() const { return rows_.bytes() == inside_count() * row_bytes(); }
    bool with_codes() const { return codes_ != nullptr; }
    double rows_per_cell() const {
        return static_cast<double>(inside_count()) /
               static_cast<double>(std::max<size_t>(1, cell_count()));
    }
    const ProbeCurve& curve() const { return curve_; }
    // Empty in files of before there was one.
    const RangeCurve& range_curve() const { return range_curve_; }
    const Outsiders& outsiders() const { return outsiders_; }
    uint64_t memory_bytes() const;
    // Rows of a cell, as places in cell order.
    std::pair<size_t, size_t> Cell(size_t cell) const { return {begins_[cell], begins_[cell + 1]}; }
    // Of each vector; kNoCell: it stands outside. out: count() of them.
    void CellOfEach(uint32_t* out) const;
    // Distances by codes of some vectors, which are encoded anew: their places in the cells are not
    // known. Only with_codes().
    std::vector<float> CodeDistances(const VectorRows& rows, const float* vector,
                                     const std::vector<uint32_t>& numbers) const;
    CodeChoice codes() const { return codes_ ? codes_->kind() : CodeChoice::kNone; }
    uint32_t NumberAt(size_t place) const {
        return reinterpret_cast<const uint32_t*>(numbers_.data())[place];
    }

    // The vectors nearest to a query by codes, nearest first, at most max(refine, k); zeros and
    // repeats are not among them. rows: NULL if has_rows(). When work stops it, what was found so
    // far is there.
    Status Search(const ListQuery& query, CellRows* rows, ListSpace* space,
                  std::vector<uint32_t>* nearest, Work* work) const;

    // What may be within a query's bound: some of it is not, the caller measures it again; zeros
    // and repeats are not among it. by_codes does not count. *complete: the search did not give up.
    // Stopped as Search is.
    Status SearchRange(const RangeQuery& query, CellRows* rows, ListSpace* space,
                       std::vector<uint32_t>* within, bool* complete, Work* work) const;

    // The same step by step. Begin makes the query ready; Scan opens the cells that it is given,
    // each at most once in a search; Take ends it.
    Status Begin(const ListQuery& query, ListSpace* space) const;
    // Cells by distance of their centres: the first `count` of space->order are in order then.
    void Rank(size_t count, ListSpace* space) const;
    Status Scan(const ListQuery& query, const uint32_t* cells, size_t count, CellRows* rows,
                ListSpace* space, Work* work) const;
    void Take(ListSpace* space, std::vector<uint32_t>* nearest) const;

private:
    ListIndex() = default;
    Status MakeCells(const VectorRows& rows, const std::vector<uint32_t>& inside,
                     const std::vector<uint32_t>& held_out, const ListIndexOptions& options,
                     std::vector<uint32_t>* labels, Work* work);
    Status FillCells(const VectorRows& rows, const std::vector<uint32_t>& inside,
                     const std::vector<uint32_t>& labels, const ListIndexOptions& options,
                     Work* work);
    struct FillSpace {
        std::vector<float> points;
        std::vector<char> gathered;
        std::vector<float> norms;
        std::vector<float> distances;
    };
    void FillPlaces(const VectorRows& rows, size_t cell, size_t first, size_t count,
                    FillSpace* space);
    Status Calibrate(const VectorRows& rows, const std::vector<uint32_t>& held_out, int threads,
                     Work* work);
    // A held-out record as a query, and its true neighbours, nearest first.
    struct HeldOut {
        uint32_t number = 0;
        Bytes vector;
        std::vector<kernels::Hit> nearest;
    };
    static Status FindTruth(const VectorRows& rows, const std::vector<uint64_t>& outside, size_t k,
                            HeldOut* held_out, size_t count, Work* work);
    void BeginRange(const RangeQuery& query, ListQuery* wanted, ListSpace* space) const;
    // The cells that a guided search opens first.
    void ChooseGuided(const ListQuery& query, ListSpace* space) const;
    Status ScanUnseen(const ListQuery& query, size_t wanted, CellRows* rows, ListSpace* space,
                      Work* work) const;
    Status SearchGuided(const ListQuery& query, CellRows* rows, ListSpace* space, Work* work) const;
    void MeasureErrors(const VectorRows& rows, const std::vector<HeldOut>& held_out);
    Status CountRange(const VectorRows& rows, const HeldOut& held, size_t rank, ListSpace* space,
                      RangeHits* hits) const;
    Status CalibrateRange(const VectorRows& rows, const std::vector<HeldOut>& held_out, int threads,
                          Work* work);
    void EncodeHead();
    void EncodeCentres();
    void MeasureCentres(const uint32_t* cells, size_t count, ListSpace* space) const;
    Status ScanPiece(const ListQuery& query, size_t place, const CellPiece& piece,
                     ListSpace* space) const;
    // In the first cells of the order.
    size_t RowsOf(const ListSpace& space, size_t cells) const;
    bool AnyWanted(const ListQuery& query, size_t begin, size_t end) const;
    // Chooses the wanted ones of the rows in these places. False: so many that all are scored.
    bool ChooseWanted(const ListQuery& query, size_t place, size_t count, ListSpace* space) const;
    // *in_reach: set to false where no bound spares any of these cells.
    Status TightenBound(const ListQuery& query, const uint32_t* cells, size_t count,
                        ListSpace* space, bool* in_reach) const;
    float LeastOf(uint32_t cell, const ListSpace& space) const {
        return space_.LeastDistance(space.ranks[cell], radii_[cell], space.length);
    }
    const float* centre(size_t cell) const {
        return reinterpret_cast<const float*>(centres_.data()) + cell * dim_;
    }

    Element element_ = Element::kF32;
    Metric metric_ = Metric::kL2;
    size_t dim_ = 0;
    size_t count_ = 0;
    CellSpace space_;
    std::unique_ptr<ScalarCodes> codes_;
    Outsiders outsiders_;
    ProbeCurve curve_;
    RangeCurve range_curve_;
    Buffer centres_;  // f32[dim] a cell
    Buffer cells_;    // u32 rows, f32 radius a cell
    Buffer numbers_;  // u32 a row, in cell order, like all below
    Buffer rows_;
    Buffer norms_;  // f32: squared norms (l2 with codes), inverse norms (cosine without)
    // Made of cells_.
    std::vector<uint32_t> begins_;
    std::vector<float> radii_;
    // Made of centres_, with codes: all centres are looked at by every search, a fourth of the
    // bytes is a fourth of the time.
    std::vector<uint8_t> centre_codes_;
    std::vector<float> centre_norms_;
    std::string head_;
    std::string range_head_;
};

}  // namespace quern::dense
