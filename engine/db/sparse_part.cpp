#include "engine/db/sparse_part.h"

#include <numeric>

#include "engine/db/segment.h"
#include "engine/sparse/row_order.h"

namespace quern {

namespace {

constexpr size_t kHead = static_cast<size_t>(sparse::SparseArray::kHead);
constexpr size_t kOrder = sparse::kSparseArrays;
// With fewer superblocks than two there is nothing to tell apart.
constexpr size_t kOrderedRowsMin = 8192;
// Lists of heavy postings are cut in order, so that needs to be finer than for superblocks.
constexpr uint32_t kApproximateOrderRows = 256;
// Of a part, so that every reader takes it.
constexpr uint64_t kApproximateItemsMax = uint64_t{1} << 31;

Status BadSparsePart(const char* what) {
    return Status::Error(Code::kCorrupt, "sparse index: %s", what);
}

// Rows in another order, as one block.
struct OrderedRows {
    std::vector<uint64_t> offsets{0};
    std::vector<uint32_t> dimensions;
    std::vector<float> weights;
    OrderedRows(const sparse::SparseRows& rows, const std::vector<uint32_t>& order) {
        const uint64_t base = rows.offsets[0];
        offsets.reserve(order.size() + 1);
        dimensions.reserve(rows.entries());
        weights.reserve(rows.entries());
        for (const uint32_t row : order) {
            const uint64_t first = rows.offsets[row] - base;
            const uint64_t end = rows.offsets[row + 1] - base;
            dimensions.insert(dimensions.end(), rows.dimensions + first, rows.dimensions + end);
            weights.insert(weights.end(), rows.weights + first, rows.weights + end);
            offsets.push_back(dimensions.size());
        }
    }
    sparse::SparseRows View(size_t count) const {
        return {offsets.data(), dimensions.data(), weights.data(), count};
    }
};

}  // namespace

SparsePart::~SparsePart() {
    if (counter_) {
        counter_->Add(-counted_);
    }
}

Result<std::unique_ptr<SparsePart>> SparsePart::Build(const sparse::SparseRows& rows,
                                                      bool approximate,
                                                      const sparse::IndexOptions& wanted,
                                                      int threads, Work* work) {
    sparse::IndexOptions how = wanted;
    how.threads = threads;
    std::unique_ptr<SparsePart> part(new SparsePart());
    if (rows.count < kOrderedRowsMin) {
        part->order_.resize(rows.count);
        std::iota(part->order_.begin(), part->order_.end(), 0u);
        QUERN_ASSIGN(part->index_, sparse::SparseIndex::Build(rows, how, work));
        return part;
    }
    sparse::OrderOptions options;
    options.threads = threads;
    options.block_rows = approximate ? kApproximateOrderRows : options.block_rows;
    QUERN_ASSIGN(part->order_, sparse::OrderRows(rows, options, work));
    const OrderedRows ordered(rows, part->order_);
    QUERN_ASSIGN(part->index_, sparse::SparseIndex::Build(ordered.View(rows.count), how, work));
    if (approximate) {
        auto made = sparse::ApproximateIndex::Build(
            *part->index_, sparse::ApproximateOptions::For(rows.count, threads), work);
        if (made.status().code() == Code::kLimit) {
            return part;  // too many entries: its searches are exact
        }
        QUERN_TRY(made.status());
        part->approximate_ = std::move(*made);
        for (size_t number = kSparseExactParts; number < kSparseParts; number++) {
            if (part->Array(number).items > kApproximateItemsMax) {
                part->approximate_ = nullptr;
                break;
            }
        }
    }
    return part;
}

bool SparsePart::WantsApproximate(uint64_t vectors) {
    return vectors >= kOrderedRowsMin;
}

uint64_t SparsePart::BytesOf(const storage::SegmentInfo& segment, uint32_t field) {
    uint64_t bytes = 0;
    for (size_t number = 0; number < kSparseParts; number++) {
        const storage::PartInfo* part = segment.Find(SparsePartKind(number), field);
        bytes += part != nullptr ? part->raw_bytes() : 0;
    }
    if (segment.Find(storage::PartKind::kApproximateHead, field) != nullptr) {
        const storage::PartInfo* order = segment.Find(SparsePartKind(kOrder), field);
        bytes += order != nullptr ? order->items * sparse::CutRows::kBytes : 0;
    }
    return bytes;
}

Result<std::unique_ptr<SparsePart>> SparsePart::Load(storage::Connection* connection,
                                                     const storage::SegmentInfo& segment,
                                                     const SparseDef& def,
                                                     const SparseColumn& column,
                                                     const MemoryBudget& budget, Work* work) {
    std::string head;
    Buffer arrays[sparse::kSparseArrays];
    Buffer approximate[sparse::kApproximateArrays];
    std::unique_ptr<SparsePart> loaded(new SparsePart());
    for (size_t number = 0; number < kSparseParts; number++) {
        const storage::PartInfo* part = segment.Find(SparsePartKind(number), def.id);
        if (part == nullptr) {
            continue;  // empty, or lost: then the others do not fit
        }
        const auto bytes = static_cast<size_t>(part->raw_bytes());
        char* to = nullptr;
        if (number == kHead) {
            head.resize(bytes);
            to = head.data();
        } else if (number == kOrder) {
            if (part->item_bytes != 4) {
                return BadSparsePart("its order has items of the wrong size");
            }
            loaded->order_.resize(static_cast<size_t>(part->items));
            to = reinterpret_cast<char*>(loaded->order_.data());
        } else {
            Buffer& array = number < kOrder ? arrays[number] : approximate[number - kOrder - 1];
            array = Buffer(bytes, nullptr);
            to = array.data();
        }
        QUERN_TRY(
            storage::ReadChunks(connection, *part, 0, part->chunks.size(), budget.threads, to));
        QUERN_TRY(work->Check("load", number, kSparseParts));
    }
    QUERN_ASSIGN(loaded->index_, sparse::SparseIndex::Load(column.count(), head, arrays));
    if (loaded->index_->postings() != column.entries()) {
        return BadSparsePart("made for other vectors");
    }
    QUERN_TRY(loaded->TakeOrder(column));
    loaded->counted_ = static_cast<int64_t>(loaded->index_->memory_bytes() + column.count() * 4);
    if (segment.Find(storage::PartKind::kApproximateHead, def.id) != nullptr) {
        QUERN_ASSIGN(loaded->approximate_,
                     sparse::ApproximateIndex::Load(*loaded->index_, approximate, budget.threads));
        loaded->counted_ += static_cast<int64_t>(loaded->approximate_->memory_bytes());
    }
    loaded->counter_ = budget.indexes;
    loaded->counter_->Add(loaded->counted_);
    return loaded;
}

// The order must name every vector once; what is kept of it are the records.
Status SparsePart::TakeOrder(const SparseColumn& column) {
    if (order_.size() != column.count()) {
        return BadSparsePart("its order is of another number of vectors");
    }
    if (!sparse::NamesEveryRow(order_)) {
        return BadSparsePart("its order does not name every vector once");
    }
    for (uint32_t& vector : order_) {
        vector = column.record(vector);
    }
    records_ = std::move(order_);
    return {};
}

sparse::SparseArrayView SparsePart::Array(size_t number) const {
    if (number == kOrder) {
        return {reinterpret_cast<const char*>(order_.data()), order_.size(), 4};
    }
    if (number > kOrder) {
        return approximate_ == nullptr ? sparse::SparseArrayView()
                                       : approximate_->Array(static_cast<sparse::ApproximateArray>(
                                             number - kSparseExactParts));
    }
    return index_->Array(static_cast<sparse::SparseArray>(number));
}

std::optional<uint32_t> SparsePart::RowOf(uint32_t record) const {
    constexpr uint32_t kNoRow = UINT32_MAX;
    std::lock_guard<std::mutex> lock(mutex_);
    if (rows_.empty() && !records_.empty()) {
        rows_.assign(size_t{*std::max_element(records_.begin(), records_.end())} + 1, kNoRow);
        for (size_t row = 0; row < records_.size(); row++) {
            rows_[records_[row]] = static_cast<uint32_t>(row);
        }
        if (counter_) {
            const auto bytes = static_cast<int64_t>(rows_.size() * sizeof(uint32_t));
            counter_->Add(bytes);
            counted_ += bytes;
        }
    }
    return record < rows_.size() && rows_[record] != kNoRow ? std::optional(rows_[record])
                                                            : std::nullopt;
}

SparsePart::Bits SparsePart::Allowed(const Bits& dead) const {
    if (dead == nullptr) {
        return nullptr;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (dead_ != dead) {
        auto allowed = std::make_shared<std::vector<uint64_t>>(records_.size() / 64 + 1, 0);
        for (size_t row = 0; row < records_.size(); row++) {
            const uint64_t gone = (*dead)[records_[row] / 64] >> (records_[row] % 64) & 1;
            (*allowed)[row / 64] |= (gone ^ 1) << (row % 64);
        }
        dead_ = dead;
        allowed_ = std::move(allowed);
    }
    return allowed_;
}

}  // namespace quern
