// What a distance costs when rows are picked at random, as a walk through a graph does: f32 rows
// beside codes of 8 and of 4 bits, at every SIMD level. One thread; lists of picked rows; each
// layout fills the same number of bytes. Layouts take turns of a fraction of a millisecond, so that
// a noisy neighbour hits all. The figures are medians over the turns, in processor time: a turn in
// which another program ran would count that as well.
//
//   code_kernels [--mb 200] [--list 32] [--turns 400] [--dim D]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "engine/kernels/code_distance.h"
#include "engine/kernels/distance.h"
#include "engine/kernels/simd_level.h"
#include "tests/bench/bench_support.h"

namespace {

using quern::Element;
using quern::Metric;
namespace kernels = quern::kernels;
using kernels::CodeBits;

constexpr size_t kPicksPerTurn = 1600;

// Results go here, so that no compiler can leave out what made them.
volatile float sink = 0;

// One layout of rows, and the nanoseconds per row of each turn.
struct Layout {
    size_t row_bytes = 0;
    std::vector<uint8_t> rows;
    std::vector<double> turns;
};

struct Lists {
    size_t list_rows = 0;
    std::vector<uint32_t> picked;

    void Pick(size_t row_count, std::mt19937* random) {
        std::uniform_int_distribution<uint32_t> any(0, static_cast<uint32_t>(row_count - 1));
        for (uint32_t& row : picked) {
            row = any(*random);
        }
    }
};

// Random bytes make valid codes; as f32 they are kept small.
Layout MakeLayout(size_t row_bytes, size_t bytes, bool floats, std::mt19937* random) {
    Layout layout;
    layout.row_bytes = row_bytes;
    layout.rows.resize(bytes / row_bytes * row_bytes);
    for (size_t at = 0; at + 4 <= layout.rows.size(); at += 4) {
        const auto word = static_cast<uint32_t>((*random)());
        const float value = static_cast<float>(word) * 0x1p-32f;
        std::memcpy(layout.rows.data() + at, floats ? static_cast<const void*>(&value) : &word, 4);
    }
    return layout;
}

// measure(list) for each of the lists.
template <typename Measure>
void Turn(Layout* layout, Lists* lists, std::mt19937* random, Measure measure) {
    lists->Pick(layout->rows.size() / layout->row_bytes, random);
    const std::clock_t start = std::clock();
    for (size_t first = 0; first < lists->picked.size(); first += lists->list_rows) {
        measure(lists->picked.data() + first);
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    layout->turns.push_back(seconds * 1e9 / static_cast<double>(lists->picked.size()));
}

void MeasureDim(size_t dim, size_t bytes, size_t list_rows, size_t turns) {
    std::mt19937 random(1);
    Lists lists;
    lists.list_rows = list_rows;
    lists.picked.resize(kPicksPerTurn / list_rows * list_rows);
    Layout floats = MakeLayout(dim * sizeof(float), bytes, true, &random);
    Layout codes8 = MakeLayout(kernels::CodeRowBytes(CodeBits::k8, dim), bytes, false, &random);
    Layout codes4 = MakeLayout(kernels::CodeRowBytes(CodeBits::k4, dim), bytes, false, &random);

    const std::vector<float> vector = bench::NormalVectors(1, dim, 2);
    const kernels::Query query =
        kernels::PrepareQuery(Element::kF32, Metric::kL2, vector.data(), dim);
    std::vector<int8_t> packed8(kernels::CodeQueryBytes(CodeBits::k8, dim));
    std::vector<int8_t> packed4(kernels::CodeQueryBytes(CodeBits::k4, dim));
    const kernels::CodeQuery query8 =
        kernels::PackCodeQuery(CodeBits::k8, vector.data(), dim, packed8.data());
    const kernels::CodeQuery query4 =
        kernels::PackCodeQuery(CodeBits::k4, vector.data(), dim, packed4.data());
    std::vector<float> distances(list_rows);
    std::vector<int32_t> dots(list_rows);

    for (const std::string& level : kernels::SimdLevels()) {
        kernels::SetSimdLevel(level.c_str());
        for (Layout* layout : {&floats, &codes8, &codes4}) {
            layout->turns.clear();
        }
        for (size_t turn = 0; turn < turns; turn++) {
            Turn(&floats, &lists, &random, [&](const uint32_t* picked) {
                kernels::DistancesPicked(Element::kF32, Metric::kL2, query, floats.rows.data(),
                                         picked, list_rows, nullptr, distances.data());
                sink = distances[0];
            });
            Turn(&codes8, &lists, &random, [&](const uint32_t* picked) {
                kernels::CodeDotsPicked(query8, codes8.rows.data(), picked, list_rows, dots.data());
                sink = static_cast<float>(dots[0]);
            });
            Turn(&codes4, &lists, &random, [&](const uint32_t* picked) {
                kernels::CodeDotsPicked(query4, codes4.rows.data(), picked, list_rows, dots.data());
                sink = static_cast<float>(dots[0]);
            });
        }
        const double f32 = bench::Median(floats.turns);
        const double k8 = bench::Median(codes8.turns);
        const double k4 = bench::Median(codes4.turns);
        std::printf("| %4zu | %-9s | %6.1f | %6.1f | %6.1f | %5.1f | %5.1f |\n", dim, level.c_str(),
                    f32, k8, k4, f32 / k8, f32 / k4);
        std::fflush(stdout);
    }
    kernels::SetSimdLevel(nullptr);
}

size_t Number(int argc, char** argv, const char* name, const char* otherwise) {
    return std::strtoull(bench::Argument(argc, argv, name, otherwise).c_str(), nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
    const double megabytes = std::stod(bench::Argument(argc, argv, "--mb", "200"));
    const auto bytes = static_cast<size_t>(megabytes * 1048576.0);
    const size_t list_rows =
        std::clamp<size_t>(Number(argc, argv, "--list", "32"), 1, kPicksPerTurn);
    const size_t turns = Number(argc, argv, "--turns", "400");
    const size_t only = Number(argc, argv, "--dim", "0");
    std::printf("Nanoseconds per row: %g MiB per layout, lists of %zu rows.\n\n", megabytes,
                list_rows);
    std::printf("| dim  | level     |    f32 | 8 bits | 4 bits | f32:8 | f32:4 |\n");
    std::printf("|-----:|-----------|-------:|-------:|-------:|------:|------:|\n");
    for (const size_t dim : {100, 128, 768, 784, 1536}) {
        if (only == 0 || only == dim) {
            MeasureDim(dim, bytes, list_rows, turns);
        }
    }
    return 0;
}
