// What recall a list index gives for what effort, measured on held-out records when it was built:
// the sibling of EffortCurve.
//
// Effort is a pair: how many cells are opened (nprobe), and how many of the nearest in them are
// measured again with the stored vectors (refine).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

struct ProbeEffort {
    size_t nprobe = 0;
    size_t refine = 0;
};

class ProbeCurve {
public:
    // Steps of a factor of about 1.4, so that the curve between two of them is nearly straight.
    static constexpr std::array<uint32_t, 20> kProbes = {
        1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024};
    static constexpr std::array<uint32_t, 13> kRefine = {1,  10,  14,  20,  28,  40, 56,
                                                         80, 112, 160, 224, 320, 640};
    static constexpr std::array<uint32_t, 3> kK = {1, 10, 100};
    static constexpr size_t kCells = kK.size() * kProbes.size() * kRefine.size();

    ProbeCurve() : recall_(kCells, 0.0f) {}
    bool empty() const { return queries_ == 0; }
    uint32_t queries() const { return queries_; }
    void SetQueries(uint32_t queries) { queries_ = queries; }
    static size_t CellOf(size_t k, size_t probe, size_t refine) {
        return (k * kProbes.size() + probe) * kRefine.size() + refine;
    }
    float& At(size_t k, size_t probe, size_t refine) { return recall_[CellOf(k, probe, refine)]; }
    float At(size_t k, size_t probe, size_t refine) const {
        return recall_[CellOf(k, probe, refine)];
    }
    // The cheapest effort that gives recall@k. rows_per_cell tells what a probe costs. False: no
    // effort on the curve does.
    bool Find(size_t k, double recall, double rows_per_cell, ProbeEffort* effort) const;
    // The recall@k that an effort is expected to give, less the margin that Find adds. 0: not
    // known.
    double Expect(size_t k, const ProbeEffort& effort) const;

    void Write(ByteWriter* writer) const;
    static Result<ProbeCurve> Read(ByteReader* reader);

private:
    bool FindAt(size_t k_number, double wanted, double rows_per_cell, ProbeEffort* effort) const;
    uint32_t queries_ = 0;
    std::vector<float> recall_;
};

}  // namespace quern::dense
