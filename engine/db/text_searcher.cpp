// Exact search of a text field: what is known of the live records of all segments and the log is
// added up, so that scores are those of one collection; then each gives its candidates.
#include <limits>
#include <map>

#include "engine/db/field_search.h"
#include "engine/sparse/text_search.h"

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
                 const SearchRequest& request, size_t field, ResultTable* table)
        : database_(database),
          snapshot_(snapshot),
          view_(view),
          request_(request),
          field_(field),
          def_(view.info->schema.text_field(field)),
          table_(table),
          work_(database->NewWork()) {}

    Status Prepare() override {
        QUERN_TRY(TakeQueries());
        return CheckSearchLimits(database_, view_, request_, queries_.size(),
                                 sizeof(TextCandidate));
    }
    size_t query_count() const override { return queries_.size(); }

    Status Find(std::vector<std::vector<Winner>>* winners) override {
        QUERN_TRY(TakeSources());
        winners->resize(queries_.size());
        for (size_t q = 0; q < queries_.size(); q++) {
            const Status status = SearchOne(queries_[q], &(*winners)[q]);
            if (!status.ok()) {
                return Status(status).WithContext(QueryName(q));
            }
        }
        table_->flags |= 1u;
        for (const auto& segment : view_.segments) {
            table_->flags |= segment->degraded() ? 2u : 0u;
        }
        return {};
    }

    // By a search among these records alone.
    Status DistancesOf(size_t query, const std::vector<RecordPlace>& places,
                       std::vector<double>* distances) override {
        QUERN_TRY(TakeSources());
        QUERN_ASSIGN(const auto prepared, PrepareOne(queries_[query]));
        std::vector<std::vector<uint64_t>> allowed(sources_.size());
        std::map<std::pair<uint32_t, uint32_t>, size_t> numbers;
        for (size_t i = 0; i < places.size(); i++) {
            (*distances)[i] = std::numeric_limits<double>::quiet_NaN();
            const auto [source, position] = places[i];
            allowed[source].resize(sources_[source].index->records() / 64 + 1, 0);
            allowed[source][position / 64] |= uint64_t{1} << (position % 64);
            numbers[{source, position}] = i;
        }
        for (uint32_t s = 0; s < sources_.size(); s++) {
            if (allowed[s].empty()) {
                continue;
            }
            sparse::TopHits hits(places.size());
            QUERN_TRY(prepared->Search(s, allowed[s].data(), &hits, &work_));
            for (const sparse::SparseHit& hit : hits.Take()) {
                const auto number = numbers.find({s, hit.position});
                if (number != numbers.end() && IsNear(-hit.score)) {
                    (*distances)[number->second] = 0 - hit.score;
                }
            }
        }
        return {};
    }

    double ScoreOf(double distance) const override { return -distance; }
    std::optional<RecordPlace> SelfOf(size_t) const override { return std::nullopt; }

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

    // What is known of the live records of all sources together; once.
    Status TakeSources() {
        if (!sources_.empty()) {
            return {};
        }
        for (size_t s = 0; s < view_.segments.size(); s++) {
            QUERN_TRY(TakeSegment(s));
        }
        return TakeLog();
    }

    Result<std::unique_ptr<sparse::PreparedText>> PrepareOne(const sparse::TextQuery& query) {
        return sparse::PreparedText::Prepare(query, sources_, statistics_,
                                             sparse::Bm25Options{options_.k1, options_.b}, &work_);
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

    bool IsNear(double distance) const {
        return request_.has_min_score      ? -distance >= request_.min_score
               : request_.has_max_distance ? distance <= request_.max_distance
                                           : true;
    }

    Status SearchOne(const sparse::TextQuery& query, std::vector<Winner>* winners) {
        QUERN_ASSIGN(const auto prepared, PrepareOne(query));
        std::vector<TextCandidate> found;
        for (uint32_t s = 0; s < sources_.size(); s++) {
            const size_t records = sources_[s].index->records();
            // The log is in commit order, so ties are decided by comparing keys: all of it comes.
            // Segments are in key order, but not beside each other: each gives its best.
            const bool all = request_.limit == 0 || s + 1 == sources_.size();
            sparse::TopHits hits(all ? records : request_.limit);
            if (records > 0) {
                QUERN_TRY(prepared->Search(s, nullptr, &hits, &work_));
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
    const SearchRequest& request_;
    size_t field_;
    const TextDef& def_;
    ResultTable* table_;
    Work work_;
    sparse::TextOptions options_;
    std::vector<sparse::TextQuery> queries_;
    std::vector<TextIndexCache::Index> indexes_;
    std::vector<std::vector<uint64_t>> live_;
    std::vector<sparse::TextSource> sources_;
    sparse::TextStatistics statistics_;
};

}  // namespace

std::unique_ptr<FieldSearch> OpenTextSearch(Database* database, Snapshot* snapshot,
                                            const std::shared_ptr<const CollectionView>& view,
                                            const SearchRequest& request, size_t field,
                                            ResultTable* table) {
    return std::make_unique<TextSearcher>(database, snapshot, *view, request, field, table);
}

}  // namespace quern
