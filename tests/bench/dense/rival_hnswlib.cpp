// hnswlib at its best: this file alone is compiled for the processor at hand (-march=native),
// because the library chooses its kernels while it is compiled.
//
// Cosine is inner product here, over vectors that the set has normalised. M and efConstruction are
// those of every graph of the benchmark.
#include <hnswlib/hnswlib.h>
#include <quern.h>

#include <atomic>
#include <thread>

#include "tests/bench/bench_support.h"
#include "tests/bench/dense/rival.h"

namespace bench {
namespace {

constexpr size_t kLinks = 16;
constexpr size_t kBuildBeam = 200;

using Graph = hnswlib::HierarchicalNSW<float>;

class HnswlibSearcher : public Searcher {
public:
    explicit HnswlibSearcher(Graph* graph) : graph_(graph) {}

    void Search(const float* query, size_t k, uint32_t* rows) override {
        auto found = graph_->searchKnn(query, k);
        std::fill(rows, rows + k, kNoRow);
        for (; !found.empty(); found.pop()) {
            *rows++ = static_cast<uint32_t>(found.top().second);
        }
    }

private:
    Graph* graph_;
};

class HnswlibRival : public Rival {
public:
    explicit HnswlibRival(const Space& space) {
        if (space.metric == QUERN_L2) {
            space_ = std::make_unique<hnswlib::L2Space>(space.dim);
        } else {
            space_ = std::make_unique<hnswlib::InnerProductSpace>(space.dim);
        }
    }

    double Build(const Matrix& rows, size_t threads, const std::string& path) override {
        const auto start = Clock::now();
        graph_ = std::make_unique<Graph>(space_.get(), rows.rows(), kLinks, kBuildBeam);
        graph_->addPoint(rows.row(0), 0);
        std::atomic<size_t> next{1};
        std::vector<std::thread> workers;
        for (size_t i = 0; i < threads; i++) {
            workers.emplace_back([&] {
                for (size_t row = next++; row < rows.rows(); row = next++) {
                    graph_->addPoint(rows.row(row), row);
                }
            });
        }
        for (std::thread& worker : workers) {
            worker.join();
        }
        const double seconds = SecondsSince(start);
        graph_->saveIndex(path);
        return seconds;
    }

    void Load(const std::string& path, size_t spare_rows) override {
        graph_ = std::make_unique<Graph>(space_.get(), path);
        if (spare_rows > 0) {
            graph_->resizeIndex(graph_->cur_element_count + spare_rows);
        }
    }

    std::vector<std::string> Efforts() const override { return BeamEfforts(); }

    std::unique_ptr<Searcher> NewSearcher(const std::string& effort) override {
        graph_->setEf(EffortValue(effort, "ef"));
        return std::make_unique<HnswlibSearcher>(graph_.get());
    }

    void Insert(const float* rows, size_t count, uint32_t first) override {
        for (size_t i = 0; i < count; i++) {
            graph_->addPoint(rows + i * dim(), first + i);
        }
    }

private:
    size_t dim() { return space_->get_data_size() / sizeof(float); }

    std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
    std::unique_ptr<Graph> graph_;
};

}  // namespace

void AddHnswlibRival(std::vector<RivalKind>* kinds) {
    kinds->push_back({"hnswlib", "hnswlib",
                      [](const Space& space) { return std::make_unique<HnswlibRival>(space); },
                      /*keeps_index=*/true,
                      /*insert_batches=*/{1},
                      /*guards_itself=*/false});
}

}  // namespace bench
