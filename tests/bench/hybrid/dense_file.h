// A collection of dense_collections.h in a database in memory, with the texts beside the vectors:
// fields "body" and "emb".
#pragma once

#include <quern.h>

#include "tests/bench/hybrid/dense_collections.h"

namespace bench {

class DenseFile {
public:
    // options: of the field of vectors. Indexes are built. Ends the program when something fails.
    DenseFile(const DenseCollection& collection, const char* options);
    ~DenseFile() { quern_close(db_); }
    DenseFile(const DenseFile&) = delete;
    DenseFile& operator=(const DenseFile&) = delete;

    // The two sides of a query; the caller frees them. What they borrow lives as long as `query`.
    quern_query* OfText(const DenseQuery& query, size_t limit);
    quern_query* OfVectors(const DenseQuery& query, size_t limit);
    // The dense side of one query of several of a composed query.
    void AddDenseTerms(quern_query* dense, size_t number, const DenseQuery& query) const;
    // What quern_fit_fusion learns for the legs of a query from judgments.
    std::string Fit(quern_query* query, const std::vector<const char*>& keys,
                    const std::vector<size_t>& queries, const std::vector<float>& gains);
    quern_query* NewQuery() { return quern_query_new(db_, "docs"); }
    quern_result* Search(quern_query* query);
    const DenseCollection& collection() const { return collection_; }

private:
    void Check(int32_t status, const char* what);

    const DenseCollection& collection_;
    quern_db* db_ = nullptr;
    quern_error error_ = QUERN_ERROR_INIT;
};

}  // namespace bench
