// Results by whole columns, into the caller's arrays.
#include <algorithm>
#include <cstring>

#include "capi/handles.h"

using namespace quern;
using namespace quern::capi;

namespace {

bool IsText(int32_t type) {
    return type == QUERN_TEXT || type == QUERN_JSON || type == QUERN_TAGS || type == QUERN_BLOB;
}

bool IsNumber(int32_t type) {
    return type == QUERN_INT || type == QUERN_BOOL || type == QUERN_REAL;
}

// Calls take(row, value) for the rows whose value is wanted, and says in valid which these are.
// Returns how many there are.
template <typename Wanted, typename Take>
size_t EachValue(const quern_result* r, size_t col, uint8_t* valid, Wanted wanted, Take take) {
    const ResultTable* table = TableOf(r);
    if (table == nullptr || col >= table->columns.size()) {
        return 0;
    }
    size_t count = 0;
    for (size_t row = 0; row < table->row_count(); row++) {
        const ResultValue& value = table->values[row * table->columns.size() + col];
        const bool there = wanted(value.type);
        if (valid != nullptr) {
            valid[row] = there ? 1 : 0;
        }
        take(row, there ? &value : nullptr);
        count += there ? 1 : 0;
    }
    return count;
}

}  // namespace

int32_t quern_result_key_type(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    if (table == nullptr) {
        return 0;
    }
    return table->key_type == KeyType::kInt ? QUERN_INT : QUERN_TEXT;
}

const float* quern_result_scores(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table != nullptr && !table->scores.empty() ? table->scores.data() : nullptr;
}

const size_t* quern_result_offsets(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table != nullptr ? table->offsets.data() : nullptr;
}

size_t quern_result_column_int(const quern_result* r, size_t col, int64_t* values, uint8_t* valid) {
    return EachValue(
        r, col, valid, [](int32_t type) { return type == QUERN_INT || type == QUERN_BOOL; },
        [&](size_t row, const ResultValue* value) {
            if (values != nullptr) {
                values[row] = value != nullptr ? value->number : 0;
            }
        });
}

size_t quern_result_column_real(const quern_result* r, size_t col, double* values, uint8_t* valid) {
    return EachValue(r, col, valid, IsNumber, [&](size_t row, const ResultValue* value) {
        if (values != nullptr) {
            values[row] = value != nullptr ? value->real : 0;
        }
    });
}

size_t quern_result_column_text(const quern_result* r, size_t col, int64_t* offsets, char* text,
                                uint8_t* valid) {
    int64_t end = 0;
    if (offsets != nullptr && TableOf(r) != nullptr) {
        offsets[0] = 0;
    }
    return EachValue(r, col, valid, IsText, [&](size_t row, const ResultValue* value) {
        if (value != nullptr && text != nullptr && value->size > 0) {
            std::memcpy(text + end, r->table.bytes.data() + value->offset, value->size);
        }
        end += value != nullptr ? static_cast<int64_t>(value->size) : 0;
        if (offsets != nullptr) {
            offsets[row + 1] = end;
        }
    });
}

size_t quern_result_column_dense(const quern_result* r, size_t col, void* matrix, uint8_t* valid) {
    if (quern_result_column_type(r, col) != QUERN_DENSE) {
        return 0;
    }
    const ResultColumn& column = r->table.columns[col];
    const size_t row_bytes = VectorBytes(column.element, column.dim);
    return EachValue(
        r, col, valid, [](int32_t type) { return type == QUERN_DENSE; },
        [&](size_t row, const ResultValue* value) {
            if (matrix == nullptr) {
                return;
            }
            char* const to = static_cast<char*>(matrix) + row * row_bytes;
            if (value != nullptr) {
                std::memcpy(to, r->table.bytes.data() + value->offset,
                            std::min(row_bytes, value->size));
            } else {
                std::memset(to, 0, row_bytes);
            }
        });
}
