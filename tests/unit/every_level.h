// Runs a test at every SIMD level of this processor.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "engine/kernels/distance.h"
#include "engine/kernels/simd_level.h"

// The level that all tests start with, and which those that try others go back to: the best, or
// what QUERN_TEST_SIMD says. False: there is no such level.
inline bool UseTestLevel() {
    const char* const level = std::getenv("QUERN_TEST_SIMD");
    if (level == nullptr || std::string(level) != "lowest") {
        return quern::kernels::SetSimdLevel(level);
    }
    return quern::kernels::SetSimdLevel(quern::kernels::SimdLevels().back().c_str());
}

// Restores that level afterwards.
template <typename Body>
void AtEveryLevel(Body body) {
    for (const std::string& level : quern::kernels::SimdLevels()) {
        REQUIRE(quern::kernels::SetSimdLevel(level.c_str()));
        REQUIRE(quern::kernels::SimdLevel() == level);
        INFO("SIMD level " << level);
        body();
    }
    UseTestLevel();
}
