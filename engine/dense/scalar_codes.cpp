#include "engine/dense/scalar_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/kernels/distance.h"

namespace quern::dense {

namespace {

constexpr size_t kTrainRows = 20000;
constexpr size_t kBlockRows = 256;
// So little of each end is cut off: outliers would make every step coarse.
constexpr size_t kClip8 = 2000;  // one in so many
constexpr size_t kClip4 = 200;
// A product of a huge element and a huge step stays finite.
constexpr float kWeightMax = 1e38f;

// Rows as f32, of length one under cosine.
void Decode(const VectorRows& rows, size_t first, size_t count, float* out) {
    kernels::ToF32(rows.element, rows.row(first), count, rows.dim, out);
    if (rows.metric == Metric::kCosine) {
        for (size_t i = 0; i < count; i++) {
            const float scale = rows.inverse_norms[first + i];
            for (size_t j = 0; j < rows.dim; j++) {
                out[i * rows.dim + j] *= scale;
            }
        }
    }
}

}  // namespace

ScalarCodes ScalarCodes::Train(const VectorRows& rows, kernels::CodeBits bits) {
    ScalarCodes codes;
    codes.bits_ = bits;
    codes.low_.assign(rows.dim, 0.0f);
    codes.step_.assign(rows.dim, 1.0f);
    const size_t stride = std::max<size_t>(1, rows.count / kTrainRows);
    const size_t sample = rows.count / stride;
    if (sample == 0) {
        return codes;
    }
    const float levels = static_cast<float>((1 << static_cast<int>(bits)) - 1);
    const size_t clip = sample / (bits == kernels::CodeBits::k8 ? kClip8 : kClip4);
    // A slice of the dimensions at a time: memory stays small for 65536 of them.
    const size_t slice = std::max<size_t>(1, (size_t{8} << 20) / sample);
    std::vector<float> row(rows.dim);
    std::vector<float> columns;
    for (size_t begin = 0; begin < rows.dim; begin += slice) {
        const size_t width = std::min(slice, rows.dim - begin);
        columns.resize(width * sample);
        for (size_t i = 0; i < sample; i++) {
            Decode(rows, i * stride, 1, row.data());
            for (size_t j = 0; j < width; j++) {
                columns[j * sample + i] = row[begin + j];
            }
        }
        for (size_t j = 0; j < width; j++) {
            float* column = columns.data() + j * sample;
            std::nth_element(column, column + clip, column + sample);
            const float low = column[clip];
            std::nth_element(column, column + (sample - 1 - clip), column + sample);
            const float high = column[sample - 1 - clip];
            const float step = (high - low) / levels;
            codes.low_[begin + j] = low;
            // A dimension without spread, or with one that f32 cannot divide, says nothing.
            codes.step_[begin + j] = std::isfinite(step) && step > 0 ? step : 0.0f;
        }
    }
    return codes;
}

void ScalarCodes::Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                         float* squared_norms) const {
    const size_t dim = low_.size();
    const float levels = static_cast<float>((1 << static_cast<int>(bits_)) - 1);
    std::vector<float> inverse(dim);
    for (size_t j = 0; j < dim; j++) {
        inverse[j] = step_[j] > 0 ? 1.0f / step_[j] : 0.0f;
    }
    std::vector<float> values(std::min(count, kBlockRows) * dim);
    std::vector<uint8_t> codes(values.size());
    for (size_t done = 0; done < count; done += kBlockRows) {
        const size_t now = std::min(kBlockRows, count - done);
        Decode(rows, first + done, now, values.data());
        for (size_t i = 0; i < now; i++) {
            double squares = 0;
            for (size_t j = 0; j < dim; j++) {
                const float scaled = (values[i * dim + j] - low_[j]) * inverse[j];
                const float code = std::nearbyint(std::clamp(scaled, 0.0f, levels));
                codes[i * dim + j] = static_cast<uint8_t>(code);
                const double decoded = static_cast<double>(low_[j]) +
                                       static_cast<double>(step_[j]) * static_cast<double>(code);
                squares += decoded * decoded;
            }
            if (squared_norms != nullptr) {
                squared_norms[done + i] = static_cast<float>(squares);
            }
        }
        kernels::PackCodes(bits_, codes.data(), now, dim, out + done * row_bytes());
    }
}

void ScalarCodes::Prepare(Metric metric, const float* vector, ScalarQuery* query) const {
    const size_t dim = low_.size();
    query->packed.resize(kernels::CodeQueryBytes(bits_, dim));
    query->weights.resize(dim);
    for (size_t j = 0; j < dim; j++) {
        query->weights[j] = std::clamp(vector[j] * step_[j], -kWeightMax, kWeightMax);
    }
    query->query = kernels::PackCodeQuery(bits_, query->weights.data(), dim, query->packed.data());
    // |x|^2 - 2 <q, x> under L2, -<q, x> otherwise. The length of a cosine's query changes no
    // order.
    query->slope = query->query.scale * (metric == Metric::kL2 ? -2.0f : -1.0f);
}

void ScalarCodes::ToDistances(Metric metric, const float* vector,
                              std::vector<float>* measured) const {
    double low = 0;
    double squares = 0;
    for (size_t j = 0; j < low_.size(); j++) {
        const double x = vector[j];
        low += x * static_cast<double>(low_[j]);
        squares += x * x;
    }
    const double inverse = squares > 0 ? 1.0 / std::sqrt(squares) : 0.0;
    for (float& value : *measured) {
        const double x = value;
        const double distance = metric == Metric::kL2   ? std::max(0.0, x + squares - 2 * low)
                                : metric == Metric::kIp ? x - low
                                                        : 1.0 + (x - low) * inverse;
        value = static_cast<float>(distance);
    }
}

void ScalarCodes::Write(ByteWriter* writer) const {
    writer->U8(static_cast<uint8_t>(bits_));
    for (const std::vector<float>* values : {&low_, &step_}) {
        for (const float value : *values) {
            uint32_t bits = 0;
            std::memcpy(&bits, &value, sizeof bits);
            writer->U32(bits);
        }
    }
}

Result<ScalarCodes> ScalarCodes::Read(ByteReader* reader, size_t dim) {
    ScalarCodes codes;
    const uint8_t bits = reader->U8();
    if ((bits != 8 && bits != 4) || reader->left() / 8 < dim) {
        return Status::Error(Code::kCorrupt, "codes: bad width or too short");
    }
    codes.bits_ = static_cast<kernels::CodeBits>(bits);
    for (std::vector<float>* values : {&codes.low_, &codes.step_}) {
        values->resize(dim);
        for (float& value : *values) {
            const uint32_t raw = reader->U32();
            std::memcpy(&value, &raw, sizeof raw);
            if (!std::isfinite(value)) {
                return Status::Error(Code::kCorrupt, "codes: an end is not a number");
            }
        }
    }
    return codes;
}

}  // namespace quern::dense
