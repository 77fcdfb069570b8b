// The values of sparse and text fields as a hostile file could hold them, in a log entry and in a
// segment.
//
// Bytes: number of dimensions (4, little endian), then a log entry's values and, again, gaps with
// weights. What is accepted must be in normal form: ascending dimensions below the number, weights
// finite and not zero; and must come out the same when it is written and read again.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "storage/record_log.h"
#include "storage/sparse_value.h"

using namespace quern;

namespace {

void Want(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void CheckValue(BytesView value, uint64_t dimensions, bool binary) {
    const size_t count = storage::SparseEntries(value);
    std::vector<uint32_t> dims(count);
    std::vector<float> weights(count);
    if (count > 0) {
        std::memcpy(dims.data(), value.data(), count * 4);
        std::memcpy(weights.data(), value.data() + count * 4, count * 4);
    }
    for (size_t i = 0; i < count; i++) {
        Want(dims[i] < dimensions && (i == 0 || dims[i - 1] < dims[i]));
        Want(std::isfinite(weights[i]) && weights[i] != 0);
        Want(!binary || weights[i] == 1);
    }
    std::vector<uint32_t> gaps(count);
    storage::SparseGaps(dims.data(), count, gaps.data());
    Want(storage::SparseDimensions(gaps.data(), count, dimensions) && gaps == dims);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    Schema schema;
    schema.dense.push_back({1, "emb", Element::kF32, Metric::kL2, 2});
    schema.sparse.push_back({2, "words", uint64_t{reader.U32()} + 1});
    schema.sparse.push_back({3, "more"});
    schema.sparse.push_back({5, "marks", kSparseDimensionsMax, {}, true});
    schema.text.push_back({4, "body"});
    const BytesView rest = reader.Take(reader.left());
    std::vector<storage::VectorRef> values;
    if (storage::DecodeVectors(schema, rest, &values).ok()) {
        for (const storage::VectorRef& value : values) {
            if (schema.is_text(value.field)) {
                Want(IsValidUtf8(value.bytes));
            } else if (!schema.is_dense(value.field)) {
                const SparseDef& def = schema.sparse_field(value.field);
                CheckValue(value.bytes, def.dimensions, def.binary);
            }
        }
        Bytes again;
        storage::EncodeVectors(schema, values, &again);
        std::vector<storage::VectorRef> same;
        Want(storage::DecodeVectors(schema, again, &same).ok() && same.size() == values.size());
    }
    std::vector<uint32_t> gaps(rest.size() / 4);
    if (!gaps.empty()) {
        std::memcpy(gaps.data(), rest.data(), gaps.size() * 4);
    }
    const uint64_t dimensions = schema.sparse[0].dimensions;
    if (storage::SparseDimensions(gaps.data(), gaps.size(), dimensions)) {
        for (size_t i = 0; i < gaps.size(); i++) {
            Want(gaps[i] < dimensions && (i == 0 || gaps[i - 1] < gaps[i]));
        }
    }
    return 0;
}
