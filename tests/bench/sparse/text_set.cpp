#include "tests/bench/sparse/text_set.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/bench/sparse/sparse_set.h"

namespace bench {

namespace fs = std::filesystem;

namespace {

std::string ReadMaybePacked(const fs::path& path) {
    if (path.extension() == ".zst") {
        return ReadZstd(path);
    }
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Cranfield's judgments are codes from 1 (best) to 4 (least), and -1: gains are 4 to 1, and 0.
int Gain(const std::string& set, int score) {
    return set != "cranfield" ? std::max(score, 0) : score > 0 ? 5 - score : 0;
}

}  // namespace

TextSet ReadTextSet(const fs::path& data, const std::string& name) {
    TextSet set;
    const fs::path folder = data / name;
    std::istringstream corpus(ReadMaybePacked(folder / "corpus.jsonl.zst"));
    for (std::string line; std::getline(corpus, line);) {
        const auto object = nlohmann::json::parse(line);
        set.ids.push_back(object.at("_id"));
        // "Flat", as the published figures have it.
        set.texts.push_back(object.value("title", "") + " " + object.value("text", ""));
    }
    for (const char* const file : {"qrels.test.tsv", "qrels.test.tsv.zst", "qrels.tsv"}) {
        if (fs::exists(folder / file)) {
            std::istringstream lines(ReadMaybePacked(folder / file));
            std::string query;
            std::string record;
            int score = 0;
            std::getline(lines, query);
            while (lines >> query >> record >> score) {
                set.gains[query][record] = Gain(name, score);
            }
            break;
        }
    }
    std::istringstream queries(ReadMaybePacked(folder / "queries.jsonl.zst"));
    for (std::string line; std::getline(queries, line);) {
        const auto object = nlohmann::json::parse(line);
        if (set.gains.count(object.at("_id")) != 0) {
            set.queries.emplace_back(object.at("_id"), object.at("text"));
        }
    }
    return set;
}

Measures Measures::Of(const std::map<std::string, int>& gains,
                      const std::vector<std::string>& found) {
    std::vector<int> best;
    for (const auto& [record, gain] : gains) {
        if (gain > 0) {
            best.push_back(gain);
        }
    }
    Measures measures;
    if (best.empty()) {
        return measures;
    }
    std::sort(best.rbegin(), best.rend());
    const auto relevant = static_cast<double>(best.size());
    double ideal = 0;
    for (size_t i = 0; i < std::min<size_t>(best.size(), 10); i++) {
        ideal += best[i] / std::log2(static_cast<double>(i) + 2);
    }
    double hits = 0;
    for (size_t i = 0; i < found.size(); i++) {
        const auto rank = static_cast<double>(i) + 1;
        const auto gain = gains.find(found[i]);
        if (gain == gains.end() || gain->second <= 0) {
            continue;
        }
        hits++;
        measures.ndcg_10 += i < 10 ? gain->second / std::log2(rank + 1) / ideal : 0;
        measures.map += hits / rank / relevant;
        measures.mrr_10 = hits == 1 && i < 10 ? 1 / rank : measures.mrr_10;
        measures.recall_100 += i < 100 ? 1 / relevant : 0;
        measures.recall_1000 += i < 1000 ? 1 / relevant : 0;
    }
    return measures;
}

void Measures::Add(const Measures& other) {
    ndcg_10 += other.ndcg_10;
    map += other.map;
    mrr_10 += other.mrr_10;
    recall_100 += other.recall_100;
    recall_1000 += other.recall_1000;
}

}  // namespace bench
