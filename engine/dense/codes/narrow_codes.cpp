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
