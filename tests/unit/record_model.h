// Random records of four fields and an attribute in a database, and beside it what they are: the
// ground of tests that compare queries with plain loops over all records.
//
// Elements are small whole numbers, so that what the engine computes in f32 is exact, and equal
// scores are equal: many of them are. Some records lack fields; some are in segments, some in the
// log, some were deleted or overwritten.
#pragma once

#include <quern.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace record_model {

inline constexpr size_t kDim = 3;
inline const std::vector<std::string> kWords = {"grain", "stone", "mill",
                                                "water", "wheel", "flour"};
inline const char* const kFields[] = {"near", "along", "terms", "body"};
enum FieldKind : size_t { kNear, kAlong, kTerms, kBody };

using Terms = std::map<uint32_t, float>;
struct Record {
    std::optional<std::vector<float>> near;   // squared distance
    std::optional<std::vector<float>> along;  // inner product
    std::optional<Terms> terms;
    std::optional<std::vector<size_t>> body;  // numbers of words
    std::optional<int64_t> year;
};
using Hits = std::vector<std::pair<double, int64_t>>;  // minus the score, key

class RecordModel {
public:
    RecordModel(const RecordModel&) = delete;
    RecordModel& operator=(const RecordModel&) = delete;

    void Fill(size_t count) {
        for (size_t i = 0; i < count; i++) {
            Put(static_cast<int64_t>(i));
            if (i == count / 3 || i == count / 2) {
                Ok(quern_optimize(db_, nullptr, 0, &err_));
            }
        }
        for (int64_t key = 0; key < static_cast<int64_t>(count); key += 7) {
            Delete(key);
        }
        for (int64_t key = 3; key < static_cast<int64_t>(count); key += 11) {
            Put(key);
        }
        Count();
    }

protected:
    RecordModel(const char* options, unsigned seed, bool null_years)
        : random_(seed), null_years_(null_years) {
        Ok(quern_open(":memory:", options, &db_, &err_));
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "near", kDim, QUERN_L2, "index=none");
        quern_schema_dense(schema, "along", kDim, QUERN_IP, "index=none");
        quern_schema_sparse(schema, "terms", nullptr);
        quern_schema_text(schema, "body", nullptr);
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        Ok(quern_create(db_, "docs", schema, &err_));
        quern_schema_free(schema);
    }
    ~RecordModel() { quern_close(db_); }

    void Ok(int32_t status) {
        INFO(err_.message);
        REQUIRE(status == QUERN_OK);
    }
    size_t Pick(size_t from, size_t to) {
        return std::uniform_int_distribution<size_t>(from, to)(random_);
    }
    float Small() { return static_cast<float>(Pick(0, 4)) - 2; }
    std::vector<float> Vector() {
        std::vector<float> vector(kDim);
        for (float& x : vector) {
            x = Small();
        }
        return vector;
    }
    Terms RandomTerms(size_t most) {
        Terms terms;
        for (size_t i = Pick(0, most); i > 0; i--) {
            const float weight = Small();
            if (weight != 0) {
                terms[static_cast<uint32_t>(Pick(0, 8))] = weight;
            }
        }
        return terms;
    }
    std::vector<size_t> Words(size_t least, size_t most) {
        std::vector<size_t> words;
        for (size_t i = Pick(least, most); i > 0; i--) {
            words.push_back(Pick(0, kWords.size() - 1));
        }
        return words;
    }
    static std::string Text(const std::vector<size_t>& words) {
        std::string text;
        for (const size_t word : words) {
            text.append(text.empty() ? "" : " ").append(kWords[word]);
        }
        return text;
    }
    static void Entries(const Terms& terms, std::vector<uint32_t>* dims,
                        std::vector<float>* weights) {
        for (const auto& [dim, weight] : terms) {
            dims->push_back(dim);
            weights->push_back(weight);
        }
    }

    void Put(int64_t key) {
        Record record;
        quern_batch* batch = quern_batch_new(db_, "docs", 1);
        quern_batch_key_int(batch, &key);
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        size_t offsets[2] = {0, 0};
        std::string text;
        const char* body = nullptr;
        if (Pick(0, 5) > 0) {
            record.near = Vector();
            quern_batch_dense(batch, "near", record.near->data(), kDim, nullptr);
        }
        if (Pick(0, 5) > 0) {
            record.along = Vector();
            quern_batch_dense(batch, "along", record.along->data(), kDim, nullptr);
        }
        if (Pick(0, 5) > 0) {
            record.terms = RandomTerms(5);
            Entries(*record.terms, &dims, &weights);
            offsets[1] = dims.size();
            quern_batch_sparse(batch, "terms", offsets, dims.data(), weights.data(), nullptr);
        }
        if (Pick(0, 5) > 0) {
            record.body = Words(0, 4);
            text = Text(*record.body);
            body = text.c_str();
            quern_batch_text(batch, "body", &body, nullptr);
        }
        const uint8_t known = !null_years_ || Pick(0, 7) > 0 ? 1 : 0;
        const auto year = static_cast<int64_t>(Pick(0, 9));
        if (known != 0) {
            record.year = year;
        }
        quern_batch_int(batch, "year", &year, &known);
        Ok(quern_upsert(batch, nullptr, &err_));
        quern_batch_free(batch);
        records_[key] = std::move(record);
    }
    void Delete(int64_t key) {
        quern_batch* batch = quern_batch_new(db_, "docs", 1);
        quern_batch_key_int(batch, &key);
        Ok(quern_delete(batch, nullptr, &err_));
        quern_batch_free(batch);
        records_.erase(key);
    }

    // What BM25 wants to know of all records.
    void Count() {
        with_.assign(kWords.size(), 0);
        length_ = 0;
        for (const auto& [key, record] : records_) {
            if (record.body) {
                length_ += static_cast<double>(record.body->size());
                for (const size_t word :
                     std::set<size_t>(record.body->begin(), record.body->end())) {
                    with_[word]++;
                }
            }
        }
    }

    // By the definitions of the metrics and of BM25, for one of vector, terms and words. Nothing:
    // the record is none that the field finds.
    std::optional<double> ScoreIn(size_t field, const std::vector<float>& vector,
                                  const Terms& terms, const std::vector<size_t>& words,
                                  const Record& record) const {
        std::optional<double> score;
        if (field == kNear && record.near) {
            score = 0;
            for (size_t i = 0; i < kDim; i++) {
                const double by = static_cast<double>((*record.near)[i] - vector[i]);
                *score -= by * by;
            }
        }
        if (field == kAlong && record.along) {
            score = 0;
            for (size_t i = 0; i < kDim; i++) {
                *score += static_cast<double>((*record.along)[i] * vector[i]);
            }
        }
        if (field == kTerms && record.terms) {
            for (const auto& [dim, weight] : terms) {
                const auto has = record.terms->find(dim);
                if (has != record.terms->end()) {
                    score = score.value_or(0) + static_cast<double>(weight * has->second);
                }
            }
        }
        if (field == kBody && record.body) {
            const double k1 = 1.2, b = 0.75;
            const auto n = static_cast<double>(records_.size());
            const double fixed = k1 * (1 - b), by_length = k1 * b * n / length_;
            for (const size_t word : words) {
                const auto times =
                    static_cast<double>(std::count(record.body->begin(), record.body->end(), word));
                const double with = with_[word];
                if (times > 0) {
                    const double idf = std::log(1 + (n - with + 0.5) / (with + 0.5));
                    const double length = static_cast<double>(record.body->size());
                    score =
                        score.value_or(0) + idf * (times / (times + fixed + by_length * length));
                }
            }
        }
        return score;
    }

    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
    std::mt19937 random_;
    std::map<int64_t, Record> records_;

private:
    const bool null_years_;
    std::vector<double> with_;  // records with each word
    double length_ = 0;
};

}  // namespace record_model
