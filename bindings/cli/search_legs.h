// The legs of a search, as words on the command line: each is a search of one field.
//
//   [WEIGHT*]FIELD[ OPTION=VALUE]...:WHAT
//
// "0.7*emb:@queries.npy", "body:white whale", "terms limit=200:{\"dims\":[3]}", "emb:key=4711".
// WHAT is a vector as JSON, key=KEY for that of a stored record, the words of a text, or @FILE
// for one query a row (of a text field: a line, unless the file has columns).
#pragma once

#include <string>
#include <vector>

#include "query_vectors.h"
#include "schema_text.h"
#include "shell.h"
#include "sparse_text.h"

namespace quern::shell {

class SearchLeg {
public:
    // file: how files are read; its path and column count for nothing. Throws a usage error.
    SearchLeg(const std::string& words, const CollectionColumns& columns, const QueryFile& file);

    const std::string& field() const { return field_; }
    double weight() const { return weight_; }
    // Of quern_query_leg.
    const std::string& leg_options() const { return leg_options_; }
    size_t count() const { return count_; }
    // A query for `count` of the leg's queries from `first` on; knobs count where the leg has no
    // others.
    QueryPtr NewQuery(quern_db* db, const std::string& collection, const std::string& knobs,
                      size_t first, size_t count) const;

private:
    enum class What { kDense, kSparse, kSparseText, kText, kIntKey, kTextKey };

    [[noreturn]] void FailLeg(const std::string& what) const;
    void CheckOption(const std::string& name) const;
    void ReadHead(const std::string& head);
    double ReadNumber(const std::string& name, const std::string& text) const;
    void ReadWhat(const std::string& what, const CollectionColumns& columns, const QueryFile& file);
    void ReadKey(const std::string& key, const CollectionColumns& columns);
    void ReadDense(const std::string& what, const DenseColumn& column, const QueryFile& file);
    void ReadSparse(const std::string& what, const SparseColumn& column, const QueryFile& file);
    void AddSparse(const SparseEntries& entries);
    void ReadTexts(const std::string& what, const QueryFile& file);

    std::string words_;
    std::string field_;
    double weight_ = 1;
    std::string leg_options_, options_;
    size_t limit_ = 0;
    bool has_limit_ = false, has_min_score_ = false, has_max_distance_ = false;
    double min_score_ = 0, max_distance_ = 0;

    What what_ = What::kDense;
    size_t count_ = 0;
    QueryVectors vectors_;
    std::vector<size_t> offsets_{0};
    SparseEntries sparse_;  // of all queries, one behind the other
    std::vector<std::string> texts_;
    int64_t int_key_ = 0;
};

}  // namespace quern::shell
