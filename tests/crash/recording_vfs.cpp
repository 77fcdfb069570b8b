#include "tests/crash/recording_vfs.h"

#include <sqlite3.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>

#include "storage/memory_vfs.h"

namespace quern::crash {

namespace {

struct RecordedFile {
    sqlite3_file base;
    sqlite3_file* below;
    const char* name;  // NULL: a temporary file, which no crash leaves behind
    bool sync_folder;  // with the next sync, as SQLite's VFS for Unix does for a new log or journal
};

std::mutex record_mutex;
bool powersafe_device = true;

sqlite3_vfs* Base() {
    return sqlite3_vfs_find(storage::MemoryVfs());
}
RecordedFile* Of(sqlite3_file* file) {
    return reinterpret_cast<RecordedFile*>(file);
}
sqlite3_file* Below(sqlite3_file* file) {
    return Of(file)->below;
}

void Note(Operation operation) {
    std::lock_guard<std::mutex> lock(record_mutex);
    Record().push_back(std::move(operation));
}

int Close(sqlite3_file* file) {
    return Below(file)->pMethods->xClose(Below(file));
}
int Read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
    return Below(file)->pMethods->xRead(Below(file), to, bytes, offset);
}
int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
    if (Of(file)->name != nullptr) {
        Note({Operation::Kind::kWrite, Of(file)->name, offset,
              std::string(static_cast<const char*>(from), static_cast<size_t>(bytes))});
    }
    return Below(file)->pMethods->xWrite(Below(file), from, bytes, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (Of(file)->name != nullptr) {
        Note({Operation::Kind::kTruncate, Of(file)->name, size, {}});
    }
    return Below(file)->pMethods->xTruncate(Below(file), size);
}
int Sync(sqlite3_file* file, int flags) {
    if (Of(file)->name != nullptr) {
        Note({Operation::Kind::kSync, Of(file)->name, 0, {}});
        if (Of(file)->sync_folder) {
            Of(file)->sync_folder = false;
            Note({Operation::Kind::kFolderSync, Of(file)->name, 0, {}});
        }
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
int FileControl(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}
int SectorSize(sqlite3_file*) {
    return powersafe_device ? 512 : 4096;
}
// Only what is true of a plain disk: no promise about the order of writes, nor about their being
// whole.
int DeviceCharacteristics(sqlite3_file*) {
    return powersafe_device ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}
int ShmMap(sqlite3_file* file, int region, int bytes, int extend, void volatile** to) {
    return Below(file)->pMethods->xShmMap(Below(file), region, bytes, extend, to);
}
int ShmLock(sqlite3_file* file, int first, int count, int flags) {
    return Below(file)->pMethods->xShmLock(Below(file), first, count, flags);
}
void ShmBarrier(sqlite3_file* file) {
    Below(file)->pMethods->xShmBarrier(Below(file));
}
int ShmUnmap(sqlite3_file* file, int remove) {
    return Below(file)->pMethods->xShmUnmap(Below(file), remove);
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
    RecordedFile* own = Of(file);
    std::memset(static_cast<void*>(own), 0, sizeof(RecordedFile));
    own->below = reinterpret_cast<sqlite3_file*>(own + 1);
    own->name = name;  // SQLite keeps names alive as long as the file is open
    int there = 1;
    if (name != nullptr && (flags & SQLITE_OPEN_CREATE) != 0) {
        Base()->xAccess(Base(), name, SQLITE_ACCESS_EXISTS, &there);
    }
    const int code = Base()->xOpen(Base(), name, own->below, flags, out);
    if (code == SQLITE_OK && there == 0) {
        own->sync_folder = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
        Note({Operation::Kind::kCreate, name, 0, {}});
    }
    file->pMethods = code == SQLITE_OK ? &kMethods : nullptr;
    return code;
}

int Delete(sqlite3_vfs*, const char* name, int sync) {
    Note({Operation::Kind::kDelete, name, sync, {}});
    return Base()->xDelete(Base(), name, sync);
}

void Put(const std::string& name, const std::string& bytes) {
    const std::unique_ptr<char[]> space(new char[static_cast<size_t>(Base()->szOsFile)]());
    auto* file = reinterpret_cast<sqlite3_file*>(space.get());
    const int flags = SQLITE_OPEN_CREATE | SQLITE_OPEN_READWRITE;
    if (Base()->xOpen(Base(), name.c_str(), file, flags, nullptr) != SQLITE_OK) {
        std::abort();
    }
    file->pMethods->xWrite(file, bytes.data(), static_cast<int>(bytes.size()), 0);
    file->pMethods->xClose(file);
}

}  // namespace

void SetPowersafe(bool powersafe) {
    powersafe_device = powersafe;
}

Files ReadFolder(const std::string& folder) {
    Files files;
    for (const char* suffix : {"/db", "/db-wal", "/db-journal"}) {
        const std::string name = folder + suffix;
        int there = 0;
        Base()->xAccess(Base(), name.c_str(), SQLITE_ACCESS_EXISTS, &there);
        if (there == 0) {
            continue;
        }
        const std::unique_ptr<char[]> space(new char[static_cast<size_t>(Base()->szOsFile)]());
        auto* file = reinterpret_cast<sqlite3_file*>(space.get());
        sqlite3_int64 size = 0;
        if (Base()->xOpen(Base(), name.c_str(), file, SQLITE_OPEN_READWRITE, nullptr) !=
                SQLITE_OK ||
            file->pMethods->xFileSize(file, &size) != SQLITE_OK) {
            std::abort();
        }
        std::string& bytes = files[name];
        bytes.resize(static_cast<size_t>(size));
        file->pMethods->xRead(file, bytes.data(), static_cast<int>(size), 0);
        file->pMethods->xClose(file);
    }
    return files;
}

std::vector<Operation>& Record() {
    static std::vector<Operation> record;
    return record;
}

const char* RegisterRecorder() {
    static sqlite3_vfs vfs{};
    if (vfs.zName == nullptr) {
        static_cast<void>(storage::RegisterMemoryVfs().ok());
        vfs = *Base();
        vfs.pNext = nullptr;
        vfs.zName = "quern-recorder";
        vfs.szOsFile = static_cast<int>(sizeof(RecordedFile)) + Base()->szOsFile;
        vfs.xOpen = Open;
        vfs.xDelete = Delete;
        sqlite3_vfs_register(&vfs, 0);
    }
    return vfs.zName;
}

void Apply(const Operation& operation, Files* files) {
    switch (operation.kind) {
        case Operation::Kind::kWrite: {
            std::string& content = (*files)[operation.file];
            const auto end = static_cast<size_t>(operation.offset) + operation.bytes.size();
            if (content.size() < end) {
                content.resize(end);
            }
            content.replace(static_cast<size_t>(operation.offset), operation.bytes.size(),
                            operation.bytes);
            break;
        }
        case Operation::Kind::kTruncate:
            (*files)[operation.file].resize(static_cast<size_t>(operation.offset));
            break;
        case Operation::Kind::kDelete: files->erase(operation.file); break;
        case Operation::Kind::kCreate: (*files)[operation.file]; break;
        case Operation::Kind::kSync:
        case Operation::Kind::kFolderSync: break;
    }
}

void Materialize(const Files& files, const std::string& from, const std::string& folder) {
    for (const auto& [name, bytes] : files) {
        Put(folder + name.substr(from.size()), bytes);
    }
}

}  // namespace quern::crash
