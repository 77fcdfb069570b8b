#include "tests/bench/hybrid/guide_part.h"

#include <quern.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/bench/hybrid/dense_file.h"
#include "tests/bench/sparse/text_set.h"

namespace bench {

namespace {

namespace fs = std::filesystem;

struct Answers {
    std::vector<std::vector<std::string>> found;  // of each query, best first
    int64_t scored = 0;                           // by the dense leg
    int64_t cells = 0;
};

class Listed {
public:
    explicit Listed(const DenseCollection& collection)
        : collection_(collection), file_(collection, "index=lists codes=i8") {}

    // text: its weight; knobs: of the dense leg.
    Answers Search(double text, const std::string& knobs, bool guided) {
        Answers answers;
        for (const DenseQuery& query : collection_.queries) {
            quern_result* const result = SearchOne(query, text, knobs, guided);
            answers.found.push_back(TakeKeys(result));
            answers.scored += quern_result_leg_stat(result, 1, QUERN_RESULT_VECTORS_SCORED);
            answers.cells += quern_result_leg_stat(result, 1, QUERN_RESULT_CELLS_OPENED);
            quern_result_free(result);
        }
        return answers;
    }

    void Print(const char* name, double text, const std::string& knobs, bool guided,
               const Answers& exact) {
        const Answers answers = Search(text, knobs, guided);
        Measures sum;
        double same = 0;
        const auto n = static_cast<double>(answers.found.size());
        for (size_t q = 0; q < answers.found.size(); q++) {
            sum.Add(Measures::Of(collection_.queries[q].gains, answers.found[q]));
            const std::vector<std::string>& want = exact.found[q];
            const size_t k = std::min<size_t>(10, want.size());
            for (size_t i = 0; i < k; i++) {
                const auto end = answers.found[q].begin() +
                                 static_cast<ptrdiff_t>(std::min(k, answers.found[q].size()));
                same += std::find(answers.found[q].begin(), end, want[i]) != end
                            ? 1 / static_cast<double>(k)
                            : 0;
            }
        }
        std::printf("| %s | %.1f | %.2f | %.3f | %.4f | %.4f | %.4f |\n", name,
                    static_cast<double>(answers.cells) / n,
                    100 * static_cast<double>(answers.scored) / n /
                        static_cast<double>(collection_.ids.size()),
                    same / n, sum.ndcg_10 / n, sum.recall_100 / n, sum.mrr_10 / n);
    }

private:
    quern_result* SearchOne(const DenseQuery& query, double text, const std::string& knobs,
                            bool guided) {
        quern_query* of_text = file_.OfText(query, 100);
        quern_query* dense = file_.OfVectors(query, 100);
        quern_query_options(dense, knobs.c_str());
        quern_query* both = file_.NewQuery();
        quern_query_leg(both, of_text, text, nullptr);
        quern_query_leg(both, dense, 1, guided ? "guide=body" : nullptr);
        quern_query_limit(both, 100);
        quern_result* const result = file_.Search(both);
        quern_query_free(both);
        quern_query_free(of_text);
        quern_query_free(dense);
        return result;
    }
    static std::vector<std::string> TakeKeys(const quern_result* result) {
        std::vector<std::string> keys;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys.emplace_back(quern_result_key_text(result, row));
        }
        return keys;
    }

    const DenseCollection& collection_;
    DenseFile file_;
};

// text: the weight of BM25 beside a cosine.
void PrintTable(const char* name, const DenseCollection& collection, double text) {
    Listed listed(collection);
    const Answers exact = listed.Search(text, "recall=1", false);
    std::printf(
        "\n%s: %zu records, %zu queries, BM25 * %g + cosine\n\n| way | cells | rows scored, %% | "
        "of "
        "the exact ten | nDCG@10 | R@100 | MRR@10 |\n|---|---|---|---|---|---|---|\n",
        name, collection.ids.size(), collection.queries.size(), text);
    listed.Print("exact", text, "recall=1", false, exact);
    for (const int probes : {1, 2, 4, 8, 16, 32}) {
        const std::string knobs = "nprobe=" + std::to_string(probes);
        listed.Print(("nearest, " + knobs).c_str(), text, knobs, false, exact);
        listed.Print(("guided, " + knobs).c_str(), text, knobs, true, exact);
    }
    for (const char* const recall : {"recall=0.8", "recall=0.95"}) {
        listed.Print((std::string("nearest, ") + recall).c_str(), text, recall, false, exact);
        listed.Print((std::string("guided, ") + recall).c_str(), text, recall, true, exact);
    }
}

}  // namespace

void MeasureGuides(const fs::path& data) {
    std::printf("\nGuides: cells of a dense leg that hold the hits of a text leg\n");
    if (fs::exists(data / "cranfield")) {
        PrintTable("cranfield, by half of the judged documents for the other half", Cranfield(data),
                   0.02);
    }
    Matrix titles;
    if (fs::exists(data / "acl-anthology")) {
        PrintTable("acl-anthology, titles for their abstracts", AclAnthology(data, &titles), 0.02);
    }
}

}  // namespace bench
