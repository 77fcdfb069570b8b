// A database with a collection of texts, and the textbook to compare its answers with.
#pragma once

#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/hostile_file.h"

// Beside what HostileFile has: collection "texts" with a field "body".
class TextFile : public HostileFile {
public:
    explicit TextFile(const char* options = "") {
        quern_schema* schema = quern_schema_new();
        quern_schema_text(schema, "body", options);
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        Ok(quern_create(db, "texts", schema, &err));
        quern_schema_free(schema);
    }
    using Write = int32_t (*)(quern_batch*, quern_txn*, quern_error*);
    // text NULL: absent.
    int32_t Put(int64_t key, const char* text, Write write = quern_upsert) {
        quern_batch* batch = quern_batch_new(db, "texts", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_text(batch, "body", &text, nullptr);
        const int32_t status = write(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    int32_t SetYear(int64_t key, int64_t year) {
        quern_batch* batch = quern_batch_new(db, "texts", 1);
        quern_batch_key_int(batch, &key);
        quern_batch_int(batch, "year", &year, nullptr);
        const int32_t status = quern_update(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    int32_t Delete(int64_t key) {
        quern_batch* batch = quern_batch_new(db, "texts", 1);
        quern_batch_key_int(batch, &key);
        const int32_t status = quern_delete(batch, nullptr, &err);
        quern_batch_free(batch);
        return status;
    }
    std::string Text(int64_t key) {
        quern_batch* batch = quern_batch_new(db, "texts", 1);
        quern_batch_key_int(batch, &key);
        quern_result* result = nullptr;
        Ok(quern_get(batch, nullptr, "body", &result, &err));
        size_t size = 0;
        const char* text = quern_result_text(result, 0, 0, &size);
        const std::string found = text == nullptr ? "(absent)" : std::string(text, size);
        CHECK(quern_result_column_type(result, 0) == QUERN_TEXT);
        quern_result_free(result);
        quern_batch_free(batch);
        return found;
    }
    using Hits = std::vector<std::pair<int64_t, float>>;
    // *flags may be NULL.
    int32_t Search(const char* text, size_t k, Hits* hits, uint32_t* flags = nullptr) {
        hits->clear();
        quern_query* query = quern_query_new(db, "texts");
        quern_query_text(query, "body", &text, 1);
        quern_query_limit(query, k);
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &err);
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            hits->emplace_back(quern_result_key_int(result, row), quern_result_score(result, row));
        }
        if (flags != nullptr) {
            *flags = quern_result_flags(result);
        }
        quern_result_free(result);
        quern_query_free(query);
        return status;
    }
    void Optimize() { Ok(quern_optimize(db, nullptr, 0, &err)); }
    bool Says(const char* piece) {
        INFO(err.message);
        return std::string(err.message).find(piece) != std::string::npos;
    }
};

// The textbook, over all records there are.
inline TextFile::Hits ByFormula(const std::map<int64_t, std::string>& texts,
                                const std::string& query, size_t k) {
    std::map<int64_t, std::map<std::string, double>> counts;
    std::map<int64_t, double> lengths;
    std::map<std::string, double> with;
    double total = 0;
    for (const auto& [key, text] : texts) {
        std::istringstream words(text);
        for (std::string word; words >> word;) {
            with[word] += counts[key][word]++ == 0 ? 1 : 0;
            lengths[key]++;
            total++;
        }
    }
    const auto n = static_cast<double>(texts.size());
    std::vector<std::pair<double, int64_t>> found;
    for (const auto& [key, text] : texts) {
        double score = 0;
        std::istringstream words(query);
        for (std::string word; words >> word;) {
            const double tf = counts[key].count(word) != 0 ? counts[key][word] : 0;
            const double idf = std::log(1 + (n - with[word] + 0.5) / (with[word] + 0.5));
            score += idf * tf / (tf + 1.2 * (0.25 + 0.75 * lengths[key] * n / total));
        }
        if (score > 0) {
            found.emplace_back(-score, key);
        }
    }
    std::sort(found.begin(), found.end());
    TextFile::Hits hits;
    for (size_t i = 0; i < std::min(k, found.size()); i++) {
        hits.emplace_back(found[i].second, static_cast<float>(-found[i].first));
    }
    return hits;
}
