#include "tests/bench/sparse/mask_cells.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>

#include "tests/bench/bench_support.h"

namespace bench {
namespace {

using quern::sparse::SearchPath;
using quern::sparse::SparseIndex;

// Scoring every match is tried with every so-manieth query first, and goes on only where it takes
// less than so many times as long as the windows.
constexpr size_t kTrialStep = 20;
constexpr double kTrialTimes = 3;

using Mask = std::vector<uint64_t>;

void Allow(size_t record, Mask* mask) {
    (*mask)[record / 64] |= uint64_t{1} << (record % 64);
}

Mask AtRandom(size_t records, double share) {
    Mask mask(records / 64 + 1, 0);
    std::mt19937_64 random(7);
    std::bernoulli_distribution in(share);
    for (size_t i = 0; i < records; i++) {
        if (in(random)) {
            Allow(i, &mask);
        }
    }
    return mask;
}

Mask InARow(size_t records, double share) {
    Mask mask(records / 64 + 1, 0);
    std::mt19937_64 random(7);
    const auto many = static_cast<size_t>(share * static_cast<double>(records));
    const size_t start = random() % (records - many + 1);
    for (size_t i = start; i < start + many; i++) {
        Allow(i, &mask);
    }
    return mask;
}

// The records that have the term which comes nearest to the share.
Mask WithTerm(const SparseIndex& index, double share) {
    const auto& forward = index.forward();
    std::vector<uint32_t> records_of(index.terms().size(), 0);
    for (uint32_t entry = 0; entry < forward.offsets.back(); entry++) {
        records_of[forward.TermAt(entry)]++;
    }
    const double wanted = share * static_cast<double>(index.count());
    uint32_t nearest = 0;
    for (uint32_t term = 0; term < records_of.size(); term++) {
        if (std::fabs(records_of[term] - wanted) < std::fabs(records_of[nearest] - wanted)) {
            nearest = term;
        }
    }
    Mask mask(index.count() / 64 + 1, 0);
    for (uint32_t row = 0; row < index.count(); row++) {
        for (uint32_t entry = forward.offsets[row]; entry < forward.offsets[row + 1]; entry++) {
            if (forward.TermAt(entry) == nearest) {
                Allow(row, &mask);
            }
        }
    }
    return mask;
}

struct NamedMask {
    std::string name;
    Mask bits;
};

std::vector<NamedMask> AllMasks(const SparseIndex& index) {
    std::vector<NamedMask> masks;
    char name[64];
    for (const double share : {0.5, 0.1, 0.03, 0.01, 0.003, 0.001}) {
        std::snprintf(name, sizeof name, "%g at random", share);
        masks.push_back({name, AtRandom(index.count(), share)});
        std::snprintf(name, sizeof name, "%g in a row", share);
        masks.push_back({name, InARow(index.count(), share)});
        std::snprintf(name, sizeof name, "%g with a term", share);
        masks.push_back({name, WithTerm(index, share)});
    }
    for (const double deleted : {0.1, 0.5}) {
        std::snprintf(name, sizeof name, "%g deleted", deleted);
        masks.push_back({name, AtRandom(index.count(), 1 - deleted)});
    }
    return masks;
}

void Compare(const std::vector<Hits>& found, const std::vector<Hits>& truth, size_t step,
             const Way& way, const std::string& mask) {
    for (size_t i = 0; i < found.size(); i++) {
        if (!SameHits(found[i], truth[i * step])) {
            std::fprintf(stderr, "%s: %s is wrong for query %zu\n", mask.c_str(), way.slug.c_str(),
                         i * step);
            std::exit(1);
        }
    }
}

MaskCell MeasureCell(const SearchedIndex& index, const SparseSet& set, const NamedMask& mask,
                     size_t k, size_t rounds) {
    MaskCell cell;
    cell.mask = mask.name;
    cell.k = k;
    size_t allowed = 0;
    for (const uint64_t word : mask.bits) {
        allowed += static_cast<size_t>(__builtin_popcountll(word));
    }
    cell.allowed = static_cast<double>(allowed) / static_cast<double>(index.exact.count());
    for (const Way& way : MaskedWays()) {
        cell.ways.push_back({way, false, {}});
    }
    std::vector<Hits> truth;
    double windows = 0;
    for (MaskWay& way : cell.ways) {
        const bool trial = way.way.options.path == SearchPath::kForward;
        const Pass first =
            RunPass(index, set, way.way, k, mask.bits.data(), trial ? kTrialStep : 1, true);
        if (truth.empty()) {
            truth = first.hits;
            windows = first.Mean();
        }
        Compare(first.hits, truth, trial ? kTrialStep : 1, way.way, mask.name);
        if (trial && first.Mean() > kTrialTimes * windows) {
            way.tried_only = true;
            way.means.push_back(first.Mean());
        }
    }
    for (size_t round = 0; round < rounds; round++) {
        for (MaskWay& way : cell.ways) {
            if (!way.tried_only) {
                way.means.push_back(
                    RunPass(index, set, way.way, k, mask.bits.data(), 1, false).Mean());
            }
        }
    }
    for (size_t w = 0; w + 1 < cell.ways.size(); w++) {
        if (Median(cell.ways[w].means) < Median(cell.ways[cell.best].means)) {
            cell.best = w;
        }
    }
    for (size_t round = 0; round < rounds; round++) {
        cell.ratios.push_back(cell.ways.back().means[round] / cell.ways[cell.best].means[round]);
    }
    return cell;
}

}  // namespace

std::vector<MaskCell> MeasureMasks(const SearchedIndex& index, const SparseSet& set,
                                   const std::vector<size_t>& ks, size_t rounds) {
    std::vector<MaskCell> cells;
    for (const NamedMask& mask : AllMasks(index.exact)) {
        for (const size_t k : ks) {
            cells.push_back(MeasureCell(index, set, mask, k, rounds));
        }
    }
    return cells;
}

}  // namespace bench
