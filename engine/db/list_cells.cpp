#include "engine/db/list_cells.h"

#include <algorithm>

#include "engine/db/database.h"

namespace quern {

namespace {

// The least that a cache is of use with: the chunks of one cell.
constexpr uint64_t kCacheBytesLeast = 4 * uint64_t{storage::kChunkBytesMax};

}  // namespace

CellCache::~CellCache() {
    counter_->Add(-static_cast<int64_t>(bytes_));
}

std::shared_ptr<const Bytes> CellCache::Find(size_t chunk) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = places_.find(chunk);
    if (found == places_.end()) {
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->bytes;
}

void CellCache::Put(size_t chunk, std::shared_ptr<const Bytes> bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (places_.count(chunk) != 0) {
        return;  // another thread was faster
    }
    const uint64_t before = bytes_;
    bytes_ += bytes->size();
    entries_.push_front({chunk, std::move(bytes)});
    places_[chunk] = entries_.begin();
    while (bytes_ > bytes_max_ && !entries_.empty()) {
        bytes_ -= entries_.back().bytes->size();
        places_.erase(entries_.back().chunk);
        entries_.pop_back();
    }
    counter_->Add(static_cast<int64_t>(bytes_) - static_cast<int64_t>(before));
}

const uint32_t* LoadedLists::CellOfEach() const {
    std::call_once(cells_made, [this] {
        Buffer made(index->count() * sizeof(uint32_t), counter);
        index->CellOfEach(reinterpret_cast<uint32_t*>(made.data()));
        cells = std::move(made);
    });
    return reinterpret_cast<const uint32_t*>(cells.data());
}

Result<std::unique_ptr<LoadedLists>> LoadLists(storage::Connection* connection,
                                               const storage::SegmentInfo& segment,
                                               const DenseDef& def, size_t count,
                                               const MemoryBudget& budget, uint64_t* needed,
                                               Work* work) {
    const storage::PartInfo* parts[dense::kListArrays] = {};
    uint64_t bytes = 0;
    for (size_t number = 0; number < dense::kListArrays; number++) {
        parts[number] = segment.Find(ListPartKind(static_cast<dense::ListArray>(number)), def.id);
        bytes += parts[number] != nullptr ? parts[number]->raw_bytes() : 0;
    }
    auto lists = std::make_unique<LoadedLists>();
    lists->counter = budget.indexes;
    constexpr auto kRows = static_cast<size_t>(dense::ListArray::kRows);
    const storage::PartInfo* rows = parts[kRows];
    if (!budget.Allows(bytes)) {
        const uint64_t least =
            rows == nullptr ? bytes : bytes - rows->raw_bytes() + kCacheBytesLeast;
        if (!budget.Allows(least)) {
            *needed = least;
            return std::unique_ptr<LoadedLists>();
        }
        lists->rows = rows;
        parts[kRows] = nullptr;
    }
    std::string head;
    Buffer arrays[dense::kListArrays];
    for (size_t number = 0; number < dense::kListArrays; number++) {
        const storage::PartInfo* part = parts[number];
        if (part == nullptr) {
            continue;
        }
        char* to = nullptr;
        if (number == static_cast<size_t>(dense::ListArray::kHead)) {
            head.resize(static_cast<size_t>(part->raw_bytes()));
            to = head.data();
        } else {
            arrays[number] = Buffer(static_cast<size_t>(part->raw_bytes()), budget.indexes);
            to = arrays[number].data();
        }
        QUERN_TRY(ReadPart(connection, *part, to, work));
    }
    QUERN_ASSIGN(lists->index,
                 dense::ListIndex::Load(def.element, def.metric, def.dim, count, head, arrays));
    const dense::ListIndex& index = *lists->index;
    if (lists->rows != nullptr) {
        if (rows->items != index.inside_count() || rows->item_bytes != index.row_bytes()) {
            return Status::Error(Code::kCorrupt, "%s: wrong size", rows->Name().c_str());
        }
        // Half of what is left: vectors come through memory, too.
        const int64_t left = std::max<int64_t>(0, budget.limit - budget.Total());
        lists->cache = std::make_unique<CellCache>(
            std::max(kCacheBytesLeast, static_cast<uint64_t>(left) / 2), budget.indexes);
    } else if (!index.has_rows()) {
        return Status::Error(Code::kCorrupt, "index: its rows are missing");
    }
    return lists;
}

Status CheckRows(storage::Connection* connection, const LoadedLists& lists, Work* work) {
    Bytes scratch;
    for (size_t chunk = 0; lists.rows != nullptr && chunk < lists.rows->chunks.size(); chunk++) {
        scratch.resize(lists.rows->chunks[chunk].raw_bytes);
        QUERN_TRY(storage::ReadChunk(connection, *lists.rows, chunk, scratch.data()));
        QUERN_TRY(work->Check("check index", chunk, lists.rows->chunks.size()));
    }
    return {};
}

Status FileCells::Read(size_t first, size_t count, std::vector<dense::CellPiece>* pieces) {
    const storage::PartInfo& part = *lists_.rows;
    const size_t begin = first / part.chunk_items;
    const size_t end = (first + count + part.chunk_items - 1) / part.chunk_items;
    std::vector<std::shared_ptr<const Bytes>> chunks(end - begin);
    bool complete = true;
    for (size_t i = 0; i < chunks.size(); i++) {
        chunks[i] = lists_.cache->Find(begin + i);
        complete = complete && chunks[i] != nullptr;
    }
    if (!complete) {
        QUERN_TRY(snapshot_->With(
            [&](storage::Connection* connection) -> Status {
                for (size_t i = 0; i < chunks.size(); i++) {
                    if (chunks[i] != nullptr) {
                        continue;
                    }
                    auto bytes = std::make_shared<Bytes>(part.chunks[begin + i].raw_bytes, '\0');
                    QUERN_TRY(storage::ReadChunk(connection, part, begin + i, bytes->data()));
                    lists_.cache->Put(begin + i, bytes);
                    chunks[i] = std::move(bytes);
                }
                return {};
            },
            reads_));
    }
    for (size_t i = 0; i < chunks.size(); i++) {
        const size_t chunk_first = (begin + i) * part.chunk_items;
        const size_t from = std::max(first, chunk_first) - chunk_first;
        const size_t to = std::min<size_t>(first + count - chunk_first, part.chunk_items);
        pieces->push_back({chunks[i]->data() + from * part.item_bytes, to - from, chunks[i]});
    }
    return {};
}

}  // namespace quern
