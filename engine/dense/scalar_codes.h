// Scalar quantization: each dimension of a vector as an unsigned number of 8 or 4 bits between a
// low and a high end that are trained per dimension. What a graph walks on: a fourth or an eighth
// of the memory, and integer products instead of f32 ones. Results are measured again with the
// stored vectors, so a code only has to order neighbours well.
//
// With x ~ low + step * code, a product with the query q is <q, low> + sum (q * step) * code: the
// query takes the steps into itself, and the rows need no conversion. L2 adds the squared norm of
// the decoded row, kept beside the codes. Cosine quantizes rows of length one.
//
// (Per-dimension quantization with clipped tails as in FAISS's scalar quantizer; the query in
// signed bytes is what VNNI instructions want.)
//
// Thread rule: immutable after Train / Decode; Encode and Prepare may run on many threads.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/dense/vector_rows.h"
#include "engine/kernels/code_distance.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

// One query made ready for one set of codes. Distances come out as offset + slope * dot, plus the
// row's squared norm under L2; what is the same for all rows is left out, so they order rows but
// are not distances.
struct ScalarQuery {
    kernels::CodeQuery query;
    float slope = 0;
    std::vector<int8_t> packed;
    std::vector<float> weights;
};

class ScalarCodes {
public:
    ScalarCodes() = default;
    // Learns the ends of each dimension from up to kTrainRows rows spread over all. Not for bits.
    static ScalarCodes Train(const VectorRows& rows, kernels::CodeBits bits);

    kernels::CodeBits bits() const { return bits_; }
    size_t dim() const { return low_.size(); }
    size_t row_bytes() const { return kernels::CodeRowBytes(bits_, dim()); }
    // Codes of rows first .. first + count to out (count * row_bytes()) and, under L2, squared
    // norms of the decoded rows.
    void Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                float* squared_norms) const;
    // vector: dim f32; under cosine of any length.
    void Prepare(Metric metric, const float* vector, ScalarQuery* query) const;

    // Makes distances of what a prepared query has measured: adds what was left out.
    void ToDistances(Metric metric, const float* vector, std::vector<float>* measured) const;

    void Write(ByteWriter* writer) const;
    // kCorrupt when the bytes are no codes of that dimension.
    static Result<ScalarCodes> Read(ByteReader* reader, size_t dim);

private:
    kernels::CodeBits bits_ = kernels::CodeBits::k8;
    std::vector<float> low_;
    std::vector<float> step_;
};

}  // namespace quern::dense
