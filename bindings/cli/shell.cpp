// Errors, the open database, signals, shared options.
#include "shell.h"

#include <CLI/CLI.hpp>
#include <atomic>
#include <nlohmann/json.hpp>
#include <vector>

#include "progress_bar.h"

namespace quern::shell {
namespace {

volatile std::sig_atomic_t stop_flag = 0;
std::atomic<quern_db*> interrupted_db{nullptr};
std::vector<std::string> attached_files;  // as the command line names them
static_assert(std::atomic<quern_db*>::is_always_lock_free, "the signal handler reads it");

extern "C" void HandleStopSignal(int signal_number) {
    if (stop_flag != 0) {
        // Asked twice: the default action ends the process.
        std::signal(signal_number, SIG_DFL);
        std::raise(signal_number);
        return;
    }
    stop_flag = 1;
    quern_db* db = interrupted_db.load();
    if (db != nullptr) {
        quern_interrupt(db);
    }
}

}  // namespace

void FailUsage(const std::string& message) {
    throw ShellError(kExitUsage, message);
}
void Fail(const std::string& message) {
    throw ShellError(kExitFailed, message);
}

void Check(int32_t status, const quern_error& err) {
    if (status == QUERN_OK) {
        return;
    }
    if (status == QUERN_ERR_INTERRUPTED) {
        throw ShellError(kExitInterrupted, "interrupted", status);
    }
    std::string message = err.message[0] != '\0' ? err.message : quern_status_name(status);
    if (status == QUERN_ERR_OUTCOME_UNKNOWN) {
        message += " (whether the last transaction is in the file shows when it is opened again)";
    }
    throw ShellError(kExitFailed, message, status);
}

Database::Database(const std::string& path, const std::string& mode, const std::string& options) {
    const std::string all = "mode=" + mode + (options.empty() ? "" : " " + options);
    quern_error err = QUERN_ERROR_INIT;
    Check(quern_open(path.c_str(), all.c_str(), &db_, &err), err);
    interrupted_db.store(db_);
    std::string problem =
        quern_progress(db_, OnProgress, this, &err) == QUERN_OK ? "" : err.message;
    for (const std::string& file : attached_files) {
        const size_t sign = file.find('=');
        if (sign == std::string::npos) {
            problem = "--attach " + file + ": expected NAME=FILE";
        } else if (problem.empty() &&
                   quern_attach(db_, file.substr(0, sign).c_str(), file.substr(sign + 1).c_str(),
                                &err) != QUERN_OK) {
            problem = err.message;
        }
    }
    if (!problem.empty()) {
        interrupted_db.store(nullptr);
        quern_close(db_);
        Fail(problem);
    }
}

Database::~Database() {
    // First out of the signal handler's sight, then closed.
    interrupted_db.store(nullptr);
    quern_close(db_);
}

int Database::OnProgress(void* user, const char* task, uint64_t done, uint64_t total) {
    auto* self = static_cast<Database*>(user);
    if (self->bar_ != nullptr) {
        self->bar_->Update(task, done, total);
    }
    return Stopped() && !self->ignore_stop_ ? 1 : 0;
}

bool Database::HasCollection(const std::string& name) const {
    quern_schema* schema = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    const int32_t status = quern_describe(db_, name.c_str(), &schema, &err);
    const SchemaPtr owner(schema);
    if (status == QUERN_ERR_NOT_FOUND) {
        return false;
    }
    Check(status, err);
    return true;
}

SchemaPtr Database::Describe(const std::string& collection) const {
    quern_schema* schema = nullptr;
    Call(quern_describe, db_, collection.c_str(), &schema);
    return SchemaPtr(schema);
}

void InstallSignalHandlers() {
    struct sigaction action {};
    action.sa_handler = HandleStopSignal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = 0;  // no restart: a read that waits for input must return
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool Stopped() {
    return stop_flag != 0;
}
const volatile std::sig_atomic_t* StopFlag() {
    return &stop_flag;
}

void CheckStopped() {
    if (Stopped()) {
        throw ShellError(kExitInterrupted, "interrupted");
    }
}

void AddDatabaseOption(CLI::App* command, std::string* path) {
    command->add_option("DB", *path, "The database file")->required();
}

void AddCollectionOption(CLI::App* command, std::string* collection, bool required) {
    command->add_option("COLLECTION", *collection, "The collection")->required(required);
}

void AddJsonOption(CLI::App* command, bool* json) {
    command->add_flag("--json", *json, "Print JSON");
}

CLI::Option* AddWhereOption(CLI::App* command, std::string* condition) {
    AddAttachOption(command);
    return command
        ->add_option("-w,--where", *condition,
                     "Only records that this SQL condition is true for, over key and attributes")
        ->check([](const std::string& text) {
            return text.empty() ? std::string("the condition is empty") : std::string();
        })
        ->type_name("CONDITION");
}

void RefuseDimensionOption(CLI::App* command) {
    command
        ->add_option_function<std::string>(
            "--dimension,--dimensions,--dim,--dims",
            [](const std::string& number) {
                FailUsage(
                    "how many dimensions a field has is said beside its name: --sparse NAME:" +
                    number + ", --dense NAME:" + number + ":METRIC");
            },
            "")
        ->group("");
}

void AddAttachOption(CLI::App* command) {
    command
        ->add_option_function<std::vector<std::string>>(
            "--attach", [](const std::vector<std::string>& given) { attached_files = given; },
            "Another SQLite file that SQL and conditions may read as NAME.table; may be repeated")
        ->type_name("NAME=FILE")
        ->allow_extra_args(false);
}

void AddOpenOption(CLI::App* command, std::string* options) {
    command
        ->add_option("--open", *options,
                     "Options for opening the file, as in the manual of quern_open: "
                     "\"memory_mb=500 threads=2 busy_ms=60000\"")
        ->type_name("OPTIONS");
}

}  // namespace quern::shell
