// Sign bits and exact re-scoring: the quantization that anybody can write in an afternoon, and so
// the one that an index has to beat. One bit a dimension (above the mean or not), a scan that
// counts differing bits, exact distances for the best 200, or for as many as the effort says.
//
// Compiled for the processor at hand: without a population count in the instruction set this rival
// would be a straw man.
#include <bit>

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

struct Signs {
    Matrix rows;
    std::vector<float> mean;
    size_t words = 0;             // of one row
    std::vector<uint64_t> codes;  // rows x words

    void Encode(const float* vector, uint64_t* code) const {
        std::fill(code, code + words, 0);
        for (size_t i = 0; i < rows.dim; i++) {
            code[i / 64] |= uint64_t{vector[i] > mean[i]} << (i % 64);
        }
    }
};

class SignsSearcher : public Searcher {
public:
    SignsSearcher(const Signs* signs, Metric metric, size_t rescored)
        : signs_(signs), metric_(metric), rescored_(rescored) {}

    void Search(const float* query, size_t k, uint32_t* rows) override {
        const Matrix& vectors = signs_->rows;
        PickByBits(query);
        const kernels::Query prepared =
            kernels::PrepareQuery(Element::kF32, metric_, query, vectors.dim);
        distances_.resize(picked_.size());
        kernels::DistancesPicked(Element::kF32, metric_, prepared, vectors.values.data(),
                                 picked_.data(), picked_.size(), nullptr, distances_.data());
        kernels::TopK top(k);
        for (size_t i = 0; i < picked_.size(); i++) {
            top.Push(distances_[i], picked_[i]);
        }
        std::fill(rows, rows + k, kNoRow);
        for (const kernels::Hit& hit : top.Take()) {
            *rows++ = hit.position;
        }
    }

private:
    // The rescored_ rows with the fewest differing bits; among equals at the border, the first.
    void PickByBits(const float* query) {
        const size_t count = signs_->rows.rows();
        const size_t words = signs_->words;
        code_.resize(words);
        signs_->Encode(query, code_.data());
        differing_.resize(count);
        const uint64_t* row = signs_->codes.data();
        for (size_t i = 0; i < count; i++, row += words) {
            uint64_t bits = 0;
            for (size_t word = 0; word < words; word++) {
                bits += static_cast<uint64_t>(std::popcount(row[word] ^ code_[word]));
            }
            differing_[i] = static_cast<uint32_t>(bits);
        }
        rows_with_.assign(words * 64 + 1, 0);
        for (const uint32_t bits : differing_) {
            rows_with_[bits]++;
        }
        uint32_t border = 0;
        size_t below = 0;
        while (border < words * 64 && below + rows_with_[border] < rescored_) {
            below += rows_with_[border++];
        }
        size_t room_at_border = rescored_ - std::min(rescored_, below);
        picked_.clear();
        for (size_t i = 0; i < count; i++) {
            if (differing_[i] > border) {
                continue;
            }
            if (differing_[i] == border) {
                if (room_at_border == 0) {
                    continue;
                }
                room_at_border--;
            }
            picked_.push_back(static_cast<uint32_t>(i));
        }
    }

    const Signs* signs_;
    Metric metric_;
    size_t rescored_;
    std::vector<uint64_t> code_;
    std::vector<uint32_t> differing_;
    std::vector<size_t> rows_with_;  // by number of differing bits
    std::vector<uint32_t> picked_;
    std::vector<float> distances_;
};

class SignsRival : public Rival {
public:
    explicit SignsRival(const Space& space)
        : metric_(space.metric == QUERN_L2 ? Metric::kL2 : Metric::kIp) {}

    double Build(const Matrix& rows, size_t, const std::string& path) override {
        WriteRows(path, rows);
        const auto start = Clock::now();
        signs_.rows = rows;
        Encode();
        return SecondsSince(start);
    }
    // Encoding takes less time than reading the rows would, so codes are not kept.
    void Load(const std::string& path, size_t) override {
        signs_.rows = ReadRows(path);
        Encode();
    }
    std::vector<std::string> Efforts() const override {
        std::vector<std::string> efforts;
        for (int rescored : {25, 50, 100, 200, 400, 800, 1600, 3200}) {
            efforts.push_back("rescore=" + std::to_string(rescored));
        }
        return efforts;
    }
    std::unique_ptr<Searcher> NewSearcher(const std::string& effort) override {
        return std::make_unique<SignsSearcher>(&signs_, metric_, EffortValue(effort, "rescore"));
    }

private:
    void Encode() {
        const size_t dim = signs_.rows.dim;
        std::vector<double> sums(dim, 0);
        for (size_t row = 0; row < signs_.rows.rows(); row++) {
            for (size_t i = 0; i < dim; i++) {
                sums[i] += static_cast<double>(signs_.rows.row(row)[i]);
            }
        }
        for (const double sum : sums) {
            signs_.mean.push_back(
                static_cast<float>(sum / static_cast<double>(signs_.rows.rows())));
        }
        signs_.words = (dim + 63) / 64;
        signs_.codes.resize(signs_.rows.rows() * signs_.words);
        for (size_t row = 0; row < signs_.rows.rows(); row++) {
            signs_.Encode(signs_.rows.row(row), signs_.codes.data() + row * signs_.words);
        }
    }

    Metric metric_;
    Signs signs_;
};

}  // namespace

void AddSignsRival(std::vector<RivalKind>* kinds) {
    kinds->push_back({"signs", "sign bits + exact re-scoring",
                      [](const Space& space) { return std::make_unique<SignsRival>(space); }});
}

}  // namespace bench
