// Filters as anybody could write them. The text is the input, behind one byte that chooses what is
// bound to its parameters.
//
// Every text must end in tokens or a mistake, every list of tokens in SQL and in a tree, every tree
// in bits; no record may be one for which a filter is true and false.
#include <cstdint>
#include <cstdlib>

#include "engine/filter/filter_match.h"

using namespace quern;
using namespace quern::filter;

namespace {

Schema MakeSchema() {
    Schema schema;
    const std::pair<const char*, AttrType> attrs[] = {
        {"year", AttrType::kInt},  {"price", AttrType::kReal}, {"title", AttrType::kText},
        {"good", AttrType::kBool}, {"raw", AttrType::kBlob},   {"tags", AttrType::kTags}};
    for (const auto& [name, type] : attrs) {
        AttrDef def;
        def.name = name;
        def.type = type;
        schema.attrs.push_back(def);
    }
    return schema;
}

constexpr size_t kRecords = 70;

// A column with nulls, repeats and borders of its type.
std::unique_ptr<AttrColumn> MakeColumn(AttrType type) {
    static constexpr std::string_view kTexts[] = {"", "a", "B", "ab", "\xc3\xa4", "10"};
    static constexpr std::string_view kTags[] = {"[]", R"(["a","b\n"])", R"(["\u00e4"])"};
    ColumnBuilder builder(kRecords);
    for (size_t i = 0; i < kRecords; i++) {
        Cell cell;
        if (i % 5 == 0) {
            continue;
        }
        switch (type) {
            case AttrType::kInt:
            case AttrType::kBool:
                cell.kind = Cell::Kind::kInt;
                cell.number = i % 7 == 0 ? INT64_MIN : static_cast<int64_t>(i % 3);
                break;
            case AttrType::kReal:
                cell.kind = Cell::Kind::kReal;
                cell.real = i % 7 == 0 ? 1e300 : static_cast<double>(i % 3) / 2;
                break;
            case AttrType::kBlob:
                cell.kind = Cell::Kind::kBlob;
                cell.text = kTexts[i % 6];
                break;
            default:
                cell.kind = Cell::Kind::kText;
                cell.text = type == AttrType::kTags ? kTags[i % 3] : kTexts[i % 6];
        }
        if (!builder.Set(i, cell)) {
            std::abort();
        }
    }
    return builder.Finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Schema schema = MakeSchema();
    static const std::vector<std::unique_ptr<AttrColumn>> columns = [] {
        std::vector<std::unique_ptr<AttrColumn>> made;
        for (const AttrDef& def : schema.attrs) {
            made.push_back(MakeColumn(def.type));
        }
        made.push_back(MakeColumn(AttrType::kInt));  // the key
        return made;
    }();
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto tokens = ReadTokens(text);
    if (!tokens.ok()) {
        return 0;
    }
    std::vector<Argument> arguments(tokens->parameters.size());
    for (size_t i = 0; i < arguments.size(); i++) {
        arguments[i].bound = true;
        arguments[i].is_list = ((data[0] >> (i % 8)) & 1) != 0;
        arguments[i].values = {i % 2 == 0 ? Value::Int(static_cast<int64_t>(i)) : Value::Text("a")};
    }
    const Subject subject{"docs", &schema};
    const size_t end = tokens->list.size() - 1;
    (void)WriteSql(text, *tokens, 0, end, subject, arguments).ok();
    const Node tree = ReadTree(*tokens, subject, arguments);
    MatchSource source;
    source.open.assign((kRecords + 63) / 64, ~uint64_t{0});
    if (kRecords % 64 != 0) {
        source.open.back() &= (uint64_t{1} << (kRecords % 64)) - 1;
    }
    source.mark = [&](const Node& condition, bool wanted, Bits* bits) -> Status {
        const size_t number = condition.column == kKeyColumn
                                  ? columns.size() - 1
                                  : static_cast<size_t>(condition.column);
        const AttrColumn& column = *columns.at(number);
        column.Mark(MatchingCodes(condition, column, wanted), bits);
        return {};
    };
    source.ask_sql = [&](const Node& condition, bool, const Bits& within, Bits*) -> Status {
        for (size_t word = 0; word < within.size(); word++) {
            if ((within[word] & ~source.open[word]) != 0) {
                std::abort();
            }
        }
        if (condition.first_token >= condition.end_token || condition.end_token > end) {
            std::abort();
        }
        (void)WriteSql(text, *tokens, condition.first_token, condition.end_token, subject,
                       arguments)
            .ok();
        return {};
    };
    auto matching = MatchingRecords(tree, source);
    Node opposite;
    opposite.kind = NodeKind::kNot;
    opposite.children.push_back(tree);
    auto others = MatchingRecords(opposite, source);
    if (!matching.ok() || !others.ok()) {
        std::abort();
    }
    for (size_t word = 0; word < matching->size(); word++) {
        if (((*matching)[word] & (*others)[word]) != 0) {
            std::abort();
        }
    }
    return 0;
}
