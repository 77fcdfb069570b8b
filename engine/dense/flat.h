// Exact search: every vector is looked at. The floor that every index is measured against, and the
// answer that quern gives when no index pays.
//
// A single query streams through the rows at the speed of memory. Several queries go through each
// block of rows together, as a matrix product: that gives every distance within a known error, and
// the few rows that could enter a query's result within it are measured again by the single-query
// kernel. So a batch returns the same bits as its queries one by one.
//
// Threads: FlatScan objects are confined; one per worker.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"
#include "storage/base/status.h"
#include "storage/base/work.h"

namespace quern::dense {

// What to look for in one field: shared by all queries of a search.
struct FlatField {
    Element element = Element::kF32;
    Metric metric = Metric::kL2;
    size_t dim = 0;
    size_t row_bytes() const { return VectorBytes(element, dim); }
};

// One query and what it has found in one source of rows.
struct FlatQuery {
    kernels::Query query;
    double norm = 0;                                              // |query|; not for bits
    float max_distance = std::numeric_limits<float>::infinity();  // inclusive
    size_t limit = 10;                            // 0: everything within max_distance
    kernels::TopK top;                            // limit > 0
    std::vector<std::pair<float, uint32_t>> all;  // limit == 0: (distance, position)
    explicit FlatQuery(size_t k) : limit(k), top(k == 0 ? 1 : k) {}
    float Bound() const {
        return limit == 0 ? max_distance : std::min(top.Threshold(), max_distance);
    }
    void Push(float distance, uint32_t position) {
        if (limit == 0) {
            all.emplace_back(distance, position);
        } else {
            top.Push(distance, position);
        }
    }
};

// A run of rows. Positions are those of records: first + i, or records[i] when given.
struct FlatRows {
    const char* rows = nullptr;
    size_t count = 0;
    std::optional<Element> element;        // unless it is the field's
    const float* inverse_norms = nullptr;  // cosine
    const uint32_t* records = nullptr;     // positions, ascending; NULL: first + i
    uint32_t first = 0;
    const uint64_t* dead = nullptr;  // one bit per position; NULL: all are alive
    const char* Row(const FlatField& field, size_t i) const {
        return rows + i * VectorBytes(ElementOf(field), field.dim);
    }
    Element ElementOf(const FlatField& field) const { return element.value_or(field.element); }
};

class FlatScan {
public:
    FlatScan(const FlatField& field, FlatQuery* queries, size_t query_count);
    // Offers all rows to all queries. kInterrupted when work says so.
    Status Run(const FlatRows& rows, Work* work);

private:
    void RunSingle(const FlatRows& rows, size_t first, size_t count, FlatQuery* query);
    void RunBlock(const FlatRows& rows, size_t first, size_t count);
    // Rows of a block that are alive, if these are so few that they are measured one by one.
    bool PickAlive(const FlatRows& rows, size_t first, size_t count);
    void RunPicked(const FlatRows& rows, size_t first, FlatQuery* query);
    void Offer(const FlatRows& rows, size_t index, float distance, FlatQuery* query);

    FlatField field_;
    FlatQuery* queries_;
    size_t query_count_;
    bool use_products_ = false;
    std::vector<float> query_matrix_;  // f32, all queries
    std::vector<float> distances_;
    std::vector<uint32_t> picked_;
    std::vector<uint32_t> alive_;  // of a block of which few are
    std::vector<float> packed_;
    std::vector<float> products_;
    std::vector<float> squared_norms_;
    std::vector<float> exact_;
};

}  // namespace quern::dense
