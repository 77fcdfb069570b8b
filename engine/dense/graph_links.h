// The links of a navigable graph (HNSW, Malkov and Yashunin 2018): who is near whom, without any
// vectors.
//
//   base level       every node has `degree` places for neighbours; free ones have all bits set and
//                    stand at the end. A place takes 32 bits where a graph is built and in a file,
//                    24 where it was loaded and that is enough (Pack)
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
#include <cstring>
#include <memory>
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
    Buffer base;                     // count * degree places
    uint32_t place_bytes = 4;        // 4 or 3
    uint32_t place_mask = kNoNode;   // of the bits of a place; also what a free one holds

    std::vector<uint32_t> upper_words;
    std::vector<uint32_t> upper_offsets;  // of each upper node in upper_words

    // Only before Pack.
    const uint32_t* Neighbours(uint32_t node) const {
        return reinterpret_cast<const uint32_t*>(base.data()) + static_cast<size_t>(node) * degree;
    }
    template <typename Use>
    void ForNeighbours(uint32_t node, Use use) const {
        const char* place = Places(node);
        for (uint32_t i = 0; i < degree; i++, place += place_bytes) {
            uint32_t neighbour;
            std::memcpy(&neighbour, place, sizeof neighbour);
            neighbour &= place_mask;
            if (neighbour == place_mask) {
                return;
            }
            use(neighbour);
        }
    }
    // Place i of a node; kNoNode: free.
    uint32_t Neighbour(uint32_t node, size_t i) const {
        uint32_t neighbour;
        std::memcpy(&neighbour, Places(node) + i * place_bytes, sizeof neighbour);
        neighbour &= place_mask;
        return neighbour == place_mask ? kNoNode : neighbour;
    }
    // Asks for the first two cache lines of a node's places.
    void FetchNeighbours(uint32_t node) const {
        __builtin_prefetch(Places(node));
        __builtin_prefetch(Places(node) + 64);
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
    // After Validate: makes the places of the base level as small as the number of nodes allows,
    // where they are.
    void Pack();
    // Which nodes the base links lead to from the entry.
    std::vector<bool> Reachable() const;

private:
    const char* Places(uint32_t node) const {
        return base.data() + static_cast<size_t>(node) * degree * place_bytes;
    }
};

}  // namespace quern::dense
