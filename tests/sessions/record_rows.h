// Records of the model on their way into the database and out of it.
#pragma once

#include <quern.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/sessions/model_record.h"

namespace sessions {

// How indexes of dense fields are made, in a world.
struct IndexOptions {
    std::string near, along, round;  // options of quern_schema_dense
};
void CreateDocs(quern_db* db, const IndexOptions& indexes);

// Columns of a record, as bits of a mask.
inline constexpr unsigned kColumns = 7 + kDenseFields + kSparseFields + 1;
inline constexpr unsigned kAllColumns = (1u << kColumns) - 1;
// All of them, in the order in which TakeRecord wants them.
extern const char* const kColumnNames;

// A batch and the arrays that it borrows. Only the columns of the mask are set.
class RecordBatch {
public:
    RecordBatch(quern_db* db, const std::vector<std::pair<int64_t, Record>>& rows, unsigned mask);
    ~RecordBatch() { quern_batch_free(batch_); }
    RecordBatch(const RecordBatch&) = delete;
    RecordBatch& operator=(const RecordBatch&) = delete;
    quern_batch* get() { return batch_; }

private:
    struct Arrays;
    quern_batch* batch_;
    std::shared_ptr<Arrays> arrays_;
};

// What an update of these columns makes of a record.
void SetColumns(const Record& from, unsigned mask, Record* record);

// A row of a result with the columns kColumnNames.
Record TakeRecord(const quern_result* rows, size_t row);

}  // namespace sessions
