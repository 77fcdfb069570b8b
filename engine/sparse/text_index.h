// The text index of one field of one segment: the terms of its records, how often each has them,
// and, if wanted, where. Scores are no part of it: they depend on all live records of a collection
// (text_score.h), so nothing here changes when others are added or deleted.
//
// In a file it is a head and four runs of bytes, of which all numbers are varints:
//
//     head         four bytes each: 1, the version of this layout; records; terms; then a byte: 1
//                  when positions are kept, else 0
//     dictionary   text_dictionary.h
//     lengths      for each record its length: how many terms it has, counted as often as they are
//                  there (stop words are not)
//     postings     for each term: how many records have it, then for each of them the distance from
//                  the one before (the first: its number) and its occurrences
//     positions    for each posting, in that order, its positions as distances (the first: itself);
//                  empty when they are not kept
//
// Thread rule: immutable after Finish or Load.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/sparse/text_analyzer.h"
#include "engine/sparse/text_dictionary.h"
#include "engine/sparse/text_lists.h"
#include "storage/base/work.h"

namespace quern::sparse {

inline constexpr size_t kTextArrays = 5;  // the head is the first

struct TextParts {
    Bytes Head() const;
    // Without the runs; kCorrupt when this is no head.
    static Result<TextParts> Decode(BytesView head);
    // A run, by the number of its array, 1 to 4.
    Bytes* Array(size_t number) {
        Bytes* const runs[] = {&dictionary, &lengths, &postings, &positions};
        return runs[number - 1];
    }

    uint32_t terms = 0;
    uint32_t records = 0;
    bool has_positions = false;
    Bytes dictionary;
    Bytes lengths;
    Bytes postings;
    Bytes positions;
};

// What a collection knows of its live records. Additive: over segments, the log, and less those
// that are deleted.
struct TextStatistics {
    uint64_t records = 0;
    uint64_t length = 0;  // of all of them
};

class TextIndex {
public:
    // kCorrupt unless the parts hold together: every order, number, sum and end.
    static Result<std::unique_ptr<TextIndex>> Load(TextParts parts, Work* work);

    uint32_t records() const { return static_cast<uint32_t>(lengths_.size()); }
    const TermDictionary& dictionary() const { return dictionary_; }
    const TextLists& lists() const { return lists_; }
    const std::vector<uint32_t>& lengths() const { return lengths_; }
    bool has_positions() const { return has_positions_; }
    uint64_t memory_bytes() const {
        return dictionary_.memory_bytes() + lists_.memory_bytes() + lengths_.size() * 4 +
               positions_.size() + term_positions_.size() * 8;
    }
    // live: one bit for each record, NULL: all, which takes no time.
    TextStatistics Statistics(const uint64_t* live) const;
    // Where a term is in each record that has it, in the order of its list.
    std::vector<std::vector<uint32_t>> Positions(uint32_t term) const;

private:
    TextIndex() = default;
    Status ReadLengths(const TextParts& parts);
    Status ReadPostings(const TextParts& parts, Work* work);
    Status ReadPositions(uint32_t first, ByteReader* reader) const;

    TermDictionary dictionary_;
    TextLists lists_;
    std::vector<uint32_t> lengths_;
    uint64_t length_ = 0;  // the sum
    bool has_positions_ = false;
    Bytes positions_;
    std::vector<uint64_t> term_positions_;  // where those of each term begin
};

// Gathers records in the order of their rows. Memory: about 12 bytes a posting, and the positions.
// Confined.
class TextIndexBuilder {
public:
    explicit TextIndexBuilder(bool with_positions) : with_positions_(with_positions) {}
    // terms: what TextAnalyzer gave; empty for a record without a text.
    Status Add(const std::vector<TextTerm>& terms);
    // kLimit when there is more than an index can hold. The builder is used up.
    Result<TextParts> Finish(Work* work);

private:
    struct Gathered {
        std::vector<TextPosting> postings;
        Bytes positions;
        uint32_t position = 0;  // the last of the newest posting
    };
    bool with_positions_;
    std::vector<uint32_t> lengths_;
    uint64_t postings_ = 0;
    std::unordered_map<std::string, Gathered> terms_;
};

}  // namespace quern::sparse
