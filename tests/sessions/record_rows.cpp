#include "tests/sessions/record_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/sessions/violation.h"

namespace sessions {

const char* const kColumnNames =
    "year price title good tags extra raw near along round bits terms marks body";

void CreateDocs(quern_db* db, const IndexOptions& indexes) {
    quern_error err = QUERN_ERROR_INIT;
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "year", QUERN_INT, nullptr);
    quern_schema_attr(schema, "price", QUERN_REAL, nullptr);
    quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
    quern_schema_attr(schema, "good", QUERN_BOOL, nullptr);
    quern_schema_attr(schema, "tags", QUERN_TAGS, nullptr);
    quern_schema_attr(schema, "extra", QUERN_JSON, nullptr);
    quern_schema_attr(schema, "raw", QUERN_BLOB, nullptr);
    const std::string* const options[] = {&indexes.near, &indexes.along, &indexes.round};
    const char* const types[] = {"type=f32 ", "type=i8 ", "type=f16 "};
    for (size_t field = 0; field < kBits; field++) {
        quern_schema_dense(schema, kDense[field].name, kDense[field].dim, kDense[field].metric,
                           (types[field] + *options[field]).c_str());
    }
    quern_schema_dense(schema, "bits", kDense[kBits].dim, QUERN_HAMMING, nullptr);
    quern_schema_sparse(schema, "terms", "dims=10");
    quern_schema_sparse(schema, "marks", "dims=10 weights=none");
    quern_schema_text(schema, "body", nullptr);
    const int32_t status = quern_create(db, "docs", schema, &err);
    quern_schema_free(schema);
    Ok(status, err, "quern_create");
}

struct RecordBatch::Arrays {
    struct Texts {
        std::vector<std::string> texts;
        std::vector<const char*> pointers;
    };
    std::vector<int64_t> keys, years;
    std::vector<double> prices;
    std::vector<uint8_t> goods;
    Texts titles, extras, bodies, raws, tags;
    std::vector<const void*> raw_pointers;
    std::vector<size_t> raw_sizes, tag_offsets{0};
    std::array<std::vector<float>, kDenseFields> matrix;
    std::array<std::vector<size_t>, kSparseFields> offsets{{{0}, {0}}};
    std::array<std::vector<uint32_t>, kSparseFields> dims;
    std::array<std::vector<float>, kSparseFields> weights;
    std::array<std::vector<uint8_t>, kColumns> valid;
};

RecordBatch::RecordBatch(quern_db* db, const std::vector<std::pair<int64_t, Record>>& rows,
                         unsigned mask)
    : batch_(quern_batch_new(db, "docs", rows.size())), arrays_(std::make_shared<Arrays>()) {
    Arrays& a = *arrays_;
    const auto add = [](Arrays::Texts* to, const std::optional<std::string>& text) {
        to->texts.push_back(text.value_or(""));
    };
    for (const auto& [key, r] : rows) {
        a.keys.push_back(key);
        a.years.push_back(r.year.value_or(0));
        a.prices.push_back(r.price.value_or(0));
        a.goods.push_back(r.good.value_or(false) ? 1 : 0);
        add(&a.titles, r.title);
        add(&a.extras, r.extra);
        add(&a.raws, r.raw);
        a.bodies.texts.push_back(r.body ? TextOf(*r.body) : "");
        for (const std::string& tag : r.tags.value_or(std::set<std::string>())) {
            a.tags.texts.push_back(tag);
        }
        a.tag_offsets.push_back(a.tags.texts.size());
        unsigned column = 0;
        for (const bool valid :
             {r.year.has_value(), r.price.has_value(), r.title.has_value(), r.good.has_value(),
              r.tags.has_value(), r.extra.has_value(), r.raw.has_value()}) {
            a.valid[column++].push_back(valid ? 1 : 0);
        }
        for (size_t field = 0; field < kDenseFields; field++) {
            const std::vector<float> vector =
                r.dense[field].value_or(std::vector<float>(kDense[field].dim));
            a.matrix[field].insert(a.matrix[field].end(), vector.begin(), vector.end());
            a.valid[column++].push_back(r.dense[field] ? 1 : 0);
        }
        for (size_t field = 0; field < kSparseFields; field++) {
            for (const auto& [dimension, weight] : r.sparse[field].value_or(Terms())) {
                a.dims[field].push_back(dimension);
                a.weights[field].push_back(weight);
            }
            a.offsets[field].push_back(a.dims[field].size());
            a.valid[column++].push_back(r.sparse[field] ? 1 : 0);
        }
        a.valid[column++].push_back(r.body ? 1 : 0);
    }
    for (Arrays::Texts* texts : {&a.titles, &a.extras, &a.bodies, &a.raws, &a.tags}) {
        for (const std::string& text : texts->texts) {
            texts->pointers.push_back(text.c_str());
        }
    }
    for (const std::string& raw : a.raws.texts) {
        a.raw_pointers.push_back(raw.data());
        a.raw_sizes.push_back(raw.size());
    }
    a.tags.pointers.push_back(nullptr);  // never an empty array
    quern_batch_key_int(batch_, a.keys.data());
    const auto set = [&](unsigned column) { return (mask >> column & 1) != 0; };
    if (set(0)) {
        quern_batch_int(batch_, "year", a.years.data(), a.valid[0].data());
    }
    if (set(1)) {
        quern_batch_real(batch_, "price", a.prices.data(), a.valid[1].data());
    }
    if (set(2)) {
        quern_batch_text(batch_, "title", a.titles.pointers.data(), a.valid[2].data());
    }
    if (set(3)) {
        quern_batch_bool(batch_, "good", a.goods.data(), a.valid[3].data());
    }
    if (set(4)) {
        quern_batch_tags(batch_, "tags", a.tag_offsets.data(), a.tags.pointers.data(),
                         a.valid[4].data());
    }
    if (set(5)) {
        quern_batch_text(batch_, "extra", a.extras.pointers.data(), a.valid[5].data());
    }
    if (set(6)) {
        quern_batch_blob(batch_, "raw", a.raw_pointers.data(), a.raw_sizes.data(),
                         a.valid[6].data());
    }
    for (unsigned field = 0; field < kDenseFields; field++) {
        if (set(7 + field)) {
            quern_batch_dense(batch_, kDense[field].name, a.matrix[field].data(), kDense[field].dim,
                              a.valid[7 + field].data());
        }
    }
    for (unsigned field = 0; field < kSparseFields; field++) {
        const unsigned column = 7 + kDenseFields + field;
        if (set(column)) {
            a.dims[field].push_back(0);  // never an empty array
            a.weights[field].push_back(0);
            quern_batch_sparse(
                batch_, kSparse[field], a.offsets[field].data(), a.dims[field].data(),
                field == kMarks ? nullptr : a.weights[field].data(), a.valid[column].data());
        }
    }
    if (set(kColumns - 1)) {
        quern_batch_text(batch_, "body", a.bodies.pointers.data(), a.valid[kColumns - 1].data());
    }
}

void SetColumns(const Record& from, unsigned mask, Record* record) {
    const auto set = [&](unsigned column, auto Record::*member) {
        if ((mask >> column & 1) != 0) {
            record->*member = from.*member;
        }
    };
    set(0, &Record::year);
    set(1, &Record::price);
    set(2, &Record::title);
    set(3, &Record::good);
    set(4, &Record::tags);
    set(5, &Record::extra);
    set(6, &Record::raw);
    for (unsigned field = 0; field < kDenseFields; field++) {
        if ((mask >> (7 + field) & 1) != 0) {
            record->dense[field] = from.dense[field];
        }
    }
    for (unsigned field = 0; field < kSparseFields; field++) {
        if ((mask >> (7 + kDenseFields + field) & 1) != 0) {
            record->sparse[field] = from.sparse[field];
        }
    }
    set(kColumns - 1, &Record::body);
}

namespace {

float FromHalf(uint16_t half) {  // of small whole numbers
    const int exponent = (half >> 10 & 31) - 15;
    const float mantissa = 1 + static_cast<float>(half & 1023) / 1024;
    const float value = half << 1 == 0 ? 0 : std::ldexp(mantissa, exponent);
    return (half & 0x8000) != 0 ? -value : value;
}

std::vector<float> TakeVector(const void* data, int32_t type, size_t dim) {
    std::vector<float> vector(dim);
    for (size_t i = 0; i < dim; i++) {
        if (type == QUERN_F32) {
            std::memcpy(&vector[i], static_cast<const char*>(data) + i * sizeof(float),
                        sizeof(float));
        } else if (type == QUERN_F16) {
            uint16_t half = 0;
            std::memcpy(&half, static_cast<const char*>(data) + i * sizeof half, sizeof half);
            vector[i] = FromHalf(half);
        } else if (type == QUERN_I8) {
            vector[i] = static_cast<float>(static_cast<const int8_t*>(data)[i]);
        } else {
            const uint8_t byte = static_cast<const uint8_t*>(data)[i / 8];
            vector[i] = static_cast<float>(byte >> (i % 8) & 1);
        }
    }
    return vector;
}

std::set<std::string> TakeTags(const std::string& json) {
    std::set<std::string> tags;
    for (const std::string& word : kWords) {
        if (json.find("\"" + word + "\"") != std::string::npos) {
            tags.insert(word);
        }
    }
    Want(json == TagsOf(tags), "tags came back as " + json);
    return tags;
}

std::vector<size_t> TakeWords(const std::string& text) {
    std::vector<size_t> words;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find(' ', begin), text.size());
        const auto word = std::find(kWords.begin(), kWords.end(), text.substr(begin, end - begin));
        Want(word != kWords.end(), "a text came back as " + text);
        words.push_back(static_cast<size_t>(word - kWords.begin()));
        begin = end + 1;
    }
    return words;
}

}  // namespace

Record TakeRecord(const quern_result* rows, size_t row) {
    Record record;
    size_t column = 0;
    const auto there = [&] { return quern_result_type(rows, row, column) != 0; };
    const auto text = [&]() -> std::optional<std::string> {
        size_t size = 0;
        const char* const data = quern_result_text(rows, row, column, &size);
        return there() && data != nullptr ? std::optional(std::string(data, size)) : std::nullopt;
    };
    if (there()) {
        record.year = quern_result_int(rows, row, column);
    }
    column++;
    if (there()) {
        record.price = quern_result_real(rows, row, column);
    }
    column++;
    record.title = text();
    column++;
    if (there()) {
        record.good = quern_result_int(rows, row, column) != 0;
    }
    column++;
    if (const auto tags = text()) {
        record.tags = TakeTags(*tags);
    }
    column++;
    record.extra = text();
    column++;
    record.raw = text();
    column++;
    for (size_t field = 0; field < kDenseFields; field++, column++) {
        size_t dim = 0;
        if (const void* data = quern_result_dense(rows, row, column, &dim)) {
            record.dense[field] = TakeVector(data, kDense[field].type, dim);
        }
    }
    for (size_t field = 0; field < kSparseFields; field++, column++) {
        const float* weights = nullptr;
        size_t count = 0;
        if (const uint32_t* dims = quern_result_sparse(rows, row, column, &weights, &count)) {
            record.sparse[field].emplace();
            for (size_t i = 0; i < count; i++) {
                record.sparse[field]->emplace(dims[i], weights[i]);
            }
        }
    }
    if (const auto body = text()) {
        record.body = TakeWords(*body);
    }
    return record;
}

}  // namespace sessions
