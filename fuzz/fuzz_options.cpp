// Option strings and structs of the C API, as any caller could give them.
//
// The first byte chooses what is called, the second says what to; the rest is the text, cut at its
// first NUL (and given as bytes where a function takes bytes). Every call must end in OK or in an
// error that is not INTERNAL, and leave the database as usable as it was; a struct of another size
// than the caller's says must not be written beyond it.
#include <quern.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr size_t kTextMax = 5000;

void WantOfCall(bool holds) {
    if (!holds) {
        std::abort();
    }
}

int32_t Said(int32_t status) {
    WantOfCall(status != QUERN_ERR_INTERNAL);
    return status;
}

// A database with all kinds of fields and a few records.
quern_db* SmallDatabase() {
    quern_db* db = nullptr;
    WantOfCall(quern_open(":memory:", "threads=1 memory_mb=32 maintenance=off", &db, nullptr) ==
               QUERN_OK);
    // What statements return until they are stopped.
    WantOfCall(quern_limit(db, QUERN_LIMIT_SEARCH_BYTES, 64 << 20, nullptr, nullptr) == QUERN_OK);
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "year", QUERN_INT, nullptr);
    quern_schema_attr(schema, "hub", QUERN_REAL, nullptr);
    quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
    quern_schema_attr(schema, "tags", QUERN_TAGS, nullptr);
    quern_schema_dense(schema, "emb", 3, QUERN_COSINE, nullptr);
    quern_schema_sparse(schema, "terms", "dims=100");
    quern_schema_text(schema, "body", nullptr);
    WantOfCall(quern_create(db, "docs", schema, nullptr) == QUERN_OK);
    quern_schema_free(schema);
    const int64_t keys[] = {1, 2, 3, 4};
    const int64_t years[] = {1, 2, 3, 4};
    const char* const texts[] = {"white whale", "a ship", "the whale and the ship", ""};
    const float vectors[] = {1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1};
    const size_t offsets[] = {0, 1, 2, 4, 4};
    const uint32_t dims[] = {3, 5, 3, 5};
    quern_batch* batch = quern_batch_new(db, "docs", 4);
    quern_batch_key_int(batch, keys);
    quern_batch_int(batch, "year", years, nullptr);
    quern_batch_text(batch, "title", texts, nullptr);
    quern_batch_text(batch, "body", texts, nullptr);
    quern_batch_dense(batch, "emb", vectors, 3, nullptr);
    quern_batch_sparse(batch, "terms", offsets, dims, nullptr, nullptr);
    WantOfCall(quern_insert(batch, nullptr, nullptr) == QUERN_OK);
    quern_batch_free(batch);
    return db;
}

// A statement may be one that never ends: it is stopped as its caller would do it, who is asked ten
// times a second.
int StopSoon(void* asked, const char*, uint64_t, uint64_t) {
    return ++*static_cast<int*>(asked) > 3 ? 1 : 0;
}

// Creates a collection of one column, if the library allows it, and drops it again.
template <typename Fill>
void MakeSchema(quern_db* db, Fill fill) {
    quern_schema* schema = quern_schema_new();
    fill(schema);
    if (Said(quern_create(db, "other", schema, nullptr)) == QUERN_OK) {
        WantOfCall(quern_drop(db, "other", nullptr) == QUERN_OK);
    }
    quern_schema_free(schema);
}

// Runs a query that `fill` has had, in one of the ways to run one.
template <typename Fill>
void RunQuery(quern_db* db, uint8_t how, Fill fill) {
    const float vector[] = {1, 0.5f, 0};
    quern_query* query = quern_query_new(db, "docs");
    if (how % 4 != 3) {
        quern_query_dense(query, "emb", vector, 1, 3);
    }
    fill(query);
    quern_result* result = nullptr;
    quern_text* text = nullptr;
    uint64_t count = 0;
    switch (how / 4 % 4) {
        case 0: Said(quern_search(query, &result, nullptr)); break;
        case 1: Said(quern_query_list(query, &result, nullptr)); break;
        case 2: Said(quern_query_explain(query, &text, nullptr)); break;
        default: Said(quern_query_count(query, &count, nullptr));
    }
    if (result != nullptr && how / 4 % 4 == 0) {
        quern_text* told = nullptr;
        Said(quern_result_explain(result, &told, nullptr));
        quern_text_free(told);
    }
    quern_result_free(result);
    quern_text_free(text);
    quern_query_free(query);
}

// An error of any size, whose end must not be written to.
void ErrorOfAnySize(quern_db* db, uint8_t size_byte, const char* text) {
    const size_t size = size_byte * 3;
    std::vector<char> memory(std::max(size, sizeof(uint32_t)) + 16, 'x');
    const auto told = static_cast<uint32_t>(size);
    std::memcpy(memory.data(), &told, sizeof told);
    uint64_t count = 0;
    Said(quern_count(db, text, nullptr, &count, reinterpret_cast<quern_error*>(memory.data())));
    for (size_t i = std::max(size, sizeof told); i < memory.size(); i++) {
        WantOfCall(memory[i] == 'x');
    }
}

void LegsWith(quern_db* db, uint8_t how, const char* leg_options, const char* fusion,
              const char* formula) {
    RunQuery(db, static_cast<uint8_t>(how | 3), [&](quern_query* query) {
        static const float vector[] = {0, 1, 0};  // borrowed until the query is freed
        static const char* const words[] = {"whale"};
        quern_query* dense = quern_query_new(db, "docs");
        quern_query* text = quern_query_new(db, "docs");
        quern_query_dense(dense, "emb", vector, 1, 3);
        quern_query_text(text, "body", words, 1);
        quern_query_leg(query, dense, 1, leg_options);
        quern_query_leg(query, text, 0.5, nullptr);
        if (fusion != nullptr) {
            quern_query_fusion(query, fusion);
        }
        if (formula != nullptr) {
            quern_query_formula(query, formula);
        }
        quern_query_free(dense);
        quern_query_free(text);
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static quern_db* const db = SmallDatabase();
    if (size < 2) {
        return 0;
    }
    const uint8_t how = data[1];
    const std::string bytes(reinterpret_cast<const char*>(data) + 2, std::min(size - 2, kTextMax));
    const char* const text = bytes.c_str();
    quern_text* told = nullptr;
    quern_result* result = nullptr;
    quern_keys* keys = nullptr;
    switch (data[0] % 30) {
        case 0: {
            quern_db* other = nullptr;
            Said(quern_open(":memory:", text, &other, nullptr));
            quern_close(other);
            break;
        }
        case 1:
            MakeSchema(db, [&](quern_schema* s) {
                quern_schema_dense(s, "v", 1 + how % 64, 1 + how % 4, text);
            });
            break;
        case 2: MakeSchema(db, [&](quern_schema* s) { quern_schema_sparse(s, "v", text); }); break;
        case 3: MakeSchema(db, [&](quern_schema* s) { quern_schema_text(s, "v", text); }); break;
        case 4:
            MakeSchema(db, [&](quern_schema* s) { quern_schema_attr(s, "v", how % 9, text); });
            break;
        case 5:  // names
            MakeSchema(db, [&](quern_schema* s) {
                quern_schema_key_text(s, text);
                quern_schema_attr(s, text, QUERN_INT, nullptr);
                quern_schema_dense(s, how % 2 == 0 ? text : "v", 2, QUERN_L2, nullptr);
            });
            break;
        case 6: RunQuery(db, how, [&](quern_query* q) { quern_query_options(q, text); }); break;
        case 7:
            RunQuery(db, how, [&](quern_query* q) {
                quern_query_filter(q, text);
                quern_query_options(q, "filter_ms=300");
            });
            break;
        case 8: RunQuery(db, how, [&](quern_query* q) { quern_query_order(q, text); }); break;
        case 9: RunQuery(db, how, [&](quern_query* q) { quern_query_after(q, text); }); break;
        case 10: RunQuery(db, how, [&](quern_query* q) { quern_query_columns(q, text); }); break;
        case 11: RunQuery(db, how, [&](quern_query* q) { quern_query_feedback(q, text); }); break;
        case 12:
            RunQuery(db, how, [&](quern_query* q) { quern_query_diversify(q, "emb", text); });
            break;
        case 13: RunQuery(db, how, [&](quern_query* q) { quern_query_group(q, text, how); }); break;
        case 14:
            RunQuery(db, static_cast<uint8_t>(how | 3), [&](quern_query* q) {
                quern_query_compose(q, "emb", 1, text);
                quern_query_term_key_int(q, 0, 1, 1 + how % 5);
            });
            break;
        case 15:
            RunQuery(db, static_cast<uint8_t>(how | 3),
                     [&](quern_query* q) { quern_query_text(q, "body", &text, 1); });
            break;
        case 16: LegsWith(db, how, text, nullptr, nullptr); break;
        case 17: LegsWith(db, how, nullptr, text, nullptr); break;
        case 18: LegsWith(db, how, "name=a", nullptr, text); break;
        case 19:
            Said(quern_snippet(db, "docs", "body", "whale", bytes.data(), bytes.size(), nullptr,
                               &told, nullptr));
            break;
        case 20:
            Said(quern_snippet(db, "docs", "body", "whale", "the white whale", 15, text, &told,
                               nullptr));
            break;
        case 21:
            Said(quern_snippet(db, "docs", "body", text, "the white whale", 15, nullptr, &told,
                               nullptr));
            break;
        case 22: {
            const char* const tokens[] = {"whale", text};
            const uint32_t dims[] = {how, 3};
            const float weights[] = {1, 0.5f};
            Said(quern_set_token_weights(db, "docs", "terms", tokens, dims, weights, 2,
                                         how % 2 == 0 ? text : nullptr, nullptr));
            break;
        }
        case 23: {
            int asked = 0;
            WantOfCall(quern_progress(db, StopSoon, &asked, nullptr) == QUERN_OK);
            Said(quern_sql(db, nullptr, text, &result, nullptr));
            WantOfCall(quern_progress(db, nullptr, nullptr, nullptr) == QUERN_OK);
            break;
        }
        case 24:
            RunQuery(db, how, [&](quern_query* q) {
                if (Said(quern_keys_roaring(bytes.data(), bytes.size(), how % 2 == 0 ? 32 : 64,
                                            &keys, nullptr)) == QUERN_OK) {
                    quern_query_only_keys(q, keys);
                }
            });
            break;
        case 25:
            Said(quern_measure_hubs(db, "docs", "emb", "hub", nullptr, 0, 3, text, nullptr));
            break;
        case 26: {
            const float vector[] = {1, 0, 0};
            quern_query* query = quern_query_new(db, "docs");
            quern_query_dense(query, "emb", vector, 1, 3);
            Said(quern_recall_audit(query, text, &told, nullptr));
            quern_query_free(query);
            break;
        }
        case 27: {
            quern_query* query = quern_query_new(db, "docs");
            quern_query_filter(query, "year = 1");
            quern_query_set(query, text);
            quern_txn* txn = nullptr;
            if (quern_begin(db, &txn, nullptr) == QUERN_OK) {
                Said(quern_query_update(query, txn, nullptr, nullptr));
                quern_rollback(txn);
            }
            quern_query_free(query);
            break;
        }
        case 28: ErrorOfAnySize(db, how, text); break;
        default: {  // values of JSON and tags, of a record that is not kept
            const int64_t key = 77;
            const size_t offsets[] = {0, 2};
            const char* const tags[] = {text, "b"};
            quern_txn* txn = nullptr;
            quern_batch* batch = quern_batch_new(db, "docs", 1);
            quern_batch_key_int(batch, &key);
            quern_batch_tags(batch, "tags", offsets, tags, nullptr);
            quern_batch_text(batch, "title", &text, nullptr);
            quern_batch_text(batch, "body", &text, nullptr);
            if (quern_begin(db, &txn, nullptr) == QUERN_OK) {
                Said(quern_upsert(batch, txn, nullptr));
                quern_rollback(txn);
            }
            quern_batch_free(batch);
        }
    }
    quern_keys_free(keys);
    quern_text_free(told);
    quern_result_free(result);
    uint64_t count = 0;
    WantOfCall(quern_count(db, "docs", nullptr, &count, nullptr) == QUERN_OK && count == 4);
    return 0;
}
