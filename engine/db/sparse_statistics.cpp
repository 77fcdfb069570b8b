#include "engine/db/sparse_statistics.h"

#include <algorithm>
#include <numeric>

#include "engine/db/database.h"
#include "engine/db/sparse_log.h"

namespace quern {

namespace {

constexpr uint64_t kCountedEntries = uint64_t{1} << 17;

void Add(const uint32_t* dimensions, size_t count, SparseCounts* counts) {
    counts->vectors++;
    counts->empty += count == 0 ? 1 : 0;
    counts->entries += count;
    for (size_t i = 0; i < count; i++) {
        counts->lists[dimensions[i]]++;
    }
}

Status CountSegment(storage::Connection* connection, const CollectionView& view, size_t number,
                    const SparseDef& def, Work* work, SparseCounts* counts) {
    Segment& segment = *view.segments[number];
    QUERN_ASSIGN(const SparseColumn* const column, segment.Sparse(connection, def, false, work));
    QUERN_ASSIGN(const CollectionView::Dead dead, view.DeadOf(connection, number));
    counts->records += segment.item_count() - dead.count;
    SparseSpace space;
    for (size_t first = 0; first < column->count();) {
        const size_t end = column->EndOfPiece(first, kCountedEntries);
        SparsePiece piece;
        if (column->resident()) {
            piece = column->Resident(first, end);
        } else {
            QUERN_ASSIGN(piece, column->Read(connection, first, end, 1, &space));
        }
        for (size_t i = 0; i < piece.count; i++) {
            const uint32_t record = column->record(first + i);
            if (!dead.bits || ((*dead.bits)[record / 64] >> (record % 64) & 1) == 0) {
                Add(piece.dimensions + piece.begin(i), piece.entries(i), counts);
            }
        }
        QUERN_TRY(work->Check("count dimensions", end, column->count()));
        first = end;
    }
    return {};
}

// Of ascending numbers.
uint64_t Percentile(const std::vector<uint64_t>& sorted, double share) {
    if (sorted.empty()) {
        return 0;
    }
    const auto at = static_cast<size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(at, sorted.size() - 1)];
}

// Of ascending lengths: half the mean difference of two, by the mean.
double Gini(const std::vector<uint64_t>& sorted) {
    const auto count = static_cast<double>(sorted.size());
    double sum = 0;
    double ranked = 0;
    for (size_t i = 0; i < sorted.size(); i++) {
        sum += static_cast<double>(sorted[i]);
        ranked += static_cast<double>(i + 1) * static_cast<double>(sorted[i]);
    }
    return sum > 0 ? 2 * ranked / (count * sum) - (count + 1) / count : 0;
}

double Ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

// How many queries have each dimension, and what each of them touches.
Status CountQueries(const SparseCounts& counts, const SparseInput& queries, uint64_t dimensions,
                    std::unordered_map<uint32_t, uint64_t>* having, SparseStatistics* out) {
    std::vector<uint64_t> touched;
    uint64_t entries = 0;
    sparse::SparseVector vector;
    for (size_t q = 0; q < queries.count; q++) {
        const Status taken = TakeSparseVector(queries, q, dimensions, &vector);
        if (!taken.ok()) {
            return Status(taken).WithContext("query " + std::to_string(q));
        }
        uint64_t postings = 0;
        for (const sparse::SparseEntry& entry : vector) {
            (*having)[entry.dimension]++;
            const auto list = counts.lists.find(entry.dimension);
            postings += list == counts.lists.end() ? 0 : list->second;
        }
        entries += vector.size();
        touched.push_back(postings);
    }
    std::sort(touched.begin(), touched.end());
    out->queries = queries.count;
    out->entries_per_query =
        Ratio(static_cast<double>(entries), static_cast<double>(queries.count));
    out->postings_median = Percentile(touched, 0.5);
    out->postings_p90 = Percentile(touched, 0.9);
    out->postings_p99 = Percentile(touched, 0.99);
    out->postings_most = touched.empty() ? 0 : touched.back();
    return {};
}

void DescribeLists(const SparseCounts& counts, SparseStatistics* out) {
    std::vector<uint64_t> lengths;
    lengths.reserve(counts.lists.size());
    std::vector<SparseStatistics::List> lists;
    lists.reserve(counts.lists.size());
    for (const auto& [dimension, vectors] : counts.lists) {
        lengths.push_back(vectors);
        lists.push_back({dimension, vectors});
    }
    std::sort(lengths.begin(), lengths.end());
    out->gini = Gini(lengths);
    out->length_mean =
        Ratio(static_cast<double>(counts.entries), static_cast<double>(lengths.size()));
    out->length_median = Percentile(lengths, 0.5);
    out->length_p90 = Percentile(lengths, 0.9);
    out->length_p99 = Percentile(lengths, 0.99);
    out->length_most = lengths.empty() ? 0 : lengths.back();
    const auto shown = static_cast<ptrdiff_t>(std::min(kLongestShown, lists.size()));
    std::partial_sort(
        lists.begin(), lists.begin() + shown, lists.end(), [](const auto& a, const auto& b) {
            return a.vectors != b.vectors ? a.vectors > b.vectors : a.dimension < b.dimension;
        });
    lists.resize(static_cast<size_t>(shown));
    out->longest = std::move(lists);
}

}  // namespace

Result<size_t> FindSparseField(const storage::CollectionInfo& info, const std::string& field) {
    const int found = info.schema.FindField(field);
    if (found < 0) {
        return Status::Error(Code::kUnknownField, "collection '%s' has no field '%s'",
                             info.name.c_str(), field.c_str());
    }
    const auto number = static_cast<size_t>(found);
    if (info.schema.is_dense(number) || info.schema.is_text(number)) {
        return Status::Error(Code::kType, "field '%s' is %s, not sparse", field.c_str(),
                             info.schema.field_kind(number));
    }
    return number;
}

Status CountDimensions(Snapshot* snapshot, const CollectionView& view, size_t field, Work* work,
                       SparseCounts* counts) {
    const SparseDef& def = view.info->schema.sparse_field(field);
    for (size_t s = 0; s < view.segments.size(); s++) {
        QUERN_TRY(snapshot->With([&](storage::Connection* connection) {
            return CountSegment(connection, view, s, def, work, counts);
        }));
    }
    const LogView& log = *view.log;
    for (size_t i = 0; i < log.count; i++) {
        if (!log.visible(i)) {
            continue;
        }
        counts->records++;
        // An empty vector is not an absent one.
        if (log.value(i, field).data() != nullptr) {
            const sparse::LogRow row = SparseRowOf(log, i, field);
            Add(row.dimensions, row.count, counts);
        }
    }
    return {};
}

Result<SparseStatistics> Statistics(const SparseCounts& counts, const SparseInput& queries,
                                    uint64_t dimensions) {
    SparseStatistics out;
    const auto vectors = static_cast<double>(counts.vectors);
    std::unordered_map<uint32_t, uint64_t> having;
    if (queries.count > 0) {
        QUERN_TRY(CountQueries(counts, queries, dimensions, &having, &out));
    }
    const auto& of_queries = queries.count > 0 ? having : counts.lists;
    const double asked = queries.count > 0 ? static_cast<double>(queries.count) : vectors;
    out.entries_per_vector = Ratio(static_cast<double>(counts.entries), vectors);
    // Whole numbers as long as they fit, so that postings are the counted ones.
    std::vector<double> products;
    for (const auto& [dimension, queried] : of_queries) {
        const auto list = counts.lists.find(dimension);
        if (list != counts.lists.end()) {
            products.push_back(static_cast<double>(queried) * static_cast<double>(list->second));
        }
    }
    std::sort(products.begin(), products.end(), std::greater<>());
    const double all = std::accumulate(products.begin(), products.end(), 0.0);
    const auto heavy = static_cast<ptrdiff_t>(std::min<size_t>(100, products.size()));
    out.postings_per_query = Ratio(all, asked);
    out.flops = Ratio(out.postings_per_query, vectors);
    out.share_of_100 = Ratio(std::accumulate(products.begin(), products.begin() + heavy, 0.0), all);
    const double entries = queries.count > 0 ? out.entries_per_query : out.entries_per_vector;
    out.ideal_flops =
        Ratio(out.entries_per_vector * entries, static_cast<double>(counts.lists.size()));
    out.imbalance = Ratio(out.flops, out.ideal_flops);
    DescribeLists(counts, &out);
    return out;
}

}  // namespace quern
