#include "retrieval_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "float_codes.h"
#include "format_error.h"
#include "jsonl_format.h"

namespace quern::shell {
namespace {

constexpr char kBlanks[] = " \t\r\v\f\n";
constexpr size_t kListedQueriesMax = 1048576;  // the library's default limit

// The fields between tabs where there are any, else the words. At most 5 are told.
std::vector<std::string> Fields(const std::string& line) {
    const char* const ends = line.find('\t') != std::string::npos ? "\t" : kBlanks;
    std::vector<std::string> fields;
    for (size_t at = 0; at < line.size() && fields.size() < 5;) {
        const size_t end = std::min(line.find_first_of(ends, at), line.size());
        std::string field = line.substr(at, end - at);
        field.erase(0, std::min(field.find_first_not_of(kBlanks), field.size()));
        field.erase(field.find_last_not_of(kBlanks) + 1);
        if (!field.empty()) {
            fields.push_back(std::move(field));
        }
        at = end + 1;
    }
    return fields;
}

void CheckName(const char* what, const std::string& name) {
    if (name.empty() || name.find_first_of(kBlanks) != std::string::npos) {
        throw FormatError(std::string(what) + " " + Quoted(name) +
                          " cannot stand in a run: it is empty or has spaces");
    }
}

}  // namespace

std::string BeirFile(const std::string& folder, const std::string& name) {
    for (const char* ending : {".jsonl", ".jsonl.gz", ".jsonl.zst"}) {
        std::string path = folder;
        path.append("/").append(name).append(ending);
        struct stat info {};
        if (stat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
            return path;
        }
    }
    return {};
}

bool QrelsReader::Next(Judgment* judgment) {
    while (source_->ReadLine(&line_)) {
        const std::vector<std::string> fields = Fields(line_);
        if (fields.empty()) {
            continue;
        }
        const bool fits = (fields.size() == 3 || fields.size() == 4) &&
                          ParseDouble(fields.back(), &judgment->gain) &&
                          std::isfinite(judgment->gain);
        if (!fits) {
            if (source_->line_number() == 1) {
                continue;  // the names of columns
            }
            throw FormatError(source_->name() + ":" + std::to_string(source_->line_number()) +
                              ": not 'QUERY 0 RECORD GAIN' or 'QUERY RECORD GAIN'");
        }
        judgment->query = fields[0];
        judgment->record = fields[fields.size() - 2];
        return true;
    }
    return false;
}

std::vector<std::string> ReadQueryIds(ByteSource* source, bool json_lines) {
    std::vector<std::string> ids;
    std::unordered_set<std::string> seen;
    std::string line;
    Value value;
    Record record;
    while (source->ReadLine(&line)) {
        const std::string place =
            source->name() + ":" + std::to_string(source->line_number()) + ": ";
        if (json_lines) {
            if (line.find_first_not_of(kBlanks) == std::string::npos) {
                continue;
            }
            record.Clear();
            std::string problem;
            if (!ParseJsonObject(line, &record, &problem)) {
                throw FormatError(place + problem);
            }
            const Value* id = nullptr;
            for (const char* name : {"_id", "id", "query_id"}) {
                id = id == nullptr ? record.Find(name) : id;
            }
            if (id == nullptr ||
                (id->kind != Value::Kind::kText && id->kind != Value::Kind::kInt)) {
                throw FormatError(place + "the query has no \"_id\", \"id\" or \"query_id\"");
            }
            line = id->kind == Value::Kind::kInt ? std::to_string(id->integer) : id->text;
        } else {
            line.resize(std::min(line.find_first_of(kBlanks), line.size()));
        }
        if (!seen.insert(line).second) {
            throw FormatError(place + "the query " + Quoted(line) + " is there twice");
        }
        if (ids.size() == kListedQueriesMax) {
            throw FormatError(place + "more than " + std::to_string(kListedQueriesMax) +
                              " queries");
        }
        ids.push_back(line);
    }
    return ids;
}

RunWriter::RunWriter(std::unique_ptr<ByteSink> sink, std::string tag)
    : sink_(std::move(sink)), tag_(std::move(tag)) {
    CheckName("the tag", tag_);
}

void RunWriter::Add(const std::string& query, const std::string& record, float score) {
    CheckName("the query", query);
    CheckName("the key", record);
    if (rank_ == 0 || query != query_) {
        query_ = query;
        rank_ = 0;
    }
    if (rank_ > 0 && !(score < last_)) {
        score = std::nextafter(last_, -std::numeric_limits<float>::infinity());
    }
    score += 0.0f;  // no minus zero
    last_ = score;
    line_.assign(query).append(" Q0 ").append(record).append(" ");
    line_.append(std::to_string(++rank_)).append(" ");
    AppendFloat(score, &line_);
    line_.append(" ").append(tag_).append("\n");
    sink_->Write(line_);
}

}  // namespace quern::shell
