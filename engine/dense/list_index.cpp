#include "engine/dense/list_index.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/dense/safe_length.h"
#include "storage/base/test_fault.h"

namespace quern::dense {

namespace {

constexpr size_t kScoresAtOnce =
    1024;  // scores of one call: a few KiB that stay in the first cache
// Centres that are near by their codes are measured: those that are asked for, and so many more.
constexpr size_t kSpareShare = 4;
constexpr size_t kSpareCentres = 16;
constexpr float kLargestCoded = 1e30f;
constexpr uint64_t kCheckEvery = 16;  // cells
// Of more than one in so many the others are scored along: that costs less than picking.
constexpr size_t kChosenShare = 2;
// k records are measured again only while the bound may still fall below that of some cell: seldom
// by more than this share of itself.
constexpr float kReach = 0.75f;

// Keeps the `size` least of the pool.
void Trim(size_t size, ListSpace* space) {
    std::vector<kernels::Hit>& pool = space->pool;
    if (pool.size() < size) {
        return;
    }
    std::nth_element(pool.begin(), pool.begin() + static_cast<ptrdiff_t>(size - 1), pool.end());
    pool.resize(size);
    space->threshold = pool.back().distance;
}

// Of the rows of the first cells less than this part of what the share promises is wanted.
constexpr double kFewWanted = 0.5;

// The k-th least score; there are so many.
float KthOf(size_t k, ListSpace* space) {
    const auto kth = space->pool.begin() + static_cast<ptrdiff_t>(k - 1);
    std::nth_element(space->pool.begin(), kth, space->pool.end());
    return kth->distance;
}

}  // namespace

void ListIndex::EncodeCentres() {
    if (!codes_ || cell_count() == 0) {
        return;
    }
    // Codes are of vectors, centres are scaled.
    std::vector<float> vectors(cell_count() * dim_);
    for (size_t i = 0; i < vectors.size(); i++) {
        // Beyond this squares leave f32 anyway, and codes would be made of what is no number.
        vectors[i] = std::clamp(centre(0)[i] / space_.scale(), -kLargestCoded, kLargestCoded);
    }
    const VectorRows rows{Element::kF32, Metric::kL2,
                          dim_,          reinterpret_cast<const char*>(vectors.data()),
                          cell_count(),  nullptr};
    centre_codes_.resize(cell_count() * codes_->row_bytes());
    centre_norms_.resize(cell_count());
    codes_->Encode(rows, 0, cell_count(), centre_codes_.data(), centre_norms_.data());
    for (float& norm : centre_norms_) {
        norm = std::min(norm, std::numeric_limits<float>::max());
    }
}

Status ListIndex::Begin(const ListQuery& query, ListSpace* space) const {
    space->point.resize(dim_);
    space_.QueryPoint(query.vector, space->point.data());
    double squares = 0;
    for (const float x : space->point) {
        squares += static_cast<double>(x) * static_cast<double>(x);
    }
    space->length = std::sqrt(squares);
    space->point_query =
        kernels::PrepareQuery(Element::kF32, space_.ranking(), space->point.data(), dim_);
    space->ranks.assign(cell_count(), std::numeric_limits<float>::quiet_NaN());
    space->nearness.resize(cell_count());
    space->order.resize(cell_count());
    std::iota(space->order.begin(), space->order.end(), 0u);
    space->sorted = 0;
    if (codes_) {
        const SafeQuery safe(metric_, query.vector, dim_);
        codes_->Prepare(metric_, safe.values(), &space->codes);
        const auto* of_centres = metric_ == Metric::kCosine
                                     ? space->point.data()
                                     : static_cast<const float*>(query.vector);
        codes_->Prepare(space_.ranking(), of_centres, &space->centre_codes);
        space->dots.resize(std::max(cell_count(), kScoresAtOnce));
        kernels::CodeDots(space->centre_codes.query, centre_codes_.data(), cell_count(),
                          space->dots.data());
        const bool ip = space_.ranking() == Metric::kIp;
        for (size_t cell = 0; cell < cell_count(); cell++) {
            space->nearness[cell] =
                (ip ? 0.0f : centre_norms_[cell]) +
                space->centre_codes.slope * static_cast<float>(space->dots[cell]);
        }
    } else {
        space->exact = kernels::PrepareQuery(element_, metric_, query.vector, dim_);
        MeasureCentres(space->order.data(), cell_count(), space);
        space->nearness = space->ranks;
    }
    space->pool.clear();
    space->pool_size = std::max<size_t>(1, std::max(query.k, query.effort.refine));
    space->threshold = std::numeric_limits<float>::infinity();
    space->bound = query.bound;
    space->next_measure = 1;
    space->opened = 0;
    space->stopped = false;
    space->passed = 0;
    space->scored = 0;
    space->guided = 0;
    return {};
}

void ListIndex::MeasureCentres(const uint32_t* cells, size_t count, ListSpace* space) const {
    space->numbers.clear();
    for (size_t i = 0; i < count; i++) {
        if (std::isnan(space->ranks[cells[i]])) {
            space->numbers.push_back(cells[i]);
        }
    }
    space->distances.resize(space->numbers.size());
    kernels::DistancesPicked(Element::kF32, space_.ranking(), space->point_query, centres_.data(),
                             space->numbers.data(), space->numbers.size(), nullptr,
                             space->distances.data());
    for (size_t i = 0; i < space->numbers.size(); i++) {
        // Of a query far beyond all vectors anything that can be sorted.
        const float rank = space->distances[i];
        space->ranks[space->numbers[i]] =
            std::isfinite(rank) ? rank : std::numeric_limits<float>::max();
    }
}

void ListIndex::Rank(size_t count, ListSpace* space) const {
    count = std::min(count, cell_count());
    if (count <= space->sorted) {
        return;
    }
    const auto by = [](const std::vector<float>& keys) {
        return [&keys](uint32_t a, uint32_t b) {
            return keys[a] != keys[b] ? keys[a] < keys[b] : a < b;
        };
    };
    const size_t fresh = count - space->sorted;
    const size_t measured =
        std::min(cell_count() - space->sorted, fresh + fresh / kSpareShare + kSpareCentres);
    const auto first = space->order.begin() + static_cast<ptrdiff_t>(space->sorted);
    const auto last = first + static_cast<ptrdiff_t>(measured);
    std::nth_element(first, last - 1, space->order.end(), by(space->nearness));
    MeasureCentres(&*first, measured, space);
    std::sort(first, last, by(space->ranks));
    space->sorted = count;
}

bool ListIndex::AnyWanted(const ListQuery& query, size_t begin, size_t end) const {
    size_t place = begin;
    while (place < end && !query.Wants(NumberAt(place))) {
        place++;
    }
    return place < end;
}

bool ListIndex::ChooseWanted(const ListQuery& query, size_t place, size_t count,
                             ListSpace* space) const {
    if (query.wanted_bits == nullptr) {
        return false;
    }
    space->chosen.resize(kScoresAtOnce);
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        space->chosen[chosen] = static_cast<uint32_t>(i);
        chosen += query.Wants(NumberAt(place + i)) ? 1 : 0;
    }
    space->chosen.resize(chosen);
    return chosen * kChosenShare < count;
}

Status ListIndex::ScanPiece(const ListQuery& query, size_t place, const CellPiece& piece,
                            ListSpace* space) const {
    space->scores.resize(kScoresAtOnce);
    space->dots.resize(std::max(space->dots.size(), kScoresAtOnce));
    space->picked.resize(kScoresAtOnce);
    const auto* norms = reinterpret_cast<const float*>(norms_.data());
    for (size_t first = 0; first < piece.count; first += kScoresAtOnce) {
        const size_t rows_here = std::min(kScoresAtOnce, piece.count - first);
        const size_t at = place + first;
        const char* rows = piece.rows + first * row_bytes();
        float* scores = space->scores.data();
        const bool some = ChooseWanted(query, at, rows_here, space);
        const uint32_t* chosen = space->chosen.data();
        const size_t now = some ? space->chosen.size() : rows_here;
        const auto row_of = [&](size_t i) { return some ? chosen[i] : static_cast<uint32_t>(i); };
        if (codes_) {
            const auto* codes = reinterpret_cast<const uint8_t*>(rows);
            if (some) {
                kernels::CodeDotsPicked(space->codes.query, codes, chosen, now, space->dots.data());
            } else {
                kernels::CodeDots(space->codes.query, codes, now, space->dots.data());
            }
            const float slope = space->codes.slope;
            for (size_t i = 0; i < now; i++) {
                scores[i] = slope * static_cast<float>(space->dots[i]);
            }
            for (size_t i = 0; i < now && norms != nullptr; i++) {
                scores[i] += norms[at + (TestFault(Fault::kNormsBeside) ? i : row_of(i))];
            }
        } else {
            const float* of_rows = norms != nullptr ? norms + at : nullptr;
            if (some) {
                kernels::DistancesPicked(element_, metric_, space->exact, rows, chosen, now,
                                         of_rows, scores);
            } else {
                kernels::Distances(element_, metric_, space->exact, rows, now, of_rows, scores);
            }
            for (size_t i = 0; i < now; i++) {
                // Sums beyond f32, in a vector that is there all the same.
                scores[i] =
                    std::isnan(scores[i]) ? std::numeric_limits<float>::infinity() : scores[i];
            }
        }
        const size_t count =
            kernels::SelectAtMost(scores, now, space->threshold, space->picked.data());
        for (size_t i = 0; i < count; i++) {
            const float score = scores[space->picked[i]];
            const uint32_t number = NumberAt(at + row_of(space->picked[i]));
            if (score > space->threshold || !query.Wants(number) ||
                (query.wanted && !query.wanted(number))) {
                continue;
            }
            space->pool.push_back({score, number});
            // Trimmed once when it is full, to have a threshold, then whenever it has doubled.
            if (space->pool.size() == space->pool_size * 2 ||
                (space->pool.size() == space->pool_size && std::isinf(space->threshold))) {
                Trim(space->pool_size, space);
            }
        }
        space->scored += now;
    }
    return {};
}

Status ListIndex::TightenBound(const ListQuery& query, const uint32_t* cells, size_t count,
                               ListSpace* space, bool* in_reach) const {
    if (query.k == 0 || space->pool.size() < query.k) {
        return {};
    }
    if (!codes_) {
        // Scores are distances.
        if (space->pool.size() >= space->pool_size) {
            space->bound = std::min(space->bound, space->threshold);
        }
        return {};
    }
    if (!query.measure || space->opened < space->next_measure) {
        return {};
    }
    float farthest = -std::numeric_limits<float>::infinity();
    for (size_t i = 0; i < count; i++) {
        farthest = std::max(farthest, LeastOf(cells[i], *space));
    }
    const float bound = space->bound;
    const bool within_reach = std::isinf(bound) ? metric_ == Metric::kIp || farthest > 0
                                                : farthest > bound - kReach * std::abs(bound);
    if (count == 0 || !within_reach) {
        *in_reach = false;
        return {};
    }
    space->next_measure = space->opened * 2;
    std::nth_element(space->pool.begin(), space->pool.begin() + static_cast<ptrdiff_t>(query.k - 1),
                     space->pool.end());
    space->numbers.clear();
    for (size_t i = 0; i < query.k; i++) {
        space->numbers.push_back(space->pool[i].position);
    }
    space->distances.resize(query.k);
    QUERN_TRY(query.measure(space->numbers.data(), query.k, space->distances.data()));
    const auto end = space->distances.end() - (TestFault(Fault::kBoundOfFewer) ? 1 : 0);
    space->bound = std::min(space->bound, *std::max_element(space->distances.begin(), end));
    return {};
}

Status ListIndex::Scan(const ListQuery& query, const uint32_t* cells, size_t count, CellRows* rows,
                       ListSpace* space, Work* work) const {
    MeasureCentres(cells, count, space);
    // Once the bound cannot spare the farthest of the cells that are left it never will: there are
    // fewer of them with each, and only what is measured moves the bound.
    bool in_reach = true;
    for (size_t i = 0; i < count; i++) {
        const auto [begin, end] = Cell(cells[i]);
        if (begin == end || !AnyWanted(query, begin, end)) {
            continue;
        }
        if (LeastOf(cells[i], *space) > space->bound) {
            space->passed++;
            continue;
        }
        space->pieces.clear();
        if (has_rows()) {
            space->pieces.push_back({rows_.data() + begin * row_bytes(), end - begin, nullptr});
        } else {
            QUERN_TRY(rows->Read(begin, end - begin, &space->pieces));
        }
        size_t place = begin;
        for (const CellPiece& piece : space->pieces) {
            QUERN_TRY(ScanPiece(query, place, piece, space));
            place += piece.count;
        }
        space->opened++;
        if (space->stop && space->stop()) {
            space->stopped = true;
            break;
        }
        if (in_reach) {
            QUERN_TRY(TightenBound(query, cells + i + 1, count - i - 1, space, &in_reach));
        }
        if (space->opened % kCheckEvery == 0 && work != nullptr) {
            QUERN_TRY(work->Check("search", 0, 0));
        }
    }
    space->pieces.clear();
    return {};
}

void ListIndex::Take(ListSpace* space, std::vector<uint32_t>* nearest) const {
    Trim(space->pool_size, space);
    std::sort(space->pool.begin(), space->pool.end());
    nearest->clear();
    for (const kernels::Hit& hit : space->pool) {
        nearest->push_back(hit.position);
    }
}

size_t ListIndex::RowsOf(const ListSpace& space, size_t cells) const {
    size_t rows = 0;
    for (size_t i = 0; i < cells; i++) {
        const auto [begin, end] = Cell(space.order[i]);
        rows += end - begin;
    }
    return rows;
}

Status ListIndex::Search(const ListQuery& query, CellRows* rows, ListSpace* space,
                         std::vector<uint32_t>* nearest, Work* work) const {
    QUERN_TRY(Begin(query, space));
    if (!query.guides.empty()) {
        const Status guided = SearchGuided(query, rows, space, work);
        Take(space, nearest);
        return guided;
    }
    size_t done = 0;
    size_t wanted = std::min(std::max<size_t>(1, query.effort.nprobe), cell_count());
    const size_t step = std::max<size_t>(1, wanted / 2);
    float last = std::numeric_limits<float>::infinity();
    Status scanned;
    while (done < wanted && scanned.ok() && !space->stopped) {
        Rank(wanted, space);
        scanned = Scan(query, space->order.data() + done, wanted - done, rows, space, work);
        done = wanted;
        if (space->pool.size() < query.k && !TestFault(Fault::kFewAreEnough)) {
            wanted = std::min(cell_count(), done * 2);
        } else if (query.wanted_bits != nullptr && query.k > 0) {
            // Where what is wanted is far away it is in cells that are about as far, each of which
            // may have some of it: on as long as there is anything nearer, and through all of them
            // when the first had few.
            const float now = KthOf(query.k, space);
            const bool few =
                static_cast<double>(space->scored) <
                kFewWanted * query.wanted_share * static_cast<double>(RowsOf(*space, done));
            wanted = few ? cell_count() : now < last ? std::min(cell_count(), done + step) : wanted;
            last = now;
        }
    }
    Take(space, nearest);
    return scanned;
}

}  // namespace quern::dense
