#include "engine/dense/cell_means.h"

#include <faiss/Clustering.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "engine/kernels/distance.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr int kRounds = 8;            // more moved the recall of equal probes by less than 0.003
constexpr size_t kPointsAtOnce = 64;  // products of one call; also how often a worker may stop
// Packed centres of one call should stay in a common second-level cache.
constexpr size_t kBlockBytes = size_t{512} << 10;

// Where the smallest of v[0 .. count) is that is below *best; *best gets it. Eight at a time,
// which compilers turn into vectors.
size_t Least(const float* v, size_t count, float* best) {
    constexpr size_t kLanes = 8;
    size_t where = count;
    size_t i = 0;
    for (; i + kLanes * 2 <= count; i += kLanes * 2) {
        float low[kLanes];
        for (size_t j = 0; j < kLanes; j++) {
            low[j] = v[i + j] < v[i + kLanes + j] ? v[i + j] : v[i + kLanes + j];
        }
        float least = low[0];
        for (size_t j = 1; j < kLanes; j++) {
            least = low[j] < least ? low[j] : least;
        }
        if (least < *best) {
            for (size_t j = i; j < i + kLanes * 2; j++) {
                if (v[j] < *best) {
                    *best = v[j];
                    where = j;
                }
            }
        }
    }
    for (; i < count; i++) {
        if (v[i] < *best) {
            *best = v[i];
            where = i;
        }
    }
    return where;
}

struct Stop {
    Status status;
};

// What FAISS asks for the nearest centre.
class Assigner : public faiss::Index {
public:
    Assigner(size_t dim, int threads, Work* work)
        : faiss::Index(static_cast<idx_t>(dim)), threads_(threads), work_(work) {
        is_trained = true;
    }
    void add(idx_t n, const float* x) override {
        centres_.Set(x, static_cast<size_t>(n), static_cast<size_t>(d));
        ntotal = n;
    }
    void reset() override { ntotal = 0; }
    // Throws Stop.
    void search(idx_t n, const float* x, idx_t, float* distances, idx_t* labels,
                const faiss::SearchParameters*) const override {
        const auto count = static_cast<size_t>(n);
        const auto dim = static_cast<size_t>(d);
        std::atomic<size_t> next{0};
        const Status status = RunOnThreads(threads_, [&](int) -> Status {
            uint32_t nearest[kPointsAtOnce];
            while (true) {
                const size_t first = next.fetch_add(kPointsAtOnce);
                if (first >= count) {
                    return {};
                }
                const size_t now = std::min(kPointsAtOnce, count - first);
                centres_.Nearest(x + first * dim, now, nearest, distances + first);
                std::copy(nearest, nearest + now, labels + first);
                QUERN_TRY(work_->Check("build cells", round_ * count + first,
                                       static_cast<uint64_t>(kRounds) * count));
            }
        });
        if (!status.ok()) {
            throw Stop{status};
        }
        round_++;
    }

private:
    int threads_;
    Work* work_;
    CellCentres centres_;
    mutable size_t round_ = 0;
};

// FAISS's loops take as many threads as OpenMP says for the calling one.
class OpenMpThreads {
public:
    explicit OpenMpThreads(int threads) : before_(omp_get_max_threads()) {
        omp_set_num_threads(threads);
    }
    ~OpenMpThreads() { omp_set_num_threads(before_); }
    OpenMpThreads(const OpenMpThreads&) = delete;

private:
    int before_;
};

}  // namespace

void CellCentres::Set(const float* centres, size_t count, size_t dim) {
    count_ = count;
    dim_ = dim;
    block_ = std::clamp<size_t>(kBlockBytes / (dim * sizeof(float)), 48, 1008) / 48 * 48;
    packed_.clear();
    squared_norms_.resize(count);
    kernels::SquaredNorms(Element::kF32, centres, count, dim, squared_norms_.data());
    for (size_t first = 0; first < count; first += block_) {
        const size_t now = std::min(block_, count - first);
        std::vector<float>& packed = packed_.emplace_back(kernels::PackedRowsFloats(now, dim));
        kernels::PackRows(Element::kF32, centres + first * dim, now, dim, packed.data());
    }
}

void CellCentres::Nearest(const float* points, size_t point_count, uint32_t* labels,
                          float* distances) const {
    std::vector<float> products(kPointsAtOnce * block_);
    for (size_t start = 0; start < point_count; start += kPointsAtOnce) {
        const size_t now = std::min(kPointsAtOnce, point_count - start);
        float best[kPointsAtOnce];
        std::fill(best, best + now, std::numeric_limits<float>::infinity());
        std::fill(labels + start, labels + start + now, 0u);
        for (size_t block = 0; block < packed_.size(); block++) {
            const size_t first = block * block_;
            const size_t width = std::min(block_, count_ - first);
            kernels::InnerProductBlock(points + start * dim_, now, packed_[block].data(), width,
                                       dim_, products.data(), width);
            for (size_t i = 0; i < now; i++) {
                float* values = products.data() + i * width;
                for (size_t c = 0; c < width; c++) {
                    values[c] = squared_norms_[first + c] - 2.0f * values[c];
                }
                const size_t where = Least(values, width, &best[i]);
                if (where < width) {
                    labels[start + i] = static_cast<uint32_t>(first + where);
                }
            }
        }
        if (distances != nullptr) {
            kernels::SquaredNorms(Element::kF32, points + start * dim_, now, dim_,
                                  distances + start);
            for (size_t i = 0; i < now; i++) {
                distances[start + i] = std::max(0.0f, distances[start + i] + best[i]);
            }
        }
    }
}

Result<std::vector<float>> TrainCells(const float* points, size_t point_count, size_t dim,
                                      size_t cells, int threads, Work* work) {
    const OpenMpThreads open_mp(1);
    try {
        faiss::ClusteringParameters parameters;
        parameters.niter = kRounds;
        parameters.min_points_per_centroid = 1;  // or it prints a warning
        parameters.max_points_per_centroid = std::numeric_limits<int>::max();
        faiss::Clustering clustering(static_cast<int>(dim), static_cast<int>(cells), parameters);
        Assigner assigner(dim, threads, work);
        clustering.train(static_cast<faiss::Index::idx_t>(point_count), points, assigner);
        return std::move(clustering.centroids);
    } catch (const Stop& stop) {
        return stop.status;
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& error) {
        return Status::Error(Code::kInternal, "k-means: %s", error.what());
    }
}

}  // namespace quern::dense
