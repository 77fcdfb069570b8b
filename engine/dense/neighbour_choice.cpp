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

void NeighbourChoice::DropNear(uint32_t chosen, size_t first, Progress* at,
                               std::vector<Candidate>* candidates) {
    std::vector<Candidate>& all = *candidates;
    if (first >= at->known) {
        return;
    }
    nodes_.clear();
    for (size_t i = first; i < at->known; i++) {
        nodes_.push_back(all[i].node);
    }
    between_.resize(nodes_.size());
    Measure(chosen, nodes_.data(), nodes_.size(), between_.data());
    size_t kept = first;
    for (size_t i = first; i < at->known; i++) {
        if (!(between_[i - first] < all[i].distance)) {
            all[kept++] = all[i];
        }
    }
    at->known = kept;
}

void NeighbourChoice::LookAtMore(size_t count, size_t fixed, Progress* at,
                                 std::vector<Candidate>* candidates) {
    std::vector<Candidate>& all = *candidates;
    const size_t first = at->known;
    for (size_t i = 0; i < count; i++) {
        all[at->known++] = all[at->rest++];
    }
    for (size_t i = 0; i < at->chosen; i++) {
        if (!all[i].settled) {
            DropNear(all[i].node, std::max(first, fixed), at, candidates);
        }
    }
}

void NeighbourChoice::Choose(size_t most, std::vector<Candidate>* candidates, size_t fixed) {
    constexpr size_t kAtOnce = 48;
    std::vector<Candidate>& all = *candidates;
    Progress at;
    while (at.chosen < most) {
        if (at.chosen == at.known) {
            const size_t left = all.size() - at.rest;
            if (left == 0) {
                break;
            }
            LookAtMore(std::min(left, std::max(kAtOnce, fixed)), fixed, &at, candidates);
            continue;
        }
        const Candidate next = all[at.chosen];
        if (at.chosen >= fixed && !next.settled && IsNearSettled(all, at.chosen)) {
            std::copy(all.begin() + static_cast<ptrdiff_t>(at.chosen) + 1,
                      all.begin() + static_cast<ptrdiff_t>(at.known),
                      all.begin() + static_cast<ptrdiff_t>(at.chosen));
            at.known--;
            continue;
        }
        at.chosen++;
        if (!next.settled && at.chosen < most) {
            DropNear(next.node, std::max(at.chosen, fixed), &at, candidates);
        }
    }
    all.resize(at.chosen);
}

}  // namespace quern::dense
