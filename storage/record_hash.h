// The hash of a record: a sum of one XXH3 for the key, each attribute and each vector, every one
// bound to the record's row id and to its column. Because it is a sum, changing or dropping one
// column needs only that column's old value; and the sum over all live records is the collection's
// digest, which a lost or doubled record changes.
#pragma once

#include "storage/base/hash.h"
#include "storage/base/schema.h"

namespace quern::storage {

inline uint64_t HashKey(int64_t rid, const Key& key) {
    const uint64_t seed = MixSeed(static_cast<uint64_t>(rid), 0);
    return key.type == KeyType::kInt ? Hash64(&key.number, sizeof key.number, seed)
                                     : Hash64(key.text, seed + 1);
}

// Null hashes to 0: an attribute added later changes no digest.
inline uint64_t HashCell(int64_t rid, uint32_t column, const Cell& cell) {
    const uint64_t seed = MixSeed(static_cast<uint64_t>(rid), (static_cast<uint64_t>(column) << 3) +
                                                                  static_cast<uint64_t>(cell.kind));
    switch (cell.kind) {  // never: another kind
        case Cell::Kind::kNull: return 0;
        case Cell::Kind::kInt: return Hash64(&cell.number, sizeof cell.number, seed);
        case Cell::Kind::kReal: return Hash64(&cell.real, sizeof cell.real, seed);
        case Cell::Kind::kText:
        case Cell::Kind::kBlob: return Hash64(cell.text, seed);
    }
    return 0;
}

inline uint64_t HashVector(int64_t rid, uint32_t column, BytesView vector) {
    return Hash64(vector,
                  MixSeed(static_cast<uint64_t>(rid), (static_cast<uint64_t>(column) << 3) + 7));
}

}  // namespace quern::storage
