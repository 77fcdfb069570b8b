// Bytes become operations on a database in memory, and the same on a map: both must always say the
// same.
//
// Each operation is a byte, and what it needs. Keys are small, so that they meet again. Vectors are
// small whole numbers, whose distances are exact.
#include <quern.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "tests/corruption/file_images.h"

namespace {

constexpr size_t kOperationsMax = 60;
constexpr const char* kOpsPath = "/ops/db";

void WantOfOps(bool holds) {
    if (!holds) {
        std::abort();
    }
}

struct ModelRecord {
    std::optional<int64_t> number;
    std::optional<std::string> text;
    std::optional<std::pair<int, int>> vector;
    std::optional<std::string> body;
};
using Model = std::map<int64_t, ModelRecord>;

class Player {
public:
    Player(const uint8_t* data, size_t size)
        : reader_(quern::BytesView(reinterpret_cast<const char*>(data), size)) {}

    void Play() {
        quern::corruption::UseMemoryFiles();
        quern::corruption::DropImages(kOpsPath);
        Open();
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "number", QUERN_INT, nullptr);
        quern_schema_attr(schema, "text", QUERN_TEXT, nullptr);
        quern_schema_dense(schema, "v", 2, QUERN_L2, nullptr);
        quern_schema_text(schema, "body", nullptr);
        WantOfOps(quern_create(db_, "c", schema, nullptr) == QUERN_OK);
        quern_schema_free(schema);
        for (size_t i = 0; i < kOperationsMax && reader_.left() > 0; i++) {
            Step(reader_.U8());
        }
        quern_rollback(txn_);
        txn_ = nullptr;
        CheckAll();
        WantOfOps(quern_verify(db_, nullptr, nullptr) == QUERN_OK);
        quern_close(db_);
        quern::corruption::DropImages(kOpsPath);
    }

private:
    void Open() {
        WantOfOps(quern_open(kOpsPath, "threads=1 seal_rows=12 memory_mb=32", &db_, nullptr) ==
                  QUERN_OK);
    }

    // Records as the reader says: keys that may be there twice, columns that may be absent.
    struct Drawn {
        std::vector<int64_t> keys;
        std::vector<int64_t> numbers;
        std::vector<std::string> texts;
        std::vector<const char*> text_pointers;
        std::vector<float> vectors;
        std::vector<uint8_t> has[3];
        bool with_number = false;
        bool with_text = false;
        bool with_vector = false;
        bool twice = false;
    };
    Drawn Draw() {
        Drawn drawn;
        const uint8_t shape = reader_.U8();
        const size_t count = 1 + shape % 4;
        drawn.with_number = (shape & 4) != 0;
        drawn.with_text = (shape & 8) != 0;
        drawn.with_vector = (shape & 16) != 0;
        for (size_t i = 0; i < count; i++) {
            const uint8_t key = reader_.U8();
            const uint8_t value = reader_.U8();
            const int64_t number = key % 24 - 4;
            drawn.twice =
                drawn.twice || std::count(drawn.keys.begin(), drawn.keys.end(), number) > 0;
            drawn.keys.push_back(number);
            drawn.numbers.push_back(value % 8);
            drawn.texts.push_back(std::string(value % 3, static_cast<char>('a' + value % 5)) +
                                  (value % 2 == 0 ? " whale" : ""));
            drawn.vectors.push_back(static_cast<float>(value % 16));
            drawn.vectors.push_back(static_cast<float>(value / 16));
            drawn.has[0].push_back(key % 5 != 0);
            drawn.has[1].push_back(key % 7 != 0);
            drawn.has[2].push_back(value % 6 != 0);
        }
        for (const std::string& text : drawn.texts) {
            drawn.text_pointers.push_back(text.c_str());
        }
        return drawn;
    }

    Model& Current() { return txn_ != nullptr ? pending_ : model_; }

    void Apply(const Drawn& drawn, bool whole) {
        for (size_t i = 0; i < drawn.keys.size(); i++) {
            ModelRecord& record = Current()[drawn.keys[i]];
            record = whole ? ModelRecord() : record;
            if (drawn.with_number) {
                record.number.reset();
                if (drawn.has[0][i] != 0) {
                    record.number = drawn.numbers[i];
                }
            }
            if (drawn.with_text) {
                record.text.reset();
                record.body.reset();
                if (drawn.has[1][i] != 0) {
                    record.text = drawn.texts[i];
                    record.body = drawn.texts[i];
                }
            }
            if (drawn.with_vector) {
                record.vector.reset();
                if (drawn.has[2][i] != 0) {
                    record.vector = {static_cast<int>(drawn.vectors[2 * i]),
                                     static_cast<int>(drawn.vectors[2 * i + 1])};
                }
            }
        }
    }

    // 0 insert, 1 upsert, 2 update, 3 delete.
    void Write(int kind) {
        const Drawn drawn = Draw();
        quern_batch* batch = quern_batch_new(db_, "c", drawn.keys.size());
        quern_batch_key_int(batch, drawn.keys.data());
        if (kind != 3) {
            if (drawn.with_number) {
                quern_batch_int(batch, "number", drawn.numbers.data(), drawn.has[0].data());
            }
            if (drawn.with_text) {
                quern_batch_text(batch, "text", drawn.text_pointers.data(), drawn.has[1].data());
                quern_batch_text(batch, "body", drawn.text_pointers.data(), drawn.has[1].data());
            }
            if (drawn.with_vector) {
                quern_batch_dense(batch, "v", drawn.vectors.data(), 2, drawn.has[2].data());
            }
        }
        Model& model = Current();
        const auto there = [&](int64_t key) { return model.count(key) != 0; };
        const bool any = std::any_of(drawn.keys.begin(), drawn.keys.end(), there);
        const bool all = std::all_of(drawn.keys.begin(), drawn.keys.end(), there);
        int32_t expected = QUERN_OK;
        if (drawn.twice) {
            expected = QUERN_ERR_DUPLICATE_KEY;
        } else if (kind == 0 && any) {
            expected = QUERN_ERR_KEY_EXISTS;
        } else if (kind == 2 && !all) {
            expected = QUERN_ERR_NOT_FOUND;
        }
        using Use = int32_t (*)(quern_batch*, quern_txn*, quern_error*);
        static constexpr Use kUses[] = {quern_insert, quern_upsert, quern_update, quern_delete};
        const int32_t status = kUses[kind](batch, txn_, nullptr);
        quern_batch_free(batch);
        WantOfOps(status == expected);
        if (status != QUERN_OK) {
            if (txn_ != nullptr) {  // an error rolls all of it back
                WantOfOps(quern_commit(txn_, nullptr) == QUERN_ERR_TXN);
                txn_ = nullptr;
            }
        } else if (kind == 3) {
            for (const int64_t key : drawn.keys) {
                model.erase(key);
            }
        } else {
            Apply(drawn, kind != 2);
        }
    }

    void Step(uint8_t op) {
        switch (op % 16) {
            case 0: Write(0); break;
            case 1:
            case 2:
            case 3: Write(1); break;
            case 4:
            case 5: Write(2); break;
            case 6:
            case 7: Write(3); break;
            case 8:
                if (txn_ == nullptr) {
                    WantOfOps(quern_begin(db_, &txn_, nullptr) == QUERN_OK);
                    pending_ = model_;
                } else {
                    WantOfOps(quern_commit(txn_, nullptr) == QUERN_OK);
                    txn_ = nullptr;
                    model_ = pending_;
                }
                break;
            case 9:
                quern_rollback(txn_);
                txn_ = nullptr;
                break;
            case 10:
                if (txn_ == nullptr) {
                    WantOfOps(quern_optimize(db_, op < 128 ? "c" : nullptr, 0, nullptr) ==
                              QUERN_OK);
                }
                break;
            case 11:
                quern_rollback(txn_);
                txn_ = nullptr;
                if (op < 128) {
                    WantOfOps(quern_vacuum(db_, nullptr) == QUERN_OK);
                } else {
                    quern_close(db_);
                    Open();
                }
                break;
            case 12: DeleteWhere(reader_.U8() % 8); break;
            case 13: CheckSearch(reader_.U8()); break;
            case 14: CheckFilter(reader_.U8() % 8); break;
            default: CheckAll();
        }
    }

    void DeleteWhere(int64_t number) {
        quern_query* query = quern_query_new(db_, "c");
        quern_query_filter(query, "number = ?1");
        quern_query_bind_int(query, 1, number);
        uint64_t deleted = 0;
        WantOfOps(quern_query_delete(query, txn_, &deleted, nullptr) == QUERN_OK);
        quern_query_free(query);
        uint64_t expected = 0;
        Model& model = Current();
        for (auto record = model.begin(); record != model.end();) {
            const bool goes = record->second.number == number;
            expected += goes ? 1 : 0;
            record = goes ? model.erase(record) : std::next(record);
        }
        WantOfOps(deleted == expected);
    }

    // The nearest by distance, then key; also of those that match a filter.
    void CheckSearch(uint8_t value) {
        const int x = value % 16;
        const int y = value / 16;
        const float vector[] = {static_cast<float>(x), static_cast<float>(y)};
        const bool filtered = value % 3 == 0;
        std::vector<std::pair<int, int64_t>> expected;
        size_t with_word = 0;
        for (const auto& [key, record] : model_) {
            with_word += record.body.has_value() && record.body->find("whale") != std::string::npos;
            if (record.vector.has_value() && (!filtered || record.number.value_or(-1) >= 3)) {
                const int dx = record.vector->first - x;
                const int dy = record.vector->second - y;
                expected.emplace_back(dx * dx + dy * dy, key);
            }
        }
        std::sort(expected.begin(), expected.end());
        expected.resize(std::min<size_t>(expected.size(), 7));
        quern_query* query = quern_query_new(db_, "c");
        quern_query_dense(query, "v", vector, 1, 2);
        quern_query_limit(query, 7);
        if (filtered) {
            quern_query_filter(query, "number >= 3");
        }
        quern_result* found = nullptr;
        WantOfOps(quern_search(query, &found, nullptr) == QUERN_OK);
        WantOfOps(quern_result_rows(found) == expected.size());
        for (size_t i = 0; i < expected.size(); i++) {
            WantOfOps(quern_result_key_int(found, i) == expected[i].second &&
                      quern_result_distance(found, i) == static_cast<float>(expected[i].first));
        }
        quern_result_free(found);
        quern_query_free(query);
        const char* const word = "whale";
        query = quern_query_new(db_, "c");
        quern_query_text(query, "body", &word, 1);
        quern_query_limit(query, 100);
        WantOfOps(quern_search(query, &found, nullptr) == QUERN_OK);
        WantOfOps(quern_result_rows(found) == with_word);
        quern_result_free(found);
        quern_query_free(query);
    }

    void CheckFilter(int64_t number) {
        uint64_t expected = 0;
        for (const auto& [key, record] : model_) {
            expected += record.number.has_value() && *record.number <= number &&
                                record.text.value_or("b") != "b"
                            ? 1
                            : 0;
        }
        quern_query* query = quern_query_new(db_, "c");
        quern_query_filter(query, "number <= ?1 and text <> 'b'");
        quern_query_bind_int(query, 1, number);
        uint64_t count = 0;
        WantOfOps(quern_query_count(query, &count, nullptr) == QUERN_OK && count == expected);
        quern_query_free(query);
    }

    void CheckAll() {
        quern_cursor* cursor = nullptr;
        quern_result* rows = nullptr;
        WantOfOps(quern_scan(db_, "c", nullptr, "number text v body", &cursor, nullptr) ==
                  QUERN_OK);
        WantOfOps(quern_cursor_next(cursor, 1000, &rows, nullptr) == QUERN_OK);
        WantOfOps(quern_result_rows(rows) == model_.size());
        size_t row = 0;
        for (const auto& [key, record] : model_) {
            WantOfOps(quern_result_key_int(rows, row) == key);
            WantOfOps((quern_result_type(rows, row, 0) != 0) == record.number.has_value() &&
                      quern_result_int(rows, row, 0) == record.number.value_or(0));
            for (const size_t column : {size_t{1}, size_t{3}}) {
                const auto& expected = column == 1 ? record.text : record.body;
                const char* const text = quern_result_text(rows, row, column, nullptr);
                WantOfOps((text != nullptr) == expected.has_value() &&
                          (text == nullptr || *expected == text));
            }
            const auto* vector =
                static_cast<const float*>(quern_result_dense(rows, row, 2, nullptr));
            WantOfOps((vector != nullptr) == record.vector.has_value());
            WantOfOps(vector == nullptr ||
                      (vector[0] == static_cast<float>(record.vector->first) &&
                       vector[1] == static_cast<float>(record.vector->second)));
            row++;
        }
        quern_result_free(rows);
        quern_cursor_free(cursor);
    }

    quern::ByteReader reader_;
    quern_db* db_ = nullptr;
    quern_txn* txn_ = nullptr;
    Model model_;
    Model pending_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Player(data, size).Play();
    return 0;
}
