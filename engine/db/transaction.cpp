// Writing records. What a small transaction writes becomes log entries. A large batch becomes a
// segment at once, and so do the small batches of a transaction that has grown large (gathered in a
// SegmentBuffer): their vectors are written only once.
#include <algorithm>
#include <deque>
#include <unordered_map>

#include "engine/db/builder_mark.h"
#include "engine/db/database.h"
#include "engine/db/segment_buffer.h"
#include "engine/db/segment_builder.h"
#include "storage/base/test_fault.h"
#include "storage/record_hash.h"
#include "storage/record_log.h"
#include "storage/record_table.h"

namespace quern {

namespace {

// From here on a batch makes a segment of its own: its chunks are large enough to be worth their
// catalog rows.
constexpr size_t kDirectRows = 4096;
constexpr uint64_t kDirectBytes = uint64_t{2} << 20;
// Of a large transaction's small batches. More would make fewer segments and hold more memory.
constexpr uint64_t kBufferBytesMax = uint64_t{16} << 20;
// A larger transaction's log entries are read back from the file instead of being kept for the
// mirror.
constexpr uint64_t kRememberedBytes = uint64_t{1} << 20;

// Why a transaction is over. Destructors come by here, so it may not fail.
void Say(const char* why, const Status& error, std::string* over) {
    try {
        *over = error.ok() ? std::string(why) : why + (" (" + error.message() + ")");
    } catch (const std::bad_alloc&) {
        *over = "it has ended";  // short enough to need no memory
    }
}

}  // namespace

// What a transaction knows of one collection it writes to.
struct Transaction::Touched {
    std::shared_ptr<const storage::CollectionInfo> info;
    storage::CollectionState base;      // committed state, as of begin
    std::shared_ptr<LogMirror> mirror;  // committed log, at least up to base.log_last
    storage::CollectionState state;     // with the changes of this transaction
    // What goes to the mirror after the commit, while it is little; the blobs are owned by `blobs`.
    std::vector<storage::LogEntry> entries;
    std::deque<Bytes> blobs;
    bool log_written = false;
    uint64_t appended = 0;        // log entries
    uint64_t appended_bytes = 0;  // bytes of their vectors
    bool layout_changed =
        false;  // segments or sealed rows by the direct path: the state's row must be written
    // Keys that this transaction wrote or deleted: row id of the new version, 0 if deleted, and its
    // hash.
    struct Version {
        int64_t rid = 0;
        uint64_t hash = 0;
        bool in_log = false;
    };
    std::unordered_map<Key, Version, KeyHash> versions;
    std::optional<SegmentBuffer> buffer;  // of a large transaction

    // So much log that more of it would cost twice: writing it now and sealing it soon. In
    // proportion to what the log may hold before it is sealed.
    bool IsLarge(const DatabaseOptions& options) const {
        const auto seal_rows = static_cast<uint64_t>(options.seal_rows);
        const auto seal_bytes = static_cast<uint64_t>(options.seal_bytes);
        return appended >= std::min<uint64_t>(kDirectRows, seal_rows / 4) ||
               appended_bytes >= std::min(kDirectBytes, seal_bytes / 8);
    }

    // Makes a segment of what is in the buffer.
    Status WriteBuffer(storage::Connection* connection) {
        if (buffer && !buffer->empty()) {
            QUERN_ASSIGN(const uint64_t hash, buffer->Write(connection, state.generation));
            state.layout += hash;
        }
        return {};
    }

    void Append(const storage::LogEntry& entry) {
        state.log_last = entry.rid;
        appended++;
        appended_bytes += entry.vectors.size() + 64;
        if (appended_bytes <= kRememberedBytes) {
            blobs.emplace_back(entry.vectors);
            storage::LogEntry& copy = entries.emplace_back(entry);
            copy.cells.clear();  // the mirror has no use for them
            copy.vectors = blobs.back();
        }
    }

    // All live segments, those that this transaction has written included. Its log is of no use.
    Result<std::shared_ptr<const CollectionView>> Segments(storage::Connection* connection,
                                                           Database* database) {
        if (segments == nullptr || segments->state.layout != state.layout) {
            QUERN_ASSIGN(segments, BuildSegments(connection, info, state, segments.get(),
                                                 database->budget()));
        }
        return segments;
    }
    std::shared_ptr<const CollectionView> segments;

    // The present version of a key.
    struct Present {
        int64_t rid = 0;
        uint64_t hash = 0;
        bool in_log = false;
    };
    // What memory knows of it; without `certain` the table has to be asked.
    struct Recalled {
        bool certain = false;
        std::optional<Present> present;
    };
    Recalled Recall(const Key& key) const {
        const auto own = versions.find(key);
        if (own != versions.end()) {
            const Version& version = own->second;
            return {true, version.rid == 0 ? std::optional<Present>()
                                           : std::optional<Present>(
                                                 {version.rid, version.hash, version.in_log})};
        }
        if (base.log_last != 0) {
            if (const auto put = mirror->FindPut(key, base.log_last)) {
                return {true, std::optional<Present>({put->first, put->second, true})};
            }
        }
        return {};
    }
    Result<std::optional<Present>> Find(storage::RecordTable* records, const Key& key) const {
        const Recalled recalled = Recall(key);
        if (recalled.certain) {
            return recalled.present;
        }
        QUERN_ASSIGN(const std::optional<storage::RecordRef> sealed, records->Find(key));
        return sealed ? std::optional<Present>({sealed->rid, sealed->hash, false})
                      : std::optional<Present>();
    }
    // A new version went to the table, which is asked last: what would be found before it has to
    // be put right.
    void WentToTable(const Key& key, const Version& version, bool was_in_log) {
        if (was_in_log) {
            versions[key] = version;
        } else if (const auto own = versions.find(key); own != versions.end()) {
            own->second = version;
        }
    }
};

Transaction::Transaction() = default;
Transaction::~Transaction() {
    Rollback();
}

void Transaction::Rollback() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (writer_ != nullptr) {
        writer_.reset();
        if (database_) {
            database_->transaction_.store(nullptr);
        }
        Say("it was rolled back", Status(), &over_);
    }
}

Result<Transaction::Touched*> Transaction::Touch(const std::string& collection) {
    std::shared_ptr<const storage::CollectionInfo> info = catalog_->Find(collection);
    if (info == nullptr) {
        return Status::Error(Code::kNotFound, "no collection '%s'", collection.c_str());
    }
    std::unique_ptr<Touched>& touched = touched_[info->id];
    if (touched == nullptr) {
        auto fresh = std::make_unique<Touched>();
        fresh->info = info;
        const auto known = states_.find(info->id);
        if (known != states_.end()) {
            fresh->base = known->second;
        } else {
            QUERN_ASSIGN(fresh->base, storage::ReadState(writer_->connection(), info->id));
        }
        QUERN_ASSIGN(fresh->mirror,
                     database_->CacheOf(info->id)->Mirror(writer_->connection(), info, fresh->base,
                                                          database_->budget()));
        fresh->state = fresh->base;
        fresh->state.generation = generation_;
        touched = std::move(fresh);
    }
    return touched.get();
}

Status Transaction::Write(WriteKind kind, const RecordBatch& batch, size_t* affected) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (writer_ == nullptr) {
        return Status::Error(Code::kTxn, "the transaction is over: %s",
                             over_.empty() ? "it has ended" : over_.c_str());
    }
    QUERN_TRY(database_->CheckUsable());
    Status status;
    try {
        status = WriteRecords(kind, batch, affected);
    } catch (const std::bad_alloc&) {
        status = Status::Error(Code::kNoMem, "out of memory");
    }
    if (!status.ok()) {
        // First of all: without memory for the rest, half a batch must not stay.
        if (TestFault(Fault::kRollbackMissing)) {
            return status;
        }
        lock.unlock();
        Rollback();
        lock.lock();
        try {
            if (const auto info = catalog_->Find(batch.collection)) {
                status = InCollection(*info, status);
            }
        } catch (const std::bad_alloc&) {
            // Without the collection's name, then.
        }
        Say("an error rolled it back", status, &over_);
    }
    return status;
}

Status Transaction::WriteRecords(WriteKind kind, const RecordBatch& batch, size_t* affected) {
    *affected = 0;
    QUERN_ASSIGN(Touched* const touched, Touch(batch.collection));
    const Schema& schema = touched->info->schema;
    CheckedBatch checked;
    QUERN_TRY(CheckedBatch::Make(
        batch, schema, static_cast<size_t>(database_->limits().attr_bytes.load()),
        kind == WriteKind::kDelete ? CheckedBatch::Columns::kKeysOnly : CheckedBatch::Columns::kAll,
        &checked));
    storage::Connection* connection = writer_->connection();
    storage::RecordTable records(connection, *touched->info);
    storage::RecordLog log(connection, *touched->info);
    Work work = database_->NewWork();
    storage::CollectionState& state = touched->state;

    auto append = [&](const storage::LogEntry& entry) {
        touched->log_written = true;
        touched->Append(entry);
        return log.Append(entry, TestFault(Fault::kStateStale) ? &touched->base : &state);
    };
    // Takes the present version out of count, digest and table; the log entry that names it as dead
    // follows.
    auto retire = [&](const Touched::Present& present) -> Status {
        state.records--;
        state.digest -= present.hash;
        return present.in_log ? Status() : records.Remove(present.rid);
    };

    if (kind == WriteKind::kDelete) {
        for (size_t i = 0; i < checked.count(); i++) {
            QUERN_TRY(work.Check("delete", i, checked.count()));
            QUERN_ASSIGN(const auto present, touched->Find(&records, checked.key(i)));
            if (!present) {
                continue;
            }
            QUERN_TRY(retire(*present));
            storage::LogEntry entry;
            entry.kind = storage::LogKind::kDelete;
            entry.rid = state.next_rid++;
            entry.dead = present->rid;
            QUERN_TRY(append(entry));
            touched->versions[checked.key(i)] = {};
            ++*affected;
        }
        return {};
    }

    const bool own_segment = kind != WriteKind::kUpdate &&
                             (checked.count() >= kDirectRows ||
                              (checked.vector_bytes() >= kDirectBytes && checked.count() >= 64));
    const bool direct = own_segment || touched->IsLarge(database_->options());
    std::vector<uint32_t> order;
    std::optional<SegmentBuilder> builder;
    std::optional<BuilderMark> mark;
    if (own_segment) {
        order = checked.KeyOrder();
        mark.emplace();
        QUERN_ASSIGN(builder,
                     SegmentBuilder::Create(connection, touched->info->id, schema, generation_,
                                            mark->text(), storage::Effort::kFast));
    } else if (direct && !touched->buffer) {
        touched->buffer.emplace(touched->info);
    }
    touched->layout_changed = touched->layout_changed || direct;
    std::vector<Cell> cells(schema.attrs.size());
    std::vector<std::string> kept(
        schema.attrs.size());  // texts of the old version of an updated record
    std::vector<BytesView> vectors(schema.field_count());
    std::vector<std::string> kept_vectors(schema.field_count());
    std::vector<storage::VectorRef> present_vectors;
    std::vector<BytesView> buffered_vectors;
    Bytes blob;
    ChunkCache chunks;
    for (size_t n = 0; n < checked.count(); n++) {
        const size_t i = own_segment ? order[n] : n;
        const Key& key = checked.key(i);
        QUERN_TRY(work.Check("write", n, checked.count()));
        std::optional<Touched::Present> present;
        if (direct && kind != WriteKind::kUpdate) {
            // What the table knows is found out by its own constraint, which saves a search.
            present = touched->Recall(key).present;
        } else {
            QUERN_ASSIGN(present, touched->Find(&records, key));
        }
        if (kind == WriteKind::kInsert && present && !TestFault(Fault::kKeyTwice)) {
            return Status::Error(Code::kKeyExists,
                                 "record %zu: key %s is in collection '%s' already", i,
                                 key.ToString().c_str(), touched->info->name.c_str());
        }
        if (kind == WriteKind::kUpdate && !present) {
            return Status::Error(Code::kNotFound, "record %zu: key %s is not in collection '%s'", i,
                                 key.ToString().c_str(), touched->info->name.c_str());
        }
        for (size_t a = 0; a < cells.size(); a++) {
            QUERN_ASSIGN(cells[a], checked.cell(i, a));
        }
        for (size_t f = 0; f < vectors.size(); f++) {
            vectors[f] = checked.vector(i, f);
        }
        if (kind == WriteKind::kUpdate) {
            bool any_field = false;
            std::vector<size_t> set_attrs;
            for (size_t f = 0; f < vectors.size(); f++) {
                any_field = any_field || checked.has_field(f);
            }
            for (size_t a = 0; a < cells.size(); a++) {
                if (checked.has_attr(a)) {
                    set_attrs.push_back(a);
                }
            }
            if (!present->in_log && !any_field) {
                // Attributes of a sealed record change in place: its vectors need not move.
                uint64_t hash = present->hash;
                std::vector<Cell> new_cells;
                QUERN_ASSIGN(
                    const bool there,
                    records.ReadByRid(present->rid, set_attrs,
                                      [&](const storage::RecordRow& row) -> Result<bool> {
                                          for (size_t s = 0; s < set_attrs.size(); s++) {
                                              const uint32_t column = schema.attrs[set_attrs[s]].id;
                                              hash -= storage::HashCell(present->rid, column,
                                                                        row.cells[s]);
                                              hash += storage::HashCell(present->rid, column,
                                                                        cells[set_attrs[s]]);
                                              new_cells.push_back(cells[set_attrs[s]]);
                                          }
                                          return true;
                                      }));
                if (!there) {
                    return Status::Error(Code::kCorrupt, "record %s has no row",
                                         key.ToString().c_str());
                }
                QUERN_TRY(records.Update(present->rid, hash, set_attrs, new_cells));
                state.digest += TestFault(Fault::kDigestStale) ? 0 : hash - present->hash;
                storage::LogEntry entry;
                entry.kind = storage::LogKind::kAmend;
                entry.rid = state.next_rid++;
                entry.dead = present->rid;
                QUERN_TRY(append(entry));
                touched->versions[key] = {present->rid, hash, false};
                ++*affected;
                continue;
            }
            // A new version of the whole record: fill in what the batch leaves as it is.
            auto keep_cells = [&](const std::vector<Cell>& old) {
                for (size_t a = 0; a < cells.size(); a++) {
                    if (!checked.has_attr(a)) {
                        cells[a] = old[a];
                        kept[a] = std::string(old[a].text);
                        cells[a].text = kept[a];
                    }
                }
            };
            std::vector<size_t> all_attrs(schema.attrs.size());
            for (size_t a = 0; a < all_attrs.size(); a++) {
                all_attrs[a] = a;
            }
            auto keep_vector = [&](size_t field, BytesView bytes) {
                if (!checked.has_field(field) && bytes.data() != nullptr &&
                    !TestFault(Fault::kFieldNotKept)) {
                    kept_vectors[field] = std::string(bytes);
                    vectors[field] = kept_vectors[field];
                }
            };
            bool there = false;
            if (present->in_log) {
                QUERN_ASSIGN(
                    there, log.ReadOne(present->rid, [&](const storage::LogEntry& entry) -> Status {
                        keep_cells(entry.cells);
                        std::vector<storage::VectorRef> old;
                        QUERN_TRY(storage::DecodeVectors(schema, entry.vectors, &old));
                        for (const storage::VectorRef& vector : old) {
                            keep_vector(vector.field, vector.bytes);
                        }
                        return {};
                    }));
                if (!there) {
                    return Status::Error(Code::kCorrupt, "record %s is not in the log",
                                         key.ToString().c_str());
                }
            } else {
                QUERN_ASSIGN(there,
                             records.ReadByRid(present->rid, all_attrs,
                                               [&](const storage::RecordRow& row) -> Result<bool> {
                                                   keep_cells(row.cells);
                                                   return true;
                                               }));
                bool buffered = false;
                if (touched->buffer) {
                    QUERN_ASSIGN(buffered, touched->buffer->Find(present->rid, &buffered_vectors));
                }
                for (size_t f = 0; buffered && f < vectors.size(); f++) {
                    keep_vector(f, buffered_vectors[f]);
                }
                std::shared_ptr<const CollectionView> view;
                std::optional<CollectionView::Place> place;
                if (!buffered) {
                    QUERN_ASSIGN(view, touched->Segments(connection, database_.get()));
                    QUERN_ASSIGN(place, view->Locate(connection, present->rid));
                }
                if (!there || (!buffered && !place)) {
                    return Status::Error(Code::kCorrupt, "record %s is in no segment",
                                         key.ToString().c_str());
                }
                for (size_t f = 0; place && f < vectors.size(); f++) {
                    if (!checked.has_field(f)) {
                        QUERN_ASSIGN(const BytesView bytes,
                                     view->segments[place->segment]->Value(connection, schema, f,
                                                                           place->record, &chunks));
                        keep_vector(f, bytes);
                    }
                }
            }
        }
        const int64_t rid = state.next_rid++;
        uint64_t hash = storage::HashKey(rid, key);
        for (size_t a = 0; a < cells.size(); a++) {
            hash += storage::HashCell(rid, schema.attrs[a].id, cells[a]);
        }
        present_vectors.clear();
        for (size_t f = 0; f < vectors.size(); f++) {
            if (vectors[f].data() != nullptr) {
                hash += storage::HashVector(rid, schema.field_id(f), vectors[f]);
                present_vectors.push_back({f, vectors[f]});
            }
        }
        if (!direct) {
            if (present && !(present->in_log && TestFault(Fault::kDoubleVersion))) {
                QUERN_TRY(retire(*present));
            }
            storage::LogEntry entry;
            entry.rid = rid;
            entry.dead = present ? present->rid : 0;
            entry.hash = hash;
            entry.key = key;
            entry.cells = cells;
            storage::EncodeVectors(schema, present_vectors, &blob);
            entry.vectors = blob;
            state.records++;
            state.digest += hash;
            QUERN_TRY(append(entry));
            touched->versions[key] = {rid, hash, true};
            ++*affected;
            continue;
        }
        auto kill = [&](const Touched::Present& old) -> Status {
            QUERN_TRY(retire(old));
            storage::LogEntry entry;
            entry.kind = storage::LogKind::kDelete;
            entry.rid = state.next_rid++;
            entry.dead = old.rid;
            return append(entry);
        };
        if (present) {
            QUERN_TRY(kill(*present));
        }
        QUERN_ASSIGN(bool inserted, records.Insert(rid, hash, key, cells));
        if (!inserted) {
            QUERN_ASSIGN(present, touched->Find(&records, key));
            if (kind == WriteKind::kInsert || !present) {
                return Status::Error(Code::kKeyExists,
                                     "record %zu: key %s is in collection '%s' already", i,
                                     key.ToString().c_str(), touched->info->name.c_str());
            }
            QUERN_TRY(kill(*present));
            QUERN_ASSIGN(inserted, records.Insert(rid, hash, key, cells));
            if (!inserted) {
                return Status::Error(Code::kCorrupt,
                                     "record %s cannot be written: its row id is taken",
                                     key.ToString().c_str());
            }
        }
        if (builder) {
            QUERN_TRY(builder->Add(rid, vectors));
        } else {
            touched->buffer->Add(rid, key, vectors);
        }
        state.records++;
        state.digest += hash;
        touched->WentToTable(key, {rid, hash, false}, present && present->in_log);
        ++*affected;
    }
    if (builder) {
        QUERN_TRY(builder->Finish());
        QUERN_TRY(builder->Publish("fast"));
        QUERN_ASSIGN(const uint64_t hash,
                     storage::ReadLayoutHash(connection, touched->info->id, builder->id()));
        state.layout += hash;
    } else if (direct && touched->buffer->bytes() >=
                             std::min(kBufferBytesMax,
                                      static_cast<uint64_t>(database_->options().seal_bytes))) {
        QUERN_TRY(touched->WriteBuffer(connection));
    }
    return {};
}

void Transaction::Remember(bool committed) {
    Database::Known& known = database_->known_;
    known.version = -1;
    if (!committed && !TestFault(Fault::kFailureRemembered)) {
        return;
    }
    if (!touched_.empty()) {
        known.generation = generation_;
    }
    for (const auto& [id, touched] : touched_) {
        states_[id] = touched->state;
        if (!touched->layout_changed && touched->entries.size() == touched->appended &&
            !touched->mirror->Append(touched->base.log_last, touched->entries).ok()) {
            return;  // cannot be: what was written decodes. The next writer reads everything anew
        }
    }
    known.states = std::move(states_);
    known.version = writer_->connection()->DataVersion();
}

Status Transaction::Commit() {
    std::vector<std::string> due;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (writer_ == nullptr) {
            return Status::Error(Code::kTxn, "the transaction is over: %s",
                                 over_.empty() ? "it has ended" : over_.c_str());
        }
        Status status = database_->CheckUsable();
        for (auto& [id, touched] : touched_) {
            if (status.ok()) {
                try {
                    status =
                        InCollection(*touched->info, touched->WriteBuffer(writer_->connection()));
                } catch (const std::bad_alloc&) {
                    status = Status::Error(Code::kNoMem, "out of memory");
                }
            }
            if (!status.ok()) {
                break;
            }
            const LogMirror& mirror = *touched->mirror;
            const DatabaseOptions& options = database_->options();
            if (touched->layout_changed ||
                mirror.entry_count() + touched->appended >=
                    static_cast<uint64_t>(options.seal_rows) ||
                mirror.bytes() + touched->appended_bytes >=
                    static_cast<uint64_t>(options.seal_bytes)) {
                due.push_back(touched->info->name);
            }
            if (touched->layout_changed) {
                // The log's last entry overrides this row: when there is a log, one that ends in
                // this state is needed.
                if (touched->base.log_last != 0 || touched->log_written) {
                    storage::RecordLog log(writer_->connection(), *touched->info);
                    storage::LogEntry entry;
                    entry.kind = storage::LogKind::kAmend;
                    entry.rid = touched->state.next_rid++;
                    touched->Append(entry);
                    status = log.Append(entry, &touched->state);
                }
                if (status.ok()) {
                    status = storage::NextEpoch(writer_->connection(), id, &touched->state);
                }
                if (status.ok()) {
                    status = storage::WriteState(writer_->connection(), id, touched->state);
                }
            }
        }
        if (status.ok()) {
            status = writer_->Commit([this](bool committed) { Remember(committed); });
        }
        touched_.clear();
        writer_.reset();
        database_->transaction_.store(nullptr);
        over_ = "it has ended";
        if (!status.ok()) {
            return status;
        }
    }
    database_->AfterCommit(due);
    return {};
}

}  // namespace quern
