// Each kind of codes by itself: how well it orders, that its bytes come back, that damaged ones are
// refused or safe, and for 1-bit codes that the stated error is the true one.
#include "engine/dense/codes/codes.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "engine/dense/codes/bit_codes.h"
#include "engine/kernels/distance.h"
#include "tests/unit/every_level.h"

using namespace quern;
using namespace quern::dense;

namespace {

constexpr CodeChoice kKinds[] = {CodeChoice::k1Bit, CodeChoice::kProduct, CodeChoice::k4Bit,
                                 CodeChoice::kLvq4, CodeChoice::k8Bit,    CodeChoice::kLvq8,
                                 CodeChoice::kF16,  CodeChoice::kBF16};
constexpr Metric kMetrics[] = {Metric::kL2, Metric::kIp, Metric::kCosine};

struct Vectors {
    size_t dim;
    Metric metric;
    std::vector<float> values;
    std::vector<float> norms;
    Vectors(Metric m, size_t count, size_t d, unsigned seed, float mean = 0.5f)
        : dim(d), metric(m), values(count * d) {
        std::mt19937 random(seed);
        std::normal_distribution<float> normal;
        for (float& value : values) {
            value = normal(random) + mean;
        }
    }
    size_t count() const { return values.size() / dim; }
    const float* row(size_t i) const { return values.data() + i * dim; }
    VectorRows View() {
        norms.resize(count());
        kernels::InverseNorms(Element::kF32, values.data(), count(), dim, norms.data());
        return {Element::kF32, metric,
                dim,           reinterpret_cast<const char*>(values.data()),
                count(),       metric == Metric::kCosine ? norms.data() : nullptr};
    }
};

// Codes and their rows.
struct Coded {
    std::unique_ptr<Codes> codes;
    std::vector<uint8_t> rows;
    std::vector<float> norms;
    Coded(CodeChoice kind, const VectorRows& vectors, int threads = 1) {
        Work work;
        auto trained = Codes::Train(kind, vectors, threads, &work);
        REQUIRE(trained.ok());
        codes = std::move(*trained);
        REQUIRE(codes->kind() == kind);
        rows.resize(vectors.count * codes->row_bytes());
        norms.resize(codes->has_norms() ? vectors.count : 0);
        REQUIRE(codes->EncodeAll(vectors, rows.data(), norms.data(), threads, &work).ok());
    }
    CodeRows View() const { return {rows.data(), norms.empty() ? nullptr : norms.data()}; }
    std::vector<float> Scores(const float* query) const {
        const auto scorer = codes->NewScorer(query, View());
        const size_t count = rows.size() / codes->row_bytes();
        std::vector<uint32_t> nodes(count);
        std::vector<float> scores(count);
        for (uint32_t i = 0; i < count; i++) {
            nodes[i] = i;
        }
        for (size_t i = 0; i < count; i += 50) {
            scorer->Score(nodes.data() + i, std::min<size_t>(50, count - i), scores.data() + i);
        }
        return scores;
    }
};

std::vector<float> TrueDistances(const VectorRows& rows, const float* query) {
    std::vector<float> distances(rows.count);
    kernels::Distances(rows.element, rows.metric,
                       kernels::PrepareQuery(rows.element, rows.metric, query, rows.dim), rows.rows,
                       rows.count, rows.inverse_norms, distances.data());
    return distances;
}

// Of a line through the points, the share of the spread that it explains.
double Correlation(const std::vector<float>& x, const std::vector<float>& y) {
    double mean_x = 0;
    double mean_y = 0;
    const auto n = static_cast<double>(x.size());
    for (size_t i = 0; i < x.size(); i++) {
        mean_x += static_cast<double>(x[i]) / n;
        mean_y += static_cast<double>(y[i]) / n;
    }
    double xy = 0;
    double xx = 0;
    double yy = 0;
    for (size_t i = 0; i < x.size(); i++) {
        const double dx = static_cast<double>(x[i]) - mean_x;
        const double dy = static_cast<double>(y[i]) - mean_y;
        xy += dx * dy;
        xx += dx * dx;
        yy += dy * dy;
    }
    return xy / std::sqrt(xx * yy);
}

// What random vectors in a hundred dimensions give, less a little.
double ExpectedCorrelation(CodeChoice kind) {
    switch (kind) {
        case CodeChoice::k1Bit: return 0.72;
        case CodeChoice::kProduct: return 0.89;
        case CodeChoice::k4Bit: return 0.98;
        case CodeChoice::kLvq4: return 0.98;
        case CodeChoice::kF16: return 0.9999999;
        default: return 0.9998;
    }
}

std::string Written(const Codes& codes) {
    std::string bytes;
    ByteWriter writer(&bytes);
    codes.Write(&writer);
    return bytes;
}

}  // namespace

TEST_CASE("codes of every kind order vectors nearly as distances do", "[codes]") {
    AtEveryLevel([] {
        for (const Metric metric : kMetrics) {
            for (const size_t dim : {100, 64, 33}) {
                Vectors vectors(metric, 800, dim, 1);
                const Vectors queries(metric, 3, dim, 2);
                const VectorRows rows = vectors.View();
                for (const CodeChoice kind : kKinds) {
                    const Coded coded(kind, rows);
                    for (size_t q = 0; q < queries.count(); q++) {
                        const double found = Correlation(coded.Scores(queries.row(q)),
                                                         TrueDistances(rows, queries.row(q)));
                        INFO("kind " << int(kind) << " metric " << int(metric) << " dim " << dim);
                        CHECK(found > ExpectedCorrelation(kind));
                    }
                }
            }
        }
    });
}

TEST_CASE("codes are the same on several threads, and after a file", "[codes]") {
    for (const Metric metric : kMetrics) {
        Vectors vectors(metric, 3000, 21, 3);
        const VectorRows rows = vectors.View();
        for (const CodeChoice kind : kKinds) {
            INFO("kind " << int(kind) << " metric " << int(metric));
            const Coded one(kind, rows, 1);
            const Coded two(kind, rows, 2);
            REQUIRE(one.rows == two.rows);
            REQUIRE(one.norms == two.norms);
            const std::string bytes = Written(*one.codes);
            REQUIRE(bytes == Written(*two.codes));
            REQUIRE(static_cast<uint8_t>(bytes[0]) == static_cast<uint8_t>(kind));
            REQUIRE(one.codes->Valid(one.View(), rows.count));
            ByteReader reader(bytes);
            auto again = Codes::Read(&reader, metric, 21);
            REQUIRE(again.ok());
            REQUIRE(reader.AtEnd());
            REQUIRE(Written(**again) == bytes);
            const std::vector<float> before = one.Scores(vectors.row(5));
            Coded reloaded(kind, rows);
            reloaded.codes = std::move(*again);
            REQUIRE(before == reloaded.Scores(vectors.row(5)));
            for (size_t length = 0; length < bytes.size(); length += 1 + length / 8) {
                ByteReader cut(BytesView(bytes).substr(0, length));
                REQUIRE(Codes::Read(&cut, metric, 21).status().code() == Code::kCorrupt);
            }
        }
    }
    for (const int kind : {0, 3, 6, 7, 10, 15, 18, 255}) {
        const std::string bytes(4000, static_cast<char>(kind));
        ByteReader reader(bytes);
        REQUIRE(Codes::Read(&reader, Metric::kL2, 21).status().code() == Code::kCorrupt);
    }
}

TEST_CASE("dimensions without a spread take no room in a row and count in scores", "[codes]") {
    constexpr size_t kDim = 96;
    for (const Metric metric : kMetrics) {
        Vectors vectors(metric, 500, kDim, 6);
        Vectors queries(metric, 1, kDim, 7);
        for (size_t i = 0; i < vectors.count() && metric != Metric::kCosine; i++) {
            for (size_t j = 0; j < kDim; j += 3) {
                vectors.values[i * kDim + j] = 2.0f + static_cast<float>(j % 2);
            }
        }
        for (const CodeChoice kind : {CodeChoice::k4Bit, CodeChoice::k8Bit}) {
            INFO("kind " << int(kind) << " metric " << int(metric));
            const VectorRows rows = vectors.View();
            const Coded coded(kind, rows);
            const size_t whole = Codes::RowBytes(kind, metric, kDim);
            // Under cosine a value that is the same everywhere is not, at length one.
            CHECK(
                coded.codes->row_bytes() ==
                (metric == Metric::kCosine ? whole : Codes::RowBytes(kind, metric, kDim / 3 * 2)));
            std::vector<float> distances = coded.Scores(queries.row(0));
            coded.codes->ToDistances(queries.row(0), &distances);
            const auto truth = TrueDistances(rows, queries.row(0));
            CHECK(Correlation(distances, truth) > ExpectedCorrelation(kind));
            for (size_t i = 0; i < rows.count; i += 50) {
                CHECK(static_cast<double>(distances[i]) ==
                      Approx(static_cast<double>(truth[i])).epsilon(0.1).margin(2));
            }
        }
    }
}

TEST_CASE("codes with numbers that are none are refused", "[codes]") {
    Vectors vectors(Metric::kL2, 50, 20, 4);
    const VectorRows rows = vectors.View();
    const float bad = std::numeric_limits<float>::quiet_NaN();
    for (const CodeChoice kind : kKinds) {
        INFO("kind " << int(kind));
        Coded coded(kind, rows);
        std::string bytes = Written(*coded.codes);
        std::memcpy(bytes.data() + 1, &bad, sizeof bad);
        ByteReader reader(bytes);
        CHECK_FALSE(Codes::Read(&reader, Metric::kL2, 20).ok());
        // Rows begin with numbers in these kinds; in the others any bits are codes.
        std::memset(coded.rows.data() + 7 * coded.codes->row_bytes(), 0xff, 4);
        const bool has_numbers =
            kind != CodeChoice::k4Bit && kind != CodeChoice::k8Bit && kind != CodeChoice::kProduct;
        CHECK(coded.codes->Valid(coded.View(), rows.count) != has_numbers);
    }
}

TEST_CASE("codes of few, equal, huge and tiny vectors are numbers", "[codes]") {
    for (const Metric metric : kMetrics) {
        for (const size_t count : {1, 2, 15, 16, 40}) {
            for (const float scale : {0.0f, 1e-44f, 1e-30f, 1.0f, 1e18f, 3e38f}) {
                for (const bool equal : {false, true}) {
                    Vectors vectors(metric, count, 7, 5, 0.0f);
                    for (size_t i = 0; i < vectors.values.size(); i++) {
                        const float from = vectors.values[equal ? i % 7 : i];
                        vectors.values[i] = std::clamp(from, -1.0f, 1.0f) * scale;
                    }
                    const VectorRows rows = vectors.View();
                    for (const CodeChoice kind : kKinds) {
                        const Coded coded(kind, rows);
                        INFO("kind " << int(kind) << " metric " << int(metric) << " scale " << scale
                                     << " count " << count);
                        CHECK(coded.codes->Valid(coded.View(), count));
                        REQUIRE(coded.Scores(vectors.row(0)).size() == count);
                        const std::string bytes = Written(*coded.codes);
                        ByteReader written(bytes);
                        CHECK(Codes::Read(&written, metric, 7).ok());
                    }
                }
            }
        }
    }
}

TEST_CASE("the error of 1-bit codes is what they say", "[codes]") {
    for (const Metric metric : kMetrics) {
        for (const size_t dim : {100, 256, 784}) {
            Vectors vectors(metric, 2000, dim, 6, 0.3f);
            // Unlike spread, which a rotation evens out.
            for (size_t i = 0; i < vectors.values.size(); i++) {
                vectors.values[i] *= 1.0f / static_cast<float>(1 + i % dim % 10);
            }
            Vectors queries(metric, 40, dim, 7, 0.1f);
            for (size_t i = 0; i < queries.values.size(); i++) {
                queries.values[i] *= 1.0f / static_cast<float>(1 + i % dim % 10);
            }
            const VectorRows rows = vectors.View();
            const Coded coded(CodeChoice::k1Bit, rows);
            std::vector<uint32_t> nodes(rows.count);
            for (uint32_t i = 0; i < nodes.size(); i++) {
                nodes[i] = i;
            }
            double within = 0;
            std::vector<double> means;
            for (size_t q = 0; q < queries.count(); q++) {
                const auto scorer = coded.codes->NewScorer(queries.row(q), coded.View());
                const std::vector<float> scores = coded.Scores(queries.row(q));
                const std::vector<float> exact = TrueDistances(rows, queries.row(q));
                std::vector<float> estimates(rows.count);
                std::vector<float> errors(rows.count);
                REQUIRE(scorer->Estimate(nodes.data(), nodes.size(), scores.data(),
                                         estimates.data(), errors.data()));
                double mean = 0;
                for (size_t i = 0; i < rows.count; i++) {
                    const double off = static_cast<double>(estimates[i] - exact[i]);
                    within += std::fabs(off) <= static_cast<double>(errors[i]) ? 1 : 0;
                    mean += off / static_cast<double>(errors[i]) * BitCodes::kBoundErrors;
                }
                means.push_back(mean / static_cast<double>(rows.count));
            }
            INFO("metric " << int(metric) << " dim " << dim);
            const double coverage = within / static_cast<double>(rows.count * queries.count());
            CHECK(coverage >= 0.93);
            CHECK(coverage <= 0.955);
            // All errors of one query share its rounding: queries are the sample.
            double mean = 0;
            double squares = 0;
            for (const double of_query : means) {
                mean += of_query / static_cast<double>(means.size());
                squares += of_query * of_query / static_cast<double>(means.size());
            }
            const double error =
                std::sqrt((squares - mean * mean) / static_cast<double>(means.size() - 1));
            INFO("mean " << mean << " standard error " << error);
            CHECK(std::fabs(mean) <= 3 * error);
        }
    }
}

TEST_CASE("other codes state no error", "[codes]") {
    Vectors vectors(Metric::kIp, 30, 10, 8);
    const VectorRows rows = vectors.View();
    for (const CodeChoice kind : kKinds) {
        const Coded coded(kind, rows);
        const uint32_t node = 3;
        const float score = 0;
        float distance = 0;
        float error = 0;
        CHECK(coded.codes->NewScorer(vectors.row(0), coded.View())
                  ->Estimate(&node, 1, &score, &distance, &error) == (kind == CodeChoice::k1Bit));
    }
}
