// LIKE and GLOB. One star is remembered at a time: what an earlier star might have taken, the later
// one may take as well, so the time is at most the product of both lengths.
#include "engine/filter/filter_match.h"

namespace quern::filter {

namespace {

// The character at *at, of valid UTF-8, and moves behind it; 0 at the end.
uint32_t Next(std::string_view text, size_t* at) {
    if (*at >= text.size()) {
        return 0;
    }
    const auto first = static_cast<unsigned char>(text[(*at)++]);
    if (first < 0x80) {
        return first;
    }
    uint32_t c = first < 0xe0 ? first & 0x1fu : (first < 0xf0 ? first & 0x0fu : first & 0x07u);
    while (*at < text.size() && (static_cast<unsigned char>(text[*at]) & 0xc0) == 0x80) {
        c = c << 6 | (static_cast<unsigned char>(text[(*at)++]) & 0x3fu);
    }
    return c;
}

uint32_t Lower(uint32_t c) {
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

struct LikeSigns {
    static constexpr uint32_t kStar = '%';
    static constexpr uint32_t kOne = '_';
    static bool Same(uint32_t a, uint32_t b) { return Lower(a) == Lower(b); }
    static bool IsSet(uint32_t) { return false; }
};
struct GlobSigns {
    static constexpr uint32_t kStar = '*';
    static constexpr uint32_t kOne = '?';
    static bool Same(uint32_t a, uint32_t b) { return a == b; }
    static bool IsSet(uint32_t c) { return c == '['; }
};

// Whether c is in the set whose "[" has been read; a set without an end holds nothing.
bool InSet(std::string_view pattern, size_t* at, uint32_t c) {
    bool seen = false;
    uint32_t before = 0;
    uint32_t p = Next(pattern, at);
    const bool inverted = p == '^';
    if (inverted) {
        p = Next(pattern, at);
    }
    if (p == ']') {
        seen = c == ']';
        p = Next(pattern, at);
    }
    for (; p != 0 && p != ']'; p = Next(pattern, at)) {
        const bool more = *at < pattern.size() && pattern[*at] != ']';
        if (p == '-' && more && before > 0) {
            p = Next(pattern, at);
            seen = seen || (c >= before && c <= p);
            before = 0;
        } else {
            seen = seen || c == p;
            before = p;
        }
    }
    return p != 0 && seen != inverted;
}

template <typename Signs>
bool Matches(std::string_view text, std::string_view pattern) {
    size_t t = 0;
    size_t p = 0;
    bool star = false;
    size_t star_text = 0;
    size_t star_pattern = 0;
    while (true) {
        size_t next_p = p;
        const uint32_t wanted = Next(pattern, &next_p);
        if (p < pattern.size() && wanted == Signs::kStar) {
            star = true;
            star_pattern = next_p;
            star_text = t;
            p = next_p;
            continue;
        }
        if (p == pattern.size() && t == text.size()) {
            return true;
        }
        bool same = false;
        size_t next_t = t;
        if (p < pattern.size() && t < text.size()) {
            const uint32_t c = Next(text, &next_t);
            same = Signs::IsSet(wanted) ? InSet(pattern, &next_p, c)
                                        : wanted == Signs::kOne || Signs::Same(c, wanted);
        }
        if (same) {
            t = next_t;
            p = next_p;
            continue;
        }
        if (!star || star_text >= text.size()) {
            return false;
        }
        Next(text, &star_text);
        t = star_text;
        p = star_pattern;
    }
}

}  // namespace

bool Like(std::string_view text, std::string_view pattern) {
    return Matches<LikeSigns>(text, pattern);
}
bool Glob(std::string_view text, std::string_view pattern) {
    return Matches<GlobSigns>(text, pattern);
}

}  // namespace quern::filter
