// Search of a sparse field, exact unless the request allows otherwise: every segment, by its index
// where it has one, and the log give their candidates, and these are merged by score. Scores are
// double, and so is the order; only what is handed out is f32.
#include <cmath>
#include <functional>
#include <limits>

#include "engine/db/budget_watch.h"
#include "engine/db/distance_bound.h"
#include "engine/db/field_search.h"
#include "engine/db/sparse_candidates.h"
#include "engine/db/sparse_index_query.h"
#include "engine/db/sparse_log.h"
#include "engine/db/sparse_looks.h"
#include "engine/db/sparse_queries.h"
#include "engine/db/stage_clock.h"
#include "engine/db/stored_distances.h"
#include "engine/sparse/space_pool.h"
#include "engine/sparse/sparse_rows.h"
#include "engine/sparse/sparse_search.h"
#include "engine/sparse/top_hits.h"
#include "storage/base/parallel.h"
#include "storage/sparse_value.h"

namespace quern {

namespace {

// A piece of work for one thread should take longer than starting the thread.
constexpr uint64_t kEntriesPerThread = uint64_t{1} << 20;
// Vectors that do not fit the memory budget are read in pieces of so many entries.
constexpr uint64_t kPieceEntries = uint64_t{1} << 17;
// Rows times queries between two looks at whether to go on.
constexpr size_t kScoresPerCheck = 4096;

class SparseSearcher : public FieldSearch {
public:
    SparseSearcher(Database* database, Snapshot* snapshot, const CollectionView& view,
                   const SearchRequest& request, size_t field, ResultTable* table)
        : database_(database),
          snapshot_(snapshot),
          view_(view),
          request_(request),
          field_(field),
          def_(view.info->schema.sparse_field(field)),
          table_(table),
          work_(database->NewWork()),
          watch_(database),
          looks_(view, def_, database->sparse_spaces(), &work_,
                 [this](const SparseLooks::Body& body) { return Read(body); }) {}

    Status Prepare() override {
        QUERN_TRY(TakeQueries());
        for (size_t q = 0; request_.moved_sparse != nullptr && q < queries_.size(); q++) {
            queries_[q].vector = (*request_.moved_sparse)[request_.moved_first + q];
        }
        return CheckSearchLimits(database_, view_, request_, queries_.size(),
                                 sizeof(SparseCandidate));
    }
    size_t query_count() const override { return queries_.size(); }

    Status Find(std::vector<std::vector<Winner>>* winners) override {
        const StageClock clock(&table_->tally.search_ns);
        found_.resize(queries_.size());
        Describe(&table_->trace);
        watch_.Start(request_, queries_.size());
        bool ends = watch_.EndsBefore(view_, 0, &table_->trace);
        for (size_t s = 0; s < view_.segments.size() && !ends; s++) {
            QUERN_TRY(SearchSegment(s));
            ends = watch_.EndsBefore(view_, s + 1, &table_->trace);
        }
        if (!ends) {
            QUERN_TRY(SearchLog());
        }
        table_->flags |= approximate_ ? 0u : 1u;
        table_->tally.expected_recall = expected_recall_;
        table_->flags |= table_->tally.memory_needed() > 0 ? 8u : 0u;
        for (const auto& segment : view_.segments) {
            table_->flags |= segment->degraded(def_.id) ? 2u : 0u;
        }
        watch_.Tell(table_);
        Collect(winners);
        return {};
    }

    Status DistancesOf(size_t query, const std::vector<RecordPlace>& places,
                       std::vector<double>* distances) override {
        // Where a segment has an index in memory, it has the weights.
        std::vector<size_t> others;
        QUERN_TRY(looks_.ByIndexes(queries_[query].vector, places, distances, &others));
        std::vector<RecordPlace> left;
        for (const size_t i : others) {
            left.push_back(places[i]);
        }
        QUERN_TRY(ReadStoredValues(
            snapshot_, view_, field_, left,
            [&](size_t i, BytesView value) -> Status {
                double score = 0;
                (*distances)[others[i]] = ScoreValue(query, value, &score)
                                              ? 0 - score
                                              : std::numeric_limits<double>::quiet_NaN();
                return {};
            },
            &table_->tally.reads));
        for (double& distance : *distances) {
            if (!(-distance >= LeastScore(request_))) {
                distance = std::numeric_limits<double>::quiet_NaN();
            }
        }
        return {};
    }

    Status Explain(size_t query, const RecordPlace& place, ExplainedScore* out) override {
        return ReadStoredValues(
            snapshot_, view_, field_, {place}, [&](size_t, BytesView value) -> Status {
                double score = 0;
                out->matches = ScoreValue(query, value, &score) && score >= LeastScore(request_);
                out->distance = 0 - score;
                auto of_query = queries_[query].vector.begin();
                const auto end = queries_[query].vector.end();
                for (size_t i = 0; out->matches && i < value_dimensions_.size(); i++) {
                    while (of_query != end && of_query->dimension < value_dimensions_[i]) {
                        ++of_query;
                    }
                    if (of_query == end || of_query->dimension != value_dimensions_[i]) {
                        continue;
                    }
                    ScorePart part;
                    part.dimension = value_dimensions_[i];
                    part.query = static_cast<double>(of_query->weight);
                    part.record = static_cast<double>(value_weights_[i]);
                    part.adds = part.query * part.record;
                    out->parts.push_back(part);
                }
                return {};
            });
    }

    double ScoreOf(double distance) const override { return -distance; }
    void Describe(SearchTrace* trace) const override {
        trace->field = def_.name;
        trace->kind = "sparse";
    }
    std::span<const RecordPlace> SelvesOf(size_t query) const override {
        return self_.empty() || request_.include_self
                   ? std::span<const RecordPlace>()
                   : std::span<const RecordPlace>(&self_[query], 1);
    }

private:
    Status TakeQueries() {
        SparseQueries taken;
        const uint64_t before = table_->tally.reads.bytes;
        QUERN_TRY(TakeSparseQueries(database_, snapshot_, view_, request_, field_,
                                    &table_->tally.reads, &taken));
        watch_.AddBytes(table_->tally.reads.bytes - before);
        queries_.resize(taken.vectors.size());
        for (size_t q = 0; q < queries_.size(); q++) {
            queries_[q].vector = std::move(taken.vectors[q]);
            queries_[q].least = LeastScore(request_);
        }
        self_ = std::move(taken.named);
        // A record that looks for itself needs one more candidate.
        limit_ = request_.limit;
        limit_ += request_.by_key && !request_.include_self && limit_ > 0 ? 1 : 0;
        return {};
    }

    // What one thread finds in one source.
    struct Finds {
        std::vector<sparse::TopHits> top;               // one a query; with a limit
        std::vector<std::vector<SparseCandidate>> all;  // without
    };
    Finds NewFinds() const {
        Finds finds;
        if (limit_ > 0) {
            finds.top.assign(queries_.size(), sparse::TopHits(limit_));
        } else {
            finds.all.resize(queries_.size());
        }
        return finds;
    }
    void Harvest(Finds* finds) {
        for (size_t q = 0; q < queries_.size(); q++) {
            if (limit_ == 0) {
                found_[q].insert(found_[q].end(), finds->all[q].begin(), finds->all[q].end());
                continue;
            }
            for (const sparse::SparseHit& hit : finds->top[q].Take()) {
                found_[q].push_back({0 - hit.score, hit.source, hit.position});
            }
        }
    }

    // Keeps what can still be in the result, ties at the end included.
    void Tighten(size_t q) {
        if (limit_ == 0 || found_[q].size() <= limit_) {
            return;
        }
        const double worst = KeepNearest(limit_, &found_[q]);
        queries_[q].least = std::max(queries_[q].least, -worst);
    }
    void TightenAll() {
        for (size_t q = 0; q < queries_.size(); q++) {
            Tighten(q);
        }
    }

    Status SearchSegment(size_t number) {
        Segment& segment = *view_.segments[number];
        SegmentWatch seen(&table_->tally, &table_->trace, watch_.budget(), segment.info().id,
                          segment.item_count());
        const SparseColumn* column = nullptr;
        CollectionView::Dead dead;
        // Without a limit everything that has a score is asked for, and an index is of no use.
        const bool wants_index =
            limit_ > 0 && segment.info().Find(storage::PartKind::kSparseHead, def_.id) != nullptr;
        Segment::SparseState indexed;
        QUERN_TRY(Read([&](storage::Connection* connection) -> Status {
            if (wants_index) {
                QUERN_ASSIGN(indexed, segment.SparseIndexOf(connection, def_, &work_));
            }
            QUERN_ASSIGN(column, segment.Sparse(connection, def_, indexed.part == nullptr, &work_,
                                                watch_.BytesLeft()));
            QUERN_ASSIGN(dead, view_.DeadOf(connection, number));
            return {};
        }));
        PlanEstimate estimate;
        estimate.way = wants_index ? SearchWay::kIndex : SearchWay::kScan;
        const size_t matches = segment.item_count() - dead.count;
        sealed_matches_ += matches;
        estimate.matches = static_cast<double>(matches);
        estimate.selectivity =
            estimate.matches / static_cast<double>(std::max<size_t>(1, segment.item_count()));
        estimate.recall = 0;  // exact, or nobody knows
        seen.Plan(estimate, queries_.size());
        seen.Done(indexed.part != nullptr ? SearchWay::kIndex : SearchWay::kScan, queries_.size());
        if (indexed.part != nullptr) {
            QUERN_TRY(SearchIndex(*indexed.part, *column, dead, static_cast<uint32_t>(number)));
            TightenAll();
            return {};
        }
        if (wants_index && !indexed.damaged && segment.index_needs() > 0) {
            table_->tally.NeedIndex({segment.info().id, def_.id, segment.index_needs()},
                                    static_cast<uint64_t>(segment.budget().Total()));
        }
        const uint64_t* const bits = dead.bits ? dead.bits->data() : nullptr;
        const auto source = static_cast<uint32_t>(number);
        QUERN_TRY(column->resident() ? ScanResident(*column, bits, source)
                                     : ScanStream(*column, bits, source));
        TightenAll();
        return {};
    }

    // The best of one segment by its index, from the best of the sources before on. Positions are
    // record numbers, so that ties are decided as in a scan.
    Status SearchIndex(const SparsePart& part, const SparseColumn& column,
                       const CollectionView::Dead& dead, uint32_t source) {
        const SparsePart::Bits allowed = part.Allowed(dead.bits);
        sparse::SearchOptions options;
        const bool by_knob = request_.is_loose();
        if (by_knob) {
            options.bound_factor = static_cast<float>(request_.bound);
            options.superblocks_min = request_.superblocks;
            options.terms_max = request_.terms;
        }
        const sparse::ApproximateIndex* const quick = part.approximate();
        const size_t pool = quick == nullptr || (by_knob && request_.ef == 0) ? 0 : PoolFor(*quick);
        // Where nobody knows what pruned postings give, a recall that is asked for is kept by a
        // walk, whose recall is known, or by the rows, which lack nothing.
        const bool keeps_recall = request_.has_recall && request_.ef == 0 && !by_knob &&
                                  !watch_.has_scored_max() &&
                                  (quick != nullptr || SparseIndexOptions::Of(def_).approximate);
        const bool pruned = part.index().pruned() && request_.recall < 1 && !keeps_recall;
        if (part.index().pruned() && !pruned) {
            options.path = sparse::SearchPath::kForward;
        }
        SparseIndexQuery asked(part, column);
        asked.allowed = allowed ? allowed->data() : nullptr;
        asked.source = source;
        asked.options = options;
        asked.limit = limit_;
        asked.least = LeastScore(request_);
        asked.pool = pool;
        asked.pruned = pruned;
        asked.loose = by_knob;
        asked.read = [this](size_t scored, const SparseIndexQuery::Body& body) {
            std::lock_guard<std::mutex> lock(mutex_);
            table_->tally.refined += scored;
            return Read(body);
        };
        return EachQuery([&](const std::function<bool(size_t*)>& next) -> Status {
            sparse::SpacePool::Lease space(database_->sparse_spaces());
            sparse::SearchStats stats;
            bool missed = false;   // something may have been, by walks
            bool unknown = false;  // how much
            for (size_t q = 0; next(&q);) {
                if (watch_.Ends(q)) {
                    continue;
                }
                sparse::TopHits top = asked.NewTop(queries_[q]);
                const uint64_t before = stats.scored;
                bool served = false;
                QUERN_TRY(Timed(q, [&](Work* work) {
                    return asked.Find(queries_[q], watch_.ScoredLeft(q), &top, space.get(), &stats,
                                      &served, work);
                }));
                missed = missed || served;
                unknown = unknown || ((by_knob || stats.pruned) && !served);
                watch_.AddScored(q, stats.scored - before);
                watch_.LeftOut(stats.cut ? kSpentScored : 0, q);
                stats.cut = false;
                for (const sparse::SparseHit& hit : top.Take()) {
                    found_[q].push_back({0 - hit.score, hit.source, hit.position});
                }
            }
            QUERN_TRY(AddStats(stats));
            std::lock_guard<std::mutex> lock(mutex_);
            approximate_ = approximate_ || missed || unknown;
            expected_recall_ = unknown ? 0 : expected_recall_;
            if (missed) {
                // Between the k of two curves pools are, and recalls are not, what lies between.
                const double told =
                    request_.ef > 0 ? quick->curve().Expect(limit_, pool) : request_.recall;
                expected_recall_ = std::min(expected_recall_, told);
            }
            return {};
        });
    }

    // What a walk of an approximate index is asked for. 0: an exact search is.
    size_t PoolFor(const sparse::ApproximateIndex& quick) const {
        if (request_.ef > 0) {
            return request_.ef;
        }
        if (!request_.has_recall || request_.recall >= 1) {
            return 0;
        }
        return quick.curve().Find(limit_, request_.recall).value_or(0);
    }

    // Shares the queries out among threads: body gets them one by one from next, while it is true.
    Status EachQuery(const std::function<Status(const std::function<bool(size_t*)>&)>& body) {
        const int wanted = request_.threads > 0 ? request_.threads : database_->threads();
        const int threads =
            static_cast<int>(std::min(queries_.size(), static_cast<size_t>(wanted)));
        std::atomic<size_t> taken{0};
        return RunOnThreads(threads, [&](int) -> Status {
            return body([&](size_t* q) {
                *q = taken.fetch_add(1);
                return *q < queries_.size();
            });
        });
    }

    // Work for one query, which the time of the budget may end.
    template <typename Body>
    Status Timed(size_t q, Body body) {
        if (watch_.budget() == nullptr) {
            return body(&work_);
        }
        const int wanted = request_.threads > 0 ? request_.threads : database_->threads();
        Work work = database_->NewQuietWork();
        watch_.TimeQuery(q, queries_.size(), static_cast<size_t>(wanted), &work);
        return watch_.Timed(body(&work), work, q);
    }

    Status AddStats(const sparse::SearchStats& stats) {
        std::lock_guard<std::mutex> lock(mutex_);
        table_->tally.scored += stats.scored;
        table_->tally.postings += stats.postings_read;
        table_->tally.blocks += stats.superblocks;
        table_->tally.blocks_opened += stats.opened;
        return {};
    }

    Status AddScored(uint64_t scored) {
        std::lock_guard<std::mutex> lock(mutex_);
        table_->tally.scored += scored;
        return {};
    }

    template <typename Body>
    Status Read(Body body) {
        const uint64_t before = table_->tally.reads.bytes;
        QUERN_TRY(snapshot_->With(body, &table_->tally.reads));
        watch_.AddBytes(table_->tally.reads.bytes - before);
        return {};
    }

    size_t RowsPerCheck() const {
        return std::max<size_t>(1, kScoresPerCheck / std::max<size_t>(1, queries_.size()));
    }

    int Threads(uint64_t entries) const {
        const int wanted = request_.threads > 0 ? request_.threads : database_->threads();
        return static_cast<int>(
            std::clamp<uint64_t>(entries / kEntriesPerThread, 1, static_cast<uint64_t>(wanted)));
    }

    Status ScanResident(const SparseColumn& column, const uint64_t* dead, uint32_t source) {
        // What is counted is the same by however many threads.
        const int threads =
            watch_.has_scored_max() ? 1 : Threads(column.entries() * queries_.size());
        const auto pieces = static_cast<size_t>(threads);
        std::atomic<size_t> next{0};
        std::mutex mutex;
        return RunOnThreads(threads, [&](int) -> Status {
            while (true) {
                const size_t piece = next.fetch_add(1);
                if (piece >= pieces) {
                    return {};
                }
                Finds finds = NewFinds();
                QUERN_TRY(Scan(column,
                               column.Resident(column.count() * piece / pieces,
                                               column.count() * (piece + 1) / pieces),
                               dead, source, &finds));
                std::lock_guard<std::mutex> lock(mutex);
                Harvest(&finds);
            }
        });
    }

    Status ScanStream(const SparseColumn& column, const uint64_t* dead, uint32_t source) {
        Finds finds = NewFinds();
        SparseSpace space;
        for (size_t first = 0; first < column.count();) {
            const size_t end = column.EndOfPiece(first, kPieceEntries);
            SparsePiece piece;
            QUERN_TRY(Read([&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(piece,
                             column.Read(connection, first, end, Threads(kPieceEntries), &space));
                return {};
            }));
            QUERN_TRY(Scan(column, piece, dead, source, &finds));
            first = end;
            if (first < column.count() && watch_.Ends()) {
                break;
            }
        }
        Harvest(&finds);
        return {};
    }

    // Scores the living vectors of a piece for all queries.
    Status Scan(const SparseColumn& column, const SparsePiece& piece, const uint64_t* dead,
                uint32_t source, Finds* finds) {
        uint64_t scored = 0;
        for (size_t i = 0; i < piece.count; i++) {
            if (i % RowsPerCheck() == 0) {
                QUERN_TRY(work_.Check("search", piece.first + i, column.count()));
                if (i > 0 && watch_.EndsPiece()) {
                    break;
                }
            }
            const uint32_t record = column.record(piece.first + i);
            if (dead != nullptr && (dead[record / 64] >> (record % 64) & 1) != 0) {
                continue;
            }
            if (piece.entries(i) == 0) {
                continue;  // nothing to be scored, as in the log
            }
            const size_t begin = piece.begin(i);
            size_t done = 0;
            for (size_t q = 0; q < queries_.size(); q++) {
                if (watch_.has_scored_max()) {
                    if (watch_.ScoredLeft(q) == 0) {
                        watch_.LeftOut(kSpentScored, q);
                        done++;
                        continue;
                    }
                    watch_.AddScored(q, 1);
                }
                scored++;
                double score = 0;
                if (!sparse::ScoreVector(queries_[q].vector, piece.dimensions + begin,
                                         piece.weights_of(i), piece.entries(i), &score) ||
                    !(score >= queries_[q].least)) {
                    continue;
                }
                if (limit_ > 0) {
                    finds->top[q].Push({score, source, record});
                } else {
                    finds->all[q].push_back({0 - score, source, record});
                }
            }
            if (done == queries_.size()) {
                break;
            }
        }
        return AddScored(scored);
    }

    // The log is in commit order, so ties are decided by comparing keys: all of them stay.
    Status SearchLog() {
        const LogView& log = *view_.log;
        if (log.count == 0) {
            return {};
        }
        SegmentWatch seen(&table_->tally, &table_->trace, watch_.budget(), 0, log.count);
        std::vector<size_t> scan_from(queries_.size(), 0);
        // For every record an index is of no use; what is counted must not depend on one.
        size_t indexed = 0;
        if (limit_ > 0 && !queries_.empty() && !watch_.has_scored_max()) {
            QUERN_ASSIGN(indexed, view_.mirror->sparse(field_).Prepare(
                                      log, field_, queries_.size(), *database_->budget(), &work_));
            if (indexed > 0) {
                QUERN_TRY(SearchLogIndex(&scan_from));
            }
        }
        PlanEstimate estimate;
        estimate.way = indexed > 0 ? SearchWay::kMade : SearchWay::kScan;
        estimate.matches = static_cast<double>(view_.record_count() - sealed_matches_);
        estimate.selectivity = estimate.matches / static_cast<double>(log.count);
        estimate.recall = 0;
        seen.Plan(estimate, queries_.size());
        seen.Done(estimate.way, queries_.size());
        QUERN_TRY(ScanLog(scan_from));
        TightenAll();
        return {};
    }

    // scan_from: gets for each query where what the index had ends.
    Status SearchLogIndex(std::vector<size_t>* scan_from) {
        const LogView& log = *view_.log;
        const auto source = static_cast<uint32_t>(view_.segments.size());
        const auto row = [&](uint32_t i) {
            return i < log.count && log.visible(i) ? SparseRowOf(log, i, field_) : sparse::LogRow();
        };
        const sparse::LogIndex& index = view_.mirror->sparse(field_).index();
        return EachQuery([&](const std::function<bool(size_t*)>& next) -> Status {
            sparse::LogSpace space;
            sparse::SearchStats stats;
            for (size_t q = 0; next(&q);) {
                (*scan_from)[q] = log.count;
                if (watch_.Ends(q)) {
                    continue;
                }
                sparse::LogHits hits(limit_, queries_[q].least);
                const uint64_t before = stats.scored;
                QUERN_TRY(Timed(q, [&](Work* work) -> Status {
                    QUERN_ASSIGN((*scan_from)[q], index.Search(queries_[q].vector, row, &hits,
                                                               &space, &stats, work));
                    return {};
                }));
                watch_.AddScored(q, stats.scored - before);
                for (const sparse::LogHit& hit : hits.Take()) {
                    found_[q].push_back({0 - hit.score, source, hit.position});
                }
                Tighten(q);
            }
            return AddStats(stats);
        });
    }

    Status ScanLog(const std::vector<size_t>& scan_from) {
        const LogView& log = *view_.log;
        const auto source = static_cast<uint32_t>(view_.segments.size());
        const size_t first =
            scan_from.empty() ? log.count : *std::min_element(scan_from.begin(), scan_from.end());
        for (size_t i = first; i < log.count; i++) {
            if (i % RowsPerCheck() == 0) {
                QUERN_TRY(work_.Check("search", i, log.count));
                if (i > first && watch_.EndsPiece()) {
                    break;
                }
            }
            const sparse::LogRow row =
                log.visible(i) ? SparseRowOf(log, i, field_) : sparse::LogRow();
            if (row.count == 0) {
                continue;
            }
            size_t done = 0;
            for (size_t q = 0; q < queries_.size(); q++) {
                double score = 0;
                if (i < scan_from[q]) {
                    continue;
                }
                if (watch_.ScoredLeft(q) == 0) {
                    watch_.LeftOut(kSpentScored, q);
                    done++;
                    continue;
                }
                table_->tally.scored++;
                watch_.AddScored(q, 1);
                if (sparse::ScoreVector(queries_[q].vector, row.dimensions, row.weights, row.count,
                                        &score) &&
                    score >= queries_[q].least) {
                    found_[q].push_back({0 - score, source, static_cast<uint32_t>(i)});
                    if (found_[q].size() > 4 * limit_ + 1024) {
                        Tighten(q);
                    }
                }
            }
            if (done == queries_.size()) {
                break;
            }
        }
        return {};
    }

    void Collect(std::vector<std::vector<Winner>>* winners) {
        winners->resize(queries_.size());
        for (size_t q = 0; q < queries_.size(); q++) {
            std::erase_if(found_[q], [&](const SparseCandidate& c) {
                return IsSelf(q, {c.source, c.position});
            });
            (*winners)[q] = TakeWinners(&found_[q], request_.limit);
        }
    }

    // Of a value as storage/sparse_value.h has it, which may stand anywhere.
    bool ScoreValue(size_t query, BytesView value, double* score) {
        const size_t entries = storage::SparseEntries(value);
        value_dimensions_.resize(entries);
        value_weights_.resize(entries);
        if (entries == 0) {
            return false;
        }
        std::memcpy(value_dimensions_.data(), value.data(), entries * 4);
        std::memcpy(value_weights_.data(), value.data() + entries * 4, entries * 4);
        return sparse::ScoreVector(queries_[query].vector, value_dimensions_.data(),
                                   value_weights_.data(), entries, score);
    }

    Database* database_;
    Snapshot* snapshot_;
    const CollectionView& view_;
    const SearchRequest& request_;
    size_t field_;
    const SparseDef& def_;
    ResultTable* table_;
    Work work_;
    BudgetWatch watch_;
    SparseLooks looks_;
    size_t limit_ = 0;  // candidates of each query; 0: all
    uint64_t sealed_matches_ = 0;
    std::vector<SparseQuery> queries_;
    std::vector<RecordPlace> self_;
    std::vector<std::vector<SparseCandidate>> found_;
    std::vector<uint32_t> value_dimensions_;
    std::vector<float> value_weights_;
    bool approximate_ = false;
    double expected_recall_ = 1;  // the least of the segments; 0: not known of one
    std::mutex mutex_;            // of the tally, while threads search
};

}  // namespace

std::unique_ptr<FieldSearch> OpenSparseSearch(Database* database, Snapshot* snapshot,
                                              const std::shared_ptr<const CollectionView>& view,
                                              const SearchRequest& request, size_t field,
                                              ResultTable* table) {
    return std::make_unique<SparseSearcher>(database, snapshot, *view, request, field, table);
}

}  // namespace quern
