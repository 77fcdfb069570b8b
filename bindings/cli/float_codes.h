// Conversions between f32 and the smaller element types of files, and numbers as text.
//
// Written here because the shell sees the engine through <quern.h> only. Rounding is to nearest,
// ties to even.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quern::shell {

float HalfToFloat(uint16_t half);
uint16_t FloatToHalf(float value);  // infinity beyond the range
float BFloatToFloat(uint16_t value);

// The shortest text that reads back as the same number; "inf" and "nan" never occur in what the
// engine gives out.
void AppendFloat(float value, std::string* text);
// As above; whole numbers get ".0", so that a reader sees a real number.
void AppendDouble(double value, std::string* text);

// The whole text as a number; false if it is anything else. A leading "+" is allowed. Infinities
// and NaN parse.
bool ParseFloat(std::string_view text, float* value);
bool ParseDouble(std::string_view text, double* value);
bool ParseInt(std::string_view text, int64_t* value);

// How numbers are written that are nothing but numbers: no "+", no zeros before the first digit
// (001 is a name or a code), no blanks. IsPlainNumber takes a point and an exponent, too.
bool IsPlainWhole(std::string_view text);
bool IsPlainNumber(std::string_view text);
// Whether a double holds this plain whole number: it is the double, or the shortest text of one.
bool RealKeepsWhole(std::string_view text);
// A decimal with a point or an exponent that is a whole number of 64 bits, exactly: 3.0, 1.5e3.
bool ParseWholeDecimal(std::string_view text, int64_t* value);

// True for UTF-8 without NUL, surrogates and overlong forms.
bool IsCleanUtf8(std::string_view text);

}  // namespace quern::shell
