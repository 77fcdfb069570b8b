#include "tests/compat/golden_check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace quern::golden {

namespace {

constexpr double kTolerance = 1e-5;   // of a distance, relative; absolute below 1
constexpr size_t kTouchedMax = 4;     // records that ChangeRecords touches in a collection
constexpr size_t kProblemsShown = 5;  // of each place

// Names in answers may be long: enough of a value to know it by.
std::string Short(const Json& value) {
    const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return text.size() > 300 ? text.substr(0, 300) + "..." : text;
}

// A key that no record has.
Json NewKey(int32_t key_type, int number) {
    if (key_type == QUERN_KEY_INT) {
        return Json(int64_t{7000000000} + number);
    }
    std::string key = "never written before, ";
    return Json(key += std::to_string(number));
}

double ScoreOf(int32_t metric, double distance) {
    return metric == QUERN_COSINE ? 1 - distance : -distance;
}

bool Near(double a, double b) {
    return std::fabs(a - b) <= kTolerance * std::max(1.0, std::fabs(b));
}

bool KeyBefore(const Json& a, const Json& b) {
    return a.is_string() ? a.get_ref<const std::string&>() < b.get_ref<const std::string&>()
                         : a.get<int64_t>() < b.get<int64_t>();
}

}  // namespace

void Problems::Add(const std::string& problem) {
    count_++;
    if (++count_here_ <= kProblemsShown) {
        std::printf("%s: %s\n", place_.c_str(), problem.c_str());
    }
}

GoldenCheck::GoldenCheck(const Json& answers, Problems* problems) : problems_(problems) {
    for (const Json& entry : answers.at("collections")) {
        Collection collection;
        collection.schema = ParseSchema(entry);
        collection.answers = &entry;
        for (const Json& record : entry.at("records")) {
            collection.records.push_back(record);
        }
        collections_.push_back(std::move(collection));
    }
}

bool GoldenCheck::Fine(int32_t status, const std::string& what) {
    if (status != QUERN_OK) {
        problems_->Add(what + ": " + quern_status_name(status) + ": " + err_.message);
    }
    return status == QUERN_OK;
}

void GoldenCheck::Same(const Json& wanted, const Json& got, const std::string& what) {
    if (wanted.dump() != got.dump()) {
        problems_->Add(what + " is " + Short(got) + " instead of " + Short(wanted));
    }
}

bool GoldenCheck::Open(const std::string& path, const std::string& options) {
    db_.reset();
    quern_db* db = nullptr;
    const bool opened = Fine(quern_open(path.c_str(), options.c_str(), &db, &err_), "open");
    db_.reset(db);
    return opened;
}

void GoldenCheck::CheckSchemas() {
    quern_text* text = nullptr;
    if (!Fine(quern_collections(db(), &text, &err_), "collections")) {
        return;
    }
    Json names = Json::array();
    for (const Collection& collection : collections_) {
        names.push_back(collection.schema.name);
    }
    std::sort(names.begin(), names.end());
    Same(names, Json::parse(quern_text_data(text)), "the list of collections");
    quern_text_free(text);
    for (const Collection& collection : collections_) {
        const std::string& name = collection.schema.name;
        quern_schema* described = nullptr;
        if (Fine(quern_describe(db(), name.c_str(), &described, &err_), "describe " + name)) {
            Same(SchemaJson(collection.schema), SchemaJson(DescribedSchema(name, described)),
                 "the schema of " + name);
        }
        quern_schema_free(described);
    }
}

void GoldenCheck::CheckShape() {
    quern_text* text = nullptr;
    if (!Fine(quern_info(db(), &text, &err_), "info")) {
        return;
    }
    const Json info = Json::parse(quern_text_data(text));
    quern_text_free(text);
    Same(collections_.size(), info.at("collections").size(), "info: the number of collections");
    for (const Collection& collection : collections_) {
        const std::string& name = collection.schema.name;
        for (const Json& entry : info.at("collections")) {
            if (entry.at("name") != name) {
                continue;
            }
            Same(SchemaJson(collection.schema),
                 Json{{"name", entry.at("name")},
                      {"key", entry.at("key")},
                      {"attributes", entry.at("attributes")},
                      {"fields", entry.at("fields")}},
                 "info: the schema of " + name);
            std::set<std::string> codecs;
            for (const Json& segment : entry.at("segments")) {
                for (const Json& part : segment.at("parts")) {
                    for (const auto& [codec, chunks] : part.at("codecs").items()) {
                        codecs.insert(codec);
                    }
                }
            }
            Same(collection.answers->at("shape"),
                 Json{{"log_rows", entry.at("log_rows")},
                      {"dead_records", entry.at("dead_records")},
                      {"segments", entry.at("segments").size()},
                      {"codecs", codecs}},
                 "info: the shape of " + name);
            Same(collection.records.size(), entry.at("records"), "info: the records of " + name);
        }
    }
}

void GoldenCheck::CheckVerify() {
    quern_text* report = nullptr;
    Fine(quern_verify(db(), &report, &err_), "verify");
    const Json json = Json::parse(quern_text_data(report), nullptr, false);
    quern_text_free(report);
    Same(true, json.is_object() ? json.value("ok", false) : false, "verify: \"ok\"");
}

Json GoldenCheck::Row(const quern_result* rows, size_t row, const Collection& collection) const {
    Json read = Json::array({ReadKey(rows, row, collection.schema.key_type)});
    for (size_t column = 0; column < quern_result_columns(rows); column++) {
        read.push_back(ReadValue(rows, row, column));
    }
    return read;
}

void GoldenCheck::CheckScan(const Collection& collection) {
    const std::string& name = collection.schema.name;
    quern_cursor* opened = nullptr;
    if (!Fine(quern_scan(db(), name.c_str(), nullptr, "*", &opened, &err_), "scan " + name)) {
        return;
    }
    const Handle<quern_cursor> cursor(opened);
    size_t seen = 0;
    while (true) {
        quern_result* read = nullptr;
        if (!Fine(quern_cursor_next(cursor.get(), 100, &read, &err_), "scan " + name)) {
            return;
        }
        const Handle<quern_result> rows(read);
        const size_t count = quern_result_rows(read);
        for (size_t row = 0; row < count; row++, seen++) {
            Same(seen < collection.records.size() ? collection.records[seen] : Json(),
                 Row(read, row, collection), "scan " + name + ": record " + std::to_string(seen));
        }
        if (count == 0) {
            break;
        }
    }
    Same(collection.records.size(), seen, "scan " + name + ": the number of records");
    uint64_t count = 0;
    Fine(quern_count(db(), name.c_str(), nullptr, &count, &err_), "count " + name);
    Same(collection.records.size(), count, "count " + name);
}

// All keys, the last first, and one that is not there.
void GoldenCheck::CheckGet(const Collection& collection) {
    const std::string& name = collection.schema.name;
    std::vector<Json> wanted(collection.records.rbegin(), collection.records.rend());
    wanted.push_back(Json::array({NewKey(collection.schema.key_type, 99)}));
    std::vector<Json> keys;
    for (const Json& record : wanted) {
        keys.push_back(Json::array({record.at(0)}));
    }
    const RowBatch batch(db(), collection.schema, {}, keys);
    quern_result* read = nullptr;
    if (!Fine(quern_get(batch.get(), nullptr, "*", &read, &err_), "get from " + name)) {
        return;
    }
    const Handle<quern_result> rows(read);
    Same(wanted.size(), quern_result_rows(read), "get from " + name + ": the number of rows");
    for (size_t row = 0; row < wanted.size(); row++) {
        const bool last = row + 1 == wanted.size();
        Same(!last, quern_result_found(read, row) != 0, "get " + Short(keys[row]) + ": found");
        if (!last) {
            Same(wanted[row], Row(read, row, collection), "get from " + name);
        }
    }
}

// When records were touched, so many more are asked for: what is left without them must begin with
// what was found before without them.
void GoldenCheck::CheckSearch(const Collection& collection, const Json& search) {
    const CollectionSchema& schema = collection.schema;
    const Column& field = schema.Find(search.at("field"));
    const bool by_key = search.contains("keys");
    Json asked = Json::array();
    Json wanted = Json::array();
    const Json& all = by_key ? search["keys"] : search.at("queries");
    for (size_t i = 0; i < all.size(); i++) {
        if (!by_key || collection.touched.count(all[i]) == 0) {
            asked.push_back(all[i]);
            wanted.push_back(search.at("found").at(i));
        }
    }
    if (asked.empty()) {
        return;
    }
    const Handle<quern_query> query(quern_query_new(db(), schema.name.c_str()));
    const QueryVectors vectors(field, by_key ? Json::array() : asked);
    std::vector<int64_t> int_keys;
    std::vector<const char*> text_keys;
    if (!by_key && field.element == QUERN_BIT) {
        quern_query_dense_raw(query.get(), field.name.c_str(), vectors.bits.data(), QUERN_BIT,
                              asked.size(), field.dim);
    } else if (!by_key) {
        quern_query_dense(query.get(), field.name.c_str(), vectors.matrix.data(), asked.size(),
                          field.dim);
    } else if (schema.key_type == QUERN_KEY_INT) {
        for (const Json& key : asked) {
            int_keys.push_back(key.get<int64_t>());
        }
        quern_query_key_int(query.get(), field.name.c_str(), int_keys.data(), int_keys.size());
    } else {
        for (const Json& key : asked) {
            text_keys.push_back(key.get_ref<const std::string&>().c_str());
        }
        quern_query_key_text(query.get(), field.name.c_str(), text_keys.data(), text_keys.size());
    }
    const size_t k = search.at("k").get<size_t>();
    quern_query_limit(query.get(), k == 0 ? 0 : k + collection.touched.size());
    if (search.contains("max_distance")) {
        quern_query_max_distance(query.get(), search["max_distance"].get<double>());
    }
    if (search.contains("min_score")) {
        quern_query_min_score(query.get(), search["min_score"].get<double>());
    }
    if (search.contains("self")) {
        const std::string option = "self=" + search["self"].get<std::string>();
        quern_query_options(query.get(), option.c_str());
    }
    quern_query_columns(query.get(), "*");
    quern_result* read = nullptr;
    if (!Fine(quern_search(query.get(), &read, &err_), "search " + Short(search))) {
        return;
    }
    const Handle<quern_result> rows(read);
    Same(asked.size(), quern_result_queries(read), "the number of queries");
    for (size_t i = 0; i < asked.size(); i++) {
        CompareFound(collection, search, wanted[i], read, i);
    }
}

void GoldenCheck::CompareFound(const Collection& collection, const Json& search, const Json& wanted,
                               const quern_result* rows, size_t query) {
    const Column& field = collection.schema.Find(search.at("field"));
    const std::string what = "search of " + collection.schema.name + "." + field.name + ", query " +
                             std::to_string(query) + " of " + Short(search);
    std::vector<size_t> found;  // rows of untouched records
    for (size_t row = quern_result_offset(rows, query); row < quern_result_offset(rows, query + 1);
         row++) {
        const Json read = Row(rows, row, collection);
        if (collection.touched.count(read[0]) != 0) {
            continue;
        }
        found.push_back(row);
        const auto record = std::lower_bound(
            collection.records.begin(), collection.records.end(), read,
            [](const Json& a, const Json& b) { return KeyBefore(a.at(0), b.at(0)); });
        Same(record != collection.records.end() ? *record : Json(), read, what + ": the record");
        const double distance = static_cast<double>(quern_result_distance(rows, row));
        const double score = static_cast<double>(quern_result_score(rows, row));
        if (!Near(score, ScoreOf(field.metric, distance))) {
            problems_->Add(what + ": distance " + std::to_string(distance) + " has the score " +
                           std::to_string(score));
        }
    }
    size_t at = 0;
    for (const Json& answer : wanted) {
        if (collection.touched.count(answer.at(0)) != 0) {
            continue;
        }
        if (at == found.size()) {
            problems_->Add(what + ": only " + std::to_string(at) + " records");
            return;
        }
        const size_t row = found[at++];
        const Json key = ReadKey(rows, row, collection.schema.key_type);
        const double distance = static_cast<double>(quern_result_distance(rows, row));
        if (key != answer.at(0) || !Near(distance, answer.at(1).get<double>())) {
            problems_->Add(what + ": " + Short(Json::array({key, distance})) + " instead of " +
                           Short(answer));
        }
    }
    const bool may_go_on = search.at("k") != 0 && !collection.touched.empty();
    if (at != found.size() && !may_go_on) {
        problems_->Add(what + ": " + std::to_string(found.size()) + " records instead of " +
                       std::to_string(at));
    }
}

void GoldenCheck::CheckAnswers() {
    CheckSchemas();
    for (const Collection& collection : collections_) {
        CheckScan(collection);
        CheckGet(collection);
        for (const Json& search : collection.answers->at("searches")) {
            CheckSearch(collection, search);
        }
    }
}

void GoldenCheck::Write(Collection* collection, const char* kind,
                        const std::vector<std::string>& columns, const Json& row) {
    const CollectionSchema& schema = collection->schema;
    const RowBatch batch(db(), schema, columns, {row});
    const std::string what = std::string(kind) + " " + Short(row.at(0)) + " in " + schema.name;
    const bool is_delete = columns.empty() && std::string(kind) == "delete";
    const bool is_update = std::string(kind) == "update";
    const int32_t status = is_delete   ? quern_delete(batch.get(), nullptr, &err_)
                           : is_update ? quern_update(batch.get(), nullptr, &err_)
                                       : quern_insert(batch.get(), nullptr, &err_);
    if (!Fine(status, what)) {
        return;
    }
    collection->touched.insert(row.at(0));
    const auto at =
        std::lower_bound(collection->records.begin(), collection->records.end(), row,
                         [](const Json& a, const Json& b) { return KeyBefore(a.at(0), b.at(0)); });
    if (is_delete) {
        collection->records.erase(at);
    } else if (is_update) {
        for (size_t i = 0; i < columns.size(); i++) {
            (*at)[schema.PlaceOf(columns[i])] = row.at(i + 1);
        }
    } else {
        collection->records.insert(at, row);
    }
}

void GoldenCheck::ChangeRecords() {
    for (Collection& collection : collections_) {
        const CollectionSchema& schema = collection.schema;
        std::vector<std::string> columns;
        std::string attr;
        std::string field;
        for (const Column& column : schema.columns) {
            columns.push_back(column.name);
            std::string& first = column.type == QUERN_DENSE ? field : attr;
            first = first.empty() ? column.name : first;
        }
        const std::vector<Json> before = collection.records;
        // As much as a record can be without a model: the values of another one, or none.
        Json copy = !before.empty() ? before[0] : Json(std::vector<Json>(columns.size() + 1));
        copy[0] = NewKey(schema.key_type, 1);
        Write(&collection, "insert", columns, copy);
        if (before.size() < kTouchedMax) {
            continue;
        }
        const Json& source = before[before.size() / 3];
        const Json& attr_target = before[before.size() / 2];
        const Json& field_target = before[before.size() - 2];
        if (!attr.empty()) {
            Write(&collection, "update", {attr},
                  Json::array({attr_target[0], source[schema.PlaceOf(attr)]}));
        }
        if (!field.empty()) {
            Write(&collection, "update", {field},
                  Json::array({field_target[0], source[schema.PlaceOf(field)]}));
        }
        Write(&collection, "delete", {}, Json::array({before.back()[0]}));
    }
}

// The new columns and the new collection go again, so that the answers stay true; what they would
// break is the numbering of columns, collections and segments.
void GoldenCheck::ChangeSchema() {
    const char* fresh = "a fresh collection";
    for (const Collection& collection : collections_) {
        const std::string& name = collection.schema.name;
        Fine(quern_add_attr(db(), name.c_str(), "fresh attr", QUERN_TEXT, nullptr, &err_), "add");
        Fine(quern_add_dense(db(), name.c_str(), "fresh field", 3, QUERN_COSINE, nullptr, &err_),
             "add");
        Fine(quern_drop_column(db(), name.c_str(), "fresh attr", &err_), "drop");
        Fine(quern_drop_column(db(), name.c_str(), "fresh field", &err_), "drop");
        Fine(quern_rename(db(), name.c_str(), "for a moment", &err_), "rename");
        Fine(quern_rename(db(), "for a moment", name.c_str(), &err_), "rename back");
    }
    CollectionSchema schema;
    schema.name = fresh;
    const Handle<quern_schema> made(quern_schema_new());
    if (Fine(quern_create(db(), fresh, made.get(), &err_), "create")) {
        const RowBatch batch(db(), schema, {}, {Json::array({1})});
        Fine(quern_insert(batch.get(), nullptr, &err_), "insert into a new collection");
        Fine(quern_drop(db(), fresh, &err_), "drop");
    }
}

void GoldenCheck::OptimizeAndVacuum() {
    Fine(quern_optimize(db(), nullptr, 0, &err_), "optimize");
    Fine(quern_vacuum(db(), &err_), "vacuum");
}

}  // namespace quern::golden
