#include "tests/compat/golden_collection.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>

namespace quern::golden {

namespace {

// SIMD levels differ in the last bits of a distance. Neighbours in an answer, and a bound, are this
// far apart, ten times what the test allows, so that their order is the same at every level.
constexpr double kGap = 1e-4;

// To nearest, ties to even, with `digits` binary digits; smaller numbers than 2^exponent_min have
// the digits of that one.
double RoundTo(double value, int digits, int exponent_min) {
    int exponent = 0;
    std::frexp(value, &exponent);  // value = 0.1xxx * 2^exponent
    const double unit = std::ldexp(1.0, std::max(exponent - digits, exponent_min - digits + 1));
    return std::nearbyint(value / unit) * unit;
}

double Stored(int32_t element, double value) {
    switch (element) {
        case QUERN_F16: return RoundTo(value, 11, -14);
        case QUERN_BF16: return RoundTo(value, 8, -126);
        default: return value;
    }
}

// What a record holds when it is given this value.
Json StoredValue(const Column& column, const Json& value) {
    if (value.is_null()) {
        return value;
    }
    if (column.type == QUERN_REAL) {
        return NumberJson(value.get<double>());
    }
    if (column.type == QUERN_TAGS) {
        std::set<std::string> tags;
        for (const Json& tag : value) {
            tags.insert(tag.get<std::string>());
        }
        return Json(tags);
    }
    if (column.type != QUERN_DENSE || column.element == QUERN_BIT) {
        return value;
    }
    Json vector = Json::array();
    for (const Json& element : value) {
        const auto given = static_cast<double>(element.get<float>());
        vector.push_back(NumberJson(Stored(column.element, given)));
    }
    return vector;
}

std::vector<double> Numbers(const Json& vector) {
    std::vector<double> numbers;
    if (vector.is_string()) {
        for (const char bit : vector.get_ref<const std::string&>()) {
            numbers.push_back(bit == '1' ? 1 : 0);
        }
    } else {
        for (const Json& element : vector) {
            numbers.push_back(static_cast<double>(element.get<float>()));
        }
    }
    return numbers;
}

bool AllWhole(const std::vector<double>& vector) {
    return std::all_of(vector.begin(), vector.end(),
                       [](double x) { return x == std::trunc(x) && std::fabs(x) < 1000; });
}

bool AllZero(const std::vector<double>& vector) {
    return std::all_of(vector.begin(), vector.end(), [](double x) { return x == 0; });
}

double Distance(int32_t metric, const std::vector<double>& a, const std::vector<double>& b) {
    double difference = 0;
    double product = 0;
    double a_squares = 0;
    double b_squares = 0;
    for (size_t i = 0; i < a.size(); i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        product += a[i] * b[i];
        a_squares += a[i] * a[i];
        b_squares += b[i] * b[i];
    }
    switch (metric) {
        case QUERN_IP: return -product;
        case QUERN_COSINE: {
            const bool zero = a_squares == 0 || b_squares == 0;
            return zero ? 1 : 1 - product / std::sqrt(a_squares * b_squares);
        }
        default: return difference;  // of bits, too: the number of those that differ
    }
}

// One record as the answer to a query, before the cut.
struct Candidate {
    Json key;
    double distance = 0;
    std::vector<double> vector;
    bool exact = false;  // the distance has no rounding at any SIMD level
};

bool TieIsCertain(const Candidate& a, const Candidate& b) {
    return a.distance == b.distance && ((a.exact && b.exact) || a.vector == b.vector);
}

bool AreApart(double a, double b) {
    return std::fabs(a - b) >= kGap * std::max(1.0, std::fabs(a));
}

}  // namespace

void Must(int32_t status, const quern_error& err, const std::string& what) {
    if (status != QUERN_OK) {
        Die(what + ": " + quern_status_name(status) + ": " + err.message);
    }
}

bool KeyLess::operator()(const Json& a, const Json& b) const {
    return a.is_string() ? a.get_ref<const std::string&>() < b.get_ref<const std::string&>()
                         : a.get<int64_t>() < b.get<int64_t>();
}

GoldenCollection::GoldenCollection(GoldenFile* file, CollectionSchema schema)
    : file_(file), schema_(std::move(schema)) {
    quern_error err = QUERN_ERROR_INIT;
    const Handle<quern_schema> made(quern_schema_new());
    if (schema_.key_type == QUERN_KEY_INT) {
        quern_schema_key_int(made.get(), schema_.key_name.c_str());
    } else {
        quern_schema_key_text(made.get(), schema_.key_name.c_str());
    }
    for (const Column& column : schema_.columns) {
        if (column.type == QUERN_DENSE) {
            quern_schema_dense(made.get(), column.name.c_str(), column.dim, column.metric,
                               TypeOption(column).c_str());
        } else {
            quern_schema_attr(made.get(), column.name.c_str(), column.type, nullptr);
        }
    }
    Must(quern_create(file_->db(), schema_.name.c_str(), made.get(), &err), err,
         "create " + schema_.name);
}

void GoldenCollection::Put(const Columns& columns, const Rows& rows, bool whole) {
    for (const Json& row : rows) {
        Record& record = records_[row.at(0)];
        if (whole) {
            record.clear();
        }
        for (size_t i = 0; i < columns.size(); i++) {
            record[columns[i]] = StoredValue(schema_.Find(columns[i]), row.at(i + 1));
        }
    }
}

void GoldenCollection::Insert(const Columns& columns, const Rows& rows) {
    quern_error err = QUERN_ERROR_INIT;
    const RowBatch batch(file_->db(), schema_, columns, rows);
    Must(quern_insert(batch.get(), nullptr, &err), err, "insert into " + schema_.name);
    Put(columns, rows, true);
}

void GoldenCollection::Upsert(const Columns& columns, const Rows& rows) {
    quern_error err = QUERN_ERROR_INIT;
    const RowBatch batch(file_->db(), schema_, columns, rows);
    Must(quern_upsert(batch.get(), nullptr, &err), err, "upsert into " + schema_.name);
    Put(columns, rows, true);
}

void GoldenCollection::Update(const Columns& columns, const Rows& rows) {
    quern_error err = QUERN_ERROR_INIT;
    const RowBatch batch(file_->db(), schema_, columns, rows);
    Must(quern_update(batch.get(), nullptr, &err), err, "update " + schema_.name);
    Put(columns, rows, false);
}

void GoldenCollection::Delete(const std::vector<Json>& keys) {
    quern_error err = QUERN_ERROR_INIT;
    Rows rows;
    for (const Json& key : keys) {
        rows.push_back(Json::array({key}));
    }
    const RowBatch batch(file_->db(), schema_, {}, rows);
    Must(quern_delete(batch.get(), nullptr, &err), err, "delete from " + schema_.name);
    for (const Json& key : keys) {
        records_.erase(key);
    }
}

void GoldenCollection::AddColumn(const Column& column) {
    quern_error err = QUERN_ERROR_INIT;
    const char* collection = schema_.name.c_str();
    const bool dense = column.type == QUERN_DENSE;
    Must(dense ? quern_add_dense(file_->db(), collection, column.name.c_str(), column.dim,
                                 column.metric, TypeOption(column).c_str(), &err)
               : quern_add_attr(file_->db(), collection, column.name.c_str(), column.type, nullptr,
                                &err),
         err, "add " + column.name);
    // Attributes stand before fields.
    const auto at = std::find_if(schema_.columns.begin(), schema_.columns.end(),
                                 [](const Column& c) { return c.type == QUERN_DENSE; });
    schema_.columns.insert(dense ? schema_.columns.end() : at, column);
}

void GoldenCollection::DropColumn(const std::string& name) {
    quern_error err = QUERN_ERROR_INIT;
    Must(quern_drop_column(file_->db(), schema_.name.c_str(), name.c_str(), &err), err,
         "drop " + name);
    schema_.columns.erase(schema_.columns.begin() +
                          static_cast<std::ptrdiff_t>(schema_.PlaceOf(name)) - 1);
    for (auto& [key, record] : records_) {
        record.erase(name);
    }
}

void GoldenCollection::Rename(const std::string& name) {
    quern_error err = QUERN_ERROR_INIT;
    Must(quern_rename(file_->db(), schema_.name.c_str(), name.c_str(), &err), err,
         "rename to " + name);
    schema_.name = name;
}

void GoldenCollection::Search(const Json& search) {
    searches_.push_back(search);
}

Json GoldenCollection::Nearest(const Json& search, const Column& field, const Json& query,
                               const Json* self) const {
    const std::vector<double> wanted = Numbers(query);
    if (wanted.size() != field.dim) {
        Die("a query of field " + field.name + " has another dimension");
    }
    std::vector<Candidate> candidates;
    for (const auto& [key, record] : records_) {
        const auto value = record.find(field.name);
        if (value == record.end() || value->second.is_null() ||
            (self != nullptr && key == *self && search.value("self", "") != "include")) {
            continue;
        }
        Candidate candidate;
        candidate.key = key;
        candidate.vector = Numbers(value->second);
        candidate.distance = Distance(field.metric, wanted, candidate.vector);
        candidate.exact = field.metric == QUERN_COSINE
                              ? AllZero(wanted) || AllZero(candidate.vector)
                              : AllWhole(wanted) && AllWhole(candidate.vector);
        candidates.push_back(std::move(candidate));
    }
    // The map is in key order, so a stable sort breaks ties by key.
    std::stable_sort(
        candidates.begin(), candidates.end(),
        [](const Candidate& a, const Candidate& b) { return a.distance < b.distance; });
    double bound = std::numeric_limits<double>::infinity();
    if (search.contains("max_distance")) {
        bound = search["max_distance"];
    }
    if (search.contains("min_score")) {
        const double score = search["min_score"];
        bound = field.metric == QUERN_COSINE ? 1 - score : -score;
    }
    const size_t k = search["k"].get<size_t>();
    Json found = Json::array();
    for (size_t i = 0; i < candidates.size(); i++) {
        const Candidate& candidate = candidates[i];
        if (!AreApart(candidate.distance, bound) && !candidate.exact) {
            Die("the bound of a search of " + field.name + " is too close to a distance");
        }
        const bool cut = k != 0 && i >= k;
        if (i > 0 && !TieIsCertain(candidates[i - 1], candidate) &&
            !AreApart(candidates[i - 1].distance, candidate.distance)) {
            Die("two neighbours in field " + field.name +
                " are too close: " + candidates[i - 1].key.dump() + " and " + candidate.key.dump() +
                ", distance " + Json(candidate.distance).dump());
        }
        if (cut || candidate.distance > bound) {
            break;
        }
        found.push_back(Json::array({candidate.key, NumberJson(candidate.distance)}));
    }
    return found;
}

Json GoldenCollection::Answer(const Json& search) const {
    const Column& field = schema_.Find(search["field"]);
    Json answered = search;
    answered["found"] = Json::array();
    if (search.contains("queries")) {
        for (const Json& query : search["queries"]) {
            answered["found"].push_back(Nearest(search, field, query, nullptr));
        }
    } else {
        for (const Json& key : search["keys"]) {
            const Json& query = records_.at(key).at(field.name);
            answered["found"].push_back(Nearest(search, field, query, &key));
        }
    }
    return answered;
}

void GoldenCollection::CheckShape(const Json& info) const {
    const Json seen = {info.at("log_rows"), info.at("dead_records"), info.at("segments").size()};
    std::set<std::string> codecs;
    for (const Json& segment : info.at("segments")) {
        for (const Json& part : segment.at("parts")) {
            for (const auto& [codec, chunks] : part.at("codecs").items()) {
                codecs.insert(codec);
            }
        }
    }
    const Json wanted = {shape_.log_rows, shape_.dead_records, shape_.segments};
    if (seen != wanted || Json(codecs) != Json(shape_.codecs)) {
        Die("collection " + schema_.name + " has log rows, dead records, segments " + seen.dump() +
            " instead of " + wanted.dump() + ", codecs " + Json(codecs).dump());
    }
}

// One record or search a line, so that a change of the form shows as such.
void GoldenCollection::WriteAnswers(std::string* out) const {
    Json head = SchemaJson(schema_);
    head["shape"] = Json{{"log_rows", shape_.log_rows},
                         {"dead_records", shape_.dead_records},
                         {"segments", shape_.segments},
                         {"codecs", shape_.codecs}};
    std::string text = head.dump();
    text.back() = ',';
    text += "\n  \"records\": [";
    const char* before = "\n   ";
    for (const auto& [key, record] : records_) {
        Json row = Json::array({key});
        for (const Column& column : schema_.columns) {
            const auto value = record.find(column.name);
            row.push_back(value != record.end() ? value->second : Json());
        }
        text += before + row.dump();
        before = ",\n   ";
    }
    text += "],\n  \"searches\": [";
    before = "\n   ";
    for (const Json& search : searches_) {
        text += before + Answer(search).dump();
        before = ",\n   ";
    }
    *out += text + "]}";
}

GoldenFile::GoldenFile(const std::filesystem::path& dir, const std::string& name,
                       const std::string& what, const std::string& options)
    : base_(dir / name), what_(what) {
    Reopen(options);
}

void GoldenFile::Reopen(const std::string& options) {
    quern_error err = QUERN_ERROR_INIT;
    db_.reset();
    quern_db* db = nullptr;
    // One thread: the same file every time, whatever the machine.
    Must(quern_open((base_.string() + ".quern").c_str(), (options + " threads=1").c_str(), &db,
                    &err),
         err, "open " + base_.string());
    db_.reset(db);
}

GoldenCollection& GoldenFile::Create(const CollectionSchema& schema) {
    collections_.push_back(GoldenCollection(this, schema));
    return collections_.back();
}

void GoldenFile::Drop(const std::string& collection) {
    quern_error err = QUERN_ERROR_INIT;
    Must(quern_drop(db(), collection.c_str(), &err), err, "drop " + collection);
    const auto at = std::find_if(
        collections_.begin(), collections_.end(),
        [&](const GoldenCollection& other) { return other.schema_.name == collection; });
    collections_.erase(at);
}

void GoldenFile::Optimize(const char* collection) {
    quern_error err = QUERN_ERROR_INIT;
    Must(quern_optimize(db(), collection, 0, &err), err, "optimize");
}

void GoldenFile::Vacuum() {
    quern_error err = QUERN_ERROR_INIT;
    Must(quern_vacuum(db(), &err), err, "vacuum");
}

void GoldenFile::Finish() {
    quern_error err = QUERN_ERROR_INIT;
    quern_text* info = nullptr;
    Must(quern_info(db(), &info, &err), err, "info");
    const Json seen = Json::parse(quern_text_data(info));
    quern_text_free(info);
    for (const Json& entry : seen.at("collections")) {
        for (const GoldenCollection& collection : collections_) {
            if (entry.at("name") == collection.schema_.name) {
                collection.CheckShape(entry);
            }
        }
    }
    db_.reset();
    for (const char* suffix : {".quern-wal", ".quern-shm", ".quern-journal"}) {
        if (std::filesystem::exists(base_.string() + suffix)) {
            Die(base_.string() + suffix + " was left behind");
        }
    }
    std::string text = "{\"version\": " + Json(quern_version()).dump() +
                       ",\n \"format\": " + seen.at("format").dump() +
                       ",\n \"what\": " + Json(what_).dump() + ",\n \"collections\": [";
    const char* before = "\n ";
    for (const GoldenCollection& collection : collections_) {
        text += before;
        collection.WriteAnswers(&text);
        before = ",\n ";
    }
    text += "]}\n";
    std::ofstream(base_.string() + ".json", std::ios::binary) << text;
}

}  // namespace quern::golden
