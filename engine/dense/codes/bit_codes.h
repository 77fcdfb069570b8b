// One bit for each dimension, and for each vector the error that this makes (RaBitQ).
//
// A vector x less the centre c of all is rotated at random and only the signs u of its coordinates
// are kept. With y = u - 1/2, r the rotated rest and n its length, the product with a rotated
// vector t is estimated as
//
//     <r, t> ~ g <y, t>         g = n^2 / <r, y>
//
// which is right on average over rotations, with standard error e |t|, where
//
//     e = n sqrt((1 - rho^2) / rho^2) / sqrt(D - 1)        rho = <r, y> / (n |y|)
//
// t is the query less a share s of the centre, rounded to 4 bits a coordinate:
//
//     l2   |q - x|^2 = n^2 + |q - c|^2 - 2 <r, t>          s = 1
//     ip   <q, x> = <q, c> + s <r, c> + <r, t>             cosine: of vectors of length one
//
// For products s = <q, c> / <c, c>, which makes t as short as can be, and as long as the query is:
// with s = 1 a query much shorter than the records would drown in the error of the centre.
//
// The rotation is needed: without it the estimate is worse than comparing signs.
//
// Source: Gao, Long: RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for
// approximate nearest neighbor search, SIGMOD 2024.
//
// A row: g, e, then n^2 under L2 and <r, c> otherwise (f32 each), then the signs, a bit for each of
// D dimensions: dim rounded up to 64.
#pragma once

#include <string>
#include <vector>

#include "engine/dense/codes/codes.h"

namespace quern::dense {

class BitCodes : public Codes {
public:
    // Standard errors that an estimate is given: 94 in 100 true values are within, 97 in 100 above
    // its lower end. Not a guarantee.
    static constexpr double kBoundErrors = 1.9;
    static constexpr size_t kTermsBytes = 3 * sizeof(float);
    static size_t RotatedDim(size_t dim) { return (dim + 63) / 64 * 64; }

    static Result<std::unique_ptr<Codes>> Train(const VectorRows& rows);
    static Result<std::unique_ptr<Codes>> ReadBody(ByteReader* reader, Metric metric, size_t dim);

    void Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                float* norms) const override;
    bool Valid(const CodeRows& rows, size_t count) const override;
    std::unique_ptr<CodeScorer> NewScorer(const float* vector, const CodeRows& rows) const override;

    const std::vector<float>& centre() const { return centre_; }
    const std::string& signs() const { return signs_; }

private:
    BitCodes(Metric metric, size_t dim) : Codes(CodeChoice::k1Bit, metric, dim) {}
    void WriteBody(ByteWriter* writer) const override;
    LeftOut LeftOutOf(const float* vector) const override;

    std::vector<float> centre_;
    std::string signs_;  // of the rotation
};

}  // namespace quern::dense
