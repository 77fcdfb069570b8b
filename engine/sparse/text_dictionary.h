// The terms of a text index in the order of their bytes; a term's number is its place.
//
// Kept as one run of bytes: 16 terms make a block, whose first is whole (length, bytes) and whose
// others say how many bytes they share with the one before (shared, rest's length, rest), all as
// varints. A table of where blocks begin is not kept but found when the bytes are proved.
//
// Thread rule: immutable.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::sparse {

class TermDictionary {
public:
    static constexpr uint32_t kBlockTerms = 16;
    static constexpr uint32_t kNone = UINT32_MAX;

    // terms: ascending and distinct, each of 1 to kTermBytesMax bytes.
    static TermDictionary Build(const std::vector<std::string_view>& terms);
    // kCorrupt unless the bytes are exactly `count` such terms.
    static Result<TermDictionary> Load(Bytes bytes, uint32_t count);

    uint32_t size() const { return count_; }
    const Bytes& bytes() const { return bytes_; }
    uint64_t memory_bytes() const { return bytes_.size() + blocks_.size() * sizeof(uint64_t); }
    // kNone when it is not there.
    uint32_t Find(std::string_view term) const;
    // The first and the one after the last of the terms that begin with `prefix`.
    std::pair<uint32_t, uint32_t> PrefixRange(std::string_view prefix) const;
    std::string Term(uint32_t number) const;

private:
    // The number of the first term that is not less.
    uint32_t LowerBound(std::string_view term) const;
    std::string_view BlockFirst(size_t block) const;

    Bytes bytes_;
    std::vector<uint64_t> blocks_;
    uint32_t count_ = 0;
};

}  // namespace quern::sparse
