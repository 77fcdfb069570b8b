// Exact search of a text field: what is known of the live records of all segments and the log is
// added up, so that scores are those of one collection; then each gives its candidates.
#include <algorithm>
#include <limits>

#include "engine/db/budget_watch.h"
#include "engine/db/distance_bound.h"
#include "engine/db/field_search.h"
#include "engine/db/stage_clock.h"
#include "engine/sparse/text_search.h"
#include "storage/base/parallel.h"

namespace quern {

namespace {

struct TextCandidate {
    double distance = 0;
    uint32_t source = 0;
    uint32_t position = 0;
};

class TextSearcher : public FieldSearch {
public:
    TextSearcher(Database* database, Snapshot* snapshot, const CollectionView& view,
                 const RecordMatches* matches, const SearchRequest& request, size_t field,
                 ResultTable* table)
        : database_(database),
          snapshot_(snapshot),
          view_(view),
          matches_(matches),
          request_(request),
          field_(field),
          def_(view.info->schema.text_field(field)),
          table_(table),
          work_(database->NewWork()),
          watch_(database) {}

    Status Prepare() override {
        QUERN_TRY(TakeQueries());
        for (size_t q = 0; request_.moved_texts != nullptr && q < queries_.size(); q++) {
            queries_[q] = (*request_.moved_texts)[request_.moved_first + q];
        }
        return CheckSearchLimits(database_, view_, request_, queries_.size(),
                                 sizeof(TextCandidate));
    }
    size_t query_count() const override { return queries_.size(); }

    Status Find(std::vector<std::vector<Winner>>* winners) override {
        const StageClock clock(&table_->tally.search_ns);
        winners->resize(queries_.size());
        Describe(&table_->trace);
        watch_.Start(request_, queries_.size());
        if (!watch_.EndsBefore(view_, 0, &table_->trace)) {
            const uint64_t before = table_->tally.reads.bytes;
            QUERN_TRY(TakeSources());
            watch_.AddBytes(table_->tally.reads.bytes - before);
            OpenTraces();
            QUERN_TRY(SearchAll(winners));
            for (const SegmentTrace& trace : traces_) {
                table_->trace.Add(trace);
            }
        }
        table_->flags |= 1u;
        table_->tally.expected_recall = 1;
        table_->flags |= table_->tally.memory_needed() > 0 ? 8u : 0u;
        for (const auto& segment : view_.segments) {
            table_->flags |= segment->degraded(def_.id) ? 2u : 0u;
        }
        watch_.Tell(table_);
        return {};
    }

    Status DistancesOf(size_t query, const std::vector<RecordPlace>& places,
                       std::vector<double>* distances) override {
        QUERN_TRY(PrepareLooks(query));
        const double least = LeastScore(request_);
        for (size_t i = 0; i < places.size(); i++) {
            const auto [source, position] = SourceOf(places[i]);
            double score = 0;
            looked_up_->ScoreRows(source, &position, 1, &score);
            (*distances)[i] = score >= least ? 0 - score : std::numeric_limits<double>::quiet_NaN();
        }
        return {};
    }

    Status Explain(size_t query, const RecordPlace& place, ExplainedScore* out) override {
        QUERN_TRY(PrepareLooks(query));
        const auto [source, position] = SourceOf(place);
        double score = 0;
        looked_up_->ScoreRows(source, &position, 1, &score);
        out->matches = score >= LeastScore(request_);
        out->distance = 0 - score;
        if (!out->matches) {
            return {};
        }
        for (const sparse::TextPart& of : looked_up_->Parts(source, position)) {
            ScorePart part;
            part.term = TermOf(queries_[query].clauses[of.clause]);
            part.query = of.weight;
            part.record = of.impact;
            part.occurrences = of.occurrences;
            part.adds = of.weight * of.impact;
            out->parts.push_back(std::move(part));
        }
        return {};
    }

    double ScoreOf(double distance) const override { return -distance; }
    void Describe(SearchTrace* trace) const override {
        trace->field = def_.name;
        trace->kind = "text";
    }
    std::span<const RecordPlace> SelvesOf(size_t) const override { return {}; }

private:
    // As it is looked for: folded and stemmed; "*" behind a beginning.
    static std::string TermOf(const sparse::TextClause& clause) {
        std::string text;
        for (const std::string& term : clause.terms) {
            text.append(text.empty() ? "" : " ").append(term);
        }
        return clause.is_prefix ? text + "*" : text;
    }

    Status PrepareLooks(size_t query) {
        QUERN_TRY(TakeSources());
        if (looked_up_ == nullptr || looked_up_of_ != query) {
            QUERN_ASSIGN(looked_up_, PrepareOne(queries_[query], &work_));
            looked_up_of_ = query;
        }
        return {};
    }

    // Where a record stands among what is searched: the log is in pieces.
    std::pair<uint32_t, uint32_t> SourceOf(const RecordPlace& place) const {
        auto [source, position] = place;
        if (source == view_.segments.size()) {
            const auto after = std::upper_bound(log_begins_.begin(), log_begins_.end(), position);
            const auto number = static_cast<uint32_t>(after - log_begins_.begin()) - 1;
            source += number;
            position -= log_begins_[number];
        }
        return {source, position};
    }

    std::string QueryName(size_t q) const {
        return "query " + std::to_string(q) + " for field '" + def_.name + "'";
    }

    Status TakeQueries() {
        if (request_.by_key) {
            return Status::Error(Code::kInvalid,
                                 "field '%s' is text: it is searched by queries, not by keys",
                                 def_.name.c_str());
        }
        const size_t count = request_.texts.size();
        if (count > static_cast<uint64_t>(database_->limits().queries.load())) {
            return Status::Error(Code::kLimit, "%zu queries, the limit is %lld", count,
                                 static_cast<long long>(database_->limits().queries.load()));
        }
        QUERN_ASSIGN(options_, sparse::ParseTextOptions(def_.options));
        QUERN_ASSIGN(const AnalyzerPool::Lease analyzer, database_->analyzers()->Take(def_));
        for (size_t q = 0; q < count; q++) {
            auto query = sparse::ParseTextQuery(request_.texts[q], analyzer.get());
            if (!query.ok()) {
                return query.status().WithContext(QueryName(q));
            }
            queries_.push_back(std::move(*query));
        }
        return {};
    }

    // What is known of the live records of all sources together; once.
    Status TakeSources() {
        if (taken_) {
            return {};
        }
        for (size_t s = 0; s < view_.segments.size(); s++) {
            QUERN_TRY(TakeSegment(s));
        }
        QUERN_TRY(TakeLog());
        TakeMatches();
        taken_ = true;
        return {};
    }

    Result<std::unique_ptr<sparse::PreparedText>> PrepareOne(const sparse::TextQuery& query,
                                                             Work* work) {
        return sparse::PreparedText::Prepare(query, sources_, statistics_,
                                             sparse::Bm25Options{options_.k1, options_.b}, work);
    }

    Status TakeSegment(size_t number) {
        Segment& segment = *view_.segments[number];
        TextIndexCache::Index index;
        CollectionView::Dead dead;
        QUERN_TRY(snapshot_->With(
            [&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(dead, view_.DeadOf(connection, number));
                QUERN_ASSIGN(index, segment.TextIndexOf(connection, def_,
                                                        &table_->tally.memory_held, &work_));
                return {};
            },
            &table_->tally.reads));
        deleted_.push_back(dead.count);
        std::vector<uint64_t> live;
        if (dead.bits) {
            live = *dead.bits;
            for (uint64_t& word : live) {
                word = ~word;
            }
        }
        AddSource(std::move(index), std::move(live));
        return {};
    }

    // Piece by piece: what comes to a log leaves the indexes of its full pieces as they are.
    Status TakeLog() {
        const LogView& log = *view_.log;
        for (const LogView::TextPiece& piece : log.TextPieces()) {
            const auto records = static_cast<uint32_t>(piece.end - piece.first);
            const auto make = [&] {
                return MakeTextIndex(
                    def_, records,
                    [&](uint32_t i) -> Result<BytesView> {
                        return log.value(piece.first + i, field_);
                    },
                    &work_);
            };
            bool kept = false;
            QUERN_ASSIGN(TextIndexCache::Index index,
                         piece.cache->Get(def_.id, *database_->budget(), true, make, &kept));
            if (!kept) {
                // The index is counted for as long as it is there.
                uint64_t& held = table_->tally.memory_held;
                held = std::max(held, static_cast<uint64_t>(database_->budget()->Total()));
            }
            std::vector<uint64_t> live(records / 64 + 1, 0);
            for (uint32_t i = 0; i < records; i++) {
                live[i / 64] |= uint64_t{log.visible(piece.first + i) ? 1u : 0u} << (i % 64);
            }
            AddSource(std::move(index), std::move(live));
            log_begins_.push_back(static_cast<uint32_t>(piece.first));
        }
        return {};
    }

    // live: empty: all.
    void AddSource(TextIndexCache::Index index, std::vector<uint64_t> live) {
        indexes_.push_back(std::move(index));
        live_.push_back(std::move(live));
        const uint64_t* const bits = live_.back().empty() ? nullptr : live_.back().data();
        sources_.push_back({indexes_.back().get(), bits});
        const sparse::TextStatistics statistics = indexes_.back()->Statistics(bits);
        statistics_.records += statistics.records;
        statistics_.length += statistics.length;
    }

    // What the filter allows of each source; empty: all of it.
    void TakeMatches() {
        allowed_.resize(sources_.size());
        if (matches_ == nullptr) {
            return;
        }
        const size_t segments = view_.segments.size();
        for (size_t s = 0; s < sources_.size(); s++) {
            if (s < segments && matches_->segments[s].bits == nullptr) {
                continue;
            }
            std::vector<uint64_t>& allowed = allowed_[s];
            const size_t records = sources_[s].index->records();
            allowed.assign(records / 64 + 1, 0);
            const std::vector<uint64_t>& bits =
                s < segments ? *matches_->segments[s].bits : *matches_->log;
            const size_t first = s < segments ? 0 : log_begins_[s - segments];
            for (size_t i = 0; i < records; i++) {
                // Of segments it is known what does not match, of the log what does.
                const bool set = (bits[(first + i) / 64] >> ((first + i) % 64) & 1) != 0;
                allowed[i / 64] |= uint64_t{set != (s < segments) ? 1u : 0u} << (i % 64);
            }
        }
    }
    const uint64_t* Allowed(uint32_t source) const {
        return allowed_[source].empty() ? nullptr : allowed_[source].data();
    }

    Status SearchAll(std::vector<std::vector<Winner>>* winners) {
        const int wanted = request_.threads > 0 ? request_.threads : database_->threads();
        const auto threads = std::min(queries_.size(), static_cast<size_t>(wanted));
        std::atomic<size_t> next{0};
        return RunOnThreads(static_cast<int>(threads), [&](int) -> Status {
            while (true) {
                const size_t q = next.fetch_add(1);
                if (q >= queries_.size()) {
                    return {};
                }
                if (watch_.Ends(q)) {
                    LeaveOut(0, watch_.budget()->SpentOf(q));
                    continue;
                }
                const Status status = SearchOne(q, threads, &(*winners)[q]);
                if (!status.ok()) {
                    return Status(status).WithContext(QueryName(q));
                }
            }
        });
    }

    // One for each segment, and one for all of the log.
    void OpenTraces() {
        const size_t segments = view_.segments.size();
        uint64_t sealed = 0;
        traces_.resize(segments + (sources_.size() > segments ? 1 : 0));
        for (size_t s = 0; s < traces_.size(); s++) {
            SegmentTrace& trace = traces_[s];
            PlanEstimate estimate;
            estimate.way = SearchWay::kMade;
            estimate.recall = 0;
            uint64_t matches = 0;
            if (s < segments) {
                const Segment& segment = *view_.segments[s];
                trace.segment = segment.info().id;
                trace.records = segment.item_count();
                matches = trace.records -
                          (matches_ != nullptr ? matches_->segments[s].count : deleted_[s]);
                sealed += matches;
                if (segment.info().Find(storage::PartKind::kTextHead, def_.id) != nullptr) {
                    estimate.way = SearchWay::kIndex;
                }
            } else {
                trace.records = view_.log->count;
                matches = (matches_ != nullptr ? matches_->count
                                               : static_cast<uint64_t>(view_.state.records)) -
                          sealed;
            }
            estimate.matches = static_cast<double>(matches);
            estimate.selectivity =
                estimate.matches / static_cast<double>(std::max<uint64_t>(1, trace.records));
            trace.Plan(estimate, queries_.size());
            trace.done = trace.planned;
        }
    }

    // Of the sources from this one on, something was left out.
    void LeaveOut(size_t first, uint32_t spent) {
        std::lock_guard<std::mutex> lock(mutex_);
        for (size_t s = first; s < traces_.size(); s++) {
            traces_[s].left_out |= spent;
        }
    }

    // What one query has done in a source, until now.
    struct SourceEffort {
        SearchCounts counts;
        uint64_t ns = 0;
    };
    static SearchCounts CountsOf(const sparse::TextEffort& effort) {
        SearchCounts counts;
        counts.scored = effort.scored;
        counts.postings = effort.postings;
        counts.blocks = effort.blocks;
        counts.blocks_opened = effort.opened;
        return counts;
    }

    Status SearchOne(size_t q, size_t threads, std::vector<Winner>* winners) {
        Work timed = database_->NewQuietWork();
        watch_.TimeQuery(q, queries_.size(), threads, &timed);
        Work* const work = watch_.budget() == nullptr ? &work_ : &timed;
        auto made = PrepareOne(queries_[q], work);
        if (!made.ok()) {
            QUERN_TRY(watch_.Timed(made.status(), *work, q));
            LeaveOut(0, kSpentTime);
            return {};
        }
        const std::shared_ptr<sparse::PreparedText> prepared = std::move(*made);
        if (queries_.size() == 1) {
            looked_up_ = prepared;  // of the one query, scores may be asked for
        }
        sparse::TextEffort effort;
        effort.scored_max = watch_.ScoredLeft(q);
        bool late = false;
        std::vector<TextCandidate> found;
        const auto segments = static_cast<uint32_t>(view_.segments.size());
        // The best of the sources before: less is not wanted.
        sparse::TopHits best(request_.limit, LeastScore(request_));
        std::vector<SourceEffort> efforts(traces_.size());
        uint32_t last = 0;
        for (uint32_t s = 0; s < sources_.size() && !late && !effort.cut; s++) {
            last = s;
            // The log is in commit order, so ties are decided by comparing keys: all of them come.
            // Segments are in key order, but not beside each other: each gives its best.
            const bool all = request_.limit == 0 || s >= segments;
            sparse::TopHits hits(all ? sources_[s].index->records() : request_.limit,
                                 best.Threshold());
            SourceEffort& own = efforts[std::min(s, segments)];
            {
                const StageClock of_source(&own.ns);
                own.counts -= CountsOf(effort);
                QUERN_TRY(EndedInTime(prepared->Search(s, Allowed(s), &hits, work, &effort),
                                      watch_.budget(), *work, &late));
                own.counts += CountsOf(effort);
            }
            const bool more = s + 1 < sources_.size();
            for (const sparse::SparseHit& hit : hits.Take()) {
                if (more) {
                    best.Push(hit);
                }
                found.push_back(s < segments
                                    ? TextCandidate{0 - hit.score, s, hit.position}
                                    : TextCandidate{0 - hit.score, segments,
                                                    hit.position + log_begins_[s - segments]});
            }
        }
        watch_.AddScored(q, effort.scored);
        const uint32_t spent = (late ? kSpentTime : 0) | (effort.cut ? kSpentScored : 0);
        watch_.LeftOut(spent, q);
        LeaveOut(std::min(last, segments), spent);
        *winners = TakeWinners(&found, request_.limit);
        std::lock_guard<std::mutex> lock(mutex_);
        static_cast<SearchCounts&>(table_->tally) += CountsOf(effort);
        for (size_t s = 0; s < efforts.size(); s++) {
            traces_[s].counts += efforts[s].counts;
            traces_[s].passed_ns += efforts[s].ns;
        }
        return {};
    }

    Database* database_;
    Snapshot* snapshot_;
    const CollectionView& view_;
    const RecordMatches* matches_;
    const SearchRequest& request_;
    size_t field_;
    const TextDef& def_;
    ResultTable* table_;
    Work work_;
    BudgetWatch watch_;
    std::mutex mutex_;  // of the tally, while threads search
    bool taken_ = false;
    sparse::TextOptions options_;
    std::vector<sparse::TextQuery> queries_;
    std::vector<TextIndexCache::Index> indexes_;
    std::vector<std::vector<uint64_t>> live_;
    std::vector<size_t> deleted_;  // records of each segment
    std::vector<SegmentTrace> traces_;
    std::vector<std::vector<uint64_t>> allowed_;
    std::vector<sparse::TextSource> sources_;
    std::vector<uint32_t> log_begins_;  // where the sources that are of the log begin in it
    sparse::TextStatistics statistics_;
    std::shared_ptr<const sparse::PreparedText> looked_up_;  // the query that scores were asked of
    size_t looked_up_of_ = 0;
};

}  // namespace

std::unique_ptr<FieldSearch> OpenTextSearch(Database* database, Snapshot* snapshot,
                                            const std::shared_ptr<const CollectionView>& view,
                                            const RecordMatches* matches,
                                            const SearchRequest& request, size_t field,
                                            ResultTable* table) {
    return std::make_unique<TextSearcher>(database, snapshot, *view, matches, request, field,
                                          table);
}

}  // namespace quern
