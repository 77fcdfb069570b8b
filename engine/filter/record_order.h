// The order in which records are listed: by the values of columns, and by key where these are
// equal.
//
//   year desc, title nulls first, id desc
//
// NULLs come last, whichever way a column is sorted, unless it is said otherwise. Values are in
// SQLite's order. Within a run of records that is in key order (a segment) values need not be
// compared: their numbers (attr_column.h) are in the same order.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/filter/attr_column.h"

namespace quern::filter {

struct OrderTerm {
    int column = 0;  // an attribute
    bool descending = false;
    bool nulls_first = false;
};

struct RecordOrder {
    std::vector<OrderTerm> terms;
    bool keys_descend = false;
    bool by_key() const { return terms.empty(); }
};

// Empty: by key. kSql, kUnknownField with the byte of the mistake.
Result<RecordOrder> ReadOrder(std::string_view text, const Subject& subject);

// Where a record stands in an order.
struct Spot {
    std::vector<Value> values;  // of the terms
    Key key;
};
// Below 0: a comes before b.
int CompareSpots(const RecordOrder& order, const Spot& a, const Spot& b);

// A run of records in key order, with its columns, one for each term.
class RecordRun {
public:
    RecordRun(const RecordOrder& order, std::vector<const AttrColumn*> columns, size_t records,
              const Bits* excluded)
        : order_(order), columns_(std::move(columns)), records_(records), excluded_(excluded) {}

    // Where to begin: behind these values, and with those that have the same from this record on;
    // with descending keys from the one before it downwards.
    struct Start {
        std::vector<Value> values;
        size_t record = 0;
    };
    // The first k that are not excluded, in order.
    std::vector<uint32_t> First(size_t k, const std::optional<Start>& start) const;
    // The next record at or behind `record` that is not excluded; records(): none.
    size_t NextWanted(size_t record) const;
    size_t records() const { return records_; }
    // The value of a record in the column of a term. Owning.
    Value ValueOf(size_t term, uint32_t record) const;

private:
    using Rank = uint64_t;
    struct Entry {
        Rank first;  // of the first term
        uint32_t record;
    };
    Rank RankOf(size_t term, uint32_t record) const;
    Rank RankOf(size_t term, const Value& value) const;
    bool Before(const Entry& a, const Entry& b) const;
    bool Behind(const Entry& entry, const std::vector<Rank>& ranks, size_t record) const;
    size_t NextOutside(const Bits* excluded, size_t record) const;
    std::vector<uint32_t> FirstByKey(size_t k, const std::optional<Start>& start) const;
    // ranks: those of the start's values.
    std::vector<uint32_t> FirstAmong(const Bits* excluded, size_t k, const std::vector<Rank>& ranks,
                                     size_t record) const;
    // All but the wanted ones that have one of the `count` first values from a rank on, or NULL
    // where that comes first. False: that is as good as all.
    bool ExcludeLater(Rank from, size_t count, Bits* excluded) const;
    size_t WantedCount() const;
    bool Wanted(size_t record) const {
        return excluded_ == nullptr || ((*excluded_)[record / 64] >> (record % 64) & 1) == 0;
    }

    const RecordOrder& order_;
    std::vector<const AttrColumn*> columns_;
    size_t records_;
    const Bits* excluded_;
};

// Owning.
Value ValueOf(const Cell& cell);

}  // namespace quern::filter
