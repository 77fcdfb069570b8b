#include "tests/bench/hybrid/feedback_part.h"

#include <quern.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/bench/bench_support.h"
#include "tests/bench/hybrid/dense_file.h"
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
    explicit Searched(const DenseCollection& collection)
        : collection_(collection), file_(collection, "index=none") {}

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
        quern_query* of_text = file_.OfText(query, 1000);
        quern_query* dense = file_.OfVectors(query, 1000);
        // A leg of weight 0 keeps the records of the dense side out of every result alike.
        quern_query* both = file_.NewQuery();
        quern_query_leg(both, of_text, way.text, nullptr);
        quern_query_leg(both, dense, way.dense, nullptr);
        quern_query_fusion(both, "normalize=minmax");
        quern_query_limit(both, 100);
        if (way.feedback != nullptr) {
            quern_query_feedback(both, way.feedback);
        }
        std::vector<std::string> found = bench::TakeTextKeys(file_.Search(both));
        quern_query_free(both);
        quern_query_free(of_text);
        quern_query_free(dense);
        return found;
    }

    const DenseCollection& collection_;
    DenseFile file_;
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
