#include "tests/bench/hybrid/dense_file.h"

#include "tests/bench/bench_support.h"

namespace bench {

DenseFile::DenseFile(const DenseCollection& collection, const char* options)
    : collection_(collection) {
    Check(quern_open(":memory:", "threads=1 maintenance=off", &db_, &error_), "open");
    quern_schema* schema = quern_schema_new();
    quern_schema_key_text(schema, "id");
    quern_schema_text(schema, "body", "porter stop=english k1=0.9 b=0.4");
    quern_schema_dense(schema, "emb", static_cast<uint32_t>(collection.vectors.dim), QUERN_COSINE,
                       options);
    Check(quern_create(db_, "docs", schema, &error_), "create");
    quern_schema_free(schema);
    std::vector<const char*> keys;
    std::vector<const char*> texts;
    for (size_t i = 0; i < collection.ids.size(); i++) {
        keys.push_back(collection.ids[i].c_str());
        texts.push_back(collection.texts.empty() ? "" : collection.texts[i].c_str());
    }
    quern_batch* batch = quern_batch_new(db_, "docs", keys.size());
    quern_batch_key_text(batch, keys.data());
    quern_batch_text(batch, "body", texts.data(), nullptr);
    quern_batch_dense(batch, "emb", collection.vectors.rows.data(), collection.vectors.dim,
                      nullptr);
    Check(quern_insert(batch, nullptr, &error_), "insert");
    quern_batch_free(batch);
    Check(quern_optimize(db_, nullptr, 0, &error_), "optimize");
}

quern_query* DenseFile::OfText(const DenseQuery& query, size_t limit) {
    const std::string words = Words(query.text);
    const char* const texts[] = {words.c_str()};
    quern_query* const of_text = NewQuery();
    quern_query_text(of_text, "body", texts, 1);
    quern_query_limit(of_text, limit);
    return of_text;
}

quern_query* DenseFile::OfVectors(const DenseQuery& query, size_t limit) {
    quern_query* const dense = NewQuery();
    quern_query_compose(dense, "emb", 1, nullptr);
    AddDenseTerms(dense, 0, query);
    quern_query_limit(dense, limit);
    return dense;
}

void DenseFile::AddDenseTerms(quern_query* dense, size_t number, const DenseQuery& query) const {
    if (query.vector != nullptr) {
        quern_query_term_dense(dense, number, 1, query.vector, collection_.vectors.dim);
    }
    for (const std::string& record : query.records) {
        quern_query_term_key_text(dense, number, 1, record.c_str());
    }
}

std::string DenseFile::Fit(quern_query* query, const std::vector<const char*>& keys,
                           const std::vector<size_t>& queries, const std::vector<float>& gains) {
    quern_batch* const batch = quern_batch_new(db_, "docs", keys.size());
    quern_batch_key_text(batch, keys.data());
    quern_text* text = nullptr;
    Check(quern_fit_fusion(query, batch, queries.data(), gains.data(), "metric=ndcg", &text,
                           nullptr, &error_),
          "fit");
    std::string learned = quern_text_data(text);
    quern_text_free(text);
    quern_batch_free(batch);
    return learned;
}

quern_result* DenseFile::Search(quern_query* query) {
    quern_result* result = nullptr;
    Check(quern_search(query, &result, &error_), "search");
    return result;
}

void DenseFile::Check(int32_t status, const char* what) {
    bench::Check(status, error_, what);
}

}  // namespace bench
