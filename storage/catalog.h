// The catalog: which collections there are, their schemas, and the state of each. FORMAT.md
// describes the tables.
//
// All functions work on a connection inside a transaction that the caller has begun.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/schema.h"
#include "storage/connection.h"

namespace quern::storage {

// SQL texts of the statements that every commit runs: made once, because making them costs as much
// as running them.
struct CollectionSql {
    std::string record_table;  // quoted
    std::string
        insert_record;  // row id, hash, key, attributes; nothing happens when the key is there
    std::string find_record;  // row id and hash by key
    std::string log_table;
    std::string append_log;
    std::string read_log;  // without WHERE
};

// How the legs of a query are fused, kept under a name. What the text says is the engine's.
struct KeptFusion {
    uint32_t id = 0;  // among those of columns
    std::string name;
    std::string text;
};

struct CollectionInfo {
    int64_t id = 0;
    std::string name;
    Schema schema;
    CollectionSql sql;
    std::vector<KeptFusion> fusions;                            // by id
    const KeptFusion* FindFusion(std::string_view name) const;  // NULL when there is none
};

struct Catalog {
    int64_t epoch = 0;  // grows with every change of a schema or of the list of collections
    std::vector<std::shared_ptr<const CollectionInfo>> collections;  // by id
    std::shared_ptr<const CollectionInfo> Find(
        std::string_view name) const;  // NULL when there is none
};

// The counters of one collection. Those of quern_state hold what was true when the log was last
// emptied; the last entry of the log overrides them (that is how a small commit touches one page
// only).
struct CollectionState {
    int64_t epoch = 0;       // grows when the log is emptied, segments change, or the schema does
    int64_t generation = 0;  // number of the last commit that changed the collection
    int64_t records = 0;     // live records
    uint64_t digest = 0;     // sum of the hashes of the live records, mod 2^64
    uint64_t layout = 0;     // sum of the hashes of the catalog rows of its live segments and parts
    int64_t next_rid = 1;    // above every row id ever given out
    int64_t log_last = 0;    // row id of the last log entry; 0: the log is empty
};

// Creates the fixed tables in an empty database.
Status CreateCatalog(Connection* connection);
// Compares every object of the schema with what this version would have written: a file with
// anything else (triggers, views, other tables, other columns) is refused as corrupt.
Status CheckSchema(Connection* connection, const Catalog& catalog);

// No counter of the file may go beyond this: nobody gets there by writing, and everything below can
// be added to without a look at overflow.
inline constexpr int64_t kCounterMax = int64_t{1} << 62;
inline constexpr int kChunkIdBits = 20;  // a chunk's id is part id << 20 | number: 256 GiB a part
inline constexpr int64_t kPartIdMax = (INT64_MAX >> kChunkIdBits) - 1;
// kLimit when a counter that is about to be written, or an id just taken, is not in [1, most].
Status CheckCounter(const char* what, int64_t value, int64_t most = kCounterMax);

Result<int64_t> ReadCatalogEpoch(Connection* connection);
Result<std::shared_ptr<Catalog>> ReadCatalog(Connection* connection);
Result<CollectionState> ReadState(Connection* connection, int64_t collection);
// Writes the row of quern_state (everything but log_last). kLimit when a counter is used up.
Status WriteState(Connection* connection, int64_t collection, const CollectionState& state);
// The highest generation of the whole database.
Result<int64_t> ReadGeneration(Connection* connection, const Catalog& catalog);

// DDL: each bumps the catalog's epoch and sets the generation of its row. The log of the collection
// must be empty for all but create and rename (its table is made anew).
Result<int64_t> CreateCollection(Connection* connection, const std::string& name,
                                 const Schema& schema, int64_t generation);
Status DropCollection(Connection* connection, const CollectionInfo& info, int64_t generation);
Status RenameCollection(Connection* connection, const CollectionInfo& info, const std::string& name,
                        int64_t generation);
Status AddAttr(Connection* connection, const CollectionInfo& info, const AttrDef& attr,
               int64_t generation);
Status AddDense(Connection* connection, const CollectionInfo& info, const DenseDef& field,
                int64_t generation);
Status AddSparse(Connection* connection, const CollectionInfo& info, const SparseDef& field,
                 int64_t generation);
Status AddText(Connection* connection, const CollectionInfo& info, const TextDef& field,
               int64_t generation);
Status DropAttr(Connection* connection, const CollectionInfo& info, const AttrDef& attr,
                int64_t generation);
// Of an attribute or field: wishes that change nothing that is stored. The log may be full.
Status SetOptions(Connection* connection, const CollectionInfo& info, uint32_t column,
                  const std::string& options, int64_t generation);
// Keeps a fusion under a name, in place of one that has it. The log may be full. kLimit: there are
// kFusionsMax, or the text is longer than kColumnOptionBytesMax.
Status KeepFusion(Connection* connection, const CollectionInfo& info, const std::string& name,
                  const std::string& text, int64_t generation);
Status DropFusion(Connection* connection, const CollectionInfo& info, const KeptFusion& fusion,
                  int64_t generation);
inline constexpr size_t kFusionsMax = 256;  // the catalog is read whole
// What fields have beside their records has changed: whoever keeps any of it reads it anew.
Status NoteTableChange(Connection* connection, int64_t generation);
// field: its number in the schema.
Status DropField(Connection* connection, const CollectionInfo& info, size_t field,
                 int64_t generation);

// SQL of the tables of a collection, exactly as they are created.
std::string RecordTableSql(const std::string& name, const Schema& schema);
std::string LogTableName(int64_t collection);
std::string LogTableSql(int64_t collection, const Schema& schema);

inline constexpr int64_t kApplicationId = 0x5155524E;  // "QURN"
inline constexpr int64_t kFormatVersion = 1;
// Incompatible feature bits that this version knows. Bit 0 stays free: tests set it to make a file
// of an unknown version.
inline constexpr int64_t kSparseFeature = 2;  // there are, or were, sparse fields
inline constexpr int64_t kTextFeature = 4;    // likewise, text fields
inline constexpr int64_t kFusionFeature = 8;  // likewise, kept fusions
inline constexpr int64_t kTableFeature = 16;  // likewise, tables of fields
inline constexpr int64_t kIncompatibleFeatures =
    kSparseFeature | kTextFeature | kFusionFeature | kTableFeature;
inline constexpr int kPageBytes = 16384;
inline constexpr int kReservedBytes = 64;

}  // namespace quern::storage
