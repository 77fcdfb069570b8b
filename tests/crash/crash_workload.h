// The work that crashes interrupt: a fixed random sequence of calls of the C API that commits,
// seals, merges, changes schemas and vacuums all the time, and a digest of everything that a user
// can see.
#pragma once

#include <quern.h>

#include <cstdint>
#include <functional>
#include <string>

namespace quern::crash {

// Everything visible: collections, columns, all records in key order. Empty text on an error
// (*error says which).
std::string Dump(quern_db* db, std::string* error);

// Runs `steps` calls on the database file. acknowledged is called after each call that committed,
// with the open handle. False when a call failed that should not.
bool RunWorkload(const std::string& path, const char* options, int steps, unsigned seed,
                 const std::function<void(quern_db*)>& acknowledged);

}  // namespace quern::crash
