#include "engine/sparse/text_lists.h"

#include <algorithm>

namespace quern::sparse {

void TextLists::Append(TextPosting posting, const std::vector<uint32_t>& lengths) {
    const uint16_t block = static_cast<uint16_t>(posting.row / kTextBlockRows);
    const uint8_t count =
        static_cast<uint8_t>(std::min<uint32_t>(posting.occurrences, kManyOccurrences));
    const uint16_t length =
        static_cast<uint16_t>(std::min<uint32_t>(lengths[posting.row], UINT16_MAX));
    const uint32_t place = static_cast<uint32_t>(rows_in_block.size());
    if (term_runs.back() == run_blocks.size() || run_blocks.back() != block) {
        run_begins.push_back(place);
        run_blocks.push_back(block);
        run_lengths.push_back(length);
        run_peaks.push_back(count);
    }
    run_lengths.back() = std::min(run_lengths.back(), length);
    run_peaks.back() = std::max(run_peaks.back(), count);
    rows_in_block.push_back(static_cast<uint16_t>(posting.row % kTextBlockRows));
    occurrences.push_back(count);
    if (count == kManyOccurrences) {
        many.emplace_back(place, posting.occurrences);
    }
}

void TextLists::Finish() {
    term_runs.push_back(static_cast<uint32_t>(run_blocks.size()));
    run_begins.push_back(static_cast<uint32_t>(rows_in_block.size()));
}

uint32_t TextLists::Many(uint32_t posting) const {
    return std::lower_bound(many.begin(), many.end(), std::make_pair(posting, uint32_t{0}))->second;
}

std::vector<TextPosting> TextLists::List(uint32_t term) const {
    std::vector<TextPosting> list;
    list.reserve(Count(term));
    for (uint32_t run = term_runs[term]; run < term_runs[term + 1]; run++) {
        for (uint32_t p = run_begins[run]; p < run_begins[run + 1]; p++) {
            list.push_back({run_blocks[run] * kTextBlockRows + rows_in_block[p], Occurrences(p)});
        }
    }
    return list;
}

}  // namespace quern::sparse
