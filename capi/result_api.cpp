// Results and texts.
#include <algorithm>
#include <cmath>

#include "capi/handles.h"
#include "storage/sparse_value.h"

using namespace quern;
using namespace quern::capi;

namespace {

const ResultValue* ValueOf(const quern_result* r, size_t row, size_t col) {
    const ResultTable* table = TableOf(r);
    return table != nullptr && row < table->row_count() && col < table->columns.size()
               ? &table->values[row * table->columns.size() + col]
               : nullptr;
}

}  // namespace

int64_t quern::capi::StatOf(const LegTally& counts, int32_t stat) {
    const SearchTally& tally = counts.tally;
    switch (stat) {
        case QUERN_RESULT_BYTES_READ: return static_cast<int64_t>(tally.reads.bytes);
        case QUERN_RESULT_VECTORS_SCORED: return static_cast<int64_t>(tally.scored);
        case QUERN_RESULT_VECTORS_REFINED: return static_cast<int64_t>(tally.refined);
        case QUERN_RESULT_VECTORS_READ: return static_cast<int64_t>(tally.fetched);
        case QUERN_RESULT_MEMORY_NEEDED: return static_cast<int64_t>(tally.memory_needed());
        case QUERN_RESULT_RECALL: return std::llround(tally.expected_recall * 1e6);
        case QUERN_RESULT_MATCHES: return static_cast<int64_t>(tally.matches);
        case QUERN_RESULT_NULLS: return static_cast<int64_t>(tally.nulls);
        case QUERN_RESULT_VALUES: return static_cast<int64_t>(tally.values);
        case QUERN_RESULT_LISTS: return static_cast<int64_t>(counts.lists);
        case QUERN_RESULT_HITS: return static_cast<int64_t>(counts.hits);
        case QUERN_RESULT_LEFT_OUT: return static_cast<int64_t>(tally.left_out);
        case QUERN_RESULT_LOOKED_UP: return static_cast<int64_t>(counts.looked_up);
        case QUERN_RESULT_POSTINGS: return static_cast<int64_t>(tally.postings);
        case QUERN_RESULT_BLOCKS: return static_cast<int64_t>(tally.blocks);
        case QUERN_RESULT_BLOCKS_OPENED: return static_cast<int64_t>(tally.blocks_opened);
        case QUERN_RESULT_CELLS_OPENED: return static_cast<int64_t>(tally.cells_opened);
        case QUERN_RESULT_CELLS_PASSED: return static_cast<int64_t>(tally.cells_passed);
        case QUERN_RESULT_CELLS_GUIDED: return static_cast<int64_t>(tally.cells_guided);
        case QUERN_RESULT_TOTAL_NS: return static_cast<int64_t>(tally.total_ns);
        case QUERN_RESULT_FILTER_NS: return static_cast<int64_t>(tally.filter_ns);
        case QUERN_RESULT_SEARCH_NS: return static_cast<int64_t>(tally.search_ns);
        case QUERN_RESULT_REFINE_NS: return static_cast<int64_t>(tally.refine_ns);
        case QUERN_RESULT_LOOKUP_NS: return static_cast<int64_t>(tally.lookup_ns);
        case QUERN_RESULT_FUSE_NS: return static_cast<int64_t>(tally.fuse_ns);
        case QUERN_RESULT_FETCH_NS: return static_cast<int64_t>(tally.fetch_ns);
        case QUERN_RESULT_CHUNKS_READ: return static_cast<int64_t>(tally.reads.chunks);
        case QUERN_RESULT_PAGES_CACHED: return static_cast<int64_t>(tally.reads.pages_cached);
        case QUERN_RESULT_VECTORS_CACHED: return static_cast<int64_t>(tally.cached);
        case QUERN_RESULT_SCORED_BY_WALKS: return static_cast<int64_t>(tally.walked);
        case QUERN_RESULT_SCORED_BY_CODES: return static_cast<int64_t>(tally.coded);
        case QUERN_RESULT_SCORED_IN_CELLS: return static_cast<int64_t>(tally.in_cells);
        default: return 0;
    }
}

void quern_result_free(quern_result* r) {
    if (TableOf(r) != nullptr) {
        delete r;
    }
}
size_t quern_result_rows(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table ? table->row_count() : 0;
}
size_t quern_result_queries(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table ? table->offsets.size() - 1 : 0;
}
size_t quern_result_offset(const quern_result* r, size_t query) {
    const ResultTable* table = TableOf(r);
    return table && query < table->offsets.size() ? table->offsets[query] : 0;
}
uint32_t quern_result_flags(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table ? table->flags : 0;
}
int64_t quern_result_stat(const quern_result* r, int32_t stat) {
    const ResultTable* table = TableOf(r);
    if (table == nullptr) {
        return 0;
    }
    LegTally all;
    for (const LegTally& leg : table->legs) {
        all.lists += leg.lists;
        all.hits += leg.hits;
        all.looked_up += leg.looked_up;
    }
    all.tally = table->tally;
    const int64_t value = StatOf(all, stat);
    // A curve that has seen no miss is no proof.
    constexpr int64_t kNotProved = 999999;
    return stat == QUERN_RESULT_RECALL && (table->flags & QUERN_FLAG_EXACT) == 0
               ? std::min(value, kNotProved)
               : value;
}
const char* quern_result_bookmark(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table != nullptr && !table->bookmark.empty() ? table->bookmark.c_str() : nullptr;
}
int32_t quern_result_found(const quern_result* r, size_t row) {
    const ResultTable* table = TableOf(r);
    if (table == nullptr || row >= table->row_count()) {
        return 0;
    }
    return table->found.empty() || table->found[row] != 0 ? 1 : 0;
}
int64_t quern_result_key_int(const quern_result* r, size_t row) {
    const ResultTable* table = TableOf(r);
    return table && row < table->int_keys.size() ? table->int_keys[row] : 0;
}
const char* quern_result_key_text(const quern_result* r, size_t row) {
    return TableOf(r) && row < r->text_keys.size() ? r->text_keys[row] : nullptr;
}
float quern_result_distance(const quern_result* r, size_t row) {
    const ResultTable* table = TableOf(r);
    return table && row < table->distances.size() ? table->distances[row] : 0.0f;
}
float quern_result_score(const quern_result* r, size_t row) {
    const ResultTable* table = TableOf(r);
    return table && row < table->scores.size() ? table->scores[row] : 0.0f;
}
const int64_t* quern_result_keys_int(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table && !table->int_keys.empty() ? table->int_keys.data() : nullptr;
}
const char* const* quern_result_keys_text(const quern_result* r) {
    return TableOf(r) && !r->text_keys.empty() ? r->text_keys.data() : nullptr;
}
const float* quern_result_distances(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table && !table->distances.empty() ? table->distances.data() : nullptr;
}
size_t quern_result_columns(const quern_result* r) {
    const ResultTable* table = TableOf(r);
    return table ? table->columns.size() : 0;
}
const char* quern_result_column_name(const quern_result* r, size_t col) {
    return col < quern_result_columns(r) ? r->table.columns[col].name.c_str() : nullptr;
}
int32_t quern_result_column_type(const quern_result* r, size_t col) {
    return col < quern_result_columns(r) ? r->table.columns[col].type : 0;
}
int32_t quern_result_type(const quern_result* r, size_t row, size_t col) {
    const ResultValue* value = ValueOf(r, row, col);
    return value ? value->type : 0;
}
int64_t quern_result_int(const quern_result* r, size_t row, size_t col) {
    const ResultValue* value = ValueOf(r, row, col);
    return value && (value->type == QUERN_INT || value->type == QUERN_BOOL) ? value->number : 0;
}
double quern_result_real(const quern_result* r, size_t row, size_t col) {
    const ResultValue* value = ValueOf(r, row, col);
    return value && (value->type == QUERN_REAL || value->type == QUERN_INT ||
                     value->type == QUERN_BOOL)
               ? value->real
               : 0.0;
}
const char* quern_result_text(const quern_result* r, size_t row, size_t col, size_t* size) {
    const ResultValue* value = ValueOf(r, row, col);
    const bool text = value && (value->type == QUERN_TEXT || value->type == QUERN_JSON ||
                                value->type == QUERN_TAGS || value->type == QUERN_BLOB);
    if (size != nullptr) {
        *size = text ? value->size : 0;
    }
    return text ? r->table.bytes.data() + value->offset : nullptr;
}
const void* quern_result_dense(const quern_result* r, size_t row, size_t col, size_t* dim) {
    const ResultValue* value = ValueOf(r, row, col);
    const bool dense = value && value->type == QUERN_DENSE;
    if (dim != nullptr) {
        *dim = dense ? r->table.columns[col].dim : 0;
    }
    return dense ? r->table.bytes.data() + value->offset : nullptr;
}
const uint32_t* quern_result_sparse(const quern_result* r, size_t row, size_t col,
                                    const float** weights, size_t* n) {
    const ResultValue* value = ValueOf(r, row, col);
    const bool sparse = value && value->type == QUERN_SPARSE;
    const size_t count = sparse ? value->size / storage::kSparseEntryBytes : 0;
    // Values stand at multiples of 16 bytes.
    const char* const bytes = sparse ? r->table.bytes.data() + value->offset : nullptr;
    if (n != nullptr) {
        *n = count;
    }
    if (weights != nullptr) {
        *weights = sparse ? reinterpret_cast<const float*>(bytes + count * 4) : nullptr;
    }
    return reinterpret_cast<const uint32_t*>(bytes);
}
int32_t quern_result_dense_type(const quern_result* r, size_t col) {
    return quern_result_column_type(r, col) == QUERN_DENSE
               ? static_cast<int32_t>(r->table.columns[col].element)
               : 0;
}
size_t quern_result_dense_dim(const quern_result* r, size_t col) {
    return quern_result_column_type(r, col) == QUERN_DENSE ? r->table.columns[col].dim : 0;
}

const char* quern_text_data(const quern_text* t) {
    return IsHandle(t, Magic::kText) ? t->text.c_str() : "";
}
size_t quern_text_size(const quern_text* t) {
    return IsHandle(t, Magic::kText) ? t->text.size() : 0;
}
void quern_text_free(quern_text* t) {
    if (IsHandle(t, Magic::kText)) {
        delete t;
    }
}
