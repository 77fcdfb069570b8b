#include "engine/db/sparse_queries.h"

#include <cstring>

#include "engine/db/collection_view.h"
#include "engine/db/stored_distances.h"
#include "storage/sparse_value.h"

namespace quern {

sparse::SparseVector SparseVectorOf(BytesView value) {
    const size_t entries = storage::SparseEntries(value);
    sparse::SparseVector vector(entries);
    for (size_t i = 0; i < entries; i++) {
        std::memcpy(&vector[i].dimension, value.data() + i * 4, 4);
        std::memcpy(&vector[i].weight, value.data() + (entries + i) * 4, 4);
    }
    return vector;
}

Status TakeSparseQueries(Database* database, Snapshot* snapshot, const CollectionView& view,
                         const SearchRequest& request, size_t field, FileReads* reads,
                         SparseQueries* queries) {
    const SparseDef& def = view.info->schema.sparse_field(field);
    const size_t count = request.by_key           ? request.keys.size()
                         : request.is_sparse_text ? request.texts.size()
                                                  : request.sparse.count;
    if (count > static_cast<uint64_t>(database->limits().queries.load())) {
        return Status::Error(Code::kLimit, "%zu queries, the limit is %lld", count,
                             static_cast<long long>(database->limits().queries.load()));
    }
    queries->vectors.resize(count);
    if (request.by_key) {
        queries->named.resize(count);
        return ReadStoredQueries(snapshot, view, request, field,
                                 [&](size_t q, BytesView value, const RecordPlace& place) {
                                     queries->vectors[q] = SparseVectorOf(value);
                                     queries->named[q] = place;
                                     return Status();
                                 });
    }
    if (request.is_sparse_text) {
        QUERN_ASSIGN(TokenTable* const table, view.Tokens(def));
        return snapshot->With(
            [&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(queries->vectors, table->Queries(connection, def, request.texts));
                return {};
            },
            reads);
    }
    for (size_t q = 0; q < count; q++) {
        const Status taken =
            TakeSparseVector(request.sparse, q, def.dimensions, &queries->vectors[q]);
        if (!taken.ok()) {
            return Status(taken).WithContext("query " + std::to_string(q) + " for field '" +
                                             def.name + "'");
        }
    }
    return {};
}

}  // namespace quern
