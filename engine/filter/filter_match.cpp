#include "engine/filter/filter_match.h"

#include <algorithm>

namespace quern::filter {

namespace {

CodeRanges One(uint32_t first, uint32_t end) {
    return first < end ? CodeRanges{{first, end}} : CodeRanges();
}

// What is in [first, end) and in none of the ranges.
CodeRanges Others(const CodeRanges& ranges, uint32_t first, uint32_t end) {
    CodeRanges others;
    for (const CodeRange& range : ranges) {
        if (first < range.first) {
            others.emplace_back(first, range.first);
        }
        first = std::max(first, range.second);
    }
    if (first < end) {
        others.emplace_back(first, end);
    }
    return others;
}

CodeRanges Tidy(CodeRanges ranges) {
    std::sort(ranges.begin(), ranges.end());
    CodeRanges tidy;
    for (const CodeRange& range : ranges) {
        if (!tidy.empty() && range.first <= tidy.back().second) {
            tidy.back().second = std::max(tidy.back().second, range.second);
        } else {
            tidy.push_back(range);
        }
    }
    return tidy;
}

class Matcher {
public:
    Matcher(const Node& condition, const AttrColumn& column)
        : condition_(condition), column_(column), end_(column.code_count()) {}

    // True for them; `nulls`: NULL may be among those for which it is true or false.
    CodeRanges Codes(bool wanted) const {
        const bool want = wanted != condition_.negated;
        const std::vector<Value>& values = condition_.values;
        switch (condition_.kind) {
            case NodeKind::kCompare: return Compared(condition_.order, values[0], want);
            case NodeKind::kBetween: return Between(want);
            case NodeKind::kIs: {
                const CodeRanges same = IsNull(values[0]) ? One(0, 1) : Equal(values[0]);
                return want ? same : Others(same, 0, end_);
            }
            case NodeKind::kIn: return In(want);
            case NodeKind::kTruth: {
                const CodeRanges zero = Equal(Value::Int(0));
                return want ? Others(zero, 1, end_) : zero;
            }
            case NodeKind::kLike:
            case NodeKind::kGlob:
            case NodeKind::kHasAny:
            case NodeKind::kHasAll: {
                const CodeRanges matching = EachValue();
                return want ? matching : Others(matching, 1, end_);
            }
            default: return {};
        }
    }

private:
    static bool IsNull(const Value& value) { return value.kind == Cell::Kind::kNull; }
    CodeRanges Equal(const Value& value) const {
        const CodeRange range = column_.Equal(value);
        return One(range.first, range.second);
    }

    CodeRanges Compared(Order order, const Value& value, bool want) const {
        if (IsNull(value)) {
            return {};
        }
        const auto [low, high] = column_.Equal(value);
        CodeRanges matching;
        switch (order) {
            case Order::kEqual: matching = One(low, high); break;
            case Order::kLess: matching = One(1, low); break;
            case Order::kLessEqual: matching = One(1, high); break;
            case Order::kGreater: matching = One(high, end_); break;
            case Order::kGreaterEqual: matching = One(low, end_); break;
        }
        return want ? matching : Others(matching, 1, end_);
    }

    CodeRanges Between(bool want) const {
        const Value& low = condition_.values[0];
        const Value& high = condition_.values[1];
        if (!want) {
            CodeRanges out = Compared(Order::kGreaterEqual, low, false);
            const CodeRanges above = Compared(Order::kLessEqual, high, false);
            out.insert(out.end(), above.begin(), above.end());
            return Tidy(std::move(out));
        }
        if (IsNull(low) || IsNull(high)) {
            return {};
        }
        return One(column_.Equal(low).first, column_.Equal(high).second);
    }

    CodeRanges In(bool want) const {
        if (condition_.values.empty()) {
            return want ? CodeRanges() : One(0, end_);  // of NULL, too
        }
        CodeRanges matching;
        bool null = false;
        for (const Value& value : condition_.values) {
            null = null || IsNull(value);
            if (!IsNull(value)) {
                const CodeRanges equal = Equal(value);
                matching.insert(matching.end(), equal.begin(), equal.end());
            }
        }
        matching = Tidy(std::move(matching));
        if (want) {
            return matching;
        }
        return null ? CodeRanges() : Others(matching, 1, end_);
    }

    // Of those conditions that have to look at every value.
    CodeRanges EachValue() const {
        CodeRanges matching;
        std::string number;
        for (uint32_t code = 1; code < end_; code++) {
            const Cell cell = column_.value(code);
            std::string_view text = cell.text;
            if (cell.kind == Cell::Kind::kInt) {
                number = std::to_string(cell.number);
                text = number;
            }
            if (!Holds(text)) {
                continue;
            }
            if (!matching.empty() && matching.back().second == code) {
                matching.back().second++;
            } else {
                matching.emplace_back(code, code + 1);
            }
        }
        return matching;
    }

    bool Holds(std::string_view text) const {
        const std::vector<Value>& values = condition_.values;
        if (condition_.kind == NodeKind::kLike) {
            return Like(text, values[0].text);
        }
        if (condition_.kind == NodeKind::kGlob) {
            return Glob(text, values[0].text);
        }
        const std::vector<std::string> tags = TagsOf(text);
        const auto has = [&](const Value& value) {
            return value.kind == Cell::Kind::kText &&
                   std::find(tags.begin(), tags.end(), value.text) != tags.end();
        };
        return condition_.kind == NodeKind::kHasAny
                   ? std::any_of(values.begin(), values.end(), has)
                   : std::all_of(values.begin(), values.end(), has);
    }

    const Node& condition_;
    const AttrColumn& column_;
    const uint32_t end_;
};

void AppendUtf8(uint32_t c, std::string* out) {
    if (c < 0x80) {
        *out += static_cast<char>(c);
    } else if (c < 0x800) {
        *out += static_cast<char>(0xc0 | c >> 6);
        *out += static_cast<char>(0x80 | (c & 0x3f));
    } else {
        *out += static_cast<char>(0xe0 | c >> 12);
        *out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        *out += static_cast<char>(0x80 | (c & 0x3f));
    }
}

// The columns' part, which asks nobody: sets the bits of what matches; those that are set stay.
Status MatchColumns(const Node& node, const MatchSource& source, bool wanted, Bits* bits) {
    switch (node.kind) {
        case NodeKind::kAnd:
        case NodeKind::kOr: {
            if ((node.kind == NodeKind::kAnd) != wanted) {
                for (const Node& child : node.children) {
                    QUERN_TRY(MatchColumns(child, source, wanted, bits));
                }
                return {};
            }
            Bits all(bits->size(), ~uint64_t{0});
            for (const Node& child : node.children) {
                Bits of_child(bits->size(), 0);
                QUERN_TRY(MatchColumns(child, source, wanted, &of_child));
                for (size_t word = 0; word < all.size(); word++) {
                    all[word] &= of_child[word];
                }
            }
            for (size_t word = 0; word < all.size(); word++) {
                (*bits)[word] |= all[word];
            }
            return {};
        }
        case NodeKind::kNot: return MatchColumns(node.children[0], source, !wanted, bits);
        default: break;
    }
    if (node.column == kNoColumn) {
        const Value& value = node.values[0];
        const bool null = value.kind == Cell::Kind::kNull;
        const bool is = value.kind == Cell::Kind::kInt ? value.number != 0 : value.real != 0;
        if (!null && is == wanted) {
            std::fill(bits->begin(), bits->end(), ~uint64_t{0});
        }
        return {};
    }
    return source.mark(node, wanted, bits);
}

// Sets the bits of what matches among the records of `within`; of others nothing is told.
//
// What the columns can decide comes first, and SQLite is asked about the records that are still
// open, as it would itself evaluate no further: `kind = 'json' and json_extract(text, '$.a') = 1`
// must not fail on a text that is none, nor read a million records for one.
Status Match(const Node& node, const MatchSource& source, bool wanted, const Bits& within,
             Bits* bits) {
    if (!NeedsSql(node)) {
        return MatchColumns(node, source, wanted, bits);
    }
    if (node.kind == NodeKind::kSql) {
        return source.ask_sql(node, wanted, within, bits);
    }
    if (node.kind == NodeKind::kNot) {
        return Match(node.children[0], source, !wanted, within, bits);
    }
    std::vector<const Node*> children;
    for (const Node& child : node.children) {
        children.push_back(&child);
    }
    std::stable_partition(children.begin(), children.end(),
                          [](const Node* child) { return !NeedsSql(*child); });
    const bool all = (node.kind == NodeKind::kAnd) == wanted;
    Bits open = within;
    for (const Node* const child : children) {
        Bits of_child(bits->size(), 0);
        QUERN_TRY(Match(*child, source, wanted, open, &of_child));
        for (size_t word = 0; word < open.size(); word++) {
            (*bits)[word] |= all ? 0 : of_child[word] & open[word];
            open[word] &= all ? of_child[word] : ~of_child[word];
        }
    }
    for (size_t word = 0; all && word < open.size(); word++) {
        (*bits)[word] |= open[word];
    }
    return {};
}

}  // namespace

std::vector<std::string> TagsOf(std::string_view json) {
    std::vector<std::string> tags;
    std::string tag;
    bool inside = false;
    for (size_t i = 0; i < json.size(); i++) {
        const char c = json[i];
        if (c == '"') {
            if (inside) {
                tags.push_back(tag);
            }
            tag.clear();
            inside = !inside;
        } else if (c == '\\' && inside && i + 1 < json.size()) {
            const char next = json[++i];
            if (next == 'u' && i + 4 < json.size()) {
                const std::string digits(json.substr(i + 1, 4));
                AppendUtf8(static_cast<uint32_t>(std::strtoul(digits.c_str(), nullptr, 16)), &tag);
                i += 4;
            } else {
                tag += next == 'n'   ? '\n'
                       : next == 't' ? '\t'
                       : next == 'r' ? '\r'
                       : next == 'b' ? '\b'
                       : next == 'f' ? '\f'
                                     : next;
            }
        } else if (inside) {
            tag += c;
        }
    }
    return tags;
}

CodeRanges MatchingCodes(const Node& condition, const AttrColumn& column, bool wanted) {
    return Matcher(condition, column).Codes(wanted);
}

Result<Bits> MatchingRecords(const Node& tree, const MatchSource& source) {
    Bits bits(source.open.size(), 0);
    QUERN_TRY(Match(tree, source, true, source.open, &bits));
    for (size_t word = 0; word < bits.size(); word++) {
        bits[word] &= source.open[word];
    }
    return bits;
}

}  // namespace quern::filter
