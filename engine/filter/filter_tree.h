// A filter as a tree: AND, OR and NOT over conditions, each of which is about one column and
// constants, or is left to SQLite as it stands.
//
// Only the three words are taken apart here, and conditions of the forms below; so nothing that
// SQLite accepts is refused, and what is not understood costs no more than a leaf of the tree.
//
//   column <op> constant, either way round     = == != <> < <= > >= IS, IS NOT
//   column [NOT] BETWEEN constant AND constant
//   column [NOT] IN (constants), [NOT] IN ?1 with a list bound to it
//   column [NOT] LIKE constant, [NOT] GLOB constant
//   column IS NULL, ISNULL, IS NOT NULL, NOT NULL, NOTNULL
//   column, constant                           as a truth value
//   column HAS constant, HAS ANY (constants), HAS ALL (constants)      tags only
//
// A constant of which it is not certain that we read it as SQLite does (0.1 is, a number of 30
// digits is not) makes its condition one for SQLite.
#pragma once

#include <memory>
#include <vector>

#include "engine/filter/filter_sql.h"

namespace quern::filter {

enum class NodeKind : uint8_t {
    kAnd,
    kOr,
    kNot,
    kCompare,  // values[0]; NULL: never true
    kIs,       // values[0]; NULL is equal to itself
    kBetween,  // values[0], values[1]
    kIn,       // values
    kLike,     // values[0], a text
    kGlob,     // likewise
    kTruth,    // the column, or with no column values[0]
    kHasAny,   // values
    kHasAll,   // values
    kSql,      // whatever it is
};

enum class Order : uint8_t { kEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// How a column's values compare: SQLite's affinities.
enum class ColumnClass : uint8_t { kNumber, kReal, kText, kTags, kBlob };

struct Node {
    NodeKind kind = NodeKind::kSql;
    std::vector<Node> children;  // of kAnd, kOr (two or more) and kNot (one)
    int column = -1;             // number of the attribute; kKeyColumn: the key
    ColumnClass type = ColumnClass::kNumber;
    Order order = Order::kEqual;
    bool negated = false;  // the opposite; NULL stays NULL
    std::vector<Value> values;
    size_t first_token = 0;  // of the condition
    size_t end_token = 0;
};
inline constexpr int kKeyColumn = -2;
inline constexpr int kNoColumn = -1;

// Never fails: in the worst case the tree is one leaf for SQLite. Every parameter must have a value
// (CheckArguments). groups (may be NULL) gets what WriteSql is to put in brackets, so that SQLite
// takes long rows of AND and OR: to it each of these words is as much deeper as it stands behind
// others.
Node ReadTree(const Tokens& tokens, const Subject& subject, const std::vector<Argument>& arguments,
              std::vector<TokenRange>* groups = nullptr);

// Whether SQLite is needed for any of it.
bool NeedsSql(const Node& node);

}  // namespace quern::filter
