#include "tests/bench/hybrid/latent_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <unordered_map>

#include "engine/sparse/text_analyzer.h"
#include "storage/text_tokens.h"
#include "tests/bench/sparse/text_set.h"

namespace bench {

namespace {

constexpr size_t kMore = 16;  // columns beside those that are wanted
constexpr int kPowerRounds = 2;

using Row = std::vector<std::pair<uint32_t, float>>;  // word, weight

// A dense matrix of doubles, column after column: columns are what is worked on.
class Columns {
public:
    Columns(size_t height, size_t count) : height_(height), values_(height * count, 0) {}
    double* column(size_t i) { return &values_[i * height_]; }
    const double* column(size_t i) const { return &values_[i * height_]; }
    size_t height() const { return height_; }
    size_t count() const { return values_.size() / std::max<size_t>(1, height_); }

    // By Gram and Schmidt.
    void Orthogonalize() {
        for (size_t i = 0; i < count(); i++) {
            for (size_t j = 0; j < i; j++) {
                const double along =
                    std::inner_product(column(i), column(i) + height_, column(j), 0.0);
                for (size_t r = 0; r < height_; r++) {
                    column(i)[r] -= along * column(j)[r];
                }
            }
            const double length =
                std::sqrt(std::inner_product(column(i), column(i) + height_, column(i), 0.0));
            for (size_t r = 0; r < height_; r++) {
                column(i)[r] = length > 1e-12 ? column(i)[r] / length : 0;
            }
        }
    }

private:
    size_t height_;
    std::vector<double> values_;
};

// rows * in.
Columns Times(const std::vector<Row>& rows, const Columns& in) {
    Columns out(rows.size(), in.count());
    for (size_t i = 0; i < in.count(); i++) {
        for (size_t r = 0; r < rows.size(); r++) {
            double sum = 0;
            for (const auto& [word, weight] : rows[r]) {
                sum += static_cast<double>(weight) * in.column(i)[word];
            }
            out.column(i)[r] = sum;
        }
    }
    return out;
}

// rows, turned, * in.
Columns TimesTurned(const std::vector<Row>& rows, size_t words, const Columns& in) {
    Columns out(words, in.count());
    for (size_t i = 0; i < in.count(); i++) {
        for (size_t r = 0; r < rows.size(); r++) {
            for (const auto& [word, weight] : rows[r]) {
                out.column(i)[word] += static_cast<double>(weight) * in.column(i)[r];
            }
        }
    }
    return out;
}

// Eigenvectors of a symmetric matrix, those of the highest eigenvalues first, by Jacobi's
// rotations.
Columns EigenVectors(Columns matrix) {
    constexpr int kSweeps = 8;
    const size_t n = matrix.count();
    Columns vectors(n, n);
    for (size_t i = 0; i < n; i++) {
        vectors.column(i)[i] = 1;
    }
    for (int sweep = 0; sweep < kSweeps; sweep++) {
        for (size_t p = 0; p < n; p++) {
            for (size_t q = p + 1; q < n; q++) {
                const double off = matrix.column(q)[p];
                if (std::abs(off) < 1e-15) {
                    continue;
                }
                const double theta = (matrix.column(q)[q] - matrix.column(p)[p]) / (2 * off);
                const double t =
                    (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
                const double c = 1 / std::sqrt(t * t + 1);
                const double s = t * c;
                const auto turn = [&](double& a, double& b) {
                    const double before = a;
                    a = c * before - s * b;
                    b = s * before + c * b;
                };
                for (size_t k = 0; k < n; k++) {
                    turn(matrix.column(p)[k], matrix.column(q)[k]);
                }
                for (size_t k = 0; k < n; k++) {
                    turn(matrix.column(k)[p], matrix.column(k)[q]);
                    turn(vectors.column(p)[k], vectors.column(q)[k]);
                }
            }
        }
    }
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return matrix.column(a)[a] > matrix.column(b)[b]; });
    Columns sorted(n, n);
    for (size_t i = 0; i < n; i++) {
        std::copy_n(vectors.column(order[i]), n, sorted.column(i));
    }
    return sorted;
}

// The first right singular vectors of the rows.
Columns SingularVectors(const std::vector<Row>& rows, size_t words, size_t dim) {
    const size_t count = std::min({dim + kMore, rows.size(), words});
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    Columns space(words, count);
    for (size_t i = 0; i < count; i++) {
        for (size_t w = 0; w < words; w++) {
            space.column(i)[w] = normal(random);
        }
    }
    space.Orthogonalize();
    for (int round = 0; round < kPowerRounds; round++) {
        space = TimesTurned(rows, words, Times(rows, space));
        space.Orthogonalize();
    }
    // Within the space: the eigenvectors of what is left of the rows there.
    const Columns left = Times(rows, space);
    Columns small(count, count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j <= i; j++) {
            small.column(i)[j] = std::inner_product(left.column(i), left.column(i) + rows.size(),
                                                    left.column(j), 0.0);
            small.column(j)[i] = small.column(i)[j];
        }
    }
    const Columns turned = EigenVectors(std::move(small));
    Columns vectors(words, std::min(dim, count));
    for (size_t i = 0; i < vectors.count(); i++) {
        for (size_t j = 0; j < count; j++) {
            const double share = turned.column(i)[j];
            for (size_t w = 0; w < words; w++) {
                vectors.column(i)[w] += share * space.column(j)[w];
            }
        }
    }
    return vectors;
}

Matrix Folded(const std::vector<Row>& rows, const Columns& vectors) {
    const Columns along = Times(rows, vectors);
    Matrix matrix;
    matrix.dim = vectors.count();
    matrix.rows.resize(rows.size() * matrix.dim);
    for (size_t r = 0; r < rows.size(); r++) {
        double squares = 0;
        for (size_t i = 0; i < matrix.dim; i++) {
            squares += along.column(i)[r] * along.column(i)[r];
        }
        for (size_t i = 0; i < matrix.dim && squares > 0; i++) {
            matrix.rows[r * matrix.dim + i] =
                static_cast<float>(along.column(i)[r] / std::sqrt(squares));
        }
    }
    return matrix;
}

// Words by number, with how often each text has them.
class Counter {
public:
    Counter() : analyzer_(Open()) {}
    std::unordered_map<uint32_t, size_t> Count(const std::string& text, bool grow) {
        std::unordered_map<uint32_t, size_t> counts;
        terms_.clear();
        if (!analyzer_->Analyze(text, &terms_).ok()) {
            std::fprintf(stderr, "a text cannot be cut into words\n");
            std::exit(1);
        }
        for (const quern::sparse::TextTerm& term : terms_) {
            const auto found = grow ? numbers_.emplace(term.term, numbers_.size()).first
                                    : numbers_.find(term.term);
            if (found != numbers_.end()) {
                counts[static_cast<uint32_t>(found->second)]++;
            }
        }
        return counts;
    }
    size_t words() const { return numbers_.size(); }

private:
    static std::unique_ptr<quern::sparse::TextAnalyzer> Open() {
        auto analyzer =
            quern::sparse::TextAnalyzer::Open("porter stop=english", quern::storage::OpenTokenizer);
        return std::move(*analyzer);
    }
    std::unique_ptr<quern::sparse::TextAnalyzer> analyzer_;
    std::vector<quern::sparse::TextTerm> terms_;
    std::unordered_map<std::string, size_t> numbers_;
};

}  // namespace

LatentVectors MakeLatentVectors(const std::vector<std::string>& texts,
                                const std::vector<std::string>& queries, size_t dim) {
    Counter counter;
    std::vector<std::unordered_map<uint32_t, size_t>> counts;
    for (const std::string& text : texts) {
        counts.push_back(counter.Count(text, true));
    }
    std::vector<double> with(counter.words(), 0);
    for (const auto& of_text : counts) {
        for (const auto& entry : of_text) {
            with[entry.first]++;
        }
    }
    // A word that one text alone has says nothing of others, and has no number here.
    std::vector<uint32_t> numbers(with.size(), 0);
    uint32_t shared = 0;
    for (size_t word = 0; word < with.size(); word++) {
        numbers[word] = shared;
        shared += with[word] > 1 ? 1 : 0;
    }
    const auto weigh = [&](const std::unordered_map<uint32_t, size_t>& of_text) {
        Row row;
        double squares = 0;
        for (const auto& [word, times] : of_text) {
            if (with[word] > 1) {
                const double weight = (1 + std::log(static_cast<double>(times))) *
                                      std::log(static_cast<double>(texts.size()) / with[word]);
                row.emplace_back(numbers[word], static_cast<float>(weight));
                squares += weight * weight;
            }
        }
        std::sort(row.begin(), row.end());
        for (auto& entry : row) {
            entry.second /= static_cast<float>(std::sqrt(std::max(squares, 1e-30)));
        }
        return row;
    };
    std::vector<Row> rows;
    for (const auto& of_text : counts) {
        rows.push_back(weigh(of_text));
    }
    const Columns vectors = SingularVectors(rows, shared, dim);
    LatentVectors latent;
    latent.texts = Folded(rows, vectors);
    rows.clear();
    for (const std::string& query : queries) {
        rows.push_back(weigh(counter.Count(query, false)));
    }
    latent.queries = Folded(rows, vectors);
    return latent;
}

DenseCollection Latent(const std::filesystem::path& data, const std::string& name, size_t dim,
                       LatentVectors* vectors) {
    const TextSet set = ReadTextSet(data, name);
    DenseCollection collection;
    collection.ids = set.ids;
    collection.texts = set.texts;
    std::vector<std::string> queries;
    for (const auto& [id, text] : set.queries) {
        DenseQuery query;
        query.text = text;
        for (const auto& [record, gain] : set.gains.at(id)) {
            if (gain > 0) {
                query.gains[record] = gain;
            }
        }
        if (!query.gains.empty()) {
            queries.push_back(Words(text));
            collection.queries.push_back(query);
        }
    }
    *vectors = MakeLatentVectors(set.texts, queries, dim);
    collection.vectors = vectors->texts;
    for (size_t q = 0; q < collection.queries.size(); q++) {
        collection.queries[q].vector = vectors->queries.row(q);
    }
    return collection;
}

}  // namespace bench
