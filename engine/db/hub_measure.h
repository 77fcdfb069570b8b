// How near each record is to what is asked: one number for each, with which a formula takes from a
// record's score what it has for being near to everything (hubs), or for being of a kind that is
// near to nothing (modalities).
//
// The numbers stand in real attributes: formulas, filters and SQL know these, they move with their
// records, and attributes of sealed records change without their vectors.
#pragma once

#include <memory>
#include <string>

#include "engine/db/database.h"

namespace quern {

struct HubOptions {
    enum class Kind {
        kCsls,     // mean score of the k best
        kSoftmax,  // temperature * log of the sum of exp(score / temperature)
        kScaling,  // distance to the k-th
        kNicdm,    // mean distance to the k nearest
        kZScore,   // mean of all scores, and their standard deviation
    };
    Kind kind = Kind::kCsls;
    size_t k = 10;
    double temperature = 0.02;
    size_t sample = 0;  // of the collection's own records, when no others are given; 0: as is good
    std::string deviation;  // the attribute that gets it, with kZScore
    std::string by;         // kZScore: of all records together that have the same in this attribute
    int threads = 0;
};

// The vectors that records are measured against; f32. count 0: a sample of the records themselves,
// of which none is measured against itself.
struct HubReference {
    const float* rows = nullptr;
    size_t count = 0;
    size_t dim = 0;
};

// Writes the numbers of all records with a value in the field to a real attribute, in one
// transaction; others get null.
Status MeasureHubs(const std::shared_ptr<Database>& database, const std::string& collection,
                   const std::string& field, const std::string& attribute,
                   const HubReference& reference, const HubOptions& options);

}  // namespace quern
