// Vector kernels: every SIMD level of this processor against the plain twins.
//
// Bytes: element (1), metric (1), dimension (2, up to 600), rows (1, up to 9), address (1), then
// the values: of the query, then of the rows; what is missing is zero. An even first byte makes
// values whole numbers from -8 to 8, which every level has to add up without a rounding: to the
// bit. Else values are whatever the bits say, where they are finite: levels must agree within the
// bound that the kernels state, the numbers of bits and whole numbers to the bit.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/kernels/code_distance.h"
#include "engine/kernels/distance.h"
#include "engine/kernels/distance_scalar.h"
#include "engine/kernels/simd_level.h"
#include "storage/base/bytes.h"

using namespace quern;
using namespace quern::kernels;

namespace {

constexpr size_t kFuzzedDimMax = 600;
constexpr float kLargest = 1e12f;  // whose squares and sums f32 holds
constexpr double kUnit = 0x1p-24;

void WantOfKernel(bool holds) {
    if (!holds) {
        std::abort();
    }
}

bool EqualBits(float a, float b) {
    return std::memcmp(&a, &b, sizeof a) == 0 || (a == 0 && b == 0);
}

// Memory of exactly so many bytes behind an odd address.
class ExactRows {
public:
    ExactRows(size_t bytes, size_t offset) : memory_(new char[bytes + offset]), offset_(offset) {}
    char* data() { return memory_.get() + offset_; }

private:
    std::unique_ptr<char[]> memory_;
    size_t offset_;
};

struct Case {
    Element element = Element::kF32;
    Metric metric = Metric::kL2;
    size_t dim = 1;
    size_t count = 1;
    bool whole = false;
};

double DistanceError(const Case& what, const Query& query, const char* row, double reference) {
    if (what.metric == Metric::kHamming) {
        return 0;
    }
    const auto error = static_cast<double>(InnerProductError(what.dim));
    const double norms = std::sqrt(scalar::SquaredNorm(Element::kF32, query.vector, what.dim)) *
                         std::sqrt(scalar::SquaredNorm(what.element, row, what.dim));
    switch (what.metric) {
        case Metric::kL2: return (error + 4 * kUnit) * reference + 1e-30;
        case Metric::kIp: return error * norms + kUnit * std::fabs(reference) + 1e-30;
        default: return error * 1.01 + 8 * kUnit;
    }
}

void CheckConversions(const Case& what, const char* rows) {
    if (what.element == Element::kBit) {
        return;
    }
    const size_t values = what.count * what.dim;
    std::vector<float> floats(values);
    ToF32(what.element, rows, what.count, what.dim, floats.data());
    for (size_t i = 0; i < values; i++) {
        const float expected = scalar::ElementAt(
            what.element, rows + i / what.dim * VectorBytes(what.element, what.dim), i % what.dim);
        WantOfKernel(EqualBits(floats[i], expected));
    }
    ExactRows again(what.count * VectorBytes(what.element, what.dim), 1);
    WantOfKernel(FromF32(what.element, floats.data(), what.count, what.dim, again.data(), nullptr));
    std::vector<float> twice(values);
    ToF32(what.element, again.data(), what.count, what.dim, twice.data());
    for (size_t i = 0; i < values; i++) {
        WantOfKernel(EqualBits(floats[i], twice[i]));
    }
}

void CheckCodes(const std::vector<float>& weights, const char* bytes, size_t count, size_t dim) {
    for (const CodeBits bits : {CodeBits::k8, CodeBits::k4}) {
        std::vector<uint8_t> codes(count * dim);
        for (size_t i = 0; i < codes.size(); i++) {
            codes[i] = static_cast<uint8_t>(bytes[i % dim]) & (bits == CodeBits::k8 ? 255 : 15);
        }
        ExactRows rows(count * CodeRowBytes(bits, dim), 3);
        auto* const packed = reinterpret_cast<uint8_t*>(rows.data());
        PackCodes(bits, codes.data(), count, dim, packed);
        std::vector<uint8_t> back(dim);
        std::vector<int8_t> query(CodeQueryBytes(bits, dim));
        const CodeQuery prepared = PackCodeQuery(bits, weights.data(), dim, query.data());
        std::vector<int32_t> dots(count);
        CodeDots(prepared, packed, count, dots.data());
        for (size_t row = 0; row < count; row++) {
            UnpackCodes(bits, packed + row * CodeRowBytes(bits, dim), dim, back.data());
            int64_t sum = 0;
            for (size_t d = 0; d < dim; d++) {
                WantOfKernel(back[d] == codes[row * dim + d]);
                sum += int64_t{query[d]} * back[d];
            }
            WantOfKernel(sum == dots[row]);
        }
    }
}

// One level; what it found is compared by the caller.
std::vector<float> CheckLevel(const Case& what, const char* query_bytes, const char* rows,
                              size_t offset) {
    const Query query = PrepareQuery(what.element, what.metric, query_bytes, what.dim);
    const size_t row_bytes = VectorBytes(what.element, what.dim);
    std::vector<float> inverse(what.count, 0);
    if (what.element != Element::kBit) {
        InverseNorms(what.element, rows, what.count, what.dim, inverse.data());
    }
    std::vector<float> distances(what.count);
    Distances(what.element, what.metric, query, rows, what.count, inverse.data(), distances.data());
    for (size_t row = 0; row < what.count; row++) {
        const char* const bytes = rows + row * row_bytes;
        const auto reference = static_cast<double>(
            scalar::Distance(what.element, what.metric, query, bytes, inverse[row]));
        const auto found = static_cast<double>(distances[row]);
        WantOfKernel(std::fabs(found - reference) <= DistanceError(what, query, bytes, reference));
        if (what.whole && what.metric != Metric::kCosine) {
            WantOfKernel(found == reference);
        }
        ExactRows alone(row_bytes, offset);
        std::memcpy(alone.data(), bytes, row_bytes);
        float single = 0;
        Distances(what.element, what.metric, query, alone.data(), 1, &inverse[row], &single);
        WantOfKernel(EqualBits(single, distances[row]));
        const auto picked = static_cast<uint32_t>(row);
        DistancesPicked(what.element, what.metric, query, rows, &picked, 1, inverse.data(),
                        &single);
        WantOfKernel(EqualBits(single, distances[row]));
    }
    std::vector<uint32_t> chosen(what.count);
    const float threshold = distances[what.count / 2];
    const size_t selected = SelectAtMost(distances.data(), what.count, threshold, chosen.data());
    size_t next = 0;
    for (size_t row = 0; row < what.count; row++) {
        if (distances[row] <= threshold) {
            WantOfKernel(next < selected && chosen[next] == row);
            next++;
        }
    }
    WantOfKernel(next == selected);
    return distances;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    Case what;
    const uint8_t first = reader.U8();
    what.whole = first % 2 == 0;
    what.element = static_cast<Element>(1 + first / 2 % 5);
    what.metric =
        what.element == Element::kBit ? Metric::kHamming : static_cast<Metric>(1 + reader.U8() % 3);
    const size_t low = reader.U8();
    what.dim = 1 + (low | static_cast<size_t>(reader.U8()) << 8) % kFuzzedDimMax;
    what.count = 1 + reader.U8() % 9;
    const size_t offset = reader.U8() % 16;
    if (!reader.ok()) {
        return 0;
    }
    const size_t row_bytes = VectorBytes(what.element, what.dim);
    ExactRows rows(what.count * row_bytes, offset);
    // Queries are f32, but of bits.
    std::vector<float> vector(what.dim, 0);
    std::vector<char> bit_vector(row_bytes, 0);
    const auto number = [&] { return static_cast<float>(reader.U8() % 17) - 8.0f; };
    if (what.whole || what.element == Element::kBit) {
        for (float& x : vector) {
            x = number();
        }
        std::vector<float> values(what.count * what.dim);
        for (float& x : values) {
            x = number();
        }
        FromF32(what.element, values.data(), what.count, what.dim, rows.data(), nullptr);
        if (what.element == Element::kBit) {
            FromF32(what.element, vector.data(), 1, what.dim, bit_vector.data(), nullptr);
        }
    } else {
        std::memset(rows.data(), 0, what.count * row_bytes);
        const BytesView of_query = reader.Take(std::min(reader.left(), 4 * what.dim));
        std::memcpy(vector.data(), of_query.data(), of_query.size());
        const BytesView of_rows = reader.Take(std::min(reader.left(), what.count * row_bytes));
        std::memcpy(rows.data(), of_rows.data(), of_rows.size());
        for (float& x : vector) {
            x = std::isfinite(x) && std::fabs(x) < kLargest ? x : 1.0f;
        }
        const bool finite = AllFinite(what.element, rows.data(), what.count, what.dim, nullptr);
        for (const std::string& level : SimdLevels()) {
            SetSimdLevel(level.c_str());
            WantOfKernel(finite ==
                         AllFinite(what.element, rows.data(), what.count, what.dim, nullptr));
        }
        SetSimdLevel(nullptr);
        if (!finite) {
            return 0;
        }
        for (size_t i = 0; i < what.count * what.dim; i++) {
            const float x = scalar::ElementAt(what.element, rows.data() + i / what.dim * row_bytes,
                                              i % what.dim);
            if (std::fabs(x) > kLargest || (x != 0 && std::fabs(x) < 1 / kLargest)) {
                return 0;
            }
        }
    }
    const char* const query = what.element == Element::kBit
                                  ? bit_vector.data()
                                  : reinterpret_cast<const char*>(vector.data());
    std::vector<float> best;
    for (const std::string& level : SimdLevels()) {
        SetSimdLevel(level.c_str());
        CheckConversions(what, rows.data());
        std::vector<float> distances = CheckLevel(what, query, rows.data(), offset);
        if (best.empty()) {
            best = std::move(distances);
        } else if (what.whole && what.metric != Metric::kCosine) {
            WantOfKernel(best == distances);
        }
        if (what.element != Element::kBit) {
            const std::vector<char> codes(what.dim, static_cast<char>(first));
            CheckCodes(vector,
                       size >= what.dim ? reinterpret_cast<const char*>(data) : codes.data(),
                       what.count, what.dim);
        }
    }
    SetSimdLevel(nullptr);
    return 0;
}
