// npz: archives made by hand, damaged ones, and those of the writer.
#include <zlib.h>

#include "byte_sink.h"
#include "cli_format_check.h"
#include "npy_header.h"
#include "npz_format.h"
#include "zip_archive.h"

using namespace quern::shell;
using namespace quern::shell::test;

namespace {

struct Part {
    std::string name;
    std::string data;
    bool deflated = false;
};

std::string Deflate(const std::string& data) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(data.size() + 100, '\0');
    std::string in = data;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

// A plain zip, as zipfile of Python writes small ones.
std::string Zip(const std::vector<Part>& parts) {
    std::string file;
    std::string directory;
    for (const Part& part : parts) {
        const std::string packed = part.deflated ? Deflate(part.data) : part.data;
        const auto crc =
            static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(part.data.data()),
                                        static_cast<uInt>(part.data.size())));
        const std::string common = Little(20, 2) + Little(0, 2) + Little(part.deflated ? 8 : 0, 2) +
                                   Little(0, 4) + Little(crc, 4) + Little(packed.size(), 4) +
                                   Little(part.data.size(), 4) + Little(part.name.size(), 2) +
                                   Little(0, 2);
        directory += Little(0x02014b50, 4) + Little(20, 2) + common + Little(0, 6) + Little(0, 4) +
                     Little(file.size(), 4) + part.name;
        file += Little(0x04034b50, 4) + common + part.name + packed;
    }
    return file + directory + Little(0x06054b50, 4) + Little(0, 4) + Little(parts.size(), 2) +
           Little(parts.size(), 2) + Little(directory.size(), 4) + Little(file.size(), 4) +
           Little(0, 2);
}

std::string Array(const std::string& descr, const std::string& shape, const std::string& data) {
    return Npy("{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n",
               data);
}

std::string Utf32(const std::u32string& text, size_t width) {
    std::string bytes;
    for (size_t i = 0; i < width; i++) {
        bytes += Little(i < text.size() ? text[i] : 0, 4);
    }
    return bytes;
}

std::string SmallNpz(bool deflated) {
    return Zip({{"emb.npy", Array("<f4", "(2, 2)", F32(1) + F32(2) + F32(3) + F32(4)), deflated},
                {"id.npy", Array("<U2", "(2,)", Utf32(U"a", 2) + Utf32(U"\u00e9\U0001f600", 2))},
                {"year.npy", Array("<i4", "(2,)", Little(0xffffffff, 4) + Little(7, 4)), deflated},
                {"big.npy", Array("<u8", "(2,)", Little(1, 8) + Little(2, 8))},
                {"share.npy", Array("<f8", "(2,)",
                                    std::string("\0\0\0\0\0\0\xe0\x3f", 8) +
                                        std::string("\0\0\0\0\0\0\xf8\x7f", 8))},
                {"new.npy", Array("|b1", "(2,)", std::string("\x01\x00", 2))},
                {"tag.npy", Array("|S3", "(2,)", std::string("xy\0z\0\0", 6))}});
}

std::vector<std::string> JsonRows(RecordReader* reader) {
    std::vector<std::string> rows;
    Record record;
    while (reader->Next(&record)) {
        std::string& row = rows.emplace_back();
        for (size_t i = 0; i < record.value_count(); i++) {
            row += (i > 0 ? " " : "") + record.value(i).name + "=";
            AppendJsonValue(record.value(i).value, &row);
        }
    }
    return rows;
}

}  // namespace

TEST_CASE("npz", "[cli]") {
    const std::vector<std::string> wanted{
        "emb=[1,2] id=\"a\" year=-1 big=1 share=0.5 new=true tag=\"xy\"",
        "emb=[3,4] id=\"\u00e9\U0001f600\" year=7 big=2 share=null new=false tag=\"z\""};
    for (bool deflated : {false, true}) {
        const std::string bytes = SmallNpz(deflated);
        const auto reader = Reader(bytes, FileFormat::kNpz);
        CHECK(reader->rows_claimed() == 2);
        CHECK(reader->has_columns());
        CHECK(reader->only_matrix() == "emb");
        CHECK(reader->Notes().empty());
        CHECK(JsonRows(reader.get()) == wanted);
        CHECK(reader->Notes() == std::vector<std::string>{"array 'share': 1 NaN became null"});
        CheckDamage(bytes, FileFormat::kNpz);
    }
    // Behind a comment, as zip allows it.
    std::string comment = SmallNpz(false);
    comment[comment.size() - 2] = 3;
    CHECK(JsonRows(Reader(comment + "xyz", FileFormat::kNpz).get()) == wanted);
}

TEST_CASE("npz that is not one", "[cli]") {
    const auto problem = [](const std::string& bytes) { return Problem(bytes, FileFormat::kNpz); };
    const std::string one = Array("<i8", "(1,)", Little(1, 8));
    const std::string two = Array("<i8", "(2,)", Little(1, 8) + Little(2, 8));
    CHECK(Mentions(problem(""), "not a zip file"));
    CHECK(Mentions(problem(std::string(100, 'x')), "no directory at its end"));
    CHECK(Mentions(problem(SmallNpz(false) + "x"), "no directory at its end"));
    CHECK(Mentions(problem(Zip({})), "no array in it"));
    CHECK(Mentions(problem(Zip({{"a.npy", one}, {"b.npy", two}})),
                   "the array 'b' has 2 rows, 'a' has 1"));
    CHECK(Mentions(problem(Zip({{"a.npy", one}, {"a.npy", one}})), "'a' is there twice"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array("<i8", "()", Little(1, 8))}})), "shape ()"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array("<c8", "(1,)", Little(1, 8))}})), "'<c8'"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array("<f4", "(1, 0)", "")}})), "dimension 0"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array("<U0", "(9000000000000000000,)", "")}})),
                   "texts of 0 characters"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array("|S99999999", "(1,)", "")}})),
                   "texts of 99999999 characters"));
    CHECK(Mentions(problem(Zip({{"a.npy", "no npy"}})), "not an npy file"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array("<i8", "(5,)", Little(1, 8))}})),
                   "row 1: the array 'a' ends here, its header says 5 rows"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array("<u8", "(1,)", Little(~uint64_t{0}, 8))}})),
                   "18446744073709551615 is beyond 64 bits with a sign"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array("<U1", "(1,)", Little(0xd800, 4))}})),
                   "character 0 of the text is no Unicode character"));
    CHECK(Mentions(problem(Zip({{"indptr.npy", one}, {"indices.npy", one}, {"data.npy", one}})),
                   "scipy.sparse.save_npz"));
    CHECK(Mentions(problem(Zip({{"a.npy", Array(">U1", "(1,)", Little(0, 4))}})), "'>U1'"));
    const auto big = Reader(Zip({{"a.npy", Array(">i2", "(2,)", std::string("\1\2\xff\xfe", 4))}}),
                            FileFormat::kNpz);
    Record record;
    REQUIRE(big->Next(&record));
    CHECK(record.Find("a")->integer == 258);
    REQUIRE(big->Next(&record));
    CHECK(record.Find("a")->integer == -2);
    std::string changed = Zip({{"a.npy", one}});
    changed[30 + 5 + one.size() - 1] ^= 1;
    CHECK(Mentions(problem(changed), "wrong CRC"));

    std::string encrypted = Zip({{"a.npy", one}});
    const size_t entry = 30 + 5 + one.size();
    encrypted[entry + 8] |= 1;
    CHECK(
        Mentions(problem(encrypted), "offset " + std::to_string(entry) + ": 'a.npy' is encrypted"));
    std::string method = Zip({{"a.npy", one}});
    method[entry + 10] = 12;
    CHECK(Mentions(problem(method), "packed by method 12"));
    std::string far = Zip({{"a.npy", one}});
    far[entry + 42] = 120;
    CHECK(Mentions(problem(far), "no header of 'a.npy'"));
    std::vector<Part> many(kZipMembersMax + 1, Part{"a.npy", one});
    CHECK(Mentions(problem(Zip(many)), "257 members"));
}

TEST_CASE("npz there and back", "[cli]") {
    for (bool int_keys : {true, false}) {
        for (const char* ending : {".npz", ".npz.gz"}) {
            const TempFile file(ending);
            NpzShape shape;
            shape.field = "emb";
            shape.rows = 2;
            shape.dim = 2;
            shape.key_name = "id";
            shape.int_keys = int_keys;
            const auto writer = NewNpzWriter(ByteSink::Open(file.path(), false), shape);
            Record record;
            record.has_vector = true;
            record.key = int_keys ? "-5" : "\u00e9t\u00e9 \U0001f600";
            record.vector = {0.1f, -1e30f};
            writer->Write(record);
            record.key = int_keys ? "9007199254740993" : "b";
            record.vector = {3, 4};
            writer->Write(record);
            writer->Finish();
            const auto reader =
                NewRecordReader(ByteSource::Open(file.path()), FormatOfPath(file.path()));
            CHECK(JsonRows(reader.get()) ==
                  (int_keys ? std::vector<std::string>{"emb=[0.1,-1e+30] id=-5",
                                                       "emb=[3,4] id=9007199254740993"}
                            : std::vector<std::string>{
                                  "emb=[0.1,-1e+30] id=\"\u00e9t\u00e9 \U0001f600\"",
                                  "emb=[3,4] id=\"b\""}));
        }
    }
    const TempFile file(".npz");
    NpzShape shape;
    shape.field = shape.key_name = "id";
    CHECK_THROWS_WITH(NewNpzWriter(ByteSink::Open(file.path(), false), shape),
                      Catch::Contains("same name 'id'"));
    shape.field = "emb";
    shape.rows = 1;
    shape.dim = 1;
    const auto writer = NewNpzWriter(ByteSink::Open(file.path(), false), shape);
    CHECK_THROWS_WITH(writer->Finish(), Catch::Contains("0 rows written, the header says 1"));
}

TEST_CASE("npy headers", "[cli]") {
    const std::string bytes = NpyHeaderBytes("<f4", UINT64_MAX, 65536);
    CHECK(bytes.size() == 128);
    CHECK(NpyHeaderBytes("<i8", 3, 0).find("'shape': (3,), }") != std::string::npos);
    const auto source = [](const std::string& text) {
        return ByteSource::FromMemory(text.data(), text.size(), "test");
    };
    const std::string odd =
        Npy("{\"shape\": (3, 4,), \"fortran_order\": True, \"descr\": [('x', '<f4')]}", "");
    const NpyHeader header = ReadNpyHeader(source(odd).get());
    CHECK(header.shape == std::vector<uint64_t>{3, 4});
    CHECK(!header.c_order);
    CHECK(header.descr == "[('x'");
    const std::string negative = Npy("{'descr': '<f4', 'shape': (-3, 4), }", "");
    CHECK_THROWS_WITH(ReadNpyHeader(source(negative).get()), Catch::Contains("shape (-3, 4)"));
}
