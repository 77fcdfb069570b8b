// Locally adaptive quantization: the mean of all vectors is taken off, then each vector is kept as
// numbers of 8 or 4 bits between its own least and largest element.
//
// Against ScalarCodes, whose ends belong to dimensions: a vector of small elements gets small
// steps, and nothing is cut off. Dimensions of unlike spread suit it less. Which of the two is the
// better depends on the data and is measured, not known.
//
// With x = mean + low + step * code the product with a query q is
//
//     <q, mean> + low * sum(q) + step * <q, code>
//
// where q is the query as it was rounded to bytes, in both terms: codes are far from zero on
// average, so what rounding did to the sum must not differ between them. Under L2 the query has the
// mean taken off as well.
//
// Source: Aguerrebere, Bhati, Hildebrand, Tepper, Willke: Similarity search in the blink of an eye
// with compressed indices, VLDB 2023.
//
// A row: low, step, under L2 the squared norm of low + step * code (f32 each), then the codes as in
// code_distance.h.
#pragma once

#include <vector>

#include "engine/dense/codes/codes.h"
#include "engine/kernels/code_distance.h"

namespace quern::dense {

class LvqCodes : public Codes {
public:
    static Result<std::unique_ptr<Codes>> Train(CodeChoice kind, const VectorRows& rows);
    static Result<std::unique_ptr<Codes>> ReadBody(ByteReader* reader, CodeChoice kind,
                                                   Metric metric, size_t dim);
    static kernels::CodeBits BitsOf(CodeChoice kind) {
        return kind == CodeChoice::kLvq8 ? kernels::CodeBits::k8 : kernels::CodeBits::k4;
    }
    // Of a row, before its codes.
    static size_t TermCount(Metric metric) { return metric == Metric::kL2 ? 3 : 2; }

    kernels::CodeBits bits() const { return BitsOf(kind()); }
    const std::vector<float>& mean() const { return mean_; }
    void Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                float* norms) const override;
    bool Valid(const CodeRows& rows, size_t count) const override;
    std::unique_ptr<CodeScorer> NewScorer(const float* vector, const CodeRows& rows) const override;
    bool Restore(const CodeRows& rows, size_t row, double* out) const override;
    std::unique_ptr<ScoreError> NewScoreError(const float* vector) const override;

private:
    LvqCodes(CodeChoice kind, Metric metric, size_t dim) : Codes(kind, metric, dim) {}
    void WriteBody(ByteWriter* writer) const override;
    LeftOut LeftOutOf(const float* vector) const override;

    std::vector<float> mean_;
};

}  // namespace quern::dense
