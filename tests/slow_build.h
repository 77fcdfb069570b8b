// Builds in which all takes several times as long: under a sanitizer.
#pragma once

namespace quern {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSlowBuild = true;
#else
inline constexpr bool kSlowBuild = false;
#endif

// So many rounds of a test of random cases, and a part of them there.
constexpr int Rounds(int usual, int part = 4) {
    return kSlowBuild ? usual / part : usual;
}

}  // namespace quern
