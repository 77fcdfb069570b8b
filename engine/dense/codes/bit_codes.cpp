#include "engine/dense/codes/bit_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "engine/dense/codes/code_training.h"
#include "engine/kernels/bit_sums.h"
#include "engine/kernels/rotation.h"

namespace quern::dense {

namespace {

constexpr uint64_t kRotationSeed = 0x5851F42D4C957F2D;

// The numbers before the bits of a row.
struct BitTerms {
    float factor = 0;  // g
    float error = 0;   // e
    float own = 0;     // n^2 or <r, c>
};
static_assert(sizeof(BitTerms) == BitCodes::kTermsBytes);

float Bounded(double value) {
    return static_cast<float>(std::clamp(value, -double{kCodeValueMax}, double{kCodeValueMax}));
}

class BitScorer final : public CodeScorer {
public:
    BitScorer(const BitCodes& codes, const float* vector, const CodeRows& rows)
        : CodeScorer(rows, codes.row_bytes()), l2_(codes.metric() == Metric::kL2) {
        const size_t dim = codes.dim();
        const size_t rotated = BitCodes::RotatedDim(dim);
        std::vector<float> query(rotated, 0.0f);
        std::copy(vector, vector + dim, query.begin());
        if (codes.metric() == Metric::kCosine) {
            const double length = std::sqrt(Dot(vector, vector, dim));
            for (size_t j = 0; j < dim && length > 0; j++) {
                query[j] = static_cast<float>(static_cast<double>(query[j]) / length);
            }
        }
        const std::vector<float>& centre = codes.centre();
        const double with_centre = Dot(query.data(), centre.data(), dim);
        const double of_centre = Dot(centre.data(), centre.data(), dim);
        const double along = with_centre / of_centre;
        if (!l2_) {
            share_ = std::isfinite(along) ? static_cast<float>(along) : 0.0f;
        }
        for (size_t j = 0; j < dim; j++) {
            query[j] = CodeValue(query[j] - share_ * centre[j]);
        }
        const double squares = Dot(query.data(), query.data(), dim);
        offset_ = l2_                                 ? squares
                  : codes.metric() == Metric::kCosine ? 1 - with_centre
                                                      : -with_centre;
        kernels::Rotate(reinterpret_cast<const uint8_t*>(codes.signs().data()), rotated,
                        query.data());
        for (float& value : query) {
            value = std::isfinite(value) ? CodeValue(value) : 0.0f;
        }
        packed_.resize(kernels::BitQueryBytes(rotated));
        query_ = kernels::PackBitQuery(query.data(), rotated, packed_.data());
        query_.nibbles.stride = row_bytes_;
        half_sum_ = static_cast<float>(query_.sum) / 2;
        // Rounding to multiples of 2 scale adds its own error, of variance scale^2 / 3 a dimension
        // times (g |y|)^2 = (n / rho)^2; rho^2 is 2 / pi but for a little.
        constexpr double kRestOfRho = 1 - 2 / 3.14159265358979;
        const double rounding = static_cast<double>(query_.scale) *
                                static_cast<double>(query_.scale) / 3 *
                                static_cast<double>(rotated - 1) / kRestOfRho;
        error_factor_ = BitCodes::kBoundErrors * std::sqrt(squares + rounding) * (l2_ ? 2 : 1);
    }

    void Score(const uint32_t* nodes, size_t count, float* distances) const override {
        int32_t sums[kScoredMax];
        kernels::BitSumsPicked(query_, rows_.rows + BitCodes::kTermsBytes, nodes, count, sums);
        for (size_t i = 0; i < count; i++) {
            const BitTerms terms = TermsOf(nodes[i]);
            const float product =
                terms.factor * query_.scale * (static_cast<float>(sums[i]) - half_sum_);
            distances[i] = l2_ ? terms.own - 2 * product : -share_ * terms.own - product;
        }
    }

    bool Estimate(const uint32_t* nodes, size_t count, const float* scores, float* distances,
                  float* errors) const override {
        for (size_t i = 0; i < count; i++) {
            const double distance = offset_ + static_cast<double>(scores[i]);
            const double error = static_cast<double>(TermsOf(nodes[i]).error) * error_factor_;
            // Where something overflowed, anything may be.
            const bool known = std::isfinite(distance) && std::isfinite(error);
            distances[i] = known ? Bounded(distance) : 0.0f;
            errors[i] = known ? Bounded(error) : std::numeric_limits<float>::infinity();
        }
        return true;
    }

private:
    BitTerms TermsOf(uint32_t node) const {
        BitTerms terms;
        std::memcpy(&terms, rows_.rows + node * row_bytes_, sizeof terms);
        return terms;
    }

    bool l2_;
    float share_ = 1;  // of the centre that is taken off the query
    std::vector<uint8_t> packed_;
    kernels::BitQuery query_;
    float half_sum_ = 0;
    double offset_ = 0;        // a distance of the metric is this plus a score
    double error_factor_ = 0;  // by how much it may be wrong, per e
};

}  // namespace

Result<std::unique_ptr<Codes>> BitCodes::Train(const VectorRows& rows) {
    std::unique_ptr<BitCodes> codes(new BitCodes(rows.metric, rows.dim));
    codes->centre_ = MeanOf(rows);
    std::mt19937_64 random(kRotationSeed);
    codes->signs_.resize(kernels::RotationSignBytes(RotatedDim(rows.dim)));
    for (char& byte : codes->signs_) {
        byte = static_cast<char>(random() >> 56);
    }
    return std::unique_ptr<Codes>(std::move(codes));
}

void BitCodes::Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                      float* /*norms*/) const {
    const size_t rotated = RotatedDim(dim());
    std::vector<float> rest(rotated);
    for (size_t i = 0; i < count; i++) {
        DecodeRows(rows, first + i, 1, rest.data());
        std::fill(rest.begin() + static_cast<ptrdiff_t>(dim()), rest.end(), 0.0f);
        for (size_t j = 0; j < dim(); j++) {
            rest[j] = CodeValue(rest[j] - centre_[j]);
        }
        const double squares = Dot(rest.data(), rest.data(), dim());
        BitTerms terms;
        terms.own =
            Bounded(metric() == Metric::kL2 ? squares : Dot(rest.data(), centre_.data(), dim()));
        kernels::Rotate(reinterpret_cast<const uint8_t*>(signs_.data()), rotated, rest.data());
        uint8_t* row = out + i * row_bytes();
        uint8_t* bits = row + kTermsBytes;
        std::memset(bits, 0, rotated / 8);
        double absolute = 0;
        for (size_t j = 0; j < rotated; j++) {
            absolute += std::fabs(static_cast<double>(rest[j]));
            if (rest[j] > 0) {
                bits[j / 8] = static_cast<uint8_t>(bits[j / 8] | 1u << (j % 8));
            }
        }
        if (absolute > 0 && std::isfinite(absolute) && squares > 0) {
            // <r, y> is half of the sum of absolute values, |y| half of the root of D.
            const double rho = std::min(1.0, absolute / std::sqrt(squares * double(rotated)));
            terms.factor = Bounded(2 * squares / absolute);
            terms.error = Bounded(std::sqrt(squares * (1 - rho * rho) / (rho * rho) /
                                            static_cast<double>(rotated - 1)));
        }
        std::memcpy(row, &terms, sizeof terms);
    }
}

bool BitCodes::Valid(const CodeRows& rows, size_t count) const {
    for (size_t i = 0; i < count; i++) {
        BitTerms terms;
        std::memcpy(&terms, rows.rows + i * row_bytes(), sizeof terms);
        if (!std::isfinite(terms.factor) || !std::isfinite(terms.error) ||
            !std::isfinite(terms.own) || terms.error < 0) {
            return false;
        }
    }
    return true;
}

std::unique_ptr<CodeScorer> BitCodes::NewScorer(const float* vector, const CodeRows& rows) const {
    return std::make_unique<BitScorer>(*this, vector, rows);
}

Codes::LeftOut BitCodes::LeftOutOf(const float* vector) const {
    const double with_centre = Dot(vector, centre_.data(), dim());
    const double own = Dot(vector, vector, dim());
    switch (metric()) {
        case Metric::kL2:
            return {own - 2 * with_centre + Dot(centre_.data(), centre_.data(), dim()), 1};
        case Metric::kCosine: return {-with_centre, std::sqrt(own)};  // scores of a unit query
        default: return {-with_centre, 1};
    }
}

void BitCodes::WriteBody(ByteWriter* writer) const {
    WriteFloats(centre_, writer);
    writer->Raw(signs_.data(), signs_.size());
}

Result<std::unique_ptr<Codes>> BitCodes::ReadBody(ByteReader* reader, Metric metric, size_t dim) {
    std::unique_ptr<BitCodes> codes(new BitCodes(metric, dim));
    const bool centre = ReadFloats(reader, dim, &codes->centre_);
    const BytesView signs = reader->Take(kernels::RotationSignBytes(RotatedDim(dim)));
    if (!centre || !reader->ok()) {
        return Status::Error(Code::kCorrupt, "codes: centre or rotation is damaged");
    }
    codes->signs_ = Bytes(signs);
    return std::unique_ptr<Codes>(std::move(codes));
}

}  // namespace quern::dense
