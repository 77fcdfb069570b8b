// Fuzzes the files of retrieval experiments: the first byte chooses among judgments, names of
// queries (lines, JSON lines), a vocabulary, vectors of terms, and a run that is written; the rest
// is the file, or the hits of the run.
//
// Any input must end in what the file says or in a FormatError with the line. A vocabulary that was
// read must give each of its terms the dimension of its line, and take a vector of such terms. A
// run that was written has six words a line, ranks from 1 in each query, and scores that fall.
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "format_error.h"
#include "retrieval_files.h"
#include "term_dimensions.h"

using namespace quern::shell;

namespace {

void ReadTerms(ByteSource* source) {
    TermDimensions terms(source);
    Value value;
    value.kind = Value::Kind::kJson;
    value.text = "{";
    const size_t count = terms.size() < 100 ? terms.size() : 100;
    for (uint32_t i = 0; i < count; i++) {
        value.text += i > 0 ? "," : "";
        AppendJsonText(*terms.TermOf(i), &value.text);
        value.text += ":1";
    }
    value.text += "}";
    SparseEntries entries;
    std::string problem;
    if (!terms.Convert(value, terms.size() + 1, true, &entries, &problem) ||
        entries.dims.size() != count) {
        std::abort();
    }
    for (uint32_t i = 0; i < count; i++) {
        if (entries.dims[i] != i) {
            std::abort();
        }
    }
}

// Hits: a byte whose low bits are the query, a score, a byte how long the key is, the key.
void WriteRun(const uint8_t* data, size_t size) {
    static const std::string path = "/tmp/quern_fuzz_run_" + std::to_string(getpid());
    struct Hit {
        std::string query, key;
    };
    std::vector<Hit> hits;
    try {
        RunWriter writer(ByteSink::Open(path, true), "tag");
        while (size >= 6) {
            float score;
            std::memcpy(&score, data + 1, 4);
            const size_t length = std::min<size_t>(data[5] % 16, size - 6);
            const Hit hit{"q" + std::to_string(data[0] % 4),
                          std::string(reinterpret_cast<const char*>(data) + 6, length)};
            data += 6 + length;
            size -= 6 + length;
            // Far from the ends, where no smaller number is left.
            writer.Add(hit.query, hit.key, std::fabs(score) < 1e30f ? score : 0.0f);
            hits.push_back(hit);
        }
        writer.Finish();
    } catch (const FormatError&) {
        return;  // a key that is empty, or has spaces; the sink takes its file away
    }
    const auto source = ByteSource::Open(path);
    std::string line, last;
    float before = 0;
    size_t rank = 0;
    for (const Hit& hit : hits) {
        if (!source->ReadLine(&line)) {
            std::abort();
        }
        std::istringstream words(line);
        std::string query, zero, key, told_rank, score, tag, rest;
        words >> query >> zero >> key >> told_rank >> score >> tag;
        rank = query == last ? rank + 1 : 1;
        last = query;
        const float number = std::strtof(score.c_str(), nullptr);
        if (query != hit.query || zero != "Q0" || key != hit.key || tag != "tag" || words >> rest ||
            told_rank != std::to_string(rank) || (rank > 1 && !(number < before))) {
            std::abort();
        }
        before = number;
    }
    if (source->ReadLine(&line)) {
        std::abort();
    }
    unlink(path.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    try {
        const auto source = ByteSource::FromMemory(data + 1, size - 1, "fuzz");
        switch (data[0] % 6) {
            case 0: {
                QrelsReader reader(source.get());
                Judgment judgment;
                while (reader.Next(&judgment)) {
                    if (judgment.query.empty() || judgment.record.empty()) {
                        std::abort();
                    }
                }
                break;
            }
            case 1: ReadQueryIds(source.get(), false); break;
            case 2: ReadQueryIds(source.get(), true); break;
            case 3: ReadTerms(source.get()); break;
            case 5: WriteRun(data + 1, size - 1); break;
            default: {
                // The text of a vector whose entries are named by terms.
                Value value;
                value.kind = Value::Kind::kJson;
                TermDimensions terms{std::string()};
                SparseEntries entries;
                std::string problem;
                while (source->ReadLine(&value.text)) {
                    terms.Convert(value, 1000, false, &entries, &problem);
                    if (terms.size() > 1000) {
                        std::abort();
                    }
                }
            }
        }
    } catch (const FormatError&) {
        // An error that names the place is a right answer.
    }
    return 0;
}
