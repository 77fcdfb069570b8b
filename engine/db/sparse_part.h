// The index of a sparse field in one segment, with what ties its rows to the segment's records: how
// it is built from a column, written as parts, and loaded. Rows of the index stand in an order of
// their own, in which near vectors are near each other.
//
// Thread rule: thread-safe; immutable but for the mask that was made last.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/db/sparse_column.h"
#include "engine/sparse/approximate_index.h"
#include "engine/sparse/sparse_index.h"

namespace quern {

// The parts of an index: the arrays of engine/sparse, the order, and where the field wants them
// those of its approximate index (FORMAT.md, 4.7).
inline constexpr size_t kSparseExactParts = sparse::kSparseArrays + 1;
inline constexpr size_t kSparseParts = kSparseExactParts + sparse::kApproximateArrays;
inline storage::PartKind SparsePartKind(size_t number) {
    const bool exact = number < kSparseExactParts;
    const auto first = static_cast<int64_t>(exact ? storage::PartKind::kSparseHead
                                                  : storage::PartKind::kApproximateHead);
    return static_cast<storage::PartKind>(
        first + static_cast<int64_t>(exact ? number : number - kSparseExactParts));
}

class SparsePart {
public:
    using Bits = std::shared_ptr<const std::vector<uint64_t>>;
    ~SparsePart();
    SparsePart(const SparsePart&) = delete;
    SparsePart& operator=(const SparsePart&) = delete;

    // rows: of the whole column. Memory while it runs: the index, and the rows once more.
    // approximate: with an approximate index, where there are enough rows for one.
    static Result<std::unique_ptr<SparsePart>> Build(const sparse::SparseRows& rows,
                                                     bool approximate,
                                                     const sparse::IndexOptions& how, int threads,
                                                     Work* work);
    // Whether an index of so many vectors has an approximate one beside it, if that is asked for.
    static bool WantsApproximate(uint64_t vectors);
    // What the parts of a segment need in memory; 0: there is no index.
    static uint64_t BytesOf(const storage::SegmentInfo& segment, uint32_t field);
    // kCorrupt when parts are missing, damaged, or not of this column.
    static Result<std::unique_ptr<SparsePart>> Load(storage::Connection* connection,
                                                    const storage::SegmentInfo& segment,
                                                    const SparseDef& def,
                                                    const SparseColumn& column,
                                                    const MemoryBudget& budget, Work* work);
    sparse::SparseArrayView Array(size_t number) const;
    const sparse::SparseIndex& index() const { return *index_; }
    // NULL: there is none.
    const sparse::ApproximateIndex* approximate() const { return approximate_.get(); }
    // The record of each row of the index.
    const uint32_t* records() const { return records_.data(); }
    // The row of a record, for looks at single ones; none when it has no value. The first look
    // makes a table of 4 bytes a record.
    std::optional<uint32_t> RowOf(uint32_t record) const;
    // Which rows may be found, of which records are dead. The last one is kept: it serves until
    // something is deleted.
    Bits Allowed(const Bits& dead) const;

private:
    SparsePart() = default;
    Status TakeOrder(const SparseColumn& column);

    std::unique_ptr<sparse::SparseIndex> index_;
    std::unique_ptr<sparse::ApproximateIndex> approximate_;
    std::vector<uint32_t> order_;    // the vector of each row; when built
    std::vector<uint32_t> records_;  // when loaded
    std::shared_ptr<MemoryCounter> counter_;
    mutable int64_t counted_ = 0;

    mutable std::mutex mutex_;
    mutable std::vector<uint32_t> rows_;  // by record; kNoRow: none
    mutable Bits dead_;
    mutable Bits allowed_;
};

}  // namespace quern
