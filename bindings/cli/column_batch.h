// ColumnBatch: rows gathered as columns until they go to the database in one call.
//
// The library borrows columns, so their memory lives here: each column is a few arrays, with texts
// packed behind one another. Cleared and filled again, it keeps its memory, so an import of any
// length runs in the space of one batch. A row is checked whole (StagedRow) before it is added: a
// bad row leaves no trace. Confined to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema_text.h"
#include "sparse_text.h"

namespace quern::shell {

// One row on its way into the batch: values in the batch's column order, converted to the columns'
// types.
struct StagedRow {
    int64_t key_int = 0;
    std::string key_text;
    std::vector<Value> attrs;               // kNull: null
    std::vector<std::vector<float>> dense;  // empty: absent
    std::vector<SparseEntries> sparse;
};

class ColumnBatch {
public:
    // The columns that will be set; others are left to the library.
    explicit ColumnBatch(CollectionColumns columns);

    const CollectionColumns& columns() const { return columns_; }
    size_t rows() const { return rows_; }
    size_t bytes() const { return bytes_; }
    void Add(const StagedRow& row);
    void Clear();
    // Gives the columns to a batch of rows() records; valid until the next Add or Clear.
    void Bind(quern_batch* batch);

private:
    struct Texts {
        std::string bytes;  // each text with a NUL behind it
        std::vector<size_t> starts;
        std::vector<size_t> sizes;
        std::vector<const char*> pointers;
        std::vector<const void*> blobs;

        void Add(std::string_view text);
        void Clear();
        void Point();
    };
    struct Attr {
        std::vector<uint8_t> valid;
        std::vector<int64_t> ints;
        std::vector<double> reals;
        std::vector<uint8_t> bools;
        Texts texts;
        std::vector<size_t> tag_offsets;
    };
    struct Dense {
        std::vector<uint8_t> valid;
        std::vector<float> matrix;
    };
    struct Sparse {
        std::vector<uint8_t> valid;
        std::vector<size_t> offsets;
        std::vector<uint32_t> dims;
        std::vector<float> weights;
    };
    void AddAttr(ColumnType type, const Value& value, Attr* attr);
    void BindAttr(quern_batch* batch, const AttrColumn& column, Attr* attr);

    CollectionColumns columns_;
    size_t rows_ = 0;
    size_t bytes_ = 0;
    std::vector<int64_t> keys_int_;
    Texts keys_text_;
    std::vector<Attr> attrs_;
    std::vector<Dense> dense_;
    std::vector<Sparse> sparse_;
};

}  // namespace quern::shell
