// The forward side of a sparse index: the rows themselves, compressed, to score records exactly.
//
// Terms take 16 bits while there are no more than 65,536 of them, else 32. Weights are kept
// exactly: not one by one where all are the same, as one byte into a table while a segment has no
// more than 256 different ones, as two bytes while it has no more than 65,536, else as f32. Learned
// sparse vectors that were rounded to
// whole numbers, as files of them usually are, take 3 or 4 bytes an entry.
//
// Scores are those that sparse_rows.h defines, to the last bit. But who wants it so has the nearest
// impact (term_table.h) in place of a weight that would take more than a byte; then they are off by
// no more than ScoreError.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/kernels/mark_set.h"
#include "engine/sparse/term_table.h"
#include "storage/base/buffer.h"
#include "storage/base/work.h"

namespace quern::sparse {

// The terms of one query, ready to be looked up while rows are scored. 520 KiB, of which a query
// touches little; so one is kept for many queries. Confined.
class QueryMarks {
public:
    QueryMarks();
    // Terms ascending, with the weights of the query. scales: of what has impacts, else NULL.
    void Set(const std::vector<uint32_t>& terms, const std::vector<double>& weights,
             const TermTable* scales);
    // The low 16 bits of its terms.
    const kernels::MarkSet& marks() const { return marks_; }
    // The weight of a marked term, where terms have 16 bits.
    double NarrowWeight(uint16_t term) const { return weights_[term]; }
    // The same where they have more, so that several may share a mark; 0: not of the query.
    double WideWeight(uint32_t term) const;

private:
    kernels::MarkSet marks_;
    std::vector<double> weights_;
    std::vector<std::pair<uint32_t, double>> marked_;  // ascending
};

// Number of common terms and the score.
struct RowScore {
    uint32_t common = 0;
    double score = 0;
};

// How weights are kept. The numbers reach the file: do not change them.
enum class WeightForm : uint8_t { kSame = 0, kTable8 = 1, kTable16 = 2, kImpact8 = 3, kFloat = 4 };
// Of one weight.
inline size_t BytesOf(WeightForm form) {
    return form == WeightForm::kImpact8 ? 1 : static_cast<size_t>(form);
}

struct ForwardCopy {
    // impacts: in place of weights, where that saves anything. The table is borrowed for them. The
    // same for every number of threads. kInterrupted.
    static Result<ForwardCopy> Build(const SparseRows& rows, const TermTable& terms, bool impacts,
                                     const std::vector<uint32_t>& terms_of_entries, int threads,
                                     Work* work);
    // kCorrupt unless every row is in normal form and its signs are those of its terms.
    Status Validate(const TermTable& table) const;
    // Of terms and weights as in QueryMarks: no score differs more from that of the true weights.
    double ScoreError(const std::vector<uint32_t>& terms, const std::vector<double>& weights) const;

    // places: room for kEntriesMax + kernels::kSelectSlack.
    RowScore Score(uint32_t row, const QueryMarks& query, uint32_t* places) const;
    void Fetch(uint32_t row) const;

    uint32_t rows() const { return static_cast<uint32_t>(offsets.size() - 1); }
    uint32_t TermAt(uint32_t entry) const {
        return wide_terms ? reinterpret_cast<const uint32_t*>(terms.data())[entry]
                          : reinterpret_cast<const uint16_t*>(terms.data())[entry];
    }
    float WeightAt(uint32_t entry) const;
    uint64_t memory_bytes() const {
        return offsets.size() * 4 + table.size() * 4 + terms.bytes() + weights.bytes();
    }

    std::vector<uint32_t> offsets{0};  // rows + 1
    bool wide_terms = false;
    WeightForm form = WeightForm::kTable8;
    std::vector<float> table;
    const TermTable* scales = nullptr;  // of impacts; NULL: there are weights
    Buffer terms;
    Buffer weights;

private:
    // Entries from `first` up to `end`, while it is built.
    void TakeTerms(const uint32_t* from, uint64_t first, uint64_t end);
    void TakeImpacts(const float* from, const uint32_t* terms_of, uint64_t first, uint64_t end);
    void TakeWeights(const float* from, uint64_t first, uint64_t end,
                     const std::unordered_map<uint32_t, uint16_t>& codes);
};

}  // namespace quern::sparse
