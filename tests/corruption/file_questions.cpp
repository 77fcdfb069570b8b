#include "tests/corruption/file_questions.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

namespace quern::corruption {

namespace {

using Json = nlohmann::ordered_json;

template <typename Handle, void (*Free)(Handle*)>
struct Freed {
    void operator()(Handle* handle) const { Free(handle); }
};
using Query = std::unique_ptr<quern_query, Freed<quern_query, quern_query_free>>;
using Rows = std::unique_ptr<quern_result, Freed<quern_result, quern_result_free>>;
using Text = std::unique_ptr<quern_text, Freed<quern_text, quern_text_free>>;
using Batch = std::unique_ptr<quern_batch, Freed<quern_batch, quern_batch_free>>;
using Cursor = std::unique_ptr<quern_cursor, Freed<quern_cursor, quern_cursor_free>>;
using Schema = std::unique_ptr<quern_schema, Freed<quern_schema, quern_schema_free>>;

struct Key {
    int64_t number = 0;
    std::string text;
};

struct Shape {
    std::string name;
    bool text_keys = false;
    std::vector<std::pair<std::string, int32_t>> attrs;
    std::vector<std::string> dense;
    std::vector<std::string> sparse;
    std::vector<std::string> texts;
    std::vector<Key> keys;  // some of the records'
    std::vector<std::string> fusions;
};

Answer Failed(int32_t status, const quern_error& err) {
    return {status, "", err.message, false};
}

std::string Number(double x) {
    char text[40];
    std::snprintf(text, sizeof text, "%a", x);
    return text;
}

std::string Hex(const void* data, size_t bytes) {
    static const char* const kDigits = "0123456789abcdef";
    std::string text;
    for (size_t i = 0; i < bytes; i++) {
        const auto byte = static_cast<const uint8_t*>(data)[i];
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

size_t DenseBytes(int32_t type, size_t dim) {
    switch (type) {
        case QUERN_F32: return 4 * dim;
        case QUERN_F16:
        case QUERN_BF16: return 2 * dim;
        case QUERN_BIT: return (dim + 7) / 8;
        default: return dim;
    }
}

std::string CellText(const quern_result* r, size_t row, size_t col) {
    const int32_t type = quern_result_type(r, row, col);
    size_t size = 0;
    switch (type) {
        case 0: return "-";
        case QUERN_INT:
        case QUERN_BOOL: return std::to_string(quern_result_int(r, row, col));
        case QUERN_REAL: return Number(quern_result_real(r, row, col));
        case QUERN_DENSE: {
            const void* vector = quern_result_dense(r, row, col, &size);
            return Hex(vector,
                       vector == nullptr ? 0 : DenseBytes(quern_result_dense_type(r, col), size));
        }
        case QUERN_SPARSE: {
            const float* weights = nullptr;
            const uint32_t* dims = quern_result_sparse(r, row, col, &weights, &size);
            return Hex(dims, dims == nullptr ? 0 : 4 * size) + "*" +
                   Hex(weights, weights == nullptr ? 0 : 4 * size);
        }
        default: {
            const char* text = quern_result_text(r, row, col, &size);
            return text == nullptr ? "?" : std::string(text, size);
        }
    }
}

Answer RowsText(const quern_result* r, bool scores) {
    Answer answer;
    answer.degraded = (quern_result_flags(r) & QUERN_FLAG_DEGRADED) != 0;
    for (size_t row = 0; row < quern_result_rows(r); row++) {
        const char* key = quern_result_key_text(r, row);
        answer.text += key != nullptr ? key : std::to_string(quern_result_key_int(r, row));
        answer.text += quern_result_found(r, row) != 0 ? "" : " gone";
        if (scores) {
            answer.text += " " + Number(static_cast<double>(quern_result_score(r, row)));
        }
        for (size_t col = 0; col < quern_result_columns(r); col++) {
            answer.text += "|" + CellText(r, row, col);
        }
        answer.text += "\n";
    }
    return answer;
}

Answer Scan(quern_db* db, const std::string& collection) {
    quern_error err = QUERN_ERROR_INIT;
    quern_cursor* made = nullptr;
    int32_t status = quern_scan(db, collection.c_str(), nullptr, "*", &made, &err);
    const Cursor cursor(made);
    if (status != QUERN_OK) {
        return Failed(status, err);
    }
    Answer answer;
    while (true) {
        quern_result* page = nullptr;
        status = quern_cursor_next(cursor.get(), 500, &page, &err);
        const Rows rows(page);
        if (status != QUERN_OK) {
            return Failed(status, err);
        }
        if (quern_result_rows(page) == 0) {
            return answer;
        }
        answer.text += RowsText(page, false).text;
    }
}

Answer Count(quern_db* db, const std::string& collection) {
    quern_error err = QUERN_ERROR_INIT;
    uint64_t count = 0;
    const int32_t status = quern_count(db, collection.c_str(), nullptr, &count, &err);
    return status == QUERN_OK ? Answer{0, std::to_string(count), "", false} : Failed(status, err);
}

Answer Describe(quern_db* db, const std::string& collection) {
    quern_error err = QUERN_ERROR_INIT;
    quern_schema* made = nullptr;
    const int32_t status = quern_describe(db, collection.c_str(), &made, &err);
    const Schema schema(made);
    if (status != QUERN_OK) {
        return Failed(status, err);
    }
    Answer answer;
    answer.text = quern_schema_key_name(made);
    for (size_t i = 0; i < quern_schema_attr_count(made); i++) {
        answer.text += std::string(" ") + quern_schema_attr_name(made, i) + ":" +
                       std::to_string(quern_schema_attr_type(made, i));
    }
    for (size_t i = 0; i < quern_schema_dense_count(made); i++) {
        answer.text += std::string(" ") + quern_schema_dense_name(made, i) + ":" +
                       std::to_string(quern_schema_dense_dim(made, i)) + ":" +
                       std::to_string(quern_schema_dense_metric(made, i));
    }
    for (size_t i = 0; i < quern_schema_sparse_count(made); i++) {
        answer.text += std::string(" ") + quern_schema_sparse_name(made, i);
    }
    for (size_t i = 0; i < quern_schema_text_count(made); i++) {
        answer.text += std::string(" ") + quern_schema_text_name(made, i) + ":" +
                       quern_schema_text_options(made, i);
    }
    return answer;
}

Answer Collections(quern_db* db) {
    quern_error err = QUERN_ERROR_INIT;
    quern_text* names = nullptr;
    const int32_t status = quern_collections(db, &names, &err);
    const Text text(names);
    return status == QUERN_OK ? Answer{0, quern_text_data(names), "", false} : Failed(status, err);
}

Batch BatchOf(quern_db* db, const Shape& shape, const std::vector<Key>& keys,
              std::vector<int64_t>* numbers, std::vector<const char*>* texts) {
    for (const Key& key : keys) {
        numbers->push_back(key.number);
        texts->push_back(key.text.c_str());
    }
    Batch batch(quern_batch_new(db, shape.name.c_str(), keys.size()));
    if (shape.text_keys) {
        quern_batch_key_text(batch.get(), texts->data());
    } else {
        quern_batch_key_int(batch.get(), numbers->data());
    }
    return batch;
}

Answer Get(quern_db* db, const Shape& shape, const std::vector<Key>& keys) {
    quern_error err = QUERN_ERROR_INIT;
    std::vector<int64_t> numbers;
    std::vector<const char*> texts;
    const Batch batch = BatchOf(db, shape, keys, &numbers, &texts);
    quern_result* made = nullptr;
    const int32_t status = quern_get(batch.get(), nullptr, "*", &made, &err);
    const Rows rows(made);
    return status == QUERN_OK ? RowsText(made, false) : Failed(status, err);
}

Answer Sql(quern_db* db, const std::string& statement) {
    quern_error err = QUERN_ERROR_INIT;
    quern_result* made = nullptr;
    const int32_t status = quern_sql(db, nullptr, statement.c_str(), &made, &err);
    const Rows rows(made);
    return status == QUERN_OK ? RowsText(made, false) : Failed(status, err);
}

// Runs a query that `build` fills.
using Build = std::function<void(quern_db*, quern_query*)>;
using Run = int32_t (*)(quern_query*, quern_result**, quern_error*);
Answer Search(quern_db* db, const std::string& collection, const Build& build, Run run) {
    quern_error err = QUERN_ERROR_INIT;
    const Query query(quern_query_new(db, collection.c_str()));
    build(db, query.get());
    quern_result* made = nullptr;
    const int32_t status = run(query.get(), &made, &err);
    const Rows rows(made);
    return status == QUERN_OK ? RowsText(made, run == quern_search) : Failed(status, err);
}

void LookForKeys(quern_query* query, const Shape& shape, const std::string& field, size_t count) {
    std::vector<int64_t> numbers;
    std::vector<const char*> texts;
    for (size_t i = 0; i < count && i < shape.keys.size(); i++) {
        numbers.push_back(shape.keys[i].number);
        texts.push_back(shape.keys[i].text.c_str());
    }
    if (shape.text_keys) {
        quern_query_key_text(query, field.c_str(), texts.data(), texts.size());
    } else {
        quern_query_key_int(query, field.c_str(), numbers.data(), numbers.size());
    }
}

// Enough for an index to find everything.
constexpr const char* kAllEffort = "ef=4000 nprobe=4000 refine=exact self=include";
constexpr const char* kExact = "recall=exact self=include";

class Asker {
public:
    explicit Asker(quern_db* db) : db_(db) {}

    void Add(std::string name, std::function<Answer(quern_db*)> ask) {
        // What the sound file cannot be asked is no question: a field that no record has, say.
        if (ask(db_).status == QUERN_OK) {
            questions_.push_back({std::move(name), std::move(ask)});
        }
    }

    // Whether two questions about the sound file have one answer.
    bool Same(const std::function<Answer(quern_db*)>& a,
              const std::function<Answer(quern_db*)>& b) {
        return a(db_) == b(db_);
    }

    std::vector<Question> Take() { return std::move(questions_); }

private:
    quern_db* db_;
    std::vector<Question> questions_;
};

void AddSearches(Asker* asker, const Shape& shape) {
    const auto searcher = [&](const Build& build, Run run) {
        return
            [name = shape.name, build, run](quern_db* db) { return Search(db, name, build, run); };
    };
    const auto by_keys = [&](const std::string& field, const char* options, size_t keys) {
        return Build([=](quern_db*, quern_query* q) {
            LookForKeys(q, shape, field, keys);
            quern_query_limit(q, 8);
            quern_query_options(q, options);
        });
    };
    for (const auto* fields : {&shape.dense, &shape.sparse}) {
        for (const std::string& field : *fields) {
            const auto exact = searcher(by_keys(field, kExact, 2), quern_search);
            const auto all = searcher(by_keys(field, kAllEffort, 2), quern_search);
            asker->Add("search " + field, exact);
            if (asker->Same(exact, all)) {
                asker->Add("search by index " + field, all);
            }
        }
    }
    for (const std::string& field : shape.dense) {
        asker->Add("search within " + field, searcher(
                                                 [=](quern_db*, quern_query* q) {
                                                     LookForKeys(q, shape, field, 1);
                                                     quern_query_limit(q, 0);
                                                     quern_query_max_distance(q, 0.75);
                                                     quern_query_options(q, kExact);
                                                 },
                                                 quern_search));
    }
    for (const std::string& field : shape.sparse) {
        asker->Add("search by tokens " + field, searcher(
                                                    [=](quern_db*, quern_query* q) {
                                                        const char* const texts[] = {"alpha gamma"};
                                                        quern_query_sparse_text(q, field.c_str(),
                                                                                texts, 1);
                                                    },
                                                    quern_search));
    }
    for (const std::string& field : shape.texts) {
        for (const char* words : {"whale ship", "+mill gra*", "\"alpha beta\""}) {
            asker->Add(std::string("search words ") + words,
                       searcher(
                           [=](quern_db*, quern_query* q) {
                               quern_query_text(q, field.c_str(), &words, 1);
                               quern_query_columns(q, "*");
                           },
                           quern_search));
        }
    }
    std::vector<std::string> fields = shape.dense;
    fields.insert(fields.end(), shape.sparse.begin(), shape.sparse.end());
    for (size_t f = 0; f + 1 < fields.size() && f < 2; f++) {
        asker->Add("search legs " + fields[f],
                   searcher(
                       [=](quern_db* db, quern_query* q) {
                           for (size_t leg = f; leg < f + 2; leg++) {
                               const Query part(quern_query_new(db, shape.name.c_str()));
                               LookForKeys(part.get(), shape, fields[leg], 1);
                               quern_query_options(part.get(), kExact);
                               quern_query_leg(q, part.get(), 0.5, nullptr);
                           }
                           quern_query_limit(q, 6);
                       },
                       quern_search));
    }
    for (const std::string& fusion : shape.fusions) {
        asker->Add("search by fusion " + fusion,
                   searcher(
                       [=](quern_db* db, quern_query* q) {
                           const Query words(quern_query_new(db, shape.name.c_str()));
                           const Query vectors(quern_query_new(db, shape.name.c_str()));
                           const char* const text[] = {"stone grain"};
                           quern_query_text(words.get(), shape.texts[0].c_str(), text, 1);
                           LookForKeys(vectors.get(), shape, shape.dense[0], 1);
                           quern_query_leg(q, words.get(), 1, nullptr);
                           quern_query_leg(q, vectors.get(), 1, nullptr);
                           quern_query_fusion(q, ("stored=" + fusion).c_str());
                       },
                       quern_search));
    }
}

void AddFilters(Asker* asker, const Shape& shape) {
    const auto quoted = [](const std::string& name) { return "\"" + name + "\""; };
    size_t number = 0;
    for (const auto& [named, type] : shape.attrs) {
        const std::string& attr = named;
        const std::string name = quoted(attr);
        std::string filter = name + " is not null";
        if (type == QUERN_INT || type == QUERN_REAL) {
            filter = name + " >= 10";
        } else if (type == QUERN_TEXT) {
            filter = name + " > 'c'";
        } else if (type == QUERN_TAGS) {
            filter = name + " has 'red'";
        }
        const bool facet = type == QUERN_INT || type == QUERN_TEXT || type == QUERN_TAGS;
        asker->Add("list " + attr, [=](quern_db* db) {
            return Search(
                db, shape.name,
                [&](quern_db*, quern_query* q) {
                    quern_query_filter(q, filter.c_str());
                    quern_query_order(q, (name + " desc").c_str());
                    quern_query_limit(q, 12);
                    quern_query_columns(q, name.c_str());
                },
                quern_query_list);
        });
        if (facet && number++ < 3) {
            asker->Add("facet " + attr, [=](quern_db* db) {
                quern_error err = QUERN_ERROR_INIT;
                const Query query(quern_query_new(db, shape.name.c_str()));
                quern_result* made = nullptr;
                const int32_t status = quern_query_facet(query.get(), attr.c_str(), 5, &made, &err);
                const Rows rows(made);
                return status == QUERN_OK ? RowsText(made, false) : Failed(status, err);
            });
            if (!shape.dense.empty()) {
                asker->Add("search where " + attr, [=](quern_db* db) {
                    return Search(
                        db, shape.name,
                        [&](quern_db*, quern_query* q) {
                            LookForKeys(q, shape, shape.dense[0], 1);
                            quern_query_filter(q, filter.c_str());
                            quern_query_options(q, kExact);
                        },
                        quern_search);
                });
            }
        }
    }
}

std::vector<Shape> ShapesOf(quern_db* db) {
    quern_text* made = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    if (quern_info(db, &made, &err) != QUERN_OK) {
        std::fprintf(stderr, "corruption: %s\n", err.message);
        std::exit(2);
    }
    const Json info = Json::parse(quern_text_data(made));
    quern_text_free(made);
    std::vector<Shape> shapes;
    for (const Json& entry : info.at("collections")) {
        Shape shape;
        shape.name = entry.at("name").get<std::string>();
        if (entry.contains("fusions")) {
            for (const Json& fusion : entry.at("fusions")) {
                shape.fusions.push_back(fusion.at("name").get<std::string>());
            }
        }
        quern_schema* described = nullptr;
        if (quern_describe(db, shape.name.c_str(), &described, &err) != QUERN_OK) {
            std::exit(2);
        }
        const Schema schema(described);
        shape.text_keys = quern_schema_key_type(described) == QUERN_KEY_TEXT;
        for (size_t i = 0; i < quern_schema_attr_count(described); i++) {
            shape.attrs.emplace_back(quern_schema_attr_name(described, i),
                                     quern_schema_attr_type(described, i));
        }
        for (size_t i = 0; i < quern_schema_dense_count(described); i++) {
            shape.dense.emplace_back(quern_schema_dense_name(described, i));
        }
        for (size_t i = 0; i < quern_schema_sparse_count(described); i++) {
            shape.sparse.emplace_back(quern_schema_sparse_name(described, i));
        }
        for (size_t i = 0; i < quern_schema_text_count(described); i++) {
            shape.texts.emplace_back(quern_schema_text_name(described, i));
        }
        quern_cursor* cursor_made = nullptr;
        quern_result* page = nullptr;
        if (quern_scan(db, shape.name.c_str(), nullptr, nullptr, &cursor_made, &err) != QUERN_OK) {
            std::exit(2);
        }
        const Cursor cursor(cursor_made);
        if (quern_cursor_next(cursor_made, 100000, &page, &err) != QUERN_OK) {
            std::exit(2);
        }
        const Rows rows(page);
        const size_t count = quern_result_rows(page);
        // The first records have zero vectors and repeats in some samples.
        for (const size_t at : {count / 2, count / 3, size_t{0}, count - 1, 2 * count / 3}) {
            if (at < count) {
                const char* text = quern_result_key_text(page, at);
                shape.keys.push_back({quern_result_key_int(page, at), text != nullptr ? text : ""});
            }
        }
        shapes.push_back(std::move(shape));
    }
    return shapes;
}

}  // namespace

std::vector<Question> QuestionsOf(quern_db* db) {
    Asker asker(db);
    asker.Add("collections", Collections);
    for (const Shape& shape : ShapesOf(db)) {
        const std::string name = shape.name;
        asker.Add("describe", [=](quern_db* of) { return Describe(of, name); });
        asker.Add("count", [=](quern_db* of) { return Count(of, name); });
        asker.Add("scan", [=](quern_db* of) { return Scan(of, name); });
        if (!shape.keys.empty()) {
            asker.Add("get", [=](quern_db* of) { return Get(of, shape, shape.keys); });
            AddSearches(&asker, shape);
        }
        asker.Add("sql", [=](quern_db* of) {
            return Sql(of, "select count(*), max(_k) from (select 1 as _k from \"" + name + "\")");
        });
        AddFilters(&asker, shape);
    }
    return asker.Take();
}

std::vector<Answer> AskAll(quern_db* db, const std::vector<Question>& questions) {
    std::vector<Answer> answers;
    for (const Question& question : questions) {
        answers.push_back(question.ask(db));
    }
    return answers;
}

Answer AskForAll(quern_db* db) {
    Answer all = Collections(db);
    if (all.status != QUERN_OK) {
        return all;
    }
    for (const Json& name : Json::parse(all.text)) {
        const Answer scan = Scan(db, name.get<std::string>());
        if (scan.status != QUERN_OK) {
            return scan;
        }
        all.text += "\n" + scan.text;
    }
    return all;
}

Answer TryToWrite(quern_db* db) {
    const Answer names = Collections(db);
    if (names.status != QUERN_OK) {
        return names;
    }
    const Json list = Json::parse(names.text);
    if (list.empty()) {
        return {};
    }
    Shape shape;
    shape.name = list[0].get<std::string>();
    quern_error err = QUERN_ERROR_INIT;
    quern_schema* described = nullptr;
    int32_t status = quern_describe(db, shape.name.c_str(), &described, &err);
    const Schema schema(described);
    if (status != QUERN_OK) {
        return Failed(status, err);
    }
    shape.text_keys = quern_schema_key_type(described) == QUERN_KEY_TEXT;
    const std::vector<Key> keys = {{987654321, "a key that nobody has"}};
    std::vector<int64_t> numbers;
    std::vector<const char*> texts;
    const Batch batch = BatchOf(db, shape, keys, &numbers, &texts);
    status = quern_insert(batch.get(), nullptr, &err);
    if (status != QUERN_OK) {
        return Failed(status, err);
    }
    const Answer read = Get(db, shape, keys);
    if (read.status == QUERN_OK && read.text.find(" gone") != std::string::npos) {
        return {0, "a record that was inserted is not there", "", false};
    }
    status = quern_delete(batch.get(), nullptr, &err);
    if (status != QUERN_OK) {
        return Failed(status, err);
    }
    if (quern_batch_affected(batch.get()) != 1) {
        return {0, "a record that was inserted could not be deleted", "", false};
    }
    return read.status == QUERN_OK ? Answer{} : read;
}

}  // namespace quern::corruption
