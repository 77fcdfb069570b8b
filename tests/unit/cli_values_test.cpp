// The values of the shell: types inferred from a file's first records, conversion of values to
// their column's type, number texts and small floats, and the figures of a search.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "file_format.h"
#include "float_codes.h"
#include "search_figures.h"
#include "type_inference.h"

using namespace quern::shell;

namespace {

std::unique_ptr<RecordReader> Reader(const std::string& bytes, FileFormat format) {
    return NewRecordReader(ByteSource::FromMemory(bytes.data(), bytes.size(), "test"), format);
}

bool Mentions(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("types are inferred from values", "[cli]") {
    const std::string text =
        "{\"i\":1,\"r\":1,\"t\":\"a\",\"b\":true,\"g\":[\"x\"],\"v\":[1,2],\"w\":[1],\"j\":{\"a\":"
        "1},\"x\":1,\"n\":null}\n"
        "{\"i\":2,\"r\":1.5,\"t\":null,\"b\":false,\"g\":[],\"v\":[3,4],\"w\":[1,2],\"j\":{},\"x\":"
        "\"a\",\"late\":3}\n";
    TypeInference inference;
    Record record;
    const auto reader = Reader(text, FileFormat::kJsonl);
    while (reader->Next(&record)) {
        inference.Add(record);
    }
    std::string found;
    for (const InferredColumn& column : inference.Columns()) {
        found += column.name + ":" + NameOfColumnType(column.type) + ":" +
                 std::to_string(column.dim) + " ";
    }
    CHECK(found ==
          "i:int:0 r:real:0 t:text:0 b:bool:0 g:tags:0 v:json:2 w:json:0 j:json:0 x:text:0 "
          "n:text:0 late:int:0 ");

    const std::string cells =
        "i,r,b,t,v,g,n\n1,2.5,true,x,\"[1,2]\",\"[\"\"a\"\"]\",\n-3,4,false,5,\"[3,4]\",\"[]\",\n";
    TypeInference cell_inference;
    const auto csv = Reader(cells, FileFormat::kCsv);
    while (csv->Next(&record)) {
        cell_inference.Add(record);
    }
    found.clear();
    for (const InferredColumn& column : cell_inference.Columns()) {
        found += column.name + ":" + NameOfColumnType(column.type) + ":" +
                 std::to_string(column.dim) + " ";
    }
    CHECK(found == "i:int:0 r:real:0 b:bool:0 t:text:0 v:json:2 g:tags:0 n:text:0 ");
}

TEST_CASE("what is written as no number is none", "[cli]") {
    const auto types = [](const std::string& text, FileFormat format) {
        TypeInference inference;
        Record record;
        const auto reader = Reader(text, format);
        while (reader->Next(&record)) {
            inference.Add(record);
        }
        std::string found;
        for (const InferredColumn& column : inference.Columns()) {
            found += column.name + ":" + NameOfColumnType(column.type) +
                     (column.rounded.empty() ? "" : "!" + column.rounded_at) + " ";
        }
        return found;
    };
    CHECK(types("zip,tel,e,zero,frac,neg,pad\n00123,+5,1e3,0,0.50,-0.5,1.5\n1,6,2,7,.5,-3,01.5\n",
                FileFormat::kCsv) ==
          "zip:text tel:text e:real zero:int frac:real neg:real pad:text ");
    // Quotes tell, unless everything is in them.
    CHECK(types("id,n,b\n\"1\",2,\"true\"\n", FileFormat::kCsv) == "id:text n:int b:text ");
    CHECK(types("\"id\",\"n\"\n\"1\",2\n", FileFormat::kCsv) == "id:text n:int ");
    CHECK(types("\"id\",\"n\"\n\"1\",\"2.5\"\n", FileFormat::kCsv) == "id:int n:real ");
    // Whole numbers that a real would round.
    const std::string wide = "9007199254740993";
    CHECK(types("a,b\n" + wide + "," + wide + "\n1.5,2\n", FileFormat::kCsv) ==
          "a:text!test:2 b:int ");
    CHECK(types("{\"a\":1.5,\"b\":1}\n{\"a\":" + wide + ",\"b\":12345678901234567890}\n",
                FileFormat::kJsonl) == "a:json!test:2 b:json!test:2 ");
    CHECK(types("{\"a\":1.5}\n{\"a\":9007199254740992}\n{\"a\":100000000000000000000000}\n",
                FileFormat::kJsonl) == "a:real ");

    for (const char* text : {"0", "-1", "10", "0.5", ".5", "5.", "-0", "1e5", "1.5E-3"}) {
        INFO(text);
        CHECK(IsPlainNumber(text));
    }
    for (const char* text : {"", "-", ".", "+1", "01", "-01", "00.5", "1e", "e5", "1e+", "1 ",
                             "0x1", "nan", "1.5.2", ".e1"}) {
        INFO(text);
        CHECK_FALSE(IsPlainNumber(text));
    }
    CHECK(IsPlainWhole("0"));
    CHECK(IsPlainWhole("-12"));
    for (const char* text : {"", "-", "-0", "01", "1.0", "+1"}) {
        CHECK_FALSE(IsPlainWhole(text));
    }
    CHECK(RealKeepsWhole("9007199254740992"));
    CHECK(RealKeepsWhole("-9007199254740994"));
    CHECK_FALSE(RealKeepsWhole("9007199254740993"));
    CHECK(RealKeepsWhole("12345678901234567000"));  // of JavaScript
    CHECK(RealKeepsWhole("12345678901234567168"));  // exactly
    CHECK_FALSE(RealKeepsWhole("12345678901234567890"));
    CHECK_FALSE(RealKeepsWhole("1" + std::string(400, '0')));
    int64_t whole = 0;
    CHECK((ParseWholeDecimal("3.0", &whole) && whole == 3));
    CHECK((ParseWholeDecimal("-1.50e3", &whole) && whole == -1500));
    CHECK((ParseWholeDecimal("9007199254740993.00", &whole) && whole == 9007199254740993));
    CHECK((ParseWholeDecimal("0.0e9", &whole) && whole == 0));
    for (const char* text : {"1.5", "1e-1", "1.0000000000000000001", "9223372036854775808", "1e19",
                             "18446744073709551615", "1e99999999999999999999"}) {
        INFO(text);
        CHECK_FALSE(ParseWholeDecimal(text, &whole));
    }
}

TEST_CASE("values are converted to their column's type or refused", "[cli]") {
    Value from;
    Value to;
    std::string problem;
    from.kind = Value::Kind::kReal;
    from.real = 3;
    REQUIRE(ConvertValue(ColumnType::kInt, from, &to, &problem));
    CHECK(to.integer == 3);
    from.real = 3.5;
    CHECK_FALSE(ConvertValue(ColumnType::kInt, from, &to, &problem));
    from.real = 1e300;
    CHECK_FALSE(ConvertValue(ColumnType::kInt, from, &to, &problem));
    from.kind = Value::Kind::kCell;
    from.text = "9223372036854775808";
    CHECK_FALSE(ConvertValue(ColumnType::kInt, from, &to, &problem));
    from.text = "-9223372036854775808";
    CHECK(ConvertValue(ColumnType::kInt, from, &to, &problem));
    from.text = "inf";
    CHECK_FALSE(ConvertValue(ColumnType::kReal, from, &to, &problem));
    from.text = "9007199254740993";
    CHECK_FALSE(ConvertValue(ColumnType::kReal, from, &to, &problem));
    CHECK(problem == "'9007199254740993' does not fit the type real, which would round it");
    CHECK(IsPlainFor(ColumnType::kInt, from));
    from.text = "007";
    CHECK_FALSE(IsPlainFor(ColumnType::kInt, from));
    CHECK((ConvertValue(ColumnType::kInt, from, &to, &problem) && to.integer == 7));
    from.text = "true";
    REQUIRE(ConvertValue(ColumnType::kBool, from, &to, &problem));
    CHECK(to.integer == 1);
    from.text = "[\"a\",\"b\"]";
    REQUIRE(ConvertValue(ColumnType::kTags, from, &to, &problem));
    CHECK(to.texts.size() == 2);
    from.text = "{\"a\":";
    CHECK_FALSE(ConvertValue(ColumnType::kJson, from, &to, &problem));
    from.text = "not base64";
    CHECK_FALSE(ConvertValue(ColumnType::kBlob, from, &to, &problem));
    CHECK(Mentions(problem, "blob"));

    for (const std::string& bytes : {std::string(), std::string("a"), std::string("ab"),
                                     std::string("abc"), std::string("\0\xff\x80z", 4)}) {
        std::string back;
        REQUIRE(DecodeBase64(EncodeBase64(bytes), &back));
        CHECK(back == bytes);
    }
    std::string back;
    CHECK(EncodeBase64("any carnal pleas") == "YW55IGNhcm5hbCBwbGVhcw==");
    CHECK_FALSE(DecodeBase64("YW5=IGNh", &back));
    CHECK_FALSE(DecodeBase64("YW5", &back));
}

TEST_CASE("number codes", "[cli]") {
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const auto half = static_cast<uint16_t>(bits);
        const float value = HalfToFloat(half);
        if (std::isnan(value)) {
            CHECK(std::isnan(HalfToFloat(FloatToHalf(value))));
        } else if (FloatToHalf(value) != half) {
            FAIL("half " << bits);
        }
    }
    CHECK(FloatToHalf(65519.0f) == 0x7bff);
    CHECK(FloatToHalf(65520.0f) == 0x7c00);
    CHECK(FloatToHalf(1.0f + 0x1p-11f) == 0x3c00);  // a tie goes to even
    CHECK(FloatToHalf(1.0f + 0x1p-11f + 0x1p-20f) == 0x3c01);
    CHECK(FloatToHalf(0x1p-25f) == 0);
    CHECK(FloatToHalf(0x1.8p-25f) == 1);
    CHECK(BFloatToFloat(0x3f80) == 1.0f);

    float number = 0;
    CHECK(ParseFloat("+1e-3", &number));
    CHECK(number == 1e-3f);
    CHECK(ParseFloat("1e-60", &number));
    CHECK(number == 0);
    CHECK(ParseFloat("0.000000000000000000000000000000000000000000000000000000000001", &number));
    CHECK(number == 0);
    CHECK(ParseFloat("-1e60", &number));
    CHECK(number == -std::numeric_limits<float>::infinity());
    for (const char* bad : {"", "+", "-", "+-1", "1x", " 1", "1 ", "0x10", "1,5"}) {
        INFO(bad);
        CHECK_FALSE(ParseFloat(bad, &number));
    }
    CHECK(IsCleanUtf8("h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80"));
    for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                            "\xf4\x90\x80\x80", "\xe2\x82"}) {
        CHECK_FALSE(IsCleanUtf8(bad));
    }
    CHECK_FALSE(IsCleanUtf8(std::string_view("a\0b", 3)));
}

TEST_CASE("recall and percentiles", "[cli]") {
    size_t wanted = 0;
    CHECK(CountHits({3, 1, 9}, {1, 2, 3}, 3, &wanted) == 2);
    CHECK(wanted == 3);
    CHECK(CountHits({3, 1}, {1, 2, 3}, 1, &wanted) == 0);
    CHECK(wanted == 1);
    CHECK(CountHits({}, {}, 10, &wanted) == 0);
    CHECK(wanted == 0);
    CHECK(Percentile({}, 0.5) == 0);
    CHECK(Percentile({5, 1, 3}, 0.5) == 3);
    CHECK(Percentile({5, 1, 3}, 0.99) == 5);
    CHECK(Percentile({5, 1, 3}, 0) == 1);
}
