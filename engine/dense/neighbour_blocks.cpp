#include "engine/dense/neighbour_blocks.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <random>

#include "engine/dense/codes/code_training.h"
#include "engine/kernels/rotation.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr uint64_t kRotationSeed = 0x5851F42D4C957F2D;
constexpr size_t kCentreRows = 10000;
constexpr size_t kBlockNodesAtOnce = 256;

size_t RotatedDim(size_t dim) {
    return (dim + kernels::kRotationUnit - 1) / kernels::kRotationUnit * kernels::kRotationUnit;
}

size_t GroupsOf(size_t degree) {
    return (degree + kernels::kBitBlockRows - 1) / kernels::kBitBlockRows;
}

float Finite(float value) {
    return std::isfinite(value) ? CodeValue(value) : 0.0f;
}

// Of rows of this field; those of a cosine field have length one.
double UsualLength(const ScalarCodes& codes, const CodeRows& rows, size_t count) {
    if (codes.metric() != Metric::kIp) {
        return 1;
    }
    const size_t stride = count / kCentreRows + 1;
    std::vector<float> decoded(codes.dim());
    double squares = 0;
    size_t taken = 0;
    for (size_t node = 0; node < count; node += stride, taken++) {
        codes.Decode(rows, node, decoded.data());
        squares += Dot(decoded.data(), decoded.data(), decoded.size());
    }
    return taken > 0 && squares > 0 ? std::sqrt(squares / static_cast<double>(taken)) : 1;
}

// Runs body(first, end) for pieces of 0 to count on several threads.
template <typename Body>
Status InPieces(size_t count, int threads, Work* work, Body body) {
    std::atomic<size_t> next{0};
    return RunOnThreads(threads, [&](int) -> Status {
        while (true) {
            const size_t first = next.fetch_add(kBlockNodesAtOnce);
            if (first >= count) {
                return {};
            }
            body(first, std::min(count, first + kBlockNodesAtOnce));
            QUERN_TRY(work->Check("pack", first, count));
        }
    });
}

}  // namespace

// All rows as their codes have them, less the centre, rotated; and the centre itself.
struct NeighbourBlocks::Rotated {
    size_t dim = 0;
    Buffer values;
    std::vector<float> centre;
    const float* Row(size_t node) const {
        return reinterpret_cast<const float*>(values.data()) + node * dim;
    }
};

uint64_t NeighbourBlocks::Bytes(size_t coded, size_t degree, uint64_t count) {
    return count * GroupsOf(degree) * (kTermsBytes + kernels::BitBlockBytes(RotatedDim(coded)));
}

Result<NeighbourBlocks> NeighbourBlocks::Make(const GraphLinks& links, const ScalarCodes& codes,
                                              const CodeRows& rows, int threads,
                                              std::shared_ptr<MemoryCounter> counter, Work* work) {
    NeighbourBlocks made;
    made.metric_ = codes.metric();
    made.dim_ = codes.dim();
    made.coded_ = codes.coded_dims();
    made.rotated_dim_ = RotatedDim(codes.coded());
    made.groups_ = GroupsOf(links.degree);
    made.block_bytes_ = kTermsBytes + kernels::BitBlockBytes(made.rotated_dim_);
    made.fetched_bytes_ = std::min(made.block_bytes_, kFetchedBytesMax);
    std::mt19937_64 random(kRotationSeed);
    made.signs_.resize(kernels::RotationSignBytes(made.rotated_dim_));
    for (uint8_t& byte : made.signs_) {
        byte = static_cast<uint8_t>(random() >> 56);
    }
    made.centre_ = made.Gather(codes.MeanOfRows(rows, links.count, kCentreRows).data());
    made.usual_ = UsualLength(codes, rows, links.count);
    Rotated rotated;
    rotated.dim = made.rotated_dim_;
    rotated.centre.assign(made.rotated_dim_, 0.0f);
    std::copy(made.centre_.begin(), made.centre_.end(), rotated.centre.begin());
    kernels::Rotate(made.signs_.data(), made.rotated_dim_, rotated.centre.data());
    rotated.values = Buffer(links.count * made.rotated_dim_ * sizeof(float), counter);
    QUERN_TRY(InPieces(links.count, threads, work, [&](size_t first, size_t end) {
        std::vector<float> decoded(codes.dim());
        for (size_t node = first; node < end; node++) {
            float* row = reinterpret_cast<float*>(rotated.values.data()) + node * rotated.dim;
            codes.Decode(rows, node, decoded.data());
            for (size_t j = 0; j < made.coded_.size(); j++) {
                row[j] = CodeValue(decoded[made.coded_[j]] - made.centre_[j]);
            }
            std::fill(row + made.coded_.size(), row + rotated.dim, 0.0f);
            kernels::Rotate(made.signs_.data(), rotated.dim, row);
        }
    }));
    made.blocks_ = Buffer(Bytes(codes.coded(), links.degree, links.count), counter);
    QUERN_TRY(InPieces(links.count, threads, work, [&](size_t first, size_t end) {
        std::vector<uint8_t> bits;
        for (size_t node = first; node < end; node++) {
            made.MakeNode(links, rotated, static_cast<uint32_t>(node), &bits);
        }
    }));
    return made;
}

void NeighbourBlocks::MakeNode(const GraphLinks& links, const Rotated& rotated, uint32_t node,
                               std::vector<uint8_t>* bits) {
    const size_t row_bytes = rotated_dim_ / 8;
    std::vector<float> uncentred(rotated.Row(node), rotated.Row(node) + rotated_dim_);
    for (size_t j = 0; j < rotated_dim_; j++) {
        uncentred[j] += rotated.centre[j];
    }
    for (size_t group = 0; group < groups_; group++) {
        char* block = blocks_.data() + (size_t{node} * groups_ + group) * block_bytes_;
        float add[kernels::kBitBlockRows] = {};
        float factor[kernels::kBitBlockRows] = {};
        bits->assign(kernels::kBitBlockRows * row_bytes, 0);
        for (size_t i = 0; i < kernels::kBitBlockRows; i++) {
            const size_t link = group * kernels::kBitBlockRows + i;
            if (link >= links.degree || links.Neighbour(node, link) == kNoNode) {
                break;
            }
            const kernels::DifferenceSums sums = kernels::SignsOfDifference(
                rotated.Row(links.Neighbour(node, link)), rotated.Row(node), uncentred.data(),
                rotated_dim_, bits->data() + i * row_bytes);
            const float g = sums.absolute > 0 ? 2 * sums.squares / sums.absolute : 0.0f;
            const bool l2 = metric_ == Metric::kL2;
            factor[i] = Finite(l2 ? -2 * g : -g);
            add[i] =
                Finite(l2 ? sums.squares + g * sums.along : g * sums.along / 2 - sums.with_base);
        }
        std::memcpy(block, add, sizeof add);
        std::memcpy(block + sizeof add, factor, sizeof factor);
        kernels::PackBitBlock(bits->data(), rotated_dim_,
                              reinterpret_cast<uint8_t*>(block) + kTermsBytes);
    }
}

std::vector<float> NeighbourBlocks::Gather(const float* vector) const {
    std::vector<float> values;
    for (const uint32_t j : coded_) {
        values.push_back(vector[j]);
    }
    return values;
}

void NeighbourBlocks::Prepare(const float* vector, Query* query) const {
    query->rotated.resize(rotated_dim_);
    float* values = query->rotated.data();
    // Estimates are made as if the query were as long as the rows: what is far from a row beside
    // its neighbours would drown in their error.
    query->length = metric_ == Metric::kL2
                        ? 1.0f
                        : Finite(static_cast<float>(std::sqrt(Dot(vector, vector, dim_)) / usual_));
    for (size_t j = 0; j < coded_.size(); j++) {
        values[j] = CodeValue(vector[coded_[j]] - query->length * centre_[j]);
    }
    std::fill(values + coded_.size(), values + rotated_dim_, 0.0f);
    kernels::Rotate(signs_.data(), rotated_dim_, values);
    for (size_t j = 0; j < rotated_dim_; j++) {
        values[j] = Finite(values[j]);
    }
    constexpr size_t kAlign = 64;
    query->tables.resize(kernels::BitBlockTableBytes(rotated_dim_) + kAlign);
    const size_t off = reinterpret_cast<uintptr_t>(query->tables.data()) % kAlign;
    query->bits =
        kernels::PackBitBlockQuery(values, rotated_dim_, query->tables.data() + (kAlign - off));
}

}  // namespace quern::dense
