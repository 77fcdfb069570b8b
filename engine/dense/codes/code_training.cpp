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
// What is longer than so many times the median, if no more than these are: where a part of all is
// long, codes have to be for that part, too.
constexpr double kFarTimes = 32;
constexpr size_t kFarMost = 8;
constexpr size_t kFarShare = 1000;  // one in so many

template <typename Visit>
void EachSampled(const VectorRows& rows, Visit visit) {
    const RowSample sample = RowSample::Of(rows, kMeanRows);
    std::vector<float> row(rows.dim);
    for (const uint32_t number : sample.rows) {
        DecodeRows(rows, number, 1, row.data());
        visit(row);
    }
}

void LeaveOutFar(const VectorRows& rows, std::vector<uint32_t>* picked) {
    std::vector<float> squares(picked->size());
    std::vector<float> some;  // of those that are not zero
    for (size_t i = 0; i < picked->size(); i++) {
        kernels::SquaredNorms(rows.element, rows.row((*picked)[i]), 1, rows.dim, &squares[i]);
        if (squares[i] > 0) {
            some.push_back(squares[i]);
        }
    }
    if (some.empty()) {
        return;
    }
    const auto middle = some.begin() + static_cast<ptrdiff_t>(some.size() / 2);
    std::nth_element(some.begin(), middle, some.end());
    const double most = static_cast<double>(*middle) * kFarTimes * kFarTimes;
    const auto far = [&](float square) { return static_cast<double>(square) > most; };
    const auto count = static_cast<size_t>(std::count_if(squares.begin(), squares.end(), far));
    if (count > std::max(kFarMost, picked->size() / kFarShare)) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < squares.size(); i++) {
        (*picked)[kept] = (*picked)[i];
        kept += far(squares[i]) ? 0 : 1;
    }
    picked->resize(kept);
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
    const size_t stride = std::max<size_t>(1, rows.count / most);
    for (size_t i = 0; i < rows.count / stride; i++) {
        sample.rows.push_back(static_cast<uint32_t>(i * stride));
    }
    if (rows.metric != Metric::kCosine) {
        LeaveOutFar(rows, &sample.rows);
    }
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
