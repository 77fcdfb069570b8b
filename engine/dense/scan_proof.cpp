#include "engine/dense/scan_proof.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "engine/dense/codes/code_training.h"
#include "engine/kernels/distance.h"

namespace quern::dense {

namespace {

constexpr size_t kBlocksPerLook = 16;

}  // namespace

ScanProof::ScanProof(const GraphIndex& index, const void* vector)
    : index_(index),
      errors_(index.errors()),
      query_(index.metric(), vector, index.coded()->dim()),
      scaled_(SafeQuery(index.metric(), vector, index.coded()->dim(), SafeQuery::Products::kScaled)
                  .back() != 1),
      bound_(*index.coded(), query_.values(), index.longest()),
      scorer_(index.coded()->NewScorer(query_.values(), index.Rows())) {
    Within(0);
}

bool ScanProof::possible() const {
    return std::isfinite(Highest(errors_.common()));
}

void ScanProof::Within(float distance) {
    distance_ = distance;
    highest_.fill(std::numeric_limits<float>::quiet_NaN());
}

void ScanProof::Keep(std::vector<kernels::Hit>* nodes) const {
    std::erase_if(
        *nodes, [&](const kernels::Hit& hit) { return !MayBeWithin(hit.position, hit.distance); });
    std::sort(nodes->begin(), nodes->end());
}

void ScanProof::Pick(const std::vector<uint32_t>& nodes, std::vector<kernels::Hit>* picked) const {
    float scores[kScoredMax];
    for (size_t first = 0; first < nodes.size(); first += kScoredMax) {
        const size_t count = std::min(kScoredMax, nodes.size() - first);
        scorer_->Score(nodes.data() + first, count, scores);
        for (size_t i = 0; i < count; i++) {
            if (MayBeWithin(nodes[first + i], scores[i])) {
                picked->push_back({scores[i], nodes[first + i]});
            }
        }
    }
}

Status ScanProof::Find(const uint64_t* wanted, size_t most, std::vector<kernels::Hit>* found,
                       bool* complete, uint64_t* scored, Work* work) const {
    *complete = true;
    std::vector<uint32_t> nodes;
    const size_t words = (index_.count() + 63) / 64;
    size_t looks = 0;
    for (size_t at = 0; at < words; at++) {
        for (uint64_t word = wanted[at]; word != 0; word &= word - 1) {
            nodes.push_back(
                static_cast<uint32_t>(at * 64 + static_cast<size_t>(std::countr_zero(word))));
        }
        if (nodes.size() + 64 <= kScoredMax && at + 1 < words) {
            continue;
        }
        Pick(nodes, found);
        *scored += nodes.size();
        nodes.clear();
        if (found->size() > most) {
            *complete = false;
            return {};
        }
        if (++looks % kBlocksPerLook == 0) {
            QUERN_TRY(work->Check("search", 0, 0));
        }
    }
    return {};
}

bool ErrorsHold(const GraphIndex& index, const VectorRows& rows, size_t first) {
    constexpr double kSlack = 1e-3;
    constexpr double kUnitSlack = 1e-6;  // other levels of SIMD make other lengths
    const RowErrors& errors = index.errors();
    std::vector<float> values(rows.dim);
    std::vector<double> restored(rows.dim);
    for (size_t i = 0; i < rows.count; i++) {
        DecodeRows(rows, i, 1, values.data());
        index.coded()->Restore(index.Rows(), first + i, restored.data());
        double squares = 0;
        for (size_t j = 0; j < rows.dim; j++) {
            const double off = static_cast<double>(values[j]) - restored[j];
            squares += off * off;
        }
        const double most = errors.Of(errors.levels()[first + i]) * (1 + kSlack) +
                            (rows.metric == Metric::kCosine ? kUnitSlack : 0.0);
        if (!(std::sqrt(squares) <= most)) {
            return false;
        }
    }
    return true;
}

}  // namespace quern::dense
