// Names, UTF-8, keys and schemas: the rules that every name and key from outside has to pass.
#include "storage/base/schema.h"

#include <catch2/catch.hpp>
#include <limits>
#include <string>

using quern::AttrDef;
using quern::AttrType;
using quern::DenseDef;
using quern::Element;
using quern::IsValidUtf8;
using quern::Key;
using quern::NameProblem;
using quern::SameName;
using quern::Schema;

TEST_CASE("UTF-8 is checked to the letter", "[schema]") {
    for (const char* good :
         {"", "plain", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
          "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa9z"}) {
        INFO(good);
        CHECK(IsValidUtf8(good));
    }
    for (const char* bad :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xe2\x82",
          "\xe2\x82z", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "ok\xfe", "\xc3\xa9\xc3"}) {
        INFO(bad);
        CHECK_FALSE(IsValidUtf8(bad));
    }
    CHECK(IsValidUtf8(std::string_view("a\0b", 3)));
}

// The rule again, in its slowest form: decode, then look whether encoding the number gives the same
// bytes.
TEST_CASE("every pair of bytes and every code point agree with the slow rule", "[schema]") {
    for (int first = 0; first < 256; first++) {
        for (int second = 0; second < 256; second++) {
            const std::string text{static_cast<char>(first), static_cast<char>(second)};
            const bool two_ascii = first < 0x80 && second < 0x80;
            const bool one_point =
                first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
            if (IsValidUtf8(text) != (two_ascii || one_point)) {
                FAIL("bytes " << first << " " << second);
            }
        }
    }
    for (uint32_t point = 0x80; point <= 0x10FFFF + 16; point++) {
        std::string text;
        if (point < 0x800) {
            text = std::string(1, static_cast<char>(0xC0 | point >> 6));
        } else if (point < 0x10000) {
            text = {static_cast<char>(0xE0 | point >> 12),
                    static_cast<char>(0x80 | (point >> 6 & 63))};
        } else {
            text = {static_cast<char>(0xF0 | point >> 18),
                    static_cast<char>(0x80 | (point >> 12 & 63)),
                    static_cast<char>(0x80 | (point >> 6 & 63))};
        }
        text += static_cast<char>(0x80 | (point & 63));
        const bool allowed = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
        if (IsValidUtf8(text) != allowed) {
            FAIL("code point " << point);
        }
    }
}

TEST_CASE("names", "[schema]") {
    CHECK(NameProblem("emb") == nullptr);
    CHECK(NameProblem("with space, \"quotes\" and \xc3\xa9") == nullptr);
    CHECK(NameProblem("quern") == nullptr);
    CHECK(NameProblem("sqlite") == nullptr);
    CHECK(NameProblem("x_") == nullptr);
    CHECK(NameProblem(std::string(255, 'n')) == nullptr);
    CHECK(NameProblem(std::string(256, 'n')) != nullptr);
    for (const char* bad : {"", "_x", "_", "quern_", "QuErN_x", "sqlite_", "SQLITE_master", "a\nb",
                            "\x1f", "\x7f", "\xff"}) {
        INFO(bad);
        CHECK(NameProblem(bad) != nullptr);
    }
    CHECK(NameProblem(std::string_view("a\0b", 3)) != nullptr);
}

TEST_CASE("names are the same whatever their ASCII case", "[schema]") {
    CHECK(SameName("Year", "yEAR"));
    CHECK(SameName("", ""));
    CHECK_FALSE(SameName("year", "years"));
    CHECK_FALSE(SameName("[", "{"));  // differ in the bit that tells case, and are no letters
    CHECK_FALSE(SameName("\xc3\xa9", "\xc3\x89"));  // beyond ASCII case counts
}

TEST_CASE("a schema finds its columns by name", "[schema]") {
    Schema schema;
    schema.attrs.push_back(AttrDef{1, "year", AttrType::kInt});
    schema.attrs.push_back(AttrDef{2, "title", AttrType::kText});
    DenseDef field;
    field.name = "emb";
    field.element = Element::kBit;
    field.dim = 9;
    schema.dense.push_back(field);
    CHECK(schema.FindAttr("TITLE") == 1);
    CHECK(schema.FindAttr("emb") == -1);
    CHECK(schema.FindField("Emb") == 0);
    CHECK(schema.FindField("year") == -1);
    CHECK(schema.HasName("ID"));  // the key
    CHECK(schema.HasName("year"));
    CHECK(schema.HasName("emb"));
    CHECK_FALSE(schema.HasName("absent"));
    CHECK(field.row_bytes() == 2);
    Schema other = schema;
    CHECK(other == schema);
    other.attrs[0].type = AttrType::kReal;
    CHECK_FALSE(other == schema);
}

TEST_CASE("bytes of a vector", "[schema]") {
    CHECK(quern::VectorBytes(Element::kF32, 3) == 12);
    CHECK(quern::VectorBytes(Element::kF16, 3) == 6);
    CHECK(quern::VectorBytes(Element::kBF16, 3) == 6);
    CHECK(quern::VectorBytes(Element::kI8, 3) == 3);
    CHECK(quern::VectorBytes(Element::kBit, 8) == 1);
    CHECK(quern::VectorBytes(Element::kBit, 9) == 2);
    CHECK(quern::VectorBytes(Element::kF32, quern::kDimMax) == 262144);
}

TEST_CASE("keys are ordered as SQLite orders them", "[schema]") {
    CHECK(Key::Int(std::numeric_limits<int64_t>::min()) < Key::Int(-1));
    CHECK(Key::Int(-1) < Key::Int(0));
    CHECK_FALSE(Key::Int(7) < Key::Int(7));
    CHECK(Key::Int(7) == Key::Int(7));
    CHECK(Key::Text("Z") < Key::Text("a"));
    CHECK(Key::Text("a") < Key::Text("aa"));
    CHECK(Key::Text("z") < Key::Text("\xc3\xa9"));  // bytes count as unsigned
    CHECK(Key::Text("10") < Key::Text("9"));
    CHECK_FALSE(Key::Text("x") == Key::Text("y"));
    CHECK(Key::Int(-5).ToString() == "-5");
    CHECK(Key::Text("id").ToString() == "'id'");
}
