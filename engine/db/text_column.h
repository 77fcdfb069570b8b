// The texts of a text field in one segment, read from the file one by one; and the indexes that
// searches make of them.
//
// A segment's texts never change, nor does what a view shows of the log. So an index is made once
// for each, by the first search that needs it, and kept while the memory budget allows that.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
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

private:
    TextColumn() = default;
    size_t count() const { return offsets_.size() - 1; }

    const storage::PartInfo* bytes_ = nullptr;  // NULL: all texts are empty
    std::vector<uint32_t> records_;             // empty: all records have the field, or none has
    std::vector<uint64_t> offsets_{0};
};

// Indexes by field. Thread-safe: others wait for the one who builds.
class TextIndexCache {
public:
    using Index = std::shared_ptr<const sparse::TextIndex>;
    // text: of record number i; no data when absent.
    Result<Index> Get(const TextDef& def, uint32_t records,
                      const std::function<Result<BytesView>(uint32_t)>& text,
                      const MemoryBudget& budget, Work* work);

private:
    std::mutex mutex_;
    std::map<uint32_t, Index> kept_;
};

}  // namespace quern
