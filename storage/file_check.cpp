// What verify finds in the pages and trees of a file.
#include <algorithm>
#include <string_view>

#include "storage/connection.h"
#include "storage/file_store.h"
#include "storage/page_vfs.h"

namespace quern::storage {

namespace {

constexpr size_t kProblemsMost = 100;

// Whether SQLite means that a page is in no tree and not free either.
bool IsLost(std::string_view line) {
    return line.starts_with("Page ") && line.ends_with("is never used");
}

// A finding of SQLite, which may be of many lines: the pages that were lost are counted, as there
// may be thousands below a single damaged one.
void TakeFinding(std::string_view finding, size_t* lost, std::vector<std::string>* problems) {
    std::string kept;
    while (!finding.empty()) {
        const size_t end = std::min(finding.find('\n'), finding.size());
        const std::string_view line = finding.substr(0, end);
        finding.remove_prefix(std::min(end + 1, finding.size()));
        if (IsLost(line)) {
            (*lost)++;
        } else if (line.substr(0, 4) != "*** ") {  // the name that the database has in SQLite
            kept += kept.empty() ? "" : "; ";
            kept += line;
        }
    }
    if (!kept.empty()) {
        problems->push_back("B-tree: " + kept);
    }
}

}  // namespace

Status FileStore::CheckPages(Work* work, std::vector<std::string>* problems) {
    QUERN_ASSIGN(std::unique_ptr<Reader> reader, BeginRead());
    ScopedWork scope(reader->connection(), work, "verify pages");
    QUERN_ASSIGN(const std::vector<uint32_t> bad, ScanPages(reader->connection()->handle()));
    for (const uint32_t page : bad) {
        problems->push_back("page " + std::to_string(page) + ": checksum is wrong");
        if (problems->size() >= kProblemsMost) {
            return {};
        }
    }
    Result<Statement> check = reader->connection()->Prepare("PRAGMA main.integrity_check(100)");
    Status status = check.status();
    size_t lost = 0;
    while (status.ok()) {
        Result<bool> row = check->Step();
        status = row.status();
        if (!row.ok() || !*row) {
            break;
        }
        const std::string line(check->ColumnBytes(0));
        QUERN_TRY(FailureIn(line));
        if (line != "ok") {
            TakeFinding(line, &lost, problems);
        }
    }
    if (lost > 0) {  // as many as SQLite told before it stopped
        problems->push_back("B-tree: " + std::to_string(lost) +
                            (lost == 1 ? " page is" : " pages are") +
                            " in no tree (what led there is damaged)");
    }
    if (status.code() == Code::kCorrupt) {
        problems->push_back(status.message());
        return {};
    }
    return status;
}

}  // namespace quern::storage
