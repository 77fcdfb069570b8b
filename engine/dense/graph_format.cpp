// How a graph index is kept in a file: GraphIndex's Array and Load. FORMAT.md has the bytes.
#include <algorithm>

#include "engine/dense/bad_index.h"
#include "engine/dense/codes/code_training.h"
#include "engine/dense/graph_index.h"
#include "engine/dense/index_head.h"

namespace quern::dense {

void GraphIndex::EncodeHead() {
    head_.clear();
    ByteWriter writer(&head_);
    writer.U32(kGraphHeadVersion);
    writer.U32(links_.count);
    writer.U32(links_.degree);
    writer.U32(links_.upper_degree);
    writer.U32(links_.entry);
    writer.U32(links_.upper_entry);
    writer.U32(static_cast<uint32_t>(links_.upper_words.size()));
    outsiders_.Write(&writer);
    curve_.Write(&writer);
    WriteFloats({longest_square_}, &writer);
    writer.U8(codes_ ? 1 : 0);
    if (codes_) {
        codes_->Write(&writer);
    }
    // In an array of its own, which versions that do not know it pass over.
    range_head_.clear();
    ByteWriter range_writer(&range_head_);
    range_curve_.Write(&range_writer);
    far_head_.clear();
    ByteWriter far_writer(&far_head_);
    far_queries_.Write(&far_writer);
}

IndexArrayView GraphIndex::Array(IndexArray array) const {
    switch (array) {
        case IndexArray::kHead: return {head_.data(), head_.size(), 1, 1};
        case IndexArray::kLinks: return {links_.base.data(), links_.count, links_.degree * 4, 4};
        case IndexArray::kUpper:
            return {reinterpret_cast<const char*>(links_.upper_words.data()),
                    links_.upper_words.size(), 4, 4};
        case IndexArray::kCodes:
            return codes_ ? IndexArrayView{code_rows_.data(), links_.count,
                                           static_cast<uint32_t>(codes_->row_bytes()), 1}
                          : IndexArrayView{};
        case IndexArray::kNorms:
            return squared_norms_.bytes() > 0
                       ? IndexArrayView{squared_norms_.data(), links_.count, 4, 4}
                       : IndexArrayView{};
        case IndexArray::kRange: return {range_head_.data(), range_head_.size(), 1, 1};
        case IndexArray::kErrors: return {errors_.bytes().data(), errors_.bytes().bytes(), 1, 1};
        case IndexArray::kFar: return {far_head_.data(), far_head_.size(), 1, 1};
    }
    return {};
}

Result<std::unique_ptr<GraphIndex>> GraphIndex::Load(Element element, Metric metric, size_t dim,
                                                     size_t count, const std::string& head,
                                                     Buffer arrays[kIndexArrays]) {
    std::unique_ptr<GraphIndex> index(new GraphIndex());
    index->metric_ = metric;
    index->head_ = head;
    GraphLinks& links = index->links_;
    ByteReader reader(head);
    if (reader.U32() != kGraphHeadVersion) {
        return BadIndex("of an unknown version");
    }
    links.count = reader.U32();
    links.degree = reader.U32();
    links.upper_degree = reader.U32();
    links.entry = reader.U32();
    links.upper_entry = reader.U32();
    const uint64_t upper_words = reader.U32();
    if (!reader.ok() || links.count != count) {
        return BadIndex("made for another number of vectors");
    }
    std::vector<bool> outside;
    QUERN_ASSIGN(index->outsiders_, Outsiders::Read(&reader, count, &outside));
    index->linked_ = count - index->outsiders_.count();
    QUERN_ASSIGN(index->curve_, EffortCurve::Read(&reader));
    std::vector<float> longest;
    if (!ReadFloats(&reader, 1, &longest)) {
        return BadIndex("its longest vector is no number");
    }
    index->longest_square_ = longest[0];
    const uint8_t with_codes = reader.U8();
    if (with_codes > 1 || (with_codes == 1 && element == Element::kBit)) {
        return BadIndex("codes of an unknown kind");
    }
    if (with_codes == 1) {
        QUERN_ASSIGN(index->codes_, Codes::Read(&reader, metric, dim));
    }
    if (!reader.AtEnd()) {
        return BadIndex("its head has the wrong length");
    }
    QUERN_TRY(ReadLaterPart(arrays[static_cast<size_t>(IndexArray::kRange)], "its range curve",
                            &index->range_head_, &index->range_curve_));
    QUERN_TRY(ReadLaterPart(arrays[static_cast<size_t>(IndexArray::kFar)],
                            "its bounds of far queries", &index->far_head_, &index->far_queries_));
    const Buffer& upper = arrays[static_cast<size_t>(IndexArray::kUpper)];
    if (upper.bytes() != upper_words * sizeof(uint32_t)) {
        return BadIndex("its upper links have the wrong size");
    }
    const auto* words = reinterpret_cast<const uint32_t*>(upper.data());
    links.upper_words.assign(words, words + upper_words);
    links.base = std::move(arrays[static_cast<size_t>(IndexArray::kLinks)]);
    QUERN_TRY(links.Validate());
    // A walk must not meet what is outside, or it would be there twice.
    for (uint32_t node = 0; node < links.count && index->outsiders_.count() > 0; node++) {
        const uint32_t* list = links.Neighbours(node);
        for (uint32_t i = 0; i < links.degree && list[i] != kNoNode; i++) {
            if (outside[list[i]]) {
                return BadIndex("a link goes to a vector outside");
            }
        }
    }
    links.Pack();
    for (uint32_t number = 0; number < links.upper_offsets.size(); number++) {
        if (outside[links.UpperNode(number)]) {
            return BadIndex("a vector outside is on an upper level");
        }
    }
    if (links.entry != kNoNode && outside[links.entry]) {
        return BadIndex("its entry is outside");
    }
    index->code_rows_ = std::move(arrays[static_cast<size_t>(IndexArray::kCodes)]);
    index->squared_norms_ = std::move(arrays[static_cast<size_t>(IndexArray::kNorms)]);
    const size_t code_bytes = index->codes_ ? count * index->codes_->row_bytes() : 0;
    const size_t norm_bytes =
        index->codes_ && index->codes_->has_norms() ? count * sizeof(float) : 0;
    if (index->code_rows_.bytes() != code_bytes || index->squared_norms_.bytes() != norm_bytes) {
        return BadIndex("its codes have the wrong size");
    }
    if (index->codes_ && !index->codes_->Valid(index->Rows(), count)) {
        return BadIndex("its codes hold what is no number");
    }
    QUERN_ASSIGN(
        index->errors_,
        RowErrors::Read(std::move(arrays[static_cast<size_t>(IndexArray::kErrors)]), count));
    if (index->proves() && !index->codes_) {
        return BadIndex("errors of codes that it has not");
    }
    return index;
}

}  // namespace quern::dense
