// Sealed records: the SQL table that carries a collection's name. One row per live sealed record:
// row id, hash, key, attributes. Vectors are in segments (chunk_store.h); records not yet sealed
// are in the log (record_log.h).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "storage/catalog.h"
#include "storage/connection.h"

namespace quern::storage {

struct RecordRef {
    int64_t rid = 0;
    uint64_t hash = 0;
};

// A row read back. Cells are borrowed until the next row.
struct RecordRow {
    int64_t rid = 0;
    uint64_t hash = 0;
    Key key;
    std::vector<Cell> cells;  // as many as asked for
};

class RecordTable {
public:
    RecordTable(Connection* connection, const CollectionInfo& info);

    // False when the key is there already (nothing changed then). cells: one per attribute of the
    // schema.
    Result<bool> Insert(int64_t rid, uint64_t hash, const Key& key, const std::vector<Cell>& cells);
    Result<std::optional<RecordRef>> Find(const Key& key);
    Status Remove(int64_t rid);
    // Sets some attributes (by index in the schema) and the hash.
    Status Update(int64_t rid, uint64_t hash, const std::vector<size_t>& attrs,
                  const std::vector<Cell>& cells);

    // Readers of chosen attributes. visit returns false to stop.
    using Visit = std::function<Result<bool>(const RecordRow&)>;
    Result<bool> ReadByRid(int64_t rid, const std::vector<size_t>& attrs,
                           const Visit& visit);  // false: no such row
    Result<bool> ReadByKey(const Key& key, const std::vector<size_t>& attrs, const Visit& visit);
    Result<std::optional<Key>> KeyOf(int64_t rid);
    // In key order, behind `after` if given.
    Status Scan(const std::optional<Key>& after, const std::vector<size_t>& attrs,
                const Visit& visit);
    // In row id order, behind row id `after`.
    Status ScanByRid(int64_t after, const std::vector<size_t>& attrs, const Visit& visit);

private:
    std::string Columns(const std::vector<size_t>& attrs) const;
    Result<bool> One(const std::string& where, const Cell& bound, const std::vector<size_t>& attrs,
                     const Visit& visit);
    Status Many(Statement* rows, const std::vector<size_t>& attrs, const Visit& visit);
    void FillRow(Statement* statement, size_t attr_count, RecordRow* row) const;

    Connection* connection_;
    const CollectionInfo& info_;
    const std::string& table_;
    // Kept between rows: looking them up costs as much as a row.
    std::optional<Statement> insert_;
    std::optional<Statement> key_of_;
};

}  // namespace quern::storage
