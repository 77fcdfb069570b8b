// Properties of the vector kernels, at every SIMD level of this processor, against double
// precision: every length up to 257, rows at odd addresses, blocks that end where their memory ends
// (the address sanitizer sees a read beyond them).
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/dense/flat.h"
#include "engine/kernels/distance.h"
#include "engine/kernels/distance_scalar.h"
#include "engine/kernels/simd_level.h"
#include "engine/kernels/top_k.h"
#include "tests/unit/every_level.h"

using namespace quern;
using namespace quern::kernels;

namespace {

constexpr size_t kLengths = 258;  // 0..257
constexpr double kUnit = 0x1p-24;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr Element kNumeric[] = {Element::kF32, Element::kF16, Element::kBF16, Element::kI8,
                                Element::kU8};

// Rows at a chosen offset from an aligned address, in memory that ends with the last row.
class Rows {
public:
    Rows(size_t bytes, size_t offset) : memory_(new char[offset + bytes]), offset_(offset) {}
    char* data() { return memory_.get() + offset_; }

private:
    std::unique_ptr<char[]> memory_;
    size_t offset_;
};

class Random {
public:
    float Uniform() { return distribution_(engine_); }
    // Values that every element type can hold or round: whole numbers for kI8 and kU8.
    std::vector<float> Values(Element element, size_t count) {
        std::vector<float> values(count);
        for (float& value : values) {
            value = Uniform();
            if (element == Element::kI8 || element == Element::kU8) {
                value = std::nearbyint(value * 127.0f + (element == Element::kU8 ? 128.0f : 0.0f));
            }
        }
        return values;
    }

private:
    std::mt19937 engine_{12345};
    std::uniform_real_distribution<float> distribution_{-1.0f, 1.0f};
};

Rows Stored(Element element, const std::vector<float>& values, size_t count, size_t dim,
            size_t offset) {
    Rows rows(count * VectorBytes(element, dim), offset);
    REQUIRE(FromF32(element, values.data(), count, dim, rows.data(), nullptr));
    return rows;
}

double Norm(Element element, const void* row, size_t dim) {
    return std::sqrt(scalar::SquaredNorm(element, row, dim));
}

bool SameBits(float a, float b) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

// How far a distance may be from the scalar twin's, which is right to the last bit of f32.
double Allowed(Element element, Metric metric, const Query& query, const void* row,
               double reference) {
    if (metric == Metric::kHamming) {
        return 0;
    }
    const double error = static_cast<double>(InnerProductError(query.dim));
    const double norms =
        Norm(Element::kF32, query.vector, query.dim) * Norm(element, row, query.dim);
    switch (metric) {
        case Metric::kL2: return (error + 4 * kUnit) * reference;
        case Metric::kIp: return error * norms + kUnit * std::fabs(reference);
        case Metric::kCosine: return error * 1.01 + 8 * kUnit;
        case Metric::kHamming: break;
    }
    return 0;
}

void CheckDistances(Element element, Metric metric, size_t dim, Random* random) {
    constexpr size_t kRows = 5;  // two pairs and a single one
    const size_t offset = dim % 9;
    const std::vector<float> vector = random->Values(Element::kF32, dim);
    Rows rows = Stored(element, random->Values(element, kRows * dim), kRows, dim, offset);
    Rows query_bytes(VectorBytes(element == Element::kBit ? Element::kBit : Element::kF32, dim), 0);
    if (element == Element::kBit) {
        REQUIRE(FromF32(element, vector.data(), 1, dim, query_bytes.data(), nullptr));
    } else {
        std::copy(vector.begin(), vector.end(), reinterpret_cast<float*>(query_bytes.data()));
    }
    const Query query = PrepareQuery(element, metric, query_bytes.data(), dim);
    std::vector<float> inverse_norms(kRows);
    if (element != Element::kBit) {
        InverseNorms(element, rows.data(), kRows, dim, inverse_norms.data());
    }
    float all[kRows];
    Distances(element, metric, query, rows.data(), kRows, inverse_norms.data(), all);
    const uint32_t picked[] = {4, 0, 0, 3, 1, 2, 4};
    float chosen[std::size(picked)];
    DistancesPicked(element, metric, query, rows.data(), picked, std::size(picked),
                    inverse_norms.data(), chosen);

    const size_t row_bytes = VectorBytes(element, dim);
    INFO("element " << static_cast<int>(element) << ", metric " << static_cast<int>(metric)
                    << ", dimension " << dim);
    for (size_t i = 0; i < kRows; i++) {
        const char* row = rows.data() + i * row_bytes;
        const auto reference =
            static_cast<double>(scalar::Distance(element, metric, query, row, inverse_norms[i]));
        if (!(std::fabs(static_cast<double>(all[i]) - reference) <=
              Allowed(element, metric, query, row, reference))) {
            FAIL_CHECK("row " << i << ": " << all[i] << ", expected " << reference);
        }
        // Alone, and at another address.
        Rows moved(row_bytes, offset + 3);
        std::copy_n(row, row_bytes, moved.data());
        float alone = 0;
        Distances(element, metric, query, moved.data(), 1, &inverse_norms[i], &alone);
        if (!SameBits(alone, all[i])) {
            FAIL_CHECK("row " << i << " alone: " << alone << ", with others: " << all[i]);
        }
    }
    for (size_t j = 0; j < std::size(picked); j++) {
        if (!SameBits(chosen[j], all[picked[j]])) {
            FAIL_CHECK("row " << picked[j] << " picked: " << chosen[j]
                              << ", in the block: " << all[picked[j]]);
        }
    }
}

// |InnerProductBlock - exact| against the bound, and that nothing else is written.
void CheckBlock(Element element, size_t query_count, size_t row_count, size_t dim, float low,
                float high, Random* random) {
    constexpr float kUntouched = 77;
    const auto fill = [&](size_t count) {
        std::vector<float> values(count);
        for (float& value : values) {
            value = low + (high - low) * (random->Uniform() * 0.5f + 0.5f);
            value = element == Element::kI8   ? std::nearbyint(value)
                    : element == Element::kU8 ? std::fabs(std::nearbyint(value))
                                              : value;
        }
        return values;
    };
    const std::vector<float> queries = fill(query_count * dim);
    Rows rows = Stored(element, fill(row_count * dim), row_count, dim, 1);
    std::vector<float> packed(PackedRowsFloats(row_count, dim), kNaN);
    PackRows(element, rows.data(), row_count, dim, packed.data());
    const size_t stride = row_count + 3;
    std::vector<float> out(query_count * stride, kUntouched);
    InnerProductBlock(queries.data(), query_count, packed.data(), row_count, dim, out.data(),
                      stride);
    INFO("element " << static_cast<int>(element) << ", " << query_count << " queries, " << row_count
                    << " rows, dimension " << dim);
    const double error = static_cast<double>(InnerProductError(dim));
    for (size_t q = 0; q < query_count; q++) {
        const float* query = queries.data() + q * dim;
        const double query_norm = Norm(Element::kF32, query, dim);
        for (size_t r = 0; r < stride; r++) {
            const float value = out[q * stride + r];
            if (r >= row_count) {
                if (value != kUntouched) {
                    FAIL_CHECK("wrote beyond row " << row_count << " of query " << q);
                }
                continue;
            }
            const char* row = rows.data() + r * VectorBytes(element, dim);
            const double exact = scalar::InnerProduct(element, query, row, dim);
            if (!(std::fabs(static_cast<double>(value) - exact) <=
                  error * query_norm * Norm(element, row, dim))) {
                FAIL_CHECK("query " << q << ", row " << r << ": " << value << ", exactly "
                                    << exact);
            }
        }
    }
}

// What a half or bfloat16 code means, from the definition.
double CodeValue(uint32_t code, int exponent_bits, int fraction_bits) {
    const uint32_t fraction = code & ((1u << fraction_bits) - 1);
    const int exponent = static_cast<int>(code >> fraction_bits & ((1u << exponent_bits) - 1));
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const double magnitude = exponent == 0 ? std::ldexp(fraction, 1 - bias - fraction_bits)
                                           : std::ldexp(fraction + (1u << fraction_bits),
                                                        exponent - bias - fraction_bits);
    return code >> (exponent_bits + fraction_bits) & 1 ? -magnitude : magnitude;
}

struct CodeFormat {
    Element element;
    int exponent_bits;
    int fraction_bits;
    uint32_t infinity;
};
constexpr CodeFormat kFormats[] = {{Element::kF16, 5, 10, 0x7C00}, {Element::kBF16, 8, 7, 0x7F80}};

uint16_t Rounded(Element element, float value) {
    uint16_t code = 0;
    REQUIRE(FromF32(element, &value, 1, 1, &code, nullptr));
    return code;
}

bool Refused(Element element, float value) {
    const float values[] = {1, value, 1};
    char out[12];
    size_t bad = 99;
    return !FromF32(element, values, 1, 3, out, &bad) && bad == 1 &&
           !FromF32(element, values, 1, 3, out, nullptr);
}

}  // namespace

TEST_CASE("kernels: the lowest level can be forced and undone") {
    const std::vector<std::string> levels = SimdLevels();
    REQUIRE_FALSE(levels.empty());
    ForceLowestLevel(true);
    CHECK(SimdLevel() == levels.back());
    ForceLowestLevel(false);
    CHECK(SimdLevel() == levels.front());
    CHECK_FALSE(SetSimdLevel("no such level"));
    CHECK(SimdLevel() == levels.front());
    UseTestLevel();
}

TEST_CASE("kernels: distances of every length agree with double precision") {
    AtEveryLevel([] {
        Random random;
        for (size_t dim = 0; dim < kLengths; dim++) {
            for (const Element element : kNumeric) {
                for (const Metric metric : {Metric::kL2, Metric::kIp, Metric::kCosine}) {
                    CheckDistances(element, metric, dim, &random);
                }
            }
            CheckDistances(Element::kBit, Metric::kHamming, dim, &random);
        }
        for (const size_t dim : {1000, 4096, 65536}) {
            CheckDistances(Element::kF32, Metric::kIp, dim, &random);
            CheckDistances(Element::kF16, Metric::kL2, dim, &random);
            CheckDistances(Element::kI8, Metric::kCosine, dim, &random);
            CheckDistances(Element::kBit, Metric::kHamming, dim, &random);
        }
    });
}

TEST_CASE("kernels: products of blocks keep their bound") {
    AtEveryLevel([] {
        Random random;
        for (size_t dim = 0; dim < kLengths; dim++) {
            const Element element = kNumeric[dim % 4];
            CheckBlock(element, 1 + dim % 17, 1 + dim * 7 % 101, dim, -100, 100, &random);
        }
        for (const size_t query_count : {1, 2, 3, 5, 7, 8, 9, 16}) {
            for (const size_t row_count : {1, 3, 4, 15, 16, 17, 47, 48, 49, 96, 97}) {
                CheckBlock(Element::kF32, query_count, row_count, 37, -1, 1, &random);
            }
        }
        // All rounding errors in one direction: sums that only grow.
        for (const size_t dim : {129, 1000, 4096, 65536}) {
            CheckBlock(Element::kF32, 3, 5, dim, 0.1f, 0.1f, &random);
            CheckBlock(Element::kF32, 3, 5, dim, 0.3f, 0.7f, &random);
        }
    });
}

TEST_CASE("kernels: the bound of inner products holds for sums that only grow") {
    AtEveryLevel([] {
        for (const size_t dim : {1, 2, 3, 5, 16, 100, 257, 1536, 16384, 65536}) {
            for (const float value : {0.1f, 0.3f, 1.1f, 1e-3f}) {
                const std::vector<float> row(dim, value);
                const Query query = PrepareQuery(Element::kF32, Metric::kIp, row.data(), dim);
                float distance = 0;
                Distances(Element::kF32, Metric::kIp, query, row.data(), 1, nullptr, &distance);
                const double exact =
                    scalar::InnerProduct(Element::kF32, row.data(), row.data(), dim);
                CHECK(std::fabs(static_cast<double>(-distance) - exact) <=
                      static_cast<double>(InnerProductError(dim)) * exact);
            }
        }
    });
}

TEST_CASE("kernels: overflow never makes a NaN") {
    AtEveryLevel([] {
        const float huge = 3e38f;
        for (const size_t dim : {2, 3, 7, 20, 66}) {
            std::vector<float> plus(dim, huge);
            std::vector<float> mixed(dim, huge);
            for (size_t i = 1; i < dim; i += 2) {
                mixed[i] = -huge;
            }
            float inverse_norms[2];
            InverseNorms(Element::kF32, plus.data(), 1, dim, inverse_norms);
            const auto distance = [&](Metric metric, const std::vector<float>& a,
                                      const std::vector<float>& b, float inverse_norm) {
                float out = kNaN;
                Distances(Element::kF32, metric, PrepareQuery(Element::kF32, metric, a.data(), dim),
                          b.data(), 1, &inverse_norm, &out);
                return out;
            };
            CHECK(distance(Metric::kL2, plus, mixed, 0) == kInfinity);
            CHECK(distance(Metric::kL2, plus, plus, 0) == 0);
            CHECK(distance(Metric::kIp, plus, plus, 0) == -kInfinity);
            // Inverse norms beyond 1e38 are denormal: hence the margins.
            // The true product: nothing, or one square too many.
            const float product = distance(Metric::kIp, plus, mixed, 0);
            CHECK(product == (dim % 2 == 0 ? 0 : -kInfinity));
            CHECK(distance(Metric::kCosine, plus, plus, inverse_norms[0]) ==
                  Approx(0).margin(1e-5));
            CHECK(distance(Metric::kCosine, plus, mixed, inverse_norms[0]) ==
                  Approx(dim % 2 == 0 ? 1.0 : 1.0 - 1.0 / static_cast<double>(dim)).margin(1e-5));
            // So short that products underflow; and zero.
            std::vector<float> tiny(dim, 1e-30f);
            InverseNorms(Element::kF32, tiny.data(), 1, dim, inverse_norms + 1);
            CHECK(distance(Metric::kCosine, tiny, tiny, inverse_norms[1]) ==
                  Approx(0).margin(1e-5));
            CHECK(distance(Metric::kCosine, plus, tiny, inverse_norms[1]) ==
                  Approx(0).margin(1e-5));
            const std::vector<float> zero(dim, 0.0f);
            CHECK(distance(Metric::kCosine, zero, plus, inverse_norms[0]) == 1);
            CHECK(distance(Metric::kCosine, plus, zero, 0) == 1);
            CHECK(distance(Metric::kCosine, zero, zero, 0) == 1);
        }
    });
}

TEST_CASE("kernels: vectors of any length have their cosine") {
    // The shortest and the longest have inverse norms that are no normal f32.
    constexpr float kSizes[] = {1e-45f, 1e-42f, 1e-40f, 2e-39f, 1e-38f, 1e-30f, 1e-13f,
                                1.0f,   1e10f,  1e20f,  1e30f,  1e38f,  3e38f};
    constexpr size_t kSizeCount = sizeof kSizes / sizeof kSizes[0];
    AtEveryLevel([&] {
        for (const size_t dim : {2, 5, 16, 67}) {
            // Of each size: along the first axis, against it, along the last one; then zero.
            const size_t count = 3 * kSizeCount + 1;
            std::vector<float> rows(count * dim, 0.0f);
            for (size_t i = 0; i + 1 < count; i++) {
                const float size = kSizes[i / 3];
                rows[i * dim + (i % 3 == 2 ? dim - 1 : 0)] = i % 3 == 1 ? -size : size;
            }
            std::vector<float> norms(count);
            InverseNorms(Element::kF32, rows.data(), count, dim, norms.data());
            std::vector<dense::FlatQuery> together;
            std::vector<std::vector<float>> alone;
            for (size_t q = 0; q < count; q++) {
                const Query query =
                    PrepareQuery(Element::kF32, Metric::kCosine, rows.data() + q * dim, dim);
                std::vector<float>& out = alone.emplace_back(count);
                Distances(Element::kF32, Metric::kCosine, query, rows.data(), count, norms.data(),
                          out.data());
                for (size_t i = 0; i < count; i++) {
                    const bool zero = q + 1 == count || i + 1 == count;
                    const bool apart = (q % 3 == 2) != (i % 3 == 2);
                    const double expected = zero || apart ? 1 : q % 3 == i % 3 ? 0 : 2;
                    CAPTURE(dim, q, i);
                    CHECK(static_cast<double>(out[i]) == Approx(expected).margin(1e-6));
                    CHECK((out[i] >= 0 && out[i] <= 2));
                }
                dense::FlatQuery& flat = together.emplace_back(0);
                flat.query = query;
                flat.norm =
                    std::sqrt(scalar::SquaredNorm(Element::kF32, rows.data() + q * dim, dim));
                flat.max_distance = 1.5f;
            }
            // A block of queries finds the same bits.
            dense::FlatRows flat_rows;
            flat_rows.rows = reinterpret_cast<const char*>(rows.data());
            flat_rows.count = count;
            flat_rows.inverse_norms = norms.data();
            dense::FlatField field;
            field.metric = Metric::kCosine;
            field.dim = dim;
            Work work;
            REQUIRE(dense::FlatScan(field, together.data(), count).Run(flat_rows, &work).ok());
            for (size_t q = 0; q < count; q++) {
                std::vector<std::pair<float, uint32_t>> expected;
                for (size_t i = 0; i < count; i++) {
                    if (alone[q][i] <= 1.5f) {
                        expected.emplace_back(alone[q][i], static_cast<uint32_t>(i));
                    }
                }
                CHECK(together[q].all == expected);
            }
        }
    });
}

TEST_CASE("kernels: a cosine distance is from 0 to 2") {
    AtEveryLevel([] {
        Random random;
        for (size_t dim = 1; dim < kLengths; dim++) {
            for (const Element element : kNumeric) {
                const std::vector<float> values = random.Values(element, dim);
                Rows row = Stored(element, values, 1, dim, 0);
                std::vector<float> same(dim);
                ToF32(element, row.data(), 1, dim, same.data());
                std::vector<float> opposite = same;
                for (float& value : opposite) {
                    value = -value;
                }
                float norm = 0;
                InverseNorms(element, row.data(), 1, dim, &norm);
                for (const std::vector<float>& vector : {same, opposite}) {
                    float distance = kNaN;
                    Distances(element, Metric::kCosine,
                              PrepareQuery(element, Metric::kCosine, vector.data(), dim),
                              row.data(), 1, &norm, &distance);
                    if (!(distance >= 0 && distance <= 2)) {
                        FAIL_CHECK("dimension " << dim << ": " << distance);
                    }
                }
            }
        }
    });
}

TEST_CASE("kernels: norms") {
    AtEveryLevel([] {
        Random random;
        for (size_t dim = 0; dim < kLengths; dim++) {
            for (const Element element : kNumeric) {
                Rows rows = Stored(element, random.Values(element, 3 * dim), 3, dim, 1);
                float squared[3];
                float inverse[3];
                SquaredNorms(element, rows.data(), 3, dim, squared);
                InverseNorms(element, rows.data(), 3, dim, inverse);
                const auto error = static_cast<double>(InnerProductError(dim));
                for (size_t i = 0; i < 3; i++) {
                    const double exact = scalar::SquaredNorm(
                        element, rows.data() + i * VectorBytes(element, dim), dim);
                    const double expected = exact > 0 ? 1 / std::sqrt(exact) : 0;
                    if (!(std::fabs(static_cast<double>(squared[i]) - exact) <= error * exact) ||
                        !(std::fabs(static_cast<double>(inverse[i]) - expected) <=
                          (error + 4 * kUnit) * expected)) {
                        FAIL_CHECK("dimension " << dim << ": " << squared[i] << " and "
                                                << inverse[i] << " for " << exact);
                    }
                }
            }
        }
        for (const float value : {1e-30f, 1e-20f, 1e20f, 3e38f}) {
            const std::vector<float> row(40, value);
            float inverse = 0;
            InverseNorms(Element::kF32, row.data(), 1, row.size(), &inverse);
            CHECK(static_cast<double>(inverse) * static_cast<double>(value) * std::sqrt(40.0) ==
                  Approx(1).epsilon(1e-5));
        }
        const float shortest = std::numeric_limits<float>::denorm_min();
        float inverse = kNaN;
        InverseNorms(Element::kF32, &shortest, 1, 1, &inverse);
        CHECK(std::isfinite(inverse));
    });
}

TEST_CASE("kernels: every f16 and bf16 code widens to its value and rounds back") {
    std::vector<uint16_t> codes(65536);
    for (size_t i = 0; i < codes.size(); i++) {
        codes[i] = static_cast<uint16_t>(i);
    }
    AtEveryLevel([&] {
        for (const CodeFormat& format : kFormats) {
            std::vector<float> wide(codes.size());
            ToF32(format.element, codes.data(), 1, codes.size(), wide.data());
            for (const uint16_t code : codes) {
                const uint32_t magnitude = code & 0x7FFF;
                const float twin = scalar::ElementAt(format.element, &code, 0);
                if (magnitude >= format.infinity) {
                    if (magnitude == format.infinity ? !std::isinf(twin) : !std::isnan(twin)) {
                        FAIL_CHECK("code " << code << " should not be finite");
                    }
                    continue;
                }
                const auto expected =
                    static_cast<float>(CodeValue(code, format.exponent_bits, format.fraction_bits));
                if (!SameBits(wide[code], expected) || !SameBits(twin, expected) ||
                    Rounded(format.element, expected) != code) {
                    FAIL_CHECK("code " << code << " widened to " << wide[code] << ", expected "
                                       << expected);
                }
            }
        }
        // Lengths and addresses, for all types.
        Random random;
        for (size_t dim = 0; dim < kLengths; dim++) {
            for (const Element element : kNumeric) {
                Rows rows = Stored(element, random.Values(element, dim), 1, dim, 3);
                std::vector<float> wide(dim);
                ToF32(element, rows.data(), 1, dim, wide.data());
                for (size_t i = 0; i < dim; i++) {
                    if (!SameBits(wide[i], scalar::ElementAt(element, rows.data(), i))) {
                        FAIL_CHECK("element " << i << " of " << dim);
                    }
                }
            }
        }
    });
}

TEST_CASE("kernels: rounding to f16 and bf16 goes to the nearest, ties to even") {
    for (const CodeFormat& format : kFormats) {
        for (uint32_t code = 0; code + 1 < format.infinity;
             code += format.element == Element::kF16 ? 1 : 7) {
            const double low = CodeValue(code, format.exponent_bits, format.fraction_bits);
            const double high = CodeValue(code + 1, format.exponent_bits, format.fraction_bits);
            const auto middle = static_cast<float>((low + high) / 2);  // exact in f32
            const auto even = static_cast<uint16_t>(code % 2 == 0 ? code : code + 1);
            for (const uint32_t sign : {0u, 0x8000u}) {
                const float side = sign == 0 ? 1.0f : -1.0f;
                if (Rounded(format.element, side * middle) != (even | sign) ||
                    Rounded(format.element, side * std::nextafter(middle, 0.0f)) != (code | sign) ||
                    Rounded(format.element, side * std::nextafter(middle, kInfinity)) !=
                        ((code + 1) | sign)) {
                    FAIL_CHECK("around code " << code);
                }
            }
        }
        const double largest =
            CodeValue(format.infinity - 1, format.exponent_bits, format.fraction_bits);
        const double step =
            largest - CodeValue(format.infinity - 2, format.exponent_bits, format.fraction_bits);
        const auto limit = static_cast<float>(largest + step / 2);
        CHECK(Rounded(format.element, std::nextafter(limit, 0.0f)) == format.infinity - 1);
        for (const float value : {limit, -limit, kInfinity, -kInfinity, kNaN}) {
            CHECK(Refused(format.element, value));
        }
    }
}

TEST_CASE("kernels: conversion to i8 and bits") {
    for (int value = -128; value <= 127; value++) {
        const auto from = static_cast<float>(value);
        int8_t to = 0;
        REQUIRE(FromF32(Element::kI8, &from, 1, 1, &to, nullptr));
        CHECK(to == value);
    }
    for (const float value :
         {0.5f, -0.25f, 127.5f, 128.0f, -129.0f, 1e30f, kInfinity, -kInfinity, kNaN}) {
        CHECK(Refused(Element::kI8, value));
    }
    Random random;
    for (size_t dim = 1; dim < 70; dim++) {
        std::vector<float> values = random.Values(Element::kF32, 3 * dim);
        values[dim / 2] = 0;
        values[dim] = kNaN;
        const size_t row_bytes = VectorBytes(Element::kBit, dim);
        std::vector<uint8_t> bits(3 * row_bytes, 0xFF);
        REQUIRE(FromF32(Element::kBit, values.data(), 3, dim, bits.data(), nullptr));
        for (size_t i = 0; i < 3 * row_bytes * 8; i++) {
            const size_t column = i % (row_bytes * 8);
            const bool expected = column < dim && values[i / (row_bytes * 8) * dim + column] > 0;
            if ((bits[i / 8] >> (i % 8) & 1) != (expected ? 1 : 0)) {
                FAIL_CHECK("bit " << i << " of rows of " << dim);
            }
        }
    }
}

TEST_CASE("kernels: the first value that is not finite is found wherever it stands") {
    const float bad_values[] = {kInfinity, -kInfinity, kNaN, -kNaN};
    const uint16_t bad_halves[] = {0x7C00, 0xFC00, 0x7E01, 0xFC01};
    const uint16_t bad_uppers[] = {0x7F80, 0xFF80, 0x7FC0, 0xFF81};
    for (const Element element : {Element::kF32, Element::kF16, Element::kBF16}) {
        const size_t element_bytes = VectorBytes(element, 1);
        for (const size_t total : {1, 2, 31, 64, 65, 200, 5000}) {
            std::vector<float> largest(total, element == Element::kF16 ? 65504.0f : 3.3895314e38f);
            Rows rows = Stored(element, largest, 1, total, 1);
            size_t bad = 99;
            CHECK(AllFinite(element, rows.data(), 1, total, &bad));
            CHECK(AllFinite(element, rows.data(), total, 0, &bad));
            CHECK(bad == 99);
            for (size_t i = 0; i<total; i += total> 1000 ? 611 : 1) {
                const size_t kind = i % 4;
                const void* value =
                    element == Element::kF32   ? static_cast<const void*>(&bad_values[kind])
                    : element == Element::kF16 ? static_cast<const void*>(&bad_halves[kind])
                                               : static_cast<const void*>(&bad_uppers[kind]);
                char saved[4];
                char* at = rows.data() + i * element_bytes;
                std::copy_n(at, element_bytes, saved);
                std::copy_n(static_cast<const char*>(value), element_bytes, at);
                if (AllFinite(element, rows.data(), 1, total, &bad) || bad != i ||
                    AllFinite(element, rows.data(), 1, total, nullptr)) {
                    FAIL_CHECK("value " << i << " of " << total << " not found");
                }
                std::copy_n(saved, element_bytes, at);
            }
        }
    }
    const char any[4] = {-1, -1, -1, -1};
    CHECK(AllFinite(Element::kI8, any, 1, 4, nullptr));
    CHECK(AllFinite(Element::kBit, any, 1, 32, nullptr));
}

TEST_CASE("kernels: the product in double is eight sums at every level") {
    AtEveryLevel([] {
        Random random;
        for (size_t dim = 0; dim < kLengths; dim++) {
            const std::vector<float> a = random.Values(Element::kF32, dim);
            const std::vector<float> b = random.Values(Element::kF32, dim);
            double sums[8] = {};
            for (size_t i = 0; i < dim; i++) {
                sums[i % 8] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
            }
            double expected = 0;
            for (const double sum : sums) {
                expected += sum;
            }
            const double product = ProductInDouble(a.data(), b.data(), dim);
            if (std::memcmp(&expected, &product, sizeof expected) != 0) {
                FAIL_CHECK("dimension " << dim);
            }
        }
    });
}

TEST_CASE("kernels: selection of values within a threshold") {
    AtEveryLevel([] {
        Random random;
        for (size_t count = 0; count < kLengths; count++) {
            std::vector<float> values = random.Values(Element::kF32, count);
            for (size_t i = 0; i < count; i += 5) {
                values[i] = i % 2 == 0 ? kInfinity : 0.25f;
            }
            for (const float threshold : {-kInfinity, -0.99f, 0.0f, 0.25f, 2.0f, kInfinity}) {
                std::vector<uint32_t> expected;
                for (size_t i = 0; i < count; i++) {
                    if (values[i] <= threshold) {
                        expected.push_back(static_cast<uint32_t>(i));
                    }
                }
                std::vector<uint32_t> selected(count);
                selected.resize(SelectAtMost(values.data(), count, threshold, selected.data()));
                if (selected != expected) {
                    FAIL_CHECK(count << " values, threshold " << threshold);
                }
            }
        }
    });
}

TEST_CASE("kernels: the k nearest are those of a sort") {
    std::mt19937 engine(7);
    for (const size_t count : {0, 1, 2, 10, 257, 1000}) {
        for (const size_t k : {0, 1, 2, 10, 256, 2000}) {
            std::vector<Hit> hits(count);
            TopK top(k);
            for (size_t i = 0; i < count; i++) {
                // Few different distances, so that positions decide; one in eight is NaN and counts
                // as infinite.
                const float distance = static_cast<float>(engine() % 8);
                hits[i] = {distance == 7 ? kInfinity : distance,
                           static_cast<uint32_t>(engine() % 100000)};
                top.Push(distance == 7 ? kNaN : distance, hits[i].position);
            }
            std::sort(hits.begin(), hits.end());
            hits.resize(std::min(k, count));
            CHECK(top.size() == hits.size());
            CHECK(top.Threshold() ==
                  (k > 0 && hits.size() == k ? hits.back().distance : kInfinity));
            const std::vector<Hit> taken = top.Take();
            CHECK(std::equal(taken.begin(), taken.end(), hits.begin(), hits.end(),
                             [](const Hit& a, const Hit& b) {
                                 return a.distance == b.distance && a.position == b.position;
                             }));
        }
    }
}
