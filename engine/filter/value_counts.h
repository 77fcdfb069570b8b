// How often each value of an attribute occurs: the most frequent ones first, equally frequent ones
// in SQLite's order.
#pragma once

#include <map>
#include <vector>

#include "engine/filter/attr_column.h"

namespace quern::filter {

struct ValueCount {
    Value value;
    uint64_t count = 0;
};

struct ValueLess {
    bool operator()(const Value& a, const Value& b) const { return CompareValues(a.cell(), b) < 0; }
};

struct TopValues {
    std::vector<ValueCount> values;
    uint64_t distinct = 0;  // values there are, NULL not among them
    uint64_t nulls = 0;     // records without a value
};

class ValueCounter {
public:
    // tags: values are arrays of tags, and each tag is counted.
    explicit ValueCounter(bool tags) : tags_(tags) {}
    // All records of a column but the excluded ones (NULL: none). The column must stay.
    void AddColumn(const AttrColumn& column, const Bits* excluded);
    // One record.
    void Add(const Cell& cell);
    // What single values take in memory, about.
    uint64_t bytes() const { return bytes_; }
    // The first n, at least 1.
    TopValues Top(size_t n);

private:
    struct Counted {
        const AttrColumn* column;
        std::vector<uint32_t> counts;  // by number of the value
        uint32_t next = 1;
    };
    class Best;
    // Each value once, in order.
    template <typename Take>
    void EachValue(Take take);

    bool tags_;
    uint64_t nulls_ = 0;
    uint64_t bytes_ = 0;
    std::vector<Counted> columns_;
    std::map<Value, uint64_t, ValueLess> singles_;
};

}  // namespace quern::filter
