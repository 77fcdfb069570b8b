// The links of a navigable graph (HNSW, Malkov and Yashunin 2018): who is near whom, without any
// vectors.
//
//   base level       every node has `degree` places for neighbours, 32 bits each; free ones are
//                    kNoNode and stand at the end
//   upper levels     few nodes, numbered by themselves ("upper number"); links between them are
//                    upper numbers, so a walk downwards needs no look-up
//
//   upper words:     for each upper node: node, level, then level * upper_degree links (level 1
//                    first)
//
// Some vectors are in no list: zero vectors under any metric (they are near everything and would
// wreck the graph), and repeats of a vector that is in the graph already (their links would go
// around among themselves). Those stay nodes without links.
//
// Thread rule: immutable once built or decoded.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/buffer.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

inline constexpr uint32_t kNoNode = UINT32_MAX;
inline constexpr uint32_t kDegreeMax = 256;  // bounds the memory of a walk
inline constexpr uint32_t kLevelMax = 24;    // HNSW draws levels by ln(n) / ln(M)

struct GraphLinks {
    uint32_t count = 0;              // nodes, with links or without
    uint32_t degree = 0;             // of the base level
    uint32_t upper_degree = 0;       // of the others
    uint32_t entry = kNoNode;        // node where a walk starts; kNoNode: nothing is linked
    uint32_t upper_entry = kNoNode;  // its upper number, if it has one
    Buffer base;                     // count * degree node numbers

    std::vector<uint32_t> upper_words;
    std::vector<uint32_t> upper_offsets;  // of each upper node in upper_words

    const uint32_t* Neighbours(uint32_t node) const {
        return reinterpret_cast<const uint32_t*>(base.data()) + static_cast<size_t>(node) * degree;
    }
    uint32_t UpperNode(uint32_t upper) const { return upper_words[upper_offsets[upper]]; }
    uint32_t UpperLevel(uint32_t upper) const { return upper_words[upper_offsets[upper] + 1]; }
    // Upper numbers, kNoNode at the end; level >= 1 and at most that of the node.
    const uint32_t* UpperNeighbours(uint32_t upper, uint32_t level) const {
        return upper_words.data() + upper_offsets[upper] + 2 +
               static_cast<size_t>(level - 1) * upper_degree;
    }

    // Fills upper_offsets from upper_words and proves everything: numbers in range, lists that end
    // once, levels that exist. kCorrupt says what is wrong. Nothing that passes can make a walk
    // leave the arrays.
    Status Validate();
    // Which nodes the base links lead to from the entry.
    std::vector<bool> Reachable() const;
};

}  // namespace quern::dense
