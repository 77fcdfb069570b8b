// What a run leaves: tables in Markdown on standard output, a JSON file with every raw figure, a
// picture.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/dense/child_process.h"
#include "tests/bench/dense/sweep.h"
#include "tests/bench/dense/vector_set.h"

namespace bench {

struct EngineReport {
    Contestant contestant;      // its rival is gone by now
    double build_seconds = -1;  // wall; negative: not known, the index came from elsewhere
    bool built_now = false;
    double file_mib = 0;
    Json serving;  // of MeasureServing; null when it was not measured
};

struct SetReport {
    const VectorSet* set = nullptr;
    size_t rounds = 0;
    size_t threads = 1;
    size_t build_threads = 2;
    std::vector<EngineReport> engines;
    std::vector<Json> inserts;  // of MeasureInserts
};

// The processor, as its maker calls it, how many, and quern_build_info.
Json DescribeMachine();

void PrintReport(const SetReport& report);
// SET.json and SET.svg.
void WriteReport(const SetReport& report, const std::string& directory);

}  // namespace bench
