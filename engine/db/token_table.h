// The token weights of a sparse field, as the file has them: loaded by the first query that needs
// them, and kept while any view has them.
//
// Thread rule: thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/sparse/token_weights.h"
#include "storage/base/schema.h"
#include "storage/chunk_store.h"

namespace quern {

struct MemoryBudget;

class TokenTable {
public:
    TokenTable(storage::PartInfo part, std::shared_ptr<MemoryBudget> budget)
        : part_(std::move(part)), budget_(std::move(budget)) {}
    ~TokenTable();
    TokenTable(const TokenTable&) = delete;
    TokenTable& operator=(const TokenTable&) = delete;

    const storage::PartInfo& part() const { return part_; }
    // kCorrupt names the part.
    Result<std::shared_ptr<const sparse::TokenWeights>> Load(storage::Connection* connection,
                                                             const SparseDef& def);
    // What texts ask for, a query each. An error names the query and the field.
    Result<std::vector<sparse::SparseVector>> Queries(storage::Connection* connection,
                                                      const SparseDef& def,
                                                      const std::vector<std::string>& texts);
    // Of the first chunk alone.
    static Result<sparse::TokenWeights::Head> ReadHead(storage::Connection* connection,
                                                       const storage::PartInfo& part);

private:
    const storage::PartInfo part_;
    const std::shared_ptr<MemoryBudget> budget_;
    std::mutex mutex_;
    std::shared_ptr<const sparse::TokenWeights> weights_;
};

}  // namespace quern
