#include "engine/dense/neighbour_choice.h"

#include <algorithm>
#include <bit>

#include "engine/kernels/distance.h"

namespace quern::dense {

void NeighbourChoice::Sort(std::vector<Candidate>* candidates, size_t first) {
    // One number that ascends with the distance, then with the node; of no two nodes the same.
    const auto key = [](const Candidate& candidate) {
        const auto bits = std::bit_cast<int32_t>(candidate.distance);
        return (static_cast<int64_t>(bits < 0 ? bits ^ INT32_MAX : bits) << 32) | candidate.node;
    };
    std::sort(candidates->begin() + static_cast<ptrdiff_t>(first), candidates->end(),
              [&](const Candidate& a, const Candidate& b) { return key(a) < key(b); });
}

void NeighbourChoice::Measure(uint32_t from, const uint32_t* nodes, size_t count,
                              float* distances) {
    query_.Set(rows_, from);
    kernels::DistancesPicked(rows_.element, rows_.metric, query_.get(), rows_.rows, nodes, count,
                             rows_.inverse_norms, distances);
}

bool NeighbourChoice::IsNearSettled(const std::vector<Candidate>& all, size_t place) {
    nodes_.clear();
    for (size_t i = 0; i < place; i++) {
        if (all[i].settled) {
            nodes_.push_back(all[i].node);
        }
    }
    if (nodes_.empty()) {
        return false;
    }
    between_.resize(nodes_.size());
    Measure(all[place].node, nodes_.data(), nodes_.size(), between_.data());
    return std::any_of(between_.begin(), between_.end(),
                       [&](float distance) { return distance < all[place].distance; });
}

void NeighbourChoice::DropNear(uint32_t chosen, size_t first, std::vector<Candidate>* candidates) {
    std::vector<Candidate>& all = *candidates;
    nodes_.clear();
    for (size_t i = first; i < all.size(); i++) {
        nodes_.push_back(all[i].node);
    }
    between_.resize(nodes_.size());
    Measure(chosen, nodes_.data(), nodes_.size(), between_.data());
    size_t kept = first;
    for (size_t i = first; i < all.size(); i++) {
        if (!(between_[i - first] < all[i].distance)) {
            all[kept++] = all[i];
        }
    }
    all.resize(kept);
}

void NeighbourChoice::Choose(size_t most, std::vector<Candidate>* candidates, size_t fixed) {
    std::vector<Candidate>& all = *candidates;
    size_t chosen = 0;
    while (chosen < all.size() && chosen < most) {
        const Candidate next = all[chosen];
        if (chosen >= fixed && !next.settled && IsNearSettled(all, chosen)) {
            all.erase(all.begin() + static_cast<ptrdiff_t>(chosen));
            continue;
        }
        chosen++;
        if (!next.settled && chosen < most && std::max(chosen, fixed) < all.size()) {
            DropNear(next.node, std::max(chosen, fixed), candidates);
        }
    }
    all.resize(chosen);
}

}  // namespace quern::dense
