#include "tests/bench/hybrid/feedback_part.h"

#include <quern.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/bench/bench_support.h"
#include "tests/bench/hybrid/dense_collections.h"
#include "tests/bench/sparse/text_set.h"

namespace bench {

namespace {

namespace fs = std::filesystem;

struct Way {
    const char* name;
    double text = 0;
    double dense = 0;
    const char* feedback = nullptr;
};

class Searched {
public:
    explicit Searched(const DenseCollection& collection) : collection_(collection) {
        Check(quern_open(":memory:", "threads=1 maintenance=off", &db_, &error_), "open");
        quern_schema* schema = quern_schema_new();
        quern_schema_key_text(schema, "id");
        quern_schema_text(schema, "body", "porter stop=english k1=0.9 b=0.4");
        quern_schema_dense(schema, "emb", static_cast<uint32_t>(collection.vectors.dim),
                           QUERN_COSINE, "index=none");
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
    ~Searched() { quern_close(db_); }
    Searched(const Searched&) = delete;
    Searched& operator=(const Searched&) = delete;

    void Print(const Way& way) {
        Measures sum;
        for (const DenseQuery& query : collection_.queries) {
            sum.Add(Measures::Of(query.gains, Search(way, query)));
        }
        const auto n = static_cast<double>(collection_.queries.size());
        std::printf("| %s | %.4f | %.4f | %.4f |\n", way.name, sum.ndcg_10 / n, sum.recall_100 / n,
                    sum.mrr_10 / n);
    }

private:
    std::vector<std::string> Search(const Way& way, const DenseQuery& query) {
        const std::string words = Words(query.text);
        const char* const texts[] = {words.c_str()};
        quern_query* of_text = quern_query_new(db_, "docs");
        quern_query_text(of_text, "body", texts, 1);
        quern_query_limit(of_text, 1000);
        quern_query* dense = quern_query_new(db_, "docs");
        quern_query_compose(dense, "emb", 1, nullptr);
        if (query.vector != nullptr) {
            quern_query_term_dense(dense, 0, 1, query.vector, collection_.vectors.dim);
        }
        for (const std::string& record : query.records) {
            quern_query_term_key_text(dense, 0, 1, record.c_str());
        }
        quern_query_limit(dense, 1000);
        // A leg of weight 0 keeps the records of the dense side out of every result alike.
        quern_query* both = quern_query_new(db_, "docs");
        quern_query_leg(both, of_text, way.text, nullptr);
        quern_query_leg(both, dense, way.dense, nullptr);
        quern_query_fusion(both, "normalize=minmax");
        quern_query_limit(both, 100);
        if (way.feedback != nullptr) {
            quern_query_feedback(both, way.feedback);
        }
        quern_result* result = nullptr;
        Check(quern_search(both, &result, &error_), "search");
        std::vector<std::string> found = bench::TakeTextKeys(result);
        quern_query_free(both);
        quern_query_free(of_text);
        quern_query_free(dense);
        return found;
    }
    void Check(int32_t status, const char* what) { bench::Check(status, error_, what); }

    const DenseCollection& collection_;
    quern_db* db_ = nullptr;
    quern_error error_ = QUERN_ERROR_INIT;
};

void PrintTable(const char* name, const DenseCollection& collection) {
    Searched searched(collection);
    std::printf(
        "\n%s: %zu records, %zu queries\n\n| way | nDCG@10 | R@100 | MRR@10 |\n|---|---|---|---|\n",
        name, collection.ids.size(), collection.queries.size());
    const bool texts = !collection.texts.empty();
    const Way ways[] = {
        {"text", 1, 0},
        {"dense", 0, 1},
        {"both", 0.5, 0.5},
        {"text alone, its words", 1, 0, "leg=0 kind=rocchio before=0"},
        {"both, words of the text", 0.5, 0.5, "leg=0 kind=rocchio"},
        {"average, dense only", 0.5, 0.5, "kind=average before=0 after=0"},
        {"average, text before", 0.5, 0.5, "kind=average after=0"},
        {"average, text after", 0.5, 0.5, "kind=average before=0"},
        {"average, text before and after", 0.5, 0.5, "kind=average"},
        {"rocchio, dense only", 0.5, 0.5, "kind=rocchio before=0 after=0"},
        {"rocchio, text before", 0.5, 0.5, "kind=rocchio after=0"},
        {"rocchio, text after", 0.5, 0.5, "kind=rocchio before=0"},
        {"rocchio, text before and after", 0.5, 0.5, "kind=rocchio"},
    };
    for (const Way& way : ways) {
        const std::string feedback = way.feedback == nullptr ? "" : way.feedback;
        if (texts || (way.text == 0 || feedback.find("before=0 after=0") != std::string::npos)) {
            searched.Print(way);
        }
    }
}

}  // namespace

void MeasureFeedback(const fs::path& data) {
    std::printf("\nFeedback: what a first search finds moves the dense query of a second\n");
    if (fs::exists(data / "cranfield")) {
        PrintTable("cranfield, by half of the judged documents for the other half",
                   Cranfield(data));
    }
    Matrix queries;
    if (fs::exists(data / "acl-anthology")) {
        PrintTable("acl-anthology, titles for their abstracts", AclAnthology(data, &queries));
    }
    if (fs::exists(data / "scidocs-minilm")) {
        PrintTable("scidocs-minilm", Scidocs(data, &queries));
    }
}

}  // namespace bench
