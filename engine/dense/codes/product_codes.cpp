#include "engine/dense/codes/product_codes.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "engine/dense/codes/code_training.h"
#include "engine/dense/codes/pair_means.h"
#include "engine/kernels/nibble_tables.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr size_t kTrainRows = 4096;  // 256 for each point
constexpr int kScaleExponentMax = 100;

// Of one pair: what each of the 16 points adds to a distance.
void PairDistances(const float* points, float x, float y, bool l2, float* out) {
    for (size_t c = 0; c < ProductCodes::kPoints; c++) {
        const float px = points[c];
        const float py = points[ProductCodes::kPoints + c];
        const float dx = x - px;
        const float dy = y - py;
        out[c] = CodeValue(l2 ? dx * dx + dy * dy : -(x * px + y * py));
    }
}

class ProductScorer final : public CodeScorer {
public:
    ProductScorer(const ProductCodes& codes, const float* vector, const CodeRows& rows)
        : CodeScorer(rows, codes.row_bytes()) {
        const size_t dim = codes.dim();
        const size_t pairs = ProductCodes::Pairs(dim);
        constexpr size_t kPoints = ProductCodes::kPoints;
        std::vector<float> distances(pairs * kPoints);
        float range = 0;
        for (size_t pair = 0; pair < pairs; pair++) {
            float* of_pair = distances.data() + pair * kPoints;
            PairDistances(codes.Points(pair), vector[2 * pair],
                          2 * pair + 1 < dim ? vector[2 * pair + 1] : 0.0f,
                          codes.metric() == Metric::kL2, of_pair);
            const auto [least, largest] = std::minmax_element(of_pair, of_pair + kPoints);
            const float low = *least;
            range = std::max(range, *largest - low);
            for (size_t c = 0; c < kPoints; c++) {
                of_pair[c] -= low;
            }
        }
        // One step for all tables, so that sums are sums of distances.
        scale_ = range / kernels::kNibbleEntryMax;
        const double steps = scale_ > 0 ? 1 / static_cast<double>(scale_) : 0;
        tables_.resize(kernels::NibbleTableBytes(row_bytes_), 0);
        for (size_t pair = 0; pair < pairs; pair++) {
            uint8_t* table = tables_.data() + kernels::NibbleTableAt(pair);
            for (size_t c = 0; c < kPoints; c++) {
                const double entry = static_cast<double>(distances[pair * kPoints + c]) * steps;
                table[c] =
                    static_cast<uint8_t>(std::min(entry + 0.5, double{kernels::kNibbleEntryMax}));
            }
        }
        query_ = {tables_.data(), row_bytes_, row_bytes_};
    }

    void Score(const uint32_t* nodes, size_t count, float* distances) const override {
        uint32_t sums[kScoredMax];
        kernels::NibbleSumsPicked(query_, rows_.rows, nodes, count, sums);
        for (size_t i = 0; i < count; i++) {
            distances[i] = scale_ * static_cast<float>(sums[i]);
        }
    }

private:
    std::vector<uint8_t> tables_;
    kernels::NibbleQuery query_;
    float scale_ = 0;
};

}  // namespace

Result<std::unique_ptr<Codes>> ProductCodes::Train(const VectorRows& rows, int threads,
                                                   Work* work) {
    std::unique_ptr<ProductCodes> codes(new ProductCodes(rows.metric, rows.dim));
    const size_t pairs = Pairs(rows.dim);
    codes->points_.assign(pairs * 2 * kPoints, 0.0f);
    const RowSample sample = RowSample::Of(rows, kTrainRows);
    if (sample.rows.empty()) {
        return std::unique_ptr<Codes>(std::move(codes));
    }
    // FAISS takes distances that overflow for a bug of its own, so it gets numbers up to one.
    const float largest = LargestOf(rows);
    const int exponent = largest > 0 ? -std::ilogb(largest) - 1 : 0;
    const float scale =
        std::ldexp(1.0f, std::clamp(exponent, -kScaleExponentMax, kScaleExponentMax));
    // As many points as there are clusters at the least: a few rows are used again.
    const size_t count = std::max(sample.rows.size(), kPoints);
    // A slice of the pairs at a time: memory stays small for 65536 dimensions.
    const size_t slice = std::max<size_t>(1, (size_t{4} << 20) / count);
    std::vector<float> row(rows.dim + 1, 0.0f);
    std::vector<float> points;
    for (size_t begin = 0; begin < pairs; begin += slice) {
        const size_t width = std::min(slice, pairs - begin);
        points.resize(width * count * 2);
        for (size_t i = 0; i < count; i++) {
            DecodeRows(rows, sample.rows[i % sample.rows.size()], 1, row.data());
            for (size_t j = 0; j < 2 * width; j++) {
                points[(j / 2 * count + i) * 2 + j % 2] =
                    std::clamp(row[2 * begin + j] * scale, -1.0f, 1.0f);
            }
        }
        std::atomic<size_t> next{0};
        QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
            float means[2 * kPoints];
            while (true) {
                const size_t pair = next.fetch_add(1);
                if (pair >= width) {
                    return {};
                }
                QUERN_TRY(PairMeans(points.data() + pair * count * 2, count, kPoints, means));
                float* to = codes->points_.data() + (begin + pair) * 2 * kPoints;
                for (size_t c = 0; c < kPoints; c++) {
                    to[c] = CodeValue(means[2 * c] / scale);
                    to[kPoints + c] = CodeValue(means[2 * c + 1] / scale);
                }
                QUERN_TRY(work->Check("train codes", begin + pair, pairs));
            }
        }));
    }
    return std::unique_ptr<Codes>(std::move(codes));
}

void ProductCodes::Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                          float* /*norms*/) const {
    std::vector<float> row(dim() + 1, 0.0f);
    float distances[kPoints];
    for (size_t i = 0; i < count; i++) {
        DecodeRows(rows, first + i, 1, row.data());
        uint8_t* to = out + i * row_bytes();
        std::memset(to, 0, row_bytes());
        for (size_t pair = 0; pair < Pairs(dim()); pair++) {
            PairDistances(Points(pair), row[2 * pair], row[2 * pair + 1], true, distances);
            const auto code =
                static_cast<unsigned>(std::min_element(distances, distances + kPoints) - distances);
            to[pair / 2] = static_cast<uint8_t>(to[pair / 2] | code << (pair % 2 * 4));
        }
    }
}

std::unique_ptr<CodeScorer> ProductCodes::NewScorer(const float* vector,
                                                    const CodeRows& rows) const {
    return std::make_unique<ProductScorer>(*this, vector, rows);
}

Codes::LeftOut ProductCodes::LeftOutOf(const float* vector) const {
    // The tables begin at the least distance of each pair.
    double lows = 0;
    float distances[kPoints];
    for (size_t pair = 0; pair < Pairs(dim()); pair++) {
        PairDistances(Points(pair), vector[2 * pair],
                      2 * pair + 1 < dim() ? vector[2 * pair + 1] : 0.0f, metric() == Metric::kL2,
                      distances);
        lows += static_cast<double>(*std::min_element(distances, distances + kPoints));
    }
    return {lows, 1};
}

void ProductCodes::WriteBody(ByteWriter* writer) const {
    WriteFloats(points_, writer);
}

Result<std::unique_ptr<Codes>> ProductCodes::ReadBody(ByteReader* reader, Metric metric,
                                                      size_t dim) {
    std::unique_ptr<ProductCodes> codes(new ProductCodes(metric, dim));
    if (!ReadFloats(reader, Pairs(dim) * 2 * kPoints, &codes->points_)) {
        return Status::Error(Code::kCorrupt, "codes: their points are cut short or no numbers");
    }
    return std::unique_ptr<Codes>(std::move(codes));
}

}  // namespace quern::dense
