// A VFS over the default one whose reads, writes and syncs can be made to fail. Tests put it under
// the page layer with SetBaseVfs.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace quern::testing {

struct FaultyDisk {
    static inline std::atomic<int64_t> bytes_left{INT64_MAX};  // then writes fail with SQLITE_FULL
    static inline std::atomic<bool> sync_fails{false};
    static inline std::atomic<bool> write_fails{false};         // with an I/O error
    static inline std::atomic<bool> index_full{false};          // no room for the index of the log
    static inline std::atomic<int> index_errno{ENOSPC};         // what the system says of it
    static inline std::atomic<int64_t> short_left{0};           // reads, then one finds the end
    static inline std::atomic<int64_t> reads_left{0};           // then one fails; 0: none does
    static inline std::atomic<int64_t> calls_left{0};           // likewise, of calls of any kind
    static inline std::atomic<bool> vanishes{false};            // a file, as soon as it is opened
    static inline std::atomic<uint64_t>* interrupts = nullptr;  // is counted up instead

    static const char* Register() {
        static sqlite3_vfs vfs{};
        if (vfs.zName == nullptr) {
            sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
            vfs = *base;
            vfs.pNext = nullptr;
            vfs.zName = "quern-faulty-disk";
            vfs.szOsFile = static_cast<int>(sizeof(File)) + base->szOsFile;
            vfs.xOpen = Open;
            sqlite3_vfs_register(&vfs, 0);
        }
        return vfs.zName;
    }
    static void Heal() {
        bytes_left = INT64_MAX;
        sync_fails = false;
        write_fails = false;
        index_full = false;
        index_errno = ENOSPC;
        short_left = 0;
        reads_left = 0;
        calls_left = 0;
        interrupts = nullptr;
        vanishes = false;
    }

private:
    static bool CallFails() {
        const bool now = calls_left > 0 && calls_left.fetch_sub(1) == 1;
        if (now && interrupts != nullptr) {
            ++*interrupts;
        }
        return now && interrupts == nullptr;
    }
    struct File {
        sqlite3_file base;
        sqlite3_io_methods methods;  // those of the file below, but for writing
        sqlite3_file* below;
    };
    static File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
    static sqlite3_file* Below(sqlite3_file* file) { return Of(file)->below; }

    static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
        sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
        File* own = Of(file);
        std::memset(static_cast<void*>(own), 0, sizeof(File));
        own->below = reinterpret_cast<sqlite3_file*>(own + 1);
        const int code = base->xOpen(base, name, own->below, flags, out);
        if (own->below->pMethods != nullptr) {
            sqlite3_io_methods& m = own->methods;
            m.iVersion = 2;
            m.xClose = [](sqlite3_file* f) { return Below(f)->pMethods->xClose(Below(f)); };
            m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
                if (CallFails() || (reads_left > 0 && reads_left.fetch_sub(1) == 1)) {
                    return SQLITE_IOERR_READ;
                }
                if (short_left > 0 && short_left.fetch_sub(1) == 1) {
                    std::memset(to, 0, static_cast<size_t>(n));
                    return SQLITE_IOERR_SHORT_READ;
                }
                return Below(f)->pMethods->xRead(Below(f), to, n, at);
            };
            m.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
                if (write_fails || CallFails()) {
                    return SQLITE_IOERR_WRITE;
                }
                if (bytes_left.fetch_sub(n) < n) {
                    bytes_left = 0;
                    return SQLITE_FULL;
                }
                return Below(f)->pMethods->xWrite(Below(f), from, n, at);
            };
            m.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) {
                return CallFails() ? SQLITE_IOERR_TRUNCATE
                                   : Below(f)->pMethods->xTruncate(Below(f), n);
            };
            // Nobody pulls the plug here: what was written is there.
            m.xSync = [](sqlite3_file*, int) {
                return sync_fails || CallFails() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
            };
            m.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) {
                return CallFails() ? SQLITE_IOERR_FSTAT
                                   : Below(f)->pMethods->xFileSize(Below(f), n);
            };
            m.xLock = [](sqlite3_file* f, int level) {
                return CallFails() ? SQLITE_IOERR_LOCK : Below(f)->pMethods->xLock(Below(f), level);
            };
            m.xUnlock = [](sqlite3_file* f, int level) {
                return Below(f)->pMethods->xUnlock(Below(f), level);
            };
            m.xCheckReservedLock = [](sqlite3_file* f, int* held) {
                return CallFails() ? SQLITE_IOERR_CHECKRESERVEDLOCK
                                   : Below(f)->pMethods->xCheckReservedLock(Below(f), held);
            };
            m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
                return op == SQLITE_FCNTL_SIZE_HINT
                           ? SQLITE_OK
                           : Below(f)->pMethods->xFileControl(Below(f), op, arg);
            };
            m.xSectorSize = [](sqlite3_file* f) {
                return Below(f)->pMethods->xSectorSize(Below(f));
            };
            m.xDeviceCharacteristics = [](sqlite3_file* f) {
                return Below(f)->pMethods->xDeviceCharacteristics(Below(f));
            };
            m.xShmMap = [](sqlite3_file* f, int region, int n, int extend, void volatile** to) {
                if (index_full) {
                    *to = nullptr;
                    errno = index_errno;
                    return SQLITE_IOERR_SHMSIZE;
                }
                return CallFails() ? SQLITE_IOERR_SHMMAP
                                   : Below(f)->pMethods->xShmMap(Below(f), region, n, extend, to);
            };
            m.xShmLock = [](sqlite3_file* f, int first, int n, int how) {
                const bool fails = (how & SQLITE_SHM_LOCK) != 0 && CallFails();
                return fails ? SQLITE_IOERR_SHMLOCK
                             : Below(f)->pMethods->xShmLock(Below(f), first, n, how);
            };
            m.xShmBarrier = [](sqlite3_file* f) { Below(f)->pMethods->xShmBarrier(Below(f)); };
            m.xShmUnmap = [](sqlite3_file* f, int gone) {
                return Below(f)->pMethods->xShmUnmap(Below(f), gone);
            };
            file->pMethods = &m;
        }
        if (vanishes) {
            base->xDelete(base, name, 0);
        }
        // Told behind it: what there is has to be closed again.
        return code == SQLITE_OK && CallFails() ? SQLITE_CANTOPEN : code;
    }
};

}  // namespace quern::testing
