// Orders, bookmarks and assignments as anybody could write them: three texts with a line break
// between them.
//
// Every order must be read or be a mistake; a bookmark that is read for it must come back the same
// when it is written again, and stand neither before nor behind itself.
#include <cstdint>
#include <cstdlib>

#include "engine/filter/assignments.h"
#include "engine/filter/bookmark.h"

using namespace quern;
using namespace quern::filter;

namespace {

Schema MakeOrderSchema() {
    Schema schema;
    const std::pair<const char*, AttrType> attrs[] = {
        {"i", AttrType::kInt},  {"r", AttrType::kReal}, {"t", AttrType::kText},
        {"b", AttrType::kBool}, {"x", AttrType::kBlob}, {"g", AttrType::kTags}};
    for (const auto& [name, type] : attrs) {
        AttrDef def;
        def.id = schema.next_id++;
        def.name = name;
        def.type = type;
        schema.attrs.push_back(def);
    }
    return schema;
}

std::string_view TakeLine(std::string_view* text) {
    const size_t end = std::min(text->find('\n'), text->size());
    const std::string_view line = text->substr(0, end);
    text->remove_prefix(std::min(end + 1, text->size()));
    return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Schema schema = MakeOrderSchema();
    const Subject subject{"docs", &schema};
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view order_text = TakeLine(&text);
    const std::string_view bookmark = TakeLine(&text);
    if (auto order = ReadOrder(order_text, subject); order.ok()) {
        if (auto spot = ReadBookmark(bookmark, *order, schema); spot.ok()) {
            const std::string again = WriteBookmark(*order, schema, *spot);
            auto back = ReadBookmark(again, *order, schema);
            if (!back.ok() || CompareSpots(*order, *spot, *back) != 0 ||
                WriteBookmark(*order, schema, *back) != again) {
                std::abort();
            }
        }
    }
    // The same of a search, whose mark is 0 here.
    if (auto spot = ReadHitBookmark(bookmark, 0, schema); spot.ok()) {
        const std::string again = WriteHitBookmark(*spot);
        auto back = ReadHitBookmark(again, 0, schema);
        if (!back.ok() || WriteHitBookmark(*back) != again) {
            std::abort();
        }
    }
    if (auto tokens = ReadTokens(text, kSetSubject); tokens.ok()) {
        std::vector<Argument> arguments(tokens->parameters.size());
        for (size_t i = 0; i < arguments.size(); i++) {
            arguments[i].bound = i % 4 != 3;
            arguments[i].is_list = i % 2 == 1;
            arguments[i].values = {Value::Text("a")};
        }
        (void)ReadAssignments(*tokens, subject, arguments).ok();
    }
    return 0;
}
