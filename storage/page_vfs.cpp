#include "storage/page_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>

#include "storage/base/hash.h"
#include "storage/base/test_fault.h"
#include "storage/file_place.h"
#include "storage/page_mending.h"

namespace quern::storage {

namespace {

constexpr int kPageSize = 16384;
constexpr int kReserved = 64;
constexpr int kContent = kPageSize - kReserved;
constexpr size_t kBadPagesMax = 100;
constexpr int kScanTries = 3;  // a page may be on its way into the file while it is scanned

enum class Kind { kUnknown, kQuern, kForeign };

// What is known of one open main database file.
struct MainFile {
    std::string path;
    Kind kind = Kind::kUnknown;
    std::unique_ptr<char[]> page{new char[kPageSize]};  // a page with its checksum, on its way down
    bool frozen = false;                                // opened with immutable=1
    std::optional<FileStamp> stamp;                     // of a frozen file, when it was opened
    bool refuse_empty = false;                          // see LetReadEmptyPages
    MendingView mending;
};

struct PageFile {
    sqlite3_file base;    // first: SQLite sees this
    sqlite3_file* below;  // the file of the layer below; its space follows this struct
    MainFile* main;       // NULL for files that pass through
    // The first region of the log's index while it is mapped. Only the connection's thread looks.
    const volatile void* log_index;
};

struct Layer {
    sqlite3_vfs vfs{};
    sqlite3_vfs* below = nullptr;
    std::string name;
};

struct Registry {
    std::mutex mutex;
    std::map<std::string, std::unique_ptr<Layer>> layers;  // by name of the VFS below
    std::map<std::string, uint32_t> bad_pages;             // by full path
    const char* current = nullptr;
};
Registry& TheRegistry() {
    // Never destroyed: files may be closed by other static destructors.
    static Registry* registry = new Registry();
    return *registry;
}

PageFile* Of(sqlite3_file* file) {
    return reinterpret_cast<PageFile*>(file);
}
sqlite3_file* Below(sqlite3_file* file) {
    return Of(file)->below;
}
sqlite3_vfs* BelowVfs(sqlite3_vfs* vfs) {
    return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

constexpr size_t kStampBytes = 12;  // checksum and page number; the rest of the reserve is zero

bool IsZero(const char* page) {
    return page[0] == 0 && std::memcmp(page, page + 1, kPageSize - 1) == 0;
}

void Stamp(char* page, uint32_t number) {
    std::memset(page + kContent, 0, kReserved);
    const uint64_t hash = Hash64(page, kContent, number);
    for (int i = 0; i < 8; i++) {
        page[kContent + i] = static_cast<char>(hash >> (8 * i));
    }
    for (int i = 0; i < 4; i++) {
        page[kContent + 8 + i] = static_cast<char>(number >> (8 * i));
    }
}

bool IsSound(const char* page, uint32_t number) {
    if (IsZero(page)) {
        return true;
    }
    uint64_t stored = 0;
    uint32_t place = 0;
    for (int i = 0; i < 8; i++) {
        stored |= static_cast<uint64_t>(static_cast<uint8_t>(page[kContent + i])) << (8 * i);
    }
    for (int i = 0; i < 4; i++) {
        place |= static_cast<uint32_t>(static_cast<uint8_t>(page[kContent + 8 + i])) << (8 * i);
    }
    const char* rest = page + kContent + kStampBytes;
    return place == number && stored == Hash64(page, kContent, number) && rest[0] == 0 &&
           std::memcmp(rest, rest + 1, kReserved - kStampBytes - 1) == 0;
}

// Whether the first bytes of page 1 are those of a file with our page size and reserve.
Kind KindOf(const char* header) {
    const bool sqlite = std::memcmp(header, "SQLite format 3", 16) == 0;
    return sqlite && header[16] == 0x40 && header[17] == 0 && header[20] == kReserved
               ? Kind::kQuern
               : Kind::kForeign;
}

// Looks at the file's header once it has one.
void Decide(PageFile* file) {
    char header[24];
    if (file->main->kind == Kind::kUnknown &&
        file->below->pMethods->xRead(file->below, header, sizeof header, 0) == SQLITE_OK &&
        std::any_of(header, header + sizeof header, [](char c) { return c != 0; })) {
        // Zeros are a hole: other pages may be written before the first.
        file->main->kind = KindOf(header);
    }
}

void NoteBadPage(const std::string& path, uint32_t number) {
    Registry& registry = TheRegistry();
    try {
        std::lock_guard<std::mutex> lock(registry.mutex);
        registry.bad_pages[path] = number;
    } catch (const std::bad_alloc&) {
        // The error is reported all the same, without the number.
    }
}

bool HasChanged(const MainFile& main) {
    return main.frozen && (!main.stamp.has_value() || StampOf(main.path) != main.stamp);
}

bool IsPage(int bytes, sqlite3_int64 offset) {
    return bytes == kPageSize && offset % kPageSize == 0;
}
uint32_t PageNumber(sqlite3_int64 offset) {
    return static_cast<uint32_t>(offset / kPageSize + 1);
}

// Whether the page was replaced by what a connection that mends the file is to see.
bool ShowInstead(const MendingView& view, bool sound, uint32_t number, char* page) {
    if (view.empty_table == number || view.empty_index == number) {
        std::memset(page, 0, kPageSize);
        page[0] = view.empty_table == number ? 13 : 10;  // a leaf of a table, or of an index
        page[5] = static_cast<char>(kContent >> 8);
        page[6] = static_cast<char>(kContent & 0xff);
        return true;
    }
    if (!sound && std::binary_search(view.zero_pages.begin(), view.zero_pages.end(), number)) {
        std::memset(page, 0, kPageSize);
        return true;
    }
    return false;
}

int Close(sqlite3_file* file) {
    const int code = Below(file)->pMethods->xClose(Below(file));
    delete Of(file)->main;
    Of(file)->main = nullptr;
    return code;
}

int Read(sqlite3_file* file, void* out, int bytes, sqlite3_int64 offset) {
    const int code = Below(file)->pMethods->xRead(Below(file), out, bytes, offset);
    MainFile* main = Of(file)->main;
    if (main != nullptr && HasChanged(*main)) {
        return SQLITE_IOERR_VNODE;
    }
    // SQLite takes a page behind the end of the file for zeros, and one that the end has cut for
    // what is left of it: with a log that tells of a longer file, it reads both.
    const bool cut_off = code == SQLITE_IOERR_SHORT_READ;
    if ((code != SQLITE_OK && !cut_off) || main == nullptr || !IsPage(bytes, offset)) {
        return code;
    }
    Decide(Of(file));
    if (main->kind != Kind::kQuern) {
        return code;
    }
    char* const page = static_cast<char*>(out);
    bool sound = false;
    if (IsZero(page)) {
        sound = !main->refuse_empty || TestFault(Fault::kEmptyPageTaken);
    } else if (!cut_off) {
        sound = IsSound(page, PageNumber(offset)) || TestFault(Fault::kPageUnchecked);
    }
    if (ShowInstead(main->mending, sound, PageNumber(offset), page) || sound) {
        return code;
    }
    NoteBadPage(main->path, PageNumber(offset));
    return SQLITE_IOERR_DATA;
}

int Write(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 offset) {
    MainFile* main = Of(file)->main;
    if (main == nullptr || !IsPage(bytes, offset)) {
        return Below(file)->pMethods->xWrite(Below(file), data, bytes, offset);
    }
    if (offset == 0) {
        main->kind = KindOf(static_cast<const char*>(data));
    } else {
        Decide(Of(file));
    }
    // A file without a header yet is one of ours: others are refused before anything is written.
    if (main->kind == Kind::kForeign) {
        return Below(file)->pMethods->xWrite(Below(file), data, bytes, offset);
    }
    std::memcpy(main->page.get(), data, kPageSize);
    Stamp(main->page.get(), PageNumber(offset));
    return Below(file)->pMethods->xWrite(Below(file), main->page.get(), bytes, offset);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    return Below(file)->pMethods->xTruncate(Below(file), size);
}
int Sync(sqlite3_file* file, int flags) {
    const Fault unsynced = Of(file)->main == nullptr ? Fault::kSyncSkipped : Fault::kFileNotSynced;
    if (TestFault(unsynced)) {
        return SQLITE_OK;
    }
    return Below(file)->pMethods->xSync(Below(file), flags);
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    return Below(file)->pMethods->xFileSize(Below(file), size);
}
int Lock(sqlite3_file* file, int level) {
    return Below(file)->pMethods->xLock(Below(file), level);
}
int Unlock(sqlite3_file* file, int level) {
    return Below(file)->pMethods->xUnlock(Below(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* held) {
    return Below(file)->pMethods->xCheckReservedLock(Below(file), held);
}
int FileControl(sqlite3_file* file, int op, void* arg) {
    return Below(file)->pMethods->xFileControl(Below(file), op, arg);
}
int SectorSize(sqlite3_file* file) {
    return Below(file)->pMethods->xSectorSize(Below(file));
}
int DeviceCharacteristics(sqlite3_file* file) {
    // The layer below must not promise more than whole pages of ours allow; all its promises hold
    // for them.
    return Below(file)->pMethods->xDeviceCharacteristics(Below(file));
}
int ShmMap(sqlite3_file* file, int region, int bytes, int extend, void volatile** out) {
    const int code = Below(file)->pMethods->xShmMap(Below(file), region, bytes, extend, out);
    if (region == 0) {
        Of(file)->log_index = code == SQLITE_OK ? *out : nullptr;
    }
    return code;
}
int ShmLock(sqlite3_file* file, int first, int count, int flags) {
    if ((flags & SQLITE_SHM_EXCLUSIVE) != 0 && TestFault(Fault::kLockNotTaken)) {  // never: both
        return SQLITE_OK;
    }
    return Below(file)->pMethods->xShmLock(Below(file), first, count, flags);
}
void ShmBarrier(sqlite3_file* file) {
    Below(file)->pMethods->xShmBarrier(Below(file));
}
int ShmUnmap(sqlite3_file* file, int remove) {
    Of(file)->log_index = nullptr;
    return Below(file)->pMethods->xShmUnmap(Below(file), remove);
}

// Version 2: no memory mapping, which would show pages that nobody has checked.
constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};
// For files of a layer without shared memory.
constexpr sqlite3_io_methods kPlainMethods = {1,
                                              Close,
                                              Read,
                                              Write,
                                              Truncate,
                                              Sync,
                                              FileSize,
                                              Lock,
                                              Unlock,
                                              CheckReservedLock,
                                              FileControl,
                                              SectorSize,
                                              DeviceCharacteristics,
                                              nullptr,
                                              nullptr,
                                              nullptr,
                                              nullptr,
                                              nullptr,
                                              nullptr};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    PageFile* page_file = Of(file);
    std::memset(page_file, 0, sizeof(PageFile));
    page_file->below = reinterpret_cast<sqlite3_file*>(page_file + 1);
    const int code = BelowVfs(vfs)->xOpen(BelowVfs(vfs), name, page_file->below, flags, out_flags);
    if (page_file->below->pMethods == nullptr) {
        return code;
    }
    file->pMethods = page_file->below->pMethods->iVersion >= 2 ? &kMethods : &kPlainMethods;
    if (code != SQLITE_OK || (flags & SQLITE_OPEN_MAIN_DB) == 0) {
        return code;
    }
    try {
        page_file->main = new MainFile();
        page_file->main->path = name;  // only temporary files have none
        if ((flags & SQLITE_OPEN_URI) != 0 && sqlite3_uri_boolean(name, "immutable", 0) != 0) {
            page_file->main->frozen = true;
            page_file->main->stamp = StampAtRest(page_file->main->path);
        }
    } catch (const std::bad_alloc&) {
        Close(file);
        file->pMethods = nullptr;
        return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync) {
    return BelowVfs(vfs)->xDelete(BelowVfs(vfs), name, sync);
}
int Access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    return BelowVfs(vfs)->xAccess(BelowVfs(vfs), name, flags, out);
}
int FullPathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
    return BelowVfs(vfs)->xFullPathname(BelowVfs(vfs), name, size, out);
}
// Loading extensions through this VFS is refused.
void* DlOpen(sqlite3_vfs*, const char*) {
    return nullptr;
}
void DlError(sqlite3_vfs*, int size, char* message) {
    sqlite3_snprintf(size, message, "extensions are not loaded");
}
void (*DlSym(sqlite3_vfs*, void*, const char*))(void) {
    return nullptr;
}
void DlClose(sqlite3_vfs*, void*) {}
int Randomness(sqlite3_vfs* vfs, int bytes, char* out) {
    return BelowVfs(vfs)->xRandomness(BelowVfs(vfs), bytes, out);
}
int Sleep(sqlite3_vfs* vfs, int microseconds) {
    return BelowVfs(vfs)->xSleep(BelowVfs(vfs), microseconds);
}
int CurrentTime(sqlite3_vfs* vfs, double* out) {
    return BelowVfs(vfs)->xCurrentTime(BelowVfs(vfs), out);
}
int GetLastError(sqlite3_vfs* vfs, int size, char* out) {
    return BelowVfs(vfs)->xGetLastError ? BelowVfs(vfs)->xGetLastError(BelowVfs(vfs), size, out)
                                        : 0;
}
int CurrentTimeInt64(sqlite3_vfs* vfs, sqlite3_int64* out) {
    if (BelowVfs(vfs)->iVersion >= 2 && BelowVfs(vfs)->xCurrentTimeInt64 != nullptr) {
        return BelowVfs(vfs)->xCurrentTimeInt64(BelowVfs(vfs), out);
    }
    double days = 0;
    const int code = BelowVfs(vfs)->xCurrentTime(BelowVfs(vfs), &days);
    *out = static_cast<sqlite3_int64>(days * 86400000.0);
    return code;
}

// With the registry's mutex held.
const char* LayerOver(Registry& registry, const char* base) {
    sqlite3_vfs* below = sqlite3_vfs_find(base);
    if (below == nullptr) {
        return nullptr;
    }
    std::unique_ptr<Layer>& layer = registry.layers[below->zName];
    if (layer != nullptr) {
        return layer->name.c_str();
    }
    layer = std::make_unique<Layer>();
    layer->below = below;
    layer->name = std::string("quern-pages-over-") + below->zName;
    sqlite3_vfs& vfs = layer->vfs;
    vfs.iVersion = 2;
    vfs.szOsFile = static_cast<int>(sizeof(PageFile)) + below->szOsFile;
    vfs.mxPathname = below->mxPathname;
    vfs.zName = layer->name.c_str();
    vfs.pAppData = below;
    vfs.xOpen = Open;
    vfs.xDelete = Delete;
    vfs.xAccess = Access;
    vfs.xFullPathname = FullPathname;
    vfs.xDlOpen = DlOpen;
    vfs.xDlError = DlError;
    vfs.xDlSym = DlSym;
    vfs.xDlClose = DlClose;
    vfs.xRandomness = Randomness;
    vfs.xSleep = Sleep;
    vfs.xCurrentTime = CurrentTime;
    vfs.xGetLastError = GetLastError;
    vfs.xCurrentTimeInt64 = CurrentTimeInt64;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) {  // never: SQLite takes it
        layer.reset();
        return nullptr;
    }
    return layer->name.c_str();
}

}  // namespace

const char* RegisterPageVfsOver(const char* base) {
    Registry& registry = TheRegistry();
    std::lock_guard<std::mutex> lock(registry.mutex);
    return LayerOver(registry, base);
}

Status RegisterPageVfs() {
    Registry& registry = TheRegistry();
    std::lock_guard<std::mutex> lock(registry.mutex);
    if (registry.current == nullptr) {
        registry.current = LayerOver(registry, nullptr);
    }
    if (registry.current == nullptr) {  // never: there is a default one
        return Status::Error(Code::kInternal, "SQLite has no VFS to build upon");
    }
    return {};
}

const char* CurrentPageVfs() {
    Registry& registry = TheRegistry();
    std::lock_guard<std::mutex> lock(registry.mutex);
    return registry.current;
}

std::optional<uint32_t> LastBadPage(const std::string& path) {
    Registry& registry = TheRegistry();
    std::lock_guard<std::mutex> lock(registry.mutex);
    auto found = registry.bad_pages.find(path);
    if (found == registry.bad_pages.end() && registry.current != nullptr) {
        sqlite3_vfs* vfs = sqlite3_vfs_find(registry.current);
        std::string full(static_cast<size_t>(vfs->mxPathname) + 1, '\0');
        if (vfs->xFullPathname(vfs, path.c_str(), static_cast<int>(full.size()), full.data()) ==
            SQLITE_OK) {
            found = registry.bad_pages.find(full.c_str());
        }
    }
    return found == registry.bad_pages.end() ? std::nullopt
                                             : std::optional<uint32_t>(found->second);
}

namespace {

uint32_t BigEndian(const unsigned char* bytes) {
    return static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
           static_cast<uint32_t>(bytes[2]) << 8 | bytes[3];
}

// The connection's database file, if it is one of this layer's.
sqlite3_file* MainFileOf(sqlite3* db) {
    sqlite3_file none{};
    sqlite3_file* file = &none;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    const bool ours = file->pMethods == &kMethods || file->pMethods == &kPlainMethods;
    // One that goes with its connection is no main file.
    return ours && Of(file)->main != nullptr ? file : nullptr;
}

Status Unreadable(const char* what, int code) {
    return Status::Error(Code::kIo, "%s cannot be read", what).WithDetail(code, 0);
}

// Numbers of the pages of which the write-ahead log holds a copy. A crash while the log is moved
// into the file may leave such a page torn in the file: the log is what counts then.
Result<std::set<uint32_t>> PagesInLog(sqlite3* db) {
    constexpr int kLogHeader = 32;
    constexpr int kFrameHeader = 24;
    std::set<uint32_t> pages;
    sqlite3_file none{};
    sqlite3_file* log = &none;
    sqlite3_int64 size = 0;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log->pMethods == nullptr) {
        return pages;
    }
    int code = log->pMethods->xFileSize(log, &size);
    unsigned char header[kLogHeader];
    if (code == SQLITE_OK && size >= kLogHeader) {
        code = log->pMethods->xRead(log, header, kLogHeader, 0);
    }
    for (sqlite3_int64 at = kLogHeader; code == SQLITE_OK && at + kFrameHeader + kPageSize <= size;
         at += kFrameHeader + kPageSize) {
        unsigned char frame[kFrameHeader];
        code = log->pMethods->xRead(log, frame, kFrameHeader, at);
        // Frames of an older round of the log carry another salt.
        if (code != SQLITE_OK || std::memcmp(frame + 8, header + 16, 8) != 0) {
            break;
        }
        pages.insert(BigEndian(frame));
    }
    // A log that was cut meanwhile holds no more.
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) {
        return Unreadable("the write-ahead log", code);
    }
    return pages;
}

// The leaves of the list of free pages, as far as its trunk can be followed. "The Freelist" of
// SQLite's documentation of its file format.
std::set<uint32_t> FreeLeaves(sqlite3_file* below) {
    constexpr int kFirstTrunk = 32;  // in page 1
    constexpr uint32_t kEntriesMax = kContent / 4 - 2;
    std::set<uint32_t> leaves;
    std::set<uint32_t> trunks;
    const std::unique_ptr<char[]> page(new char[kPageSize]);
    const auto* const bytes = reinterpret_cast<const unsigned char*>(page.get());
    const auto read = [&](uint32_t number) {
        return below->pMethods->xRead(below, page.get(), kPageSize,
                                      sqlite3_int64{number - 1} * kPageSize) == SQLITE_OK &&
               IsSound(page.get(), number);
    };
    if (!read(1)) {
        return leaves;
    }
    uint32_t trunk = BigEndian(bytes + kFirstTrunk);
    while (trunk > 1 && trunks.insert(trunk).second && read(trunk)) {
        const uint32_t count = BigEndian(bytes + 4);
        for (uint32_t i = 0; i < count && count <= kEntriesMax; i++) {
            leaves.insert(BigEndian(bytes + 8 + 4 * i));
        }
        trunk = BigEndian(bytes);
    }
    return leaves;
}

}  // namespace

std::optional<LogMark> ReadLogMark(sqlite3* db) {
    // "WAL-Index File Format" of SQLite's documentation: two copies of a header of 48 bytes, the
    // first written last; byte 12 says whether they hold anything yet.
    constexpr size_t kInitialized = 3;  // the word that byte 12 is in
    sqlite3_file* file = MainFileOf(db);
    const auto* words =
        file == nullptr ? nullptr : static_cast<const volatile uint32_t*>(Of(file)->log_index);
    if (words == nullptr) {
        return std::nullopt;
    }
    LogMark first;
    LogMark second;
    // Each before the second copy is read. (Not by a fence: ThreadSanitizer does not follow those.)
    for (size_t i = 0; i < first.words.size(); i++) {
        first.words[i] = __atomic_load_n(words + i, __ATOMIC_ACQUIRE);
    }
    for (size_t i = 0; i < second.words.size(); i++) {
        second.words[i] = words[first.words.size() + i];
    }
    if (first != second || first.words[kInitialized] == 0) {
        return std::nullopt;
    }
    if (TestFault(Fault::kMarkFrozen)) {
        return LogMark();
    }
    return first;
}

bool FrozenFileChanged(sqlite3* db) {
    sqlite3_file* file = MainFileOf(db);
    return file != nullptr && HasChanged(*Of(file)->main);
}

Result<std::vector<uint32_t>> ScanPages(sqlite3* db) {
    std::vector<uint32_t> bad;
    sqlite3_file* file = MainFileOf(db);
    if (file == nullptr) {
        return bad;
    }
    sqlite3_file* below = Below(file);
    QUERN_ASSIGN(const uint32_t pages, CountPages(db));
    QUERN_ASSIGN(const std::set<uint32_t> in_log, PagesInLog(db));
    const std::unique_ptr<char[]> page(new char[kPageSize]);
    for (uint32_t number = 1; number <= pages && bad.size() < kBadPagesMax; number++) {
        const sqlite3_int64 offset = sqlite3_int64{number - 1} * kPageSize;
        bool sound = false;
        for (int i = 0; i < kScanTries && !sound; i++) {
            if (i > 0) {
                sqlite3_sleep(10);
            }
            sound = below->pMethods->xRead(below, page.get(), kPageSize, offset) == SQLITE_OK &&
                    IsSound(page.get(), number);
        }
        if (!sound && in_log.count(number) == 0) {
            bad.push_back(number);
        }
    }
    return bad;
}

size_t MendFreePages(sqlite3* db) {
    sqlite3_file* file = MainFileOf(db);
    const Result<bool> log_is_empty = LogIsEmpty(db);
    if (file == nullptr || !log_is_empty.ok() || !*log_is_empty) {
        return 0;
    }
    const Result<std::vector<uint32_t>> bad = ScanPages(db);
    if (!bad.ok() || bad->empty()) {
        return 0;
    }
    sqlite3_file* below = Below(file);
    const std::set<uint32_t> free = FreeLeaves(below);
    const std::unique_ptr<char[]> zeros(new char[kPageSize]());
    size_t mended = 0;
    for (const uint32_t number : *bad) {
        if (free.count(number) > 0 &&
            below->pMethods->xWrite(below, zeros.get(), kPageSize,
                                    sqlite3_int64{number - 1} * kPageSize) == SQLITE_OK) {
            mended++;
        }
    }
    const bool lost = mended > 0 && below->pMethods->xSync(below, SQLITE_SYNC_FULL) != SQLITE_OK;
    return lost ? 0 : mended;
}

Result<uint32_t> CountPages(sqlite3* db) {
    sqlite3_file* file = MainFileOf(db);
    sqlite3_int64 size = 0;
    const int code =
        file == nullptr ? SQLITE_OK : Below(file)->pMethods->xFileSize(Below(file), &size);
    return code == SQLITE_OK ? Result<uint32_t>(static_cast<uint32_t>(size / kPageSize))
                             : Unreadable("the length of the file", code);
}

Result<bool> ReadPageAsIs(sqlite3* db, uint32_t number, char* out, bool* sound) {
    sqlite3_file* file = MainFileOf(db);
    int code = SQLITE_IOERR_SHORT_READ;
    if (file != nullptr && number >= 1) {
        code = Below(file)->pMethods->xRead(Below(file), out, kPageSize,
                                            sqlite3_int64{number - 1} * kPageSize);
    }
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) {
        return Unreadable(("page " + std::to_string(number)).c_str(), code);
    }
    if (sound != nullptr) {
        *sound = code == SQLITE_OK && IsSound(out, number);
    }
    return code == SQLITE_OK;
}

Result<bool> LogIsEmpty(sqlite3* db) {
    QUERN_ASSIGN(const std::set<uint32_t> pages, PagesInLog(db));
    return pages.empty();
}

bool IsPointerMap(uint32_t number) {
    constexpr uint32_t kEntries = kContent / 5;
    return number >= 2 && (number - 2) % (kEntries + 1) == 0;
}

void ShowForMending(sqlite3* db, const MendingView& view) {
    sqlite3_file* file = MainFileOf(db);
    if (file != nullptr) {
        Of(file)->main->mending = view;
        sqlite3_db_release_memory(db);
    }
}

void LetReadEmptyPages(sqlite3* db, bool may) {
    sqlite3_file* file = MainFileOf(db);
    if (file != nullptr) {
        Of(file)->main->refuse_empty = !may;
    }
}

}  // namespace quern::storage

namespace quern::testing {

void SetBaseVfs(const char* name) {
    storage::Registry& registry = storage::TheRegistry();
    std::lock_guard<std::mutex> lock(registry.mutex);
    registry.current = storage::LayerOver(registry, name);
}

}  // namespace quern::testing
