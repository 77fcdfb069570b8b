// The values of one column in a run of records, in memory: each distinct value once, in SQLite's
// order, and for each record the number of its value. So a condition is decided once for each
// distinct value, comparisons by two binary searches, and what is left for a record is to look
// whether its number lies in a range.
//
//   values:  "de" "en" "fr"                 numbers 1, 2, 3; 0 stands for NULL
//   codes:   2 2 1 0 3 ...                  1, 2 or 4 bytes a record
//
// Immutable once built, so threads may share it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/filter/filter_tree.h"

namespace quern::filter {

using Bits = std::vector<uint64_t>;  // one per record

// A range of numbers of values, the end not included.
using CodeRange = std::pair<uint32_t, uint32_t>;
using CodeRanges = std::vector<CodeRange>;  // ascending, apart

class AttrColumn {
public:
    size_t records() const { return records_; }
    // Numbers are below this.
    uint32_t code_count() const { return distinct_ + 1; }
    // The number of a record's value; 0: NULL.
    uint32_t code(size_t record) const {
        return !codes8_.empty()    ? codes8_[record]
               : !codes16_.empty() ? codes16_[record]
                                   : codes32_[record];
    }
    size_t memory_bytes() const;
    // The value with this number, which is not 0. Borrowed.
    Cell value(uint32_t code) const;
    // Numbers of the values that are equal to the constant; empty, but at its place in the order,
    // when none is.
    CodeRange Equal(const Value& constant) const;
    // Sets the bits of the records whose numbers lie in the ranges.
    void Mark(const CodeRanges& ranges, Bits* bits) const;

private:
    friend class ColumnBuilder;
    friend class ColumnFile;
    friend class ColumnPatch;
    // The next value in order, of this column's kind; gives its number.
    uint32_t AddValue(const Cell& cell);
    // After the values: the number of each record's value, in as few bytes as hold them.
    void SetCodes(std::vector<uint32_t> codes);
    template <typename Code>
    void MarkCodes(const Code* codes, const CodeRanges& ranges, Bits* bits) const;

    Cell::Kind kind_ = Cell::Kind::kNull;
    size_t records_ = 0;
    uint32_t distinct_ = 0;
    std::vector<int64_t> numbers_;
    std::vector<double> reals_;
    std::string bytes_;             // of texts or blobs, one after another
    std::vector<uint64_t> begins_;  // of each, and the end
    std::vector<uint8_t> codes8_;   // one of the three
    std::vector<uint16_t> codes16_;
    std::vector<uint32_t> codes32_;
};

class ColumnBuilder {
public:
    explicit ColumnBuilder(size_t records) : codes_(records, 0) {}
    // The value of a record; those that get none are NULL. False: a value of another kind than
    // those before, which no column of the file should have.
    bool Set(size_t record, const Cell& cell);
    // What its distinct texts take, about.
    uint64_t text_bytes() const { return text_bytes_; }
    // Their own bytes alone.
    uint64_t distinct_text_bytes() const { return distinct_text_bytes_; }
    std::unique_ptr<AttrColumn> Finish();

private:
    struct Texts;
    std::vector<uint32_t> codes_;  // first come first numbered, from 1
    AttrColumn column_;
    std::shared_ptr<Texts> texts_;
    uint64_t text_bytes_ = 0;
    uint64_t distinct_text_bytes_ = 0;
    std::vector<std::pair<int64_t, uint32_t>> numbers_;  // (value, record)
    std::vector<std::pair<double, uint32_t>> reals_;
};

// SQLite's order of a value and a constant, neither of them NULL: numbers, texts, blobs. Below 0,
// 0, above 0.
int CompareValues(const Cell& value, const Value& constant);

}  // namespace quern::filter
