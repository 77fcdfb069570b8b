#include "engine/filter/value_counts.h"

#include <algorithm>
#include <bit>

#include "engine/filter/filter_match.h"
#include "engine/filter/record_order.h"

namespace quern::filter {

namespace {
// Of a single value beside its text.
constexpr uint64_t kSingleBytes = 128;
}  // namespace

void ValueCounter::AddColumn(const AttrColumn& column, const Bits* excluded) {
    Counted& counted = columns_.emplace_back(Counted{&column, {}, 1});
    counted.counts.assign(column.code_count(), 0);
    const size_t records = column.records();
    for (size_t first = 0; first < records; first += 64) {
        const size_t count = std::min<size_t>(64, records - first);
        uint64_t wanted = excluded == nullptr ? ~uint64_t{0} : ~(*excluded)[first / 64];
        wanted &= count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
        for (; wanted != 0; wanted &= wanted - 1) {
            counted.counts[column.code(first + static_cast<size_t>(std::countr_zero(wanted)))]++;
        }
    }
    nulls_ += counted.counts[0];
}

void ValueCounter::Add(const Cell& cell) {
    if (cell.kind == Cell::Kind::kNull) {
        nulls_++;
        return;
    }
    const auto [place, fresh] = singles_.try_emplace(ValueOf(cell), 0);
    place->second++;
    bytes_ += fresh ? kSingleBytes + cell.text.size() : 0;
}

// The first n by their counts; values come in order.
class ValueCounter::Best {
public:
    explicit Best(size_t n) : n_(n) {}
    void Add(const Cell& value, uint64_t count) {
        distinct_++;
        // An equal count comes too late.
        if (heap_.size() == n_ && count <= heap_.front().count) {
            return;
        }
        if (heap_.size() == n_) {
            std::pop_heap(heap_.begin(), heap_.end(), Before);
            heap_.pop_back();
        }
        heap_.push_back({{ValueOf(value), count}, distinct_});
        std::push_heap(heap_.begin(), heap_.end(), Before);
    }
    void Take(TopValues* out) {
        std::sort_heap(heap_.begin(), heap_.end(), Before);
        for (Ranked& ranked : heap_) {
            out->values.push_back(std::move(ranked));
        }
        out->distinct = distinct_;
    }

private:
    struct Ranked : ValueCount {
        uint64_t number = 0;  // in order of values
    };
    static bool Before(const Ranked& a, const Ranked& b) {
        return a.count != b.count ? a.count > b.count : a.number < b.number;
    }
    size_t n_;
    uint64_t distinct_ = 0;
    std::vector<Ranked> heap_;  // the last one in front
};

template <typename Take>
void ValueCounter::EachValue(Take take) {
    auto single = singles_.begin();
    const auto settle = [](Counted* counted) {
        while (counted->next < counted->counts.size() && counted->counts[counted->next] == 0) {
            counted->next++;
        }
    };
    std::for_each(columns_.begin(), columns_.end(), [&](Counted& c) { settle(&c); });
    while (true) {
        std::optional<Value> first;
        if (single != singles_.end()) {
            first = single->first;
        }
        for (const Counted& counted : columns_) {
            if (counted.next == counted.counts.size()) {
                continue;
            }
            const Cell value = counted.column->value(counted.next);
            if (!first || CompareValues(value, *first) < 0) {
                first = ValueOf(value);
            }
        }
        if (!first) {
            return;
        }
        uint64_t count = 0;
        if (single != singles_.end() && CompareValues(single->first.cell(), *first) == 0) {
            count += (single++)->second;
        }
        for (Counted& counted : columns_) {
            if (counted.next < counted.counts.size() &&
                CompareValues(counted.column->value(counted.next), *first) == 0) {
                count += counted.counts[counted.next++];
                settle(&counted);
            }
        }
        take(first->cell(), count);
    }
}

TopValues ValueCounter::Top(size_t n) {
    TopValues top;
    top.nulls = nulls_;
    Best best(n);
    if (!tags_) {
        EachValue([&](const Cell& value, uint64_t count) { best.Add(value, count); });
    } else {
        std::map<std::string, uint64_t> counts;
        EachValue([&](const Cell& value, uint64_t count) {
            for (const std::string& tag : TagsOf(value.text)) {
                counts[tag] += count;
            }
        });
        for (const auto& [tag, count] : counts) {
            Cell cell;
            cell.kind = Cell::Kind::kText;
            cell.text = tag;
            best.Add(cell, count);
        }
    }
    best.Take(&top);
    return top;
}

}  // namespace quern::filter
