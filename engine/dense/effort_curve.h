// What recall a graph gives for what effort, measured when it was built on records that were not in
// it yet, so that a user can ask for a recall instead of for knobs.
//
// Effort is a pair: the size of the walk's pool (ef), and how many of its nearest are measured
// again with the stored vectors (refine). For each of a few k the curve keeps the recall of each
// pair.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

struct Effort {
    size_t ef = 0;
    size_t refine = 0;
};

class EffortCurve {
public:
    // Steps of a factor of about 1.4, so that the curve between two of them is nearly straight.
    static constexpr std::array<uint32_t, 17> kEf = {10,  14,  20,  28,  40,  56,   80,   112, 160,
                                                     224, 320, 448, 640, 896, 1280, 1792, 2560};
    static constexpr std::array<uint32_t, 9> kRefine = {1, 10, 14, 20, 28, 40, 80, 160, 320};
    static constexpr std::array<uint32_t, 3> kK = {1, 10, 100};

    EffortCurve();
    bool empty() const { return queries_ == 0; }
    uint32_t queries() const { return queries_; }
    void SetQueries(uint32_t queries) { queries_ = queries; }
    // refine number kRefine.size(): the whole pool.
    float& At(size_t k, size_t ef, size_t refine) {
        return recall_[(k * kEf.size() + ef) * (kRefine.size() + 1) + refine];
    }
    float At(size_t k, size_t ef, size_t refine) const {
        return recall_[(k * kEf.size() + ef) * (kRefine.size() + 1) + refine];
    }
    // The cheapest effort that gives recall@k. False: no effort on the curve does.
    bool Find(size_t k, double recall, Effort* effort) const;
    // The recall@k that an effort is expected to give, less the margin that Find adds. 0: not
    // known.
    double Expect(size_t k, const Effort& effort) const;

    void Write(ByteWriter* writer) const;
    static Result<EffortCurve> Read(ByteReader* reader);

private:
    bool FindAt(size_t k_number, double recall, Effort* effort) const;
    uint32_t queries_ = 0;
    std::vector<float> recall_;
};

}  // namespace quern::dense
