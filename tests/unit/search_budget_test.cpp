// Searches that end when their budget is spent: whatever they return are true hits with true
// scores, a query finds the same alone and among others, and nothing is told to be exact that is
// not. Time is given by budgets whose deadline is over before they begin.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "articles_file.h"
#include "capi/handles.h"
#include "indexed_file.h"

using namespace quern::testing;
using quern::BudgetLimits;
using quern::SearchBudget;

namespace {

struct Hits {
    std::vector<std::vector<std::pair<int64_t, float>>> of_queries;
    uint32_t flags = 0;
    int64_t left_out = 0;
    int64_t scored = 0;
    int64_t bytes = 0;
    bool partial() const { return (flags & QUERN_FLAG_PARTIAL) != 0; }
    bool exact() const { return (flags & QUERN_FLAG_EXACT) != 0; }
};

Hits Run(quern_query* query) {
    quern_error err = QUERN_ERROR_INIT;
    quern_result* result = nullptr;
    const int32_t status = quern_search(query, &result, &err);
    INFO(err.message);
    REQUIRE(status == QUERN_OK);
    Hits hits;
    for (size_t q = 0; q < quern_result_queries(result); q++) {
        hits.of_queries.emplace_back();
        for (size_t row = quern_result_offset(result, q); row < quern_result_offset(result, q + 1);
             row++) {
            hits.of_queries[q].emplace_back(quern_result_key_int(result, row),
                                            quern_result_score(result, row));
        }
    }
    hits.flags = quern_result_flags(result);
    hits.left_out = quern_result_stat(result, QUERN_RESULT_LEFT_OUT);
    hits.scored = quern_result_stat(result, QUERN_RESULT_VECTORS_SCORED);
    hits.bytes = quern_result_stat(result, QUERN_RESULT_BYTES_READ);
    quern_result_free(result);
    REQUIRE(hits.partial() == (hits.left_out != 0));
    REQUIRE_FALSE((hits.partial() && hits.exact()));
    return hits;
}

void SetLate(quern_query* query) {
    query->request.budget = std::make_shared<SearchBudget>(
        BudgetLimits{1, 0, 0}, SearchBudget::Clock::now() - std::chrono::hours(1));
}

// All that a query could find.
std::map<int64_t, float> AllOf(quern_query* query) {
    quern_query_limit(query, 100000);
    quern_query_options(query, "recall=exact");
    std::map<int64_t, float> all;
    const Hits hits = Run(query);
    for (const auto& [key, score] : hits.of_queries[0]) {
        all[key] = score;
    }
    quern_query_free(query);
    return all;
}

void CheckTrue(const std::vector<std::pair<int64_t, float>>& hits,
               const std::map<int64_t, float>& all, size_t k) {
    REQUIRE(hits.size() <= k);
    std::set<int64_t> seen;
    for (size_t i = 0; i < hits.size(); i++) {
        REQUIRE(seen.insert(hits[i].first).second);
        REQUIRE(all.count(hits[i].first) == 1);
        REQUIRE(all.at(hits[i].first) == Approx(hits[i].second).margin(1e-6));
        REQUIRE((i == 0 || hits[i - 1].second >= hits[i].second));
    }
}

void Fill(Articles* articles, int64_t count, bool sealed) {
    for (int64_t key = 0; key < count; key++) {
        articles->Put(key);
        if (sealed && key == count / 2) {
            articles->Ok(quern_optimize(articles->db, nullptr, 0, &articles->err));
        }
    }
    for (int64_t key = 0; key < count; key += 13) {
        articles->Delete(key);
    }
}

// 3000 records in one segment.
void FillShort(const std::string& index, indexed::IndexedFile* file) {
    file->FillOnce("budget " + index, [&] {
        file->Create(QUERN_L2, index);
        file->Insert(0, indexed::MakeRows(3000, 1));
        file->Ok(quern_optimize(file->db, nullptr, 0, &file->err));
    });
}

// Records with long vectors, in one segment. Gives the vectors.
std::vector<float> FillLong(size_t count, const std::string& index, indexed::IndexedFile* file) {
    file->dim = 256;
    file->Create(QUERN_L2, index);
    std::vector<float> rows = indexed::MakeRows(count, 5, file->dim);
    file->Insert(0, rows);
    file->Ok(quern_optimize(file->db, nullptr, 0, &file->err));
    return rows;
}

// A search for what is near the first of them; of the caller.
quern_query* LooksFor(indexed::IndexedFile* file, const std::vector<float>& rows,
                      const std::string& options) {
    quern_query* query = quern_query_new(file->db, "docs");
    quern_query_dense(query, "emb", rows.data(), 1, file->dim);
    quern_query_options(query, options.c_str());
    return query;
}

}  // namespace

TEST_CASE("a budget is shared out and what is spent of a share is spent of the whole", "[budget]") {
    SearchBudget whole(BudgetLimits{0, 100, 1000}, SearchBudget::Clock::now());
    whole.Reserve(2);
    whole.AddScored(0, 40);
    const auto share = whole.Share(3);
    REQUIRE(share->ScoredLeft(0) == 20);
    REQUIRE(share->ScoredLeft(1) == 34);
    REQUIRE(share->BytesLeft() == 333);
    share->AddScored(1, 30);
    share->AddBytes(400);
    REQUIRE(whole.ScoredLeft(1) == 70);
    REQUIRE(whole.BytesLeft() == 600);
    REQUIRE(share->BytesSpent());
    const auto one = share->OfQuery(1);
    one->Reserve(1);
    REQUIRE(one->ScoredLeft(0) == 4);
    one->AddScored(0, 4);
    REQUIRE(share->ScoredLeft(1) == 0);
    REQUIRE(whole.ScoredLeft(1) == 66);
    REQUIRE(whole.Spent() == 0);
    one->LeftOut(quern::kSpentScored, 0);
    REQUIRE(whole.LeftOutOf(1));
    REQUIRE_FALSE(whole.LeftOutOf(0));
    REQUIRE(whole.left_out() == quern::kSpentScored);
    // What one query looks for alone is left out of no other, whoever tells it.
    SearchBudget third(BudgetLimits{0, 100, 0}, SearchBudget::Clock::now());
    third.Reserve(3);
    third.OfQuery(1)->Share(2)->LeftOut(quern::kSpentScored);
    REQUIRE(third.LeftOutOf(1));
    REQUIRE_FALSE(third.LeftOutOf(0));
    REQUIRE_FALSE(third.LeftOutOf(2));
    // Groups of queries have spent nothing yet, and their numbers are their own.
    const auto group = whole.OfGroup(0.5);
    group->Reserve(1);
    REQUIRE(group->ScoredLeft(0) == 100);
    REQUIRE(group->BytesLeft() == 300);
    group->AddScored(0, 7);
    REQUIRE(whole.ScoredLeft(0) == 60);
    whole.AddBytes(600);
    REQUIRE(whole.Spent() == quern::kSpentBytes);

    SearchBudget late(BudgetLimits{5, 0, 0},
                      SearchBudget::Clock::now() - std::chrono::milliseconds(5));
    REQUIRE(late.Late());
    REQUIRE(late.Share(2)->Late());
    REQUIRE(late.TimeLeft().count() == 0);
    SearchBudget none(BudgetLimits{}, SearchBudget::Clock::now());
    REQUIRE_FALSE(none.Late());
    REQUIRE(none.ScoredLeft(5) == SearchBudget::kNoBound);
}

TEST_CASE("searches of one field end when they have measured as much as they may", "[budget]") {
    const bool sealed = GENERATE(true, false);
    Articles articles;
    Fill(&articles, 900, sealed);
    size_t partial = 0;
    for (int round = 0; round < 120; round++) {
        CAPTURE(round, sealed);
        const LegQuery leg = LegQuery::Make(&articles);
        const bool filtered = articles.Pick(0, 2) == 0;
        const size_t most = articles.Pick(1, 400);
        quern_query* whole = leg.Query(articles.db);
        quern_query* query = leg.Query(articles.db);
        if (filtered) {
            quern_query_filter(whole, kFilter);
            quern_query_filter(query, kFilter);
        }
        const auto all = AllOf(whole);
        const std::string options = "max_scored=" + std::to_string(most);
        quern_query_options(query, options.c_str());
        const Hits hits = Run(query);
        CheckTrue(hits.of_queries[0], all, 10);
        partial += hits.partial() ? 1 : 0;
        if (hits.partial()) {
            REQUIRE(hits.left_out == 2);
        } else {
            REQUIRE(hits.of_queries[0].size() == std::min<size_t>(10, all.size()));
        }
        // A scan stops where it should, but for blocks of the log and of postings.
        if (leg.field < 2 && sealed) {
            REQUIRE(hits.scored <= static_cast<int64_t>(most) + 1024);
        }
        quern_query_options(query, "max_scored=0");
        REQUIRE_FALSE(Run(query).partial());
        SetLate(query);
        CheckTrue(Run(query).of_queries[0], all, 10);
        quern_query_free(query);
    }
    REQUIRE(partial > 10);
}

TEST_CASE("searches of legs, candidates, feedback and shapes return true scores", "[budget]") {
    Articles articles;
    Fill(&articles, 700, true);
    size_t partial = 0;
    for (int round = 0; round < 200; round++) {
        CAPTURE(round);
        std::vector<LegQuery> legs;
        const size_t count = articles.Pick(1, 3);
        for (size_t l = 0; l < count; l++) {
            legs.push_back(LegQuery::Make(&articles));
        }
        const bool formula = articles.Pick(0, 3) == 0;
        const bool among = articles.Pick(0, 3) == 0;
        const bool grouped = articles.Pick(0, 3) == 0;
        const LegQuery from = LegQuery::Make(&articles);
        const auto make = [&](bool with_candidates) {
            quern_query* query = quern_query_new(articles.db, "articles");
            std::string sum;
            for (size_t l = 0; l < legs.size(); l++) {
                quern_query* of_leg = legs[l].Query(articles.db);
                quern_query_leg(query, of_leg, formula ? 1 : legs[l].weight,
                                legs[l].absent.c_str());
                quern_query_free(of_leg);
                sum += (l > 0 ? " + l" : "l") + std::to_string(l);
            }
            if (formula) {
                quern_query_formula(query, sum.c_str());
            }
            if (with_candidates) {
                quern_query* candidates = from.Query(articles.db);
                quern_query_candidates(query, candidates);
                quern_query_free(candidates);
            }
            return query;
        };
        const auto all = AllOf(make(false));
        quern_query* query = make(among);
        if (grouped) {
            quern_query_group(query, "year", 3);
            quern_query_limit(query, 5);
        }
        const std::string options = "max_scored=" + std::to_string(articles.Pick(1, 600));
        quern_query_options(query, options.c_str());
        const auto check = [&](const Hits& hits) {
            std::set<int64_t> seen;
            for (const auto& [key, score] : hits.of_queries[0]) {
                REQUIRE(seen.insert(key).second);
                REQUIRE(all.count(key) == 1);
                REQUIRE(all.at(key) == Approx(score).margin(1e-5));
            }
            partial += hits.partial() ? 1 : 0;
        };
        check(Run(query));
        quern_query_options(query, "max_scored=0");
        SetLate(query);
        check(Run(query));
        quern_query_free(query);
    }
    REQUIRE(partial > 100);
}

TEST_CASE("queries of a batch find under a budget what they find alone", "[budget]") {
    const auto index = GENERATE(as<std::string>{}, "index=none", "index=graph",
                                "index=graph codes=1bit", "index=lists");
    CAPTURE(index);
    indexed::IndexedFile file;
    FillShort(index, &file);
    file.Insert(3000, indexed::MakeRows(300, 3));
    file.Delete({5, 6, 7, 3002});
    const std::vector<float> rows = indexed::MakeRows(12, 2);
    const auto make = [&](size_t first, size_t count, const std::string& options) {
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, "emb", rows.data() + first * file.dim, count, file.dim);
        quern_query_options(query, options.c_str());
        return query;
    };
    std::vector<std::map<int64_t, float>> all;
    for (size_t q = 0; q < 12; q++) {
        all.push_back(AllOf(make(q, 1, "")));
    }
    for (const int most : {1, 40, 300, 2500, 100000}) {
        CAPTURE(most);
        const std::string options = "recall=0.9 max_scored=" + std::to_string(most);
        quern_query* batch = make(0, 12, options + " threads=2");
        const Hits together = Run(batch);
        REQUIRE((together.partial() || most > 40));
        REQUIRE((!together.partial() || most < 100000));
        for (size_t q = 0; q < 12; q++) {
            quern_query* alone = make(q, 1, options + " threads=1");
            REQUIRE(Run(alone).of_queries[0] == together.of_queries[q]);
            CheckTrue(together.of_queries[q], all[q], 10);
            quern_query_free(alone);
        }
        quern_query_free(batch);
    }
    // Of queries that time leaves nothing for, none but the first begins.
    quern_query* late = make(0, 12, "recall=0.9");
    SetLate(late);
    const Hits hits = Run(late);
    REQUIRE(hits.partial());
    REQUIRE(hits.left_out == 1);
    for (size_t q = 0; q < 12; q++) {
        CheckTrue(hits.of_queries[q], all[q], 10);
    }
    quern_query_free(late);
    // With a bound on the distance instead of a number.
    quern_query* range = make(0, 1, "max_scored=500");
    quern_query_limit(range, 0);
    quern_query_max_distance(range, 3);
    CheckTrue(Run(range).of_queries[0], all[0], 100000);
    quern_query_free(range);
}

TEST_CASE("queries of legs in a batch find under a budget what they find alone", "[budget]") {
    // Longer lists are looked for query by query, through segments and log.
    Articles articles;
    Fill(&articles, 1200, true);
    for (int64_t key = 1200; key < 1400; key++) {
        articles.Put(key);
    }
    constexpr size_t kQueries = 4;
    std::vector<LegQuery> of_emb, of_terms;
    while (of_emb.size() < kQueries || of_terms.size() < kQueries) {
        const LegQuery leg = LegQuery::Make(&articles);
        if (leg.field == 0) {
            of_emb.push_back(leg);
        } else if (leg.field == 2) {
            of_terms.push_back(leg);
        }
    }
    const auto make = [&](size_t first, size_t count, const std::string& fusion, size_t most) {
        std::vector<float> vectors, weights;
        std::vector<uint32_t> dims;
        std::vector<size_t> offsets = {0};
        for (size_t q = first; q < first + count; q++) {
            vectors.insert(vectors.end(), of_emb[q].vector.begin(), of_emb[q].vector.end());
            dims.insert(dims.end(), of_terms[q].dims.begin(), of_terms[q].dims.end());
            weights.insert(weights.end(), of_terms[q].weights.begin(), of_terms[q].weights.end());
            offsets.push_back(dims.size());
        }
        quern_query* query = quern_query_new(articles.db, "articles");
        quern_query* leg = quern_query_new(articles.db, "articles");
        quern_query_dense(leg, "emb", vectors.data(), count, kDim);
        quern_query_leg(query, leg, 1, nullptr);
        quern_query_free(leg);
        leg = quern_query_new(articles.db, "articles");
        quern_query_sparse(leg, "terms", offsets.data(), dims.data(), weights.data(), count);
        quern_query_leg(query, leg, 1, nullptr);
        quern_query_free(leg);
        quern_query_limit(query, 50);
        quern_query_fusion(query, fusion.c_str());
        quern_query_options(query, ("max_scored=" + std::to_string(most)).c_str());
        const Hits hits = Run(query);
        quern_query_free(query);
        return hits;
    };
    for (const char* fusion : {"normalize=minmax", "normalize=zscore", "kind=max", "kind=sum"}) {
        for (size_t most = 1500; most <= 5500; most += 500) {
            CAPTURE(fusion, most);
            const Hits together = make(0, kQueries, fusion, most);
            int64_t scored = 0;
            for (size_t q = 0; q < kQueries; q++) {
                const Hits alone = make(q, 1, fusion, most);
                REQUIRE(alone.of_queries[0] == together.of_queries[q]);
                scored += alone.scored;
            }
            REQUIRE(together.scored == scored);
        }
    }
}

TEST_CASE("what a query finds under a budget does not depend on what is in memory", "[budget]") {
    const auto index =
        GENERATE(as<std::string>{}, "index=graph", "index=graph codes=1bit", "index=lists");
    const bool bounded = GENERATE(false, true);
    CAPTURE(index, bounded);
    indexed::IndexedFile file;
    FillShort(index, &file);
    const std::vector<float> rows = indexed::MakeRows(6, 2);
    const auto make = [&](const std::vector<size_t>& which, const std::string& options) {
        std::vector<float> some;
        for (const size_t q : which) {
            some.insert(some.end(), rows.begin() + static_cast<ptrdiff_t>(q * file.dim),
                        rows.begin() + static_cast<ptrdiff_t>((q + 1) * file.dim));
        }
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, "emb", some.data(), which.size(), file.dim);
        quern_query_filter(query, "id % 2 = 1");
        quern_query_limit(query, 20);
        if (bounded) {
            quern_query_max_distance(query, 8);
        }
        quern_query_options(query, options.c_str());
        const Hits hits = Run(query);
        quern_query_free(query);
        return hits;
    };
    for (const int most : {1, 60, 200, 700, 1499, 1501, 2000, 4000, 100000}) {
        CAPTURE(most);
        const std::string options = "recall=0.9 max_scored=" + std::to_string(most);
        file.Open();
        std::vector<Hits> alone;
        for (size_t q = 0; q < 6; q++) {
            alone.push_back(make({q}, options + " threads=1"));
        }
        for (const bool loaded : {false, true}) {
            CAPTURE(loaded);
            if (loaded) {
                make({0}, "recall=exact");  // loads all vectors
            }
            const Hits together = make({0, 1, 2, 3, 4, 5}, options + " threads=2");
            const Hits turned = make({5, 3, 1, 0, 2, 4}, options + " threads=1");
            const size_t place[] = {3, 2, 4, 1, 5, 0};
            for (size_t q = 0; q < 6; q++) {
                CAPTURE(q);
                REQUIRE(together.of_queries[q] == alone[q].of_queries[0]);
                REQUIRE(turned.of_queries[place[q]] == alone[q].of_queries[0]);
                REQUIRE(make({q}, options).of_queries == alone[q].of_queries);
            }
        }
        if (most < 200 || most > 700) {
            continue;
        }
        // Near ones, not the first by key: of these every other record is one.
        const Hits scanned =
            make({0, 1, 2, 3, 4, 5}, "recall=exact max_scored=" + std::to_string(most));
        double nearer = 0;
        for (size_t q = 0; q < 6; q++) {
            REQUIRE_FALSE(alone[q].of_queries[0].empty());
            nearer += static_cast<double>(alone[q].of_queries[0][0].second) -
                      static_cast<double>(scanned.of_queries[q].empty()
                                              ? -1000.0f
                                              : scanned.of_queries[q][0].second);
        }
        REQUIRE(nearer > 0);
    }
}

TEST_CASE("groups of a query under a budget are what they are alone", "[budget]") {
    Articles articles;
    Fill(&articles, 700, true);
    std::vector<float> vectors;
    for (size_t i = 0; i < 8 * kDim; i++) {
        vectors.push_back(static_cast<float>(articles.Pick(0, 9)) - 4.75f);
    }
    const auto make = [&](size_t first, size_t count, int most) {
        quern_query* query = quern_query_new(articles.db, "articles");
        quern_query_dense(query, "emb", vectors.data() + first * kDim, count, kDim);
        quern_query_group(query, "year", 2);
        quern_query_limit(query, 4);
        quern_query_options(query, ("max_scored=" + std::to_string(most)).c_str());
        const Hits hits = Run(query);
        quern_query_free(query);
        return hits;
    };
    for (const int most : {50, 700, 1400, 3000, 100000}) {
        CAPTURE(most);
        const Hits together = make(0, 8, most);
        for (size_t q = 0; q < 8; q++) {
            REQUIRE(make(q, 1, most).of_queries[0] == together.of_queries[q]);
        }
    }
}

TEST_CASE("vectors are not loaded whole for more bytes than a search may read", "[budget]") {
    const auto index =
        GENERATE(as<std::string>{}, "index=none", "index=graph codes=f32 ef_build=16");
    CAPTURE(index);
    indexed::IndexedFile file;
    const std::vector<float> rows = FillLong(6000, index, &file);
    const int64_t all_bytes = static_cast<int64_t>(rows.size() * sizeof(float));
    const auto make = [&](const std::string& options) { return LooksFor(&file, rows, options); };
    const auto all = AllOf(make(""));
    file.Open();
    int round = 0;
    int64_t bytes[2] = {0, 0};
    for (const bool feedback : {false, true, false, true}) {
        const int64_t most = all_bytes / (round++ < 2 ? 4 : 6000);
        CAPTURE(most, feedback);
        quern_query* query = make("max_bytes=" + std::to_string(most));
        if (feedback) {
            quern_query_feedback(query, nullptr);
        }
        const Hits hits = Run(query);
        REQUIRE(hits.partial());
        REQUIRE(hits.left_out == 4);
        // Where the first of two searches has read all that there is to read, its three are it.
        const bool spent = feedback && round > 2;
        REQUIRE(hits.of_queries[0].size() == (spent ? 3 : 10));
        REQUIRE(hits.scored < 6000);
        REQUIRE(hits.bytes < most + all_bytes / 3);
        bytes[feedback ? 1 : 0] = hits.bytes;
        if (!feedback) {
            CheckTrue(hits.of_queries[0], all, 10);
        }
        quern_query_free(query);
    }
    // No more than one piece, and a look at the three.
    REQUIRE(bytes[1] < bytes[0] + bytes[0] / 2);
    // What suffices is loaded, counts, and is there the next time.
    const std::string enough = "recall=exact max_bytes=" + std::to_string(all_bytes * 2);
    quern_query* loads = make(enough);
    const Hits loaded = Run(loads);
    REQUIRE(loaded.exact());
    REQUIRE(loaded.scored == 6000);
    REQUIRE(loaded.bytes > all_bytes / 2);
    const Hits again = Run(loads);
    REQUIRE(again.exact());
    REQUIRE(again.bytes < all_bytes / 100);
    REQUIRE(again.of_queries == loaded.of_queries);
    quern_query_free(loads);
}

TEST_CASE("a search that has read as many bytes as it may ends", "[budget]") {
    const auto index = GENERATE(as<std::string>{}, "index=none", "index=lists lists=50");
    CAPTURE(index);
    indexed::IndexedFile file;
    const std::vector<float> rows = FillLong(5000, index, &file);
    const auto make = [&](const std::string& options) { return LooksFor(&file, rows, options); };
    const auto all = AllOf(make(""));
    file.Open("threads=2 memory_mb=1");
    const std::string options = index == "index=none" ? "" : "nprobe=50";
    quern_query* query = make(options + " max_bytes=1000000");
    const Hits hits = Run(query);
    REQUIRE(hits.partial());
    REQUIRE(hits.left_out == 4);
    CheckTrue(hits.of_queries[0], all, 10);
    quern_query_free(query);
}

TEST_CASE("a filter that the time does not suffice for leaves nothing", "[budget]") {
    Articles articles;
    Fill(&articles, 50, true);
    const char* const texts[] = {"grain", "stone"};
    quern_query* query = quern_query_new(articles.db, "articles");
    quern_query_text(query, "body", texts, 2);
    quern_query_filter(query,
                       "(with recursive n(i) as (select 1 union all select i + 1 from n limit "
                       "100000000) select count(*) from n) > year");
    SetLate(query);
    const Hits hits = Run(query);
    REQUIRE(hits.partial());
    REQUIRE(hits.of_queries.size() == 2);
    REQUIRE(hits.of_queries[0].empty());
    REQUIRE(hits.of_queries[1].empty());
    quern_query_free(query);
}

TEST_CASE("queries of a batch that time leaves nothing for have no rows", "[budget]") {
    const bool sealed = GENERATE(true, false);
    Articles articles;
    Fill(&articles, 700, sealed);
    constexpr size_t kQueries = 3000;
    std::vector<float> vectors;
    for (size_t i = 0; i < kQueries * kDim; i++) {
        vectors.push_back(static_cast<float>(articles.Pick(0, 9)) - 4.75f);
    }
    const std::vector<const char*> texts(kQueries, "stone baker mill");
    const auto with_rows = [&](quern_query* query) {
        quern_query_limit(query, 10);
        SetLate(query);
        const Hits hits = Run(query);
        REQUIRE(hits.of_queries.size() == kQueries);
        REQUIRE(hits.partial());
        REQUIRE(hits.left_out == quern::kSpentTime);
        quern_query_free(query);
        return static_cast<size_t>(std::count_if(hits.of_queries.begin(), hits.of_queries.end(),
                                                 [](const auto& of) { return !of.empty(); }));
    };
    const auto dense = [&] {
        quern_query* query = quern_query_new(articles.db, "articles");
        quern_query_dense(query, "emb", vectors.data(), kQueries, kDim);
        return query;
    };
    // The first piece of work of a scan, and no more.
    const size_t scanned = with_rows(dense());
    REQUIRE(scanned > 0);
    REQUIRE(scanned <= 128);
    quern_query* text = quern_query_new(articles.db, "articles");
    quern_query_text(text, "body", texts.data(), kQueries);
    REQUIRE(with_rows(text) <= 1);
    quern_query* fused = quern_query_new(articles.db, "articles");
    quern_query* leg = dense();
    quern_query_leg(fused, leg, 1, nullptr);
    quern_query_free(leg);
    leg = quern_query_new(articles.db, "articles");
    quern_query_text(leg, "body", texts.data(), kQueries);
    quern_query_leg(fused, leg, 1, nullptr);
    quern_query_free(leg);
    REQUIRE(with_rows(fused) == 1);
}
