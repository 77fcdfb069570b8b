// Adding up impacts in a window of records, and finding the records whose sums matter: what a
// search over sparse vectors spends its time on.
//
// A window is an array of sums, one for each record of a superblock. A run is what one term has in
// it: record numbers inside the window with an impact each (1 to 255), or, where most records have
// the term, one impact for every record (0: does not have it). Sums are 32-bit integers; callers
// choose weights so that no sum can leave them.
//
// Adding a run goes record by record: gathering and scattering sums as vectors was slower than
// plain loads and stores on the processors at hand. Dense runs and everything that reads sums are
// vectors.
//
// Threads: all functions are pure and may be called from any thread. Nothing allocates or fails.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/mark_set.h"

namespace quern::kernels {

// Windows are arrays of a multiple of so many sums; those after the last record stay zero.
inline constexpr size_t kWindowAlign = 64;

// sums[ids[i]] += weight * impacts[i]. ids are distinct.
void AddRun(const uint16_t* ids, const uint8_t* impacts, size_t count, uint32_t weight,
            uint32_t* sums);
// sums[i] += weight * impacts[i] for i < count.
void AddDenseRun(const uint8_t* impacts, size_t count, uint32_t weight, uint32_t* sums);
// The same where every impact is 1: of a list of ids, and of `count` sums with a bit for each,
// lowest first; the bytes of these end where the bits do.
void AddIds(const uint16_t* ids, size_t count, uint32_t weight, uint32_t* sums);
void AddBits(const uint8_t* bits, size_t count, uint32_t weight, uint32_t* sums);
// sums[ids[i]] -= weight * (impacts[i] - 1), but never below zero: what a term takes away at least,
// since an impact is rounded up.
void SubtractRun(const uint16_t* ids, const uint8_t* impacts, size_t count, uint32_t weight,
                 uint32_t* sums);
void SubtractDenseRun(const uint8_t* impacts, size_t count, uint32_t weight, uint32_t* sums);

// The numbers of the sums that are at least `least` (not 0), ascending, to out; returns how many.
// count is a multiple of kWindowAlign. Stops soon after more than `most` were found: out needs room
// for min(count, most + kWindowAlign) + kSelectSlack. allowed: one bit for each sum, or NULL for
// all.
inline constexpr size_t kSelectSlack = 16;
size_t SelectSums(const uint32_t* sums, size_t count, uint32_t least, const uint64_t* allowed,
                  size_t most, uint32_t* out);

// peaks[i]: the largest of the sums from 64 * i on, 64 of them. count as above.
void WindowPeaks(const uint32_t* sums, size_t count, uint32_t* peaks);

// How many bits are set in an array of words. (The compiler's own way is slow on the processors
// that everything outside the kernels is compiled for.)
size_t CountBits(const uint64_t* words, size_t count);

// Entries of a list that are in a set: writes the positions i where it has ids[i] & 0xffff,
// ascending, to out (capacity count + kSelectSlack) and returns how many.
size_t FindMarked(const uint16_t* ids, size_t count, const MarkSet& marks, uint32_t* out);
size_t FindMarked(const uint32_t* ids, size_t count, const MarkSet& marks, uint32_t* out);

// Plain twins, which the tests compare with.
namespace scalar {
size_t SelectSums(const uint32_t* sums, size_t count, uint32_t least, const uint64_t* allowed,
                  size_t most, uint32_t* out);
void AddDenseRun(const uint8_t* impacts, size_t count, uint32_t weight, uint32_t* sums);
}  // namespace scalar

}  // namespace quern::kernels
