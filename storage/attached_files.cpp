#include "storage/attached_files.h"

#include <sqlite3.h>

#include <algorithm>
#include <cctype>

#include "storage/base/schema.h"
#include "storage/connection.h"

namespace quern::storage {

namespace {

constexpr size_t kNameBytesMax = 64;

bool IsName(const std::string& name) {
    const auto letter = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    };
    return !name.empty() && name.size() <= kNameBytesMax &&
           std::isalpha(static_cast<unsigned char>(name[0])) != 0 &&
           std::all_of(name.begin(), name.end(), letter);
}

bool StartsWith(const std::string& text, const char* with, int bytes) {
    return sqlite3_strnicmp(text.c_str(), with, bytes) == 0;
}

// Where a word is written in a text, whatever the case of its letters.
bool Mentions(const std::string& text, const std::string& word) {
    const auto same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) ==
               std::tolower(static_cast<unsigned char>(b));
    };
    return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

int Run(sqlite3* db, const std::string& sql) {
    return sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
}

std::string Quoted(const std::string& text) {
    std::string out(1, '\'');
    for (const char c : text) {
        out.append(c == '\'' ? 2 : 1, c);
    }
    return out + '\'';
}

// What a file has in it that only works in a database that is opened by itself: names of the schema
// main in views and triggers, and functions that a foreign schema may not call. SQLite then reads
// none of its tables.
bool StandsAlone(const std::string& problem) {
    const auto says = [&](const char* words) { return problem.find(words) != std::string::npos; };
    return says("cannot reference objects in database") || says("unsafe use of") ||
           says("non-deterministic");
}

// Before it is opened: who is put in its place meanwhile is found to be another with the next
// statement.
Status Look(Attachment* one) {
    const std::optional<FileStamp> stamp = StampOf(one->path);
    if (!stamp) {
        return Status::Error(Code::kCantOpen, "attached file '%s': %s is gone", one->name.c_str(),
                             one->path.c_str());
    }
    if (IsDirectory(one->path)) {
        return Status::Error(Code::kCantOpen, "attached file '%s': %s is a directory",
                             one->name.c_str(), one->path.c_str());
    }
    one->stamp = *stamp;
    return {};
}

bool IsAnother(const Attachment& one) {
    const std::optional<FileStamp> now = StampOf(one.path);
    return !now || !now->IsSameFile(one.stamp);
}

Status Open(sqlite3* db, const Attachment& one) {
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, static_cast<int>(2 * kAttachedMax));
    const std::string uri = FileUri(one.path) + "?mode=ro&vfs=unix";
    const int code = Run(db, "ATTACH " + Quoted(uri) + " AS " + QuoteName(one.name));
    const std::string problem = code == SQLITE_OK ? "" : sqlite3_errmsg(db);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    if (code == SQLITE_OK) {
        return {};
    }
    if (StandsAlone(problem)) {
        return Status::Error(Code::kInvalid,
                             "attached file '%s': %s: SQLite does not read its tables from "
                             "another database: %s",
                             one.name.c_str(), one.path.c_str(), problem.c_str())
            .WithDetail(sqlite3_extended_errcode(db), 0);
    }
    Code as = Code::kInvalid;
    switch (code & 0xff) {
        case SQLITE_CANTOPEN:
        case SQLITE_PERM: as = Code::kCantOpen; break;
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT: as = Code::kNotADatabase; break;
        case SQLITE_NOMEM: as = Code::kNoMem; break;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: as = Code::kBusy; break;
        case SQLITE_IOERR: as = Code::kIo; break;
        default: break;
    }
    return Status::Error(as, "attached file '%s': %s: %s", one.name.c_str(), one.path.c_str(),
                         problem.c_str())
        .WithDetail(sqlite3_extended_errcode(db), sqlite3_system_errno(db));
}

}  // namespace

Status Attachments::Add(const std::string& name, const std::string& path) {
    if (!IsName(name) || SameName(name, "main") || SameName(name, "temp") ||
        StartsWith(name, "quern_", 6) || StartsWith(name, "sqlite_", 7)) {
        return Status::Error(
            Code::kInvalid,
            "name '%s': expected a letter, then letters, digits and _, at most %zu "
            "bytes, and none of main, temp, quern_..., sqlite_...",
            name.substr(0, kNameBytesMax).c_str(), kNameBytesMax);
    }
    std::lock_guard<std::mutex> lock(mutex_);
    for (const Attachment& one : list_) {
        if (SameName(one.name, name)) {
            return Status::Error(Code::kExists, "a file is attached as '%s' already: %s",
                                 one.name.c_str(), one.path.c_str());
        }
    }
    if (list_.size() >= kAttachedMax) {
        return Status::Error(Code::kLimit, "more than %zu files attached", kAttachedMax);
    }
    list_.push_back({name, path, ++last_});
    version_.fetch_add(1, std::memory_order_release);
    return {};
}

bool Attachments::Remove(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::find_if(list_.begin(), list_.end(), [&](const Attachment& one) {
        return SameName(one.name, name);
    });
    if (found == list_.end()) {
        return false;
    }
    list_.erase(found);
    version_.fetch_add(1, std::memory_order_release);
    return true;
}

std::vector<Attachment> Attachments::List() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return list_;
}

bool AttachedFiles::CloseMoved(sqlite3* db) {
    return std::erase_if(open_, [&](const Attachment& one) {
               // Not while a transaction reads it.
               return IsAnother(one) && Run(db, "DETACH " + QuoteName(one.name)) == SQLITE_OK;
           }) > 0;
}

void AttachedFiles::Follow(sqlite3* db, const Attachments& list) {
    const uint64_t version = list.version();
    if (!CloseMoved(db) && version == version_ && complete_) {
        return;
    }
    const std::vector<Attachment> wanted = list.List();
    std::erase_if(gone_, [&](const std::string& name) {
        return Run(db, "DETACH " + QuoteName(name)) == SQLITE_OK;
    });
    std::erase_if(open_, [&](const Attachment& one) {
        const bool stays = std::any_of(wanted.begin(), wanted.end(), [&](const Attachment& other) {
            return other.number == one.number;
        });
        if (!stays && Run(db, "DETACH " + QuoteName(one.name)) != SQLITE_OK) {
            gone_.push_back(one.name);
        }
        return !stays;
    });
    problems_.clear();
    for (Attachment one : wanted) {
        if (Has(one.name.c_str())) {
            continue;
        }
        Status status = Look(&one);
        status = status.ok() ? Open(db, one) : status;
        if (status.ok()) {
            open_.push_back(std::move(one));
        } else {
            problems_.push_back({one.name, status});
        }
    }
    version_ = version;
    // What could not be done is tried again with the next statement.
    complete_ = problems_.empty() && gone_.empty();
}

Status AttachedFiles::MakeVirtualTablesKnown(sqlite3* db, const std::string& text,
                                             bool named) const {
    for (const Attachment& one : open_) {
        if (Mentions(text, one.name) != named) {
            continue;
        }
        const std::string schema = QuoteName(one.name);
        const std::string sql =
            "SELECT name FROM " + schema + ".sqlite_schema WHERE type='table' AND rootpage=0";
        sqlite3_stmt* tables = nullptr;
        std::vector<std::string> names;
        int code = sqlite3_prepare_v2(db, sql.c_str(), -1, &tables, nullptr);
        while (code == SQLITE_OK || code == SQLITE_ROW) {
            code = sqlite3_step(tables);
            const unsigned char* value =
                code == SQLITE_ROW ? sqlite3_column_text(tables, 0) : nullptr;
            const std::string name(value == nullptr ? "" : reinterpret_cast<const char*>(value));
            // A name with quotes may be spelled in several ways.
            if (value != nullptr &&
                (Mentions(text, name) || name.find_first_of("\"'`[]") != std::string::npos)) {
                names.push_back(name);
            }
        }
        sqlite3_finalize(tables);
        const int base = code & 0xff;
        if (named && base == SQLITE_BUSY) {
            return Status::Error(Code::kBusy,
                                 "attached file '%s' is held by another process or thread",
                                 one.name.c_str())
                .WithDetail(code, 0);
        }
        if (named && (base == SQLITE_CORRUPT || base == SQLITE_NOTADB)) {
            return Status::Error(Code::kSql, "attached file '%s' is damaged: %s", one.name.c_str(),
                                 sqlite3_errmsg(db))
                .WithDetail(code, 0);
        }
        for (const std::string& name : names) {
            const std::string use = "SELECT 1 FROM " + schema + "." + QuoteName(name) + " LIMIT 0";
            sqlite3_stmt* statement = nullptr;
            // One that cannot be connected says so when the user's statement asks for it.
            sqlite3_prepare_v2(db, use.c_str(), -1, &statement, nullptr);
            sqlite3_finalize(statement);
        }
    }
    return {};
}

void AttachedFiles::Detach(sqlite3* db) {
    for (const Attachment& one : open_) {
        gone_.push_back(one.name);
    }
    open_.clear();
    std::erase_if(gone_, [&](const std::string& name) {
        return Run(db, "DETACH " + QuoteName(name)) == SQLITE_OK;
    });
    problems_.clear();
    complete_ = false;
}

bool AttachedFiles::Has(const char* database) const {
    return database != nullptr &&
           std::any_of(open_.begin(), open_.end(),
                       [&](const Attachment& one) { return SameName(one.name, database); });
}

Status AttachedFiles::ProblemOf(const std::string& text) const {
    for (const Problem& problem : problems_) {
        if (Mentions(text, problem.name)) {
            return problem.status;
        }
    }
    return {};
}

}  // namespace quern::storage
