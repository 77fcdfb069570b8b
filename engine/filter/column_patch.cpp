// A column with the values that some of its records have now.
#include <algorithm>

#include "engine/filter/column_arrays.h"
#include "engine/filter/record_order.h"

namespace quern::filter {

std::unique_ptr<AttrColumn> ColumnPatch::Apply(std::unique_ptr<AttrColumn> column,
                                               const std::vector<ChangedValue>& changes) {
    Cell::Kind kind = column->kind_;
    std::vector<Value> fresh;  // that the column does not have
    for (const ChangedValue& change : changes) {
        if (change.cell.kind == Cell::Kind::kNull) {
            continue;
        }
        if (kind != Cell::Kind::kNull && change.cell.kind != kind) {
            return nullptr;
        }
        kind = change.cell.kind;
        Value value = ValueOf(change.cell);
        const CodeRange known = column->Equal(value);
        if (known.first == known.second) {
            fresh.push_back(std::move(value));
        }
    }
    const auto less = [](const Value& a, const Value& b) { return CompareValues(a.cell(), b) < 0; };
    std::sort(fresh.begin(), fresh.end(), less);
    fresh.erase(std::unique(fresh.begin(), fresh.end(),
                            [&](const Value& a, const Value& b) { return !less(a, b); }),
                fresh.end());
    // Both in order become one, and numbers move up by what has come before them.
    auto patched = std::make_unique<AttrColumn>();
    patched->kind_ = kind;
    patched->records_ = column->records_;
    std::vector<uint32_t> moved(column->code_count(), 0);
    size_t next = 0;
    for (uint32_t code = 1; code < column->code_count(); code++) {
        const Cell value = column->value(code);
        while (next < fresh.size() && CompareValues(value, fresh[next]) > 0) {
            patched->AddValue(fresh[next++].cell());
        }
        moved[code] = patched->AddValue(value);
    }
    while (next < fresh.size()) {
        patched->AddValue(fresh[next++].cell());
    }
    std::vector<uint32_t> codes(column->records_);
    for (size_t record = 0; record < codes.size(); record++) {
        codes[record] = moved[column->code(record)];
    }
    for (const ChangedValue& change : changes) {
        codes[change.record] =
            change.cell.kind == Cell::Kind::kNull ? 0 : patched->Equal(ValueOf(change.cell)).first;
    }
    patched->SetCodes(std::move(codes));
    return patched;
}

}  // namespace quern::filter
