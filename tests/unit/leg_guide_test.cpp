// Dense legs that are guided by others: which cells of a list index are opened, what a graph finds
// behind a wall, and queries through the C API.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "engine/dense/graph_index.h"
#include "engine/dense/list_index.h"
#include "indexed_file.h"

using namespace quern;
using namespace quern::dense;

namespace {

constexpr size_t kDim = 16;
constexpr size_t kGroups = 30;

// Vectors in groups that lie apart: group g is about kGroups * e(g % dim) or minus that.
std::vector<float> Grouped(size_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> rows(count * kDim);
    for (float& x : rows) {
        x = normal(random) * 0.4f;
    }
    for (size_t i = 0; i < count; i++) {
        const size_t group = i % kGroups;
        rows[i * kDim + group % kDim] += group < kDim ? 12.0f : -12.0f;
    }
    return rows;
}

std::string Message(quern_query* query, int32_t status) {
    quern_error err = QUERN_ERROR_INIT;
    quern_result* result = nullptr;
    CHECK(quern_search(query, &result, &err) == status);
    quern_result_free(result);
    return err.message;
}

// Texts whose word names the group of another record's vector.
struct Guided {
    indexed::IndexedFile file;
    std::vector<float> rows;
    size_t count;
    explicit Guided(const char* options, size_t n = 6000) : count(n) {
        rows = Grouped(n, 5);
        vector.assign(rows.begin() + 2 * kDim, rows.begin() + 3 * kDim);
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, QUERN_L2, options);
        quern_schema_dense(schema, "other", kDim, QUERN_L2, "index=none");
        quern_schema_text(schema, "body", nullptr);
        quern_schema_sparse(schema, "terms", nullptr);
        quern_schema_attr(schema, "odd", QUERN_BOOL, nullptr);
        file.Ok(quern_create(file.db, "docs", schema, &file.err));
        quern_schema_free(schema);
        std::vector<int64_t> keys(n);
        std::vector<std::string> texts;
        std::vector<const char*> pointers;
        std::vector<size_t> offsets{0};
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        std::vector<uint8_t> odd;
        std::iota(keys.begin(), keys.end(), 0);
        for (size_t i = 0; i < n; i++) {
            texts.push_back("g" + std::to_string(i % kGroups));
            dims.push_back(static_cast<uint32_t>(i % kGroups));
            weights.push_back(1 + 1 / static_cast<float>(i + 1));
            offsets.push_back(dims.size());
            odd.push_back(i % 2);
        }
        for (const std::string& text : texts) {
            pointers.push_back(text.c_str());
        }
        quern_batch* batch = quern_batch_new(file.db, "docs", n);
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", rows.data(), kDim, nullptr);
        quern_batch_dense(batch, "other", rows.data(), kDim, nullptr);
        quern_batch_text(batch, "body", pointers.data(), nullptr);
        quern_batch_sparse(batch, "terms", offsets.data(), dims.data(), weights.data(), nullptr);
        quern_batch_bool(batch, "odd", odd.data(), nullptr);
        file.Ok(quern_insert(batch, nullptr, &file.err));
        quern_batch_free(batch);
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    }

    // Looks for a vector of group 2 and the word of group 5, k hits by the dense leg alone.
    std::vector<float> vector;
    const char* word = "g5";
    uint32_t dim = 5;
    float weight = 1;
    size_t ends[2] = {0, 1};
    quern_query* Query(const char* knobs, const char* leg_options, double of_text = 0.001,
                       const char* guide = "body") {
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query* dense = quern_query_new(file.db, "docs");
        quern_query_dense(dense, "emb", vector.data(), 1, kDim);
        quern_query_options(dense, knobs);
        quern_query_limit(dense, 500);
        quern_query* text = quern_query_new(file.db, "docs");
        std::string(guide) == "body" ? quern_query_text(text, "body", &word, 1)
                                     : quern_query_sparse(text, "terms", ends, &dim, &weight, 1);
        quern_query_limit(text, 50);
        quern_query_leg(query, dense, 1, leg_options);
        quern_query_leg(query, text, of_text, nullptr);
        quern_query_free(dense);
        quern_query_free(text);
        return query;
    }
};

}  // namespace

TEST_CASE("guides open the cells that have most of them", "[guide]") {
    const std::vector<float> values = Grouped(3000, 3);
    const VectorRows rows{Element::kF32, Metric::kL2,
                          kDim,          reinterpret_cast<const char*>(values.data()),
                          3000,          nullptr};
    ListIndexOptions options;
    options.lists = 60;
    Work work;
    auto built = ListIndex::Build(rows, options, &work);
    REQUIRE(built.ok());
    const ListIndex& index = **built;
    std::vector<uint32_t> cell_of(index.count());
    index.CellOfEach(cell_of.data());
    for (uint32_t vector = 0; vector < index.count(); vector++) {
        if (cell_of[vector] == kNoCell) {
            continue;
        }
        const auto [begin, end] = index.Cell(cell_of[vector]);
        bool there = false;
        for (size_t place = begin; place < end; place++) {
            there = there || index.NumberAt(place) == vector;
        }
        REQUIRE(there);
    }
    std::mt19937 random(8);
    for (int round = 0; round < 200; round++) {
        ListQuery query;
        query.vector = &values[(random() % 3000) * kDim];
        query.k = 1;
        query.effort.nprobe = 1 + random() % 9;
        query.effort.refine = 3000;
        query.guides_within = round % 2 == 0;
        std::map<uint32_t, double> overlap;
        for (size_t i = 0; i < 1 + random() % 60; i++) {
            query.guides.push_back(cell_of[random() % 200]);
            if (query.guides.back() != kNoCell) {
                overlap[query.guides.back()] += 1 / (10 + static_cast<double>(i));
            }
        }
        ListSpace space;
        std::vector<uint32_t> nearest;
        REQUIRE(index.Search(query, nullptr, &space, &nearest, &work).ok());
        std::set<uint32_t> opened;
        for (const uint32_t vector : nearest) {
            opened.insert(cell_of[vector]);
        }
        // Without guides: the nearest ones, in order.
        std::vector<uint32_t> near;
        {
            ListSpace plain;
            REQUIRE(index.Begin(query, &plain).ok());
            index.Rank(query.effort.nprobe, &plain);
            near.assign(plain.order.begin(),
                        plain.order.begin() + static_cast<ptrdiff_t>(query.effort.nprobe));
        }
        const size_t probes = query.effort.nprobe;
        const size_t own = query.guides_within ? (probes + 1) / 2 : probes;
        for (size_t i = 0; i < own; i++) {
            CHECK(opened.count(near[i]) == 1);
        }
        CHECK(opened.size() <= (query.guides_within ? probes : 2 * probes));
        CHECK(space.guided <= (query.guides_within ? probes - 1 : probes));
        // No cell that was left out has more of the guides than one that was opened for them.
        double least = 1e9;
        for (const uint32_t cell : opened) {
            if (std::find(near.begin(), near.end(), cell) == near.end()) {
                REQUIRE(overlap.count(cell) == 1);
                least = std::min(least, overlap[cell]);
            }
        }
        for (const auto& [cell, weight] : overlap) {
            CHECK((opened.count(cell) == 1 || weight <= least + 1e-6 || space.guided == 0));
        }
    }
}

TEST_CASE("a guided search over lists finds what the guide leads to", "[guide][index]") {
    for (const char* options :
         {"index=lists lists=90 codes=i8", "index=lists lists=90 codes=f32"}) {
        CAPTURE(options);
        Guided guided(options);
        for (const char* guide : {"body", "terms"}) {
            const auto count_of_group = [&](const char* leg_options, int64_t* cells) {
                quern_query* query = guided.Query("nprobe=6", leg_options, 0.001, guide);
                quern_query_limit(query, 500);
                quern_result* result = nullptr;
                guided.file.Ok(quern_search(query, &result, &guided.file.err));
                size_t found = 0;
                for (size_t row = 0; row < quern_result_rows(result); row++) {
                    found += quern_result_key_int(result, row) % static_cast<int64_t>(kGroups) == 5;
                }
                *cells = quern_result_leg_stat(result, 0, QUERN_RESULT_CELLS_GUIDED);
                CHECK(quern_result_leg_stat(result, 0, QUERN_RESULT_CELLS_OPENED) <= 6);
                CHECK((quern_result_flags(result) & QUERN_FLAG_EXACT) == 0);
                quern_result_free(result);
                quern_query_free(query);
                return found;
            };
            int64_t cells = 0;
            // 50 of the group are hits of the text itself.
            const size_t plain = count_of_group(nullptr, &cells);
            CHECK(cells == 0);
            CHECK(plain <= 50);
            const size_t led = count_of_group((std::string("guide=") + guide).c_str(), &cells);
            CHECK(cells >= 1);
            CHECK(led > 100);
        }
    }
}

TEST_CASE("a told recall is kept beside what a guide adds", "[guide]") {
    Guided guided("index=lists lists=90 codes=i8");
    const auto run = [&](const char* knobs, const char* leg_options, int64_t* recall) {
        quern_query* query = guided.Query(knobs, leg_options);
        quern_query_limit(query, 20);
        quern_result* result = nullptr;
        guided.file.Ok(quern_search(query, &result, &guided.file.err));
        std::vector<int64_t> keys;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            keys.push_back(quern_result_key_int(result, row));
        }
        *recall = quern_result_leg_stat(result, 0, QUERN_RESULT_RECALL);
        quern_result_free(result);
        quern_query_free(query);
        return keys;
    };
    int64_t recall = 0;
    const auto exact = run("recall=1", "guide=body", &recall);
    int64_t with = 0;
    CHECK(run("recall=0.9", "guide=body", &with) == exact);
    run("recall=0.9", nullptr, &recall);
    CHECK(with == recall);
    run("nprobe=4", "guide=body", &with);
    CHECK(with == 0);  // nobody knows
}

TEST_CASE("a guide's hits are a threshold for the cells of the other leg", "[guide]") {
    Guided guided("index=lists lists=90 codes=i8");
    guided.word = "g2";  // texts and vectors agree: what is in other groups has no chance
    const auto run = [&](const char* leg_options, double of_text, const char* fusion, size_t k,
                         int64_t* passed, int64_t* opened) {
        quern_query* query = guided.Query("nprobe=60", leg_options, of_text);
        quern_query_fusion(query, fusion);
        quern_query_limit(query, k);
        quern_result* result = nullptr;
        guided.file.Ok(quern_search(query, &result, &guided.file.err));
        std::vector<std::pair<int64_t, float>> hits;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            hits.emplace_back(quern_result_key_int(result, row), quern_result_score(result, row));
        }
        *passed = quern_result_leg_stat(result, 0, QUERN_RESULT_CELLS_PASSED);
        *opened = quern_result_leg_stat(result, 0, QUERN_RESULT_CELLS_OPENED);
        quern_result_free(result);
        quern_query_free(query);
        return hits;
    };
    int64_t passed = 0, opened = 0, passed_plain = 0, opened_plain = 0;
    for (const double of_text : {0.001, 1.0, 5.0}) {
        for (const size_t k : {5, 20, 40}) {
            const auto plain = run(nullptr, of_text, nullptr, k, &passed_plain, &opened_plain);
            const auto led = run("guide=body", of_text, nullptr, k, &passed, &opened);
            REQUIRE(led.size() == k);
            CHECK(led == plain);
            CHECK(passed > passed_plain + 20);
            CHECK(opened < opened_plain);
        }
    }
    // Scales, and more hits than the guide has, allow no such conclusion.
    run("guide=body", 1, "normalize=minmax", 20, &passed, &opened);
    CHECK(opened >= 40);
    CHECK(run("guide=body", 1, nullptr, 300, &passed, &opened).size() == 300);
    CHECK(opened >= 40);
}

TEST_CASE("a graph is entered where a guide points", "[guide][index]") {
    // Two groups that no link leads between: what is entered in one does not get to the other.
    std::vector<float> values(2000 * kDim);
    std::mt19937 random(4);
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < values.size(); i++) {
        values[i] = normal(random) + (i / kDim < 1990 ? 0.0f : 500.0f);
    }
    Guided guided("index=graph codes=i8 m=8", 3000);
    guided.word = "g18";  // on the other side of group 2: no walk gets there by itself
    quern_query* query = guided.Query("ef=400", "guide=body");
    quern_query_limit(query, 300);
    quern_result* result = nullptr;
    guided.file.Ok(quern_search(query, &result, &guided.file.err));
    const int64_t scored = quern_result_leg_stat(result, 0, QUERN_RESULT_VECTORS_SCORED);
    quern_result_free(result);
    quern_query_free(query);
    query = guided.Query("ef=400", nullptr);
    quern_query_limit(query, 300);
    guided.file.Ok(quern_search(query, &result, &guided.file.err));
    CHECK(quern_result_leg_stat(result, 0, QUERN_RESULT_VECTORS_SCORED) < scored);
    quern_result_free(result);
    quern_query_free(query);

    // The walk itself: its seeds are in the pool, and nothing twice.
    const VectorRows rows{Element::kF32, Metric::kL2,
                          kDim,          reinterpret_cast<const char*>(values.data()),
                          2000,          nullptr};
    GraphIndexOptions options;
    options.codes = CodeChoice::kNone;
    options.m = 4;
    Work work;
    auto built = GraphIndex::Build(rows, options, &work);
    REQUIRE(built.ok());
    WalkSpace space;
    space.seeds = {1995, 1995, 7, 1999};
    std::vector<uint32_t> nodes;
    const std::vector<float> far(kDim, 499.0f);
    REQUIRE((*built)->Search(rows, far.data(), Effort::OfPool(3, 3), &space, &nodes, &work).ok());
    REQUIRE(nodes.size() == 3);
    for (const uint32_t node : nodes) {
        CHECK(node >= 1990);
    }
    CHECK(std::set<uint32_t>(nodes.begin(), nodes.end()).size() == 3);
}

TEST_CASE("walks over any codes begin at their seeds, too", "[guide][index]") {
    constexpr size_t kCount = 3000;
    const std::vector<float> values = Grouped(kCount, 11);
    const VectorRows rows{Element::kF32, Metric::kL2,
                          kDim,          reinterpret_cast<const char*>(values.data()),
                          kCount,        nullptr};
    for (const CodeChoice codes : {CodeChoice::kNone, CodeChoice::k8Bit, CodeChoice::kPacked}) {
        CAPTURE(static_cast<int>(codes));
        GraphIndexOptions options;
        options.codes = codes;
        options.m = 8;
        Work work;
        auto built = GraphIndex::Build(rows, options, &work);
        REQUIRE(built.ok());
        REQUIRE((*built)->Pack(1, nullptr, &work).ok());
        WalkSpace space;
        std::vector<uint32_t> nodes;
        const auto run = [&](uint64_t scored_max) {
            space.scored_max = scored_max;
            REQUIRE(
                (*built)
                    ->Search(rows, &values[2 * kDim], Effort::OfPool(10, 10), &space, &nodes, &work)
                    .ok());
        };
        run(0);
        const uint64_t descent = space.scored;
        // Of the query's own group; a walk that ends with its first step has only them to show.
        space.seeds = {32, 62, 92, 122, 152, 182, 212, 242, 272, 302, 332};
        run(descent + space.seeds.size() + 1);
        REQUIRE(!nodes.empty());
        CHECK(nodes[0] % kGroups == 2);
        run(UINT64_MAX);
        CHECK(std::set<uint32_t>(nodes.begin(), nodes.end()).size() == 10);
    }
}

TEST_CASE("guides lead under filters, over lists and graphs of all kinds", "[guide][index]") {
    for (const char* options : {"index=lists lists=90 codes=i8", "index=graph codes=i8 m=8",
                                "index=graph codes=f32 m=8", "index=graph codes=packed m=8"}) {
        Guided guided(options);
        const bool lists = std::string(options).find("lists") != std::string::npos;
        // All of group 5 match the filter, as do those of group 21, which lies on its other side:
        // no walk that is not told of them gets there.
        guided.vector.assign(guided.rows.begin() + 5 * kDim, guided.rows.begin() + 6 * kDim);
        guided.word = "g21";
        for (const char* filter : {"", "odd"}) {
            CAPTURE(options, filter);
            const auto run = [&](const char* knobs, const char* leg_options, int64_t* work) {
                quern_query* query = guided.Query(knobs, leg_options);
                if (*filter != 0) {
                    quern_query_filter(query, filter);
                }
                quern_query_limit(query, 200);
                quern_result* result = nullptr;
                guided.file.Ok(quern_search(query, &result, &guided.file.err));
                std::vector<int64_t> keys;
                for (size_t row = 0; row < quern_result_rows(result); row++) {
                    keys.push_back(quern_result_key_int(result, row));
                    CHECK((*filter == 0 || keys.back() % 2 == 1));
                }
                CHECK(keys.size() == 200);
                CHECK(std::set<int64_t>(keys.begin(), keys.end()).size() == keys.size());
                const int32_t stat =
                    lists ? QUERN_RESULT_CELLS_GUIDED : QUERN_RESULT_VECTORS_SCORED;
                *work = quern_result_leg_stat(result, 0, stat);
                quern_result_free(result);
                quern_query_free(query);
                return keys;
            };
            const char* const knobs = lists ? "nprobe=6" : "ef=500";
            int64_t plain = 0;
            int64_t led = 0;
            run(knobs, nullptr, &plain);
            run(knobs, "guide=body", &led);
            // A walk under a filter begins there as well, one without one too.
            CHECK(led > plain);
            CHECK(run("recall=1", "guide=body", &led) == run("recall=1", nullptr, &plain));
        }
    }
}

TEST_CASE("guides are checked and explained", "[guide]") {
    Guided guided("index=lists lists=20 codes=i8", 600);
    const auto message = [&](const char* options) {
        quern_query* query = guided.Query("", options);
        const std::string text = Message(query, QUERN_ERR_INVALID);
        quern_query_free(query);
        return text;
    };
    CHECK(message("guide=nothing").find("names no leg") != std::string::npos);
    CHECK(message("guide=emb").find("is guided by one in a sparse or text field") !=
          std::string::npos);
    quern_query* query = guided.Query("", "guide=BODY");
    quern_text* json = nullptr;
    guided.file.Ok(quern_query_explain(query, &json, &guided.file.err));
    CHECK(std::string(quern_text_data(json)).find("\"guide\":1") != std::string::npos);
    quern_text_free(json);
    // A filter, an option of many queries, a second leg of the guide's name.
    quern_query_filter(query, "odd");
    quern_result* result = nullptr;
    guided.file.Ok(quern_search(query, &result, &guided.file.err));
    CHECK(quern_result_rows(result) == 10);
    quern_result_free(result);
    quern_query* text = quern_query_new(guided.file.db, "docs");
    quern_query_text(text, "body", &guided.word, 1);
    quern_query_leg(query, text, 1, nullptr);
    CHECK(Message(query, QUERN_ERR_INVALID).find("more than one leg") != std::string::npos);
    quern_query_free(query);
    // Who is guided must be dense, and who guides must find.
    query = quern_query_new(guided.file.db, "docs");
    quern_query_leg(query, text, 1, "guide=emb");
    quern_query* dense = quern_query_new(guided.file.db, "docs");
    quern_query_dense(dense, "emb", guided.vector.data(), 1, kDim);
    quern_query_leg(query, dense, 1, nullptr);
    CHECK(Message(query, QUERN_ERR_INVALID).find("is guided by one") != std::string::npos);
    quern_query_free(query);
    query = quern_query_new(guided.file.db, "docs");
    quern_query_leg(query, text, 0, nullptr);
    quern_query_leg(query, dense, 1, "guide=body");
    CHECK(Message(query, QUERN_ERR_INVALID).find("finds nothing") != std::string::npos);
    quern_query_free(query);
    query = quern_query_new(guided.file.db, "docs");
    quern_query_dense(dense, "other", guided.vector.data(), 1, kDim);
    quern_query_leg(query, dense, 1, "name=a guide=b");
    quern_query_leg(query, dense, 1, "name=b");
    CHECK(Message(query, QUERN_ERR_INVALID).find("sparse or text") != std::string::npos);
    quern_query_free(query);
    query = quern_query_new(guided.file.db, "docs");
    quern_query_leg(query, dense, 1, "guide=");
    CHECK(Message(query, QUERN_ERR_OPTION).find("guide=") != std::string::npos);
    quern_query_free(query);
    quern_query_free(dense);
    quern_query_free(text);
}
