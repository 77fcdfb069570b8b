// A golden file in the making: every change goes to quern and to a plain map, and the answers that
// are written beside the file come from the map alone. Distances are computed here one by one in
// double precision; elements are rounded here as quern.h says, not by asking quern.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "tests/compat/golden_values.h"

namespace quern::golden {

// Ends the program when a call failed.
void Must(int32_t status, const quern_error& err, const std::string& what);

// Integers by value, texts by bytes.
struct KeyLess {
    bool operator()(const Json& a, const Json& b) const;
};

class GoldenFile;

class GoldenCollection {
public:
    using Columns = std::vector<std::string>;
    using Rows = std::vector<Json>;  // each: key, then a value for each of the columns named

    // An existing record is replaced whole by an upsert; an update changes only the columns named.
    void Insert(const Columns& columns, const Rows& rows);
    void Upsert(const Columns& columns, const Rows& rows);
    void Update(const Columns& columns, const Rows& rows);
    void Delete(const std::vector<Json>& keys);  // those that are not there do not matter

    void AddColumn(const Column& column);
    void DropColumn(const std::string& name);
    void Rename(const std::string& name);

    // Adds a search: "field", "queries" or "keys", "k", and, if wanted, "max_distance" or
    // "min_score", "self". It is answered when the file is finished.
    void Search(const Json& search);

    // What the finished file must look like inside; otherwise it would not test what it claims to.
    struct Shape {
        int64_t log_rows = 0;
        int64_t dead_records = 0;  // in quern_dead
        int64_t segments = 0;
        std::vector<std::string> codecs;  // in use, sorted
    };
    void Expect(const Shape& shape) { shape_ = shape; }

    // The value of a record, as it is now.
    const Json& Value(const Json& key, const std::string& column) const {
        return records_.at(key).at(column);
    }

private:
    friend class GoldenFile;
    using Record = std::map<std::string, Json>;  // by column

    GoldenCollection(GoldenFile* file, CollectionSchema schema);
    void Put(const Columns& columns, const Rows& rows, bool whole);
    void WriteAnswers(std::string* out) const;
    void CheckShape(const Json& info) const;
    Json Answer(const Json& search) const;
    Json Nearest(const Json& search, const Column& field, const Json& query,
                 const Json* self) const;

    GoldenFile* file_;
    CollectionSchema schema_;
    std::map<Json, Record, KeyLess> records_;
    std::vector<Json> searches_;
    Shape shape_;
};

class GoldenFile {
public:
    // Creates DIR/NAME.quern. what: one line for the answers.
    GoldenFile(const std::filesystem::path& dir, const std::string& name, const std::string& what,
               const std::string& options);
    // Closes and opens again, with other options.
    void Reopen(const std::string& options);
    GoldenCollection& Create(const CollectionSchema& schema);
    void Drop(const std::string& collection);
    void Optimize(const char* collection = nullptr);  // all of them
    void Vacuum();
    // Checks the shape, closes, and writes DIR/NAME.json.
    void Finish();
    quern_db* db() const { return db_.get(); }

private:
    std::filesystem::path base_;  // without suffix
    std::string what_;
    Handle<quern_db> db_;
    std::list<GoldenCollection> collections_;  // a list: references stay valid when one is dropped
};

}  // namespace quern::golden
