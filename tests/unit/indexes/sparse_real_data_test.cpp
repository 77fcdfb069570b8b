// Learned sparse vectors of real documents: the ranking reaches the quality that is documented for
// them, and equals the exhaustive one. Skipped where the data is absent.
#include <zstd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "engine/sparse/row_order.h"
#include "engine/sparse/sparse_index.h"
#include "engine/sparse/sparse_search.h"
#include "engine/sparse/token_weights.h"
#include "storage/text_tokens.h"
#include "tests/unit/sparse_sample.h"

using namespace quern;
using namespace quern::sparse;

namespace {

std::filesystem::path NfcorpusFolder() {
    const char* const set = std::getenv("QUERN_DATA");
    const std::filesystem::path data =
        set != nullptr ? std::filesystem::path(set)
                       : std::filesystem::path(QUERN_SOURCE_DIR) / ".." / "shared" / "data";
    return data / "nfcorpus";
}

std::istringstream Lines(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string packed((std::istreambuf_iterator<char>(file)),
                             std::istreambuf_iterator<char>());
    std::string out(size_t{64} << 20, '\0');
    const size_t size = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
    REQUIRE(!ZSTD_isError(size));
    out.resize(size);
    return std::istringstream(out);
}

struct Named {
    std::vector<std::string> ids;
    std::vector<SparseVector> vectors;
    std::vector<std::string> texts;  // of queries
};

Named ReadVectors(const std::filesystem::path& path, std::map<std::string, uint32_t>* words) {
    Named named;
    std::istringstream lines = Lines(path);
    for (std::string line; std::getline(lines, line);) {
        const auto object = nlohmann::json::parse(line);
        std::vector<uint32_t> dimensions;
        std::vector<float> weights;
        for (const auto& [word, weight] : object.at("vector").items()) {
            dimensions.push_back(
                words->emplace(word, static_cast<uint32_t>(words->size())).first->second);
            weights.push_back(weight.get<float>());
        }
        SparseVector vector;
        REQUIRE(
            MakeSparseVector(dimensions.data(), weights.data(), weights.size(), {}, &vector).ok());
        named.ids.push_back(object.at("id").get<std::string>());
        named.vectors.push_back(vector);
        named.texts.push_back(object.value("text", ""));
    }
    return named;
}

using Judgments = std::map<std::string, std::map<std::string, double>>;

Judgments ReadJudgments(const std::filesystem::path& path) {
    Judgments judgments;
    std::istringstream lines = Lines(path);
    std::string line;
    std::getline(lines, line);  // names of the columns
    while (std::getline(lines, line)) {
        std::istringstream columns(line);
        std::string query;
        std::string document;
        double grade = 0;
        columns >> query >> document >> grade;
        judgments[query][document] = grade;
    }
    return judgments;
}

double Ndcg10(const std::vector<double>& grades, const std::map<std::string, double>& judged) {
    std::vector<double> ideal;
    for (const auto& [document, grade] : judged) {
        ideal.push_back(grade);
    }
    std::sort(ideal.begin(), ideal.end(), std::greater<>());
    double gain = 0;
    double most = 0;
    for (size_t i = 0; i < 10; i++) {
        const double discount = 1 / std::log2(static_cast<double>(i) + 2);
        gain += i < grades.size() ? grades[i] * discount : 0;
        most += i < ideal.size() ? ideal[i] * discount : 0;
    }
    return most == 0 ? 0 : gain / most;
}

}  // namespace

TEST_CASE("learned sparse vectors of real documents rank as documented", "[sparse]") {
    const std::filesystem::path folder = NfcorpusFolder();
    if (!std::filesystem::exists(folder / "splade-v3.docs.jsonl.zst")) {
        WARN("skipped: no real data (set QUERN_DATA)");
        return;
    }
    std::map<std::string, uint32_t> words;
    const Named documents = ReadVectors(folder / "splade-v3.docs.jsonl.zst", &words);
    const Named queries = ReadVectors(folder / "splade-v3.queries.jsonl.zst", &words);
    const Judgments judgments = ReadJudgments(folder / "qrels.test.tsv.zst");
    REQUIRE(documents.ids.size() == 3633);
    REQUIRE(queries.ids.size() == 323);

    SparseRowList given;
    for (const SparseVector& vector : documents.vectors) {
        given.Append(vector);
    }
    Work work;
    OrderOptions order_options;
    order_options.block_rows = 256;
    const auto order = OrderRows(given.View(), order_options, &work);
    REQUIRE(order.ok());
    const SparseRowList rows = given.Reordered(*order);
    IndexOptions options;
    options.superblock_rows = 256;
    const auto index = SparseIndex::Build(rows.View(), options, &work);
    REQUIRE(index.ok());
    SearchSpace space;
    double sum = 0;
    for (size_t q = 0; q < queries.ids.size(); q++) {
        TopHits top(10);
        REQUIRE((*index)
                    ->Search(queries.vectors[q], {}, nullptr, 0, &top, &space, nullptr, &work)
                    .ok());
        const std::vector<SparseHit> hits = top.Take();
        std::vector<SparseHit> all;
        sparse_sample::SearchAll(rows.View(), queries.vectors[q], nullptr, 0, &all);
        const std::vector<SparseHit> truth = sparse_sample::BestOf(all, 10);
        REQUIRE(hits.size() == truth.size());
        const auto judged = judgments.find(queries.ids[q]);
        REQUIRE(judged != judgments.end());
        std::vector<double> grades;
        for (size_t i = 0; i < hits.size(); i++) {
            REQUIRE(hits[i].score == truth[i].score);
            REQUIRE(hits[i].position == truth[i].position);
            const auto found = judged->second.find(documents.ids[(*order)[hits[i].position]]);
            grades.push_back(found == judged->second.end() ? 0 : found->second);
        }
        sum += Ndcg10(grades, judged->second);
    }
    // The set's own README has 0.3632; ties may fall either way.
    const double ndcg = sum / static_cast<double>(queries.ids.size());
    INFO("nDCG@10 " << ndcg);
    REQUIRE(ndcg > 0.3627);
    REQUIRE(ndcg < 0.3637);
}

// No model at query time: the words of a query, cut into the tokens that documents have, by how
// rare these are in them.
TEST_CASE("texts find learned sparse vectors by token weights", "[sparse][tokens]") {
    const std::filesystem::path folder = NfcorpusFolder();
    if (!std::filesystem::exists(folder / "splade-v3.docs.jsonl.zst")) {
        WARN("skipped: no real data (set QUERN_DATA)");
        return;
    }
    std::map<std::string, uint32_t> words;
    const Named documents = ReadVectors(folder / "splade-v3.docs.jsonl.zst", &words);
    const Named queries = ReadVectors(folder / "splade-v3.queries.jsonl.zst", &words);
    const Judgments judgments = ReadJudgments(folder / "qrels.test.tsv.zst");
    SparseRowList rows;
    std::vector<double> lists(words.size(), 0);
    for (const SparseVector& vector : documents.vectors) {
        rows.Append(vector);
        for (const SparseEntry& entry : vector) {
            lists[entry.dimension]++;
        }
    }
    const auto records = static_cast<double>(documents.ids.size());
    std::vector<TokenWeight> tokens;
    for (const auto& [word, dimension] : words) {
        const double df = lists[dimension];
        tokens.push_back(
            {word, dimension, static_cast<float>(std::log(1 + (records - df + 0.5) / (df + 0.5)))});
    }
    const auto table = TokenWeights::Make(tokens, "wordpiece remove_diacritics=2", words.size());
    REQUIRE(table.ok());
    const auto analyzer = (*table)->NewAnalyzer(storage::OpenTokenizer);
    REQUIRE(analyzer.ok());
    Work work;
    const auto index = SparseIndex::Build(rows.View(), {}, &work);
    REQUIRE(index.ok());
    SearchSpace space;
    double sum = 0;
    for (size_t q = 0; q < queries.ids.size(); q++) {
        const auto query = (*table)->Query(queries.texts[q], analyzer->get());
        REQUIRE(query.ok());
        TopHits top(10);
        REQUIRE((*index)->Search(*query, {}, nullptr, 0, &top, &space, nullptr, &work).ok());
        const auto& judged = judgments.at(queries.ids[q]);
        std::vector<double> grades;
        for (const SparseHit& hit : top.Take()) {
            const auto found = judged.find(documents.ids[hit.position]);
            grades.push_back(found == judged.end() ? 0 : found->second);
        }
        sum += Ndcg10(grades, judged);
    }
    // Between BM25 of the texts (0.321) and the queries of the model itself (0.363).
    const double ndcg = sum / static_cast<double>(queries.ids.size());
    INFO("nDCG@10 " << ndcg);
    REQUIRE(ndcg > 0.331);
    REQUIRE(ndcg < 0.341);
}
