// Inner products of many queries with many rows: a matrix product whose result is used and dropped
// block by block.
//
// Packed rows. Rows are packed into panels of 48; a panel holds element k of all its rows side by
// side, for every k:
//
//     panel[k * 48 + r] = element k of row r          (rows beyond the last are zero)
//
// 48 rows are three vectors of 16 lanes, or six of 8, or twelve of 4: every SIMD level reads the
// same layout.
//
// Products. The innermost kernel keeps the sums of up to eight queries times three vectors of rows
// in registers. Each step k loads three vectors and one number per query, and does 24
// multiply-adds. It runs over 128 elements at a time, so that this part of the panel (24 KiB) stays
// in the first cache while all queries pass by, and adds its sums to `out`. Short chains of
// additions are also what keeps the error bound small.
//
// Queries are not packed: eight of them are eight streams, which the first cache holds.
#include <algorithm>
#include <cstring>

#include "engine/kernels/distance.h"
#include "engine/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/product_block.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/rows-inl.h"

#ifndef QUERN_ENGINE_KERNELS_PRODUCT_BLOCK_ONCE_
#define QUERN_ENGINE_KERNELS_PRODUCT_BLOCK_ONCE_
namespace quern::kernels {

inline constexpr size_t kPanelRows = 48;
inline constexpr size_t kDepthStep = 128;  // elements between two additions to `out`
inline constexpr size_t kPackStep = 32;    // elements packed at a time: 6 KiB of the panel

// Products still to be made: element 0 of `panel` and `queries` is where the step starts.
struct ProductStepArgs {
    const float* queries;
    size_t query_stride;
    const float* panel;
    size_t depth;
    float* out;
    size_t out_stride;
    bool add;  // to what `out` holds
};

}  // namespace quern::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::kernels {
namespace HWY_NAMESPACE {
namespace {

using PanelTag = hn::CappedTag<float, 16>;
using PanelVec = hn::Vec<PanelTag>;

// Sums held in registers, with three more for the rows and one for the query's number.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr size_t kQueriesAtOnce = 8;  // 24 sums of 32 registers
#else
constexpr size_t kQueriesAtOnce = 4;  // 12 sums of 16 registers
#endif

// kQueries queries times three vectors of rows.
template <size_t kQueries>
HWY_INLINE void MultiplyTile(const ProductStepArgs& args, float* HWY_RESTRICT out,
                             size_t out_stride) {
    const PanelTag f32;
    const size_t lanes = hn::Lanes(f32);
    const float* HWY_RESTRICT queries = args.queries;
    const float* HWY_RESTRICT panel = args.panel;
    PanelVec sums[kQueries][3];
    for (size_t q = 0; q < kQueries; q++) {
        sums[q][0] = hn::Zero(f32);
        sums[q][1] = hn::Zero(f32);
        sums[q][2] = hn::Zero(f32);
    }
    for (size_t k = 0; k < args.depth; k++) {
        const PanelVec rows0 = hn::LoadU(f32, panel);
        const PanelVec rows1 = hn::LoadU(f32, panel + lanes);
        const PanelVec rows2 = hn::LoadU(f32, panel + 2 * lanes);
        panel += kPanelRows;
        HWY_UNROLL(8)
        for (size_t q = 0; q < kQueries; q++) {
            const PanelVec value = hn::Set(f32, queries[q * args.query_stride + k]);
            sums[q][0] = hn::MulAdd(value, rows0, sums[q][0]);
            sums[q][1] = hn::MulAdd(value, rows1, sums[q][1]);
            sums[q][2] = hn::MulAdd(value, rows2, sums[q][2]);
        }
    }
    for (size_t q = 0; q < kQueries; q++) {
        float* HWY_RESTRICT to = out + q * out_stride;
        if (args.add) {
            sums[q][0] = hn::Add(sums[q][0], hn::LoadU(f32, to));
            sums[q][1] = hn::Add(sums[q][1], hn::LoadU(f32, to + lanes));
            sums[q][2] = hn::Add(sums[q][2], hn::LoadU(f32, to + 2 * lanes));
        }
        hn::StoreU(sums[q][0], f32, to);
        hn::StoreU(sums[q][1], f32, to + lanes);
        hn::StoreU(sums[q][2], f32, to + 2 * lanes);
    }
}

// The same when only `row_count` of the rows exist in `out`.
template <size_t kQueries>
HWY_INLINE void Multiply(const ProductStepArgs& args, size_t row_count) {
    const size_t tile_rows = 3 * hn::Lanes(PanelTag());
    if (HWY_LIKELY(row_count >= tile_rows)) {
        MultiplyTile<kQueries>(args, args.out, args.out_stride);
        return;
    }
    float tile[kQueries * kPanelRows] = {};
    for (size_t q = 0; q < kQueries && args.add; q++) {
        std::memcpy(tile + q * kPanelRows, args.out + q * args.out_stride,
                    row_count * sizeof(float));
    }
    MultiplyTile<kQueries>(args, tile, kPanelRows);
    for (size_t q = 0; q < kQueries; q++) {
        std::memcpy(args.out + q * args.out_stride, tile + q * kPanelRows,
                    row_count * sizeof(float));
    }
}

void MultiplyQueries(ProductStepArgs args, size_t query_count, size_t row_count) {
    size_t q = 0;
    for (; q + kQueriesAtOnce <= query_count; q += kQueriesAtOnce) {
        Multiply<kQueriesAtOnce>(args, row_count);
        args.queries += kQueriesAtOnce * args.query_stride;
        args.out += kQueriesAtOnce * args.out_stride;
    }
    for (; q + 2 <= query_count; q += 2) {
        Multiply<2>(args, row_count);
        args.queries += 2 * args.query_stride;
        args.out += 2 * args.out_stride;
    }
    if (q < query_count) {
        Multiply<1>(args, row_count);
    }
}

void Products(const float* queries, size_t query_count, const float* packed, size_t row_count,
              size_t dim, float* out, size_t out_stride) {
    const size_t tile_rows = 3 * hn::Lanes(PanelTag());
    for (size_t first = 0; first < row_count; first += kPanelRows) {
        const size_t stop = std::min(first + kPanelRows, row_count);
        size_t k = 0;
        do {
            for (size_t tile = first; tile < stop; tile += tile_rows) {
                ProductStepArgs args;
                args.queries = queries + k;
                args.query_stride = dim;
                args.panel = packed + first * dim + k * kPanelRows + (tile - first);
                args.depth = std::min(kDepthStep, dim - k);
                args.out = out + tile;
                args.out_stride = out_stride;
                args.add = k > 0;
                MultiplyQueries(args, query_count, std::min(tile_rows, stop - tile));
            }
            k += kDepthStep;
        } while (k < dim);
    }
}

// to[i * kPanelRows + r] = rows[r][i] for four rows.
HWY_INLINE void TransposeFour(const float (*rows)[kPackStep], size_t count,
                              float* HWY_RESTRICT to) {
    size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
    const hn::FixedTag<float, 4> f32;
    const hn::FixedTag<double, 2> f64;
    for (; i + 4 <= count; i += 4) {
        const auto a = hn::LoadU(f32, rows[0] + i);
        const auto b = hn::LoadU(f32, rows[1] + i);
        const auto c = hn::LoadU(f32, rows[2] + i);
        const auto d = hn::LoadU(f32, rows[3] + i);
        const auto ab01 = hn::BitCast(f64, hn::InterleaveLower(f32, a, b));  // a0 b0 a1 b1
        const auto cd01 = hn::BitCast(f64, hn::InterleaveLower(f32, c, d));
        const auto ab23 = hn::BitCast(f64, hn::InterleaveUpper(f32, a, b));
        const auto cd23 = hn::BitCast(f64, hn::InterleaveUpper(f32, c, d));
        float* HWY_RESTRICT at = to + i * kPanelRows;
        hn::StoreU(hn::BitCast(f32, hn::InterleaveLower(f64, ab01, cd01)), f32, at);
        hn::StoreU(hn::BitCast(f32, hn::InterleaveUpper(f64, ab01, cd01)), f32, at + kPanelRows);
        hn::StoreU(hn::BitCast(f32, hn::InterleaveLower(f64, ab23, cd23)), f32,
                   at + 2 * kPanelRows);
        hn::StoreU(hn::BitCast(f32, hn::InterleaveUpper(f64, ab23, cd23)), f32,
                   at + 3 * kPanelRows);
    }
#endif
    for (; i < count; i++) {
        for (size_t r = 0; r < 4; r++) {
            to[i * kPanelRows + r] = rows[r][i];
        }
    }
}

template <class Reader>
void PackAs(const uint8_t* rows, size_t row_count, size_t dim, float* packed) {
    const size_t row_bytes = dim * Reader::kBytes;
    for (size_t first = 0; first < row_count; first += kPanelRows) {
        float* panel = packed + first * dim;
        for (size_t k = 0; k < dim; k += kPackStep) {
            const size_t step = std::min(kPackStep, dim - k);
            for (size_t r = 0; r < kPanelRows; r += 4) {
                float four[4][kPackStep];
                for (size_t i = 0; i < 4; i++) {
                    const size_t row = first + r + i;
                    if (HWY_LIKELY(row < row_count)) {
                        Widen<Reader>(rows + row * row_bytes + k * Reader::kBytes, step, four[i]);
                    } else {
                        std::memset(four[i], 0, sizeof four[i]);
                    }
                }
                TransposeFour(four, step, panel + k * kPanelRows + r);
            }
        }
    }
}

void Pack(Element element, const uint8_t* rows, size_t row_count, size_t dim, float* packed) {
    switch (element) {
        case Element::kF32: PackAs<F32Reader>(rows, row_count, dim, packed); break;
        case Element::kF16: PackAs<F16Reader>(rows, row_count, dim, packed); break;
        case Element::kBF16: PackAs<BF16Reader>(rows, row_count, dim, packed); break;
        case Element::kI8: PackAs<I8Reader>(rows, row_count, dim, packed); break;
        case Element::kU8: PackAs<U8Reader>(rows, row_count, dim, packed); break;
        case Element::kBit: break;
    }
}

void WidenAll(Element element, const uint8_t* rows, size_t count, float* out) {
    switch (element) {
        case Element::kF32: std::memcpy(out, rows, count * sizeof(float)); break;
        case Element::kF16: Widen<F16Reader>(rows, count, out); break;
        case Element::kBF16: Widen<BF16Reader>(rows, count, out); break;
        case Element::kI8: Widen<I8Reader>(rows, count, out); break;
        case Element::kU8: Widen<U8Reader>(rows, count, out); break;
        case Element::kBit: break;
    }
}

size_t LaneCount() {
    return hn::Lanes(F32Tag());
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace quern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::kernels {

namespace {
HWY_EXPORT(Products);
HWY_EXPORT(Pack);
HWY_EXPORT(WidenAll);
HWY_EXPORT(LaneCount);
}  // namespace

size_t PackedRowsFloats(size_t row_count, size_t dim) {
    return (row_count + kPanelRows - 1) / kPanelRows * kPanelRows * dim;
}

void PackRows(Element element, const void* rows, size_t row_count, size_t dim, float* packed) {
    HWY_DYNAMIC_DISPATCH(Pack)
    (element, static_cast<const uint8_t*>(rows), row_count, dim, packed);
}

void ToF32(Element element, const void* rows, size_t count, size_t dim, float* out) {
    if (count * dim == 0) {
        return;
    }
    HWY_DYNAMIC_DISPATCH(WidenAll)
    (element, static_cast<const uint8_t*>(rows), count * dim, out);
}

void InnerProductBlock(const float* queries, size_t query_count, const float* packed_rows,
                       size_t row_count, size_t dim, float* out, size_t out_stride) {
    HWY_DYNAMIC_DISPATCH(Products)
    (queries, query_count, packed_rows, row_count, dim, out, out_stride);
}

// A sum in which no term passes through more than n roundings is off by at most n u / (1 - n u)
// times the sum of the terms' absolute values, which |q| |r| bounds; u = 2^-24. This holds for
// every order of adding, with n <= dim: a product's own rounding (none with fused multiply-add) and
// dim - 1 additions. n is smaller where several sums run side by side:
//
//   InnerProductBlock  1 + the additions within one depth step + one addition per step
//   Distances          1 + dim / (4 lanes) + 2 (a whole vector and the rest) + 2 (four sums) + log2
//   lanes
//
// Numbers so small that products underflow are outside of this bound; see distance.cpp.
float InnerProductError(size_t dim) {
    const size_t lanes = HWY_DYNAMIC_DISPATCH(LaneCount)();
    size_t lane_steps = 0;
    while (size_t{1} << lane_steps < lanes) {
        lane_steps++;
    }
    const size_t block = 1 + std::min(dim, kDepthStep) + dim / kDepthStep + 1;
    const size_t single = 1 + dim / (4 * lanes) + 1 + 2 + 2 + lane_steps;
    const size_t roundings = std::min(dim, std::max(block, single));
    // n stays below 2^15, so the denominator is above 0.99.
    return static_cast<float>(static_cast<double>(roundings) * 0x1p-24 * 1.02);
}

}  // namespace quern::kernels
#endif
