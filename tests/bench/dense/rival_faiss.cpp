// FAISS: its graph, and its lists of 4-bit product codes (fast scan) with exact refinement.
//
// The library is the distribution's, as a user links it. One query a call, as for everyone; the
// single OpenMP thread keeps the work on the thread whose clock is read. Cosine is inner product
// here, over vectors that the set has normalised.
#include <cblas.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_io.h>
#include <omp.h>
#include <quern.h>

#include <cmath>

#include "tests/bench/bench_support.h"
#include "tests/bench/dense/rival.h"

namespace bench {
namespace {

constexpr int kLinks = 16;
constexpr int kBuildBeam = 200;

faiss::MetricType MetricOf(const Space& space) {
    return space.metric == QUERN_L2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT;
}

void UseThreads(size_t threads) {
    omp_set_num_threads(static_cast<int>(threads));
    openblas_set_num_threads(static_cast<int>(threads));
}

class FaissSearcher : public Searcher {
public:
    explicit FaissSearcher(const faiss::Index* index) : index_(index) { UseThreads(1); }

    void Search(const float* query, size_t k, uint32_t* rows) override {
        distances_.resize(k);
        labels_.resize(k);
        index_->search(1, query, static_cast<faiss::Index::idx_t>(k), distances_.data(),
                       labels_.data());
        for (size_t i = 0; i < k; i++) {
            rows[i] = labels_[i] < 0 ? kNoRow : static_cast<uint32_t>(labels_[i]);
        }
    }

private:
    const faiss::Index* index_;
    std::vector<float> distances_;
    std::vector<faiss::Index::idx_t> labels_;
};

// What the two have in common; they differ in what is made and in what an effort sets.
class FaissRival : public Rival {
public:
    explicit FaissRival(const Space& space) : space_(space) {}

    double Build(const Matrix& rows, size_t threads, const std::string& path) override {
        UseThreads(threads);
        const auto start = Clock::now();
        Make(rows);
        const double seconds = SecondsSince(start);
        faiss::write_index(index_.get(), path.c_str());
        return seconds;
    }

    void Load(const std::string& path, size_t) override {
        index_.reset(faiss::read_index(path.c_str()));
    }

    std::unique_ptr<Searcher> NewSearcher(const std::string& effort) override {
        SetEffort(effort);
        return std::make_unique<FaissSearcher>(index_.get());
    }

protected:
    virtual void Make(const Matrix& rows) = 0;
    virtual void SetEffort(const std::string& effort) = 0;

    Space space_;
    std::unique_ptr<faiss::Index> index_;
};

class FaissGraph : public FaissRival {
public:
    using FaissRival::FaissRival;
    std::vector<std::string> Efforts() const override { return BeamEfforts(); }

protected:
    void Make(const Matrix& rows) override {
        auto graph = std::make_unique<faiss::IndexHNSWFlat>(static_cast<int>(space_.dim), kLinks,
                                                            MetricOf(space_));
        graph->hnsw.efConstruction = kBuildBeam;
        graph->add(static_cast<faiss::Index::idx_t>(rows.rows()), rows.values.data());
        index_ = std::move(graph);
    }
    void SetEffort(const std::string& effort) override {
        dynamic_cast<faiss::IndexHNSW&>(*index_).hnsw.efSearch =
            static_cast<int>(EffortValue(effort, "ef"));
    }
};

class FaissLists : public FaissRival {
public:
    using FaissRival::FaissRival;

    std::vector<std::string> Efforts() const override {
        std::vector<std::string> efforts;
        for (int refine : {1, 4, 16, 64}) {
            for (int lists = 1; lists <= 256; lists *= 2) {
                efforts.push_back("nprobe=" + std::to_string(lists) +
                                  " k_factor=" + std::to_string(refine));
            }
        }
        return efforts;
    }

protected:
    void Make(const Matrix& rows) override {
        const auto count = static_cast<faiss::Index::idx_t>(rows.rows());
        const auto lists =
            static_cast<size_t>(std::sqrt(static_cast<double>(rows.rows())) * kListFactor);
        // Each part has the same number of dimensions.
        const size_t part_dim = space_.dim % kPartDim == 0 ? kPartDim : 1;
        const size_t parts = space_.dim / part_dim;
        auto quantizer = std::make_unique<faiss::IndexFlat>(
            static_cast<faiss::Index::idx_t>(space_.dim), MetricOf(space_));
        auto codes = std::make_unique<faiss::IndexIVFPQFastScan>(
            quantizer.get(), space_.dim, lists, parts, kCodeBits, MetricOf(space_));
        codes->own_fields = true;
        quantizer.release();
        auto refined = std::make_unique<faiss::IndexRefineFlat>(codes.get());
        refined->own_fields = true;
        codes.release();
        refined->train(count, rows.values.data());
        refined->add(count, rows.values.data());
        index_ = std::move(refined);
    }
    void SetEffort(const std::string& effort) override {
        auto& refined = dynamic_cast<faiss::IndexRefineFlat&>(*index_);
        refined.k_factor = static_cast<float>(EffortValue(effort, "k_factor"));
        dynamic_cast<faiss::IndexIVF&>(*refined.base_index).nprobe = EffortValue(effort, "nprobe");
    }

private:
    static constexpr double kListFactor = 4;  // lists = 4 sqrt(rows), FAISS's own advice
    static constexpr size_t kPartDim = 4;     // dimensions behind one code
    static constexpr size_t kCodeBits = 4;    // all that fast scan knows
};

}  // namespace

void AddFaissRivals(std::vector<RivalKind>* kinds) {
    kinds->push_back({"faiss-hnsw", "FAISS HNSW",
                      [](const Space& space) { return std::make_unique<FaissGraph>(space); }});
    kinds->push_back({"faiss-ivfpq", "FAISS IVF-PQ fast scan + refine",
                      [](const Space& space) { return std::make_unique<FaissLists>(space); }});
}

}  // namespace bench
