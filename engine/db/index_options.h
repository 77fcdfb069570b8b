// What a dense field's options say about its index: "index=auto codes=i8 m=16 ...".
#pragma once

#include <cstdint>
#include <string>

#include "engine/dense/graph_index.h"
#include "engine/dense/recall_correction.h"
#include "engine/sparse/prune_rows.h"
#include "storage/base/schema.h"
#include "storage/chunk_store.h"

namespace quern {

enum class IndexChoice { kAuto, kNone, kGraph, kLists };
// Where the stored vectors are while an index with codes searches: in memory when memory_mb allows
// that with ease, loaded bit by bit; in memory from the first search; in the file.
enum class FineChoice { kAuto, kMemory, kDisk };

struct IndexOptions {
    IndexChoice index = IndexChoice::kNone;
    dense::CodeChoice codes = dense::CodeChoice::kAuto;  // kNone: f32
    FineChoice fine = FineChoice::kAuto;
    uint32_t m = 16;
    uint32_t ef_build = 200;
    uint32_t lists = 0;                // 0: by the number of vectors
    dense::RecallCorrection delivers;  // as a recall audit has kept it

    // Takes one "key=value"; kOption with what is expected. False: not a key of ours.
    static Result<bool> Take(const std::string& key, const std::string& value, IndexOptions* out);
    // The options of a field as the file has them. What is not known or not right there is passed
    // over: it can only be of a newer version.
    static IndexOptions Of(const DenseDef& def);
    // Only what differs from the defaults; keys sorted.
    std::string Text() const;

    // Whether a segment with so many vectors of the field gets an index, and of which kind: that of
    // the head of its parts.
    bool WantsIndex(uint64_t vectors) const;
    storage::PartKind HeadKind() const {
        return index == IndexChoice::kLists ? storage::PartKind::kListHead
                                            : storage::PartKind::kGraphHead;
    }
    dense::CodeChoice Codes(const DenseDef& def) const;
    // Whether its index keeps a copy of the vectors, in the field's type.
    bool HoldsRows(const DenseDef& def) const {
        return index == IndexChoice::kLists && Codes(def) == dense::CodeChoice::kNone;
    }
    // As codes= has it; NULL: no such codes.
    static const char* CodesName(dense::CodeChoice codes);
    // Whether lists can have the codes that were asked for.
    bool ListsTakeCodes() const {
        return codes == dense::CodeChoice::kAuto || codes == dense::CodeChoice::kNone ||
               codes == dense::CodeChoice::k8Bit || codes == dense::CodeChoice::k4Bit;
    }
};

// The same of a sparse field: "index=auto", or nothing.
struct SparseIndexOptions {
    bool index = false;
    bool approximate = false;  // beside it, a part for approximate searches
    sparse::PruneOptions prune = {};
    bool impacts = false;  // the index keeps impacts of 8 bits in place of weights
    // Equal ranges of the dimensions, that queries may give weights of their own; 0: there are
    // none.
    uint32_t buckets = 0;

    static Result<bool> Take(const std::string& key, const std::string& value,
                             SparseIndexOptions* out);
    static SparseIndexOptions Of(const SparseDef& def);
    std::string Text() const;
    bool WantsIndex(uint64_t vectors) const;
};

// The same of an attribute: "index=none", or nothing for index=auto.
struct AttrIndexOptions {
    bool index = true;

    static Result<bool> Take(const std::string& key, const std::string& value,
                             AttrIndexOptions* out);
    static AttrIndexOptions Of(const AttrDef& def);
    std::string Text() const { return index ? "" : "index=none"; }
};

// A segment with fewer texts of a field is indexed in memory in no time.
inline constexpr uint64_t kIndexedTextsMin = 512;

inline constexpr const char* kIndexOptionKeys[] = {"index",    "codes", "fine",    "m",
                                                   "ef_build", "lists", "delivers"};

}  // namespace quern
