// Reader and writer of JSONL.
#include "jsonl_format.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "float_codes.h"
#include "format_error.h"

namespace quern::shell {
namespace {

constexpr size_t kNestingMax = 200;

// Receives the parser's events. With a record, the text must be one object and each member becomes
// a value; without, the text is one value.
class ValueHandler {
public:
    using number_integer_t = nlohmann::json::number_integer_t;
    using number_unsigned_t = nlohmann::json::number_unsigned_t;
    using number_float_t = nlohmann::json::number_float_t;
    using string_t = nlohmann::json::string_t;
    using binary_t = nlohmann::json::binary_t;

    explicit ValueHandler(Record* record) : record_(record), top_(1) {}
    explicit ValueHandler(Value* value) : value_(value), top_(0) {}

    const std::string& problem() const { return problem_; }

    bool null() {
        if (!AtTop()) {
            return Nested("null");
        }
        return Done(Value::Kind::kNull);
    }
    bool boolean(bool truth) {
        if (!AtTop()) {
            return Nested(truth ? "true" : "false");
        }
        if (value_ != nullptr) {
            value_->integer = truth ? 1 : 0;
        }
        return Done(Value::Kind::kBool);
    }
    bool number_integer(number_integer_t number) {
        // The parser calls this with what has a minus sign, so that 0 is -0 here.
        return number == 0 && !AtTop() ? NestedNumber(-0.0f, "-0") : Integer(number);
    }
    bool number_unsigned(number_unsigned_t number) {
        if (number <= static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max())) {
            return Integer(static_cast<number_integer_t>(number));
        }
        return number_float(static_cast<number_float_t>(number), std::to_string(number));
    }
    bool number_float(number_float_t number, const string_t& digits) {
        if (!AtTop()) {
            return NestedNumber(static_cast<float>(number), digits);
        }
        if (value_ != nullptr) {
            value_->real = number;
            value_->text = digits;
        }
        return Done(Value::Kind::kReal);
    }
    bool string(string_t& text) {
        if (!AtTop()) {
            return NestedText(text);
        }
        if (value_ != nullptr) {
            value_->text = text;
        }
        return Done(Value::Kind::kText);
    }
    bool binary(binary_t&) { return Stop("binary value"); }

    bool start_object(size_t) {
        if (record_ != nullptr && depth_ == 0) {
            depth_ = 1;
            return true;
        }
        return Open('{');
    }
    bool key(string_t& name) {
        if (record_ == nullptr || depth_ > 1) {
            Separate();
            AppendJsonText(name, &value_->text);
            value_->text.push_back(':');
            fresh_ = true;
            return true;
        }
        if (record_->value_count() >= kColumnsMax) {
            return Stop("more than " + std::to_string(kColumnsMax) + " members");
        }
        if (!names_.insert(name).second) {
            return Stop("the name '" + name.substr(0, 60) + "' appears twice");
        }
        value_ = &record_->Add(name);
        return true;
    }
    bool end_object() {
        if (record_ != nullptr && depth_ == 1) {
            depth_ = 0;
            return true;
        }
        return Close('}');
    }
    bool start_array(size_t) { return Open('['); }
    bool end_array() { return Close(']'); }
    bool parse_error(size_t position, const std::string&,
                     const nlohmann::detail::exception& error) {
        // "[json.exception.parse_error.101] parse error at line 1, column 7: syntax error ...; last
        // read: ..."
        std::string what = error.what();
        what.resize(std::min(what.rfind("; last read"), what.size()));
        const size_t place = what.find("parse error at");
        const size_t start = what.find(place == std::string::npos ? "] " : ": ",
                                       place == std::string::npos ? 0 : place);
        return Stop("malformed JSON at character " + std::to_string(position) + ": " +
                    (start == std::string::npos ? what : what.substr(start + 2)));
    }

private:
    bool AtTop() const { return depth_ == top_; }

    bool Integer(number_integer_t number) {
        if (!AtTop()) {
            char digits[32];
            auto [end, error] = std::to_chars(digits, digits + sizeof(digits), number);
            (void)error;
            return NestedNumber(static_cast<float>(number),
                                std::string_view(digits, static_cast<size_t>(end - digits)));
        }
        if (value_ != nullptr) {
            value_->integer = number;
        }
        return Done(Value::Kind::kInt);
    }

    bool Stop(const std::string& problem) {
        if (problem_.empty()) {
            problem_ = problem;
        }
        return false;
    }
    bool Done(Value::Kind kind) {
        if (value_ == nullptr) {
            return Stop("wanted an object");
        }
        value_->kind = kind;
        return true;
    }
    // A comma before every element of an array or object but the first, and none behind a name.
    void Separate() {
        if (!fresh_) {
            value_->text.push_back(',');
        }
        fresh_ = false;
    }
    bool Nested(std::string_view json) {
        if (value_ == nullptr) {
            return Stop("wanted an object");
        }
        Separate();
        value_->text.append(json);
        all_numbers_ = false;
        all_texts_ = false;
        return true;
    }
    bool NestedNumber(float number, std::string_view digits) {
        if (value_ == nullptr) {
            return Stop("wanted an object");
        }
        Separate();
        value_->text.append(digits);
        all_texts_ = false;
        if (all_numbers_) {
            if (value_->numbers.size() == kDimensionMax) {
                all_numbers_ = false;
            } else {
                value_->numbers.push_back(number);
            }
        }
        return true;
    }
    bool NestedText(const std::string& text) {
        if (value_ == nullptr) {
            return Stop("wanted an object");
        }
        Separate();
        AppendJsonText(text, &value_->text);
        all_numbers_ = false;
        if (all_texts_) {
            value_->texts.push_back(text);
        }
        return true;
    }
    bool Open(char bracket) {
        if (value_ == nullptr) {
            return Stop("wanted an object");
        }
        if (AtTop()) {
            all_numbers_ = bracket == '[';
            all_texts_ = bracket == '[';
        } else {
            Separate();
            all_numbers_ = false;
            all_texts_ = false;
        }
        if (++depth_ > kNestingMax) {
            return Stop("nested deeper than " + std::to_string(kNestingMax));
        }
        value_->text.push_back(bracket);
        fresh_ = true;
        return true;
    }
    bool Close(char bracket) {
        value_->text.push_back(bracket);
        fresh_ = false;
        depth_--;
        if (!AtTop()) {
            return true;
        }
        if (all_numbers_ && !value_->numbers.empty()) {
            return Done(Value::Kind::kNumbers);
        }
        value_->numbers.clear();
        if (all_texts_) {
            return Done(Value::Kind::kTexts);
        }
        value_->texts.clear();
        return Done(Value::Kind::kJson);
    }

    Record* record_ = nullptr;
    Value* value_ = nullptr;
    const size_t top_;  // depth at which values of their own stand
    size_t depth_ = 0;
    bool fresh_ = true;  // nothing stands before the next element
    bool all_numbers_ = false;
    bool all_texts_ = false;
    std::string problem_;
    std::unordered_set<std::string> names_;
};

class JsonlReader : public RecordReader {
public:
    explicit JsonlReader(std::unique_ptr<ByteSource> source) : RecordReader(std::move(source)) {}
    bool has_columns() const override { return true; }

    bool Next(Record* record) override {
        do {
            if (!source_->ReadLine(&line_)) {
                return false;
            }
        } while (line_.find_first_not_of(" \t") == std::string::npos);
        StartLine(record);
        std::string problem;
        if (!ParseJsonObject(line_, record, &problem)) {
            Fail(*record, problem, true);
        }
        return true;
    }

private:
    std::string line_;
};

class JsonlWriter : public RecordWriter {
public:
    explicit JsonlWriter(std::unique_ptr<ByteSink> sink) : sink_(std::move(sink)) {}
    void Write(const Record& record) override {
        line_.assign("{");
        for (size_t i = 0; i < record.value_count(); i++) {
            if (i > 0) {
                line_.push_back(',');
            }
            AppendJsonText(record.value(i).name, &line_);
            line_.push_back(':');
            AppendJsonValue(record.value(i).value, &line_);
        }
        line_.append("}\n");
        sink_->Write(line_);
    }
    void Finish() override { sink_->Close(); }

private:
    std::unique_ptr<ByteSink> sink_;
    std::string line_;
};

}  // namespace

std::unique_ptr<RecordReader> NewJsonlReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<JsonlReader>(std::move(source));
}

std::unique_ptr<RecordWriter> NewJsonlWriter(std::unique_ptr<ByteSink> sink) {
    return std::make_unique<JsonlWriter>(std::move(sink));
}

bool ParseJsonObject(std::string_view json, Record* record, std::string* problem) {
    ValueHandler handler(record);
    if (nlohmann::json::sax_parse(json, &handler)) {
        return true;
    }
    *problem = handler.problem();
    return false;
}

bool ParseJsonValue(std::string_view json, Value* value, std::string* problem) {
    value->Clear();
    ValueHandler handler(value);
    if (nlohmann::json::sax_parse(json, &handler)) {
        return true;
    }
    *problem = handler.problem();
    return false;
}

}  // namespace quern::shell
