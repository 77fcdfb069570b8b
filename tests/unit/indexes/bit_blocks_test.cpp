// Blocks of bits against plain loops at every SIMD level.
#include "engine/kernels/bit_blocks.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "tests/unit/every_level.h"

using namespace quern::kernels;

namespace {

constexpr int kOffset = 60;  // of a table's entries: that of no bits

std::vector<float> Normal(size_t count, std::mt19937* random) {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    for (float& value : values) {
        value = normal(*random);
    }
    return values;
}

bool Bit(const uint8_t* bits, size_t j) {
    return (bits[j / 8] >> (j % 8) & 1) != 0;
}

}  // namespace

TEST_CASE("bit blocks: scores are those of plain loops at every length", "[codes]") {
    AtEveryLevel([] {
        std::mt19937 random(7);
        for (const size_t dim : {64, 128, 192, 832, 2048, 2112, 4160}) {
            std::vector<float> weights = Normal(dim, &random);
            if (dim == 128) {
                weights.assign(dim, 3.0f);  // the largest sums
            }
            // Exactly as large as said, so that the address sanitizer sees a read beyond.
            const std::unique_ptr<uint8_t[]> tables(new uint8_t[BitBlockTableBytes(dim)]);
            const BitBlockQuery query = PackBitBlockQuery(weights.data(), dim, tables.get());
            std::vector<int> whole(dim);
            int sum = 0;
            for (size_t j = 0; j < dim; j++) {
                whole[j] = tables[j / 4 * 16 + (size_t{1} << (j % 4))] - kOffset;
                sum += whole[j];
                CHECK(std::fabs(query.scale * static_cast<float>(whole[j]) - weights[j]) <=
                      query.scale * 0.5001f);
            }
            CHECK(query.half_sum == static_cast<float>(sum) / 2);
            std::vector<uint8_t> bits(kBitBlockRows * dim / 8);
            for (uint8_t& byte : bits) {
                byte = static_cast<uint8_t>(dim == 2048 ? 0xFF : random());
            }
            const std::unique_ptr<uint8_t[]> block(new uint8_t[BitBlockBytes(dim)]);
            PackBitBlock(bits.data(), dim, block.get());
            const std::vector<float> add = Normal(kBitBlockRows, &random);
            const std::vector<float> factor = Normal(kBitBlockRows, &random);
            const BitBlockTerms terms{add.data(), factor.data(), 0.5f, 2.0f};
            float scores[kBitBlockRows];
            const uint32_t below = ScoreBitBlock(query, block.get(), terms, 0.25f, scores);
            for (size_t r = 0; r < kBitBlockRows; r++) {
                int product = 0;
                for (size_t j = 0; j < dim; j++) {
                    product += Bit(bits.data() + r * dim / 8, j) ? whole[j] : 0;
                }
                const double expected =
                    0.5 + 2.0 * double{add[r]} +
                    double{factor[r]} * (product - double{query.half_sum}) * double{query.scale};
                CHECK(double{scores[r]} == Approx(expected).epsilon(1e-4).margin(1e-4));
                CHECK((below >> r & 1) == (scores[r] < 0.25f ? 1u : 0u));
            }
        }
    });
}

TEST_CASE("bit blocks: what is no number is as far as can be", "[codes]") {
    AtEveryLevel([] {
        const std::vector<float> weights(64, 1e38f);
        std::vector<uint8_t> tables(BitBlockTableBytes(64));
        const BitBlockQuery query = PackBitBlockQuery(weights.data(), 64, tables.data());
        const std::vector<uint8_t> block(BitBlockBytes(64), 0xFF);
        std::vector<float> add(kBitBlockRows, -std::numeric_limits<float>::infinity());
        const std::vector<float> factor(kBitBlockRows, 1e38f);
        float scores[kBitBlockRows];
        const BitBlockTerms terms{add.data(), factor.data(), 0, 1};
        CHECK(ScoreBitBlock(query, block.data(), terms, 1, scores) == 0);
        for (const float score : scores) {
            CHECK(score == std::numeric_limits<float>::max());
        }
        // No weight at all.
        const std::vector<float> none(64, 0.0f);
        const BitBlockQuery empty = PackBitBlockQuery(none.data(), 64, tables.data());
        add.assign(kBitBlockRows, 2);
        CHECK(ScoreBitBlock(empty, block.data(), {add.data(), factor.data(), 1, 1}, 9, scores) ==
              UINT32_MAX);
        CHECK(scores[31] == 3);
    });
}

TEST_CASE("signs of differences and their sums", "[codes]") {
    AtEveryLevel([] {
        std::mt19937 random(8);
        for (const size_t dim : {64, 128, 832}) {
            const std::vector<float> row = Normal(dim, &random);
            std::vector<float> centre = Normal(dim, &random);
            const std::vector<float> base = Normal(dim, &random);
            centre[5] = row[5];  // no difference is not a positive one
            const std::unique_ptr<uint8_t[]> bits(new uint8_t[dim / 8]);
            const DifferenceSums sums =
                SignsOfDifference(row.data(), centre.data(), base.data(), dim, bits.get());
            double absolute = 0;
            double squares = 0;
            double along = 0;
            double with_base = 0;
            for (size_t j = 0; j < dim; j++) {
                const double d = double{row[j]} - double{centre[j]};
                CHECK(Bit(bits.get(), j) == (d > 0));
                absolute += std::fabs(d);
                squares += d * d;
                along += d > 0 ? double{centre[j]} : -double{centre[j]};
                with_base += d * double{base[j]};
            }
            CHECK(double{sums.absolute} == Approx(absolute).epsilon(1e-4));
            CHECK(double{sums.squares} == Approx(squares).epsilon(1e-4));
            CHECK(double{sums.along} == Approx(along).epsilon(1e-4).margin(1e-3));
            CHECK(double{sums.with_base} == Approx(with_base).epsilon(1e-4).margin(1e-3));
        }
    });
}
