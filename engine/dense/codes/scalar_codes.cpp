#include "engine/dense/codes/scalar_codes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/dense/codes/code_training.h"

namespace quern::dense {

namespace {

constexpr size_t kRangeTrainRows = 20000;
constexpr size_t kBlockRows = 256;
// So little of each end is cut off: outliers would make every step coarse.
constexpr size_t kClip8 = 2000;  // one in so many
constexpr size_t kClip4 = 200;

// Distances are slope * dot, plus the row's squared norm under L2.
class ScalarScorer final : public CodeScorer {
public:
    ScalarScorer(const ScalarCodes& codes, const float* vector, const CodeRows& rows)
        : CodeScorer(rows, codes.row_bytes()),
          packed_(kernels::CodeQueryBytes(codes.bits(), codes.coded())),
          query_(kernels::PackCodeQuery(codes.bits(), codes.Weights(vector).data(), codes.coded(),
                                        packed_.data())),
          // |x|^2 - 2 <q, x> under L2, -<q, x> otherwise. The length of a cosine's query changes
          // no order.
          slope_(query_.scale * (codes.metric() == Metric::kL2 ? -2.0f : -1.0f)) {}

    void Score(const uint32_t* nodes, size_t count, float* distances) const override {
        int32_t dots[kScoredMax];
        kernels::CodeDotsPicked(query_, rows_.rows, nodes, count, dots);
        if (rows_.norms != nullptr) {
            for (size_t i = 0; i < count; i++) {
                distances[i] = rows_.norms[nodes[i]] + slope_ * static_cast<float>(dots[i]);
            }
        } else {
            for (size_t i = 0; i < count; i++) {
                distances[i] = slope_ * static_cast<float>(dots[i]);
            }
        }
    }

private:
    std::vector<int8_t> packed_;
    kernels::CodeQuery query_;
    float slope_;
};

// Of the weight of each code, rounding to bytes has left `off`. The sum of off * code is off / step
// times what stands above the low end: for dimensions of large steps it is bounded by how far the
// restored row is from t * query at most, for those of small steps, where off / step is large, by
// the largest code. Where to part the two is tried.
class ScalarScoreError final : public ScoreError {
public:
    ScalarScoreError(bool l2, kernels::CodeBits bits)
        : l2_(l2), largest_code_((1 << static_cast<int>(bits)) - 1) {}

    // Of a dimension with codes; halves: how often the largest step was halved for its step.
    void Add(float value, float low, double step, double off, int halves) {
        const auto of_query = static_cast<double>(value);
        const auto of_low = static_cast<double>(low);
        query2_ += of_query * of_query;
        low2_ += of_low * of_low;
        if (off == 0) {
            return;
        }
        Part& part = parts_[static_cast<size_t>(std::clamp(halves, 0, kParts - 1))];
        const double slope = off / step;
        part.slope2 += slope * slope;
        part.by_query += slope * of_query;
        part.by_low += slope * of_low;
        part.most += std::max(0.0, off) * largest_code_;
    }

    double Above(double t, double radius) const override {
        double by_codes = 0;
        for (const Part& part : parts_) {
            by_codes += part.most;
        }
        double least = by_codes;
        Part near;
        for (const Part& part : parts_) {
            near.slope2 += part.slope2;
            near.by_query += part.by_query;
            near.by_low += part.by_low;
            by_codes -= part.most;
            least = std::min(least, t * near.by_query - near.by_low +
                                        std::sqrt(near.slope2) * radius + std::max(0.0, by_codes));
        }
        // In f32 there are the product, its sum with the squared norm of the row, and that norm.
        const double query = std::sqrt(query2_);
        const double row = t * query + radius + std::sqrt(low2_);
        const double sizes = 2 * (query * row + std::abs(least)) + (l2_ ? row * row : 0);
        return std::max(0.0, least) * (l2_ ? 2 : 1) + 2 * sizes * kCodeRounding;
    }

private:
    struct Part {
        double slope2 = 0;    // squares of off / step
        double by_query = 0;  // off / step times the query
        double by_low = 0;    // and times the low ends
        double most = 0;      // of the sum, for the largest codes
    };
    static constexpr int kParts = 24;
    std::array<Part, kParts> parts_;
    bool l2_;
    double largest_code_;
    double query2_ = 0;
    double low2_ = 0;
};

}  // namespace

Result<std::unique_ptr<Codes>> ScalarCodes::Train(CodeChoice kind, const VectorRows& rows) {
    std::unique_ptr<ScalarCodes> codes(new ScalarCodes(kind, rows.metric, rows.dim));
    codes->low_.assign(rows.dim, 0.0f);
    codes->step_.assign(rows.dim, 1.0f);
    const RowSample all = RowSample::Of(rows, kRangeTrainRows);
    const size_t sample = all.rows.size();
    if (sample == 0) {
        codes->FindCoded();
        return std::unique_ptr<Codes>(std::move(codes));
    }
    const float levels = static_cast<float>((1 << static_cast<int>(codes->bits())) - 1);
    const size_t clip = sample / (kind == CodeChoice::k8Bit ? kClip8 : kClip4);
    // A slice of the dimensions at a time: memory stays small for 65536 of them.
    const size_t slice = std::max<size_t>(1, (size_t{8} << 20) / sample);
    std::vector<float> row(rows.dim);
    std::vector<float> columns;
    for (size_t begin = 0; begin < rows.dim; begin += slice) {
        const size_t width = std::min(slice, rows.dim - begin);
        columns.resize(width * sample);
        for (size_t i = 0; i < sample; i++) {
            DecodeRows(rows, all.rows[i], 1, row.data());
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
            codes->low_[begin + j] = low;
            // A dimension without spread, or with one that f32 cannot divide, says nothing.
            codes->step_[begin + j] = std::isfinite(step) && step > 0 ? step : 0.0f;
        }
    }
    codes->FindCoded();
    return std::unique_ptr<Codes>(std::move(codes));
}

void ScalarCodes::FindCoded() {
    coded_.clear();
    for (uint32_t j = 0; j < dim(); j++) {
        if (step_[j] > 0) {
            coded_.push_back(j);
        }
    }
    if (coded_.empty()) {
        coded_.push_back(0);  // all vectors are alike; a row without bytes would be a case apart
    }
    SetRowBytes(kernels::CodeRowBytes(bits(), coded_.size()));
}

void ScalarCodes::Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                         float* norms) const {
    const float levels = static_cast<float>((1 << static_cast<int>(bits())) - 1);
    std::vector<float> inverse(dim());
    for (size_t j = 0; j < dim(); j++) {
        inverse[j] = step_[j] > 0 ? 1.0f / step_[j] : 0.0f;
        // Of a denormal step, infinite.
        inverse[j] = std::isfinite(inverse[j]) ? inverse[j] : 0.0f;
    }
    double uncoded = 0;  // what the squared norms of all decoded rows have from the others
    for (size_t c = 0, j = 0; j < dim(); j++) {
        if (c < coded() && coded_[c] == j) {
            c++;
        } else {
            uncoded += static_cast<double>(low_[j]) * static_cast<double>(low_[j]);
        }
    }
    std::vector<float> values(std::min(count, kBlockRows) * dim());
    std::vector<uint8_t> codes(std::min(count, kBlockRows) * coded());
    for (size_t done = 0; done < count; done += kBlockRows) {
        const size_t now = std::min(kBlockRows, count - done);
        DecodeRows(rows, first + done, now, values.data());
        for (size_t i = 0; i < now; i++) {
            double squares = uncoded;
            for (size_t c = 0; c < coded(); c++) {
                const uint32_t j = coded_[c];
                // The difference of two huge numbers is infinite, and no number times zero.
                const float scaled = CodeValue(values[i * dim() + j] - low_[j]) * inverse[j];
                const float code = std::nearbyint(std::clamp(scaled, 0.0f, levels));
                codes[i * coded() + c] = static_cast<uint8_t>(code);
                const double decoded = static_cast<double>(low_[j]) +
                                       static_cast<double>(step_[j]) * static_cast<double>(code);
                squares += decoded * decoded;
            }
            if (norms != nullptr) {
                norms[done + i] = static_cast<float>(squares);
            }
        }
        kernels::PackCodes(bits(), codes.data(), now, coded(), out + done * row_bytes());
    }
}

std::unique_ptr<CodeScorer> ScalarCodes::NewScorer(const float* vector,
                                                   const CodeRows& rows) const {
    return std::make_unique<ScalarScorer>(*this, vector, rows);
}

std::vector<float> ScalarCodes::Weights(const float* vector) const {
    std::vector<float> weights(coded());
    if (coded() == dim()) {
        for (size_t j = 0; j < dim(); j++) {
            weights[j] = CodeValue(vector[j] * step_[j]);
        }
        return weights;
    }
    for (size_t c = 0; c < coded(); c++) {
        weights[c] = CodeValue(vector[coded_[c]] * step_[coded_[c]]);
    }
    return weights;
}

void ScalarCodes::Prepare(Metric metric, const float* vector, ScalarQuery* query) const {
    query->packed.resize(kernels::CodeQueryBytes(bits(), coded()));
    query->query =
        kernels::PackCodeQuery(bits(), Weights(vector).data(), coded(), query->packed.data());
    query->slope = query->query.scale * (metric == Metric::kL2 ? -2.0f : -1.0f);
}

void ScalarCodes::Decode(const CodeRows& rows, size_t row, float* out) const {
    uint8_t codes[kernels::kCodeDimMax];
    kernels::UnpackCodes(bits(), rows.rows + row * row_bytes(), coded(), codes);
    std::copy(low_.begin(), low_.end(), out);
    for (size_t c = 0; c < coded(); c++) {
        const uint32_t j = coded_[c];
        out[j] = CodeValue(low_[j] + step_[j] * static_cast<float>(codes[c]));
    }
}

bool ScalarCodes::Restore(const CodeRows& rows, size_t row, double* out) const {
    std::vector<uint8_t> codes(coded());
    kernels::UnpackCodes(bits(), rows.rows + row * row_bytes(), coded(), codes.data());
    std::copy(low_.begin(), low_.end(), out);
    for (size_t c = 0; c < coded(); c++) {
        const uint32_t j = coded_[c];
        out[j] += static_cast<double>(step_[j]) * static_cast<double>(codes[c]);
    }
    return true;
}

std::unique_ptr<ScoreError> ScalarCodes::NewScoreError(const float* vector) const {
    ScalarQuery query;
    Prepare(metric(), vector, &query);
    const float largest_step = *std::max_element(step_.begin(), step_.end());
    auto error = std::make_unique<ScalarScoreError>(metric() == Metric::kL2, bits());
    for (size_t c = 0; c < coded(); c++) {
        const uint32_t j = coded_[c];
        const auto step = static_cast<double>(step_[j]);
        const double off =
            static_cast<double>(vector[j]) * step -
            static_cast<double>(query.query.scale) * static_cast<double>(query.packed[c]);
        const int halves = step_[j] > 0 ? std::ilogb(largest_step) - std::ilogb(step_[j]) : 0;
        error->Add(vector[j], low_[j], step, off, halves);
    }
    return error;
}

std::vector<float> ScalarCodes::MeanOfRows(const CodeRows& rows, size_t count, size_t most) const {
    const size_t stride = std::max<size_t>(1, count / most);
    std::vector<double> sums(dim(), 0.0);
    std::vector<float> mean(dim(), 0.0f);
    size_t taken = 0;
    for (size_t row = 0; row < count; row += stride, taken++) {
        Decode(rows, row, mean.data());
        for (size_t j = 0; j < dim(); j++) {
            sums[j] += static_cast<double>(mean[j]);
        }
    }
    for (size_t j = 0; j < dim() && taken > 0; j++) {
        mean[j] = CodeValue(static_cast<float>(sums[j] / static_cast<double>(taken)));
    }
    return mean;
}

Codes::LeftOut ScalarCodes::LeftOutOf(const float* vector) const {
    const double with_low = Dot(vector, low_.data(), dim());
    return {metric() == Metric::kL2 ? Dot(vector, vector, dim()) - 2 * with_low : -with_low, 1};
}

void ScalarCodes::WriteBody(ByteWriter* writer) const {
    WriteFloats(low_, writer);
    WriteFloats(step_, writer);
}

Result<std::unique_ptr<Codes>> ScalarCodes::ReadBody(ByteReader* reader, CodeChoice kind,
                                                     Metric metric, size_t dim) {
    std::unique_ptr<ScalarCodes> codes(new ScalarCodes(kind, metric, dim));
    if (!ReadFloats(reader, dim, &codes->low_) || !ReadFloats(reader, dim, &codes->step_)) {
        return Status::Error(Code::kCorrupt, "codes: cut short, or an end is not a number");
    }
    codes->FindCoded();
    return std::unique_ptr<Codes>(std::move(codes));
}

}  // namespace quern::dense
