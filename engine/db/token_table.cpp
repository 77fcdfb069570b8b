#include "engine/db/token_table.h"

#include "engine/db/segment.h"
#include "storage/text_tokens.h"

namespace quern {

TokenTable::~TokenTable() {
    if (weights_ != nullptr) {
        budget_->indexes->Add(-static_cast<int64_t>(weights_->memory_bytes()));
    }
}

Result<std::shared_ptr<const sparse::TokenWeights>> TokenTable::Load(
    storage::Connection* connection, const SparseDef& def) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (weights_ != nullptr) {
        return weights_;
    }
    if (part_.item_bytes != 1 || part_.items > sparse::kTokenTableBytesMax) {
        return Status::Error(Code::kCorrupt, "%s: impossible sizes", part_.Name().c_str());
    }
    Bytes bytes(static_cast<size_t>(part_.items), '\0');
    QUERN_TRY(ReadPart(connection, part_, bytes.data(), nullptr));
    auto decoded = sparse::TokenWeights::Decode(bytes, def.dimensions);
    if (!decoded.ok()) {
        return Status(decoded.status()).WithContext(part_.Name());
    }
    weights_ = std::move(*decoded);
    budget_->indexes->Add(static_cast<int64_t>(weights_->memory_bytes()));
    return weights_;
}

Result<std::vector<sparse::SparseVector>> TokenTable::Queries(
    storage::Connection* connection, const SparseDef& def, const std::vector<std::string>& texts) {
    QUERN_ASSIGN(const auto weights, Load(connection, def));
    QUERN_ASSIGN(const auto analyzer, weights->NewAnalyzer(storage::OpenTokenizer));
    std::vector<sparse::SparseVector> queries;
    for (size_t q = 0; q < texts.size(); q++) {
        auto vector = weights->Query(texts[q], analyzer.get());
        if (!vector.ok()) {
            return Status(vector.status())
                .WithContext("query " + std::to_string(q) + " for field '" + def.name + "'");
        }
        queries.push_back(std::move(*vector));
    }
    return queries;
}

Result<sparse::TokenWeights::Head> TokenTable::ReadHead(storage::Connection* connection,
                                                        const storage::PartInfo& part) {
    Bytes bytes;
    if (!part.chunks.empty()) {
        bytes.resize(part.chunks[0].raw_bytes);
        QUERN_TRY(storage::ReadChunk(connection, part, 0, bytes.data()));
    }
    auto head = sparse::TokenWeights::DecodeHead(bytes);
    return head.ok()
               ? std::move(head)
               : Result<sparse::TokenWeights::Head>(Status(head.status()).WithContext(part.Name()));
}

}  // namespace quern
