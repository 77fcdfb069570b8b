// Memory and threads: operator new, SQLite's allocator, malloc for libzstd, aligned_alloc, and
// pthread_create for libstdc++ are this program's own.
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tests/faults/strike.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define QUERN_SANITIZED 1
#endif

namespace quern::faults {

namespace {

std::atomic<int64_t> live{0};
sqlite3_mem_methods below;

// Where the code of a library lies.
struct Range {
    const char* name;
    uintptr_t first;
    uintptr_t end;
};
Range zstd_range{"libzstd", 0, 0};
Range cplusplus_range{"libstdc++", 0, 0};

int FindRange(dl_phdr_info* info, size_t, void* data) {
    auto* const range = static_cast<Range*>(data);
    if (std::strstr(info->dlpi_name, range->name) == nullptr) {
        return 0;
    }
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const auto& part = info->dlpi_phdr[i];
        if (part.p_type == PT_LOAD && (part.p_flags & PF_X) != 0) {
            range->first = info->dlpi_addr + part.p_vaddr;
            range->end = range->first + part.p_memsz;
        }
    }
    return 1;
}

bool IsIn(const Range& range, const void* address) {
    const auto at = reinterpret_cast<uintptr_t>(address);
    return at >= range.first && at < range.end;
}

void* SqliteMalloc(int bytes) {
    return Strike(Kind::kSqlite) ? nullptr : below.xMalloc(bytes);
}
void* SqliteRealloc(void* block, int bytes) {
    return Strike(Kind::kSqlite) ? nullptr : below.xRealloc(block, bytes);
}

}  // namespace

bool TakeOverMemory() {
    dl_iterate_phdr(FindRange, &zstd_range);
    dl_iterate_phdr(FindRange, &cplusplus_range);
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below) != SQLITE_OK) {
        return false;
    }
    sqlite3_mem_methods own = below;
    own.xMalloc = SqliteMalloc;
    own.xRealloc = SqliteRealloc;
    // Without lookaside, whose slots would hide most of what SQLite asks for.
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &own) == SQLITE_OK &&
           sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK;
}

int64_t LiveBlocks() {
    return live;
}
int64_t SqliteBytes() {
    return sqlite3_memory_used();
}

bool ZstdAsks(const void* caller) {
    return IsIn(zstd_range, caller) && Strike(Kind::kZstd);
}
bool CplusplusAsks(const void* caller) {
    return IsIn(cplusplus_range, caller) && Strike(Kind::kThread);
}
void Count(int64_t change) {
    live += change;
}

}  // namespace quern::faults

using quern::faults::Kind;

void* operator new(std::size_t bytes) {
    void* const block = quern::faults::Strike(Kind::kNew) ? nullptr : std::malloc(bytes + !bytes);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    quern::faults::Count(1);
    return block;
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    const auto unit = static_cast<std::size_t>(alignment);
    void* block = nullptr;
    if (quern::faults::Strike(Kind::kNew) || posix_memalign(&block, unit, bytes + !bytes) != 0) {
        throw std::bad_alloc();
    }
    quern::faults::Count(1);
    return block;
}
void* operator new[](std::size_t bytes) {
    return operator new(bytes);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
    return operator new(bytes, alignment);
}
void operator delete(void* block) noexcept {
    quern::faults::Count(block == nullptr ? 0 : -1);
    std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
    operator delete(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
    operator delete(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
    operator delete(block);
}
void operator delete[](void* block) noexcept {
    operator delete(block);
}
void operator delete[](void* block, std::size_t) noexcept {
    operator delete(block);
}
void operator delete[](void* block, std::align_val_t) noexcept {
    operator delete(block);
}
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept {
    operator delete(block);
}

// A sanitizer has its own of these.
#if defined(__GLIBC__) && !defined(QUERN_SANITIZED)
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
    return quern::faults::ZstdAsks(__builtin_return_address(0)) ? nullptr : __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
    return quern::faults::ZstdAsks(__builtin_return_address(0)) ? nullptr
                                                                : __libc_calloc(count, bytes);
}
// Linked statically, storage/base/buffer.cpp calls this one.
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    return quern::faults::Strike(Kind::kAligned) ? nullptr : __libc_memalign(alignment, bytes);
}
}
#endif

#if !defined(QUERN_SANITIZED)
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*run)(void*), void* argument) {
    using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    static const auto real = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
    if (quern::faults::CplusplusAsks(__builtin_return_address(0))) {
        return EAGAIN;
    }
    return real(thread, attributes, run, argument);
}
#endif
