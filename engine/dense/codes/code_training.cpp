#include "engine/dense/codes/code_training.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/dense/safe_length.h"
#include "engine/kernels/distance.h"

namespace quern::dense {

namespace {

// A mean of so many rows is off by a hundredth of the spread; and reading them takes no time.
constexpr size_t kMeanRows = 10000;

template <typename Visit>
void EachSampled(const VectorRows& rows, Visit visit) {
    const RowSample sample = RowSample::Of(rows, kMeanRows);
    std::vector<float> row(rows.dim);
    for (size_t i = 0; i < sample.count; i++) {
        DecodeRows(rows, i * sample.stride, 1, row.data());
        visit(row);
    }
}

}  // namespace

void DecodeRows(const VectorRows& rows, size_t first, size_t count, float* out) {
    kernels::ToF32(rows.element, rows.row(first), count, rows.dim, out);
    if (rows.metric != Metric::kCosine) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        ScaleToUnit(rows.inverse_norms[first + i], rows.dim, out + i * rows.dim);
    }
}

RowSample RowSample::Of(const VectorRows& rows, size_t most) {
    RowSample sample;
    sample.stride = std::max<size_t>(1, rows.count / most);
    sample.count = rows.count / sample.stride;
    return sample;
}

std::vector<float> MeanOf(const VectorRows& rows) {
    std::vector<double> sums(rows.dim, 0.0);
    size_t count = 0;
    EachSampled(rows, [&](const std::vector<float>& row) {
        for (size_t j = 0; j < rows.dim; j++) {
            sums[j] += static_cast<double>(row[j]);
        }
        count++;
    });
    std::vector<float> mean(rows.dim, 0.0f);
    for (size_t j = 0; j < rows.dim && count > 0; j++) {
        mean[j] = CodeValue(static_cast<float>(sums[j] / static_cast<double>(count)));
    }
    return mean;
}

float LargestOf(const VectorRows& rows) {
    float largest = 0;
    EachSampled(rows, [&](const std::vector<float>& row) {
        for (const float value : row) {
            largest = std::max(largest, std::fabs(value));
        }
    });
    return largest;
}

void WriteFloats(const std::vector<float>& values, ByteWriter* writer) {
    for (const float value : values) {
        uint32_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        writer->U32(bits);
    }
}

bool ReadFloats(ByteReader* reader, size_t count, std::vector<float>* values) {
    if (reader->left() / sizeof(float) < count) {
        return false;
    }
    values->resize(count);
    bool finite = true;
    for (float& value : *values) {
        const uint32_t bits = reader->U32();
        std::memcpy(&value, &bits, sizeof bits);
        finite = finite && std::isfinite(value);
    }
    return finite;
}

}  // namespace quern::dense
