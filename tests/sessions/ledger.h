// Two collections that must fit together: records, and a ledger with one record that says how many
// they are and what their digest is. Every transaction changes both, so that whatever a reader sees
// must be one committed triple of number, count and digest.
#pragma once

#include <quern.h>

#include <map>
#include <string>

#include "tests/sessions/model_record.h"

namespace sessions {

inline constexpr size_t kLedgerDim = 4;
struct LedgerRow {
    int64_t value;
    float vector[kLedgerDim];
};
using LedgerRows = std::map<int64_t, LedgerRow>;

struct Triple {
    int64_t serial = 0, count = 0, digest = 0;
    bool operator==(const Triple&) const = default;
};

quern_db* OpenFile(const std::string& path, const char* options);
void CreateLedger(quern_db* db);
// As of the snapshot; NULL: now. An empty ledger is that of an empty collection.
Triple ReadLedger(quern_db* db, quern_snapshot* snapshot);
LedgerRows ReadLedgerRows(quern_db* db, quern_snapshot* snapshot);
// One transaction: a few records, now and then many, and the ledger. rows: what was there before,
// then what is.
void WriteOnce(quern_db* db, Random& random, LedgerRows* rows, int64_t serial);
// Scan, ledger, count and exact search of one snapshot fit together, or it is a Violation. Its
// triple.
Triple Look(quern_db* db, quern_snapshot* snapshot, Random& random);

}  // namespace sessions
