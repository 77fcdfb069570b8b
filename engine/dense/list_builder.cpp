// How a list index is made: k-means over a sample, every vector to its nearest centre, rows into
// cell order, and the curve measured with records that k-means has not seen.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <random>

#include "engine/dense/cell_means.h"
#include "engine/dense/flat.h"
#include "engine/dense/list_index.h"
#include "engine/dense/range_measure.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr size_t kListHeldOutMax = 500;  // recall within about 0.003 at 0.98
constexpr size_t kListHeldOutShare = 8;  // and never more than one record in so many
constexpr uint64_t kSampleSeed = 0x9E3779B97F4A7C15;
// Points of the sample for each cell; more moved the recall of equal probes by less than 0.003.
constexpr size_t kPointsPerCell = 40;
constexpr size_t kSampleFloatsMax = size_t{64} << 20;  // 256 MiB
// All centres are looked at by each search, and their cells by each look at the head.
constexpr size_t kCentreFloatsMax = size_t{16} << 20;  // 64 MiB
constexpr size_t kRowsAtOnce = 256;                    // that one worker turns into points or codes
constexpr float kRadiusRounding = 1e-5f;
// A squared norm beyond f32 must stay a number that can be added to.
constexpr float kLargestNorm = std::numeric_limits<float>::max();

// The middle of some points, where they are farther from zero than from it by so much that products
// in f32 would not tell them apart; else empty. Distances are the same from there.
std::vector<float> FarOrigin(const std::vector<float>& points, size_t dim) {
    constexpr double kFar = 64;  // times the spread; squared distances
    const size_t count = points.size() / dim;
    std::vector<double> sums(dim, 0.0);
    for (size_t i = 0; i < points.size(); i++) {
        sums[i % dim] += static_cast<double>(points[i]);
    }
    std::vector<float> middle(dim);
    double away = 0;
    for (size_t j = 0; j < dim; j++) {
        const double mean = sums[j] / static_cast<double>(count);
        middle[j] = static_cast<float>(mean);
        away += mean * mean;
    }
    double spread = 0;
    for (size_t i = 0; i < points.size(); i++) {
        const double rest = static_cast<double>(points[i]) - static_cast<double>(middle[i % dim]);
        spread += rest * rest;
    }
    return away * static_cast<double>(count) > kFar * spread ? middle : std::vector<float>();
}

void Subtract(const std::vector<float>& origin, std::vector<float>* points) {
    for (size_t i = 0; i < points->size() && !origin.empty(); i++) {
        (*points)[i] -= origin[i % origin.size()];
    }
}

// Points of the picked rows, from an origin (empty: zero), and what cell each goes to.
Status Assign(const CellSpace& space, const VectorRows& rows, const std::vector<uint32_t>& picked,
              const std::vector<float>& origin, const CellCentres& centres, int threads,
              std::vector<uint32_t>* labels, Work* work) {
    labels->resize(picked.size());
    std::atomic<size_t> next{0};
    return RunOnThreads(threads, [&](int) -> Status {
        std::vector<float> points(kRowsAtOnce * space.dim());
        while (true) {
            const size_t first = next.fetch_add(kRowsAtOnce);
            if (first >= picked.size()) {
                return {};
            }
            const size_t now = std::min(kRowsAtOnce, picked.size() - first);
            space.Points(rows, picked.data() + first, now, points.data());
            Subtract(origin, &points);
            centres.Nearest(points.data(), now, labels->data() + first, nullptr);
            QUERN_TRY(work->Check("fill cells", first, picked.size()));
        }
    });
}

// So many of the rows that a curve is measured with, spread at random; the others to *rest.
std::vector<uint32_t> HoldOut(const std::vector<uint32_t>& inside, std::vector<uint32_t>* rest) {
    std::vector<uint32_t> shuffled = inside;
    std::mt19937_64 random(kSampleSeed);
    for (size_t i = shuffled.size(); i > 1; i--) {
        std::swap(shuffled[i - 1], shuffled[random() % i]);
    }
    const size_t held = std::min(kListHeldOutMax, inside.size() / kListHeldOutShare);
    rest->assign(shuffled.begin() + static_cast<ptrdiff_t>(held), shuffled.end());
    shuffled.resize(held);
    return shuffled;
}

size_t CellsFor(uint32_t wanted, size_t inside, size_t dim) {
    const size_t usual = static_cast<size_t>(4 * std::sqrt(static_cast<double>(inside)));
    const size_t cells = wanted > 0 ? wanted : std::min(usual, inside / 4);
    return std::clamp<size_t>(std::min(cells, kCentreFloatsMax / dim), 1, inside);
}

}  // namespace

Result<std::unique_ptr<ListIndex>> ListIndex::Build(const VectorRows& rows,
                                                    const ListIndexOptions& options, Work* work) {
    std::unique_ptr<ListIndex> index(new ListIndex());
    index->element_ = rows.element;
    index->metric_ = rows.metric;
    index->dim_ = rows.dim;
    index->count_ = rows.count;
    std::vector<uint32_t> inside;
    index->outsiders_ = Outsiders::Find(rows, &inside);
    index->space_ = CellSpace(rows.element, rows.metric, rows.dim, CellSpace::Scale(rows, inside));
    index->begins_.assign(1, 0);
    if (!inside.empty()) {
        std::vector<uint32_t> rest;
        const std::vector<uint32_t> held_out = HoldOut(inside, &rest);
        std::vector<uint32_t> labels;
        QUERN_TRY(index->MakeCells(rows, inside, rest, options, &labels, work));
        QUERN_TRY(index->FillCells(rows, inside, labels, options, work));
        if (!held_out.empty()) {
            QUERN_TRY(index->Calibrate(rows, held_out, options.threads, work));
        }
    }
    index->EncodeHead();
    return index;
}

// sample: rows in random order, without those that are held out.
Status ListIndex::MakeCells(const VectorRows& rows, const std::vector<uint32_t>& inside,
                            const std::vector<uint32_t>& sample, const ListIndexOptions& options,
                            std::vector<uint32_t>* labels, Work* work) {
    const size_t cells =
        std::min(CellsFor(options.lists, inside.size(), dim_), std::max<size_t>(1, sample.size()));
    const size_t points = std::min(
        sample.size(), std::max(cells, std::min(cells * kPointsPerCell, kSampleFloatsMax / dim_)));
    centres_ = Buffer(cells * dim_ * sizeof(float), nullptr);
    auto* centres = reinterpret_cast<float*>(centres_.data());
    std::vector<float> origin;
    CellCentres ready;
    {
        std::vector<float> values(points * dim_);
        std::vector<uint32_t> picked(sample.begin(),
                                     sample.begin() + static_cast<ptrdiff_t>(points));
        // In the order of the rows: one pass through them.
        std::sort(picked.begin(), picked.end());
        space_.Points(rows, picked.data(), points, values.data());
        origin = FarOrigin(values, dim_);
        Subtract(origin, &values);
        QUERN_ASSIGN(const std::vector<float> trained,
                     TrainCells(values.data(), points, dim_, cells, options.threads, work));
        ready.Set(trained.data(), cells, dim_);
        for (size_t i = 0; i < cells * dim_; i++) {
            centres[i] = trained[i] + (origin.empty() ? 0.0f : origin[i % dim_]);
        }
    }
    return Assign(space_, rows, inside, origin, ready, options.threads, labels, work);
}

// Radius and rows of some places of a cell, whose numbers are there.
void ListIndex::FillPlaces(const VectorRows& rows, size_t cell, size_t first, size_t count,
                           FillSpace* space) {
    const size_t full_bytes = rows.row_bytes();
    const auto* numbers = reinterpret_cast<const uint32_t*>(numbers_.data()) + first;
    space->points.resize(count * dim_);
    space->distances.resize(count);
    space->gathered.resize(count * full_bytes);
    space->norms.resize(count);
    space_.Points(rows, numbers, count, space->points.data());
    kernels::Distances(Element::kF32, Metric::kL2,
                       kernels::PrepareQuery(Element::kF32, Metric::kL2, centre(cell), dim_),
                       space->points.data(), count, nullptr, space->distances.data());
    const float farthest = *std::max_element(space->distances.begin(), space->distances.end());
    radii_[cell] = std::max(radii_[cell], std::sqrt(farthest) * (1.0f + kRadiusRounding));
    for (size_t i = 0; i < count; i++) {
        std::memcpy(space->gathered.data() + i * full_bytes, rows.row(numbers[i]), full_bytes);
        space->norms[i] = rows.inverse_norms ? rows.inverse_norms[numbers[i]] : 0.0f;
    }
    char* out = rows_.data() + first * row_bytes();
    float* norms = norms_.bytes() > 0 ? reinterpret_cast<float*>(norms_.data()) + first : nullptr;
    if (!codes_) {
        std::memcpy(out, space->gathered.data(), count * full_bytes);
        if (norms != nullptr) {
            std::copy_n(space->norms.begin(), count, norms);
        }
        return;
    }
    VectorRows block = rows;
    block.rows = space->gathered.data();
    block.count = count;
    block.inverse_norms = rows.inverse_norms ? space->norms.data() : nullptr;
    codes_->Encode(block, 0, count, reinterpret_cast<uint8_t*>(out), norms);
    for (size_t i = 0; i < count && norms != nullptr; i++) {
        norms[i] = std::min(norms[i], kLargestNorm);
    }
}

Status ListIndex::FillCells(const VectorRows& rows, const std::vector<uint32_t>& inside,
                            const std::vector<uint32_t>& labels, const ListIndexOptions& options,
                            Work* work) {
    const size_t cells = centres_.bytes() / (dim_ * sizeof(float));
    begins_.assign(cells + 1, 0);
    for (const uint32_t label : labels) {
        begins_[label + 1]++;
    }
    for (size_t cell = 0; cell < cells; cell++) {
        begins_[cell + 1] += begins_[cell];
    }
    numbers_ = Buffer(inside.size() * sizeof(uint32_t), nullptr);
    auto* numbers = reinterpret_cast<uint32_t*>(numbers_.data());
    std::vector<uint32_t> next_place(begins_.begin(), begins_.end() - 1);
    for (size_t i = 0; i < inside.size(); i++) {
        numbers[next_place[labels[i]]++] = inside[i];
    }
    if (options.codes != CodeChoice::kNone && element_ != Element::kBit) {
        const bool small = options.codes == CodeChoice::k4Bit;
        QUERN_ASSIGN(std::unique_ptr<Codes> codes,
                     ScalarCodes::Train(small ? CodeChoice::k4Bit : CodeChoice::k8Bit, rows));
        codes_.reset(static_cast<ScalarCodes*>(codes.release()));
    }
    const bool squared = codes_ && metric_ == Metric::kL2;
    const bool inverse = !codes_ && metric_ == Metric::kCosine;
    rows_ = Buffer(inside.size() * row_bytes(), nullptr);
    norms_ = Buffer(squared || inverse ? inside.size() * sizeof(float) : 0, nullptr);
    radii_.assign(cells, 0.0f);
    std::atomic<size_t> next{0};
    QUERN_TRY(RunOnThreads(options.threads, [&](int) -> Status {
        FillSpace space;
        while (true) {
            const size_t cell = next.fetch_add(1);
            if (cell >= cells) {
                return {};
            }
            for (size_t first = begins_[cell]; first < begins_[cell + 1]; first += kRowsAtOnce) {
                FillPlaces(rows, cell, first,
                           std::min<size_t>(kRowsAtOnce, begins_[cell + 1] - first), &space);
            }
            QUERN_TRY(work->Check("write cells", cell, cells));
        }
    }));
    EncodeCentres();
    cells_ = Buffer(cells * 8, nullptr);
    for (size_t cell = 0; cell < cells; cell++) {
        const uint32_t size = begins_[cell + 1] - begins_[cell];
        std::memcpy(cells_.data() + cell * 8, &size, sizeof size);
        std::memcpy(cells_.data() + cell * 8 + 4, &radii_[cell], sizeof(float));
    }
    return {};
}

namespace {

// Adds what of the true neighbours (number, rank; sorted) is in the first places of a pool.
void CountRankedHits(const std::vector<std::pair<uint32_t, uint32_t>>& ranks,
                     const std::vector<kernels::Hit>& pool, size_t probe,
                     std::vector<uint64_t>* hits) {
    for (size_t place = 0; place < pool.size(); place++) {
        const uint32_t number = pool[place].position;
        const auto found = std::lower_bound(ranks.begin(), ranks.end(), std::make_pair(number, 0u));
        if (found == ranks.end() || found->first != number) {
            continue;
        }
        for (size_t k = 0; k < ProbeCurve::kK.size(); k++) {
            for (size_t r = 0; r < ProbeCurve::kRefine.size(); r++) {
                if (found->second < ProbeCurve::kK[k] && place < ProbeCurve::kRefine[r]) {
                    (*hits)[ProbeCurve::CellOf(k, probe, r)]++;
                }
            }
        }
    }
}

}  // namespace

// Among all that are inside; each row's list leaves the row itself out.
Status ListIndex::FindTruth(const VectorRows& rows, const std::vector<uint64_t>& outside, size_t k,
                            HeldOut* held_out, size_t count, Work* work) {
    const bool bits = rows.element == Element::kBit;
    std::vector<FlatQuery> queries;
    queries.reserve(count);
    for (size_t i = 0; i < count; i++) {
        const uint32_t number = held_out[i].number;
        Bytes& vector = held_out[i].vector;
        if (bits) {
            vector.assign(rows.row(number), rows.row_bytes());
        } else {
            vector.resize(rows.dim * sizeof(float));
            kernels::ToF32(rows.element, rows.row(number), 1, rows.dim,
                           reinterpret_cast<float*>(vector.data()));
        }
        FlatQuery& query = queries.emplace_back(k + 1);
        query.query = kernels::PrepareQuery(rows.element, rows.metric, vector.data(), rows.dim);
        if (!bits) {
            double squares = 0;
            const auto* values = reinterpret_cast<const float*>(vector.data());
            for (size_t j = 0; j < rows.dim; j++) {
                squares += static_cast<double>(values[j]) * static_cast<double>(values[j]);
            }
            query.norm = std::sqrt(squares);
        }
    }
    FlatScan scan({rows.element, rows.metric, rows.dim}, queries.data(), count);
    FlatRows all;
    all.rows = rows.rows;
    all.count = rows.count;
    all.inverse_norms = rows.inverse_norms;
    all.dead = outside.data();
    QUERN_TRY(scan.Run(all, work));
    for (size_t i = 0; i < count; i++) {
        for (const kernels::Hit& hit : queries[i].top.Take()) {
            if (hit.position != held_out[i].number && held_out[i].nearest.size() < k) {
                held_out[i].nearest.push_back(hit);
            }
        }
    }
    return {};
}

Status ListIndex::Calibrate(const VectorRows& rows, const std::vector<uint32_t>& held_out,
                            int threads, Work* work) {
    constexpr size_t kTruth = ProbeCurve::kK.back();
    constexpr size_t kBlock = 32;  // queries that go through the rows together
    const size_t truth_count = std::min(kTruth, inside_count() - 1);
    if (truth_count == 0) {
        return {};
    }
    std::vector<uint64_t> outside((rows.count + 63) / 64, ~uint64_t{0});
    for (size_t place = 0; place < inside_count(); place++) {
        outside[NumberAt(place) / 64] &= ~(uint64_t{1} << (NumberAt(place) % 64));
    }
    const size_t deep = std::min<size_t>(RangeCurve::kRanks.back(), inside_count() - 1);
    std::vector<HeldOut> held(held_out.size());
    for (size_t i = 0; i < held.size(); i++) {
        held[i].number = held_out[i];
    }
    std::vector<uint64_t> hits(ProbeCurve::kCells, 0);
    std::mutex mutex;
    std::atomic<size_t> next{0};
    QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
        ListSpace space;
        std::vector<uint64_t> mine(ProbeCurve::kCells, 0);
        std::vector<std::pair<uint32_t, uint32_t>> ranks;  // number, rank
        std::vector<kernels::Hit> pool;
        while (true) {
            const size_t first = next.fetch_add(kBlock);
            if (first >= held.size()) {
                break;
            }
            const size_t block = std::min(kBlock, held.size() - first);
            QUERN_TRY(FindTruth(rows, outside, first < kDeepQueries ? deep : truth_count,
                                held.data() + first, block, work));
            for (size_t q = 0; q < block; q++) {
                const uint32_t self = held[first + q].number;
                const std::vector<kernels::Hit>& truth = held[first + q].nearest;
                ListQuery query;
                query.vector = held[first + q].vector.data();
                query.k = ProbeCurve::kRefine.back();
                query.effort.refine = query.k;
                query.wanted = [self](uint32_t number) { return number != self; };
                ranks.clear();
                for (uint32_t i = 0; i < std::min(truth_count, truth.size()); i++) {
                    ranks.emplace_back(truth[i].position, i);
                }
                std::sort(ranks.begin(), ranks.end());
                QUERN_TRY(Begin(query, &space));
                size_t done = 0;
                for (size_t p = 0; p < ProbeCurve::kProbes.size(); p++) {
                    const size_t probes = std::min<size_t>(ProbeCurve::kProbes[p], cell_count());
                    Rank(probes, &space);
                    QUERN_TRY(Scan(query, space.order.data() + done, probes - done, nullptr, &space,
                                   work));
                    done = probes;
                    pool = space.pool;
                    std::sort(pool.begin(), pool.end());
                    pool.resize(std::min(pool.size(), query.k));
                    CountRankedHits(ranks, pool, p, &mine);
                }
                QUERN_TRY(work->Check("calibrate", first + q, held_out.size()));
            }
        }
        std::lock_guard<std::mutex> lock(mutex);
        for (size_t i = 0; i < hits.size(); i++) {
            hits[i] += mine[i];
        }
        return {};
    }));
    for (size_t k = 0; k < ProbeCurve::kK.size(); k++) {
        const auto wanted =
            static_cast<float>(std::min<size_t>(ProbeCurve::kK[k], truth_count) * held_out.size());
        for (size_t p = 0; p < ProbeCurve::kProbes.size(); p++) {
            for (size_t r = 0; r < ProbeCurve::kRefine.size(); r++) {
                curve_.At(k, p, r) = static_cast<float>(hits[ProbeCurve::CellOf(k, p, r)]) / wanted;
            }
        }
    }
    curve_.SetQueries(static_cast<uint32_t>(held.size()));
    return CalibrateRange(rows, held, threads, work);
}

}  // namespace quern::dense
