#include "storage/base/buffer.h"

#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace quern {

namespace {
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLine = 64;
}  // namespace

Buffer::Buffer(size_t bytes, std::shared_ptr<MemoryCounter> counter, HugePages huge)
    : bytes_(bytes), counter_(std::move(counter)) {
    if (bytes == 0) {
        return;
    }
    const size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
    if (bytes > SIZE_MAX - alignment) {
        throw std::bad_alloc();
    }
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    data_ = static_cast<char*>(std::aligned_alloc(alignment, rounded));
    if (data_ == nullptr) {
        throw std::bad_alloc();
    }
#if defined(__linux__)
    if (alignment == kHugePage && huge == HugePages::kNow) {
        ::madvise(data_, rounded, MADV_HUGEPAGE);  // a wish: refusal costs speed only
    }
#endif
    if (counter_) {
        counter_->Add(static_cast<int64_t>(bytes_));
    }
}

void Buffer::WantHugePages(size_t first, size_t end) {
#if defined(__linux__)
    const size_t begin = (first + kHugePage - 1) / kHugePage * kHugePage;
    const size_t stop = (end + kHugePage - 1) / kHugePage * kHugePage;
    if (bytes_ >= kHugePage && begin < stop) {
        ::madvise(data_ + begin, stop - begin, MADV_HUGEPAGE);
    }
#else
    static_cast<void>(first + end);
#endif
}

void Buffer::Shrink(size_t bytes) {
    if (bytes >= bytes_) {
        return;
    }
#if defined(__linux__)
    const size_t begin = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    const size_t end = (bytes_ + kHugePage - 1) / kHugePage * kHugePage;
    if (bytes_ >= kHugePage && begin < end) {
        ::madvise(data_ + begin, end - begin, MADV_DONTNEED);
    }
#endif
    if (counter_) {
        counter_->Add(static_cast<int64_t>(bytes) - static_cast<int64_t>(bytes_));
    }
    bytes_ = bytes;
}

Buffer::~Buffer() {
    std::free(data_);
    if (counter_ && data_) {
        counter_->Add(-static_cast<int64_t>(bytes_));
    }
}

}  // namespace quern
