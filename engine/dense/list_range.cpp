// Everything within a distance, by lists: the search, and how its curve is measured.
#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

#include "engine/dense/list_index.h"
#include "engine/dense/range_measure.h"
#include "engine/dense/safe_length.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr size_t kCellsRanked = 16;  // at first; then as many again as there are

}  // namespace

void ListIndex::BeginRange(const RangeQuery& query, ListQuery* wanted, ListSpace* space) const {
    *wanted = ListQuery();
    wanted->vector = query.vector;
    wanted->k = 0;
    // A cell whose bound excludes the distance is passed over.
    wanted->bound = query.bound;
    static_cast<void>(Begin(*wanted, space).ok());
    space->threshold = query.bound;
    if (codes_) {
        const SafeQuery safe(metric_, query.vector, dim_);
        const float* const vector = safe.values();
        const auto bound = static_cast<double>(query.bound);
        space->threshold =
            codes_->ScoreAt(vector, bound + range_curve_.Margin(*codes_, vector, bound));
    }
    // Nothing within is ever left out for others.
    space->pool_size = std::numeric_limits<size_t>::max() / 4;
}

Status ListIndex::SearchRange(const RangeQuery& query, CellRows* rows, ListSpace* space,
                              std::vector<uint32_t>* within, bool* complete, Work* work) const {
    ListQuery wanted;
    BeginRange(query, &wanted, space);
    within->clear();
    *complete = true;
    size_t idle = 0;
    size_t ranked = 0;
    const size_t first_effort = std::max(query.effort, query.first_effort);
    const auto goes = [&] { return idle < (space->pool.empty() ? first_effort : query.effort); };
    Status scanned;
    for (size_t done = 0; done < cell_count() && goes() && scanned.ok() && !space->stopped;
         done++) {
        if (done == ranked) {
            ranked = std::min(cell_count(), std::max(kCellsRanked, ranked * 2));
            Rank(ranked, space);
        }
        const size_t before = space->pool.size();
        scanned = Scan(wanted, space->order.data() + done, 1, rows, space, work);
        idle = space->pool.size() == before ? idle + 1 : 0;
        if (space->pool.size() > query.most) {
            *complete = false;
            return {};
        }
    }
    for (const kernels::Hit& hit : space->pool) {
        within->push_back(hit.position);
    }
    return scanned;
}

std::vector<float> ListIndex::CodeDistances(const VectorRows& rows, const float* vector,
                                            const std::vector<uint32_t>& numbers) const {
    std::vector<char> gathered(numbers.size() * rows.row_bytes());
    std::vector<float> inverse(numbers.size());
    std::vector<uint32_t> nodes(numbers.size());
    for (size_t i = 0; i < numbers.size(); i++) {
        std::copy_n(rows.row(numbers[i]), rows.row_bytes(),
                    gathered.begin() + static_cast<ptrdiff_t>(i * rows.row_bytes()));
        inverse[i] = rows.inverse_norms ? rows.inverse_norms[numbers[i]] : 0.0f;
        nodes[i] = static_cast<uint32_t>(i);
    }
    VectorRows block = rows;
    block.rows = gathered.data();
    block.count = numbers.size();
    block.inverse_norms = rows.inverse_norms ? inverse.data() : nullptr;
    std::vector<uint8_t> coded(numbers.size() * codes_->row_bytes());
    std::vector<float> norms(numbers.size());
    codes_->Encode(block, 0, block.count, coded.data(), norms.data());
    std::vector<float> distances(numbers.size());
    const CodeRows code_rows{coded.data(), codes_->has_norms() ? norms.data() : nullptr};
    const SafeQuery safe(metric_, vector, dim_);
    codes_->NewScorer(safe.values(), code_rows)
        ->Score(nodes.data(), nodes.size(), distances.data());
    codes_->ToDistances(safe.values(), &distances);
    return distances;
}

void ListIndex::MeasureErrors(const VectorRows& rows, const std::vector<HeldOut>& held_out) {
    if (!codes_) {
        return;
    }
    CodeErrors errors;
    for (size_t i = 0; i < std::min(kDeepQueries, held_out.size()); i++) {
        const auto* vector = reinterpret_cast<const float*>(held_out[i].vector.data());
        const std::vector<kernels::Hit> sample = CodeErrors::Sample(held_out[i].nearest);
        std::vector<uint32_t> numbers;
        for (const kernels::Hit& hit : sample) {
            numbers.push_back(hit.position);
        }
        numbers.push_back(held_out[i].number);
        const std::vector<float> distances = CodeDistances(rows, vector, numbers);
        errors.Add(*codes_, vector, sample, distances);
        if (metric_ == Metric::kL2) {
            errors.AddOwn(distances.back());
        }
    }
    errors.Fill(&range_curve_);
}

// One walk through the cells tells what every effort finds: a search with less effort is the same
// up to where it ends.
Status ListIndex::CountRange(const VectorRows& rows, const HeldOut& held, size_t rank,
                             ListSpace* space, RangeHits* hits) const {
    const size_t wanted = CaughtBy(held.nearest, RangeCurve::kRanks[rank]);
    if (wanted == 0) {
        return {};
    }
    RangeQuery range;
    range.vector = held.vector.data();
    const kernels::Query exact =
        kernels::PrepareQuery(rows.element, rows.metric, range.vector, rows.dim);
    // As a search rounds it.
    kernels::DistancesPicked(rows.element, rows.metric, exact, rows.rows,
                             &held.nearest[wanted - 1].position, 1, rows.inverse_norms,
                             &range.bound);
    ListQuery query;
    BeginRange(range, &query, space);
    size_t idle = 0;
    size_t ranked = 0;
    size_t found = 0;
    size_t next_effort = 0;
    std::vector<float> distances;
    for (size_t done = 0; done < cell_count() && next_effort < RangeCurve::kEfforts.size();
         done++) {
        if (done == ranked) {
            ranked = std::min(cell_count(), std::max(kCellsRanked, ranked * 2));
            Rank(ranked, space);
        }
        const size_t before = space->pool.size();
        QUERN_TRY(Scan(query, space->order.data() + done, 1, nullptr, space, nullptr));
        const size_t fresh = space->pool.size() - before;
        std::vector<uint32_t> numbers;
        for (size_t i = before; i < space->pool.size(); i++) {
            numbers.push_back(space->pool[i].position);
        }
        distances.resize(fresh);
        kernels::DistancesPicked(rows.element, rows.metric, exact, rows.rows, numbers.data(), fresh,
                                 rows.inverse_norms, distances.data());
        for (size_t i = 0; i < fresh; i++) {
            found += distances[i] <= range.bound && numbers[i] != held.number ? 1 : 0;
        }
        // The record itself is in some cell, as no query will be.
        const bool productive = std::any_of(numbers.begin(), numbers.end(),
                                            [&](uint32_t number) { return number != held.number; });
        idle = productive ? 0 : idle + 1;
        while (next_effort < RangeCurve::kEfforts.size() &&
               idle >= RangeCurve::kEfforts[next_effort]) {
            hits->found[rank][next_effort++] += std::min(found, wanted);
        }
    }
    for (; next_effort < RangeCurve::kEfforts.size(); next_effort++) {
        hits->found[rank][next_effort] += std::min(found, wanted);
    }
    hits->wanted[rank] += wanted;
    return {};
}

Status ListIndex::CalibrateRange(const VectorRows& rows, const std::vector<HeldOut>& held_out,
                                 int threads, Work* work) {
    MeasureErrors(rows, held_out);
    RangeHits all;
    std::mutex mutex;
    std::atomic<size_t> next{0};
    QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
        ListSpace space;
        RangeHits mine;
        while (true) {
            const size_t i = next.fetch_add(1);
            if (i >= held_out.size()) {
                break;
            }
            for (size_t rank = 0; rank < RangeCurve::kRanks.size(); rank++) {
                const bool deep = RangeCurve::kRanks[rank] > 100;
                if (held_out[i].nearest.size() >= RangeCurve::kRanks[rank] &&
                    (!deep || i < kDeepQueries)) {
                    QUERN_TRY(CountRange(rows, held_out[i], rank, &space, &mine));
                }
            }
            QUERN_TRY(work->Check("calibrate", i, held_out.size()));
        }
        std::lock_guard<std::mutex> lock(mutex);
        all.Add(mine);
        return {};
    }));
    all.Fill(static_cast<uint32_t>(held_out.size()), &range_curve_);
    return {};
}

}  // namespace quern::dense
