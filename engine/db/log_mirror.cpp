#include "engine/db/log_mirror.h"

#include <algorithm>

#include "engine/db/sparse_log.h"
#include "engine/kernels/distance.h"

namespace quern {

namespace {
// A block's arrays are allocated whole, so small logs should not cost much: about a megabyte at
// most.
constexpr size_t kBlockItemsMax = 512;
constexpr size_t kBlockBytesMax = 1 << 20;
// What comes to a log is indexed in pieces of so many texts. The last one, which is not full, is
// indexed anew after each commit; each piece costs a search a look at its terms.
constexpr size_t kTextPiece = 16;
}  // namespace

BytesView LogView::value(size_t i, size_t field) const {
    const LogBlock& block = *blocks[i / block_items];
    const size_t at = i % block_items;
    if (field >= block.fields.size()) {
        const LogBlock::SparseField& sparse = block.sparse[field - block.fields.size()];
        return sparse.present[at] ? sparse.value(at) : BytesView();
    }
    const LogBlock::Field& column = block.fields[field];
    return column.present[at]
               ? BytesView(column.rows.data() + at * column.row_bytes, column.row_bytes)
               : BytesView();
}

std::shared_ptr<const LogView> LogView::Matching(
    std::shared_ptr<const std::vector<uint64_t>> puts) const {
    auto view = std::make_shared<LogView>();
    view->blocks = blocks;
    view->block_items = block_items;
    view->count = count;
    view->last = last;
    view->wanted = std::move(puts);
    return view;
}

std::vector<LogView::TextPiece> LogView::TextPieces() const {
    std::vector<TextPiece> pieces;
    for (size_t b = 0; b < blocks.size(); b++) {
        const LogBlock& block = *blocks[b];
        const size_t begin = b * block_items;
        if (begin + block_items <= count) {
            pieces.push_back({begin, begin + block_items, &block.text_indexes});
            continue;
        }
        for (size_t first = begin; first < count; first += kTextPiece) {
            const size_t end = std::min(first + kTextPiece, count);
            pieces.push_back({first, end,
                              end - first == kTextPiece
                                  ? &block.text_pieces[(first - begin) / kTextPiece]
                                  : &last_piece_});
        }
    }
    return pieces;
}

size_t LogView::live_count() const {
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        live += visible(i) ? 1 : 0;
    }
    return live;
}

LogMirror::LogMirror() = default;
LogMirror::~LogMirror() = default;

Result<std::shared_ptr<LogMirror>> LogMirror::Load(
    storage::Connection* connection, std::shared_ptr<const storage::CollectionInfo> info,
    const storage::CollectionState& state, std::shared_ptr<MemoryCounter> memory) {
    auto mirror = std::make_shared<LogMirror>();
    size_t row_bytes = 1;
    for (const DenseDef& field : info->schema.dense) {
        row_bytes += field.row_bytes();
    }
    mirror->block_items_ = std::clamp<size_t>(kBlockBytesMax / row_bytes, 1, kBlockItemsMax);
    mirror->info_ = std::move(info);
    mirror->memory_ = std::move(memory);
    for (size_t f = 0; f < mirror->info_->schema.sparse.size(); f++) {
        mirror->sparse_.push_back(std::make_unique<SparseLog>(mirror->memory_));
    }
    QUERN_TRY(mirror->CatchUp(connection, state));
    return mirror;
}

Status LogMirror::CatchUp(storage::Connection* connection, const storage::CollectionState& state) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (last_ >= state.log_last) {
        return {};
    }
    storage::RecordLog log(connection, *info_);
    QUERN_TRY(log.Read(last_, [&](const storage::LogEntry& entry) { return Add(entry); }));
    if (last_ != state.log_last) {
        return Status::Error(Code::kCorrupt,
                             "collection '%s': the log does not end where its state says",
                             info_->name.c_str());
    }
    return {};
}

Status LogMirror::Add(const storage::LogEntry& entry) {
    entries_++;
    bytes_ += entry.vectors.size() + 64;
    if (entry.kind != storage::LogKind::kAmend && entry.dead != 0) {
        AddDead(entry.dead, entry.rid);
    }
    if (entry.kind == storage::LogKind::kAmend && entry.dead != 0) {
        amendments_.emplace_back(entry.rid, entry.dead);
    }
    if (entry.kind == storage::LogKind::kPut) {
        const Schema& schema = info_->schema;
        std::vector<storage::VectorRef> vectors;
        QUERN_TRY(storage::DecodeVectors(schema, entry.vectors, &vectors));
        if (count_ == blocks_.size() * block_items_) {
            auto block = std::make_shared<LogBlock>();
            block->items.reset(new LogItem[block_items_]);
            block->fields.resize(schema.dense.size());
            for (size_t f = 0; f < schema.dense.size(); f++) {
                LogBlock::Field& field = block->fields[f];
                field.row_bytes = schema.dense[f].row_bytes();
                field.rows = Buffer(block_items_ * field.row_bytes, memory_);
                std::memset(field.rows.data(), 0,
                            field.rows.bytes());  // absent rows are scanned and passed over
                field.present.assign(block_items_, 0);
                field.inverse_norms.assign(
                    schema.dense[f].metric == Metric::kCosine ? block_items_ : 0, 0.0f);
            }
            block->sparse.resize(schema.field_count() - schema.dense.size());
            for (LogBlock::SparseField& field : block->sparse) {
                field.values.resize(block_items_);
                field.present.assign(block_items_, 0);
            }
            if (!schema.text.empty()) {
                block->text_pieces.reset(new TextIndexCache[block_items_ / kTextPiece + 1]);
            }
            blocks_.push_back(std::move(block));
        }
        LogBlock& block = *blocks_.back();
        const size_t at = count_ % block_items_;
        LogItem& item = block.items[at];
        item.rid = entry.rid;
        item.hash = entry.hash;
        item.key = entry.key;
        for (const storage::VectorRef& vector : vectors) {
            if (!schema.is_dense(vector.field)) {
                LogBlock::SparseField& field = block.sparse[vector.field - schema.dense.size()];
                if (!vector.bytes.empty()) {
                    field.values[at] = Buffer(vector.bytes.size(), memory_);
                    std::memcpy(field.values[at].data(), vector.bytes.data(), vector.bytes.size());
                }
                field.present[at] = 1;
                continue;
            }
            LogBlock::Field& field = block.fields[vector.field];
            const DenseDef& def = schema.dense[vector.field];
            char* row = field.rows.data() + at * def.row_bytes();
            std::memcpy(row, vector.bytes.data(), vector.bytes.size());
            field.present[at] = 1;
            if (def.metric == Metric::kCosine) {
                kernels::InverseNorms(def.element, row, 1, def.dim, &field.inverse_norms[at]);
            }
        }
        auto [place, fresh] = newest_.try_emplace(entry.key, count_);
        if (!fresh) {
            item.older = static_cast<int64_t>(place->second);
            place->second = count_;
        }
        count_++;
    }
    last_ = entry.rid;
    return {};
}

void LogMirror::AddDead(int64_t rid, int64_t died_at) {
    if (const std::optional<size_t> position = FindRidLocked(rid)) {
        blocks_[*position / block_items_]->items[*position % block_items_].died_at.store(
            died_at, std::memory_order_release);
    } else {
        sealed_dead_.emplace_back(died_at, rid);
    }
}

std::optional<size_t> LogMirror::FindRidLocked(int64_t rid) const {
    size_t low = 0;
    size_t high = count_;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (item(middle).rid < rid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count_ && item(low).rid == rid ? std::optional<size_t>(low) : std::nullopt;
}

std::optional<size_t> LogMirror::FindRid(int64_t rid) const {
    std::lock_guard<std::mutex> lock(mutex_);
    return FindRidLocked(rid);
}

std::optional<size_t> LogMirror::Find(const Key& key, int64_t last) const {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = newest_.find(key);
    int64_t position = found == newest_.end() ? -1 : static_cast<int64_t>(found->second);
    while (position >= 0) {
        const LogItem& candidate = item(static_cast<size_t>(position));
        if (candidate.rid <= last) {
            const int64_t died = candidate.died_at.load(std::memory_order_acquire);
            if (died == 0 || died > last) {
                return static_cast<size_t>(position);
            }
            return std::nullopt;  // the newest version within the snapshot is dead
        }
        position = candidate.older;
    }
    return std::nullopt;
}

std::optional<std::pair<int64_t, uint64_t>> LogMirror::FindPut(const Key& key, int64_t last) const {
    const std::optional<size_t> position = Find(key, last);
    if (!position) {
        return std::nullopt;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    return std::make_pair(item(*position).rid, item(*position).hash);
}

Status LogMirror::Append(int64_t after, const std::vector<storage::LogEntry>& entries) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (last_ != after) {
        return {};
    }
    for (const storage::LogEntry& entry : entries) {
        QUERN_TRY(Add(entry));
    }
    return {};
}

int64_t LogMirror::last() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_;
}
uint64_t LogMirror::entry_count() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return entries_;
}
uint64_t LogMirror::bytes() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return bytes_;
}

std::shared_ptr<const LogView> LogMirror::View(const storage::CollectionState& state) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (view_ && view_->last == state.log_last) {
        return view_;
    }
    auto view = std::make_shared<LogView>();
    view->last = state.log_last;
    view->block_items = block_items_;
    size_t low = 0;
    size_t high = count_;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (item(middle).rid <= state.log_last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    view->count = low;
    const size_t blocks = (low + block_items_ - 1) / block_items_;
    view->blocks.assign(blocks_.begin(), blocks_.begin() + static_cast<ptrdiff_t>(blocks));
    if (state.log_last == last_) {
        view_ = view;
    }
    return view;
}

bool LogMirror::AmendedBetween(int64_t first, int64_t last) const {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto next =
        std::upper_bound(amendments_.begin(), amendments_.end(), first,
                         [](int64_t bound, const auto& entry) { return bound < entry.first; });
    return next != amendments_.end() && next->first <= last;
}

std::vector<int64_t> LogMirror::Amended(int64_t last) const {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<int64_t> changed;
    for (const auto& [entry, rid] : amendments_) {
        if (entry > last) {
            break;
        }
        changed.push_back(rid);
    }
    return changed;
}

std::vector<int64_t> LogMirror::SealedDead(int64_t last) const {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<int64_t> dead;
    for (const auto& [died_at, rid] : sealed_dead_) {
        if (died_at > last) {
            break;
        }
        dead.push_back(rid);
    }
    return dead;
}

}  // namespace quern
