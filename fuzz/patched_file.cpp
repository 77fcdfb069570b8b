#include "fuzz/patched_file.h"

#include <quern.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "storage/base/hash.h"
#include "storage/chunk_id.h"
#include "storage/chunk_store.h"
#include "storage/codec.h"
#include "storage/memory_vfs.h"

namespace quern::fuzzing {

namespace {

using corruption::Images;
using corruption::kFrameBytes;
using corruption::kFrameHeaderBytes;
using corruption::kLogHeaderBytes;
using corruption::kPageBytes;
using corruption::kPageContent;

constexpr const char* kPath = "/fuzz/db";
constexpr const char* kPlainPath = "/plain/db";
constexpr const char* kOptions = "mode=rw threads=1 memory_mb=64 maintenance=off";
constexpr uint8_t kOptimizeFlag = 2;
constexpr uint8_t kRebuildFlag = 4;
constexpr uint8_t kVacuumFlag = 8;
constexpr size_t kDirectoryBytes = 20;
constexpr size_t kChunkBytes = size_t{1} << 20;  // that a patch makes of one

struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Statement Prepare(sqlite3* db, const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr);
    return Statement(statement);
}

Bytes BlobOf(sqlite3_stmt* row, int column) {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(row, column));
    return Bytes(data == nullptr ? "" : data,
                 data == nullptr ? 0 : static_cast<size_t>(sqlite3_column_bytes(row, column)));
}

uint32_t U32(const std::string& bytes, size_t at) {
    uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}
void PutU32(std::string* bytes, size_t at, uint32_t value) {
    if (at + sizeof value <= bytes->size()) {
        std::memcpy(bytes->data() + at, &value, sizeof value);
    }
}
void PutU64(std::string* bytes, size_t at, uint64_t value, size_t count = 8) {
    if (at < bytes->size()) {
        std::memcpy(bytes->data() + at, &value, std::min({count, size_t{8}, bytes->size() - at}));
    }
}

// The tables of the catalog, the schema among them; then those of the collections.
std::vector<std::string> Tables(sqlite3* db) {
    std::vector<std::string> tables = {"sqlite_schema", "quern_format", "quern_collection",
                                       "quern_column",  "quern_state",  "quern_segment",
                                       "quern_part",    "quern_dead"};
    const Statement names = Prepare(
        db,
        "SELECT name FROM sqlite_schema WHERE type='table' AND (name NOT LIKE 'quern%' OR name "
        "LIKE 'quern_log_%') AND name NOT LIKE 'sqlite%' ORDER BY name");
    while (names != nullptr && sqlite3_step(names.get()) == SQLITE_ROW) {
        tables.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(names.get(), 0)));
    }
    return tables;
}

// A condition that names one row; empty: there is none. A row of a table without row ids is named
// by its key.
std::string RowOf(sqlite3* db, const std::string& table, size_t row) {
    const bool keyed = table == "quern_column" || table == "quern_dead";
    const std::string key = table == "quern_column" ? "collection,id" : "collection,rid";
    const Statement rows = Prepare(db, "SELECT " + (keyed ? key : "rowid,0") + " FROM \"" + table +
                                           "\" LIMIT 1 OFFSET " + std::to_string(row));
    if (rows == nullptr || sqlite3_step(rows.get()) != SQLITE_ROW) {
        return "";
    }
    const std::string first = std::to_string(sqlite3_column_int64(rows.get(), 0));
    const std::string second = std::to_string(sqlite3_column_int64(rows.get(), 1));
    return keyed ? "(" + key + ")=(" + first + "," + second + ")" : "rowid=" + first;
}

void SetCell(sqlite3* db, const Patch& patch) {
    const std::vector<std::string> tables = Tables(db);
    const std::string& table = tables[patch.a % tables.size()];
    const std::string row = RowOf(db, table, patch.b);
    const Statement look = Prepare(db, "SELECT * FROM \"" + table + "\" LIMIT 1");
    if (row.empty() || look == nullptr) {
        return;
    }
    if (patch.op == 6) {
        const Statement remove = Prepare(db, "DELETE FROM \"" + table + "\" WHERE " + row);
        sqlite3_step(remove.get());
        return;
    }
    const int columns = sqlite3_column_count(look.get());
    const std::string column = sqlite3_column_name(look.get(), patch.c % columns);
    const Statement update =
        Prepare(db, "UPDATE \"" + table + "\" SET \"" + column + "\"=?1 WHERE " + row);
    if (update == nullptr) {
        return;
    }
    const char* const bytes = patch.bytes.data() + 8;
    switch (patch.place % 6) {
        case 0: sqlite3_bind_int64(update.get(), 1, static_cast<int64_t>(patch.value)); break;
        case 1: sqlite3_bind_int64(update.get(), 1, static_cast<int8_t>(patch.value)); break;
        case 2: {
            double real = 0;
            std::memcpy(&real, &patch.value, sizeof real);
            sqlite3_bind_double(update.get(), 1, real);
            break;
        }
        case 3: sqlite3_bind_text(update.get(), 1, bytes, 8, SQLITE_TRANSIENT); break;
        case 4: sqlite3_bind_blob(update.get(), 1, bytes, 8, SQLITE_TRANSIENT); break;
        default: sqlite3_bind_null(update.get(), 1);
    }
    sqlite3_step(update.get());
}

// A part and its directory.
struct PartRow {
    int64_t id = 0;
    Bytes directory;
    size_t chunks() const { return directory.size() / kDirectoryBytes; }
};
bool FindPart(sqlite3* db, size_t number, PartRow* part) {
    const Statement count = Prepare(db, "SELECT count(*) FROM quern_part");
    if (count == nullptr || sqlite3_step(count.get()) != SQLITE_ROW) {
        return false;
    }
    const auto parts = static_cast<size_t>(sqlite3_column_int64(count.get(), 0));
    const Statement row =
        Prepare(db, "SELECT id, chunks FROM quern_part ORDER BY id LIMIT 1 OFFSET " +
                        std::to_string(parts == 0 ? 0 : number % parts));
    if (row == nullptr || sqlite3_step(row.get()) != SQLITE_ROW) {
        return false;
    }
    part->id = sqlite3_column_int64(row.get(), 0);
    part->directory = BlobOf(row.get(), 1);
    return part->chunks() > 0;
}

void WriteDirectory(sqlite3* db, const PartRow& part) {
    const Statement update = Prepare(db, "UPDATE quern_part SET chunks=?1 WHERE id=?2");
    if (update != nullptr) {
        sqlite3_bind_blob(update.get(), 1, part.directory.data(),
                          static_cast<int>(part.directory.size()), SQLITE_TRANSIENT);
        sqlite3_bind_int64(update.get(), 2, part.id);
        sqlite3_step(update.get());
    }
}

// Gives a chunk these stored bytes, with a checksum that fits.
void WriteStored(sqlite3* db, PartRow part, size_t chunk, uint32_t codec, uint32_t raw_bytes,
                 const Bytes& stored) {
    const int64_t id = storage::ChunkId(part.id, chunk);
    const size_t entry = chunk * kDirectoryBytes;
    PutU32(&part.directory, entry, raw_bytes);
    PutU32(&part.directory, entry + 4, static_cast<uint32_t>(stored.size()));
    PutU32(&part.directory, entry + 8, codec);
    PutU64(&part.directory, entry + 12, Hash64(stored, static_cast<uint64_t>(id)));
    WriteDirectory(db, part);
    const Statement update = Prepare(db, "UPDATE quern_chunk SET data=?1 WHERE id=?2");
    if (update != nullptr) {
        sqlite3_bind_blob(update.get(), 1, stored.data(), static_cast<int>(stored.size()),
                          SQLITE_TRANSIENT);
        sqlite3_bind_int64(update.get(), 2, id);
        sqlite3_step(update.get());
    }
}

void ChangeChunk(sqlite3* db, const Patch& patch) {
    PartRow part;
    if (!FindPart(db, patch.a, &part)) {
        return;
    }
    const size_t chunk = patch.b % part.chunks();
    const size_t entry = chunk * kDirectoryBytes;
    if (patch.op == 3) {
        const size_t numbers[] = {0, 4, 8, 12};
        PutU32(&part.directory, entry + numbers[patch.c % 4], static_cast<uint32_t>(patch.value));
        WriteDirectory(db, part);
        return;
    }
    const Statement row = Prepare(db, "SELECT data FROM quern_chunk WHERE id=" +
                                          std::to_string(storage::ChunkId(part.id, chunk)));
    if (row == nullptr || sqlite3_step(row.get()) != SQLITE_ROW) {
        return;
    }
    const Bytes stored = BlobOf(row.get(), 0);
    const uint32_t raw_bytes = U32(part.directory, entry);
    if (raw_bytes > kChunkBytes) {
        return;
    }
    Bytes raw(raw_bytes, '\0');
    if (!storage::Decode(U32(part.directory, entry + 8), stored, raw.data(), raw.size()).ok()) {
        return;
    }
    const size_t at = raw.empty() ? 0 : patch.place % raw.size();
    switch (patch.c % 4) {
        case 0: PutU64(&raw, at, patch.value); break;
        case 1: PutU64(&raw, at, patch.value, 1 + patch.c / 4 % 4); break;
        case 2: raw.resize(at); break;
        default: raw.append(patch.bytes); break;
    }
    const uint32_t told = patch.c >= 128 ? raw_bytes : static_cast<uint32_t>(raw.size());
    WriteStored(db, part, chunk, 0, told, raw);
}

void ReplaceStored(sqlite3* db, const Patch& patch, const std::vector<Patch>& following) {
    PartRow part;
    if (!FindPart(db, patch.a, &part)) {
        return;
    }
    Bytes stored;
    for (const Patch& next : following) {
        stored.append(next.bytes);
    }
    WriteStored(db, part, patch.b % part.chunks(), static_cast<uint32_t>(patch.value), patch.place,
                stored);
}

// CollectionState::layout of what the catalog says now.
void SealLayouts(sqlite3* db) {
    const Statement segments =
        Prepare(db, "SELECT id, collection, items FROM quern_segment WHERE state IN (2,4)");
    std::vector<std::pair<int64_t, uint64_t>> layouts;  // collection, sum
    while (segments != nullptr && sqlite3_step(segments.get()) == SQLITE_ROW) {
        storage::SegmentInfo segment;
        segment.id = sqlite3_column_int64(segments.get(), 0);
        segment.collection = sqlite3_column_int64(segments.get(), 1);
        segment.items = static_cast<uint64_t>(sqlite3_column_int64(segments.get(), 2));
        const Statement parts = Prepare(
            db,
            "SELECT id, field, kind, items, item_bytes, chunk_items, chunks FROM quern_part "
            "WHERE segment=" +
                std::to_string(segment.id) + " ORDER BY id");
        while (parts != nullptr && sqlite3_step(parts.get()) == SQLITE_ROW) {
            storage::PartInfo part;
            part.id = sqlite3_column_int64(parts.get(), 0);
            part.segment = segment.id;
            part.field = static_cast<uint32_t>(sqlite3_column_int64(parts.get(), 1));
            part.kind = static_cast<storage::PartKind>(sqlite3_column_int64(parts.get(), 2));
            part.items = static_cast<uint64_t>(sqlite3_column_int64(parts.get(), 3));
            part.item_bytes = static_cast<uint32_t>(sqlite3_column_int64(parts.get(), 4));
            part.chunk_items = static_cast<uint32_t>(sqlite3_column_int64(parts.get(), 5));
            const Bytes directory = BlobOf(parts.get(), 6);
            for (size_t at = 0; at + kDirectoryBytes <= directory.size(); at += kDirectoryBytes) {
                storage::ChunkInfo chunk;
                chunk.raw_bytes = U32(directory, at);
                chunk.stored_bytes = U32(directory, at + 4);
                chunk.codec = U32(directory, at + 8);
                std::memcpy(&chunk.hash, directory.data() + at + 12, sizeof chunk.hash);
                part.chunks.push_back(chunk);
            }
            segment.parts.push_back(std::move(part));
        }
        layouts.emplace_back(segment.collection, segment.LayoutHash());
    }
    for (size_t i = 0; i < layouts.size(); i++) {
        uint64_t sum = 0;
        for (const auto& [collection, layout] : layouts) {
            sum += collection == layouts[i].first ? layout : 0;
        }
        const Statement update =
            Prepare(db, "UPDATE quern_state SET layout=?1 WHERE collection=?2");
        if (update != nullptr) {
            sqlite3_bind_int64(update.get(), 1, static_cast<int64_t>(sum));
            sqlite3_bind_int64(update.get(), 2, layouts[i].first);
            sqlite3_step(update.get());
        }
    }
}

bool IsOfRows(const Patch& patch) {
    const int op = patch.op % 8;
    return (op >= 1 && op <= 4) || op == 6;
}

void PatchRows(const std::vector<Patch>& patches, bool sealed, std::string* main) {
    corruption::PutImages(kPlainPath, {*main, ""});
    sqlite3* db = nullptr;
    if (sqlite3_open_v2(kPlainPath, &db, SQLITE_OPEN_READWRITE, storage::MemoryVfs()) ==
        SQLITE_OK) {
        sqlite3_exec(db, "PRAGMA writable_schema=ON; PRAGMA synchronous=OFF; BEGIN", nullptr,
                     nullptr, nullptr);
        for (size_t i = 0; i < patches.size(); i++) {
            Patch patch = patches[i];
            patch.op %= 8;
            if (patch.op == 1 || patch.op == 6) {
                SetCell(db, patch);
            } else if (patch.op == 2 || patch.op == 3) {
                ChangeChunk(db, patch);
            } else if (patch.op == 4) {
                const size_t end = std::min(patches.size(), i + 1 + patch.c % 16);
                ReplaceStored(db, patch,
                              {patches.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                               patches.begin() + static_cast<std::ptrdiff_t>(end)});
                i = end - 1;
            }
        }
        if (sealed) {
            SealLayouts(db);
        }
        sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr);
    }
    sqlite3_close(db);
    *main = corruption::TakeImages(kPlainPath).main;
    corruption::DropImages(kPlainPath);
}

void SealPages(std::string* main) {
    for (size_t at = 0; at + kPageBytes <= main->size(); at += kPageBytes) {
        const auto number = static_cast<uint32_t>(at / kPageBytes + 1);
        std::memset(main->data() + at + kPageContent, 0, kPageBytes - kPageContent);
        PutU64(main, at + kPageContent, Hash64(main->data() + at, kPageContent, number));
        PutU32(main, at + kPageContent + 8, number);
    }
}

uint32_t BigEndian(const std::string& bytes, size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    }
    return value;
}
void PutBigEndian(std::string* bytes, size_t at, uint32_t value) {
    for (size_t i = 0; i < 4 && at + i < bytes->size(); i++) {
        (*bytes)[at + i] = static_cast<char>(value >> (24 - 8 * i));
    }
}

// The checksum of SQLite's log (fileformat2.html, 4.2).
struct LogSum {
    bool big_endian = false;
    uint32_t first = 0;
    uint32_t second = 0;
    void Add(const std::string& bytes, size_t at, size_t count) {
        for (size_t i = 0; i < count; i += 8) {
            first += Word(bytes, at + i) + second;
            second += Word(bytes, at + i + 4) + first;
        }
    }

private:
    uint32_t Word(const std::string& bytes, size_t at) const {
        return big_endian ? BigEndian(bytes, at) : U32(bytes, at);
    }
};

void SealLog(std::string* log) {
    if (log->size() < kLogHeaderBytes) {
        return;
    }
    LogSum sum;
    sum.big_endian = (BigEndian(*log, 0) & 1) != 0;
    sum.Add(*log, 0, 24);
    PutBigEndian(log, 24, sum.first);
    PutBigEndian(log, 28, sum.second);
    for (size_t at = kLogHeaderBytes; at + kFrameBytes <= log->size(); at += kFrameBytes) {
        log->replace(at + 8, 8, log->substr(16, 8));  // the salts
        sum.Add(*log, at, 8);
        sum.Add(*log, at + kFrameHeaderBytes, kPageBytes);
        PutBigEndian(log, at + 16, sum.first);
        PutBigEndian(log, at + 20, sum.second);
    }
}

// INTERNAL means a bug, whatever the file.
void Check(int32_t status) {
    if (status == QUERN_ERR_INTERNAL) {
        std::abort();
    }
}

}  // namespace

std::vector<Patch> ReadPatches(BytesView bytes) {
    std::vector<Patch> patches;
    for (size_t at = 0; at + kPatchBytes <= bytes.size(); at += kPatchBytes) {
        ByteReader reader(bytes.substr(at, kPatchBytes));
        Patch patch;
        patch.op = reader.U8();
        patch.a = reader.U8();
        patch.b = reader.U8();
        patch.c = reader.U8();
        patch.place = reader.U32();
        patch.value = reader.U64();
        patch.bytes = bytes.substr(at, kPatchBytes);
        patches.push_back(patch);
    }
    return patches;
}

const std::vector<SoundFile>& SoundFiles() {
    static const std::vector<SoundFile>* const files = [] {
        corruption::UseMemoryFiles();
        auto* made = new std::vector<SoundFile>();
        for (corruption::Sample& sample : corruption::MakeSamples("")) {
            SoundFile file;
            file.sample = std::move(sample);
            corruption::PutImages(kPath, file.sample.images);
            quern_db* db = nullptr;
            if (quern_open(kPath, kOptions, &db, nullptr) != QUERN_OK) {
                std::abort();
            }
            file.questions = corruption::QuestionsOf(db);
            quern_close(db);
            made->push_back(std::move(file));
        }
        corruption::DropImages(kPath);
        return made;
    }();
    return *files;
}

void PatchMain(const std::vector<Patch>& patches, bool sealed, std::string* main) {
    if (std::any_of(patches.begin(), patches.end(), IsOfRows)) {
        PatchRows(patches, sealed, main);
    }
    for (size_t i = 0; i < patches.size(); i++) {
        const Patch& patch = patches[i];
        const size_t pages = main->size() / kPageBytes;
        if (pages == 0) {
            return;
        }
        switch (patch.op % 8) {
            case 0:
                PutU64(main, patch.a % pages * kPageBytes + patch.place % kPageContent, patch.value,
                       1 + patch.b % 8);
                break;
            case 4: i += patch.c % 16; break;
            case 5:
                main->replace(patch.b % pages * kPageBytes, kPageBytes,
                              main->substr(patch.a % pages * kPageBytes, kPageBytes));
                break;
            case 7: main->resize((1 + patch.a % pages) * kPageBytes); break;
            default: break;
        }
    }
    if (sealed) {
        SealPages(main);
    }
}

void PatchLog(const std::vector<Patch>& patches, bool sealed, Images* images) {
    std::string& log = images->log;
    for (const Patch& patch : patches) {
        const size_t frames =
            log.size() < kLogHeaderBytes ? 0 : (log.size() - kLogHeaderBytes) / kFrameBytes;
        const size_t a = kLogHeaderBytes + (frames == 0 ? 0 : patch.a % frames) * kFrameBytes;
        const size_t b = kLogHeaderBytes + (frames == 0 ? 0 : patch.b % frames) * kFrameBytes;
        switch (patch.op % 8) {
            case 0:
                PutU64(&log, a + kFrameHeaderBytes + patch.place % kPageBytes, patch.value,
                       1 + patch.b % 8);
                break;
            case 1: PutBigEndian(&log, a, static_cast<uint32_t>(patch.value)); break;
            case 2: PutBigEndian(&log, a + 4, static_cast<uint32_t>(patch.value)); break;
            case 3: log.resize(std::min<size_t>(log.size(), patch.place % (1 << 20))); break;
            case 4:
                if (frames > 0) {
                    const std::string kept = log.substr(a, kFrameBytes);
                    log.replace(a, kFrameBytes, log.substr(b, kFrameBytes));
                    log.replace(b, kFrameBytes, kept);
                }
                break;
            case 5:
                if (frames > 0 && frames < 256) {
                    log.append(log.substr(a, kFrameBytes));
                }
                break;
            case 6: PutU64(&log, patch.a % kLogHeaderBytes, patch.value, 1 + patch.b % 8); break;
            default:
                PutU64(&images->main, (patch.place | size_t{patch.a} << 14) % images->main.size(),
                       patch.value, 1 + patch.b % 8);
        }
    }
    if (sealed) {
        SealLog(&log);
        SealPages(&images->main);
    }
}

void UseFile(const SoundFile& sound, const Images& images, uint8_t flags) {
    corruption::PutImages(kPath, images);
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    Check(quern_open(kPath, kOptions, &db, &err));
    if (db != nullptr) {
        for (const corruption::Answer& answer : corruption::AskAll(db, sound.questions)) {
            Check(answer.status);
        }
        quern_text* info = nullptr;
        Check(quern_info(db, &info, &err));
        quern_text_free(info);
        Check(quern_verify(db, nullptr, &err));
        Check(corruption::TryToWrite(db).status);
        if ((flags & kOptimizeFlag) != 0) {
            Check(quern_optimize(db, nullptr, 0, &err));
        }
        if ((flags & kRebuildFlag) != 0) {
            Check(quern_rebuild(db, nullptr, &err));
        }
        if ((flags & kVacuumFlag) != 0) {
            Check(quern_vacuum(db, &err));
        }
        Check(corruption::AskForAll(db).status);
        quern_close(db);
    }
    corruption::DropImages(kPath);
}

}  // namespace quern::fuzzing
