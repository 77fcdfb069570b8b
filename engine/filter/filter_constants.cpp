#include "engine/filter/filter_constants.h"

#include <algorithm>
#include <cfloat>
#include <charconv>
#include <cmath>

#include "engine/filter/filter_tokens.h"

namespace quern::filter {

namespace {

// More digits or larger powers are read differently by different versions of SQLite.
constexpr size_t kDigitsMax = 15;
constexpr int kPowerMax = 22;

// digits * 10^power, if every way to compute it that is right to a few units of a long double gives
// the same double: the quotient must not lie near the middle between two doubles.
std::optional<double> Scaled(int64_t digits, int power) {
    if (power == 0 || digits == 0) {
        return static_cast<double>(digits);
    }
    if (LDBL_MANT_DIG < 64) {
        return std::nullopt;
    }
    long double ten = 1;
    for (int i = 0; i < std::abs(power); i++) {
        ten *= 10;
    }
    const long double exact =
        power > 0 ? static_cast<long double>(digits) * ten : static_cast<long double>(digits) / ten;
    int exponent = 0;
    const long double mantissa = std::frexp(exact, &exponent);
    const auto bits = static_cast<uint64_t>(std::ldexp(mantissa, 64));
    const uint64_t rest = bits & 0x7ff;
    if (rest >= 0x3fc && rest <= 0x404) {
        return std::nullopt;
    }
    return static_cast<double>(exact);
}

}  // namespace

std::optional<Value> ReadNumber(std::string_view text, bool negative) {
    if (text.size() > 1 && (text[1] == 'x' || text[1] == 'X')) {
        return std::nullopt;
    }
    std::string digits;
    int power = 0;
    size_t at = 0;
    bool real = false;
    for (; at < text.size() && IsDigit(text[at]); at++) {
        digits += text[at];
    }
    if (at < text.size() && text[at] == '.') {
        real = true;
        for (at++; at < text.size() && IsDigit(text[at]); at++) {
            digits += text[at];
            power--;
        }
    }
    if (at < text.size()) {  // an exponent
        real = true;
        int exponent = 0;
        const size_t sign = at + 1 < text.size() && text[at + 1] == '+' ? 2 : 1;
        const auto [end, error] =
            std::from_chars(text.data() + at + sign, text.data() + text.size(), exponent);
        if (error != std::errc() || end != text.data() + text.size()) {
            return std::nullopt;
        }
        power += std::clamp(exponent, -9999, 9999);
    }
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
    if (!real) {
        int64_t number = 0;
        std::string all(negative ? "-" : "");
        all.append(digits.empty() ? "0" : digits);
        const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), number);
        return error == std::errc() ? std::optional<Value>(Value::Int(number)) : std::nullopt;
    }
    while (!digits.empty() && digits.back() == '0' && power < 0) {
        digits.pop_back();
        power++;
    }
    if (digits.size() > kDigitsMax || std::abs(power) > kPowerMax) {
        return std::nullopt;
    }
    const std::optional<double> value = Scaled(digits.empty() ? 0 : std::stoll(digits), power);
    return value ? std::optional<Value>(Value::Real(negative ? -*value : *value)) : std::nullopt;
}

std::optional<Value> WithAffinity(const Value& constant, ColumnClass column) {
    const bool number = constant.kind == Cell::Kind::kInt || constant.kind == Cell::Kind::kReal;
    if ((column == ColumnClass::kText || column == ColumnClass::kTags) && number) {
        return constant.kind == Cell::Kind::kInt
                   ? std::optional<Value>(Value::Text(std::to_string(constant.number)))
                   : std::nullopt;
    }
    const bool numeric = column == ColumnClass::kNumber || column == ColumnClass::kReal;
    if (!numeric || constant.kind != Cell::Kind::kText) {
        return constant;
    }
    const std::string& text = constant.text;
    if (std::none_of(text.begin(), text.end(), IsDigit)) {
        return constant;  // no number, whatever it is
    }
    const size_t sign = text[0] == '-' || text[0] == '+' ? 1 : 0;
    if (text.size() > sign + 18 ||
        !std::all_of(text.begin() + static_cast<ptrdiff_t>(sign), text.end(), IsDigit)) {
        return std::nullopt;
    }
    return ReadNumber(std::string_view(text).substr(sign), text[0] == '-');
}

}  // namespace quern::filter
