#include "engine/db/sparse_queries.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/db/collection_view.h"
#include "engine/db/index_options.h"
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

namespace {

Status TakeQueriesAsGiven(Database* database, Snapshot* snapshot, const CollectionView& view,
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

// Multiplies query weights by those of their buckets. What a bucket of weight 0 has is left out.
Status WeighBuckets(const SparseDef& def, const std::vector<float>& weights,
                    SparseQueries* queries) {
    const uint32_t buckets = SparseIndexOptions::Of(def).buckets;
    if (weights.size() != buckets) {
        return buckets == 0
                   ? Status::Error(Code::kOption,
                                   "field '%s' has no buckets (option buckets=N), %zu bucket "
                                   "weights were given",
                                   def.name.c_str(), weights.size())
                   : Status::Error(Code::kOption,
                                   "field '%s': %zu bucket weights, it has %u buckets",
                                   def.name.c_str(), weights.size(), buckets);
    }
    const uint64_t width = (def.dimensions + buckets - 1) / buckets;
    for (size_t q = 0; q < queries->vectors.size(); q++) {
        sparse::SparseVector& vector = queries->vectors[q];
        for (sparse::SparseEntry& entry : vector) {
            const float given = entry.weight;
            const float factor = weights[static_cast<size_t>(entry.dimension / width)];
            entry.weight *= factor;
            if (!std::isfinite(entry.weight)) {
                return Status::Error(Code::kNotFinite,
                                     "query %zu for field '%s': the weight %g of dimension %u "
                                     "times that of its bucket, %g, is beyond f32 (%g)",
                                     q, def.name.c_str(), static_cast<double>(given),
                                     entry.dimension, static_cast<double>(factor),
                                     static_cast<double>(std::numeric_limits<float>::max()));
            }
        }
        std::erase_if(vector, [](const sparse::SparseEntry& entry) { return entry.weight == 0; });
    }
    return {};
}

}  // namespace

Status TakeSparseQueries(Database* database, Snapshot* snapshot, const CollectionView& view,
                         const SearchRequest& request, size_t field, FileReads* reads,
                         SparseQueries* queries) {
    QUERN_TRY(TakeQueriesAsGiven(database, snapshot, view, request, field, reads, queries));
    return request.bucket_weights.empty() ? Status()
                                          : WeighBuckets(view.info->schema.sparse_field(field),
                                                         request.bucket_weights, queries);
}

}  // namespace quern
