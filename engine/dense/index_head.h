// What the head of an index says by itself, without the arrays: enough for a report about a file,
// not to search. GraphIndex::Load and ListIndex::Load read the same bytes in full.
#pragma once

#include <cstdint>
#include <string>

#include "engine/dense/codes/codes.h"
#include "storage/base/buffer.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"

namespace quern::dense {

// Layouts of a graph's head. 1: with a curve of pool sizes; 2: with codes of dimensions without a
// spread. Neither was in a release.
inline constexpr uint32_t kGraphHeadVersion = 3;
// Of a list index. 1: with codes of dimensions without a spread, in no release.
inline constexpr uint32_t kListHeadVersion = 2;

struct IndexHead {
    uint32_t count = 0;                    // vectors
    CodeChoice codes = CodeChoice::kNone;  // what it has, never kAuto
    uint64_t made_bytes = 0;               // that are made in memory beside what is in the file
};

// kCorrupt: of another layout, or no head of an index over `count` vectors.
Result<IndexHead> ReadGraphHead(BytesView head, Metric metric, size_t dim, uint64_t count);
Result<IndexHead> ReadListHead(BytesView head, Metric metric, size_t dim, uint64_t count);

// What came into the format later has an array of its own, which versions that do not know it pass
// over. Without it `part` stays as it is. bytes: a copy, to be written again.
template <typename Part>
Status ReadLaterPart(const Buffer& array, const char* name, std::string* bytes, Part* part) {
    bytes->assign(array.data() != nullptr ? array.data() : "", array.bytes());
    if (bytes->empty()) {
        return {};
    }
    ByteReader reader(*bytes);
    QUERN_ASSIGN(*part, Part::Read(&reader));
    return reader.AtEnd() ? Status()
                          : Status::Error(Code::kCorrupt, "index: the length of %s is wrong", name);
}

}  // namespace quern::dense
