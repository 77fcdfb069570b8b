#include "storage/memory_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <vector>

#include "storage/page_vfs.h"

namespace quern::storage {

namespace {

constexpr sqlite3_int64 kBlockBytes = 256 << 10;  // files grow without being copied
constexpr int kNameMax = 512;

// One file; everything is protected by its mutex.
struct MemoryFile {
    std::mutex mutex;
    std::vector<std::unique_ptr<char[]>> blocks;
    sqlite3_int64 size = 0;
    // Locks of the five-state protocol of SQLite.
    int shared = 0;
    const void* reserved = nullptr;
    const void* pending = nullptr;  // also of who has the file for himself
    // Shared memory of the write-ahead log's index.
    std::vector<std::unique_ptr<char[]>> regions;
    int shm_users = 0;
    int shm_shared[SQLITE_SHM_NLOCK] = {};
    const void* shm_exclusive[SQLITE_SHM_NLOCK] = {};
};

struct MemoryHandle {
    sqlite3_file base;  // first: SQLite sees this
    std::shared_ptr<MemoryFile>* file;
    std::string* delete_name;  // set for files that go when they are closed
    int level;
    bool shm_open;
    unsigned shm_shared_mask;
    unsigned shm_exclusive_mask;
};

struct Files {
    std::mutex mutex;
    // Found by names that need no copy: SQLite calls, which knows no exceptions.
    std::map<std::string, std::shared_ptr<MemoryFile>, std::less<>> by_name;
    const char* page_vfs = nullptr;
};
Files& TheFiles() {
    static Files* files = new Files();  // never destroyed: see page_vfs.cpp
    return *files;
}

MemoryHandle* Of(sqlite3_file* file) {
    return reinterpret_cast<MemoryHandle*>(file);
}
MemoryFile& FileOf(sqlite3_file* file) {
    return **Of(file)->file;
}

int Unlock(sqlite3_file* file, int level);
int ShmUnmap(sqlite3_file* file, int remove);

int Close(sqlite3_file* file) {
    MemoryHandle* handle = Of(file);
    Unlock(file, SQLITE_LOCK_NONE);
    ShmUnmap(file, 0);
    if (handle->delete_name != nullptr) {
        Files& files = TheFiles();
        std::lock_guard<std::mutex> lock(files.mutex);
        files.by_name.erase(*handle->delete_name);
    }
    delete handle->delete_name;
    delete handle->file;
    handle->file = nullptr;
    return SQLITE_OK;
}

// Calls body(pointer, bytes) for each stretch of [offset, offset + bytes), which must lie in the
// blocks.
template <typename Body>
void ForStretches(MemoryFile& memory, sqlite3_int64 offset, sqlite3_int64 bytes, Body body) {
    while (bytes > 0) {
        const sqlite3_int64 within = offset % kBlockBytes;
        const sqlite3_int64 count = std::min(bytes, kBlockBytes - within);
        body(memory.blocks[static_cast<size_t>(offset / kBlockBytes)].get() + within,
             static_cast<size_t>(count));
        offset += count;
        bytes -= count;
    }
}

// New space is zero.
bool Reserve(MemoryFile& memory, sqlite3_int64 size) {
    const auto blocks = static_cast<size_t>((size + kBlockBytes - 1) / kBlockBytes);
    try {
        while (memory.blocks.size() < blocks) {
            memory.blocks.emplace_back(new char[kBlockBytes]());
        }
    } catch (const std::bad_alloc&) {
        return false;
    }
    return true;
}

int Read(sqlite3_file* file, void* out, int bytes, sqlite3_int64 offset) {
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    const sqlite3_int64 there = std::clamp<sqlite3_int64>(memory.size - offset, 0, bytes);
    char* to = static_cast<char*>(out);
    ForStretches(memory, offset, there, [&](const char* data, size_t count) {
        std::memcpy(to, data, count);
        to += count;
    });
    if (there < bytes) {
        std::memset(to, 0, static_cast<size_t>(bytes - there));
        return SQLITE_IOERR_SHORT_READ;
    }
    return SQLITE_OK;
}

int Write(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 offset) {
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    if (!Reserve(memory, offset + bytes)) {
        return SQLITE_IOERR_NOMEM;
    }
    const char* from = static_cast<const char*>(data);
    ForStretches(memory, offset, bytes, [&](char* to, size_t count) {
        std::memcpy(to, from, count);
        from += count;
    });
    memory.size = std::max<sqlite3_int64>(memory.size, offset + bytes);
    return SQLITE_OK;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    if (size < memory.size) {
        const sqlite3_int64 kept = (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
        const sqlite3_int64 end = std::min<sqlite3_int64>(
            kept, static_cast<sqlite3_int64>(memory.blocks.size()) * kBlockBytes);
        ForStretches(memory, size, end - size,
                     [](char* to, size_t count) { std::memset(to, 0, count); });
        memory.blocks.resize(static_cast<size_t>(kept / kBlockBytes));
        memory.size = size;
    } else {
        if (!Reserve(memory, size)) {
            return SQLITE_IOERR_NOMEM;
        }
        memory.size = size;
    }
    return SQLITE_OK;
}

int Sync(sqlite3_file*, int) {
    return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    *size = memory.size;
    return SQLITE_OK;
}

int Lock(sqlite3_file* file, int level) {
    MemoryHandle* handle = Of(file);
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    if (handle->level >= level) {
        return SQLITE_OK;
    }
    if (level == SQLITE_LOCK_SHARED) {
        if (memory.pending != nullptr) {
            return SQLITE_BUSY;
        }
        memory.shared++;
    } else if (level == SQLITE_LOCK_RESERVED) {
        if (memory.reserved != nullptr) {
            return SQLITE_BUSY;
        }
        memory.reserved = handle;
    } else {  // exclusive, by way of pending
        if ((memory.pending != nullptr && memory.pending != handle) ||
            (memory.reserved != nullptr && memory.reserved != handle)) {
            return SQLITE_BUSY;
        }
        memory.pending = handle;
        if (memory.shared > 1) {
            handle->level = SQLITE_LOCK_PENDING;
            return SQLITE_BUSY;
        }
    }
    handle->level = level;
    return SQLITE_OK;
}

int Unlock(sqlite3_file* file, int level) {
    MemoryHandle* handle = Of(file);
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    if (handle->level <= level) {
        return SQLITE_OK;
    }
    for (const void** holder : {&memory.reserved, &memory.pending}) {
        if (*holder == handle) {
            *holder = nullptr;
        }
    }
    if (level == SQLITE_LOCK_NONE) {
        memory.shared--;
    }
    handle->level = level;
    return SQLITE_OK;
}

int CheckReservedLock(sqlite3_file* file, int* held) {
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    *held = memory.reserved != nullptr || memory.pending != nullptr;
    return SQLITE_OK;
}

int FileControl(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}
int SectorSize(sqlite3_file*) {
    return 4096;
}
int DeviceCharacteristics(sqlite3_file*) {
    return SQLITE_IOCAP_ATOMIC | SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL |
           SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int ShmMap(sqlite3_file* file, int region, int bytes, int extend, void volatile** out) {
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    *out = nullptr;
    if (!Of(file)->shm_open) {
        Of(file)->shm_open = true;
        memory.shm_users++;
    }
    if (static_cast<size_t>(region) >= memory.regions.size()) {
        if (!extend) {
            return SQLITE_OK;
        }
        try {
            while (memory.regions.size() <= static_cast<size_t>(region)) {
                memory.regions.emplace_back(new char[static_cast<size_t>(bytes)]());
            }
        } catch (const std::bad_alloc&) {
            return SQLITE_IOERR_NOMEM;
        }
    }
    *out = memory.regions[static_cast<size_t>(region)].get();
    return SQLITE_OK;
}

int ShmLock(sqlite3_file* file, int first, int count, int flags) {
    MemoryHandle* handle = Of(file);
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        for (int i = first; i < first + count; i++) {
            const unsigned bit = 1u << i;
            if (exclusive && (handle->shm_exclusive_mask & bit) != 0) {
                memory.shm_exclusive[i] = nullptr;
                handle->shm_exclusive_mask &= ~bit;
            } else if (!exclusive && (handle->shm_shared_mask & bit) != 0) {
                memory.shm_shared[i]--;
                handle->shm_shared_mask &= ~bit;
            }
        }
        return SQLITE_OK;
    }
    for (int i = first; i < first + count; i++) {
        const int own = (handle->shm_shared_mask >> i & 1u) != 0 ? 1 : 0;
        if ((memory.shm_exclusive[i] != nullptr && memory.shm_exclusive[i] != handle) ||
            (exclusive && memory.shm_shared[i] > own)) {
            return SQLITE_BUSY;
        }
    }
    for (int i = first; i < first + count; i++) {
        const unsigned bit = 1u << i;
        if (exclusive) {
            memory.shm_exclusive[i] = handle;
            handle->shm_exclusive_mask |= bit;
        } else if ((handle->shm_shared_mask & bit) == 0) {
            memory.shm_shared[i]++;
            handle->shm_shared_mask |= bit;
        }
    }
    return SQLITE_OK;
}

void ShmBarrier(sqlite3_file* file) {
    // Taking a mutex is a barrier for this thread and for whoever took it before.
    std::lock_guard<std::mutex> lock(FileOf(file).mutex);
}

int ShmUnmap(sqlite3_file* file, int remove) {
    MemoryHandle* handle = Of(file);
    if (!handle->shm_open) {
        return SQLITE_OK;
    }
    ShmLock(file, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
    ShmLock(file, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    MemoryFile& memory = FileOf(file);
    std::lock_guard<std::mutex> lock(memory.mutex);
    handle->shm_open = false;
    memory.shm_users--;
    if (memory.shm_users == 0 && remove) {
        memory.regions.clear();
    }
    return SQLITE_OK;
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

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    MemoryHandle* handle = Of(file);
    std::memset(static_cast<void*>(handle), 0, sizeof(MemoryHandle));
    Files& files = TheFiles();
    try {
        std::lock_guard<std::mutex> lock(files.mutex);
        std::shared_ptr<MemoryFile> found;
        if (name != nullptr) {
            auto place = files.by_name.find(std::string_view(name));
            if (place == files.by_name.end()) {
                if ((flags & SQLITE_OPEN_CREATE) == 0) {
                    return SQLITE_CANTOPEN;
                }
                place = files.by_name.emplace(name, std::make_shared<MemoryFile>()).first;
            }
            found = place->second;
            if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0) {
                handle->delete_name = new std::string(name);
            }
        } else {
            found = std::make_shared<MemoryFile>();
        }
        handle->file = new std::shared_ptr<MemoryFile>(std::move(found));
    } catch (const std::bad_alloc&) {
        delete handle->delete_name;
        handle->delete_name = nullptr;
        return SQLITE_NOMEM;
    }
    if (out_flags != nullptr) {
        *out_flags = flags;
    }
    file->pMethods = &kMethods;
    return SQLITE_OK;
}

int Delete(sqlite3_vfs*, const char* name, int) {
    Files& files = TheFiles();
    std::lock_guard<std::mutex> lock(files.mutex);
    const auto found = files.by_name.find(std::string_view(name));
    if (found == files.by_name.end()) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    files.by_name.erase(found);
    return SQLITE_OK;
}

int Access(sqlite3_vfs*, const char* name, int, int* out) {
    Files& files = TheFiles();
    std::shared_ptr<MemoryFile> file;
    {
        std::lock_guard<std::mutex> lock(files.mutex);
        const auto found = files.by_name.find(std::string_view(name));
        file = found == files.by_name.end() ? nullptr : found->second;
    }
    *out = file != nullptr ? 1 : 0;
    return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

// What has nothing to do with files is left to the default VFS.
sqlite3_vfs* Default() {
    return sqlite3_vfs_find(nullptr);
}
int Randomness(sqlite3_vfs*, int bytes, char* out) {
    return Default()->xRandomness(Default(), bytes, out);
}
int Sleep(sqlite3_vfs*, int microseconds) {
    return Default()->xSleep(Default(), microseconds);
}
int CurrentTime(sqlite3_vfs*, double* out) {
    return Default()->xCurrentTime(Default(), out);
}
int GetLastError(sqlite3_vfs*, int, char*) {
    return 0;
}

}  // namespace

const char* MemoryVfs() {
    return "quern-memory";
}

Status RegisterMemoryVfs() {
    static sqlite3_vfs vfs{};
    Files& files = TheFiles();
    std::lock_guard<std::mutex> lock(files.mutex);
    if (files.page_vfs != nullptr) {
        return {};
    }
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(MemoryHandle);
    vfs.mxPathname = kNameMax;
    vfs.zName = MemoryVfs();
    vfs.xOpen = Open;
    vfs.xDelete = Delete;
    vfs.xAccess = Access;
    vfs.xFullPathname = FullPathname;
    vfs.xRandomness = Randomness;
    vfs.xSleep = Sleep;
    vfs.xCurrentTime = CurrentTime;
    vfs.xGetLastError = GetLastError;
    if (sqlite3_vfs_register(&vfs, 0) == SQLITE_OK) {  // never: SQLite takes it
        files.page_vfs = RegisterPageVfsOver(MemoryVfs());
    }
    if (files.page_vfs == nullptr) {  // never: SQLite has taken it
        return Status::Error(Code::kInternal, "SQLite refuses the VFS of databases in memory");
    }
    return {};
}

const char* MemoryPageVfs() {
    Files& files = TheFiles();
    std::lock_guard<std::mutex> lock(files.mutex);
    return files.page_vfs;
}

void DropMemoryFiles(const std::string& prefix) {
    Files& files = TheFiles();
    std::lock_guard<std::mutex> lock(files.mutex);
    for (auto file = files.by_name.lower_bound(prefix);
         file != files.by_name.end() && file->first.compare(0, prefix.size(), prefix) == 0;) {
        file = files.by_name.erase(file);
    }
}

}  // namespace quern::storage
