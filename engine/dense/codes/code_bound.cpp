#include "engine/dense/codes/code_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/dense/codes/code_training.h"

namespace quern::dense {

namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();
// Beyond this squares might leave f32.
constexpr double kLengthMax = 1e17;
constexpr double kUnderflow = 1.2e-38;  // of a product, where f32 has no denormal numbers
constexpr double kDoubleRounding = 1e-12;

}  // namespace

CodeBound::CodeBound(const Codes& codes, const float* vector, double longest)
    : metric_(codes.metric()),
      score_error_(codes.NewScoreError(vector)),
      length_(std::sqrt(Dot(vector, vector, codes.dim()))),
      longest_(codes.metric() == Metric::kIp ? longest : 1.0),
      rounding_(4 * static_cast<double>(kernels::InnerProductError(codes.dim())) +
                2 * kCodeRounding),
      least_(static_cast<double>(codes.dim() + 1) * kUnderflow),
      left_out_(codes.LeftOutOf(vector)) {}

float CodeBound::HighestWithin(float distance, double error) const {
    if (score_error_ == nullptr) {
        return std::numeric_limits<float>::infinity();
    }
    const double highest = metric_ == Metric::kL2
                               ? HighestSquared(static_cast<double>(distance), error)
                               : HighestProduct(static_cast<double>(distance), error);
    if (!(std::abs(highest) < static_cast<double>(kCodeValueMax))) {
        return std::numeric_limits<float>::infinity();
    }
    return std::nextafter(static_cast<float>(highest), std::numeric_limits<float>::infinity());
}

// l2: distances are squared ones.
double CodeBound::HighestSquared(double distance, double error) const {
    const double far2 = std::max(0.0, distance) * (1 + rounding_) + least_;
    const double radius = std::sqrt(far2) + error;
    if (!(radius <= kLengthMax && length_ <= kLengthMax)) {
        return kNoBound;
    }
    // What the codes leave out has been added up of these, and of the length of the rows.
    const double sizes = std::abs(left_out_.add) + length_ * length_ + radius * radius;
    return (radius * radius - left_out_.add + sizes * kDoubleRounding) / left_out_.factor +
           score_error_->Above(1, radius) + least_;
}

// Inner product and cosine: a row u with |u| <= longest and <u, query> >= product.
double CodeBound::HighestProduct(double distance, double error) const {
    const bool cosine = metric_ == Metric::kCosine;
    if (!(length_ > 0 && length_ <= kLengthMax && longest_ <= kLengthMax)) {
        return kNoBound;
    }
    // Under cosine the row at length one is rounded before it is coded.
    const double off = error + (cosine ? rounding_ : 0.0);
    const double product = cosine ? (1 - distance - rounding_) * length_
                                  : -distance - rounding_ * length_ * longest_ - least_;
    // Of the multiples of the query that one which all such rows are nearest to.
    const double t = std::max(0.0, product) / (length_ * length_);
    const double apart2 = longest_ * longest_ - t * t * length_ * length_;
    const double radius = std::sqrt(std::max(0.0, apart2)) + longest_ * 1e-7 + off;
    const double sizes = std::abs(left_out_.add) + length_ * longest_;
    return (length_ * off - product - left_out_.add + sizes * kDoubleRounding) / left_out_.factor +
           score_error_->Above(t, radius) + least_;
}

}  // namespace quern::dense
