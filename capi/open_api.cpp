// Version, status names, opening and closing, progress and limits.
#include <cstdio>

#include "capi/handles.h"
#include "engine/kernels/distance.h"
#include "storage/file_store.h"

using namespace quern;
using namespace quern::capi;

const char* quern_version(void) {
    return QUERN_VERSION;
}
int32_t quern_version_number(void) {
    return QUERN_VERSION_NUMBER;
}

const char* quern_build_info(void) {
    static char text[256];
    static const bool once = [] {
#if defined(__clang__)
        const char* compiler = "clang " __clang_version__;
#else
        const char* compiler = "gcc " __VERSION__;
#endif
        std::snprintf(text, sizeof text, "quern %s, %s, SQLite %s, zstd %s, SIMD %s", QUERN_VERSION,
                      compiler, storage::SqliteVersion(), storage::ZstdVersion(),
                      kernels::SimdLevel());
        return true;
    }();
    static_cast<void>(once);
    return text;
}

const char* quern_status_name(int32_t status) {
    switch (status) {
        case QUERN_OK: return "QUERN_OK";
        case QUERN_ERR_MISUSE: return "QUERN_ERR_MISUSE";
        case QUERN_ERR_INVALID: return "QUERN_ERR_INVALID";
        case QUERN_ERR_CLOSED: return "QUERN_ERR_CLOSED";
        case QUERN_ERR_NOT_FOUND: return "QUERN_ERR_NOT_FOUND";
        case QUERN_ERR_UNKNOWN_FIELD: return "QUERN_ERR_UNKNOWN_FIELD";
        case QUERN_ERR_EXISTS: return "QUERN_ERR_EXISTS";
        case QUERN_ERR_KEY_EXISTS: return "QUERN_ERR_KEY_EXISTS";
        case QUERN_ERR_DUPLICATE_KEY: return "QUERN_ERR_DUPLICATE_KEY";
        case QUERN_ERR_DIMENSION: return "QUERN_ERR_DIMENSION";
        case QUERN_ERR_TYPE: return "QUERN_ERR_TYPE";
        case QUERN_ERR_NOT_FINITE: return "QUERN_ERR_NOT_FINITE";
        case QUERN_ERR_READ_ONLY: return "QUERN_ERR_READ_ONLY";
        case QUERN_ERR_TXN: return "QUERN_ERR_TXN";
        case QUERN_ERR_SQL: return "QUERN_ERR_SQL";
        case QUERN_ERR_OPTION: return "QUERN_ERR_OPTION";
        case QUERN_ERR_MALFORMED: return "QUERN_ERR_MALFORMED";
        case QUERN_ERR_LIMIT: return "QUERN_ERR_LIMIT";
        case QUERN_ERR_NOMEM: return "QUERN_ERR_NOMEM";
        case QUERN_ERR_BUSY: return "QUERN_ERR_BUSY";
        case QUERN_ERR_IO: return "QUERN_ERR_IO";
        case QUERN_ERR_FULL: return "QUERN_ERR_FULL";
        case QUERN_ERR_CANT_OPEN: return "QUERN_ERR_CANT_OPEN";
        case QUERN_ERR_OUTCOME_UNKNOWN: return "QUERN_ERR_OUTCOME_UNKNOWN";
        case QUERN_ERR_POISONED: return "QUERN_ERR_POISONED";
        case QUERN_ERR_CORRUPT: return "QUERN_ERR_CORRUPT";
        case QUERN_ERR_TRUNCATED: return "QUERN_ERR_TRUNCATED";
        case QUERN_ERR_NOT_A_DATABASE: return "QUERN_ERR_NOT_A_DATABASE";
        case QUERN_ERR_NEWER: return "QUERN_ERR_NEWER";
        case QUERN_ERR_INTERRUPTED: return "QUERN_ERR_INTERRUPTED";
        case QUERN_ERR_INTERNAL: return "QUERN_ERR_INTERNAL";
        default: return "QUERN_ERR_?";
    }
}

namespace {

Status ParseOpenOptions(const char* text, DatabaseOptions* options) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(text,
                           {"mode", "durability", "busy_ms", "threads", "memory_mb", "cache_mb",
                            "maintenance", "seal_rows", "seal_kb"},
                           &list));
    for (const Option& option : list) {
        int64_t number = 0;
        if (option.key == "mode") {
            if (option.value != "rwc" && option.value != "rw" && option.value != "ro") {
                return BadValue(option, "rwc, rw or ro");
            }
            options->store.create = option.value == "rwc";
            options->store.read_only = option.value == "ro";
        } else if (option.key == "durability") {
            if (option.value != "full" && option.value != "relaxed") {
                return BadValue(option, "full or relaxed");
            }
            options->store.durability =
                option.value == "full" ? storage::Durability::kFull : storage::Durability::kRelaxed;
        } else if (option.key == "busy_ms") {
            QUERN_TRY(ParseInteger(option, 0, 3600000, &number));
            options->store.busy_ms = static_cast<int>(number);
        } else if (option.key == "threads") {
            QUERN_TRY(ParseInteger(option, 1, 256, &number));
            options->threads = static_cast<int>(number);
        } else if (option.key == "memory_mb") {
            QUERN_TRY(ParseInteger(option, 1, int64_t{1} << 30, &number));
            options->memory_bytes = number << 20;
        } else if (option.key == "cache_mb") {
            QUERN_TRY(ParseInteger(option, 0, int64_t{1} << 30, &number));
            options->cache_bytes = number << 20;
        } else if (option.key == "maintenance") {
            if (option.value == "auto") {
                options->maintenance = MaintenanceMode::kAuto;
            } else if (option.value == "off") {
                options->maintenance = MaintenanceMode::kOff;
            } else if (option.value == "background") {
                options->maintenance = MaintenanceMode::kBackground;
            } else {
                return BadValue(option, "auto, off or background");
            }
        } else if (option.key == "seal_rows") {
            QUERN_TRY(ParseInteger(option, 1, int64_t{1} << 30, &options->seal_rows));
        } else {
            QUERN_TRY(ParseInteger(option, 1, int64_t{1} << 30, &number));
            options->seal_bytes = number << 10;
        }
    }
    return {};
}

}  // namespace

int32_t quern_open(const char* path, const char* options, quern_db** db, quern_error* err) {
    if (db != nullptr) {
        *db = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(NotNull(db, "db"));
        QUERN_TRY(NotNull(path, "path"));
        if (path[0] == '\0') {
            return Status::Error(Code::kInvalid, "path is empty");
        }
        DatabaseOptions parsed;
        QUERN_TRY(ParseOpenOptions(options, &parsed));
        parsed.store.path = path;
        auto handle = std::make_unique<quern_db>();
        QUERN_ASSIGN(handle->database, Database::Open(parsed));
        *db = handle.release();
        return {};
    });
}

void quern_close(quern_db* db) {
    if (!IsHandle(db, Magic::kDb) || db->database->in_callback()) {
        return;
    }
    if (db->database->forked()) {
        return;  // everything belongs to the parent
    }
    try {
        db->database->Close();
    } catch (const std::exception&) {
        // Out of memory while closing: what is left goes with the last child.
    }
    delete db;
}

void quern_interrupt(quern_db* db) {
    // No allocation and no lock: this may run in a signal handler.
    if (db != nullptr && db->magic == Magic::kDb) {
        db->database->Interrupt();
    }
}

int32_t quern_progress(quern_db* db, quern_progress_fn fn, void* user, quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        if (fn == nullptr) {
            db->database->SetProgress(nullptr);
        } else {
            db->database->SetProgress([fn, user](const char* task, uint64_t done, uint64_t total) {
                return fn(user, task, done, total) != 0;
            });
        }
        return {};
    });
}

int32_t quern_limit(quern_db* db, int32_t limit, int64_t value, int64_t* old, quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        DatabaseLimits& limits = db->database->limits();
        std::atomic<int64_t>* slot = nullptr;
        switch (limit) {
            case QUERN_LIMIT_RESULT_ROWS: slot = &limits.result_rows; break;
            case QUERN_LIMIT_QUERIES: slot = &limits.queries; break;
            case QUERN_LIMIT_ATTR_BYTES: slot = &limits.attr_bytes; break;
            case QUERN_LIMIT_SEARCH_BYTES: slot = &limits.search_bytes; break;
            default:
                return Status::Error(Code::kInvalid, "there is no limit number %d",
                                     static_cast<int>(limit));
        }
        if (value < -1) {
            return Status::Error(Code::kInvalid, "a limit is 0 or more, or -1 to read it");
        }
        // Larger attribute values do not fit SQLite's rows; more result rows do not fit 32 bits.
        const int64_t most = limit == QUERN_LIMIT_ATTR_BYTES     ? int64_t{512} << 20
                             : limit == QUERN_LIMIT_SEARCH_BYTES ? INT64_MAX
                                                                 : INT32_MAX;
        if (value > most) {
            return Status::Error(Code::kInvalid, "this limit can be %lld at most",
                                 static_cast<long long>(most));
        }
        const int64_t before = value >= 0 ? slot->exchange(value) : slot->load();
        if (old != nullptr) {
            *old = before;
        }
        return {};
    });
}
