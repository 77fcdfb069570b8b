// Bits of all neighbours of a node beside each other, so that expanding a node is one pass over
// contiguous bytes instead of a visit to thirty rows. This is what codes=packed walks on.
//
// For a node c and a neighbour x, the signs u of the rotated difference d = x - c are kept. With
// y = u - 1/2, the product of d with anything is estimated as
//
//     <t, d> ~ g <y, t>         g = |d|^2 / <y, d>
//
// whose error grows with |d| |t|. So the product that is estimated is that with q - c, which is
// short where a walk spends its time:
//
//     l2           |q - x|^2 = |q - c|^2 + |d|^2 - 2 <q - c, d>
//     ip, cosine   -<q, x>   = -<q, c> - <c, d> - <q - c, d>
//
// The first term is known when the node is expanded: its own codes are measured then. What does not
// depend on the query is one number for each neighbour, so a score is
//
//     score(x) = score(c) + add(x) + factor(x) <y, q>
//
// (Under cosine rows have length one and a query has any, so add is scaled by the query's length.)
//
// Everything is made from 4-bit codes and links, when an index is loaded: nothing of it is in a
// file. It takes four bytes for each node and rotated dimension, and 256 more. Dimensions that have
// no code are the same in all rows, so no difference goes along them, and they are left out.
//
// Source: Gou, Gao, Xu, Long: SymphonyQG: towards symphonious integration of quantization and graph
// for approximate nearest neighbor search, SIGMOD 2025.
//
// Thread rule: immutable after Make.
#pragma once

#include <memory>
#include <vector>

#include "engine/dense/codes/scalar_codes.h"
#include "engine/dense/graph_links.h"
#include "engine/kernels/bit_blocks.h"
#include "storage/base/buffer.h"
#include "storage/base/work.h"

namespace quern::dense {

class NeighbourBlocks {
public:
    // A query as the blocks want it. Kept from one query to the next, it needs no memory anew.
    struct Query {
        std::vector<float> rotated;
        std::vector<uint8_t> tables;
        kernels::BitBlockQuery bits;
        float length = 1;  // of the vector under cosine
    };

    // Bytes of the blocks of a graph, coded: dimensions that have a code. Making them takes less
    // than as much again.
    static uint64_t Bytes(size_t coded, size_t degree, uint64_t count);
    // links are proved, codes of kind kPacked. counter may be NULL.
    static Result<NeighbourBlocks> Make(const GraphLinks& links, const ScalarCodes& codes,
                                        const CodeRows& rows, int threads,
                                        std::shared_ptr<MemoryCounter> counter, Work* work);
    NeighbourBlocks() = default;
    bool empty() const { return blocks_.bytes() == 0; }
    uint64_t bytes() const { return blocks_.bytes(); }
    size_t groups() const { return groups_; }

    void Prepare(const float* vector, Query* query) const;
    // Scores of neighbours group * 32 and up of a node, whose own score is known, as a scorer of
    // the codes has them. A set bit i for each below `limit`; bits beyond the node's last neighbour
    // mean nothing.
    uint32_t Score(const Query& query, uint32_t node, size_t group, float node_score, float limit,
                   float* scores) const {
        const char* block = Block(node, group);
        kernels::BitBlockTerms terms;
        terms.add = reinterpret_cast<const float*>(block);
        terms.factor = terms.add + kernels::kBitBlockRows;
        terms.start = node_score;
        terms.add_scale = query.length;
        return kernels::ScoreBitBlock(query.bits,
                                      reinterpret_cast<const uint8_t*>(block) + kTermsBytes, terms,
                                      limit, scores);
    }
    // Asks for a node's block ahead of time: for its beginning, the rest follows by itself.
    void Fetch(uint32_t node) const {
        const char* block = Block(node, 0);
        for (size_t at = 0; at < fetched_bytes_; at += 64) {
            __builtin_prefetch(block + at);
        }
    }

private:
    static constexpr size_t kTermsBytes = 2 * kernels::kBitBlockRows * sizeof(float);
    static constexpr size_t kFetchedBytesMax = 4096;
    struct Rotated;

    // The values of the coded dimensions.
    std::vector<float> Gather(const float* vector) const;
    const char* Block(uint32_t node, size_t group) const {
        return blocks_.data() + (static_cast<size_t>(node) * groups_ + group) * block_bytes_;
    }
    void MakeNode(const GraphLinks& links, const Rotated& rotated, uint32_t node,
                  std::vector<uint8_t>* bits);

    Metric metric_ = Metric::kL2;
    size_t dim_ = 0;
    double usual_ = 1;             // length of a row
    std::vector<uint32_t> coded_;  // the dimensions that are rotated
    size_t rotated_dim_ = 0;
    size_t groups_ = 0;
    size_t block_bytes_ = 0;
    size_t fetched_bytes_ = 0;
    std::vector<uint8_t> signs_;  // of the rotation
    std::vector<float> centre_;   // of all rows; taken off before rotating; of coded dimensions
    Buffer blocks_;
};

}  // namespace quern::dense
