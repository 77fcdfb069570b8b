// Kernels of sparse search against their plain twins, at every SIMD level.
#include "engine/kernels/impact_window.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "tests/unit/every_level.h"

using namespace quern::kernels;

TEST_CASE("sums of a window are selected", "[sparse][kernels]") {
    AtEveryLevel([] {
        std::mt19937 random(1);
        for (size_t count = kWindowAlign; count <= 8 * kWindowAlign; count += kWindowAlign) {
            for (const uint32_t range : {2u, 1000u, UINT32_MAX}) {
                std::vector<uint32_t> sums(count);
                for (uint32_t& sum : sums) {
                    sum = random() % 3 == 0 ? static_cast<uint32_t>(random() % range) : 0;
                }
                std::vector<uint32_t> peaks(count / kWindowAlign);
                WindowPeaks(sums.data(), count, peaks.data());
                for (size_t i = 0; i < peaks.size(); i++) {
                    const auto first = sums.begin() + static_cast<long>(i * kWindowAlign);
                    REQUIRE(peaks[i] == *std::max_element(first, first + kWindowAlign));
                }
                std::vector<uint64_t> allowed(count / 64);
                for (uint64_t& word : allowed) {
                    word = random() % 4 == 0 ? 0 : uint64_t{random()} << 32 | random();
                }
                size_t bits = 0;
                for (size_t i = 0; i < count; i++) {
                    bits += allowed[i / 64] >> (i % 64) & 1;
                }
                REQUIRE(CountBits(allowed.data(), allowed.size()) == bits);
                for (const uint32_t least : {1u, range / 2 + 1, UINT32_MAX}) {
                    std::vector<uint32_t> found(count + kSelectSlack);
                    std::vector<uint32_t> expected(count);
                    for (const uint64_t* const mask :
                         {static_cast<const uint64_t*>(nullptr),
                          static_cast<const uint64_t*>(allowed.data())}) {
                        for (const size_t most : {size_t{0}, size_t{70}, count}) {
                            const size_t all =
                                SelectSums(sums.data(), count, least, mask, most, found.data());
                            REQUIRE(all == scalar::SelectSums(sums.data(), count, least, mask, most,
                                                              expected.data()));
                            REQUIRE(std::equal(found.begin(),
                                               found.begin() + static_cast<long>(all),
                                               expected.begin()));
                        }
                    }
                }
            }
        }
    });
}

TEST_CASE("runs are added to and taken from a window", "[sparse][kernels]") {
    AtEveryLevel([] {
        std::mt19937 random(2);
        for (size_t count = 0; count < 200; count++) {
            std::vector<uint8_t> impacts(count);
            std::vector<uint16_t> ids;
            std::vector<uint8_t> picked;
            std::vector<uint32_t> sums(count, 7);
            for (size_t i = 0; i < count; i++) {
                impacts[i] = random() % 2 == 0 ? 0 : static_cast<uint8_t>(random() % 255 + 1);
                if (impacts[i] != 0) {
                    ids.push_back(static_cast<uint16_t>(i));
                    picked.push_back(impacts[i]);
                }
            }
            std::vector<uint32_t> expected = sums;
            std::vector<uint32_t> by_run = sums;
            const auto weight = static_cast<uint32_t>(random() % 4000000);
            scalar::AddDenseRun(impacts.data(), count, weight, expected.data());
            AddDenseRun(impacts.data(), count, weight, sums.data());
            AddRun(ids.data(), picked.data(), ids.size(), weight, by_run.data());
            REQUIRE(sums == expected);
            REQUIRE(by_run == expected);
            const uint32_t less = weight * 2;
            for (size_t i = 0; i < count; i++) {
                const uint64_t part = impacts[i] == 0 ? 0 : uint64_t{less} * (impacts[i] - 1u);
                expected[i] -= static_cast<uint32_t>(std::min<uint64_t>(expected[i], part));
            }
            SubtractDenseRun(impacts.data(), count, less, sums.data());
            SubtractRun(ids.data(), picked.data(), ids.size(), less, by_run.data());
            REQUIRE(sums == expected);
            REQUIRE(by_run == expected);
            // Without impacts, from an odd place, since runs are padded to two bytes only.
            std::vector<uint8_t> bits((count + 7) / 8 + 1, 0xff);
            std::fill(bits.begin() + 1, bits.end(), 0);
            for (const uint16_t id : ids) {
                bits[1 + id / 8] = static_cast<uint8_t>(bits[1 + id / 8] | 1 << (id % 8));
                expected[id] += weight;
            }
            AddBits(bits.data() + 1, count, weight, sums.data());
            AddIds(ids.data(), ids.size(), weight, by_run.data());
            REQUIRE(sums == expected);
            REQUIRE(by_run == expected);
        }
    });
}

TEST_CASE("marked entries of a row are found", "[sparse][kernels]") {
    AtEveryLevel([] {
        std::mt19937 random(3);
        MarkSet marks;
        for (size_t count = 0; count < 300; count++) {
            // From none to so many that the tables tell nothing, and none again.
            if (count % 50 == 0) {
                marks.Clear();
            }
            for (size_t i = 0; i < count % 50 && count > 50; i++) {
                marks.Add(static_cast<uint16_t>(random() & (count < 200 ? 0x3fff : 0xffff)));
            }
            if (count % 3 == 0) {
                marks.Add(65535);
            }
            std::vector<uint16_t> narrow(count);
            std::vector<uint32_t> wide(count);
            std::vector<uint32_t> expected;
            for (size_t i = 0; i < count; i++) {
                // Neighbours of marked ones, too: those that differ in one bit of either byte.
                wide[i] = random() % 7 == 0 ? 65535 : static_cast<uint32_t>(random());
                if (random() % 3 == 0 && i > 0) {
                    wide[i] = wide[i - 1] ^ uint32_t { 1 } << random() % 16;
                }
                narrow[i] = static_cast<uint16_t>(wide[i]);
                if (marks.Has(narrow[i])) {
                    expected.push_back(static_cast<uint32_t>(i));
                }
            }
            std::vector<uint32_t> out(count + kSelectSlack);
            out.resize(FindMarked(narrow.data(), count, marks, out.data()));
            REQUIRE(out == expected);
            out.resize(count + kSelectSlack);
            out.resize(FindMarked(wide.data(), count, marks, out.data()));
            REQUIRE(out == expected);
        }
    });
}
