#include "engine/dense/codes/codes.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "engine/dense/codes/bit_codes.h"
#include "engine/dense/codes/code_training.h"
#include "engine/dense/codes/lvq_codes.h"
#include "engine/dense/codes/narrow_codes.h"
#include "engine/dense/codes/product_codes.h"
#include "engine/dense/codes/scalar_codes.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr size_t kEncodeRows = 1024;  // that one worker encodes at a time

}  // namespace

Result<std::unique_ptr<Codes>> Codes::Train(CodeChoice kind, const VectorRows& rows, int threads,
                                            Work* work) {
    switch (kind) {
        case CodeChoice::k1Bit: return BitCodes::Train(rows);
        case CodeChoice::kProduct: return ProductCodes::Train(rows, threads, work);
        case CodeChoice::k4Bit:
        case CodeChoice::k8Bit:
        case CodeChoice::kPacked: return ScalarCodes::Train(kind, rows);
        case CodeChoice::kLvq4:
        case CodeChoice::kLvq8: return LvqCodes::Train(kind, rows);
        case CodeChoice::kF16:
        case CodeChoice::kBF16: return NarrowCodes::Train(kind, rows);
        case CodeChoice::kNone:
        case CodeChoice::kAuto: break;
    }
    return Status::Error(Code::kInternal, "codes: no kind to train");
}

Result<std::unique_ptr<Codes>> Codes::Read(ByteReader* reader, Metric metric, size_t dim) {
    const auto kind = static_cast<CodeChoice>(reader->U8());
    switch (kind) {
        case CodeChoice::k1Bit: return BitCodes::ReadBody(reader, metric, dim);
        case CodeChoice::kProduct: return ProductCodes::ReadBody(reader, metric, dim);
        case CodeChoice::k4Bit:
        case CodeChoice::k8Bit:
        case CodeChoice::kPacked: return ScalarCodes::ReadBody(reader, kind, metric, dim);
        case CodeChoice::kLvq4:
        case CodeChoice::kLvq8: return LvqCodes::ReadBody(reader, kind, metric, dim);
        case CodeChoice::kF16:
        case CodeChoice::kBF16: return NarrowCodes::ReadBody(reader, kind, metric, dim);
        case CodeChoice::kNone:
        case CodeChoice::kAuto: break;
    }
    return Status::Error(Code::kCorrupt, "codes: of an unknown kind");
}

size_t Codes::RowBytes(CodeChoice kind, Metric metric, size_t dim) {
    switch (kind) {
        case CodeChoice::k1Bit: return BitCodes::kTermsBytes + BitCodes::RotatedDim(dim) / 8;
        case CodeChoice::kProduct: return ProductCodes::CodeBytes(dim);
        case CodeChoice::k4Bit:
        case CodeChoice::kPacked: return kernels::CodeRowBytes(kernels::CodeBits::k4, dim);
        case CodeChoice::k8Bit: return kernels::CodeRowBytes(kernels::CodeBits::k8, dim);
        case CodeChoice::kLvq4:
        case CodeChoice::kLvq8:
            return LvqCodes::TermCount(metric) * sizeof(float) +
                   kernels::CodeRowBytes(LvqCodes::BitsOf(kind), dim);
        case CodeChoice::kF16:
        case CodeChoice::kBF16: return VectorBytes(Element::kF16, dim);
        case CodeChoice::kNone:
        case CodeChoice::kAuto: break;
    }
    return 0;
}

bool Codes::Valid(const CodeRows& /*rows*/, size_t /*count*/) const {
    return true;
}

void Codes::ToDistances(const float* vector, std::vector<float>* scores) const {
    const LeftOut left_out = LeftOutOf(vector);
    const double squares = Dot(vector, vector, dim());
    const double inverse = squares > 0 ? 1 / std::sqrt(squares) : 0.0;
    for (float& value : *scores) {
        const double distance = left_out.add + left_out.factor * static_cast<double>(value);
        value = static_cast<float>(metric_ == Metric::kL2   ? std::max(0.0, distance)
                                   : metric_ == Metric::kIp ? distance
                                                            : 1 + distance * inverse);
    }
}

float Codes::ScoreAt(const float* vector, double distance) const {
    const LeftOut left_out = LeftOutOf(vector);
    if (metric_ == Metric::kL2 && distance < 0) {
        return -std::numeric_limits<float>::infinity();
    }
    if (metric_ == Metric::kCosine) {
        const double squares = Dot(vector, vector, dim());
        if (squares == 0) {
            // Everything is at distance one.
            return distance >= 1 ? std::numeric_limits<float>::infinity()
                                 : -std::numeric_limits<float>::infinity();
        }
        distance = (distance - 1) * std::sqrt(squares);
    }
    return static_cast<float>((distance - left_out.add) / left_out.factor);
}

Status Codes::EncodeAll(const VectorRows& rows, uint8_t* out, float* norms, int threads,
                        Work* work) const {
    std::atomic<size_t> next{0};
    return RunOnThreads(threads, [&](int) -> Status {
        while (true) {
            const size_t first = next.fetch_add(kEncodeRows);
            if (first >= rows.count) {
                return {};
            }
            const size_t count = std::min(kEncodeRows, rows.count - first);
            Encode(rows, first, count, out + first * row_bytes(),
                   norms != nullptr ? norms + first : nullptr);
            QUERN_TRY(work->Check("encode", first, rows.count));
        }
    });
}

}  // namespace quern::dense
