// JSON that is made, not read: what reports are put together from, and written as text.
//
// Ours, because the destructors of nlohmann's values allocate, and so end the process where memory
// has run out. These give back and never ask.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern {

// A value; members of objects stay in the order in which they were added. Confined.
class Json {
public:
    using Member = std::pair<std::string_view, Json>;

    Json() = default;  // null
    Json(std::nullptr_t) {}
    Json(std::same_as<bool> auto truth) : kind_(Kind::kBool) { number_.whole = truth ? 1 : 0; }
    Json(std::signed_integral auto number) : kind_(Kind::kInt) { number_.whole = number; }
    Json(std::unsigned_integral auto number) requires(!std::same_as<decltype(number), bool>)
        : kind_(Kind::kUnsigned) {
        number_.natural = number;
    }
    // Null where it is not finite, which JSON cannot say.
    Json(std::floating_point auto number);
    Json(std::string text) : kind_(Kind::kText), text_(std::move(text)) {}
    Json(std::string_view text) : Json(std::string(text)) {}
    Json(const char* text) : Json(std::string(text)) {}
    // An object; names are not to come twice.
    Json(std::initializer_list<Member> members);
    static Json Array();
    static Json Object();

    bool is_null() const { return kind_ == Kind::kNull; }
    size_t size() const { return items_.size(); }
    bool empty() const { return items_.empty(); }
    const std::string& text() const { return text_; }
    const Json& at(size_t i) const { return items_[i]; }
    const Json& at(std::string_view name) const;  // null where there is none

    // Null becomes an object; the member is made, if it is not there.
    Json& operator[](std::string_view name);
    // Null becomes an array.
    void push_back(Json item);
    // The members of another object, which take the place of those that have their names.
    void Merge(Json other);

    // indent: of each level, in spaces; -1: all in one line. What is no UTF-8 becomes U+FFFD.
    std::string Text(int indent = -1) const;

private:
    enum class Kind : uint8_t { kNull, kBool, kInt, kUnsigned, kReal, kText, kArray, kObject };

    void WriteTo(std::string* out, int indent, int level) const;
    void WriteItems(std::string* out, int indent, int level) const;
    size_t Find(std::string_view name) const;  // size() where there is none
    void SetReal(double number);

    Kind kind_ = Kind::kNull;
    union {
        int64_t whole;
        uint64_t natural;
        double real;
    } number_ = {0};
    std::string text_;
    std::vector<std::string> names_;  // of the items of an object
    std::vector<Json> items_;
};

Json::Json(std::floating_point auto number) {
    SetReal(static_cast<double>(number));
}

}  // namespace quern
