// Sparse vectors: pairs of a dimension (any u32) and a weight, and rows of them in memory.
//
// Inside the engine a vector is in its normal form: dimensions ascending and distinct, weights
// finite and not zero. MakeSparseVector brings what a caller gives into that form or says what is
// wrong with it. Everything else may rely on the form.
//
// The score of a record for a query is the sum over their common dimensions, in ascending order,
// of the products of the weights, in double precision. A product of two f32 is exact in double, so
// this fixes every bit of a score, and no score can overflow. A record without a common dimension
// has no score and is never a result; one whose products cancel out has the score 0 and may be.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/status.h"

namespace quern::sparse {

struct SparseEntry {
    uint32_t dimension = 0;
    float weight = 0;
};
using SparseVector = std::vector<SparseEntry>;

// Beyond this a vector is refused. (A position in a row fits 16 bits.)
inline constexpr size_t kEntriesMax = 65535;

// What a field allows.
struct SparseLimits {
    uint64_t dimensions = uint64_t{1} << 32;  // every dimension is below
    size_t entries = kEntriesMax;             // of one vector
};

// weights == NULL: all are 1 (binary vectors). Any order; weights of zero are left out. Errors:
// kLimit (too many entries), kDimension, kNotFinite, kInvalid (a dimension twice).
Status MakeSparseVector(const uint32_t* dimensions, const float* weights, size_t count,
                        const SparseLimits& limits, SparseVector* out);

// The score of one record, as said above; weights NULL: all are 1. False when it has none.
bool ScoreVector(const SparseVector& query, const uint32_t* dimensions, const float* weights,
                 size_t count, double* score);

// Rows in normal form, borrowed: row i has the entries from offsets[i] up to offsets[i + 1].
struct SparseRows {
    const uint64_t* offsets = nullptr;  // count + 1
    const uint32_t* dimensions = nullptr;
    const float* weights = nullptr;
    size_t count = 0;
    uint64_t entries() const { return count == 0 ? 0 : offsets[count] - offsets[0]; }
};

// Rows that grow. Confined.
class SparseRowList {
public:
    void Append(const SparseVector& vector);
    size_t count() const { return offsets_.size() - 1; }
    SparseRows View() const {
        return {offsets_.data(), dimensions_.data(), weights_.data(), count()};
    }
    // The rows in another order: row i of the result is row order[i].
    SparseRowList Reordered(const std::vector<uint32_t>& order) const;

private:
    std::vector<uint64_t> offsets_{0};
    std::vector<uint32_t> dimensions_;
    std::vector<float> weights_;
};

// kInternal when a row is not in normal form: what an index checks before it relies on it.
Status CheckRows(const SparseRows& rows, int threads);

}  // namespace quern::sparse
