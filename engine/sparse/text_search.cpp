#include "engine/sparse/text_search.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/sparse/text_clauses.h"
#include "storage/base/test_fault.h"

namespace quern::sparse {
namespace {

// Bounds are sums of numbers that are rounded as the scores' are, at most some thousand of them:
// this much is more than they can be too low.
constexpr double kBoundSlack = 1e-9;

bool HasBit(const uint64_t* bits, uint32_t row) {
    return (bits[row / 64] >> (row % 64) & 1) != 0;
}

uint64_t CountLive(const TextLists& lists, uint32_t term, const uint64_t* live) {
    if (live == nullptr || TestFault(Fault::kDeadCounted)) {
        return lists.Count(term);
    }
    uint64_t count = 0;
    for (uint32_t run = lists.term_runs[term]; run < lists.term_runs[term + 1]; run++) {
        const uint32_t first = lists.run_blocks[run] * kTextBlockRows;
        for (uint32_t p = lists.run_begins[run]; p < lists.run_begins[run + 1]; p++) {
            count += HasBit(live, first + lists.rows_in_block[p]) ? 1 : 0;
        }
    }
    return count;
}

std::vector<uint64_t> Marked(const TextLists* lists, uint32_t term, uint32_t records) {
    std::vector<uint64_t> bits(records / 64 + 1);
    if (lists != nullptr) {
        for (const TextPosting& posting : lists->List(term)) {
            bits[posting.row / 64] |= uint64_t{1} << (posting.row % 64);
        }
    }
    return bits;
}

}  // namespace

Status CheckBm25(const Bm25Options& options) {
    if (!std::isfinite(options.k1) || options.k1 < 0 || !(options.b >= 0 && options.b <= 1)) {
        return Status::Error(Code::kInvalid, "BM25: k1 must be at least 0, b from 0 to 1");
    }
    return {};
}

Result<PreparedText::ClauseList> PreparedText::Find(const TextClause& clause,
                                                    const TextIndex& index, Work* work) {
    ClauseList list;
    if (!clause.is_prefix && clause.terms.size() == 1) {
        list.term = index.dictionary().Find(clause.terms[0]);
        list.lists = list.term == TermDictionary::kNone ? nullptr : &index.lists();
        return list;
    }
    std::vector<TextPosting> postings;
    if (clause.is_prefix) {
        QUERN_ASSIGN(postings, PrefixPostings(index, clause, work));
    } else {
        QUERN_ASSIGN(postings, PhrasePostings(index, clause, work));
    }
    if (!postings.empty()) {
        list.own = std::make_unique<TextLists>();
        list.own->BeginTerm();
        for (const TextPosting& posting : postings) {
            list.own->Append(posting, index.lengths());
        }
        list.own->Finish();
        list.lists = list.own.get();
    }
    return list;
}

Result<std::unique_ptr<PreparedText>> PreparedText::Prepare(const TextQuery& query,
                                                            std::vector<TextSource> sources,
                                                            const TextStatistics& live,
                                                            const Bm25Options& options,
                                                            Work* work) {
    QUERN_TRY(CheckBm25(options));
    std::unique_ptr<PreparedText> out(new PreparedText(std::move(sources), Bm25(options, live)));
    out->frequencies_.resize(query.clauses.size());
    for (const TextSource& source : out->sources_) {
        std::vector<ClauseList>& lists = out->lists_.emplace_back();
        for (size_t c = 0; c < query.clauses.size(); c++) {
            QUERN_TRY(work->Check("text query", c, query.clauses.size()));
            QUERN_ASSIGN(ClauseList list, Find(query.clauses[c], *source.index, work));
            if (list.lists != nullptr) {
                out->frequencies_[c] += CountLive(*list.lists, list.term, source.live);
            }
            lists.push_back(std::move(list));
        }
    }
    for (size_t c = 0; c < query.clauses.size(); c++) {
        const TextClause& clause = query.clauses[c];
        if (!std::isfinite(clause.boost) || clause.boost <= 0) {
            return Status::Error(Code::kInvalid, "text query: a boost must be above 0");
        }
        out->occurs_.push_back(clause.occur);
        out->weights_.push_back(clause.occur == TextOccur::kMustNot
                                    ? 0
                                    : clause.boost * out->bm25_.Idf(out->frequencies_[c]));
    }
    return out;
}

// Which records may be found at all.
std::vector<uint64_t> PreparedText::Admitted(uint32_t source, const uint64_t* allowed) const {
    const uint32_t records = sources_[source].index->records();
    std::vector<uint64_t> bits(records / 64 + 1, ~uint64_t{0});
    const auto keep = [&](const uint64_t* mask) {
        for (size_t word = 0; mask != nullptr && word * 64 < records; word++) {
            bits[word] &= mask[word];
        }
    };
    keep(sources_[source].live);
    keep(allowed);
    for (size_t c = 0; c < occurs_.size(); c++) {
        if (occurs_[c] == TextOccur::kShould) {
            continue;
        }
        const ClauseList& list = lists_[source][c];
        std::vector<uint64_t> marked = Marked(list.lists, list.term, records);
        if (occurs_[c] == TextOccur::kMustNot) {
            for (uint64_t& word : marked) {
                word = ~word;
            }
        }
        keep(marked.data());
    }
    return bits;
}

// Of each superblock: what a score in it is at most; 0: nothing is there.
std::vector<double> PreparedText::Bounds(uint32_t source) const {
    const uint32_t records = sources_[source].index->records();
    std::vector<double> bounds(records / kTextBlockRows + 1);
    for (size_t c = 0; c < occurs_.size(); c++) {
        const ClauseList& list = lists_[source][c];
        if (list.lists == nullptr || occurs_[c] == TextOccur::kMustNot) {
            continue;
        }
        const TextLists& lists = *list.lists;
        for (uint32_t run = lists.term_runs[list.term]; run < lists.term_runs[list.term + 1];
             run++) {
            const uint8_t peak = lists.run_peaks[run];
            bounds[lists.run_blocks[run]] +=
                weights_[c] *
                (peak == kManyOccurrences ? 1 : bm25_.Impact(peak, lists.run_lengths[run]));
        }
    }
    for (double& bound : bounds) {
        bound *= 1 + kBoundSlack;
    }
    return bounds;
}

uint64_t PreparedText::AddBlock(uint32_t source, uint32_t block, double* sums) const {
    uint64_t postings = 0;
    const uint32_t* const lengths =
        sources_[source].index->lengths().data() + size_t{block} * kTextBlockRows;
    for (size_t c = 0; c < occurs_.size(); c++) {
        const ClauseList& list = lists_[source][c];
        if (list.lists == nullptr || occurs_[c] == TextOccur::kMustNot) {
            continue;
        }
        const TextLists& lists = *list.lists;
        const auto first = lists.run_blocks.begin() + lists.term_runs[list.term];
        const auto end = lists.run_blocks.begin() + lists.term_runs[list.term + 1];
        const auto found = std::lower_bound(first, end, static_cast<uint16_t>(block));
        if (found == end || *found != block) {
            continue;
        }
        const size_t run = static_cast<size_t>(found - lists.run_blocks.begin());
        const double weight = weights_[c];
        for (uint32_t p = lists.run_begins[run]; p < lists.run_begins[run + 1]; p++) {
            const uint16_t row = lists.rows_in_block[p];
            sums[row] += weight * bm25_.Impact(lists.Occurrences(p), lengths[row]);
        }
        postings += lists.run_begins[run + 1] - lists.run_begins[run];
    }
    return postings;
}

// Where a record stands in a list.
std::optional<uint32_t> PreparedText::PostingOf(const ClauseList& list, uint32_t row) {
    if (list.lists == nullptr) {
        return std::nullopt;
    }
    const TextLists& lists = *list.lists;
    const auto first = lists.run_blocks.begin() + lists.term_runs[list.term];
    const auto end = lists.run_blocks.begin() + lists.term_runs[list.term + 1];
    const auto block = static_cast<uint16_t>(row / kTextBlockRows);
    const auto found = std::lower_bound(first, end, block);
    if (found == end || *found != block) {
        return std::nullopt;
    }
    const auto run = static_cast<size_t>(found - lists.run_blocks.begin());
    const auto begin = lists.rows_in_block.begin() + lists.run_begins[run];
    const auto last = lists.rows_in_block.begin() + lists.run_begins[run + 1];
    const auto place = std::lower_bound(begin, last, static_cast<uint16_t>(row % kTextBlockRows));
    return place == last || *place != row % kTextBlockRows
               ? std::nullopt
               : std::optional<uint32_t>(
                     static_cast<uint32_t>(place - lists.rows_in_block.begin()));
}

void PreparedText::ScoreRows(uint32_t source, const uint32_t* rows, size_t count,
                             double* scores) const {
    const TextSource& of = sources_[source];
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        bool admitted = of.live == nullptr || HasBit(of.live, rows[i]);
        for (size_t c = 0; c < occurs_.size() && admitted; c++) {
            const ClauseList& list = lists_[source][c];
            const std::optional<uint32_t> posting = PostingOf(list, rows[i]);
            if (occurs_[c] == TextOccur::kMustNot) {
                admitted = !posting;
            } else if (posting) {
                sum += weights_[c] * bm25_.Impact(list.lists->Occurrences(*posting),
                                                  of.index->lengths()[rows[i]]);
            } else {
                admitted = occurs_[c] == TextOccur::kShould || TestFault(Fault::kMustForgotten);
            }
        }
        scores[i] = admitted && sum > 0 ? sum : std::numeric_limits<double>::quiet_NaN();
    }
}

std::vector<TextPart> PreparedText::Parts(uint32_t source, uint32_t row) const {
    std::vector<TextPart> parts;
    double score = 0;
    ScoreRows(source, &row, 1, &score);
    for (size_t c = 0; c < occurs_.size() && !std::isnan(score); c++) {
        const ClauseList& list = lists_[source][c];
        const std::optional<uint32_t> posting = PostingOf(list, row);
        if (posting && occurs_[c] != TextOccur::kMustNot) {
            const uint32_t occurrences = list.lists->Occurrences(*posting);
            const uint32_t length = sources_[source].index->lengths()[row];
            parts.push_back({c, weights_[c], occurrences, bm25_.Impact(occurrences, length)});
        }
    }
    return parts;
}

Status PreparedText::Search(uint32_t source, const uint64_t* allowed, TopHits* hits, Work* work,
                            TextEffort* effort) const {
    const uint32_t records = sources_[source].index->records();
    if (hits->k() == 0) {
        return {};
    }
    const std::vector<double> bounds = Bounds(source);
    std::vector<uint32_t> order(bounds.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return bounds[a] > bounds[b]; });
    const std::vector<uint64_t> admitted = Admitted(source, allowed);
    std::vector<double> sums(kTextBlockRows);
    TextEffort own;
    TextEffort& spent = effort != nullptr ? *effort : own;
    spent.blocks += static_cast<uint64_t>(
        std::count_if(bounds.begin(), bounds.end(), [](double bound) { return bound > 0; }));
    for (const uint32_t block : order) {
        // A record's score is above 0 when it has any clause: idf and impact are.
        if (bounds[block] <= 0 || bounds[block] < hits->Threshold()) {
            break;
        }
        if (spent.scored >= spent.scored_max) {
            spent.cut = true;
            break;
        }
        std::fill(sums.begin(), sums.end(), 0.0);
        spent.opened++;
        spent.postings += AddBlock(source, block, sums.data());
        const uint32_t first = block * kTextBlockRows;
        const uint32_t count = std::min(kTextBlockRows, records - first);
        double threshold = hits->Threshold();
        uint64_t scored = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (!(sums[i] > 0) || !HasBit(admitted.data(), first + i)) {
                continue;
            }
            scored++;
            if (sums[i] >= threshold) {
                hits->Push({sums[i], source, first + i});
                threshold = hits->Threshold();
            }
        }
        spent.scored += scored;
        QUERN_TRY(work->Check("text search", block, order.size()));
    }
    return {};
}

}  // namespace quern::sparse
