// The programs of this folder are one, quern_sessions TOPIC, because each is linked with
// everything.
#pragma once

#include <cstdint>
#include <string>

namespace sessions {

struct Arguments {
    uint64_t seed = 1;
    size_t count = 0;       // sequences, rounds: what the topic counts; 0: as many as CI takes
    double seconds = 0;     // of kills and threads: how long
    std::string world;      // empty: all
    std::string directory;  // where files go
    uint64_t steps = 0;
};

// Each prints what it has done and returns the number of violations, which it has printed with all
// that is needed to see them again.
int RunModel(const Arguments& arguments);
int RunChurn(const Arguments& arguments);
int RunAnswers(const Arguments& arguments);
int RunKills(const Arguments& arguments);
int RunThreads(const Arguments& arguments);

// A path in the directory, with nothing there.
std::string FreshFile(const Arguments& arguments, const std::string& name);
void RemoveFile(const std::string& path);

}  // namespace sessions
