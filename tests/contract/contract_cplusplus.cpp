// The header seen from C++: it compiles by itself, links, and its constants and structs work as
// written.
#include <quern.h>

#include <cstdio>
#include <memory>
#include <type_traits>

static_assert(std::is_standard_layout<quern_error>::value, "quern_error crosses the C border");
static_assert(!std::is_same<quern_db, quern_batch>::value, "handles are distinct types");
static_assert(sizeof(QUERN_VERSION) > 1, "the version is a string literal");

namespace {

struct Close {
    void operator()(quern_db* db) const { quern_close(db); }
    void operator()(quern_schema* schema) const { quern_schema_free(schema); }
    void operator()(quern_batch* batch) const { quern_batch_free(batch); }
    void operator()(quern_query* query) const { quern_query_free(query); }
    void operator()(quern_result* result) const { quern_result_free(result); }
};
template <typename Handle>
using Owned = std::unique_ptr<Handle, Close>;

int Run() {
    quern_error err = QUERN_ERROR_INIT;
    auto failed = [&](int32_t status) {
        if (status != QUERN_OK) {
            std::printf("%s: %s\n", quern_status_name(status), err.message);
        }
        return status != QUERN_OK;
    };
    quern_db* raw = nullptr;
    if (failed(quern_open(":memory:", nullptr, &raw, &err))) {
        return 1;
    }
    const Owned<quern_db> db(raw);
    const Owned<quern_schema> schema(quern_schema_new());
    quern_schema_dense(schema.get(), "v", 2, QUERN_L2, nullptr);
    if (failed(quern_create(db.get(), "points", schema.get(), &err))) {
        return 1;
    }
    const int64_t keys[] = {1, 2};
    const float vectors[] = {0, 0, 3, 4};
    const Owned<quern_batch> batch(quern_batch_new(db.get(), "points", 2));
    quern_batch_key_int(batch.get(), keys);
    quern_batch_dense(batch.get(), "v", vectors, 2, nullptr);
    if (failed(quern_insert(batch.get(), nullptr, &err))) {
        return 1;
    }
    const Owned<quern_query> query(quern_query_new(db.get(), "points"));
    quern_query_dense(query.get(), "v", vectors, 1, 2);
    quern_result* found = nullptr;
    if (failed(quern_search(query.get(), &found, &err))) {
        return 1;
    }
    const Owned<quern_result> result(found);
    return quern_result_rows(result.get()) == 2 && quern_result_key_int(result.get(), 1) == 2 &&
                   quern_result_distance(result.get(), 1) == 25.0F
               ? 0
               : 1;
}

}  // namespace

int main() {
    return Run();
}
