#include "engine/db/alive_rows.h"

#include <algorithm>
#include <bit>

namespace quern {

dense::FlatRows RowsOf(const SegmentField& field, const uint64_t* dead) {
    dense::FlatRows rows;
    rows.dead = dead;
    if (field.resident) {
        rows.rows = field.rows.data();
        rows.element = field.held;
        rows.inverse_norms = field.inverse_norms.empty() ? nullptr : field.inverse_norms.data();
    }
    rows.count = field.count();
    rows.records = field.records.empty() ? nullptr : field.records.data();
    return rows;
}

dense::FlatRows Slice(const dense::FlatRows& rows, const dense::FlatField& field, size_t first,
                      size_t count) {
    dense::FlatRows slice = rows;
    slice.rows = rows.Row(field, first);
    slice.count = count;
    slice.inverse_norms = rows.inverse_norms ? rows.inverse_norms + first : nullptr;
    slice.records = rows.records ? rows.records + first : nullptr;
    slice.first = rows.first + static_cast<uint32_t>(first);
    return slice;
}

uint64_t CountAlive(const dense::FlatRows& rows, size_t first, size_t count) {
    uint64_t alive = count;
    for (size_t i = first; rows.dead != nullptr && i < first + count;) {
        const size_t position = rows.records ? rows.records[i] : rows.first + i;
        const size_t bits =
            rows.records ? 1 : std::min<size_t>(64 - position % 64, first + count - i);
        const uint64_t word = rows.dead[position / 64] >> (position % 64);
        alive -= static_cast<size_t>(std::popcount(word << (64 - bits)));
        i += bits;
    }
    return alive;
}

bool AnyAlive(const dense::FlatRows& rows, const SegmentField& field, size_t first, size_t end) {
    if (rows.dead == nullptr) {
        return true;
    }
    for (size_t i = first; i < end; i++) {
        const uint32_t record = field.record(i);
        if ((rows.dead[record / 64] >> (record % 64) & 1) == 0) {
            return true;
        }
    }
    return false;
}

uint64_t CutRows(uint64_t most, dense::FlatRows* rows) {
    if (rows->dead == nullptr) {
        rows->count = static_cast<size_t>(std::min<uint64_t>(rows->count, most));
        return rows->count;
    }
    uint64_t alive = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const size_t position = rows->records ? rows->records[i] : i;
        const bool is_alive = (rows->dead[position / 64] >> (position % 64) & 1) == 0;
        if (is_alive && alive == most) {
            rows->count = i;
            break;
        }
        alive += is_alive ? 1 : 0;
    }
    return alive;
}

}  // namespace quern
