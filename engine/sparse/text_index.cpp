#include "engine/sparse/text_index.h"

namespace quern::sparse {
namespace {

Status BadHead(const char* what) {
    return Status::Error(Code::kCorrupt, "text index: %s", what);
}

constexpr uint32_t kTextHeadVersion = 1;

}  // namespace

Bytes TextParts::Head() const {
    Bytes head;
    ByteWriter writer(&head);
    writer.U32(kTextHeadVersion);
    writer.U32(records);
    writer.U32(terms);
    head += has_positions ? '\1' : '\0';
    return head;
}

Result<TextParts> TextParts::Decode(BytesView head) {
    ByteReader reader(head);
    TextParts parts;
    const uint32_t version = reader.U32();
    parts.records = reader.U32();
    parts.terms = reader.U32();
    const uint8_t positions = reader.U8();
    parts.has_positions = positions == 1;
    if (!reader.AtEnd() || version != kTextHeadVersion || positions > 1) {
        return BadHead("its head is of another layout");
    }
    return parts;
}

Result<std::unique_ptr<TextIndex>> TextIndex::Load(TextParts parts, Work* work) {
    std::unique_ptr<TextIndex> index(new TextIndex);
    QUERN_ASSIGN(index->dictionary_,
                 TermDictionary::Load(std::move(parts.dictionary), parts.terms));
    index->has_positions_ = parts.has_positions;
    QUERN_TRY(index->ReadLengths(parts));
    QUERN_TRY(index->ReadPostings(parts, work));
    index->positions_ = std::move(parts.positions);
    return index;
}

Status TextIndex::ReadLengths(const TextParts& parts) {
    // A length takes a byte at least: memory stays near what the file holds.
    if (parts.records > parts.lengths.size() || parts.records > kTextRowsMax) {
        return BadHead("more records than lengths");
    }
    lengths_.reserve(parts.records);
    ByteReader reader(parts.lengths);
    for (uint32_t i = 0; i < parts.records; i++) {
        const uint64_t length = reader.Varint();
        if (length > kTextTokensMax) {
            return BadHead("a text is too long");
        }
        lengths_.push_back(static_cast<uint32_t>(length));
        length_ += length;
    }
    return reader.AtEnd() ? Status() : BadHead("lengths do not end where they should");
}

Status TextIndex::ReadPostings(const TextParts& parts, Work* work) {
    if (parts.postings.size() / 2 >= UINT32_MAX) {
        return BadHead("too many postings");
    }
    ByteReader reader(parts.postings);
    ByteReader positions(parts.positions);
    std::vector<uint32_t> left = lengths_;  // occurrences that no posting has said yet
    for (uint32_t term = 0; term < parts.terms; term++) {
        if (term % 1024 == 0) {
            QUERN_TRY(work->Check("text index", term, parts.terms));
        }
        lists_.BeginTerm();
        const uint64_t count = reader.Varint();
        if (count == 0 || count > records()) {
            return BadHead("a term with too few or too many records");
        }
        uint64_t row = 0;
        for (uint64_t i = 0; i < count; i++) {
            const uint64_t distance = reader.Varint();
            const uint64_t occurrences = reader.Varint();
            if (!reader.ok() || distance >= records() || (i > 0 && distance == 0)) {
                return BadHead("records of a term are not in order");
            }
            row += distance;
            if (row >= records() || occurrences == 0 || occurrences > left[row]) {
                return BadHead("a record has not as many words as its terms say");
            }
            left[row] -= static_cast<uint32_t>(occurrences);
            lists_.Append({static_cast<uint32_t>(row), static_cast<uint32_t>(occurrences)},
                          lengths_);
        }
        if (has_positions_) {
            term_positions_.push_back(parts.positions.size() - positions.left());
            QUERN_TRY(ReadPositions(static_cast<uint32_t>(lists_.postings() - count), &positions));
        }
    }
    lists_.Finish();
    for (const uint32_t rest : left) {
        if (rest != 0) {
            return BadHead("a record has more words than its terms say");
        }
    }
    return reader.AtEnd() && positions.AtEnd() ? Status() : BadHead("bytes after the last term");
}

// Proves the positions of the postings from `first` on.
Status TextIndex::ReadPositions(uint32_t first, ByteReader* reader) const {
    for (uint32_t p = first; p < lists_.postings(); p++) {
        uint64_t position = 0;
        const uint32_t count = lists_.Occurrences(p);
        for (uint32_t i = 0; i < count; i++) {
            const uint64_t distance = reader->Varint();
            position += distance;
            if (!reader->ok() || distance >= kTextTokensMax || position >= kTextTokensMax ||
                (i > 0 && distance == 0)) {
                return BadHead("positions are not in order");
            }
        }
    }
    return {};
}

TextStatistics TextIndex::Statistics(const uint64_t* live) const {
    TextStatistics out;
    if (live == nullptr) {
        return {records(), length_};
    }
    for (uint32_t i = 0; i < records(); i++) {
        if ((live[i / 64] >> (i % 64) & 1) != 0) {
            out.records++;
            out.length += lengths_[i];
        }
    }
    return out;
}

std::vector<std::vector<uint32_t>> TextIndex::Positions(uint32_t term) const {
    std::vector<std::vector<uint32_t>> out;
    const uint32_t first = lists_.term_runs[term];
    if (!has_positions_) {
        return out;
    }
    ByteReader reader(BytesView(positions_).substr(term_positions_[term]));
    const uint32_t end = lists_.run_begins[lists_.term_runs[term + 1]];
    for (uint32_t p = lists_.run_begins[first]; p < end; p++) {
        std::vector<uint32_t>& positions = out.emplace_back();
        uint32_t position = 0;
        for (uint32_t i = lists_.Occurrences(p); i > 0; i--) {
            position += static_cast<uint32_t>(reader.Varint());
            positions.push_back(position);
        }
    }
    return out;
}

}  // namespace quern::sparse
