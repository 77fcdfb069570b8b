#include "engine/sparse/row_order.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "engine/sparse/term_table.h"
#include "storage/base/parallel.h"

namespace quern::sparse {

namespace {

// Terms of fewer rows move nothing.
constexpr uint32_t kRowsOfTermMin = 8;
// A round that moves fewer than one row in so many is the last.
constexpr size_t kMovedShare = 500;

// The heaviest entries of each row, as terms.
struct TermRows {
    std::vector<uint32_t> offsets{0};
    std::vector<uint32_t> terms;
    size_t term_count = 0;
};

TermRows HeaviestTerms(const SparseRows& rows, size_t entries) {
    std::vector<uint32_t> terms_of_entries;
    TermRows result;
    result.term_count = TermTable::Learn(rows, &terms_of_entries).size();
    std::vector<uint32_t> rows_of_term(result.term_count, 0);
    for (const uint32_t term : terms_of_entries) {
        rows_of_term[term]++;
    }
    const uint64_t base = rows.count == 0 ? 0 : rows.offsets[0];
    std::vector<std::pair<float, uint32_t>> row;
    for (size_t i = 0; i < rows.count; i++) {
        row.clear();
        for (uint64_t at = rows.offsets[i]; at < rows.offsets[i + 1]; at++) {
            const uint32_t term = terms_of_entries[at - base];
            if (rows_of_term[term] >= kRowsOfTermMin && rows_of_term[term] * 2ull <= rows.count) {
                row.emplace_back(-std::fabs(rows.weights[at]), term);
            }
        }
        if (row.size() > entries) {
            std::nth_element(row.begin(), row.begin() + static_cast<ptrdiff_t>(entries), row.end());
            row.resize(entries);
        }
        for (const auto& [weight, term] : row) {
            result.terms.push_back(term);
        }
        result.offsets.push_back(static_cast<uint32_t>(result.terms.size()));
    }
    return result;
}

// Splits one range of rows. Confined.
class Bisector {
public:
    explicit Bisector(const TermRows& rows)
        : rows_(rows),
          left_(rows.term_count, 0),
          right_(rows.term_count, 0),
          to_right_(rows.term_count, 0),
          to_left_(rows.term_count, 0) {}

    Status Split(uint32_t* first, size_t middle, size_t count, uint32_t rounds, Work* work) {
        for (uint32_t round = 0; round < rounds; round++) {
            QUERN_TRY(work->Check("sparse order", 0, 0));
            CountTerms(first, middle, count);
            FindGains(middle, count - middle);
            GainsOf(first, 0, middle, to_right_, &moving_right_);
            GainsOf(first, middle, count, to_left_, &moving_left_);
            size_t moved = 0;
            while (moved < std::min(moving_right_.size(), moving_left_.size()) &&
                   moving_right_[moved].first + moving_left_[moved].first > 0) {
                std::swap(first[moving_right_[moved].second], first[moving_left_[moved].second]);
                moved++;
            }
            if (moved * kMovedShare <= count) {
                break;
            }
        }
        return {};
    }

private:
    void CountTerms(const uint32_t* first, size_t middle, size_t count) {
        for (const uint32_t term : touched_) {
            left_[term] = 0;
            right_[term] = 0;
        }
        touched_.clear();
        for (size_t i = 0; i < count; i++) {
            std::vector<uint32_t>& side = i < middle ? left_ : right_;
            for (uint32_t at = rows_.offsets[first[i]]; at < rows_.offsets[first[i] + 1]; at++) {
                const uint32_t term = rows_.terms[at];
                if (left_[term] + right_[term] == 0) {
                    touched_.push_back(term);
                }
                side[term]++;
            }
        }
    }

    // About the bits that a list of `in` of `of` rows takes, gap by gap.
    static float Cost(uint32_t in, size_t of) {
        return static_cast<float>(in) *
               std::log2(static_cast<float>(of) / (static_cast<float>(in) + 1.0f));
    }

    void FindGains(size_t on_left, size_t on_right) {
        for (const uint32_t term : touched_) {
            const uint32_t l = left_[term];
            const uint32_t r = right_[term];
            const float now = Cost(l, on_left) + Cost(r, on_right);
            to_right_[term] = l == 0 ? 0 : now - Cost(l - 1, on_left) - Cost(r + 1, on_right);
            to_left_[term] = r == 0 ? 0 : now - Cost(l + 1, on_left) - Cost(r - 1, on_right);
        }
    }

    // What moving each row to the other side saves, the most first.
    void GainsOf(const uint32_t* first, size_t from, size_t to, const std::vector<float>& gains,
                 std::vector<std::pair<float, uint32_t>>* out) const {
        out->clear();
        for (size_t i = from; i < to; i++) {
            float gain = 0;
            for (uint32_t at = rows_.offsets[first[i]]; at < rows_.offsets[first[i] + 1]; at++) {
                gain += gains[rows_.terms[at]];
            }
            out->emplace_back(gain, static_cast<uint32_t>(i));
        }
        std::sort(out->begin(), out->end(), [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        });
    }

    const TermRows& rows_;
    std::vector<uint32_t> left_;
    std::vector<uint32_t> right_;
    std::vector<float> to_right_;
    std::vector<float> to_left_;
    std::vector<uint32_t> touched_;
    std::vector<std::pair<float, uint32_t>> moving_right_;
    std::vector<std::pair<float, uint32_t>> moving_left_;
};

}  // namespace

Result<std::vector<uint32_t>> OrderRows(const SparseRows& rows, const OrderOptions& options,
                                        Work* work) {
    const TermRows term_rows = HeaviestTerms(rows, options.entries);
    std::vector<uint32_t> order(rows.count);
    std::iota(order.begin(), order.end(), 0u);
    const size_t block = options.block_rows;
    std::vector<std::pair<size_t, size_t>> ranges{{0, rows.count}};
    while (!ranges.empty()) {
        std::atomic<size_t> next{0};
        QUERN_TRY(RunOnThreads(
            std::min<int>(options.threads, static_cast<int>(ranges.size())), [&](int) -> Status {
                Bisector bisector(term_rows);
                for (size_t i = next++; i < ranges.size(); i = next++) {
                    const auto [from, to] = ranges[i];
                    if (to - from > block) {
                        // Halves of whole superblocks.
                        const size_t middle = ((to - from - 1) / block + 1) / 2 * block;
                        QUERN_TRY(bisector.Split(order.data() + from, middle, to - from,
                                                 options.rounds, work));
                    }
                }
                return {};
            }));
        std::vector<std::pair<size_t, size_t>> halves;
        for (const auto& [from, to] : ranges) {
            if (to - from > block) {
                const size_t middle = from + ((to - from - 1) / block + 1) / 2 * block;
                halves.emplace_back(from, middle);
                halves.emplace_back(middle, to);
            }
        }
        ranges = std::move(halves);
    }
    for (size_t from = 0; from < order.size(); from += block) {
        std::sort(order.begin() + static_cast<ptrdiff_t>(from),
                  order.begin() + static_cast<ptrdiff_t>(std::min(from + block, order.size())));
    }
    return order;
}

bool NamesEveryRow(const std::vector<uint32_t>& order) {
    std::vector<bool> seen(order.size());
    for (const uint32_t row : order) {
        if (row >= seen.size() || seen[row]) {
            return false;
        }
        seen[row] = true;
    }
    return true;
}

}  // namespace quern::sparse
