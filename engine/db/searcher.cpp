// Search of a dense field of one collection under a snapshot: every segment and the log give their
// candidates, and these are merged by distance (search_result.h).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/db/alive_rows.h"
#include "engine/db/budget_watch.h"
#include "engine/db/database.h"
#include "engine/db/dense_queries.h"
#include "engine/db/dense_scan.h"
#include "engine/db/distance_bound.h"
#include "engine/db/field_search.h"
#include "engine/db/index_options.h"
#include "engine/db/index_search.h"
#include "engine/db/leg_guide.h"
#include "engine/db/stage_clock.h"
#include "engine/db/stored_distances.h"
#include "engine/dense/codes/code_training.h"
#include "engine/dense/flat.h"
#include "engine/dense/scan_prices.h"
#include "storage/base/parallel.h"

namespace quern {

namespace {

// Walks of an index are shared out among threads when there are enough of them.
constexpr size_t kQueriesPerThread = 8;
// So many go through a block of the log between two looks at the time.
constexpr size_t kQueriesPerLook = 16;

class Searcher : public FieldSearch {
public:
    Searcher(Database* database, Snapshot* snapshot, std::shared_ptr<const CollectionView> view,
             const SearchRequest& request, size_t field, ResultTable* table)
        : database_(database),
          snapshot_(snapshot),
          request_(request),
          table_(table),
          work_(database->NewWork()),
          watch_(database),
          view_(std::move(view)),
          field_index_(field) {}

    Status Prepare() override {
        def_ = &view_->info->schema.dense[field_index_];
        field_ = {def_->element, def_->metric, def_->dim};
        QUERN_TRY(TakeQueries());
        return CheckSearchLimits(database_, *view_, request_, query_count_, sizeof(Candidate));
    }
    size_t query_count() const override { return query_count_; }

    Status Find(std::vector<std::vector<Winner>>* winners) override {
        const StageClock clock(&table_->tally.search_ns);
        candidates_.found.resize(query_count_);
        Describe(&table_->trace);
        table_->tally.expected_recall = 1;
        watch_.Start(request_, query_count_);
        bool out = watch_.EndsBefore(*view_, 0, &table_->trace);
        for (size_t s = 0; s < view_->segments.size() && !out; s++) {
            QUERN_TRY(SearchSegment(s));
            out = watch_.EndsBefore(*view_, s + 1, &table_->trace);
        }
        if (!out) {
            QUERN_TRY(SearchLog());
        }
        table_->flags |= approximate_ ? 0u : 1u;
        for (const auto& segment : view_->segments) {
            table_->flags |= segment->degraded(def_->id) ? 2u : 0u;
        }
        table_->flags |= table_->tally.memory_needed() > 0 ? 8u : 0u;
        watch_.Tell(table_);
        Collect(winners);
        return {};
    }

    Status DistancesOf(size_t query, const std::vector<RecordPlace>& places,
                       std::vector<double>* distances) override {
        QUERN_TRY(StoredDistances(snapshot_, *view_, field_index_, candidates_.queries[query].query,
                                  places, distances, &table_->tally, &work_));
        for (double& distance : *distances) {
            if (distance > static_cast<double>(LargestDistance(request_, def_->metric)) ||
                !PassesScore(static_cast<float>(distance))) {
                distance = std::numeric_limits<double>::quiet_NaN();
            }
        }
        return {};
    }

    Status Explain(size_t query, const RecordPlace& place, ExplainedScore* out) override {
        std::vector<double> distances(1, std::numeric_limits<double>::quiet_NaN());
        QUERN_TRY(DistancesOf(query, {place}, &distances));
        out->distance = distances[0];
        out->matches = !std::isnan(out->distance);
        if (!out->matches || place.source >= view_->segments.size()) {
            return {};
        }
        IndexSearch search;
        QUERN_TRY(search.Open(snapshot_, *view_, place.source, *def_, &table_->tally, &work_));
        if (!search.usable() || search.codes() == dense::CodeChoice::kNone) {
            return {};
        }
        out->codes = IndexOptions::CodesName(search.codes());
        return ReadStoredValues(
            snapshot_, *view_, field_index_, {place}, [&](size_t, BytesView value) -> Status {
                const auto coarse =
                    search.CoarseDistance(candidates_.queries[query], place.position, value.data());
                if (coarse) {
                    out->coarse = static_cast<double>(*coarse);
                }
                return {};
            });
    }

    double ScoreOf(double distance) const override {
        const auto of = static_cast<float>(distance);
        return static_cast<double>(def_->metric == Metric::kCosine ? 1.0f - of : -of);
    }
    void Describe(SearchTrace* trace) const override {
        trace->field = def_->name;
        trace->kind = "dense";
    }
    std::span<const RecordPlace> SelvesOf(size_t query) const override {
        return request_.include_self ? std::span<const RecordPlace>() : vectors_.NamedOf(query);
    }

private:
    // Fills queries_ with vectors in the form that kernels want.
    Status TakeQueries() {
        QUERN_TRY(
            TakeDenseQueries(database_, snapshot_, *view_, request_, field_index_, &vectors_));
        query_count_ = vectors_.count;
        // Records that look for themselves need as many more candidates.
        const size_t extra =
            !request_.include_self && request_.limit > 0 ? vectors_.named_max() : 0;
        const float bound = LargestDistance(request_, def_->metric);
        candidates_.queries.reserve(query_count_);
        for (size_t q = 0; q < query_count_; q++) {
            dense::FlatQuery& query = candidates_.queries.emplace_back(request_.limit + extra);
            query.query =
                kernels::PrepareQuery(def_->element, def_->metric, vectors_.row(q), def_->dim);
            query.max_distance = bound;
            if (def_->element != Element::kBit) {
                query.norm = std::sqrt(dense::Dot(vectors_.f32(q), vectors_.f32(q), def_->dim));
            }
        }
        return {};
    }

    bool PassesScore(float distance) const {
        return !request_.has_min_score ||
               ScoreOf(static_cast<double>(distance)) >= request_.min_score;
    }

    int Threads() const { return request_.threads > 0 ? request_.threads : database_->threads(); }

    template <typename Body>
    Status Read(Body body) {
        const uint64_t before = table_->tally.reads.bytes;
        QUERN_TRY(snapshot_->With(body, &table_->tally.reads));
        watch_.AddBytes(table_->tally.reads.bytes - before);
        return {};
    }

    Status SearchSegment(size_t number) {
        Segment& segment = *view_->segments[number];
        candidates_.Tighten();
        SegmentWatch seen(&table_->tally, &table_->trace, watch_.budget(), segment.info().id,
                          segment.item_count());
        bool estimated = false;
        QUERN_ASSIGN(const bool answered, SearchIndex(number, &seen, &estimated));
        if (answered) {
            return {};
        }
        const SegmentField* field = nullptr;
        CollectionView::Dead dead;
        QUERN_TRY(Read([&](storage::Connection* connection) -> Status {
            QUERN_ASSIGN(field, segment.Field(connection, *def_, &work_, watch_.BytesLeft()));
            QUERN_ASSIGN(dead, view_->DeadOf(connection, number));
            return {};
        }));
        if (to_scan_.size() == query_count_) {
            sealed_matches_ += segment.item_count() - dead.count;
        }
        seen.Done(SearchWay::kScan, to_scan_.size());
        if (!estimated) {
            seen.Plan(EstimateScan(*field, field_, segment.item_count(), dead.count,
                                   view_->matches != nullptr),
                      query_count_);
        }
        if (field->vectors == nullptr) {
            return {};
        }
        const dense::FlatRows rows = RowsOf(*field, dead.bits ? dead.bits->data() : nullptr);
        DenseScan scan(database_, snapshot_, field_, Threads(), &watch_, &table_->tally, &work_,
                       &candidates_);
        return scan.Run(rows, *field, static_cast<uint32_t>(number), to_scan_);
    }

    // Vectors that a scan of this segment and of what follows would measure, or somewhat more.
    uint64_t RowsFrom(size_t number) const {
        const RecordMatches* const matches = view_->matches.get();
        uint64_t rows = 0;
        uint64_t sealed = 0;
        for (size_t s = 0; s < view_->segments.size(); s++) {
            const Segment& segment = *view_->segments[s];
            const uint64_t records =
                segment.item_count() - (matches != nullptr ? matches->segments[s].count : 0);
            const storage::PartInfo* const part =
                segment.info().Find(storage::PartKind::kVectors, def_->id);
            sealed += records;
            rows += s < number || part == nullptr ? 0 : std::min(part->items, records);
        }
        return rows + (matches != nullptr ? matches->count - std::min(matches->count, sealed)
                                          : view_->log->count);
    }

    void PlanWays(size_t number, IndexWays* ways) const {
        ways->counted = watch_.has_scored_max();
        if (ways->counted) {
            ways->rows = RowsFrom(number);
            ways->short_search = ways->search;
            ways->search.CountScored(false);
            ways->short_search.CountScored(true);
            ways->short_planned = Plan(&ways->short_search);
        }
        ways->planned = Plan(&ways->search);
    }

    // Asks the segment's index. False: some queries must be scanned for, see to_scan_; nothing was
    // added for these. *estimated: it was asked what it thinks of.
    Result<bool> SearchIndex(size_t number, SegmentWatch* seen, bool* estimated) {
        to_scan_.resize(query_count_);
        std::iota(to_scan_.begin(), to_scan_.end(), size_t{0});
        if (request_.recall >= 1.0) {
            return false;
        }
        IndexWays ways;
        QUERN_TRY(ways.search.Open(snapshot_, *view_, number, *def_, &table_->tally, &work_,
                                   watch_.budget()));
        if (!ways.search.usable()) {
            return false;
        }
        PlanWays(number, &ways);
        std::vector<const IndexSearch*> way_of(query_count_);
        for (size_t q = 0; q < query_count_; q++) {
            way_of[q] = ways.Of(watch_.ScoredLeft(q));
        }
        const size_t first = static_cast<size_t>(
            std::find_if(way_of.begin(), way_of.end(), [](auto way) { return way != nullptr; }) -
            way_of.begin());
        const bool planned = first < query_count_;
        const IndexSearch& search = planned ? *way_of[first] : ways.search;
        const PlanEstimate estimate = search.Estimate(planned);
        seen->Plan(estimate, query_count_);
        *estimated = true;
        if (!planned) {
            return false;
        }
        table_->flags |= search.unrefined() ? 4u : 0u;
        std::vector<std::vector<Candidate>> found(query_count_);
        std::vector<uint8_t> short_of(query_count_, 0);
        std::vector<uint8_t> proved(query_count_, 0);
        const int threads = static_cast<int>(std::clamp<size_t>(query_count_ / kQueriesPerThread, 1,
                                                                static_cast<size_t>(Threads())));
        std::atomic<size_t> next{0};
        std::mutex mutex;
        QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
            SearchSpaces::Lease space(database_->search_spaces());
            while (true) {
                const size_t q = next.fetch_add(1);
                if (q >= query_count_) {
                    std::lock_guard<std::mutex> lock(mutex);
                    table_->tally.Add(space.get()->tally);
                    return {};
                }
                bool enough = true;
                if (way_of[q] == nullptr) {
                    short_of[q] = 1;
                    continue;
                }
                Guide(search, number, q, space.get());
                space.get()->proved = false;
                QUERN_TRY(watch_.budget() != nullptr
                              ? RunWithin(*way_of[q], q, static_cast<size_t>(threads), space.get(),
                                          &found[q], &enough)
                              : search.Run(snapshot_, candidates_.queries[q], space.get(),
                                           &found[q], &enough, &work_));
                short_of[q] = enough ? 0 : 1;
                proved[q] = space.get()->proved ? 1 : 0;
                QUERN_TRY(work_.Check("search", q, query_count_));
            }
        }));
        const auto scanned =
            static_cast<size_t>(std::count(short_of.begin(), short_of.end(), uint8_t{1}));
        if (scanned == query_count_) {
            return false;
        }
        sealed_matches_ += static_cast<uint64_t>(estimate.matches);
        const size_t answered = query_count_ - scanned;
        const uint64_t scans = std::min<uint64_t>(seen->code_scans(), answered);
        seen->Done(SearchWay::kCodes, scans);
        seen->Done(estimate.way == SearchWay::kCodes ? SearchWay::kGraph : estimate.way,
                   answered - scans);
        // Of so many cells that were asked for, a guide chooses some.
        const bool chosen = request_.guide != nullptr && search.over_lists() && request_.nprobe > 0;
        for (size_t q = 0; q < query_count_; q++) {
            if (way_of[q] != nullptr && short_of[q] == 0 && proved[q] == 0) {
                approximate_ = true;
                table_->tally.expected_recall = std::min(
                    table_->tally.expected_recall, chosen ? 0.0 : way_of[q]->expected_recall());
            }
            std::vector<Candidate>& all = candidates_.found[q];
            all.insert(all.end(), found[q].begin(), found[q].end());
        }
        std::erase_if(to_scan_, [&](size_t q) { return short_of[q] == 0; });
        return scanned == 0;
    }

    // The vectors of a segment that the query's guide has named.
    void Guide(const IndexSearch& search, size_t segment, size_t q,
               IndexSearch::Space* space) const {
        space->guides.clear();
        space->farthest = std::numeric_limits<float>::infinity();
        if (request_.guide == nullptr) {
            return;
        }
        const LegGuide::OfQuery& guide = request_.guide->of_queries[request_.guide_first + q];
        space->farthest = guide.farthest;
        for (const RecordPlace& place : guide.places) {
            if (place.source == segment) {
                if (const auto vector = search.VectorOf(place.position)) {
                    space->guides.push_back(static_cast<uint32_t>(*vector));
                }
            }
        }
    }

    // A query of a search that has a budget: nothing, once it is spent.
    Status RunWithin(const IndexSearch& search, size_t q, size_t threads, IndexSearch::Space* space,
                     std::vector<Candidate>* found, bool* enough) {
        if (watch_.Ends(q, search.reads_file())) {
            return {};
        }
        Work timed = database_->NewQuietWork();
        watch_.TimeQuery(q, query_count_, threads, &timed);
        space->Begin(watch_.budget(), q);
        QUERN_TRY(search.Run(snapshot_, candidates_.queries[q], space, found, enough, &timed));
        space->Tell();
        return {};
    }

    // By the limit, or by the bound where there is no limit or one so high that the bound may be
    // the cheaper way to the same records.
    bool Plan(IndexSearch* search) const {
        if (request_.limit > 0 &&
            search->Plan(candidates_.queries[0].limit, request_, query_count_)) {
            return true;
        }
        const bool bounded = request_.has_max_distance || request_.has_min_score;
        return bounded && std::isfinite(candidates_.queries[0].max_distance) &&
               search->PlanRange(request_);
    }

    // The log is in commit order, so ties are decided by comparing keys.
    Status SearchLog() {
        const LogView& log = *view_->log;
        if (log.blocks.empty()) {
            return {};
        }
        candidates_.Tighten();
        const auto source = static_cast<uint32_t>(view_->segments.size());
        SegmentWatch seen(&table_->tally, &table_->trace, watch_.budget(), 0, log.count);
        PlanEstimate estimate;
        estimate.matches = static_cast<double>(view_->record_count() - sealed_matches_);
        estimate.selectivity =
            estimate.matches / static_cast<double>(std::max<size_t>(1, log.count));
        estimate.scored = estimate.matches;
        estimate.scan_ns = dense::ScanPrices::RowNs(field_.row_bytes());
        estimate.way_ns[static_cast<size_t>(SearchWay::kScan)] = estimate.scored * estimate.scan_ns;
        seen.Plan(estimate, query_count_);
        seen.Done(SearchWay::kScan, query_count_);
        std::vector<float> distances(log.block_items);
        std::vector<uint8_t> wanted(log.block_items);
        for (size_t b = 0; b < log.blocks.size(); b++) {
            const LogBlock::Field& field = log.blocks[b]->fields[field_index_];
            const size_t first = b * log.block_items;
            const size_t count = std::min(log.block_items, log.count - first);
            const float* norms = field.inverse_norms.empty() ? nullptr : field.inverse_norms.data();
            size_t alive = 0;
            for (size_t i = 0; i < count; i++) {
                wanted[i] = field.present[i] && log.visible(first + i) ? 1 : 0;
                alive += wanted[i];
            }
            for (size_t q = 0; q < query_count_ && alive > 0; q++) {
                if (q > 0 && q % kQueriesPerLook == 0 && watch_.EndsPiece()) {
                    return {};
                }
                if (watch_.ScoredLeft(q) == 0) {
                    watch_.LeftOut(kSpentScored, q);
                    continue;
                }
                table_->tally.scored += alive;
                watch_.AddScored(q, alive);
                kernels::Distances(def_->element, def_->metric, candidates_.queries[q].query,
                                   field.rows.data(), count, norms, distances.data());
                for (size_t i = 0; i < count; i++) {
                    if (distances[i] <= candidates_.queries[q].max_distance && wanted[i] != 0) {
                        candidates_.found[q].push_back(
                            {distances[i], source, static_cast<uint32_t>(first + i)});
                    }
                }
                const size_t k = candidates_.queries[q].limit;
                if (k > 0 && candidates_.found[q].size() > 4 * k + 1024) {
                    candidates_.Tighten();
                }
            }
            QUERN_TRY(work_.Check("search", first + count, log.count));
            if (b + 1 < log.blocks.size() && watch_.Ends()) {
                break;
            }
        }
        return {};
    }

    void Collect(std::vector<std::vector<Winner>>* winners) {
        winners->resize(query_count_);
        for (size_t q = 0; q < query_count_; q++) {
            std::vector<Candidate>& found = candidates_.found[q];
            std::erase_if(found, [&](const Candidate& c) {
                return IsSelf(q, {c.source, c.position}) || !PassesScore(c.distance);
            });
            (*winners)[q] = TakeWinners(&found, request_.limit);
        }
    }

    Database* database_;
    Snapshot* snapshot_;
    const SearchRequest& request_;
    ResultTable* table_;
    Work work_;
    BudgetWatch watch_;
    std::shared_ptr<const CollectionView> view_;
    size_t field_index_ = 0;
    const DenseDef* def_ = nullptr;
    dense::FlatField field_;
    size_t query_count_ = 0;
    DenseQueries vectors_;
    DenseCandidates candidates_;
    std::vector<size_t> to_scan_;  // the queries that the segment's index does not answer
    bool approximate_ = false;
    uint64_t sealed_matches_ = 0;
};

}  // namespace

std::unique_ptr<FieldSearch> OpenDenseSearch(Database* database, Snapshot* snapshot,
                                             const std::shared_ptr<const CollectionView>& view,
                                             const SearchRequest& request, size_t field,
                                             ResultTable* table) {
    return std::make_unique<Searcher>(database, snapshot, view, request, field, table);
}

}  // namespace quern
