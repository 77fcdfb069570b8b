// Which SIMD levels the kernels are compiled for. Include this before any Highway header.
//
// x86-64: plain (the compiler's baseline), SSE4, AVX2, AVX3. SSSE3 without SSE4 means processors of
// 2006: they get the baseline. SVE is left out because its vectors cannot be kept in arrays, which
// the register-blocked product needs; such processors run the NEON level.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
