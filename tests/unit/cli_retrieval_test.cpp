// Files of retrieval experiments: judgments, names of queries, runs, vocabularies, Anserini's
// vectors, and folders as BEIR has them.
#include "anserini_format.h"
#include "byte_sink.h"
#include "cli_format_check.h"
#include "retrieval_files.h"
#include "term_dimensions.h"

using namespace quern::shell;
using namespace quern::shell::test;

namespace {

std::vector<std::string> Qrels(const std::string& text) {
    const auto source = ByteSource::FromMemory(text.data(), text.size(), "qrels");
    QrelsReader reader(source.get());
    std::vector<std::string> lines;
    Judgment judgment;
    while (reader.Next(&judgment)) {
        lines.push_back(judgment.query + "|" + judgment.record + "|" +
                        std::to_string(static_cast<int>(judgment.gain)));
    }
    return lines;
}

std::vector<std::string> Ids(const std::string& text, bool json_lines) {
    const auto source = ByteSource::FromMemory(text.data(), text.size(), "ids");
    return ReadQueryIds(source.get(), json_lines);
}

Value JsonValue(const std::string& text) {
    Value value;
    value.kind = Value::Kind::kJson;
    value.text = text;
    return value;
}

}  // namespace

TEST_CASE("judgments of TREC and BEIR", "[cli]") {
    using Lines = std::vector<std::string>;
    CHECK(Qrels("q1 0 d1 2\nq1 0 d2 0\n\nq2\t0\td1\t1\n") ==
          Lines{"q1|d1|2", "q1|d2|0", "q2|d1|1"});
    CHECK(Qrels("query-id\tcorpus-id\tscore\nq 1\td 1\t1\r\n") == Lines{"q 1|d 1|1"});
    CHECK(Qrels("").empty());
    for (const char* bad : {"q1 d1", "q1 0 d1 x", "q1 0 d1 1 2", "q1 0 d1 nan", "q1 0 d1 inf"}) {
        CHECK_THROWS_WITH(Qrels(std::string("q0 0 d0 1\n") + bad + "\n"),
                          "qrels:2: not 'QUERY 0 RECORD GAIN' or 'QUERY RECORD GAIN'");
    }
}

TEST_CASE("names of queries", "[cli]") {
    using Lines = std::vector<std::string>;
    CHECK(Ids("a the first\nb\tx\n7\n", false) == Lines{"a", "b", "7"});
    CHECK(Ids("{\"_id\":\"a\",\"text\":\"x\"}\n\n{\"id\":7}\n{\"query_id\":\"c\"}\n", true) ==
          Lines{"a", "7", "c"});
    CHECK_THROWS_WITH(Ids("a\nb\na\n", false), "ids:3: the query 'a' is there twice");
    CHECK_THROWS_WITH(Ids("{\"_id\":\"a\"}\n{\"text\":\"x\"}\n", true),
                      "ids:2: the query has no \"_id\", \"id\" or \"query_id\"");
    CHECK_THROWS_WITH(Ids("{\"_id\":[1]}\n", true), Catch::Contains("ids:1: the query has no"));
    CHECK_THROWS_WITH(Ids("{\n", true), Catch::Contains("ids:1: malformed JSON"));
}

TEST_CASE("a run is in the order of its scores", "[cli]") {
    const TempFile file(".run");
    RunWriter writer(ByteSink::Open(file.path(), false), "tag");
    writer.Add("q1", "a", 2.5f);
    writer.Add("q1", "b", 1);
    writer.Add("q1", "c", 1);
    writer.Add("q1", "d", 1);
    writer.Add("q2", "a", 1);
    writer.Finish();
    CHECK(file.Content() ==
          "q1 Q0 a 1 2.5 tag\nq1 Q0 b 2 1 tag\nq1 Q0 c 3 0.99999994 tag\n"
          "q1 Q0 d 4 0.9999999 tag\nq2 Q0 a 1 1 tag\n");
    const TempFile other(".run");
    RunWriter careful(ByteSink::Open(other.path(), false), "tag");
    CHECK_THROWS_WITH(careful.Add("q", "a b", 1), Catch::Contains("the key 'a b'"));
    CHECK_THROWS_WITH(careful.Add("", "a", 1), Catch::Contains("the query ''"));
    const TempFile third(".run");
    CHECK_THROWS_WITH(RunWriter(ByteSink::Open(third.path(), false), "my tag"),
                      Catch::Contains("the tag 'my tag'"));
}

TEST_CASE("terms get dimensions, which stay", "[cli]") {
    const TempFile file(".txt");
    SparseEntries entries;
    std::string problem;
    {
        TermDimensions terms(file.path());
        REQUIRE(
            terms.Convert(JsonValue("{\"whale\":1.5,\"white\":-2}"), 4, false, &entries, &problem));
        CHECK(entries.dims == std::vector<uint32_t>{0, 1});
        CHECK(entries.weights == std::vector<float>{1.5f, -2});
        terms.Save();
        CHECK(file.Content() == "whale\nwhite\n");
        // What does not fit adds nothing.
        const std::pair<const char*, const char*> bad[] = {
            {"{\"a\":1,\"b\":2,\"c\":3}", "more than 4 terms with 'c'"},
            {"{\"a\":\"x\"}", "the weight of 'a' is not a finite number"},
            {"{\"a\":1e99}", "the weight of 'a', 1e+99, is beyond f32 (3.4e38)"},
            {"{\"a\\tb\":1}", "is not a term"},
            {"{\"\":1}", "'' is not a term"},
            {"{\"a\":1,\"a\":2}", "'a' is there twice"},
            {"[1]", "is not a sparse vector"},
            {"{", "is not a sparse vector"}};
        for (const auto& [json, wanted] : bad) {
            CHECK(!terms.Convert(JsonValue(json), 4, false, &entries, &problem));
            CHECK(Mentions(problem, wanted));
        }
        CHECK(!terms.Convert(JsonValue("{\"a\":2}"), 4, true, &entries, &problem));
        CHECK(terms.size() == 2);
        Value null;
        REQUIRE(terms.Convert(null, 4, false, &entries, &problem));
        CHECK(!entries.present);
    }
    std::ofstream(file.path(), std::ios::app) << "last";  // a line without its end
    TermDimensions again(file.path());
    REQUIRE(again.Convert(JsonValue("{\"new\":1,\"white\":1}"), 9, false, &entries, &problem));
    CHECK(entries.dims == std::vector<uint32_t>{3, 1});
    again.Save();
    CHECK(file.Content() == "whale\nwhite\nlast\nnew\n");
    CHECK(*again.TermOf(2) == "last");
    CHECK(again.TermOf(4) == nullptr);
    const auto load = [](const std::string& text) {
        const auto source = ByteSource::FromMemory(text.data(), text.size(), "terms");
        return TermDimensions(source.get()).size();
    };
    CHECK(load("a\nb\n") == 2);
    CHECK(load("a\r\nb\r\n") == 2);
    CHECK_THROWS_WITH(load("a\r\nb\r\na\n"), "terms:3: the term 'a' is there twice");
    CHECK_THROWS_WITH(load("a\nb\na\n"), "terms:3: the term 'a' is there twice");
    CHECK_THROWS_WITH(load("a\n\n"), Catch::Contains("terms:2: '' is not a term"));
    CHECK_THROWS_WITH(load("a\tx\n"), Catch::Contains("terms:1:"));
}

TEST_CASE("Anserini's JSON lines", "[cli]") {
    const std::string text = "whale\nwhite\n";
    const auto source = ByteSource::FromMemory(text.data(), text.size(), "terms");
    TermDimensions terms(source.get());
    Record record;
    record.key = "d\"1";
    Value& value = record.Add("v");
    value.kind = Value::Kind::kSparse;
    value.dims = {1, 0};
    value.numbers = {0.5f, 2};
    Record dense;
    dense.key = "d2";
    dense.has_vector = true;
    dense.vector = {1, 0.25f};
    const TempFile file(".jsonl");
    const auto writer = NewAnseriniWriter(ByteSink::Open(file.path(), false), &terms);
    writer->Write(record);
    writer->Write(dense);
    writer->Finish();
    CHECK(file.Content() ==
          "{\"id\":\"d\\\"1\",\"contents\":\"\",\"vector\":{\"white\":0.5,\"whale\":2}}\n"
          "{\"docid\":\"d2\",\"vector\":[1,0.25]}\n");
    // And back.
    const auto reader = NewRecordReader(ByteSource::Open(file.path()), FileFormat::kAnserini);
    Record read;
    REQUIRE(reader->Next(&read));
    SparseEntries entries;
    std::string problem;
    REQUIRE(terms.Convert(*read.Find("vector"), 2, false, &entries, &problem));
    CHECK(entries.dims == value.dims);
    CHECK(entries.weights == value.numbers);
    REQUIRE(reader->Next(&read));
    CHECK(read.Find("vector")->numbers == dense.vector);

    Value& contents = record.Add("contents");
    contents.kind = Value::Kind::kText;
    contents.text = "the \"whale\"";
    const TempFile with_text(".jsonl");
    const auto text_writer = NewAnseriniWriter(ByteSink::Open(with_text.path(), false), nullptr);
    text_writer->Write(record);
    text_writer->Finish();
    CHECK(with_text.Content() ==
          "{\"id\":\"d\\\"1\",\"contents\":\"the \\\"whale\\\"\","
          "\"vector\":{\"1\":0.5,\"0\":2}}\n");

    record.At(0).dims[0] = 2;
    const TempFile other(".jsonl");
    CHECK_THROWS_WITH(NewAnseriniWriter(ByteSink::Open(other.path(), false), &terms)->Write(record),
                      Catch::Contains("dimension 2 has no term: the vocabulary has 2"));
}

TEST_CASE("folders as BEIR has them", "[cli]") {
    const TempFile folder("");
    std::filesystem::create_directory(folder.path());
    CHECK(BeirFile(folder.path(), "corpus").empty());
    std::ofstream(folder.path() + "/corpus.jsonl.gz") << "x";
    CHECK(BeirFile(folder.path(), "corpus") == folder.path() + "/corpus.jsonl.gz");
    std::ofstream(folder.path() + "/corpus.jsonl") << "x";
    CHECK(BeirFile(folder.path(), "corpus") == folder.path() + "/corpus.jsonl");
    CHECK(BeirFile(folder.path() + "/corpus.jsonl", "corpus").empty());
    std::filesystem::remove_all(folder.path());
}
