// The files of retrieval experiments: folders as BEIR has them, judgments (qrels), the names of
// queries, and runs for trec_eval.
//
//   FOLDER/corpus.jsonl   {"_id","title","text","metadata"} a line
//   FOLDER/queries.jsonl  {"_id","text","metadata"} a line
//   FOLDER/qrels/test.tsv "query-id<tab>corpus-id<tab>score", with that head line
//   qrels of TREC         "query 0 record gain"
//   run                   "query Q0 record rank score tag", the best first
#pragma once

#include <string>
#include <vector>

#include "byte_sink.h"
#include "byte_source.h"

namespace quern::shell {

// FOLDER/NAME.jsonl, or that with .gz or .zst, whichever is there; empty: none is.
std::string BeirFile(const std::string& folder, const std::string& name);

struct Judgment {
    std::string query;
    std::string record;
    double gain = 0;
};

class QrelsReader {
public:
    explicit QrelsReader(ByteSource* source) : source_(source) {}
    // False at the end. Throws FormatError with the line. Blank lines, and a head line, are passed
    // over. A line with tabs has its fields between these, so that names may have spaces.
    bool Next(Judgment* judgment);

private:
    ByteSource* source_;
    std::string line_;
};

// The names of queries, in order: the first word of each line, or of JSON lines "_id", "id" or
// "query_id". Throws FormatError; a name that comes twice is one.
std::vector<std::string> ReadQueryIds(ByteSource* source, bool json_lines);

class RunWriter {
public:
    RunWriter(std::unique_ptr<ByteSink> sink, std::string tag);
    // The next hit of the query: ranks count from 1 where the query is another than before. What
    // evaluates runs sorts by scores and orders ties in a way of its own; so a score that is not
    // below the one before is written as the next smaller number. Throws FormatError when a name is
    // empty or has spaces.
    void Add(const std::string& query, const std::string& record, float score);
    void Finish() { sink_->Close(); }

private:
    std::unique_ptr<ByteSink> sink_;
    std::string tag_;
    std::string query_;
    size_t rank_ = 0;
    float last_ = 0;
    std::string line_;
};

}  // namespace quern::shell
