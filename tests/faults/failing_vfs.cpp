#include <sqlite3.h>

#include <cstring>

#include "tests/crash/recording_vfs.h"
#include "tests/faults/strike.h"

namespace quern::faults {

namespace {

struct FailingFile {
    sqlite3_file base;
    sqlite3_file* below;
};

sqlite3_vfs* Base() {
    return sqlite3_vfs_find(crash::RegisterRecorder());
}
sqlite3_file* Below(sqlite3_file* file) {
    return reinterpret_cast<FailingFile*>(file)->below;
}
const sqlite3_io_methods* Methods(sqlite3_file* file) {
    return Below(file)->pMethods;
}

int Close(sqlite3_file* file) {
    const Exempt exempt;
    return Methods(file)->xClose(Below(file));
}
int Read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
    if (Strike(Kind::kRead)) {
        return SQLITE_IOERR_READ;
    }
    const int code = Methods(file)->xRead(Below(file), to, bytes, offset);
    if (Strike(Kind::kShortRead)) {
        std::memset(static_cast<char*>(to) + bytes / 2, 0, static_cast<size_t>(bytes - bytes / 2));
        return SQLITE_IOERR_SHORT_READ;
    }
    return code;
}
int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
    if (Strike(Kind::kWrite)) {
        return SQLITE_IOERR_WRITE;
    }
    if (Strike(Kind::kFull)) {
        return SQLITE_FULL;
    }
    const bool cut = Strike(Kind::kShortWrite);
    const Exempt exempt;
    const int code = Methods(file)->xWrite(Below(file), from, cut ? bytes / 2 : bytes, offset);
    return cut ? SQLITE_FULL : code;
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (Strike(Kind::kTruncate)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    const Exempt exempt;
    return Methods(file)->xTruncate(Below(file), size);
}
int Sync(sqlite3_file* file, int flags) {
    if (Strike(Kind::kSync)) {
        return SQLITE_IOERR_FSYNC;
    }
    const Exempt exempt;
    return Methods(file)->xSync(Below(file), flags);
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    return Strike(Kind::kSize) ? SQLITE_IOERR_FSTAT : Methods(file)->xFileSize(Below(file), size);
}
int Lock(sqlite3_file* file, int level) {
    return Strike(Kind::kLock)       ? SQLITE_IOERR_LOCK
           : Strike(Kind::kLockBusy) ? SQLITE_BUSY
                                     : Methods(file)->xLock(Below(file), level);
}
int Unlock(sqlite3_file* file, int level) {
    return Methods(file)->xUnlock(Below(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* held) {
    return Strike(Kind::kLock) ? SQLITE_IOERR_CHECKRESERVEDLOCK
                               : Methods(file)->xCheckReservedLock(Below(file), held);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
    return Methods(file)->xFileControl(Below(file), operation, argument);
}
int SectorSize(sqlite3_file* file) {
    return Methods(file)->xSectorSize(Below(file));
}
int DeviceCharacteristics(sqlite3_file* file) {
    return Methods(file)->xDeviceCharacteristics(Below(file));
}
int ShmMap(sqlite3_file* file, int region, int bytes, int extend, void volatile** to) {
    if (Strike(Kind::kIndexMap)) {
        *to = nullptr;
        return SQLITE_IOERR_SHMMAP;
    }
    return Methods(file)->xShmMap(Below(file), region, bytes, extend, to);
}
int ShmLock(sqlite3_file* file, int first, int count, int flags) {
    if ((flags & SQLITE_SHM_LOCK) != 0 && Strike(Kind::kIndexLock)) {
        return SQLITE_BUSY;
    }
    return Methods(file)->xShmLock(Below(file), first, count, flags);
}
void ShmBarrier(sqlite3_file* file) {
    Methods(file)->xShmBarrier(Below(file));
}
int ShmUnmap(sqlite3_file* file, int remove) {
    return Methods(file)->xShmUnmap(Below(file), remove);
}

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

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    auto* const own = reinterpret_cast<FailingFile*>(file);
    std::memset(static_cast<void*>(own), 0, sizeof(FailingFile));
    if (Strike(Kind::kOpen)) {
        return SQLITE_CANTOPEN;
    }
    own->below = reinterpret_cast<sqlite3_file*>(own + 1);
    const int code = Base()->xOpen(Base(), name, own->below, flags, out);
    file->pMethods = code == SQLITE_OK ? &kMethods : nullptr;
    return code;
}
int Delete(sqlite3_vfs*, const char* name, int sync) {
    if (Strike(Kind::kDelete)) {
        return SQLITE_IOERR_DELETE;
    }
    return Base()->xDelete(Base(), name, sync);
}
int Access(sqlite3_vfs*, const char* name, int flags, int* out) {
    if (Strike(Kind::kAccess)) {
        return SQLITE_IOERR_ACCESS;
    }
    return Base()->xAccess(Base(), name, flags, out);
}

// SQLite waits up to ten seconds for a log that stays busy.
int Sleep(sqlite3_vfs*, int microseconds) {
    return microseconds;
}

}  // namespace

const char* RegisterFailingVfs() {
    static sqlite3_vfs vfs{};
    if (vfs.zName == nullptr) {
        vfs = *Base();
        vfs.pNext = nullptr;
        vfs.zName = "quern-failing";
        vfs.szOsFile = static_cast<int>(sizeof(FailingFile)) + Base()->szOsFile;
        vfs.xOpen = Open;
        vfs.xDelete = Delete;
        vfs.xAccess = Access;
        vfs.xSleep = Sleep;
        sqlite3_vfs_register(&vfs, 0);
    }
    return vfs.zName;
}

}  // namespace quern::faults
