#include "storage/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "storage/base/schema.h"

namespace quern {

namespace {

// Bytes of the character that begins there; 0: it is none.
size_t CharacterAt(std::string_view text, size_t at) {
    const auto first = static_cast<unsigned char>(text[at]);
    const size_t bytes = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    return bytes <= text.size() - at && IsValidUtf8(text.substr(at, bytes)) ? bytes : 0;
}

void WriteText(std::string_view text, std::string* out) {
    constexpr char kDigits[] = "0123456789abcdef";
    out->push_back('"');
    for (size_t at = 0; at < text.size();) {
        const size_t bytes = CharacterAt(text, at);
        const char c = text[at];
        if (bytes == 0) {
            out->append("\xEF\xBF\xBD");
        } else if (bytes > 1) {
            out->append(text.substr(at, bytes));
        } else if (c == '"' || c == '\\') {
            out->push_back('\\');
            out->push_back(c);
        } else if (c == '\n') {
            out->append("\\n");
        } else if (c == '\t') {
            out->append("\\t");
        } else if (c == '\r') {
            out->append("\\r");
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out->append("\\u00");
            out->push_back(kDigits[c >> 4]);
            out->push_back(kDigits[c & 15]);
        } else {
            out->push_back(c);
        }
        at += std::max<size_t>(bytes, 1);
    }
    out->push_back('"');
}

// The shortest that reads as the same number, and as one that is not whole.
void WriteReal(double number, std::string* out) {
    char digits[40];
    const char* const end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    const std::string_view written(digits, static_cast<size_t>(end - digits));
    out->append(written);
    if (written.find_first_of(".e") == std::string_view::npos) {
        out->append(".0");
    }
}

void NewLine(std::string* out, int indent, int level) {
    if (indent >= 0) {
        out->push_back('\n');
        out->append(static_cast<size_t>(indent) * static_cast<size_t>(level), ' ');
    }
}

}  // namespace

Json::Json(std::initializer_list<Member> members) : kind_(Kind::kObject) {
    names_.reserve(members.size());
    items_.reserve(members.size());
    for (const Member& member : members) {
        names_.emplace_back(member.first);
        items_.push_back(member.second);
    }
}

Json Json::Array() {
    Json json;
    json.kind_ = Kind::kArray;
    return json;
}

Json Json::Object() {
    Json json;
    json.kind_ = Kind::kObject;
    return json;
}

void Json::SetReal(double number) {
    if (std::isfinite(number)) {
        kind_ = Kind::kReal;
        number_.real = number;
    }
}

size_t Json::Find(std::string_view name) const {
    return static_cast<size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
}

const Json& Json::at(std::string_view name) const {
    static const Json none;
    const size_t i = Find(name);
    return i < names_.size() ? items_[i] : none;
}

Json& Json::operator[](std::string_view name) {
    if (kind_ == Kind::kNull) {
        kind_ = Kind::kObject;
    }
    const size_t i = Find(name);
    if (i == names_.size()) {
        items_.emplace_back();
        names_.emplace_back(name);
    }
    return items_[i];
}

void Json::push_back(Json item) {
    if (kind_ == Kind::kNull) {
        kind_ = Kind::kArray;
    }
    items_.push_back(std::move(item));
}

void Json::Merge(Json other) {
    for (size_t i = 0; i < other.names_.size(); i++) {
        (*this)[other.names_[i]] = std::move(other.items_[i]);
    }
}

std::string Json::Text(int indent) const {
    std::string out;
    WriteTo(&out, indent, 0);
    return out;
}

void Json::WriteTo(std::string* out, int indent, int level) const {
    switch (kind_) {  // never: another kind
        case Kind::kNull: out->append("null"); break;
        case Kind::kBool: out->append(number_.whole != 0 ? "true" : "false"); break;
        case Kind::kInt: out->append(std::to_string(number_.whole)); break;
        case Kind::kUnsigned: out->append(std::to_string(number_.natural)); break;
        case Kind::kReal: WriteReal(number_.real, out); break;
        case Kind::kText: WriteText(text_, out); break;
        case Kind::kArray:
        case Kind::kObject: WriteItems(out, indent, level); break;
    }
}

void Json::WriteItems(std::string* out, int indent, int level) const {
    const bool object = kind_ == Kind::kObject;
    out->push_back(object ? '{' : '[');
    for (size_t i = 0; i < items_.size(); i++) {
        if (i > 0) {
            out->push_back(',');
        }
        NewLine(out, indent, level + 1);
        if (object) {
            WriteText(names_[i], out);
            out->append(indent >= 0 ? ": " : ":");
        }
        items_[i].WriteTo(out, indent, level + 1);
    }
    if (!items_.empty()) {
        NewLine(out, indent, level);
    }
    out->push_back(object ? '}' : ']');
}

}  // namespace quern
