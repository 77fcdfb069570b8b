#include "engine/dense/codes/narrow_codes.h"

#include <cmath>
#include <vector>

#include "engine/dense/codes/code_training.h"
#include "engine/kernels/distance.h"

namespace quern::dense {

namespace {

constexpr size_t kNarrowBlockRows = 64;
constexpr int kF16Exponent = 12;  // elements come to about 2^12
constexpr int kNarrowExponentMax = 100;
constexpr float kF16Max = 65504.0f;

class NarrowScorer final : public CodeScorer {
public:
    NarrowScorer(const NarrowCodes& codes, const float* vector, const CodeRows& rows)
        : CodeScorer(rows, codes.row_bytes()),
          element_(codes.element()),
          metric_(codes.metric() == Metric::kL2 ? Metric::kL2 : Metric::kIp),
          vector_(vector, vector + codes.dim()) {
        for (float& value : vector_) {
            value = CodeValue(value * codes.scale());
        }
        query_ = kernels::PrepareQuery(element_, metric_, vector_.data(), codes.dim());
    }

    void Score(const uint32_t* nodes, size_t count, float* distances) const override {
        constexpr size_t kAtOnce = 4;
        for (size_t i = 0; i < count; i += kAtOnce) {
            const size_t now = std::min(kAtOnce, count - i);
            for (size_t j = i + kAtOnce; j < std::min(count, i + 2 * kAtOnce); j++) {
                Fetch(nodes[j]);
            }
            kernels::DistancesPicked(element_, metric_, query_, rows_.rows, nodes + i, now, nullptr,
                                     distances + i);
        }
    }

private:
    Element element_;
    Metric metric_;
    std::vector<float> vector_;
    kernels::Query query_;
};

// What is multiplied is the query times a power of two, exactly unless that is out of reach; sums
// are those of stored vectors.
class NarrowScoreError final : public ScoreError {
public:
    // Of the scaled query: its length, and how far it is from what is multiplied.
    NarrowScoreError(const NarrowCodes& codes, double length, double off)
        : l2_(codes.metric() == Metric::kL2),
          scale_(static_cast<double>(codes.scale())),
          rounding_(2 * static_cast<double>(kernels::InnerProductError(codes.dim())) +
                    kCodeRounding),
          length_(length),
          off_(off) {}

    double Above(double t, double radius) const override {
        const double apart = radius * scale_;
        if (l2_) {
            return (apart + off_) * (apart + off_) * (1 + rounding_) - apart * apart;
        }
        return (off_ + (length_ + off_) * rounding_) * (t * length_ + apart);
    }

private:
    bool l2_;
    double scale_;
    double rounding_;
    double length_;
    double off_;
};

}  // namespace

Result<std::unique_ptr<Codes>> NarrowCodes::Train(CodeChoice kind, const VectorRows& rows) {
    std::unique_ptr<NarrowCodes> codes(new NarrowCodes(kind, rows.metric, rows.dim));
    const float largest = kind == CodeChoice::kF16 ? LargestOf(rows) : 0.0f;
    if (largest > 0) {
        const int exponent = kF16Exponent - std::ilogb(largest);
        codes->scale_ =
            std::ldexp(1.0f, std::clamp(exponent, -kNarrowExponentMax, kNarrowExponentMax));
    }
    return std::unique_ptr<Codes>(std::move(codes));
}

void NarrowCodes::Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                         float* /*norms*/) const {
    std::vector<float> values(std::min(count, kNarrowBlockRows) * dim());
    const float most = kind() == CodeChoice::kF16 ? kF16Max : kCodeValueMax;
    for (size_t done = 0; done < count; done += kNarrowBlockRows) {
        const size_t now = std::min(kNarrowBlockRows, count - done);
        DecodeRows(rows, first + done, now, values.data());
        for (size_t i = 0; i < now * dim(); i++) {
            values[i] = std::clamp(values[i] * scale_, -most, most);
        }
        static_cast<void>(kernels::FromF32(element(), values.data(), now, dim(),
                                           out + done * row_bytes(), nullptr));
    }
}

bool NarrowCodes::Valid(const CodeRows& rows, size_t count) const {
    return kernels::AllFinite(element(), rows.rows, count, dim(), nullptr);
}

std::unique_ptr<CodeScorer> NarrowCodes::NewScorer(const float* vector,
                                                   const CodeRows& rows) const {
    return std::make_unique<NarrowScorer>(*this, vector, rows);
}

bool NarrowCodes::Restore(const CodeRows& rows, size_t row, double* out) const {
    std::vector<float> values(dim());
    kernels::ToF32(element(), rows.rows + row * row_bytes(), 1, dim(), values.data());
    for (size_t j = 0; j < dim(); j++) {
        out[j] = static_cast<double>(values[j]) / static_cast<double>(scale_);
    }
    return true;
}

std::unique_ptr<ScoreError> NarrowCodes::NewScoreError(const float* vector) const {
    double off2 = 0;
    double length2 = 0;
    for (size_t j = 0; j < dim(); j++) {
        const double scaled = static_cast<double>(vector[j]) * static_cast<double>(scale_);
        const double off = scaled - static_cast<double>(CodeValue(vector[j] * scale_));
        off2 += off * off;
        length2 += scaled * scaled;
    }
    return std::make_unique<NarrowScoreError>(*this, std::sqrt(length2), std::sqrt(off2));
}

Codes::LeftOut NarrowCodes::LeftOutOf(const float* /*vector*/) const {
    return {0, 1 / (static_cast<double>(scale_) * static_cast<double>(scale_))};
}

void NarrowCodes::WriteBody(ByteWriter* writer) const {
    WriteFloats({scale_}, writer);
}

Result<std::unique_ptr<Codes>> NarrowCodes::ReadBody(ByteReader* reader, CodeChoice kind,
                                                     Metric metric, size_t dim) {
    std::unique_ptr<NarrowCodes> codes(new NarrowCodes(kind, metric, dim));
    std::vector<float> scale;
    if (!ReadFloats(reader, 1, &scale) || !(scale[0] > 0)) {
        return Status::Error(Code::kCorrupt, "codes: their scale is not a number");
    }
    codes->scale_ = scale[0];
    return std::unique_ptr<Codes>(std::move(codes));
}

}  // namespace quern::dense
