#include "engine/sparse/row_order.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <numeric>

#include "engine/sparse/row_shares.h"
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

Result<TermRows> HeaviestTerms(const SparseRows& rows, size_t entries, int threads, Work* work) {
    std::vector<uint32_t> terms_of_entries;
    TermRows result;
    QUERN_ASSIGN(const TermTable table, TermTable::Learn(rows, threads, work, &terms_of_entries));
    result.term_count = table.size();
    std::vector<uint32_t> rows_of_term(result.term_count, 0);
    for (const uint32_t term : terms_of_entries) {
        rows_of_term[term]++;
    }
    const uint64_t base = rows.count == 0 ? 0 : rows.offsets[0];
    const auto counts = [&](uint64_t at) {
        const uint32_t in = rows_of_term[terms_of_entries[at - base]];
        return in >= kRowsOfTermMin && in * 2ull <= rows.count;
    };
    const RowShares shares(rows, threads);
    // First how many each row has, then where they go.
    result.offsets.resize(rows.count + 1, 0);
    QUERN_TRY(shares.Run([&](const RowShare& share) -> Status {
        for (size_t i = share.first; i < share.end; i++) {
            size_t count = 0;
            for (uint64_t at = rows.offsets[i]; at < rows.offsets[i + 1]; at++) {
                count += counts(at) ? 1 : 0;
            }
            result.offsets[i + 1] = static_cast<uint32_t>(std::min(count, entries));
        }
        return work->Check("sparse order", 0, 0);
    }));
    std::partial_sum(result.offsets.begin(), result.offsets.end(), result.offsets.begin());
    result.terms.resize(result.offsets.back());
    QUERN_TRY(shares.Run([&](const RowShare& share) -> Status {
        std::vector<std::pair<float, uint32_t>> row;
        for (size_t i = share.first; i < share.end; i++) {
            row.clear();
            for (uint64_t at = rows.offsets[i]; at < rows.offsets[i + 1]; at++) {
                if (counts(at)) {
                    row.emplace_back(-std::fabs(rows.weights[at]), terms_of_entries[at - base]);
                }
            }
            const size_t kept = result.offsets[i + 1] - result.offsets[i];
            if (kept < row.size()) {
                std::nth_element(row.begin(), row.begin() + static_cast<ptrdiff_t>(kept),
                                 row.end());
            }
            for (size_t e = 0; e < kept; e++) {
                result.terms[result.offsets[i] + e] = row[e].second;
            }
        }
        return work->Check("sparse order", 0, 0);
    }));
    return result;
}

// Splits one range of rows, on two threads if it may: one for the rows of each side. Confined.
class Bisector {
public:
    Bisector(const TermRows& rows, bool two_threads)
        : rows_(rows),
          threads_(two_threads ? 2 : 1),
          sides_{Side(rows.term_count), Side(rows.term_count)} {}

    Status Split(uint32_t* first, size_t middle, size_t count, uint32_t rounds, Work* work) {
        for (uint32_t round = 0; round < rounds; round++) {
            QUERN_TRY(work->Check("sparse order", 0, 0));
            QUERN_TRY(OnSides([&](size_t side) {
                CountTerms(first, side == 0 ? 0 : middle, side == 0 ? middle : count,
                           &sides_[side]);
            }));
            FindGains(middle, count - middle);
            QUERN_TRY(OnSides([&](size_t side) {
                GainsOf(first, side == 0 ? 0 : middle, side == 0 ? middle : count, &sides_[side]);
            }));
            const Moving& to_right = sides_[0].moving;
            const Moving& to_left = sides_[1].moving;
            size_t moved = 0;
            while (moved < std::min(to_right.size(), to_left.size()) &&
                   to_right[moved].first + to_left[moved].first > 0) {
                std::swap(first[to_right[moved].second], first[to_left[moved].second]);
                moved++;
            }
            if (moved * kMovedShare <= count) {
                break;
            }
        }
        return {};
    }

private:
    using Moving = std::vector<std::pair<float, uint32_t>>;  // what it saves, which row
    struct Side {
        explicit Side(size_t terms) : counts(terms, 0), gains(terms, 0) {}
        std::vector<uint32_t> counts;  // rows of each term
        std::vector<uint32_t> touched;
        std::vector<float> gains;  // of moving a row of each term to the other side
        Moving moving;
    };

    Status OnSides(const std::function<void(size_t)>& body) {
        std::atomic<size_t> next{0};
        return RunOnThreads(threads_, [&](int) -> Status {
            for (size_t side = next++; side < 2; side = next++) {
                body(side);
            }
            return {};
        });
    }

    void CountTerms(const uint32_t* first, size_t from, size_t to, Side* side) const {
        for (const uint32_t term : side->touched) {
            side->counts[term] = 0;
        }
        side->touched.clear();
        for (size_t i = from; i < to; i++) {
            for (uint32_t at = rows_.offsets[first[i]]; at < rows_.offsets[first[i] + 1]; at++) {
                const uint32_t term = rows_.terms[at];
                if (side->counts[term]++ == 0) {
                    side->touched.push_back(term);
                }
            }
        }
    }

    // About the bits that a list of `in` of `of` rows takes, gap by gap.
    static float Cost(uint32_t in, size_t of) {
        return static_cast<float>(in) *
               std::log2(static_cast<float>(of) / (static_cast<float>(in) + 1.0f));
    }

    void FindGains(size_t on_left, size_t on_right) {
        const auto find = [&](uint32_t term) {
            const uint32_t l = sides_[0].counts[term];
            const uint32_t r = sides_[1].counts[term];
            const float now = Cost(l, on_left) + Cost(r, on_right);
            sides_[0].gains[term] = l == 0 ? 0 : now - Cost(l - 1, on_left) - Cost(r + 1, on_right);
            sides_[1].gains[term] = r == 0 ? 0 : now - Cost(l + 1, on_left) - Cost(r - 1, on_right);
        };
        for (const uint32_t term : sides_[0].touched) {
            find(term);
        }
        for (const uint32_t term : sides_[1].touched) {
            if (sides_[0].counts[term] == 0) {
                find(term);
            }
        }
    }

    // What moving each row to the other side saves, the most first.
    void GainsOf(const uint32_t* first, size_t from, size_t to, Side* side) const {
        side->moving.clear();
        for (size_t i = from; i < to; i++) {
            float gain = 0;
            for (uint32_t at = rows_.offsets[first[i]]; at < rows_.offsets[first[i] + 1]; at++) {
                gain += side->gains[rows_.terms[at]];
            }
            side->moving.emplace_back(gain, static_cast<uint32_t>(i));
        }
        std::sort(side->moving.begin(), side->moving.end(), [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        });
    }

    const TermRows& rows_;
    const int threads_;
    Side sides_[2];
};

}  // namespace

Result<std::vector<uint32_t>> OrderRows(const SparseRows& rows, const OrderOptions& options,
                                        Work* work) {
    QUERN_ASSIGN(const TermRows term_rows,
                 HeaviestTerms(rows, options.entries, options.threads, work));
    std::vector<uint32_t> order(rows.count);
    std::iota(order.begin(), order.end(), 0u);
    const size_t block = options.block_rows;
    std::vector<std::pair<size_t, size_t>> ranges{{0, rows.count}};
    while (!ranges.empty()) {
        std::atomic<size_t> next{0};
        const auto workers = static_cast<int>(
            std::min(static_cast<size_t>(std::max(options.threads, 1)), ranges.size()));
        const bool two_threads = options.threads >= 2 * workers;
        QUERN_TRY(RunOnThreads(workers, [&](int) -> Status {
            Bisector bisector(term_rows, two_threads);
            for (size_t i = next++; i < ranges.size(); i = next++) {
                const auto [from, to] = ranges[i];
                if (to - from > block) {
                    // Halves of whole superblocks.
                    const size_t middle = ((to - from - 1) / block + 1) / 2 * block;
                    QUERN_TRY(bisector.Split(order.data() + from, middle, to - from, options.rounds,
                                             work));
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
