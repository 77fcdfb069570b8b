// Reading the legs of a search.
#include "search_legs.h"

#include <cmath>

#include "file_format.h"
#include "float_codes.h"
#include "format_error.h"
#include "jsonl_format.h"
#include "spmat_format.h"

namespace quern::shell {
namespace {

// The part of `text` before the first `end`, which is taken from it with `end`; false: there is
// none.
bool TakeUntil(char end, std::string* text, std::string* piece) {
    const size_t at = text->find(end);
    if (at == std::string::npos) {
        return false;
    }
    *piece = text->substr(0, at);
    *text = text->substr(at + 1);
    return true;
}

// Hands the rows of a file to take, those outside of --skip-rows and --limit left out.
template <typename Take>
void ReadRows(const QueryFile& file, FileFormat format, Take take) {
    const std::unique_ptr<RecordReader> reader =
        NewRecordReader(ByteSource::Open(file.path, StopFlag()), format);
    Record record;
    for (uint64_t rows = 0; rows < file.limit && reader->Next(&record);) {
        CheckStopped();
        if (record.row >= file.skip_rows) {
            take(record);
            rows++;
        }
    }
}

FileFormat FormatOf(const QueryFile& file) {
    return file.format.empty() ? FormatOfPath(file.path) : FormatOfName(file.format);
}

const Value& ValueOf(const Record& record, const std::string& column) {
    const Value* const value = record.Find(column);
    if (value == nullptr) {
        throw FormatError(record.where + ": no column '" + column + "'");
    }
    return *value;
}

}  // namespace

SearchLeg::SearchLeg(const std::string& words, const CollectionColumns& columns,
                     const QueryFile& file)
    : words_(words) {
    std::string what = words;
    std::string head;
    if (!TakeUntil(':', &what, &head)) {
        FailLeg("wanted [WEIGHT*]FIELD[ OPTION=VALUE]...:WHAT");
    }
    ReadHead(head);
    ReadWhat(what, columns, file);
}

void SearchLeg::FailLeg(const std::string& what) const {
    FailUsage("'" + words_ + "': " + what);
}

double SearchLeg::ReadNumber(const std::string& name, const std::string& text) const {
    double number = 0;
    if (!ParseDouble(text, &number) || std::isnan(number)) {
        FailLeg(name + " is '" + text + "', not a number");
    }
    return number;
}

void SearchLeg::ReadHead(const std::string& head) {
    std::string rest = head;
    std::string piece;
    if (TakeUntil('*', &rest, &piece)) {
        weight_ = ReadNumber("the weight", piece);
    }
    // Names may have spaces: options begin behind the last word without "=".
    std::string options;
    for (size_t space = rest.rfind(' ');
         space != std::string::npos && rest.find('=', space) != std::string::npos;
         space = rest.rfind(' ')) {
        options = rest.substr(space + 1) + " " + options;
        rest.resize(space);
    }
    field_ = rest;
    while (TakeUntil(' ', &options, &piece)) {
        std::string value = piece;
        std::string name;
        if (!TakeUntil('=', &value, &name)) {
            continue;
        }
        if (name == "limit") {
            limit_ = static_cast<size_t>(std::max(0.0, ReadNumber(name, value)));
            has_limit_ = true;
        } else if (name == "min_score") {
            min_score_ = ReadNumber(name, value);
            has_min_score_ = true;
        } else if (name == "max_distance") {
            max_distance_ = ReadNumber(name, value);
            has_max_distance_ = true;
        } else if (name == "absent" || name == "against" || name == "name" || name == "guide") {
            leg_options_ += (leg_options_.empty() ? "" : " ") + piece;
        } else {
            CheckOption(name);
            options_ += (options_.empty() ? "" : " ") + piece;
        }
    }
}

// Of those that the library knows of a whole query, a leg has its own.
void SearchLeg::CheckOption(const std::string& name) const {
    static const char* const kNames[] = {"absent",       "against",     "bound",  "ef",
                                         "guide",        "limit",       "name",   "nprobe",
                                         "max_distance", "min_score",   "recall", "refine",
                                         "self",         "superblocks", "terms",  "threads"};
    std::string names;
    for (const char* const one : kNames) {
        if (name == one) {
            return;
        }
        names.append(names.empty() ? "" : ", ").append(one);
    }
    FailLeg("unknown option '" + name + "'; there are: " + names);
}

void SearchLeg::ReadWhat(const std::string& what, const CollectionColumns& columns,
                         const QueryFile& file) {
    const DenseColumn* const dense = columns.FindDense(field_);
    const SparseColumn* const sparse = columns.FindSparse(field_);
    QueryFile of_field = file;
    of_field.column = field_;
    if (field_.empty() ||
        (dense == nullptr && sparse == nullptr && columns.FindText(field_) == nullptr)) {
        FailLeg("the collection has no field '" + field_ + "'");
    }
    if (dense == nullptr && sparse == nullptr) {
        ReadTexts(what, of_field);
    } else if (what.rfind("key=", 0) == 0) {
        ReadKey(what.substr(4), columns);
    } else if (dense != nullptr) {
        ReadDense(what, *dense, of_field);
    } else {
        ReadSparse(what, *sparse, of_field);
    }
}

void SearchLeg::ReadKey(const std::string& key, const CollectionColumns& columns) {
    what_ = What::kTextKey;
    texts_ = {key};
    count_ = 1;
    if (columns.key.type == QUERN_KEY_INT) {
        what_ = What::kIntKey;
        if (!ParseInt(key, &int_key_)) {
            FailLeg("the keys of this collection are whole numbers");
        }
    }
}

void SearchLeg::ReadDense(const std::string& what, const DenseColumn& column,
                          const QueryFile& file) {
    what_ = What::kDense;
    if (what.rfind('@', 0) == 0) {
        QueryFile named = file;
        named.path = what.substr(1);
        vectors_ = LoadQueries(named);
    } else {
        Value value;
        std::string problem;
        if (!ParseJsonValue(what, &value, &problem) || value.kind != Value::Kind::kNumbers) {
            FailLeg("wanted a vector as in [0.1, 0.2], @FILE or key=KEY");
        }
        vectors_.dim = value.numbers.size();
        vectors_.count = 1;
        vectors_.matrix = std::move(value.numbers);
    }
    count_ = vectors_.count;
    if (count_ > 0 && vectors_.dim != column.dim) {
        FailLeg("the queries have dimension " + std::to_string(vectors_.dim) + ", the field has " +
                std::to_string(column.dim));
    }
}

void SearchLeg::ReadSparse(const std::string& what, const SparseColumn& column,
                           const QueryFile& file) {
    if (what.rfind("text=", 0) == 0) {
        what_ = What::kSparseText;
        texts_ = {what.substr(5)};
        count_ = 1;
        return;
    }
    what_ = What::kSparse;
    SparseEntries entries;
    std::string problem;
    if (what.rfind('@', 0) != 0) {
        Value value;
        value.kind = Value::Kind::kJson;
        value.text = what;
        if (!ConvertSparse(value, column.dims, false, &entries, &problem)) {
            FailLeg(problem);
        }
        AddSparse(entries);
        return;
    }
    QueryFile named = file;
    named.path = what.substr(1);
    const FileFormat format = FormatOf(named);
    if (format == FileFormat::kUnknown) {
        ByteSource::Open(named.path, StopFlag());  // throws if it is not there
    }
    if (format != FileFormat::kJsonl && format != FileFormat::kSpmat) {
        FailLeg("sparse queries are read from JSON lines and spmat");
    }
    const std::string name = format == FileFormat::kSpmat ? kSpmatColumn : field_;
    ReadRows(named, format, [&](const Record& record) {
        if (!ConvertSparse(ValueOf(record, name), column.dims, false, &entries, &problem)) {
            throw FormatError(record.where + ": " + problem);
        }
        AddSparse(entries);
    });
}

void SearchLeg::AddSparse(const SparseEntries& entries) {
    sparse_.dims.insert(sparse_.dims.end(), entries.dims.begin(), entries.dims.end());
    sparse_.weights.insert(sparse_.weights.end(), entries.weights.begin(), entries.weights.end());
    offsets_.push_back(sparse_.dims.size());
    count_++;
}

void SearchLeg::ReadTexts(const std::string& what, const QueryFile& file) {
    what_ = What::kText;
    QueryFile named = file;
    named.path = what.rfind('@', 0) == 0 ? what.substr(1) : "";
    if (named.path.empty()) {
        texts_ = {what};
    } else if (const FileFormat format = FormatOf(named); format == FileFormat::kJsonl ||
                                                          format == FileFormat::kCsv ||
                                                          format == FileFormat::kTsv) {
        // Queries as BEIR has them are a text whatever the field.
        ReadRows(named, format, [&](const Record& record) {
            const bool has_field = record.Find(field_) != nullptr;
            texts_.push_back(ValueOf(record, has_field ? field_ : "text").text);
        });
    } else {
        const auto source = ByteSource::Open(named.path, StopFlag());
        std::string line;
        for (uint64_t row = 0; texts_.size() < named.limit && source->ReadLine(&line); row++) {
            if (row >= named.skip_rows) {
                texts_.push_back(line);
            }
        }
    }
    count_ = texts_.size();
}

QueryPtr SearchLeg::NewQuery(quern_db* db, const std::string& collection, const std::string& knobs,
                             size_t first, size_t count) const {
    QueryPtr query(NotNull(quern_query_new(db, collection.c_str())));
    std::vector<const char*> texts;
    for (size_t i = first; i < first + count && i < texts_.size(); i++) {
        texts.push_back(texts_[i].c_str());
    }
    switch (what_) {
        case What::kDense:
            quern_query_dense(query.get(), field_.c_str(), vectors_.row(first), count,
                              vectors_.dim);
            break;
        case What::kSparse:
            // Offsets count from the start of the arrays.
            quern_query_sparse(query.get(), field_.c_str(), offsets_.data() + first,
                               sparse_.dims.data(), sparse_.weights.data(), count);
            break;
        case What::kSparseText:
            quern_query_sparse_text(query.get(), field_.c_str(), texts.data(), texts.size());
            break;
        case What::kText:
            quern_query_text(query.get(), field_.c_str(), texts.data(), texts.size());
            break;
        case What::kIntKey: quern_query_key_int(query.get(), field_.c_str(), &int_key_, 1); break;
        case What::kTextKey:
            quern_query_key_text(query.get(), field_.c_str(), texts.data(), texts.size());
            break;
    }
    if (has_limit_) {
        quern_query_limit(query.get(), limit_);
    }
    if (has_min_score_) {
        quern_query_min_score(query.get(), min_score_);
    }
    if (has_max_distance_) {
        quern_query_max_distance(query.get(), max_distance_);
    }
    quern_query_options(query.get(), knobs.c_str());
    quern_query_options(query.get(), options_.c_str());
    return query;
}

}  // namespace quern::shell
