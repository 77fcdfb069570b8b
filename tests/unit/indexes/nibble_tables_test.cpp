// Table look-ups, weights of bits, and the rotation, against plain loops at every SIMD level. Rows
// end where their memory ends, so that the address sanitizer sees a read beyond them.
#include "engine/kernels/nibble_tables.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "engine/kernels/bit_sums.h"
#include "engine/kernels/rotation.h"
#include "tests/unit/every_level.h"

using namespace quern::kernels;

namespace {

struct PickedRows {
    size_t stride;
    size_t count;
    std::unique_ptr<uint8_t[]> bytes;
    // The last row has no gap behind it.
    PickedRows(size_t row_bytes, size_t gap, size_t n, std::mt19937* random)
        : stride(row_bytes + gap), count(n), bytes(new uint8_t[n * stride - gap]) {
        for (size_t i = 0; i < n * stride - gap; i++) {
            bytes[i] = static_cast<uint8_t>((*random)());
        }
    }
    const uint8_t* row(size_t i) const { return bytes.get() + i * stride; }
};

std::vector<uint32_t> Picks(size_t count, size_t rows, std::mt19937* random) {
    std::vector<uint32_t> picked(count);
    for (uint32_t& row : picked) {
        row = static_cast<uint32_t>((*random)() % rows);
    }
    if (count > 0) {
        picked[count / 2] = static_cast<uint32_t>(rows - 1);
    }
    return picked;
}

}  // namespace

TEST_CASE("nibble tables: sums are exact at every length and count", "[codes]") {
    AtEveryLevel([] {
        std::mt19937 random(5);
        std::vector<size_t> lengths = {384, 1024, 2056, 8192};
        for (size_t bytes = 8; bytes <= 272; bytes += 8) {
            lengths.push_back(bytes);
        }
        for (const size_t row_bytes : lengths) {
            const PickedRows rows(row_bytes, row_bytes % 24, 37, &random);
            std::vector<uint8_t> tables(NibbleTableBytes(row_bytes), 0);
            // The largest entries, too: nothing may overflow on the way.
            const bool largest = row_bytes % 16 == 0;
            for (size_t code = 0; code < 2 * row_bytes; code++) {
                for (size_t entry = 0; entry < 16; entry++) {
                    tables[NibbleTableAt(code) + entry] = static_cast<uint8_t>(
                        largest ? kNibbleEntryMax : random() % (kNibbleEntryMax + 1));
                }
            }
            const NibbleQuery query{tables.data(), row_bytes, rows.stride};
            for (const size_t count : {0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 50}) {
                const std::vector<uint32_t> picked = Picks(count, rows.count, &random);
                std::vector<uint32_t> sums(count + 1, 77);
                NibbleSumsPicked(query, rows.bytes.get(), picked.data(), count, sums.data());
                for (size_t i = 0; i < count; i++) {
                    uint32_t expected = 0;
                    for (size_t at = 0; at < row_bytes; at++) {
                        const uint8_t byte = rows.row(picked[i])[at];
                        expected += tables[NibbleTableAt(2 * at) + (byte & 15)];
                        expected += tables[NibbleTableAt(2 * at + 1) + (byte >> 4)];
                    }
                    if (sums[i] != expected) {
                        FAIL_CHECK(row_bytes << " bytes, " << count << " rows, row " << i << ": "
                                             << sums[i] << ", expected " << expected);
                    }
                }
                CHECK(sums[count] == 77);
            }
        }
    });
}

TEST_CASE("bit sums: weights of set bits add up exactly", "[codes]") {
    AtEveryLevel([] {
        std::mt19937 random(6);
        std::normal_distribution<float> normal;
        for (const size_t dim : {64, 128, 192, 256, 320, 512, 576, 832, 1024, 4096, 65536}) {
            std::vector<float> weights(dim);
            for (float& weight : weights) {
                weight = normal(random);
            }
            std::vector<uint8_t> buffer(BitQueryBytes(dim));
            BitQuery query = PackBitQuery(weights.data(), dim, buffer.data());
            std::vector<int> odd(dim);
            int64_t sum = 0;
            for (size_t j = 0; j < dim; j++) {
                int level = 0;
                for (size_t b = 0; b < 4; b++) {
                    level |= (query.planes[b * query.plane_bytes + j / 8] >> (j % 8) & 1) << b;
                }
                odd[j] = 2 * level - 15;
                sum += odd[j];
                // Half the distance of two odd numbers.
                if (!(std::fabs(weights[j] - query.scale * static_cast<float>(odd[j])) <=
                      query.scale * 1.0001f)) {
                    FAIL_CHECK("dimension " << j << " of " << dim);
                }
            }
            CHECK(query.sum == sum);
            const PickedRows rows(dim / 8, dim % 7 * 4, 21, &random);
            query.nibbles.stride = rows.stride;
            for (const size_t count : {0, 1, 3, 12, 13, 21, 40}) {
                const std::vector<uint32_t> picked = Picks(count, rows.count, &random);
                std::vector<int32_t> sums(count + 1, 77);
                BitSumsPicked(query, rows.bytes.get(), picked.data(), count, sums.data());
                for (size_t i = 0; i < count; i++) {
                    int64_t expected = 0;
                    for (size_t j = 0; j < dim; j++) {
                        expected += (rows.row(picked[i])[j / 8] >> (j % 8) & 1) != 0 ? odd[j] : 0;
                    }
                    if (sums[i] != expected) {
                        FAIL_CHECK(dim << " dimensions, " << count << " rows, row " << i << ": "
                                       << sums[i] << ", expected " << expected);
                    }
                }
                CHECK(sums[count] == 77);
            }
        }
        std::vector<uint8_t> buffer(BitQueryBytes(64));
        CHECK(PackBitQuery(std::vector<float>(64, 0.0f).data(), 64, buffer.data()).scale == 0);
    });
}

TEST_CASE("a rotation keeps lengths and angles and spreads what stands alone", "[codes]") {
    AtEveryLevel([] {
        std::mt19937 random(7);
        std::normal_distribution<float> normal;
        for (const size_t dim : {64, 128, 192, 320, 448, 832, 1024, 1536, 65536}) {
            std::vector<uint8_t> signs(RotationSignBytes(dim));
            for (uint8_t& byte : signs) {
                byte = static_cast<uint8_t>(random());
            }
            std::vector<float> a(dim);
            std::vector<float> b(dim);
            for (size_t j = 0; j < dim; j++) {
                a[j] = normal(random);
                b[j] = a[j] + normal(random);
            }
            const auto product = [&](const std::vector<float>& x, const std::vector<float>& y) {
                return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
            };
            const double length = product(a, a);
            const double angle = product(a, b);
            Rotate(signs.data(), dim, a.data());
            Rotate(signs.data(), dim, b.data());
            CHECK(std::sqrt(product(a, a)) == Approx(std::sqrt(length)).epsilon(1e-5));
            CHECK(product(a, b) == Approx(angle).epsilon(1e-4));
            std::vector<float> one(dim, 0.0f);
            one[dim / 3] = 1;
            Rotate(signs.data(), dim, one.data());
            const float largest = *std::max_element(one.begin(), one.end());
            CHECK(largest < 0.75f);
            CHECK(std::count_if(one.begin(), one.end(), [](float x) { return x != 0; }) >
                  static_cast<ptrdiff_t>(dim / 4));
        }
    });
}
