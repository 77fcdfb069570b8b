// A database handle: collections, snapshots, transactions, maintenance. The C API is a thin
// translation of this header.
//
// Thread rule: Database and Snapshot are thread-safe; Transaction and Cursor are confined to one
// thread at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/db/analyzer_pool.h"
#include "engine/db/collection_view.h"
#include "engine/db/composed_queries.h"
#include "engine/db/fork_mark.h"
#include "engine/db/hit_shaper.h"
#include "engine/db/index_search.h"
#include "engine/db/record_batch.h"
#include "engine/db/record_filter.h"
#include "engine/db/result_table.h"
#include "engine/db/score_formula.h"
#include "engine/filter/filter_tokens.h"
#include "engine/query/fusion.h"
#include "engine/sparse/space_pool.h"
#include "engine/sparse/sparse_rows.h"
#include "engine/sparse/text_query.h"
#include "storage/base/work.h"
#include "storage/file_store.h"

namespace quern {

enum class MaintenanceMode { kAuto, kOff, kBackground };

struct DatabaseOptions {
    storage::StoreOptions store;
    int threads = 0;           // 0: as many as processors
    int64_t memory_bytes = 0;  // 0: a quarter of the machine's
    int64_t cache_bytes = int64_t{16} << 20;
    MaintenanceMode maintenance = MaintenanceMode::kAuto;
    int64_t seal_rows = 16384;
    int64_t seal_bytes = int64_t{16} << 20;
};

struct DatabaseLimits {
    std::atomic<int64_t> result_rows{INT32_MAX};
    std::atomic<int64_t> queries{1048576};
    std::atomic<int64_t> attr_bytes{int64_t{16} << 20};
    std::atomic<int64_t> search_bytes{int64_t{1} << 30};
};

// The numbers are those of quern.h.
enum class DatabaseStat : int32_t {
    kFileBytes = 1,
    kWalBytes = 2,
    kMemoryBytes = 3,
    kSegments = 4,
    kChunks = 5,
    kLogRows = 6,
    kGeneration = 7,
    kSqliteBytes = 8,
};

class Database;

// A stable view of the whole database.
class Snapshot {
public:
    ~Snapshot();
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    uint64_t generation() const { return static_cast<uint64_t>(generation_); }
    // Ends the read transaction; every later use returns kClosed. Called by Database::Close.
    void End();

    // Runs body with a connection that sees the snapshot's state: its own, one caller at a time;
    // or, for one that has been relaxed, one that begins a transaction for this call. That fails
    // when somebody has committed since, and overtaken() is true from then on.
    template <typename Body>
    Status With(Body body) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (reader_ != nullptr) {
            return body(reader_->connection());
        }
        const std::optional<storage::LogMark> mark = mark_;
        lock.unlock();
        QUERN_ASSIGN(const std::unique_ptr<storage::Reader> reader, BeginAgain(mark));
        return body(reader->connection());
    }
    // The same; *reads grows by what was read from the file.
    template <typename Body>
    Status With(Body body, FileReads* reads) {
        return With([&](storage::Connection* connection) -> Status {
            const FileReads before = connection->Reads();
            Status status = body(connection);
            *reads += connection->Reads();
            *reads -= before;
            return status;
        });
    }
    // Ends the transaction if the state can be recognized later on; the views stay.
    void Relax();
    bool overtaken() const { return overtaken_.load(); }
    Result<std::shared_ptr<const CollectionView>> View(const std::string& collection);
    Result<std::shared_ptr<const storage::CollectionInfo>> Info(const std::string& collection);
    const storage::Catalog& catalog() const { return *catalog_; }

private:
    friend class Database;
    Snapshot() = default;
    Result<std::unique_ptr<storage::Reader>> BeginAgain(
        const std::optional<storage::LogMark>& mark);
    Database* database_ = nullptr;
    std::shared_ptr<Database> keep_;  // of those that users hold
    std::shared_ptr<const storage::Catalog> catalog_;
    int64_t generation_ = 0;
    std::atomic<bool> overtaken_{false};
    std::mutex mutex_;  // protects the reader
    std::unique_ptr<storage::Reader> reader_;
    std::optional<storage::LogMark> mark_;
    std::mutex views_mutex_;
    std::map<int64_t, std::shared_ptr<const CollectionView>> views_;
};

enum class WriteKind { kInsert, kUpsert, kUpdate, kDelete };

class Transaction;
struct SearchRequest;

// What a dense field's queries get for each recall that its curves are asked for, as
// dense::RecallCorrection writes it. Empty: as the curves say.
struct KeptRecall {
    std::string field;
    std::string delivers;
};

class Database : public std::enable_shared_from_this<Database> {
public:
    static Result<std::shared_ptr<Database>> Open(const DatabaseOptions& options);
    ~Database();
    // Ends transactions and snapshots and closes the file. Everything afterwards returns kClosed.
    void Close();
    // kClosed, or kMisuse in a forked child.
    Status CheckUsable() const;
    void Interrupt() { interrupt_epoch_.fetch_add(1); }
    void SetProgress(ProgressFn progress);
    Work NewWork();
    // Without progress: for threads that are not the caller's.
    Work NewQuietWork() { return Work(&interrupt_epoch_, nullptr); }

    // Other files that filters and Sql may read: storage/file_store.h.
    Status Attach(const std::string& name, const std::string& path) {
        return store_->Attach(name, path);
    }
    Status Detach(const std::string& name) { return store_->Detach(name); }

    Result<std::shared_ptr<Snapshot>> NewSnapshot();
    // The newest state, for one search: the snapshot of the search before, if nobody has committed
    // since. Give it back with EndSearch. It may turn out to be overtaken while it is used.
    Result<std::shared_ptr<Snapshot>> SnapshotForSearch();
    void EndSearch(const std::shared_ptr<Snapshot>& snapshot);
    // Lets go of what SnapshotForSearch keeps: what this process is about to replace need not stay
    // in memory.
    void ForgetRecent();
    SearchSpaces* search_spaces() { return &search_spaces_; }
    sparse::SpacePool* sparse_spaces() { return &sparse_spaces_; }
    AnalyzerPool* analyzers() { return &analyzers_; }
    Result<std::unique_ptr<Transaction>> Begin();

    Status CreateCollection(const std::string& name, const Schema& schema);
    Status DropCollection(const std::string& name);
    Status RenameCollection(const std::string& from, const std::string& to);
    // Keeps what an audit has found out about dense fields; those that are gone are passed over.
    Status KeepRecall(const std::string& collection, const std::vector<KeptRecall>& kept);
    // Keeps how the legs of a request are fused, in place of what had the name; kept_fusions.h.
    Status KeepFusion(const std::string& name, const SearchRequest& request);
    Status DropFusion(const std::string& collection, const std::string& name);
    Status AddAttr(const std::string& collection, const AttrDef& attr);
    Status AddDense(const std::string& collection, const DenseDef& field);
    Status AddSparse(const std::string& collection, const SparseDef& field);
    Status AddText(const std::string& collection, const TextDef& field);
    Status DropColumn(const std::string& collection, const std::string& column);
    // table: as sparse::TokenWeights::Encode has it, of a field of the collection; empty: none.
    Status SetTokenWeights(const std::string& collection, uint32_t field, BytesView table);

    Status Optimize(const std::string* collection, uint32_t max_ms);
    Status Vacuum();
    Status Backup(const std::string& path);
    // *report gets JSON. kCorrupt when something is damaged.
    Status Verify(std::string* report);
    Status Rebuild(const std::string* collection);
    Result<std::string> InfoJson();
    Result<int64_t> Stat(DatabaseStat stat);
    Status Sql(Snapshot* snapshot, const std::string& statement, ResultTable* table);

    // What a commit owes to collections whose log or list of segments has grown: sealing and
    // merging, or waking the worker that does it. The commit stands whatever happens here; a
    // failure is kept for InfoJson and tried again later.
    void AfterCommit(const std::vector<std::string>& collections);

    storage::FileStore* store() { return store_.get(); }
    const DatabaseOptions& options() const { return options_; }
    DatabaseLimits& limits() { return limits_; }
    std::shared_ptr<MemoryBudget> budget() { return budget_; }
    std::shared_ptr<CollectionCache> CacheOf(int64_t collection);
    // The catalog of the snapshot or transaction of a connection; cached by epoch.
    Result<std::shared_ptr<const storage::Catalog>> CatalogOf(storage::Connection* connection);
    // Begins a write transaction and tells the catalog and the next generation.
    struct WriteStart {
        std::unique_ptr<storage::Writer> writer;
        std::shared_ptr<const storage::Catalog> catalog;
        int64_t generation = 0;
        std::map<int64_t, storage::CollectionState> states;  // of some collections
    };
    Result<WriteStart> BeginWrite();
    // Commits a change of the schema.
    Status CommitWrite(WriteStart* start);
    int threads() const;
    // Collection NULL: all of them. kNotFound.
    Result<std::vector<std::shared_ptr<const storage::CollectionInfo>>> Collections(
        const std::string* collection);

    // Held by every call from outside while it uses the handle; Close waits for them. kClosed, or
    // kMisuse in a forked child.
    class Entry {
    public:
        const Status& status() const { return status_; }

    private:
        friend class Database;
        std::shared_lock<std::shared_mutex> lock_;
        Status status_;
    };
    Entry Enter();
    bool in_callback() const;  // is this thread inside this handle's progress callback?
    bool forked() const;       // is this process a child of the one that opened the handle?

private:
    friend class Transaction;
    Database() = default;
    using SchemaChange = std::function<Status(storage::Connection*, const storage::Catalog&,
                                              const std::shared_ptr<const storage::CollectionInfo>&,
                                              int64_t generation)>;
    // Runs a change of one collection whose log has been sealed before, in one transaction.
    Status ChangeSchema(const std::string& collection, const SchemaChange& change);
    void BackgroundLoop();
    Status Maintain(const std::string& collection, bool foreground);

    DatabaseOptions options_;
    DatabaseLimits limits_;
    std::atomic<uint64_t> interrupt_epoch_{0};  // outlives the store, whose waits look at it
    std::unique_ptr<storage::FileStore> store_;
    SearchSpaces search_spaces_;
    sparse::SpacePool sparse_spaces_;
    AnalyzerPool analyzers_;
    std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>();
    std::atomic<bool> closed_{false};
    std::atomic<bool> sweep_due_{false};
    ForkMark fork_mark_;      // of the opener
    std::shared_mutex gate_;  // shared: calls in progress; exclusive: Close

    // What the holder of the writer knows without asking the file: true while the file's data
    // version is `version`, that is, while nobody has committed since. Only touched by the holder
    // of the writer.
    struct Known {
        int64_t version = -1;
        int64_t generation = 0;
        std::shared_ptr<const storage::Catalog> catalog;
        std::map<int64_t, storage::CollectionState> states;
    };
    Known known_;

    mutable std::mutex mutex_;  // protects what follows
    ProgressFn progress_;
    std::map<int64_t, std::shared_ptr<CollectionCache>> caches_;
    std::shared_ptr<const storage::Catalog> catalog_;
    std::vector<std::weak_ptr<Snapshot>> snapshots_;
    std::shared_ptr<Snapshot> recent_;  // of the last search; dropped when this process writes
    std::string maintenance_error_;
    std::atomic<Transaction*> transaction_{nullptr};

    std::mutex background_mutex_;
    std::condition_variable background_wake_;
    std::set<std::string> background_due_;  // names of collections
    bool background_stop_ = false;
    std::thread background_;
};

// A write transaction over any number of batches and collections.
class Transaction {
public:
    ~Transaction();  // rolls back
    Status Write(WriteKind kind, const RecordBatch& batch, size_t* affected);
    // Deletes the records that a filter is true for.
    Status DeleteMatches(const std::string& collection, const RecordFilter& filter,
                         size_t* affected);
    // Sets attributes of the records that a filter is true for; filter/assignments.h. Its
    // parameters are among the filter's.
    Status UpdateMatches(const std::string& collection, const RecordFilter& filter,
                         const filter::Tokens& assignments, size_t* affected);
    Status Commit();
    void Rollback();

private:
    friend class Database;
    struct Touched;
    Transaction();
    Status WriteRecords(WriteKind kind, const RecordBatch& batch, size_t* affected);
    // Writes to the records that a filter is true for. fill: what to write to n of them.
    Status WriteMatches(WriteKind kind, const std::string& collection, const RecordFilter& filter,
                        const std::function<Status(const storage::CollectionInfo& info, size_t n,
                                                   RecordBatch* batch)>& fill,
                        size_t* affected);
    Result<Touched*> Touch(const std::string& collection);
    void Remember(bool committed);

    std::shared_ptr<Database> database_;
    std::mutex mutex_;  // Close may end the transaction from another thread
    std::unique_ptr<storage::Writer> writer_;
    std::shared_ptr<const storage::Catalog> catalog_;
    int64_t generation_ = 0;
    std::map<int64_t, storage::CollectionState> states_;  // known ones, as of begin
    std::map<int64_t, std::unique_ptr<Touched>> touched_;
    std::string over_;  // why nothing more can be done with it
};

// A scan in key order.
class Cursor {
public:
    static Result<std::unique_ptr<Cursor>> Open(std::shared_ptr<Database> database,
                                                std::shared_ptr<Snapshot> snapshot,
                                                const std::string& collection,
                                                const std::string& columns);
    Status After(const Key& key);
    KeyType key_type() const { return view_->info->schema.key_type; }
    Status Next(size_t count, ResultTable* table);

private:
    std::shared_ptr<Database> database_;
    std::shared_ptr<Snapshot> snapshot_;
    std::shared_ptr<const CollectionView> view_;
    std::string columns_;
    std::optional<Key> after_;
    std::vector<std::pair<Key, size_t>> log_;  // visible log records in key order
    ChunkCache chunks_;
};

// The columns that a list such as `year, "my tags"` or `*` names: indexes into the schema.
struct ColumnChoice {
    struct Item {
        bool field = false;  // else an attribute
        size_t index = 0;
    };
    std::vector<Item> items;
    std::vector<size_t> attrs;  // indexes of the attributes among items, in order
    bool any_field = false;
    static Result<ColumnChoice> Parse(const Schema& schema, const std::string& collection,
                                      const std::string& text);
    void Describe(const Schema& schema, ResultTable* table) const;
};

struct SearchLeg;
struct LegGuide;

// What the records of a first search do to the query of a second: see feedback.h. Unset: as the
// kind of field has it.
struct Feedback {
    enum class Kind { kAverage, kRocchio };
    Kind kind = Kind::kAverage;
    std::optional<size_t> docs;   // how many records
    std::optional<double> alpha;  // Rocchio: of the query
    std::optional<double> beta;   // of the mean of the records
    size_t terms = 50;            // of the records, that a query of terms gets at most
    std::optional<size_t> leg;    // whose query is moved; unset: the only dense one
    double before = 1;  // what the weights of the other legs are multiplied with in the first
    double after = 1;   // search, and in the second
};

struct RecordPlace;

struct SearchRequest {
    std::string collection;
    // Only what this request finds is scored, query i of it for query i; its filter, columns and
    // collection count for nothing. NULL: all records.
    std::shared_ptr<const SearchRequest> candidates;
    // Instead of these, records that are known already, of each query.
    std::shared_ptr<const std::vector<std::vector<RecordPlace>>> among;
    std::optional<Feedback> feedback;
    std::vector<SearchLeg> legs;  // instead of all that says what is looked for
    query::FusionOptions fusion;  // of legs
    std::string kept_fusion;      // its name, in place of the fusion: see kept_fusions.h
    ScoreFormula formula;         // of legs, instead of the kind that fusion has
    std::string field;
    const void* vectors = nullptr;
    bool is_f32 = true;
    Element element = Element::kF32;
    size_t dim = 0;
    size_t count = 0;
    SparseInput sparse;  // instead of vectors, for a sparse field; its name counts for nothing
    bool is_sparse = false;
    std::vector<std::string> texts;  // instead, for a text field: queries as text_query.h has them
    bool is_text = false;
    bool is_sparse_text = false;  // texts are for a sparse field with token weights
    const char* kind() const {
        return is_text ? "text" : is_sparse || is_sparse_text ? "sparse" : "dense";
    }
    ComposedQueries composed;  // instead of vectors
    bool is_composed = false;
    // In place of the dense query vectors, f32, once these are known; borrowed. NULL: these.
    const float* moved = nullptr;
    // The same of sparse and of text queries; the request's first query is number moved_first.
    const std::vector<sparse::SparseVector>* moved_sparse = nullptr;
    const std::vector<sparse::TextQuery>* moved_texts = nullptr;
    size_t moved_first = 0;
    // Which cells or nodes of a dense index are opened beside the nearest (leg_guide.h); borrowed.
    // NULL: none.
    const LegGuide* guide = nullptr;
    size_t guide_first = 0;  // the number of the request's first query there
    std::vector<Key> keys;   // instead of vectors
    bool by_key = false;
    bool include_self = false;
    size_t limit = 10;
    bool has_limit = false;  // somebody has set it
    HitShape shape;          // what becomes of the hits; limit is that of the shape
    bool has_max_distance = false;
    double max_distance = 0;
    bool has_min_score = false;
    double min_score = 0;
    std::string columns;
    RecordFilter filter;
    int threads = 0;
    // How an index is used; without one a search is exact anyway.
    double recall = 0.95;     // wanted; decides when ef is 0. 1: exact
    bool has_recall = false;  // somebody has said so: a sparse field is searched exactly else
    // Asked of the curves of indexes as they are, whatever an audit has kept (recall_audit.h).
    bool recall_of_curve = false;
    size_t ef = 0;      // of a graph
    size_t nprobe = 0;  // of lists; as ef
    Refine refine_how = Refine::kAuto;
    size_t refine = 0;  // with Refine::kCount
    // How an index of a sparse field is used: see sparse::SearchOptions. 1: exact.
    double bound = 1;
    uint32_t superblocks = 4;  // with bound < 1
    uint32_t terms = 0;        // that order and bound; 0: all
    // Whoever asks for all of the true ones gets them, whatever bound= and terms= say.
    bool is_loose() const {
        return (!has_recall || recall < 1) && (static_cast<float>(bound) < 1 || terms > 0);
    }
    // Of a sparse field with buckets, what query weights in each are multiplied by. Empty: 1.
    std::vector<float> bucket_weights;
    BudgetLimits limits;  // of the search; those of legs and candidates count for nothing
    // What is left of it. Search makes it; NULL: there is no bound.
    std::shared_ptr<SearchBudget> budget;
};

// A search whose hits are fused with those of others. Its limit is how many it gives at first.
struct SearchLeg {
    SearchRequest request;
    double weight = 1;             // at least 0 and finite
    bool against = false;          // with FusionKind::kBest
    std::optional<double> absent;  // what a record counts as that it does not match; NaN: null
    std::string name = {};         // of a formula; empty: none was given
    std::string guide = {};        // the leg whose hits guide this one; empty: none
};

// Of a leg, whoever says so.
inline double WeightOf(const SearchRequest& request, size_t leg) {
    return request.fusion.weights.empty() ? request.legs[leg].weight : request.fusion.weights[leg];
}

Status Search(Database* database, Snapshot* snapshot, const SearchRequest& request,
              ResultTable* table);
// Searches the newest state. Repeated searches of a state that nobody changes begin no transaction
// and touch no file once what they need is loaded.
Status SearchNewest(Database* database, const SearchRequest& request, ResultTable* table);
Status Get(Database* database, Snapshot* snapshot, const RecordBatch& keys,
           const std::string& columns, ResultTable* table);
Status Count(Snapshot* snapshot, const std::string& collection, uint64_t* count);

// Adds the values of one record to the last row of a table. cells in the order of choice.attrs.
Status FillRow(const CollectionView& view, const ColumnChoice& choice,
               const std::vector<Cell>& cells,
               const std::function<Result<BytesView>(size_t field)>& vector, ResultTable* table);
// Counts a row in. kLimit when there are too many.
Status EndRow(Database* database, ResultTable* table);

}  // namespace quern
