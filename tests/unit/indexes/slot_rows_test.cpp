// Dot products with cut rows against their plain twin, at every SIMD level.
#include "engine/kernels/slot_rows.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "tests/unit/every_level.h"

using namespace quern::kernels;

TEST_CASE("dot products with cut rows are exact", "[sparse][kernels]") {
    AtEveryLevel([] {
        std::mt19937 random(5);
        std::vector<uint16_t> table(kSlotTable);
        for (uint16_t& weight : table) {
            weight = random() % 2 == 0 ? static_cast<uint16_t>(random()) : 0;
        }
        table[kSlots - 1] = 65535;
        for (size_t entries = kSlotAlign; entries <= 8 * kSlotAlign; entries += kSlotAlign) {
            // Ends where its memory ends.
            std::vector<uint8_t> row(entries * 3);
            for (uint8_t& byte : row) {
                byte = static_cast<uint8_t>(random());
            }
            row[0] = row[1] = 255;  // the last slot
            uint64_t expected = 0;
            for (size_t i = 0; i < entries; i++) {
                const size_t slot = row[2 * i] | size_t{row[2 * i + 1]} << 8;
                expected += uint64_t{table[slot]} * row[2 * entries + i];
            }
            REQUIRE(expected < UINT32_MAX);
            REQUIRE(SlotDot(row.data(), entries, table.data()) == expected);
            REQUIRE(scalar::SlotDot(row.data(), entries, table.data()) == expected);
        }
    });
}
