// What is done where SQLite cannot read its own trees any more.
//
// The table of chunks is nearly all of a file, and the only table whose rows can be proved one by
// one: the catalog has a checksum of each. So where its tree is damaged, nothing of the tree is
// believed. In one transaction its root becomes a table without rows, and gets every chunk of the
// live segments that is still in the file, found through the old tree or by a look at all pages
// (chunk_salvage). What then is missing is damage of the parts that it belongs to, as if a chunk
// had been lost: derived ones are made anew by those who know how. Pages of the old tree belong to
// nobody; a VACUUM leaves them out.
//
// An index of another table is made anew by SQLite, from the table, once its root is shown to be
// one without entries.
//
// The writer's connection is shown what makes this possible (page_mending.h): the empty root, and
// in the VACUUM zeros for damaged pages, which it overwrites or cuts off but wants to read before.
// That nobody uses any of these is proved first, by a connection to which nothing is hidden.
#include "storage/file_mender.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include "storage/base/hash.h"
#include "storage/chunk_id.h"
#include "storage/chunk_salvage.h"
#include "storage/chunk_store.h"
#include "storage/page_mending.h"

namespace quern::storage {

namespace {

constexpr uint64_t kChunksPerCheck = 64;

bool Says(std::string_view line, std::string_view words) {
    return line.find(words) != std::string_view::npos;
}

// One chunk that the catalog says is there.
struct Wanted {
    int64_t id = 0;
    ChunkInfo info;
    const PartInfo* part = nullptr;
    size_t number = 0;
    const std::string* collection = nullptr;
};

// All chunks of live segments and of tables of fields, by id.
struct Wishes {
    std::shared_ptr<const Catalog> catalog;
    std::vector<std::vector<SegmentInfo>> segments;  // of each collection
    std::vector<Wanted> chunks;

    static Result<Wishes> Read(Connection* connection) {
        Wishes wishes;
        QUERN_ASSIGN(wishes.catalog, ReadCatalog(connection));
        for (const auto& info : wishes.catalog->collections) {
            QUERN_ASSIGN(auto segments,
                         ReadSegments(connection, info->id, SegmentState::kLive, &info->schema));
            QUERN_ASSIGN(auto tables,
                         ReadSegments(connection, info->id, SegmentState::kTable, &info->schema));
            std::move(tables.begin(), tables.end(), std::back_inserter(segments));
            wishes.segments.push_back(std::move(segments));
            for (const SegmentInfo& segment : wishes.segments.back()) {
                for (const PartInfo& part : segment.parts) {
                    for (size_t c = 0; c < part.chunks.size(); c++) {
                        wishes.chunks.push_back(
                            {ChunkId(part.id, c), part.chunks[c], &part, c, &info->name});
                    }
                }
            }
        }
        std::sort(wishes.chunks.begin(), wishes.chunks.end(),
                  [](const Wanted& a, const Wanted& b) { return a.id < b.id; });
        return Result<Wishes>(std::move(wishes));
    }
};

// Finds chunks in the file as it was before.
class OldTable {
public:
    OldTable(Connection* connection, const Wishes& wishes, Work* work)
        : connection_(connection), wishes_(wishes), work_(work) {}

    // Whether the chunk is there. If not, *stored is what stands in its place, or empty.
    Result<bool> Find(const Wanted& chunk, std::string* stored) {
        stored->clear();
        {
            QUERN_ASSIGN(Statement row,
                         connection_->Prepare("SELECT data FROM quern_chunk WHERE id=?1"));
            const Result<bool> there = row.Int(1, chunk.id).Step();
            const Status status = there.status();
            if (status.ok() && *there) {
                stored->assign(row.ColumnBytes(0));
            } else if (!status.ok() && status.code() != Code::kCorrupt) {
                return status;
            }
        }
        if (stored->size() == chunk.info.stored_bytes &&
            Hash64(*stored, static_cast<uint64_t>(chunk.id)) == chunk.info.hash) {
            return true;
        }
        if (!looked_) {
            std::vector<int64_t> ids;
            for (const Wanted& wanted : wishes_.chunks) {
                ids.push_back(wanted.id);
            }
            QUERN_TRY(salvage_.Read(connection_, ids, work_));
            looked_ = true;
        }
        std::string found;
        QUERN_ASSIGN(const bool right, salvage_.Find(chunk.id, chunk.info, &found));
        if (right || stored->empty()) {
            *stored = std::move(found);
        }
        return right;
    }

private:
    Connection* connection_;
    const Wishes& wishes_;
    Work* work_;
    ChunkSalvage salvage_;
    bool looked_ = false;
};

// Puts into the table, which is empty for this connection, what is found.
Status FillTable(Connection* to, const Wishes& wishes, OldTable* old,
                 std::vector<std::string>* lost, Work* work) {
    uint64_t done = 0;
    std::string stored;
    for (const Wanted& chunk : wishes.chunks) {
        QUERN_ASSIGN(const bool found, old->Find(chunk, &stored));
        const bool derived = IsDerived(chunk.part->kind);
        if (!found && !derived) {
            lost->push_back("collection '" + *chunk.collection + "', " + chunk.part->Name() +
                            ", chunk " + std::to_string(chunk.number));
        }
        // Damaged bytes of what cannot be made anew stay: they are refused, as before.
        if (found || (!derived && !stored.empty())) {
            QUERN_ASSIGN(Statement insert, to->Prepare("INSERT INTO quern_chunk VALUES(?1,?2)"));
            QUERN_TRY(insert.Int(1, chunk.id).Blob(2, stored).Run());
        }
        if (++done % kChunksPerCheck == 0) {
            QUERN_TRY(work->Check("mend chunks", done, wishes.chunks.size()));
        }
    }
    return {};
}

// Everybody looks anew at what there is. Segments that are being built have lost their chunks:
// their builders find them gone, as after a sweep.
Status Announce(Connection* connection, const Catalog& catalog) {
    for (const auto& info : catalog.collections) {
        QUERN_ASSIGN(CollectionState state, ReadState(connection, info->id));
        QUERN_TRY(NextEpoch(connection, info->id, &state));
        QUERN_TRY(WriteState(connection, info->id, state));
    }
    return connection->Execute("UPDATE quern_segment SET state=3 WHERE state=1");
}

std::string TableWords(const std::string& name, const Catalog* catalog) {
    if (catalog != nullptr) {
        for (const auto& info : catalog->collections) {
            if (name == info->name) {
                return "the records of collection '" + info->name + "'";
            }
            if (name == LogTableName(info->id)) {
                return "the log of collection '" + info->name + "'";
            }
        }
    }
    return "table " + name;
}

Result<std::string> ColumnsOf(Connection* connection, const std::string& index) {
    QUERN_ASSIGN(Statement rows, connection->Prepare("SELECT name FROM pragma_index_info(?1)"));
    rows.Text(1, index);
    std::string columns;
    while (true) {
        QUERN_ASSIGN(const bool there, rows.Step());
        if (!there) {
            return columns;
        }
        columns.append(columns.empty() ? "" : ",").append(QuoteName(rows.ColumnBytes(0)));
    }
}

// Reads all rows that a statement gives, with everything that they hold.
Status ReadAll(Connection* connection, const std::string& sql) {
    QUERN_ASSIGN(Statement rows, connection->Prepare(sql));
    while (true) {
        QUERN_ASSIGN(const bool there, rows.Step());
        if (!there) {
            return {};
        }
        for (int c = 0; c < rows.ColumnCount(); c++) {
            rows.ColumnCell(c);
        }
    }
}

// While it lives, a connection sees pages that are not in the file. Within a transaction of it.
class Shown {
public:
    Shown(Connection* connection, const MendingView& view) : connection_(connection) {
        ShowForMending(connection->handle(), view);
    }
    // What was shown must not be remembered either.
    ~Shown() { ShowForMending(connection_->handle(), {}); }
    Shown(const Shown&) = delete;
    Shown& operator=(const Shown&) = delete;

private:
    Connection* connection_;
};

// Of the main file, ascending.
Result<std::vector<uint32_t>> BadPages(Connection* connection, Work* work) {
    constexpr uint32_t kPagesPerLook = 1024;
    const std::unique_ptr<char[]> page(new char[kPageBytes]);
    QUERN_ASSIGN(const uint32_t pages, CountPages(connection->handle()));
    std::vector<uint32_t> bad;
    for (uint32_t number = 1; number <= pages; number++) {
        bool sound = false;
        QUERN_TRY(ReadPageAsIs(connection->handle(), number, page.get(), &sound).status());
        if (!sound) {
            bad.push_back(number);
        }
        if (number % kPagesPerLook == 0) {
            QUERN_TRY(work->Check("check pages", number, pages));
        }
    }
    return bad;
}

// Nothing is shown in place of a page that the log has.
Result<std::unique_ptr<Writer>> BeginMending(FileStore* store) {
    QUERN_TRY(store->BeginWrite().status());  // opens the writer's connection
    QUERN_TRY(store->Checkpoint());
    QUERN_ASSIGN(std::unique_ptr<Writer> writer, store->BeginWrite());
    QUERN_ASSIGN(const bool log_is_empty, LogIsEmpty(writer->connection()->handle()));
    if (!log_is_empty) {
        return Status::Error(Code::kBusy,
                             "%s: a damaged table can be mended only while nobody holds a snapshot",
                             store->options().path.c_str());
    }
    return writer;
}

// How all entries of an index are read.
Result<std::string> IndexSql(Connection* connection, const std::string& index,
                             const std::string& table) {
    QUERN_ASSIGN(const std::string columns, ColumnsOf(connection, index));
    return "SELECT " + columns + " FROM " + QuoteName(table) + " INDEXED BY " + QuoteName(index);
}

struct BrokenIndex {
    std::string name;
    uint32_t root = 0;
};

Result<std::vector<BrokenIndex>> BrokenIndexes(Connection* connection) {
    struct Index {
        BrokenIndex index;
        std::string sql;
    };
    std::vector<Index> all;
    {
        QUERN_ASSIGN(Statement rows,
                     connection->Prepare(
                         "SELECT name, tbl_name, rootpage FROM sqlite_schema WHERE type='index'"));
        while (true) {
            QUERN_ASSIGN(const bool there, rows.Step());
            if (!there) {
                break;
            }
            Index& one = all.emplace_back();
            one.index.name = rows.ColumnBytes(0);
            one.index.root = static_cast<uint32_t>(rows.ColumnInt(2));
            QUERN_ASSIGN(one.sql,
                         IndexSql(connection, one.index.name, std::string(rows.ColumnBytes(1))));
        }
    }
    std::vector<BrokenIndex> broken;
    for (const Index& one : all) {
        const Status status = ReadAll(connection, one.sql);
        if (status.code() == Code::kCorrupt) {
            broken.push_back(one.index);
        } else {
            QUERN_TRY(status);
        }
    }
    return broken;
}

// Of a row of SQLite's check, which may be of many lines: what the worst of them says.
ChunkTable Judge(std::string_view row) {
    ChunkTable found = ChunkTable::kSound;
    while (!row.empty()) {
        const size_t end = std::min(row.find('\n'), row.size());
        const std::string_view line = row.substr(0, end);
        row.remove_prefix(std::min(end + 1, row.size()));
        // What only the pointer map says wrong is mended with pages that nobody uses. Stars stand
        // before the name of the database.
        if (line == "ok" || line.starts_with("***") || Says(line, "ptrmap") ||
            Says(line, "ptr map")) {
            continue;
        }
        if (!Says(line, "failed to get page")) {
            return ChunkTable::kBroken;
        }
        found = ChunkTable::kHoles;
    }
    return found;
}

}  // namespace

Result<ChunkTable> CheckChunkTable(FileStore* store, Work* work) {
    ChunkTable found = ChunkTable::kSound;
    if (store->in_memory()) {
        return found;
    }
    QUERN_ASSIGN(const std::unique_ptr<Reader> reader, store->BeginRead());
    const ScopedWork scope(reader->connection(), work, "check chunks");
    QUERN_ASSIGN(Statement lines,
                 reader->connection()->Prepare("PRAGMA main.integrity_check(quern_chunk)"));
    while (true) {
        const Result<bool> there = lines.Step();
        if (there.status().code() == Code::kCorrupt) {
            return ChunkTable::kBroken;
        }
        QUERN_TRY(there.status());
        if (!*there) {
            return found;
        }
        const std::string_view row = lines.ColumnBytes(0);
        QUERN_TRY(FailureIn(row));
        found = std::max(found, Judge(row));
    }
}

Status MendChunkTable(FileStore* store, Work* work, std::vector<std::string>* lost) {
    lost->clear();
    QUERN_ASSIGN(const std::unique_ptr<Writer> writer, BeginMending(store));
    Connection* const connection = writer->connection();
    {
        QUERN_ASSIGN(
            const int64_t root,
            connection->QueryInt("SELECT rootpage FROM sqlite_schema WHERE name='quern_chunk'"));
        QUERN_ASSIGN(const std::unique_ptr<Reader> reader, store->BeginRead());
        QUERN_ASSIGN(const Wishes wishes, Wishes::Read(reader->connection()));
        MendingView view;
        view.empty_table = static_cast<uint32_t>(root);
        QUERN_ASSIGN(const std::vector<uint32_t> bad, BadPages(reader->connection(), work));
        std::copy_if(bad.begin(), bad.end(), std::back_inserter(view.zero_pages), IsPointerMap);
        const Shown shown(connection, view);
        OldTable old(reader->connection(), wishes, work);
        QUERN_TRY(FillTable(connection, wishes, &old, lost, work));
        QUERN_TRY(Announce(connection, *wishes.catalog));
    }
    return writer->Commit();
}

Status CheckTables(FileStore* store, Work* work) {
    QUERN_ASSIGN(const std::unique_ptr<Reader> reader, store->BeginRead());
    Connection* const connection = reader->connection();
    const ScopedWork scope(connection, work, "check tables");
    const Result<std::shared_ptr<Catalog>> catalog = ReadCatalog(connection);
    std::vector<std::pair<std::string, std::string>> of_tables;  // name and SQL
    {
        QUERN_ASSIGN(Statement rows,
                     connection->Prepare("SELECT type, name, tbl_name FROM sqlite_schema"));
        while (true) {
            QUERN_ASSIGN(const bool there, rows.Step());
            if (!there) {
                break;
            }
            const std::string name(rows.ColumnBytes(1));
            const std::string table(rows.ColumnBytes(2));
            const std::string words = TableWords(table, catalog.ok() ? catalog->get() : nullptr);
            if (rows.ColumnBytes(0) == "table") {
                of_tables.emplace_back(words, "SELECT * FROM " + QuoteName(name) + " NOT INDEXED");
            } else {
                QUERN_ASSIGN(std::string sql, IndexSql(connection, name, table));
                of_tables.emplace_back("the index of " + words, std::move(sql));
            }
        }
    }
    std::string damaged;
    Status first;
    for (const auto& [words, sql] : of_tables) {
        const Status status = ReadAll(connection, sql);
        if (status.code() == Code::kCorrupt) {
            damaged.append(damaged.empty() ? "" : "; ").append(words);
            first = first.ok() ? status : first;
        } else {
            QUERN_TRY(status);
        }
    }
    return first.ok() ? first : first.WithContext("damaged: " + damaged);
}

Status MendIndexes(FileStore* store, Work* work) {
    if (store->in_memory()) {
        return {};
    }
    std::vector<BrokenIndex> broken;
    {
        QUERN_ASSIGN(const std::unique_ptr<Reader> reader, store->BeginRead());
        const ScopedWork scope(reader->connection(), work, "check indexes");
        QUERN_ASSIGN(broken, BrokenIndexes(reader->connection()));
    }
    for (const BrokenIndex& index : broken) {
        QUERN_ASSIGN(const std::unique_ptr<Writer> writer, BeginMending(store));
        MendingView view;
        view.empty_index = index.root;
        Status status;
        {
            const Shown shown(writer->connection(), view);
            status = writer->connection()->Execute("REINDEX main." + QuoteName(index.name));
        }
        if (status.ok()) {
            QUERN_TRY(writer->Commit());
        } else if (status.code() != Code::kCorrupt) {
            return status;
        }
    }
    return {};
}

Status MendUnusedPages(FileStore* store, Work* work) {
    if (store->in_memory()) {
        return {};
    }
    // What the log has is in the file then, whatever a crash has left there.
    QUERN_TRY(store->BeginWrite().status());
    QUERN_TRY(store->Checkpoint());
    MendingView view;
    {
        QUERN_ASSIGN(const std::unique_ptr<Reader> reader, store->BeginRead());
        const ScopedWork scope(reader->connection(), work, "check pages");
        QUERN_ASSIGN(view.zero_pages, BadPages(reader->connection(), work));
        QUERN_ASSIGN(Statement line,
                     reader->connection()->Prepare("PRAGMA main.integrity_check(1)"));
        const Status there = line.Step().status();
        if (!there.ok() && there.code() != Code::kCorrupt) {
            return there;
        }
        if (there.ok()) {
            QUERN_TRY(FailureIn(line.ColumnBytes(0)));
        }
        if (view.zero_pages.empty() && there.ok() && line.ColumnBytes(0) == "ok") {
            return {};
        }
    }
    QUERN_TRY(CheckTables(store, work));
    {
        QUERN_ASSIGN(const std::unique_ptr<Writer> writer, store->BeginWrite());
        ShowForMending(writer->connection()->handle(), view);
    }
    const Status status = store->Vacuum(work);
    QUERN_ASSIGN(const std::unique_ptr<Writer> writer, store->BeginWrite());
    ShowForMending(writer->connection()->handle(), {});
    return status;
}

}  // namespace quern::storage
