// What the benchmark programs share: medians, interleaved rounds, resident memory, data that does
// not compress.
#pragma once

#include <quern.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;
inline double SecondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Processor time of the whole program.
inline double CpuSeconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

inline double Median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    std::sort(values.begin(), values.end());
    const size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Stops the program when a call failed.
inline void Check(int32_t status, const quern_error& error, const char* what) {
    if (status != QUERN_OK) {
        std::fprintf(stderr, "%s: %s (%s)\n", what, error.message, quern_status_name(status));
        std::exit(1);
    }
}

// The text keys of a result, which is freed.
inline std::vector<std::string> TakeTextKeys(quern_result* result) {
    std::vector<std::string> keys;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        keys.emplace_back(quern_result_key_text(result, row));
    }
    quern_result_free(result);
    return keys;
}

inline double ResidentMiB() {
    std::ifstream file("/proc/self/statm");
    long pages = 0;
    long resident = 0;
    file >> pages >> resident;
    return static_cast<double>(resident) * 4096.0 / 1048576.0;
}

inline std::vector<float> NormalVectors(size_t rows, size_t dim, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(rows * dim);
    for (float& value : values) {
        value = normal(random);
    }
    return values;
}

inline void RemoveDatabase(const std::string& path) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
        std::remove((path + suffix).c_str());
    }
}

inline double FileMiB(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    return file ? static_cast<double>(file.tellg()) / 1048576.0 : 0;
}

// A benchmark that is asked for help begins no hours of work.
inline void TellHelp(int argc, char** argv) {
    for (int i = 1; i < argc; i++) {
        if (std::strcmp(argv[i], "--help") == 0) {
            std::printf("%s: options are --name value; the README.md in tests/bench has them.\n",
                        argv[0]);
            std::exit(0);
        }
    }
}

// "--name value" from the command line.
inline std::string Argument(int argc, char** argv, const char* name, const char* otherwise) {
    TellHelp(argc, argv);
    for (int i = 1; i + 1 < argc; i++) {
        if (std::strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

}  // namespace bench
