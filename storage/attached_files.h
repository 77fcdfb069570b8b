// Other SQLite files that statements of users may read, each under a name: name.table.
//
// A store has a list of them (Attachments); every connection follows it when it runs a statement of
// a user (AttachedFiles). They are opened by SQLite's own VFS and for reading alone, they are no
// part of a snapshot's state, and what a hostile one may hold runs no code of its own: views and
// triggers are off, and connections know no modules of virtual tables but those that SQLite brings.
//
// Thread rule: Attachments is thread-safe; AttachedFiles belongs to its connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/file_place.h"

struct sqlite3;

namespace quern::storage {

inline constexpr size_t kAttachedMax = 8;

struct Attachment {
    std::string name;
    std::string path;     // absolute
    uint64_t number = 0;  // of all that were ever attached
    FileStamp stamp{};    // of what a connection has opened
};

class Attachments {
public:
    // kInvalid: the name; kExists; kLimit.
    Status Add(const std::string& name, const std::string& path);
    // False: there is none of this name.
    bool Remove(const std::string& name);
    std::vector<Attachment> List() const;
    // Moves with every change; 0 before the first.
    uint64_t version() const { return version_.load(std::memory_order_acquire); }

private:
    mutable std::mutex mutex_;
    std::vector<Attachment> list_;
    uint64_t last_ = 0;
    std::atomic<uint64_t> version_{0};
};

class AttachedFiles {
public:
    // Attaches and detaches until the connection has what the list has, in a transaction or not.
    // What cannot be opened is left out; ProblemOf tells why. A path at which another file lies by
    // now is opened anew, unless the transaction has read the former one. Costs a stat() for each.
    void Follow(sqlite3* db, const Attachments& list);
    // Virtual tables are connected at their first use, which an authorizer would have to take for a
    // write; so those that the text mentions are used before it is asked. Before every statement:
    // another process may have changed the schema. Of the files that the text names, or of the
    // others, which are passed over if they cannot be read. kBusy: held by a writer; kSql: damaged.
    Status MakeVirtualTablesKnown(sqlite3* db, const std::string& text, bool named) const;
    // Those that no transaction has read.
    void Detach(sqlite3* db);
    bool empty() const { return open_.empty() && problems_.empty(); }
    bool Has(const char* database) const;
    // Why the first one that the text names is not there; OK: there is none such.
    Status ProblemOf(const std::string& text) const;

private:
    // Closes those of which the path leads elsewhere. False: all is as it was.
    bool CloseMoved(sqlite3* db);

    struct Problem {
        std::string name;
        Status status;
    };
    std::vector<Attachment> open_;
    std::vector<std::string> gone_;  // detached from the list, still read by a transaction
    std::vector<Problem> problems_;
    uint64_t version_ = 0;
    bool complete_ = true;
};

}  // namespace quern::storage
