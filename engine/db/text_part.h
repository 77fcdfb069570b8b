// The index of a text field in one segment: made from its texts, and kept as parts of the segment.
// What is in the parts depends on the segment's texts alone (engine/sparse/text_index.h), so they
// hold for as long as the segment does, whatever becomes of other records.
#pragma once

#include <memory>

#include "engine/sparse/text_index.h"
#include "storage/base/schema.h"
#include "storage/chunk_store.h"

namespace quern {

class TextColumn;

inline storage::PartKind TextPartKind(size_t number) {
    return static_cast<storage::PartKind>(static_cast<int64_t>(storage::PartKind::kTextHead) +
                                          static_cast<int64_t>(number));
}

// Texts in the order of their records, on the way into an index. Confined.
class TextGatherer {
public:
    static Result<std::unique_ptr<TextGatherer>> Start(const TextDef& def);
    // Empty, too, for a record without a text. kLimit when it is more than an index holds.
    Status Add(BytesView text);
    // The gatherer is used up.
    Result<sparse::TextParts> Finish(Work* work) { return builder_.Finish(work); }

private:
    TextGatherer(bool positions, std::unique_ptr<sparse::TextAnalyzer> analyzer)
        : builder_(positions), analyzer_(std::move(analyzer)) {}
    sparse::TextIndexBuilder builder_;
    std::unique_ptr<sparse::TextAnalyzer> analyzer_;
    std::vector<sparse::TextTerm> terms_;
};

// What the parts of a field's index take; 0: there is none.
uint64_t TextPartBytes(const storage::SegmentInfo& segment, uint32_t field);
// NULL when the segment has none. kCorrupt when parts are missing, damaged, or not of this column.
Result<std::unique_ptr<sparse::TextIndex>> LoadTextPart(storage::Connection* connection,
                                                        const storage::SegmentInfo& segment,
                                                        const TextDef& def,
                                                        const TextColumn& column, int threads,
                                                        Work* work);

}  // namespace quern
