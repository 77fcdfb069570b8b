#include "tests/bench/hybrid/dense_collections.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "bindings/cli/file_format.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/sparse/sparse_set.h"
#include "tests/bench/sparse/text_set.h"

namespace bench {

namespace {

namespace fs = std::filesystem;

constexpr size_t kKnownItems = 400;

Matrix ReadMatrix(const fs::path& path) {
    Matrix matrix;
    const auto reader = quern::shell::NewRecordReader(quern::shell::ByteSource::Open(path.string()),
                                                      quern::shell::FormatOfPath(path.string()));
    quern::shell::Record record;
    while (reader->Next(&record)) {
        matrix.dim = record.vector.size();
        matrix.rows.insert(matrix.rows.end(), record.vector.begin(), record.vector.end());
    }
    return matrix;
}

std::vector<std::string> ReadLines(const fs::path& path) {
    std::istringstream text(ReadZstd(path));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) {
        lines.push_back(line);
    }
    return lines;
}

}  // namespace

std::string Words(std::string text) {
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        c = byte < 0x80 && std::isalnum(byte) == 0 ? ' ' : c;
    }
    return text;
}

DenseCollection Cranfield(const fs::path& data) {
    const TextSet set = ReadTextSet(data, "cranfield");
    DenseCollection collection;
    collection.ids = set.ids;
    collection.texts = set.texts;
    collection.vectors = ReadMatrix(data / "cranfield" / "minilm.docs.f32.npy.zst");
    std::mt19937 random(1);
    for (const auto& [id, text] : set.queries) {
        std::vector<std::pair<std::string, int>> judged;
        for (const auto& [record, gain] : set.gains.at(id)) {
            if (gain > 0) {
                judged.emplace_back(record, gain);
            }
        }
        std::shuffle(judged.begin(), judged.end(), random);
        DenseQuery query;
        query.text = text;
        for (size_t i = 0; i < judged.size(); i++) {
            if (i < judged.size() / 2) {
                query.records.push_back(judged[i].first);
            } else {
                query.gains[judged[i].first] = judged[i].second;
            }
        }
        if (!query.records.empty()) {
            collection.queries.push_back(query);
        }
    }
    return collection;
}

DenseCollection AclAnthology(const fs::path& data, Matrix* titles) {
    DenseCollection collection;
    std::istringstream corpus(ReadZstd(data / "acl-anthology" / "corpus.jsonl.zst"));
    *titles = ReadMatrix(data / "acl-anthology" / "lsa256.titles.f16.npy.zst");
    collection.vectors = ReadMatrix(data / "acl-anthology" / "lsa256.docs.f16.npy.zst");
    size_t row = 0;
    for (std::string line; std::getline(corpus, line); row++) {
        const auto object = nlohmann::json::parse(line);
        collection.ids.push_back(object.at("_id"));
        collection.texts.push_back(object.at("text"));
        if (object.at("split") == "test" && collection.queries.size() < kKnownItems) {
            DenseQuery query;
            query.text = object.at("title");
            query.vector = titles->row(row);
            query.gains[collection.ids.back()] = 1;
            collection.queries.push_back(query);
        }
    }
    return collection;
}

DenseCollection Scidocs(const fs::path& data, Matrix* vectors) {
    const fs::path folder = data / "scidocs-minilm";
    DenseCollection collection;
    collection.ids = ReadLines(folder / "docs.ids.txt.zst");
    collection.vectors = ReadMatrix(folder / "docs.f32.npy.zst");
    *vectors = ReadMatrix(folder / "queries.f32.npy.zst");
    std::map<std::string, std::map<std::string, int>> gains;
    std::ifstream judgments(folder / "qrels.tsv");
    std::string query_id;
    std::string record;
    int score = 0;
    std::getline(judgments, query_id);
    while (judgments >> query_id >> record >> score) {
        if (score > 0) {
            gains[query_id][record] = score;
        }
    }
    const std::vector<std::string> queries = ReadLines(folder / "queries.ids.txt.zst");
    for (size_t i = 0; i < queries.size(); i++) {
        if (gains.count(queries[i]) != 0) {
            collection.queries.push_back({"", vectors->row(i), {}, gains[queries[i]]});
        }
    }
    return collection;
}

}  // namespace bench
