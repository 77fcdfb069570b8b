// Records with a value of every kind, and what must be found among them: plain loops in double
// precision that know nothing of segments, indexes, columns and logs.
//
// Elements are small whole numbers: what the engine computes in f32 is then exact, many scores are
// equal, and their order by key can be checked. Cosines are the exception.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace sessions {

using Random = std::mt19937_64;
inline size_t Pick(Random& random, size_t from, size_t to) {
    return from + static_cast<size_t>(random() % (to - from + 1));
}

struct DenseKind {
    const char* name;
    size_t dim;
    int32_t metric;
    int32_t type;
};
inline constexpr size_t kNear = 0, kAlong = 1, kRound = 2, kBits = 3, kDenseFields = 4;
extern const std::array<DenseKind, kDenseFields> kDense;  // by number of the field
inline constexpr size_t kTerms = 0, kMarks = 1, kSparseFields = 2;
inline constexpr std::array<const char*, kSparseFields> kSparse = {"terms", "marks"};
inline constexpr size_t kSparseDims = 10;
extern const std::vector<std::string> kWords;  // of texts and tags

using Terms = std::map<uint32_t, float>;
struct Record {
    std::optional<int64_t> year;
    std::optional<double> price;
    std::optional<std::string> title;
    std::optional<bool> good;
    std::optional<std::set<std::string>> tags;
    std::optional<std::string> extra;  // JSON
    std::optional<std::string> raw;    // bytes
    std::array<std::optional<std::vector<float>>, kDenseFields> dense;
    std::array<std::optional<Terms>, kSparseFields> sparse;
    std::optional<std::vector<size_t>> body;  // numbers of words
    bool operator==(const Record&) const = default;
};

std::vector<float> RandomVector(Random& random, size_t field);
Terms RandomTerms(Random& random, size_t field, size_t most);
std::vector<size_t> RandomWords(Random& random, size_t least, size_t most);
Record RandomRecord(Random& random);
std::string TextOf(const std::vector<size_t>& words);
std::string TagsOf(const std::set<std::string>& tags);  // as a JSON array

// All records after some commit. Copied by whoever holds a snapshot; records are shared.
struct State {
    std::map<int64_t, std::shared_ptr<const Record>> records;
};

// Part of BM25: how often words are where, over all records of a state.
struct WordCounts {
    explicit WordCounts(const State& state);
    std::vector<double> with;
    double length = 0;
    double records = 0;
};

// Nothing: a search for this does not find the record.
std::optional<double> DenseScore(size_t field, const std::vector<float>& query,
                                 const Record& record);
std::optional<double> SparseScore(size_t field, const Terms& query, const Record& record);
std::optional<double> TextScore(const std::vector<size_t>& query, const WordCounts& counts,
                                const Record& record);

// A condition, as text and as what it means.
struct Filter {
    std::string text;  // empty: none
    std::function<bool(int64_t, const Record&)> matches = [](int64_t, const Record&) {
        return true;
    };
};
// combined: may be two conditions with and, or.
Filter RandomFilter(Random& random, bool combined = true);

}  // namespace sessions
