// Two collections in memory, with keys of both types and a column of every kind: one record that
// has a value of each, and one that has none.
#pragma once

#include <quern.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>

namespace quern::testing {

using Builder = std::function<void(quern_query*)>;

class EveryKind {
public:
    EveryKind() {
        Ok(quern_open(":memory:", nullptr, &db, E));
        for (const bool text_keys : {false, true}) {
            const char* const name = text_keys ? "texts" : "ints";
            quern_schema* schema = quern_schema_new();
            if (text_keys) {
                quern_schema_key_text(schema, "id");
            }
            for (int32_t type = QUERN_INT; type <= QUERN_TAGS; type++) {
                quern_schema_attr(schema, ("a" + std::to_string(type)).c_str(), type, nullptr);
            }
            quern_schema_dense(schema, "emb", 2, QUERN_L2, nullptr);
            quern_schema_sparse(schema, "terms", nullptr);
            quern_schema_text(schema, "body", nullptr);
            Ok(quern_create(db, name, schema, E));
            quern_schema_free(schema);
            // One record with a value of each kind, one with none.
            quern_batch* b = Keys(name);
            const auto attr = [](int32_t type) { return "a" + std::to_string(type); };
            const uint8_t valid[2] = {1, 0};
            const int64_t ints[2] = {7, 0};
            const double reals[2] = {0.5, 0};
            const uint8_t bools[2] = {1, 0};
            const char* const words[2] = {"word", ""};
            const char* const json[2] = {"{\"a\":1}", ""};
            const void* const blobs[2] = {"blob", nullptr};
            const size_t sizes[2] = {4, 0};
            const size_t offsets[3] = {0, 1, 1};
            const float vectors[4] = {1, 2, 0, 0};
            const uint32_t dims[1] = {3};
            const float weights[1] = {1.5f};
            quern_batch_int(b, attr(QUERN_INT).c_str(), ints, valid);
            quern_batch_real(b, attr(QUERN_REAL).c_str(), reals, valid);
            quern_batch_bool(b, attr(QUERN_BOOL).c_str(), bools, valid);
            quern_batch_text(b, attr(QUERN_TEXT).c_str(), words, valid);
            quern_batch_text(b, attr(QUERN_JSON).c_str(), json, valid);
            quern_batch_blob(b, attr(QUERN_BLOB).c_str(), blobs, sizes, valid);
            quern_batch_tags(b, attr(QUERN_TAGS).c_str(), offsets, words, valid);
            quern_batch_text(b, "body", words, valid);
            quern_batch_dense(b, "emb", vectors, 2, valid);
            quern_batch_sparse(b, "terms", offsets, dims, weights, valid);
            Ok(quern_upsert(b, nullptr, E));
            quern_batch_free(b);
        }
    }
    ~EveryKind() { quern_close(db); }
    quern_batch* Keys(const std::string& collection) {
        static constexpr int64_t kInts[2] = {1, 2};
        static constexpr const char* kTexts[2] = {"a", "b"};
        quern_batch* b = quern_batch_new(db, collection.c_str(), 2);
        if (collection == "texts") {
            quern_batch_key_text(b, kTexts);
        } else {
            quern_batch_key_int(b, kInts);
        }
        return b;
    }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    // What becomes of a list with what a builder was given.
    int32_t List(const Builder& build) {
        quern_query* q = quern_query_new(db, "ints");
        quern_query_limit(q, 5);
        build(q);
        quern_result* r = nullptr;
        const int32_t status = quern_query_list(q, &r, E);
        quern_result_free(r);
        quern_query_free(q);
        return status;
    }
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    quern_error* const E = &err;
};

}  // namespace quern::testing
