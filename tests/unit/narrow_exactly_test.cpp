// Rows of f32 that become rows of a narrower type without losing anything, at every SIMD level and
// of every length up to 257.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "engine/kernels/distance.h"
#include "tests/unit/every_level.h"

using namespace quern;
using namespace quern::kernels;

namespace {

constexpr size_t kLengths = 258;
constexpr size_t kCount = 3;  // a pair of rows and a single one
constexpr Element kNarrow[] = {Element::kF16, Element::kBF16, Element::kI8, Element::kU8};

// Values of that type, as f32.
std::vector<float> Values(Element element, size_t count, std::mt19937* random) {
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> values(count);
    for (float& value : values) {
        value = uniform(*random);
        if (element == Element::kI8) {
            value = std::nearbyint(value * 127) + 0.0f;
        } else if (element == Element::kU8) {
            value = std::nearbyint(value * 127 + 128);
        }
        char code[4];
        REQUIRE(FromF32(element, &value, 1, 1, code, nullptr));
        ToF32(element, code, 1, 1, &value);
    }
    return values;
}

// Distances and norms of both are the same bits.
void CheckRows(Element element, const std::vector<float>& wide, const char* narrow,
               std::mt19937* random) {
    const size_t dim = wide.size() / kCount;
    const std::vector<float> vector = Values(Element::kF32, dim, random);
    for (const Metric metric : {Metric::kL2, Metric::kIp, Metric::kCosine}) {
        const Query query = PrepareQuery(element, metric, vector.data(), dim);
        float norms[2][kCount];
        float found[2][kCount];
        InverseNorms(element, narrow, kCount, dim, norms[0]);
        InverseNorms(Element::kF32, wide.data(), kCount, dim, norms[1]);
        Distances(element, metric, query, narrow, kCount, norms[0], found[0]);
        Distances(Element::kF32, metric, query, wide.data(), kCount, norms[1], found[1]);
        REQUIRE(std::memcmp(norms[0], norms[1], sizeof norms[0]) == 0);
        REQUIRE(std::memcmp(found[0], found[1], sizeof found[0]) == 0);
    }
}

}  // namespace

TEST_CASE("kernels: rows narrowed exactly have the distances of f32 to the bit") {
    AtEveryLevel([] {
        std::mt19937 random(1);
        for (size_t dim = 1; dim < kLengths; dim++) {
            for (const Element element : kNarrow) {
                INFO(dim << " " << static_cast<int>(element));
                const std::vector<float> wide = Values(element, kCount * dim, &random);
                const size_t bytes = kCount * VectorBytes(element, dim);
                // In memory that ends with the last row, at an odd address where a type allows it.
                const size_t offset = element == Element::kI8 || element == Element::kU8 ? 1 : 2;
                std::vector<char> expected(bytes);
                std::vector<char> narrow(offset + bytes);
                REQUIRE(FromF32(element, wide.data(), kCount, dim, expected.data(), nullptr));
                REQUIRE(NarrowExactly(element, wide.data(), wide.size(), narrow.data() + offset));
                REQUIRE(std::memcmp(narrow.data() + offset, expected.data(), bytes) == 0);
                CheckRows(element, wide, narrow.data() + offset, &random);
            }
        }
    });
}

TEST_CASE("kernels: one value of another type is seen wherever it stands") {
    AtEveryLevel([] {
        std::mt19937 random(2);
        for (const Element element : kNarrow) {
            const bool whole = element == Element::kI8 || element == Element::kU8;
            for (size_t count = 1; count < 80; count++) {
                std::vector<char> narrow(count * 2);
                for (size_t at = 0; at < count; at++) {
                    std::vector<float> values = Values(element, count, &random);
                    for (const float odd :
                         {0.1f, 1e-40f, 3.3e38f, 70000.5f, -0x1p-149f, 1 + 0x1p-12f}) {
                        values[at] = odd;
                        REQUIRE_FALSE(NarrowExactly(element, values.data(), count, narrow.data()));
                    }
                    for (const float edge : {-0.0f, 256.0f, -1.0f, 128.0f}) {
                        const bool fits = !whole || (element == Element::kU8 && edge == 128.0f) ||
                                          (element == Element::kI8 && edge == -1.0f);
                        values[at] = edge;
                        INFO(static_cast<int>(element)
                             << " " << edge << " " << at << " of " << count);
                        REQUIRE(NarrowExactly(element, values.data(), count, narrow.data()) ==
                                fits);
                    }
                }
            }
        }
    });
}

TEST_CASE("kernels: every finite code of a float type is held by it, on all processors") {
    AtEveryLevel([] {
        for (const Element element : {Element::kF16, Element::kBF16}) {
            const uint32_t infinity = element == Element::kF16 ? 0x7C00 : 0x7F80;
            std::vector<uint16_t> codes;
            for (uint32_t code = 0; code < 65536; code++) {
                if ((code & 0x7FFF) < infinity) {
                    codes.push_back(static_cast<uint16_t>(code));
                }
            }
            std::vector<float> wide(codes.size());
            ToF32(element, codes.data(), codes.size(), 1, wide.data());
            std::vector<uint16_t> narrow(codes.size());
            REQUIRE(NarrowExactly(element, wide.data(), wide.size(), narrow.data()));
            REQUIRE(narrow == codes);
        }
    });
}
