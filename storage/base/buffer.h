// Large arrays of decoded vectors. Scans are bound by memory bandwidth, which huge pages nearly
// double on common processors, so big buffers are aligned to 2 MiB and ask for them. Every byte is
// counted in a MemoryCounter.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace quern {

// Bytes held by one kind of thing in one database handle; thread-safe.
class MemoryCounter {
public:
    void Add(int64_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

private:
    std::atomic<int64_t> bytes_{0};
};

class Buffer {
public:
    // kLater: for a buffer that is filled here and there at first. Touching a huge page clears all
    // of it.
    enum class HugePages { kNow, kLater };
    Buffer() = default;
    // Throws std::bad_alloc. counter may be NULL; it must outlive the buffer.
    Buffer(size_t bytes, std::shared_ptr<MemoryCounter> counter, HugePages huge = HugePages::kNow);
    ~Buffer();
    Buffer(Buffer&& other) noexcept { *this = std::move(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        std::swap(counter_, other.counter_);
        return *this;
    }
    char* data() { return data_; }
    const char* data() const { return data_; }
    size_t bytes() const { return bytes_; }
    // A wish: that huge pages which begin among bytes first .. end - 1 be made when they are
    // touched, or later by the system. (To have them made of small pages at once, MADV_COLLAPSE,
    // was tried: it waits for all processors, some milliseconds each.)
    void WantHugePages(size_t first, size_t end);
    // Keeps the first `bytes` only. The pages behind them go back to the system where it takes them
    // (Linux), whole huge pages of a large buffer at least.
    void Shrink(size_t bytes);

private:
    char* data_ = nullptr;
    size_t bytes_ = 0;
    std::shared_ptr<MemoryCounter> counter_;
};

}  // namespace quern
