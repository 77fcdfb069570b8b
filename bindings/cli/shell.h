// What every command of the shell shares: exit codes, errors, the open database, and stopping by
// Ctrl-C.
//
// A command throws ShellError to end with a message and an exit code; main prints it. Check() turns
// a failed call of the library into one. Stopping: the signal handler sets a flag and calls
// quern_interrupt, which is safe there; commands ask Stopped() between steps, because a call that
// starts after the interrupt is not affected by it. A second signal ends the process at once: the
// file stays whole, since the database recovers at the next open.
#pragma once

#include <quern.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace quern::shell {

enum ExitCode : int {
    kExitOk = 0,
    kExitFailed = 1,        // the operation failed, something was not found, damage was found
    kExitUsage = 2,         // the command line is wrong
    kExitInterrupted = 130  // as shells report a process ended by Ctrl-C
};

class ShellError : public std::runtime_error {
public:
    // status: what the library said, when it was the library.
    ShellError(int exit_code, const std::string& message, int32_t status = QUERN_OK)
        : std::runtime_error(message), exit_code_(exit_code), status_(status) {}
    int exit_code() const { return exit_code_; }
    int32_t status() const { return status_; }

private:
    int exit_code_;
    int32_t status_;
};

[[noreturn]] void FailUsage(const std::string& message);
[[noreturn]] void Fail(const std::string& message);

// Throws when status is not QUERN_OK.
void Check(int32_t status, const quern_error& err);

// Calls a function of the library with an error at its end and checks it: Call(quern_vacuum, db).
template <typename Function, typename... Arguments>
void Call(Function function, Arguments... arguments) {
    quern_error err = QUERN_ERROR_INIT;
    Check(function(arguments..., &err), err);
}

template <auto Function>
struct Free {
    template <typename T>
    void operator()(T* pointer) const {
        Function(pointer);
    }
};
using SchemaPtr = std::unique_ptr<quern_schema, Free<quern_schema_free>>;
using BatchPtr = std::unique_ptr<quern_batch, Free<quern_batch_free>>;
using TxnPtr = std::unique_ptr<quern_txn, Free<quern_rollback>>;
using SnapshotPtr = std::unique_ptr<quern_snapshot, Free<quern_snapshot_free>>;
using QueryPtr = std::unique_ptr<quern_query, Free<quern_query_free>>;
using CursorPtr = std::unique_ptr<quern_cursor, Free<quern_cursor_free>>;
using ResultPtr = std::unique_ptr<quern_result, Free<quern_result_free>>;
using KeysPtr = std::unique_ptr<quern_keys, Free<quern_keys_free>>;
using TextPtr = std::unique_ptr<quern_text, Free<quern_text_free>>;

// Out of memory for builders that answer NULL.
template <typename Pointer>
Pointer NotNull(Pointer pointer) {
    if (pointer == nullptr) {
        throw std::bad_alloc();
    }
    return pointer;
}

class ProgressBar;

// An open database; one at a time is told of Ctrl-C.
class Database {
public:
    // mode: "ro", "rw" or "rwc"; options: more options of quern_open, from the user.
    Database(const std::string& path, const std::string& mode, const std::string& options);
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    quern_db* get() const { return db_; }
    // Shows the library's own progress from now on; NULL ends that.
    void ShowProgress(ProgressBar* bar) { bar_ = bar; }
    // Calls from now on run to their end, though the user asked to stop: they clean up.
    void IgnoreStop() { ignore_stop_ = true; }
    bool HasCollection(const std::string& name) const;
    SchemaPtr Describe(const std::string& collection) const;

private:
    static int OnProgress(void* user, const char* task, uint64_t done, uint64_t total);
    quern_db* db_ = nullptr;
    ProgressBar* bar_ = nullptr;
    bool ignore_stop_ = false;
};

void InstallSignalHandlers();
bool Stopped();
// For readers of files.
const volatile std::sig_atomic_t* StopFlag();
// Throws the "interrupted" error if the user asked to stop.
void CheckStopped();

// Each adds its subcommands with their options and what they do.
void AddCreateCommand(CLI::App* app);
void AddAlterCommand(CLI::App* app);
void AddImportCommand(CLI::App* app);
void AddSearchCommand(CLI::App* app);
void AddFitCommand(CLI::App* app);
void AddHubsCommand(CLI::App* app);
void AddRecordCommands(CLI::App* app);  // get, count, delete
void AddListCommands(CLI::App* app);    // list, update
void AddInfoCommand(CLI::App* app);
void AddSparseCommands(CLI::App* app);    // tokens, stats
void AddMaintainCommands(CLI::App* app);  // verify, optimize, vacuum, backup, rebuild, drop
void AddExportCommand(CLI::App* app);
void AddSqlCommand(CLI::App* app);
void AddBenchCommand(CLI::App* app);
void AddCompletionCommand(CLI::App* app);

// Options that several commands have, said once.
void AddDatabaseOption(CLI::App* command, std::string* path);
void AddCollectionOption(CLI::App* command, std::string* collection, bool required = true);
void AddJsonOption(CLI::App* command, bool* json);
CLI::Option* AddWhereOption(CLI::App* command, std::string* condition);
void AddOpenOption(CLI::App* command, std::string* options);
// What some write who want to say how many dimensions a field has: no option, but told where that
// stands.
void RefuseDimensionOption(CLI::App* command);
// Files that every database which the command opens has attached.
void AddAttachOption(CLI::App* command);

}  // namespace quern::shell
