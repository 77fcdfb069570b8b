// How lists are made: which postings stand in them, their blocks, and the summaries of these.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "engine/sparse/heavy_lists.h"
#include "storage/base/parallel.h"

namespace quern::sparse {

namespace {

// Weights are told apart so finely when the heaviest postings are looked for.
constexpr size_t kWeightClasses = 4096;
constexpr size_t kTermsOfBatch = 64;
// Of a list: their numbers have 16 bits.
constexpr uint32_t kBuiltBlocksMax = 65535;
constexpr float kSummaryLevels = 255;

struct Heavy {
    float weight = 0;
    uint32_t position = 0;
};

// The heaviest postings, by term.
struct HeavyPostings {
    std::vector<uint64_t> offsets;
    std::vector<Heavy> postings;
    float weight_max = 0;
};

HeavyPostings FindHeaviest(const ForwardCopy& forward, size_t terms, double share) {
    HeavyPostings lists;
    const uint32_t entries = forward.offsets.back();
    for (uint32_t i = 0; i < entries; i++) {
        lists.weight_max = std::max(lists.weight_max, forward.WeightAt(i));
    }
    const float scale =
        lists.weight_max > 0 ? static_cast<float>(kWeightClasses - 1) / lists.weight_max : 0;
    const auto class_of = [&](float weight) { return static_cast<size_t>(weight * scale); };
    std::vector<uint64_t> counts(kWeightClasses, 0);
    for (uint32_t i = 0; i < entries; i++) {
        if (forward.WeightAt(i) > 0) {
            counts[class_of(forward.WeightAt(i))]++;
        }
    }
    size_t least = kWeightClasses - 1;
    uint64_t kept = counts[least];
    while (least > 0 &&
           static_cast<double>(kept + counts[least - 1]) <= share * static_cast<double>(entries)) {
        kept += counts[--least];
    }
    const auto is_heavy = [&](float weight) { return weight > 0 && class_of(weight) >= least; };
    lists.offsets.assign(terms + 1, 0);
    for (uint32_t i = 0; i < entries; i++) {
        lists.offsets[forward.TermAt(i) + 1] += is_heavy(forward.WeightAt(i)) ? 1 : 0;
    }
    for (size_t term = 0; term + 1 < lists.offsets.size(); term++) {
        lists.offsets[term + 1] += lists.offsets[term];
    }
    lists.postings.resize(lists.offsets.back());
    std::vector<uint64_t> next(lists.offsets.begin(), lists.offsets.end() - 1);
    for (uint32_t row = 0; row < forward.rows(); row++) {
        for (uint32_t i = forward.offsets[row]; i < forward.offsets[row + 1]; i++) {
            if (is_heavy(forward.WeightAt(i))) {
                lists.postings[next[forward.TermAt(i)]++] = {forward.WeightAt(i), row};
            }
        }
    }
    return lists;
}

// What a batch of terms becomes.
struct Batch {
    std::vector<uint32_t> blocks_of_terms;
    std::vector<uint32_t> members_of_blocks;
    std::vector<uint32_t> members;
    // Of summaries: how many terms each list has, the terms, how many entries each has, these.
    std::vector<uint32_t> terms_of_lists;
    std::vector<uint32_t> terms;
    std::vector<uint32_t> entries_of_terms;
    std::vector<uint16_t> blocks;
    std::vector<uint8_t> levels;
};

// Confined.
class BlockMaker {
public:
    BlockMaker(const ForwardCopy& forward, size_t terms, const HeavyListOptions& options,
               float weight_max)
        : forward_(forward),
          options_(options),
          step_(weight_max / kSummaryLevels),
          largest_(terms, 0) {}

    void AddTerm(Heavy* postings, size_t count, Batch* batch) {
        if (count > options_.list_max) {
            std::nth_element(postings, postings + options_.list_max, postings + count,
                             [](const Heavy& a, const Heavy& b) {
                                 return a.weight != b.weight ? a.weight > b.weight
                                                             : a.position < b.position;
                             });
            count = options_.list_max;
        }
        std::sort(postings, postings + count,
                  [](const Heavy& a, const Heavy& b) { return a.position < b.position; });
        const size_t blocks = (count + options_.block_rows - 1) / options_.block_rows;
        entries_.clear();
        for (size_t block = 0; block < blocks; block++) {
            AddBlock(postings + count * block / blocks, postings + count * (block + 1) / blocks,
                     static_cast<uint32_t>(block), batch);
        }
        batch->blocks_of_terms.push_back(static_cast<uint32_t>(blocks));
        AddSummaries(batch);
    }

private:
    void AddBlock(const Heavy* from, const Heavy* to, uint32_t block, Batch* batch) {
        touched_.clear();
        for (const Heavy* posting = from; posting < to; posting++) {
            batch->members.push_back(posting->position);
            const uint32_t end = forward_.offsets[posting->position + 1];
            for (uint32_t i = forward_.offsets[posting->position]; i < end; i++) {
                const uint32_t term = forward_.TermAt(i);
                const float weight = forward_.WeightAt(i);
                if (weight > 0) {
                    if (largest_[term] == 0) {
                        touched_.push_back(term);
                    }
                    largest_[term] = std::max(largest_[term], weight);
                }
            }
        }
        std::sort(touched_.begin(), touched_.end(), [this](uint32_t a, uint32_t b) {
            return largest_[a] != largest_[b] ? largest_[a] > largest_[b] : a < b;
        });
        double mass = 0;
        for (const uint32_t term : touched_) {
            mass += static_cast<double>(largest_[term]);
        }
        double left = mass * options_.summary_share;
        size_t kept = 0;
        while (kept < touched_.size() && left > 0) {
            left -= static_cast<double>(largest_[touched_[kept++]]);
        }
        for (size_t i = 0; i < kept; i++) {
            const float level = std::min(std::ceil(largest_[touched_[i]] / step_), kSummaryLevels);
            entries_.push_back(uint64_t{touched_[i]} << 32 | block << 8 |
                               static_cast<uint32_t>(level));
        }
        for (const uint32_t term : touched_) {
            largest_[term] = 0;
        }
        batch->members_of_blocks.push_back(static_cast<uint32_t>(to - from));
    }

    void AddSummaries(Batch* batch) {
        std::sort(entries_.begin(), entries_.end());
        uint32_t terms = 0;
        for (size_t i = 0; i < entries_.size(); i++) {
            if (i == 0 || entries_[i] >> 32 != entries_[i - 1] >> 32) {
                batch->terms.push_back(static_cast<uint32_t>(entries_[i] >> 32));
                batch->entries_of_terms.push_back(0);
                terms++;
            }
            batch->entries_of_terms.back()++;
            batch->blocks.push_back(static_cast<uint16_t>(entries_[i] >> 8));
            batch->levels.push_back(static_cast<uint8_t>(entries_[i]));
        }
        batch->terms_of_lists.push_back(terms);
    }

    const ForwardCopy& forward_;
    const HeavyListOptions& options_;
    const float step_;
    std::vector<float> largest_;  // weight of each term in the block
    std::vector<uint32_t> touched_;
    std::vector<uint64_t> entries_;  // of summaries of a list: term, block, level
};

// Each of the counts, added to the last start.
void AppendStarts(const std::vector<uint32_t>& counts, std::vector<uint32_t>* starts) {
    for (const uint32_t count : counts) {
        starts->push_back(starts->back() + count);
    }
}

template <typename T>
void Append(const std::vector<T>& from, std::vector<T>* to) {
    to->insert(to->end(), from.begin(), from.end());
}

}  // namespace

Result<HeavyLists> HeavyLists::Build(const ForwardCopy& forward, size_t terms,
                                     const HeavyListOptions& options, Work* work) {
    if (options.block_rows == 0 || options.list_max == 0 ||
        options.list_max / options.block_rows >= kBuiltBlocksMax) {
        return Status::Error(Code::kOption, "blocks of %u records in lists of %u",
                             options.block_rows, options.list_max);
    }
    HeavyPostings heavy = FindHeaviest(forward, terms, options.postings_share);
    std::vector<Batch> batches((terms + kTermsOfBatch - 1) / kTermsOfBatch);
    std::atomic<size_t> next{0};
    QUERN_TRY(RunOnThreads(options.threads, [&](int) -> Status {
        BlockMaker maker(forward, terms, options, heavy.weight_max);
        for (size_t batch = next++; batch < batches.size(); batch = next++) {
            QUERN_TRY(work->Check("sparse lists", batch, batches.size()));
            const size_t end = std::min(terms, (batch + 1) * kTermsOfBatch);
            for (size_t term = batch * kTermsOfBatch; term < end; term++) {
                maker.AddTerm(heavy.postings.data() + heavy.offsets[term],
                              heavy.offsets[term + 1] - heavy.offsets[term], &batches[batch]);
            }
        }
        return {};
    }));
    HeavyLists made;
    made.step = heavy.weight_max / kSummaryLevels;
    heavy = {};
    for (auto* const starts :
         {&made.term_blocks, &made.block_members, &made.list_terms, &made.summary_first}) {
        starts->push_back(0);
    }
    uint64_t entries = 0;
    for (Batch& batch : batches) {
        AppendStarts(batch.blocks_of_terms, &made.term_blocks);
        AppendStarts(batch.members_of_blocks, &made.block_members);
        AppendStarts(batch.terms_of_lists, &made.list_terms);
        AppendStarts(batch.entries_of_terms, &made.summary_first);
        Append(batch.members, &made.members);
        Append(batch.terms, &made.summary_terms);
        Append(batch.blocks, &made.summary_blocks);
        Append(batch.levels, &made.summary_levels);
        entries += batch.levels.size();
        if (entries > UINT32_MAX) {
            return Status::Error(Code::kLimit, "summaries of more than 2^32 entries");
        }
        batch = {};
    }
    return made;
}

}  // namespace quern::sparse
