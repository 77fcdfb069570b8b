// Maintenance, reports and statistics.
#include "capi/handles.h"

using namespace quern;
using namespace quern::capi;

namespace {

template <typename Body>
int32_t OnDatabase(quern_db* db, quern_error* err, Body body) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        return body(*db->database);
    });
}

// NULL stands for all collections.
std::optional<std::string> NameOf(const char* collection) {
    return collection == nullptr ? std::nullopt : std::optional<std::string>(collection);
}

}  // namespace

int32_t quern_optimize(quern_db* db, const char* collection, uint32_t max_ms, quern_error* err) {
    return OnDatabase(db, err, [&](Database& database) {
        const auto name = NameOf(collection);
        return database.Optimize(name ? &*name : nullptr, max_ms);
    });
}

int32_t quern_vacuum(quern_db* db, quern_error* err) {
    return OnDatabase(db, err, [](Database& database) { return database.Vacuum(); });
}

int32_t quern_backup(quern_db* db, const char* path, quern_error* err) {
    return OnDatabase(db, err, [&](Database& database) -> Status {
        QUERN_TRY(NotNull(path, "path"));
        return database.Backup(path);
    });
}

int32_t quern_verify(quern_db* db, quern_text** report, quern_error* err) {
    if (report != nullptr) {
        *report = nullptr;
    }
    return OnDatabase(db, err, [&](Database& database) -> Status {
        auto text = std::make_unique<quern_text>();
        const Status status = database.Verify(&text->text);
        if (report != nullptr && !text->text.empty()) {
            *report = text.release();
        }
        return status;
    });
}

int32_t quern_rebuild(quern_db* db, const char* collection, quern_error* err) {
    return OnDatabase(db, err, [&](Database& database) {
        const auto name = NameOf(collection);
        return database.Rebuild(name ? &*name : nullptr);
    });
}

int32_t quern_info(quern_db* db, quern_text** json, quern_error* err) {
    if (json != nullptr) {
        *json = nullptr;
    }
    return OnDatabase(db, err, [&](Database& database) -> Status {
        QUERN_TRY(NotNull(json, "json"));
        auto text = std::make_unique<quern_text>();
        QUERN_ASSIGN(text->text, database.InfoJson());
        *json = text.release();
        return {};
    });
}

int32_t quern_stat(quern_db* db, int32_t stat, int64_t* value, quern_error* err) {
    return OnDatabase(db, err, [&](Database& database) -> Status {
        QUERN_TRY(NotNull(value, "value"));
        if (stat < QUERN_STAT_FILE_BYTES || stat > QUERN_STAT_SQLITE_BYTES) {
            return Status::Error(Code::kInvalid, "there is no figure number %d",
                                 static_cast<int>(stat));
        }
        QUERN_ASSIGN(*value, database.Stat(static_cast<DatabaseStat>(stat)));
        return {};
    });
}
