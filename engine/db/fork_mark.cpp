#include "engine/db/fork_mark.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace quern {

namespace {

constexpr size_t kPageBytes = 4096;  // or what the system makes of it

}  // namespace

ForkMark::ForkMark() : process_(getpid()) {
#ifdef MADV_WIPEONFORK
    void* page =
        mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return;
    }
    if (madvise(page, kPageBytes, MADV_WIPEONFORK) != 0) {
        munmap(page, kPageBytes);
        return;
    }
    page_ = new (page) std::atomic<uint32_t>(1);
#endif
}

ForkMark::~ForkMark() {
    if (page_ != nullptr) {
        munmap(page_, kPageBytes);
    }
}

bool ForkMark::OtherProcess() const {
    return getpid() != process_;
}

}  // namespace quern
