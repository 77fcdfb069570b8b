// Judged collections that have dense vectors of documents and something that can stand for a dense
// query, from the folder of data sets.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace bench {

struct Matrix {
    size_t dim = 0;
    std::vector<float> rows;
    const float* row(size_t i) const { return rows.data() + i * dim; }
};

// A query: its words, and its dense side, which is a vector or the mean of the vectors of records.
struct DenseQuery {
    std::string text;
    const float* vector = nullptr;
    std::vector<std::string> records;
    std::map<std::string, int> gains;
};

struct DenseCollection {
    std::vector<std::string> ids;
    std::vector<std::string> texts;  // may be empty
    Matrix vectors;
    std::vector<DenseQuery> queries;
};

// Letters and digits alone: a query without signs.
std::string Words(std::string text);

// The dense query is the mean of a half of the judged documents, the other half is looked for.
DenseCollection Cranfield(const std::filesystem::path& data);
// Titles look for their own abstracts. titles: gets what the queries borrow.
DenseCollection AclAnthology(const std::filesystem::path& data, Matrix* titles);
// Queries and documents by the same encoder, but no texts of documents.
DenseCollection Scidocs(const std::filesystem::path& data, Matrix* vectors);

}  // namespace bench
