// Fuzzes the readers of the files of retrieval experiments: the first byte chooses among judgments,
// names of queries (lines, JSON lines) and a vocabulary, the rest is the file.
//
// Any input must end in what the file says or in a FormatError with the line. A vocabulary that was
// read must give each of its terms the dimension of its line, and take a vector of such terms.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    try {
        const auto source = ByteSource::FromMemory(data + 1, size - 1, "fuzz");
        switch (data[0] % 5) {
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
