// The inverted side of neighbouring records of a log: at first as they come (OpenWindow), then,
// when a window is full, in runs that are added up quickly (LogWindow).
//
// Both know terms by hashing: a term is a dimension and the sign of its weights, and dimensions
// come from anywhere in 2^32. Both turn a query into sums that bound the scores of their records
// from above, in units of their own. Only terms that add to a score count: what others take away
// is left out, which keeps the bounds bounds.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/sparse/sparse_rows.h"
#include "engine/sparse/term_table.h"
#include "storage/base/buffer.h"

namespace quern::sparse {

// A record as it stands in the log, in normal form; count 0: nothing to find.
struct LogRow {
    const uint32_t* dimensions = nullptr;
    const float* weights = nullptr;
    size_t count = 0;
};

// Numbers inside a window fit 16 bits, and its sums the first cache.
inline constexpr uint32_t kLogWindowRows = 4096;

// A query on one window.
struct WindowPlan {
    struct Run {
        uint32_t place = 0;
        uint32_t count = 0;
        double factor = 0;    // query weight times what the run's impacts are in
        double most = 0;      // no record gets more from the run
        uint32_t weight = 0;  // the factor in units
        uint32_t bound = 0;   // the most in units
        uint8_t peak = 0;     // the largest impact; of an OpenWindow, which has none: 0
        double benefit = 0;   // of reading it: the most it adds, for its postings
    };
    // Those with most benefit first.
    std::vector<Run> runs;
    double unit = 0;   // of sums
    double most = 0;   // no score is higher
    double slack = 0;  // by how much roundings can lift a score above its sum
    // By how much a sum can be above its score, roundings apart, unless `mixed`.
    double excess = 0;
    // Some weights may take away from scores: those that are not above zero have no bound.
    bool mixed = false;
    // Sums that are less cannot belong to such a score. Never 0.
    uint32_t LeastSum(double score) const;
    // What a record scores at most and at least whose sum is this; at least: unless `mixed`.
    double Most(uint64_t sum) const { return static_cast<double>(sum) * unit + slack; }
    double Least(uint64_t sum) const { return static_cast<double>(sum) * unit - excess - slack; }

private:
    friend class OpenWindow;
    friend class LogWindow;
    void Start();
    // excess_of_run: by how much a posting can be above what it stands for.
    void Add(Run run, double most_of_run, double excess_of_run);
    void Finish(size_t query_entries, double magnitude);
};

// Confined.
class OpenWindow {
public:
    OpenWindow() { Clear(); }
    // The next record, which may be an empty one.
    void Append(const LogRow& row);
    uint32_t rows() const { return rows_; }
    bool full() const { return rows_ == kLogWindowRows; }
    uint64_t memory_bytes() const;
    void Clear();

    void Plan(const SparseVector& query, WindowPlan* plan) const;
    // sums: of kLogWindowRows records; zeros at first.
    void Add(const WindowPlan& plan, const WindowPlan::Run& run, uint32_t* sums) const;
    void Fetch(const WindowPlan::Run& run) const;

private:
    friend class LogWindow;
    // A cache line of postings; those of a term are a chain. Longer chains grow by more lines in a
    // row, so that reading them waits for memory less often.
    struct Chunk {
        static constexpr uint32_t kPostings = 10;
        uint32_t next = 0;
        float weights[kPostings] = {};
        uint16_t ids[kPostings] = {};
    };
    struct Term {
        uint64_t key = 0;
        WeightRange weights;
        uint32_t count = 0;
        uint32_t first = 0;  // chunks
        uint32_t last = 0;
        uint32_t spare = 0;  // that follow the last
    };
    void AddChunk(Term* term);
    uint32_t Find(uint64_t key) const;  // number of a term; UINT32_MAX: there is none
    Term& FindOrAdd(uint64_t key);
    void Grow();

    uint32_t rows_ = 0;
    bool negative_ = false;  // some weight is
    bool flat_ = true;       // all weights are 1
    std::vector<uint32_t> slots_;
    std::vector<Term> terms_;
    std::vector<Chunk> chunks_;
};

// Thread rule: immutable.
class LogWindow {
public:
    LogWindow(const OpenWindow& window, const std::shared_ptr<MemoryCounter>& memory);
    // What it will take.
    static uint64_t BytesOf(const OpenWindow& window);

    // Asks the processor for what Plan will look up.
    void FetchTerms(const SparseVector& query) const;
    void Plan(const SparseVector& query, WindowPlan* plan) const;
    void Add(const WindowPlan& plan, const WindowPlan::Run& run, uint32_t* sums) const;
    // Asks the processor for the postings.
    void Fetch(const WindowPlan::Run& run) const;

private:
    struct Slot {
        uint32_t dimension = 0;
        uint32_t place = 0;       // in pairs of bytes
        float scale = 0;          // of impacts
        uint16_t count : 15 = 0;  // 0: an empty slot
        uint16_t negative : 1 = 0;
        uint8_t peak = 0;  // the largest impact
    };
    // Looking one up takes one cache line.
    static_assert(sizeof(Slot) == 16 && kLogWindowRows < 1 << 15);
    const Slot* Find(uint64_t key) const;
    const Slot* slots() const { return reinterpret_cast<const Slot*>(slots_.data()); }

    bool negative_ = false;
    bool flat_ = false;  // runs have no impacts
    uint64_t slot_mask_ = 0;
    Buffer slots_;
    Buffer postings_;  // runs as posting_lists.h has them
};

}  // namespace quern::sparse
