#include "engine/sparse/heavy_lists.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/impact_window.h"
#include "engine/sparse/bad_sparse.h"

namespace quern::sparse {

namespace {

// Blocks of a list, so that their numbers fit 16 bits and a window of them what one of records
// does.
constexpr uint32_t kBlocksMax = 65536;

// From zero up to `end`, never down.
bool IsAscending(const std::vector<uint32_t>& starts, size_t size, size_t end) {
    return starts.size() == size && starts.front() == 0 && starts.back() == end &&
           std::is_sorted(starts.begin(), starts.end());
}

}  // namespace

size_t HeavyLists::AddSummaries(uint32_t list, const std::vector<uint32_t>& terms,
                                const std::vector<uint32_t>& units,
                                std::vector<uint32_t>* sums) const {
    const size_t blocks = term_blocks[list + 1] - term_blocks[list];
    const size_t padded =
        (blocks + kernels::kWindowAlign - 1) / kernels::kWindowAlign * kernels::kWindowAlign;
    sums->resize(std::max(sums->size(), padded));
    std::fill_n(sums->data(), padded, 0u);
    auto at = summary_terms.begin() + list_terms[list];
    const auto end = summary_terms.begin() + list_terms[list + 1];
    for (size_t i = 0; i < terms.size() && at != end; i++) {
        at = std::lower_bound(at, end, terms[i]);
        if (at != end && *at == terms[i]) {
            const auto place = static_cast<size_t>(at - summary_terms.begin());
            const uint32_t first = summary_first[place];
            kernels::AddRun(summary_blocks.data() + first, summary_levels.data() + first,
                            summary_first[place + 1] - first, units[i], sums->data());
        }
    }
    return padded;
}

void HeavyLists::Fetch(uint32_t list) const {
    __builtin_prefetch(term_blocks.data() + list);
    __builtin_prefetch(list_terms.data() + list);
}

Status HeavyLists::Validate(size_t terms, uint32_t rows) const {
    if (!std::isfinite(step) || step < 0 || term_blocks.size() != terms + 1 ||
        block_members.empty() || list_terms.size() != terms + 1 ||
        summary_blocks.size() != summary_levels.size() ||
        !IsAscending(term_blocks, terms + 1, block_members.size() - 1) ||
        !IsAscending(block_members, block_members.size(), members.size()) ||
        !IsAscending(list_terms, terms + 1, summary_terms.size()) ||
        !IsAscending(summary_first, summary_terms.size() + 1, summary_blocks.size())) {
        return BadIndex("its lists have the wrong size");
    }
    for (const uint32_t member : members) {
        if (member >= rows) {
            return BadIndex("a list has a record that is not there");
        }
    }
    for (size_t list = 0; list < terms; list++) {
        const uint32_t blocks = term_blocks[list + 1] - term_blocks[list];
        if (blocks > kBlocksMax) {
            return BadIndex("a list has too many blocks");
        }
        const uint32_t first = summary_first[list_terms[list]];
        const uint32_t end = summary_first[list_terms[list + 1]];
        for (uint32_t i = first; i < end; i++) {
            if (summary_blocks[i] >= blocks) {
                return BadIndex("a summary is of a block that is not there");
            }
        }
    }
    return {};
}

}  // namespace quern::sparse
