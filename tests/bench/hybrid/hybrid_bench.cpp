// bench_hybrid: queries of two legs, text and learned sparse vectors, over a judged collection: how
// good the fused answers are beside each leg alone, and what fusing costs beside the legs.
// README.md says how to read it.
#include <quern.h>
#include <time.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/bench/bench_support.h"
#include "tests/bench/hybrid/feedback_part.h"
#include "tests/bench/hybrid/guide_part.h"
#include "tests/bench/hybrid/hub_part.h"
#include "tests/bench/hybrid/judged_fusion_part.h"
#include "tests/bench/sparse/sparse_set.h"
#include "tests/bench/sparse/text_set.h"

namespace {

using bench::Measures;
using bench::TextSet;
namespace fs = std::filesystem;

constexpr int kRounds = 5;

struct Vector {
    std::vector<uint32_t> dims;
    std::vector<float> weights;
};

// Vectors by id; word pieces get numbers as they come.
std::map<std::string, Vector> ReadVectors(const fs::path& path,
                                          std::map<std::string, uint32_t>* numbers) {
    std::map<std::string, Vector> vectors;
    std::istringstream lines(bench::ReadZstd(path));
    for (std::string line; std::getline(lines, line);) {
        const auto json = nlohmann::json::parse(line);
        Vector& vector = vectors[json["id"].get<std::string>()];
        for (const auto& [piece, weight] : json["vector"].items()) {
            vector.dims.push_back(
                numbers->emplace(piece, static_cast<uint32_t>(numbers->size())).first->second);
            vector.weights.push_back(weight.get<float>() / 100);
        }
    }
    return vectors;
}

std::string Words(std::string text) {
    for (char& c : text) {
        c = static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0
                ? ' '
                : c;
    }
    return text;
}

struct Way {
    const char* name;
    const char* fusion;  // NULL: one leg alone
    double text = 0;     // weights
    double sparse = 0;
};

// What searches took: CPU time, and of the whole, by the clock, each stage.
struct Cost {
    static constexpr int32_t kStages[] = {QUERN_RESULT_SEARCH_NS, QUERN_RESULT_LOOKUP_NS,
                                          QUERN_RESULT_FUSE_NS, QUERN_RESULT_FETCH_NS};
    double us = 0;
    double stages_us[std::size(kStages)] = {};
};

class Collection {
public:
    Collection(const TextSet& set, const std::map<std::string, Vector>& documents) {
        Check(quern_open(":memory:", "threads=1 maintenance=off", &db_, &error_), "open");
        quern_schema* schema = quern_schema_new();
        quern_schema_key_text(schema, "id");
        quern_schema_text(schema, "body", "porter stop=english k1=0.9 b=0.4");
        quern_schema_sparse(schema, "splade", nullptr);
        Check(quern_create(db_, "docs", schema, &error_), "create");
        quern_schema_free(schema);
        std::vector<const char*> keys;
        std::vector<const char*> texts;
        std::vector<size_t> offsets{0};
        Vector all;
        for (size_t i = 0; i < set.ids.size(); i++) {
            keys.push_back(set.ids[i].c_str());
            texts.push_back(set.texts[i].c_str());
            const auto found = documents.find(set.ids[i]);
            if (found != documents.end()) {
                all.dims.insert(all.dims.end(), found->second.dims.begin(),
                                found->second.dims.end());
                all.weights.insert(all.weights.end(), found->second.weights.begin(),
                                   found->second.weights.end());
            }
            offsets.push_back(all.dims.size());
        }
        quern_batch* batch = quern_batch_new(db_, "docs", keys.size());
        quern_batch_key_text(batch, keys.data());
        quern_batch_text(batch, "body", texts.data(), nullptr);
        quern_batch_sparse(batch, "splade", offsets.data(), all.dims.data(), all.weights.data(),
                           nullptr);
        Check(quern_insert(batch, nullptr, &error_), "insert");
        quern_batch_free(batch);
        Check(quern_optimize(db_, nullptr, 0, &error_), "optimize");
    }
    ~Collection() { quern_close(db_); }
    Collection(const Collection&) = delete;
    Collection& operator=(const Collection&) = delete;

    // What is learned from judged queries: options of quern_query_fusion.
    std::string Fit(const std::vector<std::pair<std::string, Vector>>& queries,
                    const std::vector<const std::map<std::string, int>*>& gains,
                    const char* options) {
        std::vector<const char*> texts;
        std::vector<size_t> offsets{0};
        Vector all;
        std::vector<const char*> keys;
        std::vector<size_t> numbers;
        std::vector<float> judged;
        for (size_t i = 0; i < queries.size(); i++) {
            texts.push_back(queries[i].first.c_str());
            const Vector& vector = queries[i].second;
            all.dims.insert(all.dims.end(), vector.dims.begin(), vector.dims.end());
            all.weights.insert(all.weights.end(), vector.weights.begin(), vector.weights.end());
            offsets.push_back(all.dims.size());
            for (const auto& [record, gain] : *gains[i]) {
                keys.push_back(record.c_str());
                numbers.push_back(i);
                judged.push_back(static_cast<float>(gain));
            }
        }
        quern_query* of_text = quern_query_new(db_, "docs");
        quern_query_text(of_text, "body", texts.data(), texts.size());
        quern_query* of_terms = quern_query_new(db_, "docs");
        quern_query_sparse(of_terms, "splade", offsets.data(), all.dims.data(), all.weights.data(),
                           texts.size());
        quern_query* both = quern_query_new(db_, "docs");
        quern_query_leg(both, of_text, 1, nullptr);
        quern_query_leg(both, of_terms, 1, nullptr);
        quern_batch* batch = quern_batch_new(db_, "docs", keys.size());
        quern_batch_key_text(batch, keys.data());
        quern_text* text = nullptr;
        Check(quern_fit_fusion(both, batch, numbers.data(), judged.data(), options, &text, nullptr,
                               &error_),
              "fit");
        std::string learned = quern_text_data(text);
        quern_text_free(text);
        quern_batch_free(batch);
        quern_query_free(both);
        quern_query_free(of_text);
        quern_query_free(of_terms);
        return learned;
    }

    std::vector<std::string> Search(const Way& way, const std::string& text, const Vector& vector,
                                    size_t k, Cost* cost) {
        const char* const texts[] = {text.c_str()};
        const size_t offsets[] = {0, vector.dims.size()};
        quern_query* of_text = quern_query_new(db_, "docs");
        quern_query_text(of_text, "body", texts, 1);
        quern_query* of_terms = quern_query_new(db_, "docs");
        quern_query_sparse(of_terms, "splade", offsets, vector.dims.data(), vector.weights.data(),
                           1);
        quern_query* both = quern_query_new(db_, "docs");
        if (way.fusion != nullptr) {
            quern_query_leg(both, of_text, way.text, nullptr);
            quern_query_leg(both, of_terms, way.sparse, nullptr);
            quern_query_fusion(both, way.fusion);
        }
        quern_query* const query = way.fusion != nullptr ? both : way.text > 0 ? of_text : of_terms;
        quern_query_limit(query, k);
        quern_result* result = nullptr;
        const double start = bench::CpuSeconds();
        Check(quern_search(query, &result, &error_), "search");
        cost->us += (bench::CpuSeconds() - start) * 1e6;
        for (size_t i = 0; i < std::size(Cost::kStages); i++) {
            cost->stages_us[i] +=
                static_cast<double>(quern_result_stat(result, Cost::kStages[i])) * 1e-3;
        }
        std::vector<std::string> found = bench::TakeTextKeys(result);
        quern_query_free(both);
        quern_query_free(of_text);
        quern_query_free(of_terms);
        return found;
    }

private:
    void Check(int32_t status, const char* what) { bench::Check(status, error_, what); }
    quern_db* db_ = nullptr;
    quern_error error_ = QUERN_ERROR_INIT;
};

class Bench {
public:
    Bench(const TextSet& set, const std::map<std::string, Vector>& documents,
          std::map<std::string, Vector> queries)
        : set_(set), queries_(std::move(queries)), collection_(set, documents) {
        for (const auto& query : set_.queries) {
            if (queries_.count(query.first) != 0) {
                judged_.push_back(query);
            }
        }
    }

    // rest: of the queries, every second from this one on; 2: all.
    Measures Quality(const Way& way, size_t rest) {
        Measures sum;
        size_t count = 0;
        for (size_t i = 0; i < judged_.size(); i++) {
            if (rest == 2 || i % 2 == rest) {
                Cost cost;
                sum.Add(Measures::Of(set_.gains.at(judged_[i].first), Run(way, i, 100, &cost)));
                count++;
            }
        }
        const auto n = static_cast<double>(std::max<size_t>(count, 1));
        sum.ndcg_10 /= n;
        sum.mrr_10 /= n;
        sum.recall_100 /= n;
        return sum;
    }

    // By the queries of the other half.
    std::string Fit(size_t rest, const char* options) {
        std::vector<std::pair<std::string, Vector>> queries;
        std::vector<const std::map<std::string, int>*> gains;
        for (size_t i = 0; i < judged_.size(); i++) {
            if (i % 2 != rest) {
                queries.emplace_back(Words(judged_[i].second), queries_.at(judged_[i].first));
                gains.push_back(&set_.gains.at(judged_[i].first));
            }
        }
        return collection_.Fit(queries, gains, options);
    }

    void Print(const Way& way, size_t rest) {
        const Measures of = Quality(way, rest);
        std::printf("| %s | %.4f | %.4f | %.4f |\n", way.name, of.ndcg_10, of.recall_100,
                    of.mrr_10);
    }

    // What a fused query takes beside its two legs one after the other, which give as many as a leg
    // of it does; and what part of it each stage takes.
    void PrintCost(const Way& way, size_t k) {
        const Way text{"", nullptr, 1, 0};
        const Way sparse{"", nullptr, 0, 1};
        std::vector<double> ratios;
        std::vector<double> shares[std::size(Cost::kStages)];
        for (int round = 0; round < kRounds; round++) {
            Cost legs;
            Cost fused;
            // Whole passes: a query that was just asked is answered from the processor's caches.
            for (size_t i = 0; i < judged_.size(); i++) {
                Run(text, i, 100, &legs);
            }
            for (size_t i = 0; i < judged_.size(); i++) {
                Run(sparse, i, 100, &legs);
            }
            for (size_t i = 0; i < judged_.size(); i++) {
                Run(way, i, k, &fused);
            }
            ratios.push_back(fused.us / legs.us);
            for (size_t stage = 0; stage < std::size(shares); stage++) {
                shares[stage].push_back(100 * fused.stages_us[stage] / fused.us);
            }
        }
        std::printf("| %s | %zu | %.2f |", way.name, k, bench::Median(ratios));
        for (const std::vector<double>& share : shares) {
            std::printf(" %.0f %% |", bench::Median(share));
        }
        std::printf("\n");
    }
    size_t judged() const { return judged_.size(); }

private:
    std::vector<std::string> Run(const Way& way, size_t i, size_t k, Cost* cost) {
        return collection_.Search(way, Words(judged_[i].second), queries_.at(judged_[i].first), k,
                                  cost);
    }

    const TextSet& set_;
    std::map<std::string, Vector> queries_;
    std::vector<std::pair<std::string, std::string>> judged_;
    Collection collection_;
};

}  // namespace

int main() {
    const char* const set_data = std::getenv("QUERN_DATA");
    const fs::path data = set_data != nullptr
                              ? fs::path(set_data)
                              : fs::path(QUERN_SOURCE_DIR) / ".." / "shared" / "data";
    const std::string name = "nfcorpus";
    if (!fs::exists(data / name / "splade-v3.docs.jsonl.zst")) {
        std::printf("%s is not there: skipped\n", name.c_str());
        return 0;
    }
    const TextSet set = bench::ReadTextSet(data, name);
    std::map<std::string, uint32_t> numbers;
    const auto documents = ReadVectors(data / name / "splade-v3.docs.jsonl.zst", &numbers);
    Bench bench(set, documents, ReadVectors(data / name / "splade-v3.queries.jsonl.zst", &numbers));
    std::printf(
        "%s: %zu records, %zu judged queries\n\n| way | nDCG@10 | R@100 | MRR@10 |\n"
        "|---|---|---|---|\n",
        name.c_str(), set.ids.size(), bench.judged());
    const Way ways[] = {{"text", nullptr, 1, 0},
                        {"splade", nullptr, 0, 1},
                        {"sum, minmax", "normalize=minmax", 0.5, 0.5},
                        {"sum, zscore", "normalize=zscore", 0.5, 0.5},
                        {"sum, distribution", "normalize=distribution", 0.5, 0.5},
                        {"max, minmax", "kind=max normalize=minmax", 0.5, 0.5},
                        {"rrf", "kind=rrf", 0.5, 0.5},
                        {"sum, raw", "kind=sum", 1, 1}};
    for (const Way& way : ways) {
        bench.Print(way, 2);
    }
    // The weight of a raw sum is chosen by half of the queries, and told of the other half.
    double best = 0;
    Way raw{"sum, raw, weight fitted", "kind=sum", 1, 1};
    for (double weight = 0.125; weight <= 16; weight *= 2) {
        const Way tried{"", "kind=sum", 1, weight};
        const double quality = bench.Quality(tried, 0).ndcg_10;
        if (quality > best) {
            best = quality;
            raw.sparse = weight;
        }
    }
    std::printf(
        "\nOn every second query, splade's weight %.3f by the others:\n\n| way | nDCG@10 | "
        "R@100 | MRR@10 |\n|---|---|---|---|\n",
        raw.sparse);
    bench.Print(ways[0], 1);
    bench.Print(ways[1], 1);
    bench.Print(raw, 1);
    std::printf(
        "\nquern_fit_fusion, learned from one half of the queries and told of the other\n\n");
    for (const size_t rest : {size_t{1}, size_t{0}}) {
        for (const char* const options : {"metric=ndcg", "metric=mrr"}) {
            const std::string learned = bench.Fit(rest, options);
            std::printf(
                "half %zu, %s: %s\n\n| way | nDCG@10 | R@100 | MRR@10 |\n|---|---|---|---|\n", rest,
                options, learned.c_str());
            bench.Print({"text", nullptr, 1, 0}, rest);
            bench.Print({"splade", nullptr, 0, 1}, rest);
            bench.Print({"sum, minmax", "normalize=minmax", 0.5, 0.5}, rest);
            bench.Print({"sum, raw", "kind=sum", 1, 1}, rest);
            bench.Print({"learned", learned.c_str(), 1, 1}, rest);
            std::printf("\n");
        }
    }
    std::printf(
        "\n| way | k | to both legs | lists of legs | looked up | fused | keys fetched |\n"
        "|---|---|---|---|---|---|---|\n");
    const Way costs[] = {ways[0], ways[1], ways[6], raw, ways[2]};
    for (const Way& way : costs) {
        bench.PrintCost(way, 10);
        bench.PrintCost(way, 100);
    }
    std::printf(
        "\nCPU time of a query to that of both legs alone with k = 100, and of it what the stages "
        "take; medians of %d rounds of passes over all queries.\n",
        kRounds);
    bench::MeasureJudgedFusion(data);
    bench::MeasureFeedback(data);
    bench::MeasureGuides(data);
    bench::MeasureHubs(data);
    return 0;
}
