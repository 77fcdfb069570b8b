#include "engine/dense/codes/lvq_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/dense/codes/code_training.h"

namespace quern::dense {

namespace {

// The numbers before the codes of a row.
struct LvqTerms {
    float low = 0;
    float step = 0;
    float squared_norm = 0;
};

class LvqScorer final : public CodeScorer {
public:
    LvqScorer(const LvqCodes& codes, const float* vector, const CodeRows& rows)
        : CodeScorer(rows, codes.row_bytes()),
          l2_(codes.metric() == Metric::kL2),
          terms_bytes_(LvqCodes::TermCount(codes.metric()) * sizeof(float)),
          packed_(kernels::CodeQueryBytes(codes.bits(), codes.dim())) {
        std::vector<float> weights(vector, vector + codes.dim());
        for (size_t j = 0; j < weights.size(); j++) {
            weights[j] = CodeValue(weights[j] - (l2_ ? codes.mean()[j] : 0.0f));
        }
        query_ = kernels::PackCodeQuery(codes.bits(), weights.data(), codes.dim(), packed_.data());
        query_.stride = codes.row_bytes();
        sum_ = query_.scale *
               static_cast<float>(std::accumulate(packed_.begin(), packed_.end(), int64_t{0}));
    }

    void Score(const uint32_t* nodes, size_t count, float* distances) const override {
        int32_t dots[kScoredMax];
        kernels::CodeDotsPicked(query_, rows_.rows + terms_bytes_, nodes, count, dots);
        for (size_t i = 0; i < count; i++) {
            LvqTerms terms;
            std::memcpy(&terms, rows_.rows + nodes[i] * row_bytes_, terms_bytes_);
            const float product =
                terms.low * sum_ + terms.step * query_.scale * static_cast<float>(dots[i]);
            distances[i] = l2_ ? terms.squared_norm - 2 * product : -product;
        }
    }

private:
    bool l2_;
    size_t terms_bytes_;
    std::vector<int8_t> packed_;
    kernels::CodeQuery query_;
    float sum_ = 0;
};

// What rounding has left of the query, times the row less the mean, which is near t * query less
// the mean.
class LvqScoreError final : public ScoreError {
public:
    explicit LvqScoreError(bool l2) : l2_(l2) {}

    void Add(float value, float mean, double rounded) {
        const auto of_query = static_cast<double>(value);
        const auto of_mean = static_cast<double>(mean);
        const double off = of_query - (l2_ ? of_mean : 0.0) - rounded;
        off2_ += off * off;
        by_query_ += off * of_query;
        by_mean_ += off * of_mean;
        query2_ += of_query * of_query;
        mean2_ += of_mean * of_mean;
        rounded2_ += rounded * rounded;
        sum_ += rounded;
    }

    double Above(double t, double radius) const override {
        const double known = t * by_query_ - by_mean_ + std::sqrt(off2_) * radius;
        // In f32 there are the sum times the low end, which is no longer than the row less the
        // mean, the product of codes, and the squared norm.
        const double row = t * std::sqrt(query2_) + std::sqrt(mean2_) + radius;
        const double sizes =
            row * (3 * std::abs(sum_) + 2 * std::sqrt(rounded2_)) + (l2_ ? row * row : 0);
        return std::max(0.0, known) * (l2_ ? 2 : 1) + 2 * sizes * kCodeRounding;
    }

private:
    bool l2_;
    double off2_ = 0;
    double by_query_ = 0;
    double by_mean_ = 0;
    double query2_ = 0;
    double mean2_ = 0;
    double rounded2_ = 0;
    double sum_ = 0;
};

}  // namespace

Result<std::unique_ptr<Codes>> LvqCodes::Train(CodeChoice kind, const VectorRows& rows) {
    std::unique_ptr<LvqCodes> codes(new LvqCodes(kind, rows.metric, rows.dim));
    codes->mean_ = MeanOf(rows);
    return std::unique_ptr<Codes>(std::move(codes));
}

void LvqCodes::Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                      float* /*norms*/) const {
    const float levels = static_cast<float>((1 << static_cast<int>(bits())) - 1);
    const size_t terms_bytes = TermCount(metric()) * sizeof(float);
    std::vector<float> values(dim());
    std::vector<uint8_t> codes(dim());
    for (size_t i = 0; i < count; i++) {
        DecodeRows(rows, first + i, 1, values.data());
        for (size_t j = 0; j < dim(); j++) {
            values[j] = CodeValue(values[j] - mean_[j]);
        }
        const auto [least, largest] = std::minmax_element(values.begin(), values.end());
        LvqTerms terms;
        terms.low = *least;
        terms.step = (*largest - *least) / levels;
        const float inverse = terms.step > 0 ? 1.0f / terms.step : 0.0f;
        double squares = 0;
        for (size_t j = 0; j < dim(); j++) {
            // The inverse of a denormal step is infinite.
            const float scaled = std::isfinite(inverse) ? (values[j] - terms.low) * inverse : 0.0f;
            const float code = std::nearbyint(std::clamp(scaled, 0.0f, levels));
            codes[j] = static_cast<uint8_t>(code);
            const double decoded = static_cast<double>(terms.low) +
                                   static_cast<double>(terms.step) * static_cast<double>(code);
            squares += decoded * decoded;
        }
        terms.squared_norm = static_cast<float>(std::min(squares, double{kCodeValueMax}));
        uint8_t* row = out + i * row_bytes();
        std::memcpy(row, &terms, terms_bytes);
        kernels::PackCodes(bits(), codes.data(), 1, dim(), row + terms_bytes);
    }
}

bool LvqCodes::Valid(const CodeRows& rows, size_t count) const {
    const size_t terms_bytes = TermCount(metric()) * sizeof(float);
    for (size_t i = 0; i < count; i++) {
        LvqTerms terms;
        std::memcpy(&terms, rows.rows + i * row_bytes(), terms_bytes);
        if (!std::isfinite(terms.low) || !std::isfinite(terms.step) ||
            !std::isfinite(terms.squared_norm)) {
            return false;
        }
    }
    return true;
}

std::unique_ptr<CodeScorer> LvqCodes::NewScorer(const float* vector, const CodeRows& rows) const {
    return std::make_unique<LvqScorer>(*this, vector, rows);
}

bool LvqCodes::Restore(const CodeRows& rows, size_t row, double* out) const {
    const size_t terms_bytes = TermCount(metric()) * sizeof(float);
    const uint8_t* const from = rows.rows + row * row_bytes();
    LvqTerms terms;
    std::memcpy(&terms, from, terms_bytes);
    std::vector<uint8_t> codes(dim());
    kernels::UnpackCodes(bits(), from + terms_bytes, dim(), codes.data());
    for (size_t j = 0; j < dim(); j++) {
        out[j] = static_cast<double>(mean_[j]) + static_cast<double>(terms.low) +
                 static_cast<double>(terms.step) * static_cast<double>(codes[j]);
    }
    return true;
}

std::unique_ptr<ScoreError> LvqCodes::NewScoreError(const float* vector) const {
    const bool l2 = metric() == Metric::kL2;
    std::vector<float> weights(dim());
    for (size_t j = 0; j < dim(); j++) {
        weights[j] = CodeValue(vector[j] - (l2 ? mean_[j] : 0.0f));
    }
    std::vector<int8_t> packed(kernels::CodeQueryBytes(bits(), dim()));
    const auto scale = static_cast<double>(
        kernels::PackCodeQuery(bits(), weights.data(), dim(), packed.data()).scale);
    auto error = std::make_unique<LvqScoreError>(l2);
    for (size_t j = 0; j < dim(); j++) {
        error->Add(vector[j], mean_[j], scale * static_cast<double>(packed[j]));
    }
    return error;
}

Codes::LeftOut LvqCodes::LeftOutOf(const float* vector) const {
    const double with_mean = Dot(vector, mean_.data(), dim());
    const double own = Dot(vector, vector, dim()) + Dot(mean_.data(), mean_.data(), dim());
    return {metric() == Metric::kL2 ? own - 2 * with_mean : -with_mean, 1};
}

void LvqCodes::WriteBody(ByteWriter* writer) const {
    WriteFloats(mean_, writer);
}

Result<std::unique_ptr<Codes>> LvqCodes::ReadBody(ByteReader* reader, CodeChoice kind,
                                                  Metric metric, size_t dim) {
    std::unique_ptr<LvqCodes> codes(new LvqCodes(kind, metric, dim));
    if (!ReadFloats(reader, dim, &codes->mean_)) {
        return Status::Error(Code::kCorrupt, "codes: their mean is cut short or not a number");
    }
    return std::unique_ptr<Codes>(std::move(codes));
}

}  // namespace quern::dense
