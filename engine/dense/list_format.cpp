// How a list index is kept in a file: ListIndex's Array and Load. FORMAT.md has the bytes.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/dense/bad_index.h"
#include "engine/dense/index_head.h"
#include "engine/dense/list_index.h"

namespace quern::dense {

namespace {

constexpr uint32_t kCellBytes = 8;

bool AllAtLeast(const float* values, size_t count, float least) {
    return std::all_of(values, values + count,
                       [&](float x) { return std::isfinite(x) && x >= least; });
}

}  // namespace

void ListIndex::EncodeHead() {
    head_.clear();
    ByteWriter writer(&head_);
    writer.U32(kListHeadVersion);
    writer.U32(static_cast<uint32_t>(count_));
    writer.U32(static_cast<uint32_t>(cell_count()));
    const float scale = space_.scale();
    uint32_t raw = 0;
    std::memcpy(&raw, &scale, sizeof raw);
    writer.U32(raw);
    outsiders_.Write(&writer);
    curve_.Write(&writer);
    writer.U8(codes_ ? 1 : 0);
    if (codes_) {
        codes_->Write(&writer);
    }
    // In an array of its own, which versions that do not know it pass over.
    range_head_.clear();
    ByteWriter range_writer(&range_head_);
    range_curve_.Write(&range_writer);
}

IndexArrayView ListIndex::Array(ListArray array) const {
    const uint64_t inside = inside_count();
    switch (array) {
        case ListArray::kHead: return {head_.data(), head_.size(), 1, 1};
        case ListArray::kCentres:
            return {centres_.data(), cell_count(), static_cast<uint32_t>(dim_ * sizeof(float)), 4};
        case ListArray::kCells: return {cells_.data(), cell_count(), kCellBytes, 4};
        case ListArray::kRowNumbers: return {numbers_.data(), inside, 4, 4};
        case ListArray::kRows:
            return {rows_.data(), inside, static_cast<uint32_t>(row_bytes()),
                    codes_
                        ? 1
                        : static_cast<uint32_t>(std::max<size_t>(1, VectorBytes(element_, 8) / 8))};
        case ListArray::kNorms:
            return norms_.bytes() > 0 ? IndexArrayView{norms_.data(), inside, 4, 4}
                                      : IndexArrayView{};
        case ListArray::kRange: return {range_head_.data(), range_head_.size(), 1, 1};
    }
    return {};
}

uint64_t ListIndex::memory_bytes() const {
    return centres_.bytes() + cells_.bytes() + numbers_.bytes() + rows_.bytes() + norms_.bytes() +
           begins_.size() * sizeof(begins_[0]) + radii_.size() * sizeof(radii_[0]) +
           centre_codes_.size() + centre_norms_.size() * sizeof(float) + outsiders_.memory_bytes() +
           head_.size() + range_head_.size();
}

Result<std::unique_ptr<ListIndex>> ListIndex::Load(Element element, Metric metric, size_t dim,
                                                   size_t count, const std::string& head,
                                                   Buffer arrays[kListArrays]) {
    std::unique_ptr<ListIndex> index(new ListIndex());
    index->element_ = element;
    index->metric_ = metric;
    index->dim_ = dim;
    index->count_ = count;
    index->head_ = head;
    ByteReader reader(head);
    if (reader.U32() != kListHeadVersion) {
        return BadIndex("of an unknown version");
    }
    if (reader.U32() != count) {
        return BadIndex("made for another number of vectors");
    }
    const size_t cells = reader.U32();
    const uint32_t raw = reader.U32();
    float scale = 0;
    std::memcpy(&scale, &raw, sizeof scale);
    if (!reader.ok() || !std::isnormal(scale) || scale < 0) {
        return BadIndex("its head is damaged");
    }
    index->space_ = CellSpace(element, metric, dim, scale);
    std::vector<bool> outside;
    QUERN_ASSIGN(index->outsiders_, Outsiders::Read(&reader, count, &outside));
    QUERN_ASSIGN(index->curve_, ProbeCurve::Read(&reader));
    const uint8_t with_codes = reader.U8();
    if (with_codes > 1 || (with_codes == 1 && element == Element::kBit)) {
        return BadIndex("codes of an unknown kind");
    }
    if (with_codes == 1) {
        QUERN_ASSIGN(std::unique_ptr<Codes> codes, Codes::Read(&reader, metric, dim));
        if (codes->kind() != CodeChoice::k8Bit && codes->kind() != CodeChoice::k4Bit) {
            return BadIndex("codes of a kind that lists do not have");
        }
        index->codes_.reset(static_cast<ScalarCodes*>(codes.release()));
    }
    if (!reader.AtEnd()) {
        return BadIndex("its head has the wrong length");
    }
    QUERN_TRY(ReadLaterPart(arrays[static_cast<size_t>(ListArray::kRange)], "its range curve",
                            &index->range_head_, &index->range_curve_));
    const auto take = [&](ListArray array) -> Buffer {
        return std::move(arrays[static_cast<size_t>(array)]);
    };
    index->centres_ = take(ListArray::kCentres);
    index->cells_ = take(ListArray::kCells);
    index->numbers_ = take(ListArray::kRowNumbers);
    index->rows_ = take(ListArray::kRows);
    index->norms_ = take(ListArray::kNorms);
    const size_t inside = count - index->outsiders_.count();
    if (index->cells_.bytes() != cells * kCellBytes ||
        index->centres_.bytes() != cells * dim * sizeof(float) ||
        index->numbers_.bytes() != inside * sizeof(uint32_t)) {
        return BadIndex("an array has the wrong size");
    }
    const bool norms = index->codes_ ? metric == Metric::kL2 : metric == Metric::kCosine;
    if (index->norms_.bytes() != (norms ? inside * sizeof(float) : 0) ||
        (index->rows_.bytes() != 0 && index->rows_.bytes() != inside * index->row_bytes())) {
        return BadIndex("its rows have the wrong size");
    }
    index->begins_.assign(1, 0);
    uint64_t place = 0;
    for (size_t cell = 0; cell < cells; cell++) {
        uint32_t size = 0;
        float radius = 0;
        std::memcpy(&size, index->cells_.data() + cell * kCellBytes, sizeof size);
        std::memcpy(&radius, index->cells_.data() + cell * kCellBytes + 4, sizeof radius);
        place += size;
        if (place > inside || !AllAtLeast(&radius, 1, 0.0f)) {
            return BadIndex("its cells are damaged");
        }
        index->begins_.push_back(static_cast<uint32_t>(place));
        index->radii_.push_back(radius);
    }
    if (place != inside) {
        return BadIndex("its cells do not hold all vectors");
    }
    // Each vector is inside once or outside.
    for (size_t i = 0; i < inside; i++) {
        const uint32_t number = index->NumberAt(i);
        if (number >= count || outside[number]) {
            return BadIndex("a vector is there twice, or not at all");
        }
        outside[number] = true;
    }
    if (!AllAtLeast(reinterpret_cast<const float*>(index->centres_.data()), cells * dim,
                    -std::numeric_limits<float>::max()) ||
        !AllAtLeast(reinterpret_cast<const float*>(index->norms_.data()),
                    index->norms_.bytes() / sizeof(float), 0.0f)) {
        return BadIndex("a centre or a length is not a number");
    }
    index->EncodeCentres();
    return index;
}

}  // namespace quern::dense
