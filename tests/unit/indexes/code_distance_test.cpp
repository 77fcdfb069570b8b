// Codes and their dot products against plain loops over integers, bit for bit at every SIMD level.
// Rows end where their memory ends, so that the address sanitizer sees a read beyond them.
#include "engine/kernels/code_distance.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/kernels/simd_level.h"
#include "tests/unit/every_level.h"

using namespace quern::kernels;

namespace {

constexpr CodeBits kWidths[] = {CodeBits::k8, CodeBits::k4};

unsigned LargestCode(CodeBits bits) {
    return bits == CodeBits::k8 ? 255 : 15;
}

// 0 to 257 and some that people use.
std::vector<size_t> Dims() {
    std::vector<size_t> dims = {784, 1536, kCodeDimMax - 1, kCodeDimMax};
    for (size_t dim = 0; dim <= 257; dim++) {
        dims.push_back(dim);
    }
    return dims;
}

// Bytes at a chosen offset from an aligned address, in memory that ends with the last one.
template <typename Byte>
class Bytes {
public:
    Bytes(size_t count, size_t offset) : memory_(new Byte[offset + count]), offset_(offset) {}
    Byte* data() { return memory_.get() + offset_; }

private:
    std::unique_ptr<Byte[]> memory_;
    size_t offset_;
};

std::vector<uint8_t> RandomCodes(CodeBits bits, size_t count, std::mt19937* random) {
    std::vector<uint8_t> codes(count);
    for (uint8_t& code : codes) {
        code = static_cast<uint8_t>((*random)() & LargestCode(bits));
    }
    return codes;
}

std::vector<float> RandomWeights(size_t dim, std::mt19937* random) {
    std::normal_distribution<float> normal;
    std::vector<float> weights(dim);
    for (float& weight : weights) {
        weight = normal(*random);
    }
    return weights;
}

int64_t PlainDot(const int8_t* weights, const uint8_t* codes, size_t dim) {
    int64_t sum = 0;
    for (size_t j = 0; j < dim; j++) {
        sum += weights[j] * codes[j];
    }
    return sum;
}

// Every count from none to two groups and a half, contiguous and picked, at odd addresses.
void CheckDots(CodeBits bits, size_t dim, const std::vector<float>& weights,
               const std::vector<uint8_t>& codes, size_t offset) {
    const size_t row_bytes = CodeRowBytes(bits, dim);
    const size_t row_count = dim == 0 ? 1 : codes.size() / dim;
    Bytes<uint8_t> rows(row_count * row_bytes, offset);
    PackCodes(bits, codes.data(), row_count, dim, rows.data());
    Bytes<int8_t> packed(CodeQueryBytes(bits, dim), offset % 5);
    const CodeQuery query = PackCodeQuery(bits, weights.data(), dim, packed.data());
    std::vector<int64_t> expected(row_count);
    for (size_t i = 0; i < row_count; i++) {
        expected[i] = PlainDot(packed.data(), codes.data() + i * dim, dim);
    }
    constexpr int32_t kUntouched = -77;
    for (size_t count = 0; count <= 10; count++) {
        std::vector<uint32_t> picked(count);
        for (size_t i = 0; i < count; i++) {
            picked[i] = static_cast<uint32_t>((i * 7 + count) % row_count);
        }
        std::vector<int32_t> dots(count + 1, kUntouched);
        CodeDotsPicked(query, rows.data(), picked.data(), count, dots.data());
        for (size_t i = 0; i < count; i++) {
            if (dots[i] != expected[picked[i]]) {
                FAIL_CHECK("width " << static_cast<int>(bits) << ", dimension " << dim << ", "
                                    << count << " rows, row " << picked[i] << ": " << dots[i]
                                    << ", expected " << expected[picked[i]]);
            }
        }
        if (dots[count] != kUntouched) {
            FAIL_CHECK("wrote beyond " << count << " results");
        }
        if (count > row_count) {
            continue;
        }
        std::fill(dots.begin(), dots.end(), kUntouched);
        CodeDots(query, rows.data(), count, dots.data());
        if (!std::equal(dots.begin(), dots.end() - 1, expected.begin()) ||
            dots[count] != kUntouched) {
            FAIL_CHECK("width " << static_cast<int>(bits) << ", dimension " << dim << ", rows 0 to "
                                << count);
        }
    }
}

// Scale and rounding of a query, exactly as promised.
CodeQuery CheckPacking(CodeBits bits, const std::vector<float>& weights) {
    const size_t bytes = CodeQueryBytes(bits, weights.size());
    Bytes<int8_t> packed(bytes, 1);
    const CodeQuery query = PackCodeQuery(bits, weights.data(), weights.size(), packed.data());
    CHECK(query.packed == packed.data());
    CHECK(query.row_bytes == CodeRowBytes(bits, weights.size()));
    CHECK(query.bits == bits);
    CHECK(std::isfinite(query.scale));
    int largest = 0;
    for (size_t j = 0; j < bytes; j++) {
        largest = std::max(largest, std::abs(packed.data()[j]));
        const double exact = j < weights.size() ? static_cast<double>(weights[j]) : 0;
        const double scale = static_cast<double>(query.scale);
        if (!(std::fabs(scale * packed.data()[j] - exact) <= scale / 2 * (1 + 1e-12))) {
            FAIL_CHECK("weight " << exact << " became " << int{packed.data()[j]} << " * " << scale);
        }
    }
    CHECK(largest <= 127);
    return query;
}

}  // namespace

TEST_CASE("codes: the bytes of a row", "[codes]") {
    CHECK(CodeRowBytes(CodeBits::k8, 0) == 0);
    CHECK(CodeRowBytes(CodeBits::k8, 1) == 32);
    CHECK(CodeRowBytes(CodeBits::k8, 100) == 128);
    CHECK(CodeRowBytes(CodeBits::k8, 128) == 128);
    CHECK(CodeRowBytes(CodeBits::k8, 784) == 800);
    CHECK(CodeRowBytes(CodeBits::k4, 0) == 0);
    CHECK(CodeRowBytes(CodeBits::k4, 1) == 32);
    CHECK(CodeRowBytes(CodeBits::k4, 64) == 32);
    CHECK(CodeRowBytes(CodeBits::k4, 65) == 64);
    CHECK(CodeRowBytes(CodeBits::k4, 784) == 416);

    // A full block and a short one of 8 bits; the same of 4 bits; a full one that is not filled.
    std::vector<uint8_t> codes(192);
    for (size_t j = 0; j < codes.size(); j++) {
        codes[j] = static_cast<uint8_t>(j % 13 + 1);
    }
    std::vector<uint8_t> row(96, 0xEE);
    PackCodes(CodeBits::k8, codes.data(), 1, 70, row.data());
    for (size_t at = 0; at < 96; at++) {
        CHECK(row[at] == (at < 70 ? codes[at] : 0));
    }
    std::fill(row.begin(), row.end(), uint8_t{0xEE});
    PackCodes(CodeBits::k4, codes.data(), 1, 180, row.data());
    for (size_t at = 0; at < 64; at++) {
        CHECK(row[at] == (codes[at] | codes[64 + at] << 4));
    }
    for (size_t at = 0; at < 32; at++) {
        CHECK(row[64 + at] == (codes[128 + at] | (at < 20 ? codes[160 + at] << 4 : 0)));
    }
    std::fill(row.begin(), row.end(), uint8_t{0xEE});
    PackCodes(CodeBits::k4, codes.data(), 1, 100, row.data());
    for (size_t at = 0; at < 64; at++) {
        CHECK(row[at] == (codes[at] | (at < 36 ? codes[64 + at] << 4 : 0)));
    }
    CHECK(row[64] == 0xEE);
}

TEST_CASE("codes: packing is undone by unpacking", "[codes]") {
    std::mt19937 random(1);
    for (const CodeBits bits : kWidths) {
        for (const size_t dim : Dims()) {
            constexpr size_t kRows = 3;
            const std::vector<uint8_t> codes = RandomCodes(bits, kRows * dim, &random);
            const size_t row_bytes = CodeRowBytes(bits, dim);
            CHECK(row_bytes % 32 == 0);
            Bytes<uint8_t> rows(kRows * row_bytes, dim % 3);
            std::memset(rows.data(), 0xEE, kRows * row_bytes);
            PackCodes(bits, codes.data(), kRows, dim, rows.data());
            for (size_t i = 0; i < kRows; i++) {
                std::vector<uint8_t> unpacked(dim);
                UnpackCodes(bits, rows.data() + i * row_bytes, dim, unpacked.data());
                if (!std::equal(unpacked.begin(), unpacked.end(),
                                codes.begin() + static_cast<std::ptrdiff_t>(i * dim))) {
                    FAIL_CHECK("width " << static_cast<int>(bits) << ", dimension " << dim
                                        << ", row " << i);
                }
            }
            // Unused codes are zero: all codes that fit add up to those that were packed.
            const size_t all = CodeQueryBytes(bits, dim);
            std::vector<uint8_t> unpacked(all);
            UnpackCodes(bits, rows.data(), all, unpacked.data());
            CHECK(std::all_of(unpacked.begin() + static_cast<std::ptrdiff_t>(dim), unpacked.end(),
                              [](uint8_t code) { return code == 0; }));
        }
    }
}

TEST_CASE("codes: dot products of every length are exact", "[codes]") {
    AtEveryLevel([] {
        std::mt19937 random(2);
        for (const CodeBits bits : kWidths) {
            for (const size_t dim : Dims()) {
                const std::vector<uint8_t> codes = RandomCodes(bits, 9 * dim, &random);
                CheckDots(bits, dim, RandomWeights(dim, &random), codes, dim % 67);
            }
        }
    });
}

TEST_CASE("codes: the largest codes and weights do not overflow", "[codes]") {
    AtEveryLevel([] {
        for (const CodeBits bits : kWidths) {
            for (const size_t dim : Dims()) {
                const auto largest = static_cast<uint8_t>(LargestCode(bits));
                const std::vector<uint8_t> codes(2 * dim, largest);
                for (const float weight : {1.0f, -1.0f}) {
                    CheckDots(bits, dim, std::vector<float>(dim, weight), codes, 0);
                }
                // Pairs that cancel in one order of adding and not in another.
                std::vector<float> weights(dim, 1.0f);
                for (size_t j = 0; j < dim; j += 2) {
                    weights[j] = -1.0f;
                }
                CheckDots(bits, dim, weights, codes, 0);
            }
            const std::vector<uint8_t> codes(kCodeDimMax, static_cast<uint8_t>(LargestCode(bits)));
            std::vector<uint8_t> row(CodeRowBytes(bits, kCodeDimMax));
            std::vector<int8_t> packed(CodeQueryBytes(bits, kCodeDimMax));
            PackCodes(bits, codes.data(), 1, kCodeDimMax, row.data());
            const std::vector<float> weights(kCodeDimMax, -3.0f);
            int32_t dot = 0;
            CodeDots(PackCodeQuery(bits, weights.data(), kCodeDimMax, packed.data()), row.data(), 1,
                     &dot);
            CHECK(dot == -65536 * 127 * static_cast<int32_t>(LargestCode(bits)));
        }
    });
}

TEST_CASE("codes: no weight of a query is off by more than half a step", "[codes]") {
    std::mt19937 random(3);
    constexpr float kLargest = std::numeric_limits<float>::max();
    constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
    for (const CodeBits bits : kWidths) {
        for (const size_t dim : Dims()) {
            std::vector<float> weights = RandomWeights(dim, &random);
            CheckPacking(bits, weights);
            if (dim == 0) {
                continue;
            }
            // All of the range of f32; the smallest scales are denormal.
            for (const float factor : {1e-44f, 1e-42f, 1e-38f, 1e-20f, 1e20f, 5e37f}) {
                std::vector<float> scaled = weights;
                for (float& weight : scaled) {
                    weight = std::clamp(weight, -5.0f, 5.0f) * factor;
                }
                CheckPacking(bits, scaled);
            }
            // One that leaves nothing of the others.
            weights[dim / 2] = -1e38f;
            const CodeQuery query = CheckPacking(bits, weights);
            CHECK(query.scale == Approx(1e38f / 127));
        }
        for (const float weight :
             {kLargest, -kLargest, kSmallest, -kSmallest, 100 * kSmallest, 128 * kSmallest,
              165 * kSmallest, 190 * kSmallest, 191 * kSmallest, 1.0f, 0.1f, 3.0f}) {
            CHECK(CheckPacking(bits, {weight}).scale > 0);
            CHECK(CheckPacking(bits, {weight, weight / 2, -weight / 3, 0, weight}).scale > 0);
        }
        CHECK(CheckPacking(bits, {0, -0.0f, 0}).scale == 0);
        CHECK(CheckPacking(bits, {}).scale == 0);
    }
}

TEST_CASE("codes: a level with byte products stands above AVX3 where the processor has them",
          "[codes]") {
    const std::vector<std::string> levels = SimdLevels();
    CHECK(std::set<std::string>(levels.begin(), levels.end()).size() == levels.size());
    const auto vnni = std::find(levels.begin(), levels.end(), "AVX3_VNNI");
    CHECK(VnniInUse() == (vnni != levels.end()));
    if (vnni == levels.end()) {
        return;
    }
    REQUIRE(vnni + 1 != levels.end());
    CHECK(*(vnni + 1) == "AVX3");
    REQUIRE(SetSimdLevel("AVX3"));
    CHECK_FALSE(VnniInUse());
    REQUIRE(SetSimdLevel("AVX3_VNNI"));
    CHECK(VnniInUse());
    ForceLowestLevel(true);
    CHECK(SimdLevel() == levels.back());
    ForceLowestLevel(false);
    CHECK(VnniInUse());
    CHECK(SimdLevel() == levels.front());
    UseTestLevel();
}
