// The file formats of the shell: each reader on well-formed, damaged and hostile input, writers
// against readers. The texts and bytes here are made by hand from the formats' descriptions.
#include <catch2/catch.hpp>
#include <cmath>

#include "byte_sink.h"
#include "byte_source.h"
#include "cli_format_check.h"
#include "csv_format.h"
#include "file_format.h"
#include "format_error.h"
#include "jsonl_format.h"
#include "npy_format.h"
#include "type_inference.h"
#include "vecs_format.h"

using namespace quern::shell;
using namespace quern::shell::test;

TEST_CASE("fvecs, bvecs and ivecs", "[cli]") {
    const std::string fvecs = Little(2, 4) + F32(1.5f) + F32(-2) + Little(2, 4) + F32(0) + F32(3);
    CHECK(Vectors(Reader(fvecs, FileFormat::kFvecs).get()) == Rows{{1.5f, -2}, {0, 3}});
    const std::string bvecs = Little(3, 4) + std::string("\x00\x7f\xff", 3);
    CHECK(Vectors(Reader(bvecs, FileFormat::kBvecs).get()) == Rows{{0, 127, 255}});
    const std::string ivecs = Little(1, 4) + Little(static_cast<uint32_t>(-7), 4);
    CHECK(Vectors(Reader(ivecs, FileFormat::kIvecs).get()) == Rows{{-7}});
    CHECK(Vectors(Reader("", FileFormat::kFvecs).get()).empty());

    CHECK(Mentions(Problem(fvecs.substr(0, 15), FileFormat::kFvecs),
                   "row 1: the file ends inside a row"));
    CHECK(Mentions(Problem(fvecs.substr(0, 9), FileFormat::kFvecs),
                   "row 0: the file ends inside a row"));
    CHECK(Mentions(Problem(fvecs + Little(1, 4) + F32(1), FileFormat::kFvecs),
                   "row 2: dimension 1, the first row has 2"));
    CHECK(Mentions(Problem(Little(0xffffffff, 4), FileFormat::kFvecs), "dimension -1"));
    CHECK(Mentions(Problem(Little(65537, 4), FileFormat::kBvecs), "65537"));

    const std::string truth = Little(3, 4) + Little(16777217, 4) + Little(2, 4) + Little(3, 4) +
                              Little(1, 4) + Little(9, 4);
    const auto source = ByteSource::FromMemory(truth.data(), truth.size(), "truth");
    CHECK(ReadTruth(source.get(), 0, 10, 2) ==
          std::vector<std::vector<int32_t>>{{16777217, 2}, {9}});
    const auto again = ByteSource::FromMemory(truth.data(), truth.size(), "truth");
    CHECK(ReadTruth(again.get(), 1, 10, 2) == std::vector<std::vector<int32_t>>{{9}});
}

TEST_CASE("npy", "[cli]") {
    const std::string shape = "'fortran_order': False, 'shape': (2, 2), }\n";
    CHECK(Vectors(Reader(Npy("{'descr': '<f4', " + shape, F32(1) + F32(2) + F32(3) + F32(4)),
                         FileFormat::kNpy)
                      .get()) == Rows{{1, 2}, {3, 4}});
    CHECK(Vectors(Reader(Npy("{'descr': '|u1', " + shape, "\x01\x02\x03\xff"), FileFormat::kNpy)
                      .get()) == Rows{{1, 2}, {3, 255}});
    CHECK(Vectors(Reader(Npy("{'descr': '|i1', " + shape, "\x01\x02\x03\xff"), FileFormat::kNpy)
                      .get()) == Rows{{1, 2}, {3, -1}});
    CHECK(Vectors(Reader(Npy("{'descr': '<f2', " + shape,
                             Little(0x3c00, 2) + Little(0xc000, 2) + Little(1, 2) + Little(0, 2)),
                         FileFormat::kNpy)
                      .get()) == Rows{{1, -2}, {0x1p-24f, 0}});
    const double half = 0.5;
    std::string f8(sizeof(half), '\0');
    std::memcpy(f8.data(), &half, sizeof(half));
    CHECK(Vectors(Reader(Npy("{'descr': '<f8', " + shape, f8 + f8 + f8 + f8), FileFormat::kNpy)
                      .get()) == Rows{{0.5f, 0.5f}, {0.5f, 0.5f}});

    CHECK(Mentions(Problem("garbage", FileFormat::kNpy), "not an npy file"));
    CHECK(Vectors(Reader(Npy("{'descr': '>f4', " + shape,
                             Big32(0x3f800000) + Big32(0xc0000000) + Big32(0) + Big32(0)),
                         FileFormat::kNpy)
                      .get()) == Rows{{1, -2}, {0, 0}});
    CHECK(Vectors(Reader(Npy("{'descr': '<i8', " + shape, Little(uint64_t(-3), 8) + Little(4, 8) +
                                                              Little(5, 8) + Little(1u << 30, 8)),
                         FileFormat::kNpy)
                      .get()) == Rows{{-3, 4}, {5, 0x1p30f}});
    CHECK(Vectors(
              Reader(Npy("{'descr': '|b1', " + shape, std::string("\1\0\0\1", 4)), FileFormat::kNpy)
                  .get()) == Rows{{1, 0}, {0, 1}});
    for (const char* descr : {"'<c8'", "'<f16'", "'|O'", "'<U1'", "'f4'"}) {
        CHECK(Mentions(
            Problem(Npy("{'descr': " + std::string(descr) + ", " + shape, ""), FileFormat::kNpy),
            descr));
    }
    CHECK(Mentions(Problem(Npy("{'descr': '|u1', " + shape, "abcde"), FileFormat::kNpy),
                   "bytes behind the 2 rows"));
    CHECK(Mentions(Problem(Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", ""),
                           FileFormat::kNpy),
                   "Fortran"));
    CHECK(Mentions(Problem(Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", ""),
                           FileFormat::kNpy),
                   "shape (2,)"));
    CHECK(
        Mentions(Problem(Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2), }", ""),
                         FileFormat::kNpy),
                 "shape"));
    CHECK(
        Mentions(Problem(Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 70000), }", ""),
                         FileFormat::kNpy),
                 "70000"));
    CHECK(Mentions(Problem(Npy("{'descr': '<f4', " + shape, F32(1) + F32(2)), FileFormat::kNpy),
                   "its header says 2 rows"));
    // A header that promises more rows than memory could hold costs nothing.
    const std::string huge = Npy(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9000000000000000000, 65536), }", "");
    CHECK(Mentions(Problem(huge, FileFormat::kNpy), "row 0: the file ends here"));
}

TEST_CASE("idx", "[cli]") {
    const std::string head("\x00\x00\x08\x03", 4);
    const std::string images = head + Big32(2) + Big32(1) + Big32(2) + "\x01\x02\x03\xff";
    CHECK(Vectors(Reader(images, FileFormat::kIdx).get()) == Rows{{1, 2}, {3, 255}});
    const std::string floats = std::string("\x00\x00\x0d\x02", 4) + Big32(1) + Big32(1) +
                               std::string("\x3f\x80\x00\x00", 4);
    CHECK(Vectors(Reader(floats, FileFormat::kIdx).get()) == Rows{{1}});
    const std::string labels = std::string("\x00\x00\x08\x01", 4) + Big32(2) + "\x07\x09";
    CHECK(Vectors(Reader(labels, FileFormat::kIdx).get()) == Rows{{7}, {9}});

    CHECK(Mentions(Problem("abcd", FileFormat::kIdx), "not an idx file"));
    CHECK(
        Mentions(Problem(std::string("\x00\x00\x07\x01", 4), FileFormat::kIdx), "element code 7"));
    CHECK(
        Mentions(Problem(head + Big32(1) + Big32(0xffffffff) + Big32(0xffffffff), FileFormat::kIdx),
                 "not between"));
    CHECK(
        Mentions(Problem(head + Big32(1) + Big32(0) + Big32(5), FileFormat::kIdx), "not between"));
    CHECK(Mentions(Problem(images.substr(0, images.size() - 1), FileFormat::kIdx),
                   "row 1: the file ends here"));
    CHECK(Mentions(Problem(head + Big32(1), FileFormat::kIdx), "ends inside"));
    CHECK(Mentions(Problem(images + "x", FileFormat::kIdx), "bytes behind the 2 rows"));
}

TEST_CASE("texts, one a line", "[cli]") {
    const auto read = [](const std::string& text) {
        std::vector<std::string> rows;
        const auto reader = Reader(text, FileFormat::kLines);
        CHECK(reader->has_columns());
        Record record;
        while (reader->Next(&record)) {
            REQUIRE(record.value_count() == 1);
            CHECK(record.value(0).name == "text");
            CHECK(record.row == rows.size());
            CHECK(record.line == rows.size() + 1);
            rows.push_back(record.value(0).value.text);
        }
        return rows;
    };
    using Lines = std::vector<std::string>;
    CHECK(read("a, \"b\r\n\n c\t\n7") == Lines{"a, \"b", "", " c\t", "7"});
    CHECK(read("").empty());
    CHECK(read("\n") == Lines{""});
    CHECK(read("\xef\xbb\xbf"
               "caf\xc3\xa9\n") == Lines{"caf\xc3\xa9"});
    CHECK(Mentions(Problem("a\nb\xff\n", FileFormat::kLines), "test:2: the line is not UTF-8"));
    CHECK(Mentions(Problem(std::string("a\0\n", 3), FileFormat::kLines), "test:1"));
    CHECK(FormatOfName("lines") == FileFormat::kLines);
    CHECK(FormatOfPath("some.txt") == FileFormat::kWords);
}

TEST_CASE("word vectors", "[cli]") {
    const auto read = [](const std::string& text) {
        std::vector<std::pair<std::string, std::vector<float>>> rows;
        const auto reader = Reader(text, FileFormat::kWords);
        Record record;
        while (reader->Next(&record)) {
            rows.emplace_back(record.key, record.vector);
        }
        return rows;
    };
    using Words = std::vector<std::pair<std::string, std::vector<float>>>;
    CHECK(read("2 3\nthe 1 2 3\nof -1e-2 +5 .5 \r\n") ==
          Words{{"the", {1, 2, 3}}, {"of", {-0.01f, 5, 0.5f}}});
    CHECK(read("the 1 2\n\n. . . 3 4\n") == Words{{"the", {1, 2}}, {". . .", {3, 4}}});
    CHECK(read("a\t1\t2\n") == Words{{"a", {1, 2}}});
    CHECK(read("").empty());
    CHECK(Mentions(Problem("the 1 2\nof 1\n", FileFormat::kWords),
                   "test:2: no word before the 2 numbers") |
          Mentions(Problem("the 1 2\nof 1\n", FileFormat::kWords), "test:2: 'of' is not a number"));
    CHECK(
        Mentions(Problem("the 1 2\nof 1 x\n", FileFormat::kWords), "test:2: 'x' is not a number"));
    CHECK(Mentions(Problem("the 1 2\n1 2\n", FileFormat::kWords), "no word"));
    CHECK(Mentions(Problem("5 99999\n", FileFormat::kWords), "header"));
    CHECK(Mentions(Problem("word\n", FileFormat::kWords), "test:1"));
    CHECK(Mentions(Problem("3 2\na 1 2\nb 3 4\n", FileFormat::kWords),
                   "the file ends behind 2 rows, line 1 tells of 3"));
    CHECK(Mentions(Problem("1 2\na 1 2\n\nb 3 4\n", FileFormat::kWords),
                   "test:4: a row behind the 1 that line 1 tells of"));

    // A bad line is recoverable: the reader goes on behind it.
    const std::string text = "a 1 2\nb 1 x\nc 3 4\n";
    const auto reader = Reader(text, FileFormat::kWords);
    Record record;
    REQUIRE(reader->Next(&record));
    try {
        reader->Next(&record);
        FAIL("no error");
    } catch (const FormatError& error) {
        CHECK(error.recoverable());
    }
    REQUIRE(reader->Next(&record));
    CHECK(record.key == "c");
    CHECK(record.row == 2);
}

TEST_CASE("JSONL", "[cli]") {
    const std::string text =
        "{\"id\": 7, \"t\": \"a\\u00e9\", \"r\": 1.5, \"b\": true, \"n\": null, \"v\": [1, 2.5, "
        "-3], \"g\": [\"x\", \"y\"], "
        "\"e\": [], \"o\": {\"k\": [1, {\"z\": \"q\\\"\"}], \"l\": null}, \"m\": [1, \"a\"]}\n"
        "\n{}\n";
    const auto reader = Reader(text, FileFormat::kJsonl);
    Record record;
    REQUIRE(reader->Next(&record));
    CHECK(record.Find("id")->kind == Value::Kind::kInt);
    CHECK(record.Find("id")->integer == 7);
    CHECK(record.Find("t")->text == "a\xc3\xa9");
    CHECK(record.Find("r")->real == 1.5);
    CHECK(record.Find("b")->kind == Value::Kind::kBool);
    CHECK(record.Find("n")->kind == Value::Kind::kNull);
    CHECK(record.Find("v")->kind == Value::Kind::kNumbers);
    CHECK(record.Find("v")->numbers == std::vector<float>{1, 2.5f, -3});
    CHECK(record.Find("v")->text == "[1,2.5,-3]");
    CHECK(record.Find("g")->texts == std::vector<std::string>{"x", "y"});
    CHECK(record.Find("e")->kind == Value::Kind::kTexts);
    CHECK(record.Find("o")->kind == Value::Kind::kJson);
    CHECK(record.Find("o")->text == "{\"k\":[1,{\"z\":\"q\\\"\"}],\"l\":null}");
    CHECK(record.Find("m")->kind == Value::Kind::kJson);
    CHECK(record.Find("m")->text == "[1,\"a\"]");
    CHECK(record.Find("absent") == nullptr);
    REQUIRE(reader->Next(&record));
    CHECK(record.value_count() == 0);
    CHECK(record.row == 1);
    CHECK_FALSE(reader->Next(&record));

    for (const char* bad :
         {"5", "null", "[1]", "\"x\"", "{", "{\"a\":}", "{\"a\":1} x", "{\"a\":NaN}",
          "{\"a\":1e999}", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "[[[[", "{\"a\":[1,}"}) {
        INFO(bad);
        CHECK(Mentions(Problem(std::string("{}\n") + bad + "\n", FileFormat::kJsonl), "test:2: "));
    }
    // Deep nesting is an error, not a full stack.
    const std::string deep = "{\"a\":" + std::string(1000000, '[') + "\n";
    CHECK(Mentions(Problem(deep, FileFormat::kJsonl), "nested deeper"));
    // More numbers than any vector has are JSON, not a vector.
    std::string many = "{\"a\":[0";
    for (size_t i = 0; i < kDimensionMax; i++) {
        many += ",0";
    }
    const std::string line = many + "]}\n";
    const auto long_reader = Reader(line, FileFormat::kJsonl);
    REQUIRE(long_reader->Next(&record));
    CHECK(record.Find("a")->kind == Value::Kind::kJson);
    CHECK(record.Find("a")->numbers.empty());
}

TEST_CASE("numbers of JSONL stay what they are", "[cli]") {
    const std::string text =
        "{\"big\": 18446744073709551615, \"long\": 12345678901234567890123, \"e\": 1.50e1, "
        "\"v\": [-0, 0, -0.0], \"o\": {\"k\": [-0]}}\n";
    const auto reader = Reader(text, FileFormat::kJsonl);
    Record record;
    REQUIRE(reader->Next(&record));
    for (const auto& [name, digits] :
         {std::pair{"big", "18446744073709551615"}, std::pair{"long", "12345678901234567890123"},
          std::pair{"e", "1.50e1"}}) {
        Value to;
        std::string problem;
        REQUIRE(ConvertValue(ColumnType::kText, *record.Find(name), &to, &problem));
        CHECK(to.text == digits);
        REQUIRE(ConvertValue(ColumnType::kJson, *record.Find(name), &to, &problem));
        CHECK(to.text == digits);
    }
    const std::vector<float>& numbers = record.Find("v")->numbers;
    REQUIRE(numbers.size() == 3);
    CHECK(std::signbit(numbers[0]));
    CHECK_FALSE(std::signbit(numbers[1]));
    CHECK(std::signbit(numbers[2]));
    CHECK(record.Find("o")->text == "{\"k\":[-0]}");
    std::string json;
    AppendJsonNumbers(numbers, &json);
    CHECK(json == "[-0.0,0,-0.0]");
}

TEST_CASE("CSV", "[cli]") {
    const std::string text =
        "\xef\xbb\xbfid,title,v[0],v[1]\r\n1,\"a, \"\"b\"\"\nc\",0.5,-1\n2,,,\n\n3,\"\",1,2\n";
    const auto reader = Reader(text, FileFormat::kCsv);
    Record record;
    REQUIRE(reader->Next(&record));
    REQUIRE(record.value_count() == 3);
    CHECK(record.value(0).name == "id");
    CHECK(record.Find("title")->text == "a, \"b\"\nc");
    CHECK(record.Find("v")->numbers == std::vector<float>{0.5f, -1});
    REQUIRE(reader->Next(&record));
    CHECK(record.Find("title")->kind == Value::Kind::kNull);
    CHECK(record.Find("v")->kind == Value::Kind::kNull);
    CHECK(record.where == "test:4");
    REQUIRE(reader->Next(&record));
    CHECK(record.Find("title")->kind == Value::Kind::kCell);
    CHECK(record.Find("title")->text.empty());
    CHECK_FALSE(reader->Next(&record));

    const std::string tabs = "a\tb\n1,5\t2\n";
    const auto tab_reader = Reader(tabs, FileFormat::kTsv);
    REQUIRE(tab_reader->Next(&record));
    CHECK(record.Find("a")->text == "1,5");

    CHECK(Mentions(Problem("", FileFormat::kCsv), "no header"));
    CHECK(Mentions(Problem("a,a\n", FileFormat::kCsv), "'a' appears twice"));
    CHECK(Mentions(Problem("v[0],v[2]\n", FileFormat::kCsv), "'v[1]' is wanted"));
    CHECK(Mentions(Problem("v,v[0]\n", FileFormat::kCsv), "twice"));
    CHECK(Mentions(Problem("a,b\n1\n", FileFormat::kCsv), "test:2: 1 cells, the header has 2"));
    CHECK(Mentions(Problem("a,b\n1,\"x\n", FileFormat::kCsv), "test:2: the quote"));
    CHECK(Mentions(Problem("a,b\n1,\"x\"y\n", FileFormat::kCsv),
                   "test:2: text behind the closing quote of cell 2"));
    CHECK(Problem("a,b\n1,\"x\"\"y\"\n\"\",5\" disk\n", FileFormat::kCsv).empty());
    CHECK(Mentions(Problem("v[0],v[1]\n1,\n", FileFormat::kCsv), "some cells"));
    CHECK(Mentions(Problem("v[0],v[1]\n1,x\n", FileFormat::kCsv), "v[1] is not a number"));
}

TEST_CASE("compressed input is recognised by its bytes", "[cli]") {
    const std::string content = Little(2, 4) + F32(1) + F32(2);
    for (const char* ending : {".plain", ".gz", ".zst"}) {
        INFO(ending);
        const TempFile file(ending);
        {
            auto sink = ByteSink::Open(file.path(), false);
            sink->Write(content);
            sink->Close();
        }
        auto reader = NewRecordReader(ByteSource::Open(file.path()), FileFormat::kFvecs);
        CHECK(Vectors(reader.get()) == Rows{{1, 2}});
        CHECK(reader->source().bytes_taken() == reader->source().bytes_total());

        // Two streams behind one another are one.
        const std::string bytes = file.Content();
        CHECK(Vectors(Reader(bytes + bytes, FileFormat::kFvecs).get()) == Rows{{1, 2}, {1, 2}});
        // Cut short: an error, not fewer rows.
        CHECK_FALSE(Problem(bytes.substr(0, bytes.size() - 3), FileFormat::kFvecs).empty());

        CHECK_THROWS_AS(ByteSink::Open(file.path(), false), FormatError);
        // A sink that is not closed leaves no half file, and what it would have replaced.
        const auto size = std::filesystem::file_size(file.path());
        ByteSink::Open(file.path(), true)->Write("less");
        CHECK(std::filesystem::file_size(file.path()) == size);
        CHECK_FALSE(std::filesystem::exists(file.path() + ".part"));
        const auto closed = ByteSink::Open(file.path(), true);
        closed->Write("less");
        closed->Close();
        CHECK(std::filesystem::file_size(file.path()) != size);
        CHECK_FALSE(std::filesystem::exists(file.path() + ".part"));
        std::filesystem::remove(file.path());
        ByteSink::Open(file.path(), false)->Write(content);
        CHECK_FALSE(std::filesystem::exists(file.path()));
    }
    CHECK_THROWS_AS(ByteSource::Open("/nonexistent/file"), FormatError);
    // Large and repeated content passes the buffers' borders.
    const TempFile large(".zst");
    std::string lines;
    for (int i = 0; i < 200000; i++) {
        lines += "{\"i\":" + std::to_string(i) + "}\n";
    }
    auto sink = ByteSink::Open(large.path(), false);
    sink->Write(lines);
    sink->Close();
    auto reader = NewRecordReader(ByteSource::Open(large.path()), FileFormat::kJsonl);
    Record record;
    int64_t sum = 0;
    while (reader->Next(&record)) {
        sum += record.Find("i")->integer;
    }
    CHECK(sum == int64_t{199999} * 200000 / 2);
}

TEST_CASE("a line without end is an error that can be passed over", "[cli]") {
    const std::string text = std::string(kLineBytesMax + 1, 'x') + "\n{\"a\":1}\n";
    const auto reader = Reader(text, FileFormat::kJsonl);
    Record record;
    CHECK_THROWS_AS(reader->Next(&record), FormatError);
    REQUIRE(reader->Next(&record));
    CHECK(record.Find("a")->integer == 1);
}

TEST_CASE("what writers write, readers read", "[cli]") {
    Record record;
    Value& key = record.Add("id");
    key.kind = Value::Kind::kText;
    key.text = "k\"1";
    Value& real = record.Add("r");
    real.kind = Value::Kind::kReal;
    real.real = 2;
    Value& null = record.Add("n");
    null.kind = Value::Kind::kNull;
    Value& vector = record.Add("v");
    vector.kind = Value::Kind::kNumbers;
    vector.numbers = {0.1f, 16777216, -1e-30f};

    const TempFile jsonl(".jsonl");
    auto writer = NewJsonlWriter(ByteSink::Open(jsonl.path(), false));
    writer->Write(record);
    writer->Finish();
    CHECK(jsonl.Content() ==
          "{\"id\":\"k\\\"1\",\"r\":2.0,\"n\":null,\"v\":[0.1,16777216,-1e-30]}\n");

    const TempFile csv(".csv.gz");
    auto csv_writer = NewCsvWriter(ByteSink::Open(csv.path(), false), {"id", "r", "n", "v"}, ',');
    csv_writer->Write(record);
    csv_writer->Finish();
    auto reader = NewRecordReader(ByteSource::Open(csv.path()), FileFormat::kCsv);
    Record back;
    REQUIRE(reader->Next(&back));
    CHECK(back.Find("id")->text == "k\"1");
    CHECK(back.Find("n")->kind == Value::Kind::kNull);
    std::vector<float> numbers;
    std::string problem;
    REQUIRE(ConvertVector(*back.Find("v"), &numbers, &problem));
    CHECK(numbers == vector.numbers);

    record.has_vector = true;
    record.vector = {1, -2, 0.5f};
    for (NpyElement element : {NpyElement::kF2, NpyElement::kF4}) {
        const TempFile npy(".npy");
        auto npy_writer = NewNpyWriter(ByteSink::Open(npy.path(), false), element, 5, 3);
        npy_writer->Write(record);
        npy_writer->Write(record);
        npy_writer->Finish();  // 5 rows promised, 2 came: the header is corrected
        auto npy_reader = NewRecordReader(ByteSource::Open(npy.path()), FileFormat::kNpy);
        CHECK(npy_reader->rows_claimed() == 2);
        CHECK(Vectors(npy_reader.get()) == Rows{{1, -2, 0.5f}, {1, -2, 0.5f}});
    }
    const TempFile packed(".npy.zst");
    auto packed_writer = NewNpyWriter(ByteSink::Open(packed.path(), false), NpyElement::kF4, 5, 3);
    packed_writer->Write(record);
    CHECK_THROWS_AS(packed_writer->Finish(), FormatError);

    const TempFile fvecs(".fvecs");
    auto fvecs_writer = NewVecsWriter(ByteSink::Open(fvecs.path(), false), VecsElement::kF32);
    fvecs_writer->Write(record);
    fvecs_writer->Finish();
    CHECK(Vectors(NewRecordReader(ByteSource::Open(fvecs.path()), FileFormat::kFvecs).get()) ==
          Rows{{1, -2, 0.5f}});
}

TEST_CASE("formats are told by their names", "[cli]") {
    CHECK(FormatOfPath("a/b.fvecs") == FileFormat::kFvecs);
    CHECK(FormatOfPath("base.bvecs.zst") == FileFormat::kBvecs);
    CHECK(FormatOfPath("x.f16.npy.gz") == FileFormat::kNpy);
    CHECK(FormatOfPath("train-images-idx3-ubyte.gz") == FileFormat::kIdx);
    CHECK(FormatOfPath("glove.6B.100d.txt") == FileFormat::kWords);
    CHECK(FormatOfPath("DATA.CSV") == FileFormat::kCsv);
    CHECK(FormatOfPath("dir.csv/file") == FileFormat::kUnknown);
    CHECK(FormatOfPath("-") == FileFormat::kUnknown);
    CHECK(FormatOfName("jsonl") == FileFormat::kJsonl);
    CHECK_THROWS_AS(Reader("", FileFormat::kUnknown), FormatError);
}

TEST_CASE("real vector files read as their descriptions say", "[cli][data]") {
    const char* given = std::getenv("QUERN_DATA");
#ifdef QUERN_SOURCE_DIR
    const std::string data =
        given != nullptr ? given : std::string(QUERN_SOURCE_DIR) + "/../shared/data";
#else
    const std::string data = given != nullptr ? given : "../shared/data";
#endif
    if (!std::filesystem::exists(data + "/sift-ngt/siftsmall_query.fvecs.zst")) {
        WARN("skipped: the real vector sets are not at " << data);
        return;
    }
    const auto shape = [&](const std::string& name) {
        const auto reader =
            NewRecordReader(ByteSource::Open(data + "/" + name), FormatOfPath(name));
        Record record;
        size_t rows = 0;
        size_t dim = 0;
        while (reader->Next(&record)) {
            rows++;
            dim = record.vector.size();
        }
        return std::to_string(rows) + " x " + std::to_string(dim);
    };
    CHECK(shape("sift-ngt/siftsmall_query.fvecs.zst") == "100 x 128");
    CHECK(shape("sift500k/query.bvecs.zst") == "1000 x 128");
    CHECK(shape("sift500k/truth100.l2.ivecs.zst") == "1000 x 100");
    CHECK(shape("words250k/query.f32.npy.zst") == "1000 x 100");
    CHECK(shape("cohere-int8/wiki-en-queries.i8.npy.zst") == "1000 x 1024");
    const auto reader =
        NewRecordReader(ByteSource::Open(data + "/icecat/products.jsonl.zst"), FileFormat::kJsonl);
    Record record;
    size_t products = 0;
    while (reader->Next(&record)) {
        products++;
    }
    CHECK(products == 19406);
}
