// Dot products of a query with cut sparse rows: rows of a fixed number of entries, each a slot of
// 16 bits and a weight of 8 bits, against a table of the query's weight for every slot. Terms that
// share a slot cannot be told apart; callers who need exact scores take them from elsewhere.
//
// A row is n slots, then n weights, 3 * n bytes; places that are not used have the weight 0.
//
// Threads: all functions are pure and may be called from any thread. Nothing allocates or fails.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quern::kernels {

// Entries of a row come in multiples of this.
inline constexpr size_t kSlotAlign = 16;
// Weights by slot; a table has one more at its end, since two are read at once.
inline constexpr size_t kSlots = 65536;
inline constexpr size_t kSlotTable = kSlots + 1;

// The sum of table[slot] * weight. The caller sees to it that it stays below 2^32.
uint32_t SlotDot(const uint8_t* row, size_t entries, const uint16_t* table);

namespace scalar {
uint32_t SlotDot(const uint8_t* row, size_t entries, const uint16_t* table);
}  // namespace scalar

}  // namespace quern::kernels
