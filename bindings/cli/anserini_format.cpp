#include "anserini_format.h"

#include "format_error.h"

namespace quern::shell {
namespace {

class AnseriniWriter : public RecordWriter {
public:
    AnseriniWriter(std::unique_ptr<ByteSink> sink, const TermDimensions* terms)
        : sink_(std::move(sink)), terms_(terms) {}

    void Write(const Record& record) override {
        const Value* sparse =
            record.value_count() > 0 && record.value(0).value.kind == Value::Kind::kSparse
                ? &record.value(0).value
                : nullptr;
        if (!record.has_vector && sparse == nullptr) {
            return;
        }
        line_ = sparse != nullptr ? "{\"id\":" : "{\"docid\":";
        AppendJsonText(record.key, &line_);
        if (sparse == nullptr) {
            line_ += ",\"vector\":";
            AppendJsonNumbers(record.vector, &line_);
        } else {
            line_ += ",\"contents\":";
            AppendJsonText(record.value_count() > 1 ? record.value(1).value.text : std::string(),
                           &line_);
            line_ += ",\"vector\":{";
            for (size_t i = 0; i < sparse->dims.size(); i++) {
                line_ += i > 0 ? "," : "";
                AppendJsonText(Name(record, sparse->dims[i]), &line_);
                line_ += ":";
                AppendJsonFloat(sparse->numbers[i], &line_);
            }
            line_ += "}";
        }
        line_ += "}\n";
        sink_->Write(line_);
    }
    void Finish() override { sink_->Close(); }

private:
    std::string Name(const Record& record, uint32_t dim) const {
        if (terms_ == nullptr) {
            return std::to_string(dim);
        }
        const std::string* const term = terms_->TermOf(dim);
        if (term == nullptr) {
            throw FormatError("the record " + Quoted(record.key) + ": dimension " +
                              std::to_string(dim) + " has no term: the vocabulary has " +
                              std::to_string(terms_->size()));
        }
        return *term;
    }

    std::unique_ptr<ByteSink> sink_;
    const TermDimensions* terms_;
    std::string line_;
};

}  // namespace

std::unique_ptr<RecordWriter> NewAnseriniWriter(std::unique_ptr<ByteSink> sink,
                                                const TermDimensions* terms) {
    return std::make_unique<AnseriniWriter>(std::move(sink), terms);
}

}  // namespace quern::shell
