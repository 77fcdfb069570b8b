// Exact search of a text field: what is known of the live records of all segments and the log is
// added up, so that scores are those of one collection; then each gives its candidates.
#include "engine/db/text_searcher.h"

#include "engine/db/search_result.h"
#include "engine/sparse/text_search.h"

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
        std::vector<std::vector<Winner>> winners(queries_.size());
        for (size_t q = 0; q < queries_.size(); q++) {
            const Status status = SearchOne(queries_[q], &winners[q]);
            if (!status.ok()) {
                return Status(status).WithContext(QueryName(q));
            }
        }
        table_->flags |= 1u;
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
        const auto records = static_cast<uint32_t>(segment.item_count());
        TextIndexCache::Index index;
        CollectionView::Dead dead;
        QUERN_TRY(snapshot_->With(
            [&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(const TextColumn* const column, segment.Text(connection, def_));
                QUERN_ASSIGN(dead, view_.DeadOf(connection, number));
                ChunkCache cache;
                const auto text = [&](uint32_t record) {
                    return column->Value(connection, record, &cache);
                };
                QUERN_ASSIGN(index, segment.text_indexes().Get(def_, records, text,
                                                               *database_->budget(), &work_));
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

    Status TakeLog() {
        const LogView& log = *view_.log;
        const auto records = static_cast<uint32_t>(log.count);
        const auto text = [&](uint32_t i) -> Result<BytesView> { return log.value(i, field_); };
        QUERN_ASSIGN(TextIndexCache::Index index,
                     log.text_indexes().Get(def_, records, text, *database_->budget(), &work_));
        std::vector<uint64_t> live(records / 64 + 1, 0);
        for (uint32_t i = 0; i < records; i++) {
            live[i / 64] |= uint64_t{log.visible(i) ? 1u : 0u} << (i % 64);
        }
        AddSource(std::move(index), std::move(live));
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

    // What the filter allows of a source; empty: all of it.
    std::vector<uint64_t> Allowed(uint32_t source) const {
        if (matches_ == nullptr) {
            return {};
        }
        if (source == matches_->segments.size()) {
            std::vector<uint64_t> allowed = *matches_->log;
            allowed.push_back(0);
            return allowed;
        }
        std::vector<uint64_t> allowed = *matches_->segments[source].bits;
        for (uint64_t& word : allowed) {
            word = ~word;
        }
        return allowed;
    }

    bool IsNear(double distance) const {
        return request_.has_min_score      ? -distance >= request_.min_score
               : request_.has_max_distance ? distance <= request_.max_distance
                                           : true;
    }

    Status SearchOne(const sparse::TextQuery& query, std::vector<Winner>* winners) {
        const sparse::Bm25Options bm25{options_.k1, options_.b};
        QUERN_ASSIGN(const auto prepared,
                     sparse::PreparedText::Prepare(query, sources_, statistics_, bm25, &work_));
        std::vector<TextCandidate> found;
        for (uint32_t s = 0; s < sources_.size(); s++) {
            const size_t records = sources_[s].index->records();
            // The log is in commit order, so ties are decided by comparing keys: all of it comes.
            // Segments are in key order, but not beside each other: each gives its best.
            const bool all = request_.limit == 0 || s + 1 == sources_.size();
            sparse::TopHits hits(all ? records : request_.limit);
            if (records > 0) {
                const std::vector<uint64_t> allowed = Allowed(s);
                QUERN_TRY(
                    prepared->Search(s, allowed.empty() ? nullptr : allowed.data(), &hits, &work_));
            }
            for (const sparse::SparseHit& hit : hits.Take()) {
                if (IsNear(-hit.score)) {
                    found.push_back({0 - hit.score, s, hit.position});
                }
            }
            table_->tally.scored += records;
        }
        *winners = TakeWinners(&found, request_.limit);
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
    ColumnChoice choice_;
    sparse::TextOptions options_;
    std::vector<sparse::TextQuery> queries_;
    std::vector<TextIndexCache::Index> indexes_;
    std::vector<std::vector<uint64_t>> live_;
    std::vector<sparse::TextSource> sources_;
    sparse::TextStatistics statistics_;
};

}  // namespace

Status SearchText(Database* database, Snapshot* snapshot,
                  const std::shared_ptr<const CollectionView>& view,
                  const std::shared_ptr<const RecordMatches>& matches, const SearchRequest& request,
                  size_t field, ResultTable* table) {
    return TextSearcher(database, snapshot, *view, matches.get(), request, field, table).Run();
}

}  // namespace quern
