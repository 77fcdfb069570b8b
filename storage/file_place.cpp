#include "storage/file_place.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "storage/catalog.h"
#include "storage/page_vfs.h"

namespace quern::storage {

namespace {

// The slowest clock of Linux ticks a hundred times a second; twice that and a bit.
constexpr auto kTick = std::chrono::milliseconds(25);
constexpr int kTicksMax = 10;

bool HasContent(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && info.st_size > 0;
}

bool Opens(sqlite3_vfs* vfs, const std::string& name, int how, sqlite3_file* file) {
    if (vfs->xOpen(vfs, name.c_str(), file, how | SQLITE_OPEN_MAIN_DB, nullptr) == SQLITE_OK) {
        return true;
    }
    // What could not be opened whole has to be closed, as SQLite does it.
    if (file->pMethods != nullptr) {
        file->pMethods->xClose(file);
    }
    return false;
}

}  // namespace

std::string FullName(const std::string& path) {
    sqlite3_vfs* vfs = sqlite3_vfs_find(CurrentPageVfs());
    std::string full(static_cast<size_t>(vfs->mxPathname) + 1, '\0');
    const int code =
        vfs->xFullPathname(vfs, path.c_str(), static_cast<int>(full.size()), full.data());
    // More than OK is said of a path with symbolic links.
    return (code & 0xff) == SQLITE_OK ? std::string(full.c_str()) : path;
}

bool FileExists(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool IsDirectory(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool IsReadableFile(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
           faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0;
}

bool MayNotBeWritten(const std::string& path) {
    if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0) {
        return false;
    }
    switch (errno) {
        case EACCES:
        case EPERM:
        case EROFS: return true;
        default: return false;
    }
}

std::string PendingFile(const std::string& full_name) {
    for (const char* suffix : {"-wal", "-journal"}) {
        if (HasContent(full_name + suffix)) {
            return full_name + suffix;
        }
    }
    return {};
}

std::optional<FileStamp> StampOf(const std::string& path) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
        return std::nullopt;
    }
    FileStamp stamp;
    stamp.device = static_cast<uint64_t>(info.st_dev);
    stamp.inode = static_cast<uint64_t>(info.st_ino);
    stamp.bytes = info.st_size;
    stamp.modified_ns = int64_t{info.st_mtim.tv_sec} * 1000000000 + info.st_mtim.tv_nsec;
    return stamp;
}

std::optional<FileStamp> StampAtRest(const std::string& path) {
    std::optional<FileStamp> stamp = StampOf(path);
    for (int i = 0; i < kTicksMax && stamp.has_value(); i++) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto age = now - std::chrono::nanoseconds(stamp->modified_ns);
        // A time in the future says nothing of how long ago it was.
        if (age > kTick || age < -kTick) {
            break;
        }
        std::this_thread::sleep_for(kTick);
        stamp = StampOf(path);
    }
    return stamp;
}

Status CheckLength(const std::string& path) {
    const std::string full = FullName(path);
    if (HasContent(full + "-wal")) {
        return {};
    }
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    std::unique_ptr<char[]> space(new char[static_cast<size_t>(vfs->szOsFile)]());
    auto* file = reinterpret_cast<sqlite3_file*>(space.get());
    if (!Opens(vfs, full, SQLITE_OPEN_READONLY, file)) {
        return {};
    }
    unsigned char header[32];
    sqlite3_int64 bytes = 0;
    const bool read = file->pMethods->xRead(file, header, sizeof header, 0) == SQLITE_OK &&
                      file->pMethods->xFileSize(file, &bytes) == SQLITE_OK;
    file->pMethods->xClose(file);
    if (!read || std::memcmp(header, "SQLite format 3", 16) != 0 || header[16] != 0x40 ||
        header[17] != 0) {
        return {};
    }
    int64_t pages = 0;
    for (int i = 28; i < 32; i++) {
        pages = pages << 8 | header[i];
    }
    if (bytes >= pages * kPageBytes) {
        return {};
    }
    return Status::Error(Code::kTruncated, "%s: has %lld bytes where its header promises %lld",
                         path.c_str(), static_cast<long long>(bytes),
                         static_cast<long long>(pages * kPageBytes));
}

void RemoveUnborn(const std::string& full_name) {
    constexpr int kApplicationIdAt = 68;
    sqlite3_vfs* vfs = sqlite3_vfs_find(CurrentPageVfs());
    std::unique_ptr<char[]> space(new char[static_cast<size_t>(vfs->szOsFile)]());
    auto* file = reinterpret_cast<sqlite3_file*>(space.get());
    if (!FileExists(full_name) || !Opens(vfs, full_name, SQLITE_OPEN_READWRITE, file)) {
        return;
    }
    // Whoever uses a file holds at least the shared lock, or is about to find that it has moved.
    const bool locked = file->pMethods->xLock(file, SQLITE_LOCK_SHARED) == SQLITE_OK &&
                        file->pMethods->xLock(file, SQLITE_LOCK_RESERVED) == SQLITE_OK &&
                        file->pMethods->xLock(file, SQLITE_LOCK_EXCLUSIVE) == SQLITE_OK;
    unsigned char header[kApplicationIdAt + 4] = {};
    sqlite3_int64 bytes = 0;
    const std::string log = full_name + "-wal";
    bool unborn =
        locked && !HasContent(log) && file->pMethods->xFileSize(file, &bytes) == SQLITE_OK;
    if (unborn && bytes > 0) {
        // A first page that says no more than how pages are to be.
        unborn = bytes <= kPageBytes &&
                 file->pMethods->xRead(file, header, sizeof header, 0) == SQLITE_OK &&
                 std::memcmp(header + kApplicationIdAt, "\0\0\0\0", 4) == 0;
    }
    if (unborn) {
        // The file last: as long as it is there and locked, nobody else makes any of these.
        for (const char* suffix : {"-shm", "-wal", "-journal", ""}) {
            vfs->xDelete(vfs, (full_name + suffix).c_str(), 0);
        }
    }
    file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
    file->pMethods->xClose(file);
}

}  // namespace quern::storage
