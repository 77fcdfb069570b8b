#include "tests/corruption/file_images.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>

#include "storage/memory_vfs.h"
#include "storage/page_vfs.h"

namespace quern::corruption {

namespace {

constexpr size_t kChunkHeadBytes = 40;
constexpr size_t kPageHeadBytes = 48;

[[noreturn]] void Die(const char* what) {
    std::fprintf(stderr, "corruption: %s\n", what);
    std::exit(2);
}

sqlite3_vfs* Vfs() {
    return sqlite3_vfs_find(storage::MemoryVfs());
}

// A file of the VFS in memory; closed at the end.
class OpenFile {
public:
    OpenFile(const std::string& name, int flags)
        : name_(name), space_(new char[static_cast<size_t>(Vfs()->szOsFile)]()) {
        open_ = Vfs()->xOpen(Vfs(), name_.c_str(), get(), flags, nullptr) == SQLITE_OK;
    }
    ~OpenFile() {
        if (open_) {
            get()->pMethods->xClose(get());
        }
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    sqlite3_file* get() { return reinterpret_cast<sqlite3_file*>(space_.get()); }
    bool open() const { return open_; }

private:
    std::string name_;
    std::unique_ptr<char[]> space_;
    bool open_ = false;
};

void Put(const std::string& name, const std::string& bytes) {
    OpenFile file(name, SQLITE_OPEN_CREATE | SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB);
    if (!file.open() ||
        file.get()->pMethods->xWrite(file.get(), bytes.data(), static_cast<int>(bytes.size()), 0) !=
            SQLITE_OK) {
        Die("a file in memory cannot be written");
    }
}

std::string Take(const std::string& name) {
    OpenFile file(name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB);
    sqlite3_int64 size = 0;
    if (!file.open() || file.get()->pMethods->xFileSize(file.get(), &size) != SQLITE_OK) {
        return {};
    }
    std::string bytes(static_cast<size_t>(size), '\0');
    if (file.get()->pMethods->xRead(file.get(), bytes.data(), static_cast<int>(size), 0) !=
        SQLITE_OK) {
        Die("a file in memory cannot be read");
    }
    return bytes;
}

uint8_t ByteAt(const std::string& bytes, size_t offset) {
    return offset < bytes.size() ? static_cast<uint8_t>(bytes[offset]) : 0;
}
size_t ShortAt(const std::string& bytes, size_t offset) {
    return size_t{ByteAt(bytes, offset)} << 8 | ByteAt(bytes, offset + 1);
}

// SQLite's varint: big-endian, seven bits a byte, eight in the ninth.
uint64_t Varint(const std::string& bytes, size_t* offset) {
    uint64_t value = 0;
    for (int i = 0; i < 9; i++) {
        const uint8_t byte = ByteAt(bytes, (*offset)++);
        if (i == 8) {
            return value << 8 | byte;
        }
        value = value << 7 | (byte & 0x7f);
        if (byte < 0x80) {
            break;
        }
    }
    return value;
}

bool IsHead(int64_t kind) {
    for (const int64_t head : {64, 69, 70, 72, 78, 80, 96, 104, 128, 138}) {
        if (kind == head) {
            return true;
        }
    }
    return false;
}

struct PageOwner {
    size_t number = 0;  // from 1
    std::string table;
    bool leaf = false;
};

// The sound file as plain SQLite sees it.
class PlainFile {
public:
    explicit PlainFile(const std::string& main) {
        PutImages(kPath, {main, ""});
        if (sqlite3_open_v2(kPath, &db_, SQLITE_OPEN_READWRITE, storage::MemoryVfs()) !=
            SQLITE_OK) {
            Die("plain SQLite does not open the file");
        }
    }
    ~PlainFile() {
        sqlite3_close(db_);
        DropImages(kPath);
    }
    PlainFile(const PlainFile&) = delete;
    PlainFile& operator=(const PlainFile&) = delete;

    template <typename Row>
    void ForRows(const char* sql, Row row) {
        sqlite3_stmt* statement = nullptr;
        if (sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) != SQLITE_OK) {
            Die(sqlite3_errmsg(db_));
        }
        while (sqlite3_step(statement) == SQLITE_ROW) {
            row(statement);
        }
        sqlite3_finalize(statement);
    }

private:
    static constexpr const char* kPath = "/anatomy";
    sqlite3* db_ = nullptr;
};

}  // namespace

void UseMemoryFiles() {
    static_cast<void>(storage::RegisterMemoryVfs().ok());
    testing::SetBaseVfs(storage::MemoryVfs());
}

void PutImages(const std::string& path, const Images& images) {
    DropImages(path);
    Put(path, images.main);
    if (!images.log.empty()) {
        Put(path + "-wal", images.log);
    }
}

Images TakeImages(const std::string& path) {
    return {Take(path), Take(path + "-wal")};
}

void DropImages(const std::string& path) {
    storage::DropMemoryFiles(path);
}

Anatomy AnatomyOf(const std::string& main) {
    PlainFile file(main);
    std::set<int64_t> head_parts;
    file.ForRows("SELECT id, kind FROM quern_part", [&](sqlite3_stmt* row) {
        if (IsHead(sqlite3_column_int64(row, 1))) {
            head_parts.insert(sqlite3_column_int64(row, 0));
        }
    });
    std::vector<PageOwner> pages;
    file.ForRows(
        "SELECT pageno, name, pagetype FROM dbstat ORDER BY pageno", [&](sqlite3_stmt* row) {
            const auto* name = sqlite3_column_text(row, 1);
            const std::string type = reinterpret_cast<const char*>(sqlite3_column_text(row, 2));
            if (type != "overflow") {
                pages.push_back({static_cast<size_t>(sqlite3_column_int64(row, 0)),
                                 reinterpret_cast<const char*>(name), type == "leaf"});
            }
        });
    Anatomy anatomy;
    for (size_t page = 0; page < main.size() / kPageBytes; page++) {
        anatomy.page_ends.push_back({page * kPageBytes + kPageContent, kPageBytes - kPageContent});
    }
    for (const PageOwner& page : pages) {
        const size_t start = (page.number - 1) * kPageBytes;
        const size_t head = start + (page.number == 1 ? 100 : 0);
        anatomy.page_heads.push_back({head, kPageHeadBytes});
        const bool chunks = page.table == "quern_chunk";
        const bool catalog = page.table.rfind("quern_log_", 0) != 0 &&
                             (page.table == "sqlite_schema" || page.table.rfind("quern_", 0) == 0);
        if (!page.leaf || (!chunks && !catalog)) {
            continue;
        }
        const size_t cells = ShortAt(main, head + 3);
        for (size_t cell = 0; cell < cells; cell++) {
            const size_t at = start + ShortAt(main, head + 8 + 2 * cell);
            size_t next = at;
            const auto payload = static_cast<size_t>(Varint(main, &next));
            // Rows without a row id have no second number, but then it is a part of the payload.
            const uint64_t row = Varint(main, &next);
            const size_t end = std::min(next + payload, start + kPageContent);
            if (!chunks) {
                anatomy.catalog.push_back({at, end - at});
                continue;
            }
            anatomy.chunk_heads.push_back({at, std::min(kChunkHeadBytes, end - at)});
            if (head_parts.count(static_cast<int64_t>(row >> 20)) != 0) {
                anatomy.index_heads.push_back({at, end - at});
            }
        }
    }
    return anatomy;
}

}  // namespace quern::corruption
