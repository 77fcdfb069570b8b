// Element conversions and number texts; no state.
#include "float_codes.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <system_error>

namespace quern::shell {
namespace {

float FromBits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

uint32_t ToBits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

size_t CountDigits(std::string_view text) {
    return std::min(text.find_first_not_of("0123456789"), text.size());
}

template <typename T>
bool ParseNumber(std::string_view text, T* value) {
    if (!text.empty() && text.front() == '+') {
        text.remove_prefix(1);
        if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
            return false;
        }
    }
    if (text.empty()) {
        return false;
    }
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    if (end != text.data() + text.size()) {
        return false;
    }
    if (error == std::errc::result_out_of_range) {
        if constexpr (std::numeric_limits<T>::is_integer) {
            return false;
        } else {
            // Too small is zero; too large is infinity, which the checks for finite values refuse
            // with a name.
            *value = static_cast<T>(std::strtod(std::string(text).c_str(), nullptr));
            return true;
        }
    }
    return error == std::errc();
}

}  // namespace

float HalfToFloat(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 0x1fu;
    const uint32_t mantissa = half & 0x3ffu;
    if (exponent == 0x1f) {
        return FromBits(sign | 0x7f800000u | (mantissa << 13));
    }
    if (exponent != 0) {
        return FromBits(sign | ((exponent + 112) << 23) | (mantissa << 13));
    }
    const float size =
        static_cast<float>(mantissa) * 0x1p-24f;  // exact: subnormal halves are normal floats
    return sign != 0 ? -size : size;
}

uint16_t FloatToHalf(float value) {
    const uint32_t bits = ToBits(value);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) {
        return static_cast<uint16_t>(sign | 0x7e00u);
    }
    if (size >= 0x477ff000u) {  // 65520 and more round up beyond 65504
        return static_cast<uint16_t>(sign | 0x7c00u);
    }
    if (size <
        0x38800000u) {  // below 2^-14: a multiple of 2^-24; the default rounding mode does the rest
        const float scaled = FromBits(size) * 0x1p24f;
        return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(scaled)));
    }
    const uint32_t rounded = size + 0xfffu + ((size >> 13) & 1u);
    return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

float BFloatToFloat(uint16_t value) {
    return FromBits(static_cast<uint32_t>(value) << 16);
}

void AppendFloat(float value, std::string* text) {
    char digits[64];
    auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
    (void)error;  // 64 bytes hold the shortest text of any float
    text->append(digits, end);
}

void AppendDouble(double value, std::string* text) {
    char digits[64];
    auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
    (void)error;
    const std::string_view number(digits, static_cast<size_t>(end - digits));
    text->append(number);
    if (number.find_first_of(".eni") == std::string_view::npos) {
        text->append(".0");
    }
}

bool ParseFloat(std::string_view text, float* value) {
    return ParseNumber(text, value);
}
bool ParseDouble(std::string_view text, double* value) {
    return ParseNumber(text, value);
}
bool ParseInt(std::string_view text, int64_t* value) {
    return ParseNumber(text, value);
}

bool IsPlainWhole(std::string_view text) {
    const bool minus = !text.empty() && text.front() == '-';
    text.remove_prefix(minus ? 1 : 0);
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos &&
           (text.front() != '0' || (text.size() == 1 && !minus));
}

bool IsPlainNumber(std::string_view text) {
    text.remove_prefix(!text.empty() && text.front() == '-' ? 1 : 0);
    const size_t whole = CountDigits(text);
    if (whole > 1 && text.front() == '0') {
        return false;
    }
    text.remove_prefix(whole);
    size_t digits = whole;
    if (!text.empty() && text.front() == '.') {
        text.remove_prefix(1);
        const size_t fraction = CountDigits(text);
        text.remove_prefix(fraction);
        digits += fraction;
    }
    if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
        text.remove_prefix(1);
        text.remove_prefix(!text.empty() && (text.front() == '-' || text.front() == '+') ? 1 : 0);
        return digits > 0 && !text.empty() && CountDigits(text) == text.size();
    }
    return digits > 0 && text.empty();
}

bool RealKeepsWhole(std::string_view text) {
    double value = 0;
    if (!ParseDouble(text, &value) || !std::isfinite(value)) {
        return false;
    }
    if (std::fabs(value) < 0x1p53) {
        return true;
    }
    char digits[400];
    auto [end, error] =
        std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::fixed, 0);
    if (error == std::errc() &&
        text == std::string_view(digits, static_cast<size_t>(end - digits))) {
        return true;
    }
    // 12345678901234567000, as JavaScript writes 1.2345678901234567e19.
    end = std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::scientific).ptr;
    std::string shortest(digits, end);
    shortest.resize(std::min(shortest.find('e'), shortest.size()));
    int64_t wanted = 0;
    int64_t got = 0;
    const std::string_view stem = text.substr(0, text.find_last_not_of('0') + 1);
    shortest.erase(std::remove(shortest.begin(), shortest.end(), '.'), shortest.end());
    shortest.resize(shortest.find_last_not_of('0') + 1);
    return ParseInt(stem, &wanted) && ParseInt(shortest, &got) && wanted == got;
}

bool ParseWholeDecimal(std::string_view text, int64_t* value) {
    const size_t mark = std::min(text.find_first_of("eE"), text.size());
    int64_t scale = 0;
    if (mark < text.size() && !ParseInt(text.substr(mark + 1), &scale)) {
        return false;
    }
    std::string digits;
    bool fraction = false;
    const bool minus = !text.empty() && text.front() == '-';
    for (char c : text.substr(minus ? 1 : 0, mark - (minus ? 1 : 0))) {
        if (c == '.') {
            fraction = true;
            continue;
        }
        digits.push_back(c);
        scale -= fraction ? 1 : 0;
    }
    for (; !digits.empty() && digits.back() == '0'; scale++) {
        digits.pop_back();
    }
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
    if (digits.empty()) {
        *value = 0;
        return true;
    }
    if (scale < 0 || scale > 18) {  // a whole number of 64 bits has 19 digits at most
        return false;
    }
    digits.append(static_cast<size_t>(scale), '0');
    return ParseInt((minus ? "-" : "") + digits, value);
}

bool IsCleanUtf8(std::string_view text) {
    size_t i = 0;
    while (i < text.size()) {
        const auto first = static_cast<unsigned char>(text[i]);
        if (first == 0) {
            return false;
        }
        if (first < 0x80) {
            i++;
            continue;
        }
        const size_t extra = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || i + extra >= text.size()) {
            return false;
        }
        const auto second = static_cast<unsigned char>(text[i + 1]);
        const unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (second < low || second > high) {
            return false;
        }
        for (size_t k = 2; k <= extra; k++) {
            if ((static_cast<unsigned char>(text[i + k]) & 0xc0u) != 0x80u) {
                return false;
            }
        }
        i += extra + 1;
    }
    return true;
}

}  // namespace quern::shell
