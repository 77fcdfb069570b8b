// Exact search of a text field: what is known of the live records of all segments and the log is
// added up, so that scores are those of one collection; then each gives its candidates.
#include "engine/db/text_searcher.h"

#include <limits>

#include "engine/db/search_result.h"
#include "engine/sparse/text_search.h"
#include "storage/base/parallel.h"

namespace quern {

namespace {

struct TextCandidate {
    double distance = 0;
    uint32_t source = 0;
    uint32_t position = 0;
};

class TextSearcher {
public:
    TextSearcher(Database* database, Snapshot* snapshot, const CollectionView& view,
                 const SearchRequest& request, size_t field, ResultTable* table)
        : database_(database),
          snapshot_(snapshot),
          view_(view),
          request_(request),
          field_(field),
          def_(view.info->schema.text_field(field)),
          table_(table),
          work_(database->NewWork()) {}

    Status Run() {
        const Schema& schema = view_.info->schema;
        QUERN_ASSIGN(choice_, ColumnChoice::Parse(schema, view_.info->name, request_.columns));
        choice_.Describe(schema, table_);
        table_->key_type = schema.key_type;
        QUERN_TRY(TakeQueries());
        QUERN_TRY(
            CheckSearchLimits(database_, view_, request_, queries_.size(), sizeof(TextCandidate)));
        for (size_t s = 0; s < view_.segments.size(); s++) {
            QUERN_TRY(TakeSegment(s));
        }
        QUERN_TRY(TakeLog());
        for (const sparse::TextSource& source : sources_) {
            table_->tally.scored += source.index->records() * queries_.size();
        }
        std::vector<std::vector<Winner>> winners(queries_.size());
        QUERN_TRY(SearchAll(&winners));
        table_->flags |= 1u;
        table_->tally.expected_recall = 1;
        table_->flags |= table_->tally.memory_needed > 0 ? 8u : 0u;
        for (const auto& segment : view_.segments) {
            table_->flags |= segment->degraded() ? 2u : 0u;
        }
        return SearchResult(
                   database_, view_, request_, choice_,
                   [](double distance) { return static_cast<float>(-distance); }, table_, &work_)
            .Fill(snapshot_, &winners);
    }

private:
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
        QUERN_ASSIGN(const auto analyzer, OpenAnalyzer(def_));
        for (size_t q = 0; q < count; q++) {
            auto query = sparse::ParseTextQuery(request_.texts[q], analyzer.get());
            if (!query.ok()) {
                return query.status().WithContext(QueryName(q));
            }
            queries_.push_back(std::move(*query));
        }
        return {};
    }

    Status TakeSegment(size_t number) {
        Segment& segment = *view_.segments[number];
        TextIndexCache::Index index;
        CollectionView::Dead dead;
        QUERN_TRY(snapshot_->With(
            [&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(dead, view_.DeadOf(connection, number));
                QUERN_ASSIGN(index, segment.TextIndexOf(connection, def_,
                                                        &table_->tally.memory_needed, &work_));
                return {};
            },
            &table_->tally.bytes_read));
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
                         piece.cache->Get(def_.id, *database_->budget(), make, &kept));
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

    double LeastScore() const {
        return request_.has_min_score      ? request_.min_score
               : request_.has_max_distance ? -request_.max_distance
                                           : -std::numeric_limits<double>::infinity();
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
                const Status status = SearchOne(queries_[q], &(*winners)[q]);
                if (!status.ok()) {
                    return Status(status).WithContext(QueryName(q));
                }
            }
        });
    }

    Status SearchOne(const sparse::TextQuery& query, std::vector<Winner>* winners) {
        const sparse::Bm25Options bm25{options_.k1, options_.b};
        QUERN_ASSIGN(const auto prepared,
                     sparse::PreparedText::Prepare(query, sources_, statistics_, bm25, &work_));
        std::vector<TextCandidate> found;
        const auto segments = static_cast<uint32_t>(view_.segments.size());
        // The best of the sources before: less is not wanted.
        sparse::TopHits best(request_.limit, LeastScore());
        for (uint32_t s = 0; s < sources_.size(); s++) {
            // The log is in commit order, so ties are decided by comparing keys: all of them come.
            // Segments are in key order, but not beside each other: each gives its best.
            const bool all = request_.limit == 0 || s >= segments;
            sparse::TopHits hits(all ? sources_[s].index->records() : request_.limit,
                                 best.Threshold());
            QUERN_TRY(prepared->Search(s, nullptr, &hits, &work_));
            for (const sparse::SparseHit& hit : hits.Take()) {
                best.Push(hit);
                found.push_back(s < segments
                                    ? TextCandidate{0 - hit.score, s, hit.position}
                                    : TextCandidate{0 - hit.score, segments,
                                                    hit.position + log_begins_[s - segments]});
            }
        }
        *winners = TakeWinners(&found, request_.limit);
        return {};
    }

    Database* database_;
    Snapshot* snapshot_;
    const CollectionView& view_;
    const SearchRequest& request_;
    size_t field_;
    const TextDef& def_;
    ResultTable* table_;
    Work work_;
    ColumnChoice choice_;
    sparse::TextOptions options_;
    std::vector<sparse::TextQuery> queries_;
    std::vector<TextIndexCache::Index> indexes_;
    std::vector<std::vector<uint64_t>> live_;
    std::vector<sparse::TextSource> sources_;
    std::vector<uint32_t> log_begins_;  // where the sources that are of the log begin in it
    sparse::TextStatistics statistics_;
};

}  // namespace

Status SearchText(Database* database, Snapshot* snapshot,
                  const std::shared_ptr<const CollectionView>& view, const SearchRequest& request,
                  size_t field, ResultTable* table) {
    return TextSearcher(database, snapshot, *view, request, field, table).Run();
}

}  // namespace quern
