// The texts of a text field in one segment, read from the file one by one; and where searches keep
// the indexes of texts.
//
// A segment's texts never change, nor do those of a block of the log. So an index is loaded or made
// once, by the first search that needs it, and kept while the memory budget allows that.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/sparse/text_index.h"
#include "storage/base/schema.h"
#include "storage/base/work.h"
#include "storage/chunk_store.h"

namespace quern {

class ChunkCache;
struct MemoryBudget;

// kOption, kLimit: what is wrong with the options of a field that is about to be made.
Status CheckTextField(const TextDef& def);
Result<std::unique_ptr<sparse::TextAnalyzer>> OpenAnalyzer(const TextDef& def);
// kMalformed, kLimit: why a text cannot be a value of a field.
Status CheckText(BytesView text, const TextDef& def);

// Thread rule: immutable.
class TextColumn {
public:
    // Reads lengths and presence. kCorrupt when parts do not fit each other.
    static Result<std::unique_ptr<TextColumn>> Open(storage::Connection* connection,
                                                    const storage::SegmentInfo& segment,
                                                    const TextDef& def);
    // The text of a record; no data when absent. Valid until the cache is used again.
    Result<BytesView> Value(storage::Connection* connection, uint32_t record,
                            ChunkCache* cache) const;
    // Its bytes; 0 when absent.
    uint64_t Length(uint32_t record) const {
        const std::optional<size_t> number = NumberOf(record);
        return number ? offsets_[*number + 1] - offsets_[*number] : 0;
    }

private:
    TextColumn() = default;
    // Which of the texts is that of a record.
    std::optional<size_t> NumberOf(uint32_t record) const;
    size_t count() const { return offsets_.size() - 1; }

    const storage::PartInfo* bytes_ = nullptr;  // NULL: all texts are empty
    std::vector<uint32_t> records_;             // empty: all records have the field, or none has
    std::vector<uint64_t> offsets_{0};
};

// Of so many texts; text: number i, no data when absent.
Result<std::unique_ptr<sparse::TextIndex>> MakeTextIndex(
    const TextDef& def, uint32_t records, const std::function<Result<BytesView>(uint32_t)>& text,
    Work* work);

// Indexes by field. Thread-safe: others wait for the one who makes it.
class TextIndexCache {
public:
    using Index = std::shared_ptr<const sparse::TextIndex>;
    using Make = std::function<Result<std::unique_ptr<sparse::TextIndex>>()>;
    // What is kept, else what `make` gives. *kept: whether it is there for the next one. of_log: it
    // is of texts in the log.
    Result<Index> Get(uint32_t field, const MemoryBudget& budget, bool of_log, const Make& make,
                      bool* kept);

private:
    std::mutex mutex_;
    std::map<uint32_t, Index> kept_;
};

}  // namespace quern
