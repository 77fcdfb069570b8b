// Segments of parts of chunks: the immutable arrays of a collection.
//
// A segment holds the vectors of a set of sealed records. A part is one array of fixed-size items
// (row ids, vectors of a field, norms, ...); a chunk is its unit of I/O, compression and checking.
// The catalog row of a part carries the directory of its chunks: raw bytes, stored bytes, codec and
// XXH3 (seeded with the chunk's id) of each, so that a chunk that was lost, stale, misplaced or
// damaged is seen when it is read.
//
// A part of which single items are looked at has chunks of a few KiB; see chunk_shape.h.
//
// A segment is built while invisible (state building), in as many transactions as it takes;
// publishing it is one small one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/chunk_shape.h"
#include "storage/connection.h"

namespace quern::storage {

struct CollectionState;

// Numbers reach the file: do not change them.
enum class SegmentState : int64_t {
    kBuilding = 1,
    kLive = 2,
    kRetired = 3,
    kTable = 4  // no records, but one part that a field has beside them
};
enum class PartKind : int64_t {
    kRowIds = 1,  // i64 row ids, one per record, in key order; field 0
    kPresence =
        2,         // one byte per 8 records: which records have the field; missing when all have it
    kVectors = 3,  // the vectors of a field, one per record that has it, in record order
    kNorms = 4,    // derived: f32 inverse norms of kVectors, 0 for zero vectors (cosine fields)
    // The values of a sparse field, for each record that has it, in record order; sparse_value.h.
    kSparseLengths = 5,  // u32: entries of the vector
    kSparseGaps = 6,     // u32, one per entry
    kSparseWeights = 7,  // f32, one per entry
    // The texts of a text field, for each record that has it, in record order.
    kTextLengths = 8,  // u32: bytes of the text
    kTextBytes = 9,    // the texts, one behind the other: an item is a byte
    // In a segment of state kTable: which token has which dimension and weight; an item is a byte.
    kTokenWeights = 10,
    // The graph index of a field; engine/dense/graph_format.cpp says what is in them.
    kGraphHead = 64,
    kGraphLinks = 65,
    kGraphUpper = 66,
    kGraphCodes = 67,
    kGraphNorms = 68,
    kGraphRange = 69,
    kGraphErrors = 70,
    kGraphFar = 71,
    // The list index of a field; engine/dense/list_format.cpp says what is in them.
    kListHead = 72,
    kListCentres = 73,
    kListCells = 74,
    kListRowNumbers = 75,
    kListRows = 76,
    kListNorms = 77,
    kListRange = 78,
    // The index of a sparse field: 80 and the number of the array in engine/sparse/sparse_index.h.
    kSparseHead = 80,
    kSparseTermRuns = 81,
    kSparseRunSuperblocks = 82,
    kSparseRunLengths = 83,
    kSparseRunPeaks = 84,
    kSparsePostings = 85,
    kSparseRowOffsets = 86,
    kSparseRowTerms = 87,
    kSparseRowWeights = 88,
    kSparseOrder = 89,  // u32: which vector of the segment each row of the index is
    // The index of a text field; engine/sparse/text_index.h says what is in them.
    kTextHead = 96,
    kTextDictionary = 97,
    kTextTermCounts = 98,
    kTextPostings = 99,
    kTextPositions = 100,
    // The values of an attribute, or of the key (field 0); engine/filter/column_arrays.h.
    kColumnHead = 104,
    kColumnValues = 105,
    kColumnLengths = 106,
    kColumnCodes = 107,
    // u32, ascending: records whose attributes may be others than columns say; field 0. Its
    // generation is the epoch of the collection up to which it is kept: columns are to be believed
    // beside one of the present epoch only. See NextEpoch.
    kChangedRecords = 108,
    // The approximate index of a sparse field: 128 and the number of the array in
    // engine/sparse/approximate_index.h.
    kApproximateHead = 128,
    kApproximateTermBlocks = 129,
    kApproximateBlockMembers = 130,
    kApproximateMembers = 131,
    kApproximateListTerms = 132,
    kApproximateSummaryTerms = 133,
    kApproximateSummaryFirst = 134,
    kApproximateSummaryBlocks = 135,
    kApproximateSummaryLevels = 136,
    kApproximateLinks = 137,
    kApproximateCurve = 138,
    kHeldElement = 140,  // derived: u8, see engine/db/held_element.h
};
const char* PartKindName(PartKind kind);
// Kinds from here on are derived, known to this version or not: a part that a newer version has
// made is passed over, and lost when its segment is merged.
inline constexpr int64_t kLastStoredKind = 10;
inline constexpr int64_t kFirstDerivedKind = 64;
inline constexpr int64_t kPartKindMax = 1023;
inline bool IsDerived(PartKind kind) {
    return kind == PartKind::kNorms || static_cast<int64_t>(kind) >= kFirstDerivedKind;
}

struct ChunkInfo {
    uint32_t raw_bytes = 0;
    uint32_t stored_bytes = 0;
    uint32_t codec = 0;
    uint64_t hash = 0;
};

struct PartInfo {
    int64_t id = 0;
    int64_t segment = 0;
    uint32_t field = 0;      // column id; 0: the segment itself
    std::string field_name;  // for messages; empty when unknown
    PartKind kind = PartKind::kRowIds;
    int64_t generation = 0;  // of the data that it was made from
    uint64_t items = 0;
    uint32_t item_bytes = 0;
    uint32_t chunk_items = 0;  // items in every chunk but the last
    std::vector<ChunkInfo> chunks;
    uint64_t raw_bytes() const { return items * item_bytes; }
    uint64_t stored_bytes() const;
    std::string Name() const;  // "segment 3, part vectors of field 'emb'"
};

struct SegmentInfo {
    int64_t id = 0;
    int64_t collection = 0;
    SegmentState state = SegmentState::kBuilding;
    uint64_t items = 0;
    int64_t generation = 0;
    std::string owner;
    std::vector<PartInfo> parts;
    const PartInfo* Find(PartKind kind, uint32_t field) const;
    uint64_t stored_bytes() const;
    uint64_t LayoutHash() const;  // of all its catalog rows; see CollectionState::layout
};

// All segments of a collection in one state; validated: sizes, directories and limits are
// consistent. schema (may be NULL) knows the names of the fields.
Result<std::vector<SegmentInfo>> ReadSegments(Connection* connection, int64_t collection,
                                              SegmentState state, const Schema* schema = nullptr);

Result<int64_t> CreateSegment(Connection* connection, int64_t collection, const std::string& owner);
// Sets its final size and makes it live; `mark` takes the place of the owner. kNotFound when
// somebody has swept it away meanwhile.
Status PublishSegment(Connection* connection, int64_t segment, uint64_t items, int64_t generation,
                      const std::string& mark);
// The layout hash of one segment as it stands in the catalog, whatever its state.
Result<uint64_t> ReadLayoutHash(Connection* connection, int64_t collection, int64_t segment);
Result<bool> IsLive(Connection* connection, int64_t segment);
// kNotFound when it is not live any more (another process merged it).
Status RetireSegment(Connection* connection, int64_t segment);
// Gives a segment that is still being built up: it is garbage from now on. Nothing happens if it is
// not there.
Status AbandonSegment(Connection* connection, int64_t segment);
// Writes a table of a field: a segment of state kTable with one part of bytes. Tells its layout
// hash.
Result<uint64_t> WriteTable(Connection* connection, int64_t collection, uint32_t field,
                            PartKind kind, BytesView bytes, int64_t generation);
// Makes it garbage. Nothing happens if it is not there.
Status RetireTable(Connection* connection, int64_t segment);
// The highest id of a segment in any state; 0: there are none.
Result<int64_t> LastSegment(Connection* connection);
// Removes up to about max_bytes of chunks of segments that are retired, or whose builder is dead,
// with ids up to last_segment. True: nothing is left to do.
Result<bool> SweepStep(Connection* connection,
                       const std::function<bool(const std::string& owner)>& owner_is_dead,
                       int64_t last_segment, uint64_t max_bytes);
Result<bool> NeedsSweep(Connection* connection,
                        const std::function<bool(const std::string& owner)>& owner_is_dead);
Status RemovePart(Connection* connection, const PartInfo& part);
// The next epoch of a collection, for whoever is about to write its state. Lists of changed records
// that were kept up to now stay so; a version that does not know them moves on without.
Status NextEpoch(Connection* connection, int64_t collection, CollectionState* state);
// Hands all parts of a segment that is being built over to a live one, and removes the first.
// kNotFound when either is not there any more.
Status MoveParts(Connection* connection, int64_t from_building, int64_t to_live);

// Writes one part, chunk by chunk, in whatever transactions the caller has open at the time.
class PartWriter {
public:
    // element_bytes: what the byte-split codecs see (4 for f32).
    static Result<PartWriter> Create(Connection* connection, int64_t segment, uint32_t field,
                                     PartKind kind, uint32_t item_bytes, uint32_t element_bytes,
                                     int64_t generation, Effort effort);
    // Single items of it will be looked at. Before anything is appended; expected_items: how many
    // there will be at the most.
    void ShapeForLooks(uint64_t expected_items) {
        use_ = ChunkUse::kLooks;
        expected_items_ = expected_items;
    }
    Status Append(const void* items, size_t count);
    // Writes the last chunk and the directory.
    Status Finish();
    uint64_t items() const { return info_.items; }
    uint64_t bytes_written() const { return bytes_written_; }

private:
    Status WriteFullChunks();
    Status WriteChunk(BytesView raw);
    Connection* connection_ = nullptr;
    PartInfo info_;
    ChunkUse use_ = ChunkUse::kWhole;
    uint64_t expected_items_ = 0;
    bool shaped_ = false;
    uint32_t element_bytes_ = 1;
    Effort effort_ = Effort::kBest;
    Codec codec_ = Codec::kRaw;
    Bytes pending_;
    uint64_t bytes_written_ = 0;
};

// Proves and decodes the stored bytes of one chunk to out, which has room for its raw_bytes.
// kCorrupt names segment, part and chunk.
Status DecodeChunk(const PartInfo& part, size_t chunk, BytesView stored, char* out);
// Reads one chunk, proves and decodes it.
Status ReadChunk(Connection* connection, const PartInfo& part, size_t chunk, char* out);

// Hands the stored bytes of chunks first .. last - 1 to `take`, in order, faster than one by one.
// They are valid until take returns; DecodeChunk proves them.
Status ForChunks(Connection* connection, const PartInfo& part, size_t first, size_t last,
                 const std::function<Status(size_t chunk, BytesView stored)>& take);
// The same on up to so many threads, in no order. The connection is used by the calling thread
// alone; take is called by all of them.
Status ForChunksOnThreads(Connection* connection, const PartInfo& part, size_t first, size_t last,
                          int threads,
                          const std::function<Status(size_t chunk, BytesView stored)>& take);

// Reads, proves and decodes chunks first .. last - 1 to out, one behind the other.
Status ReadChunks(Connection* connection, const PartInfo& part, size_t first, size_t last,
                  int threads, char* out);

inline constexpr uint64_t kSegmentItemsMax = uint64_t{1} << 31;
// Of a part that has one item per entry of a sparse vector, or per byte of texts or their index.
inline constexpr uint64_t kEntryItemsMax = uint64_t{1} << 36;
inline bool HasEntries(PartKind kind) {
    return kind == PartKind::kSparseGaps || kind == PartKind::kSparseWeights ||
           (kind >= PartKind::kSparseHead && kind <= PartKind::kSparseOrder) ||
           kind == PartKind::kTextBytes || kind == PartKind::kTokenWeights ||
           (kind >= PartKind::kTextHead && kind <= PartKind::kTextPositions) ||
           kind == PartKind::kColumnValues;
}
inline bool IsColumnPart(PartKind kind) {
    return kind >= PartKind::kColumnHead && kind <= PartKind::kChangedRecords;
}

}  // namespace quern::storage
