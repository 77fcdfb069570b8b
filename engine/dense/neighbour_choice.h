// Which of the nodes near a node become its neighbours: from the nearest on, each that is nearer to
// it than to any that was chosen before. So links go into all directions instead of to one crowd.
//
// Source: Malkov, Yashunin, TPAMI 2018, algorithm 4, without its last step.
//
// A node that is chosen is measured against those that are left as a block, which asks for as many
// distances as going through the candidates one by one; they are looked at a few dozen at a time,
// since the last ones are of no account once enough are chosen. Where a full list gets one more,
// most of it was chosen together before: only what came since is measured. On data that fills its
// lists (acl-anthology) that was most of all distances.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/dense/row_query.h"
#include "engine/dense/vector_rows.h"

namespace quern::dense {

// Thread rule: confined.
class NeighbourChoice {
public:
    explicit NeighbourChoice(const VectorRows& rows) : rows_(rows) {}

    struct Candidate {
        float distance;
        uint32_t node;
        // Of settled ones none is nearer to another than that is to the node: they were chosen
        // together before, and are not measured against each other again.
        bool settled = false;
    };
    // Those from number `first` on, the nearest first, whatever order they had and whatever the
    // distances are.
    static void Sort(std::vector<Candidate>* candidates, size_t first = 0);
    // candidates ascend by distance, of which the first `fixed` are chosen already: the chosen
    // ones, at most `most`, are left, in the same order.
    void Choose(size_t most, std::vector<Candidate>* candidates, size_t fixed = 0);
    // Distances of nodes from one.
    void Measure(uint32_t from, const uint32_t* nodes, size_t count, float* distances);

private:
    // Of candidates[0, chosen) all are chosen, [chosen, known) are measured against all of these,
    // and what is from `rest` on was not looked at yet; what is between is not there any more.
    struct Progress {
        size_t chosen = 0;
        size_t known = 0;
        size_t rest = 0;
    };
    void LookAtMore(size_t count, size_t fixed, Progress* at, std::vector<Candidate>* candidates);
    // Whether the candidate at a place is nearer to a settled one in front of it than to the node.
    bool IsNearSettled(const std::vector<Candidate>& all, size_t place);
    // Drops those from number `first` up to the end of what is known that are nearer to the chosen
    // one than to the node.
    void DropNear(uint32_t chosen, size_t first, Progress* at, std::vector<Candidate>* candidates);

    const VectorRows& rows_;
    RowQuery query_;
    std::vector<uint32_t> nodes_;
    std::vector<float> between_;
};

}  // namespace quern::dense
