// Work: what every slow operation carries with it: interruption and progress. Operations call
// Check() at block boundaries; it is cheap (an atomic load, and a clock read when a callback is
// set). Thread rule: Stop() from anywhere; Check() from any worker; the callback runs only on the
// thread that made the Work.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

#include "storage/base/status.h"

namespace quern {

// The callback: task, done, total (0 = unknown); true means stop.
using ProgressFn = std::function<bool(const char* task, uint64_t done, uint64_t total)>;

class Work {
public:
    // epoch: a counter that Interrupt increments; this work stops when it has moved since
    // construction.
    Work(const std::atomic<uint64_t>* epoch, ProgressFn progress)
        : epoch_(epoch),
          start_epoch_(epoch ? epoch->load() : 0),
          progress_(std::move(progress)),
          thread_(std::this_thread::get_id()) {}
    Work() : Work(nullptr, nullptr) {}

    void SetDeadline(std::chrono::steady_clock::time_point deadline) {
        deadline_ = deadline;
        has_deadline_ = true;
    }
    bool PastDeadline() const {
        return has_deadline_ && std::chrono::steady_clock::now() >= deadline_;
    }
    std::chrono::steady_clock::duration TimeLeft() const {
        return has_deadline_ ? deadline_ - std::chrono::steady_clock::now()
                             : std::chrono::hours(24 * 365);
    }

    // Beyond this time it stops as if it were interrupted.
    void StopAt(std::chrono::steady_clock::time_point time) {
        stop_at_ = time;
        has_stop_ = true;
    }
    bool PastStop() const { return has_stop_ && std::chrono::steady_clock::now() >= stop_at_; }

    Status Check(const char* task, uint64_t done, uint64_t total) {
        if (Stopped() || PastStop()) {
            return Interrupted(task);
        }
        if (progress_ && std::this_thread::get_id() == thread_) {
            const auto now = std::chrono::steady_clock::now();
            if (now - last_call_ >= std::chrono::milliseconds(100)) {
                last_call_ = now;
                if (progress_(task, done, total)) {
                    stop_.store(true);
                    return Interrupted(task);
                }
            }
        }
        return {};
    }
    bool Stopped() const { return stop_.load() || (epoch_ && epoch_->load() != start_epoch_); }

private:
    static Status Interrupted(const char* task) {
        return Status::Error(Code::kInterrupted, "%s: interrupted", task);
    }
    const std::atomic<uint64_t>* epoch_;
    uint64_t start_epoch_;
    ProgressFn progress_;
    std::thread::id thread_;
    std::chrono::steady_clock::time_point last_call_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point deadline_{};
    bool has_deadline_ = false;
    std::chrono::steady_clock::time_point stop_at_{};
    bool has_stop_ = false;
    std::atomic<bool> stop_{false};
};

}  // namespace quern
