// Progress line, and numbers as people read them.
#include "progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace quern::shell {
namespace {

constexpr size_t kBarWidth = 24;
constexpr auto kInterval = std::chrono::milliseconds(100);

std::string Formatted(const char* format, double value) {
    char text[64];
    std::snprintf(text, sizeof(text), format, value);
    return text;
}

std::string ClockText(double seconds) {
    const auto whole = static_cast<uint64_t>(seconds + 0.5);
    char text[64];
    if (whole >= 3600) {
        std::snprintf(text, sizeof(text), "%llu:%02llu:%02llu",
                      static_cast<unsigned long long>(whole / 3600),
                      static_cast<unsigned long long>(whole / 60 % 60),
                      static_cast<unsigned long long>(whole % 60));
    } else {
        std::snprintf(text, sizeof(text), "%llu:%02llu",
                      static_cast<unsigned long long>(whole / 60),
                      static_cast<unsigned long long>(whole % 60));
    }
    return text;
}

}  // namespace

ProgressBar::ProgressBar() : visible_(isatty(STDERR_FILENO) != 0) {}

ProgressBar::~ProgressBar() {
    Clear();
}

void ProgressBar::Update(const std::string& task, uint64_t done, uint64_t total) {
    Draw(task, done, total, done, "/s");
}

void ProgressBar::UpdateRecords(const std::string& task, uint64_t done, uint64_t total,
                                uint64_t records) {
    Draw(task, done, total, records, " records/s");
}

void ProgressBar::Draw(const std::string& task, uint64_t done, uint64_t total, uint64_t counted,
                       const char* unit) {
    if (!visible_) {
        return;
    }
    const Clock::time_point now = Clock::now();
    if (task != task_) {
        task_ = task;
        started_ = now;
        last_drawn_ = now;  // a task that ends at once shows nothing
        return;
    }
    if (now - last_drawn_ < kInterval) {
        return;
    }
    last_drawn_ = now;
    const double seconds = std::max(std::chrono::duration<double>(now - started_).count(), 1e-3);
    std::string line = task;
    double share = 0;
    if (total > 0) {
        share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
        const auto filled = static_cast<size_t>(share * static_cast<double>(kBarWidth));
        line += Formatted(" %3.0f%% [", share * 100) + std::string(filled, '#') +
                std::string(kBarWidth - filled, '.') + "]";
    }
    line += "  " + WithCommas(counted) + "  " +
            WithCommas(static_cast<uint64_t>(static_cast<double>(counted) / seconds)) + unit;
    if (share > 0) {
        line += "  " + ClockText(seconds / share - seconds) + " left";
    }
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
    std::fflush(stderr);
    drawn_ = true;
}

void ProgressBar::Clear() {
    if (drawn_) {
        std::fprintf(stderr, "\r\x1b[K");
        std::fflush(stderr);
        drawn_ = false;
    }
}

std::string WithCommas(uint64_t number) {
    std::string digits = std::to_string(number);
    for (size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, 1, ',');
    }
    return digits;
}

std::string BytesText(uint64_t bytes) {
    static const char* const kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) {
        return std::to_string(bytes) + " B";
    }
    double size = static_cast<double>(bytes) / 1024;
    size_t unit = 0;
    while (size >= 1024 && unit < 3) {
        size /= 1024;
        unit++;
    }
    return Formatted(size < 10 ? "%.2f " : size < 100 ? "%.1f " : "%.0f ", size) + kUnits[unit];
}

std::string DurationText(double seconds) {
    if (seconds < 1e-3) {
        return Formatted("%.0f us", seconds * 1e6);
    }
    if (seconds < 1) {
        return Formatted("%.2f ms", seconds * 1e3);
    }
    if (seconds < 100) {
        return Formatted("%.2f s", seconds);
    }
    return ClockText(seconds);
}

}  // namespace quern::shell
