#include "engine/dense/index_head.h"

#include "engine/dense/bad_index.h"
#include "engine/dense/codes/scalar_codes.h"
#include "engine/dense/effort_curve.h"
#include "engine/dense/graph_links.h"
#include "engine/dense/neighbour_blocks.h"
#include "engine/dense/outsiders.h"
#include "engine/dense/probe_curve.h"

namespace quern::dense {

namespace {

// NULL: there are none.
Result<std::unique_ptr<Codes>> ReadCodes(ByteReader* reader, Metric metric, size_t dim) {
    std::unique_ptr<Codes> codes;
    const uint8_t with_codes = reader->U8();
    if (!reader->ok() || with_codes > 1) {
        return BadIndex("codes of an unknown kind");
    }
    if (with_codes == 1) {
        QUERN_ASSIGN(codes, Codes::Read(reader, metric, dim));
    }
    if (!reader->AtEnd()) {
        return BadIndex("its head has the wrong length");
    }
    return codes;
}

}  // namespace

Result<IndexHead> ReadGraphHead(BytesView head, Metric metric, size_t dim, uint64_t count) {
    ByteReader reader(head);
    if (reader.U32() != kGraphHeadVersion) {
        return BadIndex("of an unknown version");
    }
    IndexHead found;
    found.count = reader.U32();
    const uint32_t degree = reader.U32();
    reader.Take(4 * sizeof(uint32_t));  // upper degree, both entries, upper words
    Outsiders::Skip(&reader);
    if (!reader.ok() || found.count != count || degree == 0 || degree > kDegreeMax) {
        return BadIndex("made for another number of vectors");
    }
    QUERN_TRY(EffortCurve::Read(&reader).status());
    reader.Take(sizeof(float));  // the longest vector
    QUERN_ASSIGN(const std::unique_ptr<Codes> codes, ReadCodes(&reader, metric, dim));
    found.codes = codes ? codes->kind() : CodeChoice::kNone;
    if (found.codes == CodeChoice::kPacked) {
        const auto& packed = static_cast<const ScalarCodes&>(*codes);
        found.made_bytes = NeighbourBlocks::Bytes(packed.coded(), degree, count);
    }
    return found;
}

Result<IndexHead> ReadListHead(BytesView head, Metric metric, size_t dim, uint64_t count) {
    ByteReader reader(head);
    if (reader.U32() != kListHeadVersion) {
        return BadIndex("of an unknown version");
    }
    IndexHead found;
    found.count = reader.U32();
    reader.Take(2 * sizeof(uint32_t));  // cells, scale
    Outsiders::Skip(&reader);
    if (!reader.ok() || found.count != count) {
        return BadIndex("made for another number of vectors");
    }
    QUERN_TRY(ProbeCurve::Read(&reader).status());
    QUERN_ASSIGN(const std::unique_ptr<Codes> codes, ReadCodes(&reader, metric, dim));
    found.codes = codes ? codes->kind() : CodeChoice::kNone;
    return found;
}

}  // namespace quern::dense
