#include "engine/db/token_writer.h"

#include <cmath>

#include "engine/db/database.h"
#include "engine/db/sparse_statistics.h"
#include "engine/sparse/token_weights.h"
#include "storage/text_tokens.h"

namespace quern {

namespace {

// ln(1 + (n - df + 0.5) / (df + 0.5)) of each token's dimension.
Status WeighByCounts(Database* database, const std::string& collection, const std::string& field,
                     std::vector<sparse::TokenWeight>* tokens) {
    QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database->NewSnapshot());
    QUERN_ASSIGN(const auto view, snapshot->View(collection));
    QUERN_ASSIGN(const size_t number, FindSparseField(*view->info, field));
    Work work = database->NewWork();
    SparseCounts counts;
    QUERN_TRY(CountDimensions(snapshot.get(), *view, number, &work, &counts));
    const auto vectors = static_cast<double>(counts.vectors);
    for (sparse::TokenWeight& token : *tokens) {
        const auto list = counts.lists.find(token.dimension);
        const double df = list == counts.lists.end() ? 0 : static_cast<double>(list->second);
        token.weight = static_cast<float>(std::log(1 + (vectors - df + 0.5) / (df + 0.5)));
    }
    return {};
}

Result<Bytes> MakeTable(Database* database, const std::string& collection, const SparseDef& def,
                        const TokenInput& input) {
    if (input.count > sparse::kTokensMax) {
        return Status::Error(Code::kLimit, "%zu tokens, the limit is %zu", input.count,
                             sparse::kTokensMax);
    }
    std::vector<sparse::TokenWeight> tokens;
    for (size_t i = 0; i < input.count; i++) {
        if (input.tokens[i] == nullptr) {
            return Status::Error(Code::kMisuse, "token %zu is NULL", i);
        }
        tokens.push_back({input.tokens[i],
                          input.dims == nullptr ? static_cast<uint32_t>(i) : input.dims[i],
                          input.weights == nullptr ? 0 : input.weights[i]});
    }
    if (input.weights == nullptr) {
        QUERN_TRY(WeighByCounts(database, collection, def.name, &tokens));
    }
    QUERN_ASSIGN(const auto table,
                 sparse::TokenWeights::Make(std::move(tokens), input.options, def.dimensions));
    // The tokenizer, too, must know its arguments.
    QUERN_ASSIGN(const auto analyzer, table->NewAnalyzer(storage::OpenTokenizer));
    QUERN_TRY(analyzer->CheckStopWords());
    return table->Encode();
}

}  // namespace

Status SetTokenWeights(Database* database, const std::string& collection, const std::string& field,
                       const TokenInput& input) {
    QUERN_ASSIGN(const auto infos, database->Collections(&collection));
    QUERN_ASSIGN(const size_t number, FindSparseField(*infos[0], field));
    const SparseDef& def = infos[0]->schema.sparse_field(number);
    Bytes table;
    if (input.count > 0) {
        auto made = MakeTable(database, collection, def, input);
        if (!made.ok()) {
            return Status(made.status()).WithContext("field '" + def.name + "'");
        }
        table = std::move(*made);
    }
    return database->SetTokenWeights(collection, def.id, table);
}

}  // namespace quern
