#include "engine/db/text_part.h"

#include "engine/db/text_column.h"

namespace quern {

namespace {

// Options of a head would make it longer; more than this is not one.
constexpr uint64_t kTextHeadBytesMax = 4096;

Status BadTextPart(const char* what) {
    return Status::Error(Code::kCorrupt, "text index: %s", what);
}

}  // namespace

Result<std::unique_ptr<TextGatherer>> TextGatherer::Start(const TextDef& def) {
    QUERN_ASSIGN(const sparse::TextOptions options, sparse::ParseTextOptions(def.options));
    QUERN_ASSIGN(auto analyzer, OpenAnalyzer(def));
    return std::unique_ptr<TextGatherer>(new TextGatherer(options.positions, std::move(analyzer)));
}

Status TextGatherer::Add(BytesView text) {
    terms_.clear();
    if (!text.empty()) {
        QUERN_TRY(analyzer_->Analyze(text, &terms_));
    }
    return builder_.Add(terms_);
}

uint64_t TextPartBytes(const storage::SegmentInfo& segment, uint32_t field) {
    uint64_t bytes = 0;
    for (size_t number = 0; number < sparse::kTextArrays; number++) {
        const storage::PartInfo* part = segment.Find(TextPartKind(number), field);
        bytes += part != nullptr ? part->raw_bytes() : 0;
    }
    return bytes;
}

Result<std::unique_ptr<sparse::TextIndex>> LoadTextPart(storage::Connection* connection,
                                                        const storage::SegmentInfo& segment,
                                                        const TextDef& def,
                                                        const TextColumn& column, int threads,
                                                        Work* work) {
    if (segment.Find(storage::PartKind::kTextHead, def.id) == nullptr) {
        return std::unique_ptr<sparse::TextIndex>();
    }
    Bytes arrays[sparse::kTextArrays];
    for (size_t number = 0; number < sparse::kTextArrays; number++) {
        const storage::PartInfo* part = segment.Find(TextPartKind(number), def.id);
        if (part == nullptr) {
            continue;  // empty, or lost: then the others do not fit
        }
        if (part->item_bytes != 1 || (number == 0 && part->items > kTextHeadBytesMax)) {
            return BadTextPart("a part of the wrong size");
        }
        arrays[number].resize(static_cast<size_t>(part->raw_bytes()));
        QUERN_TRY(storage::ReadChunks(connection, *part, 0, part->chunks.size(), threads,
                                      arrays[number].data()));
        QUERN_TRY(work->Check("load", number, sparse::kTextArrays));
    }
    QUERN_ASSIGN(sparse::TextParts parts, sparse::TextParts::Decode(arrays[0]));
    for (size_t number = 1; number < sparse::kTextArrays; number++) {
        *parts.Array(number) = std::move(arrays[number]);
    }
    if (parts.records != segment.items) {
        return BadTextPart("made for another number of records");
    }
    QUERN_ASSIGN(const sparse::TextOptions options, sparse::ParseTextOptions(def.options));
    if (parts.has_positions != options.positions) {
        return BadTextPart("made with other options");
    }
    QUERN_ASSIGN(std::unique_ptr<sparse::TextIndex> index,
                 sparse::TextIndex::Load(std::move(parts), work));
    for (uint32_t record = 0; record < index->records(); record++) {
        // A term has a byte at least.
        if (index->lengths()[record] > column.Length(record)) {
            return BadTextPart("made for other texts");
        }
    }
    return index;
}

}  // namespace quern
