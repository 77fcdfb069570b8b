#include "tests/bench/filtered/marked_graph.h"

#include <hnswlib/hnswlib.h>

namespace bench {
namespace {

constexpr size_t kLinks = 16;
constexpr size_t kBuildBeam = 200;

class HnswlibGraph : public MarkedGraph {
public:
    HnswlibGraph(const Matrix& rows, bool l2) {
        if (l2) {
            space_ = std::make_unique<hnswlib::L2Space>(rows.dim);
        } else {
            space_ = std::make_unique<hnswlib::InnerProductSpace>(rows.dim);
        }
        graph_ = std::make_unique<hnswlib::HierarchicalNSW<float>>(space_.get(), rows.rows(),
                                                                   kLinks, kBuildBeam);
        for (size_t row = 0; row < rows.rows(); row++) {
            graph_->addPoint(rows.row(row), row);
        }
    }
    void Choose(const std::vector<uint8_t>& matching) override {
        marked_.resize(matching.size(), 0);
        for (size_t row = 0; row < matching.size(); row++) {
            const uint8_t wanted = matching[row] != 0 ? 0 : 1;
            if (wanted != marked_[row]) {
                wanted != 0 ? graph_->markDelete(row) : graph_->unmarkDelete(row);
                marked_[row] = wanted;
            }
        }
    }
    void Search(const float* query, size_t k, size_t beam, std::vector<uint32_t>* rows) override {
        graph_->setEf(beam);
        for (auto found = graph_->searchKnn(query, k); !found.empty(); found.pop()) {
            rows->push_back(static_cast<uint32_t>(found.top().second));
        }
    }

private:
    std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph_;
    std::vector<uint8_t> marked_;
};

}  // namespace

std::unique_ptr<MarkedGraph> MarkedGraph::Build(const Matrix& rows, bool l2) {
    return std::make_unique<HnswlibGraph>(rows, l2);
}

}  // namespace bench
