// The scan over codes by itself, how deep its candidates have to be measured, and searches that
// take it: those that no walk answers well.
#include "engine/dense/coded_scan.h"

#include <map>

#include "engine/dense/codes/codes.h"
#include "engine/dense/scan_depth.h"
#include "engine/kernels/top_k.h"
#include "tests/unit/indexed_file.h"

using namespace quern;
using namespace quern::dense;
using namespace indexed;

namespace {

constexpr size_t kRows = 5000;

struct Coded {
    std::vector<float> values = MakeRows(kRows, 3);
    VectorRows rows{Element::kF32, Metric::kL2, kDim, reinterpret_cast<const char*>(values.data()),
                    kRows,         nullptr};
    std::unique_ptr<Codes> codes;
    std::vector<uint8_t> code_rows;
    std::vector<float> norms;
    explicit Coded(CodeChoice kind) {
        Work work;
        auto trained = Codes::Train(kind, rows, 1, &work);
        REQUIRE(trained.ok());
        codes = std::move(*trained);
        code_rows.resize(kRows * codes->row_bytes());
        norms.resize(kRows);
        codes->Encode(rows, 0, kRows, code_rows.data(), norms.data());
    }
    std::unique_ptr<CodeScorer> Scorer(const float* query) const {
        return codes->NewScorer(query,
                                {code_rows.data(), codes->has_norms() ? norms.data() : nullptr});
    }
};

// A curve whose largest walks find `met` of the true ones; of these, the shares that stand among
// the first kRefine.
EffortCurve MakeCurve(double met, const std::vector<double>& among) {
    EffortCurve curve;
    curve.SetQueries(500);
    for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
        for (size_t step = 0; step < EffortCurve::kEf.size(); step++) {
            curve.Scored(k, step) = static_cast<float>(100 * (step + 1));
            for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
                const double share = r < among.size() ? among[r] : 1;
                curve.At(k, step, r) = static_cast<float>(met * share);
            }
        }
    }
    return curve;
}

struct Scan {
    IndexedFile file;
    std::vector<float> rows = MakeRows(12000, 3);
    std::vector<int64_t> sides;
    explicit Scan(const char* name) : file(name) {}

    // side: how far a record is along one direction, as a rank below 10000.
    void Fill(int32_t metric, const std::string& options, const std::vector<float>& vectors) {
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "side", QUERN_INT, nullptr);
        quern_schema_dense(schema, "emb", kDim, metric, options.c_str());
        file.Ok(quern_create(file.db, "docs", schema, &file.err));
        quern_schema_free(schema);
        const size_t count = vectors.size() / kDim;
        std::vector<std::pair<float, size_t>> order;
        for (size_t i = 0; i < count; i++) {
            order.emplace_back(vectors[i * kDim] + vectors[i * kDim + 1], i);
        }
        std::sort(order.begin(), order.end());
        sides.resize(count);
        std::vector<int64_t> keys(count);
        for (size_t i = 0; i < count; i++) {
            sides[order[i].second] = static_cast<int64_t>(i * 10000 / count);
            keys[i] = static_cast<int64_t>(i);
        }
        quern_batch* batch = quern_batch_new(file.db, "docs", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "side", sides.data(), nullptr);
        quern_batch_dense(batch, "emb", vectors.data(), kDim, nullptr);
        file.Ok(quern_upsert(batch, nullptr, &file.err));
        quern_batch_free(batch);
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    }
    // Queries where the records of low sides are.
    std::vector<float> LowQueries(size_t count) const {
        const std::vector<float> all = MakeRows(40 * count, 4);
        std::vector<std::pair<float, size_t>> order;
        for (size_t i = 0; i < 40 * count; i++) {
            order.emplace_back(all[i * kDim] + all[i * kDim + 1], i);
        }
        std::sort(order.begin(), order.end());
        std::vector<float> low;
        for (size_t i = 0; i < count; i++) {
            const float* row = &all[order[i].second * kDim];
            low.insert(low.end(), row, row + kDim);
        }
        return low;
    }
    struct Found {
        IndexedFile::Answer answer;
        int64_t scored = 0;
        uint32_t flags = 0;
        std::vector<bool> exact;  // of each query
    };
    // What was proved is true.
    static void CheckExact(const Found& found, const Found& truth) {
        for (size_t q = 0; q < found.exact.size(); q++) {
            if (found.exact[q]) {
                CHECK(found.answer.keys[q] == truth.answer.keys[q]);
            }
        }
    }
    // Queries one by one: of a batch a scan of all vectors is a product of matrices, which is hard
    // to beat in so few dimensions.
    Found Ask(const std::string& filter, const std::vector<float>& queries, size_t k,
              const std::string& options) {
        Found all;
        for (size_t q = 0; q < queries.size() / kDim; q++) {
            quern_query* query = quern_query_new(file.db, "docs");
            quern_query_dense(query, "emb", queries.data() + q * kDim, 1, kDim);
            quern_query_limit(query, k);
            quern_query_options(query, options.c_str());
            quern_query_filter(query, filter.empty() ? nullptr : filter.c_str());
            quern_result* result = nullptr;
            file.Ok(quern_search(query, &result, &file.err));
            all.answer.keys.emplace_back();
            all.answer.distances.emplace_back();
            for (size_t row = 0; row < quern_result_rows(result); row++) {
                all.answer.keys.back().push_back(quern_result_key_int(result, row));
                all.answer.distances.back().push_back(quern_result_distance(result, row));
            }
            all.flags |= quern_result_flags(result);
            all.exact.push_back((quern_result_flags(result) & QUERN_FLAG_EXACT) != 0);
            all.answer.refined += quern_result_stat(result, QUERN_RESULT_VECTORS_REFINED);
            all.scored += quern_result_stat(result, QUERN_RESULT_VECTORS_SCORED);
            quern_result_free(result);
            quern_query_free(query);
        }
        return all;
    }
    std::string Explain(const std::string& filter, size_t k, const char* options) {
        quern_query* query = quern_query_new(file.db, "docs");
        const std::vector<float> one(kDim, 0.1f);
        quern_query_dense(query, "emb", one.data(), 1, kDim);
        quern_query_limit(query, k);
        quern_query_options(query, options);
        quern_query_filter(query, filter.empty() ? nullptr : filter.c_str());
        quern_text* json = nullptr;
        file.Ok(quern_query_explain(query, &json, &file.err));
        const std::string text = quern_text_data(json);
        quern_text_free(json);
        quern_query_free(query);
        return text;
    }
};

bool Says(const std::string& text, const char* piece) {
    return text.find(piece) != std::string::npos;
}

}  // namespace

TEST_CASE("a scan over codes keeps the nearest of what is wanted", "[codes]") {
    std::mt19937_64 random(11);
    for (const CodeChoice kind : {CodeChoice::k8Bit, CodeChoice::k4Bit, CodeChoice::kLvq8,
                                  CodeChoice::kProduct, CodeChoice::k1Bit, CodeChoice::kF16}) {
        const Coded coded(kind);
        const std::vector<float> query = MakeRows(1, 5);
        const auto scorer = coded.Scorer(query.data());
        for (const uint32_t share : {1u, 2u, 50u, 4000u}) {
            std::vector<uint64_t> bits((kRows + 63) / 64, 0);
            std::vector<kernels::Hit> all;
            for (uint32_t node = 0; node < kRows; node++) {
                if (random() % share == 0) {
                    bits[node / 64] |= uint64_t{1} << (node % 64);
                    float score = 0;
                    scorer->Score(&node, 1, &score);
                    all.push_back({score, node});
                }
            }
            std::sort(all.begin(), all.end());
            for (const size_t keep : {size_t{1}, size_t{10}, size_t{700}, kRows}) {
                WalkSpace space;
                bool complete = false;
                Work work;
                REQUIRE(ScanCodes(*scorer,
                                  {bits.data(), kRows, keep, keep, coded.codes->row_bytes()},
                                  &space, &complete, &work)
                            .ok());
                CHECK(complete);
                CHECK(space.scored == all.size());
                REQUIRE(space.size == std::min(keep, all.size()));
                for (size_t i = 0; i < space.size; i++) {
                    REQUIRE(space.node(i) == all[i].position);
                    REQUIRE(space.distances[i] == all[i].distance);
                }
                // It ends with what it may score, of which it then has the nearest.
                space.scored_max = all.size() / 2;
                REQUIRE(ScanCodes(*scorer,
                                  {bits.data(), kRows, keep, keep, coded.codes->row_bytes()},
                                  &space, &complete, &work)
                            .ok());
                CHECK(complete == all.empty());
                CHECK(space.scored == all.size() / 2);
                CHECK(space.size == std::min(keep, all.size() / 2));
            }
        }
    }
}

TEST_CASE("how deep a scan over codes measures does not depend on what walks miss", "[codes]") {
    const std::vector<double> among = {0.6, 0.9, 0.95, 0.99, 0.999, 1};
    for (const double met : {1.0, 0.97, 0.8}) {
        const EffortCurve curve = MakeCurve(met, among);
        size_t last = 0;
        for (const double recall : {0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995}) {
            size_t depth = 0;
            REQUIRE(ScanDepth(curve, 10, recall, &depth));
            CHECK(depth >= std::max<size_t>(10, last));
            CHECK(ExpectOfDepth(curve, 10, depth) >= recall - 1e-4);
            last = depth;
        }
        CHECK(last <= 40);
        size_t ten = 0;
        size_t between = 0;
        size_t hundred = 0;
        size_t thousand = 0;
        REQUIRE(ScanDepth(curve, 10, 0.95, &ten));
        REQUIRE(ScanDepth(curve, 30, 0.95, &between));
        REQUIRE(ScanDepth(curve, 100, 0.95, &hundred));
        REQUIRE(ScanDepth(curve, 1000, 0.95, &thousand));
        CHECK(between >= ten);
        CHECK(hundred >= 100);
        CHECK(between <= hundred);
        CHECK(thousand >= 1000);
        CHECK(thousand <= 10 * hundred);
    }
    // What stands deep in the pools of walks may stand behind them as well.
    std::vector<double> poor = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
    size_t depth = 0;
    CHECK_FALSE(ScanDepth(MakeCurve(0.95, poor), 10, 0.95, &depth));
    CHECK_FALSE(ScanDepth(EffortCurve(), 10, 0.5, &depth));
    CHECK(ExpectOfDepth(EffortCurve(), 10, 100) == 0);
}

TEST_CASE("filters far from the query are answered by codes of what matches", "[filter][index]") {
    for (const std::string codes : {"i8", "4bit", "lvq8", "1bit", "pq"}) {
        CAPTURE(codes);
        Scan scan(("_coded_" + codes).c_str());
        scan.Fill(QUERN_L2, "index=graph m=8 ef_build=20 codes=" + codes, scan.rows);
        const std::vector<float> queries = scan.LowQueries(30);
        for (const std::string filter : {"side >= 5000", "side >= 7500", "side >= 9000"}) {
            CAPTURE(filter);
            const auto truth = scan.Ask(filter, queries, 10, "recall=exact");
            const auto found = scan.Ask(filter, queries, 10, "threads=1");
            CHECK(Recall(found.answer, truth.answer) >= 0.93);
            if (codes == "1bit" || codes == "pq") {
                continue;  // these measure so many again that of few all are
            }
            Scan::CheckExact(found, truth);
            // No scan of the vectors followed: each query measured its candidates alone.
            CHECK(found.answer.refined > 0);
            CHECK(found.answer.refined < truth.scored / 4);
            for (size_t q = 0; q < 30; q++) {
                REQUIRE(found.answer.keys[q].size() == 10);
                for (const int64_t key : found.answer.keys[q]) {
                    REQUIRE(scan.sides[static_cast<size_t>(key)] >= std::stoi(filter.substr(8)));
                }
            }
        }
    }
}

TEST_CASE("a recall that no walk reaches is reached by a scan over codes", "[index]") {
    // Links lead nowhere in what has as many dimensions as numbers: independent ones.
    Scan scan("_coded_whole");
    std::mt19937_64 random(8);
    std::normal_distribution<float> normal;
    for (float& x : scan.rows) {
        x = normal(random);
    }
    std::vector<float> queries(100 * kDim);
    for (float& x : queries) {
        x = normal(random);
    }
    scan.Fill(QUERN_L2, "index=graph codes=i8 m=4 ef_build=8", scan.rows);
    CHECK(Says(scan.Explain("", 10, "recall=0.99"), "\"way\":\"codes\""));
    const auto truth = scan.Ask("", queries, 10, "recall=exact");
    const auto check = [&](double least) {
        const auto found = scan.Ask("", queries, 10, "recall=0.99 threads=1");
        CHECK(Recall(found.answer, truth.answer) >= least);
        Scan::CheckExact(found, truth);
        CHECK(found.scored <= 100 * 12000);
        CHECK(found.answer.refined > 0);
        CHECK(found.answer.refined < 100 * 100);
    };
    check(0.985);
    // The dead are not among what is scored.
    std::vector<int64_t> gone;
    for (int64_t key = 0; key < 12000; key++) {
        if (key % 8 != 0) {
            gone.push_back(key);
        }
    }
    scan.file.Delete(gone);
    const auto left = scan.Ask("", queries, 10, "recall=exact");
    const auto found = scan.Ask("", queries, 10, "recall=0.95 threads=1");
    CHECK(Recall(found.answer, left.answer) >= 0.95);
    CHECK(found.scored <= 100 * 1500);
    for (const auto& keys : found.answer.keys) {
        REQUIRE(keys.size() == 10);
        for (const int64_t key : keys) {
            REQUIRE(key % 8 == 0);
        }
    }
}

TEST_CASE("zero vectors and repeats have their places in a scan over codes", "[filter][index]") {
    for (const int32_t metric : {QUERN_L2, QUERN_COSINE, QUERN_IP}) {
        CAPTURE(metric);
        Scan scan("_coded_outside");
        const std::vector<float> queries = scan.LowQueries(20);
        for (size_t i = 0; i < 12000; i += 10) {
            std::fill_n(&scan.rows[i * kDim], kDim, 0.0f);
        }
        // Three hundred times one vector that is near the queries.
        for (size_t i = 5; i < 3000; i += 10) {
            std::copy_n(queries.begin(), kDim,
                        scan.rows.begin() + static_cast<ptrdiff_t>(i * kDim));
        }
        scan.Fill(metric, "index=graph m=8 ef_build=20 codes=i8", scan.rows);
        for (const std::string filter :
             {"side >= 2000", "side < 3000", "side >= 8000", "id >= 5"}) {
            CAPTURE(filter);
            for (const size_t k : {size_t{10}, size_t{50}, size_t{500}}) {
                const auto truth = scan.Ask(filter, queries, k, "recall=exact");
                const auto found = scan.Ask(filter, queries, k, "recall=0.98");
                for (size_t q = 0; q < 20; q++) {
                    REQUIRE(found.answer.keys[q].size() == truth.answer.keys[q].size());
                    const std::set<int64_t> once(found.answer.keys[q].begin(),
                                                 found.answer.keys[q].end());
                    REQUIRE(once.size() == found.answer.keys[q].size());
                }
                size_t near = 0;
                size_t all = 0;
                for (size_t q = 0; q < 20; q++) {
                    for (size_t i = 0; i < found.answer.distances[q].size(); i++) {
                        const float last = truth.answer.distances[q].back();
                        near +=
                            found.answer.distances[q][i] <= last + std::abs(last) * 1e-4f + 1e-6f
                                ? 1
                                : 0;
                        all++;
                    }
                }
                // The queries are unlike the records: farther out than any of these.
                CHECK(static_cast<double>(near) >= 0.95 * static_cast<double>(all));
            }
        }
    }
}

TEST_CASE("lists with a filter score what matches, in the cells that have any",
          "[filter][index][lists]") {
    for (const std::string options : {"index=lists", "index=lists codes=4bit"}) {
        CAPTURE(options);
        Scan scan("_coded_lists");
        scan.Fill(QUERN_L2, options, scan.rows);
        const std::vector<float> queries = scan.LowQueries(30);
        for (const std::string filter :
             {"side >= 8000", "side < 2000", "side % 6 = 0", "side >= 5000"}) {
            CAPTURE(filter);
            const auto truth = scan.Ask(filter, queries, 10, "recall=exact");
            // Of so few and short vectors a scan of a part costs less: lists are asked for.
            const auto found = scan.Ask(filter, queries, 10, "threads=1 nprobe=40");
            CHECK(Recall(found.answer, truth.answer) >= 0.93);
            CHECK((found.flags & QUERN_FLAG_EXACT) == 0);
            // Of a batch, a scan of vectors would measure all that matches for each query.
            if (filter != "side >= 5000") {
                CHECK(found.scored <= truth.scored);
            }
            for (const auto& keys : found.answer.keys) {
                REQUIRE(keys.size() == 10);
            }
        }
        CHECK(Says(scan.Explain("side >= 5000", 10, ""), "\"way\":\"lists\""));
        CHECK(Says(scan.Explain("side >= 8000", 10, ""), "\"way\":\"scan\""));
        const auto by_default = scan.Ask("side >= 5000", queries, 10, "threads=1");
        CHECK((by_default.flags & QUERN_FLAG_EXACT) == 0);
        CHECK(Recall(by_default.answer,
                     scan.Ask("side >= 5000", queries, 10, "recall=exact").answer) >= 0.93);
        // Most of them dead: no filter, but the same look.
        std::vector<int64_t> gone;
        for (int64_t key = 0; key < 12000; key++) {
            if (key % 6 != 0) {
                gone.push_back(key);
            }
        }
        scan.file.Delete(gone);
        const auto truth = scan.Ask("", queries, 10, "recall=exact");
        const auto found = scan.Ask("", queries, 10, "threads=1 nprobe=40");
        CHECK(Recall(found.answer, truth.answer) >= 0.93);
        for (const auto& keys : found.answer.keys) {
            REQUIRE(keys.size() == 10);
        }
    }
}

TEST_CASE("options and budgets hold for scans over codes", "[filter][index][budget]") {
    Scan scan("_coded_options");
    scan.Fill(QUERN_L2, "index=graph codes=i8", scan.rows);
    const std::vector<float> queries = scan.LowQueries(10);
    const char* const far = "side >= 6000";
    const auto truth = scan.Ask(far, queries, 10, "recall=exact");
    const auto counted = scan.Ask(far, queries, 10, "refine=37 threads=1");
    CHECK(counted.answer.refined == 10 * 37);
    CHECK(Recall(counted.answer, truth.answer) >= 0.95);
    const auto of_codes = scan.Ask(far, queries, 10, "refine=none threads=1");
    CHECK((of_codes.flags & QUERN_FLAG_UNREFINED) != 0);
    CHECK(of_codes.answer.refined == 0);
    for (size_t q = 0; q < 10; q++) {
        for (size_t i = 0; i < 10; i++) {
            CHECK(of_codes.answer.distances[q][i] ==
                  Approx(truth.answer.distances[q][i]).epsilon(0.1));
        }
    }
    // No more than may be scored, walks that have given up included.
    for (const int most : {100, 1000, 3000}) {
        const std::string options = "max_scored=" + std::to_string(most);
        const auto cut = scan.Ask(far, queries, 10, options);
        CHECK(cut.scored <= 10 * (most + 64));
        CHECK((cut.flags & QUERN_FLAG_PARTIAL) != 0);
    }
    const auto whole = scan.Ask(far, queries, 10, "max_scored=100000");
    CHECK((whole.flags & QUERN_FLAG_PARTIAL) == 0);
    CHECK(Recall(whole.answer, truth.answer) >= 0.95);
}
