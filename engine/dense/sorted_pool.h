// A place in a short sorted array, found and made without a branch that depends on the numbers.
//
// Where a new number belongs among a few dozen is as good as random: each guess of a processor at
// an ordinary search is wrong every second time, and a wrong guess costs more than comparing with
// all of them. These searches and moves were a fifth of the time of a walk.
#pragma once

#include <cstddef>
#include <cstring>

namespace quern::dense {

// Numbers behind the end of an array that MakePlace may write to.
inline constexpr size_t kPoolPadding = 8;

// How many of the first `count` numbers, which ascend, are not beyond `number`.
inline size_t PlaceBehind(const float* sorted, size_t count, float number) {
    constexpr size_t kCompareAll = 64;
    const float* from = sorted;
    while (count > kCompareAll) {
        const size_t half = count / 2;
        from += number < from[half - 1] ? 0 : half;
        count -= half;
    }
    size_t before = 0;
    for (size_t i = 0; i < count; i++) {
        before += number < from[i] ? 0 : 1;
    }
    return static_cast<size_t>(from - sorted) + before;
}

// Moves `count` items at `place` by one. They may be copied in whole groups: what is behind them is
// lost, and up to kPoolPadding items behind the last are written to.
template <class T>
void MakePlace(T* place, size_t count) {
    constexpr size_t kGroup = kPoolPadding;
    constexpr size_t kMoveMost = 16 * kGroup;  // beyond, a call is the quicker
    if (count > kMoveMost) {
        std::memmove(place + 1, place, count * sizeof(T));
        return;
    }
    for (size_t at = (count + kGroup - 1) / kGroup * kGroup; at > 0;) {
        at -= kGroup;
        T group[kGroup];
        std::memcpy(group, place + at, sizeof group);
        std::memcpy(place + at + 1, group, sizeof group);
    }
}

}  // namespace quern::dense
