// Which SIMD levels the kernels are compiled for. Include this before any Highway header.
//
// x86-64: plain (the compiler's baseline), SSE4, AVX2, AVX3. SSSE3 without SSE4 means processors of
// 2006: they get the baseline. SVE is left out because its vectors cannot be kept in arrays, which
// the register-blocked product needs; such processors run the NEON level.
//
// AVX3_DL, Highway's level with VNNI, is left out too. In version 1.0.3 it lets the compiler use
// AVX-VNNI, which neither Ice Lake nor Zen 4 has, and not the AVX-512 VNNI that it asks the
// processor for. code_distance.cpp builds that part itself; simd_level.h makes it a level. All
// files have to name the same levels: without optimisation they share one copy of the function that
// finds the place in their tables.
#pragma once

#define HWY_DISABLED_TARGETS \
    (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
