// Every limit that quern.h states: one less and the limit itself are taken, one more and the
// largest number of the type are refused with an error, at once.
#include <quern.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

quern_db* the_db = nullptr;
size_t failures = 0;

struct Limit {
    const char* name;
    size_t least;
    size_t most;
    size_t type_max;  // 0: a length, of which there is no largest that could be given
    std::function<int32_t(size_t)> use;
};

bool Refuses(int32_t status) {
    return status == QUERN_ERR_LIMIT || status == QUERN_ERR_INVALID || status == QUERN_ERR_OPTION ||
           status == QUERN_ERR_DIMENSION;
}

void Want(bool holds, const Limit& limit, size_t value, int32_t status) {
    if (!holds) {
        std::printf("%s: at %zu it is %s\n", limit.name, value, quern_status_name(status));
        failures++;
    }
}

void Try(const Limit& limit) {
    for (const size_t good : {limit.least, limit.most - 1, limit.most}) {
        const int32_t status = limit.use(good);
        Want(status == QUERN_OK, limit, good, status);
    }
    std::vector<size_t> bad = {limit.most + 1};
    if (limit.least > 0) {
        bad.push_back(limit.least - 1);
    }
    if (limit.type_max != 0) {
        bad.push_back(limit.type_max);
        bad.push_back(limit.type_max - 1);
    }
    for (const size_t value : bad) {
        const int32_t status = limit.use(value);
        Want(Refuses(status), limit, value, status);
    }
}

void Must(int32_t status) {
    if (status != QUERN_OK) {
        std::printf("limits: %s\n", quern_status_name(status));
        std::exit(2);
    }
}

// Makes a collection and takes it away again.
int32_t Create(const std::function<void(quern_schema*)>& fill, const char* name = "other") {
    quern_schema* schema = quern_schema_new();
    fill(schema);
    const int32_t status = quern_create(the_db, name, schema, nullptr);
    quern_schema_free(schema);
    if (status == QUERN_OK) {
        Must(quern_drop(the_db, name, nullptr));
    }
    return status;
}

using Fill = std::function<void(quern_query*)>;

int32_t Search(const Fill& fill, bool with_vector = true) {
    static const float vector[] = {1, 0};
    quern_query* query = quern_query_new(the_db, "docs");
    if (with_vector) {
        quern_query_dense(query, "emb", vector, 1, 2);
    }
    fill(query);
    quern_result* result = nullptr;
    const int32_t status = quern_search(query, &result, nullptr);
    quern_result_free(result);
    quern_query_free(query);
    return status;
}

int32_t List(const Fill& fill) {
    quern_query* query = quern_query_new(the_db, "docs");
    fill(query);
    quern_result* result = nullptr;
    const int32_t status = quern_query_list(query, &result, nullptr);
    quern_result_free(result);
    quern_query_free(query);
    return status;
}

int32_t SearchWithOption(const char* key, size_t value) {
    return Search([&](quern_query* q) {
        quern_query_options(q, (std::string(key) + "=" + std::to_string(value)).c_str());
    });
}

// Writes one record of "docs", in a transaction that is rolled back.
int32_t Write(const std::function<void(quern_batch*)>& fill) {
    const int64_t key = 900;
    quern_txn* txn = nullptr;
    Must(quern_begin(the_db, &txn, nullptr));
    quern_batch* batch = quern_batch_new(the_db, "docs", 1);
    quern_batch_key_int(batch, &key);
    fill(batch);
    const int32_t status = quern_upsert(batch, txn, nullptr);
    quern_batch_free(batch);
    quern_rollback(txn);
    return status;
}

int32_t WriteTextKey(size_t bytes) {
    const std::string key(bytes, 'k');
    const char* const pointer = key.c_str();
    quern_batch* batch = quern_batch_new(the_db, "named", 1);
    quern_batch_key_text(batch, &pointer);
    const int32_t status = quern_upsert(batch, nullptr, nullptr);
    quern_batch_free(batch);
    return status;
}

int32_t SparseEntries(size_t count) {
    std::vector<uint32_t> dims(count);
    for (size_t i = 0; i < count; i++) {
        dims[i] = static_cast<uint32_t>(i);
    }
    const size_t offsets[] = {0, count};
    dims.push_back(0);
    return Write([&](quern_batch* b) {
        quern_batch_sparse(b, "terms", offsets, dims.data(), nullptr, nullptr);
    });
}

int32_t Legs(size_t count) {
    return Search(
        [&](quern_query* q) {
            static const float vector[] = {1, 0};
            for (size_t i = 0; i < count; i++) {
                quern_query* leg = quern_query_new(the_db, "docs");
                quern_query_dense(leg, "emb", vector, 1, 2);
                quern_query_leg(q, leg, 1, nullptr);
                quern_query_free(leg);
            }
        },
        false);
}

int32_t Candidates(size_t depth) {
    static const float vector[] = {1, 0};
    quern_query* from = nullptr;
    int32_t status = QUERN_OK;
    for (size_t i = 0; i <= depth; i++) {
        quern_query* query = quern_query_new(the_db, "docs");
        quern_query_dense(query, "emb", vector, 1, 2);
        if (from != nullptr) {
            quern_query_candidates(query, from);
        }
        quern_query_free(from);
        from = query;
    }
    quern_result* result = nullptr;
    status = quern_search(from, &result, nullptr);
    quern_result_free(result);
    quern_query_free(from);
    return status;
}

std::string Nested(size_t depth, const std::string& inside) {
    return std::string(depth, '(') + inside + std::string(depth, ')');
}

int32_t Tokens(size_t bytes) {
    const std::string token(bytes, 't');
    const char* const pointer = token.c_str();
    const uint32_t dim = 1;
    const float weight = 1;
    return quern_set_token_weights(the_db, "docs", "terms", &pointer, &dim, &weight, 1, nullptr,
                                   nullptr);
}

int32_t Open(const std::string& options) {
    quern_db* db = nullptr;
    const int32_t status = quern_open(":memory:", options.c_str(), &db, nullptr);
    quern_close(db);
    return status;
}

int32_t AttrBytes(size_t bytes) {
    const std::string text(bytes, 'a');
    const char* const pointer = text.c_str();
    return Write([&](quern_batch* b) { quern_batch_text(b, "title", &pointer, nullptr); });
}

int32_t TextBytes(size_t bytes) {
    const std::string text(bytes, 'a');
    const char* const pointer = text.c_str();
    return Write([&](quern_batch* b) { quern_batch_text(b, "body", &pointer, nullptr); });
}

int32_t Next(size_t rows) {
    quern_cursor* cursor = nullptr;
    quern_result* result = nullptr;
    Must(quern_scan(the_db, "docs", nullptr, nullptr, &cursor, nullptr));
    const int32_t status = quern_cursor_next(cursor, rows, &result, nullptr);
    quern_result_free(result);
    quern_cursor_free(cursor);
    return status;
}

int32_t Facet(size_t n) {
    quern_query* query = quern_query_new(the_db, "docs");
    quern_result* result = nullptr;
    const int32_t status = quern_query_facet(query, "year", n, &result, nullptr);
    quern_result_free(result);
    quern_query_free(query);
    return status;
}

void MakeCollections() {
    Must(quern_open(":memory:", "threads=1 maintenance=off", &the_db, nullptr));
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "year", QUERN_INT, nullptr);
    quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
    quern_schema_dense(schema, "emb", 2, QUERN_L2, nullptr);
    quern_schema_sparse(schema, "terms", nullptr);
    quern_schema_text(schema, "body", nullptr);
    Must(quern_create(the_db, "docs", schema, nullptr));
    quern_schema_free(schema);
    schema = quern_schema_new();
    quern_schema_key_text(schema, "name");
    Must(quern_create(the_db, "named", schema, nullptr));
    quern_schema_free(schema);
    const int64_t keys[] = {1, 2, 3};
    const float vectors[] = {0, 0, 1, 0, 0, 2};
    quern_batch* batch = quern_batch_new(the_db, "docs", 3);
    quern_batch_key_int(batch, keys);
    quern_batch_int(batch, "year", keys, nullptr);
    quern_batch_dense(batch, "emb", vectors, 2, nullptr);
    Must(quern_insert(batch, nullptr, nullptr));
    quern_batch_free(batch);
}

std::vector<Limit> Limits() {
    constexpr size_t kSizeMax = SIZE_MAX;
    constexpr size_t kMillion = 1048576;
    return {
        {"dimensions of a dense field", 1, 65536, kSizeMax,
         [](size_t n) {
             return Create(
                 [&](quern_schema* s) { quern_schema_dense(s, "v", n, QUERN_L2, nullptr); });
         }},
        {"dimensions of a sparse field", 1, size_t{1} << 32, kSizeMax,
         [](size_t n) {
             return Create([&](quern_schema* s) {
                 quern_schema_sparse(s, "v", ("dims=" + std::to_string(n)).c_str());
             });
         }},
        {"buckets of a sparse field", 1, 65536, kSizeMax,
         [](size_t n) {
             return Create([&](quern_schema* s) {
                 quern_schema_sparse(s, "v", ("buckets=" + std::to_string(n)).c_str());
             });
         }},
        {"links of a node", 2, 128, kSizeMax,
         [](size_t n) {
             return Create([&](quern_schema* s) {
                 quern_schema_dense(s, "v", 4, QUERN_L2, ("m=" + std::to_string(n)).c_str());
             });
         }},
        {"candidates of an insertion", 8, 10000, kSizeMax,
         [](size_t n) {
             return Create([&](quern_schema* s) {
                 quern_schema_dense(s, "v", 4, QUERN_L2, ("ef_build=" + std::to_string(n)).c_str());
             });
         }},
        {"bytes of a name", 1, 255, 0,
         [](size_t n) {
             const std::string name(n, 'n');
             return Create(
                 [&](quern_schema* s) { quern_schema_attr(s, name.c_str(), QUERN_INT, nullptr); });
         }},
        {"bytes of a collection's name", 1, 255, 0,
         [](size_t n) { return Create([](quern_schema*) {}, std::string(n, 'n').c_str()); }},
        {"bytes of a text key", 1, 1024, 0, WriteTextKey},
        {"entries of a sparse vector", 0, 65535, 0, SparseEntries},
        {"bytes of an attribute", 0, size_t{16} << 20, 0, AttrBytes},
        {"bytes of a text", 0, size_t{16} << 20, 0, TextBytes},
        {"results of a query", 1, kMillion, kSizeMax,
         [](size_t n) { return Search([&](quern_query* q) { quern_query_limit(q, n); }); }},
        {"hits passed over", 0, kMillion, kSizeMax,
         [](size_t n) { return Search([&](quern_query* q) { quern_query_offset(q, n); }); }},
        {"hits of a group", 1, 10000, kSizeMax,
         [](size_t n) { return Search([&](quern_query* q) { quern_query_group(q, "year", n); }); }},
        {"pool of diverse hits", 1, 65536, kSizeMax,
         [](size_t n) {
             return Search([&](quern_query* q) {
                 quern_query_diversify(q, "emb", ("lambda=0.5 pool=" + std::to_string(n)).c_str());
             });
         }},
        {"threads of a search", 1, 256, kSizeMax,
         [](size_t n) { return SearchWithOption("threads", n); }},
        {"effort of a walk", 1, kMillion, kSizeMax,
         [](size_t n) { return SearchWithOption("ef", n); }},
        {"terms of a sparse query", 0, 65535, kSizeMax,
         [](size_t n) {
             return Search(
                 [&](quern_query* q) {
                     static const size_t offsets[] = {0, 1};
                     static const uint32_t dim = 3;
                     quern_query_sparse(q, "terms", offsets, &dim, nullptr, 1);
                     quern_query_options(q, ("terms=" + std::to_string(n)).c_str());
                 },
                 false);
         }},
        {"threads of a database", 1, 256, kSizeMax,
         [](size_t n) { return Open("threads=" + std::to_string(n)); }},
        {"rows of a cursor's step", 1, kMillion, kSizeMax, Next},
        {"values of a facet", 1, kMillion, kSizeMax, Facet},
        {"legs", 1, 64, 0, Legs},
        {"candidates of candidates", 0, 8, 0, Candidates},
        {"bytes of a token", 1, 255, 0, Tokens},
        {"brackets of a filter", 0, 64, 0,
         [](size_t n) {
             return List(
                 [&](quern_query* q) { quern_query_filter(q, Nested(n, "year = 1").c_str()); });
         }},
        {"terms of a formula in each other", 0, 63, 0,
         [](size_t n) {
             return Search(
                 [&](quern_query* q) {
                     static const float vector[] = {1, 0};
                     quern_query* leg = quern_query_new(the_db, "docs");
                     quern_query_dense(leg, "emb", vector, 1, 2);
                     quern_query_leg(q, leg, 1, nullptr);
                     quern_query_free(leg);
                     quern_query_formula(q, Nested(n, "l0").c_str());
                 },
                 false);
         }},
        {"bytes of a formula", 2, 65536, 0,
         [](size_t n) {
             if (n < 2) {
                 return QUERN_ERR_LIMIT;  // too short to be one
             }
             return Search(
                 [&](quern_query* q) {
                     static const float vector[] = {1, 0};
                     quern_query* leg = quern_query_new(the_db, "docs");
                     quern_query_dense(leg, "emb", vector, 1, 2);
                     quern_query_leg(q, leg, 1, nullptr);
                     quern_query_free(leg);
                     quern_query_formula(q, ("l0" + std::string(n - 2, ' ')).c_str());
                 },
                 false);
         }},
        {"bytes of a filter", 8, size_t{16} << 20, 0,
         [](size_t n) {
             return n < 8 ? QUERN_ERR_LIMIT : List([&](quern_query* q) {
                 quern_query_filter(q, ("year = 1" + std::string(n - 8, ' ')).c_str());
             });
         }},
        {"documents of feedback", 1, 1000, kSizeMax,
         [](size_t n) {
             return Search([&](quern_query* q) {
                 quern_query_feedback(q, ("docs=" + std::to_string(n)).c_str());
             });
         }},
    };
}

}  // namespace

int main() {
    MakeCollections();
    const std::vector<Limit> limits = Limits();
    for (const Limit& limit : limits) {
        Try(limit);
    }
    // Of batches the size alone is looked at first: no array of that many keys is read.
    for (const size_t n : {size_t{0}, size_t{16777217}, SIZE_MAX, SIZE_MAX / 8}) {
        const int64_t key = 1;
        quern_batch* batch = quern_batch_new(the_db, "docs", n);
        if (batch != nullptr) {
            quern_batch_key_int(batch, &key);
            const int32_t status = quern_insert(batch, nullptr, nullptr);
            Want(Refuses(status), {"records of a batch", 1, 16777216, SIZE_MAX, {}}, n, status);
        }
        quern_batch_free(batch);
    }
    // A limit of the handle's own holds as those that are fixed do.
    int64_t old = 0;
    Must(quern_limit(the_db, QUERN_LIMIT_ATTR_BYTES, 1000, &old, nullptr));
    Try({"bytes of an attribute, set", 0, 1000, 0, AttrBytes});
    Must(quern_limit(the_db, QUERN_LIMIT_ATTR_BYTES, old, nullptr, nullptr));
    Must(quern_limit(the_db, QUERN_LIMIT_QUERIES, 8, &old, nullptr));
    Try({"queries of a search, set", 0, 8, 0, [](size_t n) {
             const std::vector<float> vectors(2 * n + 2, 1);
             return Search(
                 [&](quern_query* q) { quern_query_dense(q, "emb", vectors.data(), n, 2); }, false);
         }});
    Must(quern_limit(the_db, QUERN_LIMIT_QUERIES, old, nullptr, nullptr));
    quern_close(the_db);
    std::printf("%zu limits, %zu failures\n", limits.size() + 3, failures);
    return failures == 0 ? 0 : 1;
}
