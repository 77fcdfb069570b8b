// How fast exact search can be on this machine, and how fast it is. One thread, f32:
//
//   scan    bytes per second of Distances (L2, one query) beside those of a plain loop that only
//   adds up the same bytes batch   time of PackRows + InnerProductBlock for 1,000 queries beside
//   OpenBLAS sgemm for the same products search  k = 10 of one query (distances, selection, heap)
//   beside FAISS IndexFlatL2
//
// The rivals take turns within each round, so that a noisy neighbour hits both; the figures are
// medians over the rounds, and the ratios are medians of the ratios of single rounds.
//
//   exact_kernels [--rows-mb 512] [--batch-mb 48] [--rounds 5] [--dim D] [--json]
#include <cblas.h>
#include <faiss/IndexFlat.h>
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"
#include "tests/bench/bench_support.h"

namespace {

using quern::Element;
using quern::Metric;
namespace kernels = quern::kernels;

constexpr size_t kBatchQueries = 1000;
constexpr size_t kNearest = 10;
constexpr size_t kScanRows = 1024;   // distances per call, as in engine/dense/flat.cpp
constexpr size_t kQueryBlock = 64;   // queries per call of InnerProductBlock, likewise
constexpr size_t kSgemmRows = 4096;  // rows per call of sgemm, a size that OpenBLAS likes

// Results go here, so that no compiler can leave out what made them.
volatile float sink = 0;

struct Figures {
    size_t dim = 0;
    double read_gbs = 0;    // plain loop
    double scan_gbs = 0;    // Distances
    double scan_ratio = 0;  // scan / read
    double sgemm_ms = 0;
    double batch_ms = 0;     // PackRows + InnerProductBlock
    double batch_ratio = 0;  // ours / sgemm
    double pack_share = 0;   // of batch_ms
    double faiss_ms = 0;
    double search_ms = 0;
    double search_ratio = 0;  // FAISS / ours
};

// The plain read loop: additions that the compiler puts into the widest vectors of this processor;
// nothing to wait for but memory.
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
uint64_t
AddUp(const float* values, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i + 16 <= count; i += 16) {
        uint64_t words[8];
        std::memcpy(words, values + i, sizeof words);
        sum += (words[0] + words[1]) + (words[2] + words[3]) +
               ((words[4] + words[5]) + (words[6] + words[7]));
    }
    return sum;
}

template <typename Run>
double Seconds(Run run) {
    const auto start = bench::Clock::now();
    run();
    return bench::SecondsSince(start);
}

double MedianRatio(const std::vector<double>& over, const std::vector<double>& under) {
    std::vector<double> ratios;
    for (size_t i = 0; i < over.size(); i++) {
        ratios.push_back(over[i] / under[i]);
    }
    return bench::Median(ratios);
}

void ScanAll(const kernels::Query& query, const float* rows, size_t row_count) {
    float distances[kScanRows];
    for (size_t first = 0; first < row_count; first += kScanRows) {
        const size_t count = std::min(kScanRows, row_count - first);
        kernels::Distances(Element::kF32, Metric::kL2, query, rows + first * query.dim, count,
                           nullptr, distances);
        sink = distances[count - 1];
    }
}

std::vector<kernels::Hit> Search(const kernels::Query& query, const float* rows, size_t row_count) {
    float distances[kScanRows];
    uint32_t picked[kScanRows];
    kernels::TopK top(kNearest);
    for (size_t first = 0; first < row_count; first += kScanRows) {
        const size_t count = std::min(kScanRows, row_count - first);
        kernels::Distances(Element::kF32, Metric::kL2, query, rows + first * query.dim, count,
                           nullptr, distances);
        const size_t selected = kernels::SelectAtMost(distances, count, top.Threshold(), picked);
        for (size_t i = 0; i < selected; i++) {
            top.Push(distances[picked[i]], static_cast<uint32_t>(first + picked[i]));
        }
    }
    return top.Take();
}

void MeasureScan(const std::vector<float>& values, size_t rounds, Figures* figures) {
    const size_t dim = figures->dim;
    const size_t row_count = values.size() / dim;
    const double gigabytes = static_cast<double>(row_count * dim * sizeof(float)) / 1e9;
    const std::vector<float> vector(values.begin(),
                                    values.begin() + static_cast<std::ptrdiff_t>(dim));
    const kernels::Query query =
        kernels::PrepareQuery(Element::kF32, Metric::kL2, vector.data(), dim);
    std::vector<double> read;
    std::vector<double> scan;
    for (size_t round = 0; round < rounds; round++) {
        read.push_back(
            Seconds([&] { sink = static_cast<float>(AddUp(values.data(), row_count * dim)); }));
        scan.push_back(Seconds([&] { ScanAll(query, values.data(), row_count); }));
    }
    figures->read_gbs = gigabytes / bench::Median(read);
    figures->scan_gbs = gigabytes / bench::Median(scan);
    figures->scan_ratio = MedianRatio(read, scan);
}

// Rows per block as engine/dense/flat.cpp chooses them.
size_t BlockRows(size_t dim) {
    return std::clamp<size_t>((size_t{512} << 10) / (dim * sizeof(float)), 48, 1008) / 48 * 48;
}

void RunBatch(const float* queries, const float* rows, size_t row_count, size_t dim,
              double* pack_seconds) {
    const size_t step = BlockRows(dim);
    static std::vector<float> packed;
    static std::vector<float> products;
    packed.resize(kernels::PackedRowsFloats(step, dim));
    products.resize(kQueryBlock * step);
    *pack_seconds = 0;
    for (size_t first = 0; first < row_count; first += step) {
        const size_t count = std::min(step, row_count - first);
        *pack_seconds += Seconds([&] {
            kernels::PackRows(Element::kF32, rows + first * dim, count, dim, packed.data());
        });
        for (size_t q = 0; q < kBatchQueries; q += kQueryBlock) {
            kernels::InnerProductBlock(queries + q * dim, std::min(kQueryBlock, kBatchQueries - q),
                                       packed.data(), count, dim, products.data(), count);
            sink = products[0];
        }
    }
}

void RunSgemm(const float* queries, const float* rows, size_t row_count, size_t dim, size_t step) {
    static std::vector<float> products;
    products.resize(kBatchQueries * step);
    for (size_t first = 0; first < row_count; first += step) {
        const size_t count = std::min(step, row_count - first);
        const auto depth = static_cast<blasint>(dim);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<blasint>(kBatchQueries),
                    static_cast<blasint>(count), depth, 1.0f, queries, depth, rows + first * dim,
                    depth, 0.0f, products.data(), static_cast<blasint>(count));
        sink = products[0];
    }
}

void MeasureBatch(const std::vector<float>& values, size_t batch_mb, size_t rounds,
                  Figures* figures) {
    const size_t dim = figures->dim;
    const size_t row_count = std::min(values.size(), (batch_mb << 20) / sizeof(float)) / dim;
    const std::vector<float> queries = bench::NormalVectors(kBatchQueries, dim, 7);
    std::vector<double> ours;
    std::vector<double> large_blocks;
    std::vector<double> small_blocks;
    std::vector<double> pack;
    for (size_t round = 0; round < rounds; round++) {
        double pack_seconds = 0;
        ours.push_back(Seconds(
            [&] { RunBatch(queries.data(), values.data(), row_count, dim, &pack_seconds); }));
        pack.push_back(pack_seconds / ours.back());
        large_blocks.push_back(
            Seconds([&] { RunSgemm(queries.data(), values.data(), row_count, dim, kSgemmRows); }));
        small_blocks.push_back(Seconds(
            [&] { RunSgemm(queries.data(), values.data(), row_count, dim, BlockRows(dim)); }));
    }
    // OpenBLAS may choose its better block size.
    const std::vector<double>& sgemm =
        bench::Median(large_blocks) < bench::Median(small_blocks) ? large_blocks : small_blocks;
    figures->batch_ms = bench::Median(ours) * 1e3;
    figures->sgemm_ms = bench::Median(sgemm) * 1e3;
    figures->batch_ratio = MedianRatio(ours, sgemm);
    figures->pack_share = bench::Median(pack);
}

void MeasureSearch(const std::vector<float>& values, size_t rounds, Figures* figures) {
    const size_t dim = figures->dim;
    const size_t row_count = values.size() / dim;
    faiss::IndexFlatL2 index(static_cast<faiss::Index::idx_t>(dim));
    index.add(static_cast<faiss::Index::idx_t>(row_count), values.data());
    const std::vector<float> vector = bench::NormalVectors(1, dim, 8);
    const kernels::Query query =
        kernels::PrepareQuery(Element::kF32, Metric::kL2, vector.data(), dim);
    std::vector<double> ours;
    std::vector<double> faiss_times;
    std::vector<kernels::Hit> hits;
    std::vector<float> distances(kNearest);
    std::vector<faiss::Index::idx_t> labels(kNearest);
    for (size_t round = 0; round < rounds; round++) {
        ours.push_back(Seconds([&] { hits = Search(query, values.data(), row_count); }));
        faiss_times.push_back(Seconds(
            [&] { index.search(1, vector.data(), kNearest, distances.data(), labels.data()); }));
    }
    if (hits.empty() || hits[0].position != static_cast<uint32_t>(labels[0])) {
        std::fprintf(stderr, "dimension %zu: FAISS found another nearest row\n", dim);
        std::exit(1);
    }
    figures->search_ms = bench::Median(ours) * 1e3;
    figures->faiss_ms = bench::Median(faiss_times) * 1e3;
    figures->search_ratio = MedianRatio(faiss_times, ours);
}

void PrintTable(const std::vector<Figures>& all) {
    std::printf("SIMD level %s, OpenBLAS kernels for %s, 1 thread\n\n", kernels::SimdLevel(),
                openblas_get_corename());
    std::printf("%6s | %10s %10s %7s | %10s %10s %7s %6s | %10s %10s %7s\n", "dim", "read GB/s",
                "scan GB/s", "ratio", "sgemm ms", "batch ms", "ratio", "pack", "faiss ms",
                "search ms", "ratio");
    for (const Figures& f : all) {
        std::printf(
            "%6zu | %10.2f %10.2f %7.2f | %10.1f %10.1f %7.2f %5.1f%% | %10.1f %10.1f %7.2f\n",
            f.dim, f.read_gbs, f.scan_gbs, f.scan_ratio, f.sgemm_ms, f.batch_ms, f.batch_ratio,
            f.pack_share * 100, f.faiss_ms, f.search_ms, f.search_ratio);
    }
}

void PrintJson(const std::vector<Figures>& all) {
    std::printf("{\"simd\": \"%s\", \"openblas\": \"%s\", \"figures\": [", kernels::SimdLevel(),
                openblas_get_corename());
    for (size_t i = 0; i < all.size(); i++) {
        const Figures& f = all[i];
        std::printf(
            "%s\n  {\"dim\": %zu, \"read_gbs\": %.3f, \"scan_gbs\": %.3f, \"scan_ratio\": %.3f, "
            "\"sgemm_ms\": %.2f, \"batch_ms\": %.2f, \"batch_ratio\": %.3f, \"pack_share\": %.4f, "
            "\"faiss_ms\": %.2f, \"search_ms\": %.2f, \"search_ratio\": %.3f}",
            i == 0 ? "" : ",", f.dim, f.read_gbs, f.scan_gbs, f.scan_ratio, f.sgemm_ms, f.batch_ms,
            f.batch_ratio, f.pack_share, f.faiss_ms, f.search_ms, f.search_ratio);
    }
    std::printf("\n]}\n");
}

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](const char* name, const char* otherwise) {
        return static_cast<size_t>(
            std::strtoull(bench::Argument(argc, argv, name, otherwise).c_str(), nullptr, 10));
    };
    const size_t rows_mb = std::max<size_t>(1, number("--rows-mb", "512"));
    const size_t batch_mb = std::max<size_t>(1, number("--batch-mb", "48"));
    const size_t rounds = std::max<size_t>(1, number("--rounds", "5"));
    const size_t only_dim = number("--dim", "0");
    const bool json = std::any_of(argv + 1, argv + argc,
                                  [](const char* a) { return std::strcmp(a, "--json") == 0; });

    openblas_set_num_threads(1);
    omp_set_num_threads(1);
    // The same numbers for all dimensions; a small generator is enough, and quick.
    std::vector<float> values((rows_mb << 20) / sizeof(float));
    uint32_t state = 1;
    for (float& value : values) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31f;
    }
    std::vector<Figures> all;
    for (const size_t dim : {100, 128, 384, 768, 1536}) {
        if (only_dim != 0 && dim != only_dim) {
            continue;
        }
        Figures figures;
        figures.dim = dim;
        MeasureScan(values, rounds, &figures);
        MeasureBatch(values, batch_mb, rounds, &figures);
        MeasureSearch(values, rounds, &figures);
        all.push_back(figures);
    }
    json ? PrintJson(all) : PrintTable(all);
    return 0;
}
