// Sparse vectors as JSON: {"dims":[3,17],"weights":[0.5,1]}, or a map from dimensions to weights,
// {"3":0.5,"17":1}, as files of learned sparse vectors have it. "weights" may be left out: all
// are 1.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "import_record.h"

namespace quern::shell {

struct SparseEntries {
    bool present = false;
    std::vector<uint32_t> dims;
    std::vector<float> weights;

    void Clear();
};

// A value of a file for a field whose dimensions are all below `dims`; null: absent. binary: its
// weights are all 1. Everything that the library would refuse is found here. False with *problem if
// it does not fit.
bool ConvertSparse(const Value& from, uint64_t dims, bool binary, SparseEntries* entries,
                   std::string* problem);

// The same for {"term":weight, ...}: *terms gets the names, entries the weights alone.
bool ConvertTerms(const Value& from, bool binary, SparseEntries* entries,
                  std::vector<std::string>* terms, std::string* problem);

std::string SparseJson(const uint32_t* dims, const float* weights, size_t count);

}  // namespace quern::shell
