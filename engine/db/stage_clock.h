// How long a stage of a search takes, from the monotonic clock that budgets go by. Two looks at it
// are some fifty nanoseconds: nothing beside a stage.
#pragma once

#include <chrono>
#include <cstdint>

namespace quern {

class StageClock {
public:
    // *ns grows by what passes until the end of the scope.
    explicit StageClock(uint64_t* ns) : ns_(ns), begin_(Clock::now()) {}
    ~StageClock() { *ns_ += Passed(); }
    StageClock(const StageClock&) = delete;
    StageClock& operator=(const StageClock&) = delete;
    uint64_t Passed() const {
        return static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin_).count());
    }

private:
    using Clock = std::chrono::steady_clock;
    uint64_t* ns_;
    Clock::time_point begin_;
};

}  // namespace quern
