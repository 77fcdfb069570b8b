// The log: records and deletions in the order of their commits, one row each, until they are
// sealed. An append touches one page only, so a small commit costs one page of write-ahead log and
// one sync. Each process keeps the log's content in memory (engine/db/log_mirror.h); nothing here
// is read by key.
#pragma once

#include <functional>
#include <vector>

#include "storage/catalog.h"
#include "storage/connection.h"

namespace quern::storage {

// Numbers reach the file: do not change them.
enum class LogKind : int64_t {
    kPut = 1,     // a record; `dead` is the row id of the version that it replaces, or 0
    kDelete = 2,  // `dead` is the row id of the deleted record
    kAmend = 3,   // attributes of the sealed record `dead` were changed in place
};

struct LogEntry {
    int64_t rid = 0;
    LogKind kind = LogKind::kPut;
    int64_t dead = 0;
    uint64_t hash = 0;        // put only
    Key key;                  // put only
    std::vector<Cell> cells;  // put only: one per attribute of the schema; borrowed
    BytesView vectors;        // put only: see EncodeVectors; borrowed
};

class RecordLog {
public:
    RecordLog(Connection* connection, const CollectionInfo& info);
    // `last` is the state after the commit when this is the commit's last entry, else NULL.
    Status Append(const LogEntry& entry, const CollectionState* last);
    // Entries with rid > after, ascending.
    Status Read(int64_t after, const std::function<Status(const LogEntry&)>& visit);
    // One entry. False when there is none with this row id.
    Result<bool> ReadOne(int64_t rid, const std::function<Status(const LogEntry&)>& visit);
    // Attributes of one put. False when there is no such entry.
    Result<bool> ReadCells(int64_t rid, const std::vector<size_t>& attrs,
                           const std::function<Status(const std::vector<Cell>&)>& visit);
    Status Clear();

private:
    Result<int64_t> ReadWhere(const char* where, int64_t bound,
                              const std::function<Status(const LogEntry&)>& visit);
    Connection* connection_;
    const CollectionInfo& info_;
    const std::string& table_;
};

// The field values of one record as one blob: for each present field, by field number: varint field
// id, varint bytes, elements of a vector, bytes of a sparse value (sparse_value.h), or a text.
struct VectorRef {
    size_t field = 0;  // number in the schema
    BytesView bytes;
};
void EncodeVectors(const Schema& schema, const std::vector<VectorRef>& vectors, Bytes* blob);
// kCorrupt when the blob is not one that EncodeVectors writes for this schema.
Status DecodeVectors(const Schema& schema, BytesView blob, std::vector<VectorRef>* vectors);

}  // namespace quern::storage
