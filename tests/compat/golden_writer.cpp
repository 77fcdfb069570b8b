// Writes the golden files of the running version into a new directory:
//
//   quern_golden_writer tests/compat/golden/VERSION
//
// It refuses a directory that exists: a golden file is written once, by the version that is
// released, and never again.
#include <quern.h>

#include <cstdio>
#include <filesystem>

#include "tests/compat/golden_set.h"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: quern_golden_writer NEW_DIRECTORY\n");
        return 2;
    }
    const std::filesystem::path dir = argv[1];
    std::error_code error;
    if (!std::filesystem::create_directory(dir, error)) {
        std::fprintf(stderr, "%s: %s\n", argv[1],
                     error ? error.message().c_str()
                           : "exists already; golden files are never written anew");
        return 1;
    }
    quern::golden::WriteGoldenSet(dir);
    std::printf("%s: the golden files of quern %s\n", argv[1], quern_version());
    return 0;
}
