// Runs a test at every SIMD level of this processor.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "engine/kernels/distance.h"
#include "engine/kernels/simd_level.h"

// Restores the best level afterwards.
template <typename Body>
void AtEveryLevel(Body body) {
    for (const std::string& level : quern::kernels::SimdLevels()) {
        REQUIRE(quern::kernels::SetSimdLevel(level.c_str()));
        REQUIRE(quern::kernels::SimdLevel() == level);
        INFO("SIMD level " << level);
        body();
    }
    quern::kernels::SetSimdLevel(nullptr);
}
