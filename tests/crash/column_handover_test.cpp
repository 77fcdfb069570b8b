// Crashes around the columns of attributes, which are derived and kept beside records that change
// in place: built by optimize, told of changes by whoever empties the log, built anew, taken out
// with a dropped attribute. The work is recorded, and a crash is played before and after every
// operation of it. In each state the file must open, verify must be clean, what filters say by
// columns must be what SQLite says of the records, and that must be what it was after some commit:
// none older than the last that was acknowledged. Then some states go on: change, optimize, and say
// the truth again.
//
//   column_handover_test [--stride N] [--fault 8]
//
// --stride N: every N-th state; no multiple of five, so that each kind of loss has its turn.
// --fault plants an error (storage/base/test_fault.h) that must be found.
#include <quern.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "storage/memory_vfs.h"
#include "storage/page_vfs.h"
#include "tests/crash/crash_points.h"
#include "tests/crash/planted.h"

namespace {

using quern::crash::CrashPoints;
using quern::crash::Files;
using quern::crash::Loss;
using quern::crash::Operation;

constexpr const char* kFolder = "/columns";
constexpr size_t kRecords = 1300;    // columns begin at 1024
constexpr size_t kGoesOnEvery = 25;  // states that are worked on further
constexpr const char* kOptions = "threads=1 durability=full seal_rows=100";
constexpr const char* kFilters[] = {"number < 500",
                                    "number between 200 and 90000",
                                    "number = 7",
                                    "number is null",
                                    "word = 'w3'",
                                    "word >= 'w5' and number > 100",
                                    "word is null or number in (1, 2, 3, 900001)",
                                    "id > 700 and id < 1400"};

struct Commit {
    size_t operation = 0;  // operations recorded when it was acknowledged
    std::string counts;
};

class Work {
public:
    explicit Work(quern_db* db) : db_(db) {}
    bool Do(bool ok, const char* what) {
        if (!ok && problem_.empty()) {
            problem_ = std::string(what) + ": " + err_.message;
        }
        return problem_.empty();
    }
    const std::string& problem() const { return problem_; }

    void Create() {
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "number", QUERN_INT, nullptr);
        quern_schema_attr(schema, "word", QUERN_TEXT, nullptr);
        quern_schema_attr(schema, "extra", QUERN_INT, nullptr);
        Do(quern_create(db_, "a", schema, &err_) == QUERN_OK, "create");
        quern_schema_free(schema);
    }
    void Insert(int64_t first, size_t count) { Write(first, count, 1, 0, false); }
    // In place, of sealed records too.
    void Update(int64_t first, size_t count, int64_t step, int64_t number) {
        Write(first, count, step, number, true);
    }
    void Delete(int64_t first, size_t count) {
        std::vector<int64_t> keys;
        for (size_t i = 0; i < count; i++) {
            keys.push_back(first + static_cast<int64_t>(i) * 5);
        }
        quern_batch* batch = quern_batch_new(db_, "a", count);
        quern_batch_key_int(batch, keys.data());
        Do(quern_delete(batch, nullptr, &err_) == QUERN_OK, "delete");
        quern_batch_free(batch);
    }
    void Optimize() { Do(quern_optimize(db_, nullptr, 0, &err_) == QUERN_OK, "optimize"); }
    void Rebuild() { Do(quern_rebuild(db_, nullptr, &err_) == QUERN_OK, "rebuild"); }
    void Vacuum() { Do(quern_vacuum(db_, &err_) == QUERN_OK, "vacuum"); }
    void DropExtra() { Do(quern_drop_column(db_, "a", "extra", &err_) == QUERN_OK, "drop"); }
    void Verify() { Do(quern_verify(db_, nullptr, &err_) == QUERN_OK, "verify"); }
    bool KeepsColumns() {
        quern_text* json = nullptr;
        if (!Do(quern_info(db_, &json, &err_) == QUERN_OK, "info")) {
            return false;
        }
        const bool keeps = std::strstr(quern_text_data(json), "\"state\": \"kept\"") != nullptr;
        quern_text_free(json);
        return keeps;
    }
    // How many records each filter is true for, as SQLite counts them; a problem when quern counts
    // others.
    std::string Counts() {
        std::string counts;
        for (const char* filter : kFilters) {
            uint64_t by_quern = 0;
            quern_query* query = quern_query_new(db_, "a");
            quern_query_filter(query, filter);
            Do(quern_query_count(query, &by_quern, &err_) == QUERN_OK, filter);
            quern_query_free(query);
            quern_result* result = nullptr;
            const std::string sql =
                std::string("SELECT count(*), total(id), total(number) FROM a WHERE ") + filter;
            if (!Do(quern_sql(db_, nullptr, sql.c_str(), &result, &err_) == QUERN_OK, "sql")) {
                return counts;
            }
            const int64_t by_sqlite = quern_result_int(result, 0, 0);
            counts += std::to_string(by_sqlite) + "/" +
                      std::to_string(quern_result_real(result, 0, 1)) + "/" +
                      std::to_string(quern_result_real(result, 0, 2)) + " ";
            quern_result_free(result);
            if (by_quern != static_cast<uint64_t>(by_sqlite) && problem_.empty()) {
                problem_ = std::string(filter) + ": " + std::to_string(by_quern) + " records, " +
                           std::to_string(by_sqlite) + " by SQLite";
            }
        }
        return counts;
    }

private:
    void Write(int64_t first, size_t count, int64_t step, int64_t number, bool update) {
        std::vector<int64_t> keys;
        std::vector<int64_t> numbers;
        std::vector<uint8_t> valid;
        std::vector<std::string> words;
        std::vector<const char*> pointers;
        for (size_t i = 0; i < count; i++) {
            keys.push_back(first + static_cast<int64_t>(i) * step);
            numbers.push_back(update ? number + static_cast<int64_t>(i) : keys.back() * 37 % 1000);
            valid.push_back(keys.back() % 11 != 0 || update);
            words.push_back(std::string("w").append(std::to_string(numbers.back() % 9)));
        }
        for (const std::string& word : words) {
            pointers.push_back(word.c_str());
        }
        quern_batch* batch = quern_batch_new(db_, "a", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "number", numbers.data(), valid.data());
        quern_batch_text(batch, "word", pointers.data(), valid.data());
        Do((update ? quern_update(batch, nullptr, &err_) : quern_upsert(batch, nullptr, &err_)) ==
               QUERN_OK,
           update ? "update" : "insert");
        quern_batch_free(batch);
    }

    quern_db* db_;
    quern_error err_ = QUERN_ERROR_INIT;
    std::string problem_;
};

// The recorded work; what was there before a commit is never a state that a crash may leave later.
std::string RunAll(const std::string& path, std::vector<Commit>* commits, size_t* begin) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    if (quern_open(path.c_str(), kOptions, &db, &err) != QUERN_OK) {
        return err.message;
    }
    Work work(db);
    work.Create();
    work.Insert(0, kRecords);
    const auto note = [&] {
        const size_t operation = quern::crash::Record().size();
        commits->push_back({operation, work.Counts()});
    };
    note();
    *begin = quern::crash::Record().size();
    work.Optimize();
    note();
    if (!work.KeepsColumns()) {
        work.Do(false, "optimize has built no columns");
    }
    work.Update(3, 20, 7, 900000);
    note();
    work.Delete(1201, 10);
    note();
    // The log is emptied: columns hear of what it changed.
    work.Insert(2000, 120);
    note();
    if (!work.KeepsColumns()) {
        work.Do(false, "the columns did not outlive the log");
    }
    work.Update(500, 15, 3, 1);
    note();
    work.Insert(3000, 120);
    note();
    work.Optimize();
    note();
    work.Update(700, 10, 2, 5);
    note();
    work.Rebuild();
    note();
    work.DropExtra();
    note();
    // More than columns bear: they are given up.
    work.Update(0, 200, 3, 7);
    note();
    work.Insert(4000, 120);
    note();
    work.Vacuum();
    note();
    quern_close(db);
    return work.problem();
}

// Empty when all is well, else what is wrong.
std::string CheckState(const std::string& path, const std::vector<Commit>& commits, size_t point,
                       bool goes_on) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    if (quern_open(path.c_str(), kOptions, &db, &err) != QUERN_OK) {
        return std::string("does not open: ") + err.message;
    }
    Work work(db);
    work.Verify();
    const std::string counts = work.Counts();
    size_t oldest = 0;
    while (oldest < commits.size() && commits[oldest].operation <= point) {
        oldest++;
    }
    bool found = false;
    for (size_t i = oldest == 0 ? 0 : oldest - 1; i < commits.size() && i <= oldest; i++) {
        found = found || commits[i].counts == counts;
    }
    if (!found) {
        work.Do(false, "the content is not that of a commit that may be there");
    }
    if (goes_on) {
        work.Update(30, 12, 9, 40);
        work.Counts();
        work.Insert(9000, 110);
        work.Counts();
        work.Optimize();
        work.Counts();
        work.Verify();
        if (!work.KeepsColumns()) {
            work.Do(false, "no columns after a crash and optimize");
        }
    }
    quern_close(db);
    return work.problem();
}

long Argument(int argc, char** argv, const char* name, long otherwise) {
    for (int i = 1; i + 1 < argc; i++) {
        if (std::strcmp(argv[i], name) == 0) {
            return std::atol(argv[i + 1]);
        }
    }
    return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    const auto stride = static_cast<size_t>(std::max(1L, Argument(argc, argv, "--stride", 1)));
    const long fault = Argument(argc, argv, "--fault", 0);
    if (!quern::storage::RegisterMemoryVfs().ok()) {
        return 1;
    }
    quern::crash::Plant(fault);
    quern::testing::SetBaseVfs(quern::crash::RegisterRecorder());
    std::vector<Commit> commits;
    size_t begin = 0;
    std::string first = RunAll(std::string(kFolder) + "/db", &commits, &begin);
    size_t failures = first.empty() ? 0 : 1;
    const std::vector<Operation> record = quern::crash::Record();
    quern::testing::SetBaseVfs(quern::storage::MemoryVfs());
    std::mt19937 random(1);
    CrashPoints crash(record);
    size_t states = 0;
    for (size_t point = begin; point <= record.size() && failures == 0; point++) {
        for (size_t l = 0; l < static_cast<size_t>(Loss::kCount); l++, states++) {
            if ((point * static_cast<size_t>(Loss::kCount) + l) % stride != 0) {
                continue;
            }
            const Files files = crash.At(point, static_cast<Loss>(l), &random);
            const std::string folder = "/replay/" + std::to_string(states);
            quern::crash::Materialize(files, kFolder, folder);
            const std::string problem =
                CheckState(folder + "/db", commits, point, states / stride % kGoesOnEvery == 0);
            quern::storage::DropMemoryFiles(folder);
            if (!problem.empty()) {
                failures++;
                first = "before operation " + std::to_string(point) + " of " +
                        std::to_string(record.size()) + ", loss " + std::to_string(l) + ": " +
                        problem;
                break;
            }
        }
    }
    std::printf(
        "%zu commits, %zu operations, %zu states of which every %zu. was opened, %zu "
        "failures%s%s\n",
        commits.size(), record.size() - begin, states, stride, failures,
        first.empty() ? "" : "\n  first: ", first.c_str());
    if (fault != 0) {
        std::printf("fault %ld: %s\n", fault, failures > 0 ? "found" : "NOT FOUND");
        return failures > 0 ? 0 : 1;
    }
    return failures == 0 ? 0 : 1;
}
