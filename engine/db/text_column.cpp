#include "engine/db/text_column.h"

#include <algorithm>

#include "engine/db/segment.h"
#include "engine/db/text_part.h"
#include "engine/db/value_lengths.h"
#include "storage/text_tokens.h"

namespace quern {

using storage::PartInfo;
using storage::PartKind;

Result<std::unique_ptr<sparse::TextAnalyzer>> OpenAnalyzer(const TextDef& def) {
    auto analyzer = sparse::TextAnalyzer::Open(def.options, storage::OpenTokenizer);
    if (!analyzer.ok()) {
        return analyzer.status().WithContext("field '" + def.name + "'");
    }
    return analyzer;
}

Status CheckTextField(const TextDef& def) {
    if (def.options.size() > kColumnOptionBytesMax) {
        return Status::Error(Code::kLimit, "field '%s': options of more than %zu bytes",
                             def.name.c_str(), kColumnOptionBytesMax);
    }
    if (!IsValidUtf8(def.options)) {
        return Status::Error(Code::kMalformed, "field '%s': options are not valid UTF-8",
                             def.name.c_str());
    }
    QUERN_ASSIGN(const auto analyzer, OpenAnalyzer(def));
    Status fit = sparse::CheckNewOptions(def.options);
    if (fit.ok()) {
        fit = analyzer->CheckStopWords();
    }
    return fit.ok() ? fit : fit.WithContext("field '" + def.name + "'");
}

Status CheckText(BytesView text, const TextDef& def) {
    if (const char* const problem = TextProblem(text)) {
        return Status::Error(text.size() > kTextBytesMax ? Code::kLimit : Code::kMalformed, "%s",
                             problem);
    }
    if (text.size() <= sparse::kTextTokensMax) {
        return {};  // a token has at least one byte
    }
    QUERN_ASSIGN(const auto analyzer, OpenAnalyzer(def));
    std::vector<sparse::TextTerm> terms;
    return analyzer->Analyze(text, &terms);
}

Result<std::unique_ptr<TextColumn>> TextColumn::Open(storage::Connection* connection,
                                                     const storage::SegmentInfo& segment,
                                                     const TextDef& def) {
    std::unique_ptr<TextColumn> column(new TextColumn());
    const PartInfo* lengths = segment.Find(PartKind::kTextLengths, def.id);
    if (lengths == nullptr) {
        return column;
    }
    QUERN_TRY(ReadLengths(connection, segment, *lengths, def.id, kTextBytesMax, &column->records_,
                          &column->offsets_));
    column->bytes_ = segment.Find(PartKind::kTextBytes, def.id);
    const uint64_t items = column->bytes_ == nullptr ? 0 : column->bytes_->items;
    if (items != column->offsets_.back() ||
        (column->bytes_ != nullptr && column->bytes_->item_bytes != 1)) {
        return Status::Error(Code::kCorrupt, "%s: other texts than these are there",
                             lengths->Name().c_str());
    }
    return column;
}

std::optional<size_t> TextColumn::NumberOf(uint32_t record) const {
    size_t number = record;
    if (!records_.empty()) {
        const auto found = std::lower_bound(records_.begin(), records_.end(), record);
        if (found == records_.end() || *found != record) {
            return std::nullopt;
        }
        number = static_cast<size_t>(found - records_.begin());
    }
    return number < count() ? std::optional<size_t>(number) : std::nullopt;
}

Result<BytesView> TextColumn::Value(storage::Connection* connection, uint32_t record,
                                    ChunkCache* cache) const {
    const std::optional<size_t> place = NumberOf(record);
    if (!place) {
        return BytesView();
    }
    const size_t number = *place;
    Bytes* const value = cache->assembled();
    value->clear();
    for (uint64_t at = offsets_[number]; at < offsets_[number + 1];) {
        const auto chunk = static_cast<size_t>(at / bytes_->chunk_items);
        const auto from = static_cast<size_t>(at % bytes_->chunk_items);
        QUERN_ASSIGN(const Bytes* const bytes, cache->Get(connection, *bytes_, chunk));
        const size_t take =
            std::min(static_cast<size_t>(offsets_[number + 1] - at), bytes->size() - from);
        value->append(*bytes, from, take);
        at += take;
    }
    if (const char* const problem = TextProblem(*value)) {
        return Status::Error(Code::kCorrupt, "%s: text %zu: %s", bytes_->Name().c_str(), number,
                             problem);
    }
    return BytesView(*value);
}

Result<std::unique_ptr<sparse::TextIndex>> MakeTextIndex(
    const TextDef& def, uint32_t records, const std::function<Result<BytesView>(uint32_t)>& text,
    Work* work) {
    QUERN_ASSIGN(const std::unique_ptr<TextGatherer> gatherer, TextGatherer::Start(def));
    for (uint32_t i = 0; i < records; i++) {
        if (i % 256 == 0) {
            QUERN_TRY(work->Check("text index", i, records));
        }
        QUERN_ASSIGN(const BytesView value, text(i));
        QUERN_TRY(gatherer->Add(value));
    }
    QUERN_ASSIGN(sparse::TextParts parts, gatherer->Finish(work));
    return sparse::TextIndex::Load(std::move(parts), work);
}

Result<TextIndexCache::Index> TextIndexCache::Get(uint32_t field, const MemoryBudget& budget,
                                                  bool of_log, const Make& make, bool* kept) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = kept_.find(field);
    *kept = true;
    if (found != kept_.end()) {
        return found->second;
    }
    QUERN_ASSIGN(std::unique_ptr<sparse::TextIndex> made, make());
    const auto bytes = static_cast<int64_t>(made->memory_bytes());
    *kept = of_log ? budget.AllowsForLog(static_cast<uint64_t>(bytes))
                   : budget.Allows(static_cast<uint64_t>(bytes));
    const std::shared_ptr<MemoryCounter> counter = budget.indexes;
    const std::shared_ptr<MemoryCounter> of_logs = of_log ? budget.log_texts : nullptr;
    const auto count = [counter, of_logs](int64_t more) {
        counter->Add(more);
        if (of_logs != nullptr) {
            of_logs->Add(more);
        }
    };
    count(bytes);
    Index index(made.release(), [count, bytes](const sparse::TextIndex* dead) {
        delete dead;
        count(-bytes);
    });
    if (*kept) {
        kept_[field] = index;
    }
    return index;
}

}  // namespace quern
