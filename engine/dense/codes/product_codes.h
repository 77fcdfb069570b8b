// Product codes: pairs of dimensions, each pair kept as the number of the nearest of 16 points,
// which FAISS's k-means found for that pair; 2 bits a dimension. A distance is a sum over pairs of
// a table's entries, the table made for the query: see nibble_tables.h.
//
// Pairs and 16 points rather than eight dimensions and 256 points, which takes half the memory:
// tables of 16 stay in registers, and training and tables cost a sixteenth.
//
// No bound of the error is known: what distances lack is found out by calibration.
//
// Source: Jegou, Douze, Schmid: Product quantization for nearest neighbor search, TPAMI 2011;
// tables in registers: Andre, Kermarrec, Le Scouarnec, VLDB 2015.
//
// A row: number of pair 2i in the lower half of byte i, of pair 2i + 1 in the upper; zeros up to a
// multiple of 8 bytes.
#pragma once

#include <vector>

#include "engine/dense/codes/codes.h"

namespace quern::dense {

class ProductCodes : public Codes {
public:
    static constexpr size_t kPoints = 16;
    static size_t Pairs(size_t dim) { return (dim + 1) / 2; }
    static size_t CodeBytes(size_t dim) { return ((Pairs(dim) + 1) / 2 + 7) / 8 * 8; }

    static Result<std::unique_ptr<Codes>> Train(const VectorRows& rows, int threads, Work* work);
    static Result<std::unique_ptr<Codes>> ReadBody(ByteReader* reader, Metric metric, size_t dim);

    void Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                float* norms) const override;
    std::unique_ptr<CodeScorer> NewScorer(const float* vector, const CodeRows& rows) const override;

    // First coordinates of the 16 points of a pair, then the second ones.
    const float* Points(size_t pair) const { return points_.data() + pair * 2 * kPoints; }

private:
    ProductCodes(Metric metric, size_t dim) : Codes(CodeChoice::kProduct, metric, dim) {}
    void WriteBody(ByteWriter* writer) const override;
    LeftOut LeftOutOf(const float* vector) const override;

    std::vector<float> points_;
};

}  // namespace quern::dense
