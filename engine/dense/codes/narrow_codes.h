// Vectors in 16 bits an element, f16 or bf16: the most exact codes, half of f32.
//
// f16 reaches from 6e-8 to 65504 only, so its rows are multiplied by a power of two that puts the
// largest element of a sample near 4096; a power of two costs no precision. What is out of range
// all the same is cut off. Cosine takes rows of length one, so that a product is all there is to
// compute.
#pragma once

#include "engine/dense/codes/codes.h"

namespace quern::dense {

class NarrowCodes : public Codes {
public:
    static Result<std::unique_ptr<Codes>> Train(CodeChoice kind, const VectorRows& rows);
    static Result<std::unique_ptr<Codes>> ReadBody(ByteReader* reader, CodeChoice kind,
                                                   Metric metric, size_t dim);
    Element element() const { return kind() == CodeChoice::kF16 ? Element::kF16 : Element::kBF16; }
    void Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                float* norms) const override;
    bool Valid(const CodeRows& rows, size_t count) const override;
    std::unique_ptr<CodeScorer> NewScorer(const float* vector, const CodeRows& rows) const override;
    bool Restore(const CodeRows& rows, size_t row, double* out) const override;
    std::unique_ptr<ScoreError> NewScoreError(const float* vector) const override;
    float scale() const { return scale_; }

private:
    NarrowCodes(CodeChoice kind, Metric metric, size_t dim) : Codes(kind, metric, dim) {}
    void WriteBody(ByteWriter* writer) const override;
    LeftOut LeftOutOf(const float* vector) const override;

    float scale_ = 1;
};

}  // namespace quern::dense
