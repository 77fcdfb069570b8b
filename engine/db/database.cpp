// Opening and closing a handle, entering it, and beginning write transactions.
#include "engine/db/database.h"

#include <unistd.h>

#include <algorithm>
#include <new>
#include <system_error>

#include "engine/db/builder_mark.h"

namespace quern {

namespace {

// The handle whose progress callback runs on this thread.
thread_local const Database* callback_owner = nullptr;

int64_t MachineBytes() {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? static_cast<int64_t>(pages) * page : int64_t{4} << 30;
}

}  // namespace

Result<std::shared_ptr<Database>> Database::Open(const DatabaseOptions& options) {
    std::shared_ptr<Database> database(new Database());
    database->options_ = options;
    database->options_.store.interrupts = &database->interrupt_epoch_;
    database->budget_->limit = options.memory_bytes > 0 ? options.memory_bytes : MachineBytes() / 4;
    database->budget_->threads = database->threads();
    database->budget_->cache =
        std::make_shared<VectorCache>(options.cache_bytes, database->budget_->cached);
    QUERN_ASSIGN(database->store_, storage::FileStore::Open(database->options_.store));
    {
        QUERN_ASSIGN(std::unique_ptr<storage::Reader> reader, database->store_->BeginRead());
        QUERN_ASSIGN(database->catalog_, database->CatalogOf(reader->connection()));
        // What a killed process left half built goes with the first commit, so that opening stays
        // quick.
        QUERN_ASSIGN(const bool sweep, storage::NeedsSweep(reader->connection(), BuilderIsDead));
        database->sweep_due_ = sweep;
    }
    if (options.maintenance == MaintenanceMode::kBackground && !options.store.read_only) {
        try {
            database->background_ = std::thread([raw = database.get()] { raw->BackgroundLoop(); });
        } catch (const std::system_error& error) {
            return Status::Error(Code::kNoMem,
                                 "maintenance=background: its thread cannot be started (%s)",
                                 error.what());
        }
    }
    return database;
}

Database::~Database() {
    if (forked()) {
        // The file belongs to the parent: closing it here would end the parent's use of its log.
        // Leaving it open costs the child a few descriptors.
        static_cast<void>(store_.release());
        if (background_.joinable()) {
            background_.detach();
        }
        return;
    }
    Close();
}

bool Database::forked() const {
    return fork_mark_.InChild();
}
bool Database::in_callback() const {
    return callback_owner == this;
}

Status Database::CheckUsable() const {
    if (forked()) {
        return Status::Error(
            Code::kMisuse,
            "the database was opened in another process: a handle does not survive fork()");
    }
    if (closed_.load()) {
        return Status::Error(Code::kClosed, "the database was closed");
    }
    return {};
}

Database::Entry Database::Enter() {
    Entry entry;
    entry.status_ = CheckUsable();
    if (entry.status_.ok() && in_callback()) {
        entry.status_ = Status::Error(
            Code::kMisuse, "the progress callback may not call the handle that called it");
    }
    if (entry.status_.ok()) {
        entry.lock_ = std::shared_lock<std::shared_mutex>(gate_);
        entry.status_ = CheckUsable();  // Close may have come first
    }
    return entry;
}

void Database::Close() {
    if (forked() || in_callback() || closed_.exchange(true)) {
        return;
    }
    Interrupt();
    {
        std::lock_guard<std::mutex> lock(background_mutex_);
        background_stop_ = true;
    }
    background_wake_.notify_all();
    if (background_.joinable()) {
        background_.join();
    }
    std::unique_lock<std::shared_mutex> gate(gate_);
    if (Transaction* transaction = transaction_.load()) {
        transaction->Rollback();
    }
    ForgetRecent();
    std::vector<std::weak_ptr<Snapshot>> snapshots;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        snapshots.swap(snapshots_);
        caches_.clear();
        catalog_.reset();
    }
    for (const auto& weak : snapshots) {
        if (std::shared_ptr<Snapshot> snapshot = weak.lock()) {
            snapshot->End();
        }
    }
    store_.reset();
}

void Database::SetProgress(ProgressFn progress) {
    std::lock_guard<std::mutex> lock(mutex_);
    progress_ = std::move(progress);
}

Work Database::NewWork() {
    ProgressFn wrapped;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (progress_) {
            wrapped = [this, progress = progress_](const char* task, uint64_t done,
                                                   uint64_t total) {
                callback_owner = this;
                const bool stop = progress(task, done, total);
                callback_owner = nullptr;
                return stop;
            };
        }
    }
    return Work(&interrupt_epoch_, std::move(wrapped));
}

int Database::threads() const {
    if (options_.threads > 0) {
        return options_.threads;
    }
    return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 256u));
}

Result<Database::WriteStart> Database::BeginWrite() {
    ForgetRecent();
    WriteStart start;
    QUERN_ASSIGN(start.writer, store_->BeginWrite());
    storage::Connection* connection = start.writer->connection();
    const int64_t version = connection->DataVersion();
    if (version != known_.version) {
        known_.version = -1;
        known_.states.clear();
        QUERN_ASSIGN(known_.catalog, CatalogOf(connection));
        QUERN_ASSIGN(known_.generation, storage::ReadGeneration(connection, *known_.catalog));
        known_.version = version;
    }
    if (known_.generation >= storage::kCounterMax) {
        return Status::Error(Code::kLimit, "the counter of commits is used up");
    }
    start.catalog = known_.catalog;
    start.generation = known_.generation + 1;
    start.states.swap(known_.states);  // whoever writes knows best what becomes of them
    return start;
}

Status Database::CommitWrite(WriteStart* start) {
    return start->writer->Commit([this](bool) { known_.version = -1; });
}

Result<std::unique_ptr<Transaction>> Database::Begin() {
    QUERN_ASSIGN(WriteStart start, BeginWrite());
    std::unique_ptr<Transaction> transaction(new Transaction());
    transaction->database_ = shared_from_this();
    transaction->writer_ = std::move(start.writer);
    transaction->catalog_ = std::move(start.catalog);
    transaction->generation_ = start.generation;
    transaction->states_ = std::move(start.states);
    transaction_.store(transaction.get());
    return transaction;
}

Result<std::vector<std::shared_ptr<const storage::CollectionInfo>>> Database::Collections(
    const std::string* collection) {
    std::shared_ptr<const storage::Catalog> catalog;
    {
        QUERN_ASSIGN(std::unique_ptr<storage::Reader> reader, store_->BeginRead());
        QUERN_ASSIGN(catalog, CatalogOf(reader->connection()));
    }
    if (collection == nullptr) {
        return catalog->collections;
    }
    std::shared_ptr<const storage::CollectionInfo> info = catalog->Find(*collection);
    if (info == nullptr) {
        return Status::Error(Code::kNotFound, "no collection '%s'", collection->c_str());
    }
    return std::vector<std::shared_ptr<const storage::CollectionInfo>>{info};
}

void Database::AfterCommit(const std::vector<std::string>& collections) {
    if (options_.maintenance == MaintenanceMode::kOff) {
        return;
    }
    const bool sweep = sweep_due_.exchange(false);
    // The commit stands, whatever becomes of this.
    try {
        std::vector<std::string> due = collections;
        if (sweep) {
            due.emplace_back();  // no collection: only the sweep
        }
        if (due.empty()) {
            return;
        }
        if (options_.maintenance == MaintenanceMode::kBackground) {
            {
                std::lock_guard<std::mutex> lock(background_mutex_);
                background_due_.insert(due.begin(), due.end());
            }
            background_wake_.notify_one();
            return;
        }
        for (const std::string& collection : due) {
            const Status status = Maintain(collection, true);
            std::lock_guard<std::mutex> lock(mutex_);
            maintenance_error_ = status.message();
        }
    } catch (const std::bad_alloc&) {
        sweep_due_.store(sweep_due_.load() || sweep);
    }
}

void Database::BackgroundLoop() {
    std::unique_lock<std::mutex> lock(background_mutex_);
    while (true) {
        background_wake_.wait(lock, [&] { return background_stop_ || !background_due_.empty(); });
        if (background_stop_) {
            return;
        }
        const std::set<std::string> due = std::move(background_due_);
        background_due_.clear();
        lock.unlock();
        for (const std::string& collection : due) {
            try {
                const Status status = Maintain(collection, false);
                std::lock_guard<std::mutex> own(mutex_);
                maintenance_error_ = status.message();
            } catch (const std::bad_alloc&) {
                std::lock_guard<std::mutex> own(mutex_);
                maintenance_error_ = "out of memory";  // short enough to need none
            }
        }
        lock.lock();
    }
}

}  // namespace quern
