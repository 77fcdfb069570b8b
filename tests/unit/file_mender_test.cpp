// Files with damage at any place, mended: what is whole is found wherever it stands, what is not is
// named, and what only looks like a chunk is not taken for one.
#include "storage/file_mender.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/hash.h"
#include "storage/chunk_id.h"
#include "tests/unit/stored_file.h"

namespace {

using namespace quern;
using namespace quern::storage;
using quern::testing::FaultyDisk;
using quern::testing::StoredFile;

constexpr size_t kPage = StoredFile::kPage;
constexpr size_t kUsable = 16320;  // without what is reserved for checksums

// As a rebuild does it.
Status MendAll(FileStore* store, Work* work, std::vector<std::string>* lost) {
    lost->clear();
    QUERN_ASSIGN(const ChunkTable table, CheckChunkTable(store, work));
    if (table == ChunkTable::kBroken) {
        QUERN_TRY(MendChunkTable(store, work, lost));
    }
    QUERN_TRY(MendIndexes(store, work));
    QUERN_TRY(store->MendFreePages());
    return MendUnusedPages(store, work);
}

Status Mend(StoredFile* file, std::vector<std::string>* lost) {
    Work work;
    QUERN_ASSIGN(const std::unique_ptr<FileStore> store, file->Open());
    return MendAll(store.get(), &work, lost);
}

// A page whose checksum is right.
std::string Stamped(std::string page, uint32_t number) {
    page.resize(kPage);
    std::fill(page.begin() + kUsable, page.end(), '\0');
    const uint64_t hash = Hash64(page.data(), kUsable, number);
    for (size_t i = 0; i < 8; i++) {
        page[kUsable + i] = static_cast<char>(hash >> (8 * i));
    }
    for (size_t i = 0; i < 4; i++) {
        page[kUsable + 8 + i] = static_cast<char>(number >> (8 * i));
    }
    return page;
}

std::string Varint(uint64_t value) {
    std::string bytes(1, static_cast<char>(value & 0x7f));
    for (value >>= 7; value > 0; value >>= 7) {
        bytes.insert(bytes.begin(), static_cast<char>(0x80 | (value & 0x7f)));
    }
    return bytes;
}

std::string BigEndian(uint32_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; i--) {
        out += static_cast<char>(value >> (8 * i));
    }
    return out;
}

// A row of quern_chunk as SQLite has it on a page; each of its numbers may be another one.
struct Row {
    int64_t id = 0;
    std::string blob;
    std::string in_page;  // the beginning of the blob, and perhaps where it goes on
    uint64_t more_payload = 0;
    uint64_t more_header = 0;
    uint64_t id_type = 0;
    uint64_t more_blob = 0;

    std::string Cell() const {
        const std::string types = Varint(id_type) + Varint(12 + 2 * (blob.size() + more_blob));
        const std::string header = Varint(types.size() + 1 + more_header) + types;
        return Varint(header.size() + blob.size() + more_payload) +
               Varint(static_cast<uint64_t>(id)) + header + in_page;
    }
};

// A leaf of a table with one row, at this place of the page, or at its end.
std::string Leaf(const std::string& cell, size_t at = 0) {
    std::string page(kUsable, '\0');
    at = at == 0 ? kUsable - cell.size() : at;
    page[0] = 13;
    page.replace(3, 2, BigEndian(1, 2));
    page.replace(8, 2, BigEndian(static_cast<uint32_t>(at), 2));
    page.replace(at, std::min(cell.size(), kUsable - at), cell.substr(0, kUsable - at));
    return page;
}

}  // namespace

TEST_CASE("whichever page is damaged, a rebuild mends it, or says which table it hurts") {
    StoredFile file;
    int mended = 0;
    int refused = 0;
    for (uint32_t page = 2; page <= file.Pages(); page++) {
        std::string bytes = file.sound;
        StoredFile::Flip(&bytes, page);
        file.Write(bytes);
        std::vector<std::string> lost;
        const Status status = Mend(&file, &lost);
        CAPTURE(page, status.message(), lost);
        if (!status.ok()) {
            CHECK(status.code() == Code::kCorrupt);
            refused++;
            continue;
        }
        CHECK(lost.empty());
        file.CheckSound();
        mended++;
    }
    CHECK(mended > 0);
    CHECK(refused > 0);
}

TEST_CASE("what hurts two tables is told for both") {
    StoredFile file;
    std::string bytes = file.sound;
    // An index cannot be made anew from a table that cannot be read.
    StoredFile::Flip(&bytes, file.RootOf("docs"));
    StoredFile::Flip(&bytes, file.RootOf("sqlite_autoindex_docs_1"));
    StoredFile::Flip(&bytes, file.RootOf("quern_log_1"));
    file.Write(bytes);
    std::vector<std::string> lost;
    const Status status = Mend(&file, &lost);
    CAPTURE(status.message());
    CHECK(status.code() == Code::kCorrupt);
    CHECK(status.message().find("damaged: the records of collection 'docs'") != std::string::npos);
    CHECK(status.message().find("; the index of the records of") != std::string::npos);
    CHECK(status.message().find("; the log of collection 'docs'") != std::string::npos);
    // With a catalog that cannot be read, tables have the names that they have in the file.
    StoredFile::Flip(&bytes, file.RootOf("quern_collection"));
    file.Write(bytes);
    auto store = file.Open();
    REQUIRE(store.ok());
    Work work;
    const Status all = CheckTables(store->get(), &work);
    CAPTURE(all.message());
    CHECK(all.message().find("table docs") != std::string::npos);
}

TEST_CASE("chunks are found wherever they stand, and nothing else is taken for one") {
    StoredFile file;
    file.Write(file.sound);
    PartInfo vectors;
    {
        auto store = file.Open();
        REQUIRE(store.ok());
        auto reader = (*store)->BeginRead();
        REQUIRE(reader.ok());
        auto segments = ReadSegments((*reader)->connection(), 1, SegmentState::kLive);
        REQUIRE(segments.ok());
        vectors = segments->at(0).parts.at(0);
    }
    // The last chunk, whose pages are damaged.
    const size_t number = vectors.chunks.size() - 1;
    const ChunkInfo& info = vectors.chunks[number];
    const auto* const values = reinterpret_cast<const char*>(file.content().data());
    Row row;
    row.id = ChunkId(vectors.id, number);
    row.blob.assign(values + file.content().size() * 8 - info.raw_bytes, info.raw_bytes);
    REQUIRE(info.stored_bytes == info.raw_bytes);
    std::string broken = file.Damaged("quern_chunk");
    for (uint32_t page = 2; page <= file.Pages(); page++) {
        if (broken.substr((page - 1) * kPage, kUsable)
                .find(row.blob.substr(row.blob.size() - 64)) != std::string::npos) {
            broken.at((page - 1) * kPage + 4000) ^= 1;
        }
    }
    for (uint32_t page = 2; page <= file.Pages(); page++) {
        const std::string content = file.sound.substr((page - 1) * kPage + 4, 64);
        const size_t at = row.blob.find(content);
        if (at != std::string::npos && at > 0) {
            broken.at((page - 1) * kPage + 4000) ^= 1;
        }
    }
    const auto first = static_cast<uint32_t>(file.Pages() + 1);
    // Pages behind the end of what SQLite knows of.
    const auto try_pages = [&](const std::vector<std::string>& pages) {
        std::string bytes = broken;
        for (size_t i = 0; i < pages.size(); i++) {
            bytes += Stamped(pages[i], first + static_cast<uint32_t>(i));
        }
        file.Write(bytes);
        std::vector<std::string> lost;
        const Status status = Mend(&file, &lost);
        CAPTURE(status.message(), lost);
        CHECK(status.ok());
        const std::vector<size_t> missing = file.Missing();
        CHECK(missing.size() == lost.size());
        return lost.empty();
    };
    CHECK_FALSE(try_pages({}));
    // How much of it SQLite keeps on the leaf.
    constexpr size_t kOverflow = kUsable - 4;
    constexpr size_t kLeast = (kUsable - 12) * 32 / 255 - 23;
    const size_t header = 2 + Varint(12 + 2 * row.blob.size()).size();
    const size_t payload = row.blob.size() + header;
    const size_t rest = kLeast + (payload - kLeast) % kOverflow;
    const size_t local = (rest <= kUsable - 35 ? rest : kLeast) - header;
    const auto chain_at = [&](uint32_t page) {
        return row.blob.substr(0, local) + BigEndian(page, 4);
    };
    std::vector<std::string> pages(1);
    for (size_t at = local; at < row.blob.size(); at += kOverflow) {
        const bool last = at + kOverflow >= row.blob.size();
        const auto next = first + static_cast<uint32_t>(pages.size()) + 1;
        pages.push_back(BigEndian(last ? 0 : next, 4) + row.blob.substr(at, kOverflow));
    }
    row.in_page = chain_at(first + 1);
    REQUIRE(Varint(payload).size() + row.Cell().size() > local);
    const auto with = [&](const std::string& leaf) {
        pages[0] = leaf;
        return try_pages(pages);
    };
    CHECK(with(Leaf(row.Cell())));
    // The same where a damaged page may have any header.
    {
        pages[0] = Leaf(row.Cell());
        std::string bytes = broken;
        for (size_t i = 0; i < pages.size(); i++) {
            bytes += Stamped(pages[i], first + static_cast<uint32_t>(i));
        }
        StoredFile::Flip(&bytes, first);
        file.Write(bytes);
        std::vector<std::string> lost;
        CHECK(Mend(&file, &lost).ok());
        CHECK(lost.empty());
    }
    // More rows than a page can have.
    std::string crowded = Leaf(row.Cell());
    crowded.replace(3, 2, BigEndian(0xffff, 2));
    CHECK(with(crowded));
    // What looks like it, and is not.
    const std::function<void(Row*)> changes[] = {
        [](Row* r) { r->more_payload = 1; },
        [](Row* r) { r->more_header = 1; },
        [](Row* r) { r->id_type = 1; },
        [](Row* r) { r->more_blob = 1; },
        [&](Row* r) { r->in_page = chain_at(0); },
        [&](Row* r) { r->in_page = chain_at(first + 1000); },
        [&](Row* r) { r->in_page[100] ^= 1; },
    };
    for (const auto& change : changes) {
        Row other = row;
        change(&other);
        CHECK_FALSE(with(Leaf(other.Cell())));
    }
    // It ends where the page does, or behind it.
    const std::string cell = row.Cell();
    for (const size_t room : {size_t{5}, size_t{12}, cell.size() - 10, cell.size() - 4}) {
        CAPTURE(room);
        CHECK_FALSE(with(Leaf(cell, kUsable - room)));
    }
    // A page of no tree is not looked at.
    std::string none = Leaf(cell);
    none[0] = 7;
    CHECK_FALSE(with(none));
    for (const char kind : {char{2}, char{5}, char{10}}) {
        none[0] = kind;
        CHECK(with(none));
    }
}

namespace {

// As another program may change the file, page checksums and all.
void Change(const StoredFile& file, const std::string& sql) {
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open_v2(file.path.c_str(), &raw, SQLITE_OPEN_READWRITE, CurrentPageVfs()) ==
            SQLITE_OK);
    const int code = sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr);
    CAPTURE(sql, sqlite3_errmsg(raw));
    REQUIRE(code == SQLITE_OK);
    sqlite3_close(raw);
}

}  // namespace

TEST_CASE("chunks that are gone from a sound table are named, but for those made of others") {
    StoredFile file;
    file.Write(file.sound);
    std::vector<PartInfo> parts;
    {
        auto store = file.Open();
        REQUIRE(store.ok());
        auto reader = (*store)->BeginRead();
        REQUIRE(reader.ok());
        auto segments = ReadSegments((*reader)->connection(), 1, SegmentState::kLive);
        REQUIRE(segments.ok());
        parts = segments->at(0).parts;
    }
    REQUIRE(IsDerived(parts.at(1).kind));
    const auto id = [&](size_t part, size_t chunk) {
        return std::to_string(ChunkId(parts.at(part).id, chunk));
    };
    // Gone, of another length, and of other content.
    Change(file, "PRAGMA secure_delete=ON; DELETE FROM quern_chunk WHERE id IN (" + id(0, 0) + "," +
                     id(1, 0) + "); UPDATE quern_chunk SET data=x'01' WHERE id=" + id(0, 1) +
                     "; UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE id IN (" +
                     id(0, 2) + "," + id(1, 1) + ")");
    auto store = file.Open();
    REQUIRE(store.ok());
    Work work;
    std::vector<std::string> lost;
    const Status status = MendChunkTable(store->get(), &work, &lost);
    CAPTURE(status.message(), lost);
    REQUIRE(status.ok());
    REQUIRE(lost.size() == 3);
    for (size_t i = 0; i < lost.size(); i++) {
        CHECK(lost[i].find("chunk " + std::to_string(i)) != std::string::npos);
    }
    CHECK(MendUnusedPages(store->get(), &work).ok());
    store = Status();
    CHECK(file.Missing() == std::vector<size_t>{0, 1, 2});
}

TEST_CASE("an index of several columns is read as one") {
    StoredFile file;
    file.Write(file.sound);
    Change(file, "CREATE INDEX two ON quern_part(segment, kind)");
    auto store = file.Open();
    REQUIRE(store.ok());
    Work work;
    CHECK(CheckTables(store->get(), &work).ok());
    CHECK(MendIndexes(store->get(), &work).ok());
}

TEST_CASE("pages that nothing leads to are counted, and given back") {
    StoredFile file;
    file.Write(file.sound);
    Change(file,
           "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE "
           "name='quern_part_segment'");
    auto store = file.Open();
    REQUIRE(store.ok());
    CHECK(file.Problems(store->get()) ==
          std::vector<std::string>{"B-tree: 1 page is in no tree (what led there is damaged)"});
    Work work;
    CHECK(MendUnusedPages(store->get(), &work).ok());
    CHECK(file.Problems(store->get()).empty());
}

TEST_CASE("a map of pages that says nonsense hides no damage of the table of chunks") {
    StoredFile file;
    const uint32_t root = file.RootOf("quern_chunk");
    // All entries of the map are of no page, with a checksum that is right.
    std::string map = file.sound.substr(kPage, kUsable);
    for (size_t i = 0; i + 3 < file.Pages(); i++) {
        map[5 * i + 4] = static_cast<char>(map[5 * i + 4] ^ 0x11);
    }
    std::string bytes = file.sound;
    bytes.replace(kPage, kPage, Stamped(map, 2));
    Work work;
    const auto check = [&](const std::string& content) -> std::optional<ChunkTable> {
        file.Write(content);
        auto store = file.Open();
        if (!store.ok()) {
            return std::nullopt;
        }
        auto table = CheckChunkTable(store->get(), &work);
        CAPTURE(table.status().message());
        CHECK((table.ok() || table.status().code() == Code::kCorrupt));
        return table.ok() ? std::optional<ChunkTable>(*table) : std::nullopt;
    };
    CHECK(check(bytes) == ChunkTable::kSound);
    std::vector<std::string> lost;
    CHECK(Mend(&file, &lost).ok());
    CHECK(lost.empty());
    file.CheckSound();
    std::string broken = bytes;
    StoredFile::Flip(&broken, root);
    CHECK(check(broken) == ChunkTable::kBroken);
    CHECK(Mend(&file, &lost).ok());
    file.CheckSound();
    // A page of a leaf, or behind one.
    uint32_t hole = 0;
    uint32_t broken_leaf = 0;
    for (uint32_t page = 3; page <= file.Pages(); page++) {
        if (page == root) {
            continue;
        }
        std::string holed = file.sound;
        StoredFile::Flip(&holed, page);
        const std::optional<ChunkTable> alone = check(holed);
        holed = bytes;
        StoredFile::Flip(&holed, page);
        CAPTURE(page);
        CHECK(check(holed) == alone);
        hole = alone == ChunkTable::kHoles ? page : hole;
        broken_leaf = alone == ChunkTable::kBroken ? page : broken_leaf;
    }
    // Nor does a hole hide that the way to another chunk is damaged.
    REQUIRE(hole > 0);
    REQUIRE(broken_leaf > 0);
    std::string both = file.sound;
    StoredFile::Flip(&both, hole);
    StoredFile::Flip(&both, broken_leaf);
    CHECK(check(both) == ChunkTable::kBroken);
}

TEST_CASE("mending a large file tells how far it is, and can be stopped") {
    StoredFile file(size_t{2400000});
    REQUIRE(file.Pages() > 1024);
    const std::string bytes = file.Damaged("quern_chunk");
    for (const bool through : {false, true}) {
        file.Write(bytes);
        auto store = file.Open();
        REQUIRE(store.ok());
        std::atomic<uint64_t> epoch{0};
        Work work(&epoch, nullptr);
        std::vector<std::string> lost;
        epoch += through ? 0 : 1;
        const Status status = MendChunkTable(store->get(), &work, &lost);
        CAPTURE(through, status.message());
        CHECK(status.code() == (through ? Code::kOk : Code::kInterrupted));
        CHECK(lost.empty());
    }
    std::vector<std::string> lost;
    CHECK(Mend(&file, &lost).ok());
    file.CheckSound();
    // Between the calls of the disk, that are at about these places.
    for (const int64_t calls : {600, 1800, 3000}) {
        file.Write(bytes);
        auto store = file.Open();
        REQUIRE(store.ok());
        std::atomic<uint64_t> epoch{0};
        Work work(&epoch, nullptr);
        FaultyDisk::interrupts = &epoch;
        FaultyDisk::calls_left = calls;
        const Status status = MendChunkTable(store->get(), &work, &lost);
        FaultyDisk::Heal();
        CAPTURE(calls, status.message());
        CHECK(epoch == 1);
        CHECK(status.code() == Code::kInterrupted);
    }
}

TEST_CASE("mending waits for nobody's snapshot, and says so") {
    StoredFile file;
    for (const char* root : {"quern_chunk", "quern_part_segment"}) {
        CAPTURE(root);
        file.Write(file.Damaged(root));
        auto store = file.Open();
        REQUIRE(store.ok());
        auto reader = (*store)->BeginRead();
        REQUIRE(reader.ok());
        {
            auto writer = (*store)->BeginWrite();
            REQUIRE(writer.ok());
            REQUIRE(NoteTableChange((*writer)->connection(), 2).ok());
            REQUIRE((*writer)->Commit().ok());
        }
        Work work;
        std::vector<std::string> lost;
        const Status status = MendAll(store->get(), &work, &lost);
        CAPTURE(status.message());
        CHECK(status.code() == Code::kBusy);
        reader = Status();
        CHECK(MendAll(store->get(), &work, &lost).ok());
        CHECK(lost.empty());
        store = Status();
        file.CheckSound();
    }
}

TEST_CASE("whatever is asked of a file in memory, it has nothing to mend") {
    StoreOptions options;
    options.path = ":memory:";
    auto store = FileStore::Open(options);
    REQUIRE(store.ok());
    Work work;
    std::vector<std::string> lost;
    CHECK(MendAll(store->get(), &work, &lost).ok());
    CHECK(CheckTables(store->get(), &work).ok());
}
