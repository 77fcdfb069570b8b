// Whether the columns of attributes that a segment has in the file say what its rows say: for
// verify, which reads every row anyway. Confined.
#pragma once

#include <string>
#include <vector>

#include "engine/db/attr_parts.h"
#include "storage/record_table.h"

namespace quern {

class ColumnCheck {
public:
    // Columns that are damaged are told at once; those that need more than so many bytes are passed
    // over. RowIds of the segment must have been loaded.
    static Result<ColumnCheck> Start(storage::Connection* connection, const CollectionView& view,
                                     size_t segment, uint64_t bytes_max, Work* work);
    // row: of the record, with all attributes.
    void Compare(uint32_t record, const storage::RecordRow& row);
    // Names of columns that are wrong, each once.
    const std::vector<std::string>& wrong() const { return wrong_; }

private:
    struct Column {
        int number = 0;
        std::string name;
        std::unique_ptr<filter::AttrColumn> values;  // NULL: it has been told
    };
    void Tell(Column* column);

    std::vector<Column> columns_;
    std::vector<bool> changed_;
    std::vector<std::string> wrong_;
};

}  // namespace quern
