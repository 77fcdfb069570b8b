#include "tests/sessions/model_record.h"

#include <quern.h>

#include <algorithm>
#include <cmath>

namespace sessions {

const std::array<DenseKind, kDenseFields> kDense = {{{"near", 6, QUERN_L2, QUERN_F32},
                                                     {"along", 5, QUERN_IP, QUERN_I8},
                                                     {"round", 4, QUERN_COSINE, QUERN_F16},
                                                     {"bits", 24, QUERN_HAMMING, QUERN_BIT}}};
const std::vector<std::string> kWords = {"grain", "stone", "mill", "water", "wheel", "flour"};

std::vector<float> RandomVector(Random& random, size_t field) {
    std::vector<float> vector(kDense[field].dim);
    for (float& x : vector) {
        x = field == kBits ? static_cast<float>(Pick(random, 0, 1))
                           : static_cast<float>(Pick(random, 0, 6)) - 3;
    }
    return vector;
}

Terms RandomTerms(Random& random, size_t field, size_t most) {
    Terms terms;
    for (size_t i = Pick(random, 0, most); i > 0; i--) {
        const float weight = static_cast<float>(Pick(random, 0, 5)) - 2;
        if (weight != 0) {
            terms[static_cast<uint32_t>(Pick(random, 0, kSparseDims - 1))] =
                field == kMarks ? 1 : weight;
        }
    }
    return terms;
}

std::vector<size_t> RandomWords(Random& random, size_t least, size_t most) {
    std::vector<size_t> words(Pick(random, least, most));
    for (size_t& word : words) {
        word = Pick(random, 0, kWords.size() - 1);
    }
    return words;
}

Record RandomRecord(Random& random) {
    const auto there = [&] { return Pick(random, 0, 5) > 0; };
    Record record;
    if (there()) {
        record.year = static_cast<int64_t>(Pick(random, 0, 12)) + 2000;
    }
    if (there()) {
        record.price = static_cast<double>(Pick(random, 0, 40)) / 4;
    }
    if (there()) {
        record.title = "t" + std::to_string(Pick(random, 0, 15));
    }
    if (there()) {
        record.good = Pick(random, 0, 1) == 1;
    }
    if (there()) {
        record.tags.emplace();
        for (size_t i = Pick(random, 0, 3); i > 0; i--) {
            record.tags->insert(kWords[Pick(random, 0, kWords.size() - 1)]);
        }
    }
    if (there()) {
        record.extra = "{\"a\":" + std::to_string(Pick(random, 0, 9)) + "}";
    }
    if (there()) {
        record.raw = std::string(Pick(random, 0, 9), static_cast<char>(Pick(random, 0, 255)));
    }
    for (size_t field = 0; field < kDenseFields; field++) {
        if (there()) {
            record.dense[field] = RandomVector(random, field);
        }
    }
    for (size_t field = 0; field < kSparseFields; field++) {
        if (there()) {
            record.sparse[field] = RandomTerms(random, field, 5);
        }
    }
    if (there()) {
        record.body = RandomWords(random, 0, 6);
    }
    return record;
}

std::string TextOf(const std::vector<size_t>& words) {
    std::string text;
    for (const size_t word : words) {
        text.append(text.empty() ? "" : " ").append(kWords[word]);
    }
    return text;
}

std::string TagsOf(const std::set<std::string>& tags) {
    std::string text = "[";
    for (const std::string& tag : tags) {
        text.append(text.size() > 1 ? "," : "").append("\"").append(tag).append("\"");
    }
    return text.append("]");
}

WordCounts::WordCounts(const State& state)
    : with(kWords.size(), 0), records(static_cast<double>(state.records.size())) {
    for (const auto& [key, record] : state.records) {
        if (record->body) {
            length += static_cast<double>(record->body->size());
            for (const size_t word : std::set<size_t>(record->body->begin(), record->body->end())) {
                with[word]++;
            }
        }
    }
}

std::optional<double> DenseScore(size_t field, const std::vector<float>& query,
                                 const Record& record) {
    if (!record.dense[field]) {
        return std::nullopt;
    }
    const std::vector<float>& vector = *record.dense[field];
    double squares = 0, product = 0, own = 0, other = 0, differing = 0;
    for (size_t i = 0; i < vector.size(); i++) {
        const auto a = static_cast<double>(vector[i]);
        const auto b = static_cast<double>(query[i]);
        squares += (a - b) * (a - b);
        product += a * b;
        own += a * a;
        other += b * b;
        differing += (a > 0) != (b > 0) ? 1 : 0;
    }
    switch (field) {
        case kNear: return -squares;
        case kAlong: return product;
        case kRound: return own == 0 || other == 0 ? 0 : product / std::sqrt(own * other);
        default: return -differing;
    }
}

std::optional<double> SparseScore(size_t field, const Terms& query, const Record& record) {
    std::optional<double> score;
    if (record.sparse[field]) {
        for (const auto& [dimension, weight] : query) {
            const auto has = record.sparse[field]->find(dimension);
            if (has != record.sparse[field]->end()) {
                score = score.value_or(0) + static_cast<double>(weight * has->second);
            }
        }
    }
    return score;
}

std::optional<double> TextScore(const std::vector<size_t>& query, const WordCounts& counts,
                                const Record& record) {
    std::optional<double> score;
    if (!record.body) {
        return score;
    }
    const double k1 = 1.2, b = 0.75;
    const double fixed = k1 * (1 - b), by_length = k1 * b * counts.records / counts.length;
    for (const size_t word : query) {
        const auto times =
            static_cast<double>(std::count(record.body->begin(), record.body->end(), word));
        if (times > 0) {
            const double with = counts.with[word];
            const double idf = std::log(1 + (counts.records - with + 0.5) / (with + 0.5));
            const auto length = static_cast<double>(record.body->size());
            score = score.value_or(0) + idf * (times / (times + fixed + by_length * length));
        }
    }
    return score;
}

}  // namespace sessions
