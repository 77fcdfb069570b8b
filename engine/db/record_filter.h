// Filters: which records of a collection a condition of a user is true for.
//
// A filter turns a view of a collection into a view of the records that match: the others are to
// its segments and its log what dead records are. So whatever searches a view, by whichever index
// or by a scan, honours the filter as it honours deletions.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/db/collection_view.h"
#include "engine/filter/filter_value.h"
#include "engine/filter/key_set.h"

namespace quern {

class Database;
class Snapshot;

struct KeyChoice {
    std::shared_ptr<const filter::KeySet> set;
    bool except = false;  // those that are not in it
};

// Records for which the text is true, and which all the choices of keys leave.
struct RecordFilter {
    std::string text;  // empty: none
    std::vector<filter::Argument> arguments;
    std::vector<KeyChoice> keys;
    // Of a search with several queries: by number of the query, arguments that are its own; those
    // that are not bound there are those above.
    std::map<size_t, std::vector<filter::Argument>> of_queries;
    bool empty() const { return text.empty() && keys.empty(); }
    // How long SQLite may take for it; 0: as long as it takes. Nothing: far longer than any that
    // ends should.
    std::optional<uint32_t> ms_max;
};

// What tells one filter from all others.
std::string NameOf(const RecordFilter& filter);

// The view of the records that match. kSql, kUnknownField, kType, kInvalid for what is wrong with
// the filter; kLimit when it takes too long.
Result<std::shared_ptr<const CollectionView>> ViewOfMatches(
    Database* database, Snapshot* snapshot, const std::shared_ptr<const CollectionView>& view,
    const RecordFilter& filter, FileReads* reads);

// Of a view that ViewOfMatches gives.
uint64_t MatchCount(const CollectionView& matching);

// How many records match, without a filter how many there are.
Status CountMatches(Database* database, Snapshot* snapshot, const std::string& collection,
                    const RecordFilter& filter, uint64_t* count);

// Keys of the records that match, as the connection sees them, uncommitted changes of its own
// included.
Status KeysOfMatches(Database* database, storage::Connection* connection,
                     const storage::Catalog& catalog, const storage::CollectionInfo& info,
                     const RecordFilter& filter, std::vector<Key>* keys);

}  // namespace quern
