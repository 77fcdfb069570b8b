// The matrices of the big-ann-benchmarks: fbin and its kin, and spmat.
#include "bin_format.h"
#include "byte_sink.h"
#include "cli_format_check.h"
#include "spmat_format.h"

using namespace quern::shell;
using namespace quern::shell::test;

namespace {

std::string Spmat(int64_t rows, int64_t dims, int64_t entries, const std::string& rest) {
    return Little(static_cast<uint64_t>(rows), 8) + Little(static_cast<uint64_t>(dims), 8) +
           Little(static_cast<uint64_t>(entries), 8) + rest;
}

// Rows {3: 0.5, 7: 2}, {}, {1: -1}.
std::string SmallSpmat() {
    return Spmat(3, 8, 3,
                 Little(0, 8) + Little(2, 8) + Little(2, 8) + Little(3, 8) + Little(3, 4) +
                     Little(7, 4) + Little(1, 4) + F32(0.5f) + F32(2) + F32(-1));
}

std::vector<std::string> SparseRows(RecordReader* reader) {
    std::vector<std::string> rows;
    Record record;
    while (reader->Next(&record)) {
        rows.emplace_back();
        AppendJsonValue(*record.Find("vector"), &rows.back());
    }
    return rows;
}

Record SparseRecord(std::vector<uint32_t> dims, std::vector<float> weights) {
    Record record;
    record.key = "r";
    Value& value = record.Add("anything");
    value.kind = Value::Kind::kSparse;
    value.dims = std::move(dims);
    value.numbers = std::move(weights);
    return record;
}

}  // namespace

TEST_CASE("fbin, u8bin, i8bin and ibin", "[cli]") {
    const std::string fbin = Little(2, 4) + Little(2, 4) + F32(1.5f) + F32(-2) + F32(0) + F32(3);
    const auto reader = Reader(fbin, FileFormat::kFbin);
    CHECK(reader->rows_claimed() == 2);
    CHECK(Vectors(reader.get()) == Rows{{1.5f, -2}, {0, 3}});
    const std::string head = Little(1, 4) + Little(3, 4);
    const std::string bytes("\x00\x7f\xff", 3);
    CHECK(Vectors(Reader(head + bytes, FileFormat::kU8bin).get()) == Rows{{0, 127, 255}});
    CHECK(Vectors(Reader(head + bytes, FileFormat::kI8bin).get()) == Rows{{0, 127, -1}});
    const std::string ids = Little(7, 4) + Little(static_cast<uint32_t>(-7), 4) + Little(9, 4);
    CHECK(Vectors(Reader(head + ids, FileFormat::kIbin).get()) == Rows{{7, -7, 9}});

    CHECK(Mentions(Problem("abc", FileFormat::kFbin), "head of 8 bytes"));
    CHECK(
        Mentions(Problem(Little(1, 4) + Little(0, 4), FileFormat::kFbin), "offset 4: dimension 0"));
    CHECK(Mentions(Problem(Little(1, 4) + Little(65537, 4), FileFormat::kU8bin), "65537"));
    CHECK(Mentions(Problem(fbin.substr(0, 20), FileFormat::kFbin),
                   "row 1: the file ends here, its head says 2 rows"));
    CHECK(Mentions(Problem(fbin + "x", FileFormat::kFbin),
                   "offset 24: bytes behind the 2 rows that the head tells of"));
    // Distances, as many as ids, or nothing.
    CHECK(Problem(head + ids + F32(1) + F32(2) + F32(3), FileFormat::kIbin).empty());
    CHECK(Mentions(Problem(head + ids + F32(1), FileFormat::kIbin), "not their distances"));
    CHECK(Mentions(Problem(head + ids + ids + "x", FileFormat::kIbin), "offset 32: bytes behind"));
    // Four thousand million rows that are not there cost nothing.
    CHECK(Mentions(Problem(Little(0xffffffff, 4) + Little(65536, 4), FileFormat::kFbin),
                   "row 0: the file ends here"));
    CheckDamage(fbin, FileFormat::kFbin);
}

TEST_CASE("ground truth in ibin", "[cli]") {
    const std::string truth = Little(2, 4) + Little(2, 4) + Little(16777217, 4) + Little(2, 4) +
                              Little(5, 4) + Little(6, 4) + F32(0) + F32(1) + F32(0) + F32(1);
    using Ids = std::vector<std::vector<int32_t>>;
    const auto source = ByteSource::FromMemory(truth.data(), truth.size(), "truth");
    CHECK(ReadBinTruth(source.get(), 0, 10, 5) == Ids{{16777217, 2}, {5, 6}});
    const auto again = ByteSource::FromMemory(truth.data(), truth.size(), "truth");
    CHECK(ReadBinTruth(again.get(), 1, 10, 1) == Ids{{5}});
    // The distances behind the ids are no rows.
    CHECK(Vectors(Reader(truth, FileFormat::kIbin).get()).size() == 2);
    const std::string cut = truth.substr(0, 20);
    const auto damaged = ByteSource::FromMemory(cut.data(), cut.size(), "truth");
    CHECK_THROWS_WITH(ReadBinTruth(damaged.get(), 0, 10, 5),
                      "truth: row 1: the file ends here, its head says 2 rows");
}

TEST_CASE("fbin and its kin there and back", "[cli]") {
    const struct {
        BinElement element;
        const char* ending;
        Rows rows;
    } cases[] = {{BinElement::kF32, ".fbin", {{0.1f, -1e30f}, {3, 4}}},
                 {BinElement::kU8, ".u8bin", {{0, 255}, {3, 4}}},
                 {BinElement::kI8, ".i8bin", {{-128, 127}, {3, 4}}},
                 {BinElement::kI32, ".ibin", {{-8388608, 8388607}, {3, 4}}}};
    for (const auto& one : cases) {
        for (const char* packed : {"", ".gz"}) {
            const TempFile file(std::string(one.ending) + packed);
            // A plain file gets its true number of rows at the end.
            const auto writer = NewBinWriter(ByteSink::Open(file.path(), false), one.element,
                                             *packed == 0 ? 7 : 2, 2);
            Record record;
            record.has_vector = true;
            for (const auto& row : one.rows) {
                record.vector = row;
                writer->Write(record);
            }
            writer->Finish();
            const auto reader =
                NewRecordReader(ByteSource::Open(file.path()), FormatOfPath(file.path()));
            CHECK(reader->rows_claimed() == 2);
            CHECK(Vectors(reader.get()) == one.rows);
        }
    }
    Record record;
    record.has_vector = true;
    record.key = "k";
    record.vector = {1, 128};
    const TempFile file(".i8bin");
    const auto writer = NewBinWriter(ByteSink::Open(file.path(), false), BinElement::kI8, 1, 2);
    CHECK_THROWS_WITH(writer->Write(record), Catch::Contains("'k': element 1 (128) is not a whole "
                                                             "number from -128 to 127"));
}

TEST_CASE("spmat", "[cli]") {
    const std::string whole = SmallSpmat();
    const std::vector<std::string> wanted{"{\"dims\":[3,7],\"weights\":[0.5,2]}",
                                          "{\"dims\":[],\"weights\":[]}",
                                          "{\"dims\":[1],\"weights\":[-1]}"};
    const auto reader = Reader(whole, FileFormat::kSpmat);
    CHECK(reader->rows_claimed() == 3);
    CHECK(SparseRows(reader.get()) == wanted);

    CHECK(Mentions(Problem("short", FileFormat::kSpmat), "head of 24 bytes"));
    for (const auto& [rows, entries] : std::vector<std::pair<int64_t, int64_t>>{
             {3, 4}, {4, 3}, {-1, 3}, {INT64_MAX, 3}, {3, INT64_MIN}, {int64_t{1} << 61, 3}}) {
        CHECK(Mentions(Problem(Spmat(rows, 8, entries, whole.substr(24)), FileFormat::kSpmat),
                       "which is not a file of 80 bytes"));
    }
    CHECK(Mentions(Problem(Spmat(3, -1, 3, whole.substr(24)), FileFormat::kSpmat),
                   "offset 8: -1 dimensions"));
    std::string starts = whole;
    starts[24] = 1;
    CHECK(Mentions(Problem(starts, FileFormat::kSpmat), "offset 24: the first row"));
    starts = whole;
    starts[40] = 1;  // row 1 ends before it begins
    CHECK(Mentions(Problem(starts, FileFormat::kSpmat),
                   "offset 40: row 1 ends at entry 1; it begins at 2"));
    starts[40] = 9;
    CHECK(Mentions(Problem(starts, FileFormat::kSpmat), "ends at entry 9"));
    starts = whole;
    starts[48] = 2;  // an entry would be in no row
    CHECK(Mentions(Problem(starts, FileFormat::kSpmat),
                   "offset 48: the last row ends at entry 2, and there are 3"));
    CheckDamage(whole, FileFormat::kSpmat);

    // A dimension beyond the head's is an error of its row.
    const std::string narrow = Spmat(3, 7, 3, whole.substr(24));
    const auto careful = Reader(narrow, FileFormat::kSpmat);
    Record record;
    CHECK_THROWS_WITH(careful->Next(&record),
                      "test: row 0: entry 1 is of dimension 7, the head tells of 7");
    CHECK(careful->Next(&record));
    REQUIRE(careful->Next(&record));
    CHECK(record.Find("vector")->dims == std::vector<uint32_t>{1});
}

TEST_CASE("spmat there and back", "[cli]") {
    for (const char* ending : {".csr", ".csr.zst"}) {
        const TempFile file(ending);
        const auto writer = NewSpmatWriter(ByteSink::Open(file.path(), false), 0);
        writer->Write(SparseRecord({7, 3}, {2, 0.5f}));
        Record without;
        writer->Write(without);
        writer->Write(SparseRecord({}, {}));
        writer->Write(SparseRecord({1}, {-1}));
        writer->Finish();
        const auto reader = NewRecordReader(ByteSource::Open(file.path()), FileFormat::kSpmat);
        CHECK(SparseRows(reader.get()) ==
              std::vector<std::string>{"{\"dims\":[3,7],\"weights\":[0.5,2]}",
                                       "{\"dims\":[],\"weights\":[]}",
                                       "{\"dims\":[1],\"weights\":[-1]}"});
        if (file.path().back() == 'r') {
            CHECK(file.Content() == SmallSpmat());
        }
    }
    const TempFile file(".csr");
    const auto writer = NewSpmatWriter(ByteSink::Open(file.path(), false), 0);
    CHECK_THROWS_WITH(writer->Write(SparseRecord({2147483648u}, {1})),
                      Catch::Contains("'r': dimension 2147483648"));
}
