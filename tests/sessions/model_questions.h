// Random questions of every kind, each asked of the database and of the model.
#pragma once

#include <quern.h>

#include "tests/sessions/model_record.h"

namespace sessions {

// Where to ask: a snapshot, or (NULL) what is there now; and what must be found there.
struct Ground {
    quern_db* db;
    quern_snapshot* snapshot;
    const State& state;
};

// Each throws a Violation where the answers differ.
void AskExactDense(const Ground& ground, Random& random);
void AskSparse(const Ground& ground, Random& random);
void AskText(const Ground& ground, Random& random);
// Sums of two or three legs, any field but the cosines.
void AskLegs(const Ground& ground, Random& random);
// Through whatever index there is: no promise but that hits are live, match, have true distances,
// and are as many as there can be.
void AskApproximate(const Ground& ground, Random& random);
// A live record's own vector, asked with all effort: the record must be among what has distance 0.
void AskOwn(const Ground& ground, Random& random);
void AskGet(const Ground& ground, Random& random);
void AskList(const Ground& ground, Random& random);
void AskFacet(const Ground& ground, Random& random);
// Count, and every record with all its values in key order.
void AskAll(const Ground& ground, Random& random);
// One of these.
void AskAnything(const Ground& ground, Random& random);

}  // namespace sessions
