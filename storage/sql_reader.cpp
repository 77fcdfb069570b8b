#include "storage/sql_reader.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "storage/base/at_end.h"
#include "storage/sql_functions.h"
#include "storage/sql_place.h"

namespace quern::storage {

namespace {

// The virtual tables that a statement may use: they make rows of the text they are given, and see
// nothing of the file.
constexpr const char* kTableFunctions[] = {"json_each", "json_tree"};

// Where a condition ends too early SQLite meets the bracket behind it.
constexpr char kEndsEarly[] = "near \")\": syntax error";

bool IsTableFunction(const char* name) {
    return std::any_of(std::begin(kTableFunctions), std::end(kTableFunctions),
                       [&](const char* known) { return sqlite3_stricmp(known, name) == 0; });
}

// SQLite makes a virtual table known at its first use, and asks then whether sqlite_master may be
// written; the question does not tell for which table. So these are made known before anyone is
// asked, and all others are refused.
void MakeTableFunctionsKnown(sqlite3* db) {
    for (const char* name : kTableFunctions) {
        sqlite3_stmt* statement = nullptr;
        const std::string use = std::string("SELECT 1 FROM ") + name + "('[]')";
        // A SQLite without it says so when the user's statement asks for it.
        sqlite3_prepare_v2(db, use.c_str(), -1, &statement, nullptr);
        sqlite3_finalize(statement);
    }
}

// Bytes of a text or blob that a statement of a user makes or reads; of one that it is given, half
// of it.
constexpr int kLengthMax = 1 << 24;
constexpr int kGivenLengthMax = 1 << 28;

// What an authorizer looks at.
struct Sight {
    const std::vector<SqlView>* views;
    const std::string* text;             // of the user's
    const std::string* table = nullptr;  // of a condition, which may read it
    const AttachedFiles* attached = nullptr;
    mutable bool reads_attached = false;
    mutable std::string refused{};  // the last that was, where SQLite's message does not tell
    int Refuse(const std::string& what) const {
        refused = what;
        return SQLITE_DENY;
    }
    bool IsAttached(const char* database) const {
        return attached != nullptr && attached->Has(database);
    }
    bool IsView(const char* name) const {
        return std::any_of(views->begin(), views->end(),
                           [&](const SqlView& view) { return SameName(view.name, name); });
    }
    // A view has no row ids: SQLite would give NULL for each, and a condition on them match
    // nothing.
    bool IsMissingRowId(const char* name, const char* column) const {
        return std::strcmp(column, "ROWID") == 0 &&
               std::any_of(views->begin(), views->end(), [&](const SqlView& view) {
                   return !view.has_rowid && SameName(view.name, name);
               });
    }
    bool IsTableOfView(const char* name) const {
        return std::any_of(views->begin(), views->end(), [&](const SqlView& view) {
            return std::any_of(view.tables.begin(), view.tables.end(),
                               [&](const std::string& known) { return SameName(known, name); });
        });
    }
};

const char* NameOfAction(int action) {
    switch (action) {
        case SQLITE_INSERT: return "INSERT into ";
        case SQLITE_UPDATE: return "UPDATE of ";
        case SQLITE_DELETE: return "DELETE from ";
        case SQLITE_PRAGMA: return "PRAGMA ";
        case SQLITE_ATTACH: return "ATTACH of ";
        case SQLITE_DETACH: return "DETACH of ";
        case SQLITE_TRANSACTION:
        case SQLITE_SAVEPOINT: return "transactions of one's own: ";
        default: return "a statement that does not only read: ";
    }
}

std::string Refusal(int action, const char* first) {
    const std::string name(first == nullptr ? "" : first);
    if (sqlite3_strnicmp(name.c_str(), "sqlite_", 7) == 0) {
        return "changes of the schema, and virtual tables but json_each and json_tree";
    }
    return NameOfAction(action) + name;
}

// What a user's statement may do. `inner` is the view whose body asks, or a common table expression
// of the user's, NULL for the statement itself.
int Authorize(void* user, int action, const char* first, const char* second, const char* database,
              const char* inner) {
    const auto& sight = *static_cast<const Sight*>(user);
    switch (action) {
        case SQLITE_SELECT:
        case SQLITE_RECURSIVE: return SQLITE_OK;
        case SQLITE_FUNCTION: {
            // Our own are called by what stands before a condition, whose text names none.
            const bool own = sqlite3_strnicmp(second, "quern_", 6) == 0;
            return IsReadingFunction(second) || (own && sight.table != nullptr) ? SQLITE_OK
                                                                                : SQLITE_DENY;
        }
        // Full-text tables ask by themselves.
        case SQLITE_PRAGMA:
            if (sqlite3_stricmp(first, "data_version") == 0 && second == nullptr &&
                sight.IsAttached(database)) {
                return SQLITE_OK;
            }
            return sight.Refuse(Refusal(action, first));
        case SQLITE_READ: break;
        default: return sight.Refuse(Refusal(action, first));
    }
    if (first == nullptr || second == nullptr) {  // never: a column of a table is read
        return SQLITE_DENY;
    }
    if (sight.IsAttached(database)) {
        sight.reads_attached = true;
        return sqlite3_strnicmp(first, "sqlite_", 7) == 0 ? SQLITE_DENY : SQLITE_OK;
    }
    if (database != nullptr && sqlite3_stricmp(database, "temp") == 0 &&
        sight.IsMissingRowId(first, second)) {
        return SQLITE_DENY;
    }
    if (sight.table != nullptr && SameName(*sight.table, first)) {
        return SQLITE_OK;
    }
    if (inner != nullptr && sight.IsView(inner) && sight.IsTableOfView(first)) {
        return SQLITE_OK;
    }
    // A table of which no column is read is asked for with an empty column, and the schema as the
    // statement spells it, NULL if it does not. When SQLite merges a view into the statement this
    // comes for the tables of the body, in the name of the statement itself.
    if (*second == '\0' && database != nullptr && std::strcmp(database, kViewSchema) == 0) {
        return SQLITE_OK;
    }
    if (sqlite3_strnicmp(first, "sqlite_", 7) == 0 || sqlite3_strnicmp(first, "quern_", 6) == 0) {
        return SQLITE_DENY;
    }
    // A file that was detached while a transaction reads it.
    if (database != nullptr && sqlite3_stricmp(database, "main") != 0 &&
        sqlite3_stricmp(database, "temp") != 0) {
        return SQLITE_DENY;
    }
    // The tables themselves have columns and rows that are not the user's.
    if (database != nullptr && sqlite3_stricmp(database, "main") == 0) {
        return !sight.IsView(first) && IsTableFunction(first) ? SQLITE_OK : SQLITE_DENY;
    }
    return SQLITE_OK;
}

// SQLite's message, and what of the statement it tells nothing of.
std::string MessageOf(sqlite3* db, const Sight& sight) {
    std::string message = sqlite3_errmsg(db);
    if (message == "not authorized" && !sight.refused.empty()) {
        message.append(": ").append(sight.refused);
    }
    return message;
}

// The statement itself is to blame.
bool IsUsers(int code) {
    switch (code & 0xff) {
        case SQLITE_ERROR:
        case SQLITE_AUTH:
        case SQLITE_MISMATCH:
        case SQLITE_CONSTRAINT: return true;
        default: return false;
    }
}

struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementPtr = std::unique_ptr<sqlite3_stmt, Finalize>;

Cell ReadCell(sqlite3_stmt* statement, int column) {
    Cell cell;
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER:
            cell.kind = Cell::Kind::kInt;
            cell.number = sqlite3_column_int64(statement, column);
            break;
        case SQLITE_FLOAT:
            cell.kind = Cell::Kind::kReal;
            cell.real = sqlite3_column_double(statement, column);
            break;
        case SQLITE_NULL: break;
        default: {
            cell.kind = sqlite3_column_type(statement, column) == SQLITE_TEXT ? Cell::Kind::kText
                                                                              : Cell::Kind::kBlob;
            const void* data = sqlite3_column_blob(statement, column);
            const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
            cell.text = data == nullptr ? std::string_view("", 0)
                                        : std::string_view(static_cast<const char*>(data), size);
        }
    }
    return cell;
}

// Which of the user's texts has the mistake that a message is about, and where.
using Place = std::function<std::string(const std::string& message)>;

std::string InSql(const std::string&) {
    return "SQL";
}

// What a statement stopped with. attached: it may be another file that is held or damaged. what: of
// the user's was run.
Status Stopped(Connection* connection, const Sight& sight, bool attached, int code,
               const char* what, const Place& place) {
    sqlite3* db = connection->handle();
    const int base = code & 0xff;
    if (base == SQLITE_TOOBIG) {
        return Status::Error(
                   Code::kLimit,
                   "%s: a text or blob is larger than %d bytes, the limit of a value in a "
                   "statement",
                   place("").c_str(), sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1))
            .WithDetail(sqlite3_extended_errcode(db), 0);
    }
    // The pages of our own file are checked before SQLite sees them.
    if (attached && (base == SQLITE_CORRUPT || base == SQLITE_NOTADB)) {
        return Status::Error(Code::kSql, "%s: an attached file is damaged: %s", what,
                             sqlite3_errmsg(db))
            .WithDetail(sqlite3_extended_errcode(db), 0);
    }
    if (attached && base == SQLITE_BUSY) {
        return Status::Error(Code::kBusy,
                             "%s: an attached file is held by another process or thread", what)
            .WithDetail(sqlite3_extended_errcode(db), 0);
    }
    if (!IsUsers(code)) {
        return connection->ErrorStatus(code, what);
    }
    const std::string message = MessageOf(db, sight);
    return Status::Error(Code::kSql, "%s: %s", place(message).c_str(), message.c_str())
        .WithDetail(sqlite3_extended_errcode(db), 0);
}

// Steps through the rows of a statement.
Status TakeRows(Connection* connection, const Sight& sight, sqlite3_stmt* raw, const char* what,
                const Place& place, Work* work,
                const std::function<Status(const std::vector<Cell>& row)>& take) {
    const int count = sqlite3_column_count(raw);
    std::vector<Cell> row(static_cast<size_t>(count));
    for (uint64_t rows = 0;; rows++) {
        const int code = sqlite3_step(raw);
        if (code == SQLITE_DONE) {
            return {};
        }
        if (code != SQLITE_ROW) {
            return Stopped(connection, sight, sight.reads_attached, code, what, place);
        }
        for (int i = 0; i < count; i++) {
            row[static_cast<size_t>(i)] = ReadCell(raw, i);
        }
        QUERN_TRY(take(row));
        QUERN_TRY(work->Check("sql", rows, 0));
    }
}

Status RunAuthorized(Connection* connection, const Sight& sight, Work* work, const SqlSink& sink) {
    const std::string& statement = *sight.text;
    sqlite3* db = connection->handle();
    sqlite3_stmt* raw = nullptr;
    const char* tail = nullptr;
    const int made = sqlite3_prepare_v2(db, statement.c_str(),
                                        static_cast<int>(statement.size() + 1), &raw, &tail);
    if (made != SQLITE_OK) {
        return Stopped(connection, sight, sight.attached != nullptr, made, "SQL", InSql);
    }
    const StatementPtr prepared(raw);
    if (prepared == nullptr) {
        return Status::Error(Code::kSql, "SQL: the statement is empty");
    }
    while (*tail != '\0') {
        sqlite3_stmt* more = nullptr;
        const char* before = tail;
        const int code = sqlite3_prepare_v2(db, tail, -1, &more, &tail);
        const StatementPtr ignored(more);
        if (code != SQLITE_OK || more != nullptr) {
            return Status::Error(Code::kSql, "SQL: one statement at a time");
        }
        if (tail == before) {  // never: it ends behind what it has read
            break;
        }
    }
    if (sqlite3_stmt_readonly(raw) == 0 || sqlite3_stmt_isexplain(raw) != 0) {
        return Status::Error(Code::kSql, "SQL: only statements that read may run");
    }
    const int count = sqlite3_column_count(raw);
    std::vector<std::string> names;
    for (int i = 0; i < count; i++) {
        const char* name = sqlite3_column_name(raw, i);
        names.emplace_back(name == nullptr ? "" : name);  // never: it is in UTF-8 already
    }
    QUERN_TRY(sink.columns(names));
    return TakeRows(connection, sight, raw, "SQL", InSql, work, sink.row);
}

void Bind(sqlite3_stmt* statement, int index, const Cell& cell) {
    const auto size = static_cast<sqlite3_uint64>(cell.text.size());
    const char* text = cell.text.data() == nullptr ? "" : cell.text.data();
    // What is given may be a list of a million values.
    sqlite3* const db = sqlite3_db_handle(statement);
    if (cell.text.size() > static_cast<size_t>(sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1)) / 2) {
        sqlite3_limit(
            db, SQLITE_LIMIT_LENGTH,
            static_cast<int>(std::min<size_t>(cell.text.size(), kGivenLengthMax / 2) * 2));
    }
    switch (cell.kind) {  // never: another kind
        case Cell::Kind::kNull: sqlite3_bind_null(statement, index); break;
        case Cell::Kind::kInt: sqlite3_bind_int64(statement, index, cell.number); break;
        case Cell::Kind::kReal: sqlite3_bind_double(statement, index, cell.real); break;
        case Cell::Kind::kText:
            sqlite3_bind_text64(statement, index, text, size, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case Cell::Kind::kBlob:
            sqlite3_bind_blob64(statement, index, text, size, SQLITE_STATIC);
            break;
    }
}

// Rows that a condition is asked about. A pass over the table asks this first; to look rows up is
// written behind the condition, whose parameters have their numbers.
constexpr const char* kWanted = "quern_wanted(\"_rid\") AND ";
constexpr const char* kLookedUpName = ":quern_rows";
constexpr const char* kLookedUp = "\n) AND \"_rid\" IN (SELECT value FROM json_each(:quern_rows))";

std::string JsonOf(const std::vector<int64_t>& rows) {
    std::string json(1, '[');
    for (const int64_t row : rows) {
        json.append(json.size() > 1 ? "," : "").append(std::to_string(row));
    }
    return json += ']';
}

Status RunAuthorizedCondition(Connection* connection, const Sight& sight,
                              const SqlCondition& condition, Work* work,
                              const std::function<Status(const std::vector<Cell>& row)>& take) {
    sqlite3* db = connection->handle();
    const bool look_up = condition.rows != nullptr && condition.look_up;
    const std::string before = "SELECT " + condition.columns + " FROM main." +
                               QuoteName(condition.table) + " AS " + QuoteName(condition.name) +
                               " WHERE " +
                               (condition.only.empty() ? "" : condition.only + " AND ") +
                               (condition.rows != nullptr && !look_up ? kWanted : "") +
                               (condition.negated ? "NOT (\n" : "(\n");
    // A comment at its end must not swallow the bracket.
    const std::string statement = before + condition.text + (look_up ? kLookedUp : "\n)");
    sqlite3_stmt* raw = nullptr;
    const int made = sqlite3_prepare_v2(db, statement.c_str(),
                                        static_cast<int>(statement.size() + 1), &raw, nullptr);
    const auto at = [&](std::optional<size_t> byte) {
        return !byte ? std::string("filter")
                     : std::string("filter, byte ")
                           .append(
                               std::to_string(condition.origin ? condition.origin(*byte) : *byte));
    };
    const Place place = [&](const std::string& message) {
        return at(PlaceOfMessage(condition.text, message));
    };
    if (made != SQLITE_OK && !IsUsers(made)) {
        return Stopped(connection, sight, sight.attached != nullptr, made, "filter", place);
    }
    if (made != SQLITE_OK) {
        const int offset = sqlite3_error_offset(db) - static_cast<int>(before.size());
        std::string problem = MessageOf(db, sight);
        const bool unknown = problem.compare(0, 14, "no such column") == 0;
        const std::optional<size_t> byte =
            offset < 0 ? PlaceOfMessage(condition.text, problem)
                       : std::min(static_cast<size_t>(offset), condition.text.size());
        // The bracket that the user never wrote.
        if (offset >= 0 && byte == condition.text.size() && problem == kEndsEarly) {
            problem = "it ends where more is expected, a value or a word";
        }
        return Status::Error(unknown ? Code::kUnknownField : Code::kSql, "%s: %s", at(byte).c_str(),
                             problem.c_str())
            .WithDetail(sqlite3_extended_errcode(db), 0);
    }
    const StatementPtr prepared(raw);
    if (raw == nullptr || sqlite3_stmt_readonly(raw) == 0) {  // never: it is a SELECT
        return Status::Error(Code::kSql, "filter: only conditions that read may run");
    }
    const int wanted = sqlite3_bind_parameter_count(raw);
    for (int i = 1; i <= wanted && static_cast<size_t>(i) <= condition.parameters.size(); i++) {
        Bind(raw, i, condition.parameters[static_cast<size_t>(i - 1)]);
    }
    std::string rows;
    if (look_up) {
        rows = JsonOf(*condition.rows);
        Cell list;
        list.kind = Cell::Kind::kText;
        list.text = rows;
        Bind(raw, sqlite3_bind_parameter_index(raw, kLookedUpName), list);
    }
    connection->SetWanted(condition.rows);
    return TakeRows(connection, sight, raw, "filter", place, work, take);
}

// What a statement of a user sets on a connection goes with it, also when a sink throws for want of
// memory: the authorizer looks at the caller's frame.
class UsersRules {
public:
    explicit UsersRules(Connection* connection)
        : connection_(connection),
          // No single call of a function takes long, so that deadlines are met.
          length_(sqlite3_limit(connection->handle(), SQLITE_LIMIT_LENGTH, kLengthMax)) {}
    UsersRules(const UsersRules&) = delete;
    UsersRules& operator=(const UsersRules&) = delete;
    ~UsersRules() {
        sqlite3_set_authorizer(connection_->handle(), nullptr, nullptr);
        sqlite3_limit(connection_->handle(), SQLITE_LIMIT_LENGTH, length_);
        connection_->SetWanted(nullptr);
    }

private:
    Connection* connection_;
    int length_;
};

// Views that are there while it lives. They go with it, also when a sink throws for want of memory:
// another statement on the connection would find them under the names of its own.
class TemporaryViews {
public:
    TemporaryViews(Connection* connection, const std::vector<SqlView>& views)
        : connection_(connection), views_(views) {}
    ~TemporaryViews() {
        // Without memory for the names of them all, as many as there is memory for.
        Try([this] { static_cast<void>(Drop()); });
    }
    TemporaryViews(const TemporaryViews&) = delete;
    TemporaryViews& operator=(const TemporaryViews&) = delete;

    Status Make() {
        if (views_.empty()) {
            return {};
        }
        open_ = true;
        QUERN_TRY(connection_->LetTemporaryViews(true));
        for (; made_ < views_.size(); made_++) {
            QUERN_TRY(connection_->Execute("CREATE TEMP VIEW " + QuoteName(views_[made_].name) +
                                           " AS " + views_[made_].select));
        }
        return connection_->LetTemporaryViews(false);
    }
    Status Drop() {
        if (!open_) {
            return {};
        }
        static_cast<void>(connection_->LetTemporaryViews(true));
        Status status;
        for (; made_ > 0; made_--) {
            const Status dropped = connection_->Execute("DROP VIEW IF EXISTS temp." +
                                                        QuoteName(views_[made_ - 1].name));
            status = status.ok() ? dropped : status;
        }
        open_ = false;
        const Status closed = connection_->LetTemporaryViews(false);
        return status.ok() ? closed : status;
    }

private:
    Connection* connection_;
    const std::vector<SqlView>& views_;
    size_t made_ = 0;
    bool open_ = false;  // begun, and not dropped yet
};

// Runs body with the views made and the authorizer on, and leaves the connection as it was.
template <typename Body>
Status WithViews(Connection* connection, Sight sight, Work* work, Body body) {
    sight.attached = connection->FollowAttachments();
    TemporaryViews views(connection, *sight.views);
    Status status = views.Make();
    // SQLite reads the schemas of all files for it. The pages of our own are checked before.
    const int base = status.detail() & 0xff;
    if (sight.attached != nullptr && (base == SQLITE_CORRUPT || base == SQLITE_NOTADB)) {
        status = Status::Error(Code::kSql, "SQL: an attached file is damaged (%s)",
                               status.message().c_str())
                     .WithDetail(status.detail(), 0);
    }
    if (status.ok()) {
        ScopedWork scope(connection, work, "sql");
        const UsersRules rules(connection);
        MakeTableFunctionsKnown(connection->handle());
        if (sight.attached != nullptr) {
            status =
                sight.attached->MakeVirtualTablesKnown(connection->handle(), *sight.text, true);
            const ScopedWait none(connection, 0);
            static_cast<void>(
                sight.attached->MakeVirtualTablesKnown(connection->handle(), *sight.text, false));
        }
        if (status.ok()) {
            sqlite3_set_authorizer(connection->handle(), Authorize, &sight);
            status = body(sight);
        }
        if (!status.ok() && sight.attached != nullptr) {
            const Status problem = sight.attached->ProblemOf(*sight.text);
            status = problem.ok() ? status : problem;
        }
    }
    const Status dropped = views.Drop();
    return status.ok() ? dropped : status;
}

}  // namespace

Status RunSql(Connection* connection, const std::vector<SqlView>& views,
              const std::string& statement, Work* work, const SqlSink& sink) {
    return WithViews(connection, {&views, &statement}, work, [&](const Sight& sight) {
        return RunAuthorized(connection, sight, work, sink);
    });
}

Status RunCondition(Connection* connection, const std::vector<SqlView>& views,
                    const SqlCondition& condition, Work* work,
                    const std::function<Status(const std::vector<Cell>& row)>& take) {
    return WithViews(connection, {&views, &condition.text, &condition.table}, work,
                     [&](const Sight& sight) {
                         return RunAuthorizedCondition(connection, sight, condition, work, take);
                     });
}

}  // namespace quern::storage
