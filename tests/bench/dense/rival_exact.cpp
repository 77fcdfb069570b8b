// The exact scan: quern's own kernels over rows in memory and nothing around them. The floor for
// every index, and beside "quern exact" the price of the database around the scan.
#include "engine/kernels/distance.h"
#include "engine/kernels/top_k.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/dense/rival.h"
#include "tests/bench/dense/row_file.h"

namespace bench {
namespace {

namespace kernels = quern::kernels;
using quern::Element;
using quern::Metric;

constexpr size_t kBlockRows = 1024;

class ExactSearcher : public Searcher {
public:
    ExactSearcher(const Matrix* rows, Metric metric) : rows_(rows), metric_(metric) {}

    void Search(const float* query, size_t k, uint32_t* rows) override {
        const kernels::Query prepared =
            kernels::PrepareQuery(Element::kF32, metric_, query, rows_->dim);
        kernels::TopK top(k);
        float distances[kBlockRows];
        for (size_t first = 0; first < rows_->rows(); first += kBlockRows) {
            const size_t count = std::min(kBlockRows, rows_->rows() - first);
            kernels::Distances(Element::kF32, metric_, prepared, rows_->row(first), count, nullptr,
                               distances);
            for (size_t i = 0; i < count; i++) {
                if (distances[i] < top.Threshold()) {
                    top.Push(distances[i], static_cast<uint32_t>(first + i));
                }
            }
        }
        std::fill(rows, rows + k, kNoRow);
        for (const kernels::Hit& hit : top.Take()) {
            *rows++ = hit.position;
        }
    }

private:
    const Matrix* rows_;
    Metric metric_;
};

class ExactRival : public Rival {
public:
    explicit ExactRival(const Space& space)
        : metric_(space.metric == QUERN_L2 ? Metric::kL2 : Metric::kIp) {}

    double Build(const Matrix& rows, size_t, const std::string& path) override {
        WriteRows(path, rows);
        return 0;  // there is nothing to build
    }
    void Load(const std::string& path, size_t) override { rows_ = ReadRows(path); }
    std::vector<std::string> Efforts() const override { return {"scan"}; }
    std::unique_ptr<Searcher> NewSearcher(const std::string&) override {
        return std::make_unique<ExactSearcher>(&rows_, metric_);
    }

private:
    Metric metric_;
    Matrix rows_;
};

}  // namespace

void AddExactRival(std::vector<RivalKind>* kinds) {
    kinds->push_back({"exact", "exact scan",
                      [](const Space& space) { return std::make_unique<ExactRival>(space); }});
}

}  // namespace bench
