#include "tests/sessions/session_walk.h"

#include <algorithm>
#include <filesystem>

#include "tests/sessions/model_questions.h"
#include "tests/sessions/violation.h"

namespace sessions {

SessionWalk::SessionWalk(const World& world, const std::string& path, uint64_t seed)
    : world_(world), path_(world.memory ? ":memory:" : path), random_(seed) {
    db_ = OpenOne(world_.open);
    CreateDocs(db_, world_.indexes);
    for (Reader& reader : readers_) {
        reader.db = world_.memory ? db_ : OpenOne(world_.open);
    }
}

SessionWalk::~SessionWalk() {
    Close();
}

quern_db* SessionWalk::OpenOne(const std::string& options) {
    quern_db* db = nullptr;
    Ok(quern_open(path_.c_str(), options.c_str(), &db, &err_), err_, "quern_open");
    return db;
}

void SessionWalk::Open() {
    db_ = OpenOne(world_.open);
    for (Reader& reader : readers_) {
        reader.db =
            world_.memory ? db_ : OpenOne(world_.open + (world_.read_only ? " mode=ro" : ""));
        reader.generation = 0;
    }
}

void SessionWalk::Close() {
    quern_rollback(txn_);
    txn_ = nullptr;
    for (Reader& reader : readers_) {
        quern_snapshot_free(reader.snapshot);
        reader.snapshot = nullptr;
        if (reader.db != db_) {
            quern_close(reader.db);
        }
        reader.db = nullptr;
    }
    quern_close(db_);
    db_ = nullptr;
}

void SessionWalk::Fill(size_t records) {
    for (size_t part = 0; part < 3; part++) {
        std::vector<std::pair<int64_t, Record>> rows;
        for (size_t i = part * records / 3; i < (part + 1) * records / 3; i++) {
            rows.emplace_back(static_cast<int64_t>(i), RandomRecord(random_));
            now_.records[rows.back().first] = std::make_shared<Record>(rows.back().second);
        }
        RecordBatch batch(db_, rows, kAllColumns);
        Ok(quern_upsert(batch.get(), nullptr, &err_), err_, "quern_upsert");
        if (part < 2) {
            Ok(quern_optimize(db_, nullptr, 0, &err_), err_, "quern_optimize");
        }
    }
}

void SessionWalk::Step() {
    if (Pick(random_, 0, 1) == 0) {
        WriterStep();
        if (world_.restart && txn_ == nullptr && !world_.memory) {
            last_ += ", restart";
            Close();
            Open();
        }
    } else {
        ReaderStep(&readers_[Pick(random_, 0, readers_.size() - 1)]);
    }
}

void SessionWalk::WriterStep() {
    if (txn_ == nullptr && Pick(random_, 0, 5) == 0) {
        last_ = "begin";
        Ok(quern_begin(db_, &txn_, &err_), err_, "quern_begin");
        pending_ = now_;
    }
    switch (Pick(random_, 0, 11)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4: return Write();
        case 5: return WriteByFilter();
        case 6:
        case 7:
        case 8: return EndTransaction();
        case 9:
            last_ = "the writer asks";
            looks_++;
            return AskAnything({db_, nullptr, now_}, random_);
        default: return Maintain();
    }
}

void SessionWalk::Write() {
    const size_t kind = Pick(random_, 0, 5);  // 0: insert, 1, 2: upsert, 3, 4: update, 5: delete
    std::map<int64_t, Record> chosen;
    for (size_t i = Pick(random_, 0, 15) == 0 ? 90 : Pick(random_, 1, 8); i > 0; i--) {
        chosen[RandomKey()] = RandomRecord(random_);
    }
    const std::vector<std::pair<int64_t, Record>> rows(chosen.begin(), chosen.end());
    const unsigned mask =
        kind == 3 || kind == 4 ? static_cast<unsigned>(Pick(random_, 1, kAllColumns)) : kAllColumns;
    RecordBatch batch(db_, rows, kind == 5 ? 0 : mask);
    State* const state = Target();
    size_t present = 0;
    for (const auto& [key, record] : rows) {
        present += state->records.count(key);
    }
    int32_t status = QUERN_OK, want = QUERN_OK;
    if (kind == 0) {
        last_ = "insert";
        status = quern_insert(batch.get(), txn_, &err_);
        want = present > 0 ? QUERN_ERR_KEY_EXISTS : QUERN_OK;
    } else if (kind < 3) {
        last_ = "upsert";
        status = quern_upsert(batch.get(), txn_, &err_);
    } else if (kind < 5) {
        last_ = "update";
        status = quern_update(batch.get(), txn_, &err_);
        want = present < rows.size() ? QUERN_ERR_NOT_FOUND : QUERN_OK;
    } else {
        last_ = "delete";
        status = quern_delete(batch.get(), txn_, &err_);
        Want(status != QUERN_OK || quern_batch_affected(batch.get()) == present,
             "delete: another number of records");
    }
    Want(status == want, last_ + " gave " + quern_status_name(status) + ", wanted " +
                             quern_status_name(want) + ": " + err_.message);
    if (status != QUERN_OK) {
        quern_rollback(txn_);  // an error ends a transaction
        txn_ = nullptr;
        return;
    }
    for (const auto& [key, record] : rows) {
        std::shared_ptr<const Record>& stored = state->records[key];
        if (kind == 5) {
            state->records.erase(key);
        } else if (kind >= 3) {
            auto changed = std::make_shared<Record>(*stored);
            SetColumns(record, mask, changed.get());
            stored = std::move(changed);
        } else {
            stored = std::make_shared<Record>(record);
        }
    }
}

void SessionWalk::WriteByFilter() {
    const Filter filter = RandomFilter(random_);
    const bool deletes = Pick(random_, 0, 2) == 0;
    State* const state = Target();
    std::vector<int64_t> keys;
    for (const auto& [key, record] : state->records) {
        if (filter.matches(key, *record)) {
            keys.push_back(key);
        }
    }
    last_ = (deletes ? "delete where " : "update where ") + filter.text;
    if (deletes && keys.size() > 40) {
        return;  // or nothing would be left soon
    }
    quern_query* const query = quern_query_new(db_, "docs");
    quern_query_filter(query, filter.text.c_str());
    uint64_t changed = 0;
    int32_t status = QUERN_OK;
    if (deletes) {
        status = quern_query_delete(query, txn_, &changed, &err_);
    } else {
        quern_query_set(query, "year = 2005, good = true, title = null, tags = ('mill', 'grain')");
        status = quern_query_update(query, txn_, &changed, &err_);
    }
    quern_query_free(query);
    Ok(status, err_, last_.c_str());
    Want(changed == keys.size(), last_ + ": " + std::to_string(changed) + " records, wanted " +
                                     std::to_string(keys.size()));
    for (const int64_t key : keys) {
        if (deletes) {
            state->records.erase(key);
            continue;
        }
        auto record = std::make_shared<Record>(*state->records[key]);
        record->year = 2005;
        record->good = true;
        record->title.reset();
        record->tags = std::set<std::string>{"mill", "grain"};
        state->records[key] = std::move(record);
    }
}

void SessionWalk::EndTransaction() {
    if (txn_ == nullptr) {
        return;
    }
    if (Pick(random_, 0, 2) == 0) {
        last_ = "rollback";
        quern_rollback(txn_);
    } else {
        last_ = "commit";
        const int32_t status = quern_commit(txn_, &err_);
        txn_ = nullptr;
        Ok(status, err_, "quern_commit");
        now_ = pending_;
    }
    txn_ = nullptr;
}

void SessionWalk::Maintain() {
    if (txn_ != nullptr) {
        return;
    }
    const size_t what = Pick(random_, 0, 9);
    if (what < 4) {
        last_ = "optimize";
        Ok(quern_optimize(db_, Pick(random_, 0, 1) == 0 ? "docs" : nullptr,
                          Pick(random_, 0, 4) == 0 ? 1 : 0, &err_),
           err_, "quern_optimize");
    } else if (what == 4) {
        const bool held = std::any_of(readers_.begin(), readers_.end(), [](const Reader& reader) {
            return reader.snapshot != nullptr;
        });
        last_ = "vacuum";
        if (!held) {
            Ok(quern_vacuum(db_, &err_), err_, "quern_vacuum");
        }
    } else if (what == 5) {
        last_ = "rebuild";
        Ok(quern_rebuild(db_, nullptr, &err_), err_, "quern_rebuild");
    } else if (what == 6 && !world_.memory) {
        last_ = "reopen";
        Close();
        Open();
    } else if (what == 7) {
        last_ = "backup";
        const std::string copy = path_ + "_copy";
        if (world_.memory) {
            return;
        }
        std::filesystem::remove(copy);
        Ok(quern_backup(db_, copy.c_str(), &err_), err_, "quern_backup");
        quern_db* db = nullptr;
        Ok(quern_open(copy.c_str(), "mode=ro threads=1", &db, &err_), err_, "quern_open of a copy");
        const std::shared_ptr<quern_db> owner(db, quern_close);
        AskAll({db, nullptr, now_}, random_);
        AskAnything({db, nullptr, now_}, random_);
    } else {
        last_ = "verify";
        quern_text* report = nullptr;
        const int32_t status = quern_verify(db_, &report, &err_);
        const std::string text = quern_text_data(report);
        quern_text_free(report);
        Want(status == QUERN_OK, "verify: " + text);
    }
}

void SessionWalk::ReaderStep(Reader* reader) {
    const size_t what = Pick(random_, 0, 11);
    if (what == 0 && reader->snapshot != nullptr) {
        last_ = "a reader lets its snapshot go";
        quern_snapshot_free(reader->snapshot);
        reader->snapshot = nullptr;
    } else if (what <= 2 && reader->snapshot == nullptr) {
        last_ = "a reader takes a snapshot";
        Ok(quern_snapshot_new(reader->db, &reader->snapshot, &err_), err_, "quern_snapshot_new");
        reader->state = now_;
        const uint64_t generation = quern_snapshot_generation(reader->snapshot);
        Want(generation >= reader->generation, "generations go back");
        reader->generation = generation;
    } else {
        last_ = reader->snapshot != nullptr ? "a reader asks its snapshot" : "a reader asks";
        looks_++;
        AskAnything({reader->db, reader->snapshot, reader->snapshot ? reader->state : now_},
                    random_);
    }
}

void SessionWalk::CheckAll() {
    last_ = "the last check";
    quern_rollback(txn_);
    txn_ = nullptr;
    for (const Reader& reader : readers_) {
        const Ground ground{reader.db, reader.snapshot, reader.snapshot ? reader.state : now_};
        AskAll(ground, random_);
        AskOwn(ground, random_);
    }
    Ok(quern_verify(db_, nullptr, &err_), err_, "quern_verify");
}

}  // namespace sessions
