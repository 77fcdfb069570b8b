// quern_sessions model|churn|answers|kills|threads [--seed N] [--count N] [--steps N] [--seconds X]
// [--world NAME]
// [--dir DIRECTORY]: README.md tells what each proves. Exit code 1: something does not hold.
#include <quern.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tests/sessions/topics.h"
#include "tests/thread_suppressions.h"

namespace sessions {

void RemoveFile(const std::string& path) {
    for (const char* suffix : {"", "-wal", "-shm", "_copy", "_copy-wal", "_copy-shm"}) {
        std::filesystem::remove(path + suffix);
    }
}

std::string FreshFile(const Arguments& arguments, const std::string& name) {
    const std::string path = (std::filesystem::path(arguments.directory) /
                              ("quern_sessions_" + std::to_string(getpid()) + "_" + name))
                                 .string();
    RemoveFile(path);
    return path;
}

}  // namespace sessions

int main(int argc, char** argv) {
    sessions::Arguments arguments;
    arguments.directory = std::filesystem::temp_directory_path().string();
    const std::string topic = argc > 1 ? argv[1] : "";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        if (name == "--seed") {
            arguments.seed = std::strtoull(argv[i + 1], nullptr, 10);
        } else if (name == "--count") {
            arguments.count = std::strtoull(argv[i + 1], nullptr, 10);
        } else if (name == "--steps") {
            arguments.steps = std::strtoull(argv[i + 1], nullptr, 10);
        } else if (name == "--seconds") {
            arguments.seconds = std::strtod(argv[i + 1], nullptr);
        } else if (name == "--world") {
            arguments.world = argv[i + 1];
        } else if (name == "--dir") {
            arguments.directory = argv[i + 1];
        } else {
            std::fprintf(stderr, "unknown: %s\n", argv[i]);
            return 2;
        }
    }
    std::printf("%s\n", quern_build_info());  // with the level of the kernels
    int violations = 0;
    if (topic == "model") {
        violations = sessions::RunModel(arguments);
    } else if (topic == "churn") {
        violations = sessions::RunChurn(arguments);
    } else if (topic == "answers") {
        violations = sessions::RunAnswers(arguments);
    } else if (topic == "kills") {
        violations = sessions::RunKills(arguments);
    } else if (topic == "threads") {
        violations = sessions::RunThreads(arguments);
    } else {
        std::fprintf(stderr,
                     "usage: quern_sessions model|churn|answers|kills|threads [--seed N] ...\n");
        return 2;
    }
    return violations == 0 ? 0 : 1;
}
