// Scalar quantization: each dimension of a vector as an unsigned number of 8 or 4 bits between a
// low and a high end that are trained per dimension.
//
// With x ~ low + step * code, a product with the query q is <q, low> + sum (q * step) * code: the
// query takes the steps into itself, and the rows need no conversion. L2 adds the squared norm of
// the decoded row, kept beside the codes. Cosine quantizes rows of length one.
//
// A dimension whose two ends are the same has no codes at all: every row would hold zeros there.
// Images have many of these (a third of mnist784 at 4 bits), and a shorter row is quicker.
//
// (Per-dimension quantization with clipped tails as in FAISS's scalar quantizer; the query in
// signed bytes is what VNNI instructions want.)
#pragma once

#include <vector>

#include "engine/dense/codes/codes.h"
#include "engine/kernels/code_distance.h"

namespace quern::dense {

// A query ready to be multiplied with codes, for those who score whole blocks of rows themselves.
struct ScalarQuery {
    std::vector<int8_t> packed;
    kernels::CodeQuery query;
    float slope = 0;  // of a score over the products
};

class ScalarCodes : public Codes {
public:
    static Result<std::unique_ptr<Codes>> Train(CodeChoice kind, const VectorRows& rows);
    static Result<std::unique_ptr<Codes>> ReadBody(ByteReader* reader, CodeChoice kind,
                                                   Metric metric, size_t dim);

    kernels::CodeBits bits() const {
        return kind() == CodeChoice::k8Bit ? kernels::CodeBits::k8 : kernels::CodeBits::k4;
    }
    void Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                float* norms) const override;
    std::unique_ptr<CodeScorer> NewScorer(const float* vector, const CodeRows& rows) const override;
    bool Restore(const CodeRows& rows, size_t row, double* out) const override;
    std::unique_ptr<ScoreError> NewScoreError(const float* vector) const override;
    // The weight of each code of a row in a product with the query.
    std::vector<float> Weights(const float* vector) const;
    // Codes in a row: dimensions that have one.
    size_t coded() const { return coded_.size(); }
    // Which these are, ascending.
    const std::vector<uint32_t>& coded_dims() const { return coded_; }
    // Scores under a metric are slope * product, and under L2 the squared norm of the row more.
    void Prepare(Metric metric, const float* vector, ScalarQuery* query) const;

    // What a row's codes stand for: dim numbers.
    void Decode(const CodeRows& rows, size_t row, float* out) const;
    // Of rows spread over all, at most about `most`, as they are decoded.
    std::vector<float> MeanOfRows(const CodeRows& rows, size_t count, size_t most) const;

private:
    ScalarCodes(CodeChoice kind, Metric metric, size_t dim) : Codes(kind, metric, dim) {}
    // From the steps: who has a code.
    void FindCoded();
    void WriteBody(ByteWriter* writer) const override;
    LeftOut LeftOutOf(const float* vector) const override;

    std::vector<float> low_;
    std::vector<float> step_;
    std::vector<uint32_t> coded_;  // dimensions with a code, ascending; never empty
};

}  // namespace quern::dense
