// Whether this process is a child of the one that made the mark. Asked several times in every call
// of a handle, so it should not be a system call, which getpid() is.
//
// The mark is a page that the system clears in children (Linux: MADV_WIPEONFORK), however they are
// made. Where there is no such page, process ids are compared.
//
// Thread rule: immutable.
#pragma once

#include <atomic>
#include <cstdint>

namespace quern {

class ForkMark {
public:
    ForkMark();
    ~ForkMark();
    ForkMark(const ForkMark&) = delete;
    ForkMark& operator=(const ForkMark&) = delete;
    bool InChild() const {
        return page_ != nullptr ? page_->load(std::memory_order_relaxed) == 0 : OtherProcess();
    }

private:
    bool OtherProcess() const;
    std::atomic<uint32_t>* page_ = nullptr;
    int64_t process_ = 0;
};

}  // namespace quern
