#include "tests/bench/dense/insert_while_search.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "bindings/cli/search_figures.h"
#include "tests/bench/bench_support.h"

namespace bench {
namespace {

// Rows that are there before: enough for a search to cost something, few enough to be built anew.
constexpr size_t kStartRowsMax = 20000;
constexpr double kAloneSeconds = 1;

constexpr const char* kFigures[] = {
    "rows_per_second", "searches_per_second", "alone_p50_ms",  "alone_p99_ms",
    "during_p50_ms",   "during_p99_ms",       "rows_inserted", "searches"};

struct Way {
    const InsertContestant* contestant;
    std::string label;
    size_t batch = 1;
    bool lock = false;
    std::string start_path;  // the index before
};

// First come, first served: with a plain mutex one of two busy threads can keep the other out for
// as long as it likes.
class TicketLock {
public:
    void Lock() {
        const size_t ticket = next_++;
        while (serving_ != ticket) {
            std::this_thread::yield();
        }
    }
    void Unlock() { serving_++; }

private:
    std::atomic<size_t> next_{0};
    std::atomic<size_t> serving_{0};
};

class MaybeLocked {
public:
    explicit MaybeLocked(TicketLock* lock) : lock_(lock) {
        if (lock_ != nullptr) {
            lock_->Lock();
        }
    }
    MaybeLocked(const MaybeLocked&) = delete;
    MaybeLocked& operator=(const MaybeLocked&) = delete;
    ~MaybeLocked() {
        if (lock_ != nullptr) {
            lock_->Unlock();
        }
    }

private:
    TicketLock* lock_;
};

// Milliseconds of each search until told to stop.
template <typename Continue>
std::vector<double> SearchWhile(const VectorSet& set, Rival* rival, const std::string& effort,
                                TicketLock* lock, Continue go_on) {
    const auto searcher = rival->NewSearcher(effort);
    std::vector<double> latencies;
    uint32_t found[kNearest];
    for (size_t i = 0; go_on(); i++) {
        const auto start = Clock::now();
        {
            const MaybeLocked locked(lock);
            searcher->Search(set.queries.row(i % set.queries.rows()), kNearest, found);
        }
        latencies.push_back(SecondsSince(start) * 1e3);
    }
    return latencies;
}

Json RunOnce(const VectorSet& set, const Way& way, const InsertOptions& options,
             const std::string& path, size_t start_rows) {
    const auto rival = way.contestant->kind.make(set.space);
    rival->Load(path, set.base.rows() - start_rows);
    TicketLock ticket_lock;
    TicketLock* lock = way.lock ? &ticket_lock : nullptr;
    const std::string& effort = way.contestant->effort;
    // The first searches load what they need.
    SearchWhile(set, rival.get(), effort, lock, [n = 20]() mutable { return n-- > 0; });
    auto start = Clock::now();
    const auto alone = SearchWhile(set, rival.get(), effort, lock,
                                   [&] { return SecondsSince(start) < kAloneSeconds; });

    std::atomic<bool> writing{true};
    size_t inserted = 0;
    double seconds = 0;
    start = Clock::now();
    std::thread writer([&] {
        size_t row = start_rows;
        while (row < set.base.rows() && SecondsSince(start) < options.seconds) {
            const size_t count = std::min(way.batch, set.base.rows() - row);
            const MaybeLocked locked(lock);
            rival->Insert(set.base.row(row), count, static_cast<uint32_t>(row));
            row += count;
        }
        seconds = SecondsSince(start);
        inserted = row - start_rows;
        writing = false;
    });
    const auto during = SearchWhile(set, rival.get(), effort, lock, [&] { return writing.load(); });
    writer.join();

    using quern::shell::Percentile;
    const double values[] = {static_cast<double>(inserted) / seconds,
                             static_cast<double>(during.size()) / seconds,
                             Percentile(alone, 0.5),
                             Percentile(alone, 0.99),
                             Percentile(during, 0.5),
                             Percentile(during, 0.99),
                             static_cast<double>(inserted),
                             static_cast<double>(during.size())};
    Json answer;
    for (size_t i = 0; i < std::size(kFigures); i++) {
        answer[kFigures[i]] = values[i];
    }
    return answer;
}

}  // namespace

std::vector<Json> MeasureInserts(const VectorSet& set,
                                 const std::vector<InsertContestant>& contestants,
                                 const InsertOptions& options) {
    const size_t start_rows = std::min(kStartRowsMax, set.base.rows() / 2);
    Matrix start;
    start.dim = set.space.dim;
    start.values.assign(set.base.values.begin(),
                        set.base.values.begin() + static_cast<ptrdiff_t>(start_rows * start.dim));
    std::vector<Way> ways;
    for (const InsertContestant& contestant : contestants) {
        const RivalKind& kind = contestant.kind;
        if (kind.insert_batches.empty()) {
            continue;
        }
        const std::string path = options.directory + "/" + kind.slug + ".start";
        kind.make(set.space)->Build(start, options.threads, path);
        for (const size_t batch : kind.insert_batches) {
            if (kind.guards_itself) {
                const std::string rows = batch == 1 ? "1 row" : std::to_string(batch) + " rows";
                ways.push_back(
                    {&contestant, kind.label + ", " + rows + " a transaction", batch, false, path});
            } else {
                ways.push_back({&contestant, kind.label + " behind a lock", batch, true, path});
                ways.push_back(
                    {&contestant, kind.label + " without lock: a data race", batch, false, path});
            }
        }
    }
    std::vector<std::vector<Json>> answers(ways.size());
    const std::string copy = options.directory + "/inserting";
    for (size_t round = 0; round < options.rounds; round++) {
        for (size_t i = 0; i < ways.size(); i++) {
            RemoveDatabase(copy);
            std::filesystem::copy_file(ways[i].start_path, copy);
            const Json answer =
                RunApart([&] { return RunOnce(set, ways[i], options, copy, start_rows); });
            if (!answer.is_null()) {
                answers[i].push_back(answer);
            }
        }
    }
    RemoveDatabase(copy);
    std::vector<Json> medians;
    for (size_t i = 0; i < ways.size(); i++) {
        Json median = {{"engine", ways[i].contestant->kind.slug},
                       {"label", ways[i].label},
                       {"rows_per_insert", ways[i].batch},
                       {"effort", ways[i].contestant->effort},
                       {"start_rows", start_rows},
                       {"rounds", answers[i].size()}};
        for (const char* figure : kFigures) {
            std::vector<double> values;
            for (const Json& answer : answers[i]) {
                values.push_back(answer.value(figure, 0.0));
            }
            median[figure] = Median(values);
        }
        medians.push_back(median);
        RemoveDatabase(ways[i].start_path);
    }
    return medians;
}

}  // namespace bench
