// Power cuts during all short workloads: every sequence of up to three operations of ten, on a new
// file and on one that is filled. (Most crash bugs of file systems need no more: Mohan et al.,
// OSDI 2018.) A crash is played before and after every operation on the disk that the last
// operation of a sequence makes, closing included, with all kinds of damage (damage.h), and, in
// some states, a second crash during the recovery from the first. In every state the file must
// open, verify must be clean, all that is visible must be what some commit left behind (with
// durability=full none older than the last one acknowledged), a second opening must show the same,
// every record must be found, and three more transactions must succeed.
//
//   short_workloads_test [--length 3] [--every 1] [--again 40] [--seed 1] [--durability
//   full|relaxed]
//                        [--powersafe 1] [--only N] [--fault N]
//
// --every N: each N-th state is opened, chosen at random; --again N: of those each N-th also with a
// second crash; --only N: one workload, whose number a failure prints.
#include <quern.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_set>
#include <vector>

#include "storage/memory_vfs.h"
#include "storage/page_vfs.h"
#include "tests/crash/damage.h"
#include "tests/crash/planted.h"
#include "tests/crash/world.h"

namespace {

using namespace quern::crash;

constexpr const char* kFolder = "/short";
constexpr const char* kStates = "/state";
constexpr const char* kAgain = "/again";
constexpr unsigned kFields = kGraph | kText;
const std::string kDump0 = "0 collections\n";

enum Step {
    kInsert,
    kUpsert,
    kDelete,
    kUpdate,
    kBuild,
    kDrop,
    kOptimize,
    kReopen,
    kMigrate,
    kVacuum
};
constexpr size_t kSteps = 10;
constexpr const char* kStepNames[] = {"insert",     "upsert",   "delete", "update",  "build index",
                                      "drop index", "optimize", "reopen", "migrate", "vacuum"};

struct Settings {
    long every = 1;
    long again = 40;
    uint64_t seed = 1;
    bool full = true;
    bool powersafe = true;
    std::string options;
};

struct Commit {
    size_t operation = 0;  // operations recorded when it was acknowledged
    std::string dump;
};

struct Tally {
    uint64_t workloads = 0;
    uint64_t operations = 0;
    uint64_t states = 0;
    uint64_t opened = 0;
    uint64_t again = 0;
    uint64_t failures = 0;
    std::string first;
};

// A database at work. An error stays.
class Session {
public:
    Session(std::string path, const std::string& options)
        : path_(std::move(path)), options_(options) {}
    ~Session() { quern_close(db_); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    bool Open() { return Want(quern_open(path_.c_str(), options_.c_str(), &db_, &err_), "open"); }
    void Close() {
        quern_close(db_);
        db_ = nullptr;
    }
    bool Want(int32_t status, const char* what) {
        if (status != QUERN_OK && problem_.empty()) {
            problem_ = std::string(what) + ": " + err_.message;
        }
        return problem_.empty();
    }
    std::string Dump() {
        std::string error;
        std::string dump = DumpWorld(db_, &error);
        if (dump.empty() && problem_.empty()) {
            problem_ = "cannot be read: " + error;
        }
        return dump;
    }
    const std::string& problem() const { return problem_; }
    quern_db* db() { return db_; }
    quern_error* err() { return &err_; }

    bool Write(const std::vector<int64_t>& keys, int64_t version, Rows::What what,
               int32_t (*how)(quern_batch*, quern_txn*, quern_error*)) {
        const Rows rows(db_, "a", Has("emb") ? kFields : kText, keys, version, what);
        return Want(how(rows.batch(), nullptr, &err_), "write");
    }
    bool Do(Step step, int64_t version) {
        switch (step) {
            case kInsert:
                return Write(Keys(1000 + version * 10, 3), version, Rows::What::kWhole,
                             quern_insert);
            case kUpsert: return Write(Keys(5, 4, 17), version, Rows::What::kWhole, quern_upsert);
            case kDelete: return Write(Keys(4, 6, 9), version, Rows::What::kKeys, quern_delete);
            case kUpdate: return Update(version);
            case kBuild: return Want(quern_rebuild(db_, nullptr, &err_), "rebuild");
            case kDrop:
                return Has("emb")
                           ? Want(quern_drop_column(db_, "a", "emb", &err_), "drop")
                           : Want(quern_add_dense(db_, "a", "emb", 8, QUERN_L2,
                                                  "index=graph codes=f32 m=4 ef_build=16", &err_),
                                  "add");
            case kOptimize: return Want(quern_optimize(db_, nullptr, 0, &err_), "optimize");
            case kReopen: Close(); return Open();
            case kMigrate:
                // A sparse field asks for a feature of the format that the file did not need.
                return Has("terms")
                           ? Want(quern_drop_column(db_, "a", "terms", &err_), "drop")
                           : Want(quern_add_sparse(db_, "a", "terms", nullptr, &err_), "migrate");
            case kVacuum: return Want(quern_vacuum(db_, &err_), "vacuum");
        }
        return false;
    }
    // A segment with a graph, dead records in it, changed ones, and a log.
    void Fill() {
        Want(CreateWorld(db_, "a", kFields, &err_), "create");
        Write(Keys(0, 70), 1, Rows::What::kWhole, quern_insert);
        Do(kOptimize, 0);
        Write(Keys(70, 12), 2, Rows::What::kWhole, quern_insert);
        Write(Keys(3, 5, 6), 3, Rows::What::kKeys, quern_delete);
        Update(3);
    }

private:
    bool Update(int64_t version) {
        uint64_t updated = 0;
        quern_query* query = quern_query_new(db_, "a");
        quern_query_filter(query, "id between 10 and 40");
        const std::string set = "number = " + std::to_string(400 + version * 100);
        quern_query_set(query, set.c_str());
        const bool ok = Want(quern_query_update(query, nullptr, &updated, &err_), "update");
        quern_query_free(query);
        return ok;
    }
    bool Has(const char* field) {
        quern_schema* schema = nullptr;
        bool has = false;
        if (quern_describe(db_, "a", &schema, nullptr) == QUERN_OK) {
            for (size_t i = 0; i < quern_schema_dense_count(schema); i++) {
                has = has || std::strcmp(quern_schema_dense_name(schema, i), field) == 0;
            }
            for (size_t i = 0; i < quern_schema_sparse_count(schema); i++) {
                has = has || std::strcmp(quern_schema_sparse_name(schema, i), field) == 0;
            }
        }
        quern_schema_free(schema);
        return has;
    }

    std::string path_;
    std::string options_;
    quern_db* db_ = nullptr;
    quern_error err_ = QUERN_ERROR_INIT;
    std::string problem_;
};

// What may be there after a crash before operation `point`.
std::vector<const std::string*> Allowed(const std::vector<Commit>& commits, size_t point,
                                        bool is_new, bool full) {
    size_t acknowledged = 0;
    while (acknowledged < commits.size() && commits[acknowledged].operation <= point) {
        acknowledged++;
    }
    std::vector<const std::string*> allowed;
    if (is_new && (acknowledged == 0 || !full)) {
        allowed.push_back(&kDump0);
    }
    for (size_t i = full && acknowledged > 0 ? acknowledged - 1 : 0;
         i < std::min(acknowledged + 1, commits.size()); i++) {
        allowed.push_back(&commits[i].dump);
    }
    return allowed;
}

// Empty when all is well, else what is wrong. thorough: also writes, and opens once more.
std::string CheckState(const std::string& path, const std::vector<const std::string*>& allowed,
                       bool thorough) {
    Session session(path, "threads=1");
    if (!session.Open()) {
        return session.problem();
    }
    session.Want(quern_verify(session.db(), nullptr, session.err()), "verify");
    const std::string dump = session.Dump();
    if (!session.problem().empty()) {
        return session.problem();
    }
    if (std::none_of(allowed.begin(), allowed.end(),
                     [&](const std::string* one) { return *one == dump; })) {
        return "the content is not that of a commit that may be there";
    }
    if (!thorough) {
        return {};
    }
    session.Close();
    if (!session.Open() || session.Dump() != dump) {
        return "a second opening shows something else" + session.problem();
    }
    if (dump == kDump0) {
        return {};
    }
    std::string problem = ProbeWorld(session.db());
    for (int i = 0; i < 3 && problem.empty(); i++) {
        session.Write(Keys(2000 + i, 2, 7), i, Rows::What::kWhole, quern_upsert);
        problem = session.problem();
    }
    return problem.empty() ? ProbeWorld(session.db()) : problem;
}

class Workload {
public:
    Workload(const Settings& settings, const Files& filled, std::string filled_dump,
             std::vector<Step> steps, uint64_t number, Tally* tally)
        : settings_(settings),
          begin_(filled),
          steps_(std::move(steps)),
          tally_(tally),
          random_(settings.seed * 7919 + number) {
        if (!begin_.empty()) {
            commits_.push_back({0, std::move(filled_dump)});
        }
    }

    void Run() {
        size_t first = 0;
        quern::testing::SetBaseVfs(RegisterRecorder());
        quern::storage::DropMemoryFiles(kFolder);
        Materialize(begin_, kFolder, kFolder);
        Record().clear();
        const std::string path = std::string(kFolder) + "/db";
        {
            Session session(path, settings_.options);
            session.Open();
            if (begin_.empty()) {
                session.Want(CreateWorld(session.db(), "a", kFields, session.err()), "create");
                Acknowledge(&session);
            }
            for (size_t i = 0; i < steps_.size() && session.problem().empty(); i++) {
                // What an earlier step does is the business of a shorter workload.
                first = i == 0 ? 0 : Record().size();
                session.Do(steps_[i], static_cast<int64_t>(i) + 4);
                Acknowledge(&session);
            }
            if (!session.problem().empty()) {
                return Fail("the workload itself: " + session.problem());
            }
        }
        record_ = Record();
        quern::testing::SetBaseVfs(quern::storage::MemoryVfs());
        tally_->workloads++;
        tally_->operations += record_.size() - first;
        if (settings_.full && !LogFirst()) {
            return Fail("the file was written before the log was synced");
        }
        Damage damage(begin_, &record_);
        for (size_t point = first; point <= record_.size() && tally_->failures == 0; point++) {
            damage.Advance(point);
            const auto allowed = Allowed(commits_, point, begin_.empty(), settings_.full);
            damage.ForEach(settings_.powersafe, &random_, [&](char letter, const Files& files) {
                tally_->states++;
                if (random_() % static_cast<uint64_t>(settings_.every) == 0 &&
                    IsNew(files, *allowed.front(), *allowed.back())) {
                    Try(point, letter, files, allowed);
                }
                return tally_->failures == 0;
            });
        }
    }

private:
    void Acknowledge(Session* session) {
        const size_t operation = Record().size();
        commits_.push_back({operation, session->Dump()});
    }
    std::string Name() const {
        std::string name = begin_.empty() ? "new file" : "filled file";
        for (const Step step : steps_) {
            name += std::string(", ") + kStepNames[step];
        }
        return name;
    }
    void Fail(const std::string& problem) {
        if (tally_->failures++ == 0) {
            tally_->first = Name() + ": " + problem;
        }
        quern::testing::SetBaseVfs(quern::storage::MemoryVfs());
    }
    // A main file is written from a log that is safe by then.
    bool LogFirst() const {
        bool dirty = false;
        bool used = false;
        const std::string path = std::string(kFolder) + "/db";
        for (const Operation& operation : record_) {
            if (operation.file == path + "-wal") {
                used = true;
                dirty = operation.kind == Operation::Kind::kWrite  ? true
                        : operation.kind == Operation::Kind::kSync ? false
                                                                   : dirty;
            } else if (operation.file == path && operation.kind == Operation::Kind::kWrite &&
                       used && dirty) {
                return false;
            }
        }
        return true;
    }
    static bool IsNew(const Files& files, const std::string& from, const std::string& to) {
        static std::unordered_set<size_t> seen;
        size_t hash = std::hash<std::string>()(from) * 31 + std::hash<std::string>()(to);
        for (const auto& [name, bytes] : files) {
            hash = hash * 1000003 + std::hash<std::string>()(name) * 7 +
                   std::hash<std::string>()(bytes);
        }
        return seen.insert(hash).second;
    }
    void Try(size_t point, char letter, const Files& files,
             const std::vector<const std::string*>& allowed) {
        const auto where = [&] {
            return "before operation " + std::to_string(point) + " of " +
                   std::to_string(record_.size()) + ", damage " + letter + ": ";
        };
        Materialize(files, kFolder, kStates);
        std::string problem = CheckState(std::string(kStates) + "/db", allowed, true);
        quern::storage::DropMemoryFiles(kStates);
        if (!problem.empty()) {
            return Fail(where() + problem);
        }
        const uint64_t number = tally_->opened++;
        if (settings_.again == 0 || number % static_cast<uint64_t>(settings_.again) != 0) {
            return;
        }
        problem = CrashAgain(files, allowed);
        if (!problem.empty()) {
            Fail(where() + problem);
        }
    }
    // (j): what recovery does to the disk is interrupted in its turn.
    std::string CrashAgain(const Files& files, const std::vector<const std::string*>& allowed) {
        quern::testing::SetBaseVfs(RegisterRecorder());
        Materialize(files, kFolder, kAgain);
        Files begin;
        for (const auto& [name, bytes] : files) {
            begin[kAgain + name.substr(std::strlen(kFolder))] = bytes;
        }
        Record().clear();
        std::string problem = CheckState(std::string(kAgain) + "/db", allowed, false);
        const std::vector<Operation> record = Record();
        quern::storage::DropMemoryFiles(kAgain);
        quern::testing::SetBaseVfs(quern::storage::MemoryVfs());
        Damage damage(begin, &record);
        for (size_t point = 0; point <= record.size() && problem.empty(); point++) {
            damage.Advance(point);
            damage.ForEach(settings_.powersafe, &random_, [&](char letter, const Files& twice) {
                if (letter == 'c' || letter == 'd') {
                    return true;
                }
                tally_->again++;
                Materialize(twice, kAgain, kStates);
                problem = CheckState(std::string(kStates) + "/db", allowed, false);
                quern::storage::DropMemoryFiles(kStates);
                if (!problem.empty()) {
                    problem = "and again before operation " + std::to_string(point) +
                              " of recovery, damage " + letter + ": " + problem;
                }
                return problem.empty();
            });
        }
        return problem;
    }

    const Settings& settings_;
    Files begin_;
    std::vector<Step> steps_;
    Tally* tally_;
    std::mt19937_64 random_;
    std::vector<Commit> commits_;
    std::vector<Operation> record_;
};

const char* Argument(int argc, char** argv, const char* name, const char* otherwise) {
    for (int i = 1; i + 1 < argc; i++) {
        if (std::strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    const long length = std::atol(Argument(argc, argv, "--length", "3"));
    const long only = std::atol(Argument(argc, argv, "--only", "-1"));
    const long fault = std::atol(Argument(argc, argv, "--fault", "0"));
    settings.every = std::max(1L, std::atol(Argument(argc, argv, "--every", "1")));
    settings.again = std::atol(Argument(argc, argv, "--again", "40"));
    settings.seed = std::strtoull(Argument(argc, argv, "--seed", "1"), nullptr, 10);
    settings.full = std::strcmp(Argument(argc, argv, "--durability", "full"), "full") == 0;
    settings.powersafe = std::atol(Argument(argc, argv, "--powersafe", "1")) != 0;
    settings.options =
        std::string("threads=1 seal_rows=40 durability=") + (settings.full ? "full" : "relaxed");
    if (!quern::storage::RegisterMemoryVfs().ok()) {
        return 1;
    }
    quern::crash::Plant(fault);
    SetPowersafe(settings.powersafe);
    Tally tally;
    Files filled;
    std::string filled_dump;
    {
        quern::testing::SetBaseVfs(RegisterRecorder());
        Session session(std::string(kFolder) + "/db", settings.options);
        session.Open();
        session.Fill();
        filled_dump = session.Dump();
        session.Close();
        filled = ReadFolder(kFolder);
        if (!session.problem().empty() || filled_dump.empty()) {
            tally.failures = 1;
            tally.first = "the filled file: " + session.problem();
        }
    }
    long number = 0;
    for (const bool is_new : {true, false}) {
        for (long n = 1; n <= length; n++) {
            size_t count = 1;
            for (long i = 0; i < n; i++) {
                count *= kSteps;
            }
            for (size_t w = 0; w < count && tally.failures == 0; w++, number++) {
                if (only >= 0 && number != only) {
                    continue;
                }
                std::vector<Step> steps;
                for (size_t rest = w, i = 0; i < static_cast<size_t>(n); i++, rest /= kSteps) {
                    steps.push_back(static_cast<Step>(rest % kSteps));
                }
                Workload(settings, is_new ? Files() : filled, filled_dump, steps,
                         static_cast<uint64_t>(number), &tally)
                    .Run();
                if (tally.failures != 0) {
                    tally.first += "\n  (--only " + std::to_string(number) + " --seed " +
                                   std::to_string(settings.seed) + ")";
                }
            }
        }
    }
    std::printf(
        "%s%s: %llu workloads, %llu operations, %llu states, %llu of them opened, %llu crashed "
        "again, %llu failures%s%s\n",
        settings.full ? "full" : "relaxed", settings.powersafe ? "" : ", sectors may be harmed",
        static_cast<unsigned long long>(tally.workloads),
        static_cast<unsigned long long>(tally.operations),
        static_cast<unsigned long long>(tally.states),
        static_cast<unsigned long long>(tally.opened), static_cast<unsigned long long>(tally.again),
        static_cast<unsigned long long>(tally.failures),
        tally.first.empty() ? "" : "\n  first: ", tally.first.c_str());
    if (fault != 0) {
        std::printf("fault %ld: %s\n", fault, tally.failures > 0 ? "found" : "NOT FOUND");
        return tally.failures > 0 ? 0 : 1;
    }
    return tally.failures == 0 ? 0 : 1;
}
