// Whoever meets damage names the collection (once), the segment, the part by the name of its field,
// and the chunk.
#include <catch2/catch.hpp>

#include "hostile_file.h"

namespace {

int32_t Get(HostileFile* file) {
    const int64_t key = 3;
    quern_batch* keys = quern_batch_new(file->db, "docs", 1);
    quern_batch_key_int(keys, &key);
    quern_result* rows = nullptr;
    const int32_t status = quern_get(keys, nullptr, "emb", &rows, &file->err);
    quern_batch_free(keys);
    quern_result_free(rows);
    return status;
}

int32_t Scan(HostileFile* file) {
    quern_cursor* cursor = nullptr;
    quern_result* rows = nullptr;
    file->Ok(quern_scan(file->db, "docs", nullptr, "*", &cursor, &file->err));
    const int32_t status = quern_cursor_next(cursor, 5, &rows, &file->err);
    quern_result_free(rows);
    quern_cursor_free(cursor);
    return status;
}

int32_t Search(HostileFile* file, bool by_key) {
    const float vector[2] = {1, 0};
    const int64_t key = 3;
    quern_query* query = quern_query_new(file->db, "docs");
    if (by_key) {
        quern_query_key_int(query, "emb", &key, 1);
    } else {
        quern_query_dense(query, "emb", vector, 1, 2);
    }
    quern_result* rows = nullptr;
    const int32_t status = quern_search(query, &rows, &file->err);
    quern_result_free(rows);
    quern_query_free(query);
    return status;
}

int32_t Update(HostileFile* file) {
    const int64_t key = 3;
    quern_batch* batch = quern_batch_new(file->db, "docs", 1);
    const float other[2] = {1, 1};
    quern_batch_key_int(batch, &key);
    quern_batch_dense(batch, "other", other, 2, nullptr);
    const int32_t status = quern_update(batch, nullptr, &file->err);
    quern_batch_free(batch);
    return status;
}

}  // namespace

TEST_CASE("a damaged chunk of a field is named") {
    HostileFile file;
    file.Alter(
        "UPDATE quern_chunk SET data=zeroblob(length(data)) WHERE id>>20=(SELECT max(id) "
        "FROM quern_part WHERE kind=3)");
    const std::string where = "part vectors of field 'emb', chunk 0: checksum is wrong";
    auto names = [&](int32_t status) {
        const std::string message = file.Named(status);
        CAPTURE(message);
        CHECK(message.find(where) != std::string::npos);
        CHECK(message.find("segment ") != std::string::npos);
    };
    names(Get(&file));
    names(Scan(&file));
    names(Search(&file, false));
    names(Search(&file, true));
    names(Update(&file));
    names(quern_rebuild(file.db, nullptr, &file.err));
    names(quern_verify(file.db, nullptr, &file.err));
    file.Ok(file.Insert(100, 3));
    names(quern_optimize(file.db, nullptr, 0, &file.err));
}

TEST_CASE("missing row ids are named") {
    HostileFile file;
    file.Alter(
        "DELETE FROM quern_chunk WHERE id>>20=(SELECT max(id) FROM quern_part WHERE kind=1)");
    auto names = [&](int32_t status) {
        const std::string message = file.Named(status);
        CAPTURE(message);
        CHECK(message.find("part row ids, chunk 0: missing") != std::string::npos);
    };
    names(Get(&file));
    names(Scan(&file));
    names(Search(&file, false));
    names(Search(&file, true));
    names(quern_verify(file.db, nullptr, &file.err));
    file.Ok(file.Insert(100, 3));
    names(quern_optimize(file.db, nullptr, 0, &file.err));
}

TEST_CASE("a list of segments that does not fit is named once") {
    HostileFile file;
    file.Alter("UPDATE quern_state SET layout=layout+1 WHERE collection>0");
    CHECK(file.Named(Get(&file)).find("digest") != std::string::npos);
    CHECK(file.Named(quern_optimize(file.db, nullptr, 0, &file.err)).find("digest") !=
          std::string::npos);
    CHECK(file.Named(quern_verify(file.db, nullptr, &file.err)).find("digest") !=
          std::string::npos);
}
