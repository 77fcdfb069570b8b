// A column of an attribute as a hostile file could hold it: kind of the values (1 byte), records
// (1), then for the head, the values, the lengths and the codes a length (2, little endian) and
// their bytes.
//
// What is accepted must be a column: values in order, and a value for each record's number; and it
// must come back from its own arrays as it is.
#include <cstdint>
#include <cstdlib>

#include "engine/filter/column_arrays.h"
#include "fuzz/index_arrays.h"

using namespace quern;
using namespace quern::filter;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    const auto kind = static_cast<Cell::Kind>(reader.U8() % 5);
    const size_t records = reader.U8();
    ColumnArrays arrays;
    for (Bytes* array : {&arrays.head, &arrays.values, &arrays.lengths, &arrays.codes}) {
        *array = Bytes(TakeArray(&reader));
    }
    auto column = ColumnFile::Decode(arrays, records, kind);
    if (!column.ok()) {
        return 0;
    }
    for (size_t record = 0; record < records; record++) {
        if ((*column)->code(record) >= (*column)->code_count()) {
            std::abort();
        }
    }
    std::vector<ChangedValue> changes;
    for (uint32_t code = 1; code < (*column)->code_count(); code++) {
        const Cell cell = (*column)->value(code);
        Value value = Value::Int(cell.number);
        if (cell.kind == Cell::Kind::kReal) {
            value = Value::Real(cell.real);
        } else if (cell.kind != Cell::Kind::kInt) {
            value = cell.kind == Cell::Kind::kText ? Value::Text(std::string(cell.text))
                                                   : Value::Blob(std::string(cell.text));
        }
        if ((*column)->Equal(value) != CodeRange{code, code + 1}) {
            std::abort();
        }
        changes.push_back({code - 1, cell});
    }
    Bits bits((records + 63) / 64, 0);
    (*column)->Mark({{0, (*column)->code_count()}}, &bits);
    auto again = ColumnFile::Decode(ColumnFile::Encode(**column), records, kind);
    if (!again.ok() || (*again)->code_count() != (*column)->code_count()) {
        std::abort();
    }
    // The first records get the distinct values, one each.
    const auto patched = ColumnPatch::Apply(std::move(*again), changes);
    if (patched == nullptr || patched->code_count() != (*column)->code_count()) {
        std::abort();
    }
    return 0;
}
