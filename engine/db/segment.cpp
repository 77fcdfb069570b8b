#include "engine/db/segment.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/db/value_lengths.h"
#include "engine/kernels/distance.h"

namespace quern {

namespace {
// Row ids that are fewer than this share of a segment are looked up one by one.
constexpr size_t kLookUpShare = 16;
}  // namespace

std::optional<size_t> SegmentField::VectorOf(uint32_t record) const {
    if (records.empty()) {
        return record < count() ? std::optional<size_t>(record) : std::nullopt;
    }
    const auto found = std::lower_bound(records.begin(), records.end(), record);
    if (found == records.end() || *found != record) {
        return std::nullopt;
    }
    return static_cast<size_t>(found - records.begin());
}

Result<const Bytes*> ChunkCache::Get(storage::Connection* connection, const storage::PartInfo& part,
                                     size_t chunk) {
    clock_++;
    Slot* oldest = nullptr;
    for (Slot& slot : slots_) {
        if (slot.part == part.id && slot.chunk == chunk) {
            slot.used = clock_;
            return static_cast<const Bytes*>(&slot.bytes);
        }
        if (oldest == nullptr || slot.used < oldest->used) {
            oldest = &slot;
        }
    }
    if (slots_.size() < slot_count_) {
        slots_.reserve(slot_count_);
        oldest = &slots_.emplace_back();
    }
    oldest->part = 0;  // nothing, should reading fail
    oldest->bytes.resize(part.chunks[chunk].raw_bytes);
    QUERN_TRY(storage::ReadChunk(connection, part, chunk, oldest->bytes.data()));
    oldest->part = part.id;
    oldest->chunk = chunk;
    oldest->used = clock_;
    return static_cast<const Bytes*>(&oldest->bytes);
}

Status ReadPart(storage::Connection* connection, const storage::PartInfo& part, char* out,
                Work* work) {
    size_t at = 0;
    return storage::ForChunks(
        connection, part, 0, part.chunks.size(), [&](size_t chunk, BytesView stored) -> Status {
            QUERN_TRY(storage::DecodeChunk(part, chunk, stored, out + at));
            at += part.chunks[chunk].raw_bytes;
            return work != nullptr ? work->Check("load", at, part.raw_bytes()) : Status();
        });
}

Result<const int64_t*> Segment::RowIds(storage::Connection* connection) {
    if (const int64_t* loaded = row_ids_.load(std::memory_order_acquire)) {
        return loaded;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (const int64_t* loaded = row_ids_.load()) {
        return loaded;
    }
    const storage::PartInfo* part = info_.Find(storage::PartKind::kRowIds, 0);
    if (part == nullptr || part->items != info_.items || part->item_bytes != sizeof(int64_t) ||
        part->items == 0) {
        return Status::Error(Code::kCorrupt,
                             "segment %lld, part row ids: missing or of the wrong size",
                             static_cast<long long>(info_.id));
    }
    Buffer buffer(static_cast<size_t>(part->raw_bytes()), budget_->row_ids);
    QUERN_TRY(ReadPart(connection, *part, buffer.data(), nullptr));
    const auto* ids = reinterpret_cast<const int64_t*>(buffer.data());
    row_ids_ascending_ = std::is_sorted(ids, ids + item_count());
    if (*std::min_element(ids, ids + item_count()) < 1) {
        return Status::Error(Code::kCorrupt, "%s: a row id is not positive", part->Name().c_str());
    }
    row_id_buffer_ = std::move(buffer);
    if (!row_ids_ascending_) {
        by_row_id_.resize(item_count());
        std::iota(by_row_id_.begin(), by_row_id_.end(), 0u);
        std::sort(by_row_id_.begin(), by_row_id_.end(),
                  [&](uint32_t a, uint32_t b) { return ids[a] < ids[b]; });
    }
    for (size_t i = 1; i < item_count(); i++) {
        const int64_t before = row_ids_ascending_ ? ids[i - 1] : ids[by_row_id_[i - 1]];
        const int64_t here = row_ids_ascending_ ? ids[i] : ids[by_row_id_[i]];
        if (before == here) {
            return Status::Error(Code::kCorrupt, "%s: row id %lld is there twice",
                                 part->Name().c_str(), static_cast<long long>(here));
        }
    }
    const auto* stable = reinterpret_cast<const int64_t*>(row_id_buffer_.data());
    row_ids_.store(stable, std::memory_order_release);
    return stable;
}

std::optional<uint32_t> Segment::RecordOf(int64_t rid) {
    const int64_t* ids = row_ids_.load(std::memory_order_acquire);
    size_t low = 0;
    size_t high = item_count();
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const size_t record = row_ids_ascending_ ? middle : by_row_id_[middle];
        if (ids[record] < rid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == item_count()) {
        return std::nullopt;
    }
    const size_t record = row_ids_ascending_ ? low : by_row_id_[low];
    return ids[record] == rid ? std::optional<uint32_t>(static_cast<uint32_t>(record))
                              : std::nullopt;
}

Result<SegmentField*> Segment::FieldShape(storage::Connection* connection, const DenseDef& def) {
    auto found = fields_.find(def.id);
    if (found != fields_.end()) {
        return found->second.get();
    }
    auto field = std::make_unique<SegmentField>();
    field->vectors = info_.Find(storage::PartKind::kVectors, def.id);
    if (field->vectors != nullptr) {
        if (field->vectors->item_bytes != def.row_bytes()) {
            return Status::Error(Code::kCorrupt, "%s: vectors of the wrong size",
                                 field->vectors->Name().c_str());
        }
        QUERN_TRY(ReadPresence(connection, info_, def.id, field->vectors->items, &field->records));
    }
    if (field->vectors != nullptr) {
        const IndexOptions options = IndexOptions::Of(def);
        // Without codes a walk needs the vectors themselves.
        field->place =
            options.Codes(def) == dense::CodeChoice::kNone ? FineChoice::kAuto : options.fine;
        QUERN_TRY(ChooseHeld(connection, def, field.get()));
        field->fine = std::make_unique<FineVectors>(field->vectors, HeldForm{def, field->held},
                                                    budget_->cache, &field->rows, &field->resident);
    }
    SegmentField* raw = field.get();
    fields_[def.id] = std::move(field);
    return raw;
}

// A part that is missing or damaged costs memory, and nothing else.
Status Segment::ChooseHeld(storage::Connection* connection, const DenseDef& def,
                           SegmentField* field) {
    field->held = def.element;
    const Result<std::optional<Element>> held = ReadHeldElement(connection, info_, def);
    if (held.status().code() == Code::kCorrupt) {
        MarkDegraded(def.id);
        return {};
    }
    QUERN_TRY(held.status());
    field->held = held->value_or(def.element);
    return {};
}

Result<const SegmentField*> Segment::FieldOutline(storage::Connection* connection,
                                                  const DenseDef& def) {
    std::lock_guard<std::mutex> lock(mutex_);
    QUERN_ASSIGN(SegmentField* const field, FieldShape(connection, def));
    return static_cast<const SegmentField*>(field);
}

Result<SegmentField*> Segment::PrepareField(storage::Connection* connection, const DenseDef& def,
                                            bool whole, Work* work) {
    std::lock_guard<std::mutex> lock(mutex_);
    QUERN_ASSIGN(SegmentField* const field, FieldShape(connection, def));
    if (field->vectors == nullptr) {
        return field;
    }
    if (!field->fine->keeps() && field->place != FineChoice::kDisk) {
        const uint64_t bytes = field->BytesToKeep(def);
        if (whole ? budget_->Allows(bytes) : budget_->AllowsWithEase(bytes)) {
            field->fine->Keep(Buffer(static_cast<size_t>(bytes), budget_->vectors,
                                     whole ? Buffer::HugePages::kNow : Buffer::HugePages::kLater));
        }
    }
    if (def.metric == Metric::kCosine && field->inverse_norms.empty()) {
        QUERN_TRY(LoadNorms(connection, def, field, work));
    }
    return field;
}

Result<const SegmentField*> Segment::Field(storage::Connection* connection, const DenseDef& def,
                                           Work* work, uint64_t bytes_max) {
    QUERN_ASSIGN(const SegmentField* const outline, FieldOutline(connection, def));
    const bool loads = outline->vectors == nullptr || outline->fine->BytesToLoad() <= bytes_max;
    QUERN_ASSIGN(SegmentField* const field, PrepareField(connection, def, loads, work));
    if (loads && field->vectors != nullptr && field->fine->keeps()) {
        QUERN_TRY(field->fine->LoadAll(connection, budget_->threads, work));
    }
    return static_cast<const SegmentField*>(field);
}

Result<const SegmentField*> Segment::FieldForLooks(storage::Connection* connection,
                                                   const DenseDef& def, Work* work,
                                                   uint64_t bytes_max) {
    QUERN_ASSIGN(SegmentField* const field, PrepareField(connection, def, false, work));
    if (field->vectors != nullptr && field->place == FineChoice::kMemory) {
        return Field(connection, def, work, bytes_max);
    }
    return static_cast<const SegmentField*>(field);
}

Status Segment::LoadNorms(storage::Connection* connection, const DenseDef& def, SegmentField* field,
                          Work* work) {
    std::vector<float> norms(field->count());
    const storage::PartInfo* part = info_.Find(storage::PartKind::kNorms, def.id);
    if (part != nullptr && part->item_bytes == sizeof(float) && part->items == norms.size()) {
        const Status status =
            ReadPart(connection, *part, reinterpret_cast<char*>(norms.data()), work);
        if (status.ok()) {
            const bool sane = std::all_of(norms.begin(), norms.end(),
                                          [](float x) { return std::isfinite(x) && x >= 0; });
            if (sane) {
                field->inverse_norms = std::move(norms);
                return {};
            }
        } else if (status.code() != Code::kCorrupt) {
            return status;
        }
    }
    // Derived and unusable: the vectors themselves tell.
    MarkDegraded(def.id);
    size_t done = 0;
    Bytes scratch;
    for (size_t chunk = 0; chunk < field->vectors->chunks.size(); chunk++) {
        const size_t bytes = field->vectors->chunks[chunk].raw_bytes;
        const size_t count = bytes / def.row_bytes();
        const char* rows = nullptr;
        if (field->resident) {
            rows = field->rows.data() + done * field->held_bytes(def);
        } else {
            scratch.resize(bytes);
            QUERN_TRY(storage::ReadChunk(connection, *field->vectors, chunk, scratch.data()));
            rows = scratch.data();
        }
        kernels::InverseNorms(field->resident ? field->held : def.element, rows, count, def.dim,
                              norms.data() + done);
        done += count;
    }
    field->inverse_norms = std::move(norms);
    return {};
}

// Leaves *loaded empty when there is no index or no memory for it.
Status Segment::LoadIndex(storage::Connection* connection, const DenseDef& def, LoadedIndex* loaded,
                          Work* work) {
    if (info_.Find(storage::PartKind::kListHead, def.id) != nullptr) {
        QUERN_ASSIGN(const SegmentField* const field, FieldShape(connection, def));
        uint64_t needed = 0;
        QUERN_ASSIGN(loaded->lists,
                     LoadLists(connection, info_, def, field->count(), *budget_, &needed, work));
        NoteIndexNeeds(needed);
        return {};
    }
    uint64_t bytes = 0;
    for (const storage::PartInfo& part : info_.parts) {
        if (part.field == def.id && part.kind >= storage::PartKind::kGraphHead &&
            part.kind <= storage::PartKind::kGraphFar) {
            bytes += part.raw_bytes();
        }
    }
    if (bytes == 0) {
        return {};
    }
    QUERN_ASSIGN(const SegmentField* const field, FieldShape(connection, def));
    // Links without codes are of no use where the vectors have no room beside them.
    const storage::PartInfo* codes = info_.Find(storage::PartKind::kGraphCodes, def.id);
    if ((codes == nullptr || codes->raw_bytes() == 0) && field->vectors != nullptr) {
        bytes += field->BytesToKeep(def);
    }
    if (!budget_->Allows(bytes)) {
        NoteIndexNeeds(bytes);
        return {};
    }
    std::string head;
    Buffer arrays[dense::kIndexArrays];
    for (size_t number = 0; number < dense::kIndexArrays; number++) {
        const storage::PartInfo* part =
            info_.Find(IndexPartKind(static_cast<dense::IndexArray>(number)), def.id);
        if (part == nullptr) {
            continue;
        }
        if (number == static_cast<size_t>(dense::IndexArray::kHead)) {
            head.resize(static_cast<size_t>(part->raw_bytes()));
            QUERN_TRY(ReadPart(connection, *part, head.data(), work));
        } else {
            arrays[number] = Buffer(static_cast<size_t>(part->raw_bytes()), budget_->indexes);
            QUERN_TRY(storage::ReadChunks(connection, *part, 0, part->chunks.size(),
                                          budget_->threads, arrays[number].data()));
            QUERN_TRY(work->Check("load", number, dense::kIndexArrays));
        }
    }
    QUERN_ASSIGN(
        std::unique_ptr<dense::GraphIndex> index,
        dense::GraphIndex::Load(def.element, def.metric, def.dim, field->count(), head, arrays));
    // Twice: making them takes less than as much again. Without them walks are slower, nothing
    // else.
    if (budget_->Allows(2 * index->PackBytes())) {
        QUERN_TRY(index->Pack(budget_->threads, budget_->indexes, work));
    }
    loaded->index = std::move(index);
    return {};
}

Result<Segment::IndexState> Segment::Index(storage::Connection* connection, const DenseDef& def,
                                           Work* work) {
    std::lock_guard<std::mutex> lock(mutex_);
    NoteIndexNeeds(0);
    const auto found = indexes_.find(def.id);
    if (found != indexes_.end()) {
        return found->second.state();
    }
    LoadedIndex loaded;
    const Status status = LoadIndex(connection, def, &loaded, work);
    if (status.code() == Code::kCorrupt) {
        loaded = LoadedIndex();
        loaded.damaged = true;
        MarkDegraded(def.id);
    } else {
        QUERN_TRY(status);
    }
    const IndexState state = loaded.state();
    if (state.index != nullptr || state.lists != nullptr || state.damaged) {
        indexes_[def.id] = std::move(loaded);
    }
    return state;
}

Result<BytesView> Segment::Vector(storage::Connection* connection, const DenseDef& def,
                                  uint32_t record, ChunkCache* cache) {
    QUERN_ASSIGN(const SegmentField* const field, FieldOutline(connection, def));
    if (field->vectors == nullptr) {
        return BytesView();
    }
    const std::optional<size_t> vector = field->VectorOf(record);
    if (!vector) {
        return BytesView();
    }
    if (const char* row = field->fine->InRoom(*vector)) {
        if (field->held == def.element) {
            return BytesView(row, def.row_bytes());
        }
        Bytes* const value = cache->assembled();
        value->resize(def.row_bytes());
        kernels::ToF32(field->held, row, 1, def.dim, reinterpret_cast<float*>(value->data()));
        return BytesView(*value);
    }
    const size_t chunk = *vector / field->vectors->chunk_items;
    QUERN_ASSIGN(const Bytes* const bytes, cache->Get(connection, *field->vectors, chunk));
    return BytesView(*bytes).substr((*vector % field->vectors->chunk_items) * def.row_bytes(),
                                    def.row_bytes());
}

Result<const SparseColumn*> Segment::Sparse(storage::Connection* connection, const SparseDef& def,
                                            bool whole, Work* work, uint64_t bytes_max) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::unique_ptr<SparseColumn>& column = sparse_[def.id];
    if (column == nullptr) {
        QUERN_ASSIGN(column, SparseColumn::Open(connection, info_, def));
    }
    if (whole && !column->resident() && column->stored_bytes() <= bytes_max &&
        budget_->Allows(column->memory_bytes())) {
        QUERN_TRY(column->LoadAll(connection, *budget_, work));
    }
    return static_cast<const SparseColumn*>(column.get());
}

Result<Segment::SparseState> Segment::SparseIndexOf(storage::Connection* connection,
                                                    const SparseDef& def, Work* work) {
    if (info_.Find(storage::PartKind::kSparseHead, def.id) == nullptr) {
        return SparseState();
    }
    QUERN_ASSIGN(const SparseColumn* const column, Sparse(connection, def, false, work));
    std::lock_guard<std::mutex> lock(mutex_);
    NoteIndexNeeds(0);
    LoadedSparse& loaded = sparse_indexes_[def.id];
    if (loaded.part == nullptr && !loaded.damaged) {
        const uint64_t bytes = SparsePart::BytesOf(info_, def.id);
        if (!budget_->Allows(bytes)) {
            NoteIndexNeeds(bytes);
            return SparseState();
        }
        auto part = SparsePart::Load(connection, info_, def, *column, *budget_, work);
        if (part.status().code() == Code::kCorrupt) {
            loaded.damaged = true;
            MarkDegraded(def.id);
        } else {
            QUERN_TRY(part.status());
            loaded.part = std::move(*part);
        }
    }
    return SparseState{loaded.part.get(), loaded.damaged};
}

Result<const TextColumn*> Segment::Text(storage::Connection* connection, const TextDef& def) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::unique_ptr<TextColumn>& column = texts_[def.id];
    if (column == nullptr) {
        QUERN_ASSIGN(column, TextColumn::Open(connection, info_, def));
    }
    return static_cast<const TextColumn*>(column.get());
}

Result<TextIndexCache::Index> Segment::TextIndexOf(storage::Connection* connection,
                                                   const TextDef& def, uint64_t* memory_needed,
                                                   Work* work) {
    QUERN_ASSIGN(const TextColumn* const column, Text(connection, def));
    const auto make = [&]() -> Result<std::unique_ptr<sparse::TextIndex>> {
        auto stored = LoadTextPart(connection, info_, def, *column, budget_->threads, work);
        if (stored.status().code() == Code::kCorrupt) {
            MarkDegraded(def.id);
        } else if (!stored.ok() || *stored != nullptr) {
            return stored;
        }
        ChunkCache cache;
        return MakeTextIndex(
            def, static_cast<uint32_t>(item_count()),
            [&](uint32_t record) { return column->Value(connection, record, &cache); }, work);
    };
    bool kept = false;
    QUERN_ASSIGN(const TextIndexCache::Index index,
                 text_indexes_.Get(def.id, *budget_, false, make, &kept));
    if (!kept) {
        // The index is counted for as long as it is there.
        *memory_needed = std::max(*memory_needed, static_cast<uint64_t>(budget_->Total()));
    }
    return index;
}

Result<bool> Segment::TextIndexIsSound(storage::Connection* connection, const TextDef& def,
                                       Work* work) {
    QUERN_ASSIGN(const TextColumn* const column, Text(connection, def));
    const Status status =
        LoadTextPart(connection, info_, def, *column, budget_->threads, work).status();
    if (status.code() == Code::kCorrupt) {
        return false;
    }
    QUERN_TRY(status);
    return true;
}

Result<BytesView> Segment::Value(storage::Connection* connection, const Schema& schema,
                                 size_t field, uint32_t record, ChunkCache* cache) {
    if (schema.is_dense(field)) {
        return Vector(connection, schema.dense[field], record, cache);
    }
    if (schema.is_text(field)) {
        QUERN_ASSIGN(const TextColumn* const texts, Text(connection, schema.text_field(field)));
        return texts->Value(connection, record, cache);
    }
    QUERN_ASSIGN(const SparseColumn* const column,
                 Sparse(connection, schema.sparse_field(field), false, nullptr));
    return column->Value(connection, record, cache);
}

Segment::KnownKeys::KnownKeys(size_t count, std::shared_ptr<MemoryCounter> c)
    : keys(new std::atomic<int64_t>[count]),
      known(new std::atomic<uint64_t>[(count + 63) / 64]()),
      bytes(count * 8 + count / 8),
      counter(std::move(c)) {
    counter->Add(static_cast<int64_t>(bytes));
}

Segment::KnownKeys::~KnownKeys() {
    counter->Add(-static_cast<int64_t>(bytes));
}

std::optional<int64_t> Segment::KnownKey(uint32_t record) const {
    const KnownKeys* known = known_keys_.load(std::memory_order_acquire);
    if (known == nullptr ||
        (known->known[record / 64].load(std::memory_order_acquire) >> (record % 64) & 1) == 0) {
        return std::nullopt;
    }
    return known->keys[record].load(std::memory_order_relaxed);
}

void Segment::RememberKey(uint32_t record, int64_t key) {
    KnownKeys* known = known_keys_.load(std::memory_order_acquire);
    if (known == nullptr) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (known_keys_owner_ == nullptr) {
            known_keys_owner_ = std::make_unique<KnownKeys>(item_count(), budget_->row_ids);
            known_keys_.store(known_keys_owner_.get(), std::memory_order_release);
        }
        known = known_keys_owner_.get();
    }
    known->keys[record].store(key, std::memory_order_relaxed);
    known->known[record / 64].fetch_or(uint64_t{1} << (record % 64), std::memory_order_release);
}

std::shared_ptr<const std::vector<uint64_t>> Segment::BitsOf(const std::vector<int64_t>& rids,
                                                             size_t* count) {
    *count = 0;
    std::shared_ptr<std::vector<uint64_t>> bits;
    const auto set = [&](uint32_t record) {
        if (!bits) {
            bits = std::make_shared<std::vector<uint64_t>>((item_count() + 63) / 64, 0);
        }
        uint64_t& word = (*bits)[record / 64];
        const uint64_t bit = uint64_t{1} << (record % 64);
        *count += (word & bit) == 0 ? 1 : 0;
        word |= bit;
    };
    if (rids.size() < item_count() / kLookUpShare) {
        for (const int64_t rid : rids) {
            if (const std::optional<uint32_t> record = RecordOf(rid)) {
                set(*record);
            }
        }
        return bits;
    }
    // Many: both lists are gone through in order.
    const int64_t* ids = row_ids_.load(std::memory_order_acquire);
    size_t at = 0;
    for (size_t i = 0; i < item_count() && at < rids.size(); i++) {
        const auto record = row_ids_ascending_ ? static_cast<uint32_t>(i) : by_row_id_[i];
        while (at < rids.size() && rids[at] < ids[record]) {
            at++;
        }
        if (at < rids.size() && rids[at] == ids[record]) {
            set(record);
        }
    }
    return bits;
}

}  // namespace quern
