// Snapshots: acquiring them, and the views of collections inside.
#include <algorithm>

#include "engine/db/database.h"

namespace quern {

Result<std::shared_ptr<Snapshot>> Database::NewSnapshot() {
    QUERN_TRY(CheckUsable());
    std::shared_ptr<Snapshot> snapshot(new Snapshot());
    QUERN_ASSIGN(snapshot->reader_, store_->BeginRead());
    QUERN_ASSIGN(snapshot->catalog_, CatalogOf(snapshot->reader_->connection()));
    QUERN_ASSIGN(snapshot->generation_,
                 storage::ReadGeneration(snapshot->reader_->connection(), *snapshot->catalog_));
    snapshot->mark_ = snapshot->reader_->mark();
    snapshot->database_ = this;
    snapshot->keep_ = shared_from_this();
    std::lock_guard<std::mutex> lock(mutex_);
    snapshots_.erase(std::remove_if(snapshots_.begin(), snapshots_.end(),
                                    [](const auto& weak) { return weak.expired(); }),
                     snapshots_.end());
    snapshots_.push_back(snapshot);
    return snapshot;
}

Snapshot::~Snapshot() {
    End();
}

void Snapshot::End() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        reader_.reset();
        mark_.reset();
    }
    std::lock_guard<std::mutex> lock(views_mutex_);
    views_.clear();
}

void Snapshot::Relax() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (mark_.has_value()) {
        reader_.reset();
    }
}

Result<std::unique_ptr<storage::Reader>> Snapshot::BeginAgain(
    const std::optional<storage::LogMark>& mark) {
    if (!mark.has_value()) {
        return Status::Error(Code::kClosed, "the snapshot's database was closed");
    }
    QUERN_ASSIGN(std::unique_ptr<storage::Reader> reader, database_->store()->BeginRead());
    if (reader->mark() != mark) {
        overtaken_ = true;
        return Status::Error(Code::kBusy, "somebody has committed since the search began");
    }
    return reader;
}

Result<std::shared_ptr<Snapshot>> Database::SnapshotForSearch() {
    QUERN_TRY(CheckUsable());
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (recent_ != nullptr && !recent_->overtaken() &&
            store_->CurrentMark() == recent_->mark_) {
            return recent_;
        }
    }
    ForgetRecent();
    QUERN_ASSIGN(std::shared_ptr<Snapshot> snapshot, NewSnapshot());
    // The handle keeps it, so it must not keep the handle.
    snapshot->keep_.reset();
    return snapshot;
}

void Database::EndSearch(const std::shared_ptr<Snapshot>& snapshot) {
    snapshot->Relax();
    std::shared_ptr<Snapshot> old;  // let go of without the lock
    std::lock_guard<std::mutex> lock(mutex_);
    if (snapshot->mark_.has_value() && !snapshot->overtaken() && recent_ != snapshot) {
        old = std::move(recent_);
        recent_ = snapshot;
    }
}

void Database::ForgetRecent() {
    std::shared_ptr<Snapshot> old;  // let go of without the lock
    std::lock_guard<std::mutex> lock(mutex_);
    old = std::move(recent_);
}

Status SearchNewest(Database* database, const SearchRequest& request, ResultTable* table) {
    constexpr int kTries = 2;
    for (int i = 0; i < kTries; i++) {
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database->SnapshotForSearch());
        ResultTable fresh;
        Status status = Search(database, snapshot.get(), request, &fresh);
        database->EndSearch(snapshot);
        if (!snapshot->overtaken()) {
            *table = std::move(fresh);
            return status;
        }
    }
    // Commits come faster than searches: one that nobody can overtake.
    QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database->NewSnapshot());
    return Search(database, snapshot.get(), request, table);
}

Result<std::shared_ptr<const storage::CollectionInfo>> Snapshot::Info(
    const std::string& collection) {
    std::shared_ptr<const storage::CollectionInfo> info = catalog_->Find(collection);
    if (info == nullptr) {
        return Status::Error(Code::kNotFound, "no collection '%s'", collection.c_str());
    }
    return info;
}

Result<std::shared_ptr<const CollectionView>> Snapshot::View(const std::string& collection) {
    QUERN_ASSIGN(std::shared_ptr<const storage::CollectionInfo> info, Info(collection));
    {
        std::lock_guard<std::mutex> lock(views_mutex_);
        const auto found = views_.find(info->id);
        if (found != views_.end()) {
            return found->second;
        }
    }
    std::shared_ptr<const CollectionView> view;
    const Status status = With([&](storage::Connection* connection) -> Status {
        QUERN_ASSIGN(view,
                     database_->CacheOf(info->id)->View(connection, info, database_->budget()));
        return {};
    });
    if (!status.ok()) {
        return InCollection(*info, status);
    }
    std::lock_guard<std::mutex> lock(views_mutex_);
    return views_.emplace(info->id, view).first->second;
}

namespace {

bool SameFusions(const storage::CollectionInfo& a, const storage::CollectionInfo& b) {
    return std::equal(a.fusions.begin(), a.fusions.end(), b.fusions.begin(), b.fusions.end(),
                      [](const storage::KeptFusion& of_a, const storage::KeptFusion& of_b) {
                          return of_a.id == of_b.id && of_a.name == of_b.name &&
                                 of_a.text == of_b.text;
                      });
}

}  // namespace

Result<std::shared_ptr<const storage::Catalog>> Database::CatalogOf(
    storage::Connection* connection) {
    QUERN_ASSIGN(const int64_t epoch, storage::ReadCatalogEpoch(connection));
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (catalog_ && catalog_->epoch == epoch) {
            return catalog_;
        }
    }
    QUERN_ASSIGN(std::shared_ptr<storage::Catalog> catalog, storage::ReadCatalog(connection));
    // The file may have been changed by anybody since: its schema must be one that this library
    // would have written.
    QUERN_TRY(storage::CheckSchema(connection, *catalog));
    std::lock_guard<std::mutex> lock(mutex_);
    if (catalog_) {
        // What is loaded of a collection is kept by the identity of its info: an unchanged one
        // stays the same object.
        for (auto& info : catalog->collections) {
            for (const auto& known : catalog_->collections) {
                if (known->id == info->id && known->name == info->name &&
                    known->schema == info->schema && SameFusions(*known, *info)) {
                    info = known;
                }
            }
        }
    }
    std::shared_ptr<const storage::Catalog> shared = catalog;
    if (!catalog_ || catalog_->epoch < epoch) {
        catalog_ = shared;
        for (auto cache = caches_.begin(); cache != caches_.end();) {
            const bool gone =
                std::none_of(shared->collections.begin(), shared->collections.end(),
                             [&](const auto& info) { return info->id == cache->first; });
            cache = gone ? caches_.erase(cache) : std::next(cache);
        }
    }
    return shared;
}

std::shared_ptr<CollectionCache> Database::CacheOf(int64_t collection) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<CollectionCache>& cache = caches_[collection];
    if (cache == nullptr) {
        cache = std::make_shared<CollectionCache>();
    }
    return cache;
}

Status Count(Snapshot* snapshot, const std::string& collection, uint64_t* count) {
    QUERN_ASSIGN(std::shared_ptr<const storage::CollectionInfo> info, snapshot->Info(collection));
    const Status status = snapshot->With([&](storage::Connection* connection) -> Status {
        QUERN_ASSIGN(const storage::CollectionState state,
                     storage::ReadState(connection, info->id));
        *count = static_cast<uint64_t>(state.records);
        return {};
    });
    return InCollection(*info, status);
}

}  // namespace quern
