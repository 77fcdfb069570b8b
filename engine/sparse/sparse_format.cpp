// How a sparse index is kept in a file: SparseIndex's Array and Load.
//
//     head: u32 version (1) | u32 rows | u32 superblock_rows | terms | u8 wide terms | u8 form |
//           u32 table size | f32 table
//     Version 2 is for pruned lists, and else as 1; 3 and 4 are the same with flat lists; 5 and 6
//     are as 1 and 2 with impacts in the forward copy.
//     terms: u32 count | (u32 dimension | f32 scale) * count
//
// The other arrays are little-endian and are drawn in posting_lists.h and forward_copy.h.
#include <algorithm>
#include <cstring>

#include "engine/sparse/kept_arrays.h"
#include "engine/sparse/sparse_index.h"

namespace quern::sparse {

namespace {

constexpr uint32_t kHeadVersion = 1;
// What is added to it.
constexpr uint32_t kPrunedMore = 1;
constexpr uint32_t kFlatMore = 2;
constexpr uint32_t kRoundedMore = 4;

}  // namespace

void SparseIndex::EncodeHead() {
    head_.clear();
    ByteWriter writer(&head_);
    writer.U32(kHeadVersion + (pruned() ? kPrunedMore : 0) + (lists_.flat ? kFlatMore : 0) +
               (rounded() ? kRoundedMore : 0));
    writer.U32(lists_.rows);
    writer.U32(lists_.superblock_rows);
    terms_.Write(&writer);
    writer.U8(forward_.wide_terms ? 1 : 0);
    writer.U8(static_cast<uint8_t>(forward_.form));
    writer.U32(static_cast<uint32_t>(forward_.table.size()));
    for (const float weight : forward_.table) {
        uint32_t bits = 0;
        std::memcpy(&bits, &weight, sizeof bits);
        writer.U32(bits);
    }
}

SparseArrayView SparseIndex::Array(SparseArray array) const {
    const auto weight_bytes = static_cast<uint32_t>(BytesOf(forward_.form));
    const uint32_t term_bytes = forward_.wide_terms ? 4 : 2;
    switch (array) {
        case SparseArray::kHead: return {head_.data(), head_.size(), 1};
        case SparseArray::kTermRuns: return ViewOf(lists_.term_runs);
        case SparseArray::kRunSuperblocks: return ViewOf(lists_.run_superblocks);
        case SparseArray::kRunLengths: return ViewOf(lists_.run_lengths);
        case SparseArray::kRunPeaks: return ViewOf(lists_.run_peaks);
        case SparseArray::kPostings: return {lists_.postings.data(), lists_.postings.bytes(), 1};
        case SparseArray::kRowOffsets: return ViewOf(forward_.offsets);
        case SparseArray::kRowTerms: return {forward_.terms.data(), postings(), term_bytes};
        case SparseArray::kRowWeights:
            return {forward_.weights.data(), weight_bytes == 0 ? 0 : postings(), weight_bytes};
    }
    return {};
}

Result<std::unique_ptr<SparseIndex>> SparseIndex::Load(size_t count, const std::string& head,
                                                       Buffer arrays[kSparseArrays]) {
    std::unique_ptr<SparseIndex> index(new SparseIndex());
    index->head_ = head;
    ByteReader reader(head);
    const uint32_t version = reader.U32();
    if (version < kHeadVersion || version > kHeadVersion + kPrunedMore + kRoundedMore) {
        return BadIndex("of an unknown version");
    }
    const bool rounded = ((version - kHeadVersion) & kRoundedMore) != 0;
    index->lists_.complete = ((version - kHeadVersion) & kPrunedMore) == 0;
    index->lists_.flat = ((version - kHeadVersion) & kFlatMore) != 0;
    index->lists_.rows = reader.U32();
    index->lists_.superblock_rows = reader.U32();
    if (!reader.ok() || index->lists_.rows != count) {
        return BadIndex("made for another number of vectors");
    }
    QUERN_ASSIGN(index->terms_, TermTable::Read(&reader));
    ForwardCopy& forward = index->forward_;
    const uint8_t wide = reader.U8();
    const uint8_t form = reader.U8();
    const uint32_t table = reader.U32();
    if (wide > 1 || form > 4 || (form == 3) != rounded || table > reader.left() / 4) {
        return BadIndex("its head is damaged");
    }
    forward.wide_terms = wide == 1;
    forward.form = static_cast<WeightForm>(form);
    forward.scales = rounded ? &index->terms_ : nullptr;
    for (uint32_t i = 0; i < table; i++) {
        const uint32_t bits = reader.U32();
        float weight = 0;
        std::memcpy(&weight, &bits, sizeof weight);
        forward.table.push_back(weight);
    }
    if (!reader.AtEnd()) {
        return BadIndex("its head has the wrong length");
    }
    const auto array = [&](SparseArray which) -> Buffer& {
        return arrays[static_cast<size_t>(which)];
    };
    PostingLists& lists = index->lists_;
    if (!Take(array(SparseArray::kTermRuns), &lists.term_runs) ||
        !Take(array(SparseArray::kRunSuperblocks), &lists.run_superblocks) ||
        !Take(array(SparseArray::kRunLengths), &lists.run_lengths) ||
        !Take(array(SparseArray::kRunPeaks), &lists.run_peaks) ||
        !Take(array(SparseArray::kRowOffsets), &forward.offsets) ||
        forward.offsets.size() != count + 1) {
        return BadIndex("its arrays have the wrong size");
    }
    lists.postings = std::move(array(SparseArray::kPostings));
    forward.terms = std::move(array(SparseArray::kRowTerms));
    forward.weights = std::move(array(SparseArray::kRowWeights));
    QUERN_TRY(lists.Validate(index->terms_.size()));
    QUERN_TRY(forward.Validate(index->terms_));
    return index;
}

}  // namespace quern::sparse
