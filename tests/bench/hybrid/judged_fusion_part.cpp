#include "tests/bench/hybrid/judged_fusion_part.h"

#include <quern.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/bench_support.h"
#include "tests/bench/hybrid/dense_file.h"
#include "tests/bench/hybrid/latent_vectors.h"
#include "tests/bench/sparse/text_set.h"

namespace bench {

namespace {

namespace fs = std::filesystem;

constexpr size_t kLatentDims = 256;  // as those that come with acl-anthology
constexpr size_t kDepth = 100;
constexpr int kRounds = 5;

class Halves {
public:
    explicit Halves(const DenseCollection& collection)
        : collection_(collection), file_(collection, "index=none") {}

    void Print(const char* name) {
        Measures sums[3];
        for (const size_t half : {size_t{0}, size_t{1}}) {
            const std::string learned = Learn(1 - half);
            const char* const ways[] = {"text", "dense", learned.c_str()};
            std::printf("| %s | %zu |", name, half);
            size_t count = 0;
            Measures of_half[3];
            for (size_t q = half; q < collection_.queries.size(); q += 2) {
                for (size_t way = 0; way < 3; way++) {
                    const Measures of = Measures::Of(collection_.queries[q].gains,
                                                     Search(ways[way], collection_.queries[q]));
                    of_half[way].Add(of);
                    sums[way].Add(of);
                }
                count++;
            }
            const auto n = static_cast<double>(count);
            for (const Measures& of : of_half) {
                std::printf(" %.4f / %.4f / %.4f |", of.ndcg_10 / n, of.recall_100 / n,
                            of.mrr_10 / n);
            }
            std::printf(" %s |\n", learned.c_str());
        }
        const auto n = static_cast<double>(collection_.queries.size());
        std::printf("| %s | both |", name);
        for (const Measures& of : sums) {
            std::printf(" %.4f / %.4f / %.4f |", of.ndcg_10 / n, of.recall_100 / n, of.mrr_10 / n);
        }
        std::printf(" %zu queries |\n", collection_.queries.size());
    }

    // What a fused query takes beside its two legs one after the other, which give 100 each: CPU
    // time, medians of whole passes. A row of a table.
    std::string Costs(const std::string& name) {
        const std::string learned = Learn(1);
        const Searched searches[] = {
            {nullptr, kDepth}, {learned.c_str(), 10}, {learned.c_str(), kDepth},
            {"kind=rrf", 10},  {"kind=rrf", kDepth},
        };
        std::vector<double> ratios[std::size(searches)];
        for (int round = 0; round < kRounds; round++) {
            double legs = 0;
            for (size_t i = 0; i < std::size(searches); i++) {
                double seconds = 0;
                for (const DenseQuery& query : collection_.queries) {
                    seconds += SecondsOf(searches[i], query);
                }
                legs = i == 0 ? seconds : legs;
                ratios[i].push_back(seconds / legs);
            }
        }
        std::string row = "| " + name + " | " + learned + " |";
        for (size_t i = 1; i < std::size(searches); i++) {
            char text[32];
            std::snprintf(text, sizeof text, " %.2f |", Median(ratios[i]));
            row += text;
        }
        return row;
    }

private:
    struct Searched {
        const char* fusion;  // NULL: both legs alone
        size_t k;
    };

    double SecondsOf(const Searched& searched, const DenseQuery& query) {
        quern_query* const of_text = file_.OfText(query, kDepth);
        quern_query* const dense = file_.OfVectors(query, kDepth);
        quern_query* const both = file_.NewQuery();
        double seconds = 0;
        const auto search = [&](quern_query* one) {
            const double start = CpuSeconds();
            quern_result* const result = file_.Search(one);
            seconds += CpuSeconds() - start;
            quern_result_free(result);
        };
        if (searched.fusion == nullptr) {
            search(of_text);
            search(dense);
        } else {
            quern_query_leg(both, of_text, 1, nullptr);
            quern_query_leg(both, dense, 1, nullptr);
            quern_query_fusion(both, searched.fusion);
            quern_query_limit(both, searched.k);
            search(both);
        }
        quern_query_free(both);
        quern_query_free(of_text);
        quern_query_free(dense);
        return seconds;
    }

    // Both legs of some of the queries at once, and judgments of all that these know.
    std::string Learn(size_t half) {
        std::vector<std::string> words;
        std::vector<const char*> keys;
        std::vector<size_t> numbers;
        std::vector<float> gains;
        quern_query* const dense = file_.NewQuery();
        std::vector<const DenseQuery*> queries;
        for (size_t q = half; q < collection_.queries.size(); q += 2) {
            queries.push_back(&collection_.queries[q]);
        }
        quern_query_compose(dense, "emb", queries.size(), nullptr);
        for (size_t i = 0; i < queries.size(); i++) {
            words.push_back(Words(queries[i]->text));
            file_.AddDenseTerms(dense, i, *queries[i]);
            for (const auto& [record, gain] : queries[i]->gains) {
                keys.push_back(record.c_str());
                numbers.push_back(i);
                gains.push_back(static_cast<float>(gain));
            }
        }
        std::vector<const char*> texts;
        for (const std::string& text : words) {
            texts.push_back(text.c_str());
        }
        quern_query* const of_text = file_.NewQuery();
        quern_query_text(of_text, "body", texts.data(), texts.size());
        quern_query* const both = file_.NewQuery();
        for (quern_query* leg : {of_text, dense}) {
            quern_query_limit(leg, kDepth);
            quern_query_leg(both, leg, 1, nullptr);
        }
        std::string learned = file_.Fit(both, keys, numbers, gains);
        quern_query_free(both);
        quern_query_free(of_text);
        quern_query_free(dense);
        return learned;
    }

    std::vector<std::string> Search(const std::string& way, const DenseQuery& query) {
        quern_query* const of_text = file_.OfText(query, kDepth);
        quern_query* const dense = file_.OfVectors(query, kDepth);
        // The other leg stays with a weight of 0: what looks for itself is in neither result.
        quern_query* const both = file_.NewQuery();
        quern_query_leg(both, of_text, way == "dense" ? 0 : 1, nullptr);
        quern_query_leg(both, dense, way == "text" ? 0 : 1, nullptr);
        if (way != "text" && way != "dense") {
            quern_query_fusion(both, way.c_str());
        }
        quern_query_limit(both, kDepth);
        std::vector<std::string> found = TakeTextKeys(file_.Search(both));
        quern_query_free(both);
        quern_query_free(of_text);
        quern_query_free(dense);
        return found;
    }

    const DenseCollection& collection_;
    DenseFile file_;
};

}  // namespace

void MeasureJudgedFusion(const fs::path& data) {
    std::vector<std::string> costs;
    std::printf(
        "\nText and dense legs, fused as quern_fit_fusion has learned from the other half of the "
        "queries\n\n| collection | half | text: nDCG@10 / R@100 / MRR@10 | dense | learned | "
        "learned from the other half |\n|---|---|---|---|---|---|\n");
    for (const char* const name : {"nfcorpus", "scifact", "cranfield", "cacm", "npl"}) {
        if (fs::exists(data / name / "corpus.jsonl.zst")) {
            LatentVectors latent;
            const DenseCollection collection = Latent(data, name, kLatentDims, &latent);
            Halves halves(collection);
            halves.Print((std::string(name) + ", latent").c_str());
            costs.push_back(halves.Costs(std::string(name) + ", latent"));
        }
    }
    if (fs::exists(data / "cranfield" / "minilm.docs.f32.npy.zst")) {
        const DenseCollection collection = Cranfield(data);
        Halves halves(collection);
        halves.Print("cranfield, MiniLM by half of the judged");
        costs.push_back(halves.Costs("cranfield, MiniLM by half of the judged"));
    }
    if (fs::exists(data / "acl-anthology" / "corpus.jsonl.zst")) {
        Matrix titles;
        const DenseCollection collection = AclAnthology(data, &titles);
        Halves halves(collection);
        halves.Print("acl-anthology, titles");
        costs.push_back(halves.Costs("acl-anthology, titles"));
    }
    std::printf(
        "\nCPU time of a fused query to that of its two legs alone with k = 100, medians of %d "
        "rounds of passes over all queries\n\n| collection | learned | k = 10 | k = 100 | rrf, "
        "k = 10 | k = 100 |\n|---|---|---|---|---|---|\n",
        kRounds);
    for (const std::string& row : costs) {
        std::printf("%s\n", row.c_str());
    }
}

}  // namespace bench
