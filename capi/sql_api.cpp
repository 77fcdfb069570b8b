// SQL: statements, and other files that they and filters may read.
#include "capi/handles.h"

using namespace quern;
using namespace quern::capi;

int32_t quern_sql(quern_db* db, quern_snapshot* snap, const char* statement, quern_result** r,
                  quern_error* err) {
    if (r != nullptr) {
        *r = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(statement, "statement"));
        QUERN_TRY(NotNull(r, "r"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        QUERN_ASSIGN(const auto snapshot, SnapshotFor(db->database, snap));
        auto result = std::make_unique<quern_result>();
        const Status status = db->database->Sql(snapshot.get(), statement, &result->table);
        return Deliver(status, std::move(result), r);
    });
}

int32_t quern_attach(quern_db* db, const char* name, const char* path, quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(name, "name"));
        QUERN_TRY(NotNull(path, "path"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        return db->database->Attach(name, path);
    });
}

int32_t quern_detach(quern_db* db, const char* name, quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(name, "name"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        return db->database->Detach(name);
    });
}
