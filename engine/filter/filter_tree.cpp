#include "engine/filter/filter_tree.h"

#include <algorithm>

#include "engine/filter/filter_constants.h"

namespace quern::filter {

namespace {

// Words that are names to SQLite only between quotes.
constexpr const char* kReserved[] = {"add",
                                     "all",
                                     "alter",
                                     "and",
                                     "as",
                                     "autoincrement",
                                     "between",
                                     "case",
                                     "check",
                                     "collate",
                                     "commit",
                                     "constraint",
                                     "create",
                                     "default",
                                     "deferrable",
                                     "delete",
                                     "distinct",
                                     "drop",
                                     "else",
                                     "escape",
                                     "exists",
                                     "foreign",
                                     "from",
                                     "group",
                                     "having",
                                     "in",
                                     "index",
                                     "insert",
                                     "into",
                                     "is",
                                     "isnull",
                                     "join",
                                     "limit",
                                     "not",
                                     "nothing",
                                     "notnull",
                                     "null",
                                     "on",
                                     "or",
                                     "order",
                                     "primary",
                                     "references",
                                     "returning",
                                     "select",
                                     "set",
                                     "table",
                                     "then",
                                     "to",
                                     "transaction",
                                     "union",
                                     "unique",
                                     "update",
                                     "using",
                                     "values",
                                     "when",
                                     "where",
                                     "current_date",
                                     "current_time",
                                     "current_timestamp",
                                     "raise",
                                     "cast",
                                     "with",
                                     "recursive"};

// Texts with these bytes are compared by LIKE and GLOB in a way of SQLite's own (U+FFFD and
// behind).
constexpr std::string_view kOddBytes = "\xef\xbf";
constexpr size_t kPatternBytesMax = 1000;  // SQLite refuses those beyond 50000

bool IsReserved(const Token& token) {
    return token.kind == TokenKind::kName &&
           std::any_of(std::begin(kReserved), std::end(kReserved),
                       [&](const char* word) { return SameName(token.text, word); });
}

ColumnClass ClassOf(AttrType type) {
    switch (type) {
        case AttrType::kInt:
        case AttrType::kBool: return ColumnClass::kNumber;
        case AttrType::kReal: return ColumnClass::kReal;
        case AttrType::kBlob: return ColumnClass::kBlob;
        case AttrType::kTags: return ColumnClass::kTags;
        case AttrType::kText:
        case AttrType::kJson: break;
    }
    return ColumnClass::kText;
}

struct Column {
    int number = kNoColumn;
    ColumnClass type = ColumnClass::kNumber;
};

class TreeReader {
public:
    TreeReader(const Tokens& tokens, const Subject& subject, const std::vector<Argument>& arguments,
               std::vector<TokenRange>* groups)
        : tokens_(tokens.list), subject_(subject), arguments_(arguments), groups_(groups) {
        closes_.resize(tokens_.size(), 0);
        std::vector<size_t> open;
        for (size_t i = 0; i < tokens_.size(); i++) {
            if (tokens_[i].Is("(")) {
                open.push_back(i);
            } else if (tokens_[i].Is(")")) {
                closes_[open.back()] = i;
                open.pop_back();
            }
        }
    }

    Node Read() {
        const size_t end = tokens_.size() - 1;
        Node tree;
        return ReadOr(0, end, 0, &tree) ? tree : Leaf(0, end);
    }

private:
    static Node Leaf(size_t first, size_t end) {
        Node node;
        node.first_token = first;
        node.end_token = end;
        return node;
    }

    // Cuts [first, end) at the words at its top level. False where it cannot be done for certain.
    bool Cut(size_t first, size_t end, const char* word,
             std::vector<std::pair<size_t, size_t>>* out) {
        size_t cases = 0;
        size_t betweens = 0;
        size_t begin = first;
        for (size_t i = first; i < end; i++) {
            const Token& token = tokens_[i];
            if (token.Is("(")) {
                i = closes_[i];
                continue;
            }
            if (i > first && tokens_[i - 1].Is(".")) {
                continue;
            }
            cases += token.IsWord("case") ? 1 : 0;
            if (token.IsWord("end") && cases > 0) {
                cases--;
                continue;
            }
            if (cases > 0) {
                continue;
            }
            betweens += token.IsWord("between") ? 1 : 0;
            if (token.IsWord("and") && betweens > 0) {
                betweens--;
                continue;
            }
            if (token.IsWord("or") && betweens > 0) {
                return false;
            }
            if (token.IsWord(word)) {
                if (begin == i) {
                    return false;
                }
                out->emplace_back(begin, i);
                begin = i + 1;
            }
        }
        if (begin == end || cases > 0 || betweens > 0) {
            return false;
        }
        out->emplace_back(begin, end);
        return true;
    }

    bool ReadWord(size_t first, size_t end, size_t depth, const char* word, NodeKind kind,
                  Node* node) {
        std::vector<std::pair<size_t, size_t>> pieces;
        if (depth > kDepthMax || !Cut(first, end, word, &pieces)) {
            return false;
        }
        std::vector<Node> children(pieces.size());
        for (size_t i = 0; i < pieces.size(); i++) {
            const bool read = kind == NodeKind::kOr
                                  ? ReadAnd(pieces[i].first, pieces[i].second, depth, &children[i])
                                  : ReadNot(pieces[i].first, pieces[i].second, depth, &children[i]);
            if (!read) {
                return false;
            }
        }
        if (children.size() == 1) {
            *node = std::move(children[0]);
            return true;
        }
        Group(std::move(pieces));
        *node = Leaf(first, end);
        node->kind = kind;
        node->children = std::move(children);
        return true;
    }
    // Groups of a long row, and groups of these. The words may stand in any brackets that leave
    // their order.
    void Group(std::vector<std::pair<size_t, size_t>> pieces) {
        while (groups_ != nullptr && pieces.size() > kRowMax) {
            std::vector<std::pair<size_t, size_t>> grouped;
            for (size_t first = 0; first < pieces.size(); first += kRowMax) {
                const size_t last = std::min(first + kRowMax, pieces.size()) - 1;
                grouped.emplace_back(pieces[first].first, pieces[last].second);
                groups_->push_back({pieces[first].first, pieces[last].second});
            }
            pieces = std::move(grouped);
        }
    }
    bool ReadOr(size_t first, size_t end, size_t depth, Node* node) {
        return ReadWord(first, end, depth, "or", NodeKind::kOr, node);
    }
    bool ReadAnd(size_t first, size_t end, size_t depth, Node* node) {
        return ReadWord(first, end, depth, "and", NodeKind::kAnd, node);
    }

    bool ReadNot(size_t first, size_t end, size_t depth, Node* node) {
        size_t nots = 0;
        while (first + nots < end && tokens_[first + nots].IsWord("not")) {
            nots++;
        }
        if (first + nots == end || nots > kDepthMax) {
            return false;
        }
        Node inner;
        if (!ReadCondition(first + nots, end, depth, &inner)) {
            return false;
        }
        if (nots % 2 == 0) {
            *node = std::move(inner);
            return true;
        }
        *node = Leaf(first, end);
        node->kind = NodeKind::kNot;
        node->children.push_back(std::move(inner));
        return true;
    }

    bool InBrackets(size_t first, size_t end) const {
        return tokens_[first].Is("(") && closes_[first] + 1 == end;
    }

    bool ReadCondition(size_t first, size_t end, size_t depth, Node* node) {
        if (InBrackets(first, end)) {
            const Token& inside = tokens_[first + 1];
            if (first + 2 == end || inside.IsWord("select") || inside.IsWord("with") ||
                inside.IsWord("values")) {
                *node = Leaf(first, end);
                return true;
            }
            return ReadOr(first + 1, end - 1, depth + 1, node);
        }
        *node = Leaf(first, end);
        Node known = Leaf(first, end);
        if (Recognize(first, end, &known)) {
            *node = std::move(known);
        }
        return true;
    }

    // name, or collection.name.
    bool TakeColumn(size_t* at, size_t end, Column* column) const {
        size_t i = *at;
        const auto is_name = [&](size_t token) {
            return token < end && !IsReserved(tokens_[token]) &&
                   (tokens_[token].kind == TokenKind::kName ||
                    tokens_[token].kind == TokenKind::kQuotedName);
        };
        if (!is_name(i)) {
            return false;
        }
        if (i + 1 < end && tokens_[i + 1].Is(".")) {
            if (!SameName(tokens_[i].text, subject_.collection) || !is_name(i + 2)) {
                return false;
            }
            i += 2;
        }
        const std::string& name = tokens_[i].text;
        const Schema& schema = *subject_.schema;
        if (SameName(name, schema.key_name)) {
            *column = {kKeyColumn, schema.key_type == KeyType::kInt ? ColumnClass::kNumber
                                                                    : ColumnClass::kText};
        } else {
            int found = -1;
            for (size_t a = 0; a < schema.attrs.size() && found < 0; a++) {
                found = SameName(name, schema.attrs[a].name) ? static_cast<int>(a) : -1;
            }
            if (found < 0) {
                return false;
            }
            *column = {found, ClassOf(schema.attrs[static_cast<size_t>(found)].type)};
        }
        *at = i + 1;
        return true;
    }

    bool TakeConstant(size_t* at, size_t end, Value* value) const {
        size_t i = *at;
        if (i >= end) {
            return false;
        }
        const bool minus = tokens_[i].Is("-");
        i += minus || tokens_[i].Is("+") ? 1 : 0;
        if (i >= end) {
            return false;
        }
        const Token& token = tokens_[i];
        if (token.kind == TokenKind::kNumber) {
            const std::optional<Value> number = ReadNumber(token.text, minus);
            if (!number) {
                return false;
            }
            *value = *number;
        } else if (i != *at) {
            return false;  // a sign before something else
        } else if (token.kind == TokenKind::kText) {
            *value = Value::Text(token.text);
        } else if (token.kind == TokenKind::kBlob) {
            *value = Value::Blob(token.text);
        } else if (token.IsWord("null")) {
            *value = Value();
        } else if (token.kind == TokenKind::kParameter) {
            const Argument& argument = arguments_[token.parameter - 1];
            if (argument.is_list || argument.values.size() != 1) {
                return false;
            }
            *value = argument.values[0];
        } else {
            return false;
        }
        *at = i + 1;
        return true;
    }

    static bool TakeOrder(const Token& token, Order* order, bool* negated) {
        static constexpr struct {
            const char* sign;
            Order order;
            bool negated;
        } kOrders[] = {{"=", Order::kEqual, false},   {"==", Order::kEqual, false},
                       {"!=", Order::kEqual, true},   {"<>", Order::kEqual, true},
                       {"<", Order::kLess, false},    {"<=", Order::kLessEqual, false},
                       {">", Order::kGreater, false}, {">=", Order::kGreaterEqual, false}};
        for (const auto& known : kOrders) {
            if (token.Is(known.sign)) {
                *order = known.order;
                *negated = known.negated;
                return true;
            }
        }
        return false;
    }

    bool Put(const Value& constant, Node* node) const {
        std::optional<Value> value = WithAffinity(constant, node->type);
        if (!value) {
            return false;
        }
        node->values.push_back(std::move(*value));
        return true;
    }

    bool Recognize(size_t first, size_t end, Node* node) const {
        size_t at = first;
        Column column;
        if (TakeColumn(&at, end, &column)) {
            node->column = column.number;
            node->type = column.type;
            return RecognizeColumn(at, end, node);
        }
        Value constant;
        if (!TakeConstant(&at, end, &constant)) {
            return false;
        }
        if (at == end) {
            node->kind = NodeKind::kTruth;
            node->values.push_back(constant);
            // Of a text SQLite reads a number.
            return constant.kind != Cell::Kind::kText && constant.kind != Cell::Kind::kBlob;
        }
        node->kind = NodeKind::kCompare;
        if (!TakeOrder(tokens_[at], &node->order, &node->negated)) {
            return false;
        }
        at++;
        if (!TakeColumn(&at, end, &column) || at != end) {
            return false;
        }
        node->column = column.number;
        node->type = column.type;
        switch (node->order) {  // seen from the column
            case Order::kLess: node->order = Order::kGreater; break;
            case Order::kLessEqual: node->order = Order::kGreaterEqual; break;
            case Order::kGreater: node->order = Order::kLess; break;
            case Order::kGreaterEqual: node->order = Order::kLessEqual; break;
            case Order::kEqual: break;
        }
        return Put(constant, node);
    }

    // What follows a column.
    bool RecognizeColumn(size_t at, size_t end, Node* node) const {
        if (at == end) {
            node->kind = NodeKind::kTruth;
            return node->type == ColumnClass::kNumber || node->type == ColumnClass::kReal;
        }
        Value constant;
        if (TakeOrder(tokens_[at], &node->order, &node->negated)) {
            node->kind = NodeKind::kCompare;
            at++;
            return TakeConstant(&at, end, &constant) && at == end && Put(constant, node);
        }
        if (tokens_[at].IsWord("has")) {
            return RecognizeHas(at + 1, end, node);
        }
        const bool is_null = tokens_[at].IsWord("isnull");
        if (is_null || tokens_[at].IsWord("notnull")) {
            return IsNull(at + 1 == end, !is_null, node);
        }
        if (tokens_[at].IsWord("is")) {
            at++;
            node->negated = at < end && tokens_[at].IsWord("not");
            at += node->negated ? 1 : 0;
            node->kind = NodeKind::kIs;
            return TakeConstant(&at, end, &constant) && at == end && Put(constant, node);
        }
        if (tokens_[at].IsWord("not")) {
            node->negated = true;
            at++;
            if (at < end && tokens_[at].IsWord("null")) {
                return IsNull(at + 1 == end, true, node);
            }
        }
        if (at == end) {
            return false;
        }
        if (tokens_[at].IsWord("between")) {
            return RecognizeBetween(at + 1, end, node);
        }
        if (tokens_[at].IsWord("in")) {
            return RecognizeIn(at + 1, end, node);
        }
        const bool like = tokens_[at].IsWord("like");
        if (like || tokens_[at].IsWord("glob")) {
            node->kind = like ? NodeKind::kLike : NodeKind::kGlob;
            at++;
            return TakeConstant(&at, end, &constant) && at == end && PutPattern(constant, node);
        }
        return false;
    }

    static bool IsNull(bool complete, bool negated, Node* node) {
        node->kind = NodeKind::kIs;
        node->negated = negated;
        node->values.emplace_back();
        return complete;
    }

    // Of a real or a blob SQLite makes a text in its own way.
    static bool PutPattern(const Value& pattern, Node* node) {
        node->values.push_back(pattern);
        return pattern.kind == Cell::Kind::kText && pattern.text.size() <= kPatternBytesMax &&
               pattern.text.find(kOddBytes) == std::string::npos &&
               node->type != ColumnClass::kReal && node->type != ColumnClass::kBlob;
    }

    bool RecognizeBetween(size_t at, size_t end, Node* node) const {
        node->kind = NodeKind::kBetween;
        Value low;
        Value high;
        if (!TakeConstant(&at, end, &low) || at >= end || !tokens_[at].IsWord("and")) {
            return false;
        }
        at++;
        return TakeConstant(&at, end, &high) && at == end && Put(low, node) && Put(high, node);
    }

    bool RecognizeIn(size_t at, size_t end, Node* node) const {
        node->kind = NodeKind::kIn;
        if (at + 1 == end && tokens_[at].kind == TokenKind::kParameter) {
            const Argument& argument = arguments_[tokens_[at].parameter - 1];
            return argument.is_list &&
                   std::all_of(argument.values.begin(), argument.values.end(),
                               [&](const Value& value) { return Put(value, node); });
        }
        return TakeList(at, end, node);
    }

    // (constants) up to the end.
    bool TakeList(size_t at, size_t end, Node* node) const {
        if (at + 1 >= end || !tokens_[at].Is("(")) {
            return false;
        }
        at++;
        if (tokens_[at].Is(")")) {
            return at + 1 == end;
        }
        while (true) {
            Value constant;
            if (!TakeConstant(&at, end, &constant) || at >= end || !Put(constant, node)) {
                return false;
            }
            if (tokens_[at].Is(")")) {
                return at + 1 == end;
            }
            if (!tokens_[at].Is(",")) {
                return false;
            }
            at++;
        }
    }

    bool RecognizeHas(size_t at, size_t end, Node* node) const {
        if (node->type != ColumnClass::kTags || at >= end) {
            return false;
        }
        node->kind = tokens_[at].IsWord("all") ? NodeKind::kHasAll : NodeKind::kHasAny;
        const bool list = tokens_[at].IsWord("all") || tokens_[at].IsWord("any");
        // Numbers must not become texts here: what tags hold are texts, which no number equals.
        node->type = ColumnClass::kBlob;
        bool read = false;
        if (!list) {
            Value constant;
            read = TakeConstant(&at, end, &constant) && at == end && Put(constant, node);
        } else {
            read = RecognizeIn(at + 1, end, node);
            node->kind = tokens_[at].IsWord("all") ? NodeKind::kHasAll : NodeKind::kHasAny;
        }
        node->type = ColumnClass::kTags;
        return read;
    }

    const std::vector<Token>& tokens_;
    const Subject& subject_;
    const std::vector<Argument>& arguments_;
    std::vector<TokenRange>* groups_;
    std::vector<size_t> closes_;  // of each opening bracket, so that no level reads what is inside
};

}  // namespace

Node ReadTree(const Tokens& tokens, const Subject& subject, const std::vector<Argument>& arguments,
              std::vector<TokenRange>* groups) {
    return TreeReader(tokens, subject, arguments, groups).Read();
}

bool NeedsSql(const Node& node) {
    return (node.kind == NodeKind::kSql) ||
           std::any_of(node.children.begin(), node.children.end(), NeedsSql);
}

}  // namespace quern::filter
