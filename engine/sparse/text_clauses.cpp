#include "engine/sparse/text_clauses.h"

#include <algorithm>

namespace quern::sparse {
namespace {

// Where the phrase begins in a record, as far as it has been followed.
struct Begins {
    uint32_t row = 0;
    std::vector<uint32_t> positions;
};

std::vector<Begins> AllBegins(const TextIndex& index, uint32_t term) {
    const std::vector<TextPosting> list = index.lists().List(term);
    std::vector<std::vector<uint32_t>> positions = index.Positions(term);
    std::vector<Begins> out;
    out.reserve(list.size());
    for (size_t i = 0; i < list.size(); i++) {
        out.push_back({list[i].row, std::move(positions[i])});
    }
    return out;
}

// Of `positions`, those with one of `others` at the distance.
void KeepFollowed(uint32_t distance, const std::vector<uint32_t>& others,
                  std::vector<uint32_t>* positions) {
    size_t kept = 0;
    auto other = others.begin();
    for (const uint32_t position : *positions) {
        other = std::lower_bound(other, others.end(), position + distance);
        if (other != others.end() && *other == position + distance) {
            (*positions)[kept++] = position;
        }
    }
    positions->resize(kept);
}

}  // namespace

Result<std::vector<TextPosting>> PrefixPostings(const TextIndex& index, const TextClause& prefix,
                                                Work* work) {
    const auto [first, end] = index.dictionary().PrefixRange(prefix.terms[0]);
    std::vector<uint32_t> synonyms;
    for (const std::string& synonym : prefix.synonyms) {
        const uint32_t term = index.dictionary().Find(synonym);
        if (term != TermDictionary::kNone) {
            synonyms.push_back(term);
        }
    }
    // One counter a record: a short prefix has most of the dictionary's postings.
    const size_t begins = first < end ? end - first : 0;
    const size_t terms = begins + synonyms.size();
    std::vector<uint32_t> occurrences(terms > 0 ? index.records() : 0);
    for (size_t i = 0; i < terms; i++) {
        QUERN_TRY(work->Check("text prefix", i, terms));
        const uint32_t term = i < begins ? first + static_cast<uint32_t>(i) : synonyms[i - begins];
        for (const TextPosting& posting : index.lists().List(term)) {
            occurrences[posting.row] += posting.occurrences;
        }
    }
    std::vector<TextPosting> out;
    for (uint32_t row = 0; row < occurrences.size(); row++) {
        if (occurrences[row] != 0) {
            out.push_back({row, occurrences[row]});
        }
    }
    return out;
}

Result<std::vector<TextPosting>> PhrasePostings(const TextIndex& index, const TextClause& phrase,
                                                Work* work) {
    if (!index.has_positions()) {
        return Status::Error(Code::kInvalid,
                             "text query: a phrase, and the field keeps no positions");
    }
    std::vector<uint32_t> terms;
    for (const std::string& word : phrase.terms) {
        terms.push_back(index.dictionary().Find(word));
        if (terms.back() == TermDictionary::kNone) {
            return std::vector<TextPosting>();
        }
    }
    std::vector<Begins> begins = AllBegins(index, terms[0]);
    for (size_t i = 1; i < terms.size() && !begins.empty(); i++) {
        QUERN_TRY(work->Check("text phrase", i, terms.size()));
        const std::vector<Begins> next = AllBegins(index, terms[i]);
        std::vector<Begins> kept;
        auto other = next.begin();
        for (Begins& begin : begins) {
            while (other != next.end() && other->row < begin.row) {
                ++other;
            }
            if (other != next.end() && other->row == begin.row) {
                KeepFollowed(phrase.positions[i], other->positions, &begin.positions);
                if (!begin.positions.empty()) {
                    kept.push_back(std::move(begin));
                }
            }
        }
        begins = std::move(kept);
    }
    std::vector<TextPosting> out;
    for (const Begins& begin : begins) {
        out.push_back({begin.row, static_cast<uint32_t>(begin.positions.size())});
    }
    return out;
}

}  // namespace quern::sparse
