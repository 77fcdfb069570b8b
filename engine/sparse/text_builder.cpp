// Texts gathered into the parts of an index.
#include <algorithm>

#include "engine/sparse/text_index.h"

namespace quern::sparse {

Status TextIndexBuilder::Add(const std::vector<TextTerm>& terms) {
    const uint32_t row = static_cast<uint32_t>(lengths_.size());
    if (row == kTextRowsMax || terms.size() > kTextTokensMax ||
        postings_ + terms.size() >= UINT32_MAX) {
        return Status::Error(Code::kLimit, "more texts or words than a text index holds");
    }
    lengths_.push_back(static_cast<uint32_t>(terms.size()));
    for (const TextTerm& term : terms) {
        Gathered& gathered = terms_[term.term];
        if (gathered.postings.empty() || gathered.postings.back().row != row) {
            gathered.postings.push_back({row, 0});
            gathered.position = 0;
            postings_++;
        }
        gathered.postings.back().occurrences++;
        if (with_positions_) {
            ByteWriter(&gathered.positions).Varint(term.position - gathered.position);
            gathered.position = term.position;
        }
    }
    return {};
}

Result<TextParts> TextIndexBuilder::Finish(Work* work) {
    std::vector<std::string_view> names;
    for (const auto& [term, gathered] : terms_) {
        names.push_back(term);
    }
    std::sort(names.begin(), names.end());
    TextParts parts;
    parts.terms = static_cast<uint32_t>(names.size());
    parts.records = static_cast<uint32_t>(lengths_.size());
    parts.has_positions = with_positions_;
    parts.dictionary = TermDictionary::Build(names).bytes();
    ByteWriter lengths(&parts.lengths);
    for (const uint32_t length : lengths_) {
        lengths.Varint(length);
    }
    ByteWriter postings(&parts.postings);
    for (size_t i = 0; i < names.size(); i++) {
        if (i % 1024 == 0) {
            QUERN_TRY(work->Check("text index", i, names.size()));
        }
        Gathered& gathered = terms_[std::string(names[i])];
        postings.Varint(gathered.postings.size());
        uint32_t before = 0;
        for (const TextPosting& posting : gathered.postings) {
            postings.Varint(posting.row - before);
            postings.Varint(posting.occurrences);
            before = posting.row;
        }
        parts.positions += gathered.positions;
        gathered = Gathered();
    }
    return parts;
}

}  // namespace quern::sparse
