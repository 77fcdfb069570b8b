#include "engine/db/dense_scan.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "engine/db/alive_rows.h"
#include "engine/dense/scan_prices.h"
#include "storage/base/parallel.h"

namespace quern {

namespace {

// A piece of work for one thread should take longer than starting the thread.
constexpr uint64_t kBytesPerThread = uint64_t{4} << 20;
// Vectors that do not fit the memory budget are read in pieces of this size.
constexpr size_t kStreamBytes = size_t{4} << 20;
// So many scan a segment together where there is a deadline: others have their turn later.
constexpr size_t kQueriesPerTurn = 128;
// Products of elements between two looks at it, and rows at the least.
constexpr size_t kStepsPerLook = size_t{4} << 20;
constexpr size_t kRowsPerLook = 1008;

}  // namespace

PlanEstimate EstimateScan(const SegmentField& field, const dense::FlatField& type, size_t records,
                          size_t dead, bool filtered) {
    using dense::ScanPrices;
    const size_t bytes = type.row_bytes();
    // With a filter: what it lets through, if every record has the field.
    const size_t rows = field.count() - std::min(field.count(), filtered ? dead : size_t{0});
    PlanEstimate estimate;
    estimate.matches = static_cast<double>(records - dead);
    estimate.selectivity = estimate.matches / static_cast<double>(std::max<size_t>(1, records));
    estimate.scored = static_cast<double>(rows);
    estimate.scan_ns = !field.resident            ? ScanPrices::FileNs(bytes)
                       : rows < field.count() / 2 ? ScanPrices::PickedNs(bytes)
                                                  : ScanPrices::RowNs(bytes);
    estimate.way_ns[static_cast<size_t>(SearchWay::kScan)] = estimate.scored * estimate.scan_ns;
    return estimate;
}

Status DenseScan::Run(const dense::FlatRows& rows, const SegmentField& field, uint32_t source,
                      std::span<const size_t> queries) {
    if (!watch_->has_scored_max()) {
        return ScanTogether({rows, field, source}, queries);
    }
    while (!queries.empty()) {
        const uint64_t left = watch_->ScoredLeft(queries.front());
        const auto end = std::find_if(queries.begin(), queries.end(),
                                      [&](size_t q) { return watch_->ScoredLeft(q) != left; });
        const auto some = queries.first(static_cast<size_t>(end - queries.begin()));
        Source part{rows, field, source};
        const uint64_t alive = CutRows(left, &part.rows);
        QUERN_TRY(ScanTogether(part, some));
        for (const size_t q : some) {
            watch_->AddScored(q, alive);
            watch_->LeftOut(part.rows.count < rows.count ? kSpentScored : 0, q);
        }
        queries = queries.subspan(some.size());
    }
    return {};
}

Status DenseScan::ScanTogether(const Source& source, std::span<const size_t> queries) {
    // What is not in memory is read once for all of them.
    const bool resident = source.field.resident;
    const size_t turn = has_deadline() && resident ? kQueriesPerTurn : queries.size();
    for (size_t done = 0; done < queries.size(); done += turn) {
        if (done > 0 && watch_->EndsPiece()) {
            break;
        }
        const auto some = queries.subspan(done, std::min(turn, queries.size() - done));
        Work timed = database_->NewWork();
        watch_->TimeQuery(done, queries.size(), some.size(), &timed);
        QUERN_TRY(resident ? ScanResident(source, some, &timed) : ScanStream(source, some, &timed));
    }
    return {};
}

Status DenseScan::ScanResident(const Source& source, std::span<const size_t> queries, Work* timed) {
    const dense::FlatRows& rows = source.rows;
    const int threads =
        Threads(static_cast<uint64_t>(rows.count) * type_.row_bytes() * queries.size());
    std::mutex mutex;
    // Many queries: each worker takes some of them. Few: each worker takes a slice of the rows.
    const size_t pieces = static_cast<size_t>(threads);
    const bool by_query = queries.size() >= pieces * 8;
    const size_t total = by_query ? queries.size() : rows.count;
    std::atomic<size_t> next{0};
    return RunOnThreads(threads, [&](int) -> Status {
        for (size_t piece = next.fetch_add(1); piece < pieces; piece = next.fetch_add(1)) {
            const size_t first = total * piece / pieces;
            const size_t count = total * (piece + 1) / pieces - first;
            const auto some = by_query ? queries.subspan(first, count) : queries;
            std::vector<dense::FlatQuery> fresh = candidates_->Fresh(some);
            dense::FlatScan scan(type_, fresh.data(), fresh.size());
            uint64_t scored = 0;
            const Status done = Measure(by_query ? rows : Slice(rows, type_, first, count),
                                        fresh.size(), &scan, timed, &scored);
            QUERN_TRY(watch_->Timed(done, *timed, SearchBudget::kAllQueries));
            std::lock_guard<std::mutex> lock(mutex);
            tally_->scored += scored;
            candidates_->Harvest(some, source.number, &fresh);
        }
        return {};
    });
}

Status DenseScan::ScanStream(const Source& source, std::span<const size_t> queries, Work* timed) {
    const SegmentField& field = source.field;
    const storage::PartInfo& part = *field.vectors;
    std::vector<dense::FlatQuery> fresh = candidates_->Fresh(queries);
    const size_t end = source.rows.count;
    dense::FlatScan scan(type_, fresh.data(), fresh.size());
    const size_t chunk_bytes = static_cast<size_t>(part.chunk_items) * part.item_bytes;
    const size_t chunks_a_piece = std::max<size_t>(1, kStreamBytes / chunk_bytes);
    Buffer buffer(std::min(chunks_a_piece, part.chunks.size()) * chunk_bytes, nullptr);
    size_t first = 0;
    size_t last = 0;
    for (size_t chunk = 0; chunk < part.chunks.size() && first < end; chunk = last) {
        const size_t chunks =
            std::clamp<size_t>(watch_->BytesLeft() / chunk_bytes, 1, chunks_a_piece);
        last = std::min(chunk + chunks, part.chunks.size());
        if (!AnyAlive(source.rows, field, chunk * part.chunk_items,
                      std::min<size_t>(last * part.chunk_items, part.items))) {
            first = last * part.chunk_items;
            continue;
        }
        const uint64_t before = tally_->reads.bytes;
        QUERN_TRY(snapshot_->With(
            [&](storage::Connection* connection) {
                return storage::ReadChunks(connection, part, chunk, last, Threads(kStreamBytes),
                                           buffer.data());
            },
            &tally_->reads));
        watch_->AddBytes(tally_->reads.bytes - before);
        const size_t count = std::min<size_t>((last - chunk) * part.chunk_items, end - first);
        dense::FlatRows piece = source.rows;
        piece.rows = buffer.data();
        piece.count = count;
        piece.inverse_norms =
            field.inverse_norms.empty() ? nullptr : field.inverse_norms.data() + first;
        piece.records = field.records.empty() ? nullptr : field.records.data() + first;
        piece.first = static_cast<uint32_t>(first);
        const Status done = Measure(piece, queries.size(), &scan, timed, &tally_->scored);
        QUERN_TRY(watch_->Timed(done, *timed, SearchBudget::kAllQueries));
        QUERN_TRY(work_->Check("search", first + count, part.items));
        first += count;
        if (first < end && watch_->EndsPiece()) {
            break;
        }
    }
    candidates_->Harvest(queries, source.number, &fresh);
    return {};
}

// Adds the vectors that it has measured, each for every query.
Status DenseScan::Measure(const dense::FlatRows& rows, size_t queries, dense::FlatScan* scan,
                          Work* timed, uint64_t* scored) const {
    const size_t step = has_deadline()
                            ? std::max(kRowsPerLook, kStepsPerLook / (type_.dim * queries))
                            : std::max<size_t>(1, rows.count);
    for (size_t first = 0; first < rows.count; first += step) {
        const size_t count = std::min(step, rows.count - first);
        Work unending;
        QUERN_TRY(
            scan->Run(Slice(rows, type_, first, count), count < rows.count ? &unending : timed));
        *scored += CountAlive(rows, first, count) * queries;
        if (first + count < rows.count) {
            QUERN_TRY(timed->Check("search", first + count, rows.count));
        }
    }
    return {};
}

int DenseScan::Threads(uint64_t work_bytes) const {
    return static_cast<int>(
        std::clamp<uint64_t>(work_bytes / kBytesPerThread, 1, static_cast<uint64_t>(threads_)));
}

bool DenseScan::has_deadline() const {
    return watch_->budget() != nullptr && watch_->budget()->has_deadline();
}

}  // namespace quern
