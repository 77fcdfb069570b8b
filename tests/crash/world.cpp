#include "tests/crash/world.h"

#include <algorithm>
#include <functional>

namespace quern::crash {

namespace {

constexpr size_t kDim = 8;
constexpr uint32_t kOwnDimension = 1000;  // and the key: a dimension that no other record has
constexpr int64_t kLackEvery = 13;        // records without any field

uint64_t Mix(uint64_t x) {
    x ^= x >> 33;
    x *= 0xFF51AFD7ED558CCDu;
    x ^= x >> 29;
    x *= 0xC4CEB9FE1A85EC53u;
    return x ^ x >> 32;
}

uint64_t SeedOf(int64_t key, int64_t version) {
    return Mix(static_cast<uint64_t>(key * 1000003 + version));
}

// Calls take for each result of a scan with all columns; false when something failed.
bool ForRows(quern_db* db, const char* collection, std::string* error,
             const std::function<void(const quern_result*, size_t)>& take) {
    quern_error err = QUERN_ERROR_INIT;
    quern_cursor* cursor = nullptr;
    bool ok = quern_scan(db, collection, nullptr, "*", &cursor, &err) == QUERN_OK;
    for (bool end = false; ok && !end;) {
        quern_result* rows = nullptr;
        ok = quern_cursor_next(cursor, 1000, &rows, &err) == QUERN_OK;
        end = quern_result_rows(rows) == 0;
        for (size_t row = 0; row < quern_result_rows(rows); row++) {
            take(rows, row);
        }
        quern_result_free(rows);
    }
    quern_cursor_free(cursor);
    if (!ok) {
        *error = std::string("scan of ") + collection + ": " + err.message;
    }
    return ok;
}

// The names of all collections.
bool Collections(quern_db* db, std::vector<std::string>* names, std::string* error) {
    quern_error err = QUERN_ERROR_INIT;
    quern_text* text = nullptr;
    if (quern_collections(db, &text, &err) != QUERN_OK) {
        *error = std::string("collections: ") + err.message;
        return false;
    }
    // ["a", "b"]
    const std::string list = quern_text_data(text);
    quern_text_free(text);
    for (size_t at = list.find('"'); at != std::string::npos;) {
        const size_t end = list.find('"', at + 1);
        names->push_back(list.substr(at + 1, end - at - 1));
        at = list.find('"', end + 1);
    }
    return true;
}

void AppendNumber(float number, std::string* text) {
    char digits[32];
    const int size = std::snprintf(digits, sizeof digits, "%.9g,", static_cast<double>(number));
    text->append(digits, static_cast<size_t>(size));
}

void AppendValue(const quern_result* rows, size_t row, size_t column, std::string* text) {
    switch (quern_result_type(rows, row, column)) {
        case 0: text->append("-"); break;
        case QUERN_INT: text->append(std::to_string(quern_result_int(rows, row, column))); break;
        case QUERN_DENSE: {
            size_t dim = 0;
            const auto* vector =
                static_cast<const float*>(quern_result_dense(rows, row, column, &dim));
            for (size_t d = 0; d < dim; d++) {
                AppendNumber(vector[d], text);
            }
            break;
        }
        case QUERN_SPARSE: {
            size_t count = 0;
            const float* weights = nullptr;
            const uint32_t* dims = quern_result_sparse(rows, row, column, &weights, &count);
            for (size_t i = 0; i < count; i++) {
                text->append(std::to_string(dims[i])).append(":");
                AppendNumber(weights[i], text);
            }
            break;
        }
        default: {
            size_t size = 0;
            const char* bytes = quern_result_text(rows, row, column, &size);
            text->append(bytes, size);
        }
    }
}

// Runs a query of one thing for each key, and wants that key first, and alone where `alone` is set.
std::string WantOwn(quern_query* query, const std::vector<int64_t>& keys, bool alone,
                    const std::string& what) {
    quern_error err = QUERN_ERROR_INIT;
    quern_result* found = nullptr;
    std::string problem;
    if (quern_search(query, &found, &err) != QUERN_OK) {
        problem = what + ": " + err.message;
    }
    const size_t* offsets = quern_result_offsets(found);
    for (size_t i = 0; problem.empty() && i < keys.size(); i++) {
        const size_t count = offsets[i + 1] - offsets[i];
        if (count == 0 || (alone && count != 1) ||
            quern_result_key_int(found, offsets[i]) != keys[i]) {
            problem = what + ": record " + std::to_string(keys[i]) + " is not what it finds";
        }
    }
    quern_result_free(found);
    quern_query_free(query);
    return problem;
}

struct Found {
    std::vector<int64_t> keys;
    std::vector<float> vectors;
};

std::string ProbeDense(quern_db* db, const char* collection, const std::string& field,
                       const Found& found) {
    const size_t dim = found.vectors.size() / found.keys.size();
    for (const char* options : {"recall=exact", "ef=10000 nprobe=10000"}) {
        quern_query* query = quern_query_new(db, collection);
        quern_query_dense(query, field.c_str(), found.vectors.data(), found.keys.size(), dim);
        quern_query_limit(query, 1);
        quern_query_options(query, options);
        const std::string problem =
            WantOwn(query, found.keys, false, "probe of " + field + " with " + options);
        if (!problem.empty()) {
            return problem;
        }
    }
    return {};
}

std::string ProbeSparse(quern_db* db, const char* collection, const std::string& field,
                        const Found& found) {
    std::vector<size_t> offsets{0};
    std::vector<uint32_t> dims;
    for (const int64_t key : found.keys) {
        dims.push_back(kOwnDimension + static_cast<uint32_t>(key));
        offsets.push_back(dims.size());
    }
    quern_query* query = quern_query_new(db, collection);
    quern_query_sparse(query, field.c_str(), offsets.data(), dims.data(), nullptr,
                       found.keys.size());
    quern_query_limit(query, 2);
    return WantOwn(query, found.keys, true, "probe of " + field);
}

std::string ProbeText(quern_db* db, const char* collection, const std::string& field,
                      const Found& found) {
    std::vector<std::string> texts;
    std::vector<const char*> pointers;
    for (const int64_t key : found.keys) {
        texts.push_back("own" + std::to_string(key));
    }
    for (const std::string& text : texts) {
        pointers.push_back(text.c_str());
    }
    quern_query* query = quern_query_new(db, collection);
    quern_query_text(query, field.c_str(), pointers.data(), pointers.size());
    quern_query_limit(query, 2);
    return WantOwn(query, found.keys, true, "probe of " + field);
}

std::string ProbeCollection(quern_db* db, const char* collection) {
    std::string error;
    std::vector<std::pair<std::string, Found>> dense;
    std::vector<std::pair<std::string, Found>> sparse;
    std::vector<std::pair<std::string, Found>> texts;
    int64_t rows_found = 0;
    int64_t low_numbers = 0;
    const auto of = [](std::vector<std::pair<std::string, Found>>* all, const char* name) {
        for (auto& one : *all) {
            if (one.first == name) {
                return &one.second;
            }
        }
        all->emplace_back(name, Found());
        return &all->back().second;
    };
    const bool read = ForRows(db, collection, &error, [&](const quern_result* rows, size_t row) {
        const int64_t key = quern_result_key_int(rows, row);
        rows_found++;
        for (size_t c = 0; c < quern_result_columns(rows); c++) {
            const char* name = quern_result_column_name(rows, c);
            const int32_t type = quern_result_type(rows, row, c);
            if (type == QUERN_DENSE) {
                size_t dim = 0;
                const auto* vector =
                    static_cast<const float*>(quern_result_dense(rows, row, c, &dim));
                Found* found = of(&dense, name);
                found->keys.push_back(key);
                found->vectors.insert(found->vectors.end(), vector, vector + dim);
            } else if (type == QUERN_SPARSE) {
                of(&sparse, name)->keys.push_back(key);
            } else if (type == QUERN_TEXT && std::string(name) == "body") {
                of(&texts, name)->keys.push_back(key);
            } else if (type == QUERN_INT && std::string(name) == "number") {
                low_numbers += quern_result_int(rows, row, c) < 500 ? 1 : 0;
            }
        }
    });
    if (!read) {
        return error;
    }
    for (const auto& [field, found] : dense) {
        error = error.empty() ? ProbeDense(db, collection, field, found) : error;
    }
    for (const auto& [field, found] : sparse) {
        error = error.empty() ? ProbeSparse(db, collection, field, found) : error;
    }
    for (const auto& [field, found] : texts) {
        error = error.empty() ? ProbeText(db, collection, field, found) : error;
    }
    quern_error err = QUERN_ERROR_INIT;
    uint64_t count = 0;
    uint64_t low = 0;
    quern_query* query = quern_query_new(db, collection);
    quern_query_filter(query, "number < 500");
    if (error.empty() && (quern_count(db, collection, nullptr, &count, &err) != QUERN_OK ||
                          quern_query_count(query, &low, &err) != QUERN_OK)) {
        error = std::string("counts: ") + err.message;
    }
    quern_query_free(query);
    if (error.empty() &&
        (count != static_cast<uint64_t>(rows_found) || low != static_cast<uint64_t>(low_numbers))) {
        error = "count or filter: not what a scan finds";
    }
    return error;
}

}  // namespace

int32_t CreateWorld(quern_db* db, const char* collection, unsigned fields, quern_error* err) {
    quern_schema* schema = quern_schema_new();
    if (schema == nullptr) {
        return QUERN_ERR_NOMEM;
    }
    quern_schema_attr(schema, "number", QUERN_INT, nullptr);
    quern_schema_attr(schema, "word", QUERN_TEXT, nullptr);
    quern_schema_attr(schema, "tags", QUERN_TAGS, nullptr);
    if ((fields & kGraph) != 0) {
        quern_schema_dense(schema, "emb", kDim, QUERN_L2, "index=graph codes=f32 m=4 ef_build=16");
    }
    if ((fields & kLists) != 0) {
        quern_schema_dense(schema, "cells", kDim, QUERN_L2, "index=lists codes=i8 lists=8");
    }
    if ((fields & kSparse) != 0) {
        quern_schema_sparse(schema, "terms", nullptr);
    }
    if ((fields & kText) != 0) {
        quern_schema_text(schema, "body", nullptr);
    }
    const int32_t status = quern_create(db, collection, schema, err);
    quern_schema_free(schema);
    return status;
}

int64_t NumberOf(int64_t key, int64_t version) {
    return static_cast<int64_t>(SeedOf(key, version) % 1000);
}
std::string VersionWord(int64_t version) {
    return std::string("v").append(std::to_string(version));
}
bool HasFields(int64_t key) {
    return key % kLackEvery != 5;
}

std::vector<int64_t> Keys(int64_t first, size_t count, int64_t step) {
    std::vector<int64_t> keys(count);
    for (size_t i = 0; i < count; i++) {
        keys[i] = first + static_cast<int64_t>(i) * step;
    }
    return keys;
}

Rows::Rows(quern_db* db, const char* collection, unsigned fields, std::vector<int64_t> keys,
           int64_t version, What what)
    : keys_(std::move(keys)) {
    const size_t count = keys_.size();
    tag_ends_.push_back(0);
    offsets_.push_back(0);
    texts_.reserve(4 * count);
    const auto keep = [&](std::string text) {
        texts_.push_back(std::move(text));
        return texts_.back().c_str();
    };
    for (const int64_t key : keys_) {
        const uint64_t seed = SeedOf(key, version);
        numbers_.push_back(NumberOf(key, version));
        words_.push_back(keep("word" + std::to_string(seed % 9)));
        bodies_.push_back(keep("common own" + std::to_string(key) + " some" +
                               std::to_string(seed % 7) + " " + VersionWord(version)));
        if (seed % 3 != 0) {
            tags_.push_back(keep("tag" + std::to_string(seed % 5)));
        }
        tag_ends_.push_back(tags_.size());
        has_.push_back(HasFields(key) ? 1 : 0);
        for (size_t d = 0; d < kDim; d++) {
            vectors_.push_back(static_cast<float>(Mix(seed + d) % 65536) / 64.0f);
        }
        dims_.push_back(static_cast<uint32_t>(seed % 50));
        dims_.push_back(100 + static_cast<uint32_t>(seed % 31));
        dims_.push_back(kOwnDimension + static_cast<uint32_t>(key));
        for (size_t i = 0; i < 3; i++) {
            weights_.push_back(1.0f + static_cast<float>(Mix(seed + 100 + i) % 256) / 64.0f);
        }
        offsets_.push_back(dims_.size());
    }
    tags_.push_back("");
    batch_ = quern_batch_new(db, collection, count);
    quern_batch_key_int(batch_, keys_.data());
    if (what == What::kKeys) {
        return;
    }
    quern_batch_int(batch_, "number", numbers_.data(), nullptr);
    quern_batch_text(batch_, "word", words_.data(), nullptr);
    if (what == What::kPayload) {
        return;
    }
    quern_batch_tags(batch_, "tags", tag_ends_.data(), tags_.data(), nullptr);
    if ((fields & kGraph) != 0) {
        quern_batch_dense(batch_, "emb", vectors_.data(), kDim, has_.data());
    }
    if ((fields & kLists) != 0) {
        quern_batch_dense(batch_, "cells", vectors_.data(), kDim, has_.data());
    }
    if ((fields & kSparse) != 0) {
        quern_batch_sparse(batch_, "terms", offsets_.data(), dims_.data(), weights_.data(),
                           has_.data());
    }
    if ((fields & kText) != 0) {
        quern_batch_text(batch_, "body", bodies_.data(), has_.data());
    }
}

std::string DumpWorld(quern_db* db, std::string* error) {
    std::vector<std::string> names;
    if (!Collections(db, &names, error)) {
        return {};
    }
    std::string dump = std::to_string(names.size()) + " collections\n";
    for (const std::string& name : names) {
        // The schema, too, for a collection may be empty.
        quern_error err = QUERN_ERROR_INIT;
        quern_schema* schema = nullptr;
        if (quern_describe(db, name.c_str(), &schema, &err) != QUERN_OK) {
            *error = "describe " + name + ": " + err.message;
            return {};
        }
        dump += name + ":";
        for (size_t i = 0; i < quern_schema_attr_count(schema); i++) {
            dump += std::string(" ") + quern_schema_attr_name(schema, i);
        }
        for (size_t i = 0; i < quern_schema_dense_count(schema); i++) {
            dump += std::string(" ") + quern_schema_dense_name(schema, i);
        }
        for (size_t i = 0; i < quern_schema_sparse_count(schema); i++) {
            dump += std::string(" ") + quern_schema_sparse_name(schema, i);
        }
        for (size_t i = 0; i < quern_schema_text_count(schema); i++) {
            dump += std::string(" ") + quern_schema_text_name(schema, i);
        }
        dump += "\n";
        quern_schema_free(schema);
        const bool read =
            ForRows(db, name.c_str(), error, [&](const quern_result* rows, size_t row) {
                dump += quern_result_key_type(rows) == QUERN_TEXT
                            ? std::string(quern_result_key_text(rows, row))
                            : std::to_string(quern_result_key_int(rows, row));
                for (size_t c = 0; c < quern_result_columns(rows); c++) {
                    dump += " ";
                    // Other elements than f32 are compared by the tests of each.
                    const bool skip = quern_result_column_type(rows, c) == QUERN_DENSE &&
                                      quern_result_dense_type(rows, c) != QUERN_F32;
                    if (!skip) {
                        AppendValue(rows, row, c, &dump);
                    }
                }
                dump += "\n";
            });
        if (!read) {
            return {};
        }
    }
    return dump;
}

std::string ProbeWorld(quern_db* db) {
    std::vector<std::string> names;
    std::string problem;
    Collections(db, &names, &problem);
    for (const std::string& name : names) {
        problem = problem.empty() ? ProbeCollection(db, name.c_str()) : problem;
    }
    return problem;
}

}  // namespace quern::crash
