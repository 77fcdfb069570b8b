// Who may write next: one thread of the process at a time, the others wait.
//
// Whoever interrupts a call may be a signal handler, which can wake nobody; so those that wait look
// whether they are to stop, fifty times a second.
//
// Thread rule: thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace quern::storage {

class WriterTurn {
public:
    enum class Wait : uint8_t { kMine, kTooLong, kInterrupted };

    // Waits for at most so long, and no longer than until `interrupts` moves (NULL: it never does).
    Wait Take(int wait_ms, const std::atomic<uint64_t>* interrupts) {
        constexpr auto kLook = std::chrono::milliseconds(20);
        using Clock = std::chrono::steady_clock;
        const auto moved = [&, before = interrupts != nullptr ? interrupts->load() : 0] {
            return interrupts != nullptr && interrupts->load() != before;
        };
        const auto until = Clock::now() + std::chrono::milliseconds(wait_ms);
        std::unique_lock<std::mutex> lock(mutex_);
        waiting_++;
        for (auto now = Clock::now(); taken_ && now < until && !moved(); now = Clock::now()) {
            free_.wait_until(lock, std::min(until, now + kLook), [&] { return !taken_; });
        }
        waiting_--;
        if (taken_) {
            return moved() ? Wait::kInterrupted : Wait::kTooLong;
        }
        taken_ = true;
        return Wait::kMine;
    }
    void Leave() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            taken_ = false;
        }
        free_.notify_one();
    }
    bool IsAwaited() {
        std::lock_guard<std::mutex> lock(mutex_);
        return waiting_ > 0;
    }

private:
    std::mutex mutex_;
    std::condition_variable free_;
    bool taken_ = false;
    int waiting_ = 0;
};

}  // namespace quern::storage
