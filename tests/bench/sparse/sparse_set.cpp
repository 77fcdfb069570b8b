#include "tests/bench/sparse/sparse_set.h"

#include <zstd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <stdexcept>
#include <unordered_map>

namespace bench {

std::string ReadZstd(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string out;
    std::vector<char> in(ZSTD_DStreamInSize());
    std::vector<char> piece(ZSTD_DStreamOutSize());
    ZSTD_DStream* const stream = ZSTD_createDStream();
    while (file) {
        file.read(in.data(), static_cast<std::streamsize>(in.size()));
        ZSTD_inBuffer input{in.data(), static_cast<size_t>(file.gcount()), 0};
        while (input.pos < input.size) {
            ZSTD_outBuffer output{piece.data(), piece.size(), 0};
            if (ZSTD_isError(ZSTD_decompressStream(stream, &output, &input)) != 0) {
                ZSTD_freeDStream(stream);
                throw std::runtime_error(path.string() + ": damaged");
            }
            out.append(piece.data(), output.pos);
        }
    }
    ZSTD_freeDStream(stream);
    return out;
}

namespace {

using quern::sparse::MakeSparseVector;
using quern::sparse::SparseVector;

constexpr size_t kHeldOutEvery = 25;

SparseVector MakeVector(const std::vector<uint32_t>& dimensions,
                        const std::vector<float>& weights) {
    SparseVector vector;
    const quern::Status status =
        MakeSparseVector(dimensions.data(), weights.data(), dimensions.size(), {}, &vector);
    if (!status.ok()) {
        throw std::runtime_error(status.message());
    }
    return vector;
}

// One JSON object a line, with {"vector": {word: weight}}. Words get dimensions as they appear.
class WordVectors {
public:
    std::vector<SparseVector> Read(const std::filesystem::path& path) {
        std::vector<SparseVector> vectors;
        std::istringstream lines(ReadZstd(path));
        std::string line;
        std::vector<uint32_t> dimensions;
        std::vector<float> weights;
        while (std::getline(lines, line)) {
            dimensions.clear();
            weights.clear();
            const auto object = nlohmann::json::parse(line);
            for (const auto& [word, weight] : object.at("vector").items()) {
                const auto added = words_.emplace(word, static_cast<uint32_t>(words_.size()));
                dimensions.push_back(added.first->second);
                weights.push_back(weight.get<float>());
            }
            vectors.push_back(MakeVector(dimensions, weights));
        }
        return vectors;
    }

private:
    std::unordered_map<std::string, uint32_t> words_;
};

template <typename T>
std::vector<T> ReadArray(std::ifstream* file, size_t count) {
    std::vector<T> values(count);
    file->read(reinterpret_cast<char*>(values.data()),
               static_cast<std::streamsize>(count * sizeof(T)));
    if (!*file) {
        throw std::runtime_error("the CSR file is cut short");
    }
    return values;
}

// u64 rows, dimensions, entries; u64 offsets; u32 dimension; u8 weight. Queries: "dim:weight ...".
void ReadCsr(const std::string& prefix, size_t queries_max, SparseSet* set) {
    std::ifstream file(prefix + ".csr", std::ios::binary);
    const auto head = ReadArray<uint64_t>(&file, 3);
    const auto offsets = ReadArray<uint64_t>(&file, head[0] + 1);
    const auto dimensions = ReadArray<uint32_t>(&file, head[2]);
    const auto weights = ReadArray<uint8_t>(&file, head[2]);
    for (size_t row = 0; row < head[0]; row++) {
        SparseVector vector;
        for (uint64_t i = offsets[row]; i < offsets[row + 1]; i++) {
            vector.push_back({dimensions[i], static_cast<float>(weights[i])});
        }
        set->rows.Append(vector);
    }
    std::ifstream lines(prefix + ".queries.txt");
    std::string line;
    while (set->queries.size() < queries_max && std::getline(lines, line)) {
        std::istringstream words(line);
        std::string word;
        std::vector<uint32_t> of;
        std::vector<float> with;
        while (words >> word) {
            const size_t colon = word.find(':');
            of.push_back(static_cast<uint32_t>(std::stoul(word)));
            with.push_back(std::stof(word.substr(colon + 1)));
        }
        set->queries.push_back(MakeVector(of, with));
    }
}

void Spread(const std::vector<SparseVector>& queries, size_t most, SparseSet* set) {
    const size_t count = std::min(most, queries.size());
    for (size_t i = 0; i < count; i++) {
        set->queries.push_back(queries[i * queries.size() / count]);
    }
}

}  // namespace

bool LoadSparseSet(const std::string& data_directory, const std::string& name, size_t queries_max,
                   SparseSet* set, std::string* reason) {
    const std::filesystem::path folder = std::filesystem::path(data_directory) / name;
    set->name = std::filesystem::path(name).filename().string();
    WordVectors words;
    if (name == "nfcorpus" || name == "splade-queries") {
        if (!std::filesystem::exists(folder)) {
            *reason = folder.string() + " is not there";
            return false;
        }
        if (name == "nfcorpus") {
            for (const SparseVector& vector : words.Read(folder / "splade-v3.docs.jsonl.zst")) {
                set->rows.Append(vector);
            }
            Spread(words.Read(folder / "splade-v3.queries.jsonl.zst"), queries_max, set);
            set->origin = "SPLADE-v3 vectors of documents and queries";
            return true;
        }
        std::vector<SparseVector> held_out;
        const auto all = words.Read(folder / "splade-v3.jsonl.zst");
        for (size_t i = 0; i < all.size(); i++) {
            if (i % kHeldOutEvery == 0) {
                held_out.push_back(all[i]);
            } else {
                set->rows.Append(all[i]);
            }
        }
        Spread(held_out, queries_max, set);
        set->origin = "SPLADE-v3 vectors of queries; every 25th is held out as a query";
        return true;
    }
    if (!std::filesystem::exists(name + ".csr")) {
        *reason = name + ".csr is not there";
        return false;
    }
    ReadCsr(name, queries_max, set);
    set->origin = "made from texts, in the shape of learned sparse vectors";
    return true;
}

void AddFractions(SparseSet* set) {
    std::mt19937_64 random(11);
    const auto fraction = [&] {
        return static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-53 - 0.5) * 0.99f;
    };
    const quern::sparse::SparseRows rows = set->rows.View();
    quern::sparse::SparseRowList made;
    for (size_t row = 0; row < rows.count; row++) {
        quern::sparse::SparseVector vector;
        for (uint64_t i = rows.offsets[row]; i < rows.offsets[row + 1]; i++) {
            vector.push_back({rows.dimensions[i], rows.weights[i] + fraction()});
        }
        made.Append(vector);
    }
    set->rows = std::move(made);
    for (quern::sparse::SparseVector& query : set->queries) {
        for (quern::sparse::SparseEntry& entry : query) {
            entry.weight += fraction();
        }
    }
}

}  // namespace bench
