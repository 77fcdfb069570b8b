// One suite, many worlds: the circumstances under which one and the same sequence of operations
// must give the same answers.
#pragma once

#include <string>
#include <vector>

#include "tests/sessions/record_rows.h"

namespace sessions {

struct World {
    std::string name;
    std::string open;  // options of quern_open
    IndexOptions indexes;
    bool memory = false;     // the database is in memory, all sessions share one handle
    bool restart = false;    // everything is closed and opened again after each change
    bool read_only = false;  // readers open the file with mode=ro
    std::string simd{};      // level of the kernels; empty: the best
};

// Those of this build and this processor.
std::vector<World> Worlds();

// Uses the world's level of the kernels until destroyed. No search may be running.
class WorldLevel {
public:
    explicit WorldLevel(const World& world);
    ~WorldLevel();
    WorldLevel(const WorldLevel&) = delete;
    WorldLevel& operator=(const WorldLevel&) = delete;
};

}  // namespace sessions
