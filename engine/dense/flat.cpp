#include "engine/dense/flat.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern::dense {

namespace {

constexpr size_t kSingleRows =
    1024;                           // distances of one call: a few KiB that stay in the first cache
constexpr size_t kQueryBlock = 64;  // products of a block of rows: 64 x 256 x 4 bytes, second cache
// Packing a block of rows costs about as much as two queries' products.
constexpr size_t kProductQueriesMin = 4;

// A row that is picked costs about as much as two in a run; with products shared by many queries,
// as some more.
constexpr size_t kPickedShare = 2;
constexpr size_t kPickedShareOfProducts = 4;

size_t BlockRows(size_t dim) {
    // Packed rows should fit half of a common second-level cache.
    return std::clamp<size_t>((size_t{512} << 10) / (dim * sizeof(float)), 48, 1008) / 48 * 48;
}

}  // namespace

FlatScan::FlatScan(const FlatField& field, FlatQuery* queries, size_t query_count)
    : field_(field), queries_(queries), query_count_(query_count) {
    use_products_ = query_count >= kProductQueriesMin && field.element != Element::kBit;
    if (use_products_) {
        query_matrix_.resize(query_count * field.dim);
        for (size_t q = 0; q < query_count; q++) {
            std::memcpy(query_matrix_.data() + q * field.dim, queries[q].query.vector,
                        field.dim * sizeof(float));
        }
    }
}

Status FlatScan::Run(const FlatRows& rows, Work* work) {
    const size_t step = use_products_ ? BlockRows(field_.dim) : kSingleRows;
    size_t unchecked = 0;
    for (size_t first = 0; first < rows.count; first += step) {
        const size_t count = std::min(step, rows.count - first);
        if (rows.dead != nullptr && PickAlive(rows, first, count)) {
            for (size_t q = 0; q < query_count_; q++) {
                RunPicked(rows, first, &queries_[q]);
            }
            unchecked += alive_.size() * field_.dim * query_count_ + count;
        } else {
            for (size_t q = 0; q < query_count_ && !use_products_; q++) {
                RunSingle(rows, first, count, &queries_[q]);
            }
            if (use_products_) {
                RunBlock(rows, first, count);
            }
            unchecked += count * field_.dim * query_count_;
        }
        if (unchecked > (size_t{4} << 20)) {
            unchecked = 0;
            QUERN_TRY(work->Check("search", first + count, rows.count));
        }
    }
    return {};
}

void FlatScan::Offer(const FlatRows& rows, size_t index, float distance, FlatQuery* query) {
    const uint32_t position =
        rows.records ? rows.records[index] : rows.first + static_cast<uint32_t>(index);
    if (rows.dead == nullptr || (rows.dead[position / 64] >> (position % 64) & 1) == 0) {
        query->Push(distance, position);
    }
}

bool FlatScan::PickAlive(const FlatRows& rows, size_t first, size_t count) {
    const size_t most = count / (use_products_ ? kPickedShareOfProducts : kPickedShare);
    alive_.clear();
    for (size_t i = 0; i < count; i++) {
        const size_t index = first + i;
        const size_t position = rows.records ? rows.records[index] : rows.first + index;
        const uint64_t word = rows.dead[position / 64];
        if (rows.records == nullptr && position % 64 == 0 && word == ~uint64_t{0}) {
            i += 63;
            continue;
        }
        if ((word >> (position % 64) & 1) == 0) {
            if (alive_.size() == most) {
                alive_.clear();
                return false;
            }
            alive_.push_back(static_cast<uint32_t>(i));
        }
    }
    return true;
}

void FlatScan::RunPicked(const FlatRows& rows, size_t first, FlatQuery* query) {
    exact_.resize(std::max(exact_.size(), alive_.size()));
    const float* norms = rows.inverse_norms ? rows.inverse_norms + first : nullptr;
    kernels::DistancesPicked(rows.ElementOf(field_), field_.metric, query->query,
                             rows.Row(field_, first), alive_.data(), alive_.size(), norms,
                             exact_.data());
    for (size_t i = 0; i < alive_.size(); i++) {
        if (exact_[i] <= query->Bound()) {
            Offer(rows, first + alive_[i], exact_[i], query);
        }
    }
}

void FlatScan::RunSingle(const FlatRows& rows, size_t first, size_t count, FlatQuery* query) {
    distances_.resize(kSingleRows);
    picked_.resize(kSingleRows);
    const float* norms = rows.inverse_norms ? rows.inverse_norms + first : nullptr;
    kernels::Distances(rows.ElementOf(field_), field_.metric, query->query, rows.Row(field_, first),
                       count, norms, distances_.data());
    const size_t picked =
        kernels::SelectAtMost(distances_.data(), count, query->Bound(), picked_.data());
    for (size_t i = 0; i < picked; i++) {
        if (distances_[picked_[i]] <= query->Bound()) {
            Offer(rows, first + picked_[i], distances_[picked_[i]], query);
        }
    }
}

void FlatScan::RunBlock(const FlatRows& rows, size_t first, size_t count) {
    const char* data = rows.Row(field_, first);
    const Element element = rows.ElementOf(field_);
    const float* norms = rows.inverse_norms ? rows.inverse_norms + first : nullptr;
    packed_.resize(kernels::PackedRowsFloats(count, field_.dim));
    kernels::PackRows(element, data, count, field_.dim, packed_.data());
    squared_norms_.resize(count);
    kernels::SquaredNorms(element, data, count, field_.dim, squared_norms_.data());
    double largest = 0;
    for (const float squared : squared_norms_) {
        largest = std::max(largest, static_cast<double>(squared));
    }
    largest = std::sqrt(largest);
    products_.resize(kQueryBlock * count);
    picked_.resize(count);
    exact_.resize(count);
    // Errors of both ways to compute a product, and of the few operations that make a distance of
    // it.
    const double relative =
        2.0 * static_cast<double>(kernels::InnerProductError(field_.dim)) + 16.0 * 5.97e-8;

    for (size_t start = 0; start < query_count_; start += kQueryBlock) {
        const size_t block = std::min(kQueryBlock, query_count_ - start);
        kernels::InnerProductBlock(query_matrix_.data() + start * field_.dim, block, packed_.data(),
                                   count, field_.dim, products_.data(), count);
        for (size_t q = 0; q < block; q++) {
            FlatQuery& query = queries_[start + q];
            float* values = products_.data() + q * count;
            double margin = 0;
            switch (field_.metric) {
                case Metric::kL2: {
                    const auto own = static_cast<float>(query.norm * query.norm);
                    for (size_t i = 0; i < count; i++) {
                        values[i] = own + squared_norms_[i] - 2.0f * values[i];
                    }
                    margin = relative * 2.0 * (query.norm + largest) * (query.norm + largest);
                    break;
                }
                case Metric::kIp:
                    for (size_t i = 0; i < count; i++) {
                        values[i] = -values[i];
                    }
                    margin = relative * query.norm * largest;
                    break;
                case Metric::kCosine:
                    for (size_t i = 0; i < count; i++) {
                        // Of very short vectors the product has lost its digits: those are always
                        // measured again.
                        values[i] = kernels::CosineIsDoubtful(query.query, norms[i])
                                        ? -std::numeric_limits<float>::infinity()
                                        : 1.0f - values[i] * (query.query.inverse_norm * norms[i]);
                    }
                    margin = relative * 2.0;
                    break;
                case Metric::kHamming: break;
            }
            margin += 1e-37;  // what underflow may have cost
            const float bound = query.Bound();
            const double widened = static_cast<double>(bound) + margin * 1.01;
            // Overflowed products (infinite, or NaN) prove nothing: then every row is measured
            // again.
            const bool proves = std::isfinite(margin) && largest * query.norm < 1e37 &&
                                largest < 1e18 && query.norm < 1e18;
            size_t picked = 0;
            if (!proves || !(widened < 3e38)) {
                for (size_t i = 0; i < count; i++) {
                    picked_[i] = static_cast<uint32_t>(i);
                }
                picked = count;
            } else {
                const float threshold = std::nextafter(static_cast<float>(widened),
                                                       std::numeric_limits<float>::infinity());
                picked = kernels::SelectAtMost(values, count, threshold, picked_.data());
            }
            if (picked == 0) {
                continue;
            }
            kernels::DistancesPicked(element, field_.metric, query.query, data, picked_.data(),
                                     picked, norms, exact_.data());
            for (size_t i = 0; i < picked; i++) {
                if (exact_[i] <= query.Bound()) {
                    Offer(rows, first + picked_[i], exact_[i], &query);
                }
            }
        }
    }
}

}  // namespace quern::dense
