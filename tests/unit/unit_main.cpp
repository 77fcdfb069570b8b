// QUERN_TEST_SIMD=lowest in the environment, or the name of a level: all tests run with kernels of
// that level, as on an old processor. (The library reads no environment.)
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "tests/unit/every_level.h"

#include "tests/thread_suppressions.h"

int main(int argc, char** argv) {
    if (!UseTestLevel()) {
        std::fprintf(stderr, "QUERN_TEST_SIMD names no level of this processor\n");
        return 2;
    }
    return Catch::Session().run(argc, argv);
}
