// Sums of table entries that 4-bit codes choose: what product codes and 1-bit codes measure by.
//
// A row holds two codes in each byte, the even one in the lower half. Each code has a table of 16
// small numbers, which belongs to the query; a row's sum adds one number of each table. One bit for
// each dimension is the same thing: four bits are a code, and its table has the 16 sums of four
// weights.
//
// Tables fit a vector register, so a look-up is one instruction for 16 rows at once, once the bytes
// of these rows stand side by side. Rows are scattered over memory, so they are brought into that
// order on the way, 16 rows at a time; that costs less than it takes to fetch them. (Tables of 256
// numbers for 8-bit codes have to be read number by number, from the second cache.)
//
// Sums are integers and the same on every SIMD level.
//
// Threads: all functions are pure. Nothing allocates or fails.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern::kernels {

// Entries are at most this, so that two add up within a byte.
inline constexpr unsigned kNibbleEntryMax = 127;
// Bytes of a row are a multiple of this.
inline constexpr size_t kNibbleRowUnit = 8;
// Of a row: its sum stays below 2^31.
inline constexpr size_t kNibbleRowBytesMax = size_t{1} << 20;

// The tables of one query. Borrowed.
struct NibbleQuery {
    const uint8_t* tables = nullptr;
    size_t row_bytes = 0;
    size_t stride = 0;  // from one row to the next
};

// Bytes of NibbleQuery::tables.
size_t NibbleTableBytes(size_t row_bytes);
// Where the 16 entries for code number `code` of a row stand in them. Entries of codes that nobody
// needs are zero: fill the tables with zeros first.
size_t NibbleTableAt(size_t code);

// out[i] = the sum of row picked[i], which stands at rows + picked[i] * query.stride. Rows are
// fetched ahead within one call.
void NibbleSumsPicked(const NibbleQuery& query, const uint8_t* rows, const uint32_t* picked,
                      size_t count, uint32_t* out);

}  // namespace quern::kernels
