// How an approximate index is kept in a file: its Array and Load.
//
//     head: u32 version (1) | u32 links of a record | f32 step of levels
//
//     curve: u32 version (1), then as pool_curve.h writes it; its 39 shares are the recall of each
//     step, those of one k after the other
//
// The other arrays are little-endian and are drawn in heavy_lists.h and record_links.h. Cut rows
// follow from the index.
#include <cstring>

#include "engine/sparse/approximate_index.h"
#include "engine/sparse/kept_arrays.h"

namespace quern::sparse {

namespace {

constexpr uint32_t kApproximateHeadVersion = 1;
constexpr uint32_t kCurveVersion = 1;
constexpr uint32_t kDegreeMax = 256;

}  // namespace

void ApproximateIndex::EncodeHead() {
    head_.clear();
    ByteWriter writer(&head_);
    writer.U32(kApproximateHeadVersion);
    writer.U32(degree_);
    uint32_t bits = 0;
    std::memcpy(&bits, &lists_.step, sizeof bits);
    writer.U32(bits);
    curve_bytes_.clear();
    if (!curve_.empty()) {
        ByteWriter curve_writer(&curve_bytes_);
        curve_writer.U32(kCurveVersion);
        curve_.Write(&curve_writer);
    }
}

SparseArrayView ApproximateIndex::Array(ApproximateArray array) const {
    switch (array) {
        case ApproximateArray::kHead: return {head_.data(), head_.size(), 1};
        case ApproximateArray::kTermBlocks: return ViewOf(lists_.term_blocks);
        case ApproximateArray::kBlockMembers: return ViewOf(lists_.block_members);
        case ApproximateArray::kMembers: return ViewOf(lists_.members);
        case ApproximateArray::kListTerms: return ViewOf(lists_.list_terms);
        case ApproximateArray::kSummaryTerms: return ViewOf(lists_.summary_terms);
        case ApproximateArray::kSummaryFirst: return ViewOf(lists_.summary_first);
        case ApproximateArray::kSummaryBlocks: return ViewOf(lists_.summary_blocks);
        case ApproximateArray::kSummaryLevels: return ViewOf(lists_.summary_levels);
        case ApproximateArray::kLinks: return ViewOf(links_);
        case ApproximateArray::kCurve: return {curve_bytes_.data(), curve_bytes_.size(), 1};
    }
    return {};
}

Result<std::unique_ptr<ApproximateIndex>> ApproximateIndex::Load(
    const SparseIndex& index, const Buffer arrays[kApproximateArrays], int threads) {
    std::unique_ptr<ApproximateIndex> loaded(new ApproximateIndex());
    const auto array = [&](ApproximateArray which) -> const Buffer& {
        return arrays[static_cast<size_t>(which)];
    };
    const Buffer& head = array(ApproximateArray::kHead);
    ByteReader reader(BytesView(head.data(), head.bytes()));
    const uint32_t version = reader.U32();
    loaded->degree_ = reader.U32();
    const uint32_t bits = reader.U32();
    if (!reader.ok() || !reader.AtEnd() || version != kApproximateHeadVersion ||
        loaded->degree_ > kDegreeMax) {
        return BadIndex("its approximate part is damaged or of an unknown version");
    }
    HeavyLists& lists = loaded->lists_;
    std::memcpy(&lists.step, &bits, sizeof bits);
    if (!Take(array(ApproximateArray::kTermBlocks), &lists.term_blocks) ||
        !Take(array(ApproximateArray::kBlockMembers), &lists.block_members) ||
        !Take(array(ApproximateArray::kMembers), &lists.members) ||
        !Take(array(ApproximateArray::kListTerms), &lists.list_terms) ||
        !Take(array(ApproximateArray::kSummaryTerms), &lists.summary_terms) ||
        !Take(array(ApproximateArray::kSummaryFirst), &lists.summary_first) ||
        !Take(array(ApproximateArray::kSummaryBlocks), &lists.summary_blocks) ||
        !Take(array(ApproximateArray::kSummaryLevels), &lists.summary_levels) ||
        !Take(array(ApproximateArray::kLinks), &loaded->links_) ||
        loaded->links_.size() != index.count() * loaded->degree_) {
        return BadIndex("its approximate part has the wrong size");
    }
    const auto rows = static_cast<uint32_t>(index.count());
    QUERN_TRY(lists.Validate(index.terms().size(), rows));
    for (const uint32_t link : loaded->links_) {
        if (link != kNoLink && link >= rows) {
            return BadIndex("a link goes to no record");
        }
    }
    QUERN_ASSIGN(loaded->cut_, CutRows::Build(index.forward(), threads));
    const Buffer& curve = array(ApproximateArray::kCurve);
    if (curve.bytes() > 0) {
        ByteReader curve_reader(BytesView(curve.data(), curve.bytes()));
        // Of a version that is not known, it is as if there were none.
        if (curve_reader.U32() == kCurveVersion) {
            QUERN_ASSIGN(loaded->curve_, PoolCurve::Read(&curve_reader));
            if (!curve_reader.AtEnd()) {
                return BadIndex("its pool curve has the wrong size");
            }
        }
    }
    loaded->EncodeHead();
    return loaded;
}

}  // namespace quern::sparse
