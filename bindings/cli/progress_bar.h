// ProgressBar: one line on standard error that shows how far a slow command is, its rate and the
// time left.
//
// It draws only when standard error is a terminal, at most ten times a second, and leaves nothing
// behind. In a pipe or a log it is silent. Confined to one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace quern::shell {

class ProgressBar {
public:
    ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar();

    // done of total (0: unknown) in steps of whatever the task counts. A new task starts its own
    // clock.
    void Update(const std::string& task, uint64_t done, uint64_t total);
    // As above; the rate counts records, which are not what done counts (bytes of the file).
    void UpdateRecords(const std::string& task, uint64_t done, uint64_t total, uint64_t records);
    // Removes the line, before other output.
    void Clear();

private:
    using Clock = std::chrono::steady_clock;
    void Draw(const std::string& task, uint64_t done, uint64_t total, uint64_t counted,
              const char* unit);

    const bool visible_;
    bool drawn_ = false;
    std::string task_;
    Clock::time_point started_;
    Clock::time_point last_drawn_;
};

// 1234567 -> "1,234,567"
std::string WithCommas(uint64_t number);
// 3.2 KiB, 1.8 GiB
std::string BytesText(uint64_t bytes);
// "85 us", "1.20 ms", "3.4 s", "2:05"
std::string DurationText(double seconds);

}  // namespace quern::shell
