// Compares a database with the answers of a golden file, and changes a copy of one in ways that the
// answers can follow.
//
// Distances may differ by what SIMD levels differ by; keys and their order may not: the writer has
// made sure that neighbours are further apart than that.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/compat/golden_values.h"

namespace quern::golden {

// What went wrong, each with the file and the step that it went wrong in.
class Problems {
public:
    void SetPlace(const std::string& place) {
        place_ = place;
        count_here_ = 0;
    }
    void Add(const std::string& problem);
    size_t count() const { return count_; }

private:
    std::string place_;
    size_t count_ = 0;
    size_t count_here_ = 0;
};

// An open copy of a golden file and the answers that it must give now.
class GoldenCheck {
public:
    GoldenCheck(const Json& answers, Problems* problems);

    // False when the file does not open. Closes what was open.
    bool Open(const std::string& path, const std::string& options);
    void Close() { db_.reset(); }

    // Schemas, counts, all records by scan and by key, all searches.
    void CheckAnswers();
    // What quern_info says of log, tombstones, segments, codecs: only true of an untouched file.
    void CheckShape();
    void CheckVerify();

    // Inserts, updates and deletes records of each collection, adds and drops columns and a
    // collection. From here on the answers are those of the changed file; searches are compared
    // without the records that were touched.
    void ChangeRecords();
    void ChangeSchema();
    void OptimizeAndVacuum();

    quern_db* db() const { return db_.get(); }

private:
    struct Collection {
        CollectionSchema schema;
        std::vector<Json> records;  // in key order
        const Json* answers;        // its searches and shape
        std::set<Json> touched;     // keys
    };
    bool Fine(int32_t status, const std::string& what);
    // A problem unless both are written the same way: 0.0 and -0.0 are not.
    void Same(const Json& wanted, const Json& got, const std::string& what);
    void CheckSchemas();
    void CheckScan(const Collection& collection);
    void CheckGet(const Collection& collection);
    void CheckSearch(const Collection& collection, const Json& search);
    void CompareFound(const Collection& collection, const Json& search, const Json& wanted,
                      const quern_result* rows, size_t query);
    void Write(Collection* collection, const char* kind, const std::vector<std::string>& columns,
               const Json& row);
    Json Row(const quern_result* rows, size_t row, const Collection& collection) const;

    Problems* problems_;
    quern_error err_ = QUERN_ERROR_INIT;
    Handle<quern_db> db_;
    std::vector<Collection> collections_;
};

}  // namespace quern::golden
