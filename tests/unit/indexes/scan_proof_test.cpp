// What bounds of codes prove: no row is nearer than its codes allow, whatever the data; a search
// that is told to be exact for it has the answer of brute force; and in ordinary cases it is told.
#include "engine/dense/scan_proof.h"

#include <cstring>
#include <map>

#include "engine/dense/codes/code_bound.h"
#include "engine/dense/codes/row_errors.h"
#include "engine/kernels/distance.h"
#include "tests/unit/indexed_file.h"
#include "tests/unit/real_vectors.h"

using namespace quern;
using namespace quern::dense;
using namespace indexed;

namespace {

constexpr CodeChoice kBounded[] = {CodeChoice::k8Bit,  CodeChoice::k4Bit, CodeChoice::kLvq8,
                                   CodeChoice::kLvq4,  CodeChoice::kF16,  CodeChoice::kBF16,
                                   CodeChoice::kPacked};

// What codes find hard: outliers, dimensions of unlike size, data far from zero, all but constant
// dimensions, numbers near the ends of f32.
std::vector<float> HardRows(const std::string& kind, size_t count, uint64_t seed) {
    std::vector<float> rows = MakeRows(count, seed);
    std::mt19937_64 random(seed + 1);
    for (size_t i = 0; i < rows.size(); i++) {
        const size_t row = i / kDim;
        const size_t j = i % kDim;
        if (kind == "outliers" && random() % 2000 == 0) {
            rows[i] *= static_cast<float>(random() % 3000);
        } else if (kind == "long rows" && row % 300 == 7) {
            rows[i] *= 1e4f;
        } else if (kind == "unlike" && j % 3 != 0) {
            rows[i] *= std::pow(10.0f, static_cast<float>(j % 7) - 4);
        } else if (kind == "far") {
            rows[i] += 300.0f;
        } else if (kind == "constant" && j > 8 && random() % 4000 != 0) {
            rows[i] = 0.25f;
        } else if (kind == "tiny") {
            rows[i] *= 1e-17f;
        } else if (kind == "huge") {
            rows[i] *= 1e15f;
        } else if (kind == "repeats" && row % 3 != 0) {
            rows[i] = rows[(row - row % 3) * kDim + j];
        } else if (kind == "grid") {
            rows[i] = std::round(rows[i] * 2);  // ties everywhere
        }
    }
    return rows;
}

constexpr const char* kHard[] = {"plain",    "outliers", "long rows", "unlike",  "far",
                                 "constant", "tiny",     "huge",      "repeats", "grid"};

// Codes of rows with their errors.
struct Bounded {
    std::vector<float> values;
    std::vector<float> inverse;
    VectorRows rows;
    std::unique_ptr<Codes> codes;
    std::vector<uint8_t> code_rows;
    std::vector<float> norms;
    RowErrors errors;
    double longest = 0;
    Bounded(CodeChoice kind, Metric metric, std::vector<float> from, size_t dim)
        : values(std::move(from)) {
        const size_t count = values.size() / dim;
        inverse.resize(count);
        kernels::InverseNorms(Element::kF32, values.data(), count, dim, inverse.data());
        rows = {Element::kF32, metric,
                dim,           reinterpret_cast<const char*>(values.data()),
                count,         metric == Metric::kCosine ? inverse.data() : nullptr};
        Work work;
        auto trained = Codes::Train(kind, rows, 1, &work);
        REQUIRE(trained.ok());
        codes = std::move(*trained);
        code_rows.resize(count * codes->row_bytes());
        norms.resize(count);
        codes->Encode(rows, 0, count, code_rows.data(), norms.data());
        auto measured = RowErrors::Measure(*codes, rows, Rows(), 2, &work);
        REQUIRE(measured.ok());
        errors = std::move(*measured);
        for (size_t i = 0; i < count; i++) {
            double squares = 0;
            for (size_t j = 0; j < dim; j++) {
                squares += static_cast<double>(values[i * dim + j]) *
                           static_cast<double>(values[i * dim + j]);
            }
            longest = std::max(longest, std::sqrt(squares));
        }
    }
    CodeRows Rows() const {
        return {code_rows.data(), codes->has_norms() ? norms.data() : nullptr};
    }
};

std::vector<std::vector<float>> HardQueries(const Bounded& of, size_t dim) {
    std::vector<std::vector<float>> queries;
    const std::vector<float> others = HardRows("outliers", 4, 77);
    for (const size_t row : {size_t{0}, size_t{7}, size_t{500}, of.rows.count - 1}) {
        std::vector<float> query(&of.values[row * dim], &of.values[row * dim] + dim);
        queries.push_back(query);
        for (float& x : query) {
            x *= 1.5f;
        }
        query[row % dim] += 0.3f * query[(row + 1) % dim];
        queries.push_back(query);
        for (float& x : query) {
            x *= -40.0f;
        }
        queries.push_back(query);
        std::fill(query.begin(), query.end(), 0.0f);
        query[3] = 2.0f;
        queries.push_back(query);
        for (size_t j = 0; j < dim; j++) {
            query[j] = others[j % others.size()];
        }
        queries.push_back(query);
    }
    return queries;
}

struct Proofs {
    IndexedFile file;
    size_t dim;
    size_t count = 0;
    explicit Proofs(const char* name, size_t d = kDim) : file(name), dim(d) { file.dim = d; }

    void Fill(int32_t metric, const std::string& options, const std::vector<float>& vectors) {
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "part", QUERN_INT, nullptr);
        quern_schema_dense(schema, "emb", dim, metric, options.c_str());
        file.Ok(quern_create(file.db, "docs", schema, &file.err));
        quern_schema_free(schema);
        count = vectors.size() / dim;
        std::vector<int64_t> keys(count);
        std::vector<int64_t> parts(count);
        for (size_t i = 0; i < count; i++) {
            keys[i] = static_cast<int64_t>((i * 7919) % count);  // not in the order of rows
            parts[i] = static_cast<int64_t>(i % 10);
        }
        quern_batch* batch = quern_batch_new(file.db, "docs", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "part", parts.data(), nullptr);
        quern_batch_dense(batch, "emb", vectors.data(), dim, nullptr);
        file.Ok(quern_upsert(batch, nullptr, &file.err));
        quern_batch_free(batch);
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    }
    // There is memory for the index alone.
    void LeaveVectorsInFile() { file.Open("threads=2 memory_mb=1"); }
    struct Found {
        std::vector<std::pair<float, int64_t>> hits;
        bool exact = false;
        int64_t refined = 0;
        int64_t scored = 0;
        int64_t recall = 0;
        bool operator==(const Found& other) const { return hits == other.hits; }
    };
    Found Ask(const float* vector, size_t k, const std::string& options,
              const char* filter = nullptr) {
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, "emb", vector, 1, dim);
        quern_query_limit(query, k);
        quern_query_options(query, options.c_str());
        quern_query_filter(query, filter);
        quern_result* result = nullptr;
        file.Ok(quern_search(query, &result, &file.err));
        Found found;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            found.hits.emplace_back(quern_result_distance(result, row),
                                    quern_result_key_int(result, row));
        }
        found.exact = (quern_result_flags(result) & QUERN_FLAG_EXACT) != 0;
        found.refined = quern_result_stat(result, QUERN_RESULT_VECTORS_REFINED);
        found.scored = quern_result_stat(result, QUERN_RESULT_VECTORS_SCORED);
        found.recall = quern_result_stat(result, QUERN_RESULT_RECALL);
        quern_result_free(result);
        quern_query_free(query);
        return found;
    }
};

}  // namespace

TEST_CASE("no row has a score above what bounds allow at its distance", "[proof]") {
    const size_t count = 3000;
    for (const char* hard : kHard) {
        const std::vector<float> values = HardRows(hard, count, 5);
        for (const Metric metric : {Metric::kL2, Metric::kIp, Metric::kCosine}) {
            for (const CodeChoice kind : kBounded) {
                CAPTURE(hard, static_cast<int>(metric), static_cast<int>(kind));
                const Bounded coded(kind, metric, values, kDim);
                if (coded.errors.empty()) {
                    continue;
                }
                for (const std::vector<float>& query : HardQueries(coded, kDim)) {
                    const auto scorer = coded.codes->NewScorer(query.data(), coded.Rows());
                    const CodeBound bound(*coded.codes, query.data(), coded.longest);
                    const kernels::Query prepared =
                        kernels::PrepareQuery(Element::kF32, metric, query.data(), kDim);
                    std::vector<float> distances(count);
                    kernels::Distances(Element::kF32, metric, prepared, coded.values.data(), count,
                                       coded.rows.inverse_norms, distances.data());
                    size_t wrong = 0;
                    for (uint32_t i = 0; i < count; i++) {
                        float score = 0;
                        scorer->Score(&i, 1, &score);
                        const double error = coded.errors.Of(coded.errors.levels()[i]);
                        wrong += score > bound.HighestWithin(distances[i], error) ? 1 : 0;
                    }
                    REQUIRE(wrong == 0);
                }
            }
        }
    }
}

TEST_CASE("bounds leave a few times k rows where codes are good", "[proof]") {
    const size_t count = 4000;
    const std::vector<float> values = MakeRows(count, 5);
    const std::vector<float> queries = MakeRows(20, 6);
    const std::map<CodeChoice, size_t> most = {{CodeChoice::k8Bit, 25},
                                               {CodeChoice::kLvq8, 25},
                                               {CodeChoice::kF16, 11},
                                               {CodeChoice::kBF16, 13}};
    for (const Metric metric : {Metric::kL2, Metric::kIp, Metric::kCosine}) {
        for (const auto& [kind, rows_most] : most) {
            CAPTURE(static_cast<int>(metric), static_cast<int>(kind));
            const Bounded coded(kind, metric, values, kDim);
            REQUIRE(!coded.errors.empty());
            size_t left = 0;
            for (size_t q = 0; q < 20; q++) {
                const float* query = &queries[q * kDim];
                const auto scorer = coded.codes->NewScorer(query, coded.Rows());
                const CodeBound bound(*coded.codes, query, coded.longest);
                const kernels::Query prepared =
                    kernels::PrepareQuery(Element::kF32, metric, query, kDim);
                std::vector<float> distances(count);
                kernels::Distances(Element::kF32, metric, prepared, coded.values.data(), count,
                                   coded.rows.inverse_norms, distances.data());
                std::vector<float> sorted = distances;
                std::nth_element(sorted.begin(), sorted.begin() + 9, sorted.end());
                for (uint32_t i = 0; i < count; i++) {
                    float score = 0;
                    scorer->Score(&i, 1, &score);
                    const double error = coded.errors.Of(coded.errors.levels()[i]);
                    left += score <= bound.HighestWithin(sorted[9], error) ? 1 : 0;
                }
            }
            CHECK(left <= rows_most * 20);
        }
    }
}

TEST_CASE("errors of rows come back, and damaged ones are refused", "[proof]") {
    const Bounded coded(CodeChoice::k8Bit, Metric::kL2, HardRows("outliers", 1000, 3), kDim);
    const size_t bytes = coded.errors.bytes().bytes();
    REQUIRE(bytes == 1000 + sizeof(float));
    const auto read = [&](float unit, size_t length, size_t count) {
        Buffer buffer(length, nullptr);
        std::memcpy(buffer.data(), coded.errors.bytes().data(), std::min(length, bytes));
        std::memcpy(buffer.data(), &unit, sizeof(unit));
        return RowErrors::Read(std::move(buffer), count);
    };
    float unit = 0;
    std::memcpy(&unit, coded.errors.bytes().data(), sizeof(unit));
    const auto same = read(unit, bytes, 1000);
    REQUIRE(same.ok());
    CHECK(same->common() == coded.errors.common());
    CHECK(same->loose() == coded.errors.loose());
    CHECK(same->loose().size() <= 1000 / 64);
    CHECK(!same->loose().empty());
    for (size_t i = 0; i < 1000; i++) {
        REQUIRE(same->levels()[i] == coded.errors.levels()[i]);
    }
    constexpr float kInfinite = std::numeric_limits<float>::infinity();
    for (const float bad : {std::nanf(""), -1.0f, kInfinite, -kInfinite, 1e31f}) {
        CHECK(read(bad, bytes, 1000).status().code() == Code::kCorrupt);
    }
    CHECK(read(unit, bytes, 999).status().code() == Code::kCorrupt);
    CHECK(read(unit, bytes - 1, 1000).status().code() == Code::kCorrupt);
    CHECK(RowErrors::Read(Buffer(), 1000)->empty());
    // Kinds of codes without a bound have none.
    CHECK(Bounded(CodeChoice::k1Bit, Metric::kL2, MakeRows(1000, 3), kDim).errors.empty());
    CHECK(Bounded(CodeChoice::kProduct, Metric::kL2, MakeRows(1000, 3), kDim).errors.empty());
}

TEST_CASE("errors that are not those of the rows are found by whoever has these", "[proof]") {
    const size_t count = 900;
    for (const Metric metric : {Metric::kL2, Metric::kIp, Metric::kCosine}) {
        for (const CodeChoice kind : {CodeChoice::k8Bit, CodeChoice::kLvq4, CodeChoice::kF16}) {
            CAPTURE(static_cast<int>(metric), static_cast<int>(kind));
            const Bounded coded(kind, metric, HardRows("outliers", count, 3), kDim);
            GraphIndexOptions options;
            options.codes = kind;
            options.ef_build = 40;
            Work work;
            const auto built = GraphIndex::Build(coded.rows, options, &work);
            REQUIRE(built.ok());
            // With the unit that the file has times this.
            const auto load = [&](float times) {
                std::string head;
                Buffer arrays[kIndexArrays];
                for (size_t a = 0; a < kIndexArrays; a++) {
                    const IndexArrayView view = (*built)->Array(static_cast<IndexArray>(a));
                    const size_t bytes = static_cast<size_t>(view.items * view.item_bytes);
                    if (a == 0) {
                        head.assign(view.data, bytes);
                    } else if (bytes > 0) {
                        arrays[a] = Buffer(bytes, nullptr);
                        std::memcpy(arrays[a].data(), view.data, bytes);
                    }
                }
                char* const unit = arrays[static_cast<size_t>(IndexArray::kErrors)].data();
                float value = 0;
                std::memcpy(&value, unit, sizeof(value));
                value *= times;
                std::memcpy(unit, &value, sizeof(value));
                return GraphIndex::Load(Element::kF32, metric, kDim, count, head, arrays);
            };
            const auto holds = [&](const GraphIndex& index) {
                VectorRows rest = coded.rows;
                rest.rows += 100 * rest.row_bytes();
                rest.inverse_norms += rest.inverse_norms != nullptr ? 100 : 0;
                rest.count -= 100;
                return ErrorsHold(index, rest, 100);
            };
            const auto same = load(1);
            REQUIRE(same.ok());
            CHECK((*same)->proves());
            CHECK(holds(**built));
            CHECK(holds(**same));
            const auto smaller = load(0.9f);
            REQUIRE(smaller.ok());
            CHECK(!holds(**smaller));
            const auto none = load(-1);
            CHECK(none.status().code() == Code::kCorrupt);
        }
    }
}

TEST_CASE("with refine=proof a search by codes is exact, whatever the data", "[proof]") {
    const size_t count = 3000;
    const int32_t metrics[] = {QUERN_L2, QUERN_IP, QUERN_COSINE};
    const char* const codes[] = {"i8", "4bit", "lvq8", "f16", "bf16", "pq", "lvq4", "1bit"};
    size_t by_codes = 0;
    size_t asked = 0;
    size_t round = 0;
    for (const char* hard : kHard) {
        if (std::string(hard) == "huge" || std::string(hard) == "tiny") {
            continue;
        }
        const int32_t metric = metrics[round % 3];
        const char* kind = codes[round++];
        CAPTURE(hard, metric, kind);
        Proofs proofs("proof");
        std::vector<float> rows = HardRows(hard, count, 5);
        std::fill_n(&rows[11 * kDim], 4 * kDim, 0.0f);
        proofs.Fill(metric, std::string("index=graph m=8 codes=") + kind, rows);
        proofs.file.Delete({0, 5, 700});
        for (size_t q = 0; q < 12; q++) {
            const std::vector<float> query =
                q % 2 == 0 ? MakeRows(1, 100 + q)
                           : std::vector<float>(&rows[q * 31 * kDim], &rows[q * 31 * kDim] + kDim);
            const size_t k = q % 3 == 0 ? 1 : q % 3 == 1 ? 10 : 60;
            const char* filter = q % 4 < 2 ? nullptr : "part < 3";
            const auto truth = proofs.Ask(query.data(), k, "recall=exact", filter);
            for (const char* refine :
                 {"refine=proof", "refine=exact", "refine=auto", "refine=300"}) {
                CAPTURE(q, k, refine);
                const auto found = proofs.Ask(query.data(), k, refine, filter);
                const bool proof = std::string(refine) == "refine=proof";
                CHECK((!proof || found.exact));
                if (found.exact) {
                    CHECK(found.hits == truth.hits);
                    CHECK(found.recall == 1000000);
                }
                asked += proof ? 1 : 0;
                by_codes += proof && found.refined > 0 ? 1 : 0;
            }
        }
    }
    // Many are not answered by a scan of the vectors.
    CHECK(by_codes * 4 > asked);
}

TEST_CASE("proofs are told in the ordinary case, and equal brute force in double", "[proof]") {
    const size_t count = 6000;
    const std::vector<float> rows = MakeRows(count, 5);
    for (const char* kind : {"i8", "f16", "lvq8"}) {
        Proofs proofs("proved");
        proofs.Fill(QUERN_L2, std::string("index=graph m=8 codes=") + kind, rows);
        proofs.LeaveVectorsInFile();
        size_t told = 0;
        int64_t refined = 0;
        for (size_t q = 0; q < 20; q++) {
            const std::vector<float> query = MakeRows(1, 200 + q);
            std::vector<std::pair<double, int64_t>> truth;
            for (size_t i = 0; i < count; i++) {
                double squares = 0;
                for (size_t j = 0; j < kDim; j++) {
                    const double off =
                        static_cast<double>(rows[i * kDim + j]) - static_cast<double>(query[j]);
                    squares += off * off;
                }
                truth.emplace_back(squares, static_cast<int64_t>((i * 7919) % count));
            }
            std::sort(truth.begin(), truth.end());
            const auto found = proofs.Ask(query.data(), 10, "refine=proof");
            REQUIRE(found.exact);
            REQUIRE(found.hits.size() == 10);
            for (size_t i = 0; i < 10; i++) {
                CHECK(found.hits[i].second == truth[i].second);
            }
            CHECK(found.refined >= 10);  // by codes, and not by a scan of the vectors
            refined += found.refined;
            CHECK(found.scored <= 2 * static_cast<int64_t>(count));
            // Of so few matches the codes are scanned anyway.
            told += proofs.Ask(query.data(), 10, "recall=0.99", "part = 3").exact ? 1 : 0;
        }
        CAPTURE(kind, told, refined);
        CHECK(refined <= 20 * 60);
        CHECK(told >= 10);
    }
}

TEST_CASE("images are found exactly by their codes", "[proof]") {
    constexpr size_t kImages = 5000;
    std::vector<float> images = real_vectors::Images(kImages + 20);
    if (images.empty()) {
        WARN("no data");
        return;
    }
    // Whole numbers would be held as bytes, which are scanned as quickly as codes.
    for (float& x : images) {
        x /= 255;
    }
    constexpr size_t kImageDim = real_vectors::kImageDim;
    Proofs proofs("images", kImageDim);
    proofs.Fill(QUERN_L2, "index=graph codes=i8",
                {images.begin(), images.begin() + kImages * kImageDim});
    int64_t refined = 0;
    for (size_t q = 0; q < 20; q++) {
        const float* query = &images[(kImages + q) * kImageDim];
        const auto found = proofs.Ask(query, 10, "refine=proof");
        REQUIRE(found.exact);
        CHECK(found.refined > 0);
        CHECK(found.hits == proofs.Ask(query, 10, "recall=exact").hits);
        refined += found.refined;
    }
    // Single outliers have pixels without codes; others are near enough to theirs.
    CHECK(refined < static_cast<int64_t>(20 * 300));
}
