// Random sparse rows and queries for tests, and the exhaustive search that everything is compared
// with.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "engine/sparse/sparse_rows.h"
#include "engine/sparse/top_hits.h"

namespace sparse_sample {

using quern::sparse::SparseEntry;
using quern::sparse::SparseHit;
using quern::sparse::SparseRowList;
using quern::sparse::SparseRows;
using quern::sparse::SparseVector;

// What rows and queries look like.
struct Shape {
    uint32_t dimensions = 50;
    size_t entries_max = 12;  // of a vector; some have none
    int weights = 0;          // which kind: see RandomWeight
    double negative = 0;      // share of negative weights
    uint32_t spread = 1;      // dimensions are multiples of it
};

inline float RandomWeight(const Shape& shape, std::mt19937* random) {
    float weight = 1;
    switch (shape.weights) {
        case 0: weight = static_cast<float>((*random)() % 3 + 1); break;    // ties
        case 1: weight = static_cast<float>((*random)() % 300 + 1); break;  // whole numbers
        case 2: weight = std::uniform_real_distribution<float>(0.001f, 3.0f)(*random); break;
        case 3:
            weight = std::ldexp(1.0f + static_cast<float>((*random)() % 1000) / 1000.0f,
                                static_cast<int>((*random)() % 200) - 100);
            break;
        default: break;  // binary
    }
    return std::uniform_real_distribution<double>(0, 1)(*random) < shape.negative ? -weight
                                                                                  : weight;
}

inline SparseVector RandomVector(const Shape& shape, std::mt19937* random) {
    std::map<uint32_t, float> entries;
    const size_t count = (*random)() % (shape.entries_max + 1);
    for (size_t i = 0; i < count; i++) {
        // Low dimensions are frequent, as real ones are.
        const auto dimension = static_cast<uint32_t>(
            (*random)() % ((*random)() % shape.dimensions + 1) * shape.spread);
        entries[dimension] = RandomWeight(shape, random);
    }
    SparseVector vector;
    for (const auto& [dimension, weight] : entries) {
        vector.push_back({dimension, weight});
    }
    return vector;
}

inline SparseRowList RandomRows(const Shape& shape, size_t count, std::mt19937* random) {
    SparseRowList rows;
    for (size_t i = 0; i < count; i++) {
        rows.Append(RandomVector(shape, random));
    }
    return rows;
}

// In double precision, dimension by dimension, every row.
inline void SearchAll(const SparseRows& rows, const SparseVector& query, const uint64_t* allowed,
                      uint32_t source, std::vector<SparseHit>* hits) {
    for (uint32_t row = 0; row < rows.count; row++) {
        if (allowed != nullptr && (allowed[row / 64] >> (row % 64) & 1) == 0) {
            continue;
        }
        double score = 0;
        bool common = false;
        size_t q = 0;
        for (uint64_t i = rows.offsets[row]; i < rows.offsets[row + 1]; i++) {
            while (q < query.size() && query[q].dimension < rows.dimensions[i]) {
                q++;
            }
            if (q < query.size() && query[q].dimension == rows.dimensions[i]) {
                common = true;
                score +=
                    static_cast<double>(query[q].weight) * static_cast<double>(rows.weights[i]);
            }
        }
        if (common) {
            hits->push_back({score, source, row});
        }
    }
}

inline std::vector<SparseHit> BestOf(std::vector<SparseHit> hits, size_t k) {
    std::sort(hits.begin(), hits.end());
    hits.resize(std::min(k, hits.size()));
    return hits;
}

}  // namespace sparse_sample
