// A writer and three readers on one file, in one thread, so that a seed tells what they do and in
// which order: the writer's transactions stay open while readers look, readers hold snapshots while
// the writer commits, optimizes and vacuums. Each look is compared with the model of its state.
#pragma once

#include <quern.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sessions/model_record.h"
#include "tests/sessions/session_world.h"

namespace sessions {

class SessionWalk {
public:
    SessionWalk(const World& world, const std::string& path, uint64_t seed);
    ~SessionWalk();
    SessionWalk(const SessionWalk&) = delete;
    SessionWalk& operator=(const SessionWalk&) = delete;

    // Records in several segments and in the log, some deleted.
    void Fill(size_t records);
    // One action of somebody.
    void Step();
    // Everything, by everybody, and quern_verify.
    void CheckAll();
    // What was done last, for reports.
    const std::string& last() const { return last_; }
    size_t looks() const { return looks_; }

private:
    struct Reader {
        quern_db* db = nullptr;
        quern_snapshot* snapshot = nullptr;
        State state;  // of the snapshot
        uint64_t generation = 0;
    };

    void Open();
    void Close();
    quern_db* OpenOne(const std::string& options);
    Random& random() { return random_; }
    int64_t RandomKey() { return static_cast<int64_t>(Pick(random_, 0, 320)); }

    void WriterStep();
    void ReaderStep(Reader* reader);
    void Write();
    void WriteByFilter();
    void Maintain();
    void EndTransaction();
    // What the writer's next call changes: the open transaction's state, or the committed one.
    State* Target() { return txn_ != nullptr ? &pending_ : &now_; }

    const World world_;
    const std::string path_;
    Random random_;
    quern_db* db_ = nullptr;  // the writer's
    quern_txn* txn_ = nullptr;
    State now_, pending_;
    std::array<Reader, 3> readers_;
    quern_error err_ = QUERN_ERROR_INIT;
    std::string last_;
    size_t looks_ = 0;
};

}  // namespace sessions
