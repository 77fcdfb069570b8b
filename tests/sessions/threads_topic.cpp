// Many threads on one handle, which is what a sanitizer for threads wants to see: one writes, one
// optimizes and verifies, some look, some close what others have opened, one asks for figures.
// Every look must be of one committed triple (ledger.h).
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/sessions/ledger.h"
#include "tests/sessions/topics.h"
#include "tests/sessions/violation.h"

namespace sessions {
namespace {

class Threads {
public:
    Threads(quern_db* db, uint64_t seed) : db_(db), seed_(seed) {}

    // How many violations; figures tells what was done.
    int Run(double seconds, std::string* figures) {
        std::vector<std::thread> threads;
        const auto start = [&](auto work) {
            threads.emplace_back([this, work, number = threads.size()] {
                Random random(seed_ * 100 + number);
                try {
                    while (!done_) {
                        (this->*work)(random);
                    }
                } catch (const Violation& violation) {
                    std::printf("VIOLATION: thread %zu: %s\n", number, violation.what());
                    violations_++;
                    done_ = true;
                }
            });
        };
        start(&Threads::WriteSome);
        start(&Threads::Maintain);
        start(&Threads::LookAtOwn);
        start(&Threads::LookAtOwn);
        start(&Threads::TakeForOthers);
        start(&Threads::LookAtOthers);
        start(&Threads::LookAtOthers);
        start(&Threads::AskFigures);
        const auto end = std::chrono::steady_clock::now() +
                         std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
        while (!done_ && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        done_ = true;
        for (std::thread& thread : threads) {
            thread.join();
        }
        *figures = std::to_string(serial_) + " commits, " + std::to_string(looks_) + " looks";
        return violations_;
    }

private:
    using Snapshot = std::shared_ptr<quern_snapshot>;
    Snapshot Take() {
        quern_error err = QUERN_ERROR_INIT;
        quern_snapshot* snapshot = nullptr;
        Ok(quern_snapshot_new(db_, &snapshot, &err), err, "quern_snapshot_new");
        return {snapshot, quern_snapshot_free};
    }
    void WriteSome(Random& random) { WriteOnce(db_, random, &rows_, ++serial_); }
    void Maintain(Random& random) {
        quern_error err = QUERN_ERROR_INIT;
        const size_t what = Pick(random, 0, 9);
        if (what < 8) {
            Ok(quern_optimize(db_, nullptr, 0, &err), err, "quern_optimize");
        } else if (what == 8) {
            Ok(quern_verify(db_, nullptr, &err), err, "quern_verify");
        } else {
            Ok(quern_rebuild(db_, nullptr, &err), err, "quern_rebuild");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(Pick(random, 0, 10)));
    }
    void LookAtOwn(Random& random) {
        const Snapshot snapshot = Take();
        Look(db_, snapshot.get(), random);
        looks_++;
    }
    void TakeForOthers(Random& random) {
        const Snapshot snapshot = Take();
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            taken_.push_back(snapshot);
            if (taken_.size() > 6) {
                taken_.pop_front();  // often the last to hold it
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(Pick(random, 0, 5)));
    }
    void LookAtOthers(Random& random) {
        Snapshot snapshot;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!taken_.empty()) {
                snapshot = taken_[Pick(random, 0, taken_.size() - 1)];
            }
        }
        if (snapshot) {
            Look(db_, snapshot.get(), random);
            looks_++;
        }
    }
    void AskFigures(Random& random) {
        quern_error err = QUERN_ERROR_INIT;
        int64_t value = 0;
        Ok(quern_stat(db_, static_cast<int32_t>(Pick(random, 1, 8)), &value, &err), err, "stat");
        quern_text* text = nullptr;
        Ok(quern_info(db_, &text, &err), err, "quern_info");
        quern_text_free(text);
        quern_schema* schema = nullptr;
        Ok(quern_describe(db_, "docs", &schema, &err), err, "quern_describe");
        quern_schema_free(schema);
        quern_result* result = nullptr;
        Ok(quern_sql(db_, nullptr, "select count(*) from docs where value > 0", &result, &err), err,
           "quern_sql");
        quern_result_free(result);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }

    quern_db* const db_;
    const uint64_t seed_;
    std::atomic<bool> done_{false};
    std::atomic<int> violations_{0};
    std::atomic<size_t> looks_{0};
    LedgerRows rows_;     // the writer's
    int64_t serial_ = 0;  // likewise
    std::mutex mutex_;
    std::deque<Snapshot> taken_;
};

}  // namespace

int RunThreads(const Arguments& arguments) {
    const double seconds = arguments.seconds > 0 ? arguments.seconds : 6;
    int violations = 0;
    for (const bool memory : {false, true}) {
        const std::string path = memory ? ":memory:" : FreshFile(arguments, "threads");
        const std::shared_ptr<quern_db> db(
            OpenFile(path, memory ? "seal_rows=60 seal_kb=8 threads=2 busy_ms=60000"
                                  : "seal_rows=60 seal_kb=8 threads=2 busy_ms=60000 "
                                    "maintenance=background"),
            quern_close);
        CreateLedger(db.get());
        std::string figures;
        violations += Threads(db.get(), arguments.seed).Run(seconds / 2, &figures);
        std::printf("%s: %s by 8 threads in %.0f s (seed %llu): %d violations\n",
                    memory ? "memory" : "file", figures.c_str(), seconds / 2,
                    static_cast<unsigned long long>(arguments.seed), violations);
        if (!memory) {
            RemoveFile(path);
        }
    }
    return violations;
}

}  // namespace sessions
