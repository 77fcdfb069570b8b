#include "engine/dense/codes/pair_means.h"

#include <faiss/Clustering.h>
#include <omp.h>

#include <exception>
#include <limits>
#include <vector>

namespace quern::dense {

namespace {

// The centroids of a round, as FAISS asks for the nearest. Its own flat index would go through a
// matrix product, which does not pay for two dimensions.
class Centroids final : public faiss::Index {
public:
    Centroids() : faiss::Index(2, faiss::METRIC_L2) {}
    void add(idx_t n, const float* x) override {
        for (idx_t i = 0; i < n; i++) {
            x_.push_back(x[2 * i]);
            y_.push_back(x[2 * i + 1]);
        }
        ntotal += n;
    }
    void reset() override {
        x_.clear();
        y_.clear();
        ntotal = 0;
    }
    void search(idx_t n, const float* x, idx_t /*k*/, float* distances, idx_t* labels,
                const faiss::SearchParameters* /*params*/) const override {
        for (idx_t i = 0; i < n; i++) {
            distances[i] = std::numeric_limits<float>::infinity();
            labels[i] = 0;
            for (size_t c = 0; c < x_.size(); c++) {
                const float dx = x[2 * i] - x_[c];
                const float dy = x[2 * i + 1] - y_[c];
                const float distance = dx * dx + dy * dy;
                if (distance < distances[i]) {
                    distances[i] = distance;
                    labels[i] = static_cast<idx_t>(c);
                }
            }
        }
    }

private:
    std::vector<float> x_;
    std::vector<float> y_;
};

// FAISS's loops take as many threads as OpenMP says for the calling one.
class OneThread {
public:
    OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
    ~OneThread() { omp_set_num_threads(before_); }
    OneThread(const OneThread&) = delete;

private:
    int before_;
};

}  // namespace

Status PairMeans(const float* points, size_t count, size_t k, float* out) {
    const OneThread one_thread;
    try {
        faiss::ClusteringParameters parameters;
        parameters.niter = 12;                   // more moved the error by less than a hundredth
        parameters.min_points_per_centroid = 1;  // or it prints a warning
        parameters.max_points_per_centroid = std::numeric_limits<int>::max();
        faiss::Clustering clustering(2, static_cast<int>(k), parameters);
        Centroids centroids;
        clustering.train(static_cast<faiss::Index::idx_t>(count), points, centroids);
        std::copy(clustering.centroids.begin(), clustering.centroids.end(), out);
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& error) {
        return Status::Error(Code::kInternal, "k-means: %s", error.what());
    }
    return {};
}

}  // namespace quern::dense
