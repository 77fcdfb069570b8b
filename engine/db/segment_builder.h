// Writes a segment, record by record in key order, through the connection of whatever write
// transaction is open. Confined; memory: one chunk a part, and about five bytes a record.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/db/held_element.h"
#include "storage/base/schema.h"
#include "storage/chunk_store.h"

namespace quern {

class SegmentBuilder {
public:
    static Result<SegmentBuilder> Create(storage::Connection* connection, int64_t collection,
                                         const Schema& schema, int64_t generation,
                                         const std::string& owner, storage::Effort effort);
    // At most so many records will come. Vectors of fields that ask for an index then get chunks
    // that suit looks at single ones. Before the first Add.
    void ShapeForLooks(uint64_t expected_records) { expected_records_ = expected_records; }
    // values: one per field of the schema; no data where the record has none.
    Status Add(int64_t rid, const std::vector<BytesView>& values);
    // Writes what is pending and the directories. The segment is still invisible.
    Status Finish();
    // Makes it live. `mark` is remembered with it: "best" when it was written with all effort.
    Status Publish(const char* mark);

    int64_t id() const { return id_; }
    uint64_t items() const { return items_; }
    uint64_t bytes_written() const;

private:
    struct SparseParts {
        storage::PartWriter lengths;
        storage::PartWriter gaps;
        std::optional<storage::PartWriter> weights;  // a binary field has none
    };
    struct TextParts {
        storage::PartWriter lengths;
        storage::PartWriter bytes;
    };
    struct Field {
        std::optional<SparseParts> sparse;
        std::optional<TextParts> text;
        std::optional<storage::PartWriter> writer;  // dense
        Bytes present;                              // one bit per record
        uint64_t count = 0;
        std::vector<float> inverse_norms;
        HeldChoice held;
    };
    Status AddVector(const DenseDef& def, BytesView vector, Field* field);
    Status AddSparse(const SparseDef& def, BytesView value, Field* field);
    Status AddText(const TextDef& def, BytesView value, Field* field);
    storage::Connection* connection_ = nullptr;
    const Schema* schema_ = nullptr;
    int64_t id_ = 0;
    int64_t generation_ = 0;
    storage::Effort effort_ = storage::Effort::kBest;
    uint64_t items_ = 0;
    uint64_t expected_records_ = 0;  // 0: chunks as they come
    std::optional<storage::PartWriter> row_ids_;
    std::vector<Field> fields_;
};

// Writes the derived norms of a field.
Status WriteNorms(storage::Connection* connection, int64_t segment, uint32_t field,
                  const std::vector<float>& norms, int64_t generation);

}  // namespace quern
