#include "storage/base/schema.h"

#include "storage/base/tokenizer.h"

namespace quern {

namespace {

char Lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool StartsWith(std::string_view name, std::string_view prefix) {
    return name.size() >= prefix.size() && SameName(name.substr(0, prefix.size()), prefix);
}

}  // namespace

bool SameName(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return false;
    }
    for (size_t i = 0; i < a.size(); i++) {
        if (Lower(a[i]) != Lower(b[i])) {
            return false;
        }
    }
    return true;
}

int Schema::FindAttr(std::string_view name) const {
    for (size_t i = 0; i < attrs.size(); i++) {
        if (SameName(attrs[i].name, name)) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

int Schema::FindField(std::string_view name) const {
    for (size_t f = 0; f < field_count(); f++) {
        if (SameName(field_name(f), name)) {
            return static_cast<int>(f);
        }
    }
    return -1;
}

std::string Schema::FieldName(uint32_t id) const {
    for (size_t f = 0; f < field_count(); f++) {
        if (field_id(f) == id) {
            return field_name(f);
        }
    }
    for (const AttrDef& attr : attrs) {
        if (attr.id == id) {
            return attr.name;
        }
    }
    return {};
}

bool Schema::HasName(std::string_view name) const {
    return SameName(key_name, name) || FindAttr(name) >= 0 || FindField(name) >= 0;
}

const char* NameProblem(std::string_view name) {
    if (name.empty()) {
        return "is empty";
    }
    if (name.size() > 255) {
        return "is longer than 255 bytes";
    }
    for (const char c : name) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            return "has a control character";
        }
    }
    if (name[0] == '_' || StartsWith(name, "quern_") || StartsWith(name, "sqlite_")) {
        return "starts with '_', 'quern_' or 'sqlite_', which are reserved";
    }
    if (!IsValidUtf8(name)) {
        return "is not valid UTF-8";
    }
    return nullptr;
}

const char* TextProblem(std::string_view text) {
    if (text.size() > kTextBytesMax) {
        return "a text of more than 16 MiB";
    }
    return IsValidUtf8(text) ? nullptr : "a text that is not valid UTF-8";
}

bool IsValidUtf8(std::string_view text) {
    size_t i = 0;
    while (i < text.size()) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            i++;
            continue;
        }
        const int extra = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
        if (lead < 0xC2 || lead > 0xF4 || text.size() - i <= static_cast<size_t>(extra)) {
            return false;
        }
        uint32_t point = lead & (0x3Fu >> extra);
        for (int j = 1; j <= extra; j++) {
            const auto next = static_cast<unsigned char>(text[i + static_cast<size_t>(j)]);
            if ((next & 0xC0) != 0x80) {
                return false;
            }
            point = point << 6 | (next & 0x3F);
        }
        if ((extra == 2 && point < 0x800) ||
            (extra == 3 && (point < 0x10000 || point > 0x10FFFF)) ||
            (point >= 0xD800 && point <= 0xDFFF)) {
            return false;
        }
        i += static_cast<size_t>(extra) + 1;
    }
    return true;
}

}  // namespace quern
